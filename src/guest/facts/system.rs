//! Facts of the installed system: its name, its mounts, its packages.

use crate::fact::Fact;
use serde::{Deserialize, Serialize};

/// os-release, keys as the file has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// Where it was read: `/etc/os-release` or `/usr/lib/os-release`.
    pub path: String,
    /// `ID`, `linux` when the file has none (man 5 os-release).
    pub id: String,
    /// `ID_LIKE`, split.
    #[serde(default)]
    pub id_like: Vec<String>,
    /// `VERSION_ID`.
    #[serde(default)]
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`.
    #[serde(default)]
    pub version_codename: Option<String>,
    /// `PRETTY_NAME`.
    #[serde(default)]
    pub pretty_name: Option<String>,
    /// CPU architecture of the userland, from the ELF header of init or the shell: `x86_64`, `aarch64` …
    #[serde(default)]
    pub architecture: Fact<String>,
}

/// One row of fstab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Line, from 1.
    pub line: u32,
    /// The line as it stands.
    pub text: String,
    /// `fs_spec`, octal escapes and quotes resolved as libmount does.
    pub spec: String,
    /// `fs_file`.
    pub target: String,
    /// `fs_vfstype`.
    pub fstype: String,
    /// `fs_mntops`, split at commas.
    pub options: Vec<String>,
    /// `fs_freq`, 0 when missing.
    pub freq: i64,
    /// `fs_passno`, 0 when missing.
    pub passno: i64,
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Epoch; `null` when none is written.
    pub epoch: Option<u64>,
    /// Upstream version.
    pub version: String,
    /// Debian revision or RPM release; `null` when there is none.
    pub release: Option<String>,
    /// Architecture, in the database's spelling.
    pub arch: Option<String>,
    /// The database's word for anything but properly installed: `config-files`, `half-configured`, `unpacked` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}
