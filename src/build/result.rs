//! What is written beside the image: manifests, report, SBOM and sums.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the manifests say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Name of the image in Glance.
    pub title: String,
    /// Names of [`crate::manifest::FORMATS`].
    pub manifests: Vec<String>,
    /// What only the publisher can say, by Glance's key.
    pub policy: BTreeMap<String, String>,
}
