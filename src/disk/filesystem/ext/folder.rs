//! The names in a directory. Hash trees hide in entries that a linear reader skips, so that every directory is read
//! alike. <https://docs.kernel.org/filesystems/ext4/directory.html>

use super::blocks::Blocks;
use super::checksum::crc32c;
use super::feature;
use super::inode::Inode;
use super::map::Map;
use super::superblock::split;
use crate::bytes::{le_u16, le_u32, slice};
use crate::disk::filesystem::FileType;
use crate::error::{Error, Result};
use crate::limits::MAX_NAME;

/// Largest directory in bytes: 100 000 names of 255 bytes take 27 MB.
const MAX_DIRECTORY: u64 = 64 * 1024 * 1024;
/// Most names of a directory; its names are kept in memory, 40 MB of them when all are of 255 bytes.
pub(super) const MAX_NAMES: usize = 131_072;
/// Bytes of an entry before its name.
const HEADER: usize = 8;
/// Bytes of the last entry of a block, which holds its checksum, and the file type that marks it.
const TAIL: usize = 12;
const TAIL_TYPE: u8 = 0xde;
/// Bytes before the names of a directory that stands in its inode: the number of its parent's inode.
const INLINE_PARENT: usize = 4;

/// The names in a directory, without `.` and `..`, in order.
#[derive(Default)]
pub(super) struct Folder {
    names: Vec<u8>,
    entries: Vec<Entry>,
    is_casefolded: bool,
    /// Why there may be more names.
    pub(super) failure: Option<Error>,
}

/// A name and what it leads to.
#[derive(Clone, Copy)]
struct Entry {
    at: usize,
    length: u8,
    /// The file type as stored, 0 where it is not.
    kind: u8,
    inode: u32,
}

impl Folder {
    /// All names of a directory; where one block cannot be read, those before it and why.
    pub(super) fn read(blocks: &Blocks, inode: &Inode) -> Self {
        let mut folder = Self { is_casefolded: inode.is_casefolded(), ..Self::default() };
        folder.failure = folder.collect(blocks, inode).err();
        let names = &folder.names;
        folder.entries.sort_by(|a, b| a.name(names).cmp(b.name(names)));
        let is_twice = folder.entries.array_windows().any(|[a, b]| a.name(names) == b.name(names));
        if is_twice && folder.failure.is_none() {
            folder.failure = Some(Error::corrupt("directory", "a name stands in it twice"));
        }
        folder
    }

    fn collect(&mut self, blocks: &Blocks, inode: &Inode) -> Result<()> {
        inode.check_readable()?;
        if inode.is_inline() {
            let (map, tail) = inode.inline();
            self.parse(blocks, map.get(INLINE_PARENT..).unwrap_or_default())?;
            return self.parse(blocks, tail);
        }
        let size = blocks.superblock.block_size;
        if inode.size > MAX_DIRECTORY {
            let cause = format!("it claims {} bytes, the limit is {MAX_DIRECTORY}", inode.size);
            return Err(Error::too_large("directory", cause));
        }
        let (count, rest) = split(inode.size, size);
        if rest != 0 {
            return Err(Error::corrupt("directory", format!("its {} bytes are not whole blocks", inode.size)));
        }
        let mut map = Map::new(inode);
        for logical in 0..count {
            let Some(block) = map.read(blocks, inode, logical)? else {
                return Err(Error::corrupt("directory", format!("its block {logical} is a hole")));
            };
            if blocks.superblock.has_checksums() && !is_sum_right(&block, inode.seed) {
                return Err(Error::corrupt("directory", format!("its block {logical} has another checksum")));
            }
            self.parse(blocks, &block)?;
        }
        Ok(())
    }

    /// Adds the entries of a block, checked as `__ext4_check_dir_entry` of `fs/ext4/dir.c` does.
    fn parse(&mut self, blocks: &Blocks, block: &[u8]) -> Result<()> {
        let has_type = blocks.superblock.incompat & feature::FILETYPE != 0;
        let mut rest = block;
        while !rest.is_empty() {
            let length = record_length(rest, block.len());
            let name_length = rest.get(6).copied().unwrap_or(0);
            let needed = HEADER.saturating_add(name_length.into()).next_multiple_of(4).max(TAIL);
            let entry = slice(rest, 0, length).filter(|_| length >= needed && length.is_multiple_of(4));
            let behind = rest.len().saturating_sub(length);
            let Some(entry) = entry.filter(|_| behind == 0 || behind >= TAIL) else {
                let cause = format!("an entry of {length} bytes, its name of {name_length}, in {}", rest.len());
                return Err(Error::corrupt("directory", cause));
            };
            let inode = le_u32(entry, 0).unwrap_or(0);
            if inode > blocks.superblock.inodes {
                return Err(Error::corrupt("directory", format!("a name leads to inode {inode}, which is none")));
            }
            let name = slice(entry, HEADER, name_length.into()).unwrap_or_default();
            let kind = if has_type { entry.get(7).copied().unwrap_or(0) } else { 0 };
            if inode != 0 && name != b"." && name != b".." {
                self.add(name, kind, inode)?;
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    fn add(&mut self, name: &[u8], kind: u8, inode: u32) -> Result<()> {
        if name.is_empty() || name.contains(&b'/') || name.contains(&0) {
            return Err(Error::corrupt("directory", "a name is empty, or has a slash or a zero byte"));
        }
        if self.entries.len() >= MAX_NAMES {
            return Err(Error::too_large("directory", format!("more than the limit of {MAX_NAMES} names")));
        }
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        self.entries.push(Entry { at: self.names.len(), length, kind, inode });
        self.names.extend_from_slice(name);
        Ok(())
    }

    /// Names in it.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Names, what they are where that is stored, and their inodes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<FileType>, u32)> {
        self.entries.iter().map(|entry| (entry.name(&self.names), file_type(entry.kind), entry.inode))
    }

    /// The inode that `name` leads to.
    ///
    /// # Errors
    /// `NotFound` when all names were read and it is not among them.
    pub(super) fn find(&self, name: &[u8]) -> Result<u32> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let found = self.entries.binary_search_by(|entry| entry.name(&self.names).cmp(name)).ok();
        if let Some(entry) = found.and_then(|index| self.entries.get(index)) {
            return Ok(entry.inode);
        }
        let may_fold = |other: &[u8]| !other.is_ascii() || !name.is_ascii() || other.eq_ignore_ascii_case(name);
        if self.is_casefolded && name.len() <= MAX_NAME && self.iter().any(|(other, ..)| may_fold(other)) {
            let cause = "the folder is casefolded, and a name may differ from this in its case only";
            return Err(Error::unsupported("ext4", cause));
        }
        Err(Error::not_found("file"))
    }
}

impl Entry {
    fn name<'a>(&self, names: &'a [u8]) -> &'a [u8] {
        slice(names, self.at, self.length.into()).unwrap_or_default()
    }
}

/// `ext4_rec_len_from_disk` of `fs/ext4/ext4.h`: 64 KiB do not fit 16 bits.
fn record_length(entry: &[u8], block: usize) -> usize {
    let stored = usize::from(le_u16(entry, 4).unwrap_or(0));
    if block < 65_536 {
        stored
    } else if stored == 65_535 || stored == 0 {
        block
    } else {
        stored & 0xfffc | (stored & 3) << 16
    }
}

/// `EXT4_FT_*` of `fs/ext4/ext4.h`.
fn file_type(stored: u8) -> Option<FileType> {
    match stored {
        1 => Some(FileType::Regular),
        2 => Some(FileType::Directory),
        7 => Some(FileType::Symlink),
        3..=6 => Some(FileType::Other),
        _ => None,
    }
}

/// A block of names ends with its checksum; one of a hash tree has it behind the room for its entries
/// (`ext2fs_dir_block_csum_verify` of e2fsprogs).
fn is_sum_right(block: &[u8], seed: u32) -> bool {
    let end = block.len().saturating_sub(TAIL);
    let tail = block.get(end..).unwrap_or_default();
    let has_tail = le_u32(tail, 0) == Some(0) && slice(tail, 4, 4) == Some(&[12, 0, 0, TAIL_TYPE]);
    if has_tail && reaches(block, end) {
        return block.get(..end).map(|bytes| crc32c(seed, bytes)) == le_u32(tail, 8);
    }
    is_tree_sum_right(block, seed).unwrap_or(false)
}

/// Whether the entries from the start of a block end at `end`.
fn reaches(block: &[u8], end: usize) -> bool {
    let mut at = 0_usize;
    while at < end {
        let length = block.get(at..).map_or(0, |rest| record_length(rest, block.len()));
        if length < HEADER {
            return false;
        }
        at = at.saturating_add(length);
    }
    at == end
}

fn is_tree_sum_right(block: &[u8], seed: u32) -> Option<bool> {
    let first = record_length(block, block.len());
    let counts = if first == block.len() && block.get(6) == Some(&0) {
        8
    } else {
        let second = record_length(block.get(12..)?, block.len());
        let is_root = first == 12 && second == block.len().checked_sub(12)?;
        // Reserved zeros, the hash's version, and the length of these eight bytes.
        let is_known = le_u32(block, 24)? == 0 && block.get(29) == Some(&8);
        Some(32).filter(|_| is_root && is_known)?
    };
    let (limit, count) = (usize::from(le_u16(block, counts)?), usize::from(le_u16(block, counts.checked_add(2)?)?));
    let tail = limit.checked_mul(8)?.checked_add(counts)?;
    let used = count.checked_mul(8)?.checked_add(counts)?;
    if count > limit || tail.checked_add(8)? > block.len() {
        return None;
    }
    let parts = [block.get(..used)?, slice(block, tail, 4)?, &[0; 4]];
    Some(parts.iter().fold(seed, |sum, part| crc32c(sum, part)) == le_u32(block, tail.checked_add(4)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_64_kib_fit_16_bits() {
        for (stored, block, expected) in [
            (12_u16, 4096, 12),
            (4096, 4096, 4096),
            (65_535, 65_536, 65_536),
            (0, 65_536, 65_536),
            (0, 4096, 0),
            (65_524, 65_536, 65_524),
            (1, 65_536, 65_536),
        ] {
            let entry = [&[0; 4][..], &stored.to_le_bytes(), &[0; 2]].concat();
            assert_eq!(record_length(&entry, block), expected, "{stored} {block}");
        }
    }

    #[test]
    fn a_chain_of_entries_ends_where_it_must() {
        let block = |lengths: &[u16]| {
            let mut bytes = vec![0_u8; 1024];
            let mut at = 0_usize;
            for length in lengths {
                bytes[at + 4..at + 6].copy_from_slice(&length.to_le_bytes());
                at += usize::from(*length);
            }
            bytes
        };
        for (lengths, expected) in
            [(&[1012][..], true), (&[12, 1000], true), (&[12, 1012], false), (&[12, 0], false), (&[1024], false)]
        {
            assert_eq!(reaches(&block(lengths), 1012), expected, "{lengths:?}");
        }
    }
}
