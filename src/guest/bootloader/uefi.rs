//! EFI/BOOT of a FAT volume → the machines on which UEFI starts it without boot variables (UEFI 2.10, §3.5).

use crate::bytes::{le_u16, le_u32, read_capped, slice, text};
use crate::disk::filesystem::{FileType, Root};
use crate::error::{ErrorKind, Result};
use crate::fact::Gap;
use crate::limits::KIB;
use std::io::Read as _;

/// Where UEFI looks, as written; FAT does not know case.
const FOLDER: &str = "/EFI/BOOT";
/// Bytes of headers and section table: GRUB's and shim's are below 4 KiB.
const HEADERS: u64 = 64 * KIB;
/// `IMAGE_SUBSYSTEM_EFI_APPLICATION` (Microsoft's PE format).
const EFI_APPLICATION: u16 = 10;

/// A machine for which UEFI has a loader's name (UEFI 2.10, table 3.2).
#[derive(Debug)]
struct Machine {
    /// As kernels name it.
    architecture: &'static str,
    loader: &'static str,
    /// `Machine` of the PE header.
    pe: u16,
}

const MACHINES: &[Machine] = &[
    Machine { architecture: "x86_64", loader: "BOOTX64.EFI", pe: 0x8664 },
    Machine { architecture: "aarch64", loader: "BOOTAA64.EFI", pe: 0xaa64 },
    Machine { architecture: "i686", loader: "BOOTIA32.EFI", pe: 0x014c },
    Machine { architecture: "armv7l", loader: "BOOTARM.EFI", pe: 0x01c2 },
    Machine { architecture: "riscv64", loader: "BOOTRISCV64.EFI", pe: 0x5064 },
    Machine { architecture: "loongarch64", loader: "BOOTLOONGARCH64.EFI", pe: 0x6264 },
];

/// The loader's name for a kernel of `architecture`; `None` for those that UEFI does not start.
pub fn loader(architecture: &str) -> Option<&'static str> {
    MACHINES.iter().find(|machine| machine.architecture == architecture).map(|machine| machine.loader)
}

/// What a volume offers to UEFI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaders {
    /// Architectures that have a loader that can be started.
    pub(super) architectures: Vec<&'static str>,
    /// What could not be looked at.
    pub(super) gaps: Vec<Gap>,
}

impl Loaders {
    /// Reads EFI/BOOT.
    pub(super) fn read(root: &Root) -> Self {
        let mut loaders = Self::default();
        let listing = match root.list(FOLDER) {
            Ok(listing) => listing,
            Err(error) if error.kind == ErrorKind::NotFound => return loaders,
            Err(error) => {
                // A file in the folder's place is no loader either.
                let is_file = root.metadata(FOLDER).is_ok_and(|found| found.file_type != FileType::Directory);
                if !is_file {
                    loaders.gaps.push(error.at(FOLDER).into());
                }
                return loaders;
            }
        };
        loaders.gaps = listing.gaps;
        for entry in &listing.items {
            let is_its = |machine: &&Machine| machine.loader.as_bytes().eq_ignore_ascii_case(&entry.name);
            let Some(machine) = MACHINES.iter().find(is_its) else { continue };
            let path = format!("{FOLDER}/{}", text(&entry.name));
            match is_program(root, &path, machine.pe) {
                Ok(true) => loaders.architectures.push(machine.architecture),
                Ok(false) => {}
                Err(error) => loaders.gaps.push(error.at(path).into()),
            }
        }
        loaders
    }
}

/// Whether the file is an EFI program for this machine, with all of its sections.
fn is_program(root: &Root, path: &str, machine: u16) -> Result<bool> {
    let metadata = root.metadata(path)?;
    if metadata.file_type != FileType::Regular {
        return Ok(false);
    }
    let headers = read_capped(&mut root.open(path)?.take(HEADERS), HEADERS, "EFI program")?;
    Ok(is_whole(&headers, metadata.size, machine).unwrap_or(false))
}

/// Headers of a PE file of `size` bytes; `None` when they are cut short.
fn is_whole(bytes: &[u8], size: u64, machine: u16) -> Option<bool> {
    let start = usize::try_from(le_u32(bytes, 0x3c).filter(|_| bytes.starts_with(b"MZ"))?).ok()?;
    let header = bytes.get(start..)?;
    let subsystem = le_u16(header, 24 + 68)?;
    let sections = usize::from(le_u16(header, 6)?);
    let is_its = slice(header, 0, 4)? == b"PE\0\0" && le_u16(header, 4)? == machine && subsystem == EFI_APPLICATION;
    let table = header.get(usize::from(le_u16(header, 20)?).checked_add(24)?..)?;
    let table = slice(table, 0, sections.checked_mul(40)?)?;
    let is_inside = |section: &[u8]| {
        let (length, offset) = (le_u32(section, 16)?, le_u32(section, 20)?);
        Some(length == 0 || u64::from(offset).checked_add(u64::from(length))? <= size)
    };
    let are_inside = table.chunks_exact(40).all(|section| is_inside(section) == Some(true));
    Some(is_its && sections > 0 && are_inside)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    /// The smallest EFI program for a machine: headers, one section of 16 bytes.
    pub(crate) fn program(machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 0x200];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x40;
        bytes[0x40..0x44].copy_from_slice(b"PE\0\0");
        bytes[0x44..0x46].copy_from_slice(&machine.to_le_bytes());
        bytes[0x46] = 1;
        bytes[0x54] = 0xf0;
        bytes[0x58..0x5a].copy_from_slice(&[0x0b, 0x02]);
        bytes[0x9c] = 10;
        bytes[0x148 + 16] = 16;
        bytes[0x148 + 20..0x148 + 22].copy_from_slice(&[0xf0, 0x01]);
        bytes
    }

    const X64: u16 = 0x8664;

    #[test]
    fn a_loader_is_a_program_for_the_machine_of_its_name() {
        let changed = |at: usize, byte: u8| {
            let mut bytes = program(X64);
            bytes[at] = byte;
            bytes
        };
        for (what, path, body, expected) in [
            ("as it should be", "/EFI/BOOT/BOOTX64.EFI", program(X64), &["x86_64"][..]),
            ("lower case", "/EFI/BOOT/bootx64.efi", program(X64), &["x86_64"]),
            ("arm64", "/EFI/BOOT/BOOTAA64.EFI", program(0xaa64), &["aarch64"]),
            ("another machine's name", "/EFI/BOOT/BOOTAA64.EFI", program(X64), &[]),
            ("empty", "/EFI/BOOT/BOOTX64.EFI", vec![], &[]),
            ("two letters", "/EFI/BOOT/BOOTX64.EFI", b"MZ".to_vec(), &[]),
            ("no MZ", "/EFI/BOOT/BOOTX64.EFI", changed(0, 0), &[]),
            ("no PE", "/EFI/BOOT/BOOTX64.EFI", changed(0x41, 0), &[]),
            ("PE header far away", "/EFI/BOOT/BOOTX64.EFI", changed(0x3f, 0xff), &[]),
            ("a driver", "/EFI/BOOT/BOOTX64.EFI", changed(0x9c, 11), &[]),
            ("no section", "/EFI/BOOT/BOOTX64.EFI", changed(0x46, 0), &[]),
            ("many sections", "/EFI/BOOT/BOOTX64.EFI", changed(0x47, 0xff), &[]),
            ("cut short", "/EFI/BOOT/BOOTX64.EFI", program(X64)[..0x1ff].to_vec(), &[]),
            ("another name", "/EFI/BOOT/GRUBX64.EFI", program(X64), &[]),
            ("another folder", "/EFI/debian/BOOTX64.EFI", program(X64), &[]),
        ] {
            let root = Memory::new("vfat", "", "").file(path, body).root();
            let expected = Loaders { architectures: expected.to_vec(), gaps: Vec::new() };
            assert_eq!(Loaders::read(&root), expected, "{what}");
        }
        let folder = Memory::new("vfat", "", "").folder("/EFI/BOOT/BOOTX64.EFI").root();
        assert_eq!(Loaders::read(&folder), Loaders::default());
        assert_eq!(Loaders::read(&Memory::new("vfat", "", "").root()), Loaders::default());
        let file = Memory::new("vfat", "", "").file("/EFI/BOOT", "x").root();
        assert_eq!(Loaders::read(&file), Loaders::default());
    }

    #[test]
    fn what_cannot_be_read_is_no_absence() {
        for path in ["/EFI/BOOT/BOOTX64.EFI", "/EFI/BOOT", "/EFI"] {
            let root = Memory::new("vfat", "", "").unreadable(path).root();
            assert!(!Loaders::read(&root).gaps.is_empty(), "{path}");
        }
        assert_eq!((loader("x86_64"), loader("s390x")), (Some("BOOTX64.EFI"), None));
    }
}
