//! A file system in memory, for the tests of this folder.

use crate::disk::filesystem::{DirEntry, FileSystem, FileType, GuestPath, Identity, Metadata, Root};
use crate::error::{Error, Result};
use crate::fact::Listing;
use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;

/// Files, links and folders, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    nodes: BTreeMap<GuestPath, Node>,
    identity: Identity,
}

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>),
    Link(String),
    Folder,
    Unreadable,
}

impl Memory {
    /// A file system of `kind` with this UUID and LABEL.
    pub(crate) fn new(kind: &str, uuid: &str, label: &str) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let identity = Identity { kind: kind.to_owned(), uuid: some(uuid), label: some(label) };
        Self { nodes: BTreeMap::from([(GuestPath::root(), Node::Folder)]), identity }
    }

    /// Adds a file and the folders above it.
    pub(crate) fn file(self, path: &str, body: impl AsRef<[u8]>) -> Self {
        self.node(path, Node::File(body.as_ref().to_vec()))
    }

    /// Adds a symbolic link and the folders above it.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.node(path, Node::Link(target.to_owned()))
    }

    /// Adds a folder and those above it.
    pub(crate) fn folder(self, path: &str) -> Self {
        self.node(path, Node::Folder)
    }

    /// Adds a name whose inode cannot be read.
    pub(crate) fn unreadable(self, path: &str) -> Self {
        self.node(path, Node::Unreadable)
    }

    /// The mount tree of this file system alone.
    pub(crate) fn root(self) -> Root {
        Root::new(Rc::new(self), 1000)
    }

    fn node(mut self, path: &str, node: Node) -> Self {
        let path = GuestPath::new(path);
        let mut folder = path.parent();
        while folder.depth() > 0 {
            self.nodes.entry(folder.clone()).or_insert(Node::Folder);
            folder = folder.parent();
        }
        self.nodes.insert(path, node);
        self
    }
}

impl FileSystem for Memory {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn open(&self, path: &GuestPath) -> Result<Box<dyn Read + '_>> {
        match self.nodes.get(path) {
            Some(Node::File(body)) => Ok(Box::new(body.as_slice())),
            _ => Err(Error::not_found("file")),
        }
    }

    fn read_dir(&self, path: &GuestPath, limit: usize) -> Result<Listing<DirEntry>> {
        if !matches!(self.nodes.get(path), Some(Node::Folder)) {
            return Err(Error::not_found("folder"));
        }
        let inside = self.nodes.keys().filter(|key| key.depth() > 0 && key.parent() == *path);
        let entry = |key: &GuestPath| DirEntry {
            name: key.names().next_back().unwrap_or_default().to_vec(),
            file_type: self.file_type(key),
        };
        Ok(inside.take(limit).map(entry).collect::<Vec<_>>().into())
    }

    fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata> {
        let size = match self.nodes.get(path).ok_or_else(|| Error::not_found("file"))? {
            Node::File(body) => body.len(),
            Node::Link(target) => target.len(),
            Node::Folder => 0,
            Node::Unreadable => return Err(Error::io("inode", "Input/output error (os error 5)")),
        };
        Ok(Metadata { file_type: self.file_type(path), size: u64::try_from(size).unwrap_or(u64::MAX), mode: 0o755 })
    }

    fn read_link(&self, path: &GuestPath) -> Result<Vec<u8>> {
        match self.nodes.get(path) {
            Some(Node::Link(target)) => Ok(target.clone().into_bytes()),
            _ => Err(Error::not_found("link")),
        }
    }
}

impl Memory {
    fn file_type(&self, path: &GuestPath) -> FileType {
        match self.nodes.get(path) {
            Some(Node::File(_)) => FileType::Regular,
            Some(Node::Link(_)) => FileType::Symlink,
            Some(Node::Folder) => FileType::Directory,
            Some(Node::Unreadable) | None => FileType::Other,
        }
    }
}
