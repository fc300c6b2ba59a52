//! The files of a tree, by paths that no link in it can turn out of it. Names are followed as with `/` at the tree;
//! what is at their end is done with the C library, so that fakeroot sees it.

use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::MIB;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Bytes of a file of a tree that a stage reads: a kernel's configuration has 300 KiB, `modules.dep` 1.5 MB.
pub(super) const MAX_FILE: u64 = 16 * MIB;
/// Entries of a folder that a stage lists.
const MAX_ENTRIES: usize = 100_000;
/// What a file is written under until it is whole.
const TEMPORARY: &str = ".bootworthy-new";

/// A tree.
#[derive(Debug)]
pub(in crate::build) struct Root {
    fd: OwnedFd,
    /// Where the host has it.
    path: PathBuf,
}

/// A folder of the tree, and a name in it.
struct Place {
    /// Keeps `path` what it is.
    _folder: OwnedFd,
    path: PathBuf,
}

/// Who owns a file: user and group by number.
pub(super) type Owner = (u32, u32);

impl Root {
    /// Opens the folder that is `/`.
    ///
    /// # Errors
    /// When it is none.
    pub(in crate::build) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = open(path, flags, Mode::empty()).map_err(|error| Error::io("tree", error))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// A whole file, links followed; `None` where it is not there.
    pub(super) fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat2(&self.fd, inner(path), flags, Mode::empty(), ResolveFlags::IN_ROOT) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(failed("cannot read", path, error.into())),
        };
        if !file.metadata().map_err(|error| failed("cannot read", path, error))?.is_file() {
            return Err(Error::corrupt("cannot read", "it is no regular file").at(path));
        }
        read_capped(&mut &file, MAX_FILE, "file of the tree").map(Some).map_err(|error| error.at(path))
    }

    /// A whole file as text, empty where it is not there.
    pub(super) fn text(&self, path: &str) -> Result<String> {
        let bytes = self.read(path)?.unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| Error::corrupt("cannot read", "it is no UTF-8").at(path))
    }

    /// Whether there is something, links followed.
    pub(in crate::build) fn exists(&self, path: &str) -> bool {
        openat2(&self.fd, inner(path), OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT).is_ok()
    }

    /// Whether there is a folder, links followed.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        self.folder(path).is_ok()
    }

    /// Where a link points, as it says; `None` where there is no link.
    pub(super) fn link(&self, path: &str) -> Option<OsString> {
        let place = self.place(path).ok()?;
        fs::read_link(&place.path).ok().map(PathBuf::into_os_string)
    }

    /// Names in a folder, sorted; none where it is not there.
    pub(super) fn list(&self, path: &str) -> Result<Vec<OsString>> {
        let folder = match self.folder(path) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
            Err(error) => return Err(failed("cannot list", path, error.into())),
        };
        let names: io::Result<Vec<OsString>> = fs::read_dir(magic(&folder))
            .and_then(|entries| entries.take(MAX_ENTRIES).map(|entry| entry.map(|entry| entry.file_name())).collect());
        let mut names = names.map_err(|error| failed("cannot list", path, error))?;
        names.sort();
        Ok(names)
    }

    /// The same as text; what is no UTF-8 is no name that a stage looks for.
    pub(super) fn names(&self, path: &str) -> Result<Vec<String>> {
        Ok(self.list(path)?.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    /// Writes a file of root's with mode 0644, its folders too.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.write_as(path, bytes, 0o644, (0, 0))
    }

    /// Writes a file in place of what is there, a link too; folders that are missing are root's, mode 0755.
    pub(super) fn write_as(&self, path: &str, bytes: &[u8], mode: u32, owner: Owner) -> Result<()> {
        let place = self.place_made(path)?;
        let temporary = place.path.with_file_name(TEMPORARY);
        let written = (|| {
            remove_file(&temporary)?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(bytes)?;
            drop(file);
            // The mode last: chown takes set-user-ID away.
            give(&temporary, owner)?;
            fs::set_permissions(&temporary, Permissions::from_mode(mode))?;
            fs::rename(&temporary, &place.path)
        })();
        written.map_err(|error| failed("cannot write", path, error))
    }

    /// Replaces the text of a file and keeps its mode and owner; `None` from `edit` leaves it alone.
    pub(super) fn edit(&self, path: &str, edit: impl FnOnce(&str) -> Option<String>) -> Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let text = self.text(path)?;
        let Some(new) = edit(&text) else { return Ok(()) };
        let found = self.place(path).ok().and_then(|place| fs::metadata(&place.path).ok());
        let (mode, owner) = found.map_or((0o644, (0, 0)), |found| (found.mode() & 0o7777, (found.uid(), found.gid())));
        self.write_as(path, new.as_bytes(), mode, owner)
    }

    /// A symbolic link in place of what is there.
    pub(super) fn symlink(&self, target: impl AsRef<OsStr>, path: &str) -> Result<()> {
        let place = self.place_made(path)?;
        let made = remove_file(&place.path).and_then(|()| symlink(target.as_ref(), &place.path));
        made.map_err(|error| failed("cannot link", path, error))
    }

    /// A folder and those above it, root's with mode 0755 where they are missing.
    pub(super) fn make_folder(&self, path: &str) -> Result<()> {
        self.folder_made(path).map(drop)
    }

    /// Owner and mode of what is there.
    pub(super) fn own(&self, path: &str, mode: u32, owner: Owner) -> Result<()> {
        let place = self.place(path)?;
        let owned =
            give(&place.path, owner).and_then(|()| fs::set_permissions(&place.path, Permissions::from_mode(mode)));
        owned.map_err(|error| failed("cannot give away", path, error))
    }

    /// Takes away what is there, with all that is in it.
    pub(super) fn remove(&self, path: &str) -> Result<()> {
        let Ok(place) = self.place(path) else { return Ok(()) };
        let removed = match fs::symlink_metadata(&place.path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&place.path),
            Ok(_) => fs::remove_file(&place.path),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        removed.map_err(|error| failed("cannot remove", path, error))
    }

    /// Takes away all that is in a folder.
    pub(super) fn empty(&self, path: &str) -> Result<()> {
        let names = self.list(path)?;
        let Ok(folder) = self.folder(path) else { return Ok(()) };
        for name in names {
            let entry = magic(&folder).join(&name);
            let removed = match fs::symlink_metadata(&entry) {
                Ok(found) if found.is_dir() => fs::remove_dir_all(&entry),
                Ok(_) => fs::remove_file(&entry),
                Err(error) => Err(error),
            };
            removed.map_err(|error| failed("cannot remove", &format!("{path}/{}", name.display()), error))?;
        }
        Ok(())
    }

    /// A path of the host by which the tree can be walked.
    pub(in crate::build) fn magic(&self) -> PathBuf {
        // A descriptor of O_PATH is no folder to read; its "." is.
        magic(&self.fd).join(".")
    }

    /// Makes links point where they would with `/` at the tree: fakechroot writes the tree's own path before those that
    /// begin with `/`.
    pub(in crate::build) fn heal_links(&self) -> Result<()> {
        for entry in WalkDir::new(self.magic()).same_file_system(true) {
            let entry = entry.map_err(|error| Error::io("links of the tree", error))?;
            if !entry.path_is_symlink() {
                continue;
            }
            let healed = fs::read_link(entry.path()).and_then(|target| match target.strip_prefix(&self.path) {
                Ok(inner) => {
                    fs::remove_file(entry.path())?;
                    symlink(Path::new("/").join(inner), entry.path())
                }
                Err(_) => Ok(()),
            });
            healed.map_err(|error| Error::io("links of the tree", error))?;
        }
        Ok(())
    }

    fn folder(&self, path: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat2(&self.fd, inner(path), flags, Mode::empty(), ResolveFlags::IN_ROOT)
    }

    fn folder_made(&self, path: &str) -> Result<OwnedFd> {
        match self.folder(path) {
            Ok(folder) => return Ok(folder),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(failed("cannot enter", path, error.into())),
        }
        let (above, name) = split(path)?;
        let folder = self.folder_made(above)?;
        let made = DirBuilder::new().mode(0o755).create(magic(&folder).join(name));
        made.map_err(|error| failed("cannot make", path, error))?;
        self.folder(path).map_err(|error| failed("cannot enter", path, error.into()))
    }

    fn place(&self, path: &str) -> Result<Place> {
        let (above, name) = split(path)?;
        let folder = self.folder(above).map_err(|error| failed("cannot enter", above, error.into()))?;
        Ok(Place { path: magic(&folder).join(name), _folder: folder })
    }

    fn place_made(&self, path: &str) -> Result<Place> {
        let (above, name) = split(path)?;
        let folder = self.folder_made(above)?;
        Ok(Place { path: magic(&folder).join(name), _folder: folder })
    }
}

fn magic(folder: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

fn inner(path: &str) -> &str {
    let inner = path.trim_matches('/');
    if inner.is_empty() { "." } else { inner }
}

/// The folder and the name, which is one.
fn split(path: &str) -> Result<(&str, &str)> {
    let (above, name) = inner(path).rsplit_once('/').unwrap_or((".", inner(path)));
    if matches!(name, "." | "..") || name.is_empty() {
        return Err(Error::corrupt("path", "it does not end in a name").at(path));
    }
    Ok((above, name))
}

/// As root of the tree; a unit test need not be that.
fn give(path: &Path, owner: Owner) -> io::Result<()> {
    if cfg!(test) && owner == (0, 0) { Ok(()) } else { chown(path, Some(owner.0), Some(owner.1)) }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn failed(what: &str, path: &str, error: io::Error) -> Error {
    Error::io(what, error).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        (folder, root)
    }

    #[test]
    fn files_are_written_with_their_folders_and_read_back() {
        let (folder, root) = tree();
        root.write_as("/etc/a/b.conf", b"x", 0o640, owner()).unwrap();
        assert_eq!(root.text("/etc/a/b.conf").unwrap(), "x");
        assert_eq!(fs::metadata(folder.path().join("etc/a/b.conf")).unwrap().permissions().mode() & 0o7777, 0o640);
        root.edit("/etc/a/b.conf", |text| Some(text.repeat(2))).unwrap();
        assert_eq!(fs::metadata(folder.path().join("etc/a/b.conf")).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(root.names("/etc/a").unwrap(), ["b.conf"]);
        root.empty("/etc").unwrap();
        assert!(!root.exists("/etc/a") && root.is_folder("/etc"));
        assert_eq!((root.read("/none").unwrap(), root.names("/none").unwrap()), (None, Vec::new()));
    }

    /// Ours: an ordinary user may give nothing to root.
    fn owner() -> Owner {
        (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
    }

    #[test]
    fn no_link_leads_out_of_the_tree() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let (folder, root) = tree();
        for (link, target) in [("etc", outside.path().to_path_buf()), ("up", PathBuf::from("../../../../../../tmp"))] {
            symlink(target, folder.path().join(link)).unwrap();
        }
        symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
        assert_eq!(root.read("/etc/secret").unwrap(), None);
        assert_eq!(root.read("/file").unwrap(), None);
        assert!(root.write_as("/etc/new", b"x", 0o644, owner()).is_err());
        assert!(root.write_as("/up/new", b"x", 0o644, owner()).is_err());
        // A link at the end is replaced, what it points to stays.
        root.write_as("/file", b"new", 0o644, owner()).unwrap();
        assert_eq!(fs::metadata(outside.path().join("secret")).unwrap().len(), 6);
        root.remove("/etc").unwrap();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        assert!(root.write("/etc/..", b"").is_err());
    }

    #[test]
    fn links_lose_the_path_of_the_tree() {
        let (folder, root) = tree();
        for (name, target) in [("a", folder.path().join("etc/x")), ("b", "/etc/x".into()), ("c", "../x".into())] {
            symlink(target, folder.path().join(name)).unwrap();
        }
        root.heal_links().unwrap();
        let targets = ["a", "b", "c"].map(|name| fs::read_link(folder.path().join(name)).unwrap());
        assert_eq!(targets.map(|target| target.display().to_string()), ["/etc/x", "/etc/x", "../x"]);
    }

    #[test]
    fn what_would_wait_for_ever_is_refused() {
        let (folder, root) = tree();
        rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0)
            .unwrap();
        assert!(root.read("/fifo").unwrap_err().to_string().contains("no regular file"));
    }
}
