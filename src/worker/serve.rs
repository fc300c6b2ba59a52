//! The child's side: takes the opened files, bounds itself, inspects, answers.

use super::start::MAX_OVERLAYS;
use super::{Kind, Outcome, Reply, Request, Stats};
use crate::bytes::{Bytes, Counted, Counter};
use crate::disk::image::Overlays;
use crate::disk::source::FileBytes;
use crate::error::{Error, Result};
use crate::guest::{Input, inspect};
use crate::limits::GIB;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::{IoSliceMut, Write as _, stderr, stdin, stdout};
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Bytes of address space of the child, as Nova gives `qemu-img` (`images_address_space_limit`): the largest decoder
/// windows and tables of a real image stay below a quarter of it.
const ADDRESS_SPACE: u64 = GIB;
/// Seconds of processor time of the child, as Nova gives `qemu-img` (`images_cpu_time_limit`): a hundred times what a
/// real image takes.
const CPU_SECONDS: u64 = 30;

/// Answers one request, given as JSON, on standard output.
///
/// # Errors
/// When the request is none, or the answer cannot be written; the parent takes the exit code as death.
pub fn serve(request: &str) -> Result<()> {
    bound()?;
    let request: Request = serde_json::from_str(request).map_err(|error| Error::io("worker request", error))?;
    let counter = Arc::new(Counter::default());
    let outcome = match collect(request, &counter) {
        Ok(guest) => Outcome::Facts(Box::new(guest)),
        Err(error) => Outcome::Error(error),
    };
    let reply = Reply { outcome, stats: stats(&counter) };
    let written =
        serde_json::to_vec(&reply).map_err(std::io::Error::other).and_then(|reply| stdout().write_all(&reply));
    written.map_err(|error| Error::io("facts", error))
}

fn collect(request: Request, counter: &Arc<Counter>) -> Result<crate::guest::Guest> {
    let count = request.backing.saturating_add(usize::from(request.has_data_file));
    let mut files = if count == 0 { Vec::new() } else { receive(count)? };
    let main = copy(stdin().as_fd())?;
    let counted = |file: OwnedFd| -> Result<Bytes> {
        let source = FileBytes::new(File::from(file))?;
        Ok(Arc::new(Counted::new(Arc::new(source), Arc::clone(counter))))
    };
    let name = request.name;
    let input = match request.kind {
        Kind::Tree => Input::Tree { name, directory: main },
        Kind::Initrd => Input::Initrd { name, file: counted(main)?, root: files.pop() },
        Kind::Image => {
            let data_file = if request.has_data_file { files.pop().map(counted).transpose()? } else { None };
            let backing = files.into_iter().map(counted).collect::<Result<_>>()?;
            Input::Image { name, file: counted(main)?, overlays: Overlays { backing, data_file } }
        }
    };
    // A parent that no longer listens does not stop the inspection.
    let progress = |phase: &str| drop(writeln!(stderr(), "phase {phase}"));
    inspect(input, &request.options, &progress)
}

fn copy(fd: impl AsFd) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(|error| Error::io("image", error))
}

/// Takes the overlays that the parent sent.
fn receive(count: usize) -> Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_OVERLAYS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0_u8; 1];
    recvmsg(stderr().as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
        .map_err(|error| Error::io("overlays", error))?;
    let mut files = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            files.extend(fds);
        }
    }
    if files.len() == count { Ok(files) } else { Err(Error::io("overlays", "not every file arrived")) }
}

/// Bounds this process; a bound that is already tighter stays.
fn bound() -> Result<()> {
    for (resource, most) in [(Resource::As, ADDRESS_SPACE), (Resource::Cpu, CPU_SECONDS), (Resource::Core, 0)] {
        let standing = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Some(standing.min(most));
        setrlimit(resource, Rlimit { current: limit, maximum: limit })
            .map_err(|error| Error::io("resource limit", error))?;
    }
    Ok(())
}

fn stats(counter: &Counter) -> Stats {
    let (reads, bytes) = counter.totals();
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = u64::try_from(time.tv_sec).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    let cpu_us = cpu.unwrap_or(0).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0) / 1000);
    Stats { reads, bytes, cpu_us }
}
