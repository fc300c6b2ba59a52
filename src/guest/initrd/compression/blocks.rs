//! Formats that are a row of blocks, each unpacked whole: lz4 and lzo.

use super::Unpack;
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;

/// A row of blocks.
pub(super) trait Blocks {
    /// Unpacks the next block into `block`; false at the end of the row.
    fn next(&mut self, input: &mut Input<'_>, block: &mut Vec<u8>) -> Result<bool, Halt>;
}

/// The bytes of all blocks.
pub(super) struct Row<B> {
    blocks: B,
    block: Vec<u8>,
    start: usize,
}

impl<B: Blocks> Row<B> {
    pub(super) fn new(blocks: B) -> Self {
        Self { blocks, block: Vec::new(), start: 0 }
    }
}

impl<B: Blocks> Unpack for Row<B> {
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        while self.start >= self.block.len() {
            self.start = 0;
            self.block.clear();
            if !self.blocks.next(input, &mut self.block)? {
                self.block.clear();
                return Ok(0);
            }
        }
        let rest = self.block.get(self.start..).unwrap_or_default();
        let length = rest.len().min(out.len());
        for (to, from) in out.iter_mut().zip(rest) {
            *to = *from;
        }
        self.start = self.start.saturating_add(length);
        Ok(length)
    }
}

/// Reads exactly `length` bytes, which its caller has bounded; `None` when the file ends before.
pub(super) fn take(input: &mut Input<'_>, length: usize) -> Result<Option<Vec<u8>>, Halt> {
    let mut taken = Vec::new();
    while taken.len() < length {
        let chunk = input.chunk()?;
        let part = chunk.get(..length.saturating_sub(taken.len()).min(chunk.len())).unwrap_or_default();
        if part.is_empty() {
            return Ok(None);
        }
        taken.extend_from_slice(part);
        let part = part.len();
        input.consume(part);
    }
    Ok(Some(taken))
}
