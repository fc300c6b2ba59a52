//! Syslinux's boot sector, that of SYSLINUX and EXTLINUX → ldlinux.sys, which it loads (`core/diskstart.inc`).

use super::{SECTOR_LENGTH, range, sector};
use crate::bytes::{Bytes, le_u16, le_u32, slice};
use crate::disk::volume::Partition;
use crate::error::Result;
use crate::fact::Fact;

/// Where the file system's parameter block says how many sectors stand before it.
const HIDDEN_SECTORS: usize = 0x1c;

/// What the boot sector loads, as its installer has written it into the code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Loader {
    /// First sector of ldlinux.sys, counted from the beginning of the volume.
    at: u64,
    /// Where in that sector this word must stand.
    word_at: usize,
    word: u32,
}

impl Loader {
    /// Finds `mov eax, low; mov edx, high; mov bx, buffer` and `cmp dword [buffer + n], word`.
    pub(super) fn find(boot: &[u8; SECTOR_LENGTH]) -> Option<Self> {
        let load = (0..SECTOR_LENGTH).find_map(|at| {
            let code = slice(boot, at, 15)?;
            let is_load =
                code.starts_with(&[0x66, 0xb8]) && slice(code, 6, 2)? == [0x66, 0xba] && *code.get(12)? == 0xbb;
            let sector = u64::from(le_u32(code, 8)?) << 32 | u64::from(le_u32(code, 2)?);
            is_load.then_some((at, sector, le_u16(code, 13)?))
        });
        let (from, at, buffer) = load?;
        (from..SECTOR_LENGTH).find_map(|at_code| {
            let code = slice(boot, at_code, 9).filter(|code| code.starts_with(&[0x66, 0x81, 0x3e]))?;
            let word_at = usize::from(le_u16(code, 3)?.checked_sub(buffer)?);
            Some(Self { at, word_at, word: le_u32(code, 5)? })
        })
    }

    /// Whether ldlinux.sys stands where the sector looks for it, in a volume that begins at sector `base`.
    pub(super) fn starts(&self, disk: &Bytes, volume: &Partition, base: u64) -> Result<Fact<bool>> {
        let end = volume.start.saturating_add(volume.size);
        let place = base.checked_add(self.at).and_then(|at| Some((at, range(at, 1)?)));
        let Some((at, _)) = place.filter(|(_, (from, to))| *from >= volume.start && *to <= end) else {
            return Ok(Fact::Known(false));
        };
        let found = sector(disk, at)?;
        Ok(Fact::Known(le_u32(&found, self.word_at) == Some(self.word)))
    }
}

/// Sectors before the volume, as its boot sector has them; BIOS loads no partition entry for it to ask.
pub(super) fn hidden_sectors(boot: &[u8; SECTOR_LENGTH]) -> u64 {
    le_u32(boot, HIDDEN_SECTORS).map_or(u64::MAX, u64::from)
}
