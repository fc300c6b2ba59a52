//! A running guest → proofs: what the static checks promised, seen.

mod agent;
mod disk;
#[cfg(test)]
mod fake;
mod finish;
mod network;
mod probe;
mod session;
mod start;
mod undecided;
mod watchdog;

pub use probe::Seed;
pub(super) use session::clipped;
pub use session::{Host, Session, Terms};
pub use undecided::UNDECIDED;
pub(super) use undecided::is_two_way;

/// What a proof came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Seen in the guest; how.
    Proved(String),
    /// The guest shows the contrary; what it shows.
    Disproved(String),
    /// Neither: the guest or QEMU failed in a way that is not the image's own, or it cannot be shown here; why.
    Inconclusive(String),
    /// Nothing was promised; why.
    NotApplicable(String),
}

/// What a proof saw; why it saw nothing otherwise.
type Seen = Result<Standing, String>;

/// Something to see in a running guest.
#[derive(Debug)]
pub struct Proof {
    /// Kebab-case; never changes.
    pub id: &'static str,
    /// What it shows, lower case, no full stop.
    pub summary: &'static str,
    /// Ids of the checks that it decides: where it is proved none of them may fail, where it is disproved one must.
    pub decides: &'static [&'static str],
    /// What the machine must have for it to be asked at all.
    pub needs: Needs,
    /// When it is made.
    pub turn: Turn,
    /// Looks.
    run: fn(&mut Session<'_>) -> Seen,
}

/// What a machine must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Every machine will do.
    Nothing,
    /// The agent's channel (`hw_qemu_guest_agent`).
    Agent,
    /// Several queues (`hw_vif_multiqueue_enabled`).
    Queues,
    /// A watchdog that does something (`hw_watchdog_action`).
    Watchdog,
}

/// When a proof is made: harmless ones first, and what ends the guest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// As soon as the guest is up; changes nothing that another proof looks at.
    Up,
    /// Shuts the guest down.
    Down,
    /// Once the guest is up for the second time.
    Again,
    /// Kills the guest.
    Last,
}

/// Every proof, in the order in which they are made.
pub const PROOFS: &[Proof] = &[
    start::LOGIN,
    disk::ROOT_ON_BUS,
    start::SERIAL,
    agent::ANSWERS,
    agent::OS,
    network::QUEUES,
    watchdog::IDENTITY,
    start::CLOUD_INIT,
    network::SSH,
    agent::FREEZE,
    agent::PASSWORD,
    disk::TRIM,
    finish::SHUTDOWN,
    finish::SECOND_BOOT,
    watchdog::FIRES,
];

/// The proof with this id.
pub fn find(id: &str) -> Option<&'static Proof> {
    PROOFS.iter().find(|proof| proof.id == id)
}

impl Proof {
    /// Looks, where the machine has what it takes.
    pub fn run(&self, session: &mut Session<'_>) -> Standing {
        let terms = &session.terms;
        let absent = match self.needs {
            Needs::Agent if !terms.agent => Some("no agent channel: hw_qemu_guest_agent is not set"),
            Needs::Queues if terms.queues.is_none() => Some("one queue: hw_vif_multiqueue_enabled is not set"),
            Needs::Watchdog if terms.watchdog.is_none() => Some("no watchdog: hw_watchdog_action is not set"),
            _ => None,
        };
        match absent {
            Some(reason) => Standing::NotApplicable(reason.to_owned()),
            None => (self.run)(session).unwrap_or_else(Standing::Inconclusive),
        }
    }

    /// Whether the machine's properties demand it; else its checks promise it.
    pub fn is_demanded(&self) -> bool {
        self.needs != Needs::Nothing || self.decides.is_empty()
    }
}

#[cfg(test)]
mod tests;
