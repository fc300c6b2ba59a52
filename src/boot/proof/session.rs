//! A conversation with a running guest: its machine, its agent, a shell in it where one can be had.

use super::probe::{Probe, Seed};
use crate::boot::agent::{Agent, Failure, Ran};
use crate::error::Result;
use crate::guest::Guest;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// How long the probe may take: it starts some fifty programs, each half a second under TCG.
const PROBE: Duration = Duration::from_mins(2);

/// The machine from the outside: QEMU's monitor, the console, the overlay.
pub trait Host {
    /// Executes a command of the monitor.
    ///
    /// # Errors
    /// QEMU's own words.
    fn execute(&mut self, command: &str, arguments: Value) -> Result<Value>;
    /// The data of the next event of this name that is as wanted, already come or to come; `None` where none comes.
    ///
    /// # Errors
    /// When QEMU is gone.
    fn event(&mut self, name: &str, is: &dyn Fn(&Value) -> bool, patience: Duration) -> Result<Option<Value>>;
    /// What the guest wrote to its serial console so far.
    fn console(&mut self) -> String;
    /// A line of the console that says that the guest failed in a way that need not be the image's fault.
    fn oops(&mut self) -> Option<String>;
    /// Bytes that the overlay takes on the host's disk.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn allocated(&mut self) -> Result<u64>;
    /// Runs a script as root, logged in with the key of the config drive.
    ///
    /// # Errors
    /// Why there is none.
    fn ssh(&mut self, script: &str, patience: Duration) -> Result<Ran, String>;
    /// The first line that the guest's port 22 says.
    ///
    /// # Errors
    /// Why there is none.
    fn banner(&mut self, patience: Duration) -> Result<String, String>;
    /// Lets the guest start again and waits until it is up; then there is a new agent, or why there is none.
    ///
    /// # Errors
    /// What the console says of why it did not come up.
    fn restart(&mut self) -> Result<Result<Agent, String>, String>;
}

/// What this trial holds the guest to: what the machine has, and the host's part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// QEMU's name of what the guest reaches its root disk by: `virtio-scsi-pci`, `virtio-blk-pci`.
    pub root_driver: &'static str,
    /// The agent's channel.
    pub agent: bool,
    /// What the watchdog does, where it does something.
    pub watchdog: Option<String>,
    /// Queues of the network card, where it has several.
    pub queues: Option<u32>,
    /// Why the host's end of the card has but one queue.
    pub one_queue: Option<String>,
    /// Whose password Nova sets: `os_admin_user`, else root.
    pub admin: String,
    /// The checks say that ssh is started.
    pub sshd: bool,
    /// QEMU translates: everything takes longer.
    pub is_slow: bool,
}

/// All that a proof looks at.
pub struct Session<'a> {
    /// The machine from the outside.
    pub host: &'a mut dyn Host,
    /// The agent, or why there is none.
    pub agent: Result<Agent, String>,
    /// What this trial holds the guest to.
    pub terms: Terms,
    /// The facts of the image.
    pub guest: &'a Guest,
    /// What the config drive carries.
    pub seed: &'a Seed,
    /// What was told at this start.
    pub(super) probe: Option<Probe>,
    /// What was told at the first start, once there is a second.
    pub(super) first: Option<Probe>,
    /// What was said to the agents of earlier starts, and by them.
    transcript: Vec<String>,
    /// Neither a shell nor the console told anything.
    is_mute: bool,
    /// What one proof leaves for another.
    pub(super) is_down: bool,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("terms", &self.terms).field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    /// With a guest that is up.
    pub fn new(
        host: &'a mut dyn Host,
        agent: Result<Agent, String>,
        terms: Terms,
        guest: &'a Guest,
        seed: &'a Seed,
    ) -> Self {
        Self {
            host,
            agent,
            terms,
            guest,
            seed,
            probe: None,
            first: None,
            transcript: Vec::new(),
            is_mute: false,
            is_down: false,
        }
    }

    /// Whether the guest shut down, so that another start is needed to go on.
    pub fn is_down(&self) -> bool {
        self.is_down
    }

    /// Starts the guest again, on the same disk.
    ///
    /// # Errors
    /// Why it did not come up.
    pub fn start_again(&mut self) -> Result<(), String> {
        if self.first.is_none() {
            self.first = self.probe.take();
        }
        self.probe = None;
        self.is_mute = false;
        if let Ok(agent) = &self.agent {
            self.transcript.extend_from_slice(agent.transcript());
        }
        self.agent = Err("the guest was shut down".to_owned());
        self.agent = self.host.restart()?;
        self.is_down = false;
        Ok(())
    }

    /// What was said to the agent and by it, in all starts.
    pub fn transcript(&self) -> Vec<String> {
        let last = self.agent.as_ref().map(Agent::transcript).unwrap_or_default();
        [self.transcript.as_slice(), last].concat()
    }

    /// So long on hardware, four times that under translation.
    pub(super) fn patience(&self, seconds: u64) -> Duration {
        Duration::from_secs(if self.terms.is_slow { seconds.saturating_mul(4) } else { seconds })
    }

    /// Runs a script as root: through the agent, or by ssh where the agent is not there or blocks it.
    ///
    /// # Errors
    /// Why neither can.
    pub(super) fn shell(&mut self, script: &str, patience: Duration) -> Result<Ran, String> {
        let refusal = match &mut self.agent {
            Ok(agent) if agent.about().allows("guest-exec") && agent.about().allows("guest-exec-status") => {
                match agent.run(script, patience) {
                    Ok(ran) => return Ok(ran),
                    Err(failure) => failure.to_string(),
                }
            }
            Ok(_) => "the agent blocks guest-exec".to_owned(),
            Err(reason) => reason.clone(),
        };
        self.host.ssh(script, patience).map_err(|reason| format!("not provable: {refusal}; {reason}"))
    }

    /// The same, and its exit code must be 0.
    ///
    /// # Errors
    /// Why it cannot be run, and what it says when it fails.
    pub(super) fn command(&mut self, script: &str, patience: Duration) -> Result<String, String> {
        let ran = self.shell(script, patience)?;
        if ran.code == Some(0) {
            return Ok(ran.out);
        }
        let code = ran.code.map_or("a signal".to_owned(), |code| format!("code {code}"));
        Err(format!("a script in the guest ended with {code}: {}", clipped(ran.err.trim())))
    }

    /// The facts of this start: asked for, or read off the console, where cloud-init told them.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn probe(&mut self) -> Result<&Probe, String> {
        if self.probe.is_none() {
            self.probe = Some(self.look()?);
        }
        self.probe.as_ref().ok_or_else(|| "nothing was told".to_owned())
    }

    /// The facts as they are now.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn look(&mut self) -> Result<Probe, String> {
        let script = self.seed.script();
        match self.shell(&script, PROBE) {
            Ok(ran) => Probe::parse(&ran.out).ok_or_else(|| "the guest did not tell the facts to their end".to_owned()),
            Err(refusal) => {
                // Waited for once: what tells nothing then does not later.
                let deadline = crate::boot::agent::deadline(self.patience(if self.is_mute { 0 } else { 30 }));
                loop {
                    if let Some(probe) = Probe::of_console(&self.host.console(), &self.seed.nonce) {
                        return Ok(probe);
                    }
                    if Instant::now() >= deadline {
                        self.is_mute = true;
                        return Err(format!("{refusal}; cloud-init told nothing on the console"));
                    }
                    thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }

    /// Asks the agent; a blocked command is what [`Failure::Refused`] says.
    ///
    /// # Errors
    /// When there is no agent, and as [`Agent::call`].
    pub(super) fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, Failure> {
        let patience = self.patience(15);
        match &mut self.agent {
            Ok(agent) => agent.call(command, arguments, patience),
            Err(reason) => Err(Failure::Lost(reason.clone())),
        }
    }

    /// The commands among these that the agent does not have or blocks; all of them where there is no agent.
    pub(super) fn blocked(&self, commands: &[&'static str]) -> Vec<&'static str> {
        let is_blocked = |command: &&&str| !self.agent.as_ref().is_ok_and(|agent| agent.about().allows(command));
        commands.iter().filter(is_blocked).copied().collect()
    }
}

/// Characters of a guest's text that are quoted.
const MAX_QUOTE: usize = 240;

/// The beginning of a guest's text, to be quoted.
pub(in crate::boot) fn clipped(text: &str) -> String {
    let mut clipped: String = text.chars().take(MAX_QUOTE).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}
