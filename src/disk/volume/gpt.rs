//! GUID partition tables: both copies, both checksums, 512- and 4096-byte sectors (UEFI 2.10 §5.3).

use super::mbr::{self, Protection, protection};
use super::{Extent, Partition, Scan, Table, flaw, overlaps};
use crate::bytes::{Bytes, le_u16, le_u32, le_u64, slice};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::{Flaw, Listing};
use crate::limits::Limits;
use std::fmt::Write as _;

pub(super) const TABLE: Table = Table { name: "gpt", probe, read };

/// Bytes of a logical sector: what Nova's disks have first, then disks copied from 4K-native drives.
const SECTOR_SIZES: [u64; 2] = [512, 4096];
const SIGNATURE: &[u8] = b"EFI PART";
/// Bytes of the header that the specification defines.
const HEADER: usize = 92;
/// Bytes of an entry: 128 × 2ⁿ (UEFI), bounded by a sector of a 4K-native drive.
const ENTRY_SIZES: std::ops::RangeInclusive<u32> = 128..=4096;

/// One copy of the table whose checksums hold.
#[derive(Debug)]
struct Copy {
    at: u64,
    other: u64,
    first_usable: u64,
    last_usable: u64,
    id: String,
    entries_at: u64,
    count: u32,
    entry_size: u32,
    entries: Vec<u8>,
}

fn probe(disk: &Bytes) -> Result<bool> {
    let mut found = false;
    for sector in SECTOR_SIZES {
        found |= is_header(disk, sector)?;
    }
    // A header beside an MBR table without 0xEE is what an earlier life of the disk left.
    Ok(matches!(protection(disk)?, Protection::Present(_)) || (found && !(mbr::TABLE.probe)(disk)?))
}

fn is_header(disk: &Bytes, at: u64) -> Result<bool> {
    let mut signature = [0; 8];
    if disk.size() < at.saturating_add(512) {
        return Ok(false);
    }
    disk.read_at(at, &mut signature)?;
    Ok(signature == SIGNATURE)
}

fn read(disk: &Bytes, limits: &Limits) -> Result<Scan> {
    let mut flaws: Listing<Flaw> = match protection(disk)? {
        Protection::Present(flaws) => flaws,
        Protection::Absent => {
            let found = "sector 0 has no protective entry (type 0xEE from sector 1): Linux and UEFI firmware do not look for a GPT then";
            vec![flaw("gpt-protective-mbr-missing", found, true)]
        }
    }
    .into();
    let (sector, primary, backup) = copies(disk, limits, &mut flaws)?;
    let ((Some(table), _) | (None, Some(table))) = (&primary, &backup) else {
        return Err(Error::corrupt("GPT", "neither copy can be read"));
    };
    if let (Some(primary), Some(backup)) = (&primary, &backup) {
        compare(primary, backup, &mut flaws.items);
    }
    if sector != 512 {
        let found =
            format!("the table counts in sectors of {sector} bytes; Nova's disks have 512, where it is not found");
        flaws.items.push(flaw("gpt-sector-size", found, true));
    }
    if table.entry_size != 128 {
        let found =
            format!("entries of {} bytes; Linux reads those of 128 only (block/partitions/efi.c)", table.entry_size);
        flaws.items.push(flaw("gpt-entry-size", found, true));
    }
    let partitions = partitions(table, disk.size(), sector, &mut flaws.items);
    let ends = partitions.iter().map(|partition| partition.start.saturating_add(partition.size));
    let tables = [&primary, &backup].into_iter().flatten().map(|copy| copy.end(sector));
    let used_end = ends.chain(tables).max().unwrap_or(0);
    Ok(Scan { scheme: Some(TABLE.name), sector_size: sector, id: Some(table.id.clone()), flaws, used_end, partitions })
}

/// The sector size, the primary copy and the backup copy, each `None` with a flaw when it cannot be read.
fn copies(disk: &Bytes, limits: &Limits, flaws: &mut Listing<Flaw>) -> Result<(u64, Option<Copy>, Option<Copy>)> {
    let mut failure = None;
    for sector in SECTOR_SIZES {
        match Copy::read(disk, sector, 1, limits) {
            Ok(primary) => {
                let backup = backup_of(&primary, disk, sector, limits, flaws);
                return Ok((sector, Some(primary), backup));
            }
            Err(error) if error.kind == ErrorKind::Io => return Err(error),
            Err(error) if is_header(disk, sector)? || failure.is_none() => failure = Some(error),
            Err(_) => {}
        }
    }
    let cause = failure.unwrap_or_else(|| Error::corrupt("primary GPT", "it is not there"));
    for sector in SECTOR_SIZES {
        let last = last_sector(disk.size(), sector);
        if let Ok(backup) = Copy::read(disk, sector, last, limits) {
            // Linux reads the backup only when its command line says `gpt` (block/partitions/efi.c, find_valid_gpt).
            let found =
                format!("{cause}; the backup copy is used here, but Linux does not without `gpt` on its command line");
            flaws.items.push(flaw("gpt-primary-bad", found, true));
            return Ok((sector, None, Some(backup)));
        }
    }
    Err(cause
        .why("the backup copy at the end of the disk cannot be read either")
        .help("restore the table with sgdisk, or build the image again"))
}

fn backup_of(primary: &Copy, disk: &Bytes, sector: u64, limits: &Limits, flaws: &mut Listing<Flaw>) -> Option<Copy> {
    let last = last_sector(disk.size(), sector);
    if primary.other > last || primary.last_usable > last {
        let found = format!(
            "the table expects its backup in sector {} and data up to sector {}, the disk ends with sector {last}: it was cut short",
            primary.other, primary.last_usable
        );
        flaws.items.push(flaw("gpt-disk-truncated", found, true));
        return None;
    }
    if primary.other < last {
        let found =
            format!("the backup table is in sector {}, the disk ends with sector {last}: it was grown", primary.other);
        flaws.items.push(flaw("gpt-backup-not-at-end", found, false));
    }
    match Copy::read(disk, sector, primary.other, limits) {
        Ok(backup) => Some(backup),
        Err(error) if error.kind == ErrorKind::Io => {
            flaws.gaps.push(error.into());
            None
        }
        Err(error) => {
            flaws.items.push(flaw("gpt-backup-bad", error.to_string(), true));
            None
        }
    }
}

fn last_sector(size: u64, sector: u64) -> u64 {
    size.checked_div(sector).unwrap_or(0).saturating_sub(1)
}

fn compare(primary: &Copy, backup: &Copy, flaws: &mut Vec<Flaw>) {
    let told = |copy: &Copy| (copy.id.clone(), copy.first_usable, copy.last_usable, copy.count, copy.entry_size);
    let mut differences = Vec::new();
    if told(primary) != told(backup) {
        differences.push("headers");
    }
    if primary.entries != backup.entries {
        differences.push("entries");
    }
    if backup.other != primary.at {
        differences.push("places of each other");
    }
    if !differences.is_empty() {
        let found = format!("the two copies have different {}", differences.join(" and "));
        flaws.push(flaw("gpt-copies-disagree", found, true));
    }
}

impl Copy {
    /// Reads the copy whose header is in sector `at`, and checks both checksums.
    fn read(disk: &Bytes, sector: u64, at: u64, limits: &Limits) -> Result<Self> {
        let what = if at == 1 { "primary GPT" } else { "backup GPT" };
        let offset = at.checked_mul(sector).ok_or_else(|| Error::corrupt(what, format!("sector {at}")))?;
        let corrupt = |cause: String| Error::corrupt(what, cause).offset(offset);
        let mut header = vec![0; usize::try_from(sector).unwrap_or(HEADER)];
        disk.read_at(offset, &mut header)?;
        if !header.starts_with(SIGNATURE) {
            return Err(corrupt("the signature `EFI PART` is not there".into()));
        }
        let size = le_u32(&header, 12).and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        let sum = le_u32(&header, 16).unwrap_or(0);
        header.get_mut(16..20).unwrap_or_default().fill(0);
        let summed = slice(&header, 0, size).filter(|bytes| bytes.len() >= HEADER);
        let summed = summed.ok_or_else(|| corrupt(format!("a header of {size} bytes")))?;
        let found = crc32fast::hash(summed);
        if found != sum {
            return Err(corrupt(format!("the header's checksum is {found:#010x}, it says {sum:#010x}")));
        }
        let copy = Self::parse(&header).ok_or_else(|| corrupt("the header is cut short".into()))?;
        if copy.at != at {
            return Err(corrupt(format!("the header says that it is in sector {}, not {at}", copy.at)));
        }
        if copy.first_usable > copy.last_usable {
            return Err(corrupt(format!("usable sectors from {} to {}", copy.first_usable, copy.last_usable)));
        }
        copy.with_entries(disk, sector, le_u32(&header, 88).unwrap_or(0), limits)
            .map_err(|error| Error { what: what.into(), ..error })
    }

    fn parse(header: &[u8]) -> Option<Self> {
        Some(Self {
            at: le_u64(header, 24)?,
            other: le_u64(header, 32)?,
            first_usable: le_u64(header, 40)?,
            last_usable: le_u64(header, 48)?,
            id: guid(slice(header, 56, 16)?),
            entries_at: le_u64(header, 72)?,
            count: le_u32(header, 80)?,
            entry_size: le_u32(header, 84)?,
            entries: Vec::new(),
        })
    }

    fn with_entries(mut self, disk: &Bytes, sector: u64, sum: u32, limits: &Limits) -> Result<Self> {
        if self.count > limits.partitions {
            let cause = format!("room for {} partitions, the limit is {}", self.count, limits.partitions);
            return Err(Error::too_large("GPT", cause));
        }
        if !ENTRY_SIZES.contains(&self.entry_size) || !self.entry_size.is_power_of_two() {
            return Err(Error::corrupt("GPT", format!("entries of {} bytes", self.entry_size)));
        }
        let length = self.count.saturating_mul(self.entry_size);
        let start = self.entries_at.checked_mul(sector).filter(|_| self.entries_at >= 2);
        let start = start.ok_or_else(|| Error::corrupt("GPT", format!("entries in sector {}", self.entries_at)))?;
        self.entries = vec![0; usize::try_from(length).unwrap_or(0)];
        disk.read_at(start, &mut self.entries)?;
        let found = crc32fast::hash(&self.entries);
        if found != sum {
            let cause = format!("the entries' checksum is {found:#010x}, the header says {sum:#010x}");
            return Err(Error::corrupt("GPT", cause).offset(start));
        }
        Ok(self)
    }

    /// One past the last byte of header and entries.
    fn end(&self, sector: u64) -> u64 {
        let entries = u64::from(self.count).saturating_mul(u64::from(self.entry_size));
        let entries = self.entries_at.saturating_mul(sector).saturating_add(entries);
        entries.max(self.at.saturating_add(1).saturating_mul(sector))
    }
}

/// The partitions that lie on the disk; what is wrong with these and others becomes a flaw.
fn partitions(table: &Copy, disk_size: u64, sector: u64, flaws: &mut Vec<Flaw>) -> Vec<Partition> {
    let mut found = Vec::new();
    let rows = table.entries.chunks_exact(usize::try_from(table.entry_size).unwrap_or(usize::MAX).max(1));
    for (number, row) in (1_u32..).zip(rows) {
        if slice(row, 0, 16).is_none_or(|kind| kind.iter().all(|byte| *byte == 0)) {
            continue;
        }
        let (first, last) = (le_u64(row, 32).unwrap_or(0), le_u64(row, 40).unwrap_or(0));
        let place = format!("partition {number} takes sectors {first} to {last}");
        if first > last {
            flaws.push(flaw("gpt-partition-reversed", place, true));
            continue;
        }
        let end = last.checked_add(1).and_then(|end| end.checked_mul(sector)).filter(|end| *end <= disk_size);
        let Some(end) = end else {
            let found = format!("{place}, the last of the disk is {}", last_sector(disk_size, sector));
            flaws.push(flaw("gpt-partition-past-end", found, true));
            continue;
        };
        if first < table.first_usable || last > table.last_usable {
            let found = format!("{place}, the table allows {} to {}", table.first_usable, table.last_usable);
            flaws.push(flaw("gpt-partition-outside", found, true));
        }
        let start = first.saturating_mul(sector);
        found.push(Partition {
            number,
            start,
            size: end.saturating_sub(start),
            kind: slice(row, 0, 16).map(guid).unwrap_or_default(),
            uuid: slice(row, 16, 16).map(guid),
            label: slice(row, 56, 72).map(label).filter(|label| !label.is_empty()),
        });
    }
    let extent = |partition: &Partition| Extent {
        start: partition.start,
        end: partition.start.saturating_add(partition.size),
        name: format!("partition {}", partition.number),
    };
    overlaps("gpt-partitions-overlap", found.iter().map(extent).collect(), flaws);
    twins(&found, flaws);
    found
}

fn twins(partitions: &[Partition], flaws: &mut Vec<Flaw>) {
    let mut order: Vec<&Partition> = partitions.iter().collect();
    order.sort_by(|a, b| a.uuid.cmp(&b.uuid));
    for pair in order.windows(2) {
        if let [a, b] = pair
            && a.uuid == b.uuid
        {
            let found = format!("partitions {} and {} have the same PARTUUID", a.number, b.number);
            flaws.push(flaw("gpt-partuuid-twice", found, false));
        }
    }
}

/// A GUID as `blkid` prints it: the first three fields are little-endian (UEFI 2.10, appendix A).
fn guid(bytes: &[u8]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::with_capacity(36);
    for (place, index) in ORDER.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String does not fail.
        let _ = write!(text, "{:02x}", bytes.get(index).copied().unwrap_or(0));
    }
    text
}

/// UTF-16LE up to the first NUL; a lone surrogate is written `\uNNNN`.
fn label(bytes: &[u8]) -> String {
    let units = (0..bytes.len()).step_by(2).map_while(|at| le_u16(bytes, at)).take_while(|unit| *unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.map_or_else(|lone| format!("\\u{:04x}", lone.unpaired_surrogate()), String::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_are_mixed_endian() {
        let bytes = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
        assert_eq!(guid(&bytes), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    }

    #[test]
    fn labels_are_utf16() {
        for (units, text) in [
            (&[0x62, 0x6f, 0x6f, 0x74, 0, 0x78][..], "boot"),
            (&[0xe9, 0xd83d, 0xde00], "\u{e9}\u{1f600}"),
            (&[0x61, 0xd83d, 0x62], "a\\ud83db"),
            (&[], ""),
        ] {
            let bytes: Vec<u8> = units.iter().flat_map(|unit: &u16| unit.to_le_bytes()).collect();
            assert_eq!(label(&bytes), text);
        }
    }
}
