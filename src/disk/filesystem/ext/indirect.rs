//! The block map of ext2 and ext3: twelve blocks, then blocks of block numbers, three levels deep.
//! <https://docs.kernel.org/filesystems/ext4/ifork.html>

use super::blocks::Blocks;
use super::inode::Inode;
use super::map::Run;
use super::superblock::split;
use crate::bytes::le_u32;
use crate::error::{Error, Result};

/// Block numbers that stand in the inode itself (`EXT4_NDIR_BLOCKS`).
const DIRECT: u64 = 12;
/// Levels of blocks of block numbers.
const LEVELS: u32 = 3;

/// The last block of numbers that was read at each level.
#[derive(Default)]
pub(super) struct Indirect {
    levels: [Option<(u64, Vec<u8>)>; 3],
}

impl Indirect {
    pub(super) fn run(&mut self, blocks: &Blocks, inode: &Inode, logical: u64) -> Result<Run> {
        if logical < DIRECT {
            return Ok(along(&inode.map, logical, DIRECT));
        }
        let per_block = blocks.superblock.block_size / 4;
        let mut rest = logical.saturating_sub(DIRECT);
        for level in 1..=LEVELS {
            let reach = per_block.saturating_pow(level);
            if rest < reach {
                let slot = usize::try_from(DIRECT).unwrap_or(0).saturating_add(usize::try_from(level).unwrap_or(0));
                let pointer = number(&inode.map, slot.saturating_sub(1));
                return self.descend(blocks, pointer, level, rest);
            }
            rest = rest.saturating_sub(reach);
        }
        Err(Error::corrupt(format!("inode {}", inode.number), format!("a block map has no block {logical}")))
    }

    /// The run at `rest` below a block of numbers `level` levels above the data.
    fn descend(&mut self, blocks: &Blocks, mut pointer: u64, mut level: u32, mut rest: u64) -> Result<Run> {
        let per_block = blocks.superblock.block_size / 4;
        while level > 0 {
            let reach = per_block.saturating_pow(level);
            if pointer == 0 {
                return Ok(Run { start: None, length: reach.saturating_sub(rest) });
            }
            let (below, _) = split(reach, per_block);
            let (index, within) = split(rest, below);
            level = level.saturating_sub(1);
            let numbers = self.numbers(blocks, level, pointer)?;
            if level == 0 {
                return Ok(along(numbers, rest, per_block));
            }
            pointer = number(numbers, usize::try_from(index).unwrap_or(usize::MAX));
            rest = within;
        }
        Err(Error::corrupt("ext4", "a block map without levels"))
    }

    fn numbers(&mut self, blocks: &Blocks, level: u32, block: u64) -> Result<&[u8]> {
        let none = || Error::corrupt("ext4", "a block map of more than three levels");
        let kept = usize::try_from(level).ok().and_then(|level| self.levels.get_mut(level)).ok_or_else(none)?;
        if kept.as_ref().is_none_or(|(at, _)| *at != block) {
            *kept = Some((block, blocks.read(block)?));
        }
        kept.as_ref().map(|(_, bytes)| bytes.as_slice()).ok_or_else(none)
    }
}

fn number(numbers: &[u8], index: usize) -> u64 {
    index.checked_mul(4).and_then(|at| le_u32(numbers, at)).unwrap_or(0).into()
}

/// The run at `index` of `count` block numbers.
fn along(numbers: &[u8], index: u64, count: u64) -> Run {
    let at = |index: u64| number(numbers, usize::try_from(index).unwrap_or(usize::MAX));
    let first = at(index);
    let follows = |next: u64| {
        let expected = if first == 0 { 0 } else { first.saturating_add(next.saturating_sub(index)) };
        at(next) == expected
    };
    let end = (index.saturating_add(1)..count).find(|next| !follows(*next)).unwrap_or(count);
    Run { start: (first != 0).then_some(first), length: end.saturating_sub(index).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_numbers_jump() {
        let numbers: Vec<u8> = [7_u32, 8, 9, 0, 0, 20, 22, u32::MAX].iter().flat_map(|n| n.to_le_bytes()).collect();
        for (index, start, length) in [
            (0, Some(7), 3),
            (1, Some(8), 2),
            (2, Some(9), 1),
            (3, None, 2),
            (4, None, 1),
            (5, Some(20), 1),
            (6, Some(22), 1),
            (7, Some(u64::from(u32::MAX)), 1),
        ] {
            assert_eq!(along(&numbers, index, 8), Run { start, length }, "{index}");
        }
    }
}
