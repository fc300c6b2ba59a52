//! An engine that a distribution maintains → the root tree in the work folder, and the list of what it installed.

use super::lock::Package;
use super::plan::{Architecture, Family};
use serde::{Deserialize, Serialize};

/// Where the root tree comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What makes it.
    pub engine: Engine,
    /// Decides how packages are named and listed.
    pub family: Family,
    /// os-release `ID`.
    pub distribution: String,
    /// Debian's suite, a release number elsewhere.
    pub suite: String,
    /// Of the packages.
    pub architecture: Architecture,
    /// Addresses of the recipe; empty for the engine's own default.
    pub mirrors: Vec<String>,
    /// Debian's areas of the archive: `main`, `contrib`, …; empty for the engine's own default.
    pub components: Vec<String>,
    /// mmdebstrap's `--variant`.
    pub variant: Option<String>,
    /// The kernel's, the features' and the recipe's, sorted, each once.
    pub packages: Vec<String>,
    /// The archive of `tar` or the folder of `dir`, as the recipe names it.
    pub input: Option<String>,
    /// SHA-256 that the archive must have (from the lock).
    pub input_sha256: Option<String>,
    /// The versions that must be installed, no others (from the lock); empty when nothing is locked.
    pub locked: Vec<Package>,
    /// `SOURCE_DATE_EPOCH` of the engine.
    pub source_date_epoch: u64,
}

/// What makes root trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Debian, Ubuntu and what is made of them.
    Mmdebstrap,
    /// An archive of a root tree that anything else made.
    Tar,
    /// A folder with a root tree that anything else made.
    Dir,
    /// `dnf --installroot`.
    Dnf,
    /// `zypper --root`.
    Zypper,
    /// `apk --root`.
    Apk,
}

impl Engine {
    /// Its name, as recipes and plans write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mmdebstrap => "mmdebstrap",
            Self::Tar => "tar",
            Self::Dir => "dir",
            Self::Dnf => "dnf",
            Self::Zypper => "zypper",
            Self::Apk => "apk",
        }
    }
}
