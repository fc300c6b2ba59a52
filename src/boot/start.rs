//! A start, watched: how far the guest comes, by what the console and the monitor tell.

use super::agent::Agent;
use super::qemu::{AGENT, Event, Running};
use crate::error::Result;
use crate::report::proofs::Phase;
use serde_json::json;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A step's name, and whether the console tells of it.
type Mark = (&'static str, fn(&str) -> bool);

const PHASES: &[Mark] =
    &[("kernel", |console| console.contains("Linux version")), ("login", |console| console.contains("login: "))];

fn failure(console: &str) -> Option<Failure> {
    let marks = ["(initramfs)", "Unable to mount root fs", "emergency mode"];
    let line = console.lines().find(|line| marks.iter().any(|mark| line.contains(mark)))?;
    Some(Failure { kind: Kind::Root, line: line.to_owned() })
}

pub(super) fn oops(console: &str) -> Option<String> {
    console.lines().find(|line| line.contains("Oops:") || line.contains("Kernel panic")).map(str::to_owned)
}

/// Between two looks at the console.
const PACE: Duration = Duration::from_millis(500);

/// How a start went.
#[derive(Debug)]
pub struct Start {
    /// The steps so far.
    pub phases: Vec<Phase>,
    /// Why the guest is not up.
    pub(super) failure: Option<Failure>,
    /// The agent, or why there is none.
    pub(super) agent: Result<Agent, String>,
}

/// Why a guest does not come up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// What the console says, quoted, or that it says nothing.
    pub(super) line: String,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The image's: its loader, initrd, kernel or root file system.
    Root,
    /// The image's, with its root mounted.
    Later,
    /// Perhaps the translator's: an oops or a panic of no known cause.
    Guest,
    /// Nothing was seen for so long.
    Silence,
}

/// A start in the making.
pub(super) struct Watch {
    start: Start,
    wants_agent: bool,
    begun: Instant,
    deadline: Instant,
    /// How long the agent or the login may come after the other.
    grace: Duration,
    has_login: Option<Instant>,
    has_agent: Option<Instant>,
}

impl Watch {
    pub(super) fn new(wants_agent: bool, patience: Duration, is_slow: bool) -> Self {
        let now = Instant::now();
        Self {
            start: Start { phases: Vec::new(), failure: None, agent: Err("no agent channel".to_owned()) },
            wants_agent,
            begun: now,
            deadline: super::agent::deadline(patience),
            grace: Duration::from_secs(if is_slow { 180 } else { 60 }),
            has_login: None,
            has_agent: None,
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
    pub(super) fn look(&mut self, running: &mut Running, console: &str, folder: &Path) -> Result<bool> {
        for (name, mark) in PHASES {
            if !self.start.phases.iter().any(|phase| phase.name == *name) && mark(console) {
                self.reach(name);
            }
        }
        if self.has_login.is_none() && self.start.phases.iter().any(|phase| phase.name == "login") {
            self.has_login = Some(Instant::now());
        }
        if let Some(failure) = failure(console) {
            self.start.failure = Some(failure);
            return Ok(true);
        }
        if self.wants_agent && self.has_agent.is_none() {
            self.greet(running, folder)?;
        }
        let waited = |since: Option<Instant>| since.is_some_and(|since| since.elapsed() >= self.grace);
        if self.has_login.is_some() && (self.has_agent.is_some() || !self.wants_agent) {
            return Ok(true);
        }
        if waited(self.has_agent) {
            return Ok(true);
        }
        if waited(self.has_login) {
            let seconds = self.grace.as_secs();
            self.start.agent =
                Err(format!("no program opened the agent's port within {seconds} s after the login appeared"));
            return Ok(true);
        }
        if Instant::now() >= self.deadline {
            let last = console.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing");
            let seconds = self.begun.elapsed().as_secs();
            let line = format!("neither login nor agent within {seconds} s; the console's last line: {last}");
            self.start.failure = Some(Failure { kind: Kind::Silence, line });
            return Ok(true);
        }
        Ok(false)
    }

    fn reach(&mut self, name: &'static str) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.start.phases.push(Phase { name, millis });
    }

    /// Waits a moment for the port to be opened; only then the agent is spoken to.
    fn greet(&mut self, running: &mut Running, folder: &Path) -> Result<()> {
        let is_open = |event: &Event| event.name == "VSERPORT_CHANGE" && event.data.get("open") == Some(&json!(true));
        let Some(_) = running.wait_for(is_open, super::agent::deadline(PACE))? else { return Ok(()) };
        self.start.agent = UnixStream::connect(folder.join(AGENT))
            .map_err(|error| format!("the agent's socket: {error}"))
            .and_then(|stream| Agent::greet(stream, self.grace).map_err(|failure| failure.to_string()));
        self.has_agent = Some(Instant::now());
        self.reach("agent");
        Ok(())
    }
}
