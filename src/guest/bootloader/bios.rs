//! Sector 0 → whether BIOS starts something from the disk: GRUB's boot.img, and the core that it loads.

use crate::bytes::{Bytes, le_u16, le_u64};
use crate::disk::volume::{Partition, Scan};
use crate::error::Result;
use crate::fact::{Fact, Gap};

/// GPT type of the partition in which GRUB's core stands for BIOS.
const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";

/// Bytes that BIOS calls a sector.
const SECTOR: u64 = 512;
/// The same, of a buffer.
const SECTOR_LENGTH: usize = 512;
/// Bytes of sector 0 before the disk signature and the partition entries.
const CODE: usize = 440;

/// What GRUB's boot.img begins with: a jump over the BIOS parameter block (`grub-core/boot/i386/pc/boot.S`).
const JUMP: &[u8] = &[0xeb, 0x63, 0x90];
/// What it prints when it fails.
const MESSAGES: &[u8] = b"GRUB \0Geom\0Hard Disk\0Read\0 Error";
/// `GRUB_BOOT_MACHINE_KERNEL_SECTOR` (`include/grub/i386/pc/boot.h`): where the core begins, in sectors.
const KERNEL_SECTOR: usize = 0x5c;
/// The first block list of the core's first sector, diskboot.img: start and length, in sectors.
const BLOCK_LIST: usize = 0x1f4;

/// Whether BIOS starts a boot loader from `disk`. What is no GRUB, or reaches somewhere else, is unknown.
pub fn starts(disk: &Bytes, scan: &Scan) -> Fact<bool> {
    look(disk, scan).unwrap_or_else(|error| Fact::Unknown(Gap::from(error)))
}

fn look(disk: &Bytes, scan: &Scan) -> Result<Fact<bool>> {
    if disk.size() < SECTOR {
        return Ok(Fact::Known(false));
    }
    let boot = sector(disk, 0)?;
    let code = boot.get(..CODE).unwrap_or_default();
    // SeaBIOS starts no disk without this signature (`src/boot.c`, boot_disk).
    if is_blank(code) || le_u16(&boot, 510) != Some(0xaa55) {
        return Ok(Fact::Known(false));
    }
    let is_grub = code.starts_with(JUMP) && code.windows(MESSAGES.len()).any(|part| part == MESSAGES);
    let Some(start) = le_u64(code, KERNEL_SECTOR).filter(|_| is_grub) else {
        return Ok(Fact::unknown("sector 0 holds boot code of an unknown loader: what it starts is not known"));
    };
    core(disk, scan, start)
}

/// The core that boot.img loads: its first sector, and the rest that this one loads.
fn core(disk: &Bytes, scan: &Scan, start: u64) -> Result<Fact<bool>> {
    if range(start, 1).is_none_or(|(_, end)| end > disk.size()) {
        return Ok(Fact::Known(false));
    }
    let first = sector(disk, start)?;
    if is_blank(&first) {
        return Ok(Fact::Known(false));
    }
    let Some(home) = home(scan, start, 1) else {
        return Ok(elsewhere(start));
    };
    let (Some(rest), Some(length)) = (le_u64(&first, BLOCK_LIST), le_u16(&first, BLOCK_LIST.saturating_add(8))) else {
        return Ok(Fact::Known(false));
    };
    if length == 0 || home_of(home, rest, u64::from(length)).is_none() {
        return Ok(elsewhere(rest));
    }
    Ok(Fact::Known(!is_blank(&sector(disk, rest)?)))
}

fn elsewhere(sector: u64) -> Fact<bool> {
    Fact::unknown(format!(
        "GRUB's boot code for BIOS loads sector {sector}, which is not in a BIOS boot partition: what it starts is not known"
    ))
}

/// The BIOS boot partition that holds these sectors.
fn home(scan: &Scan, start: u64, length: u64) -> Option<&Partition> {
    let mut bios_boot = scan.partitions.iter().filter(|partition| partition.kind == BIOS_BOOT);
    bios_boot.find_map(|partition| home_of(partition, start, length))
}

fn home_of(partition: &Partition, start: u64, length: u64) -> Option<&Partition> {
    let (first, end) = range(start, length)?;
    (first >= partition.start && end <= partition.start.checked_add(partition.size)?).then_some(partition)
}

/// First byte, and one past the last.
fn range(start: u64, length: u64) -> Option<(u64, u64)> {
    Some((start.checked_mul(SECTOR)?, start.checked_add(length)?.checked_mul(SECTOR)?))
}

fn sector(disk: &Bytes, number: u64) -> Result<[u8; SECTOR_LENGTH]> {
    let mut bytes = [0; SECTOR_LENGTH];
    disk.read_at(number.saturating_mul(SECTOR), &mut bytes)?;
    Ok(bytes)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A disk of 64 sectors with GRUB in sector 0 and its core from sector 8 on, in a partition of sectors 8 to 15.
    fn disk() -> Vec<u8> {
        let mut disk = vec![0; 64 * 512];
        disk[..3].copy_from_slice(JUMP);
        disk[0x180..][..MESSAGES.len()].copy_from_slice(MESSAGES);
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk[KERNEL_SECTOR] = 8;
        disk[8 * 512..8 * 512 + 4].copy_from_slice(&[0x52, 0x56, 0xbe, 0x1b]);
        disk[8 * 512 + BLOCK_LIST] = 9;
        disk[8 * 512 + BLOCK_LIST + 8] = 7;
        disk[9 * 512..16 * 512].fill(0xea);
        disk
    }

    fn starts_with(disk: Vec<u8>, kind: &str) -> Fact<bool> {
        let partition =
            Partition { number: 14, start: 8 * 512, size: 8 * 512, kind: kind.to_owned(), uuid: None, label: None };
        let bytes: Bytes = Arc::new(disk);
        starts(&bytes, &Scan { partitions: vec![partition], ..Scan::default() })
    }

    #[test]
    fn bios_needs_code_and_the_core_that_it_loads() {
        let core = 8 * 512;
        for (what, from, bytes, expected) in [
            ("nothing", 0, vec![], Some(true)),
            ("no code", 0, vec![0; 440], Some(false)),
            ("no signature", 510, vec![0, 0], Some(false)),
            ("no first sector of the core", core, vec![0; 512], Some(false)),
            ("no core at all", core, vec![0; 8 * 512], Some(false)),
            ("nothing behind the first sector", core + 512, vec![0; 7 * 512], Some(false)),
            ("a core past the end", KERNEL_SECTOR, vec![64], Some(false)),
            ("a core far past the end", KERNEL_SECTOR, vec![0xff; 8], Some(false)),
            ("a core elsewhere", KERNEL_SECTOR, vec![9], None),
            ("a core where nothing is", KERNEL_SECTOR, vec![20], Some(false)),
            ("a rest past the partition", core + BLOCK_LIST + 8, vec![8], None),
            ("a rest that overflows", core + BLOCK_LIST, vec![0xff; 10], None),
            ("a rest of no sector", core + BLOCK_LIST + 8, vec![0, 0], None),
            ("another loader", 0, vec![0xfa], None),
            ("another loader's message", 0x180, vec![b'L'], None),
        ] {
            let mut disk = disk();
            disk[from..][..bytes.len()].copy_from_slice(&bytes);
            assert_eq!(starts_with(disk, BIOS_BOOT).known().copied(), expected, "{what}");
        }
        // The core may still be there, and the partition is no longer one for it.
        let linux = starts_with(disk(), "0fc63daf-8483-4772-8e79-3d69d8477de4");
        assert!(linux.known().is_none(), "{linux:?}");
        assert_eq!(starts_with(Vec::new(), BIOS_BOOT), Fact::Known(false));
    }

    #[test]
    fn a_disk_that_cannot_be_read_is_no_absence() {
        for at in 0..3 {
            let bytes: Bytes = Arc::new(crate::bytes::Faulty::new(Arc::new(disk()), at));
            let home =
                Partition { number: 1, start: 4096, size: 4096, kind: BIOS_BOOT.to_owned(), uuid: None, label: None };
            let found = starts(&bytes, &Scan { partitions: vec![home], ..Scan::default() });
            assert!(found.known().is_none(), "read {at}: {found:?}");
        }
    }
}
