//! The master boot record: the four entries of sector 0, as protective MBR of a GPT or as a table of its own. It is
//! read as Linux's `block/partitions/msdos.c` reads it.

mod logical;

use super::{Extent, Partition, Scan, Table, flaw, overlaps};
use crate::bytes::{Bytes, le_u16, le_u32, slice};
use crate::error::{Error, Result};
use crate::fact::{Flaw, Listing};
use crate::limits::Limits;

pub(super) const TABLE: Table = Table { name: "dos", probe, read };

/// Type of the entry that covers a GPT (UEFI 2.10 §5.2.3).
const PROTECTIVE: u8 = 0xee;
/// Types of partitions that hold logical ones: DOS, Windows 98, Linux.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// Bytes that the table counts in: Nova's disks have sectors of 512.
const SECTOR: u64 = 512;
/// Bytes of an extended partition that Linux shows of it, for LILO.
const EXTENDED_SIZE: u64 = 1024;

/// One entry, as stored.
#[derive(Debug)]
struct Entry {
    boot_flag: u8,
    start_chs: [u8; 3],
    kind: u8,
    start: u32,
    sectors: u32,
}

impl Entry {
    /// Linux looks at the length alone, whatever the type is.
    fn is_used(&self) -> bool {
        self.sectors != 0
    }

    fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.kind)
    }
}

/// A partition and the sectors that it takes, on the disk or not.
#[derive(Debug)]
struct Slot {
    number: u32,
    kind: u8,
    start: u64,
    sectors: u64,
}

impl Slot {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.sectors)
    }

    fn extent(&self) -> Extent {
        Extent { start: bytes(self.start), end: bytes(self.end()), name: format!("partition {}", self.number) }
    }
}

/// What sector 0 says of a GPT.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// Linux and firmware take the disk for a GPT one.
    Present(Vec<Flaw>),
    /// They do not look at a GPT.
    Absent,
}

fn probe(disk: &Bytes) -> Result<bool> {
    // As `msdos_partition`: a boot flag other than 0 and 0x80 is the boot code of a file system.
    Ok(entries(disk, 0)?.is_some_and(|entries| {
        entries.iter().all(|entry| matches!(entry.boot_flag, 0 | 0x80)) && entries.iter().any(Entry::is_used)
    }))
}

fn read(disk: &Bytes, limits: &Limits) -> Result<Scan> {
    let entries = entries(disk, 0)?.unwrap_or_default();
    let signature = signature(disk)?;
    let mut flaws = judge(&entries, signature);
    let slot = |(number, entry): (u32, &Entry)| Slot {
        number,
        kind: entry.kind,
        start: entry.start.into(),
        sectors: entry.sectors.into(),
    };
    let mut slots: Vec<Slot> = (1..).zip(&entries).filter(|(_, entry)| entry.is_used()).map(slot).collect();
    let mut extents: Vec<Extent> = slots.iter().map(Slot::extent).collect();
    extents.push(table_extent(0));
    overlaps("mbr-partitions-overlap", extents, &mut flaws);
    let mut logical = Vec::new();
    for container in slots.iter().filter(|slot| EXTENDED.contains(&slot.kind)) {
        logical::read(disk, container, &mut logical, limits, &mut flaws)?;
    }
    slots.extend(logical);
    if slots.len() > usize::try_from(limits.partitions).unwrap_or(usize::MAX) {
        return Err(too_many(limits));
    }
    let partitions: Vec<Partition> = slots.iter().filter_map(|slot| place(slot, disk, signature, &mut flaws)).collect();
    let used_end = slots.iter().map(|slot| bytes(slot.end())).filter(|end| *end <= disk.size()).max();
    Ok(Scan {
        scheme: Some(TABLE.name),
        sector_size: SECTOR,
        id: (signature != 0).then(|| format!("{signature:08x}")),
        flaws: Listing::from(flaws),
        used_end: used_end.unwrap_or(SECTOR),
        partitions,
    })
}

/// What is wrong with the four entries, where the partitions lie aside.
fn judge(entries: &[Entry], signature: u32) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if entries.iter().any(|entry| entry.kind == PROTECTIVE) {
        let found = "an entry of type 0xEE that does not begin in sector 1: Linux looks neither for a GPT nor for any partition then";
        flaws.push(flaw("mbr-protective-entry", found, true));
    }
    if entries.iter().all(|entry| entry.kind == 0) {
        let found = "no entry has a type; OpenStack's format_inspector refuses an MBR without partitions";
        flaws.push(flaw("mbr-no-type", found, false));
    }
    if signature == 0 {
        flaws.push(flaw("mbr-no-signature", "the disk signature is 0: its partitions have no PARTUUID", false));
    }
    let numbers = |is: fn(&Entry) -> bool| -> Vec<String> {
        (1..).zip(entries).filter(|(_, entry)| is(entry)).map(|(number, _): (u32, _)| number.to_string()).collect()
    };
    let active = numbers(|entry| entry.boot_flag == 0x80);
    if active.len() > 1 {
        let found = format!("partitions {} are active, boot code expects one", active.join(" and "));
        flaws.push(flaw("mbr-active-twice", found, false));
    }
    let extended = numbers(|entry| entry.is_used() && entry.is_extended());
    if extended.len() > 1 {
        let found = format!("partitions {} are extended, most tools read only the first", extended.join(" and "));
        flaws.push(flaw("mbr-extended-twice", found, false));
    }
    flaws
}

/// The partition as Linux shows it, when it lies on the disk.
fn place(slot: &Slot, disk: &Bytes, signature: u32, flaws: &mut Vec<Flaw>) -> Option<Partition> {
    let (start, end) = (bytes(slot.start), bytes(slot.end()));
    if end > disk.size() {
        let found = format!(
            "partition {} takes sectors {} to {}, the last of the disk is {}",
            slot.number,
            slot.start,
            slot.end().saturating_sub(1),
            (disk.size() / SECTOR).saturating_sub(1)
        );
        flaws.push(flaw("mbr-partition-past-end", found, true));
        return None;
    }
    let size = end.saturating_sub(start);
    let is_extended = EXTENDED.contains(&slot.kind);
    Some(Partition {
        number: slot.number,
        start,
        size: if is_extended { size.min(EXTENDED_SIZE) } else { size },
        kind: format!("{:#04x}", slot.kind),
        // libblkid gives none where the disk has no signature.
        uuid: (signature != 0).then(|| format!("{signature:08x}-{:02x}", slot.number)),
        label: None,
    })
}

fn bytes(sectors: u64) -> u64 {
    sectors.saturating_mul(SECTOR)
}

/// The sector in which a table stands.
fn table_extent(sector: u64) -> Extent {
    let start = bytes(sector);
    Extent { start, end: start.saturating_add(SECTOR), name: format!("the table in sector {sector}") }
}

fn too_many(limits: &Limits) -> Error {
    Error::too_large("MBR", format!("more than the limit of {} partitions", limits.partitions))
}

/// Judges sector 0 as `is_pmbr_valid` of Linux's `block/partitions/efi.c` does, and as strictly as oslo.utils'
/// `format_inspector`, which Glance and Nova ask.
pub(super) fn protection(disk: &Bytes) -> Result<Protection> {
    let Some(entries) = entries(disk, 0)? else { return Ok(Protection::Absent) };
    let Some(slot) = entries.iter().position(|entry| entry.kind == PROTECTIVE && entry.start == 1) else {
        return Ok(Protection::Absent);
    };
    let mut flaws = Vec::new();
    let others: Vec<String> = (1..)
        .zip(&entries)
        .filter(|(_, entry)| entry.kind != 0 && entry.kind != PROTECTIVE)
        .map(|(number, entry)| format!("{number} (type {:#04x})", entry.kind))
        .collect();
    if !others.is_empty() {
        let found = format!(
            "the protective MBR has entries of its own: {}; OpenStack's format_inspector refuses a hybrid MBR",
            others.join(", ")
        );
        flaws.push(flaw("gpt-hybrid-mbr", found, false));
    }
    let odd = entries.iter().any(|entry| !matches!(entry.boot_flag, 0 | 0x80));
    let chs = entries.get(slot).map(|entry| entry.start_chs);
    if slot != 0 || odd || chs != Some([0, 2, 0]) {
        let found = "the 0xEE entry is not alone in slot 1 with start CHS 0/2/0 and boot flags 00 or 80; OpenStack's format_inspector refuses it";
        flaws.push(flaw("gpt-protective-mbr-unusual", found, false));
    }
    Ok(Protection::Present(flaws))
}

/// Whether a disk without a partition table has a sector 0 that oslo.utils' `format_inspector` takes for a bad MBR,
/// and why.
pub(super) fn unreadable(disk: &Bytes) -> Result<Option<Flaw>> {
    let Some(entries) = entries(disk, 0)? else { return Ok(None) };
    let mut fat = [0; 6];
    disk.read_at(0x10, &mut fat)?;
    // `_check_for_fat`: two FATs, and the media byte of a hard disk.
    let [tables, .., media] = fat;
    if (tables, media) == (2, 0xf8) {
        return Ok(None);
    }
    let is_odd = entries.iter().any(|entry| !matches!(entry.boot_flag, 0 | 0x80));
    if !is_odd && entries.iter().any(|entry| entry.kind != 0) {
        return Ok(None);
    }
    let what = if is_odd { "an entry with an invalid boot flag" } else { "no partitions" };
    let found = format!(
        "sector 0 ends with 55AA as an MBR does and is none; OpenStack's format_inspector takes it for one with {what} and refuses the raw image"
    );
    Ok(Some(flaw("mbr-not-a-table", found, false)))
}

fn signature(disk: &Bytes) -> Result<u32> {
    let mut bytes = [0; 4];
    disk.read_at(0x1b8, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The four entries of the table in this sector; `None` where none is.
fn entries(disk: &Bytes, sector: u64) -> Result<Option<Vec<Entry>>> {
    let mut table = [0; 512];
    if bytes(sector.saturating_add(1)) > disk.size() {
        return Ok(None);
    }
    disk.read_at(bytes(sector), &mut table)?;
    if le_u16(&table, 510) != Some(0xaa55) {
        return Ok(None);
    }
    Ok((0..4).map(|slot| entry(&table, slot)).collect())
}

fn entry(sector: &[u8; 512], slot: usize) -> Option<Entry> {
    let bytes = slice(sector, 446_usize.checked_add(slot.checked_mul(16)?)?, 16)?;
    Some(Entry {
        boot_flag: *bytes.first()?,
        start_chs: slice(bytes, 1, 3)?.try_into().ok()?,
        kind: *bytes.get(4)?,
        start: le_u32(bytes, 8)?,
        sectors: le_u32(bytes, 12)?,
    })
}

#[cfg(test)]
mod tests;
