//! GRUB for BIOS before and in its partition, as `grub-bios-setup` writes it: GRUB's `util/setup.c`, and for the places
//! `include/grub/i386/pc/boot.h` and `grub-core/boot/i386/pc/diskboot.S`, the same in 2.06 and 2.12.

use super::gpt::SECTOR;
use super::target::Target;
use crate::error::{Error, Result};

/// Bytes of boot.img that are code; behind them stand the disk's signature and its table.
const CODE: usize = 440;
/// Where boot.img has the sector of the core, `GRUB_BOOT_MACHINE_KERNEL_SECTOR`.
const KERNEL_SECTOR: usize = 0x5c;
/// `GRUB_BOOT_MACHINE_BOOT_DRIVE`: 0xff, the drive that the BIOS says.
const BOOT_DRIVE: usize = 0x64;
/// `GRUB_BOOT_MACHINE_DRIVE_CHECK`: a jump over a test for floppy disks, which is no jump on a hard disk.
const DRIVE_CHECK: usize = 0x66;
const NO_JUMP: [u8; 2] = [0x90, 0x90];
/// The list of the core's other sectors ends with the first one: eight bytes of sector, two of count, two of segment.
const BLOCK_LIST: usize = 512 - 12;
/// `GRUB_BOOT_MACHINE_KERNEL_SEG + 0x20`: where the first of them is loaded.
const SEGMENT: u16 = 0x820;
/// Sectors that fit into memory below 0x78000 (`util/setup.c`).
const MAX_SECTORS: u64 = (0x78000 - 0x8200) / SECTOR;

/// Writes the boot code and the core, which stands in a partition of `room` bytes from byte `start`.
///
/// # Errors
/// `Corrupt` when they are no images of GRUB's, `TooLarge` when the core does not fit; `Io` as the disk has it.
pub(super) fn embed(disk: &Target, boot: &[u8], core: &[u8], start: u64, room: u64) -> Result<()> {
    let sector = start.checked_div(SECTOR).unwrap_or(0);
    let sectors = u64::try_from(core.len()).unwrap_or(u64::MAX).div_ceil(SECTOR);
    if sectors > MAX_SECTORS || sectors.saturating_mul(SECTOR) > room {
        let cause =
            format!("{sectors} sectors, its partition has {} and BIOS loads at most {MAX_SECTORS}", sectors_of(room));
        return Err(Error::too_large("GRUB's core.img", cause).help("make the partition of kind bios-boot 1 MiB"));
    }
    disk.write(0, &code(boot, sector)?)?;
    disk.write(start, &with_list(core, sector, sectors)?)
}

fn sectors_of(bytes: u64) -> u64 {
    bytes.checked_div(SECTOR).unwrap_or(0)
}

fn code(boot: &[u8], core_sector: u64) -> Result<Vec<u8>> {
    let is_boot = boot.len() == 512 && boot.get(510..) == Some(&[0x55, 0xaa]);
    let jump = boot.get(DRIVE_CHECK).copied();
    if !is_boot || jump != Some(0xeb) {
        return Err(Error::corrupt("GRUB's boot.img", "expected 512 bytes with a jump at 0x66 and 55 aa at their end"));
    }
    let mut code = boot.get(..CODE).unwrap_or_default().to_vec();
    put(&mut code, KERNEL_SECTOR, &core_sector.to_le_bytes());
    put(&mut code, BOOT_DRIVE, &[0xff]);
    put(&mut code, DRIVE_CHECK, &NO_JUMP);
    Ok(code)
}

/// The core, filled up to whole sectors, with the place of its second sector in its first.
fn with_list(core: &[u8], sector: u64, sectors: u64) -> Result<Vec<u8>> {
    let list = core.get(BLOCK_LIST..512).filter(|_| sectors > 1);
    // What grub-mkimage leaves: a sector that is to be replaced, the count, and where to load it.
    let is_core = list.is_some_and(|list| list.ends_with(&SEGMENT.to_le_bytes()));
    let count = u16::try_from(sectors.saturating_sub(1)).ok().filter(|_| is_core);
    let count =
        count.ok_or_else(|| Error::corrupt("GRUB's core.img", "its first sector has no list of others at 0x1f4"))?;
    let mut bytes = core.to_vec();
    bytes.resize(core.len().next_multiple_of(512), 0);
    put(&mut bytes, BLOCK_LIST, &sector.saturating_add(1).to_le_bytes());
    put(&mut bytes, BLOCK_LIST + 8, &count.to_le_bytes());
    Ok(bytes)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = at.checked_add(value.len()).and_then(|end| bytes.get_mut(at..end)) {
        place.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MIB;

    fn boot() -> Vec<u8> {
        let mut boot = vec![0x11; 512];
        put(&mut boot, DRIVE_CHECK, &[0xeb, 0x05]);
        put(&mut boot, 510, &[0x55, 0xaa]);
        boot
    }

    fn core(length: usize) -> Vec<u8> {
        let mut core = vec![0x22; length];
        put(&mut core, 0x1fe, &SEGMENT.to_le_bytes());
        core
    }

    #[test]
    fn the_addresses_stand_where_grub_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Target::create(&folder.path().join("disk")).unwrap();
        disk.resize(4 * MIB).unwrap();
        disk.write(440, &[0x33; 72]).unwrap();
        embed(&disk, &boot(), &core(1300), MIB, MIB).unwrap();
        let mut read = [0; 512];
        disk.read(0, &mut read).unwrap();
        assert_eq!(read[0x5c..0x68], [0, 8, 0, 0, 0, 0, 0, 0, 0xff, 0x11, 0x90, 0x90]);
        assert_eq!((read[439], read[440]), (0x11, 0x33));
        disk.read(MIB, &mut read).unwrap();
        assert_eq!(read[0x1f4..], [1, 8, 0, 0, 0, 0, 0, 0, 2, 0, 0x20, 0x08]);
    }

    #[test]
    fn what_is_not_grub_or_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Target::create(&folder.path().join("disk")).unwrap();
        for (boot, core, room, said) in [
            (boot(), core(2000), 1024, "4 sectors, its partition has 2"),
            (boot(), core(1_000_000), 4 * MIB, "BIOS loads at most"),
            (boot(), vec![0; 2000], MIB, "no list of others"),
            (boot(), core(512), MIB, "no list of others"),
            (vec![0; 512], core(2000), MIB, "boot.img"),
            (boot()[..440].to_vec(), core(2000), MIB, "boot.img"),
        ] {
            let error = embed(&disk, &boot, &core, MIB, room).unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
