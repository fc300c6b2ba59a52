//! The recipe's own commands, run in the tree.

use serde::{Deserialize, Serialize};

/// In order; the first that fails ends the build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The commands.
    pub commands: Vec<Command>,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// A script for `sh -eu` with the tree as `/`.
    pub run: String,
    /// Variables besides `PATH`, `LC_ALL`, `SOURCE_DATE_EPOCH` and `DEBIAN_FRONTEND`.
    #[serde(default)]
    pub environment: std::collections::BTreeMap<String, String>,
}
