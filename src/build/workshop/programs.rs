//! The programs that builds run, and the packages that have them.

use crate::error::{Error, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// A program of the host.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its package on Debian and Ubuntu.
    pub debian: &'static str,
    /// Its package on Fedora and the family of RHEL.
    pub fedora: &'static str,
    /// Its package on SUSE.
    pub suse: &'static str,
}

const fn program(name: &'static str, debian: &'static str, fedora: &'static str, suse: &'static str) -> Program {
    Program { name, debian, fedora, suse }
}

/// Every program that a stage runs on the host; an empty package is one that the family does not have.
pub const PROGRAMS: &[Program] = &[
    program("apk", "", "apk-tools", ""),
    program("apt-cache", "apt", "apt", ""),
    program("debugfs", "e2fsprogs", "e2fsprogs", "e2fsprogs"),
    program("dnf", "dnf", "dnf", "dnf"),
    program("dpkg-query", "dpkg", "dpkg", "dpkg"),
    program("fakechroot", "fakechroot", "fakechroot", "fakechroot"),
    program("fakeroot", "fakeroot", "fakeroot", "fakeroot"),
    program("find", "findutils", "findutils", "findutils"),
    program("mcopy", "mtools", "mtools", "mtools"),
    program("mke2fs", "e2fsprogs", "e2fsprogs", "e2fsprogs"),
    program("mkfs.btrfs", "btrfs-progs", "btrfs-progs", "btrfsprogs"),
    program("mkfs.vfat", "dosfstools", "dosfstools", "dosfstools"),
    program("mkfs.xfs", "xfsprogs", "xfsprogs", "xfsprogs"),
    program("mmd", "mtools", "mtools", "mtools"),
    program("mmdebstrap", "mmdebstrap", "mmdebstrap", ""),
    program("qemu-img", "qemu-utils", "qemu-img", "qemu-img"),
    program("qemu-nbd", "qemu-utils", "qemu-img", "qemu-img"),
    program("rm", "coreutils", "coreutils", "coreutils"),
    program("rpm", "rpm", "rpm", "rpm"),
    program("tar", "tar", "tar", "tar"),
    program("unshare", "util-linux", "util-linux-core", "util-linux"),
    program("xfs_db", "xfsprogs", "xfsprogs", "xfsprogs"),
    program("zypper", "zypper", "zypper", "zypper"),
];

/// Where this program is: the first of `PATH` and the `sbin` folders that has it, executable.
pub fn find(name: &str) -> Option<PathBuf> {
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    std::env::split_paths(&super::path()).map(|folder| folder.join(name)).find(is_program)
}

/// Whether all of them are there.
///
/// # Errors
/// `NotFound`, naming each that is not, with its package.
pub fn require(names: &[&str]) -> Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| find(name).is_none()).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let packages = |family: fn(&Program) -> &'static str| {
        let known = PROGRAMS.iter().filter(|program| missing.contains(&program.name)).map(family);
        let mut known: Vec<&str> = known.filter(|package| !package.is_empty()).collect();
        known.sort_unstable();
        known.dedup();
        known.join(" ")
    };
    let (noun, verb) = if missing.len() == 1 { ("program", "is") } else { ("programs", "are") };
    let advice = [
        ("apt-get install", packages(|program| program.debian)),
        ("dnf install", packages(|program| program.fedora)),
        ("zypper install", packages(|program| program.suse)),
    ];
    let advice: Vec<String> = advice
        .iter()
        .filter(|(_, packages)| !packages.is_empty())
        .map(|(install, packages)| format!("`{install} {packages}`"))
        .collect();
    let error = Error::not_found(format!("{noun} {}", missing.join(", ")))
        .because(format!("the recipe needs {}, which {verb} not installed here", missing.join(", ")));
    Err(if advice.is_empty() { error.help(format!("install {first}")) } else { error.help(advice.join(", or ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(PROGRAMS.is_sorted_by_key(|program| program.name));
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        assert_eq!(require(&["sh", "true"]), Ok(()));
        let error = require(&["sh", "no-such-program"]).unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }
}
