//! The files of several configuration folders in the order in which they are read: by name, the first folder's wins.

use crate::bytes::text;
use crate::disk::filesystem::{DirEntry, FileType, Root};
use crate::error::{ErrorKind, Result};
use crate::fact::{Gap, Listing};
use crate::limits::Limits;
use std::collections::{BTreeMap, BTreeSet};

/// Which names are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `*.conf`.
    Conf,
    /// What kmod reads (`conf_files_filter_out`): `*.conf` that is not hidden; before version 31 `*.alias` too.
    Modprobe,
}

/// One configuration folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// Its path, as it was asked for.
    pub(crate) path: String,
    /// Its files by name.
    pub(crate) files: Vec<(Vec<u8>, Body)>,
    /// Whether it counts only for some versions of the reader: it neither hides another such folder's files nor loses
    /// its own to them.
    pub(crate) is_optional: bool,
}

/// A configuration file.
#[derive(Debug)]
pub(crate) enum Body {
    /// Its bytes.
    Text(Vec<u8>),
    /// A link to /dev/null: it hides its namesakes, and is empty.
    Mask,
    /// It could not be read.
    Unread(Gap),
}

impl Kind {
    /// Whether a file of this name is read.
    pub(crate) fn reads(self, name: &[u8]) -> bool {
        match self {
            Self::Conf => name.ends_with(b".conf"),
            Self::Modprobe => {
                name.len() >= 6
                    && !name.starts_with(b".")
                    && [&b".conf"[..], b".alias"].iter().any(|end| name.ends_with(end))
            }
        }
    }
}

/// Whether a link in `folder` leads to /dev/null, which an image need not have.
pub(crate) fn is_mask(folder: &str, target: &[u8]) -> bool {
    let start = if target.starts_with(b"/") { "" } else { folder };
    let mut names: Vec<&[u8]> = Vec::new();
    for name in start.as_bytes().split(|byte| *byte == b'/').chain(target.split(|byte| *byte == b'/')) {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names == [&b"dev"[..], b"null"]
}

/// Paths and bodies in reading order, those that an earlier folder hides left out.
pub(crate) fn in_order(folders: Vec<Folder>) -> Vec<(String, Body)> {
    let mut hidden: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut order: BTreeMap<(Vec<u8>, usize), (String, Body)> = BTreeMap::new();
    for (folder, rank) in folders.into_iter().zip(0_usize..) {
        let names: Vec<Vec<u8>> = folder.files.iter().map(|(name, _)| name.clone()).collect();
        for (name, body) in folder.files {
            if !hidden.contains(&name) {
                let path = format!("{}/{}", folder.path, text(&name));
                order.insert((name, rank), (path, body));
            }
        }
        if !folder.is_optional {
            hidden.extend(names);
        }
    }
    order.into_values().collect()
}

/// The folders of `paths` that there are; one that is another by a link is read once.
pub(super) fn read(root: &Root, paths: &[&str], kind: Kind, limits: &Limits) -> Listing<Folder> {
    let mut found = Listing::default();
    let mut seen = BTreeSet::new();
    for path in paths {
        match root.resolve(path) {
            Ok((real, metadata)) if metadata.file_type == FileType::Directory => {
                if seen.insert(real) {
                    found.add(read_folder(root, path, kind, limits));
                }
            }
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => found.gaps.push(error.into()),
        }
    }
    found
}

fn read_folder(root: &Root, path: &str, kind: Kind, limits: &Limits) -> Result<Folder> {
    let listing = root.list(path)?;
    let is_optional = ["/usr/lib/", "/lib/"].iter().any(|start| path.starts_with(start));
    let mut folder = Folder { path: path.to_owned(), files: Vec::new(), is_optional };
    for gap in listing.gaps {
        folder.files.push((Vec::new(), Body::Unread(gap)));
    }
    for entry in listing.items.into_iter().filter(|entry| kind.reads(&entry.name)) {
        if let Some(body) = read_file(root, path, &entry, limits) {
            folder.files.push((entry.name, body));
        }
    }
    Ok(folder)
}

/// `None` for folders, and for links that lead nowhere: those kmod overlooks, or they hide what would be read.
fn read_file(root: &Root, folder: &str, entry: &DirEntry, limits: &Limits) -> Option<Body> {
    let path = [folder.as_bytes(), b"/", &entry.name].concat();
    if entry.file_type == FileType::Directory {
        return None;
    }
    if entry.file_type == FileType::Symlink {
        match root.read_link(&path) {
            Ok(target) if is_mask(folder, &target) => return Some(Body::Mask),
            Ok(_) => {}
            Err(error) => return Some(Body::Unread(error.into())),
        }
        match root.metadata(&path) {
            Ok(metadata) if metadata.file_type == FileType::Directory => return None,
            Err(error) if error.kind == ErrorKind::NotFound => return None,
            _ => {}
        }
    }
    Some(match root.read(&path, limits.config_file) {
        Ok(bytes) => Body::Text(bytes),
        Err(error) => Body::Unread(error.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_dev_null_mask() {
        for (target, is) in [
            ("/dev/null", true),
            ("../../dev/null", true),
            ("../dev/null", false),
            ("//dev/./null", true),
            ("null", false),
        ] {
            assert_eq!(is_mask("/etc/modprobe.d", target.as_bytes()), is, "{target}");
        }
    }
}
