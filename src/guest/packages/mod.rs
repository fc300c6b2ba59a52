//! A package database → installed packages, one reader per format.

mod dpkg;

use crate::disk::filesystem::Root;
use crate::error::{Error, Result};
use crate::fact::{Gap, Listing};
use crate::guest::Package;
use crate::limits::Limits;

pub use dpkg::parse as parse_dpkg;

/// A package database format.
#[derive(Debug)]
pub struct Database {
    /// The program that owns it.
    pub name: &'static str,
    /// Files or folders, any of which tells that it is there.
    pub paths: &'static [&'static str],
    /// Reads it; `None` for a format that this version only recognises.
    read: Option<Reader>,
}

type Reader = fn(&Root, &Limits) -> Result<Listing<Package>>;

/// Every format that is recognised; those with a reader first.
pub const DATABASES: &[Database] = &[
    dpkg::DATABASE,
    recognised(
        "rpm",
        &[
            "/usr/lib/sysimage/rpm/rpmdb.sqlite",
            "/usr/lib/sysimage/rpm/Packages.db",
            "/usr/lib/sysimage/rpm/Packages",
            "/usr/share/rpm/rpmdb.sqlite",
            "/var/lib/rpm/rpmdb.sqlite",
            "/var/lib/rpm/Packages.db",
            "/var/lib/rpm/Packages",
        ],
    ),
    recognised("apk", &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"]),
    recognised("pacman", &["/var/lib/pacman/local"]),
    recognised("portage", &["/var/db/pkg"]),
    recognised("xbps", &["/var/db/xbps"]),
    recognised("opkg", &["/var/lib/opkg/status", "/usr/lib/opkg/status"]),
];

const fn recognised(name: &'static str, paths: &'static [&'static str]) -> Database {
    Database { name, paths, read: None }
}

/// The packages of every database found; one that this version does not read is a gap.
///
/// # Errors
/// `NotFound` when there is no database, `Unsupported` when none of those found is read.
pub fn read(root: &Root, limits: &Limits) -> Result<Listing<Package>> {
    let mut packages = Listing::default();
    let mut is_read = false;
    for database in DATABASES {
        let Some(path) = find(root, database.paths)? else { continue };
        if let Some(read) = database.read {
            is_read = true;
            let found = read(root, limits)?;
            packages.items.extend(found.items);
            packages.gaps.extend(found.gaps);
        } else {
            let reason = format!("this is a database of {}, which this version does not read", database.name);
            packages.gaps.push(Gap::at(path, reason));
        }
    }
    match packages.gaps.first() {
        Some(gap) if !is_read => {
            let error = Error::unsupported("packages", gap.reason.clone());
            Err(error.at(gap.path.clone().unwrap_or_default()))
        }
        None if !is_read => {
            let known: Vec<&str> = DATABASES.iter().map(|database| database.name).collect();
            let cause = format!("there is no database of {}", known.join(", "));
            Err(Error::not_found("packages").because(cause))
        }
        _ => Ok(packages),
    }
}

fn find(root: &Root, paths: &'static [&'static str]) -> Result<Option<&'static str>> {
    for path in paths {
        if root.exists(path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::guest::memory::Memory;

    const STATUS: &str = "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n";

    fn read_tree(tree: Memory) -> Result<(usize, Vec<String>)> {
        let listing = read(&tree.root(), &Limits::default())?;
        Ok((listing.items.len(), listing.gaps.into_iter().filter_map(|gap| gap.path).collect()))
    }

    #[test]
    fn what_is_not_read_is_named() {
        let tree = || Memory::new("ext4", "", "").file("/var/lib/dpkg/status", STATUS);
        assert_eq!(read_tree(tree()).unwrap(), (1, vec![]));
        let both = tree().file("/var/lib/rpm/rpmdb.sqlite", "");
        assert_eq!(read_tree(both).unwrap(), (1, vec!["/var/lib/rpm/rpmdb.sqlite".to_owned()]));
        let folder = tree().folder("/var/lib/rpm");
        assert_eq!(read_tree(folder).unwrap(), (1, vec![]), "an empty folder is no database");
        let rpm = read_tree(Memory::new("xfs", "", "").file("/usr/lib/sysimage/rpm/rpmdb.sqlite", "")).unwrap_err();
        assert_eq!(rpm.kind, ErrorKind::Unsupported);
        assert!(rpm.to_string().contains("database of rpm"), "{rpm}");
        let none = read_tree(Memory::new("xfs", "", "").folder("/var/lib")).unwrap_err();
        assert_eq!(none.kind, ErrorKind::NotFound);
    }

    #[test]
    fn an_unreadable_place_is_not_absence() {
        let tree = Memory::new("ext4", "", "").unreadable("/var/lib/dpkg/status");
        assert_eq!(read_tree(tree).unwrap_err().kind, ErrorKind::Io);
    }
}
