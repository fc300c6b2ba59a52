//! Names and link targets in systemd's unit folders (`man 5 systemd.unit`, "Unit File Load Path").

use crate::bytes::text;
use crate::disk::filesystem::{DirEntry, FileType, GuestPath, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::fact::{Gap, Listing};
use crate::guest::Unit;
use crate::limits::Limits;
use std::collections::BTreeSet;

/// What an image can carry; /run is filled at boot.
const FOLDERS: &[&str] =
    &["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Folders of a unit that are looked into.
const SUFFIXES: &[&str] = &[".wants", ".requires", ".upholds", ".d"];

/// Every name in systemd's folders and the folders of units in them, sorted; a folder that two paths lead to is listed
/// once, under its path without links.
///
/// # Errors
/// `NotFound` when the guest has none of the folders.
pub fn read(root: &Root, limits: &Limits) -> Result<Listing<Unit>> {
    let mut units = Listing::default();
    let mut seen = BTreeSet::new();
    for folder in FOLDERS {
        match root.resolve(folder) {
            Ok((path, _)) => {
                if seen.insert(path.clone()) {
                    list(root, &path, limits, &mut units, true);
                }
            }
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => units.gaps.push(error.into()),
        }
    }
    if seen.is_empty() && units.gaps.is_empty() {
        return Err(Error::not_found("systemd units").because(format!("there is none of {}", FOLDERS.join(", "))));
    }
    units.items.sort_by(|a: &Unit, b| a.path.cmp(&b.path));
    Ok(units)
}

fn list(root: &Root, folder: &GuestPath, limits: &Limits, units: &mut Listing<Unit>, is_top: bool) {
    let listing = match root.list(folder) {
        Ok(listing) => listing,
        Err(error) => return units.gaps.push(error.at(folder.to_text()).into()),
    };
    units.gaps.extend(listing.gaps);
    for entry in listing.items {
        let path = folder.join(&entry.name);
        if units.items.len() >= limits.list_rows {
            let reason = format!("the limit of {} units is reached", limits.list_rows);
            units.gaps.push(Gap::at(path.to_text(), reason));
            return;
        }
        let is_folder = SUFFIXES.iter().any(|suffix| entry.name.ends_with(suffix.as_bytes()));
        if is_top && is_folder && is_directory(root, &path, &entry, &mut units.gaps) {
            list(root, &path, limits, units, false);
        } else {
            add(root, &path, &entry, units);
        }
    }
}

/// systemd follows a link that stands for such a folder.
fn is_directory(root: &Root, path: &GuestPath, entry: &DirEntry, gaps: &mut Vec<Gap>) -> bool {
    match entry.file_type {
        FileType::Directory => true,
        FileType::Symlink => match root.metadata(path) {
            Ok(metadata) => metadata.file_type == FileType::Directory,
            Err(error) if error.kind == ErrorKind::NotFound => false,
            Err(error) => {
                gaps.push(error.into());
                false
            }
        },
        _ => false,
    }
}

fn add(root: &Root, path: &GuestPath, entry: &DirEntry, units: &mut Listing<Unit>) {
    let link = match entry.file_type {
        FileType::Symlink => match root.read_link(path) {
            Ok(target) => Some(text(&target)),
            Err(error) => return units.gaps.push(error.at(path.to_text()).into()),
        },
        FileType::Regular => None,
        FileType::Directory | FileType::Other => return,
    };
    units.items.push(Unit { path: path.to_text(), link });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    fn rows(tree: Memory) -> (Vec<String>, usize) {
        let units = read(&tree.root(), &Limits::default()).unwrap();
        let row =
            |unit: &Unit| unit.path.clone() + &unit.link.as_ref().map(|to| format!(" -> {to}")).unwrap_or_default();
        (units.items.iter().map(row).collect(), units.gaps.len())
    }

    #[test]
    fn folders_are_listed_once_with_their_links() {
        let tree = Memory::new("ext4", "", "")
            .link("/lib", "usr/lib")
            .file("/usr/lib/systemd/system/ssh.service", "")
            .file("/usr/lib/systemd/system/ssh.service.d/10-x.conf", "")
            .link("/usr/lib/systemd/system/default.target", "graphical.target")
            .link("/etc/systemd/system/multi-user.target.wants/ssh.service", "/usr/lib/systemd/system/ssh.service")
            .link("/etc/systemd/system/watchdog.service", "/dev/null")
            .file(r"/etc/systemd/system/dev-virtio\x2dports-org.qemu.guest_agent.0.device.wants/a.service", "")
            .folder("/etc/systemd/system/getty.target.wants")
            .folder("/etc/systemd/system/unrelated/deep.wants")
            .folder("/etc/systemd/system/x.wants/y.wants")
            .unreadable("/usr/lib/systemd/system/node");
        let expected = [
            r"/etc/systemd/system/dev-virtio\x2dports-org.qemu.guest_agent.0.device.wants/a.service",
            "/etc/systemd/system/multi-user.target.wants/ssh.service -> /usr/lib/systemd/system/ssh.service",
            "/etc/systemd/system/watchdog.service -> /dev/null",
            "/usr/lib/systemd/system/default.target -> graphical.target",
            "/usr/lib/systemd/system/ssh.service",
            "/usr/lib/systemd/system/ssh.service.d/10-x.conf",
        ];
        assert_eq!(rows(tree), (expected.map(str::to_owned).to_vec(), 0));
    }

    #[test]
    fn absence_needs_to_have_looked() {
        let empty = Memory::new("ext4", "", "").folder("/etc");
        assert_eq!(read(&empty.root(), &Limits::default()).unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(rows(Memory::new("ext4", "", "").unreadable("/etc")), (vec![], 1));
        let tree = Memory::new("ext4", "", "").file("/etc/systemd/system/a", "").file("/etc/systemd/system/b", "");
        let limits = Limits { list_rows: 1, ..Limits::default() };
        let units = read(&tree.root(), &limits).unwrap();
        assert_eq!((units.items.len(), units.gaps.len()), (1, 1));
    }
}
