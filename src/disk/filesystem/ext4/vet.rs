//! What the `ext4-view` crate would size an allocation or a loop by is bounded here first; what it does not read is named.

use crate::bytes::{Bytes, le_u16, le_u32};
use crate::error::{Error, Result};
use crate::limits::GIB;

/// Incompatible features that are refused, as `mke2fs` names them (`include/linux/ext4_fs.h` of e2fsprogs).
const UNREAD: &[(u32, &str)] = &[
    (0x1, "compression"),
    (0x8, "journal_dev (an external journal)"),
    (0x10, "meta_bg"),
    (0x100, "mmp"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x4000, "large_dir"),
    (0x8000, "inline_data"),
    (0x2_0000, "casefold"),
];
/// Incompatible features that are read: `filetype`, `needs_recovery`, `extent`, `64bit`, `flex_bg`, `metadata_csum_seed`
/// and `encrypt` (its folders are refused one by one).
const READ: u32 = 0x2 | 0x4 | 0x40 | 0x80 | 0x200 | 0x2000 | 0x1_0000;
/// Incompatible feature: directory entries carry the file type.
const FILETYPE: u32 = 0x2;
/// Incompatible feature: the journal must be replayed.
const NEEDS_RECOVERY: u32 = 0x4;
/// Incompatible feature: 64-bit block numbers.
const SIXTY_FOUR_BIT: u32 = 0x80;
/// Compatible feature: there is a journal.
const HAS_JOURNAL: u32 = 0x4;

/// Read-only compatible features that Linux mounts for writing (`EXT4_FEATURE_RO_COMPAT_SUPP`).
const WRITTEN: u32 = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x8000 | 0x1_0000;
/// Read-only compatible feature: checksums of everything.
const METADATA_CSUM: u32 = 0x400;
/// The only checksum that Linux knows (`EXT4_CRC32C_CHKSUM`).
const CRC32C: u8 = 1;
/// The highest revision that Linux writes (`EXT4_MAX_SUPP_REV`).
const MAX_REVISION: u32 = 1;

/// Largest `s_log_block_size`: 64 KiB (`EXT4_MAX_BLOCK_LOG_SIZE`).
const MAX_LOG_BLOCK_SIZE: u32 = 6;
/// Fewest blocks in a group that `mke2fs -g` accepts.
const MIN_BLOCKS_PER_GROUP: u32 = 256;
/// Most block groups, 16 bytes of memory each: 128 TiB of 4 KiB blocks.
const MAX_GROUPS: u64 = 1 << 20;
/// Largest journal that is replayed: the largest that `mke2fs` makes by itself (`ext2fs_default_journal_size`).
const MAX_JOURNAL: u64 = GIB;

/// Checks what the crate would size an allocation or a loop by, and names what it does not read.
pub(super) fn vet(superblock: &[u8], volume: &Bytes) -> Result<()> {
    let field = |at| le_u32(superblock, at).unwrap_or(0);
    let incompat = field(0x60);
    let mut names: Vec<String> =
        UNREAD.iter().filter(|(bit, _)| incompat & bit != 0).map(|(_, name)| (*name).to_owned()).collect();
    let unknown = UNREAD.iter().fold(incompat & !READ, |left, (bit, _)| left & !bit);
    if unknown != 0 {
        names.push(format!("unknown incompatible bits {unknown:#x}"));
    }
    if incompat & FILETYPE == 0 {
        names.push("no filetype in directory entries".into());
    }
    if !names.is_empty() {
        return Err(Error::unsupported("ext4", format!("this version does not read the feature {}", names.join(", "))));
    }
    let corrupt = |cause: String| Err(Error::corrupt("ext4 superblock", cause).offset(1024));
    let log = field(0x18);
    if log > MAX_LOG_BLOCK_SIZE {
        return corrupt(format!("s_log_block_size is {log}, at most {MAX_LOG_BLOCK_SIZE} is possible"));
    }
    let block_size = 1024_u64 << log;
    let high = if incompat & SIXTY_FOUR_BIT == 0 { 0 } else { field(0x150) };
    let blocks = u64::from(high) << 32 | u64::from(field(0x4));
    let size = volume.size();
    // Linux refuses to mount it: "bad geometry: block count … exceeds size of device" (fs/ext4/super.c).
    if blocks.checked_mul(block_size).is_none_or(|bytes| bytes > size) {
        return corrupt(format!("{blocks} blocks of {block_size} bytes do not fit its volume of {size} bytes"));
    }
    let per_group = field(0x20);
    if per_group < MIN_BLOCKS_PER_GROUP || blocks.div_ceil(u64::from(per_group)) > MAX_GROUPS {
        return corrupt(format!("{per_group} blocks per group, for {blocks} blocks"));
    }
    let inode_size = u64::from(le_u16(superblock, 0x58).unwrap_or(0));
    if !(128..=block_size).contains(&inode_size) || !inode_size.is_power_of_two() {
        return corrupt(format!("inodes of {inode_size} bytes"));
    }
    let descriptor = u64::from(le_u16(superblock, 0xfe).unwrap_or(0));
    if incompat & SIXTY_FOUR_BIT != 0 && !((64..=block_size).contains(&descriptor) && descriptor.is_power_of_two()) {
        return corrupt(format!("group descriptors of {descriptor} bytes"));
    }
    vet_mount(superblock, blocks)?;
    if incompat & NEEDS_RECOVERY != 0 && field(0x5c) & HAS_JOURNAL != 0 {
        return vet_journal(superblock, volume, block_size, inode_size);
    }
    Ok(())
}

/// What Linux refuses to mount, or to mount for writing (`fs/ext4/super.c`).
fn vet_mount(superblock: &[u8], blocks: u64) -> Result<()> {
    let field = |at| le_u32(superblock, at).unwrap_or(0);
    let corrupt = |cause: String| Err(Error::corrupt("ext4 superblock", cause).offset(1024));
    let ro_compat = field(0x64);
    let checksum = superblock.get(0x175).copied().unwrap_or(0);
    if ro_compat & METADATA_CSUM != 0 && checksum != CRC32C {
        return corrupt(format!("checksums of type {checksum}, Linux knows {CRC32C} (crc32c) and refuses others"));
    }
    let (inodes, per_group) = (u64::from(field(0x0)), u64::from(field(0x28)));
    let groups = blocks.saturating_sub(u64::from(field(0x14))).div_ceil(u64::from(field(0x20)).max(1));
    if per_group == 0 || groups.checked_mul(per_group) != Some(inodes) {
        return corrupt(format!("{inodes} inodes, {groups} groups of {per_group} have others: Linux refuses it"));
    }
    let only = |cause: String| {
        Err(Error::unsupported("ext4", format!("{cause}: Linux mounts it for reading only")).offset(1024))
    };
    let revision = field(0x4c);
    if revision > MAX_REVISION {
        return only(format!("revision {revision}, {MAX_REVISION} is the highest"));
    }
    let unknown = ro_compat & !WRITTEN;
    if unknown != 0 {
        return only(format!("read-only compatible bits {unknown:#x}"));
    }
    Ok(())
}

/// The journal is replayed into memory: its inode must claim no more than a journal can have.
fn vet_journal(superblock: &[u8], volume: &Bytes, block_size: u64, inode_size: u64) -> Result<()> {
    let (number, per_group) = (le_u32(superblock, 0xe0).unwrap_or(0), le_u32(superblock, 0x28).unwrap_or(0));
    let cause = || Error::corrupt("ext4 journal", format!("inode {number} is not in the first group"));
    let index = u64::from(number.checked_sub(1).filter(|index| *index < per_group).ok_or_else(cause)?);
    let mut descriptor = [0; 64];
    volume.read_at(if block_size == 1024 { 2048 } else { block_size }, &mut descriptor)?;
    let has_high = le_u32(superblock, 0x60).unwrap_or(0) & SIXTY_FOUR_BIT != 0;
    let high = if has_high { le_u32(&descriptor, 0x28).unwrap_or(0) } else { 0 };
    let table = u64::from(high) << 32 | u64::from(le_u32(&descriptor, 0x8).unwrap_or(0));
    let at = table.checked_mul(block_size).and_then(|table| table.checked_add(index.checked_mul(inode_size)?));
    let mut inode = [0; 128];
    volume.read_at(at.ok_or_else(cause)?, &mut inode)?;
    let size = u64::from(le_u32(&inode, 0x6c).unwrap_or(0)) << 32 | u64::from(le_u32(&inode, 0x4).unwrap_or(0));
    if size > MAX_JOURNAL {
        return Err(Error::too_large("ext4 journal", format!("{size} bytes, the limit is {MAX_JOURNAL}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::sync::Arc;

    /// `(offset, value)` written into the superblock of 2048 blocks of 1 KiB.
    fn vetted(fields: &[(usize, u32)]) -> Result<()> {
        let volume: Bytes = Arc::new(vec![0; 2 * 1024 * 1024]);
        let mut superblock = vec![0; 1024];
        let sound =
            [(0x0, 512), (0x4, 2048), (0x20, 8192), (0x28, 512), (0x58, 256), (0x60, 0x2), (0xe0, 8), (0xfc, 64 << 16)];
        for (at, value) in sound.iter().chain(fields) {
            superblock[*at..][..4].copy_from_slice(&value.to_le_bytes());
        }
        vet(&superblock, &volume)
    }

    #[test]
    fn numbers_are_bounded_before_the_crate_sees_them() {
        assert_eq!(vetted(&[]), Ok(()));
        assert_eq!(vetted(&[(0x60, 0x82)]), Ok(()));
        for (fields, said) in [
            (&[(0x18, 7)][..], "s_log_block_size is 7"),
            (&[(0x18, u32::MAX)], "s_log_block_size is 4294967295"),
            (&[(0x4, 2049)], "2049 blocks of 1024 bytes do not fit"),
            (&[(0x60, 0x82), (0x150, u32::MAX)], "do not fit"),
            (&[(0x20, 0)], "0 blocks per group"),
            (&[(0x20, 1)], "1 blocks per group"),
            (&[(0x58, 0)], "inodes of 0 bytes"),
            (&[(0x58, 2048)], "inodes of 2048 bytes"),
            (&[(0x58, 200)], "inodes of 200 bytes"),
            (&[(0x60, 0x82), (0xfc, 0)], "group descriptors of 0 bytes"),
            (&[(0x60, 0x82), (0xfc, 32 << 16)], "group descriptors of 32 bytes"),
            (&[(0x64, 0x400), (0x174, 9 << 8)], "checksums of type 9"),
            (&[(0x64, 0x400)], "checksums of type 0"),
            (&[(0x0, 3)], "3 inodes, 1 groups of 512"),
            (&[(0x0, 0), (0x28, 0)], "0 inodes, 1 groups of 0"),
            (&[(0x60, 0x6), (0x5c, 4), (0xe0, 0)], "inode 0 is not in the first group"),
            (&[(0x60, 0x6), (0x5c, 4), (0xe0, 513)], "inode 513 is not in the first group"),
        ] {
            let error = vetted(fields).unwrap_err();
            assert!(error.kind == ErrorKind::Corrupt && error.to_string().contains(said), "{fields:?}: {error}");
        }
    }

    #[test]
    fn what_linux_only_reads_is_refused() {
        for (fields, said) in [
            (&[(0x4c, 1), (0x64, 0x1_a77f), (0x174, 1 << 8)][..], None),
            (&[(0x4c, 2)], Some("revision 2")),
            (&[(0x4c, 9)], Some("revision 9")),
            (&[(0x64, 0x1000)], Some("bits 0x1000")),
            (&[(0x64, 0x4000)], Some("bits 0x4000")),
            (&[(0x64, 0x8000_0003)], Some("bits 0x80000000")),
        ] {
            let error = vetted(fields).err();
            let is_said = |said: &str| error.as_ref().is_some_and(|error| error.to_string().contains(said));
            assert!(said.map_or(error.is_none(), is_said), "{fields:x?}: {error:?}");
            assert!(error.as_ref().is_none_or(|error| error.kind == ErrorKind::Unsupported), "{error:?}");
        }
    }

    #[test]
    fn unread_features_are_named() {
        for (incompat, said) in [
            (0x12, "meta_bg"),
            (0x8102, "mmp, inline_data"),
            (0x2_0002, "casefold"),
            (0x4000_0002, "unknown incompatible bits 0x40000000"),
            (0x40, "no filetype"),
        ] {
            let error = vetted(&[(0x60, incompat)]).unwrap_err();
            assert!(error.kind == ErrorKind::Unsupported && error.to_string().contains(said), "{incompat:#x}: {error}");
        }
    }
}
