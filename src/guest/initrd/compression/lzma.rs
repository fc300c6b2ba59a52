//! LZMA alone (`doc/lzma-file-format.txt` of XZ Utils) as Linux's `lib/decompress_unlzma.c` reads it.

use super::{Unpack, difference, memory_limit, refused};
use crate::bytes::{le_u32, le_u64, slice};
use crate::error::Error;
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;
use liblzma::stream::{Action, Error as LzmaError, Status, Stream};

const CORRUPT: &str = "LZMA data is corrupt";
/// Bytes of the header: properties, dictionary, size.
const HEADER: usize = 13;
/// The largest dictionary that is allocated here: `lzma -9` has 64 MiB.
const DICTIONARY_LIMIT: u64 = 128 * 1024 * 1024;
/// What liblzma needs beside the dictionary.
const DECODER_MEMORY: u64 = 2 * 1024 * 1024;

/// One stream.
struct Lzma {
    stream: Stream,
    is_ended: bool,
}

pub(super) fn open(input: &mut Input<'_>) -> Result<Box<dyn Unpack>, Halt> {
    let header = slice(input.peek(HEADER)?, 0, HEADER);
    let fields = header.and_then(|header| Some((*header.first()?, le_u32(header, 1)?, le_u64(header, 5)?)));
    let Some((properties, dictionary, size)) = fields else {
        return Err(refused(input, "initrd-cut-short", "unexpected EOF", "the lzma header is cut short"));
    };
    let Some((literal_context, literal_position)) = literal_bits(properties) else {
        let found = format!("properties {properties:#04x}, below 0xe1 is possible");
        return Err(refused(input, "initrd-lzma", "bad header", &found));
    };
    if literal_context.saturating_add(literal_position) > 4 {
        let cause =
            format!("lzma with {literal_context} + {literal_position} literal bits is not read by this version");
        return Err(Halt::unread(Error::unsupported("initrd segment", cause).offset(input.position())));
    }
    // Linux allocates the smaller one.
    let wanted = u64::from(dictionary).min(size);
    if wanted > DICTIONARY_LIMIT {
        return Err(memory_limit("its lzma dictionary", wanted, DICTIONARY_LIMIT));
    }
    match Stream::new_lzma_decoder(DICTIONARY_LIMIT.saturating_add(DECODER_MEMORY)) {
        Ok(stream) => Ok(Box::new(Lzma { stream, is_ended: false })),
        Err(error) => Err(Halt::unread(Error::io("lzma decoder", error))),
    }
}

/// `lc` and `lp` of the properties byte `(pb * 5 + lp) * 9 + lc`.
fn literal_bits(properties: u8) -> Option<(u8, u8)> {
    (properties < 9 * 5 * 5).then_some((properties % 9, properties / 9 % 5))
}

impl Unpack for Lzma {
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        while !self.is_ended {
            let chunk = input.chunk()?;
            let action = if chunk.is_empty() { Action::Finish } else { Action::Run };
            let is_end = chunk.is_empty();
            let before = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.process(chunk, out, action);
            let consumed = difference(self.stream.total_in(), before.0);
            let produced = difference(self.stream.total_out(), before.1);
            input.consume(consumed);
            match status {
                Ok(Status::StreamEnd) => self.is_ended = true,
                Ok(_) if consumed.saturating_add(produced) > 0 => {}
                Ok(_) if is_end => {
                    return Err(refused(input, "initrd-cut-short", "unexpected EOF", "the lzma data are cut short"));
                }
                Ok(_) => return Err(refused(input, "initrd-lzma", CORRUPT, "no progress")),
                Err(LzmaError::MemLimit | LzmaError::Mem) => {
                    return Err(memory_limit("its lzma dictionary", u64::MAX, DICTIONARY_LIMIT));
                }
                Err(LzmaError::Options) => {
                    let cause = "lzma with options that this version does not read";
                    return Err(Halt::unread(Error::unsupported("initrd segment", cause).offset(input.position())));
                }
                Err(error) => return Err(refused(input, "initrd-lzma", CORRUPT, &error.to_string())),
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
    fn properties_are_taken_apart() {
        for (properties, expected) in [
            (0x5d, Some((3, 0))),
            (0, Some((0, 0))),
            (0xe0, Some((8, 4))),
            (0xe1, None),
            (0xff, None),
            (13, Some((4, 1))),
        ] {
            assert_eq!(literal_bits(properties), expected, "{properties:#x}");
        }
    }
}
