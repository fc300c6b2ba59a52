//! Writes a GUID partition table: protective MBR, both copies, their checksums (UEFI 2.10 §5.2.3 and §5.3).

use super::guid::Guid;
use super::target::Target;
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// Bytes of a logical sector: what Nova's disks have.
pub(super) const SECTOR: u64 = 512;
/// Bytes behind the last partition: entries and a header.
const BACKUP: u64 = 33 * SECTOR;
/// Entries that a table has room for; Linux and every tool write as many.
const ENTRIES: u32 = 128;
/// Bytes of an entry: all that Linux reads (`block/partitions/efi.c`).
const ENTRY: usize = 128;
/// UTF-16 units of a partition's name.
const NAME: usize = 36;
/// Bytes of the header that the specification defines.
const HEADER: u32 = 92;
/// Sectors of all entries.
const ENTRY_SECTORS: u64 = 32;

/// A partition of the table.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    /// 1 to 128, in any order on the disk.
    pub(super) number: u32,
    /// Type.
    pub(super) kind: Guid,
    /// PARTUUID.
    pub(super) uuid: Guid,
    /// PARTLABEL, at most 36 UTF-16 units.
    pub(super) label: String,
    /// First byte, a multiple of 512.
    pub(super) start: u64,
    /// Bytes, a multiple of 512.
    pub(super) size: u64,
}

/// Writes the table of a disk of `size` bytes; the boot code in the first 440 bytes stays.
///
/// # Errors
/// `Corrupt` for two partitions of one number or one PARTUUID, that overlap, or of a name too long; `Io` as [`Target::write`] has it.
pub(super) fn write(disk: &Target, size: u64, id: Guid, partitions: &[Partition]) -> Result<()> {
    let last = sectors(size).checked_sub(1).filter(|last| *last > 2 + 2 * ENTRY_SECTORS);
    let last = last.ok_or_else(|| corrupt(format!("a disk of {size} bytes has no room for the table")))?;
    check(partitions, size)?;
    let entries = entries(partitions)?;
    let entries_sum = crc32fast::hash(&entries);
    let backup_at = last.saturating_sub(ENTRY_SECTORS);
    let copy = |at, other, entries_at| header(at, other, entries_at, last, id, entries_sum);
    disk.write(offset(1), &copy(1, last, 2))?;
    disk.write(offset(2), &entries)?;
    disk.write(offset(backup_at), &entries)?;
    disk.write(offset(last), &copy(last, 1, backup_at))?;
    // 0x1b8 to 0x1bd: a disk signature that no one reads beside a GPT.
    disk.write(440, &protective(last))
}

fn corrupt(cause: String) -> Error {
    Error::corrupt("partition table to write", cause)
}

fn sectors(bytes: u64) -> u64 {
    bytes.checked_div(SECTOR).unwrap_or(0)
}

fn offset(sector: u64) -> u64 {
    sector.saturating_mul(SECTOR)
}

fn check(partitions: &[Partition], size: u64) -> Result<()> {
    let (mut numbers, mut uuids) = (BTreeSet::new(), BTreeSet::new());
    let mut order: Vec<&Partition> = partitions.iter().collect();
    order.sort_by_key(|partition| partition.start);
    let mut free = offset(2 + ENTRY_SECTORS);
    for Partition { number, uuid, start, size: length, .. } in order {
        if !(1..=ENTRIES).contains(number) || !numbers.insert(number) {
            return Err(corrupt(format!("a number twice, or not between 1 and {ENTRIES}: {number}")));
        }
        if !uuids.insert(*uuid) {
            return Err(corrupt(format!("the PARTUUID of partition {number} twice")));
        }
        let end = start.saturating_add(*length);
        let is_whole = start.is_multiple_of(SECTOR) && length.is_multiple_of(SECTOR) && *length > 0;
        if !is_whole || *start < free || end > size.saturating_sub(BACKUP) {
            return Err(corrupt(format!("partition {number} at bytes {start} to {end} of {size}")));
        }
        free = end;
    }
    Ok(())
}

fn entries(partitions: &[Partition]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for number in 1..=ENTRIES {
        let row = match partitions.iter().find(|partition| partition.number == number) {
            Some(partition) => entry(partition)?,
            None => vec![0; ENTRY],
        };
        bytes.extend(row);
    }
    Ok(bytes)
}

fn entry(partition: &Partition) -> Result<Vec<u8>> {
    let mut name: Vec<u16> = partition.label.encode_utf16().collect();
    if name.len() > NAME || name.contains(&0) {
        return Err(corrupt(format!("the name {:?} has more than {NAME} UTF-16 units, or a NUL", partition.label)));
    }
    name.resize(NAME, 0);
    let last = sectors(partition.start.saturating_add(partition.size)).saturating_sub(1);
    let mut row = [partition.kind.bytes(), partition.uuid.bytes()].concat();
    // No attributes: the firmware needs none, and bit 2 would have an old BIOS look for its own table.
    for number in [sectors(partition.start), last, 0] {
        row.extend(number.to_le_bytes());
    }
    row.extend(name.into_iter().flat_map(u16::to_le_bytes));
    Ok(row)
}

fn header(at: u64, other: u64, entries_at: u64, last: u64, id: Guid, entries_sum: u32) -> Vec<u8> {
    let (first_usable, last_usable) = (2 + ENTRY_SECTORS, last.saturating_sub(ENTRY_SECTORS + 1));
    let fields = |sum: u32| {
        let mut bytes = b"EFI PART\0\0\x01\0".to_vec();
        bytes.extend([HEADER, sum, 0].into_iter().flat_map(u32::to_le_bytes));
        bytes.extend([at, other, first_usable, last_usable].into_iter().flat_map(u64::to_le_bytes));
        bytes.extend(id.bytes());
        bytes.extend(entries_at.to_le_bytes());
        bytes.extend([ENTRIES, 128, entries_sum].into_iter().flat_map(u32::to_le_bytes));
        bytes
    };
    let sum = crc32fast::hash(&fields(0));
    let mut sector = fields(sum);
    sector.resize(512, 0);
    sector
}

/// Bytes 440 to 511 of the first sector: one partition of type 0xEE over the whole disk.
fn protective(last: u64) -> Vec<u8> {
    let mut bytes = vec![0; 6];
    // Not active, from cylinder 0 head 0 sector 2, of a size in cylinders that says nothing.
    bytes.extend([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(u32::try_from(last).unwrap_or(u32::MAX).to_le_bytes());
    bytes.resize(70, 0);
    bytes.extend([0x55, 0xaa]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MIB;

    fn guid(last: u8) -> Guid {
        Guid::parse(&format!("4a1f7c1e-6d0e-4b5b-9f0c-0000000000{last:02x}")).unwrap()
    }

    fn partition(number: u32, start: u64, size: u64) -> Partition {
        let uuid = guid(u8::try_from(number).unwrap_or(0xff));
        Partition { number, kind: guid(0), uuid, label: "root".into(), start, size }
    }

    #[test]
    fn wrong_tables_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Target::create(&folder.path().join("disk")).unwrap();
        let twin = Partition { uuid: guid(1), ..partition(2, 2 * MIB, MIB) };
        let long = Partition { label: "x".repeat(37), ..partition(1, MIB, MIB) };
        for (partitions, said) in [
            (vec![partition(1, MIB, MIB), partition(1, 2 * MIB, MIB)], "a number twice"),
            (vec![partition(0, MIB, MIB)], "a number"),
            (vec![partition(129, MIB, MIB)], "a number"),
            (vec![partition(1, MIB, MIB), twin], "PARTUUID of partition 2 twice"),
            (vec![partition(1, MIB, 2 * MIB), partition(2, 2 * MIB, MIB)], "partition 2 at bytes"),
            (vec![partition(1, 512, MIB)], "partition 1 at bytes"),
            (vec![partition(1, MIB, 15 * MIB)], "partition 1 at bytes"),
            (vec![partition(1, MIB, 0)], "partition 1 at bytes"),
            (vec![partition(1, MIB + 1, MIB)], "partition 1 at bytes"),
            (vec![partition(1, u64::MAX - 511, MIB)], "partition 1 at bytes"),
            (vec![long], "36 UTF-16 units"),
        ] {
            let error = write(&disk, 16 * MIB, guid(9), &partitions).unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
        assert!(write(&disk, 4096, guid(9), &[]).is_err());
    }
}
