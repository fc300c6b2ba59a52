//! A volume → files. One driver per format, and [`Root`], the guest's own view of its mount tree.

mod cache;
mod directory;
mod ext;
mod fat;
mod root;
mod signature;

pub use directory::Directory;
pub(crate) use ext::crc32c;
pub use root::Root;
pub use signature::identify;

use crate::bytes::{Bytes, text};
use crate::error::{Error, Result};
use crate::fact::Listing;
use crate::limits::Limits;
use std::fmt;
use std::io::Read;

/// A path inside a file system or guest: absolute, `/`-separated bytes, not necessarily UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(Vec<u8>);

/// What a directory entry is; only `Regular` is ever read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, FIFO or socket.
    Other,
}

/// What a file system says of a file, the link itself where it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Kind of the file.
    pub file_type: FileType,
    /// Size in bytes, as claimed.
    pub size: u64,
    /// Permission bits (`0o7777`); FAT has `0o755`.
    pub mode: u32,
}

/// One name in a directory, without `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Name as stored.
    pub name: Vec<u8>,
    /// Kind of the file.
    pub file_type: FileType,
}

/// How fstab and root= name a file system, spelled as `blkid` prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `ext4`, `vfat`, `xfs`, `swap` …
    pub kind: String,
    /// `UUID`: lower case with dashes, or FAT's `ABCD-EF01`.
    pub uuid: Option<String>,
    /// `LABEL`.
    pub label: Option<String>,
}

/// A readable file system, named after `std::fs`. Paths are resolved inside it without following links.
pub trait FileSystem {
    /// Type, UUID and label.
    fn identity(&self) -> Identity;
    /// Mount options that the file system itself holds, as words of `man 5 ext4`; Linux applies them at every mount.
    fn mount_options(&self) -> Vec<String> {
        Vec::new()
    }
    /// Opens a regular file.
    fn open(&self, path: &GuestPath) -> Result<Box<dyn Read + '_>>;
    /// Lists a directory, at most `limit` entries; more are a gap.
    fn read_dir(&self, path: &GuestPath, limit: usize) -> Result<Listing<DirEntry>>;
    /// Kind, size and mode of the file itself; `NotFound` when there is none.
    fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata>;
    /// The target of a symbolic link, as stored (relative or absolute).
    fn read_link(&self, path: &GuestPath) -> Result<Vec<u8>>;
}

/// A file system format that [`open`] reads.
#[derive(Debug)]
pub struct Driver {
    /// The name `blkid` gives it.
    pub name: &'static str,
    probe: fn(&Bytes) -> Result<bool>,
    open: fn(Bytes, &Limits) -> Result<Box<dyn FileSystem>>,
}

/// File systems that are read, in the order in which they are asked.
pub const DRIVERS: &[Driver] = &[ext::DRIVER, fat::DRIVER];

/// Opens the file system of a volume.
///
/// # Errors
/// `Unsupported` naming what stands on the volume when no driver reads it, `NotFound` when nothing known does.
pub fn open(volume: Bytes, limits: &Limits) -> Result<Box<dyn FileSystem>> {
    let Some(identity) = identify(&volume)? else {
        return Err(Error::not_found("file system").because("no known signature stands on the volume"));
    };
    for driver in DRIVERS {
        if (driver.probe)(&volume)? {
            return (driver.open)(volume, limits);
        }
    }
    Err(Error::unsupported(identity.kind, "this version does not read it"))
}

impl GuestPath {
    /// `/`.
    pub fn root() -> Self {
        Self(vec![b'/'])
    }

    /// An absolute path from bytes; `.`, `..` and links are left to [`Root`], doubled slashes are dropped.
    pub fn new(path: impl AsRef<[u8]>) -> Self {
        let names = path.as_ref().split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        names.fold(Self::root(), |path, name| path.join(name))
    }

    /// The path of `name` in this folder.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut path = self.0.clone();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Self(path)
    }

    /// The folder it stands in; `/` for `/`.
    #[must_use]
    pub fn parent(&self) -> Self {
        let end = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Self(self.0.get(..end.max(1)).unwrap_or(b"/").to_vec())
    }

    /// Names in the path: 0 for `/`.
    pub fn depth(&self) -> usize {
        self.names().count()
    }

    /// The names in the path.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// The rest of the path below the folder `at`, or `None` when it is elsewhere.
    pub fn below(&self, at: &Self) -> Option<&[u8]> {
        let rest = self.0.strip_prefix(at.as_bytes())?;
        (at.depth() == 0 || rest.is_empty() || rest.first() == Some(&b'/')).then_some(rest)
    }

    /// The path as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as text, bytes that are not UTF-8 written `\xNN`.
    pub fn to_text(&self) -> String {
        text(&self.0)
    }
}

impl AsRef<[u8]> for GuestPath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}
