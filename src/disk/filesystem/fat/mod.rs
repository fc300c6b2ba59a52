//! FAT12, FAT16 and FAT32 with long names, as the EFI system partition has them.

mod geometry;
mod name;

pub(super) use geometry::Geometry;

use super::cache::Cache;
use super::{DirEntry, Driver, FileSystem, FileType, GuestPath, Identity, Metadata};
use crate::bytes::{Bytes, le_u16, le_u32};
use crate::error::{Error, Result};
use crate::fact::{Gap, Listing};
use crate::limits::{Limits, MAX_DEPTH};
use geometry::Width;
use name::Entry;
use std::cell::RefCell;
use std::io::{self, Read};

pub(super) const DRIVER: Driver = Driver { name: "vfat", probe: |volume| Ok(Geometry::read(volume)?.is_some()), open };

/// Bytes of a directory: 65 536 entries of 32 (`FAT_MAX_DIR_SIZE` of Linux's `fs/fat/fat.h`).
const MAX_DIRECTORY: usize = 65_536 * 32;

struct Fat {
    geometry: Geometry,
    identity: Identity,
    cache: RefCell<Cache>,
}

/// What a path leads to.
enum Node {
    Root,
    Entry(Entry),
}

fn open(volume: Bytes, _limits: &Limits) -> Result<Box<dyn FileSystem>> {
    let geometry = Geometry::read(&volume)?.ok_or_else(|| Error::corrupt("FAT", "there is no boot sector"))?;
    let identity =
        Identity { kind: DRIVER.name.into(), uuid: Some(geometry.serial()), label: geometry.label(&volume)? };
    Ok(Box::new(Fat { geometry, identity, cache: RefCell::new(Cache::new(volume)) }))
}

impl Fat {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.cache.borrow_mut().read_at(offset, buf)
    }

    /// The cluster after `cluster`, `None` at the end of its chain.
    fn next(&self, cluster: u32) -> Result<Option<u32>> {
        let index = u64::from(cluster);
        let (at, length) = match self.geometry.width {
            Width::Twelve => (index.saturating_add(index / 2), 2),
            Width::Sixteen => (index.saturating_mul(2), 2),
            Width::ThirtyTwo => (index.saturating_mul(4), 4),
        };
        if at.saturating_add(length) > self.geometry.table_bytes {
            return Err(Error::corrupt("FAT", format!("cluster {cluster} is past the end of the table")));
        }
        let mut entry = [0; 4];
        let (wanted, _) = entry.split_at_mut(usize::try_from(length).unwrap_or(0).min(4));
        self.read_at(self.geometry.table_at.saturating_add(at), wanted)?;
        let word = u32::from(le_u16(&entry, 0).unwrap_or(0));
        let (value, end) = match self.geometry.width {
            Width::Twelve if cluster % 2 == 1 => (word >> 4, 0xff8),
            Width::Twelve => (word & 0xfff, 0xff8),
            Width::Sixteen => (word, 0xfff8),
            Width::ThirtyTwo => (le_u32(&entry, 0).unwrap_or(0) & 0x0fff_ffff, 0x0fff_fff8),
        };
        Ok((value < end).then_some(value))
    }

    fn cluster_at(&self, cluster: u32) -> Result<u64> {
        let missing = || {
            Error::corrupt(
                "FAT",
                format!("there is no cluster {cluster}, the last is {}", self.geometry.clusters.saturating_add(1)),
            )
        };
        self.geometry.cluster_at(cluster).ok_or_else(missing)
    }

    /// All entries of a directory. A chain that runs in a circle ends at [`MAX_DIRECTORY`] with an error.
    fn entries(&self, node: &Node) -> Result<Vec<Entry>> {
        let first = match node {
            Node::Root => self.geometry.root_cluster,
            Node::Entry(entry) => entry.cluster,
        };
        let mut bytes = Vec::new();
        if matches!(node, Node::Root) && self.geometry.width != Width::ThirtyTwo {
            bytes.resize(usize::try_from(self.geometry.root_bytes).unwrap_or(0).min(MAX_DIRECTORY), 0);
            self.read_at(self.geometry.root_at, &mut bytes)?;
            return Ok(name::parse(&bytes));
        }
        let mut cluster = Some(first);
        while let Some(current) = cluster {
            let start = bytes.len();
            let end = start.saturating_add(usize::try_from(self.geometry.cluster_bytes).unwrap_or(usize::MAX));
            if end > MAX_DIRECTORY {
                let cause = format!("more than {MAX_DIRECTORY} bytes, or a chain in a circle");
                return Err(Error::corrupt("FAT directory", cause));
            }
            bytes.resize(end, 0);
            self.read_at(self.cluster_at(current)?, bytes.get_mut(start..).unwrap_or_default())?;
            cluster = self.next(current)?;
        }
        Ok(name::parse(&bytes))
    }

    fn find(&self, path: &GuestPath) -> Result<Node> {
        if path.depth() > MAX_DEPTH {
            let cause = format!("more than {MAX_DEPTH} components");
            return Err(Error::too_large("path", cause).at(path.to_text()));
        }
        let missing = || Error::not_found("file").at(path.to_text());
        let mut node = Node::Root;
        for name in path.names() {
            if matches!(&node, Node::Entry(entry) if !entry.is_directory) {
                return Err(missing());
            }
            let entries = self.entries(&node).map_err(|error| error.at(path.to_text()))?;
            node = Node::Entry(entries.into_iter().find(|entry| entry.is_called(name)).ok_or_else(missing)?);
        }
        Ok(node)
    }
}

impl FileSystem for Fat {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn open(&self, path: &GuestPath) -> Result<Box<dyn Read + '_>> {
        match self.find(path)? {
            Node::Entry(entry) if !entry.is_directory => {
                let cluster = if entry.size == 0 { None } else { Some(entry.cluster) };
                Ok(Box::new(Contents { fat: self, cluster, skip: 0, left: u64::from(entry.size) }))
            }
            _ => Err(Error::unsupported("file", "it is not a regular file and is not read").at(path.to_text())),
        }
    }

    fn read_dir(&self, path: &GuestPath, limit: usize) -> Result<Listing<DirEntry>> {
        let node = self.find(path)?;
        if matches!(&node, Node::Entry(entry) if !entry.is_directory) {
            return Err(Error::not_found("directory").because("it is a file").at(path.to_text()));
        }
        let entries = self.entries(&node).map_err(|error| error.at(path.to_text()))?;
        let mut listing = Listing::default();
        if entries.len() > limit {
            listing.gaps.push(Gap::at(path.to_text(), format!("more than the limit of {limit} entries")));
        }
        listing.items.extend(
            entries.into_iter().take(limit).map(|entry| DirEntry { file_type: kind(&entry), name: entry.name }),
        );
        Ok(listing)
    }

    fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata> {
        let (file_type, size) = match self.find(path)? {
            Node::Root => (FileType::Directory, 0),
            Node::Entry(entry) => (kind(&entry), u64::from(entry.size)),
        };
        Ok(Metadata { file_type, size, mode: 0o755 })
    }

    fn read_link(&self, path: &GuestPath) -> Result<Vec<u8>> {
        self.find(path)?;
        Err(Error::unsupported("link", "FAT has no symbolic links").at(path.to_text()))
    }
}

fn kind(entry: &Entry) -> FileType {
    if entry.is_directory { FileType::Directory } else { FileType::Regular }
}

/// An opened file. It ends at its size; a chain that ends before is an error, one that goes on is not followed.
struct Contents<'a> {
    fat: &'a Fat,
    cluster: Option<u32>,
    /// Bytes of the cluster that are read already.
    skip: u64,
    left: u64,
}

impl Contents<'_> {
    fn fill(&mut self, buf: &mut [u8]) -> Result<usize> {
        if self.left == 0 || buf.is_empty() {
            return Ok(0);
        }
        if self.skip == self.fat.geometry.cluster_bytes {
            self.cluster = self.cluster.map_or(Ok(None), |cluster| self.fat.next(cluster))?;
            self.skip = 0;
        }
        let Some(cluster) = self.cluster else {
            return Err(Error::corrupt("FAT file", format!("its chain ends {} bytes early", self.left)));
        };
        let room = self.fat.geometry.cluster_bytes.saturating_sub(self.skip).min(self.left);
        let length = usize::try_from(room).unwrap_or(usize::MAX).min(buf.len());
        let part = buf.get_mut(..length).unwrap_or_default();
        self.fat.read_at(self.fat.cluster_at(cluster)?.saturating_add(self.skip), part)?;
        let read = u64::try_from(length).unwrap_or(0);
        (self.skip, self.left) = (self.skip.saturating_add(read), self.left.saturating_sub(read));
        Ok(length)
    }
}

impl Read for Contents<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.fill(buf).map_err(io::Error::other)
    }
}
