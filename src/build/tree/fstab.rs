//! `/etc/fstab` (man 5 fstab).

use serde::{Deserialize, Serialize};

/// The whole of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// In mount order.
    pub rows: Vec<Row>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// `UUID=…`.
    pub spec: String,
    /// Where it is mounted; the folder is made where it is missing.
    pub mount: String,
    /// `ext4`, `xfs`, `btrfs`, `vfat`.
    pub filesystem: String,
    /// Never empty: `defaults`, `discard,errors=remount-ro`.
    pub options: String,
    /// Always 0: dump is gone.
    pub dump: u8,
    /// 1 for the root, 2 for others, 0 where fsck has nothing to do.
    pub pass: u8,
}
