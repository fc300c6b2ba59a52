//! The tree that Linux builds while it unpacks: names, types, hard and symbolic links, later entries over earlier ones.
//! `do_name`, `do_symlink`, `clean_path` and `maybe_link` of `init/initramfs.c` on a tree without contents.

mod lookup;

use super::cpio::Entry;
use crate::error::Error;
use crate::guest::Module;
use crate::limits::MAX_SYMLINKS;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

/// Type bits of a mode (`include/uapi/linux/stat.h`).
pub(super) const TYPE: u32 = 0o170_000;
pub(super) const DIRECTORY: u32 = 0o040_000;
pub(super) const REGULAR: u32 = 0o100_000;
pub(super) const SYMLINK: u32 = 0o120_000;
/// Block and character devices, FIFOs and sockets.
const SPECIAL: &[u32] = &[0o060_000, 0o020_000, 0o010_000, 0o140_000];

const ROOT: usize = 0;

/// What was kept of a regular file.
#[derive(Debug, Default)]
pub(super) enum Content {
    /// Nothing: nobody asked.
    #[default]
    Unread,
    /// Of a module file.
    Module(Result<Module, Error>),
    /// Of modules.builtin: the names.
    Builtin(Result<Vec<String>, Error>),
    /// Of modules.dep.bin or modules.alias.bin: all of it.
    Index(Result<Vec<u8>, Error>),
    /// Of a configuration file: all of it.
    Config(Result<Vec<u8>, Error>),
}

/// A regular file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) size: u64,
    pub(super) is_executable: bool,
    /// Whether one of its names is that of a wanted module: the body of hard links comes with the last one.
    pub(super) is_wanted: bool,
    pub(super) content: Content,
}

#[derive(Debug)]
enum Node {
    Directory { parent: usize, name: Vec<u8>, children: BTreeMap<Vec<u8>, usize> },
    Regular(Box<File>),
    Symlink(Vec<u8>),
    Special(u32),
}

impl Node {
    fn kind(&self) -> u32 {
        match self {
            Self::Directory { .. } => DIRECTORY,
            Self::Regular(_) => REGULAR,
            Self::Symlink(_) => SYMLINK,
            Self::Special(kind) => *kind,
        }
    }
}

/// What an entry came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// A regular file, whose body follows.
    File(usize),
    /// Something without a body, or nothing that Linux would make.
    Done,
    /// Linux drops the entry in silence: its folder is missing, or something is in its way.
    Dropped,
}

/// What an entry is among the names of its inode.
enum Link {
    /// The first, or the only one.
    First,
    /// Another name.
    Made,
    /// Another name, which could not be made.
    Failed,
}

/// The tree.
pub(super) struct Rootfs {
    nodes: Vec<Node>,
    /// First path of each inode with several links, until the trailer.
    links: HashMap<(u32, u32, u32, u32), Vec<u8>>,
    steps: Cell<u64>,
    names: usize,
}

impl Rootfs {
    /// With what `usr/default_cpio_list` puts there before any initrd.
    pub(super) fn new() -> Self {
        let root = Node::Directory { parent: ROOT, name: Vec::new(), children: BTreeMap::new() };
        let mut rootfs = Self { nodes: vec![root], links: HashMap::new(), steps: Cell::new(0), names: 0 };
        for (name, node) in [(b"dev".as_slice(), ROOT), (b"root", ROOT)] {
            rootfs.add_directory(node, name);
        }
        if let Some((dev, name)) = rootfs.parent(ROOT, b"/dev/console") {
            rootfs.add(dev, name, Node::Special(0o020_000));
        }
        rootfs
    }

    /// `do_name`: makes room for the entry, and makes what it stands for.
    pub(super) fn place(&mut self, entry: &Entry) -> Placed {
        self.names = self.names.saturating_add(entry.name.len());
        let kind = entry.mode & TYPE;
        let made = match kind {
            DIRECTORY => self.make_directory(entry),
            REGULAR => return self.make_file(entry),
            _ if SPECIAL.contains(&kind) => self.make_special(entry, kind),
            // Linux makes nothing of an unknown type, and has removed what stood there.
            _ => {
                self.clean(&entry.name, kind);
                Some(())
            }
        };
        if made.is_some() { Placed::Done } else { Placed::Dropped }
    }

    /// `do_symlink`.
    pub(super) fn link(&mut self, entry: &Entry, target: &[u8]) -> Placed {
        self.names = self.names.saturating_add(entry.name.len()).saturating_add(target.len());
        // The target is a C string, and symlink(2) takes no empty one.
        let target = target.split(|byte| *byte == 0).next().unwrap_or_default();
        self.clean(&entry.name, 0);
        match self.free(&entry.name) {
            Some((folder, name)) if !target.is_empty() => {
                self.add(folder, name, Node::Symlink(target.to_vec()));
                Placed::Done
            }
            _ => Placed::Dropped,
        }
    }

    /// `free_hash`: inode numbers mean nothing behind the trailer.
    pub(super) fn forget_links(&mut self) {
        self.links.clear();
    }

    /// The regular file that [`Placed::File`] named.
    pub(super) fn file_mut(&mut self, node: usize) -> Option<&mut File> {
        match self.nodes.get_mut(node)? {
            Node::Regular(file) => Some(file),
            _ => None,
        }
    }

    fn make_directory(&mut self, entry: &Entry) -> Option<()> {
        self.clean(&entry.name, DIRECTORY);
        if self.walk(ROOT, &entry.name, false).is_none_or(|node| self.kind(node) != DIRECTORY) {
            let (folder, name) = self.free(trim(&entry.name))?;
            self.add_directory(folder, name);
        }
        Some(())
    }

    fn make_special(&mut self, entry: &Entry, kind: u32) -> Option<()> {
        self.clean(&entry.name, kind);
        if matches!(self.hard_link(entry), Link::First) && self.walk(ROOT, &entry.name, false).is_none() {
            let (folder, name) = self.free(&entry.name)?;
            self.add(folder, name, Node::Special(kind));
        }
        Some(())
    }

    fn make_file(&mut self, entry: &Entry) -> Placed {
        self.clean(&entry.name, REGULAR);
        let linked = self.hard_link(entry);
        if matches!(linked, Link::Failed) {
            return Placed::Dropped;
        }
        let Some(node) = self.open(&entry.name) else { return Placed::Dropped };
        // A second name of an inode is opened without O_TRUNC: without a body it leaves what is there.
        let is_truncated = matches!(linked, Link::First) || entry.size > 0;
        let Some(Node::Regular(file)) = self.nodes.get_mut(node) else { return Placed::Dropped };
        file.is_executable = entry.mode & 0o111 != 0;
        if is_truncated {
            file.size = entry.size;
            file.content = Content::Unread;
        }
        Placed::File(node)
    }

    /// `open(path, O_CREAT)`: a link at the end is followed, even to something that is not there yet.
    fn open(&mut self, path: &[u8]) -> Option<usize> {
        let (mut folder, mut path) = (ROOT, path.to_vec());
        for _ in 0..=MAX_SYMLINKS {
            let (parent, name) = self.parent(folder, &path)?;
            let target = match self.child(parent, name) {
                None => return Some(self.add(parent, name, Node::Regular(Box::default()))),
                Some(node) => match self.nodes.get(node)? {
                    Node::Symlink(target) => target.clone(),
                    _ => return Some(node),
                },
            };
            (folder, path) = (parent, target);
        }
        None
    }

    /// `maybe_link`.
    fn hard_link(&mut self, entry: &Entry) -> Link {
        if entry.links < 2 {
            return Link::First;
        }
        let inode = (entry.device.0, entry.device.1, entry.inode, entry.mode & TYPE);
        let Some(first) = self.links.get(&inode).cloned() else {
            self.links.insert(inode, entry.name.clone());
            return Link::First;
        };
        self.clean(&entry.name, 0);
        let node = self.walk(ROOT, &first, false).filter(|node| self.kind(*node) != DIRECTORY);
        let place = self.free(&entry.name);
        let (Some(node), Some((folder, name))) = (node, place) else { return Link::Failed };
        self.insert(folder, name, node);
        Link::Made
    }

    /// `clean_path`: removes what has another type than `kind`, if it can: Linux does not look whether it could.
    fn clean(&mut self, path: &[u8], kind: u32) {
        let Some(node) = self.walk(ROOT, path, false).filter(|node| self.kind(*node) != kind) else { return };
        if matches!(self.nodes.get(node), Some(Node::Directory { children, .. }) if !children.is_empty()) {
            return;
        }
        // Behind a slash stands what a link leads to; neither rmdir(2) nor unlink(2) takes the link for it.
        let Some((folder, name)) = self.parent(ROOT, trim(path)) else { return };
        if self.child(folder, name) != Some(node) {
            return;
        }
        if let Some(Node::Directory { children, .. }) = self.nodes.get_mut(folder) {
            children.remove(name);
        }
    }

    fn add_directory(&mut self, parent: usize, name: &[u8]) {
        let node = Node::Directory { parent, name: name.to_vec(), children: BTreeMap::new() };
        self.add(parent, name, node);
    }

    fn add(&mut self, folder: usize, name: &[u8], node: Node) -> usize {
        let index = self.nodes.len();
        self.nodes.push(node);
        self.insert(folder, name, index);
        index
    }

    fn insert(&mut self, folder: usize, name: &[u8], node: usize) {
        if let Some(Node::Directory { children, .. }) = self.nodes.get_mut(folder) {
            children.insert(name.to_vec(), node);
        }
    }
}

/// Without the slashes at its end: mkdir(2) takes them.
fn trim(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last.saturating_add(1));
    path.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, mode: u32, size: u64, links: u32) -> Entry {
        Entry { name: name.into(), mode, size, links, inode: 7, ..Entry::default() }
    }

    /// Paths below `folder` with `/` behind a directory, `@` before a link's target, `=` before a file's size.
    fn shape(rootfs: &Rootfs, folder: &str) -> Vec<String> {
        let mut shape = Vec::new();
        let node = rootfs.directory(folder.as_bytes()).unwrap();
        for (name, node) in rootfs.children(node) {
            let path = format!("{folder}/{}", String::from_utf8_lossy(name));
            match &rootfs.nodes[node] {
                Node::Directory { .. } => shape.extend([vec![format!("{path}/")], self::shape(rootfs, &path)].concat()),
                Node::Regular(file) => shape.push(format!("{path}={}", file.size)),
                Node::Symlink(target) => shape.push(format!("{path}@{}", String::from_utf8_lossy(target))),
                Node::Special(_) => shape.push(path),
            }
        }
        shape
    }

    /// Each was compared with what Linux 6.1 made of it.
    #[test]
    fn entries_come_to_the_tree_that_linux_makes() {
        let (folder, file, fifo) = (0o040_755, 0o100_644, 0o010_644);
        for (entries, expected) in [
            (vec![("a", folder, ""), ("a/b", file, "xx")], "t/a/ t/a/b=2"),
            (vec![("a/b", file, "")], ""),
            (vec![("a", folder, ""), ("a/b", file, ""), ("a", file, "x")], "t/a/ t/a/b=0"),
            (vec![("a", folder, ""), ("a", file, "x")], "t/a=1"),
            (vec![("a", folder, ""), ("a", SYMLINK, "b"), ("b", folder, ""), ("a/c", file, "")], "t/a@b t/b/ t/b/c=0"),
            (vec![("a", file, "x"), ("a", 0o644, "")], ""),
            (vec![("a", file, "x"), ("a", SYMLINK, "")], ""),
            // A slash behind a link: what it leads to is in the way, and the link cannot be removed for it.
            (vec![("b", folder, ""), ("a", SYMLINK, "b"), ("a/", file, "x")], "t/a@b t/b/"),
            (vec![("a/", folder, ""), ("a/", file, "x")], ""),
            (vec![("a", folder, ""), ("a/../b", fifo, ""), ("../t//c", file, "")], "t/a/ t/b t/c=0"),
            (vec![("a", SYMLINK, "a"), ("a/b", file, "")], "t/a@a"),
        ] {
            let mut rootfs = Rootfs::new();
            rootfs.place(&entry("t", folder, 0, 1));
            for (name, mode, body) in entries {
                let entry = entry(&format!("t/{name}"), mode, u64::try_from(body.len()).unwrap(), 1);
                match mode {
                    SYMLINK => rootfs.link(&entry, body.as_bytes()),
                    _ => rootfs.place(&entry),
                };
            }
            assert_eq!(shape(&rootfs, "t").join(" "), expected);
        }
    }

    #[test]
    fn hard_links_are_made_to_what_stands_at_the_first_name() {
        let file = 0o100_644;
        let made = |between: &dyn Fn(&mut Rootfs)| {
            let mut rootfs = Rootfs::new();
            rootfs.place(&entry("t", DIRECTORY, 0, 1));
            rootfs.place(&entry("t/a", file, 5, 2));
            between(&mut rootfs);
            rootfs.place(&entry("t/b", file, 3, 2));
            shape(&rootfs, "t").join(" ")
        };
        assert_eq!(made(&|_| {}), "t/a=3 t/b=3");
        assert_eq!(made(&Rootfs::forget_links), "t/a=5 t/b=3");
        let replace = |rootfs: &mut Rootfs| {
            rootfs.link(&entry("t/a", SYMLINK, 0, 1), b"c");
        };
        assert_eq!(made(&replace), "t/a@c t/b@c t/c=3");
        let remove = |rootfs: &mut Rootfs| {
            rootfs.place(&entry("t/a", 0, 0, 1));
        };
        assert_eq!(made(&remove), "");
        let folder = |rootfs: &mut Rootfs| {
            rootfs.place(&entry("t/a", DIRECTORY, 0, 1));
        };
        assert_eq!(made(&folder), "t/a/");
    }
}
