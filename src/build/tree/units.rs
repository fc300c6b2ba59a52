//! Units (systemd) or services (OpenRC) on, off and masked, without either of them running.

use serde::{Deserialize, Serialize};

/// What starts with the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Whose they are.
    pub init: Init,
    /// Switched on; one that is not there, or cannot be switched on, is an error.
    pub enable: Vec<String>,
    /// Switched off where they are there.
    pub disable: Vec<String>,
    /// Masked, there or not.
    pub mask: Vec<String>,
}

/// What starts a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// `systemctl --root`.
    Systemd,
    /// `rc-update` in the tree, links below `/etc/runlevels`.
    Openrc,
}
