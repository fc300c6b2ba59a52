//! The tree that Linux builds while it unpacks: names, types, hard and symbolic links, later entries over earlier ones.
//! `do_name`, `do_symlink`, `clean_path` and `maybe_link` of `init/initramfs.c` on a tree without contents.

mod lookup;

use super::cpio::Entry;
use crate::error::Error;
use crate::guest::Module;
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
    Regular(File),
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
    /// Another name of this node.
    Made(usize),
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
        if let Some((dev, name)) = rootfs.parent(b"/dev/console") {
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
            _ => self.clean(&entry.name, kind).map(|()| true),
        };
        if made == Some(true) { Placed::Done } else { Placed::Dropped }
    }

    /// `do_symlink`.
    pub(super) fn link(&mut self, entry: &Entry, target: &[u8]) -> Placed {
        self.names = self.names.saturating_add(entry.name.len()).saturating_add(target.len());
        // The target is a C string, and symlink(2) takes no empty one.
        let target = target.split(|byte| *byte == 0).next().unwrap_or_default();
        let made = self.clean(&entry.name, 0).and_then(|()| self.free(&entry.name));
        match made {
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

    fn make_directory(&mut self, entry: &Entry) -> Option<bool> {
        self.clean(&entry.name, DIRECTORY);
        if self.walk(ROOT, &entry.name, false).is_some_and(|node| self.kind(node) == DIRECTORY) {
            return Some(true);
        }
        let trimmed = trim(&entry.name);
        let (folder, name) = self.free(trimmed)?;
        self.add_directory(folder, name);
        Some(true)
    }

    fn make_special(&mut self, entry: &Entry, kind: u32) -> Option<bool> {
        self.clean(&entry.name, kind)?;
        if matches!(self.hard_link(entry), Link::First) {
            let (folder, name) = match self.walk(ROOT, &entry.name, false) {
                Some(_) => return Some(true),
                None => self.free(&entry.name)?,
            };
            self.add(folder, name, Node::Special(kind));
        }
        Some(true)
    }

    fn make_file(&mut self, entry: &Entry) -> Placed {
        if self.clean(&entry.name, REGULAR).is_none() {
            return Placed::Dropped;
        }
        let linked = self.hard_link(entry);
        let node = match linked {
            Link::Failed => return Placed::Dropped,
            Link::Made(node) => node,
            Link::First => match self.walk(ROOT, &entry.name, false) {
                Some(node) => node,
                None => match self.free(&entry.name) {
                    Some((folder, name)) => self.add(folder, name, Node::Regular(File::default())),
                    None => return Placed::Dropped,
                },
            },
        };
        // A second name of an inode is opened without O_TRUNC: without a body it leaves what is there.
        let is_truncated = matches!(linked, Link::First) || entry.size > 0;
        match self.nodes.get_mut(node) {
            Some(Node::Regular(file)) => {
                file.is_executable = entry.mode & 0o111 != 0;
                if is_truncated {
                    file.size = entry.size;
                    file.content = Content::Unread;
                }
                Placed::File(node)
            }
            _ => Placed::Dropped,
        }
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
        Link::Made(node)
    }

    /// `clean_path`: removes what has another type than `kind`. `None` where something stays in the way.
    fn clean(&mut self, path: &[u8], kind: u32) -> Option<()> {
        let Some(node) = self.walk(ROOT, path, false) else { return Some(()) };
        if self.kind(node) == kind {
            return Some(());
        }
        if matches!(self.nodes.get(node), Some(Node::Directory { children, .. }) if !children.is_empty()) {
            return None;
        }
        let (folder, name) = self.parent(trim(path))?;
        let name = name.to_vec();
        if let Some(Node::Directory { children, .. }) = self.nodes.get_mut(folder) {
            children.remove(&name);
        }
        Some(())
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
