//! `NAME.lock`: what a build resolved, so that another makes the same image.

use serde::{Deserialize, Serialize};

/// A package as it was installed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// As the package database spells it, epoch and revision included.
    pub version: String,
    /// As the package database spells it: `amd64`, `all`, `noarch`.
    pub architecture: String,
    /// SHA-256 of the archive in hexadecimal, where the engine knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}
