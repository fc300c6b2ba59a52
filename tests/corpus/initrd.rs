//! Archives of 3cpio's and u-root's tests, as Linux takes them.

use super::corpus;
use bootworthy::guest::initrd::inspect;
use bootworthy::guest::modules::wanted;
use bootworthy::limits::Limits;
use std::fs::{self, File};
use std::io::Read;

/// Compression and entries of each segment (`cpio -it` of what it unpacks to), then the flaws.
fn of(name: &str) -> String {
    let path = corpus("initrd").join(name);
    let size = fs::metadata(&path).unwrap().len();
    let open = || -> bootworthy::error::Result<Box<dyn Read>> { Ok(Box::new(File::open(&path).unwrap())) };
    let initrd = inspect(name, size, &open, &wanted(&[]), &Limits::default());
    let segments = initrd.segments.known().unwrap().items.iter();
    let segments = segments.map(|segment| format!("{} {}", segment.compression, segment.entries));
    let flaws = initrd.flaws.known().unwrap().items.iter().map(|flaw| flaw.id.clone());
    segments.chain(flaws).collect::<Vec<_>>().join(", ")
}

#[test]
fn initrds() {
    for (name, expected) in [
        ("3cpio-gzip.cpio", "none 3, gzip 5"),
        ("3cpio-xz.cpio", "none 3, xz 5"),
        ("3cpio-zstd.cpio", "none 3, zstd 5"),
        ("3cpio-single.cpio", "none 3"),
        ("3cpio-shell.cpio", "none 5"),
        // Its `tmp` is a link to /tmp, which no initrd has: Linux drops what lies behind it.
        ("3cpio-path-traversal.cpio", "none 3, initrd-dropped-entry"),
        ("u-root-archive1.cpio", "none 0, initrd-old-cpio"),
        ("u-root-archive2.cpio", "none 0, initrd-old-cpio"),
        ("u-root-archive3.cpio", "none 0, initrd-old-cpio"),
        ("u-root-archive4.cpio", "none 0, initrd-old-cpio"),
        ("u-root-archive5.cpio", "none 0, initrd-old-cpio"),
    ] {
        assert_eq!(of(name), expected, "{name}");
    }
}
