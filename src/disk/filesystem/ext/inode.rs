//! One inode. <https://docs.kernel.org/filesystems/ext4/inodes.html>

use super::checksum::crc32c;
use super::feature;
use super::superblock::Superblock;
use crate::bytes::{le_u16, le_u32, slice};
use crate::disk::filesystem::FileType;
use crate::error::{Error, Result};

/// Its data is encrypted.
const ENCRYPTED: u32 = 0x800;
/// Its sectors are counted in blocks.
const HUGE_FILE: u32 = 0x4_0000;
/// It has an extent tree.
const EXTENTS: u32 = 0x8_0000;
/// It holds the value of another inode's attribute.
const ATTRIBUTE: u32 = 0x20_0000;
/// Its data stands in the inode.
const INLINE_DATA: u32 = 0x1000_0000;
/// Its names differ in more than their case.
const CASEFOLD: u32 = 0x4000_0000;

/// Bytes of an inode of ext2; what is behind them is of a length that it says itself.
const OLD_SIZE: usize = 128;
/// Bytes of `i_block`: extents, block numbers, a link's target or the file itself.
pub(super) const MAP_SIZE: usize = 60;
/// Begins the extended attributes of an inode (`EXT4_XATTR_MAGIC`).
const ATTRIBUTES_MAGIC: u32 = 0xea02_0000;
/// `system`, the names of which begin without a prefix (`EXT4_XATTR_INDEX_SYSTEM`).
const SYSTEM: u8 = 7;

/// An inode in use, its checksum right.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) number: u32,
    /// Type and permissions, as in `man 7 inode`.
    pub(super) mode: u16,
    /// Bytes, as claimed.
    pub(super) size: u64,
    flags: u32,
    /// 512-byte units that it occupies.
    sectors: u64,
    /// The block of its attributes counts among them.
    has_attribute_block: bool,
    /// `i_block`.
    pub(super) map: [u8; MAP_SIZE],
    /// What is behind `i_block` of the data that stands in the inode.
    tail: Vec<u8>,
    /// What the checksums of its blocks begin with.
    pub(super) seed: u32,
}

impl Inode {
    /// The inode `number` in its bytes.
    pub(super) fn parse(number: u32, bytes: &[u8], superblock: &Superblock) -> Result<Self> {
        let short = |at| le_u16(bytes, at).unwrap_or(0);
        let field = |at| le_u32(bytes, at).unwrap_or(0);
        let corrupt = |cause: &str| Err(Error::corrupt(format!("inode {number}"), cause));
        let extra: usize = if bytes.len() > OLD_SIZE { short(0x80).into() } else { 0 };
        let seed = crc32c(crc32c(superblock.seed, &number.to_le_bytes()), slice(bytes, 0x64, 4).unwrap_or_default());
        if superblock.has_checksums() && !is_sum_right(bytes, seed, extra) {
            return corrupt("its checksum is another");
        }
        if !extra.is_multiple_of(4) || OLD_SIZE.saturating_add(extra) > bytes.len() {
            return corrupt("its extra fields do not fit it");
        }
        if short(0x1a) == 0 {
            return corrupt("a name leads to it, but it is free");
        }
        let (mode, flags) = (short(0x0), field(0x20));
        let is_huge = superblock.ro_compat & feature::HUGE_FILE != 0;
        let high = if is_huge { short(0x74) } else { 0 };
        let sectors = u64::from(high) << 32 | u64::from(field(0x1c));
        let unit = if is_huge && flags & HUGE_FILE != 0 { superblock.block_size / 512 } else { 1 };
        let has_high_size = mode & 0xf000 == 0x8000 || superblock.incompat & feature::LARGE_DIR != 0;
        let high = if has_high_size { field(0x6c) } else { 0 };
        let mut inode = Self {
            number,
            mode,
            size: u64::from(high) << 32 | u64::from(field(0x4)),
            flags,
            sectors: sectors.saturating_mul(unit),
            has_attribute_block: field(0x68) != 0 || short(0x76) != 0,
            map: slice(bytes, 0x28, MAP_SIZE).and_then(|map| map.try_into().ok()).unwrap_or([0; MAP_SIZE]),
            tail: Vec::new(),
            seed,
        };
        if inode.is_inline() {
            if superblock.incompat & feature::INLINE_DATA == 0 {
                return corrupt("its data stands in it, which the file system does not have");
            }
            inode.tail = inline_tail(bytes, OLD_SIZE.saturating_add(extra))
                .ok_or_else(|| Error::corrupt(format!("inode {number}"), "it lacks the attribute with its data"))?;
        }
        Ok(inode)
    }

    /// What it is.
    pub(super) fn kind(&self) -> FileType {
        match self.mode & 0xf000 {
            0x8000 if self.flags & ATTRIBUTE == 0 => FileType::Regular,
            0x4000 => FileType::Directory,
            0xa000 => FileType::Symlink,
            _ => FileType::Other,
        }
    }

    /// Whether its data stands in `i_block` and an attribute.
    pub(super) fn is_inline(&self) -> bool {
        self.flags & INLINE_DATA != 0
    }

    /// Whether it has an extent tree.
    pub(super) fn has_extents(&self) -> bool {
        self.flags & EXTENTS != 0
    }

    /// Whether its names are looked up without regard to case.
    pub(super) fn is_casefolded(&self) -> bool {
        self.flags & CASEFOLD != 0
    }

    /// Whether a link's target stands in `i_block` (`ext4_inode_is_fast_symlink` of `fs/ext4/inode.c`).
    pub(super) fn is_fast_link(&self, superblock: &Superblock) -> bool {
        let attributes = if self.has_attribute_block { superblock.cluster_size / 512 } else { 0 };
        !self.is_inline() && self.sectors == attributes
    }

    /// Refuses what only a key can read.
    pub(super) fn check_readable(&self) -> Result<()> {
        if self.flags & ENCRYPTED == 0 {
            return Ok(());
        }
        let help = "its key is not in the image: keep what the check reads outside of encrypted folders";
        Err(Error::unsupported("ext4", format!("inode {} is encrypted", self.number)).help(help))
    }

    /// The data that stands in the inode: what is in `i_block`, and what is behind that.
    pub(super) fn inline(&self) -> (&[u8], &[u8]) {
        (&self.map, &self.tail)
    }
}

fn is_sum_right(bytes: &[u8], seed: u32, extra: usize) -> bool {
    // `i_checksum_hi` is there when the extra fields reach behind it (`EXT4_FITS_IN_INODE`).
    let has_high = bytes.len() > OLD_SIZE && extra >= 4;
    let parts = (slice(bytes, 0, 0x7c), slice(bytes, 0x7e, 2), bytes.get(OLD_SIZE..));
    let (Some(front), Some(middle), Some(behind)) = parts else { return false };
    let sum = [front, &[0, 0], middle].iter().fold(seed, |sum, part| crc32c(sum, part));
    let low = u32::from(le_u16(bytes, 0x7c).unwrap_or(0));
    if !has_high {
        return crc32c(sum, behind) & 0xffff == low;
    }
    let (extra_size, rest) = (slice(behind, 0, 2).unwrap_or_default(), behind.get(4..).unwrap_or_default());
    let high = u32::from(le_u16(bytes, 0x82).unwrap_or(0));
    [extra_size, &[0, 0], rest].iter().fold(sum, |sum, part| crc32c(sum, part)) == high << 16 | low
}

/// The value of the attribute `system.data` in the inode (`ext4_xattr_ibody_get` of `fs/ext4/xattr.c`).
fn inline_tail(inode: &[u8], start: usize) -> Option<Vec<u8>> {
    let attributes = inode.get(start..).filter(|bytes| le_u32(bytes, 0) == Some(ATTRIBUTES_MAGIC))?.get(4..)?;
    let mut entry = attributes;
    // Four zero bytes end the list; every entry takes at least 16.
    while le_u32(entry, 0)? != 0 {
        let name_length = usize::from(*entry.first()?);
        if *entry.get(1)? == SYSTEM && slice(entry, 16, name_length)? == b"data" {
            let is_elsewhere = le_u32(entry, 4)? != 0;
            let length = usize::try_from(le_u32(entry, 8)?).ok()?;
            let value = slice(attributes, le_u16(entry, 2)?.into(), length)?;
            return (!is_elsewhere).then(|| value.to_vec());
        }
        entry = entry.get(name_length.next_multiple_of(4).checked_add(16)?..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An attribute's entry: name, index, offset and size of the value, inode of the value.
    fn entry(name: &[u8], index: u8, at: u16, size: u32, inode: u32) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(name.len()).unwrap(), index];
        bytes.extend(at.to_le_bytes());
        bytes.extend([inode.to_le_bytes(), size.to_le_bytes(), [0; 4]].concat());
        bytes.extend(name);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn the_attribute_with_the_data_is_found_or_refused() {
        let magic = ATTRIBUTES_MAGIC.to_le_bytes().to_vec();
        let list = |entries: &[Vec<u8>]| {
            let mut bytes = [magic.clone(), entries.concat(), vec![0; 4]].concat();
            bytes.resize(96, 7);
            bytes
        };
        let data = |at, size, inode| entry(b"data", SYSTEM, at, size, inode);
        for (bytes, expected) in [
            (list(&[data(80, 3, 0)]), Some(3)),
            (list(&[data(0, 0, 0)]), Some(0)),
            (list(&[entry(b"selinux", 6, 60, 4, 0), data(88, 4, 0)]), Some(4)),
            (list(&[entry(b"data", 6, 60, 4, 0)]), None),
            (list(&[data(90, 3, 0)]), None),
            (list(&[data(80, u32::MAX, 0)]), None),
            (list(&[data(u16::MAX, 1, 0)]), None),
            (list(&[data(80, 3, 12)]), None),
            (list(&[entry(&[b'x'; 255], 1, 0, 0, 0)]), None),
            (vec![0; 96], None),
            (vec![], None),
            (magic.clone(), None),
        ] {
            assert_eq!(inline_tail(&bytes, 0).map(|tail| tail.len()), expected, "{bytes:?}");
        }
    }
}
