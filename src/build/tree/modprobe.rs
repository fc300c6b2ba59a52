//! What modprobe (man 5 modprobe.d) and systemd-modules-load (man 5 modules-load.d) are told.

use serde::{Deserialize, Serialize};

/// Lines of our own two files; no file where there is no line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Modules loaded by name when the system starts.
    pub load: Vec<String>,
    /// Lines of modprobe.d: `options NAME KEY=VALUE`, `softdep …`.
    pub lines: Vec<String>,
}
