//! Takes out what no two instances may share and what only the build left, and makes every time the same.

use serde::{Deserialize, Serialize};

/// What is taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Each once, in this order.
    pub traces: Vec<Trace>,
    /// `/etc/hostname`; `None` takes it away.
    pub hostname: Option<String>,
    /// Times later than this become this.
    pub source_date_epoch: u64,
}

/// What a build leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trace {
    /// `/etc/machine-id` becomes empty (or `uninitialized`, where presets are to run), D-Bus's a link to it.
    MachineId,
    /// `/etc/ssh/ssh_host_*`.
    SshHostKeys,
    /// Lists and archives of the package tool.
    PackageCaches,
    /// What stands in `/var/log`.
    Logs,
    /// `/var/lib/cloud`.
    CloudInit,
    /// `/var/lib/systemd/random-seed` and its like.
    RandomSeed,
    /// The host's `resolv.conf`; the link of systemd-resolved where it is installed.
    ResolvConf,
    /// What stands in `/tmp` and `/var/tmp`.
    Temporary,
}
