//! What a folder of the tree holds, as the tree's root sees it: `find` runs there, for its owners are right nowhere else.

use crate::build::workshop::Workshop;
use crate::bytes::text;
use crate::error::{Error, Result};
use crate::limits::MIB;
use std::collections::BTreeSet;
use std::path::Path;

/// Bytes of a listing: a Debian with a desktop has 400 000 files and 60 MB.
const MAX_LISTING: u64 = 256 * MIB;
/// Bytes that file systems allocate at least.
const BLOCK: u64 = 4096;
/// What is asked of every file: two fields with spaces in neither of them, each ended by a NUL.
const FORMAT: &str = "%y %m %U %G %D:%i %s %b %T@ %P\\0%l\\0";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    Directory,
    Symlink,
    /// A block or character device, or a FIFO, by `find`'s letter.
    Special(char),
    Socket,
}

/// A file of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Permission bits, `0o7777`.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Device and inode: hard links share it.
    pub(super) inode: String,
    pub(super) size: u64,
    /// Bytes on the disk of the build, holes not counted.
    pub(super) allocated: u64,
    /// Seconds since 1970.
    pub(super) mtime: i64,
    /// Relative, without a leading slash; empty for the folder itself.
    pub(super) path: Vec<u8>,
    /// Of a symbolic link.
    pub(super) target: Vec<u8>,
}

/// All that a folder holds, sorted by the names in the paths: a folder stands before what is in it.
#[derive(Debug)]
pub(super) struct Listing(pub(super) Vec<Entry>);

impl Listing {
    /// Lists `folder` and what is below it.
    ///
    /// # Errors
    /// As the workshop has them, and `TooLarge` past the limit.
    pub(super) fn read(shop: &Workshop, stage: &str, folder: &Path) -> Result<Self> {
        let mut find = shop.inside("find");
        find.arg(folder).args(["-printf", FORMAT]);
        Self::parse(&shop.output(stage, &mut find, MAX_LISTING)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut fields = bytes.split(|byte| *byte == 0);
        let mut entries = Vec::new();
        while let (Some(head), Some(target)) = (fields.next(), fields.next()) {
            let entry = Entry::parse(head, target);
            entries.push(entry.ok_or_else(|| Error::corrupt("listing of the tree", text(head)))?);
        }
        entries.sort_by(|a: &Entry, b| a.names().cmp(b.names()));
        Ok(Self(entries))
    }

    /// Bytes that the files need in blocks of 4 KiB, each hard link once; with its holes where they cannot be kept.
    pub(super) fn bytes(&self, keeps_holes: bool) -> u64 {
        let mut seen = BTreeSet::new();
        let own = self.0.iter().filter(|entry| entry.kind != Kind::Regular || seen.insert(&entry.inode));
        own.fold(0, |sum: u64, entry| sum.saturating_add(entry.bytes(keeps_holes)))
    }
}

impl Entry {
    fn parse(head: &[u8], target: &[u8]) -> Option<Self> {
        let mut fields = head.splitn(9, |byte| *byte == b' ');
        let mut field = || fields.next().and_then(|field| std::str::from_utf8(field).ok());
        let kind = match field()? {
            "f" => Kind::Regular,
            "d" => Kind::Directory,
            "l" => Kind::Symlink,
            "s" => Kind::Socket,
            letter => Kind::Special(letter.chars().next()?),
        };
        let mode = u32::from_str_radix(field()?, 8).ok()?;
        let (uid, gid) = (field()?.parse().ok()?, field()?.parse().ok()?);
        let inode = field()?.to_owned();
        let (size, blocks): (u64, u64) = (field()?.parse().ok()?, field()?.parse().ok()?);
        let mtime = field()?.split('.').next()?.parse().ok()?;
        let path = fields.next()?.to_vec();
        let allocated = blocks.saturating_mul(512);
        Some(Self { kind, mode, uid, gid, inode, size, allocated, mtime, path, target: target.to_vec() })
    }

    /// The names of the path, by which entries are sorted.
    fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// How deep below the folder it stands; 0 for the folder itself.
    pub(super) fn depth(&self) -> usize {
        self.names().count()
    }

    /// The last name of the path.
    pub(super) fn name(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    fn bytes(&self, keeps_holes: bool) -> u64 {
        match self.kind {
            Kind::Regular if keeps_holes => self.allocated.min(self.size).next_multiple_of(BLOCK),
            Kind::Regular => self.size.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX),
            Kind::Directory => BLOCK,
            _ => 0,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A listing as `find` writes it; `;` stands for NUL.
    pub(in crate::build::disk::filesystem) fn listing(text: &str) -> Listing {
        Listing::parse(text.replace(';', "\0").as_bytes()).unwrap()
    }

    const TREE: &str = "d 755 0 0 8:2 4096 8 1.5 ;;f 4755 0 42 8:5 5000 16 1700000000.1234 usr/a file;;\
        d 755 0 0 8:3 4096 8 -1.0 usr;;l 777 0 0 8:4 3 0 2.0 usr-x;a b;f 644 1 1 8:5 5000 16 3.0 usr/b;;\
        f 644 0 0 8:6 1000000 8 3.0 sparse;;c 620 0 5 8:7 0 0 3.0 tty;;";

    #[test]
    fn a_folder_stands_before_what_is_in_it_and_spaces_are_kept() {
        let listing = listing(TREE);
        let paths: Vec<String> = listing.0.iter().map(|entry| text(&entry.path)).collect();
        assert_eq!(paths, ["", "sparse", "tty", "usr", "usr/a file", "usr/b", "usr-x"]);
        let file = &listing.0[4];
        assert_eq!((file.mode, file.gid, file.mtime, file.depth()), (0o4755, 42, 1_700_000_000, 2));
        assert_eq!((file.name(), listing.0[6].target.as_slice()), (&b"a file"[..], &b"a b"[..]));
        assert_eq!((listing.0[3].mtime, listing.0[2].kind), (-1, Kind::Special('c')));
    }

    #[test]
    fn hard_links_count_once_and_holes_where_they_are_kept() {
        let listing = listing(TREE);
        assert_eq!(listing.bytes(true), 2 * 4096 + 8192 + 4096);
        assert_eq!(listing.bytes(false), 2 * 4096 + 8192 + 1_003_520);
    }

    #[test]
    fn what_find_does_not_write_is_an_error() {
        for text in ["x", "f 644 0 0 8:1 5", "f 9 0 0 8:1 1 1 1.0 a\0\0", "f 644 -1 0 8:1 1 1 1.0 a\0\0"] {
            assert!(Listing::parse(format!("{text}\0\0").as_bytes()).is_err(), "{text}");
        }
    }
}
