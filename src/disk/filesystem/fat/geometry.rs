//! The boot sector of a FAT volume: where its tables and clusters are, its serial number and label.

use super::super::signature::{label, piece};
use crate::bytes::{Bytes, le_u16, le_u32, slice};
use crate::error::Result;

/// Most clusters of a FAT12 volume (`MAX_FAT12` of Linux's `fs/fat/fat.h`).
const MAX_FAT12: u64 = 0xff4;
/// Most clusters of a FAT16 volume (`MAX_FAT16`).
const MAX_FAT16: u64 = 0xfff4;
/// Most clusters of a FAT32 volume (`MAX_FAT32`).
const MAX_FAT32: u64 = 0x0fff_fff6;
/// Clusters of a FAT32 root directory in which libblkid looks for the label.
const LABEL_CLUSTERS: usize = 100;

/// Width of an entry of the allocation table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

/// Where everything is, in bytes.
#[derive(Debug)]
pub(in super::super) struct Geometry {
    pub(super) width: Width,
    pub(super) cluster_bytes: u64,
    pub(super) table_at: u64,
    pub(super) table_bytes: u64,
    /// Root directory of FAT12 and FAT16; empty on FAT32.
    pub(super) root_at: u64,
    pub(super) root_bytes: u64,
    /// Root directory of FAT32; 0 elsewhere.
    pub(super) root_cluster: u32,
    pub(super) data_at: u64,
    /// Clusters that hold data, numbered from 2.
    pub(super) clusters: u64,
    serial: [u8; 4],
}

impl Geometry {
    /// Reads the boot sector; `None` when it is not FAT's, by the rules of libblkid's `fat_valid_superblock`.
    pub(in super::super) fn read(volume: &Bytes) -> Result<Option<Self>> {
        let Some(boot) = piece(volume, 0, 512)?.filter(|boot| has_magic(boot)) else { return Ok(None) };
        let Some(found) = Self::parse(&boot) else { return Ok(None) };
        let info = if found.width == Width::ThirtyTwo { le_u16(&boot, 0x30).unwrap_or(0) } else { 0 };
        if info != 0 {
            let sector = u64::from(le_u16(&boot, 0x0b).unwrap_or(0));
            let Some(info) = piece(volume, sector.saturating_mul(u64::from(info)), 512)? else { return Ok(None) };
            let is = |at, known: &[&[u8]]| slice(&info, at, 4).is_some_and(|found| known.contains(&found));
            if !is(0, &[b"RRaA", b"RRdA", &[0; 4]]) || !is(484, &[b"rrAa", &[0; 4]]) {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    fn parse(boot: &[u8]) -> Option<Self> {
        let word = |at| le_u16(boot, at).map(u64::from);
        let sector = word(0x0b)?;
        let per_cluster = u64::from(*boot.get(0x0d)?);
        let (reserved, tables) = (word(0x0e)?, u64::from(*boot.get(0x10)?));
        let media = *boot.get(0x15)?;
        let sane = tables != 0 && reserved != 0 && (media >= 0xf8 || media == 0xf0);
        if !sane || !per_cluster.is_power_of_two() || !sector.is_power_of_two() || !(512..=4096).contains(&sector) {
            return None;
        }
        let or_long = |short: u64, at| if short == 0 { le_u32(boot, at).map(u64::from) } else { Some(short) };
        let sectors = or_long(word(0x13)?, 0x20)?;
        let is_32 = word(0x16)? == 0;
        let table = or_long(word(0x16)?, 0x24)?;
        let root_sectors = word(0x11)?.checked_mul(32)?.div_ceil(sector);
        let root_sector = reserved.checked_add(tables.checked_mul(table)?)?;
        let data_sector = root_sector.checked_add(root_sectors)?;
        let clusters = sectors.checked_sub(data_sector)?.checked_div(per_cluster)?;
        let most = if is_32 { MAX_FAT32 } else { MAX_FAT16 };
        if clusters > most || table == 0 {
            return None;
        }
        let width = match (is_32, clusters) {
            (true, _) => Width::ThirtyTwo,
            (false, ..=MAX_FAT12) => Width::Twelve,
            (false, _) => Width::Sixteen,
        };
        Some(Self {
            width,
            cluster_bytes: per_cluster.checked_mul(sector)?,
            table_at: reserved.checked_mul(sector)?,
            table_bytes: table.checked_mul(sector)?,
            root_at: root_sector.checked_mul(sector)?,
            root_bytes: if is_32 { 0 } else { word(0x11)?.checked_mul(32)? },
            root_cluster: if is_32 { le_u32(boot, 0x2c)? } else { 0 },
            data_at: data_sector.checked_mul(sector)?,
            clusters,
            serial: slice(boot, if is_32 { 0x43 } else { 0x27 }, 4)?.try_into().ok()?,
        })
    }

    /// First byte of a cluster, or `None` when there is no such cluster.
    pub(super) fn cluster_at(&self, cluster: u32) -> Option<u64> {
        let index = u64::from(cluster).checked_sub(2).filter(|index| *index < self.clusters)?;
        self.data_at.checked_add(index.checked_mul(self.cluster_bytes)?)
    }

    /// The serial number as `blkid` prints UUID: `ABCD-EF01`.
    pub(in super::super) fn serial(&self) -> String {
        let [a, b, c, d] = self.serial;
        format!("{d:02X}{c:02X}-{b:02X}{a:02X}")
    }

    /// The volume label of the root directory; the boot sector's own is not what `blkid` prints.
    pub(in super::super) fn label(&self, volume: &Bytes) -> Result<Option<String>> {
        if self.width != Width::ThirtyTwo {
            let length = usize::try_from(self.root_bytes).unwrap_or(0);
            return Ok(piece(volume, self.root_at, length)?.as_deref().and_then(search));
        }
        let mut cluster = self.root_cluster;
        for _ in 1..LABEL_CLUSTERS {
            let Some(at) = self.cluster_at(cluster) else { break };
            let length = usize::try_from(self.cluster_bytes).unwrap_or(0);
            let Some(entries) = piece(volume, at, length)? else { break };
            if let Some(found) = search(&entries) {
                return Ok(Some(found));
            }
            let at = self.table_at.saturating_add(u64::from(cluster).saturating_mul(4));
            let Some(next) = piece(volume, at, 4)? else { break };
            cluster = le_u32(&next, 0).unwrap_or(0) & 0x0fff_ffff;
        }
        Ok(None)
    }
}

/// The label of a directory's bytes, as libblkid's `search_fat_label` finds it.
fn search(entries: &[u8]) -> Option<String> {
    const VOLUME_ID: u8 = 0x08;
    const DIRECTORY: u8 = 0x10;
    const LONG_NAME: u8 = 0x0f;
    for entry in entries.chunks_exact(32).take_while(|entry| entry.first() != Some(&0)) {
        let attributes = entry.get(11).copied().unwrap_or(0);
        let has_cluster = le_u16(entry, 20) != Some(0) || le_u16(entry, 26) != Some(0);
        if entry.first() == Some(&0xe5) || has_cluster || attributes & 0x3f == LONG_NAME {
            continue;
        }
        if attributes & (VOLUME_ID | DIRECTORY) == VOLUME_ID {
            let mut name = slice(entry, 0, 11)?.to_vec();
            if let Some(first) = name.first_mut().filter(|first| **first == 5) {
                *first = 0xe5;
            }
            return label(&name, 0, 11);
        }
    }
    None
}

fn has_magic(boot: &[u8]) -> bool {
    let has =
        |at: usize, known: &[&[u8]]| boot.get(at..).is_some_and(|rest| known.iter().any(|name| rest.starts_with(name)));
    if has(0x52, &[b"MSWIN", b"FAT32   "]) || has(0x36, &[b"MSDOS", b"FAT16   ", b"FAT12   ", b"FAT     "]) {
        return true;
    }
    // JFS and HPFS begin with a sector that resembles FAT's.
    le_u16(boot, 510) == Some(0xaa55) && !has(0x36, &[b"JFS     ", b"HPFS    "])
}
