//! Runs one program: its words into the log, its end or ours, and what to do when it fails.

use super::{NAME, Workshop};
use crate::bytes::{read_capped, text};
use crate::error::{Error, Result};
use crate::limits::MIB;
use crate::worker::guard::Guarded;
use rustix::fs::statvfs;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, PipeReader, Read as _, Write as _, pipe};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes of a line; what is longer is cut into several.
const LINE: u64 = 4096;
/// Lines that wait to be written while a program goes on.
const WAITING: usize = 64;
/// Lines of a failed program that its error quotes.
const QUOTED: usize = 8;
/// Time between two looks at whether the build shall stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// Bytes that one program may add to the log: `mmdebstrap --verbose` with a thousand packages says 2 MB.
const LOGGED: u64 = 64 * MIB;

/// What programs say of a full disk (`strerror` of `ENOSPC`).
const FULL: &str = "No space left on device";
/// Bytes free below which it was the full disk that a program failed of, whatever it said.
const NOTHING_FREE: u64 = MIB;

/// What a program wrote to its standard output.
pub type Output = Vec<u8>;

impl Workshop {
    /// Runs a command of [`Workshop::command`], [`Workshop::inside`] or [`Workshop::within`].
    ///
    /// # Errors
    /// When it cannot be started or fails (its last lines, and where the others are), or the build shall stop.
    pub fn run(&self, stage: &str, command: &mut Command) -> Result<()> {
        let name = program(command);
        let failed = |error: std::io::Error| not_run(stage, &name, &error);
        let (reader, writer) = pipe().map_err(failed)?;
        command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
        let mut child = self.start(stage, &name, command)?;
        let (last, is_cancelled) = thread::scope(|scope| {
            let (sender, receiver) = sync_channel(WAITING);
            scope.spawn(move || read_lines(reader, &sender));
            self.listen(stage, &receiver, &mut child)
        });
        let status = child.wait().map_err(failed)?;
        if is_cancelled { Err(cancelled(stage)) } else { self.judge(stage, &name, status, last) }
    }

    /// Runs a command and gives its standard output, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Workshop::run`], and when it writes more.
    pub fn output(&self, stage: &str, command: &mut Command, limit: u64) -> Result<Output> {
        let name = program(command);
        let failed = |error: std::io::Error| not_run(stage, &name, &error);
        let (reader, writer) = pipe().map_err(failed)?;
        command.stdout(Stdio::piped()).stderr(writer);
        let mut child = self.start(stage, &name, command)?;
        let mut stdout = child.child().stdout.take();
        let what = format!("output of {name}");
        let (answer, last, is_cancelled) = thread::scope(|scope| {
            let (sender, receiver) = sync_channel(WAITING);
            scope.spawn(move || read_lines(reader, &sender));
            // Past the limit the pipe is dropped, and the program ends at its next write.
            let answer = scope.spawn(move || match &mut stdout {
                Some(stdout) => read_capped(stdout, limit, &what),
                None => Ok(Vec::new()),
            });
            let (last, is_cancelled) = self.listen(stage, &receiver, &mut child);
            let answer = answer.join().unwrap_or_else(|_| Err(Error::io(stage, "its reader died")));
            (answer, last, is_cancelled)
        });
        let status = child.wait().map_err(failed)?;
        if is_cancelled {
            return Err(cancelled(stage));
        }
        let answer = answer?;
        self.judge(stage, &name, status, last)?;
        Ok(answer)
    }

    /// Starts it, its command line in the log. The pipes' other ends are then the program's alone.
    fn start(&self, stage: &str, name: &str, command: &mut Command) -> Result<Guarded> {
        if self.is_cancelled() {
            return Err(cancelled(stage));
        }
        let words: Vec<String> = command.get_args().skip(2).map(|word| format!("{:?}", word.display())).collect();
        self.write(stage, &format!("+ {}", words.join(" ")));
        let child = Guarded::spawn(command).map_err(|error| not_run(stage, name, &error));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        child
    }

    /// Logs every line until the last, or ends the program when the build shall stop; gives the last lines.
    fn listen(&self, stage: &str, lines: &Receiver<Vec<u8>>, child: &mut Guarded) -> (VecDeque<String>, bool) {
        let mut last = VecDeque::with_capacity(QUOTED);
        let (mut logged, mut is_cancelled) = (0_u64, false);
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let line = text(&line);
                    let line = line.trim_end();
                    logged = logged.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
                    if logged <= LOGGED {
                        self.write(stage, line);
                    }
                    if last.len() == QUOTED {
                        last.pop_front();
                    }
                    last.push_back(line.to_owned());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return (last, is_cancelled),
            }
            if !is_cancelled && self.is_cancelled() {
                is_cancelled = true;
                child.end();
            }
        }
    }

    /// A line for the log and for whoever listens.
    pub fn write(&self, stage: &str, line: &str) {
        (self.listener)(stage, line);
        if let Ok(mut log) = self.log.lock() {
            // A log that cannot be written, on a full disk, does not stop what it would tell of.
            drop(writeln!(log, "{stage}: {line}"));
        }
    }

    fn judge(&self, stage: &str, name: &str, status: ExitStatus, last: VecDeque<String>) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => status.to_string(),
        };
        let last: Vec<String> = last.into_iter().filter(|line| !line.is_empty()).collect();
        let said = if last.is_empty() { String::new() } else { format!("; it said last: {}", last.join("; ")) };
        let log = format!("all it said is in {}", self.log().display());
        let help = if said.contains(FULL) || self.is_full() { format!("{}; {log}", self.no_room()) } else { log };
        Err(Error::io(format!("stage {stage}"), format!("{name} failed, {how}{said}")).help(help))
    }

    /// Whether nothing can be written any more where the work folder is.
    fn is_full(&self) -> bool {
        statvfs(self.folder()).is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) < NOTHING_FREE)
    }

    fn no_room(&self) -> String {
        let folder = self.folder().display();
        format!("the disk of {folder} is full: free some space there, or build on another with --work DIR")
    }
}

fn not_run(stage: &str, name: &str, error: &std::io::Error) -> Error {
    Error::io(format!("stage {stage}"), format!("{name} could not be run: {error}"))
}

/// What a cancelled stage ends with.
fn cancelled(stage: &str) -> Error {
    Error::io(format!("stage {stage}"), "the build was stopped")
}

/// The program that a command of the workshop runs, whatever stands before it.
fn program(command: &Command) -> String {
    let named = command.get_envs().find_map(|(name, value)| (name == NAME).then_some(value)).flatten();
    named.unwrap_or_default().display().to_string()
}

/// Sends every line; stops when nobody listens.
fn read_lines(reader: PipeReader, sender: &SyncSender<Vec<u8>>) {
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        match (&mut reader).take(LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if sender.send(line).is_err() {
            return;
        }
    }
}
