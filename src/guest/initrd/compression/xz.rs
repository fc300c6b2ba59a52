//! xz (`xz-file-format.txt` 1.2) as Linux's `lib/xz/xz_dec_stream.c` reads it: a subset.

use super::{Unpack, difference, memory_limit, refused};
use crate::bytes::{le_u32, slice};
use crate::error::Error;
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;
use liblzma::stream::{Action, Error as XzError, Status, Stream};

const MAGIC: &[u8] = b"\xfd7zXZ\0";
const CORRUPT: &str = "XZ-compressed data is corrupt";
const UNSUPPORTED: &str = "Input was encoded with settings that are not supported by this XZ decoder";
/// The largest dictionary that is allocated here: `xz -9` has 64 MiB. Linux takes up to 3 GiB, where it has them.
const DICTIONARY_LIMIT: u64 = 128 * 1024 * 1024;
/// What liblzma needs beside the dictionary.
const DECODER_MEMORY: u64 = 2 * 1024 * 1024;
/// Branch filters of `lib/xz/xz_dec_bcj.c` in Linux 6.1: x86, PowerPC, IA-64, ARM, ARM-Thumb, SPARC.
const BRANCH_FILTERS: std::ops::RangeInclusive<u8> = 4..=9;
const LZMA2: u8 = 0x21;

/// One stream.
struct Xz {
    stream: Stream,
    is_ended: bool,
}

pub(super) fn open(input: &mut Input<'_>) -> Result<Box<dyn Unpack>, Halt> {
    check_stream_header(input)?;
    check_block_header(input)?;
    let limit = DICTIONARY_LIMIT.saturating_add(DECODER_MEMORY);
    match Stream::new_stream_decoder(limit, 0) {
        Ok(stream) => Ok(Box::new(Xz { stream, is_ended: false })),
        Err(error) => Err(Halt::unread(Error::io("xz decoder", error))),
    }
}

/// `dec_stream_header`.
fn check_stream_header(input: &mut Input<'_>) -> Result<(), Halt> {
    let header: [u8; 12] = match slice(input.peek(12)?, 0, 12).map(TryInto::try_into) {
        Some(Ok(header)) => header,
        _ => return Err(refused(input, "initrd-cut-short", CORRUPT, "the xz header is cut short")),
    };
    if !header.starts_with(MAGIC) {
        return Err(refused(input, "initrd-xz", "Input is not in the XZ format (wrong magic bytes)", ""));
    }
    let [.., flags, check, _, _, _, _] = header;
    if Some(crc32fast::hash(&[flags, check])) != le_u32(&header, 8) {
        return Err(refused(input, "initrd-xz", CORRUPT, "the checksum of the xz header is wrong"));
    }
    // Of the checks Linux has none (0) and CRC32 (1); xz's own default is CRC64 (4).
    if flags != 0 || check > 1 {
        let name = match check {
            4 => "CRC64",
            10 => "SHA-256",
            _ => "unknown",
        };
        let found = format!("integrity check {check} ({name}); it reads only CRC32 (xz --check=crc32)");
        return Err(refused(input, "initrd-xz-check", UNSUPPORTED, &found));
    }
    Ok(())
}

/// `dec_block_header` on the first block: liblzma takes more filters and dictionaries than Linux does. Its checksum
/// and all later blocks are left to liblzma.
fn check_block_header(input: &mut Input<'_>) -> Result<(), Halt> {
    let size = match input.peek(13)?.get(12) {
        // An index: a stream without blocks.
        None | Some(0) => return Ok(()),
        Some(size) => usize::from(*size).saturating_add(1).saturating_mul(4),
    };
    let Some(header) = slice(input.peek(size.saturating_add(12))?, 12, size).map(<[u8]>::to_vec) else {
        return Err(refused(input, "initrd-cut-short", CORRUPT, "the xz block header is cut short"));
    };
    match dictionary(&header) {
        None => Err(refused(input, "initrd-xz", CORRUPT, "the xz block header is cut short")),
        Some(Err(found)) => Err(refused(input, "initrd-xz-filter", UNSUPPORTED, &found)),
        Some(Ok(wanted)) if wanted > DICTIONARY_LIMIT => {
            Err(memory_limit("its xz dictionary", wanted, DICTIONARY_LIMIT))
        }
        Some(Ok(_)) => Ok(()),
    }
}

/// Bytes of dictionary that a block header asks for; `None` past its end, an error where Linux refuses.
fn dictionary(header: &[u8]) -> Option<Result<u64, String>> {
    let (&[_, flags], mut rest) = header.split_first_chunk()?;
    if flags & 0x3e != 0 {
        return Some(Err(format!("block flags {flags:#04x}; it reads at most two filters")));
    }
    for bit in [0x40, 0x80] {
        if flags & bit != 0 {
            let end = rest.iter().position(|byte| byte & 0x80 == 0)?;
            rest = rest.get(end.checked_add(1)?..)?;
        }
    }
    if flags & 1 != 0 {
        let (&[id, size], after) = rest.split_first_chunk()?;
        if !BRANCH_FILTERS.contains(&id) || size != 0 {
            return Some(Err(format!("filter {id:#04x}; it reads only LZMA2 behind at most one branch filter")));
        }
        rest = after;
    }
    let &[id, size, properties] = rest.first_chunk()?;
    if id != LZMA2 || size != 1 {
        return Some(Err(format!("filter {id:#04x}; it reads only LZMA2")));
    }
    // xz_dec_lzma2_reset: "This limits dictionary size to 3 GiB".
    if properties > 39 {
        return Some(Err("a dictionary of more than 3 GiB".into()));
    }
    let shift = u32::from(properties >> 1).checked_add(11)?;
    Some(Ok(u64::from(2 | (properties & 1)).checked_shl(shift)?))
}

impl Unpack for Xz {
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        while !self.is_ended {
            let chunk = input.chunk()?;
            if chunk.is_empty() {
                return Err(refused(input, "initrd-cut-short", CORRUPT, "the xz data are cut short"));
            }
            let before = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.process(chunk, out, Action::Run);
            let consumed = difference(self.stream.total_in(), before.0);
            let produced = difference(self.stream.total_out(), before.1);
            input.consume(consumed);
            match status {
                Ok(Status::StreamEnd) => self.is_ended = true,
                Ok(_) if consumed.saturating_add(produced) > 0 => {}
                Ok(_) => return Err(refused(input, "initrd-xz", CORRUPT, "no progress")),
                Err(XzError::MemLimit | XzError::Mem) => {
                    return Err(memory_limit("its xz dictionary", u64::MAX, DICTIONARY_LIMIT));
                }
                Err(XzError::Options) => return Err(refused(input, "initrd-xz-filter", UNSUPPORTED, "")),
                Err(error) => return Err(refused(input, "initrd-xz", CORRUPT, &error.to_string())),
            }
            if produced > 0 {
                return Ok(produced);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_headers_are_judged_as_linux_does() {
        let of = |bytes: &[u8]| match dictionary(bytes) {
            Some(Ok(size)) => size.to_string(),
            Some(Err(found)) => found,
            None => "cut short".into(),
        };
        for (header, expected) in [
            (&[2, 0, LZMA2, 1, 22][..], "8388608"),
            (&[2, 0, LZMA2, 1, 39], "3221225472"),
            (&[2, 0, LZMA2, 1, 40], "a dictionary of more than 3 GiB"),
            (&[2, 0xc0, 0x80, 1, 0x85, 0x86, 7, LZMA2, 1, 0], "4096"),
            (&[2, 1, 4, 0, LZMA2, 1, 1], "6144"),
            (&[2, 1, 3, 1, 0, LZMA2, 1, 1], "filter 0x03"),
            (&[2, 1, 10, 0, LZMA2, 1, 1], "filter 0x0a"),
            (&[2, 2, LZMA2], "block flags 0x02"),
            (&[2, 0, 3, 1, 0], "filter 0x03"),
            (&[2, 0, LZMA2, 1], "cut short"),
            (&[2, 0x40, 0x80, 0x80], "cut short"),
            (&[2], "cut short"),
        ] {
            assert!(of(header).starts_with(expected), "{header:x?}: {}", of(header));
        }
    }
}
