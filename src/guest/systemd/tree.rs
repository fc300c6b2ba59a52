//! The folders of units (`man 5 systemd.unit`, "Unit File Load Path"): what stands in them, read once.

use super::{ini, name};
use crate::disk::filesystem::{FileType, GuestPath, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::Gap;
use crate::guest::Setting;
use crate::limits::{Limits, MAX_SYMLINKS};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// In systemd's order (`lookup_paths_init`); /run is filled anew at boot, what an image has there only `systemctl` sees.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// Folders of a unit that are looked into.
const SUFFIXES: &[&str] = &[".wants", ".requires", ".upholds", ".d"];

/// Files of systemd's syntax read of one image; a desktop has 700.
const MAX_FILES: usize = 20_000;

/// Bytes of them together; a desktop has 1 MB.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A regular file.
    File,
    /// A link, with its target as stored.
    Link(Vec<u8>),
    /// A folder, device, FIFO or socket.
    Other,
}

/// Names in a folder, by name.
pub(super) type Entries = BTreeMap<String, Node>;

/// A folder of units that exists.
#[derive(Debug)]
pub(super) struct Folder {
    /// As systemd names it.
    pub(super) path: GuestPath,
    /// Units by name.
    pub(super) units: Entries,
    /// `x.service.wants`, `x.service.d` …, by name.
    pub(super) below: BTreeMap<String, Below>,
    /// In /run: gone when the guest boots.
    pub(super) is_runtime: bool,
}

/// A folder of a unit.
#[derive(Debug)]
pub(super) struct Below {
    /// What it holds.
    pub(super) entries: Entries,
    /// Reached through a link: systemd follows it, `systemctl is-enabled` does not look.
    pub(super) is_link: bool,
}

/// A file of systemd's syntax.
#[derive(Debug)]
pub(super) struct Contents {
    /// Nothing in it: a mask.
    pub(super) is_empty: bool,
    /// Its settings, or why systemd refuses it.
    pub(super) settings: Result<Vec<Setting>>,
}

/// Where a path ends, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A file with something in it.
    File,
    /// /dev/null or an empty file: a mask.
    Null,
    /// Nothing.
    Missing,
    /// A folder or device.
    Other,
    /// More links than Linux follows.
    Loop,
}

/// Everything in systemd's folders.
pub(super) struct Tree<'a> {
    pub(super) root: &'a Root,
    pub(super) limits: &'a Limits,
    /// Those that exist, in search order, each once.
    pub(super) folders: Vec<Folder>,
    /// Folders without links that count as search path.
    places: Vec<GuestPath>,
    /// What could not be listed.
    pub(super) gaps: Vec<Gap>,
    files: RefCell<BTreeMap<GuestPath, Rc<Contents>>>,
    bytes: Cell<usize>,
}

impl<'a> Tree<'a> {
    /// Lists the folders.
    pub(super) fn open(root: &'a Root, limits: &'a Limits) -> Self {
        let mut tree = Self {
            root,
            limits,
            folders: Vec::new(),
            places: FOLDERS.iter().map(GuestPath::new).collect(),
            gaps: Vec::new(),
            files: RefCell::default(),
            bytes: Cell::new(0),
        };
        let mut seen = Vec::new();
        let mut rows = 0_usize;
        for folder in FOLDERS {
            match root.resolve(folder) {
                Ok((place, metadata)) if metadata.file_type == FileType::Directory && !seen.contains(&place) => {
                    seen.push(place.clone());
                    tree.list(folder, &place, &mut rows);
                }
                Err(error) if error.kind != ErrorKind::NotFound => tree.gaps.push(error.into()),
                _ => {}
            }
        }
        tree.places.extend(seen);
        tree
    }

    fn list(&mut self, path: &str, place: &GuestPath, rows: &mut usize) {
        let Some(nodes) = self.entries(place, rows) else { return };
        let path = GuestPath::new(path);
        let is_runtime = path.as_bytes().starts_with(b"/run/");
        let mut folder = Folder { path, units: Entries::new(), below: BTreeMap::new(), is_runtime };
        for (name, node) in nodes {
            if name::kind(&name).is_some() {
                folder.units.insert(name, node);
            } else if is_below(&name) && node != Node::File {
                let below = place.join(name.as_bytes());
                let is_folder = match self.root.metadata(&below) {
                    Ok(metadata) => metadata.file_type == FileType::Directory,
                    Err(error) if error.kind == ErrorKind::NotFound => false,
                    Err(error) => {
                        self.gaps.push(error.into());
                        false
                    }
                };
                if is_folder && let Some(entries) = self.entries(&below, rows) {
                    folder.below.insert(name, Below { entries, is_link: node != Node::Other });
                }
            }
        }
        self.folders.push(folder);
    }

    /// Names in a folder; `None` keeps the gap.
    fn entries(&mut self, folder: &GuestPath, rows: &mut usize) -> Option<Entries> {
        let listing = match self.root.list(folder) {
            Ok(listing) => listing,
            Err(error) => {
                self.gaps.push(error.at(folder.to_text()).into());
                return None;
            }
        };
        self.gaps.extend(listing.gaps);
        let mut entries = Entries::new();
        for entry in listing.items {
            *rows = rows.saturating_add(1);
            if *rows > self.limits.list_rows {
                let reason = format!("the limit of {} names in systemd's folders is reached", self.limits.list_rows);
                self.gaps.push(Gap::at(folder.to_text(), reason));
                return Some(entries);
            }
            // A name that is not UTF-8 is the name of nothing that systemd looks for.
            let Ok(name) = String::from_utf8(entry.name) else { continue };
            let node = match entry.file_type {
                FileType::Regular => Node::File,
                FileType::Symlink => match self.root.read_link(folder.join(name.as_bytes())) {
                    Ok(target) => Node::Link(target),
                    Err(error) => {
                        self.gaps.push(error.into());
                        continue;
                    }
                },
                FileType::Directory | FileType::Other => Node::Other,
            };
            entries.insert(name, node);
        }
        Some(entries)
    }

    /// Folders that are there when the guest boots.
    pub(super) fn at_boot(&self) -> impl Iterator<Item = &Folder> {
        self.folders.iter().filter(|folder| !folder.is_runtime)
    }

    /// The path that a link in `folder` names, links resolved in its folders and kept at its end; what does not exist
    /// stays as it is (`chase` with `CHASE_NOFOLLOW | CHASE_NONEXISTENT`).
    pub(super) fn chase(&self, folder: &GuestPath, target: &[u8]) -> Result<GuestPath> {
        let joined = if target.first() == Some(&b'/') { GuestPath::new(target) } else { folder.join(target) };
        let mut names: Vec<&[u8]> = joined.names().filter(|name| *name != b".").collect();
        let mut missing = Vec::new();
        missing.extend(names.pop());
        loop {
            let head = names.iter().fold(GuestPath::root(), |path, name| path.join(name));
            match self.root.resolve(&head) {
                Ok((place, _)) => {
                    let add =
                        |path: GuestPath, name: &[u8]| if name == b".." { path.parent() } else { path.join(name) };
                    return Ok(missing.iter().rev().fold(place, |path, name| add(path, name)));
                }
                Err(error) if error.kind == ErrorKind::NotFound && !names.is_empty() => missing.extend(names.pop()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether `path` lies in one of systemd's folders, existing or not.
    pub(super) fn is_in_search_path(&self, path: &GuestPath) -> bool {
        self.places.iter().any(|place| path.below(place).is_some_and(|rest| !rest.is_empty()))
    }

    /// Where `path` ends.
    pub(super) fn end(&self, path: &GuestPath) -> Result<(GuestPath, End)> {
        let mut path = path.clone();
        for _ in 0..MAX_SYMLINKS {
            // An image's /dev is empty.
            if path.as_bytes() == b"/dev/null" {
                return Ok((path, End::Null));
            }
            let end = match self.root.symlink_metadata(&path) {
                Ok(metadata) => match metadata.file_type {
                    FileType::Symlink => {
                        path = self.chase(&path.parent(), &self.root.read_link(&path)?)?;
                        continue;
                    }
                    FileType::Regular if metadata.size == 0 => End::Null,
                    FileType::Regular => End::File,
                    FileType::Directory | FileType::Other => End::Other,
                },
                Err(error) if error.kind == ErrorKind::NotFound => End::Missing,
                Err(error) => return Err(error),
            };
            return Ok((path, end));
        }
        Ok((path, End::Loop))
    }

    /// Reads a file of systemd's syntax, once; links are followed, /dev/null is an empty file.
    ///
    /// # Errors
    /// `NotFound`, what stopped the reading, or `TooLarge` when one of the bounds is reached.
    pub(super) fn read(&self, path: &GuestPath) -> Result<Rc<Contents>> {
        if let Some(contents) = self.files.borrow().get(path) {
            return Ok(Rc::clone(contents));
        }
        if self.files.borrow().len() >= MAX_FILES || self.bytes.get() >= MAX_BYTES {
            let cause = format!("more than {MAX_FILES} files or {MAX_BYTES} bytes of systemd's configuration");
            return Err(Error::too_large("unit file", cause).at(path.to_text()));
        }
        let bytes = match self.root.read(path, self.limits.config_file) {
            Err(error) if self.end(path)?.1 == End::Null => {
                drop(error);
                Vec::new()
            }
            bytes => bytes?,
        };
        self.bytes.set(self.bytes.get().saturating_add(bytes.len()));
        let contents = Contents { is_empty: bytes.is_empty(), settings: ini::parse(&path.to_text(), &bytes) };
        let contents = Rc::new(contents);
        self.files.borrow_mut().insert(path.clone(), Rc::clone(&contents));
        Ok(contents)
    }
}

/// `x.service.wants`, and `service.d` for all of a type (`directory_name_is_valid`, src/shared/unit-file.c).
fn is_below(name: &str) -> bool {
    let unit = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
    unit.is_some_and(|unit| name::kind(unit).is_some() || name::is_type(unit))
}

/// The last name of a path, as text; names of units are ASCII.
pub(super) fn file_name(path: &GuestPath) -> String {
    path.names().next_back().map(crate::bytes::text).unwrap_or_default()
}
