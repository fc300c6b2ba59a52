//! A host directory, held open: every name below it is opened from its parent's descriptor, links never followed.

use super::{DirEntry, FileSystem, FileType, GuestPath, Identity, Metadata};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::{Gap, Listing};
use crate::limits::MAX_PATH;
use rustix::fs::{self, Dir, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

/// A tree on the host, for `check DIR`.
#[derive(Debug)]
pub struct Directory {
    root: OwnedFd,
}

impl Directory {
    /// The tree below `root`, a directory that the caller opened.
    pub fn new(root: impl Into<OwnedFd>) -> Self {
        Self { root: root.into() }
    }

    /// A handle on the file itself, opened for nothing else: a FIFO does not block, a device does not start.
    fn handle(&self, path: &GuestPath) -> Result<OwnedFd> {
        let mut at = open(&self.root, b".", OFlags::PATH | OFlags::DIRECTORY).map_err(|error| failed(path, error))?;
        let mut names = path.names().peekable();
        while let Some(name) = names.next() {
            if name == b".." {
                return Err(Error::not_found("file").because("the path climbs").at(path.to_text()));
            }
            let folder = if names.peek().is_some() { OFlags::DIRECTORY } else { OFlags::empty() };
            at = open(&at, name, OFlags::PATH | folder).map_err(|error| failed(path, error))?;
        }
        Ok(at)
    }
}

impl FileSystem for Directory {
    fn identity(&self) -> Identity {
        Identity { kind: "directory".into(), ..Identity::default() }
    }

    fn open(&self, path: &GuestPath) -> Result<Box<dyn Read + '_>> {
        let seen = fs::fstat(self.handle(path)?).map_err(|error| failed(path, error))?;
        if kind(&seen) != FileType::Regular {
            return Err(Error::unsupported("file", "it is not a regular file and is not read").at(path.to_text()));
        }
        let parent = self.handle(&path.parent())?;
        let name = path.names().next_back().unwrap_or(b".");
        let file = open(&parent, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
            .map_err(|error| failed(path, error))?;
        let opened = fs::fstat(&file).map_err(|error| failed(path, error))?;
        if (opened.st_dev, opened.st_ino) != (seen.st_dev, seen.st_ino) {
            return Err(Error::io("file", "it was replaced while it was being opened").at(path.to_text()));
        }
        Ok(Box::new(File::from(file)))
    }

    fn read_dir(&self, path: &GuestPath, limit: usize) -> Result<Listing<DirEntry>> {
        let handle = self.handle(path)?;
        let folder = open(&handle, b".", OFlags::RDONLY | OFlags::DIRECTORY).map_err(|error| failed(path, error))?;
        let entries = Dir::read_from(&folder).map_err(|error| failed(path, error))?;
        let mut listing = Listing::default();
        for entry in entries {
            let entry = entry.map_err(|error| failed(path, error))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if listing.items.len() >= limit {
                listing.gaps.push(Gap::at(path.to_text(), format!("more than the limit of {limit} entries")));
                break;
            }
            let file_type = match entry.file_type() {
                // `man 3 readdir`: not every file system fills d_type.
                fs::FileType::Unknown => self.symlink_metadata(&path.join(name))?.file_type,
                known => from_host(known),
            };
            listing.items.push(DirEntry { name: name.to_vec(), file_type });
        }
        Ok(listing)
    }

    fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata> {
        let stat = fs::fstat(self.handle(path)?).map_err(|error| failed(path, error))?;
        Ok(Metadata {
            file_type: kind(&stat),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: Mode::from_raw_mode(stat.st_mode).bits() & 0o7777,
        })
    }

    fn read_link(&self, path: &GuestPath) -> Result<Vec<u8>> {
        // `man 2 readlink`: an empty name reads the link that the descriptor itself stands for.
        let target = fs::readlinkat(self.handle(path)?, c"", Vec::new()).map_err(|error| match error {
            Errno::INVAL | Errno::NOENT => Error::unsupported("link", "it is not a symbolic link").at(path.to_text()),
            other => failed(path, other),
        })?;
        let target = target.into_bytes();
        if target.len() > MAX_PATH {
            return Err(Error::too_large("link target", format!("more than {MAX_PATH} bytes")).at(path.to_text()));
        }
        Ok(target)
    }
}

fn open(at: &OwnedFd, name: &[u8], how: OFlags) -> Result<OwnedFd, Errno> {
    rustix::io::retry_on_intr(|| fs::openat(at, name, how | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()))
}

/// A folder of the path that is a link or a file answers `NotFound`, as a name that is not there does.
fn failed(path: &GuestPath, error: Errno) -> Error {
    let kind = match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    };
    let failed = Error::new(kind, "file").because(std::io::Error::from(error).to_string()).at(path.to_text());
    if error == Errno::ACCESS { failed.help("run bootworthy as a user who may read the whole tree") } else { failed }
}

fn kind(stat: &Stat) -> FileType {
    from_host(fs::FileType::from_raw_mode(stat.st_mode))
}

fn from_host(file_type: fs::FileType) -> FileType {
    match file_type {
        fs::FileType::RegularFile => FileType::Regular,
        fs::FileType::Directory => FileType::Directory,
        fs::FileType::Symlink => FileType::Symlink,
        _ => FileType::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::read_capped;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, Directory) {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("etc/deep")).unwrap();
        std::fs::write(at("etc/fstab"), "row\n").unwrap();
        symlink("/etc/passwd", at("etc/absolute")).unwrap();
        symlink("etc", at("alias")).unwrap();
        fs::mknodat(fs::CWD, at("etc/fifo"), fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let opened = File::open(dir.path()).unwrap();
        (dir, Directory::new(opened))
    }

    #[test]
    fn reads_regular_files_only_and_follows_no_link() {
        let (_dir, tree) = tree();
        let read = |path: &str| read_capped(&mut tree.open(&GuestPath::new(path))?, 100, "file");
        assert_eq!(read("/etc/fstab").unwrap(), b"row\n");
        for (path, kind) in [
            ("/etc/fifo", ErrorKind::Unsupported),
            ("/etc/absolute", ErrorKind::Unsupported),
            ("/etc", ErrorKind::Unsupported),
            ("/", ErrorKind::Unsupported),
            ("/alias/fstab", ErrorKind::NotFound),
            ("/etc/fstab/x", ErrorKind::NotFound),
            ("/none", ErrorKind::NotFound),
            ("/../etc/passwd", ErrorKind::NotFound),
        ] {
            assert_eq!(read(path).unwrap_err().kind, kind, "{path}");
        }
    }

    #[test]
    fn lists_with_kinds_and_says_when_it_stops() {
        let (_dir, tree) = tree();
        let mut listing = tree.read_dir(&GuestPath::new("/etc"), 10).unwrap();
        listing.items.sort_by(|a, b| a.name.cmp(&b.name));
        let kinds: Vec<_> = listing.items.iter().map(|entry| (entry.name.as_slice(), entry.file_type)).collect();
        assert_eq!(
            kinds,
            [
                (&b"absolute"[..], FileType::Symlink),
                (b"deep", FileType::Directory),
                (b"fifo", FileType::Other),
                (b"fstab", FileType::Regular),
            ]
        );
        assert!(listing.gaps.is_empty());
        assert_eq!(tree.read_dir(&GuestPath::new("/etc"), 3).unwrap().gaps.len(), 1);
        assert_eq!(tree.read_dir(&GuestPath::new("/alias"), 3).unwrap_err().kind, ErrorKind::NotFound);
    }

    #[test]
    fn says_what_a_file_itself_is() {
        let (_dir, tree) = tree();
        let link = GuestPath::new("/etc/absolute");
        assert_eq!(tree.symlink_metadata(&link).unwrap().file_type, FileType::Symlink);
        assert_eq!(tree.read_link(&link).unwrap(), b"/etc/passwd");
        assert_eq!(tree.read_link(&GuestPath::new("/etc/fstab")).unwrap_err().kind, ErrorKind::Unsupported);
        assert_eq!(tree.symlink_metadata(&GuestPath::new("/etc/fstab")).unwrap().size, 4);
        assert_eq!(tree.symlink_metadata(&GuestPath::root()).unwrap().file_type, FileType::Directory);
    }
}
