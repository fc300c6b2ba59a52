//! The bytes of one file, read from front to back.

use super::blocks::Blocks;
use super::inode::Inode;
use super::map::{Map, Run};
use super::superblock::split;
use crate::error::{Error, Result};
use std::io::{self, Read};
use std::rc::Rc;

/// An opened file. It ends at its size; holes and what was never written are zeros.
pub(super) struct Contents<'a> {
    blocks: &'a Blocks,
    inode: Rc<Inode>,
    map: Map,
    position: u64,
    /// The run around the position, and the file's byte at which it begins.
    run: Run,
    run_at: u64,
}

impl<'a> Contents<'a> {
    /// The file of a readable inode.
    pub(super) fn new(blocks: &'a Blocks, inode: Rc<Inode>) -> Result<Self> {
        inode.check_readable()?;
        let map = Map::new(&inode);
        Ok(Self { blocks, inode, map, position: 0, run: Run { start: None, length: 0 }, run_at: 0 })
    }

    fn fill(&mut self, buf: &mut [u8]) -> Result<usize> {
        let left = self.inode.size.saturating_sub(self.position);
        if left == 0 || buf.is_empty() {
            return Ok(0);
        }
        if self.inode.is_inline() {
            return self.fill_inline(buf);
        }
        let size = self.blocks.superblock.block_size;
        let end = |at: u64, run: Run| at.saturating_add(run.length.saturating_mul(size));
        if self.position >= end(self.run_at, self.run) {
            let (logical, _) = split(self.position, size);
            self.run = self.map.run(self.blocks, &self.inode, logical)?;
            self.run_at = logical.saturating_mul(size);
        }
        let room = end(self.run_at, self.run).saturating_sub(self.position).min(left);
        let length = usize::try_from(room).unwrap_or(usize::MAX).min(buf.len());
        let part = buf.get_mut(..length).unwrap_or_default();
        match self.run.start {
            Some(start) => {
                let skip = self.position.saturating_sub(self.run_at);
                self.blocks.read_at(start.saturating_mul(size).saturating_add(skip), part)?;
            }
            None => part.fill(0),
        }
        self.position = self.position.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Ok(length)
    }

    fn fill_inline(&mut self, buf: &mut [u8]) -> Result<usize> {
        let (map, tail) = self.inode.inline();
        let size = usize::try_from(self.inode.size).unwrap_or(usize::MAX);
        let there = map.len().saturating_add(tail.len());
        if size > there {
            let cause = format!("it claims {size} bytes, {there} stand in it");
            return Err(Error::corrupt(format!("inode {}", self.inode.number), cause));
        }
        let skip = usize::try_from(self.position).unwrap_or(usize::MAX);
        let bytes = map.iter().chain(tail).take(size).skip(skip);
        let read = buf.iter_mut().zip(bytes).map(|(to, from)| *to = *from).count();
        self.position = self.position.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl Read for Contents<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.fill(buf).map_err(io::Error::other)
    }
}
