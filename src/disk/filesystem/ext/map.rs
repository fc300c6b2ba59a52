//! Where a file's blocks stand: the run of blocks at a logical block, by its extent tree or its block map.

use super::blocks::Blocks;
use super::extents::Extents;
use super::indirect::Indirect;
use super::inode::Inode;
use crate::error::{Error, Result};

/// Blocks that follow each other in the file and on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first on the volume; `None` where the file has a hole or nothing was written yet: both read as zeros.
    pub(super) start: Option<u64>,
    /// Blocks, at least one.
    pub(super) length: u64,
}

/// Finds the blocks of one file, remembering the last node that it read.
pub(super) enum Map {
    Extents(Extents),
    Indirect(Indirect),
}

impl Map {
    /// The map of an inode whose data is not inline.
    pub(super) fn new(inode: &Inode) -> Self {
        if inode.has_extents() { Self::Extents(Extents::default()) } else { Self::Indirect(Indirect::default()) }
    }

    /// The run that begins at the file's block `logical`. Reads at most one node per level.
    pub(super) fn run(&mut self, blocks: &Blocks, inode: &Inode, logical: u64) -> Result<Run> {
        let run = match self {
            Self::Extents(extents) => extents.run(blocks, inode, logical)?,
            Self::Indirect(indirect) => indirect.run(blocks, inode, logical)?,
        };
        match run.start {
            Some(start) if !blocks.superblock.holds(start, run.length) => {
                let cause = format!("its block {logical} is block {start} of {}", blocks.superblock.blocks);
                Err(Error::corrupt(format!("inode {}", inode.number), cause))
            }
            _ => Ok(run),
        }
    }

    /// One block of the file, `None` for a hole.
    pub(super) fn read(&mut self, blocks: &Blocks, inode: &Inode, logical: u64) -> Result<Option<Vec<u8>>> {
        self.run(blocks, inode, logical)?.start.map(|start| blocks.read(start)).transpose()
    }
}
