//! An image file → a virtual disk. Every probe runs; two matches are refused; raw is what remains.

mod foreign;
mod qcow2;
mod raw;

use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::fact::{Flaw, Listing};
use crate::limits::Limits;

/// Files that the user named for parts of an image that live elsewhere; nothing in an image ever opens one.
#[derive(Debug, Default)]
pub struct Overlays {
    /// Backing files, nearest first (`--backing`, repeatable).
    pub backing: Vec<Bytes>,
    /// The external data file (`--data-file`).
    pub data_file: Option<Bytes>,
}

/// An opened image.
#[derive(Debug)]
pub struct Opened {
    /// As `qemu-img` names it.
    pub format: &'static str,
    /// The virtual disk.
    pub disk: Bytes,
    /// Details worth a line: `v3`, `zstd`, `lazy-refcounts`.
    pub features: Vec<String>,
    /// What makes the file unsafe to boot or upload.
    pub flaws: Listing<Flaw>,
}

/// A disk image format, or another file that is often taken for one.
#[derive(Debug)]
pub struct Format {
    /// As `qemu-img` names it.
    pub name: &'static str,
    probe: fn(&Bytes) -> Result<bool>,
    open: Open,
}

/// What is done with a format once it is recognised.
#[derive(Debug)]
enum Open {
    Reads(fn(Bytes, &Overlays, &Limits) -> Result<Opened>),
    /// Not read by this version: what the file is, and the next step.
    Refuses {
        cause: &'static str,
        help: &'static str,
    },
}

/// Formats that are recognised; what none of them claims is raw.
pub const FORMATS: &[Format] = &[
    qcow2::FORMAT,
    foreign::QCOW,
    foreign::QED,
    foreign::VMDK,
    foreign::VHDX,
    foreign::VPC,
    foreign::VDI,
    foreign::PARALLELS,
    foreign::LUKS,
    foreign::ISO,
    foreign::GZIP,
    foreign::XZ,
    foreign::ZSTD,
    foreign::BZIP2,
];

/// Opens the image in `file`; files that it needs beside it come from `overlays` only.
///
/// # Errors
/// `Unsupported` for a format or feature that is not read, naming it, and for a file that matches two formats.
pub fn open(file: Bytes, overlays: &Overlays, limits: &Limits) -> Result<Opened> {
    let mut found: Vec<&Format> = Vec::new();
    for format in FORMATS {
        if (format.probe)(&file)? {
            found.push(format);
        }
    }
    match found.as_slice() {
        [] => raw::open(file, overlays),
        [format] => match format.open {
            Open::Reads(open) => open(file, overlays, limits),
            Open::Refuses { cause, help } => Err(Error::unsupported("image", cause).help(help)),
        },
        several => {
            let names: Vec<&str> = several.iter().map(|format| format.name).collect();
            Err(Error::unsupported("image", format!("the file is {} at once", names.join(" and ")))
                .why("readers that choose differently see different disks; OpenStack refuses such a file")
                .help("convert it with `qemu-img convert -f FORMAT -O qcow2`, naming the format that is meant"))
        }
    }
}

/// `bytes` stand at `offset` of the file.
fn has(file: &Bytes, offset: u64, bytes: &[u8]) -> Result<bool> {
    let end = u64::try_from(bytes.len()).ok().and_then(|length| offset.checked_add(length));
    if end.is_none_or(|end| end > file.size()) {
        return Ok(false);
    }
    let mut found = vec![0; bytes.len()];
    file.read_at(offset, &mut found)?;
    Ok(found == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn image(size: usize, pieces: &[(usize, &[u8])]) -> Bytes {
        let mut bytes = vec![0; size];
        for (at, piece) in pieces {
            bytes[*at..][..piece.len()].copy_from_slice(piece);
        }
        Arc::new(bytes)
    }

    fn error(file: Bytes) -> String {
        open(file, &Overlays::default(), &Limits::default()).unwrap_err().to_string()
    }

    #[test]
    fn other_formats_are_named() {
        for (at, magic, name) in [
            (0, &b"QFI\xfb\0\0\0\x01"[..], "qcow version 1"),
            (0, b"QED\0", "QED"),
            (0, b"KDMV", "VMDK"),
            (0, b"COWD", "VMDK"),
            (0, b"# Disk DescriptorFile", "VMDK"),
            (0, b"vhdxfile", "VHDX"),
            (0, b"conectix", "VHD"),
            (40_960 - 512, b"conectix", "VHD"),
            (64, b"\x7f\x10\xda\xbe", "VDI"),
            (0, b"WithoutFreeSpace", "Parallels"),
            (0, b"LUKS\xba\xbe", "LUKS"),
            (32_769, b"CD001", "ISO 9660"),
            (0, b"\x1f\x8b\x08", "gzip"),
            (0, b"\xfd7zXZ\0", "xz"),
            (0, b"\x28\xb5\x2f\xfd", "zstd"),
            (0, b"BZh91AY", "bzip2"),
        ] {
            let said = error(image(40_960, &[(at, magic)]));
            assert!(said.contains(name), "{name}: {said}");
        }
    }

    #[test]
    fn two_formats_at_once_are_refused() {
        let said = error(image(40_960, &[(0, b"QFI\xfb\0\0\0\x03"), (32_769, b"CD001")]));
        assert!(said.contains("qcow2 and iso at once"), "{said}");
    }

    #[test]
    fn the_rest_is_raw() {
        for size in [0, 1, 512, 513, 40_960] {
            let opened = open(image(size, &[]), &Overlays::default(), &Limits::default()).unwrap();
            assert_eq!(
                (opened.format, opened.disk.size()),
                ("raw", u64::try_from(size.next_multiple_of(512)).unwrap())
            );
        }
    }
}
