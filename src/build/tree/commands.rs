//! The recipe's own commands, run in the tree.

use super::Root;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::bytes::read_capped;
use crate::error::Result;
use crate::limits::MIB;
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

/// The name of the stage in the log.
const STAGE: &str = "commands";
/// Where the tree's programs find name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Runs them in the tree.
///
/// # Errors
/// The first that fails.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply(STAGE, &Stage::Commands(options.clone()), shop)?;
    for command in &options.commands {
        // The whole script is one argument: nothing is put together here.
        shop.run(STAGE, shop.within("sh").args(["-euc", &command.run]).envs(&command.environment))?;
    }
    Ok(())
}

/// Lends the tree our name servers where it has none; the stage `seal` decides what stays.
pub(super) fn apply(_: &Options, root: &Root) -> Result<()> {
    if root.link(RESOLV_CONF).is_some() || root.exists(RESOLV_CONF) {
        return Ok(());
    }
    match std::fs::File::open(RESOLV_CONF) {
        Ok(mut file) => root.write(RESOLV_CONF, &read_capped(&mut file, MIB, "resolv.conf")?),
        Err(_) => Ok(()),
    }
}
