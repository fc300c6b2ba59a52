//! Files that features and the recipe put into the tree.

use crate::build::plan::Mode;
use serde::{Deserialize, Serialize};

/// What is written, in this order; a later file replaces an earlier one of the same path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The files.
    pub files: Vec<File>,
}

/// A file; one of `text` and `source` is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Absolute path in the image, without `..`.
    pub path: String,
    /// Its permissions.
    pub mode: Mode,
    /// `user:group` by the image's own names.
    pub owner: String,
    /// The whole of it.
    pub text: Option<String>,
    /// A file of the host, absolute, or relative to the recipe's folder.
    pub source: Option<String>,
    /// SHA-256 of `source` when the plan was made: part of what the stage is known by.
    pub sha256: Option<String>,
    /// Who wants it: `watchdog`, or `recipe`.
    pub by: String,
}
