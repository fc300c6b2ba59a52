//! The index and the footer of a stream (`dec_index`, `dec_stream_footer` of Linux's `lib/xz/xz_dec_stream.c`).

use super::block::number;
use super::{corrupt, cut};
use crate::bytes::{le_u32, slice};
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;

/// Bytes of the longest number.
const NUMBER: usize = 9;

/// What the blocks were, to compare with what the index says.
#[derive(Default)]
pub(super) struct Index {
    blocks: u64,
    sizes: crc32fast::Hasher,
    /// Bytes of the index, once it is read.
    pub(super) size: u64,
}

impl Index {
    /// Remembers a block of `size` bytes without padding.
    pub(super) fn add(&mut self, size: u64, unpacked: u64) {
        self.blocks = self.blocks.saturating_add(1);
        record(&mut self.sizes, size, unpacked);
    }

    /// Reads the index and moves behind it.
    pub(super) fn verify(&mut self, input: &mut Input<'_>) -> Result<(), Halt> {
        let start = input.position();
        let (mut sum, mut sizes) = (crc32fast::Hasher::new(), crc32fast::Hasher::new());
        sum.update(&[0]);
        input.consume(1);
        // As many records as there were blocks: no more are read than that.
        if take(input, &mut sum)? != self.blocks {
            return Err(corrupt(input, "the index does not name every block"));
        }
        for _ in 0..self.blocks {
            let (size, unpacked) = (take(input, &mut sum)?, take(input, &mut sum)?);
            record(&mut sizes, size, unpacked);
        }
        if sizes.finalize() != self.sizes.clone().finalize() {
            return Err(corrupt(input, "the index has other sizes than the blocks"));
        }
        let length = input.position().saturating_sub(start);
        let padding = usize::try_from(length.wrapping_neg() % 4).unwrap_or(0);
        let Some(behind) = slice(input.peek(8)?, 0, padding.saturating_add(4)).map(<[u8]>::to_vec) else {
            return Err(cut(input));
        };
        let (zeros, expected) = behind.split_at(padding.min(behind.len()));
        sum.update(zeros);
        if zeros.iter().any(|byte| *byte != 0) || le_u32(expected, 0) != Some(sum.finalize()) {
            return Err(corrupt(input, "the checksum of the index is wrong"));
        }
        input.consume(behind.len());
        self.size = input.position().saturating_sub(start);
        Ok(())
    }
}

fn record(sizes: &mut crc32fast::Hasher, size: u64, unpacked: u64) {
    sizes.update(&size.to_le_bytes());
    sizes.update(&unpacked.to_le_bytes());
}

fn take(input: &mut Input<'_>, sum: &mut crc32fast::Hasher) -> Result<u64, Halt> {
    let ahead = input.peek(NUMBER)?;
    let Some((number, behind)) = number(ahead.get(..ahead.len().min(NUMBER)).unwrap_or_default()) else {
        let is_short = ahead.len() < NUMBER;
        return Err(if is_short { cut(input) } else { corrupt(input, "a number in the index") });
    };
    let length = ahead.len().min(NUMBER).saturating_sub(behind.len());
    sum.update(ahead.get(..length).unwrap_or_default());
    input.consume(length);
    Ok(number)
}

/// Reads the footer and moves behind it; `size` is the index's in bytes.
pub(super) fn footer(input: &mut Input<'_>, check: u8, size: u64) -> Result<(), Halt> {
    let footer: [u8; 12] = match slice(input.peek(12)?, 0, 12).map(TryInto::try_into) {
        Some(Ok(footer)) => footer,
        _ => return Err(cut(input)),
    };
    let sum = slice(&footer, 4, 6).map(crc32fast::hash);
    let backward = le_u32(&footer, 4).map(|words| u64::from(words).saturating_add(1).saturating_mul(4));
    let flags = slice(&footer, 8, 4) == Some(&[0, check, b'Y', b'Z']);
    if !flags || le_u32(&footer, 0) != sum || backward != Some(size) {
        return Err(corrupt(input, "the footer does not match the header and the index"));
    }
    input.consume(12);
    Ok(())
}
