//! Times of the inodes that `mke2fs -d` made: it takes atime and ctime from the builder's file system, where they are
//! those of the build. Each becomes the file's mtime, and none is later than the build's own time.
//! <https://docs.kernel.org/filesystems/ext4/inodes.html>

use crate::build::disk::target::Target;
use crate::bytes::{le_u16, le_u32, slice};
use crate::disk::filesystem::crc32c;
use crate::error::{Error, Result};

/// Where the superblock stands, and its length, in bytes.
const SUPERBLOCK: (u64, usize) = (1024, 1024);
/// `s_magic`.
const MAGIC: u16 = 0xef53;
/// Incompatible: block numbers have 64 bits, group descriptors more than 32 bytes.
const SIXTY_FOUR_BIT: u32 = 0x80;
/// Incompatible: group descriptors stand in the groups that they describe. It is not made here.
const META_BG: u32 = 0x10;
/// Incompatible: the checksums' seed stands in the superblock.
const CSUM_SEED: u32 = 0x2000;
/// Read-only compatible: checksums of everything.
const METADATA_CSUM: u32 = 0x400;
/// Bytes of an inode without its extra fields.
const OLD_INODE: usize = 128;
/// Fields of 32 bits: atime, ctime; crtime and the four with nanoseconds stand behind the first 128 bytes.
const TIMES: [usize; 2] = [0x8, 0xc];
const CRTIME: usize = 0x90;
const EXTRA_TIMES: [usize; 4] = [0x84, 0x88, 0x8c, 0x94];
const MTIME: usize = 0x10;
/// Largest block of inodes read at once: 65536 inodes of 256 bytes.
const MAX_TABLE: u64 = 64 * 1024 * 1024;

/// What is needed of the superblock.
struct Layout {
    block_size: u64,
    first_data_block: u64,
    groups: u64,
    inodes_per_group: u32,
    inode_size: usize,
    descriptor_size: usize,
    /// What every checksum begins with, where there are checksums.
    seed: Option<u32>,
}

/// Sets the times of every inode of the file system in `file`; none is later than `epoch`.
///
/// # Errors
/// `Corrupt` when it is not what [`super::make`] makes; `Io` as the file has it.
pub(super) fn settle(file: &Target, epoch: u32) -> Result<()> {
    let layout = Layout::read(file)?;
    let table = layout.first_data_block.saturating_add(1).saturating_mul(layout.block_size);
    let table_size = u64::from(layout.inodes_per_group).saturating_mul(size(layout.inode_size));
    if table_size > MAX_TABLE {
        return Err(corrupt(format!("inode tables of {table_size} bytes")));
    }
    let mut inodes = vec![0; usize::try_from(table_size).unwrap_or(0)];
    let mut descriptor = vec![0; layout.descriptor_size];
    for group in 0..layout.groups {
        file.read(table.saturating_add(group.saturating_mul(size(layout.descriptor_size))), &mut descriptor)?;
        let high = le_u32(&descriptor, 0x28).unwrap_or(0);
        let block = u64::from(high) << 32 | u64::from(le_u32(&descriptor, 0x8).unwrap_or(0));
        let at = block.checked_mul(layout.block_size).ok_or_else(|| corrupt(format!("inodes in block {block}")))?;
        file.read(at, &mut inodes)?;
        let first = group.saturating_mul(layout.inodes_per_group.into()).saturating_add(1);
        settle_table(&layout, file, at, first, &mut inodes, epoch)?;
    }
    Ok(())
}

/// Writes back the inodes of one group, of which the first has the number `first`.
fn settle_table(layout: &Layout, file: &Target, at: u64, first: u64, table: &mut [u8], epoch: u32) -> Result<()> {
    let places = (at..).step_by(layout.inode_size);
    for ((number, place), inode) in (first..).zip(places).zip(table.chunks_exact_mut(layout.inode_size)) {
        // An inode that is not in use has no mode, and is left as it is: all zeros.
        if le_u16(inode, 0).unwrap_or(0) == 0 {
            continue;
        }
        set_times(inode, epoch);
        if let Some(seed) = layout.seed {
            set_checksum(inode, u32::try_from(number).unwrap_or(0), seed);
        }
        file.write(place, inode)?;
    }
    Ok(())
}

impl Layout {
    fn read(file: &Target) -> Result<Self> {
        let mut bytes = vec![0; SUPERBLOCK.1];
        file.read(SUPERBLOCK.0, &mut bytes)?;
        let field = |at| le_u32(&bytes, at).unwrap_or(0);
        let short = |at| le_u16(&bytes, at).unwrap_or(0);
        let (incompat, ro_compat, log) = (field(0x60), field(0x64), field(0x18));
        if short(0x38) != MAGIC || incompat & META_BG != 0 || log > 6 {
            return Err(corrupt("it is not what mke2fs was asked for".to_owned()));
        }
        let is_wide = incompat & SIXTY_FOUR_BIT != 0;
        let blocks = u64::from(if is_wide { field(0x150) } else { 0 }) << 32 | u64::from(field(0x4));
        let first_data_block = u64::from(field(0x14));
        let seed = if incompat & CSUM_SEED != 0 {
            field(0x270)
        } else {
            crc32c(u32::MAX, slice(&bytes, 0x68, 16).unwrap_or_default())
        };
        let layout = Self {
            block_size: 1024 << log,
            first_data_block,
            groups: blocks.saturating_sub(first_data_block).div_ceil(u64::from(field(0x20)).max(1)),
            inodes_per_group: field(0x28),
            inode_size: short(0x58).into(),
            descriptor_size: if is_wide { short(0xfe).into() } else { 32 },
            seed: (ro_compat & METADATA_CSUM != 0).then_some(seed),
        };
        if !(OLD_INODE..=4096).contains(&layout.inode_size) || !(32..=1024).contains(&layout.descriptor_size) {
            return Err(corrupt(format!(
                "inodes of {} bytes, group descriptors of {}",
                layout.inode_size, layout.descriptor_size
            )));
        }
        Ok(layout)
    }
}

fn set_times(inode: &mut [u8], epoch: u32) {
    let time = le_u32(inode, MTIME).unwrap_or(0).min(epoch);
    let extra = usize::from(extra_size(inode));
    TIMES.iter().chain(&[MTIME]).for_each(|at| put(inode, *at, &time.to_le_bytes()));
    let has = |at: usize| at.saturating_add(4) <= OLD_INODE.saturating_add(extra);
    EXTRA_TIMES.into_iter().filter(|at| has(*at)).for_each(|at| put(inode, at, &[0; 4]));
    if has(CRTIME) {
        put(inode, CRTIME, &time.to_le_bytes());
    }
}

/// `i_extra_isize`: bytes of the inode in use behind the first 128.
fn extra_size(inode: &[u8]) -> u16 {
    le_u16(inode, OLD_INODE).unwrap_or(0)
}

/// Of the filesystem's seed, the inode's number, its generation and all its bytes, the sum itself as zeros.
fn set_checksum(inode: &mut [u8], number: u32, seed: u32) {
    let has_high = extra_size(inode) >= 4;
    put(inode, 0x7c, &[0; 2]);
    if has_high {
        put(inode, 0x82, &[0; 2]);
    }
    let generation = le_u32(inode, 0x64).unwrap_or(0);
    let own = crc32c(crc32c(seed, &number.to_le_bytes()), &generation.to_le_bytes());
    let [a, b, c, d] = crc32c(own, inode).to_le_bytes();
    put(inode, 0x7c, &[a, b]);
    if has_high {
        put(inode, 0x82, &[c, d]);
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = at.checked_add(value.len()).and_then(|end| bytes.get_mut(at..end)) {
        place.copy_from_slice(value);
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn corrupt(cause: String) -> Error {
    Error::corrupt("ext4 file system that was made", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_the_mtime_and_none_is_later_than_the_build() {
        for (mtime, epoch, expected) in [(1000, 5000, 1000), (9000, 5000, 5000), (u32::MAX, 5000, 5000), (0, 5000, 0)] {
            let mut inode = vec![0xaa; 256];
            put(&mut inode, MTIME, &u32::to_le_bytes(mtime));
            put(&mut inode, OLD_INODE, &32_u16.to_le_bytes());
            set_times(&mut inode, epoch);
            let times = [0x8, 0xc, 0x10, 0x90].map(|at| le_u32(&inode, at).unwrap());
            assert_eq!(times, [expected; 4], "{mtime}");
            assert_eq!(EXTRA_TIMES.map(|at| le_u32(&inode, at).unwrap()), [0; 4]);
            assert_eq!(le_u32(&inode, 0x98), Some(0xaaaa_aaaa));
        }
    }

    #[test]
    fn short_inodes_keep_what_stands_behind_their_fields() {
        let mut inode = vec![0; 256];
        put(&mut inode, OLD_INODE, &4_u16.to_le_bytes());
        put(&mut inode, 0x84, &[7; 20]);
        set_times(&mut inode, 5000);
        assert_eq!(inode.get(0x84..0x98), Some(&[7; 20][..]));
    }
}
