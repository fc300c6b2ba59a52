//! Facts of systemd: what is enabled, what starts at the first boot, and with which settings.

use crate::fact::{Fact, Listing};
use serde::{Deserialize, Serialize};

/// A unit: a name that systemd can load, or that something links to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `qemu-guest-agent.service`, `getty@.service`, `serial-getty@ttyS0.service`.
    pub name: String,
    /// The file or link that counts, first in systemd's search order; `null` where only links name it.
    #[serde(default)]
    pub path: Fact<Option<String>>,
    /// Its state, in the word of `systemctl is-enabled`: `enabled`, `disabled`, `static`, `masked`, `alias` …
    #[serde(default)]
    pub state: Fact<String>,
    /// What starts it at the first boot, as far as the image decides that; empty when nothing does.
    #[serde(default)]
    pub starts: Fact<Listing<UnitStart>>,
    /// The setting that keeps it from starting all the same, or makes it fail at once: a condition that is false in a
    /// virtual machine, a required unit that is masked, a program or file that is missing; `null` when there is none.
    #[serde(default)]
    pub refused: Fact<Option<Setting>>,
    /// Settings of the units that checks ask for, drop-ins merged, in the order in which systemd reads them; `null` for
    /// all others.
    #[serde(default)]
    pub settings: Fact<Option<Listing<Setting>>>,
    /// Variables of its `Environment=` and `EnvironmentFile=`, in the order in which they are set: the last one of a name
    /// counts; `null` where [`Unit::settings`] is.
    #[serde(default)]
    pub environment: Fact<Option<Listing<Assignment>>>,
}

/// One thing that starts a unit at boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStart {
    /// `wants`, `requires`, `upholds`, `udev` (a rule's `SYSTEMD_WANTS`), `preset` (enabled at the first boot),
    /// `generator`, `socket`, `timer`, `path`, `bus`.
    pub by: String,
    /// The unit that pulls it in, which itself is started; a device for `udev`.
    pub of: String,
    /// The link, rule file, preset file or unit file that says so.
    pub path: String,
    /// Its line, where it is a file that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// `Key=value` in a section of a file of systemd's syntax (`man 7 systemd.syntax`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// `Service`, `Unit`, `Install`, `Manager` …
    pub section: String,
    /// Left of `=`.
    pub key: String,
    /// Right of it, continuation lines joined, specifiers not expanded; empty resets a list.
    pub value: String,
    /// File in the guest's tree.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
}

/// A variable and its value, quotes removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// File in the guest's tree.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
}
