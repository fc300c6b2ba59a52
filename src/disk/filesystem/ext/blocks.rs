//! The blocks of a volume as they are once its journal is replayed, and where its inodes stand in them.

use super::checksum::{crc16, crc32c};
use super::feature;
use super::inode::Inode;
use super::superblock::{self, Superblock, split};
use crate::bytes::{Bytes, le_u16, le_u32};
use crate::disk::filesystem::cache::Cache;
use crate::error::{Error, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Where the newest copy of a block stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    /// The block of the volume that holds it.
    pub(super) block: u64,
    /// It begins with the journal's magic number, which the journal does not store.
    pub(super) is_escaped: bool,
}

/// Blocks of a volume that stand in its journal, by the block that they replace.
pub(super) type Replayed = BTreeMap<u64, Logged>;

/// The volume, block by block.
pub(super) struct Blocks {
    pub(super) superblock: Superblock,
    cache: RefCell<Cache>,
    replayed: Replayed,
}

impl Blocks {
    /// The volume as it stands, its journal not replayed.
    pub(super) fn open(volume: Bytes) -> Result<Self> {
        let mut bytes = [0; superblock::LENGTH];
        volume.read_at(superblock::OFFSET, &mut bytes)?;
        let superblock = Superblock::parse(&bytes, volume.size())?;
        Ok(Self { superblock, cache: RefCell::new(Cache::new(volume)), replayed: Replayed::new() })
    }

    /// Lets the journal's copies stand for the blocks that they replace, the superblock's among them.
    pub(super) fn replay(&mut self, replayed: Replayed, size: u64) -> Result<()> {
        self.replayed = replayed;
        let mut bytes = [0; superblock::LENGTH];
        self.read_at(superblock::OFFSET, &mut bytes)?;
        let replayed = Superblock::parse(&bytes, size)?;
        if replayed.block_size != self.superblock.block_size || replayed.uuid != self.superblock.uuid {
            return Err(Error::corrupt("ext4 journal", "its superblock is of another file system"));
        }
        self.superblock = replayed;
        Ok(())
    }

    /// Fills `buf` from the byte `offset` of the volume.
    pub(super) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if self.replayed.is_empty() {
            return self.cache.borrow_mut().read_at(offset, buf);
        }
        let size = self.superblock.block_size;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (block, skip) = split(at, size);
            let room = usize::try_from(size.saturating_sub(skip)).unwrap_or(usize::MAX).min(rest.len());
            let (part, behind) = rest.split_at_mut(room);
            self.read_in_block(block, skip, part)?;
            at = at.saturating_add(u64::try_from(room).unwrap_or(u64::MAX));
            rest = behind;
        }
        Ok(())
    }

    fn read_in_block(&self, block: u64, skip: u64, part: &mut [u8]) -> Result<()> {
        let logged = self.replayed.get(&block).copied();
        let from = logged.map_or(block, |logged| logged.block);
        let at = from.saturating_mul(self.superblock.block_size).saturating_add(skip);
        self.cache.borrow_mut().read_at(at, part)?;
        if logged.is_some_and(|logged| logged.is_escaped) {
            let magic = super::journal::MAGIC.to_be_bytes();
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            part.iter_mut().zip(magic.iter().skip(skip)).for_each(|(byte, magic)| *byte = *magic);
        }
        Ok(())
    }

    /// One block, which must be one that can hold something.
    pub(super) fn read(&self, block: u64) -> Result<Vec<u8>> {
        if !self.superblock.holds(block, 1) {
            let cause = format!("block {block} is none of {}", self.superblock.blocks);
            return Err(Error::corrupt("ext4", cause));
        }
        let mut bytes = vec![0; usize::try_from(self.superblock.block_size).unwrap_or(0)];
        self.read_at(block.saturating_mul(self.superblock.block_size), &mut bytes)?;
        Ok(bytes)
    }

    /// An inode that is in use, its checksum right.
    pub(super) fn inode(&self, number: u32) -> Result<Inode> {
        let superblock = &self.superblock;
        let index = number.checked_sub(1).filter(|_| number <= superblock.inodes);
        let Some(index) = index else {
            return Err(Error::corrupt("ext4", format!("inode {number} is none of {}", superblock.inodes)));
        };
        let (group, index) = split(index.into(), superblock.inodes_per_group.into());
        let table = self.inode_table(group)?;
        let size = u64::try_from(superblock.inode_size).unwrap_or(0);
        let at = table.saturating_mul(superblock.block_size).saturating_add(index.saturating_mul(size));
        let mut bytes = vec![0; superblock.inode_size];
        self.read_at(at, &mut bytes)?;
        Inode::parse(number, &bytes, superblock).map_err(|error| error.offset(at))
    }

    /// The first block of a group's inodes (`ext4_check_descriptors` of `fs/ext4/super.c`).
    fn inode_table(&self, group: u64) -> Result<u64> {
        let superblock = &self.superblock;
        let (size, length) = (superblock.block_size, u64::try_from(superblock.descriptor_size).unwrap_or(u64::MAX));
        let per_block = split(size, length).0.max(1);
        let (index, within) = split(group, per_block);
        let block = self.descriptor_block(index, per_block);
        let at = block.saturating_mul(size).saturating_add(within.saturating_mul(length));
        let mut bytes = vec![0; superblock.descriptor_size];
        self.read_at(at, &mut bytes)?;
        let corrupt = |cause: String| Err(Error::corrupt(format!("group descriptor {group}"), cause).offset(at));
        if let Some(sum) = self.descriptor_sum(group, &bytes)
            && Some(sum) != le_u16(&bytes, 0x1e)
        {
            return corrupt("its checksum is another".into());
        }
        let high = le_u32(&bytes, 0x28).unwrap_or(0);
        let table = u64::from(high) << 32 | u64::from(le_u32(&bytes, 0x8).unwrap_or(0));
        let inodes =
            u64::try_from(superblock.inode_size).unwrap_or(0).saturating_mul(superblock.inodes_per_group.into());
        if !superblock.holds(table, inodes.div_ceil(size)) {
            return corrupt(format!("its inodes would begin at block {table} of {}", superblock.blocks));
        }
        Ok(table)
    }

    /// Where the block of descriptors with `index` stands (`ext2fs_descriptor_block_loc2` of e2fsprogs).
    fn descriptor_block(&self, index: u64, per_block: u64) -> u64 {
        let superblock = &self.superblock;
        let first = superblock.first_data_block;
        // With clusters the first of 1 KiB blocks belongs to group 0, and the superblock is the second.
        let is_shifted = superblock.block_size == 1024 && first == 0;
        if superblock.incompat & feature::META_BG == 0 || index < superblock.first_meta_group {
            return first.saturating_add(index).saturating_add(1).saturating_add(is_shifted.into());
        }
        let group = index.saturating_mul(per_block);
        let start = first.saturating_add(group.saturating_mul(superblock.blocks_per_group));
        let shift = is_shifted && index == 0;
        start.saturating_add(self.has_backup(group).into()).saturating_add(shift.into())
    }

    /// Whether a group begins with a copy of the superblock (`ext2fs_bg_has_super`).
    fn has_backup(&self, group: u64) -> bool {
        let superblock = &self.superblock;
        let is_power = |base: u64| (1..=20).any(|power| base.checked_pow(power) == Some(group));
        if group == 0 {
            true
        } else if superblock.compat & feature::SPARSE_SUPER2 != 0 {
            superblock.backup_groups.iter().any(|backup| u64::from(*backup) == group)
        } else {
            let is_sparse = superblock.ro_compat & feature::SPARSE_SUPER != 0;
            group == 1 || !is_sparse || [3, 5, 7].into_iter().any(is_power)
        }
    }

    fn descriptor_sum(&self, group: u64, bytes: &[u8]) -> Option<u16> {
        let superblock = &self.superblock;
        let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
        let (front, behind) = (bytes.get(..0x1e)?, bytes.get(0x20..)?);
        if superblock.has_checksums() {
            let sum = [&number[..], front, &[0, 0], behind].iter().fold(superblock.seed, |sum, part| crc32c(sum, part));
            return u16::try_from(sum & 0xffff).ok();
        }
        let parts = [&superblock.uuid[..], &number, front, behind];
        let has_sum = superblock.ro_compat & feature::GDT_CSUM != 0;
        has_sum.then(|| parts.iter().fold(u16::MAX, |sum, part| crc16(sum, part)))
    }
}
