//! What a prototype file cannot say is set in the inodes afterwards: times, the sticky bit, and generations, which newer
//! releases of xfsprogs take from a random number (XFS Algorithms & Data Structures, "On-disk Inode").

use crate::build::disk::target::Target;
use crate::bytes::{be_u16, be_u32, be_u64, slice};
use crate::disk::filesystem::crc32c;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Inodes that XFS allocates at once.
const CHUNK: u64 = 64;
/// Fields of an inode, in bytes from its start.
const MODE: usize = 2;
const TIMES: [usize; 4] = [32, 40, 48, 144];
const GENERATION: usize = 92;
const CHECKSUM: usize = 100;
const FLAGS2: usize = 120;
const NUMBER: usize = 152;
const UUID: usize = 160;
/// `XFS_DIFLAG2_BIGTIME`: times are nanoseconds since 1901.
const BIGTIME: u64 = 1 << 3;
/// Seconds from the first time of bigtime to 1970.
const BIGTIME_EPOCH: u64 = 1 << 31;

/// What an inode shall say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Permission bits.
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) mtime: u32,
}

/// What is needed of the superblock.
#[derive(Debug)]
pub(super) struct Layout {
    block_size: u64,
    blocks: u64,
    group_blocks: u64,
    groups: u64,
    inode_size: usize,
    inodes_per_block_log: u32,
    group_blocks_log: u32,
    uuid: [u8; 16],
    /// The inode of `/`.
    pub(super) root: u64,
}

impl Layout {
    /// Reads the first superblock.
    ///
    /// # Errors
    /// `Corrupt` when it is not what [`super::make`] makes; `Io` as the file has it.
    pub(super) fn read(file: &Target) -> Result<Self> {
        let mut bytes = [0; 512];
        file.read(0, &mut bytes)?;
        Self::parse(&bytes).ok_or_else(|| corrupt("its superblock is not what mkfs.xfs was asked for"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let layout = Self {
            block_size: be_u32(bytes, 4)?.into(),
            blocks: be_u64(bytes, 8)?,
            group_blocks: be_u32(bytes, 84)?.into(),
            groups: be_u32(bytes, 88)?.into(),
            inode_size: be_u16(bytes, 104)?.into(),
            inodes_per_block_log: bytes.get(123).copied()?.into(),
            group_blocks_log: bytes.get(124).copied()?.into(),
            uuid: slice(bytes, 32, 16)?.try_into().ok()?,
            root: be_u64(bytes, 56)?,
        };
        let is_sound = bytes.starts_with(b"XFSB")
            && (512..=65536).contains(&layout.block_size)
            && (256..=2048).contains(&layout.inode_size)
            && layout.inodes_per_block_log <= 8
            && layout.group_blocks_log < 32;
        is_sound.then_some(layout)
    }

    /// The byte at which an inode stands.
    fn place(&self, inode: u64) -> Option<u64> {
        let bits = self.inodes_per_block_log.checked_add(self.group_blocks_log)?;
        let group = inode >> bits;
        let inside = inode & (1_u64 << bits).checked_sub(1)?;
        let block = inside >> self.inodes_per_block_log;
        let index = inside & (1_u64 << self.inodes_per_block_log).checked_sub(1)?;
        let block = group.checked_mul(self.group_blocks)?.checked_add(block).filter(|block| *block < self.blocks)?;
        let size = u64::try_from(self.inode_size).ok()?;
        (group < self.groups).then_some(())?;
        block.checked_mul(self.block_size)?.checked_add(index.checked_mul(size)?)
    }
}

/// Sets what `wishes` says of each inode in use; others of their chunks, the file system's own, get the time `epoch`.
///
/// # Errors
/// `Corrupt` when a wish is about something that is no inode; `Io` as the file has it.
pub(super) fn settle(file: &Target, layout: &Layout, wishes: &BTreeMap<u64, Wish>, epoch: u32) -> Result<()> {
    let chunks: BTreeSet<u64> = wishes.keys().map(|inode| inode & !CHUNK.saturating_sub(1)).collect();
    let mut bytes = vec![0; layout.inode_size];
    for inode in chunks.into_iter().flat_map(|first| first..first.saturating_add(CHUNK)) {
        let wish = wishes.get(&inode);
        let Some(place) = layout.place(inode) else { continue };
        file.read(place, &mut bytes)?;
        let is_inode = bytes.starts_with(b"IN")
            && be_u64(&bytes, NUMBER) == Some(inode)
            && slice(&bytes, UUID, 16) == Some(&layout.uuid[..]);
        if !is_inode {
            // Of a chunk at the end of a group only a part may be there.
            wish.map_or(Ok(()), |_| Err(corrupt(format!("there is no inode {inode}"))))?;
            continue;
        }
        set(&mut bytes, wish, epoch);
        file.write(place, &bytes)?;
    }
    Ok(())
}

fn set(inode: &mut [u8], wish: Option<&Wish>, epoch: u32) {
    let mode = be_u16(inode, MODE).unwrap_or(0);
    if let Some(wish) = wish {
        let bits = u16::try_from(wish.mode & 0o7777).unwrap_or(0);
        put(inode, MODE, &(mode & 0o170_000 | bits).to_be_bytes());
    }
    if mode != 0 {
        let is_big = be_u64(inode, FLAGS2).unwrap_or(0) & BIGTIME != 0;
        let time = time(wish.map_or(epoch, |wish| wish.mtime.min(epoch)), is_big);
        for at in TIMES {
            put(inode, at, &time);
        }
    }
    put(inode, GENERATION, &[0; 4]);
    put(inode, CHECKSUM, &[0; 4]);
    // The sum of the whole inode, its own place as zeros, inverted at the end and little-endian.
    let sum = !crc32c(u32::MAX, inode);
    put(inode, CHECKSUM, &sum.to_le_bytes());
}

/// Eight bytes of a time without nanoseconds.
fn time(seconds: u32, is_big: bool) -> [u8; 8] {
    let seconds = u64::from(seconds);
    if is_big {
        seconds.saturating_add(BIGTIME_EPOCH).saturating_mul(1_000_000_000).to_be_bytes()
    } else {
        (seconds << 32).to_be_bytes()
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = at.checked_add(value.len()).and_then(|end| bytes.get_mut(at..end)) {
        place.copy_from_slice(value);
    }
}

fn corrupt(cause: impl Into<String>) -> Error {
    Error::corrupt("xfs file system that was made", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inodes_stand_where_their_numbers_say() {
        let layout = Layout {
            block_size: 4096,
            blocks: 102_400,
            group_blocks: 25_600,
            groups: 4,
            inode_size: 512,
            inodes_per_block_log: 3,
            group_blocks_log: 15,
            uuid: [0; 16],
            root: 128,
        };
        for (inode, place) in [
            (128, Some(16 * 4096)),
            (131, Some(16 * 4096 + 3 * 512)),
            (262_272, Some((25_600 + 16) * 4096)),
            (4 << 18, None),
            (u64::MAX, None),
        ] {
            assert_eq!(layout.place(inode), place, "{inode}");
        }
    }

    #[test]
    fn times_have_two_forms() {
        assert_eq!(time(1, false), [0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(u64::from_be_bytes(time(1, true)), ((1 << 31) + 1) * 1_000_000_000);
    }
}
