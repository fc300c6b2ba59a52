//! The master boot record: the four entries of sector 0, as protective MBR of a GPT or as a table of its own.

use super::{Scan, Table, flaw};
use crate::bytes::{Bytes, le_u16, le_u32, slice};
use crate::error::{Error, Result};
use crate::fact::Flaw;
use crate::limits::Limits;

pub(super) const TABLE: Table = Table { name: "dos", probe, read };

/// Type of the entry that covers a GPT (UEFI 2.10 §5.2.3).
const PROTECTIVE: u8 = 0xee;

/// One entry, as stored.
#[derive(Debug)]
struct Entry {
    boot_flag: u8,
    start_chs: [u8; 3],
    kind: u8,
    start: u32,
    sectors: u32,
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
    // As `block/partitions/msdos.c`: a boot flag other than 0 and 0x80 is the boot code of a FAT file system.
    Ok(entries(disk)?.is_some_and(|entries| {
        entries.iter().all(|entry| matches!(entry.boot_flag, 0 | 0x80))
            && entries.iter().any(|entry| entry.kind != 0 && entry.sectors != 0)
    }))
}

fn read(_disk: &Bytes, _limits: &Limits) -> Result<Scan> {
    Err(Error::unsupported("MBR partition table", "this version reads GPT")
        .help("nothing is said against it; its root tree can be checked as a directory"))
}

/// Judges sector 0 as `is_pmbr_valid` of Linux's `block/partitions/efi.c` does, and as strictly as oslo.utils'
/// `format_inspector`, which Glance and Nova ask.
pub(super) fn protection(disk: &Bytes) -> Result<Protection> {
    let Some(entries) = entries(disk)? else { return Ok(Protection::Absent) };
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

fn entries(disk: &Bytes) -> Result<Option<Vec<Entry>>> {
    let mut sector = [0; 512];
    if disk.size() < 512 {
        return Ok(None);
    }
    disk.read_at(0, &mut sector)?;
    if le_u16(&sector, 510) != Some(0xaa55) {
        return Ok(None);
    }
    Ok((0..4).map(|slot| entry(&sector, slot)).collect())
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
mod tests {
    use super::*;
    use std::sync::Arc;

    fn disk(rows: &[[u8; 16]]) -> Bytes {
        let mut sector = vec![0; 1024];
        for (slot, row) in sector[446..510].chunks_mut(16).zip(rows) {
            slot.copy_from_slice(row);
        }
        sector[510..512].copy_from_slice(&[0x55, 0xaa]);
        Arc::new(sector)
    }

    const EE: [u8; 16] = [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    const LINUX: [u8; 16] = [0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0];

    #[test]
    fn protective_entries_are_judged() {
        let none = [0; 16];
        let mut odd_chs = EE;
        odd_chs[2] = 1;
        let mut late = EE;
        late[8] = 2;
        for (rows, flaws) in [
            (vec![EE], Some(vec![])),
            (vec![EE, LINUX], Some(vec!["gpt-hybrid-mbr"])),
            (vec![LINUX, EE], Some(vec!["gpt-hybrid-mbr", "gpt-protective-mbr-unusual"])),
            (vec![none, EE], Some(vec!["gpt-protective-mbr-unusual"])),
            (vec![odd_chs], Some(vec!["gpt-protective-mbr-unusual"])),
            (vec![late], None),
            (vec![LINUX], None),
            (vec![], None),
        ] {
            let found = match protection(&disk(&rows)).unwrap() {
                Protection::Present(flaws) => Some(flaws.iter().map(|flaw| flaw.id.clone()).collect::<Vec<_>>()),
                Protection::Absent => None,
            };
            assert_eq!(found, flaws.map(|ids| ids.into_iter().map(String::from).collect()), "{rows:?}");
        }
    }

    #[test]
    fn a_plain_table_is_named_and_a_boot_sector_is_not() {
        let mut fat_code = LINUX;
        fat_code[0] = 0x33;
        for (rows, plain) in [(vec![LINUX], true), (vec![[0; 16]], false), (vec![fat_code, LINUX], false)] {
            assert_eq!(probe(&disk(&rows)).unwrap(), plain, "{rows:?}");
        }
        let tiny: Bytes = Arc::new(vec![0; 100]);
        assert!(!probe(&tiny).unwrap());
    }
}
