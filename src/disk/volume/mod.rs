//! A virtual disk → volumes. Every partition scheme that is there must be read; none is the whole disk as one volume.

mod gpt;
mod mbr;
mod whole;

use crate::bytes::Bytes;
use crate::error::Result;
use crate::fact::{Flaw, Listing};
use crate::limits::Limits;

/// What stands on a disk.
#[derive(Debug, Default)]
pub struct Scan {
    /// `gpt` or `dos`, as `sfdisk` names it; `None` where the disk has no partition table.
    pub scheme: Option<&'static str>,
    /// Bytes of a logical sector.
    pub sector_size: u64,
    /// Disk GUID or MBR signature, as `blkid` prints PTUUID.
    pub id: Option<String>,
    /// Copies that disagree, overlaps, partitions past the end.
    pub flaws: Listing<Flaw>,
    /// One past the last byte that any partition or table uses.
    pub used_end: u64,
    /// Partitions in table order, or the whole disk as one; all lie on the disk.
    pub partitions: Vec<Partition>,
}

/// A partition, or the whole disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// As the kernel numbers it; 0 for the whole disk.
    pub number: u32,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// Type GUID, lower case, or MBR type (`0x83`); empty for the whole disk.
    pub kind: String,
    /// PARTUUID, lower case.
    pub uuid: Option<String>,
    /// PARTLABEL.
    pub label: Option<String>,
}

/// A partition scheme.
#[derive(Debug)]
pub struct Table {
    /// As `sfdisk` names it.
    pub name: &'static str,
    probe: fn(&Bytes) -> Result<bool>,
    read: fn(&Bytes, &Limits) -> Result<Scan>,
}

/// Schemes in the order in which Linux asks for them (`block/partitions/core.c`); the last takes what remains.
pub const TABLES: &[Table] = &[gpt::TABLE, mbr::TABLE, whole::TABLE];

/// Reads the partition table of `disk`.
///
/// # Errors
/// `Corrupt` when no copy of the table can be read, `Unsupported` for a scheme that this version does not read.
pub fn scan(disk: &Bytes, limits: &Limits) -> Result<Scan> {
    for table in TABLES {
        if (table.probe)(disk)? {
            return (table.read)(disk, limits);
        }
    }
    Ok(Scan::default())
}

/// Bytes that a partition or a table takes.
struct Extent {
    start: u64,
    end: u64,
    name: String,
}

/// Every pair of neighbours that share bytes is a flaw.
fn overlaps(id: &str, mut extents: Vec<Extent>, flaws: &mut Vec<Flaw>) {
    extents.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
    let mut furthest: Option<&Extent> = None;
    for extent in &extents {
        match furthest {
            Some(before) if before.end > extent.start => {
                let found = format!("{} and {} overlap at byte {}", before.name, extent.name, extent.start);
                flaws.push(flaw(id, found, true));
            }
            _ => {}
        }
        furthest = furthest.filter(|before| before.end >= extent.end).or(Some(extent));
    }
}

fn flaw(id: &str, found: impl Into<String>, fatal: bool) -> Flaw {
    Flaw { id: id.to_owned(), found: found.into(), fatal }
}
