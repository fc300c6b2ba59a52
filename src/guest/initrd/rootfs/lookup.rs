//! Look-ups in the tree: `path_resolution(7)`.

use super::{DIRECTORY, File, Node, ROOT, Rootfs};
use crate::limits::{MAX_NAME, MAX_SYMLINKS};

/// Path components looked up for one initrd: a Debian one needs 60 000; paths through links could ask for billions.
const STEPS: u64 = 20_000_000;
/// Bytes of all names and link targets; a Debian initrd has 100 000.
const NAMES: usize = 64 * 1024 * 1024;

impl Rootfs {
    /// Which bound was reached, if one was.
    pub(in crate::guest::initrd) fn exhausted(&self) -> Option<String> {
        if self.steps.get() > STEPS {
            return Some(format!("its paths need more than {STEPS} look-ups"));
        }
        (self.names > NAMES).then(|| format!("its names have more than {NAMES} bytes"))
    }

    /// The file at `path`, links followed.
    pub(in crate::guest::initrd) fn file(&self, path: &[u8]) -> Option<&File> {
        match self.nodes.get(self.walk(ROOT, path, true)?)? {
            Node::Regular(file) => Some(file),
            _ => None,
        }
    }

    /// The directory at `path`, links followed.
    pub(in crate::guest::initrd) fn directory(&self, path: &[u8]) -> Option<usize> {
        let node = self.walk(ROOT, path, true)?;
        matches!(self.nodes.get(node)?, Node::Directory { .. }).then_some(node)
    }

    /// The path of a directory without links.
    pub(in crate::guest::initrd) fn path(&self, mut directory: usize) -> Vec<u8> {
        let mut names = Vec::new();
        while let Some(Node::Directory { parent, name, .. }) = self.nodes.get(directory).filter(|_| directory != ROOT) {
            names.push(name.as_slice());
            directory = *parent;
        }
        names.push(b"");
        names.reverse();
        names.join(&b'/')
    }

    /// Directories in `directory`, by name.
    pub(in crate::guest::initrd) fn directories(&self, directory: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let is_directory = |node: usize| matches!(self.nodes.get(node), Some(Node::Directory { .. }));
        self.children(directory).filter(move |(_, node)| is_directory(*node))
    }

    /// Regular files in `directory` by name, those behind symbolic links too.
    pub(in crate::guest::initrd) fn files(&self, directory: usize) -> impl Iterator<Item = (&[u8], &File)> {
        self.children(directory).filter_map(move |(name, node)| match self.nodes.get(node)? {
            Node::Regular(file) => Some((name, &**file)),
            Node::Symlink(_) => match self.nodes.get(self.walk(directory, name, true)?)? {
                Node::Regular(file) => Some((name, &**file)),
                _ => None,
            },
            _ => None,
        })
    }

    /// Symbolic links in `directory` by name, with their targets.
    pub(in crate::guest::initrd) fn links(&self, directory: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.children(directory).filter_map(|(name, node)| match self.nodes.get(node)? {
            Node::Symlink(target) => Some((name, target.as_slice())),
            _ => None,
        })
    }

    pub(super) fn children(&self, directory: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let children = match self.nodes.get(directory) {
            Some(Node::Directory { children, .. }) => Some(children),
            _ => None,
        };
        children.into_iter().flatten().map(|(name, node)| (name.as_slice(), *node))
    }

    /// Folder and name for something new: the folder is there, the name is not.
    pub(super) fn free<'p>(&self, path: &'p [u8]) -> Option<(usize, &'p [u8])> {
        let (folder, name) = self.parent(ROOT, path)?;
        self.child(folder, name).is_none().then_some((folder, name))
    }

    /// The folder that `path`, seen from `from`, lies in, and its last component.
    pub(super) fn parent<'p>(&self, from: usize, path: &'p [u8]) -> Option<(usize, &'p [u8])> {
        let end = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash.saturating_add(1));
        let (folder, name) = path.split_at_checked(end)?;
        if matches!(name, b"" | b"." | b"..") || name.len() > MAX_NAME {
            return None;
        }
        let node = self.walk(from, folder, true)?;
        (self.kind(node) == DIRECTORY).then_some((node, name))
    }

    pub(super) fn kind(&self, node: usize) -> u32 {
        self.nodes.get(node).map_or(0, Node::kind)
    }

    pub(super) fn child(&self, folder: usize, name: &[u8]) -> Option<usize> {
        match self.nodes.get(folder)? {
            Node::Directory { children, .. } => children.get(name).copied(),
            _ => None,
        }
    }

    /// Resolves `path` from `from` as `path_resolution(7)` says; `follow` says whether a link at the end is followed too.
    pub(super) fn walk(&self, from: usize, path: &[u8], follow: bool) -> Option<usize> {
        let mut ahead: Vec<&[u8]> = path.split(|byte| *byte == b'/').rev().collect();
        let mut here = if path.starts_with(b"/") { ROOT } else { from };
        let mut links = 0_usize;
        while let Some(component) = ahead.pop() {
            self.steps.set(self.steps.get().saturating_add(1));
            if self.steps.get() > STEPS || component.len() > MAX_NAME {
                return None;
            }
            let Node::Directory { parent, children, .. } = self.nodes.get(here)? else { return None };
            let next = match component {
                b"" | b"." => here,
                b".." => *parent,
                name => *children.get(name)?,
            };
            match self.nodes.get(next)? {
                Node::Symlink(target) if follow || !ahead.is_empty() => {
                    links = links.saturating_add(1);
                    if links > MAX_SYMLINKS {
                        return None;
                    }
                    here = if target.starts_with(b"/") { ROOT } else { here };
                    ahead.extend(target.split(|byte| *byte == b'/').rev());
                }
                _ => here = next,
            }
        }
        Some(here)
    }
}
