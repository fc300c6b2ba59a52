//! A program that cannot outlive us. It runs below a guard, a process of our own program; when our end of the guard's
//! standard input closes, however we end, the guard ends the program and all that it started.

use crate::bytes::{read_capped, text};
use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, getpid, getppid, kill_process, set_child_subreaper,
    set_parent_process_death_signal, setrlimit, setsid, wait,
};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// The hidden subcommand under which the program starts itself as a guard, and then as what is guarded.
pub const COMMAND: &str = "child";
/// First word of a guard that watches.
const WATCH: &str = "watch";
/// First word of what becomes the program: the guard's process id and the program follow.
const BECOME: &str = "become";
/// This program, even where its file has been replaced meanwhile (`man 5 proc`).
const OURSELVES: &str = "/proc/self/exe";
/// Bytes of one `/proc/PID/stat`: 52 numbers and a name.
const STAT: u64 = 4096;
/// Time between two looks at what has ended.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
/// Time between two looks at processes that do not end at once.
const HASTE: Duration = Duration::from_millis(1);

/// A program that runs below a guard. Dropping it ends the program and all that it started.
#[derive(Debug)]
pub struct Guarded(Child);

/// A command that will run `program` below the guard `ourselves`; arguments, environment and outputs are the caller's.
pub fn command(ourselves: &Path, program: impl AsRef<OsStr>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts a guard")]
    let mut command = Command::new(ourselves);
    // A group of its own: Ctrl-C is for us, and what it means for the program is ours to say.
    command.args([COMMAND, WATCH]).arg(program).process_group(0);
    command
}

impl Guarded {
    /// Starts a command that [`command`] made.
    ///
    /// # Errors
    /// Of the operating system, when the guard cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).spawn().map(Self)
    }

    /// The guard; its standard input stays with us.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// The program's end, if it has come.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Waits for the program's end.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        // `Child::wait` would close the standard input first, and with it the program would end.
        let line = self.0.stdin.take();
        let status = self.0.wait();
        drop(line);
        status
    }

    /// Ends the program and all that it started; they are gone when this returns.
    pub fn end(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
    }
}

/// Is the guard, or becomes the program; gives the program's exit code.
///
/// # Errors
/// When the words are none that [`command`] wrote, or the operating system refuses.
pub fn serve(words: &[OsString]) -> Result<u8> {
    let failed = |error: io::Error| Error::io("guard", error);
    match words {
        [role, rest @ ..] if role == WATCH && !rest.is_empty() => {
            let status = watch(rest).map_err(failed)?;
            Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or_else(|| die_as(status)))
        }
        [role, guard, program, rest @ ..] if role == BECOME => become_program(guard, program, rest),
        _ => Err(Error::corrupt("guard", "expected what to guard; this command is the program's own")),
    }
}

/// Starts the program and waits for its end, or for that of our parent.
fn watch(words: &[OsString]) -> io::Result<ExitStatus> {
    // What the program leaves behind becomes a child of ours, to be ended with it.
    set_child_subreaper(Some(getpid()))?;
    #[expect(clippy::disallowed_methods, reason = "the one place that starts what is guarded")]
    let mut command = Command::new(OURSELVES);
    command.args([COMMAND, BECOME]).arg(getpid().to_string()).args(words).stdin(Stdio::null());
    let child = command.spawn()?;
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let child = child.ok_or_else(|| io::Error::other("the program has no process id"))?;
    let parent = io::stdin();
    let status = loop {
        // What the program left behind and has ended waits for us: fakeroot does not go on before faked is gone.
        if let Some(status) = reap(child)? {
            break Some(status);
        }
        match poll(&mut [PollFd::new(&parent, PollFlags::IN)], Some(&PATIENCE)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => break None,
            Err(error) => return Err(error.into()),
        }
    };
    end_children();
    Ok(status.unwrap_or_else(|| ExitStatus::from_raw(Signal::KILL.as_raw())))
}

/// Takes leave of every child that has ended; gives the program's end, if it is among them.
fn reap(program: Pid) -> io::Result<Option<ExitStatus>> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == program => return Ok(Some(ExitStatus::from_raw(status.as_raw()))),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ends children until there are none: those of an ended child become ours (`man 2 prctl`, `PR_SET_CHILD_SUBREAPER`).
fn end_children() {
    loop {
        for child in children() {
            // A child that runs as root, as newuidmap does, cannot be ended and ends by itself.
            let _ = kill_process(child, Signal::KILL);
        }
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        if wait(WaitOptions::NOHANG).is_err() {
            return;
        }
        std::thread::sleep(HASTE);
    }
}

/// Our children, by the parent's id in every `/proc/PID/stat`.
fn children() -> Vec<Pid> {
    let ours = getpid().to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let is_ours = |pid: &str| {
        let mut file = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?;
        let stat = read_capped(&mut file, STAT, "stat").ok()?;
        let stat = text(&stat);
        // The name stands in parentheses and may hold any character: what follows the last one is state and parent.
        let (_, rest) = stat.rsplit_once(')')?;
        (rest.split_ascii_whitespace().nth(1)? == ours).then_some(())
    };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| is_ours(pid).is_some()).filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw)).collect()
}

/// Ends this process by the signal that ended the program, so that whoever waits is told the same.
fn die_as(status: ExitStatus) -> u8 {
    // The core, if one is wanted, is the program's.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let signal = status.signal().unwrap_or(0);
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = kill_process(getpid(), signal);
    }
    u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX)
}

/// From here on this process, and the program that it becomes, ends with its guard, which is its parent, even if that is
/// killed.
///
/// # Errors
/// When the guard has ended already, or of the operating system.
pub fn end_with(guard: Pid) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| Error::io("guard", error))?;
    // A guard that ended before the line above sends nothing any more.
    if getppid() == Some(guard) { Ok(()) } else { Err(Error::io("guard", "it has ended")) }
}

/// Replaces this process by the program.
fn become_program(guard: &OsStr, program: &OsStr, rest: &[OsString]) -> Result<u8> {
    let guard = guard.to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
    end_with(guard.ok_or_else(|| Error::corrupt("guard", "expected its process id"))?)?;
    // Without a terminal of its own nothing can wait at one for an answer.
    setsid().map_err(|error| Error::io("guard", error))?;
    #[expect(clippy::disallowed_methods, reason = "the one place that becomes what is guarded")]
    let error = Command::new(program).args(rest).exec();
    Err(Error::io(format!("program {}", program.display()), error))
}
