//! The parent's side of the guard: a private folder, and programs that run in it.

use super::guard::{COMMAND, MAX_ORDER, Order, Word};
use crate::bytes::text;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of what the programs say on standard error that are kept: their last words.
const LAST_WORDS: usize = 4000;
/// Until the guard has answered, or has ended everything: it only makes a folder, kills and removes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a guard that is ending.
const PACE: Duration = Duration::from_millis(10);

/// A user and network namespace of its own, in which a tap device with several queues can be had without root. Nothing
/// leads out of it: its only other device is its own loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// The tap device that is made in it.
    pub tap: String,
}

/// A folder that only this user can enter, with what runs in it. Both are gone when this is dropped, and when this
/// process dies in whatever way.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    guard: Child,
    orders: Option<ChildStdin>,
    words: Receiver<Word>,
    last_words: Arc<Mutex<Vec<u8>>>,
    /// Programs that ended, and how.
    ended: Vec<(u32, String)>,
}

impl Folder {
    /// A new folder in `TMPDIR`, or in /var/tmp when that is too long for a socket's path.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create() -> Result<Self> {
        let program = env::current_exe().map_err(|error| Error::io("guard", error))?;
        Self::create_by(&program)
    }

    /// The same, guarded by `program`: this very program as an executable file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create_by(program: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("guard", error);
        #[expect(clippy::disallowed_methods, reason = "the one place that starts the guard")]
        let mut command = Command::new(program);
        // Secrets in the environment are nothing to QEMU.
        command.arg(COMMAND).env_clear().env("LC_ALL", "C.UTF-8");
        command.envs(["PATH", "TMPDIR", "HOME"].into_iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut guard = command.spawn().map_err(failed)?;
        let last_words = Arc::default();
        let orders = guard.stdin.take();
        let words = match (guard.stdout.take(), guard.stderr.take()) {
            (Some(stdout), Some(stderr)) => listen(stdout, stderr, Arc::clone(&last_words))?,
            _ => return Err(Error::io("guard", "no standard output")),
        };
        let mut folder = Self { path: PathBuf::new(), guard, orders, words, last_words, ended: Vec::new() };
        match folder.answer()? {
            Word::Folder(path) => folder.path = path,
            other => return Err(folder.broken(&format!("{other:?}"))),
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts a program in the folder's keeping, in a namespace of its own where one is given; its process id.
    ///
    /// # Errors
    /// When it cannot be started. One that starts and fails at once is [`Folder::ended`].
    pub fn start(&mut self, program: &Path, arguments: &[OsString], namespace: Option<&Namespace>) -> Result<u32> {
        let (program, arguments) = (program.to_owned(), arguments.to_vec());
        self.order(&Order::Start { program, arguments, namespace: namespace.cloned() })?;
        match self.answer()? {
            Word::Started(id) => Ok(id),
            Word::Failed(why) => Err(Error::io("program", why)),
            other => Err(self.broken(&format!("{other:?}"))),
        }
    }

    /// Ends a program at once and waits for its end.
    ///
    /// # Errors
    /// When the guard is dead, or the program does not end.
    pub fn kill(&mut self, id: u32) -> Result<()> {
        if self.ended(id).is_none() {
            self.order(&Order::Kill(id))?;
            self.wait(id, PATIENCE).ok_or_else(|| Error::io("program", "it does not end"))?;
        }
        Ok(())
    }

    /// How a program ended, if it did, with its last words.
    pub fn ended(&mut self, id: u32) -> Option<String> {
        self.wait(id, Duration::ZERO)
    }

    /// Waits so long for a program's end: how it ended, with its last words.
    pub fn wait(&mut self, id: u32, patience: Duration) -> Option<String> {
        let deadline = Instant::now().checked_add(patience)?;
        loop {
            if let Some((_, status)) = self.ended.iter().find(|(ended, _)| *ended == id) {
                return Some(with(status, &self.last_words()));
            }
            match self.words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Word::Ended(id, status)) => self.ended.push((id, status)),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return None,
                // Without its guard the program is dead as well.
                Err(RecvTimeoutError::Disconnected) => return Some(with("its guard died", &self.last_words())),
            }
        }
    }

    /// The end of what the programs said on standard error, on one line.
    pub fn last_words(&self) -> String {
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        text(&words).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Copies files of the folder that are there to `target`, which is made when it is not there (`--keep`).
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep(&self, names: &[&str], target: &Path) -> Result<()> {
        let failed = |error: std::io::Error| Error::io("kept logs", error).at(target.display().to_string());
        fs::create_dir_all(target).map_err(failed)?;
        for name in names.iter().filter(|name| self.path.join(name).exists()) {
            fs::copy(self.path.join(name), target.join(name)).map_err(failed)?;
        }
        Ok(())
    }

    fn order(&mut self, order: &Order) -> Result<()> {
        let mut line = serde_json::to_string(order).map_err(|error| Error::io("guard", error))?;
        line.push('\n');
        // The step that it becomes has a few words more.
        if u64::try_from(line.len()).is_ok_and(|length| length.saturating_add(1000) > MAX_ORDER) {
            return Err(Error::too_large("program's arguments", format!("more than {MAX_ORDER} bytes")));
        }
        let written = self.orders.as_mut().map(|orders| orders.write_all(line.as_bytes()));
        written.unwrap_or(Ok(())).map_err(|error| self.broken(&error.to_string()))
    }

    /// The guard's next word that is no program's end.
    fn answer(&mut self) -> Result<Word> {
        let deadline = Instant::now().checked_add(PATIENCE).unwrap_or_else(Instant::now);
        loop {
            match self.words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Word::Ended(id, status)) => self.ended.push((id, status)),
                Ok(word) => return Ok(word),
                Err(RecvTimeoutError::Timeout) => return Err(self.broken("no answer")),
                Err(RecvTimeoutError::Disconnected) => return Err(self.broken("it died")),
            }
        }
    }

    fn broken(&self, found: &str) -> Error {
        Error::io("guard of the private folder", with(found, &self.last_words()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The end of its input: it ends every program, removes the folder and goes.
        drop(self.orders.take());
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(self.guard.try_wait(), Ok(None)) {
            thread::sleep(PACE);
        }
        drop(self.guard.kill());
        drop(self.guard.wait());
        if self.path.is_absolute() {
            // There only when somebody killed the guard.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

fn with(found: &str, last_words: &str) -> String {
    if last_words.is_empty() { found.to_owned() } else { format!("{found}: {last_words}") }
}

/// Reads both outputs of the guard beside; they end with it and its programs.
fn listen(
    stdout: impl Read + Send + 'static,
    mut stderr: impl Read + Send + 'static,
    last_words: Arc<Mutex<Vec<u8>>>,
) -> Result<Receiver<Word>> {
    let failed = |error: std::io::Error| Error::io("guard", error);
    let (sender, receiver) = channel();
    let answers = move || {
        let lines = BufReader::new(stdout.take(u64::MAX)).lines().map_while(std::io::Result::ok);
        // It is our own program: what it writes is a few short lines.
        let words = lines.map_while(|line| serde_json::from_str(&line).ok());
        words.map_while(|word| sender.send(word).ok()).for_each(drop);
    };
    let complaints = move || {
        let mut part = [0; 1024];
        while let Ok(count @ 1..) = stderr.read(&mut part) {
            let mut words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
            words.extend(part.iter().take(count));
            let excess = words.len().saturating_sub(LAST_WORDS);
            words.drain(..excess);
        }
    };
    thread::Builder::new().spawn(answers).map_err(failed)?;
    thread::Builder::new().spawn(complaints).map_err(failed)?;
    Ok(receiver)
}
