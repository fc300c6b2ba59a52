//! The image goes through the same worker and the same checks as any other.

use serde::{Deserialize, Serialize};

/// What it is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// A name of [`crate::verdict::profile::PROFILES`], for its severities.
    pub profile: String,
    /// Features that must be there, all of them.
    pub require: Vec<String>,
    /// A name of [`crate::verdict::property::Set`].
    pub set: String,
    /// Properties that must be earned.
    pub with: Vec<String>,
    /// Properties that are left out.
    pub without: Vec<String>,
    /// What the watchdog does.
    pub watchdog_action: Option<String>,
}
