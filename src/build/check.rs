//! The image goes through the same worker and the same checks as any other.

use serde::{Deserialize, Serialize};

/// What it is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// A name of [`crate::verdict::profile::PROFILES`].
    pub profile: String,
    /// Features that must be there, besides the profile's.
    pub require: Vec<String>,
}
