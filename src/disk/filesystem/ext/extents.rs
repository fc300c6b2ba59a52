//! The extent tree of ext4, every node checked as Linux checks it.
//! <https://docs.kernel.org/filesystems/ext4/ifork.html>, `__ext4_ext_check` of `fs/ext4/extents.c`

use super::blocks::Blocks;
use super::checksum::crc32c;
use super::inode::Inode;
use super::map::Run;
use crate::bytes::{le_u16, le_u32, slice};
use crate::error::{Error, Result};

/// Begins every node (`EXT4_EXT_MAGIC`).
const MAGIC: u16 = 0xf30a;
/// Levels below the root (`EXT4_MAX_EXTENT_DEPTH`).
const MAX_LEVELS: u16 = 5;
/// Bytes of a node's header, and of each entry behind it.
const ENTRY: usize = 12;
/// Blocks of an extent; what is more says that nothing was written to them yet (`EXT_INIT_MAX_LEN`).
const MAX_LENGTH: u64 = 32_768;
/// Blocks in a file: their numbers have 32 bits.
const MAX_BLOCKS: u64 = 1 << 32;

/// Blocks that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    logical: u64,
    length: u64,
    start: u64,
    is_written: bool,
}

/// The last leaf that was read.
#[derive(Default)]
pub(super) struct Extents {
    leaf: Vec<Extent>,
    /// Logical blocks that the leaf decides about.
    from: u64,
    until: u64,
}

impl Extents {
    pub(super) fn run(&mut self, blocks: &Blocks, inode: &Inode, logical: u64) -> Result<Run> {
        if logical >= MAX_BLOCKS {
            let cause = format!("an extent tree has no block {logical}");
            return Err(Error::corrupt(format!("inode {}", inode.number), cause));
        }
        if !(self.from..self.until).contains(&logical) {
            self.descend(blocks, inode, logical)?;
        }
        let behind = self.leaf.partition_point(|extent| extent.logical <= logical);
        let before = behind.checked_sub(1).and_then(|index| self.leaf.get(index));
        if let Some(extent) = before {
            let skip = logical.saturating_sub(extent.logical);
            if skip < extent.length {
                let start = extent.is_written.then(|| extent.start.saturating_add(skip));
                return Ok(Run { start, length: extent.length.saturating_sub(skip) });
            }
        }
        let end = self.leaf.get(behind).map_or(self.until, |extent| extent.logical);
        Ok(Run { start: None, length: end.saturating_sub(logical).max(1) })
    }

    /// Reads the leaf that decides about `logical`, one node per level.
    fn descend(&mut self, blocks: &Blocks, inode: &Inode, logical: u64) -> Result<()> {
        let what = || format!("extent tree of inode {}", inode.number);
        let mut level = le_u16(&inode.map, 6).unwrap_or(0);
        if level > MAX_LEVELS {
            return Err(Error::corrupt(what(), format!("{level} levels, at most {MAX_LEVELS} are possible")));
        }
        let (mut node, mut from, mut until) = (inode.map.to_vec(), 0, MAX_BLOCKS);
        let mut is_root = true;
        loop {
            let entries = entries(&node, level, is_root).map_err(|cause| Error::corrupt(what(), cause))?;
            let is_named = |first: &Extent| is_root || first.logical == from;
            if !entries.first().is_none_or(is_named) || entries.last().is_some_and(|last| last.end() > until) {
                return Err(Error::corrupt(what(), "a node has other blocks than its parent says"));
            }
            if level == 0 {
                (self.leaf, self.from, self.until) = (entries, from, until);
                return Ok(());
            }
            let behind = entries.partition_point(|entry| entry.logical <= logical);
            until = entries.get(behind).map_or(until, |next| next.logical);
            let Some(child) = behind.checked_sub(1).and_then(|index| entries.get(index)) else {
                (self.leaf, self.from, self.until) = (Vec::new(), from, until);
                return Ok(());
            };
            from = child.logical;
            node = blocks.read(child.start)?;
            if blocks.superblock.has_checksums() && !is_sum_right(&node, inode.seed) {
                return Err(Error::corrupt(what(), format!("block {} has another checksum", child.start)));
            }
            level = level.saturating_sub(1);
            is_root = false;
        }
    }
}

impl Extent {
    fn end(&self) -> u64 {
        self.logical.saturating_add(self.length)
    }
}

/// The entries of a node `level` levels above the leaves; those of an index have the length 1.
fn entries(node: &[u8], level: u16, is_root: bool) -> Result<Vec<Extent>, String> {
    let short = |at| le_u16(node, at).unwrap_or(0);
    let (magic, count, most, depth) = (short(0), short(2), short(4), short(6));
    let room = (node.len() / ENTRY).saturating_sub(1);
    if magic != MAGIC || depth != level {
        return Err(format!("magic number {magic:#x} and level {depth}, expected {MAGIC:#x} and {level}"));
    }
    let is_empty_node = count == 0 && !(is_root && level == 0);
    if most == 0 || usize::from(most) > room || count > most || is_empty_node {
        return Err(format!("{count} of at most {most} entries in a node with room for {room}"));
    }
    let mut found: Vec<Extent> = Vec::with_capacity(count.into());
    for index in 1..=usize::from(count) {
        let entry = slice(node, index.saturating_mul(ENTRY), ENTRY).unwrap_or_default();
        let extent = if level == 0 { leaf_entry(entry) } else { index_entry(entry) };
        let extent = extent.filter(|extent| extent.length > 0 && extent.end() <= MAX_BLOCKS);
        match extent {
            Some(extent) if found.last().is_none_or(|last| last.end() <= extent.logical) => found.push(extent),
            _ => return Err(format!("entry {index} is empty, out of order or past the last block")),
        }
    }
    Ok(found)
}

fn leaf_entry(entry: &[u8]) -> Option<Extent> {
    let length = u64::from(le_u16(entry, 4)?);
    let start = u64::from(le_u16(entry, 6)?) << 32 | u64::from(le_u32(entry, 8)?);
    let is_written = length <= MAX_LENGTH;
    let length = if is_written { length } else { length.saturating_sub(MAX_LENGTH) };
    Some(Extent { logical: le_u32(entry, 0)?.into(), length, start, is_written })
}

fn index_entry(entry: &[u8]) -> Option<Extent> {
    let start = u64::from(le_u16(entry, 8)?) << 32 | u64::from(le_u32(entry, 4)?);
    Some(Extent { logical: le_u32(entry, 0)?.into(), length: 1, start, is_written: true })
}

/// The checksum stands behind as many entries as the node has room for.
fn is_sum_right(node: &[u8], seed: u32) -> bool {
    let most = usize::from(le_u16(node, 4).unwrap_or(0));
    let end = most.saturating_add(1).saturating_mul(ENTRY);
    node.get(..end).is_some_and(|bytes| le_u32(node, end) == Some(crc32c(seed, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node of 60 bytes: count, most, level, then `(logical, length, start)` as a leaf has them.
    fn node(count: u16, most: u16, level: u16, extents: &[(u32, u16, u32)]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [MAGIC, count, most, level, 0, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
        for (logical, length, start) in extents {
            bytes.extend(logical.to_le_bytes());
            bytes.extend([length.to_le_bytes(), [0; 2]].concat());
            bytes.extend(start.to_le_bytes());
        }
        bytes.resize(60, 0);
        bytes
    }

    #[test]
    fn leaves_are_read() {
        let found = entries(&node(3, 4, 0, &[(0, 5, 100), (5, 32_768, 200), (40_000, 32_770, 7)]), 0, true).unwrap();
        let parts: Vec<_> = found.iter().map(|e| (e.logical, e.length, e.start, e.is_written)).collect();
        assert_eq!(parts, [(0, 5, 100, true), (5, 32_768, 200, true), (40_000, 2, 7, false)]);
        assert_eq!(entries(&node(0, 4, 0, &[]), 0, true), Ok(vec![]));
    }

    #[test]
    fn contradicting_nodes_are_refused() {
        let two = [(0, 5, 100), (5, 5, 200)];
        for (bytes, level, is_root) in [
            (vec![0; 60], 0, true),
            (vec![], 0, true),
            (node(2, 4, 1, &two), 0, true),
            (node(0, 4, 0, &[]), 0, false),
            (node(0, 4, 1, &[]), 1, true),
            (node(2, 5, 0, &two), 0, true),
            (node(2, 1, 0, &two), 0, true),
            (node(0, 0, 0, &[]), 0, true),
            (node(2, 4, 0, &[(0, 6, 100), (5, 5, 200)]), 0, true),
            (node(2, 4, 0, &[(5, 5, 100), (0, 5, 200)]), 0, true),
            (node(1, 4, 0, &[(0, 0, 100)]), 0, true),
            (node(1, 4, 0, &[(u32::MAX, 2, 100)]), 0, true),
            (node(2, 4, 1, &[(3, 0, 0), (3, 0, 0)]), 1, true),
        ] {
            assert!(entries(&bytes, level, is_root).is_err(), "{bytes:?}");
        }
    }
}
