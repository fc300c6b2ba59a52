//! lz4's legacy format (`doc/lz4_Frame_format.md`, "Legacy frame") as Linux's `lib/decompress_unlz4.c` reads it: chunks
//! to the end of the initrd, or to a chunk of no bytes.

use super::blocks::{Blocks, Row, take};
use super::{Unpack, memory_limit, refused};
use crate::bytes::le_u32;
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;

const MAGIC: u32 = 0x184c_2102;
/// Bytes that a chunk unpacks to at most: `LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE`.
const CHUNK: usize = 8 << 20;
/// Bytes that such a chunk is packed into at most: `LZ4_COMPRESSBOUND`.
const PACKED_CHUNK: u32 = (8 << 20) + (8 << 20) / 255 + 16;

struct Lz4;

pub(super) fn open(input: &mut Input<'_>) -> Result<Box<dyn Unpack>, Halt> {
    if le_u32(input.peek(4)?, 0) != Some(MAGIC) {
        return Err(refused(input, "initrd-lz4", "invalid header", "bytes 0-3 are not 02 21 4c 18"));
    }
    input.consume(4);
    Ok(Box::new(Row::new(Lz4)))
}

impl Blocks for Lz4 {
    fn next(&mut self, input: &mut Input<'_>, block: &mut Vec<u8>) -> Result<bool, Halt> {
        let length = loop {
            match le_u32(input.peek(4)?, 0) {
                // Fewer than four bytes, or padding: both are left to who comes next.
                None | Some(0) => return Ok(false),
                Some(MAGIC) => input.consume(4),
                Some(length) => break length,
            }
        };
        if length > PACKED_CHUNK {
            return Err(too_long(input, length)?);
        }
        input.consume(4);
        let Some(packed) = take(input, usize::try_from(length).unwrap_or(0))? else {
            return Err(refused(input, "initrd-cut-short", "data corrupted", "an lz4 chunk is cut short"));
        };
        block.resize(CHUNK, 0);
        match lz4_flex::block::decompress_into(&packed, block) {
            Ok(length) => block.truncate(length),
            Err(error) => return Err(refused(input, "initrd-lz4", "Decoding failed", &error.to_string())),
        }
        Ok(true)
    }
}

/// A chunk longer than lz4 writes. Linux unpacks it together with the memory behind the initrd when that ends before.
fn too_long(input: &mut Input<'_>, length: u32) -> Result<Halt, Halt> {
    let found = format!("a chunk of {length} bytes; lz4 -l writes none above {PACKED_CHUNK}");
    let halt = refused(input, "initrd-lz4", "data corrupted", &found);
    let mut left = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4);
    while left > 0 {
        let part = input.chunk()?.len().min(left);
        if part == 0 {
            return Ok(halt);
        }
        input.consume(part);
        left = left.saturating_sub(part);
    }
    Ok(memory_limit("an lz4 chunk", length.into(), PACKED_CHUNK.into()))
}
