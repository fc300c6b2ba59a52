//! Commands → the guest agent's answers: a line of JSON each, over the machine's socket
//! (QEMU `docs/interop/qemu-ga.rst`, `qga/qapi-schema.json`).

mod base64;
mod exec;

pub(super) use base64::encode;
pub use exec::Ran;

use crate::bytes::text;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Bytes of one reply: the agent itself gathers at most 16 MiB of a program's output (`GUEST_EXEC_MAX_OUTPUT`); nothing
/// that is asked here writes more than a few KiB.
const MAX_REPLY: usize = 1024 * 1024;
/// Commands that an agent may list; QEMU 10's has 50.
const MAX_COMMANDS: usize = 1024;
/// What the guest's parser takes for the end of whatever stood before.
const SENTINEL: u8 = 0xff;
/// How long the socket is waited for at once.
const TICK: Duration = Duration::from_millis(100);

/// Why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The agent answered that it will not, or could not; its words.
    Refused(String),
    /// It did not answer within this time.
    Silent(Duration),
    /// The channel is closed or carries what is no answer; what came.
    Lost(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(words) => write!(f, "the agent refuses: {words}"),
            Self::Silent(patience) => write!(f, "the agent did not answer within {} s", patience.as_secs()),
            Self::Lost(found) => write!(f, "the agent's channel is lost: {found}"),
        }
    }
}

/// What the agent says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its version.
    pub version: String,
    /// Every command that it has, and whether it may be used.
    pub commands: BTreeMap<String, bool>,
}

impl About {
    /// Whether the command is there and not blocked.
    pub fn allows(&self, command: &str) -> bool {
        self.commands.get(command) == Some(&true)
    }
}

/// A conversation with the agent. One is begun only once QMP has said `VSERPORT_CHANGE` with `open: true` for the port:
/// before, QEMU does not read the socket, and what is written there stays until it blocks.
#[derive(Debug)]
pub struct Agent {
    stream: UnixStream,
    pending: Vec<u8>,
    /// An answer is owed that nobody waits for any more.
    is_torn: bool,
    next_id: u32,
    about: About,
    transcript: Vec<String>,
}

/// Lines of the transcript that are kept.
const MAX_TRANSCRIPT: usize = 10_000;

impl Agent {
    /// Finds the agent's place in the stream and asks what it can do.
    ///
    /// # Errors
    /// When it does not answer within `patience`, or not as an agent does.
    pub fn greet(stream: UnixStream, patience: Duration) -> Result<Self, Failure> {
        stream.set_read_timeout(Some(TICK)).map_err(|error| Failure::Lost(error.to_string()))?;
        stream.set_write_timeout(Some(patience)).map_err(|error| Failure::Lost(error.to_string()))?;
        let mut agent = Self {
            stream,
            pending: Vec::new(),
            is_torn: true,
            next_id: 1,
            about: About::default(),
            transcript: Vec::new(),
        };
        let info = agent.call("guest-info", Value::Null, patience)?;
        agent.about = about(&info).ok_or_else(|| Failure::Lost(format!("guest-info says {}", clipped(&info))))?;
        Ok(agent)
    }

    /// What it said of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What was said so far, `>` by us and `<` by the agent.
    pub fn transcript(&self) -> &[String] {
        &self.transcript
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// When the agent refuses, is silent or gone.
    pub fn call(&mut self, command: &str, arguments: Value, patience: Duration) -> Result<Value, Failure> {
        let deadline = deadline(patience);
        if self.is_torn {
            self.sync(deadline, patience)?;
        }
        self.send(command, arguments, &[])?;
        let reply = self.reply(deadline, patience)?;
        if let Some(error) = reply.get("error") {
            let words = error.get("desc").and_then(Value::as_str).unwrap_or_default();
            return Err(Failure::Refused(text(words.as_bytes())));
        }
        reply
            .get("return")
            .cloned()
            .ok_or_else(|| Failure::Lost(format!("neither return nor error: {}", clipped(&reply))))
    }

    /// Asks for something that has no answer when it succeeds (`guest-shutdown`).
    ///
    /// # Errors
    /// When the channel is gone.
    pub fn tell(&mut self, command: &str, arguments: Value) -> Result<(), Failure> {
        self.is_torn = true;
        self.send(command, arguments, &[SENTINEL])
    }

    /// Drops everything that stands in the channel, up to the agent's answer to a fresh number.
    fn sync(&mut self, deadline: Instant, patience: Duration) -> Result<(), Failure> {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.send("guest-sync-delimited", json!({ "id": id }), &[SENTINEL])?;
        loop {
            // What stands before the sentinel belongs to nobody.
            while !self.pending.contains(&SENTINEL) {
                self.pending.clear();
                self.read(deadline, patience)?;
            }
            let start = self.pending.iter().rposition(|byte| *byte == SENTINEL).map_or(0, |at| at.saturating_add(1));
            self.pending.drain(..start);
            let reply = self.reply(deadline, patience)?;
            if reply.get("return").and_then(Value::as_u64) == Some(u64::from(id)) {
                self.is_torn = false;
                return Ok(());
            }
        }
    }

    fn send(&mut self, command: &str, arguments: Value, before: &[u8]) -> Result<(), Failure> {
        let mut request = json!({ "execute": command });
        if let (Some(map), false) = (request.as_object_mut(), arguments.is_null()) {
            map.insert("arguments".to_owned(), arguments);
        }
        let line = request.to_string();
        self.note('>', &line);
        let bytes = [before, line.as_bytes(), b"\n"].concat();
        self.stream.write_all(&bytes).map_err(|error| Failure::Lost(error.to_string()))
    }

    /// The next line. Without an answer in time the channel has to be found again.
    fn reply(&mut self, deadline: Instant, patience: Duration) -> Result<Value, Failure> {
        self.is_torn = true;
        let end = loop {
            match self.pending.iter().position(|byte| *byte == b'\n') {
                Some(end) => break end,
                None => self.read(deadline, patience)?,
            }
        };
        let line: Vec<u8> = self.pending.drain(..=end).collect();
        let line = line.strip_prefix(&[SENTINEL]).unwrap_or(&line);
        self.note('<', &text(line.trim_ascii()));
        let reply = serde_json::from_slice(line);
        let reply = reply.map_err(|error| Failure::Lost(format!("an answer that is no JSON: {error}")))?;
        self.is_torn = false;
        Ok(reply)
    }

    /// What has come, one read's worth.
    fn read(&mut self, deadline: Instant, patience: Duration) -> Result<(), Failure> {
        let mut part = [0_u8; 4096];
        loop {
            if Instant::now() >= deadline {
                self.is_torn = true;
                return Err(Failure::Silent(patience));
            }
            match self.stream.read(&mut part) {
                Ok(0) => return Err(Failure::Lost("it was closed".to_owned())),
                Ok(length) => {
                    self.pending.extend_from_slice(part.get(..length).unwrap_or_default());
                    break;
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                }
                Err(error) => return Err(Failure::Lost(error.to_string())),
            }
        }
        if self.pending.len() > MAX_REPLY {
            self.pending.clear();
            return Err(Failure::Lost(format!("a reply of more than the limit of {MAX_REPLY} bytes")));
        }
        Ok(())
    }

    fn note(&mut self, who: char, line: &str) {
        if self.transcript.len() < MAX_TRANSCRIPT {
            self.transcript.push(format!("{who} {line}"));
        }
    }
}

/// When patience ends.
pub(super) fn deadline(patience: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(patience).unwrap_or(now)
}

fn about(info: &Value) -> Option<About> {
    let row = |command: &Value| {
        let name = command.get("name")?.as_str()?;
        Some((text(name.as_bytes()), command.get("enabled")?.as_bool()?))
    };
    let commands = info.get("supported_commands")?.as_array()?.iter().take(MAX_COMMANDS);
    let version = text(info.get("version")?.as_str()?.as_bytes());
    Some(About { version, commands: commands.map(row).collect::<Option<_>>()? })
}

/// The beginning of an answer, to be told.
fn clipped(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests;
