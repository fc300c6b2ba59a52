//! The guest's own view of its files: a root file system with others mounted on it, links resolved inside the guest.

use super::{DirEntry, FileSystem, FileType, GuestPath, Metadata};
use crate::bytes::{read_capped, text};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::Listing;
use crate::limits::{MAX_DEPTH, MAX_NAME, MAX_PATH, MAX_SYMLINKS};
use std::io::Read;
use std::rc::Rc;

/// A mount tree. Absolute links restart at its own root, `..` stops there: nothing outside can be named.
pub struct Root {
    /// Mount points and file systems; the first is `/`.
    mounts: Vec<(GuestPath, Rc<dyn FileSystem>)>,
    /// Entries listed of one directory.
    listing_limit: usize,
}

impl Root {
    /// A tree of one file system; directories are listed up to `listing_limit` entries.
    pub fn new(filesystem: Rc<dyn FileSystem>, listing_limit: usize) -> Self {
        Self { mounts: vec![(GuestPath::root(), filesystem)], listing_limit }
    }

    /// Mounts `filesystem` on the directory `at`.
    ///
    /// # Errors
    /// `NotFound` when there is no such directory.
    pub fn mount(&mut self, at: impl AsRef<[u8]>, filesystem: Rc<dyn FileSystem>) -> Result<()> {
        let (path, metadata) = self.resolve(at)?;
        if metadata.file_type != FileType::Directory {
            return Err(Error::not_found("mount point").because("it is not a directory").at(path.to_text()));
        }
        self.mounts.push((path, filesystem));
        Ok(())
    }

    /// Makes `filesystem` readable as `name`, beside what the guest mounts; no folder shows it.
    pub fn attach(&mut self, name: &str, filesystem: Rc<dyn FileSystem>) {
        self.mounts.push((GuestPath::new(name), filesystem));
    }

    /// Mount points with their file systems, in mount order.
    pub fn mounts(&self) -> impl Iterator<Item = (&GuestPath, &dyn FileSystem)> {
        self.mounts.iter().map(|(path, filesystem)| (path, filesystem.as_ref()))
    }

    /// The file's path without links, and what it is.
    pub fn resolve(&self, path: impl AsRef<[u8]>) -> Result<(GuestPath, Metadata)> {
        self.walk(path.as_ref(), true)
    }

    /// What `path` is, links followed.
    pub fn metadata(&self, path: impl AsRef<[u8]>) -> Result<Metadata> {
        Ok(self.walk(path.as_ref(), true)?.1)
    }

    /// What `path` itself is: a link stays one. Links in its folders are followed.
    pub fn symlink_metadata(&self, path: impl AsRef<[u8]>) -> Result<Metadata> {
        Ok(self.walk(path.as_ref(), false)?.1)
    }

    /// Whether there is such a file, links followed; an error when that could not be seen.
    pub fn exists(&self, path: impl AsRef<[u8]>) -> Result<bool> {
        match self.walk(path.as_ref(), true) {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a regular file.
    pub fn open(&self, path: impl AsRef<[u8]>) -> Result<Box<dyn Read + '_>> {
        let (path, metadata) = self.resolve(path)?;
        if metadata.file_type != FileType::Regular {
            return Err(Error::unsupported("file", "it is not a regular file and is not read").at(path.to_text()));
        }
        let (filesystem, inner) = self.place(&path);
        filesystem.open(&inner).map_err(|error| error.at(path.to_text()))
    }

    /// Reads a regular file of at most `limit` bytes.
    pub fn read(&self, path: impl AsRef<[u8]>, limit: u64) -> Result<Vec<u8>> {
        let place = text(path.as_ref());
        let read = || read_capped(&mut self.open(&path)?, limit, "file");
        read().map_err(|error| error.at(place))
    }

    /// Reads a regular file, or `None` when there is none.
    pub fn read_if_exists(&self, path: impl AsRef<[u8]>, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.read(path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists a directory, names sorted.
    pub fn list(&self, path: impl AsRef<[u8]>) -> Result<Listing<DirEntry>> {
        let (path, _) = self.resolve(path)?;
        let (filesystem, inner) = self.place(&path);
        let listed = filesystem.read_dir(&inner, self.listing_limit);
        let mut listing = listed.map_err(|error| error.at(path.to_text()))?;
        listing.items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    /// The target of the link at `path`, as stored.
    pub fn read_link(&self, path: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        let (path, _) = self.walk(path.as_ref(), false)?;
        let (filesystem, inner) = self.place(&path);
        filesystem.read_link(&inner).map_err(|error| error.at(path.to_text()))
    }

    /// Paths that match a pattern in which `*` stands for any part of one component, sorted. A folder that is not
    /// there matches nothing; one that cannot be listed is a gap.
    pub fn glob(&self, pattern: impl AsRef<[u8]>) -> Listing<GuestPath> {
        let mut found = Listing::from(vec![GuestPath::root()]);
        for component in components(pattern.as_ref()) {
            let folders = std::mem::take(&mut found.items);
            for folder in folders {
                self.glob_in(&folder, component, &mut found);
            }
        }
        found
    }

    fn glob_in(&self, folder: &GuestPath, component: &[u8], found: &mut Listing<GuestPath>) {
        if !component.contains(&b'*') {
            let path = folder.join(component);
            match self.exists(&path) {
                Ok(true) => found.items.push(path),
                Ok(false) => {}
                Err(error) => found.gaps.push(error.into()),
            }
            return;
        }
        match self.list(folder) {
            Ok(listing) => {
                found.gaps.extend(listing.gaps);
                let names = listing.items.into_iter().filter(|entry| matches(component, &entry.name));
                found.items.extend(names.map(|entry| folder.join(&entry.name)));
            }
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => found.gaps.push(error.into()),
        }
    }

    /// Resolves component by component; `follow` says whether a link at the end is followed too.
    fn walk(&self, path: &[u8], follow: bool) -> Result<(GuestPath, Metadata)> {
        let fail = |kind: Error| Err(kind.at(text(path)));
        let mut ahead: Vec<Vec<u8>> = components(path).rev().map(<[u8]>::to_vec).collect();
        let mut here = GuestPath::root();
        let mut metadata = Metadata { file_type: FileType::Directory, size: 0, mode: 0o755 };
        let mut links = 0_usize;
        while let Some(name) = ahead.pop() {
            if metadata.file_type != FileType::Directory {
                return fail(Error::not_found("file").because("a component of its path is not a directory"));
            }
            if name == b".." {
                here = here.parent();
                continue;
            }
            let next = here.join(&name);
            if name.len() > MAX_NAME || next.depth() > MAX_DEPTH || next.as_bytes().len() > MAX_PATH {
                return fail(Error::too_large("path", "longer or deeper than Linux allows"));
            }
            metadata = self.look(&next)?;
            if metadata.file_type == FileType::Symlink && (follow || !ahead.is_empty()) {
                links = links.saturating_add(1);
                if links > MAX_SYMLINKS {
                    return fail(Error::corrupt(
                        "symbolic link",
                        format!("more than {MAX_SYMLINKS} links in one path"),
                    ));
                }
                let target = self.target(&next, metadata)?;
                if target.first() == Some(&b'/') {
                    here = GuestPath::root();
                }
                ahead.extend(components(&target).rev().map(<[u8]>::to_vec));
                metadata.file_type = FileType::Directory;
                continue;
            }
            here = next;
        }
        Ok((here.clone(), if here.depth() == 0 { self.look(&here)? } else { metadata }))
    }

    fn look(&self, path: &GuestPath) -> Result<Metadata> {
        let (filesystem, inner) = self.place(path);
        filesystem.symlink_metadata(&inner).map_err(|error| error.at(path.to_text()))
    }

    fn target(&self, path: &GuestPath, metadata: Metadata) -> Result<Vec<u8>> {
        let limit = u64::try_from(MAX_PATH).unwrap_or(u64::MAX);
        if metadata.size > limit {
            let cause = format!("its target claims {} bytes, at most {limit} are legal", metadata.size);
            return Err(Error::corrupt("symbolic link", cause).at(path.to_text()));
        }
        let (filesystem, inner) = self.place(path);
        filesystem.read_link(&inner).map_err(|error| error.at(path.to_text()))
    }

    /// The file system that holds a path without links, and the path within it.
    fn place(&self, path: &GuestPath) -> (&dyn FileSystem, GuestPath) {
        let mut best: (&dyn FileSystem, &[u8]) = (&NoFilesystem, path.as_bytes());
        let mut longest = 0;
        for (at, filesystem) in &self.mounts {
            let Some(rest) = path.below(at) else { continue };
            if at.as_bytes().len() >= longest {
                longest = at.as_bytes().len();
                best = (filesystem.as_ref(), rest);
            }
        }
        (best.0, GuestPath::new(best.1))
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.mounts.iter().map(|(path, _)| path)).finish()
    }
}

/// Stands where no file system is mounted; never reached, since `/` always is.
struct NoFilesystem;

impl FileSystem for NoFilesystem {
    fn identity(&self) -> super::Identity {
        super::Identity::default()
    }
    fn open(&self, _: &GuestPath) -> Result<Box<dyn Read + '_>> {
        Err(Error::not_found("file system"))
    }
    fn read_dir(&self, _: &GuestPath, _: usize) -> Result<Listing<DirEntry>> {
        Err(Error::not_found("file system"))
    }
    fn symlink_metadata(&self, _: &GuestPath) -> Result<Metadata> {
        Err(Error::not_found("file system"))
    }
    fn read_link(&self, _: &GuestPath) -> Result<Vec<u8>> {
        Err(Error::not_found("file system"))
    }
}

/// The names in a path, without empty ones and `.`.
fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".")
}

/// Whether `name` matches `pattern`, in which `*` stands for any bytes.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skip| name.get(skip..).is_some_and(|tail| matches(rest, tail))),
        Some((first, rest)) => name.split_first().is_some_and(|(byte, tail)| byte == first && matches(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A file system of files, links and folders, by path.
    struct Tree(BTreeMap<Vec<u8>, Node>);

    enum Node {
        File(&'static str),
        Link(&'static str),
        Folder,
        Fifo,
    }

    impl FileSystem for Tree {
        fn identity(&self) -> super::super::Identity {
            super::super::Identity::default()
        }
        fn open(&self, path: &GuestPath) -> Result<Box<dyn Read + '_>> {
            match self.0.get(path.as_bytes()) {
                Some(Node::File(body)) => Ok(Box::new(body.as_bytes())),
                _ => Err(Error::not_found("file")),
            }
        }
        fn read_dir(&self, path: &GuestPath, _: usize) -> Result<Listing<DirEntry>> {
            let inside = self.0.keys().map(GuestPath::new).filter(|key| key.depth() > 0 && key.parent() == *path);
            let entry = |key: GuestPath| DirEntry {
                name: key.names().next_back().unwrap().to_vec(),
                file_type: FileType::Regular,
            };
            Ok(inside.map(entry).collect::<Vec<_>>().into())
        }
        fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata> {
            let (file_type, size) = match self.0.get(path.as_bytes()).ok_or_else(|| Error::not_found("file"))? {
                Node::File(body) => (FileType::Regular, body.len()),
                Node::Link("huge") => (FileType::Symlink, 1 << 40),
                Node::Link(target) => (FileType::Symlink, target.len()),
                Node::Folder => (FileType::Directory, 0),
                Node::Fifo => (FileType::Other, 0),
            };
            Ok(Metadata { file_type, size: u64::try_from(size).unwrap(), mode: 0o755 })
        }
        fn read_link(&self, path: &GuestPath) -> Result<Vec<u8>> {
            match self.0.get(path.as_bytes()) {
                Some(Node::Link(target)) => Ok(target.as_bytes().to_vec()),
                _ => Err(Error::not_found("link")),
            }
        }
    }

    fn root() -> Root {
        let nodes = [
            ("/", Node::Folder),
            ("/usr", Node::Folder),
            ("/usr/lib", Node::Folder),
            ("/usr/lib/os-release", Node::File("ID=debian")),
            ("/lib", Node::Link("usr/lib")),
            ("/etc", Node::Folder),
            ("/etc/os-release", Node::Link("../usr/lib/os-release")),
            ("/etc/absolute", Node::Link("/lib/os-release")),
            ("/etc/escape", Node::Link("../../../../usr/lib/os-release")),
            ("/etc/loop", Node::Link("loop")),
            ("/etc/huge", Node::Link("huge")),
            ("/etc/dangling", Node::Link("nowhere")),
            ("/etc/fifo", Node::Fifo),
            ("/boot", Node::Folder),
            ("/boot/hidden", Node::File("under the mount")),
        ];
        let boot = [
            ("/", Node::Folder),
            ("/vmlinuz-1", Node::File("kernel")),
            ("/vmlinuz-2", Node::File("k")),
            ("/up", Node::Link("../etc/os-release")),
        ];
        let tree = |nodes: Vec<(&str, Node)>| {
            Rc::new(Tree(nodes.into_iter().map(|(path, node)| (path.as_bytes().to_vec(), node)).collect()))
        };
        let mut root = Root::new(tree(nodes.into()), 100);
        root.mount("/boot", tree(boot.into())).unwrap();
        root
    }

    #[test]
    fn reads_through_links_and_mounts() {
        for (path, body) in [
            ("/usr/lib/os-release", Some("ID=debian")),
            ("lib/os-release", Some("ID=debian")),
            ("/etc/os-release", Some("ID=debian")),
            ("/etc/absolute", Some("ID=debian")),
            ("/etc/escape", Some("ID=debian")),
            ("/boot/../boot/./vmlinuz-1", Some("kernel")),
            ("/boot/up", Some("ID=debian")),
            ("/boot/hidden", None),
            ("/etc/loop", None),
            ("/etc/huge", None),
            ("/etc/dangling", None),
            ("/etc/fifo", None),
            ("/etc", None),
            ("/etc/os-release/x", None),
        ] {
            let read = root().read(path, 100).ok();
            assert_eq!(read.as_deref(), body.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn absence_differs_from_not_having_seen() {
        for (path, exists) in [
            ("/etc/dangling", Some(false)),
            ("/nowhere/x", Some(false)),
            ("/etc/loop", None),
            ("/boot", Some(true)),
            ("/", Some(true)),
        ] {
            assert_eq!(root().exists(path).ok(), exists, "{path}");
        }
    }

    #[test]
    fn globs_match_names() {
        let found = root().glob("/boot/vmlinuz-*");
        assert_eq!(found.items, ["/boot/vmlinuz-1", "/boot/vmlinuz-2"].map(GuestPath::new));
        assert_eq!(root().glob("/nowhere/*/x"), Listing::default());
        assert!(root().read("/usr/lib/os-release", 8).is_err(), "a byte over the limit");
    }
}
