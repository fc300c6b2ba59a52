//! systemd's own settings (`man 5 systemd-system.conf`; src/shared/conf-parser.c,
//! `config_parse_standard_file_with_dropins`).

use super::tree::{Entries, Node};
use super::{conf_files, ini};
use crate::bytes::text;
use crate::disk::filesystem::{GuestPath, Root};
use crate::error::{ErrorKind, Result};
use crate::fact::Listing;
use crate::guest::Setting;
use crate::limits::Limits;

/// The first that exists is the only main file; versions before 254 know the first alone.
const FILES: &[&str] =
    &["/etc/systemd/system.conf", "/usr/local/lib/systemd/system.conf", "/usr/lib/systemd/system.conf"];

/// Of equal names the first counts; all are read after the main file, sorted by name.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system.conf.d",
    "/usr/local/lib/systemd/system.conf.d",
    "/usr/lib/systemd/system.conf.d",
    "/lib/systemd/system.conf.d",
];

/// Settings of `[Manager]` in the order in which systemd reads them: of each key the last counts.
///
/// # Errors
/// What stopped the reading of the main file's folder; one unreadable file is a gap.
pub fn read(root: &Root, limits: &Limits) -> Result<Listing<Setting>> {
    let mut found = Listing::default();
    for path in FILES {
        if add(root, &GuestPath::new(path), limits, &mut found) {
            break;
        }
    }
    let mut folders: Vec<(GuestPath, Entries)> = Vec::new();
    for folder in FOLDERS {
        match root.list(folder) {
            Ok(listing) => {
                let entries = listing.items.iter().map(|entry| (text(&entry.name), Node::File)).collect();
                folders.push((GuestPath::new(folder), entries));
                found.gaps.extend(listing.gaps);
            }
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => found.gaps.push(error.into()),
        }
    }
    for path in conf_files(folders.iter().map(|(path, entries)| (path.clone(), entries)), ".conf") {
        add(root, &path, limits, &mut found);
    }
    Ok(found)
}

/// Adds one file's settings; false when there is no such file. A link to /dev/null leads to nothing in an image.
fn add(root: &Root, path: &GuestPath, limits: &Limits, found: &mut Listing<Setting>) -> bool {
    let parsed = match root.read_if_exists(path, limits.config_file) {
        Ok(Some(bytes)) => ini::parse(&path.to_text(), &bytes),
        Ok(None) => return root.symlink_metadata(path).is_ok(),
        Err(error) => Err(error),
    };
    match parsed {
        Ok(settings) => found.items.extend(settings.into_iter().filter(|setting| setting.section == "Manager")),
        Err(error) => found.gaps.push(error.into()),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    #[test]
    fn merged_in_systemds_order() {
        let watchdog = |value: &str| format!("[Manager]\nRuntimeWatchdogSec={value}\n[Other]\nX=1\n");
        let tree = || Memory::new("ext4", "", "").folder("/etc");
        for (tree, expected) in [
            (tree(), &[][..]),
            (tree().file("/usr/lib/systemd/system.conf", watchdog("1")), &["1"]),
            (
                tree()
                    .file("/usr/lib/systemd/system.conf", watchdog("1"))
                    .file("/etc/systemd/system.conf", watchdog("2")),
                &["2"],
            ),
            (
                tree()
                    .file("/etc/systemd/system.conf", watchdog("1"))
                    .file("/usr/lib/systemd/system.conf.d/20.conf", watchdog("3"))
                    .file("/etc/systemd/system.conf.d/10.conf", watchdog("2")),
                &["1", "2", "3"],
            ),
            (
                tree()
                    .file("/usr/lib/systemd/system.conf.d/10.conf", watchdog("1"))
                    .link("/etc/systemd/system.conf.d/10.conf", "/dev/null")
                    .file("/etc/systemd/system.conf.d/notes", watchdog("3")),
                &[],
            ),
            (
                tree()
                    .link("/etc/systemd/system.conf", "/dev/null")
                    .file("/usr/lib/systemd/system.conf", watchdog("1")),
                &[],
            ),
        ] {
            let found = read(&tree.root(), &Limits::default()).unwrap();
            let values: Vec<&str> = found.items.iter().map(|setting| setting.value.as_str()).collect();
            assert_eq!((values.as_slice(), found.gaps.len()), (expected, 0));
        }
    }
}
