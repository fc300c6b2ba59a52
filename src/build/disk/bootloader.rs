//! GRUB's configuration in the tree, its core for BIOS and its EFI program, made without looking at a device.

use crate::build::plan::{Architecture, Family, Firmware};
use serde::{Deserialize, Serialize};

/// What starts, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Whose GRUB: names of its programs and folders.
    pub family: Family,
    /// os-release `ID`: the folder on the ESP that a signed GRUB reads, `/EFI/debian`.
    pub distribution: String,
    /// Of the EFI program.
    pub architecture: Architecture,
    /// Sorted, each once, at least one.
    pub firmware: Vec<Firmware>,
    /// Words of the kernel command line besides `root=` and `ro`.
    pub cmdline: Vec<String>,
    /// Seconds that the menu waits.
    pub timeout: u32,
    /// Speed of GRUB's serial terminal, in baud; none without.
    pub serial: Option<u32>,
    /// The distribution's signed shim and GRUB instead of one made here.
    pub secure_boot: bool,
    /// The root file system.
    pub root: Volume,
    /// `/boot`, where it is a file system of its own.
    pub boot: Option<Volume>,
    /// The EFI system partition.
    pub esp: Option<Volume>,
    /// Where the core for BIOS is written, by its number.
    pub bios_partition: Option<u32>,
}

/// A file system that the loader reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Number of its partition, from 1.
    pub number: u32,
    /// `PARTUUID`, lower case.
    pub partuuid: String,
    /// As blkid prints it: `4a1f7c1e-…`, or `0D12-0000` of a FAT.
    pub uuid: String,
    /// `ext4`, `xfs`, `btrfs`, `vfat`.
    pub filesystem: String,
    /// Where it is mounted.
    pub mount: String,
}
