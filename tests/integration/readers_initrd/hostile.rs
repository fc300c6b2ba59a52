//! Damage at every place: no panic, no better verdict, in bounded time.

use super::craft::*;
use bootworthy::fact::Fact;
use bootworthy::guest::Initrd;
use bootworthy::guest::initrd::{Location, inspect, locate};
use bootworthy::guest::modules::wanted;
use bootworthy::limits::Limits;
use liblzma::stream::Check;
use std::io::Read;
use std::time::{Duration, Instant};

/// Nothing is proven by what is damaged: /init and virtio_blk are there whole, or it is said that they are not.
fn is_proven(initrd: &Initrd) -> bool {
    initrd.has_init == Fact::Known(true) && matches!(locate(initrd, "virtio_blk")[0].location, Location::File { .. })
}

/// `xorshift64`, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("plain", good()),
        ("gzip", gzip(&good())),
        ("xz", xz(&good(), Check::Crc32)),
        ("zstd", checked_zstd(&good())),
        ("plain and zstd", [archive(&[folder("x")]), checked_zstd(&good())].concat()),
    ]
}

#[test]
fn cut_anywhere_nothing_is_proven_that_is_not_there() {
    for (name, whole) in shapes() {
        assert!(is_proven(&inspected(&whole)), "{name}");
        for length in 0..whole.len() {
            let initrd = inspected(&whole[..length]);
            let flaws = &initrd.flaws.known().unwrap().items;
            assert!(
                !is_proven(&initrd) || name.starts_with("plain") && flaws_are_known(flaws.len(), length, whole.len()),
                "{name}: {length}"
            );
        }
    }
}

/// A plain archive that ends between two entries, or within the padding of its trailer, is whole for Linux.
fn flaws_are_known(flaws: usize, length: usize, whole: usize) -> bool {
    flaws > 0 || length + 4 > whole
}

#[test]
fn flipped_bytes() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut longest = Duration::ZERO;
    for (name, whole) in shapes() {
        for round in 0..4000 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
            }
            let start = Instant::now();
            let initrd = inspected(&bytes);
            longest = longest.max(start.elapsed());
            // Compressed data have checksums: what passes is what was packed, or is not proven.
            if !name.starts_with("plain") && is_proven(&initrd) {
                assert_eq!(initrd.modules, inspected(&whole).modules, "{name}: round {round}");
            }
        }
    }
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

/// Fails one read, as a dying medium does, and gives little at a time.
struct Dying<'a> {
    bytes: &'a [u8],
    reads: usize,
}

impl Read for Dying<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.reads == 0 {
            return Err(std::io::Error::other("Input/output error"));
        }
        self.reads -= 1;
        let length = buf.len().min(100);
        self.bytes.read(&mut buf[..length])
    }
}

#[test]
fn a_medium_that_fails_at_any_read() {
    for (name, whole) in shapes() {
        let reads_needed = whole.len().div_ceil(100) + 1;
        for reads in 0..=reads_needed {
            let open = || Ok(Box::new(Dying { bytes: &whole, reads }) as Box<dyn Read>);
            let initrd = inspect("initrd", 1, &open, &wanted(&[]), &Limits::default());
            assert_eq!(is_proven(&initrd), reads == reads_needed, "{name}: read {reads}");
            if reads < reads_needed {
                let gaps = &initrd.segments.known().unwrap().gaps;
                assert!(gaps[0].reason.contains("Input/output error"), "{name}: read {reads}: {gaps:?}");
            }
        }
    }
}

/// Numbers that writers never write, at each field of a header.
#[test]
fn forged_fields() {
    for at in (6..110).step_by(8) {
        for value in ["00000000", "00000001", "7fffffff", "80000000", "ffffffff", "fffffffe", "00001000", "00001001"] {
            for entry in [file("x", b"abcd"), folder("x"), link("x", "y"), hard_link("x", b"ab")] {
                let bytes = archive(&[good_entries().concat(), forged(entry, at, value.as_bytes())]);
                let _ = inspected(&bytes);
                let _ = inspected(&gzip(&bytes));
            }
        }
    }
}

/// 512 MiB of zeros in a body ends at a bound, as unknown.
#[test]
fn bombs() {
    let head = [good_entries().concat(), forged(file("zeros", b""), 54, b"20000000")].concat();
    let stream = || head.as_slice().chain(std::io::repeat(0).take(1 << 29));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    std::io::copy(&mut stream(), &mut gzip).unwrap();
    let zstd = zstd::encode_all(stream(), 1).unwrap();
    for (name, bytes) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd)] {
        let start = Instant::now();
        let initrd = inspected(&bytes);
        assert!(
            matches!(&initrd.modules, Fact::Unknown(gap) if gap.reason.contains("times its size")),
            "{name}: {initrd:#?}"
        );
        assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
    }
}

/// Paths through links that lead through links: Linux follows 40, and so many look-ups end as unknown.
#[test]
fn paths_that_cost() {
    let deep = "a/".repeat(1000);
    let mut entries = vec![folder("a"), link("a/a", "../a")];
    entries.extend((0..3000).map(|n| file(&format!("{deep}f{n}"), b"")));
    let start = Instant::now();
    let initrd = inspected(&archive(&entries));
    assert!(initrd.flaws.known().is_some());
    let chain = (0..60).map(|n| link(&format!("l{n}"), &format!("l{}/.", n + 1)));
    let entries: Vec<Vec<u8>> = chain.chain((0..20_000).map(|n| file(&format!("l0/{n}"), b""))).collect();
    assert!(inspected(&archive(&entries)).flaws.known().is_some());
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}
