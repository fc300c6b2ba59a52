//! GRUB's boot.img → its core: in a BIOS boot partition, behind the MBR, or in a file by block lists.

use super::{Code, SECTOR, SECTOR_LENGTH, code, has, is_blank, range, sector};
use crate::bytes::{Bytes, le_u16, le_u64};
use crate::disk::volume::Scan;
use crate::error::{Error, Result};
use crate::fact::{Fact, Gap};
use crate::guest::bootloader::grub_core::Core;

/// GPT type of the partition in which GRUB's core stands for BIOS.
pub(super) const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";

/// What GRUB's boot.img begins with: a jump over the BIOS parameter block (`grub-core/boot/i386/pc/boot.S`).
pub(super) const JUMP: &[u8] = &[0xeb, 0x63, 0x90];
/// What it prints when it fails.
pub(super) const MESSAGES: &[u8] = b"GRUB \0Geom\0Hard Disk\0Read\0 Error";
/// What the core's first sector prints when it fails (`diskboot.S`).
pub(super) const CORE_MESSAGES: &[u8] = b"Geom\0Read\0 Error";
/// `GRUB_BOOT_MACHINE_KERNEL_SECTOR` (`include/grub/i386/pc/boot.h`): where the core begins, in sectors.
pub(super) const KERNEL_SECTOR: usize = 0x5c;
/// The first block list of the core's first sector, diskboot.img: start and length, in sectors. Further ones stand
/// below it, the last has no length.
pub(super) const BLOCK_LIST: usize = 0x1f4;
/// Bytes of a block list.
const LIST_SIZE: usize = 12;
/// Sectors of a core that are read: below 640 KiB there is room for 1280, and what corrects errors doubles it.
const MAX_SECTORS: u64 = 4096;

/// The sector of the core, where `boot` is GRUB's boot.img.
pub(super) fn kernel_sector(boot: &[u8; SECTOR_LENGTH]) -> Option<u64> {
    let code = code(boot);
    le_u64(code, KERNEL_SECTOR).filter(|_| code.starts_with(JUMP) && has(code, MESSAGES))
}

/// The core that boot.img loads, if it is there: its first sector, and the rest that this one loads.
pub(super) fn loader(disk: &Bytes, scan: &Scan, start: u64) -> Result<Fact<Option<Code>>> {
    if range(start, 1).is_none_or(|(_, end)| end > disk.size()) {
        return Ok(Fact::Known(None));
    }
    let first = sector(disk, start)?;
    if is_blank(&first) {
        return Ok(Fact::Known(None));
    }
    let Some(home) = home(scan, start).filter(|_| has(&first, CORE_MESSAGES)) else {
        return Ok(elsewhere(start));
    };
    let lists = block_lists(&first);
    let Some((rest, _)) = lists.first() else { return Ok(elsewhere(start)) };
    if let Some((stray, _)) = lists.iter().find(|(start, length)| !is_within(home, *start, *length)) {
        return Ok(elsewhere(*stray));
    }
    if is_blank(&sector(disk, *rest)?) {
        return Ok(Fact::Known(None));
    }
    let image = read(disk, &lists)?;
    Ok(match Core::parse_pc(&image) {
        Ok(core) => Fact::Known(Some(Code::Grub(core))),
        Err(error) => Fact::Unknown(Gap::from(error)),
    })
}

/// What the block lists load, in their order.
fn read(disk: &Bytes, lists: &[(u64, u64)]) -> Result<Vec<u8>> {
    let sectors = lists.iter().map(|(_, length)| *length).fold(0, u64::saturating_add);
    if sectors > MAX_SECTORS {
        let cause = format!("{sectors} sectors, and at most {MAX_SECTORS} are read");
        return Err(Error::too_large("GRUB's core for BIOS", cause));
    }
    let mut image = Vec::new();
    for (start, length) in lists {
        let bytes = usize::try_from(length.saturating_mul(SECTOR)).unwrap_or(usize::MAX);
        let mut part = vec![0; bytes];
        disk.read_at(start.saturating_mul(SECTOR), &mut part)?;
        image.append(&mut part);
    }
    Ok(image)
}

fn elsewhere(sector: u64) -> Fact<Option<Code>> {
    Fact::unknown(format!(
        "GRUB's boot code for BIOS loads sector {sector}, where its core is not seen: what it starts is not known"
    ))
}

/// Start and length, in sectors, of what is loaded behind the first sector.
fn block_lists(first: &[u8; SECTOR_LENGTH]) -> Vec<(u64, u64)> {
    let places = (0..=BLOCK_LIST).rev().step_by(LIST_SIZE);
    let list = |at: usize| Some((le_u64(first, at)?, u64::from(le_u16(first, at.checked_add(8)?)?)));
    places.map_while(list).take_while(|(_, length)| *length != 0).collect()
}

/// First byte, and one past the last, of what may hold the core that begins in this sector.
fn home(scan: &Scan, start: u64) -> Option<(u64, u64)> {
    // With a GPT it is a partition of GRUB's own; otherwise the core may be a file, loaded by block lists.
    let is_gpt = scan.scheme == Some("gpt");
    let volumes = scan.partitions.iter().filter(|volume| !is_gpt || volume.kind == BIOS_BOOT);
    let mut extents = volumes.map(|volume| (volume.start, volume.start.saturating_add(volume.size)));
    if let Some(extent) = extents.find(|extent| is_within(*extent, start, 1)) {
        return Some(extent);
    }
    // Between the MBR and the first partition.
    let first = scan.partitions.iter().map(|volume| volume.start).min().filter(|_| scan.scheme == Some("dos"))?;
    Some((SECTOR, first)).filter(|gap| is_within(*gap, start, 1))
}

fn is_within(extent: (u64, u64), start: u64, length: u64) -> bool {
    range(start, length).is_some_and(|(first, end)| first >= extent.0 && end <= extent.1)
}
