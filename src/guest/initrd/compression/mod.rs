//! Compressed segments → their bytes, exactly as far and as strictly as Linux unpacks them (`lib/decompress.c`).

mod blocks;
mod bzip2;
mod gzip;
mod lz4;
mod lzma;
mod lzo;
mod xz;
mod zstd;

use super::halt::{Halt, Place};
use super::input::Input;
use super::stream::Stream as _;
use crate::error::Error;

/// A compression that Linux knows.
pub(super) struct Decoder {
    /// As [`crate::guest::Segment::compression`] has it.
    pub(super) name: &'static str,
    /// The two bytes that `decompress_method` looks at.
    magic: [u8; 2],
    pub(super) open: Open,
}

type Open = fn(&mut Input<'_>) -> Result<Box<dyn Unpack>, Halt>;

/// A segment being unpacked.
pub(super) trait Unpack {
    /// Fills the front of `out`; 0 at the end of the stream, behind which `input` then stands.
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt>;
    /// Reads what stands behind the data, and says when it contradicts them.
    fn finish(&mut self, _input: &mut Input<'_>) -> Result<(), Halt> {
        Ok(())
    }
    /// As [`crate::guest::Segment::filters`] has them, of what was unpacked so far.
    fn filters(&self) -> Vec<String> {
        Vec::new()
    }
}

/// In the order of `compressed_formats` in Linux's `lib/decompress.c`.
pub(super) const DECODERS: &[Decoder] = &[
    Decoder { name: "gzip", magic: [0x1f, 0x8b], open: gzip::open },
    Decoder { name: "gzip", magic: [0x1f, 0x9e], open: gzip::open },
    Decoder { name: "bzip2", magic: *b"BZ", open: bzip2::open },
    Decoder { name: "lzma", magic: [0x5d, 0x00], open: lzma::open },
    Decoder { name: "xz", magic: [0xfd, b'7'], open: xz::open },
    Decoder { name: "lzo", magic: [0x89, b'L'], open: lzo::open },
    Decoder { name: "lz4", magic: [0x02, 0x21], open: lz4::open },
    Decoder { name: "zstd", magic: [0x28, 0xb5], open: zstd::open },
];

/// Archives that tools list happily and Linux has no reader for, with what to make of them.
const FOREIGN: &[(&[u8], &str)] = &[
    (&[0x04, 0x22, 0x4d, 0x18], "an lz4 frame; Linux reads only the legacy format, lz4 -l"),
    (&[0xc7, 0x71], "an old binary cpio; Linux reads only newc, cpio -H newc"),
    (&[0x71, 0xc7], "an old binary cpio; Linux reads only newc, cpio -H newc"),
    (b"hsqs", "a squashfs"),
    (b"PK\x03\x04", "a zip archive"),
    (&[0x1f, 0x9d], "compress's .Z"),
];

/// The decoder for what begins with `bytes`.
pub(super) fn find(bytes: &[u8]) -> Option<&'static Decoder> {
    DECODERS.iter().find(|decoder| bytes.starts_with(&decoder.magic))
}

/// What `bytes` begin, where they begin an archive that Linux does not read.
pub(super) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    FOREIGN.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, what)| *what)
}

/// A flaw of compressed data, with the words of Linux's decompressor.
fn refused(input: &Input<'_>, id: &str, message: &str, found: &str) -> Halt {
    Halt::refused(id, Place { offset: input.position(), is_packed: false }, message, found)
}

/// What a decoder's counter moved by in one call.
fn difference(after: u64, before: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or_default()
}

/// The limit for windows and dictionaries that this version allocates.
fn memory_limit(what: &str, wanted: u64, limit: u64) -> Halt {
    let cause = format!("{what} wants {wanted} bytes of memory, the limit is {limit}");
    Halt::unread(Error::too_large("initrd", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_are_linuxs() {
        for (bytes, name) in [
            (&b"\x1f\x8b\x08"[..], Some("gzip")),
            (b"BZh9", Some("bzip2")),
            (b"]\0\0\x80", Some("lzma")),
            (b"\xfd7zXZ\0", Some("xz")),
            (b"\x89LZO", Some("lzo")),
            (b"\x02\x21\x4c\x18", Some("lz4")),
            (b"\x28\xb5\x2f\xfd", Some("zstd")),
            (b"\x50\x2a\x4d\x18", None),
            (b"\x04\x22\x4d\x18", None),
            (b"\x1f", None),
        ] {
            assert_eq!(find(bytes).map(|decoder| decoder.name), name, "{bytes:x?}");
        }
        assert!(foreign(b"\x04\x22\x4d\x18").is_some_and(|what| what.contains("lz4 -l")));
    }
}
