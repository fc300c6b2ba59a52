//! Takes out what no two instances may share and what only the build left, and makes every time the same.

use super::root::Root;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt as _;
use walkdir::WalkDir;

/// What is taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Each once, in this order.
    pub traces: Vec<Trace>,
    /// `/etc/hostname`; `None` takes it away.
    pub hostname: Option<String>,
    /// Times later than this become this.
    pub source_date_epoch: u64,
}

/// What a build leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trace {
    /// `/etc/machine-id` becomes empty (or `uninitialized`, where presets are to run), D-Bus's a link to it.
    MachineId,
    /// `/etc/ssh/ssh_host_*`.
    SshHostKeys,
    /// Lists and archives of the package tool.
    PackageCaches,
    /// What stands in `/var/log`.
    Logs,
    /// `/var/lib/cloud`.
    CloudInit,
    /// `/var/lib/systemd/random-seed` and its like.
    RandomSeed,
    /// The host's `resolv.conf`; the link of systemd-resolved where it is installed.
    ResolvConf,
    /// What stands in `/tmp` and `/var/tmp`.
    Temporary,
}

/// Carries it out.
///
/// # Errors
/// When something cannot be taken out.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply("seal", &Stage::Seal(options.clone()), shop)
}

/// Folders whose content is another's, or of the running system.
const MOUNTED: &[&str] = &["/dev", "/proc", "/run", "/sys"];
/// Lists and archives of apt, dnf, zypper, apk and pacman, and what is made from them again.
const CACHES: &[&str] = &[
    "/var/lib/apt/lists",
    "/var/cache/apt",
    "/var/cache/debconf",
    "/var/cache/dnf",
    "/var/cache/libdnf5",
    "/var/lib/dnf/repos",
    "/var/cache/yum",
    "/var/cache/zypp",
    "/var/cache/apk",
    "/etc/apk/cache",
    "/var/cache/pacman/pkg",
    "/var/cache/man",
    "/var/cache/ldconfig",
];
/// What apt expects in its folders.
const KEPT: &[(&str, u32)] = &[("/var/lib/apt/lists/partial", 0o700), ("/var/cache/apt/archives/partial", 0o700)];
/// What the first boot writes.
const SEEDS: &[&str] = &[
    "/var/lib/systemd/random-seed",
    "/var/lib/seedrng",
    "/var/lib/urandom/random-seed",
    "/var/lib/misc/random-seed",
    "/boot/efi/loader/random-seed",
    "/var/lib/systemd/credential.secret",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/seen-bssids",
];
/// systemd knows the word since 247 (NEWS); to an older one only an empty file is to be filled.
const UNINITIALIZED: &str = "uninitialized\n";
const FIRST_WITH_UNINITIALIZED: u32 = 247;
/// Where systemd's own library stands, whose name ends in the version.
const LIBRARIES: &[&str] = &["/usr/lib/systemd", "/usr/lib64/systemd", "/lib/systemd"];
/// systemd-resolved's answer to programs that read `/etc/resolv.conf` (man 8 systemd-resolved.service).
const STUB: &str = "../run/systemd/resolve/stub-resolv.conf";

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    root.heal_links()?;
    MOUNTED.iter().try_for_each(|folder| root.empty(folder))?;
    options.traces.iter().try_for_each(|trace| take(*trace, root))?;
    root.remove("/etc/hostname")?;
    if let Some(name) = &options.hostname {
        root.write("/etc/hostname", format!("{name}\n").as_bytes())?;
    }
    clamp(options.source_date_epoch, root)
}

fn take(trace: Trace, root: &Root) -> Result<()> {
    match trace {
        Trace::MachineId => machine_id(root),
        Trace::SshHostKeys => {
            let keys = root.names("/etc/ssh")?.into_iter().filter(|name| name.starts_with("ssh_host_"));
            keys.into_iter().try_for_each(|name| root.remove(&format!("/etc/ssh/{name}")))
        }
        Trace::PackageCaches => {
            CACHES.iter().try_for_each(|folder| root.empty(folder))?;
            for (folder, mode) in KEPT {
                if root.is_folder(folder.rsplit_once('/').map_or("/", |(above, _)| above)) {
                    root.make_folder(folder)?;
                    root.own(folder, *mode, (0, 0))?;
                }
            }
            Ok(())
        }
        Trace::Logs => logs(root),
        Trace::CloudInit => root.empty("/var/lib/cloud"),
        Trace::RandomSeed => SEEDS.iter().try_for_each(|path| root.remove(path)),
        Trace::ResolvConf => {
            root.remove("/etc/resolv.conf")?;
            let is_resolved = ["/usr/lib/systemd/systemd-resolved", "/lib/systemd/systemd-resolved"]
                .iter()
                .any(|path| root.exists(path));
            if is_resolved { root.symlink(STUB, "/etc/resolv.conf") } else { Ok(()) }
        }
        Trace::Temporary => ["/tmp", "/var/tmp"].iter().try_for_each(|folder| root.empty(folder)),
    }
}

/// Files are taken away; folders that daemons expect stay.
fn logs(root: &Root) -> Result<()> {
    let mut folders = vec!["/var/log".to_owned()];
    while let Some(folder) = folders.pop() {
        for name in root.names(&folder)? {
            let path = format!("{folder}/{name}");
            // journald makes the folder of the machine anew, by its new id.
            if root.link(&path).is_some() || !root.is_folder(&path) || folder.ends_with("/journal") {
                root.remove(&path)?;
            } else {
                folders.push(path);
            }
        }
    }
    Ok(())
}

/// Every instance makes its own at its first boot.
fn machine_id(root: &Root) -> Result<()> {
    let has_systemd = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"].iter().any(|path| root.exists(path));
    let has_dbus = root.is_folder("/var/lib/dbus");
    if !has_systemd {
        root.remove("/etc/machine-id")?;
        return if has_dbus { root.remove("/var/lib/dbus/machine-id") } else { Ok(()) };
    }
    let is_old = version(root)?.is_some_and(|version| version < FIRST_WITH_UNINITIALIZED);
    let text = if is_old { "" } else { UNINITIALIZED };
    root.write_as("/etc/machine-id", text.as_bytes(), 0o444, (0, 0))?;
    if has_dbus { root.symlink("/etc/machine-id", "/var/lib/dbus/machine-id") } else { Ok(()) }
}

/// systemd's version, where its library tells.
fn version(root: &Root) -> Result<Option<u32>> {
    let mut folders: Vec<String> = LIBRARIES.iter().map(|folder| (*folder).to_owned()).collect();
    let multiarch = root.names("/usr/lib")?.into_iter().filter(|name| name.ends_with("-linux-gnu"));
    folders.extend(multiarch.map(|name| format!("/usr/lib/{name}/systemd")));
    for folder in folders {
        let names = root.names(&folder)?;
        let number = |name: &String| {
            let rest = name.strip_prefix("libsystemd-shared-")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        if let Some(version) = names.iter().filter_map(number).min() {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// No time is later than the build says it is; folders last, for what is in them touches them.
fn clamp(epoch: u64, root: &Root) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("times of the tree", error);
    let latest = i64::try_from(epoch).map_err(|_| Error::too_large("SOURCE_DATE_EPOCH", format!("{epoch}")))?;
    let time = Timespec { tv_sec: latest, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    for entry in WalkDir::new(root.magic()).contents_first(true).same_file_system(true) {
        let entry = entry.map_err(|error| failed(error.into()))?;
        let found = entry.metadata().map_err(|error| failed(error.into()))?;
        if found.mtime() >= latest {
            utimensat(CWD, entry.path(), &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| failed(error.into()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Trace::{CloudInit, Logs, MachineId, PackageCaches, RandomSeed, ResolvConf, SshHostKeys, Temporary};
    use super::*;
    use Trace::{CloudInit, Logs, MachineId, PackageCaches, RandomSeed, ResolvConf, SshHostKeys, Temporary};

    #[test]
    fn nothing_of_the_build_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        for path in [
            "/etc/machine-id",
            "/var/lib/dbus/machine-id",
            "/usr/lib/systemd/systemd",
            "/etc/ssh/ssh_host_rsa_key",
            "/etc/ssh/sshd_config",
            "/var/lib/apt/lists/deb.example_Packages",
            "/var/log/dpkg.log",
            "/var/log/journal/0123/system.journal",
            "/var/log/apt/history.log",
            "/var/lib/cloud/instance/id",
            "/var/lib/systemd/random-seed",
            "/etc/resolv.conf",
            "/tmp/x",
            "/dev/console",
            "/run/lock/y",
        ] {
            root.write(path, b"x").unwrap();
        }
        let traces = vec![PackageCaches, Logs, CloudInit, SshHostKeys, RandomSeed, Temporary, ResolvConf, MachineId];
        let options = Options { traces, hostname: Some("localhost".into()), source_date_epoch: 1_000_000_000 };
        apply(&options, &root).unwrap();
        let found: Vec<String> = WalkDir::new(folder.path())
            .sort_by_file_name()
            .into_iter()
            .flatten()
            .inspect(|entry| assert!(entry.metadata().unwrap().mtime() <= 1_000_000_000, "{}", entry.path().display()))
            .filter(|entry| !entry.file_type().is_dir())
            .map(|entry| entry.path().strip_prefix(folder.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(
            found,
            [
                "etc/hostname",
                "etc/machine-id",
                "etc/ssh/sshd_config",
                "usr/lib/systemd/systemd",
                "var/lib/dbus/machine-id"
            ]
        );
        assert_eq!(root.text("/etc/machine-id").unwrap(), UNINITIALIZED);
        assert!(root.is_folder("/var/log/apt") && root.is_folder("/var/lib/apt/lists/partial"));
    }
}
