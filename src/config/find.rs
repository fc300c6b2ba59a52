//! Where `bootworthy.toml` is: in the current directory or above it, as cargo and ruff look for theirs.

use crate::bytes::read_capped;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::MIB;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io::ErrorKind as Io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Its name.
pub const NAME: &str = "bootworthy.toml";
/// Bytes of it: a thousand exceptions with long reasons take a third.
const MAX_FILE: u64 = MIB;

/// A file that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// As reports show it: from the current directory, `../bootworthy.toml`.
    pub(super) name: PathBuf,
    /// As it is opened: a folder on the way up may be one that nobody can walk through.
    path: PathBuf,
    /// The folder that its patterns start from.
    pub(super) folder: PathBuf,
}

/// Looks in `start`, the current directory, and above. What lies in one of `trees`, directories that are judged themselves, is passed over: an
/// image never says how it is judged. A folder that may not be searched is passed over as well, as cargo does; a file
/// that is there is taken, whatever comes of reading it.
///
/// # Errors
/// `Io` where the name is there and cannot be looked at.
pub(super) fn find(start: &Path, trees: &[(u64, u64)]) -> Result<Option<Found>> {
    let folders: Vec<&Path> = start.ancestors().collect();
    let is_tree = |folder: &&Path| identity(folder).is_some_and(|identity| trees.contains(&identity));
    let skipped = folders.iter().rposition(is_tree).map_or(0, |last| last.saturating_add(1));
    let mut name = PathBuf::from("../".repeat(skipped)).join(NAME);
    for folder in folders.into_iter().skip(skipped) {
        // The current directory needs no way to itself.
        let path = if folder == start { PathBuf::from(NAME) } else { folder.join(NAME) };
        match fs::symlink_metadata(&path) {
            Ok(_) => return Ok(Some(Found { name, path, folder: folder.to_owned() })),
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::PermissionDenied) => {}
            Err(error) => return Err(unreadable(&name, error)),
        }
        name = Path::new("..").join(name);
    }
    Ok(None)
}

/// Device and inode of a directory.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

impl Found {
    /// Its text, of a regular file alone: nobody may write to a FIFO.
    pub(super) fn read(&self) -> Result<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::open(&self.path, flags, Mode::empty()).map_err(std::io::Error::from);
        let mut file = opened.map(File::from).map_err(|error| unreadable(&self.name, error))?;
        let is_file = file.metadata().map_err(|error| unreadable(&self.name, error))?.is_file();
        if is_file { read(&mut file, &self.name) } else { Err(unreadable(&self.name, "it is no regular file")) }
    }
}

/// Reads a file that the user named, a pipe as well.
pub(super) fn read_named(name: &Path) -> Result<String> {
    let mut file = File::open(name).map_err(|error| unreadable(name, error))?;
    read(&mut file, name)
}

fn read(file: &mut File, name: &Path) -> Result<String> {
    let bytes = read_capped(file, MAX_FILE, "configuration").map_err(|error| error.at(name.to_string_lossy()))?;
    let line = |valid: usize| {
        let before = bytes.iter().take(valid);
        before.filter(|byte| **byte == b'\n').count().saturating_add(1)
    };
    std::str::from_utf8(&bytes).map(str::to_owned).map_err(|error| {
        let place = format!("{}:{}", name.display(), line(error.valid_up_to()));
        Error::new(ErrorKind::Corrupt, "this line is not UTF-8").at(place)
    })
}

fn unreadable(name: &Path, cause: impl std::fmt::Display) -> Error {
    let help = "mend it, name another with --config FILE, or go without one: --no-config";
    Error::io("the configuration cannot be read", cause).at(name.to_string_lossy()).help(help)
}
