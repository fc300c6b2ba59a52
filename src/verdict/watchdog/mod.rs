//! Who feeds the watchdog: the daemon with its configuration, or systemd itself.

mod command;
mod daemon;
mod systemd;

pub(super) use daemon::{UNITS, daemon};
pub(super) use systemd::systemd;

use super::{Evidence, FactName, View};
use crate::fact::Gap;

/// The facts that the feeders are found in.
pub(super) const READS: &[FactName] =
    &[FactName::Units, FactName::Manager, FactName::Watchdog, FactName::BootEntries, FactName::Packages];

/// Whether one of the two feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Feeder {
    /// It opens this device; says what makes it do so.
    Feeds(String, Evidence),
    /// It does not; says why.
    Idle(Evidence),
}

/// What a feeder is, if nothing unknown can change it; its gaps otherwise.
pub(super) fn settle(view: &View<'_>, feeder: fn(&View<'_>) -> Option<Feeder>) -> Result<Feeder, Vec<Gap>> {
    match view.apart(feeder) {
        (Some(feeder), gaps) if gaps.is_empty() => Ok(feeder),
        (_, gaps) if gaps.is_empty() => Err(vec![Gap::new("whether anything feeds the watchdog could not be read")]),
        (_, gaps) => Err(gaps),
    }
}

/// The device that i6300esb is, alone in an instance.
pub(super) fn is_first(device: &str) -> bool {
    matches!(device, "/dev/watchdog" | "/dev/watchdog0")
}
