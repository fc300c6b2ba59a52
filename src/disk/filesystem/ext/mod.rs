//! ext2, ext3 and ext4: a volume → names, links and bytes of files, as they are once the journal is replayed.
//! <https://docs.kernel.org/filesystems/ext4/index.html>

mod blocks;
mod checksum;
mod contents;
mod extents;
mod feature;
mod folder;
mod indirect;
mod inode;
mod journal;
mod map;
mod superblock;

pub(crate) use checksum::crc32c;

use super::{DirEntry, Driver, FileSystem, FileType, GuestPath, Identity, Metadata, signature};
use crate::bytes::{Bytes, read_capped};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::{Gap, Listing};
use crate::limits::{Limits, MAX_DEPTH, MAX_PATH};
use blocks::Blocks;
use contents::Contents;
use folder::Folder;
use inode::Inode;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

pub(super) const DRIVER: Driver = Driver { name: "ext4", probe, open };

/// The inode of `/` (`EXT4_ROOT_INO`).
const ROOT: u32 = 2;
/// Inodes kept in memory, some 150 bytes each and at most 1 KiB.
const MAX_INODES: usize = 8192;
/// Folders kept in memory, whose names together are no more than those of the largest one.
const MAX_FOLDERS: usize = 4096;

struct Ext {
    blocks: Blocks,
    identity: Identity,
    mount_options: Vec<String>,
    inodes: RefCell<HashMap<u32, Rc<Inode>>>,
    folders: RefCell<HashMap<u32, Rc<Folder>>>,
}

fn probe(volume: &Bytes) -> Result<bool> {
    Ok(signature::ext(volume)?.is_some())
}

fn open(volume: Bytes, _limits: &Limits) -> Result<Box<dyn FileSystem>> {
    let identity = signature::ext(&volume)?.unwrap_or_default();
    let size = volume.size();
    let mut blocks = Blocks::open(volume)?;
    // Linux reads these before it replays the journal (`__ext4_fill_super` of `fs/ext4/super.c`).
    let mount_options = blocks.superblock.mount_options.clone();
    let replayed = journal::replay(&blocks)?;
    if !replayed.is_empty() {
        blocks.replay(replayed, size)?;
    }
    Ok(Box::new(Ext { blocks, identity, mount_options, inodes: RefCell::default(), folders: RefCell::default() }))
}

impl Ext {
    fn inode(&self, number: u32) -> Result<Rc<Inode>> {
        if let Some(inode) = self.inodes.borrow().get(&number) {
            return Ok(Rc::clone(inode));
        }
        let inode = Rc::new(self.blocks.inode(number)?);
        let mut inodes = self.inodes.borrow_mut();
        if inodes.len() >= MAX_INODES {
            inodes.clear();
        }
        inodes.insert(number, Rc::clone(&inode));
        Ok(inode)
    }

    /// The names in a directory.
    fn folder(&self, number: u32) -> Result<Rc<Folder>> {
        if let Some(folder) = self.folders.borrow().get(&number) {
            return Ok(Rc::clone(folder));
        }
        let inode = self.inode(number)?;
        if inode.kind() != FileType::Directory {
            return Err(Error::not_found("file").because("its folder is not a directory"));
        }
        let folder = Rc::new(Folder::read(&self.blocks, &inode));
        let is_io = folder.failure.as_ref().is_some_and(|failure| failure.kind == ErrorKind::Io);
        if !is_io {
            self.keep(number, &folder);
        }
        Ok(folder)
    }

    fn keep(&self, number: u32, folder: &Rc<Folder>) {
        let mut folders = self.folders.borrow_mut();
        let names: usize = folders.values().map(|folder| folder.len()).sum();
        if names.saturating_add(folder.len()) > folder::MAX_NAMES || folders.len() >= MAX_FOLDERS {
            folders.clear();
        }
        folders.insert(number, Rc::clone(folder));
    }

    /// The inode that a path leads to, no link followed.
    fn find(&self, path: &GuestPath) -> Result<Rc<Inode>> {
        self.number(path).and_then(|number| self.inode(number)).map_err(|error| error.at(path.to_text()))
    }

    fn number(&self, path: &GuestPath) -> Result<u32> {
        if path.depth() > MAX_DEPTH {
            return Err(Error::too_large("path", format!("more than {MAX_DEPTH} components")));
        }
        let mut number = ROOT;
        for name in path.names() {
            if name == b"." || name == b".." {
                return Err(Error::not_found("file").because("the path climbs"));
            }
            number = self.folder(number)?.find(name)?;
            if number < self.blocks.superblock.first_inode && number != ROOT {
                return Err(Error::corrupt("directory", format!("a name leads to inode {number}, which is reserved")));
            }
        }
        Ok(number)
    }

    /// What a name in a directory leads to.
    fn kind(&self, stored: Option<FileType>, number: u32) -> Result<FileType> {
        stored.map_or_else(|| Ok(self.inode(number)?.kind()), Ok)
    }

    fn target(&self, inode: Rc<Inode>) -> Result<Vec<u8>> {
        let most = u64::try_from(MAX_PATH).unwrap_or(u64::MAX).min(self.blocks.superblock.block_size);
        let (number, length) = (inode.number, inode.size);
        let corrupt = |cause: String| Err(Error::corrupt("link", format!("inode {number}, {cause}")));
        if length == 0 || length > most {
            return corrupt(format!("it claims a target of {length} bytes, 1 to {most} are possible"));
        }
        inode.check_readable()?;
        let target = if inode.is_fast_link(&self.blocks.superblock) {
            // A zero byte ends the target, so that one of 60 bytes stands elsewhere.
            inode
                .map
                .split_last()
                .map(|(_, map)| map)
                .unwrap_or_default()
                .iter()
                .copied()
                .take_while(|b| *b != 0)
                .collect()
        } else {
            read_capped(&mut Contents::new(&self.blocks, inode)?, most, "link")?
        };
        if u64::try_from(target.len()).ok() != Some(length) || target.contains(&0) {
            return corrupt(format!("it claims a target of {length} bytes, which has another length"));
        }
        Ok(target)
    }
}

impl FileSystem for Ext {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn mount_options(&self) -> Vec<String> {
        self.mount_options.clone()
    }

    fn open(&self, path: &GuestPath) -> Result<Box<dyn Read + '_>> {
        let inode = self.find(path)?;
        if inode.kind() != FileType::Regular {
            return Err(Error::unsupported("file", "it is not a regular file and is not read").at(path.to_text()));
        }
        Ok(Box::new(Contents::new(&self.blocks, inode).map_err(|error| error.at(path.to_text()))?))
    }

    fn read_dir(&self, path: &GuestPath, limit: usize) -> Result<Listing<DirEntry>> {
        let found = self.number(path).and_then(|number| self.folder(number));
        let folder = found.map_err(|error| error.at(path.to_text()))?;
        let mut listing = Listing::default();
        for (name, stored, number) in folder.iter().take(limit) {
            match self.kind(stored, number) {
                Ok(file_type) => listing.items.push(DirEntry { name: name.to_vec(), file_type }),
                Err(error) => listing.gaps.push(error.at(path.join(name).to_text()).into()),
            }
        }
        if folder.len() > limit {
            listing.gaps.push(Gap::at(path.to_text(), format!("more than the limit of {limit} entries")));
        } else if let Some(failure) = &folder.failure {
            listing.gaps.push(failure.clone().at(path.to_text()).into());
        }
        Ok(listing)
    }

    fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata> {
        let inode = self.find(path)?;
        Ok(Metadata { file_type: inode.kind(), size: inode.size, mode: u32::from(inode.mode) & 0o7777 })
    }

    fn read_link(&self, path: &GuestPath) -> Result<Vec<u8>> {
        let inode = self.find(path)?;
        if inode.kind() != FileType::Symlink {
            return Err(Error::unsupported("link", "it is not a symbolic link").at(path.to_text()));
        }
        self.target(inode).map_err(|error| error.at(path.to_text()))
    }
}
