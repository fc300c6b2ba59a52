//! QEMU's monitor: QMP over a Unix socket, a JSON object a line (docs/interop/qmp-spec.rst).

use crate::bytes::text;
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Bytes of one line: `query-qmp-schema`, the longest answer there is, has 250 KB.
const MAX_LINE: usize = 1024 * 1024;
/// Events that wait to be asked for; the oldest go first. A boot has some twenty.
const MAX_EVENTS: usize = 4096;
/// Bytes of the transcript: a boot's has 20 KB.
const MAX_TRANSCRIPT: u64 = 8 * 1024 * 1024;
/// Until an answer: QEMU answers at once, unless the host is overloaded.
const PATIENCE: Duration = Duration::from_mins(1);

/// Something that QEMU told of its own accord.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// As QMP spells it: `VSERPORT_CHANGE`, `WATCHDOG`, `SHUTDOWN`.
    pub name: String,
    /// What belongs to it, an object; null when nothing does.
    pub data: Value,
    /// When, by the host's clock.
    pub at: SystemTime,
}

/// A connection to a running QEMU's monitor.
#[derive(Debug)]
pub struct Monitor {
    stream: UnixStream,
    /// Read, and no whole line yet.
    pending: Vec<u8>,
    events: VecDeque<Event>,
    transcript: Option<File>,
    transcribed: u64,
    next_id: u64,
}

impl Monitor {
    /// Greets the monitor behind `stream`; what is said goes to `transcript` as well.
    ///
    /// # Errors
    /// When it is no monitor.
    pub fn greet(stream: UnixStream, transcript: Option<&Path>) -> Result<Self> {
        let transcript = transcript
            .map(|path| File::options().append(true).create(true).open(path))
            .transpose()
            .map_err(|error| Error::io("monitor's transcript", error))?;
        let mut monitor =
            Self { stream, pending: Vec::new(), events: VecDeque::new(), transcript, transcribed: 0, next_id: 0 };
        let greeting = monitor.receive(after(PATIENCE))?.ok_or_else(|| Error::io("monitor", "no greeting"))?;
        if greeting.get("QMP").is_none() {
            return Err(Error::corrupt("monitor", format!("it greets with {greeting}, not with QMP's version")));
        }
        monitor.execute("qmp_capabilities", Value::Null)?;
        Ok(monitor)
    }

    /// Executes a command and gives what it returns; `arguments` is an object, or null for none.
    ///
    /// # Errors
    /// QEMU's own words when it refuses; when it is gone or does not answer in time.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        let mut line = json!({"execute": command, "id": id});
        if let (false, Some(members)) = (arguments.is_null(), line.as_object_mut()) {
            members.insert("arguments".to_owned(), arguments);
        }
        let line = format!("{line}\n");
        self.transcribe("> ", line.as_bytes());
        self.stream.write_all(line.as_bytes()).map_err(|error| Error::io(format!("monitor: {command}"), error))?;
        let deadline = after(PATIENCE);
        while let Some(mut answer) = self.receive(deadline)? {
            if answer.get("id").and_then(Value::as_u64) != Some(id) {
                continue;
            }
            if let Some(found) = answer.get_mut("return") {
                return Ok(found.take());
            }
            let why =
                answer.pointer("/error/desc").and_then(Value::as_str).unwrap_or("an answer without return and error");
            return Err(Error::unsupported(format!("monitor: {command}"), why));
        }
        Err(Error::io(format!("monitor: {command}"), format!("no answer in {} s", PATIENCE.as_secs())))
    }

    /// The first event that `is` the wanted one, already come or to come until `deadline`; it is taken off the queue.
    ///
    /// # Errors
    /// When QEMU is gone before it came.
    pub fn wait_for(&mut self, is: impl Fn(&Event) -> bool, deadline: Instant) -> Result<Option<Event>> {
        loop {
            if let Some(at) = self.events.iter().position(&is) {
                return Ok(self.events.remove(at));
            }
            if self.receive(deadline)?.is_none() {
                return Ok(None);
            }
        }
    }

    /// Events that came and were not taken, oldest first; what has arrived by now is among them.
    ///
    /// # Errors
    /// When QEMU is gone and none waits.
    pub fn events(&mut self) -> Result<&VecDeque<Event>> {
        loop {
            match self.receive(Instant::now()) {
                Ok(Some(_)) => {}
                Err(error) if self.events.is_empty() => return Err(error),
                Ok(None) | Err(_) => return Ok(&self.events),
            }
        }
    }

    /// The next object until `deadline`; an event is put in the queue as well.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Value>> {
        let Some(line) = self.read_line(deadline)? else { return Ok(None) };
        self.transcribe("< ", &line);
        let found: Value = serde_json::from_slice(&line)
            .map_err(|error| Error::corrupt("monitor", format!("{} is no JSON: {error}", text(&line))))?;
        if let Some(name) = found.get("event").and_then(Value::as_str) {
            if self.events.len() >= MAX_EVENTS {
                self.events.pop_front();
            }
            let data = found.get("data").cloned().unwrap_or(Value::Null);
            self.events.push_back(Event { name: name.to_owned(), data, at: time(&found) });
        }
        Ok(Some(found))
    }

    fn read_line(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>> {
        let failed = |error: std::io::Error| Error::io("monitor", error);
        let mut searched = 0;
        loop {
            if let Some(end) = self.pending.iter().skip(searched).position(|byte| *byte == b'\n') {
                let rest = self.pending.split_off(searched.saturating_add(end).saturating_add(1));
                return Ok(Some(std::mem::replace(&mut self.pending, rest)));
            }
            searched = self.pending.len();
            if searched > MAX_LINE {
                return Err(Error::too_large("monitor", format!("a line of more than {MAX_LINE} bytes")));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // Zero would mean for ever; what has arrived is read even when no time is left.
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).map_err(failed)?;
            let mut part = [0; 4096];
            match self.stream.read(&mut part) {
                Ok(0) => return Err(Error::io("monitor", "QEMU closed it")),
                Ok(count) => self.pending.extend(part.iter().take(count)),
                // Its end while a command of ours was on the way.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Err(Error::io("monitor", "QEMU closed it"));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if left.is_zero() || Instant::now() >= deadline {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// A full disk does not stop the proof.
    fn transcribe(&mut self, direction: &str, line: &[u8]) {
        let Some(file) = &mut self.transcript else { return };
        self.transcribed = self.transcribed.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        if self.transcribed <= MAX_TRANSCRIPT {
            let line = [direction.as_bytes(), line.trim_ascii_end(), b"\n"].concat();
            drop(file.write_all(&line));
        }
    }
}

fn after(patience: Duration) -> Instant {
    Instant::now().checked_add(patience).unwrap_or_else(Instant::now)
}

/// `"timestamp": {"seconds": …, "microseconds": …}`; −1 when the host's clock failed.
fn time(event: &Value) -> SystemTime {
    let part = |name: &str| event.pointer(&format!("/timestamp/{name}")).and_then(Value::as_u64);
    let (Some(seconds), Some(micros)) = (part("seconds"), part("microseconds")) else { return SystemTime::now() };
    let since = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or_else(SystemTime::now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"major": 10}}, "capabilities": ["oob"]}}"#;
    const EVENT: &str = r#"{"timestamp": {"seconds": 7, "microseconds": 500000}, "event": "RESUME"}"#;

    /// A monitor that says `lines`, whatever it is asked, and then closes or waits.
    fn monitor(lines: &[&str], closes: bool) -> (Result<Monitor>, thread::JoinHandle<()>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let said = lines.iter().flat_map(|line| [*line, "\r\n"]).collect::<String>();
        let peer = thread::spawn(move || {
            drop(theirs.write_all(said.as_bytes()));
            if !closes {
                drop(theirs.read(&mut [0; 1]));
                thread::sleep(Duration::from_millis(300));
            }
        });
        (Monitor::greet(ours, None), peer)
    }

    #[test]
    fn answers_and_events() {
        let error =
            r#"{"id": 1, "error": {"class": "CommandNotFound", "desc": "The command nope has not been found"}}"#;
        let lines =
            [GREETING, r#"{"return": {}, "id": 0}"#, EVENT, error, r#"{"return": {"status": "running"}, "id": 2}"#];
        let (monitor, peer) = monitor(&lines, false);
        let mut monitor = monitor.unwrap();
        let error = monitor.execute("nope", Value::Null).unwrap_err();
        assert_eq!(error.to_string(), "monitor: nope: The command nope has not been found");
        assert_eq!(monitor.execute("query-status", json!({})).unwrap()["status"], "running");
        let event = monitor.wait_for(|event| event.name == "RESUME", Instant::now()).unwrap().unwrap();
        assert_eq!(event.at, SystemTime::UNIX_EPOCH + Duration::from_millis(7500));
        assert_eq!(monitor.wait_for(|_| true, after(Duration::from_millis(20))).unwrap(), None);
        peer.join().unwrap();
        assert_eq!(monitor.wait_for(|_| true, after(PATIENCE)).unwrap_err().to_string(), "monitor: QEMU closed it");
    }

    #[test]
    fn what_is_no_monitor() {
        let long = "x".repeat(MAX_LINE + 8192);
        let rows: [(&[&str], &str); 5] = [
            (&[], "monitor: QEMU closed it"),
            (&[r#"{"hello": 1}"#], r#"monitor: it greets with {"hello":1}, not with QMP's version"#),
            (&["SSH-2.0"], "monitor: SSH-2.0"),
            (&[&long], "monitor: a line of more than 1048576 bytes"),
            (&[GREETING, r#"{"id": 0}"#], "monitor: qmp_capabilities: an answer without return and error"),
        ];
        for (lines, expected) in rows {
            let (monitor, peer) = monitor(lines, lines.len() < 2);
            let found = monitor.unwrap_err().to_string();
            assert!(found.starts_with(expected), "{found}");
            peer.join().unwrap();
        }
    }
}
