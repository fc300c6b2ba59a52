//! The parent's side: starts the child, hands it what the user named, reads its answer, at most so many bytes.

use super::{Answer, COMMAND, Kind, Outcome, Reply, Request, Stats};
use crate::bytes::{read_capped, text};
use crate::error::{Error, Result};
use crate::guest::Options;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::Signal;
use std::fs::File;
use std::io::{BufRead as _, BufReader, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

/// Bytes of the child's last words that are kept to say why it died.
const LAST_WORDS: usize = 2000;
/// Backing files in one message: Linux's `SCM_MAX_FD` is 253; a chain of 16 is already unheard of.
pub(super) const MAX_OVERLAYS: usize = 16;

/// One image to inspect, its files opened by the caller.
#[derive(Debug)]
pub struct Job {
    /// As the user named it.
    pub name: String,
    /// The opened file or directory.
    pub file: File,
    /// What `file` is.
    pub kind: Kind,
    /// `--backing`, nearest first; for an initrd the directory of its root file system.
    pub backing: Vec<File>,
    /// `--data-file`.
    pub data_file: Option<File>,
    /// What to look for, and how far.
    pub options: Options,
}

/// Inspects an image in a child process; `progress` gets the name of each phase as it begins.
pub fn run(job: Job, progress: &(dyn Fn(&str) + Sync)) -> Answer {
    let limit = job.options.limits.facts;
    let name = job.name.clone();
    let answer = spawn(job).and_then(|(child, words)| converse(child, words, limit, progress));
    match answer {
        Ok(Reply { outcome: Outcome::Facts(guest), stats }) => Answer { result: Ok(guest), stats },
        Ok(Reply { outcome: Outcome::Error(error), stats }) => Answer { result: Err(error.at(name)), stats },
        Err(error) => Answer { result: Err(error.at(name)), stats: Stats::default() },
    }
}

/// Starts the child; gives it and the end of its standard error.
fn spawn(job: Job) -> Result<(Child, Box<dyn Read + Send>)> {
    let failed = |error: std::io::Error| Error::io("worker process", error);
    let overlays: Vec<&File> = job.backing.iter().chain(&job.data_file).collect();
    if overlays.len() > MAX_OVERLAYS {
        return Err(Error::too_large("overlays", format!("at most {MAX_OVERLAYS} files may be named")));
    }
    let request = Request {
        name: job.name,
        kind: job.kind,
        backing: job.backing.len(),
        has_data_file: job.data_file.is_some(),
        options: job.options,
    };
    let request = serde_json::to_string(&request).map_err(|error| Error::io("worker request", error))?;
    let program = std::env::current_exe().map_err(failed)?;
    #[expect(clippy::disallowed_methods, reason = "the one place that starts the worker")]
    let mut command = Command::new(program);
    command.arg(COMMAND).arg(request).env_clear().stdin(Stdio::from(job.file)).stdout(Stdio::piped());
    if overlays.is_empty() {
        let mut child = command.stderr(Stdio::piped()).spawn().map_err(failed)?;
        let words = child.stderr.take().ok_or_else(|| Error::io("worker process", "no standard error"))?;
        return Ok((child, Box::new(words)));
    }
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    let child = command.stderr(Stdio::from(OwnedFd::from(theirs))).spawn().map_err(failed)?;
    drop(command);
    send(&ours, &overlays)?;
    Ok((child, Box::new(ours)))
}

/// Hands over opened files; their names stay here.
fn send(socket: &UnixStream, files: &[&File]) -> Result<()> {
    let files: Vec<BorrowedFd<'_>> = files.iter().map(|file| file.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_OVERLAYS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(Error::io("overlays", "too many files for one message"));
    }
    let sent = sendmsg(socket, &[IoSlice::new(b".")], &mut control, SendFlags::empty());
    sent.map(drop).map_err(|error| Error::io("overlays", error))
}

/// Reads progress and answer side by side, then waits.
fn converse(
    mut child: Child,
    words: Box<dyn Read + Send>,
    limit: u64,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Reply> {
    let stdout = child.stdout.take();
    let (answer, last_words) = thread::scope(|scope| {
        let listener = thread::Builder::new().spawn_scoped(scope, || listen(words, progress));
        let answer = match (&listener, stdout) {
            (Err(error), _) => Err(Error::io("worker process", format!("no thread to listen to it: {error}"))),
            (_, None) => Err(Error::io("worker process", "no standard output")),
            (_, Some(mut stdout)) => read_capped(&mut stdout, limit, "facts of the worker"),
        };
        if answer.is_err() {
            // It may still be writing what nobody reads; its end is what the listener waits for.
            drop(child.kill());
        }
        (answer, listener.ok().and_then(|listener| listener.join().ok()).unwrap_or_default())
    });
    let status = child.wait().map_err(|error| Error::io("worker process", error))?;
    let answer = answer?;
    if !status.success() {
        return Err(death(status, &last_words));
    }
    serde_json::from_slice(&answer).map_err(|error| Error::io("facts of the worker", error))
}

/// Why there is no answer: somebody ended the child, or the image did.
fn death(status: ExitStatus, last_words: &str) -> Error {
    let found = format!("the process that reads the image died ({status}){last_words}");
    if matches!(
        status.signal().and_then(Signal::from_named_raw),
        Some(Signal::TERM | Signal::KILL | Signal::INT | Signal::HUP)
    ) {
        return Error::io("image", found).help("it was ended from outside, or memory ran out; run it again");
    }
    Error::corrupt("image", found)
        .why("a reader that dies on an image proves nothing of it; nothing is passed")
        .help("report this image to the project: no image should be able to do this")
}

/// Passes phases on; keeps the end of anything else the child says.
fn listen(words: Box<dyn Read + Send>, progress: &(dyn Fn(&str) + Sync)) -> String {
    let mut last: Vec<u8> = Vec::new();
    // A hostile child could write for ever without a line end: a line is at most LAST_WORDS long.
    let mut reader = BufReader::new(words);
    loop {
        let mut line = Vec::new();
        let mut part = (&mut reader).take(u64::try_from(LAST_WORDS).unwrap_or(u64::MAX));
        match part.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        match line.strip_prefix(b"phase ") {
            Some(phase) => progress(text(phase).trim_end()),
            None => last = [last, line].concat().into_iter().rev().take(LAST_WORDS).rev().collect(),
        }
    }
    let last = text(&last).split_whitespace().collect::<Vec<_>>().join(" ");
    if last.is_empty() { last } else { format!(": {last}") }
}
