//! Sector 0 → the loader that BIOS starts from the disk: GRUB's boot.img and the core that it loads, or boot code
//! that goes on to the active partition.

mod chain;
mod grub;
mod syslinux;

use crate::bytes::{Bytes, le_u16};
use crate::disk::volume::{Partition, Scan};
use crate::error::Result;
use crate::fact::{Fact, Gap};
use crate::guest::bootloader::grub_core::Core;

/// Bytes that BIOS calls a sector.
const SECTOR: u64 = 512;
/// The same, of a buffer.
const SECTOR_LENGTH: usize = 512;
/// Bytes of sector 0 before the disk signature and the partition entries.
const CODE: usize = 440;

/// A loader that BIOS starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// GRUB, with the core that it loads.
    Grub(Core),
    /// Syslinux, SYSLINUX or EXTLINUX, in the volume of this number.
    Syslinux(u32),
}

/// The loader that BIOS starts from `disk`, if there is one. What is unknown code, or reaches somewhere else, is unknown.
pub fn code_of(disk: &Bytes, scan: &Scan) -> Fact<Option<Code>> {
    look(disk, scan).unwrap_or_else(|error| Fact::Unknown(Gap::from(error)))
}

/// The loader, where it is there.
fn by(is_there: Fact<bool>, code: Code) -> Fact<Option<Code>> {
    match is_there {
        Fact::Known(is_there) => Fact::Known(is_there.then_some(code)),
        Fact::Unknown(gap) => Fact::Unknown(gap),
    }
}

fn look(disk: &Bytes, scan: &Scan) -> Result<Fact<Option<Code>>> {
    if disk.size() < SECTOR {
        return Ok(Fact::Known(None));
    }
    let boot = sector(disk, 0)?;
    // SeaBIOS starts no disk without this signature (`src/boot.c`, boot_disk).
    if is_blank(code(&boot)) || !is_signed(&boot) {
        return Ok(Fact::Known(None));
    }
    if let Some(start) = grub::kernel_sector(&boot) {
        return grub::loader(disk, scan, start);
    }
    if let Some(volume) = whole(scan)
        && let Some(loader) = syslinux::Loader::find(&boot)
    {
        let is_there = loader.starts(disk, volume, syslinux::hidden_sectors(&boot))?;
        return Ok(by(is_there, Code::Syslinux(volume.number)));
    }
    match chain::active(&boot) {
        Some(active) => chain::starts(disk, scan, &active),
        None => Ok(Fact::unknown("sector 0 holds boot code of an unknown loader: what it starts is not known")),
    }
}

/// The volume that is the disk itself.
fn whole(scan: &Scan) -> Option<&Partition> {
    scan.partitions.iter().find(|partition| partition.number == 0)
}

fn code(sector: &[u8; SECTOR_LENGTH]) -> &[u8] {
    sector.get(..CODE).unwrap_or_default()
}

fn is_signed(sector: &[u8; SECTOR_LENGTH]) -> bool {
    le_u16(sector, 510) == Some(0xaa55)
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|part| part == text)
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
    use super::grub::{BIOS_BOOT, BLOCK_LIST, CORE_MESSAGES, JUMP, KERNEL_SECTOR, MESSAGES};
    use super::*;
    use std::sync::Arc;

    fn starts(disk: &Bytes, scan: &Scan) -> Fact<bool> {
        match code_of(disk, scan) {
            Fact::Known(code) => Fact::Known(code.is_some()),
            Fact::Unknown(gap) => Fact::Unknown(gap),
        }
    }

    use crate::guest::bootloader::grub_core::tests::{core_img, objects};

    /// A disk of 64 sectors with GRUB in sector 0 and its core from sector 8 on, in a partition of sectors 8 to 15.
    fn disk() -> Vec<u8> {
        let mut disk = vec![0; 64 * 512];
        disk[..3].copy_from_slice(JUMP);
        disk[0x180..][..MESSAGES.len()].copy_from_slice(MESSAGES);
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk[KERNEL_SECTOR] = 8;
        disk[8 * 512..8 * 512 + 4].copy_from_slice(&[0x52, 0x56, 0xbe, 0x1b]);
        disk[8 * 512 + 0x180..][..CORE_MESSAGES.len()].copy_from_slice(CORE_MESSAGES);
        disk[8 * 512 + BLOCK_LIST] = 9;
        disk[8 * 512 + BLOCK_LIST + 8] = 7;
        let core = core_img(&objects(&["biosdisk"], "/boot/grub", "", false));
        disk[9 * 512..][..core.len()].copy_from_slice(&core);
        disk
    }

    fn volume(number: u32, sectors: std::ops::Range<u64>, kind: &str) -> Partition {
        let start = sectors.start << 9;
        let size = sectors.end.saturating_sub(sectors.start) << 9;
        Partition { number, start, size, kind: kind.to_owned(), uuid: None, label: None }
    }

    fn scan(scheme: Option<&'static str>, partitions: Vec<Partition>) -> Scan {
        Scan { scheme, partitions, ..Scan::default() }
    }

    fn on(disk: Vec<u8>, scan: &Scan) -> Option<bool> {
        let bytes: Bytes = Arc::new(disk);
        starts(&bytes, scan).known().copied()
    }

    fn starts_with(disk: Vec<u8>, kind: &str) -> Fact<bool> {
        let bytes: Bytes = Arc::new(disk);
        starts(&bytes, &scan(Some("gpt"), vec![volume(14, 8..16, kind)]))
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
            ("a rest that is no core", core + 512, vec![0xeb], None),
            ("a core that unpacks to nothing", core + 512 + 0x0a00, vec![0xff; 64], None),
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
        for at in 0..4 {
            let bytes: Bytes = Arc::new(crate::bytes::Faulty::new(Arc::new(disk()), at));
            let found = starts(&bytes, &scan(Some("gpt"), vec![volume(1, 8..16, BIOS_BOOT)]));
            assert!(found.known().is_none(), "read {at}: {found:?}");
        }
    }
    #[test]
    fn the_core_stands_in_the_gap_or_in_a_file() {
        for (what, scheme, first, expected) in [
            ("the gap", Some("dos"), 16..64, Some(true)),
            ("half of the gap", Some("dos"), 12..64, None),
            ("a file", Some("dos"), 4..64, Some(true)),
            ("a file that goes on elsewhere", Some("dos"), 4..12, None),
            ("a file of the disk", None, 0..64, Some(true)),
            ("no BIOS boot partition", Some("gpt"), 16..64, None),
        ] {
            let number = u32::from(scheme.is_some());
            assert_eq!(on(disk(), &scan(scheme, vec![volume(number, first, "0x83")])), expected, "{what}");
        }
        let mut scattered = disk();
        // A second block list, of sectors 20 and 21.
        scattered[8 * 512 + BLOCK_LIST - 12] = 20;
        scattered[8 * 512 + BLOCK_LIST - 4] = 2;
        for (first, expected) in [(4..64, Some(true)), (4..21, None), (16..64, None)] {
            assert_eq!(on(scattered.clone(), &scan(Some("dos"), vec![volume(1, first, "0x83")])), expected);
        }
    }

    /// The boot sector of EXTLINUX for a ldlinux.sys in sector `at`, and what that sector must hold at 0x1c.
    fn extlinux(at: u8) -> (Vec<u8>, [u8; 4]) {
        let mut boot = vec![0; 512];
        let load = [0x66, 0xb8, at, 0, 0, 0, 0x66, 0xba, 0, 0, 0, 0, 0xbb, 0x00, 0x80];
        boot[0x118..0x118 + 15].copy_from_slice(&load);
        boot[0x12a..0x12a + 9].copy_from_slice(&[0x66, 0x81, 0x3e, 0x1c, 0x80, 0x71, 0x0f, 0x74, 0x5e]);
        boot[510..].copy_from_slice(&[0x55, 0xaa]);
        (boot, [0x71, 0x0f, 0x74, 0x5e])
    }

    #[test]
    fn boot_code_that_goes_on_to_the_active_partition() {
        let (boot, word) = extlinux(10);
        let mut disk = vec![0; 64 * 512];
        disk[0x100..0x11b].copy_from_slice(b"Missing operating system.\r\n");
        disk[0x120..0x13d].copy_from_slice(b"Multiple active partitions.\r\n");
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk[446] = 0x80;
        disk[8 * 512..9 * 512].copy_from_slice(&boot);
        disk[18 * 512 + 0x1c..][..4].copy_from_slice(&word);
        let dos = |first| scan(Some("dos"), vec![volume(1, first, "0x83"), volume(5, 60..61, "0x83")]);
        let bytes: Bytes = Arc::new(disk.clone());
        assert_eq!(code_of(&bytes, &dos(8..60)), Fact::Known(Some(Code::Syslinux(1))));
        for (what, at, bytes, expected) in [
            ("nothing", 0, vec![], Some(true)),
            ("none active", 446, vec![0], None),
            ("two active", 462, vec![0x80], Some(false)),
            ("another active", 446, [&[0; 16][..], &[0x80]].concat(), Some(false)),
            ("no boot code in it", 8 * 512, vec![0; 510], Some(false)),
            ("no signature in it", 9 * 512 - 2, vec![0], Some(false)),
            ("another loader in it", 8 * 512 + 0x118, vec![0x90; 40], None),
            ("no check of what is loaded", 8 * 512 + 0x12a, vec![0; 9], None),
            ("no ldlinux.sys", 18 * 512, vec![0; 512], Some(false)),
            ("a ldlinux.sys past the end", 8 * 512 + 0x11a, vec![60], Some(false)),
            ("a ldlinux.sys far past the end", 8 * 512 + 0x120, vec![0xff; 4], Some(false)),
            ("GRUB without a core in it", 8 * 512, boot_img(40), Some(false)),
        ] {
            let mut disk = disk.clone();
            disk[at..][..bytes.len()].copy_from_slice(&bytes);
            assert_eq!(on(disk, &dos(8..60)), expected, "{what}");
        }
        assert_eq!(on(disk.clone(), &dos(8..12)), Some(false), "ldlinux.sys is not in the partition");
        assert_eq!(on(disk.clone(), &scan(Some("gpt"), vec![volume(1, 8..60, BIOS_BOOT)])), None);
        let whole = scan(None, vec![volume(0, 0..64, "")]);
        for (hidden, expected) in [(8, Some(true)), (0, Some(false))] {
            disk[..512].copy_from_slice(&boot);
            disk[0x1c] = hidden;
            assert_eq!(on(disk.clone(), &whole), expected, "{hidden} hidden sectors");
        }
    }

    /// GRUB's boot.img for a core in this sector.
    fn boot_img(core: u8) -> Vec<u8> {
        let mut boot = disk()[..512].to_vec();
        boot[KERNEL_SECTOR] = core;
        boot
    }
}
