//! The process that outlives its parent just long enough to leave nothing behind: it owns the private folder and what
//! runs in it.
//!
//! Why a guard, and not only `PR_SET_PDEATHSIG`: that ends QEMU with its parent, but nobody is left who would remove
//! sockets and overlay after a kill -9. The end of the guard's standard input is the one sign that no way of dying can
//! keep from it. And why both: when the guard itself is killed, the death signal ends QEMU and the parent removes the
//! folder. QEMU's own `-run-with exit-with-parent=on` is younger than any stable distribution.

use super::folder::Namespace;
use crate::error::{Error, Result};
use crate::worker::guard::end_with;
use rustix::process::{Pid, Resource, Rlimit, getpid, setrlimit, setsid};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{BufRead as _, BufReader, Read as _, Write as _, stdin, stdout};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use std::{env, thread};

/// The hidden subcommand under which the program starts itself: alone it watches, with a step as JSON it becomes
/// the program that the step names.
pub const COMMAND: &str = "guard";

/// Bytes of one order: Linux's `MAX_ARG_STRLEN`, for an order becomes one argument.
pub(super) const MAX_ORDER: u64 = 128 * 1024;
/// Between two looks at the children.
const PACE: Duration = Duration::from_millis(50);
/// Bytes of the folder's path: with the longest name in it a Unix socket's path must stay below 108 (`man 7 unix`).
const MAX_FOLDER: usize = 80;
/// Names tried for the folder.
const ATTEMPTS: u32 = 100;

/// What the parent asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Start a program.
    Start { program: PathBuf, arguments: Vec<OsString>, namespace: Option<Namespace> },
    /// End what was started with this process id.
    Kill(u32),
}

/// What the guard answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// The folder is there, empty.
    Folder(PathBuf),
    /// The order could not be followed.
    Failed(String),
    /// The program runs.
    Started(u32),
    /// It ended so.
    Ended(u32, String),
}

/// The last step before a program runs: in the process that becomes it.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    guard: i32,
    program: PathBuf,
    arguments: Vec<OsString>,
    namespace: Option<Namespace>,
}

/// Watches, or takes the last step.
///
/// # Errors
/// When the folder cannot be made or the program not be run.
pub fn serve(step: Option<&str>) -> Result<()> {
    match step {
        None => watch(),
        Some(step) => run(&serde_json::from_str(step).map_err(|error| Error::io("guard", error))?),
    }
}

fn watch() -> Result<()> {
    // Out of reach of the terminal's Ctrl-C, which ends the parent and thereby our input.
    setsid().map_err(|error| Error::io("guard", error))?;
    let folder = make_folder(&env::temp_dir(), Path::new("/var/tmp"))?;
    let told = tell(&Word::Folder(folder.clone())).and_then(|()| orders()).map(|orders| attend(&orders));
    // No child is left: the folder is ours alone.
    let removed = fs::remove_dir_all(&folder).map_err(|error| Error::io("private folder", error));
    told.and(removed.or_else(|error| if folder.exists() { Err(error) } else { Ok(()) }))
}

/// Follows orders until the parent is gone, then ends every child.
fn attend(orders: &Receiver<String>) {
    let mut children: Vec<Child> = Vec::new();
    loop {
        let heard = match orders.recv_timeout(PACE) {
            Ok(line) => follow(&line, &mut children),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if heard.and_then(|()| bury(&mut children)).is_err() {
            break;
        }
    }
    for child in &mut children {
        drop(child.kill());
        drop(child.wait());
    }
}

/// Standard input by lines, read beside; closed with the parent. One line waits at most.
fn orders() -> Result<Receiver<String>> {
    let (sender, receiver): (SyncSender<String>, _) = sync_channel(1);
    let listen = move || {
        let mut input = BufReader::new(stdin());
        loop {
            let mut line = String::new();
            match (&mut input).take(MAX_ORDER).read_line(&mut line) {
                Ok(1..) if line.ends_with('\n') && sender.send(line).is_ok() => {}
                _ => break,
            }
        }
    };
    thread::Builder::new().spawn(listen).map_err(|error| Error::io("guard", error))?;
    Ok(receiver)
}

fn follow(line: &str, children: &mut Vec<Child>) -> Result<()> {
    match serde_json::from_str(line).map_err(|error| Error::io("guard", error))? {
        Order::Kill(id) => {
            for child in children.iter_mut().filter(|child| child.id() == id) {
                drop(child.kill());
            }
            Ok(())
        }
        Order::Start { program, arguments, namespace } => match start(program, arguments, namespace) {
            Ok(child) => {
                let id = child.id();
                children.push(child);
                tell(&Word::Started(id))
            }
            Err(error) => tell(&Word::Failed(error.to_string())),
        },
    }
}

/// Tells of children that ended, and forgets them.
fn bury(children: &mut Vec<Child>) -> Result<()> {
    let mut ended = Vec::new();
    children.retain_mut(|child| match child.try_wait() {
        Ok(None) => true,
        Ok(Some(status)) => {
            ended.push(Word::Ended(child.id(), status.to_string()));
            false
        }
        Err(error) => {
            ended.push(Word::Ended(child.id(), error.to_string()));
            false
        }
    });
    ended.iter().try_for_each(tell)
}

fn start(program: PathBuf, arguments: Vec<OsString>, namespace: Option<Namespace>) -> Result<Child> {
    let failed = |error: std::io::Error| Error::io("guard", error);
    let guard = env::current_exe().map_err(failed)?;
    let is_apart = namespace.is_some();
    let step = Step { guard: getpid().as_raw_pid(), program, arguments, namespace };
    let step = serde_json::to_string(&step).map_err(|error| Error::io("guard", error))?;
    #[expect(clippy::disallowed_methods, reason = "starts what runs in the folder")]
    let mut command = if is_apart { Command::new("unshare") } else { Command::new(&guard) };
    if is_apart {
        // It becomes the program after `--`: the process stays the same.
        command.args(["--user", "--map-root-user", "--net", "--"]).arg(&guard);
    }
    command.arg(COMMAND).arg(step).stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().map_err(|error| {
        let error = if is_apart { Error::io("unshare", error).help("install util-linux") } else { failed(error) };
        error.at(guard.display().to_string())
    })
}

/// Becomes the program, which dies with the guard and leaves no core file.
fn run(step: &Step) -> Result<()> {
    if let Some(namespace) = &step.namespace {
        namespace.furnish()?;
    }
    end_with(Pid::from_raw(step.guard).ok_or_else(|| Error::corrupt("guard", "expected its process id"))?)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| Error::io("guard", error))?;
    #[expect(clippy::disallowed_methods, reason = "starts what runs in the folder")]
    let error = Command::new(&step.program).args(&step.arguments).exec();
    Err(Error::io("program", error).at(step.program.display().to_string()))
}

fn tell(word: &Word) -> Result<()> {
    let mut line = serde_json::to_string(word).map_err(|error| Error::io("guard", error))?;
    line.push('\n');
    stdout().write_all(line.as_bytes()).and_then(|()| stdout().flush()).map_err(|error| Error::io("guard", error))
}

/// A new folder that nobody else can enter, in the first of the places where a socket's path stays short enough.
fn make_folder(preferred: &Path, short: &Path) -> Result<PathBuf> {
    let mut cause = String::from("no place for it");
    for place in [preferred, short] {
        let names = (0..ATTEMPTS).map(|attempt| place.join(format!("bootworthy-{}-{attempt}", getpid().as_raw_pid())));
        for path in names.filter(|path| path.is_absolute() && path.as_os_str().as_bytes().len() <= MAX_FOLDER) {
            // Makes it or fails: what lies there is never taken over, so that the name need not be a secret.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(path),
                Err(error) => cause = format!("{}: {error}", path.display()),
            }
        }
    }
    Err(Error::io("private folder", cause).help("set TMPDIR to a folder that is short to name and can be written"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn folders_are_new_private_and_short() {
        let place = tempfile::tempdir_in("/tmp").unwrap();
        let first = make_folder(place.path(), Path::new("/nowhere")).unwrap();
        let second = make_folder(place.path(), Path::new("/nowhere")).unwrap();
        assert_ne!(first, second);
        assert_eq!(first.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        let long = place.path().join("x".repeat(MAX_FOLDER));
        fs::create_dir(&long).unwrap();
        assert!(make_folder(&long, place.path()).unwrap().starts_with(place.path()));
        assert!(make_folder(&long, Path::new("relative")).is_err());
        let error = make_folder(Path::new("/nowhere"), Path::new("/nowhere")).unwrap_err();
        assert!(error.to_string().starts_with("private folder: /nowhere/bootworthy-"), "{error}");
    }
}
