//! What Linux 6.1 says to each kind of initrd, and what we say. The messages were seen on a real kernel.

use super::craft::*;
use bootworthy::fact::Fact;
use bootworthy::guest::Initrd;
use bootworthy::guest::initrd::{Location, locate};
use flate2::GzBuilder;
use liblzma::stream::{Check, Filters, LzmaOptions};

/// What is made of an initrd.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// No flaw, everything known, virtio_blk found.
    Accept,
    /// This flaw, not fatal; the contents are known, virtio_blk found.
    Note(&'static str),
    /// This flaw, not fatal; the contents are unknown.
    Damaged(&'static str),
    /// This fatal flaw; the contents are unknown.
    Refuse(&'static str),
    /// No fatal flaw; the contents are unknown for this reason.
    Unknown(&'static str),
}
use Verdict::{Accept, Damaged, Note, Refuse, Unknown};

fn check(name: &str, initrd: &Initrd, verdict: Verdict) {
    let flaws = initrd.flaws.known().unwrap_or_else(|| panic!("{name}: {initrd:#?}"));
    let ids: Vec<(&str, bool)> = flaws.items.iter().map(|flaw| (flaw.id.as_str(), flaw.fatal)).collect();
    let expected = match verdict {
        Accept | Unknown(_) => Vec::new(),
        Note(id) | Damaged(id) => vec![(id, false)],
        Refuse(id) => vec![(id, true)],
    };
    assert_eq!(ids, expected, "{name}: {flaws:#?}");
    match (verdict, &initrd.modules, &initrd.has_init) {
        (Accept | Note(_), Fact::Known(_), Fact::Known(true)) => {
            let found = locate(initrd, "virtio-blk");
            assert!(matches!(&found[..], [one] if matches!(one.location, Location::File { .. })), "{name}: {found:?}");
        }
        (Damaged(_) | Refuse(_), Fact::Unknown(_), Fact::Unknown(_)) => {
            assert!(matches!(locate(initrd, "virtio_blk")[0].location, Location::Unknown(_)), "{name}");
        }
        (Unknown(reason), Fact::Unknown(gap), Fact::Unknown(_)) => {
            assert!(gap.reason.contains(reason), "{name}: {}", gap.reason);
        }
        _ => panic!("{name}: {initrd:#?}"),
    }
}

pub fn all(cases: Vec<(&str, Vec<u8>, Verdict)>) {
    for (name, bytes, verdict) in cases {
        // For boots of a real kernel with what is tested here.
        if let Some(folder) = std::env::var_os("BOOTWORTHY_KEEP_INITRDS") {
            std::fs::write(std::path::Path::new(&folder).join(name.replace([' ', '/'], "-")), &bytes).unwrap();
        }
        check(name, &inspected(&bytes), verdict);
    }
}

fn microcode() -> Vec<u8> {
    let path = "kernel/x86/microcode/GenuineIntel.bin";
    let parents = ["kernel", "kernel/x86", "kernel/x86/microcode"].map(folder).concat();
    archive(&[parents, file(path, &[7; 2050])])
}

/// `good()` with one more entry before the trailer.
fn good_and(entries: Vec<Vec<u8>>) -> Vec<u8> {
    archive(&[good_entries(), entries].concat())
}

#[test]
fn shapes_of_real_initrds() {
    let split = good_entries().concat().len() - 300;
    all(vec![
        ("plain", good(), Accept),
        ("plain padded to 512", [good(), zeros(512)].concat(), Accept),
        ("gzip", gzip(&good()), Accept),
        ("gzip with name", gzip_with(GzBuilder::new().filename("initrd"), &good()), Accept),
        ("xz crc32", xz(&good(), Check::Crc32), Accept),
        ("xz without check", xz(&good(), Check::None), Accept),
        ("xz with x86 filter", xz_with(&good(), Check::Crc32, Filters::new().x86().lzma2(&preset())), Accept),
        ("zstd", zstd(&good()), Accept),
        ("zstd long 27", zstd_with_window(&good(), 27), Accept),
        ("plain then gzip", [microcode(), gzip(&good())].concat(), Accept),
        ("plain, 4 KiB of zeros, zstd", [microcode(), zeros(4096), zstd(&good())].concat(), Accept),
        ("plain, plain", [microcode(), good()].concat(), Accept),
        ("plain, gzip, xz", [microcode(), gzip(&archive(&[])), xz(&good(), Check::Crc32)].concat(), Accept),
        ("gzip, zeros, zstd", [gzip(&good()), zeros(3), zstd(&microcode())].concat(), Accept),
        ("two gzip members", [gzip(&good()), gzip(&microcode())].concat(), Accept),
        ("two zstd frames", [zstd(&microcode()), zstd(&good())].concat(), Accept),
        ("two archives in one gzip", gzip(&[microcode(), zeros(512), good()].concat()), Accept),
        ("entries behind the trailer", [good(), good()].concat(), Accept),
        ("checksums", archive(&[good_entries().concat(), with_sum("x", b"ab", 195)]), Accept),
        ("zeros before", [zeros(8), good()].concat(), Accept),
        ("empty zstd frame behind", [good(), zstd(b"")].concat(), Note("initrd-no-trailer")),
        ("no trailer", good_entries().concat(), Note("initrd-no-trailer")),
        ("no trailer in gzip", gzip(&good_entries().concat()), Note("initrd-no-trailer")),
        (
            "one archive in two gzips",
            [gzip(&good()[..split]), gzip(&good()[split..])].concat(),
            Refuse("initrd-cut-short"),
        ),
    ]);
}

fn preset() -> LzmaOptions {
    LzmaOptions::new_preset(6).unwrap()
}

#[test]
fn alignment_and_what_stands_between() {
    let odd = [microcode(), vec![0; 1]].concat();
    all(vec![
        ("gzip behind one zero", [odd.clone(), gzip(&good())].concat(), Refuse("initrd-broken-padding")),
        ("plain behind one zero", [odd, good()].concat(), Refuse("initrd-broken-padding")),
        ("plain at an odd byte behind gzip", [odd_gzip(), good()].concat(), Refuse("initrd-invalid-magic")),
        ("garbage behind", [good(), b"garbage garbage".to_vec()].concat(), Note("initrd-trailing-garbage")),
        ("garbage behind gzip", [gzip(&good()), b"garbage".to_vec()].concat(), Note("initrd-trailing-garbage")),
        ("garbage before", [b"garb".to_vec(), good()].concat(), Refuse("initrd-invalid-magic")),
        ("garbage between", [microcode(), b"garb".to_vec(), good()].concat(), Refuse("initrd-invalid-magic")),
        ("cut within gzip entries", gzip(&good()[..good().len() - 200]), Refuse("initrd-cut-short")),
        ("gzip in gzip", gzip(&gzip(&good())), Refuse("initrd-no-cpio-magic")),
        ("gzip in later gzip", [microcode(), gzip(&gzip(&good()))].concat(), Refuse("initrd-junk")),
        ("zeros first in gzip", gzip(&[zeros(4), good()].concat()), Refuse("initrd-no-cpio-magic")),
        ("zeros first in later gzip", [microcode(), gzip(&[zeros(4), good()].concat())].concat(), Accept),
        ("broken padding in gzip", gzip(&[good(), zeros(2), good()].concat()), Refuse("initrd-broken-padding")),
        ("empty gzip", gzip(b""), Refuse("initrd-cut-short")),
    ]);
}

/// A gzip segment whose size is no multiple of four.
fn odd_gzip() -> Vec<u8> {
    let named = |name: &str| gzip_with(GzBuilder::new().filename(name), &good());
    ["a", "ab"].map(named).into_iter().find(|bytes| bytes.len() % 4 != 0).unwrap()
}

#[test]
fn compressions() {
    let crc = [gzip(&good()), Vec::new()].concat();
    let flip = |mut bytes: Vec<u8>, from_end: usize| {
        let at = bytes.len() - from_end;
        bytes[at] ^= 0xff;
        bytes
    };
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4][..], &zstd(&good())].concat();
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    all(vec![
        ("gzip checksum", flip(crc.clone(), 6), Damaged("initrd-gzip-checksum")),
        ("gzip length", flip(crc.clone(), 2), Damaged("initrd-gzip-checksum")),
        ("gzip without checksum", crc[..crc.len() - 8].to_vec(), Refuse("initrd-cut-short")),
        ("gzip cut short", half(crc), Refuse("initrd-cut-short")),
        ("gzip with comment", gzip_with(GzBuilder::new().comment("x"), &good()), Refuse("initrd-gzip-header")),
        ("gzip with extra", gzip_with(GzBuilder::new().extra(vec![1, 2]), &good()), Refuse("initrd-gzip-header")),
        ("xz crc64", xz(&good(), Check::Crc64), Refuse("initrd-xz-check")),
        ("xz sha256", xz(&good(), Check::Sha256), Refuse("initrd-xz-check")),
        ("xz delta", xz_with_filter(&good(), 3), Refuse("initrd-xz-filter")),
        ("xz 4 GiB dictionary", xz_with_dictionary(&good(), 40), Refuse("initrd-xz-filter")),
        ("xz 3 GiB dictionary", xz_with_dictionary(&good(), 39), Unknown("3221225472 bytes of memory")),
        ("xz cut short", half(xz(&good(), Check::Crc32)), Refuse("initrd-cut-short")),
        ("xz check", flip(xz(&good(), Check::Crc32), 40), Refuse("initrd-xz")),
        ("zstd cut short", half(zstd(&good())), Refuse("initrd-cut-short")),
        ("zstd damaged", flip(checked_zstd(&good()), 2), Refuse("initrd-zstd")),
        ("zstd long 28", zstd_with_window(&good(), 28), Refuse("initrd-zstd-window")),
        ("zstd long 31", zstd_with_window(&good(), 31), Refuse("initrd-zstd-window")),
        ("zstd skippable", skippable, Refuse("initrd-invalid-magic")),
        ("lz4 frame", [b"\x04\x22\x4d\x18".to_vec(), zeros(99)].concat(), Refuse("initrd-invalid-magic")),
        ("lz4 frame behind", [good(), b"\x04\x22\x4d\x18\0".to_vec()].concat(), Refuse("initrd-invalid-magic")),
    ]);
}

#[test]
fn headers_names_and_bodies() {
    let at = |offset: usize, bytes: &[u8]| good_and(vec![forged(file("x", b"abcd"), offset, bytes)]);
    let long = "n/".repeat(2100);
    all(vec![
        ("sum", good_and(vec![with_sum("x", b"ab", 196)]), Refuse("initrd-bad-checksum")),
        ("sum of nothing", good_and(vec![with_sum("x", b"", 1)]), Refuse("initrd-bad-checksum")),
        ("odc", [b"070707".to_vec(), vec![b'0'; 200]].concat(), Refuse("initrd-old-cpio")),
        ("old binary", [b"\xc7\x71".to_vec(), zeros(200)].concat(), Refuse("initrd-invalid-magic")),
        ("bad magic", at(0, b"070703"), Refuse("initrd-no-cpio-magic")),
        ("sign", at(54, b"+0000004"), Refuse("initrd-bad-header")),
        ("blank", at(54, b"       4"), Refuse("initrd-bad-header")),
        ("0x", at(54, b"0x000004"), Refuse("initrd-bad-header")),
        ("no digit", at(54, b"0000000g"), Refuse("initrd-bad-header")),
        ("name without NUL", at(111, b"y"), Refuse("initrd-malformed-name")),
        ("name of no bytes", at(94, b"00000000"), Damaged("initrd-skipped-entry")),
        ("name too long", good_and(vec![file(&long, b"")]), Damaged("initrd-skipped-entry")),
        ("body of 4 GiB", at(54, b"ffffffff"), Damaged("initrd-cut-short")),
        (
            "cut within a body",
            good_entries().concat()[..good_entries().concat().len() - 9].to_vec(),
            Damaged("initrd-cut-short"),
        ),
        ("cut within a header", [good(), b"0707010000".to_vec()].concat(), Damaged("initrd-cut-short")),
        ("cut within the padding", good()[..good().len() - 3].to_vec(), Damaged("initrd-cut-short")),
        ("name with two NULs", good_and(vec![forged(file("xyz", b""), 111, b"\0")]), Accept),
        ("name not UTF-8", good_and(vec![forged(file("xyz", b""), 110, b"\xff\xfe")]), Accept),
        ("folder with a body", good_and(vec![entry("x", 0o040_755, b"abcd")]), Damaged("initrd-skipped-entry")),
        ("device", good_and(vec![entry("dev/console", 0o020_600, b"")]), Accept),
        ("names that climb", good_and(vec![file("../../x", b"a"), file("/y", b"a")]), Accept),
    ]);
}

#[test]
fn bounds() {
    let many = |count: usize| (0..count).flat_map(|_| archive(&[])).collect::<Vec<u8>>();
    let limits = bootworthy::limits::Limits { initrd_segments: 5, initrd_entries: 30, ..Default::default() };
    for (name, bytes, verdict) in [
        ("4 segments", [many(4), good()].concat(), Accept),
        ("6 segments", [many(5), good()].concat(), Unknown("limit of 5 segments")),
        ("many entries", good_and(vec![folder("x"); 30]), Unknown("limit of 30 entries")),
    ] {
        check(name, &within(&bytes, &limits), verdict);
    }
    let size = u64::try_from(good().len()).unwrap();
    for (unpacked, verdict) in [(size, Accept), (size - 1, Unknown("limit of"))] {
        let limits = bootworthy::limits::Limits { initrd_unpacked: unpacked, ..Default::default() };
        check("unpacked size", &within(&gzip(&good()), &limits), verdict);
    }
    for (stored, is_read) in [(size, true), (size - 1, false)] {
        let limits = bootworthy::limits::Limits { initrd: stored, ..Default::default() };
        assert_eq!(within(&good(), &limits).segments.known().is_some(), is_read);
    }
}
