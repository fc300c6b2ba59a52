//! The superblock, every number of it bounded before it is used; what Linux would not mount for writing is refused.
//! <https://docs.kernel.org/filesystems/ext4/super.html>

use super::checksum::crc32c;
use super::feature;
use crate::bytes::{le_u16, le_u32, slice, text};
use crate::error::{Error, Result};

/// Where it stands on the volume, and its length, in bytes.
pub(super) const OFFSET: u64 = 1024;
pub(super) const LENGTH: usize = 1024;

/// The only checksum that Linux knows (`EXT4_CRC32C_CHKSUM`).
const CRC32C: u8 = 1;
/// The highest revision that Linux writes (`EXT4_MAX_SUPP_REV`).
const MAX_REVISION: u32 = 1;
/// Largest `s_log_block_size`: 64 KiB (`EXT4_MAX_BLOCK_LOG_SIZE`).
const MAX_LOG_BLOCK_SIZE: u32 = 6;
/// Largest cluster, as a power of two of 1 KiB: 2^30 bytes (`EXT2_MAX_CLUSTER_LOG_SIZE`).
const MAX_LOG_CLUSTER_SIZE: u32 = 20;
/// Fewest blocks in a group that `mke2fs -g` accepts.
const MIN_BLOCKS_PER_GROUP: u32 = 256;
/// Largest group descriptor (`EXT4_MAX_DESC_SIZE`).
const MAX_DESCRIPTOR: usize = 1024;

/// What the reader needs of it. Sizes are in bytes, blocks are of `block_size`.
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    pub(super) compat: u32,
    pub(super) incompat: u32,
    pub(super) ro_compat: u32,
    pub(super) uuid: [u8; 16],
    /// What every checksum of metadata begins with.
    pub(super) seed: u32,
    pub(super) block_size: u64,
    pub(super) blocks: u64,
    pub(super) first_data_block: u64,
    pub(super) blocks_per_group: u64,
    /// Bytes that are allocated at once: a block, or more with `bigalloc`.
    pub(super) cluster_size: u64,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    pub(super) inode_size: usize,
    /// The first inode that is not reserved.
    pub(super) first_inode: u32,
    pub(super) descriptor_size: usize,
    pub(super) first_meta_group: u64,
    pub(super) backup_groups: [u32; 2],
    pub(super) journal_inode: u32,
    pub(super) journal_device: u32,
    pub(super) journal_uuid: [u8; 16],
    /// Words of `s_default_mount_opts`, then those of `s_mount_opts`.
    pub(super) mount_options: Vec<String>,
}

impl Superblock {
    /// The superblock in its 1024 bytes, of a volume of `size` bytes.
    pub(super) fn parse(bytes: &[u8], size: u64) -> Result<Self> {
        let field = |at| le_u32(bytes, at).unwrap_or(0);
        let short = |at| le_u16(bytes, at).unwrap_or(0);
        let (incompat, ro_compat) = (field(0x60), field(0x64));
        if let Some(names) = feature::unread(incompat) {
            return Err(Error::unsupported("ext4", format!("this version does not read the feature {names}")));
        }
        check_sum(bytes, ro_compat)?;
        let log = field(0x18);
        if log > MAX_LOG_BLOCK_SIZE {
            return corrupt(format!("s_log_block_size is {log}, at most {MAX_LOG_BLOCK_SIZE} is possible"));
        }
        let has_64bit = incompat & feature::SIXTY_FOUR_BIT != 0;
        let high = if has_64bit { field(0x150) } else { 0 };
        let uuid = array(bytes, 0x68);
        let is_old = field(0x4c) == 0;
        let superblock = Self {
            compat: field(0x5c),
            incompat,
            ro_compat,
            uuid,
            seed: if incompat & feature::CSUM_SEED == 0 { crc32c(u32::MAX, &uuid) } else { field(0x270) },
            block_size: 1024 << log,
            blocks: u64::from(high) << 32 | u64::from(field(0x4)),
            first_data_block: field(0x14).into(),
            blocks_per_group: field(0x20).into(),
            cluster_size: cluster(log, field(0x1c), ro_compat)?,
            inodes: field(0x0),
            inodes_per_group: field(0x28),
            inode_size: if is_old { 128 } else { short(0x58).into() },
            first_inode: if is_old { 11 } else { field(0x54) },
            descriptor_size: if has_64bit { short(0xfe).into() } else { 32 },
            first_meta_group: field(0x104).into(),
            backup_groups: [field(0x24c), field(0x250)],
            journal_inode: field(0xe0),
            journal_device: field(0xe4),
            journal_uuid: array(bytes, 0xd0),
            mount_options: mount_options(bytes),
        };
        superblock.check_layout(size, u64::from(field(0x24)))?;
        check_writable(field(0x4c), ro_compat)?;
        Ok(superblock)
    }

    /// What Linux refuses to mount (`ext4_block_group_meta_init`, `ext4_geometry_check` of `fs/ext4/super.c`).
    fn check_layout(&self, size: u64, clusters_per_group: u64) -> Result<()> {
        let (blocks, block_size, first) = (self.blocks, self.block_size, self.first_data_block);
        if blocks.checked_mul(block_size).is_none_or(|bytes| bytes > size) {
            return corrupt(format!("{blocks} blocks of {block_size} bytes do not fit its volume of {size} bytes"));
        }
        let is_late = block_size == 1024 && first == 0 && self.cluster_size == block_size;
        if first >= blocks || is_late {
            return corrupt(format!("its first data block is {first}, of {blocks} blocks of {block_size} bytes"));
        }
        let (per_group, bitmap) = (self.blocks_per_group, block_size.saturating_mul(8));
        let ratio = split(self.cluster_size, block_size).0.max(1);
        let is_uneven = ratio > 1 && clusters_per_group.checked_mul(ratio) != Some(per_group);
        if per_group < MIN_BLOCKS_PER_GROUP.into() || split(per_group, ratio).0 > bitmap || is_uneven {
            return corrupt(format!("{per_group} blocks per group, for {blocks} blocks"));
        }
        let inode_size = u64::try_from(self.inode_size).unwrap_or(u64::MAX);
        if !(128..=block_size).contains(&inode_size) || !inode_size.is_power_of_two() {
            return corrupt(format!("inodes of {inode_size} bytes"));
        }
        let descriptor = self.descriptor_size;
        let least = if self.incompat & feature::SIXTY_FOUR_BIT == 0 { 32 } else { 64 };
        if !(least..=MAX_DESCRIPTOR).contains(&descriptor) || !descriptor.is_power_of_two() {
            return corrupt(format!("group descriptors of {descriptor} bytes"));
        }
        let (inodes, per_group) = (u64::from(self.inodes), u64::from(self.inodes_per_group));
        let groups = self.groups();
        if per_group == 0 || per_group > bitmap || groups.checked_mul(per_group) != Some(inodes) {
            return corrupt(format!("{inodes} inodes, {groups} groups of {per_group} have others: Linux refuses it"));
        }
        Ok(())
    }

    /// Block groups; 0 where there are no blocks.
    pub(super) fn groups(&self) -> u64 {
        self.blocks.saturating_sub(self.first_data_block).div_ceil(self.blocks_per_group.max(1))
    }

    /// Whether metadata has CRC-32C checksums.
    pub(super) fn has_checksums(&self) -> bool {
        self.ro_compat & feature::METADATA_CSUM != 0
    }

    /// Whether `count` blocks from `start` may hold anything (`ext4_inode_block_valid` of `fs/ext4/block_validity.c`).
    pub(super) fn holds(&self, start: u64, count: u64) -> bool {
        start > self.first_data_block && start.checked_add(count).is_some_and(|end| end <= self.blocks)
    }
}

/// How often `by` goes into `number`, and what is left; every number that divides is checked not to be 0.
pub(super) fn split(number: u64, by: u64) -> (u64, u64) {
    (number.checked_div(by).unwrap_or(0), number.checked_rem(by).unwrap_or(0))
}

fn corrupt<T>(cause: String) -> Result<T> {
    Err(Error::corrupt("ext4 superblock", cause).offset(OFFSET))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    slice(bytes, at, N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

fn check_sum(bytes: &[u8], ro_compat: u32) -> Result<()> {
    if ro_compat & feature::METADATA_CSUM == 0 {
        return Ok(());
    }
    let kind = bytes.get(0x175).copied().unwrap_or(0);
    if kind != CRC32C {
        return corrupt(format!("checksums of type {kind}, Linux knows {CRC32C} (crc32c) and refuses others"));
    }
    if slice(bytes, 0, 0x3fc).map(|bytes| crc32c(u32::MAX, bytes)) != le_u32(bytes, 0x3fc) {
        return corrupt("its checksum is another".into());
    }
    Ok(())
}

fn cluster(log_block: u32, log_cluster: u32, ro_compat: u32) -> Result<u64> {
    if ro_compat & feature::BIGALLOC == 0 {
        return Ok(1024 << log_block);
    }
    if !(log_block..=MAX_LOG_CLUSTER_SIZE).contains(&log_cluster) {
        return corrupt(format!(
            "s_log_cluster_size is {log_cluster}, possible are {log_block} to {MAX_LOG_CLUSTER_SIZE}"
        ));
    }
    Ok(1024 << log_cluster)
}

fn check_writable(revision: u32, ro_compat: u32) -> Result<()> {
    let only = |cause: String| {
        Err(Error::unsupported("ext4", format!("{cause}: Linux mounts it for reading only")).offset(OFFSET))
    };
    if revision > MAX_REVISION {
        return only(format!("revision {revision}, {MAX_REVISION} is the highest"));
    }
    match feature::unwritten(ro_compat) {
        0 => Ok(()),
        unknown => only(format!("read-only compatible bits {unknown:#x}")),
    }
}

fn mount_options(bytes: &[u8]) -> Vec<String> {
    let defaults = feature::mount_options(le_u32(bytes, 0x100).unwrap_or(0)).map(str::to_owned);
    let stored = slice(bytes, 0x200, 64).and_then(|stored| stored.split(|byte| *byte == 0).next()).unwrap_or_default();
    let stored = stored.split(|byte| *byte == b',').filter(|word| !word.is_empty());
    defaults.chain(stored.map(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// `(offset, value)` written into the superblock of 2048 blocks of 1 KiB.
    fn parsed(fields: &[(usize, u32)]) -> Result<Superblock> {
        let mut bytes = vec![0; LENGTH];
        let sound = [
            (0x0, 512),
            (0x4, 2048),
            (0x14, 1),
            (0x20, 8192),
            (0x24, 8192),
            (0x28, 512),
            (0x4c, 1),
            (0x54, 11),
            (0x58, 256),
            (0x60, 0x2),
            (0xe0, 8),
            (0xfc, 64 << 16),
        ];
        for (at, value) in sound.iter().chain(fields) {
            bytes[*at..][..4].copy_from_slice(&value.to_le_bytes());
        }
        Superblock::parse(&bytes, 2 * 1024 * 1024)
    }

    #[test]
    fn numbers_are_bounded_before_they_are_used() {
        for sound in [&[][..], &[(0x60, 0x82)], &[(0x4c, 0), (0x58, 0)], &[(0x64, 0x200), (0x1c, 2), (0x24, 2048)]] {
            assert!(parsed(sound).is_ok(), "{sound:?}: {:?}", parsed(sound));
        }
        for (fields, said) in [
            (&[(0x18, 7)][..], "s_log_block_size is 7"),
            (&[(0x18, u32::MAX)], "s_log_block_size is 4294967295"),
            (&[(0x4, 2049)], "2049 blocks of 1024 bytes do not fit"),
            (&[(0x60, 0x82), (0x150, u32::MAX)], "do not fit"),
            (&[(0x14, 0)], "first data block is 0"),
            (&[(0x14, 2048)], "first data block is 2048"),
            (&[(0x20, 0)], "0 blocks per group"),
            (&[(0x20, 1)], "1 blocks per group"),
            (&[(0x20, 8200)], "8200 blocks per group"),
            (&[(0x64, 0x200), (0x1c, 2)], "8192 blocks per group"),
            (&[(0x64, 0x200), (0x1c, 40)], "s_log_cluster_size is 40"),
            (&[(0x58, 0)], "inodes of 0 bytes"),
            (&[(0x58, 2048)], "inodes of 2048 bytes"),
            (&[(0x58, 200)], "inodes of 200 bytes"),
            (&[(0x60, 0x82), (0xfc, 0)], "group descriptors of 0 bytes"),
            (&[(0x60, 0x82), (0xfc, 32 << 16)], "group descriptors of 32 bytes"),
            (&[(0x60, 0x82), (0xfc, 2048 << 16)], "group descriptors of 2048 bytes"),
            (&[(0x64, 0x400), (0x174, 9 << 8)], "checksums of type 9"),
            (&[(0x64, 0x400)], "checksums of type 0"),
            (&[(0x64, 0x400), (0x174, 1 << 8)], "its checksum is another"),
            (&[(0x0, 3)], "3 inodes, 1 groups of 512"),
            (&[(0x0, 0), (0x28, 0)], "0 inodes, 1 groups of 0"),
            (&[(0x0, 9000), (0x28, 9000)], "9000 inodes, 1 groups of 9000"),
        ] {
            let error = parsed(fields).unwrap_err();
            assert!(error.kind == ErrorKind::Corrupt && error.to_string().contains(said), "{fields:?}: {error}");
        }
    }

    #[test]
    fn what_linux_only_reads_is_refused() {
        for (fields, said) in [
            (&[(0x4c, 1), (0x64, 0x1_a37f)][..], None),
            (&[(0x4c, 2)], Some("revision 2")),
            (&[(0x64, 0x1000)], Some("bits 0x1000")),
            (&[(0x64, 0x4000)], Some("bits 0x4000")),
            (&[(0x64, 0x8000_0003)], Some("bits 0x80000000")),
        ] {
            let error = parsed(fields).err();
            let is_said = |said: &str| error.as_ref().is_some_and(|error| error.to_string().contains(said));
            assert!(said.map_or(error.is_none(), is_said), "{fields:x?}: {error:?}");
            assert!(error.as_ref().is_none_or(|error| error.kind == ErrorKind::Unsupported), "{error:?}");
        }
    }

    #[test]
    fn mount_options_are_words_of_both_fields() {
        let stored = u32::from_le_bytes(*b"a,,b");
        let options = parsed(&[(0x100, 0x408), (0x200, stored), (0x204, u32::from_le_bytes(*b"=1\0z"))]).unwrap();
        assert_eq!(options.mount_options, ["acl", "discard", "a", "b=1"]);
    }
}
