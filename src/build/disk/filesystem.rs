//! File systems from the tree, each in a file of its own, without a mount.

use crate::build::plan::FileSystemType;
use serde::{Deserialize, Serialize};

/// What is made; a subtree that another file system holds is left out of its parent's, but for its empty folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// In disk order.
    pub filesystems: Vec<FileSystem>,
    /// What the time of making becomes.
    pub source_date_epoch: u64,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSystem {
    /// Label of its partition: it is made in `filesystems/PARTITION.img`.
    pub partition: String,
    /// Its type.
    pub filesystem: FileSystemType,
    /// As blkid prints it: `4a1f7c1e-…`, or `0D12-0000` of a FAT.
    pub uuid: String,
    /// Its own label.
    pub label: Option<String>,
    /// Bytes, a multiple of 1 MiB.
    pub size: u64,
    /// What it holds: the folder of the tree that is mounted there, `/` or `/boot`.
    pub source: String,
    /// Features for the program that makes it, as `^metadata_csum_seed` or `nrext64=0`.
    pub features: Vec<String>,
}
