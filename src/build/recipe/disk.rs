//! The disk of a recipe: in a few words, or partition by partition.

use super::size::{shown, size, some_size};
use crate::build::disk::image::{Compression, Format};
use crate::build::plan::{FileSystemType, Firmware};
use crate::limits::MIB;
use serde::Deserialize;

/// The disk.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Image format.
    #[serde(default = "qcow2")]
    pub format: Format,
    /// qcow2 cluster compression.
    pub compression: Option<Compression>,
    /// Virtual size in bytes, for example `4 GiB`.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// How freed blocks come back, where the recipe has the feature `discard`.
    #[serde(default)]
    pub trim: Trim,
    /// The root's file system, in a few words.
    pub filesystem: Option<FileSystemType>,
    /// Bytes of a `/boot` of its own.
    #[serde(default, deserialize_with = "some_size")]
    pub boot: Option<u64>,
    /// Bytes of the EFI system partition.
    #[serde(default, deserialize_with = "some_size")]
    pub esp: Option<u64>,
    /// `gpt`.
    #[serde(default)]
    pub table: Table,
    /// Partition by partition, in disk order; the last is the root.
    #[serde(default)]
    pub partition: Vec<Partition>,
}

/// Partition tables that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// GPT.
    #[default]
    Gpt,
}

/// How freed blocks come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trim {
    /// Once a week, by fstrim.timer.
    #[default]
    Timer,
    /// At once: the mount option `discard`.
    Mount,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// PARTLABEL.
    pub label: String,
    /// Its type.
    pub kind: PartitionKind,
    /// Its number; its place on the disk otherwise.
    pub number: Option<u32>,
    /// Bytes; without it, what is left.
    #[serde(default, deserialize_with = "some_size")]
    pub size: Option<u64>,
    /// `ext4`, `xfs`, `btrfs` or `vfat`.
    pub filesystem: Option<FileSystemType>,
    /// Mount point.
    pub mount: Option<String>,
    /// Mount options.
    #[serde(default)]
    pub options: Vec<String>,
    /// Features for the program that makes the file system.
    #[serde(default)]
    pub features: Vec<String>,
}

/// Types of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionKind {
    /// Where GRUB's core stands on GPT disks that start by BIOS.
    BiosBoot,
    /// EFI system partition.
    Esp,
    /// /boot on its own.
    Boot,
    /// The root file system.
    Root,
}

/// GRUB's core for a GPT disk has 30 to 130 KiB; every tool aligns partitions to 1 MiB.
const BIOS_BOOT: u64 = MIB;
/// What Debian's and Ubuntu's cloud images have is 124 and 106 MiB; one loader takes 2.
const ESP: u64 = 64 * MIB;

impl Disk {
    /// The partitions: those of the recipe, or those that its few words mean.
    pub fn partitions(&self, firmware: &[Firmware]) -> Vec<Partition> {
        if !self.partition.is_empty() {
            return self.partition.clone();
        }
        let root = self.filesystem.unwrap_or(FileSystemType::Ext4);
        let mut parts = Vec::new();
        if firmware.contains(&Firmware::Bios) {
            parts.push(part("bios", PartitionKind::BiosBoot, Some(BIOS_BOOT), None, None));
        }
        if firmware.contains(&Firmware::Uefi) {
            let size = Some(self.esp.unwrap_or(ESP));
            parts.push(part("esp", PartitionKind::Esp, size, Some(FileSystemType::Vfat), Some("/boot/efi")));
        }
        if let Some(size) = self.boot {
            parts.push(part("boot", PartitionKind::Boot, Some(size), Some(FileSystemType::Ext4), Some("/boot")));
        }
        parts.push(part("root", PartitionKind::Root, None, Some(root), Some("/")));
        parts
    }

    /// The size as the recipe says it.
    pub(super) fn shown_size(&self) -> String {
        shown(self.size)
    }
}

fn part(
    label: &str,
    kind: PartitionKind,
    size: Option<u64>,
    filesystem: Option<FileSystemType>,
    mount: Option<&str>,
) -> Partition {
    Partition {
        label: label.to_owned(),
        kind,
        number: None,
        size,
        filesystem,
        mount: mount.map(str::to_owned),
        options: Vec::new(),
        features: Vec::new(),
    }
}

fn qcow2() -> Format {
    Format::Qcow2
}
