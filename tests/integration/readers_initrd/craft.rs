//! Initrds made to measure: archives by the cpio crate, headers that it would not write by hand.

use bootworthy::guest::initrd::inspect;
use bootworthy::guest::{Initrd, modules};
use bootworthy::limits::Limits;
use cpio::newc::Builder;
use flate2::{Compression, GzBuilder};
use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use std::io::{Read, Write as _};

pub const VERSION: &str = "6.1.0-9-amd64";
const FOLDERS: &[&str] =
    &["usr", "usr/lib", "usr/lib/modules", "usr/lib/modules/6.1.0-9-amd64", "usr/lib/modules/6.1.0-9-amd64/kernel"];

/// Inspects bytes as an initrd.
pub fn inspected(bytes: &[u8]) -> Initrd {
    within(bytes, &Limits::default())
}

pub fn within(bytes: &[u8], limits: &Limits) -> Initrd {
    let open = || Ok(Box::new(bytes) as Box<dyn Read>);
    inspect("/boot/initrd.img", u64::try_from(bytes.len()).unwrap(), &open, &modules::wanted(&[]), limits)
}

/// One entry as the cpio crate writes it.
pub fn entry(name: &str, mode: u32, body: &[u8]) -> Vec<u8> {
    written(Builder::new(name).mode(mode), body)
}

/// Another name of inode 99, of which there are two.
pub fn hard_link(name: &str, body: &[u8]) -> Vec<u8> {
    written(Builder::new(name).mode(0o100_644).ino(99).nlink(2), body)
}

fn written(builder: Builder, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = builder.write(&mut bytes, u32::try_from(body.len()).unwrap());
    writer.write_all(body).unwrap();
    writer.finish().unwrap();
    bytes
}

pub fn file(name: &str, body: &[u8]) -> Vec<u8> {
    entry(name, 0o100_755, body)
}

pub fn folder(name: &str) -> Vec<u8> {
    entry(name, 0o040_755, b"")
}

pub fn link(name: &str, target: &str) -> Vec<u8> {
    entry(name, 0o120_777, target.as_bytes())
}

/// An entry with checksum, which may be wrong.
pub fn with_sum(name: &str, body: &[u8], sum: u32) -> Vec<u8> {
    let mut bytes = file(name, body);
    bytes[..6].copy_from_slice(b"070702");
    bytes[102..110].copy_from_slice(format!("{sum:08X}").as_bytes());
    bytes
}

/// An entry with some bytes of its header replaced.
pub fn forged(mut entry: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    entry[at..at + bytes.len()].copy_from_slice(bytes);
    entry
}

pub fn trailer() -> Vec<u8> {
    cpio::newc::trailer(Vec::new()).unwrap()
}

/// Entries and a trailer.
pub fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), trailer()].concat()
}

pub fn folders() -> Vec<u8> {
    FOLDERS.iter().flat_map(|name| folder(name)).chain(link("lib", "usr/lib")).collect()
}

/// The path of a module in [`VERSION`]'s folder.
pub fn module_path(file: &str) -> String {
    format!("usr/lib/modules/{VERSION}/kernel/{file}")
}

/// What most cases build on: /init, and virtio_blk that depends on virtio-ring.
pub fn good_entries() -> Vec<Vec<u8>> {
    vec![
        folders(),
        file("init", b"#!/bin/sh\n"),
        file(&module_path("virtio_blk.ko"), &module(&["virtio-ring"])),
        file(&module_path("virtio-ring.ko"), &module(&[])),
        file(&format!("usr/lib/modules/{VERSION}/modules.builtin"), b"kernel/drivers/virtio/virtio_pci.ko\n"),
        dep(&["kernel/virtio_blk.ko: kernel/virtio-ring.ko", "kernel/virtio-ring.ko:"]),
    ]
}

/// modules.dep.bin with the lines of a modules.dep.
pub fn dep(lines: &[&str]) -> Vec<u8> {
    let name = |line: &str| {
        let file = line.split(':').next().unwrap().rsplit('/').next().unwrap();
        file.split('.').next().unwrap().replace('-', "_").into_bytes()
    };
    let mut rows: Vec<(Vec<u8>, &str)> = lines.iter().map(|line| (name(line), *line)).collect();
    rows.sort();
    let mut bytes = [0xB007_F457_u32.to_be_bytes(), 0x0002_0001_u32.to_be_bytes(), [0; 4]].concat();
    let root = node(&mut bytes, &rows);
    bytes[8..12].copy_from_slice(&root.to_be_bytes());
    file(&format!("usr/lib/modules/{VERSION}/modules.dep.bin"), &bytes)
}

/// A node of the trie without a prefix, behind its children; gives its offset and flags.
fn node(bytes: &mut Vec<u8>, rows: &[(Vec<u8>, &str)]) -> u32 {
    let (values, below): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(|row| row.0.is_empty());
    let mut children = Vec::new();
    if let (Some(first), Some(last)) = (below.first(), below.last()) {
        children.extend([first.0[0], last.0[0]]);
        for byte in first.0[0]..=last.0[0] {
            let of: Vec<_> =
                below.iter().filter(|row| row.0[0] == byte).map(|row| (row.0[1..].to_vec(), row.1)).collect();
            children.extend(if of.is_empty() { 0 } else { node(bytes, &of) }.to_be_bytes());
        }
    }
    let offset = u32::try_from(bytes.len()).unwrap();
    let flags = if children.is_empty() { 0 } else { 0x2000_0000 } | if values.is_empty() { 0 } else { 0x4000_0000 };
    bytes.extend(children);
    if let [(_, line)] = values.as_slice() {
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 0]);
        bytes.extend(line.as_bytes());
        bytes.push(0);
    }
    offset | flags
}

pub fn good() -> Vec<u8> {
    archive(&good_entries())
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_with(GzBuilder::new(), bytes)
}

pub fn gzip_with(builder: GzBuilder, bytes: &[u8]) -> Vec<u8> {
    let mut writer = builder.write(Vec::new(), Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub fn xz(bytes: &[u8], check: Check) -> Vec<u8> {
    let mut filters = Filters::new();
    filters.lzma2(&LzmaOptions::new_preset(6).unwrap());
    xz_with(bytes, check, &filters)
}

pub fn xz_with(bytes: &[u8], check: Check, filters: &Filters) -> Vec<u8> {
    let stream = Stream::new_stream_encoder(filters, check).unwrap();
    let mut writer = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// xz with the dictionary size of its block replaced.
pub fn xz_with_dictionary(bytes: &[u8], properties: u8) -> Vec<u8> {
    forged_block(xz(bytes, Check::Crc32), 4, properties)
}

/// xz with another filter than LZMA2 before LZMA2.
pub fn xz_with_filter(bytes: &[u8], id: u8) -> Vec<u8> {
    let lzma = LzmaOptions::new_preset(6).unwrap();
    forged_block(xz_with(bytes, Check::Crc32, Filters::new().x86().lzma2(&lzma)), 2, id)
}

/// One byte of the block header replaced, and the header's checksum made right again.
fn forged_block(mut stored: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    let end = 12 + (usize::from(stored[12]) + 1) * 4;
    stored[12 + at] = byte;
    let sum = crc32fast::hash(&stored[12..end - 4]);
    stored[end - 4..end].copy_from_slice(&sum.to_le_bytes());
    stored
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// With zstd's optional checksum, without which neither it nor Linux notices every flipped bit.
pub fn checked_zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A frame that claims a window of 2^`log` bytes.
pub fn zstd_with_window(bytes: &[u8], log: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.long_distance_matching(true).unwrap();
    encoder.window_log(log.min(27)).unwrap();
    encoder.write_all(bytes).unwrap();
    let mut stored = encoder.finish().unwrap();
    stored[5] = u8::try_from((log - 10) << 3).unwrap();
    stored
}

pub fn zeros(length: usize) -> Vec<u8> {
    vec![0; length]
}

/// An ELF64 object file with nothing but `.modinfo`.
pub fn module(depends: &[&str]) -> Vec<u8> {
    let names = b"\0.modinfo\0.shstrtab\0";
    let modinfo = format!("license=GPL\0depends={}\0vermagic={VERSION} SMP mod_unload \0", depends.join(","));
    let table = 64 + names.len() + modinfo.len();
    let wide = |value: usize| u64::try_from(value).unwrap().to_le_bytes();
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend([1, 0, 62, 0, 1, 0, 0, 0]);
    elf.resize(40, 0);
    elf.extend(wide(table));
    elf.extend([0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    elf.extend(names);
    elf.extend(modinfo.as_bytes());
    elf.extend([0; 64]);
    for (name, kind, start, size) in [(1, 1, 64 + names.len(), modinfo.len()), (10, 3, 64, names.len())] {
        elf.extend([name, 0, 0, 0, kind, 0, 0, 0]);
        elf.extend([0; 16]);
        elf.extend([wide(start), wide(size)].concat());
        elf.extend([0; 24]);
    }
    elf
}
