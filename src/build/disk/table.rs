//! The raw disk: GPT (UEFI 2.10, 5.3), its partitions filled, GRUB's boot code before them.

use super::guid::Guid;
use super::target::{self, Target};
use super::{bios, gpt};
use crate::build::plan::place;
use crate::build::workshop::Workshop;
use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::MIB;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

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

/// The name of the stage in the log.
const STAGE: &str = "disk";
/// Bytes of boot.img and of the largest core that BIOS loads.
const MAX_LOADER: u64 = MIB;
/// Bytes that the disk takes besides what is moved into it: the part that is being moved, the loader, the table.
const ROOM: u64 = 4 * MIB;

/// Writes the disk, and moves into its partitions what earlier stages left.
///
/// # Errors
/// What is missing or does not fit, a full disk, and as the table and the loader have them.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    let path = shop.folder().join(place::DISK);
    let images = options.partitions.iter().filter(|partition| partition.is_filled);
    let images: Vec<(&Partition, PathBuf)> = images.map(|partition| (partition, image(shop, partition))).collect();
    let mut disk = Target::create(&path)?;
    disk.reserve(ROOM)?;
    disk.resize(options.size)?;
    for (partition, image) in images {
        fill(&disk, partition, &image)?;
        shop.write(STAGE, &format!("partition {}, {}: filled", partition.number, partition.label));
    }
    if let Some(number) = options.bios_partition {
        embed(&disk, options, number, shop)?;
    }
    let partitions = options.partitions.iter().map(row).collect::<Result<Vec<_>>>()?;
    gpt::write(&disk, options.size, Guid::parse(&options.guid)?, &partitions)
}

fn image(shop: &Workshop, partition: &Partition) -> PathBuf {
    shop.folder().join(place::FILESYSTEMS).join(format!("{}.img", partition.label))
}

fn fill(disk: &Target, partition: &Partition, image: &Path) -> Result<()> {
    let size = image.metadata().map_err(|error| target::failed(image, &error, 0))?.len();
    if size > partition.size {
        let cause = format!("{size} bytes, partition {} has {}", partition.label, partition.size);
        return Err(Error::too_large("file system", cause));
    }
    disk.take(partition.start, image)
}

fn embed(disk: &Target, options: &Options, number: u32, shop: &Workshop) -> Result<()> {
    let partition = options.partitions.iter().find(|partition| partition.number == number);
    let partition = partition.ok_or_else(|| Error::not_found(format!("partition {number} for GRUB's core")))?;
    let read = |name: &str| {
        let path = shop.folder().join(place::LOADER).join(name);
        let mut file = File::open(&path).map_err(|error| target::failed(&path, &error, 0))?;
        read_capped(&mut file, MAX_LOADER, name)
    };
    bios::embed(disk, &read("boot.img")?, &read("core.img")?, partition.start, partition.size)
}

fn row(partition: &Partition) -> Result<gpt::Partition> {
    Ok(gpt::Partition {
        number: partition.number,
        kind: Guid::parse(&partition.kind)?,
        uuid: Guid::parse(&partition.guid)?,
        label: partition.label.clone(),
        start: partition.start,
        size: partition.size,
    })
}
