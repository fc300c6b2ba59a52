//! What modprobe (man 5 modprobe.d) and systemd-modules-load (man 5 modules-load.d) are told.

use super::Root;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::error::Result;
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

/// Carries it out.
///
/// # Errors
/// When they cannot be written.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply("modprobe", &Stage::Modprobe(options.clone()), shop)
}

/// Read after what distributions bring, and by their names not replaced by it.
const LINES: &str = "/etc/modprobe.d/zz-bootworthy.conf";
const LOAD: &str = "/etc/modules-load.d/bootworthy.conf";

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    for (path, lines) in [(LINES, &options.lines), (LOAD, &options.load)] {
        if !lines.is_empty() {
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            root.write(path, text.as_bytes())?;
        }
    }
    Ok(())
}
