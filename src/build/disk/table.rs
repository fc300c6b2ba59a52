//! The raw disk: GPT (UEFI 2.10, 5.3), its partitions filled, GRUB's boot code before them.

use serde::{Deserialize, Serialize};

/// The disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Bytes, a multiple of 1 MiB.
    pub size: u64,
    /// Its `DiskGUID`, lower case.
    pub guid: String,
    /// In disk order, without overlap.
    pub partitions: Vec<Partition>,
    /// Boot code at LBA 0 and the core in this partition, by its number; none where BIOS is not asked for.
    pub bios_partition: Option<u32>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Its number, from 1: the place in the table.
    pub number: u32,
    /// PARTLABEL; also names the file that fills it.
    pub label: String,
    /// Its type's GUID, lower case.
    pub kind: String,
    /// `PARTUUID`, lower case.
    pub guid: String,
    /// First byte, a multiple of 1 MiB.
    pub start: u64,
    /// Bytes, a multiple of 1 MiB.
    pub size: u64,
    /// Whether `filesystems/LABEL.img` fills it.
    pub is_filled: bool,
}
