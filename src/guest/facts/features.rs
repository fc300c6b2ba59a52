//! Facts of what serves `OpenStack`'s features: the guest agent, the watchdog, encrypted volumes, `SELinux`.

use super::{Assignment, Setting};
use crate::fact::{Fact, Listing};
use serde::{Deserialize, Serialize};

/// A configuration file of one program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFile {
    /// Path in the guest.
    pub path: String,
    /// Its settings in order, the section empty where its syntax has none; `null` where there is no such file.
    #[serde(default)]
    pub settings: Fact<Option<Listing<Setting>>>,
}

/// The QEMU guest agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// /etc/qemu/qemu-ga.conf, and whatever file its units name instead.
    #[serde(default)]
    pub configs: Fact<Listing<ConfigFile>>,
}

/// The watchdog daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdog {
    /// /etc/watchdog.conf, and whatever file /etc/default/watchdog names instead.
    #[serde(default)]
    pub configs: Fact<Listing<ConfigFile>>,
    /// Settings of `watchdog-device` in those files that are commented out.
    #[serde(default)]
    pub comments: Fact<Listing<Setting>>,
    /// Variables of /etc/default/watchdog (`run_watchdog`, `watchdog_module`, `watchdog_options` …), the last one of a
    /// name counts; `null` where there is no such file.
    #[serde(default)]
    pub defaults: Fact<Option<Listing<Assignment>>>,
}

/// One row of crypttab (`man 5 crypttab`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crypt {
    /// Line, from 1.
    pub line: u32,
    /// The line as it stands.
    pub text: String,
    /// The volume is /dev/mapper/NAME.
    pub name: String,
    /// What lies below it.
    pub device: String,
    /// Options, split at commas.
    pub options: Vec<String>,
}

/// What /etc/selinux/config asks for (`man 8 selinux`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selinux {
    /// `enforcing`, `permissive`, `disabled`; empty where `SELINUX=` sets none of them.
    pub mode: String,
    /// Its line, from 1; 0 where it is not set.
    pub line: u32,
    /// A policy of the type that `SELINUXTYPE=` names is there.
    #[serde(default)]
    pub has_policy: Fact<bool>,
}
