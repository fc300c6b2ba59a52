//! A kernel image → version and architecture (`Documentation/arch/x86/boot.rst`), and its configuration.

mod config;
mod embedded;

pub use config::{CONFIG_OPTIONS, parse_config};
pub use embedded::add_initramfs;

use crate::bytes::{le_u16, le_u32, read_capped, slice, text};
use crate::disk::filesystem::Root;
use crate::error::{Error, ErrorKind, Result};
use crate::fact::{Fact, Flaw, Listing};
use crate::guest::{Kernel, os_release, pe};
use crate::limits::Limits;
use flate2::read::GzDecoder;
use std::io::Read as _;

/// Bytes from the front of a kernel that can hold its version: the setup part is at most 64 KiB behind its first sector.
const HEADER: u64 = 0x200 + 0x1_0000 + 0x200;

/// Bytes of a version: Linux's `__NEW_UTS_LEN`.
const MAX_VERSION: usize = 64;

/// What a kernel image says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `uname -r`; unknown for formats that do not carry it.
    pub version: Fact<String>,
    /// As Nova names it.
    pub architecture: Fact<String>,
}

/// Reads header and configuration of the kernel at `path`; its modules and its initramfs are left to their own readers.
pub fn read(root: &Root, path: &str, limits: &Limits) -> Kernel {
    let front = pe::open(root, path).and_then(|file| read_capped(&mut file.take(HEADER), HEADER, "kernel"));
    let exists = match &front {
        Ok(_) => Fact::Known(true),
        Err(error) if error.kind == ErrorKind::NotFound => Fact::Known(false),
        Err(error) => Fact::Unknown(error.clone().into()),
    };
    let claimed = front.as_ref().map(|front| claimed_size(front)).map_err(Clone::clone);
    let header = front.and_then(|front| parse_header(&front)).map_err(|error| match error.kind {
        ErrorKind::NotFound => error.because("there is no such file").at(path),
        _ => error.at(path),
    });
    let (version, architecture) = match header {
        Ok(header) => (header.version, header.architecture),
        Err(error) => (Fact::Unknown(error.clone().into()), Fact::Unknown(error.into())),
    };
    let config = match &version {
        Fact::Known(version) => config::read(root, version, limits).into(),
        Fact::Unknown(gap) => Fact::Unknown(gap.clone()),
    };
    let flaws = flaws(root, path, &claimed);
    let (modules, initramfs) = (Fact::default(), Fact::unknown(embedded::NOT_LOOKED_FOR));
    Kernel { path: path.to_owned(), exists, version, architecture, config, modules, flaws, initramfs }
}

/// Whether the file is as long as its header claims.
fn flaws(root: &Root, path: &str, claimed: &Result<Option<u64>>) -> Fact<Listing<Flaw>> {
    let (claimed, size) = match (claimed, pe::size(root, path)) {
        (Ok(claimed), Ok(size)) => (*claimed, size),
        (Err(error), _) => return Fact::Unknown(error.clone().into()),
        (_, Err(error)) => return Fact::Unknown(error.into()),
    };
    let cut = claimed.filter(|claimed| *claimed > size).map(|claimed| Flaw {
        id: "kernel-cut-short".to_owned(),
        found: format!("the kernel has {size} bytes, its header claims {claimed}"),
        fatal: true,
    });
    Fact::Known(cut.into_iter().collect::<Vec<_>>().into())
}

/// Bytes that an x86 kernel has at least: setup sectors, and `syssize` in units of 16 bytes
/// (`Documentation/arch/x86/boot.rst`); `None` for formats that do not say it.
fn claimed_size(bytes: &[u8]) -> Option<u64> {
    if slice(bytes, 0x202, 4) != Some(b"HdrS") {
        return None;
    }
    let sectors = u64::from(bytes.get(0x1f1).map(|&sectors| if sectors == 0 { 4 } else { sectors })?);
    // Before protocol 2.04 the field had two bytes.
    let is_wide = le_u16(bytes, 0x206)? >= 0x204;
    let paragraphs = if is_wide { le_u32(bytes, 0x1f4)? } else { u32::from(le_u16(bytes, 0x1f4)?) };
    let code = u64::from(paragraphs).checked_mul(16)?;
    sectors.checked_add(1)?.checked_mul(512)?.checked_add(code)
}

/// Reads the first bytes of a kernel image.
///
/// # Errors
/// `Unsupported` for what is no kernel image that this version knows.
pub fn parse_header(bytes: &[u8]) -> Result<Header> {
    if slice(bytes, 0x202, 4) == Some(b"HdrS") {
        return Ok(Header { version: x86_version(bytes).into(), architecture: x86_architecture(bytes).into() });
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut image = GzDecoder::new(bytes).take(4096);
        return without_version(&read_capped(&mut image, 4096, "compressed kernel")?);
    }
    without_version(bytes)
}

/// `kernel_version` points from the end of the first sector to `uname -r`, a blank and the builder.
fn x86_version(bytes: &[u8]) -> Result<String> {
    let protocol = le_u16(bytes, 0x206).ok_or_else(|| cut(bytes))?;
    let pointer = le_u16(bytes, 0x20e).ok_or_else(|| cut(bytes))?;
    if protocol < 0x200 || pointer == 0 {
        return Err(Error::unsupported("kernel header", "it carries no version"));
    }
    // The string lies in the real-mode code; 0 sectors stand for 4.
    let sectors = bytes.get(0x1f1).map_or(0, |&sectors| if sectors == 0 { 4 } else { usize::from(sectors) });
    let start = usize::from(pointer).saturating_add(0x200);
    if start >= sectors.saturating_add(1).saturating_mul(512) {
        let cause = format!("the version is said to stand at byte {start}, behind {sectors} setup sectors");
        return Err(Error::corrupt("kernel header", cause));
    }
    let behind = bytes.get(start..).ok_or_else(|| cut(bytes))?;
    let end = behind.iter().position(|&byte| matches!(byte, b' ' | 0)).ok_or_else(|| cut(bytes))?;
    let version = behind.get(..end).unwrap_or_default();
    if version.is_empty() || version.len() > MAX_VERSION || !version.iter().all(u8::is_ascii_graphic) {
        return Err(Error::corrupt("kernel header", "no version stands where it points to"));
    }
    Ok(text(version))
}

/// `xloadflags` says since protocol 2.12 whether there is a 64-bit entry point.
fn x86_architecture(bytes: &[u8]) -> Result<String> {
    let protocol = le_u16(bytes, 0x206).ok_or_else(|| cut(bytes))?;
    if protocol < 0x20c {
        let cause = format!("boot protocol {}.{} does not say 32 or 64 bits", protocol >> 8, protocol & 0xff);
        return Err(Error::unsupported("kernel header", cause));
    }
    let flags = le_u16(bytes, 0x236).ok_or_else(|| cut(bytes))?;
    Ok(if flags & 1 == 1 { "x86_64" } else { "i686" }.to_owned())
}

/// Formats that name the machine and not the version.
fn without_version(bytes: &[u8]) -> Result<Header> {
    let (format, architecture) = if slice(bytes, 56, 4) == Some(b"ARM\x64") {
        ("an arm64 Image", Ok("aarch64".to_owned()))
    } else if slice(bytes, 56, 4) == Some(b"RSC\x05") {
        ("a RISC-V Image", Ok("riscv64".to_owned()))
    } else if le_u32(bytes, 0x24) == Some(0x016f_2818) {
        ("an ARM zImage", Ok("armv7l".to_owned()))
    } else if bytes.starts_with(b"\x7fELF") {
        ("an ELF kernel", os_release::machine(bytes))
    } else if bytes.starts_with(b"MZ") {
        let is_zboot = slice(bytes, 4, 4) == Some(b"zimg");
        (if is_zboot { "an EFI zboot image" } else { "an EFI program" }, pe_machine(bytes))
    } else {
        let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let cause = format!("it begins with {}, which is no kernel image that this version knows", start.join(" "));
        return Err(Error::unsupported("kernel", cause));
    };
    let version = Err(Error::unsupported("kernel header", format!("{format} carries no version")));
    Ok(Header { version: version.into(), architecture: architecture.into() })
}

/// The machine of a PE file (Microsoft's PE format, `Machine Types`).
fn pe_machine(bytes: &[u8]) -> Result<String> {
    let start = le_u32(bytes, 0x3c).and_then(|start| usize::try_from(start).ok()).ok_or_else(|| cut(bytes))?;
    let header = bytes.get(start..).filter(|header| header.starts_with(b"PE\0\0")).ok_or_else(|| cut(bytes))?;
    let name = match le_u16(header, 4) {
        Some(0x8664) => "x86_64",
        Some(0x014c) => "i686",
        Some(0xaa64) => "aarch64",
        Some(0x01c2) => "armv7l",
        Some(0x5064) => "riscv64",
        machine => {
            let cause = format!("machine {:#06x} is none that this version knows", machine.unwrap_or_default());
            return Err(Error::unsupported("PE header", cause));
        }
    };
    Ok(name.to_owned())
}

fn cut(bytes: &[u8]) -> Error {
    Error::corrupt("kernel header", format!("{} bytes of it are there and it needs more", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;
    use std::io::Write as _;

    /// A setup part of `sectors` sectors with its version behind the header.
    fn bzimage(protocol: u16, flags: u16, version: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 0x4000];
        image[0x1f1] = 0x1f;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&protocol.to_le_bytes());
        image[0x20e..0x210].copy_from_slice(&0x3000_u16.to_le_bytes());
        image[0x236..0x238].copy_from_slice(&flags.to_le_bytes());
        image.splice(0x3200..0x3201, version.iter().copied());
        image
    }

    fn words(bytes: &[u8]) -> (Option<String>, Option<String>) {
        let header = parse_header(bytes).unwrap();
        (header.version.known().cloned(), header.architecture.known().cloned())
    }

    #[test]
    fn x86_kernels_name_their_version() {
        let debian = b"6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.158-1\0";
        let some = |text: &str| Some(text.to_owned());
        for (protocol, flags, version, expected) in [
            (0x20f, 0x7f, debian.as_slice(), (some("6.1.0-56-cloud-amd64"), some("x86_64"))),
            (0x20f, 0x00, b"6.1.0-56-686\0", (some("6.1.0-56-686"), some("i686"))),
            (0x20a, 0x01, b"2.6.32-754.el6.x86_64 (x) #1\0", (some("2.6.32-754.el6.x86_64"), None)),
            (0x20f, 0x01, b" 6.1\0", (None, some("x86_64"))),
            (0x20f, 0x01, b"6.1\xff\0", (None, some("x86_64"))),
            (0x20f, 0x01, &[b'6'; 65], (None, some("x86_64"))),
        ] {
            assert_eq!(words(&bzimage(protocol, flags, version)), expected, "{}", text(version));
        }
    }

    #[test]
    fn the_header_says_how_long_the_file_is() {
        let mut image = bzimage(0x20f, 1, b"6.1.0 (x)");
        image[0x1f1] = 3;
        image[0x1f4..0x1f8].copy_from_slice(&0x10_0001_u32.to_le_bytes());
        assert_eq!(claimed_size(&image), Some(4 * 512 + 0x10_0001 * 16));
        image[0x206..0x208].copy_from_slice(&0x203_u16.to_le_bytes());
        assert_eq!(claimed_size(&image), Some(4 * 512 + 16), "two bytes before protocol 2.04");
        assert_eq!(claimed_size(&[0; 0x300]), None);
    }

    #[test]
    fn a_cut_or_forged_header_gives_no_version() {
        let whole = bzimage(0x20f, 1, b"6.1.0-56-cloud-amd64 (x)\0");
        for length in (0x206..whole.len()).step_by(7) {
            let version = words(&whole[..length]).0;
            assert!(version.is_none() || length > 0x3200 + 20, "{length}: {version:?}");
        }
        let mut forged = whole.clone();
        forged[0x1f1] = 2;
        assert_eq!(words(&forged).0, None, "behind the setup sectors");
        forged[0x1f1] = 0x1f;
        forged[0x20e..0x210].copy_from_slice(&[0, 0]);
        assert_eq!(words(&forged).0, None, "no pointer");
    }

    #[test]
    fn other_formats_name_their_machine_only() {
        let at = |place: usize, magic: &[u8]| {
            let mut image = vec![0; 4096];
            image[place..place + magic.len()].copy_from_slice(magic);
            image
        };
        let arm64 = at(56, b"ARM\x64");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&arm64).unwrap();
        let mut zboot = at(0, b"MZ\0\0zimg");
        zboot[0x3c] = 0x40;
        zboot[0x40..0x46].copy_from_slice(b"PE\0\0\x64\xaa");
        let mut elf = at(0, b"\x7fELF\x02\x01\x01");
        elf[18] = 21;
        for (image, name) in [
            (arm64, Some("aarch64")),
            (gzip.finish().unwrap(), Some("aarch64")),
            (zboot, Some("aarch64")),
            (at(56, b"RSC\x05"), Some("riscv64")),
            (elf, Some("ppc64le")),
            (at(0, b"MZ"), None),
        ] {
            assert_eq!(words(&image), (None, name.map(str::to_owned)));
        }
        for nothing in [b"".as_slice(), b"\x1f\x8b", b"\x1f\x8b\x08\x00 not gzip", b"#!/bin/sh\n"] {
            assert!(parse_header(nothing).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn absence_is_said_as_such() {
        let kernel = bzimage(0x20f, 1, b"6.1 x\0");
        let tree = Memory::new("ext4", "", "").file("/boot/vmlinuz-9", kernel).link("/vmlinuz", "boot/vmlinuz-9");
        let tree = tree.file("/boot/config-6.1", "CONFIG_EXT4_FS=y\n").unreadable("/boot/broken");
        let root = tree.root();
        for (path, exists, version, has_config) in [
            ("/vmlinuz", Some(true), Some("6.1"), true),
            ("/boot/vmlinuz-8", Some(false), None, false),
            ("/boot/broken", None, None, false),
            ("/boot/config-6.1", Some(true), None, false),
        ] {
            let kernel = read(&root, path, &Limits::default());
            assert_eq!(kernel.exists.known().copied(), exists, "{path}");
            assert_eq!(kernel.version.known().map(String::as_str), version, "{path}");
            assert_eq!(kernel.config.known().is_some_and(Option::is_some), has_config, "{path}");
        }
    }
}
