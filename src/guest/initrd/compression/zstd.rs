//! zstd (RFC 8878) as Linux's `lib/decompress_unzstd.c` reads it: one frame, no dictionary, no skippable frame.

use super::{Unpack, refused};
use crate::bytes::{le_u16, le_u32, le_u64, slice};
use crate::error::Error;
use crate::fact::Flaw;
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

const MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Bytes of the longest frame header.
const HEADER: usize = 18;
/// Linux's `ZSTD_WINDOWLOG_LIMIT_DEFAULT` (`lib/zstd/decompress`); `zstd --long` goes up to 31.
const WINDOW_LOG: u32 = 27;

/// One frame.
struct Zstd {
    decoder: Decoder<'static>,
    is_ended: bool,
}

pub(super) fn open(input: &mut Input<'_>) -> Result<Box<dyn Unpack>, Halt> {
    let header = input.peek(HEADER)?;
    if !header.starts_with(MAGIC) {
        return Err(refused(input, "initrd-zstd", "Input is not in the ZSTD format (wrong magic bytes)", ""));
    }
    match window(header) {
        None => {
            let message = "ZSTD-compressed data has an incomplete frame header";
            return Err(refused(input, "initrd-cut-short", message, ""));
        }
        Some(window) if window > 1 << WINDOW_LOG => {
            // In whatever words: "probably corrupt" with memory enough for the window, "Out of memory" without.
            let limit = 1_u64 << WINDOW_LOG;
            let found = format!(
                "byte {}: its zstd window is {window} bytes, Linux takes {limit} (--long=27)",
                input.position()
            );
            return Err(Halt::Refused(Flaw { id: "initrd-zstd-window".into(), found, fatal: true }));
        }
        Some(_) => {}
    }
    let decoder = Decoder::new().and_then(|mut decoder| {
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(decoder)
    });
    match decoder {
        Ok(decoder) => Ok(Box::new(Zstd { decoder, is_ended: false })),
        Err(error) => Err(Halt::unread(Error::io("zstd decoder", error))),
    }
}

/// Bytes of window that a frame header asks for; `None` past its end.
fn window(header: &[u8]) -> Option<u64> {
    let descriptor = *header.get(4)?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let byte = *header.get(5)?;
        let base = 1_u64.checked_shl(u32::from(byte >> 3).checked_add(10)?)?;
        return (base / 8).checked_mul(u64::from(byte & 7))?.checked_add(base);
    }
    // Without a window descriptor the window is the content.
    let start = match descriptor & 3 {
        0 => 5,
        1 => 6,
        2 => 7,
        _ => 9,
    };
    match descriptor >> 6 {
        0 => slice(header, start, 1)?.first().map(|byte| u64::from(*byte)),
        1 => u64::from(le_u16(header, start)?).checked_add(256),
        2 => le_u32(header, start).map(u64::from),
        _ => le_u64(header, start),
    }
}

impl Unpack for Zstd {
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        while !self.is_ended {
            let chunk = input.chunk()?;
            if chunk.is_empty() {
                return Err(refused(input, "initrd-cut-short", "ZSTD-compressed data is truncated", ""));
            }
            let mut source = InBuffer::around(chunk);
            let mut target = OutBuffer::around(&mut *out);
            let status = self.decoder.run(&mut source, &mut target);
            let (consumed, produced) = (source.pos(), target.pos());
            input.consume(consumed);
            match status {
                Ok(0) => self.is_ended = true,
                Ok(_) if consumed.saturating_add(produced) > 0 => {}
                Ok(_) => return Err(refused(input, "initrd-zstd", "ZSTD-compressed data is corrupt", "no progress")),
                Err(error) => {
                    let message = "ZSTD-compressed data is corrupt";
                    return Err(refused(input, "initrd-zstd", message, &error.to_string()));
                }
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
    fn windows_of_frame_headers() {
        for (rest, expected) in [
            (&[0x00, 0x00][..], Some(1024)),
            (&[0x04, 0x88], Some(1 << 27)),
            (&[0x04, 0x89], Some((1 << 27) + (1 << 24))),
            (&[0x04, 0xa8], Some(1 << 31)),
            (&[0x20, 200], Some(200)),
            (&[0x60, 1, 0], Some(257)),
            (&[0xa2, 0, 0, 0, 0, 0, 0x10], Some(0x1000_0000)),
            (&[0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80], Some(1 << 63)),
            (&[0xe0, 0, 0, 0], None),
            (&[0x00], None),
            (&[], None),
        ] {
            assert_eq!(window(&[MAGIC, rest].concat()), expected, "{rest:x?}");
        }
    }
}
