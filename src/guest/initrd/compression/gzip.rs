//! gzip (RFC 1952) as Linux's `lib/decompress_inflate.c` reads it.

use super::{Unpack, difference, refused};
use crate::bytes::{le_u32, slice};
use crate::guest::initrd::halt::{Halt, Place};
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;
use flate2::{Decompress, FlushDecompress, Status};

/// One member. Linux skips its checksum without a look.
struct Gzip {
    inflate: Decompress,
    crc: crc32fast::Hasher,
    length: u32,
    is_ended: bool,
}

pub(super) fn open(input: &mut Input<'_>) -> Result<Box<dyn Unpack>, Halt> {
    let header: [u8; 10] = match slice(input.peek(10)?, 0, 10).map(TryInto::try_into) {
        Some(Ok(header)) => header,
        _ => return Err(refused(input, "initrd-gzip", "Not a gzip file", "its header is cut short")),
    };
    let [0x1f, 0x8b, 8, flags, ..] = header else {
        return Err(refused(input, "initrd-gzip", "Not a gzip file", "bytes 0-2 are not 1f 8b 08"));
    };
    input.consume(10);
    // __gunzip skips the file name (8) and no other optional field: FHCRC (2), FEXTRA (4) and FCOMMENT (16) are
    // taken for compressed data.
    if flags & 0b1_0110 != 0 {
        let found = format!("header flags {flags:#04x}; it reads no optional field but the file name (gzip -n)");
        return Err(refused(input, "initrd-gzip-header", "uncompression error", &found));
    }
    if flags & 8 != 0 {
        skip_name(input)?;
    }
    let inflate = Decompress::new(false);
    Ok(Box::new(Gzip { inflate, crc: crc32fast::Hasher::new(), length: 0, is_ended: false }))
}

impl Gzip {
    /// CRC and length stand behind the data; Linux steps over eight bytes, whatever they are.
    fn verify(&mut self, input: &mut Input<'_>) -> Result<(), Halt> {
        let place = Place { offset: input.position(), is_packed: false };
        let trailer = slice(input.peek(8)?, 0, 8);
        let Some((crc, length)) = trailer.and_then(|bytes| Some((le_u32(bytes, 0)?, le_u32(bytes, 4)?))) else {
            // Linux steps over the end of the file and goes on with the memory behind it.
            let message = "invalid magic at start of compressed archive";
            return Err(refused(input, "initrd-cut-short", message, "the gzip checksum is cut short"));
        };
        input.consume(8);
        let found = self.crc.clone().finalize();
        if crc != found {
            let text = format!("the gzip checksum is {crc:08x}, the data have {found:08x}");
            return Err(Halt::damaged("initrd-gzip-checksum", place, &text));
        }
        if length != self.length {
            let text = format!("the gzip length is {length}, the data have {} bytes modulo 2^32", self.length);
            return Err(Halt::damaged("initrd-gzip-checksum", place, &text));
        }
        Ok(())
    }
}

fn skip_name(input: &mut Input<'_>) -> Result<(), Halt> {
    loop {
        let chunk = input.chunk()?;
        if chunk.is_empty() {
            return Err(refused(input, "initrd-gzip", "header error", "its file name is cut short"));
        }
        let name_end = chunk.iter().position(|byte| *byte == 0);
        let length = name_end.map_or(chunk.len(), |end| end.saturating_add(1));
        input.consume(length);
        if name_end.is_some() {
            return Ok(());
        }
    }
}

impl Unpack for Gzip {
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        while !self.is_ended {
            let chunk = input.chunk()?;
            if chunk.is_empty() {
                return Err(refused(input, "initrd-cut-short", "read error", "the gzip data are cut short"));
            }
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(chunk, out, FlushDecompress::None);
            let consumed = difference(self.inflate.total_in(), before.0);
            let produced = difference(self.inflate.total_out(), before.1);
            input.consume(consumed);
            match status {
                Ok(Status::StreamEnd) => self.is_ended = true,
                Ok(_) if consumed.saturating_add(produced) > 0 => {}
                Ok(_) => return Err(refused(input, "initrd-gzip", "uncompression error", "no progress")),
                Err(error) => {
                    return Err(refused(input, "initrd-gzip", "uncompression error", &error.to_string()));
                }
            }
            let part = out.get(..produced).unwrap_or_default();
            self.crc.update(part);
            self.length = self.length.wrapping_add(u32::try_from(produced).unwrap_or_default());
            if produced > 0 {
                return Ok(produced);
            }
        }
        Ok(0)
    }

    fn finish(&mut self, input: &mut Input<'_>) -> Result<(), Halt> {
        self.verify(input)
    }
}
