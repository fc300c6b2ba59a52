//! Boot code that loads the first sector of the active partition.

use super::{Code, SECTOR, SECTOR_LENGTH, by, code, grub, has, is_blank, is_signed, sector, syslinux};
use crate::bytes::{Bytes, slice};
use crate::disk::volume::Scan;
use crate::error::Result;
use crate::fact::Fact;

/// Where the partition entries begin, and bytes of each.
const ENTRIES: usize = 446;
const ENTRY: usize = 16;

/// How a boot code that is known looks; each loads the first sector of the one active partition.
type Look = fn(&[u8]) -> bool;

const LOOKS: &[Look] = &[
    // Syslinux, mbr/mbr.S.
    |code| has(code, b"Missing operating system.\r\n") && has(code, b"Multiple active partitions.\r\n"),
    // libparted/labels/dos.c, MBR_BOOT_CODE.
    |code| code.starts_with(PARTED) && is_blank(code.get(PARTED_LENGTH..).unwrap_or_default()),
];

/// libparted's code compares the boot flag of each entry with 0x80, reads one sector and jumps to it.
const PARTED: &[u8] = &[
    0xfa, 0xb8, 0x00, 0x10, 0x8e, 0xd0, 0xbc, 0x00, 0xb0, 0xb8, 0x00, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, 0xfb, 0xbe, 0x00,
    0x7c, 0xbf, 0x00, 0x06, 0xb9, 0x00, 0x02, 0xf3, 0xa4, 0xea, 0x21, 0x06, 0x00, 0x00, 0xbe, 0xbe, 0x07, 0x38, 0x04,
];
/// Bytes of libparted's code.
const PARTED_LENGTH: usize = 79;

/// Numbers of the active partitions, where `boot` is code that goes on to one.
pub(super) fn active(boot: &[u8; SECTOR_LENGTH]) -> Option<Vec<u32>> {
    let code = code(boot);
    let is_known = LOOKS.iter().any(|look| look(code));
    let entries = slice(boot, ENTRIES, ENTRY.saturating_mul(4))?.chunks_exact(ENTRY);
    let active = (1..).zip(entries).filter(|(_, entry)| entry.first() == Some(&0x80));
    is_known.then(|| active.map(|(number, _)| number).collect())
}

/// The loader that the first sector of the one active partition starts.
pub(super) fn starts(disk: &Bytes, scan: &Scan, active: &[u32]) -> Result<Fact<Option<Code>>> {
    if scan.scheme != Some("dos") {
        return Ok(Fact::unknown("sector 0 starts an active partition, and the disk has no MBR partition table"));
    }
    let [number] = active else {
        let found = "sector 0 starts the active partition, of which there is not one: whether a logical partition is meant is not known";
        let has_logical = scan.partitions.iter().any(|partition| partition.number > 4);
        return Ok(if has_logical && active.is_empty() { Fact::unknown(found) } else { Fact::Known(None) });
    };
    let Some(volume) = scan.partitions.iter().find(|partition| partition.number == *number) else {
        return Ok(Fact::Known(None));
    };
    let start = volume.start / SECTOR;
    let boot = sector(disk, start)?;
    if is_blank(code(&boot)) || !is_signed(&boot) {
        return Ok(Fact::Known(None));
    }
    if let Some(core) = grub::kernel_sector(&boot) {
        return grub::loader(disk, scan, core);
    }
    match syslinux::Loader::find(&boot) {
        Some(loader) => Ok(by(loader.starts(disk, volume, start)?, Code::Syslinux(*number))),
        None => Ok(Fact::unknown(format!(
            "sector 0 starts partition {number}, whose boot code is of an unknown loader: what it starts is not known"
        ))),
    }
}
