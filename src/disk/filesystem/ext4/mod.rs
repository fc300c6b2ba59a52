//! ext2, ext3 and ext4 through the `ext4-view` crate, which is never handed a number that was not vetted here.
//! <https://docs.kernel.org/filesystems/ext4/index.html>

mod vet;

use super::cache::Cache;
use super::{DirEntry, Driver, FileSystem, FileType, GuestPath, Identity, Metadata, signature};
use crate::bytes::{Bytes, text};
use crate::error::{Error, Result};
use crate::fact::{Gap, Listing};
use crate::limits::{Limits, MAX_DEPTH, MAX_PATH};
use ext4_view::{Ext4, Ext4Error, Ext4Read};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

pub(super) const DRIVER: Driver = Driver { name: "ext4", probe, open };

/// Largest directory: 100 000 names of 255 bytes take 27 MB.
const MAX_DIRECTORY: u64 = 64 * 1024 * 1024;
/// Directories remembered as vetted.
const MAX_VETTED: usize = 10_000;
/// Names kept in memory, of all folders and of one, some 300 bytes each; in a larger folder every name is looked up.
const MAX_NAMES: usize = 16_384;
const MAX_NAMES_OF_FOLDER: usize = 4096;

struct Ext {
    inner: Ext4,
    identity: Identity,
    /// Paths that are directories of a sane size, so that a path below them may be resolved.
    vetted: RefCell<HashSet<Vec<u8>>>,
    /// Folders read whole: a look-up by path reads every folder of it again.
    folders: RefCell<HashMap<Vec<u8>, Option<Rc<Folder>>>>,
}

/// The names of a folder, in order.
type Folder = BTreeMap<Vec<u8>, Name>;

/// A name, and its inode's metadata once that was asked for.
struct Name {
    entry: ext4_view::DirEntry,
    metadata: OnceCell<ext4_view::Metadata>,
}

fn probe(volume: &Bytes) -> Result<bool> {
    Ok(signature::ext(volume)?.is_some())
}

fn open(volume: Bytes, _limits: &Limits) -> Result<Box<dyn FileSystem>> {
    let identity = signature::ext(&volume)?.unwrap_or_default();
    let mut superblock = [0; 1024];
    volume.read_at(1024, &mut superblock)?;
    vet::vet(&superblock, &volume)?;
    let cache = Cache::new(volume);
    let inner = guard(|| Ext4::load(Box::new(Reader(cache))))?;
    Ok(Box::new(Ext { inner, identity, vetted: RefCell::default(), folders: RefCell::default() }))
}

impl Ext {
    /// Makes sure that every folder of `path` is a directory of a sane size and no link: the crate would follow it
    /// and allocate whatever size it claims.
    fn vet_folders(&self, path: &GuestPath) -> Result<()> {
        if path.depth() > MAX_DEPTH {
            let cause = format!("more than {MAX_DEPTH} components");
            return Err(Error::too_large("path", cause).at(path.to_text()));
        }
        let climbs = path.names().any(|name| name == b"." || name == b"..");
        if !climbs && self.vetted.borrow().contains(path.parent().as_bytes()) {
            return Ok(());
        }
        let mut folder = GuestPath::root();
        for name in path.names() {
            self.vet_folder(&folder)?;
            if name == b"." || name == b".." {
                return Err(Error::not_found("file").because("the path climbs").at(path.to_text()));
            }
            folder = folder.join(name);
        }
        Ok(())
    }

    fn vet_folder(&self, folder: &GuestPath) -> Result<()> {
        if self.vetted.borrow().contains(folder.as_bytes()) {
            return Ok(());
        }
        let metadata = self.look_up(folder).map_err(|error| error.at(folder.to_text()))?;
        if !metadata.is_dir() {
            return Err(Error::not_found("file").because("its folder is not a directory").at(folder.to_text()));
        }
        if metadata.len() > MAX_DIRECTORY {
            let cause = format!("it claims {} bytes, the limit is {MAX_DIRECTORY}", metadata.len());
            return Err(Error::too_large("directory", cause).at(folder.to_text()));
        }
        let mut vetted = self.vetted.borrow_mut();
        if vetted.len() >= MAX_VETTED {
            vetted.clear();
        }
        vetted.insert(folder.as_bytes().to_vec());
        Ok(())
    }

    /// What `path` itself is; its folders are vetted.
    fn look_up(&self, path: &GuestPath) -> Result<ext4_view::Metadata> {
        let folder = if path.depth() == 0 { None } else { self.folder(&path.parent()) };
        match (folder, path.names().next_back()) {
            (Some(folder), Some(name)) => match folder.get(name) {
                Some(name) => {
                    let known = name.metadata.get().cloned();
                    let metadata = known.map_or_else(|| guard(|| name.entry.metadata()), Ok)?;
                    Ok(name.metadata.get_or_init(|| metadata).clone())
                }
                None => Err(Error::not_found("file")),
            },
            _ => guard(|| self.inner.symlink_metadata(path.as_bytes())),
        }
    }

    /// The names of a vetted folder, or `None` when they are too many or cannot all be read.
    fn folder(&self, path: &GuestPath) -> Option<Rc<Folder>> {
        if let Some(found) = self.folders.borrow().get(path.as_bytes()) {
            return found.clone();
        }
        let found = self.read_folder(path).ok().flatten().map(Rc::new);
        let mut folders = self.folders.borrow_mut();
        let names: usize = folders.values().flatten().map(|folder| folder.len()).sum();
        if names >= MAX_NAMES || folders.len() >= MAX_VETTED {
            folders.clear();
        }
        folders.insert(path.as_bytes().to_vec(), found.clone());
        found
    }

    fn read_folder(&self, path: &GuestPath) -> Result<Option<Folder>> {
        let mut entries = guard(|| self.inner.read_dir(path.as_bytes()))?;
        let mut folder = Folder::new();
        while let Some(entry) = guard(|| entries.next().transpose())? {
            if folder.len() >= MAX_NAMES_OF_FOLDER {
                return Ok(None);
            }
            folder.entry(entry.file_name().as_ref().to_vec()).or_insert(Name { entry, metadata: OnceCell::new() });
        }
        Ok(Some(folder))
    }

    fn metadata(&self, path: &GuestPath) -> Result<ext4_view::Metadata> {
        self.vet_folders(path)?;
        self.look_up(path).map_err(|error| error.at(path.to_text()))
    }
}

impl FileSystem for Ext {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn open(&self, path: &GuestPath) -> Result<Box<dyn Read + '_>> {
        if kind(self.metadata(path)?.file_type()) != FileType::Regular {
            return Err(Error::unsupported("file", "it is not a regular file and is not read").at(path.to_text()));
        }
        let file = guard(|| self.inner.open(path.as_bytes())).map_err(|error| error.at(path.to_text()))?;
        Ok(Box::new(Contents(file)))
    }

    fn read_dir(&self, path: &GuestPath, limit: usize) -> Result<Listing<DirEntry>> {
        self.vet_folders(path)?;
        self.vet_folder(path)?;
        if let Some(folder) = self.folder(path) {
            return Ok(list(folder.values().map(|name| Ok(name.entry.clone())), path, limit));
        }
        let mut entries = guard(|| self.inner.read_dir(path.as_bytes())).map_err(|error| error.at(path.to_text()))?;
        Ok(list(std::iter::from_fn(|| guard(|| entries.next().transpose()).transpose()), path, limit))
    }

    fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata> {
        let found = self.metadata(path)?;
        Ok(Metadata { file_type: kind(found.file_type()), size: found.len(), mode: u32::from(found.mode()) })
    }

    fn read_link(&self, path: &GuestPath) -> Result<Vec<u8>> {
        let metadata = self.metadata(path)?;
        if !metadata.is_symlink() {
            return Err(Error::unsupported("link", "it is not a symbolic link").at(path.to_text()));
        }
        if usize::try_from(metadata.len()).map_or(true, |length| length > MAX_PATH) {
            let cause = format!("it claims a target of {} bytes, at most {MAX_PATH} are possible", metadata.len());
            return Err(Error::corrupt("link", cause).at(path.to_text()));
        }
        let target = guard(|| self.inner.read_link(path.as_bytes())).map_err(|error| error.at(path.to_text()))?;
        Ok(target.as_ref().to_vec())
    }
}

/// Up to `limit` entries; more, or one that cannot be read, are a gap.
fn list(
    entries: impl Iterator<Item = Result<ext4_view::DirEntry>>,
    path: &GuestPath,
    limit: usize,
) -> Listing<DirEntry> {
    let mut listing = Listing::default();
    for entry in entries {
        let entry = entry.and_then(|entry| {
            let file_type = kind(guard(|| entry.file_type())?);
            Ok(DirEntry { name: entry.file_name().as_ref().to_vec(), file_type })
        });
        match entry {
            Ok(entry) if entry.name == b"." || entry.name == b".." => {}
            Ok(_) if listing.items.len() >= limit => {
                listing.gaps.push(Gap::at(path.to_text(), format!("more than the limit of {limit} entries")));
                break;
            }
            Ok(entry) => listing.items.push(entry),
            Err(error) => {
                listing.gaps.push(error.at(path.to_text()).into());
                break;
            }
        }
    }
    listing
}

/// The crate slices by a forged count in one place (`DirBlock::calc_internal_checksum`): a panic is corruption here.
fn guard<T>(call: impl FnOnce() -> Result<T, Ext4Error>) -> Result<T> {
    let unwound = |_| Error::corrupt("ext4", "the reader gave up on contradicting numbers");
    catch_unwind(AssertUnwindSafe(call)).map_err(unwound)?.map_err(translate)
}

fn translate(error: Ext4Error) -> Error {
    match error {
        Ext4Error::NotFound | Ext4Error::NotADirectory | Ext4Error::MalformedPath => Error::not_found("file"),
        Ext4Error::Io(inner) => match inner.downcast::<Error>() {
            Ok(inner) => *inner,
            Err(other) => Error::io("ext4", other),
        },
        Ext4Error::Corrupt(_) => Error::corrupt("ext4", text(error.to_string().as_bytes())),
        Ext4Error::PathTooLong | Ext4Error::TooManySymlinks | Ext4Error::FileTooLarge => {
            Error::too_large("ext4", error.to_string())
        }
        other => Error::unsupported("ext4", other.to_string()),
    }
}

fn kind(file_type: ext4_view::FileType) -> FileType {
    match file_type {
        ext4_view::FileType::Regular => FileType::Regular,
        ext4_view::FileType::Directory => FileType::Directory,
        ext4_view::FileType::Symlink => FileType::Symlink,
        _ => FileType::Other,
    }
}

/// The volume, as the crate wants it.
struct Reader(Cache);

impl Ext4Read for Reader {
    fn read(&mut self, start: u64, buf: &mut [u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.read_at(start, buf)?)
    }
}

/// An opened file.
struct Contents(ext4_view::File);

impl Read for Contents {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        guard(|| self.0.read_bytes(buf)).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_panic_of_the_reader_is_corruption() {
        let error = guard::<()>(|| panic!("index out of range")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Corrupt);
    }
}
