//! EFI programs → their sections (Microsoft's "PE Format"), and files that are a section of one.
//!
//! The facts name such a file with the section behind the program: `/boot/efi/EFI/Linux/x.efi#.linux`.

use crate::bytes::{from_io, le_u16, le_u32, read_capped, slice, text};
use crate::disk::filesystem::{FileType, Root};
use crate::error::{Error, Result};
use crate::limits::KIB;
use std::io::{self, Read};

/// Bytes of headers and section table: those of GRUB, shim and systemd-stub are below 4 KiB.
const HEADERS: u64 = 64 * KIB;
/// Bytes of a name in the section table.
const MAX_NAME: usize = 8;
/// The section that begins the sections of another profile (UAPI.5 Unified Kernel Image, "Multi-Profile UKIs").
const PROFILE: &str = ".profile";

/// What the headers of a PE file say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// `Machine`.
    pub machine: u16,
    /// `Subsystem`.
    pub subsystem: u16,
    /// `SizeOfImage`, in bytes of memory.
    pub image_size: u64,
    /// In table order.
    pub sections: Vec<Section>,
}

/// One row of the section table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Name, without its padding.
    pub name: String,
    /// `VirtualAddress`: first byte in memory.
    pub address: u64,
    /// `VirtualSize`: bytes in memory.
    pub virtual_size: u64,
    /// `PointerToRawData`: first byte in the file.
    pub offset: u64,
    /// `SizeOfRawData`: bytes in the file, padding included.
    pub raw_size: u64,
}

impl Section {
    /// Bytes of its content in the file.
    pub fn length(&self) -> u64 {
        self.virtual_size.min(self.raw_size)
    }
}

impl Program {
    /// Reads headers and section table; `None` when they are cut short or of something else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let start = usize::try_from(le_u32(bytes, 0x3c).filter(|_| bytes.starts_with(b"MZ"))?).ok()?;
        let header = bytes.get(start..).filter(|header| header.starts_with(b"PE\0\0"))?;
        let sections = usize::from(le_u16(header, 6)?);
        let table = header.get(usize::from(le_u16(header, 20)?).checked_add(24)?..)?;
        let rows = slice(table, 0, sections.checked_mul(40)?)?.chunks_exact(40);
        Some(Self {
            machine: le_u16(header, 4)?,
            subsystem: le_u16(header, 24 + 68)?,
            image_size: le_u32(header, 24 + 56)?.into(),
            sections: rows.map(section).collect::<Option<Vec<_>>>()?,
        })
    }

    /// The sections of the first profile: those before any profile, and where another of the name stands in it, that.
    pub fn find(&self, name: &str) -> Option<&Section> {
        self.in_profile(0, name)
    }

    /// The section that profile `number` uses under this name.
    pub fn in_profile(&self, number: usize, name: &str) -> Option<&Section> {
        let mut scopes = self.sections.split(|section| section.name == PROFILE);
        let has = |scope: &'_ [Section]| scope.iter().position(|section| section.name == name);
        let base = scopes.next()?;
        let own = scopes.nth(number).and_then(|scope| scope.get(has(scope)?));
        own.or_else(|| base.get(has(base)?))
    }

    /// How many profiles there are; a program without any is one.
    pub fn profiles(&self) -> usize {
        self.sections.iter().filter(|section| section.name == PROFILE).count().max(1)
    }
}

fn section(row: &[u8]) -> Option<Section> {
    let name = slice(row, 0, MAX_NAME)?;
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(MAX_NAME);
    let number = |at| le_u32(row, at).map(u64::from);
    Some(Section {
        name: text(name.get(..end)?),
        virtual_size: number(8)?,
        address: number(12)?,
        raw_size: number(16)?,
        offset: number(20)?,
    })
}

/// The headers of the file at `path`; `None` for what is no PE file.
///
/// # Errors
/// When the file cannot be read.
pub fn read(root: &Root, path: &str) -> Result<Option<Program>> {
    let headers = read_capped(&mut root.open(path)?.take(HEADERS), HEADERS, "EFI program")?;
    Ok(Program::parse(&headers))
}

/// `/x.efi#.linux` as the program and its section; `None` for the path of a file.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let (file, name) = path.rsplit_once('#')?;
    let is_name = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (name.len() <= MAX_NAME && name.strip_prefix('.').is_some_and(is_name)).then_some((file, name))
}

/// Opens a file, or the section of one that `path` names.
///
/// # Errors
/// `NotFound` when there is no such file or section; `Corrupt` when the section lies past the end.
pub fn open<'r>(root: &'r Root, path: &str) -> Result<Box<dyn Read + 'r>> {
    let Some((file, name)) = split(path) else { return root.open(path) };
    open_section(root, file, &locate(root, file, name)?)
}

/// Opens `section` of the program `file`.
///
/// # Errors
/// `Corrupt` when the section lies past the end.
pub fn open_section<'r>(root: &'r Root, file: &str, section: &Section) -> Result<Box<dyn Read + 'r>> {
    let mut bytes = root.open(file)?;
    let skipped = io::copy(&mut (&mut bytes).take(section.offset), &mut io::sink());
    let skipped = skipped.map_err(|error| from_io(error, "EFI program").at(file))?;
    if skipped != section.offset {
        return Err(past_end(file, section, skipped));
    }
    Ok(Box::new(bytes.take(section.length())))
}

/// Bytes of the file or section that `path` names.
///
/// # Errors
/// As [`open`].
pub fn size(root: &Root, path: &str) -> Result<u64> {
    let Some((file, name)) = split(path) else { return Ok(root.metadata(path)?.size) };
    let section = locate(root, file, name)?;
    let size = root.metadata(file)?.size;
    let end = section.offset.saturating_add(section.length());
    if end > size { Err(past_end(file, &section, size)) } else { Ok(section.length()) }
}

fn locate(root: &Root, file: &str, name: &str) -> Result<Section> {
    if root.metadata(file)?.file_type != FileType::Regular {
        return Err(Error::not_found("EFI program").at(file));
    }
    let program = read(root, file)?;
    let section = program.as_ref().and_then(|program| program.find(name));
    section.cloned().ok_or_else(|| Error::not_found("section").because(format!("it has no {name}")).at(file))
}

fn past_end(file: &str, section: &Section, size: u64) -> Error {
    let cause = format!("{} bytes from byte {} on, and the file has {size}", section.length(), section.offset);
    Error::corrupt("section of an EFI program", cause).at(file)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::guest::memory::Memory;

    /// An EFI program for x86-64 with these sections, each padded to 512 bytes in the file and 4096 in memory.
    pub(crate) fn program(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; 0x1000];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x40;
        bytes[0x40..0x44].copy_from_slice(b"PE\0\0");
        bytes[0x44..0x46].copy_from_slice(&0x8664_u16.to_le_bytes());
        bytes[0x46] = u8::try_from(sections.len()).unwrap();
        bytes[0x54] = 0xf0;
        bytes[0x58..0x5a].copy_from_slice(&[0x0b, 0x02]);
        bytes[0x9c] = 10;
        let mut address = 0x1_0000_u32;
        for (row, (name, body)) in (0x148..).step_by(40).zip(sections) {
            let length = u32::try_from(body.len()).unwrap();
            let raw = u32::try_from(body.len().next_multiple_of(512)).unwrap();
            let offset = u32::try_from(bytes.len()).unwrap();
            bytes[row..][..name.len()].copy_from_slice(name.as_bytes());
            for (at, number) in [(8, length), (12, address), (16, raw), (20, offset)] {
                bytes[row..][at..][..4].copy_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(body);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
            address = address.checked_add(length.next_multiple_of(4096)).unwrap();
        }
        bytes[0x90..0x94].copy_from_slice(&address.to_le_bytes());
        bytes
    }

    fn opened(root: &Root, path: &str) -> Result<Vec<u8>> {
        read_capped(&mut open(root, path)?, 9999, "section")
    }

    #[test]
    fn a_section_is_read_as_a_file() {
        let body = program(&[(".linux", b"kernel"), (".initrd", &[7; 600]), (".empty", b"")]);
        let mut cut = body.clone();
        cut.truncate(0x1000 + 512 + 10);
        let tree = Memory::new("vfat", "", "").file("/EFI/x.efi", body).file("/EFI/cut.efi", cut).file("/plain", "p");
        let root = tree.folder("/EFI/folder.efi").root();
        for (path, expected) in [
            ("/EFI/x.efi#.linux", b"kernel".to_vec()),
            ("/EFI/x.efi#.initrd", vec![7; 600]),
            ("/EFI/x.efi#.empty", vec![]),
            ("/EFI/cut.efi#.linux", b"kernel".to_vec()),
            ("/plain", b"p".to_vec()),
        ] {
            assert_eq!(opened(&root, path).unwrap(), expected, "{path}");
            assert_eq!(size(&root, path).unwrap(), u64::try_from(expected.len()).unwrap(), "{path}");
        }
        for (path, kind) in [
            ("/EFI/x.efi#.none", ErrorKind::NotFound),
            ("/EFI/y.efi#.linux", ErrorKind::NotFound),
            ("/plain#.linux", ErrorKind::NotFound),
            ("/EFI/folder.efi#.linux", ErrorKind::NotFound),
            ("/EFI/cut.efi#.initrd", ErrorKind::Corrupt),
            ("/EFI/x.efi#.much-too-long", ErrorKind::NotFound),
        ] {
            assert_eq!(size(&root, path).unwrap_err().kind, kind, "{path}");
        }
    }

    #[test]
    fn a_profile_adds_to_what_stands_before_it() {
        let sections: [(&str, &[u8]); 7] = [
            (".linux", b"k"),
            (".cmdline", b"base"),
            (".profile", b"ID=a"),
            (".profile", b"ID=b"),
            (".cmdline", b"second"),
            (".initrd", b"i"),
            (".profile", b"ID=c"),
        ];
        let program = Program::parse(&program(&sections)).unwrap();
        let size = |number, name| program.in_profile(number, name).map(Section::length);
        assert_eq!(program.profiles(), 3);
        for (number, cmdline, initrd) in [(0, 4, None), (1, 6, Some(1)), (2, 4, None), (9, 4, None)] {
            assert_eq!((size(number, ".linux"), size(number, ".cmdline")), (Some(1), Some(cmdline)), "{number}");
            assert_eq!(size(number, ".initrd"), initrd, "{number}");
        }
        assert_eq!(program.find(".cmdline").unwrap().length(), 4);
    }

    #[test]
    fn only_a_short_name_behind_a_hash_is_a_section() {
        for (path, expected) in [
            ("/a.efi#.linux", Some(("/a.efi", ".linux"))),
            ("/a#b#.ucode", Some(("/a#b", ".ucode"))),
            ("/a#linux", None),
            ("/a#.", None),
            ("/a#.li/x", None),
            ("/a.linux", None),
            ("/a#.toolongname", None),
        ] {
            assert_eq!(split(path), expected, "{path}");
        }
    }
}
