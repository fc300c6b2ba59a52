//! A start, watched: how far the guest comes, by what the console and the monitor tell.

use super::agent::Agent;
use super::console::{Console, Hit, Meaning, Phase as Reached};
use super::machine::AGENT;
use super::proof::clipped;
use super::qemu::{Event, Running};
use crate::error::Result;
use crate::report::proofs::Phase;
use serde_json::json;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two looks at the console.
const PACE: Duration = Duration::from_millis(500);
/// Times that a guest may start over by itself: once to relabel its files, once to come back from it.
const MAX_RESETS: usize = 2;

/// How a start went.
#[derive(Debug)]
pub(super) struct Start {
    /// The steps so far.
    pub(super) phases: Vec<Phase>,
    /// Why the guest is not up.
    pub(super) failure: Option<Failure>,
    /// The agent, or why there is none.
    pub(super) agent: Result<Agent, String>,
}

/// Why a guest does not come up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// What it is, and the console's words, quoted.
    pub(super) line: String,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The image's: its root file system is not reached.
    Root,
    /// The image's: it stops before, or with its root mounted.
    Other,
    /// Perhaps the translator's: an oops or a panic of no known cause.
    Guest,
    /// Nothing was seen for so long.
    Silence,
}

/// Marks that mean that the root file system was not reached: the others come before it is looked for, or after.
const ROOT: &[&str] = &[
    "root-unmountable",
    "root-missing",
    "initramfs-panic",
    "initramfs-shell",
    "dracut-could-not-boot",
    "dracut-missing",
    "dracut-emergency",
    "dracut-shell",
];

/// Marks after which nothing more comes: other oopses a guest may survive.
const FATAL: &[&str] = &["kernel-panic", "kernel-double-fault"];

/// A start in the making.
pub(super) struct Watch {
    start: Start,
    wants_agent: bool,
    is_translated: bool,
    begun: Instant,
    deadline: Instant,
    /// How long the agent or the login may come after the other.
    grace: Duration,
    has_login: Option<Instant>,
    has_agent: Option<Instant>,
    /// Hits of earlier starts.
    from: usize,
}

impl Watch {
    pub(super) fn new(wants_agent: bool, patience: Duration, is_translated: bool, from: usize) -> Self {
        Self {
            start: Start { phases: Vec::new(), failure: None, agent: Err("no agent channel".to_owned()) },
            wants_agent,
            is_translated,
            begun: Instant::now(),
            deadline: super::agent::deadline(patience),
            grace: Duration::from_secs(if is_translated { 180 } else { 60 }),
            has_login: None,
            has_agent: None,
            from,
        }
    }

    pub(super) fn start(&self) -> &Start {
        &self.start
    }

    pub(super) fn end(self) -> Start {
        self.start
    }

    /// Looks once; whether the start is over.
    ///
    /// # Errors
    /// When QEMU dies.
    pub(super) fn look(&mut self, running: &mut Running, console: &mut Console, folder: &Path) -> Result<bool> {
        console.poll(self.begun.elapsed())?;
        let hits = console.hits().get(self.from..).unwrap_or_default();
        self.follow(hits);
        if let Some(failure) = failure(hits, self.is_translated) {
            return Ok(self.fail(failure));
        }
        if let Some(failure) = left(&running.events()?) {
            return Ok(self.fail(failure));
        }
        if self.wants_agent && self.has_agent.is_none() {
            self.greet(running, folder)?;
        } else {
            std::thread::sleep(PACE);
        }
        let has_waited = |since: Option<Instant>| since.is_some_and(|since| since.elapsed() >= self.grace);
        let is_up = self.has_login.is_some() && (self.has_agent.is_some() || !self.wants_agent);
        if is_up || has_waited(self.has_agent) {
            return Ok(true);
        }
        if has_waited(self.has_login) {
            let seconds = self.grace.as_secs();
            self.start.agent =
                Err(format!("no program opened the agent's port within {seconds} s after the login appeared"));
            return Ok(true);
        }
        if Instant::now() >= self.deadline {
            return Ok(self.fail(self.silence(hits, console)));
        }
        Ok(false)
    }

    fn fail(&mut self, failure: Failure) -> bool {
        self.start.failure = Some(failure);
        true
    }

    /// The steps that the console tells of.
    fn follow(&mut self, hits: &[Hit]) {
        for hit in hits {
            let Meaning::Phase(reached) = hit.mark.meaning else { continue };
            if self.start.phases.iter().all(|phase| phase.name != reached.name()) {
                self.start.phases.push(Phase { name: reached.name(), millis: millis(hit.at) });
            }
            if reached == Reached::Login {
                self.has_login.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Waits a moment for the port to be opened; only then the agent is spoken to.
    fn greet(&mut self, running: &mut Running, folder: &Path) -> Result<()> {
        let is_open = |event: &Event| event.name == "VSERPORT_CHANGE" && event.data.get("open") == Some(&json!(true));
        let Some(_) = running.wait_for(is_open, super::agent::deadline(PACE))? else { return Ok(()) };
        self.start.agent = UnixStream::connect(folder.join(AGENT))
            .map_err(|error| format!("the agent's socket: {error}"))
            .and_then(|stream| Agent::greet(stream, self.grace).map_err(|failure| failure.to_string()));
        self.has_agent = Some(Instant::now());
        self.start.phases.push(Phase { name: "agent", millis: millis(self.begun.elapsed()) });
        Ok(())
    }

    fn silence(&self, hits: &[Hit], console: &Console) -> Failure {
        if let Some(hit) = first(hits, Meaning::Foreign).filter(|_| self.is_translated) {
            return Failure { kind: Kind::Guest, line: quoted(hit) };
        }
        let seconds = self.begun.elapsed().as_secs();
        let last = console.tail().last().unwrap_or_default();
        let sign = hits.iter().rfind(|hit| hit.mark.meaning == Meaning::Sign);
        let sign = sign.map(|hit| format!("; {}", quoted(hit))).unwrap_or_default();
        let line =
            format!("neither login nor agent within {seconds} s{sign}; the console's last line: {:?}", clipped(last));
        Failure { kind: Kind::Silence, line }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn first(hits: &[Hit], meaning: Meaning) -> Option<&Hit> {
    hits.iter().find(|hit| hit.mark.meaning == meaning)
}

/// The line at which a start failed, with the sign that told of it.
fn failure(hits: &[Hit], is_translated: bool) -> Option<Failure> {
    if let Some(hit) = first(hits, Meaning::Failure) {
        let kind = if ROOT.contains(&hit.mark.id) { Kind::Root } else { Kind::Other };
        let sign = hits.iter().rfind(|sign| sign.mark.meaning == Meaning::Sign && sign.mark.id != hit.mark.id);
        let sign = sign.map(|sign| format!("; before it, {}", quoted(sign))).unwrap_or_default();
        return Some(Failure { kind, line: quoted(hit) + &sign });
    }
    let hit = hits.iter().find(|hit| FATAL.contains(&hit.mark.id))?;
    // On hardware a panic is the guest's own.
    Some(Failure { kind: if is_translated { Kind::Guest } else { Kind::Other }, line: quoted(hit) })
}

fn quoted(hit: &Hit) -> String {
    format!("{}: {:?}", hit.mark.says, clipped(hit.line.trim()))
}

/// The guest switched itself off, or starts over and over.
fn left(events: &[Event]) -> Option<Failure> {
    let is_guest = |event: &&Event| event.data.get("guest") == Some(&json!(true));
    let count = |name: &str| events.iter().filter(|event| event.name == name).filter(is_guest).count();
    let line = match (count("SHUTDOWN"), count("RESET")) {
        (1.., _) => "the guest switched itself off".to_owned(),
        (0, resets) if resets > MAX_RESETS => format!("the guest started over by itself {resets} times"),
        _ => return None,
    };
    Some(Failure { kind: Kind::Other, line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::console::MARKS;
    use serde_json::Value;
    use std::time::SystemTime;

    fn hit(id: &str, line: &str) -> Hit {
        let mark = MARKS.iter().find(|mark| mark.id == id).unwrap();
        Hit { mark, line: line.to_owned(), at: Duration::ZERO }
    }

    #[test]
    fn every_mark_is_one() {
        for id in ROOT.iter().chain(FATAL) {
            assert!(MARKS.iter().any(|mark| mark.id == *id), "{id}");
        }
    }

    #[test]
    fn what_ends_a_start() {
        let kind = |hits: &[Hit], is_translated| failure(hits, is_translated).map(|failure| failure.kind);
        for (hits, translated, native) in [
            (vec![hit("kernel", "x")], None, None),
            (vec![hit("kernel-oops", "Oops: x")], None, None),
            (vec![hit("kernel-panic", "x")], Some(Kind::Guest), Some(Kind::Other)),
            (vec![hit("kernel-panic", "x"), hit("root-missing", "y")], Some(Kind::Root), Some(Kind::Root)),
            (vec![hit("emergency-mode", "x")], Some(Kind::Other), Some(Kind::Other)),
            (vec![hit("grub-rescue", "x")], Some(Kind::Other), Some(Kind::Other)),
        ] {
            assert_eq!((kind(&hits, true), kind(&hits, false)), (translated, native), "{hits:?}");
        }
        let found = failure(&[hit("initramfs-waits", "waiting"), hit("root-missing", "ALERT! x")], true).unwrap();
        assert!(
            found.line.contains("\"ALERT! x\"; before it, ") && found.line.contains("\"waiting\""),
            "{}",
            found.line
        );
    }

    #[test]
    fn guests_that_leave() {
        let event = |name: &str, data: Value| Event { name: name.to_owned(), data, at: SystemTime::now() };
        let reset = || event("RESET", json!({ "guest": true, "reason": "guest-reset" }));
        for (events, expected) in [
            (vec![reset(), reset()], None),
            (vec![reset(), reset(), reset()], Some("started over by itself 3 times")),
            (vec![event("SHUTDOWN", json!({ "guest": true }))], Some("switched itself off")),
            (vec![event("SHUTDOWN", json!({ "guest": false }))], None),
        ] {
            let found = left(&events).map(|failure| failure.line);
            assert!(found.as_deref().unwrap_or("").contains(expected.unwrap_or("")), "{found:?}");
            assert_eq!(found.is_some(), expected.is_some());
        }
    }
}
