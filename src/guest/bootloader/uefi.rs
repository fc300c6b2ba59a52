//! EFI/BOOT of a FAT volume → the machines on which UEFI starts it without boot variables (UEFI 2.10, §3.5).

use crate::bytes::{read_capped, slice, text};
use crate::disk::filesystem::{FileType, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::Gap;
use crate::guest::bootloader::grub_core::{Core, MAX_CORE};
use crate::guest::pe::{self, Program};
use crate::limits::MIB;
use std::io::Read as _;

/// Where UEFI looks, as written; FAT does not know case.
const FOLDER: &str = "/EFI/BOOT";
/// `IMAGE_SUBSYSTEM_EFI_APPLICATION` (Microsoft's PE format).
const EFI_APPLICATION: u16 = 10;

/// Folders with a GRUB that are looked into; a disk with two systems has two.
const MAX_GRUBS: usize = 16;

/// A machine for which UEFI has a loader's name (UEFI 2.10, table 3.2).
#[derive(Debug)]
struct Machine {
    /// As kernels name it.
    architecture: &'static str,
    /// As the Boot Loader Specification names it.
    short: &'static str,
    loader: &'static str,
    /// `Machine` of the PE header.
    pe: u16,
}

const MACHINES: &[Machine] = &[
    Machine { architecture: "x86_64", short: "x64", loader: "BOOTX64.EFI", pe: 0x8664 },
    Machine { architecture: "aarch64", short: "aa64", loader: "BOOTAA64.EFI", pe: 0xaa64 },
    Machine { architecture: "i686", short: "ia32", loader: "BOOTIA32.EFI", pe: 0x014c },
    Machine { architecture: "armv7l", short: "arm", loader: "BOOTARM.EFI", pe: 0x01c2 },
    Machine { architecture: "riscv64", short: "riscv64", loader: "BOOTRISCV64.EFI", pe: 0x5064 },
    Machine { architecture: "loongarch64", short: "loongarch64", loader: "BOOTLOONGARCH64.EFI", pe: 0x6264 },
];

/// The loader's name for a kernel of `architecture`; `None` for those that UEFI does not start.
pub fn loader(architecture: &str) -> Option<&'static str> {
    MACHINES.iter().find(|machine| machine.architecture == architecture).map(|machine| machine.loader)
}

/// What a volume offers to UEFI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaders {
    /// Those that can be started.
    pub(super) loaders: Vec<Loader>,
    /// What could not be looked at.
    pub(super) gaps: Vec<Gap>,
}

/// A program that UEFI starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loader {
    /// As kernels name it.
    pub(super) architecture: &'static str,
    /// As the Boot Loader Specification names it.
    pub(super) short: &'static str,
    /// Where it stands, as written.
    pub(super) path: String,
    pub(super) kind: Kind,
}

/// What a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// systemd-boot, with the number of its version.
    SystemdBoot(Option<u32>),
    /// A kernel in systemd's stub, with the number of its version.
    Uki(Option<u32>),
    /// A kernel with its own stub.
    Kernel,
    /// GRUB, by its section of modules.
    Grub,
    /// shim, or what is not known.
    Other,
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
            match startable(root, &path, machine) {
                Ok(Some(kind)) => loaders.loaders.push(Loader {
                    architecture: machine.architecture,
                    short: machine.short,
                    path,
                    kind,
                }),
                Ok(None) => {}
                Err(error) => loaders.gaps.push(error.at(path).into()),
            }
        }
        loaders
    }
}

impl Loader {
    /// GRUB's core, of a program that is GRUB.
    pub(super) fn core(&self, root: &Root) -> Result<Core> {
        let program = pe::read(root, &self.path)?;
        let found = program.as_ref().and_then(|program| Some((program.machine, program.find("mods")?)));
        let Some((machine, section)) = found else { return Err(Error::not_found("GRUB's core").at(&self.path)) };
        let mut bytes = pe::open_section(root, &self.path, section)?;
        let modules = read_capped(&mut bytes, MAX_CORE, "GRUB's core").map_err(|error| error.at(&self.path))?;
        Core::parse_efi(&modules, machine).map_err(|error| error.at(&self.path))
    }

    /// The folder that it stands in.
    pub(super) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// What is GRUB of what this starts: itself, or behind shim. Where shim finds its fallback program, that starts the
    /// loaders of the other folders (shim, `fallback.c`).
    pub(super) fn grubs(&self, root: &Root) -> Result<Vec<Self>> {
        if self.kind == Kind::Grub {
            return Ok(vec![self.clone()]);
        }
        let Some(machine) = MACHINES.iter().find(|machine| machine.architecture == self.architecture) else {
            return Ok(Vec::new());
        };
        let mut grubs = Vec::new();
        if root.exists(format!("{FOLDER}/fb{}.efi", machine.short))? {
            for path in root.glob(format!("/EFI/*/grub{}.efi", machine.short)).items.into_iter().take(MAX_GRUBS) {
                let path = path.to_text();
                if path.to_ascii_uppercase().starts_with("/EFI/BOOT/") {
                    continue;
                }
                let kind = startable(root, &path, machine)?;
                grubs.extend(kind.filter(|kind| *kind == Kind::Grub).map(|kind| Self { path, kind, ..self.clone() }));
            }
        }
        if grubs.is_empty() {
            grubs.extend(self.behind_shim(root)?.filter(|behind| behind.kind == Kind::Grub));
        }
        Ok(grubs)
    }

    /// What shim starts: the program beside it that is called like GRUB (shim, `DEFAULT_LOADER`).
    pub(super) fn behind_shim(&self, root: &Root) -> Result<Option<Self>> {
        let machine = MACHINES.iter().find(|machine| machine.architecture == self.architecture);
        let Some(machine) = machine else { return Ok(None) };
        let path = format!("{FOLDER}/GRUB{}.EFI", machine.short.to_ascii_uppercase());
        if !root.exists(&path)? {
            return Ok(None);
        }
        let kind = startable(root, &path, machine)?;
        Ok(kind.map(|kind| Self { path, kind, ..self.clone() }))
    }
}

/// What the file at `path` is, if it is an EFI program for this machine, with all of its sections.
fn startable(root: &Root, path: &str, machine: &Machine) -> Result<Option<Kind>> {
    let metadata = root.metadata(path)?;
    if metadata.file_type != FileType::Regular {
        return Ok(None);
    }
    let program = pe::read(root, path)?;
    let program = program.filter(|program| is_whole(program, metadata.size, machine.pe));
    program.map(|program| kind(root, path, &program)).transpose()
}

fn is_whole(program: &Program, size: u64, machine: u16) -> bool {
    let is_inside = |section: &pe::Section| {
        section.raw_size == 0 || section.offset.checked_add(section.raw_size).is_some_and(|end| end <= size)
    };
    let is_its = program.machine == machine && program.subsystem == EFI_APPLICATION;
    is_its && !program.sections.is_empty() && program.sections.iter().all(is_inside)
}

/// What a program is; one that stands elsewhere than UEFI looks as well.
pub(super) fn kind(root: &Root, path: &str, program: &Program) -> Result<Kind> {
    if program.find(".linux").is_some() {
        return Ok(Kind::Uki(magic(root, path, program)?.as_deref().and_then(|it| number(it, "systemd-stub"))));
    }
    // Before systemd 251 the words stood in another section.
    let magic = magic(root, path, program)?;
    if let Some(magic) = magic.filter(|magic| magic.contains("LoaderInfo: systemd-boot")) {
        return Ok(Kind::SystemdBoot(number(&magic, "systemd-boot")));
    }
    if program.sections.iter().any(|section| section.name == "mods") {
        return Ok(Kind::Grub);
    }
    let front = read_capped(&mut root.open(path)?.take(KERNEL_FRONT), KERNEL_FRONT, "EFI program")?;
    let is_kernel = slice(&front, 0x202, 4) == Some(b"HdrS")
        || [b"ARM\x64".as_slice(), b"RSC\x05"].contains(&slice(&front, 56, 4).unwrap_or_default())
        || slice(&front, 4, 4) == Some(b"zimg");
    Ok(if is_kernel { Kind::Kernel } else { Kind::Other })
}

/// Bytes from the front of a kernel by which it is known.
const KERNEL_FRONT: u64 = 0x206;
/// Bytes of the words by which systemd's programs know each other.
const MAX_MAGIC: u64 = 256;
/// Bytes of a program in which they are looked for: systemd-boot has 100 KiB.
const MAX_SEARCHED: u64 = MIB;
const MAGIC: &[u8] = b"#### LoaderInfo: ";

/// `#### LoaderInfo: systemd-boot 252.39 ####`, from the section for it or anywhere in a small program.
fn magic(root: &Root, path: &str, program: &Program) -> Result<Option<String>> {
    if program.find(".sdmagic").is_some() {
        let mut section = pe::open(root, &format!("{path}#.sdmagic"))?.take(MAX_MAGIC);
        return Ok(Some(text(&read_capped(&mut section, MAX_MAGIC, "section")?)));
    }
    if root.metadata(path)?.size > MAX_SEARCHED {
        return Ok(None);
    }
    let bytes = root.read(path, MAX_SEARCHED)?;
    let at = bytes.windows(MAGIC.len()).position(|part| part == MAGIC);
    let rest = at.and_then(|at| bytes.get(at..)).unwrap_or_default();
    let end = rest.len().min(MAGIC.len().saturating_mul(4));
    Ok(at.map(|_| text(rest.get(..end).unwrap_or_default())))
}

/// `252` of `systemd-boot 252.39-1`.
fn number(magic: &str, name: &str) -> Option<u32> {
    let (_, rest) = magic.split_once(name)?;
    let rest = rest.trim_start_matches([' ', 'v']);
    rest.get(..rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len()))?.parse().ok()
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
            let found = Loaders::read(&root);
            let architectures: Vec<&str> = found.loaders.iter().map(|loader| loader.architecture).collect();
            assert_eq!((architectures.as_slice(), found.gaps.len()), (expected, 0), "{what}");
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
