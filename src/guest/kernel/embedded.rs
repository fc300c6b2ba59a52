//! The initramfs inside a kernel: a bzImage holds a compressed ELF file (`Documentation/arch/x86/boot.rst`,
//! `payload_offset`), whose `.init.data` ends with the archive and its length (`INIT_RAM_FS` of
//! `include/asm-generic/vmlinux.lds.h`, `usr/initramfs_data.S`).

use crate::bytes::{from_io, le_u16, le_u32, le_u64, read_capped, slice};
use crate::disk::filesystem::Root;
use crate::error::{Error, Result};
use crate::fact::Fact;
use crate::guest::{BootEntry, Initrd, Kernel, initrd, pe};
use crate::limits::{Limits, MIB};
use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, ELFCLASS64, Header};
use goblin::elf::section_header::SHT_PROGBITS;
use goblin::elf::{Elf, SectionHeader};
use std::io::{self, Read};

/// Why the initramfs of most kernels is unknown.
pub(super) const NOT_LOOKED_FOR: &str = "not looked for: no boot entry does without an initrd for this kernel";
/// Kernels whose initramfs is looked for: each is unpacked whole, and images without initrds keep one or two.
const MAX_UNPACKED: usize = 8;
/// Bytes of an unpacked kernel: Debian 13's has 58 MB, a quarter of the worker's address space holds any.
const MAX_VMLINUX: u64 = 256 * MIB;
/// Bytes of the front of a bzImage up to `payload_length`.
const HEADER: u64 = 0x250;
/// Bytes of the unpacked length behind all compressed data but gzip's, which end so themselves (`size_append` of
/// `scripts/Makefile.lib`).
const LENGTH: u64 = 4;
const GZIP: &[u8] = &[0x1f, 0x8b];
/// The sections that hold the archive: `INIT_DATA_SECTION` puts it into the first.
const AREAS: &[&[u8]] = &[b".init.data", b".init.ramfs"];
/// `ALIGN` of `INIT_RAM_FS` before the archive, and before `__initramfs_size`.
const ALIGN: u64 = 4;
const SIZE_ALIGN: u64 = 8;
const WHAT: &str = "compressed kernel";

/// Looks for the initramfs of each kernel that some boot entry starts without an initrd on any attempt.
pub fn add_initramfs(root: &Root, entries: &[BootEntry], kernels: &mut [Kernel], wanted: &[String], limits: &Limits) {
    let bare: Vec<&str> = entries.iter().flat_map(bare_kernels).collect();
    let found = kernels.iter_mut().filter(|kernel| bare.contains(&kernel.path.as_str()));
    for (kernel, number) in found.zip(0_usize..) {
        kernel.initramfs = if number < MAX_UNPACKED {
            read(root, kernel, wanted, limits).map_err(|error| error.at(&kernel.path)).into()
        } else {
            Fact::unknown(format!(
                "more than {MAX_UNPACKED} kernels are started without an initrd; this one was not read"
            ))
        };
    }
}

/// Kernels that an entry starts without an initrd, when no attempt of it has one.
fn bare_kernels(entry: &BootEntry) -> impl Iterator<Item = &str> {
    let attempts = entry.attempts.known().map(|attempts| attempts.items.as_slice()).unwrap_or_default();
    let has_initrd = attempts.iter().any(|attempt| attempt.initrds.known().is_some_and(|paths| !paths.is_empty()));
    let bare = attempts.iter().filter(move |attempt| !has_initrd && attempt.initrds.known().is_some());
    bare.map(|attempt| attempt.kernel.as_str())
}

fn read(root: &Root, kernel: &Kernel, wanted: &[String], limits: &Limits) -> Result<Option<Initrd>> {
    let config = kernel.config.known().and_then(Option::as_ref);
    let mut options = config.iter().flat_map(|config| &config.options);
    if options.any(|option| option.name == "CONFIG_BLK_DEV_INITRD" && option.value == "n") {
        return Ok(None);
    }
    let vmlinux = vmlinux(root, &kernel.path)?;
    let archive = archive(&vmlinux)?;
    let open = || -> Result<Box<dyn Read + '_>> { Ok(Box::new(archive)) };
    let path = format!("{} (built-in initramfs)", kernel.path);
    let size = u64::try_from(archive.len()).unwrap_or(u64::MAX);
    Ok(Some(initrd::inspect(&path, size, &open, wanted, limits)))
}

/// The ELF file that the bzImage at `path` unpacks.
fn vmlinux(root: &Root, path: &str) -> Result<Vec<u8>> {
    let mut file = pe::open(root, path)?;
    let header = read_capped(&mut (&mut file).take(HEADER), HEADER, WHAT)?;
    let (start, length) = payload(&header)?;
    let size = pe::size(root, path)?;
    if start.checked_add(length).is_none_or(|end| end > size) {
        return Err(corrupt(format!("{length} bytes are said to stand at byte {start}, the file has {size}")));
    }
    let skipped = start.checked_sub(HEADER).ok_or_else(|| corrupt("it lies within the header"))?;
    io::copy(&mut (&mut file).take(skipped), &mut io::sink()).map_err(|error| from_io(error, WHAT))?;
    let magic = word(&mut file)?;
    let behind = if magic.starts_with(GZIP) { 0 } else { LENGTH };
    let rest = length.checked_sub(LENGTH.saturating_add(behind)).ok_or_else(|| corrupt(format!("{length} bytes")))?;
    let stream = magic.as_slice().chain((&mut file).take(rest));
    let unpacked = initrd::decompress(WHAT, Box::new(stream), length, MAX_VMLINUX)?;
    if behind > 0 {
        let claimed = u32::from_le_bytes(word(&mut file)?);
        if u32::try_from(unpacked.len()) != Ok(claimed) {
            return Err(corrupt(format!("it unpacks to {} bytes, and says {claimed}", unpacked.len())));
        }
    }
    Ok(unpacked)
}

fn word(file: &mut dyn Read) -> Result<[u8; 4]> {
    let mut word = [0; 4];
    file.read_exact(&mut word).map_err(|error| from_io(error, WHAT))?;
    Ok(word)
}

fn corrupt(cause: impl Into<String>) -> Error {
    Error::corrupt(WHAT, cause)
}

/// Where the payload of a bzImage is, and its bytes.
fn payload(header: &[u8]) -> Result<(u64, u64)> {
    if slice(header, 0x202, 4) != Some(b"HdrS") {
        let cause = "only that of x86's bzImage is looked for by this version";
        return Err(Error::unsupported("initramfs inside the kernel", cause));
    }
    let fields = le_u16(header, 0x206).filter(|protocol| *protocol >= 0x208);
    let fields = fields.and_then(|_| Some((*header.get(0x1f1)?, le_u32(header, 0x248)?, le_u32(header, 0x24c)?)));
    let Some((sectors, offset, length)) = fields.filter(|(_, offset, length)| *offset > 0 && *length > 0) else {
        let cause = "its header does not say where it is (boot protocol 2.08 does)";
        return Err(Error::unsupported(WHAT, cause));
    };
    // The offset counts from the protected-mode code, behind the setup sectors; 0 of them stand for 4.
    let sectors = if sectors == 0 { 4 } else { u64::from(sectors) };
    let code = sectors.saturating_add(1).saturating_mul(512);
    Ok((code.saturating_add(offset.into()), length.into()))
}

/// The archive within an unpacked kernel.
fn archive(elf: &[u8]) -> Result<&[u8]> {
    let uncertain = |cause: &str| Error::unsupported("initramfs inside the kernel", cause);
    let header = Elf::parse_header(elf).map_err(|error| corrupt(format!("no ELF file is in it: {error}")))?;
    let is_64 = header.e_ident.get(EI_CLASS) == Some(&ELFCLASS64);
    let sections = sections(elf, &header, is_64)?;
    let names = sections.get(usize::from(header.e_shstrndx)).and_then(|section| body(elf, section));
    let names = names.ok_or_else(|| corrupt("its section names lie past the end"))?;
    let mut areas = sections.iter().filter(|section| AREAS.contains(&name(names, section.sh_name)));
    let (Some(area), None) = (areas.next(), areas.next()) else {
        return Err(uncertain("the kernel does not have one section .init.data or .init.ramfs"));
    };
    let bytes = body(elf, area).filter(|_| area.sh_type == SHT_PROGBITS);
    let bytes = bytes.ok_or_else(|| corrupt("its .init.data lies past the end"))?;
    within(bytes, area.sh_addr, is_64).ok_or_else(|| uncertain("no archive ends .init.data, where Linux has it"))
}

fn sections(elf: &[u8], header: &Header, is_64: bool) -> Result<Vec<SectionHeader>> {
    let (container, expected) = if is_64 { (Container::Big, 64) } else { (Container::Little, 40) };
    let endian = header.endianness().map_err(|error| corrupt(error.to_string()))?;
    if endian != Endian::Little || header.e_shentsize != expected {
        return Err(corrupt("its ELF header is not one of x86"));
    }
    let table = usize::try_from(header.e_shoff).map_err(|_| corrupt("its section table lies past the end"))?;
    SectionHeader::parse(elf, table, header.e_shnum.into(), Ctx::new(container, endian))
        .map_err(|error| corrupt(format!("section table: {error}")))
}

fn body<'e>(elf: &'e [u8], section: &SectionHeader) -> Option<&'e [u8]> {
    slice(elf, usize::try_from(section.sh_offset).ok()?, usize::try_from(section.sh_size).ok()?)
}

fn name(names: &[u8], start: usize) -> &[u8] {
    names.get(start..).and_then(|rest| rest.split(|byte| *byte == 0).next()).unwrap_or_default()
}

/// The archive at the end of `area`, which is loaded at `address`. Its length stands last, at a multiple of 8, a word of
/// the machine; between the two is nothing but zeros. Of the places that leaves, one must begin an archive.
fn within(area: &[u8], address: u64, is_64: bool) -> Option<&[u8]> {
    let end = area.len().checked_sub(if is_64 { 8 } else { 4 })?;
    let at = |place: usize| address.checked_add(u64::try_from(place).ok()?);
    let length = if is_64 { le_u64(area, end)? } else { le_u32(area, end)?.into() };
    let length = usize::try_from(length).ok().filter(|length| *length > 0)?;
    if !at(end)?.is_multiple_of(SIZE_ALIGN) {
        return None;
    }
    let mut found = (0..8_usize).filter_map(|padding| {
        let start = end.checked_sub(padding)?.checked_sub(length)?;
        let is_padded = area.get(end.checked_sub(padding)?..end)?.iter().all(|byte| *byte == 0);
        let archive = slice(area, start, length)?;
        (at(start)?.is_multiple_of(ALIGN) && is_padded && initrd::is_archive(archive)).then_some(archive)
    });
    let archive = found.next()?;
    found.next().is_none().then_some(archive)
}
