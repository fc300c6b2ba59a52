//! One module file → its `.modinfo`: NUL-separated `key=value` (`include/linux/moduleparam.h`).

use super::{module_name, normalise};
use crate::bytes::{read_capped, slice, text};
use crate::error::{Error, Result};
use crate::fact::Fact;
use crate::guest::Module;
use flate2::read::MultiGzDecoder;
use goblin::container::{Container, Ctx};
use goblin::elf::header::{EI_CLASS, ELFCLASS64, ET_REL, Header};
use goblin::elf::section_header::{SHT_NOBITS, SHT_NULL};
use goblin::elf::{Elf, SectionHeader};
use liblzma::read::XzDecoder;
use liblzma::stream::Stream;
use std::io::Read;

/// Bytes that liblzma may take: xz's `-9` asks for 65 MiB (`man 1 xz`), module files are made with less.
const XZ_MEMORY: u64 = 96 * 1024 * 1024;

/// The suffixes that kmod unpacks, with the bytes that such a file begins with (`libkmod/libkmod-file.c`).
const COMPRESSIONS: &[(&str, &[u8], Open)] = &[
    (".gz", &[0x1f, 0x8b], |bytes| Ok(Box::new(MultiGzDecoder::new(bytes)))),
    (".xz", b"\xfd7zXZ\0", |bytes| {
        let stream = Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(|error| Error::io("xz decoder", error))?;
        Ok(Box::new(XzDecoder::new_stream(bytes, stream)))
    }),
    (".zst", &[0x28, 0xb5, 0x2f, 0xfd], |bytes| {
        let decoder = zstd::Decoder::with_buffer(bytes).map_err(|error| Error::io("zstd decoder", error))?;
        Ok(Box::new(decoder))
    }),
];

/// `MODULE_SIG_STRING` (`include/linux/module_signature.h`), the end of a module file with a signature.
const SIGNED: &[u8] = b"~Module signature appended~\n";

type Open = fn(&[u8]) -> Result<Box<dyn Read + '_>>;

/// The ELF file within the module file `name`, at most `limit` bytes of it.
///
/// # Errors
/// `Corrupt` when the content is not what the suffix says or is damaged, `TooLarge` past the limit.
pub fn decompress(name: &str, stored: Vec<u8>, limit: u64) -> Result<Vec<u8>> {
    let Some((suffix, magic, open)) = COMPRESSIONS.iter().find(|(suffix, _, _)| name.ends_with(suffix)) else {
        return Ok(stored);
    };
    if !stored.starts_with(magic) {
        return Err(Error::corrupt("kernel module", format!("its content is not what {suffix} stands for")));
    }
    let mut reader = open(&stored)?;
    read_capped(&mut *reader, limit, "kernel module").map_err(|error| match error.kind {
        crate::error::ErrorKind::Io => Error::corrupt("kernel module", error.cause.unwrap_or_default()),
        _ => error,
    })
}

/// What the module file at `path` (relative to its folder) with the unpacked content `elf` says of itself.
///
/// # Errors
/// `Corrupt` when it is no ELF object file or lacks `.modinfo`, `depends` or `vermagic`: `modpost` writes both always.
pub fn parse_modinfo(path: &str, elf: &[u8]) -> Result<Module> {
    if elf.is_empty() {
        return Err(Error::corrupt("kernel module", "the file is empty"));
    }
    let section = section(elf, b".modinfo")?;
    let mut module = Module {
        name: module_name(path.as_bytes()).unwrap_or_else(|| normalise(path)),
        path: path.to_owned(),
        depends: Vec::new(),
        softdeps: Vec::new(),
        aliases: Vec::new(),
        vermagic: String::new(),
        machine: crate::guest::os_release::machine(elf).into(),
        is_indexed: Fact::default(),
        is_aliased: Fact::default(),
        is_signed: Fact::Known(elf.ends_with(SIGNED)),
    };
    let (mut has_depends, mut has_vermagic) = (false, false);
    for record in section.split(|byte| *byte == 0) {
        let record = text(record);
        match record.split_once('=') {
            Some(("depends", list)) => {
                has_depends = true;
                module.depends.extend(list.split(',').filter(|name| !name.is_empty()).map(normalise));
            }
            Some(("softdep", text)) => module.softdeps.push(text.to_owned()),
            Some(("alias", text)) => module.aliases.push(text.to_owned()),
            Some(("vermagic", text)) => {
                has_vermagic = true;
                text.clone_into(&mut module.vermagic);
            }
            _ => {}
        }
    }
    match (has_depends, has_vermagic) {
        (true, true) => Ok(module),
        (false, _) => Err(Error::corrupt("kernel module", "its .modinfo has no depends=")),
        (true, false) => Err(Error::corrupt("kernel module", "its .modinfo has no vermagic=")),
    }
}

/// The first section called `name`. The section table is read alone: goblin's whole parse would look at symbols and
/// relocations that nothing here needs.
fn section<'a>(elf: &'a [u8], name: &[u8]) -> Result<&'a [u8]> {
    let corrupt = |cause: String| Error::corrupt("kernel module", cause);
    let header = Elf::parse_header(elf).map_err(|error| corrupt(format!("not an ELF file: {error}")))?;
    if header.e_type != ET_REL {
        return Err(corrupt(format!("ELF type {}, an object file has {ET_REL}", header.e_type)));
    }
    let is_64 = header.e_ident.get(EI_CLASS) == Some(&ELFCLASS64);
    let container = if is_64 { Container::Big } else { Container::Little };
    let endianness = header.endianness().map_err(|error| corrupt(error.to_string()))?;
    let table = usize::try_from(header.e_shoff).map_err(|_| corrupt("section table past the end".into()))?;
    let sections = SectionHeader::parse(elf, table, header.e_shnum.into(), Ctx::new(container, endianness))
        .map_err(|error| corrupt(format!("section table: {error}")))?;
    let body = |section: &SectionHeader| {
        let start = usize::try_from(section.sh_offset).ok()?;
        slice(elf, start, usize::try_from(section.sh_size).ok()?)
    };
    check_sections(elf, &header, &sections)?;
    let names = sections.get(usize::from(header.e_shstrndx)).and_then(body);
    let names = names.ok_or_else(|| corrupt("its section names lie past the end".into()))?;
    let is_called = |section: &&SectionHeader| {
        let start = section.sh_name;
        let found = names.get(start..).and_then(|rest| rest.split(|byte| *byte == 0).next());
        found == Some(name)
    };
    let found = sections.iter().find(is_called).ok_or_else(|| corrupt(format!("no {} section", text(name))))?;
    body(found).ok_or_else(|| corrupt(format!("its {} section lies past the end", text(name))))
}

/// `elf_validity_check` of Linux's `kernel/module/main.c`: each section lies within the file.
fn check_sections(elf: &[u8], header: &Header, sections: &[SectionHeader]) -> Result<()> {
    let is_64 = header.e_ident.get(EI_CLASS) == Some(&ELFCLASS64);
    let expected = if is_64 { 64 } else { 40 };
    if header.e_shentsize != expected {
        let cause = format!("its section headers have {} bytes, expected {expected}", header.e_shentsize);
        return Err(Error::corrupt("kernel module", cause));
    }
    let end = u64::try_from(elf.len()).unwrap_or(u64::MAX);
    for (section, number) in sections.iter().zip(0_u32..) {
        let is_stored = !matches!(section.sh_type, SHT_NULL | SHT_NOBITS);
        let last = section.sh_offset.checked_add(section.sh_size);
        if is_stored && last.is_none_or(|last| last > end) {
            let cause = format!("its section {number} ends past the end of the file at byte {end}");
            return Err(Error::corrupt("kernel module", cause));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write as _;

    /// A little-endian ELF64 object with one `.modinfo` section, as small as the format allows.
    pub(crate) fn module(records: &[&str]) -> Vec<u8> {
        let names = b"\0.modinfo\0.shstrtab\0";
        let mut modinfo = records.join("\0").into_bytes();
        modinfo.push(0);
        let start = [64, names.len()].iter().sum();
        let table: usize = [start, modinfo.len()].iter().sum();
        let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let half = |elf: &mut Vec<u8>, value: u16| elf.extend(value.to_le_bytes());
        half(&mut elf, 1);
        half(&mut elf, 62);
        elf.extend(1_u32.to_le_bytes());
        elf.extend([0; 16]);
        elf.extend(u64::try_from(table).unwrap().to_le_bytes());
        elf.extend([0; 4]);
        for value in [64, 0, 0, 64, 3, 2] {
            half(&mut elf, value);
        }
        elf.extend(names);
        elf.extend(&modinfo);
        elf.extend([0; 64]);
        let mut header = |name: u32, kind: u32, offset: usize, size: usize| {
            elf.extend(name.to_le_bytes());
            elf.extend(kind.to_le_bytes());
            elf.extend([0; 16]);
            for value in [offset, size] {
                elf.extend(u64::try_from(value).unwrap().to_le_bytes());
            }
            elf.extend([0; 24]);
        };
        header(1, 1, start, modinfo.len());
        header(10, 3, 64, names.len());
        elf
    }

    const RECORDS: &[&str] =
        &["alias=virtio:d00000008v*", "depends=virtio-ring,scsi_mod", "softdep=pre: x", "vermagic=6.1.0 SMP "];

    #[test]
    fn reads_the_records() {
        let mut signed = module(RECORDS);
        signed.extend(b"signature~Module signature appended~\n");
        for (elf, is_signed) in [(module(RECORDS), false), (signed, true)] {
            let module = parse_modinfo("kernel/drivers/scsi/virtio-scsi.ko", &elf).unwrap();
            assert_eq!((module.name.as_str(), module.vermagic.as_str()), ("virtio_scsi", "6.1.0 SMP "));
            assert_eq!(module.depends, ["virtio_ring", "scsi_mod"]);
            assert_eq!(module.is_signed, Fact::Known(is_signed));
            assert_eq!(module.machine, Fact::Known("x86_64".into()));
            assert_eq!((module.softdeps, module.aliases), (vec!["pre: x".into()], vec!["virtio:d00000008v*".into()]));
        }
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        let whole = module(RECORDS);
        let mut program = whole.clone();
        program[16] = 2;
        let table = whole.len() - 192;
        let at = |position: usize, byte: u8| {
            let mut elf = whole.clone();
            elf[position] = byte;
            elf
        };
        for (elf, cause) in [
            (Vec::new(), "the file is empty"),
            (b"#!/bin/sh\n".repeat(20), "not an ELF file"),
            (program, "ELF type 2"),
            (module(&["vermagic=6.1"]), "no depends="),
            (module(&["depends="]), "no vermagic="),
            (whole[..whole.len() - 1].to_vec(), "section table"),
            (at(58, 40), "section headers have 40 bytes"),
            (at(table + 64 + 33, 0xff), "section 1 ends past the end"),
            (at(table + 128 + 31, 0xff), "section 2 ends past the end"),
        ] {
            let error = parse_modinfo("a.ko", &elf).unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
        for length in 0..whole.len() {
            assert!(parse_modinfo("a.ko", &whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn flipped_bytes_never_panic() {
        let whole = module(RECORDS);
        for position in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut elf = whole.clone();
                elf[position] ^= flip;
                let _ = parse_modinfo("a.ko", &elf);
            }
        }
    }

    #[test]
    fn unpacks_by_suffix() {
        let plain = module(RECORDS);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&plain).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(&plain).unwrap();
        let packed = [
            ("a.ko", plain.clone()),
            ("a.ko.gz", gzip.finish().unwrap()),
            ("a.ko.xz", xz.finish().unwrap()),
            ("a.ko.zst", zstd::encode_all(plain.as_slice(), 1).unwrap()),
        ];
        for (name, stored) in packed {
            assert_eq!(decompress(name, stored.clone(), 4096).unwrap(), plain, "{name}");
            if name != "a.ko" {
                assert!(decompress(name, stored.clone(), 100).is_err(), "{name}");
                assert!(decompress(name, plain.clone(), 4096).is_err(), "{name}");
                assert!(decompress(name, stored[..stored.len() - 1].to_vec(), 4096).is_err(), "{name}");
            }
        }
    }
}
