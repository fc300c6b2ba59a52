//! Files by whose presence checks tell what the guest has; most of them no package database names the same way.

use crate::disk::filesystem::{FileType, GuestPath, Root};
use crate::error::{ErrorKind, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::guest::PresentFile;
use crate::limits::Limits;

/// What is looked for; `*` stands for any part of a name. A file that is not among the facts is not in the guest.
pub const WATCHED: &[&str] = &[
    // cloud-init, and what keeps it from running (`tools/ds-identify`, `systemd/cloud-init-generator.tmpl`).
    "/usr/bin/cloud-init",
    "/usr/local/bin/cloud-init",
    "/etc/cloud/cloud-init.disabled",
    "/usr/lib/cloud-init/ds-identify",
    "/usr/libexec/cloud-init/ds-identify",
    "/etc/systemd/system-generators/cloud-init-generator",
    "/usr/local/lib/systemd/system-generators/cloud-init-generator",
    "/usr/lib/systemd/system-generators/cloud-init-generator",
    "/lib/systemd/system-generators/cloud-init-generator",
    "/etc/runlevels/*/cloud-init*",
    // What an instance leaves behind.
    "/var/lib/cloud/instance",
    "/var/lib/cloud/data/instance-id",
    // What takes cloud-init's place.
    "/usr/lib/dracut/modules.d/*ignition",
    "/usr/lib64/dracut/modules.d/*ignition",
    "/etc/runlevels/*/tiny-cloud*",
    "/etc/cirros-init/config",
    "/usr/bin/afterburn",
    "/usr/bin/coreos-cloudinit",
    "/usr/bin/glean",
    "/usr/local/bin/glean",
    // SSH servers.
    "/usr/sbin/sshd",
    "/usr/bin/sshd",
    "/usr/sbin/dropbear",
    "/usr/bin/dropbear",
    "/usr/bin/ssh-keygen",
    "/etc/ssh/sshd_not_to_be_run",
    "/etc/runlevels/*/sshd",
    "/etc/runlevels/*/dropbear",
    "/etc/rc3.d/S*dropbear",
    "/etc/rc3.d/S*sshd",
    // What grows the root.
    "/usr/bin/growpart",
    "/usr/sbin/growpart",
    "/etc/growroot-disabled",
    "/usr/share/initramfs-tools/hooks/growroot",
    "/usr/lib/dracut/modules.d/*growroot",
    "/usr/bin/systemd-repart",
    "/etc/repart.d/*.conf",
    "/usr/lib/repart.d/*.conf",
    "/usr/lib/systemd/systemd-growfs",
    "/lib/systemd/systemd-growfs",
    "/usr/sbin/resize2fs",
    "/sbin/resize2fs",
    "/usr/sbin/xfs_growfs",
    "/sbin/xfs_growfs",
    "/usr/bin/btrfs",
    "/usr/sbin/btrfs",
    "/sbin/btrfs",
];

/// Private host keys (`man 8 sshd`, `man 8 dropbear`).
const HOST_KEYS: &[&str] = &["/etc/ssh/ssh_host_*_key", "/etc/dropbear/dropbear_*_host_key"];

/// Those of [`WATCHED`] that are there, in its order.
pub fn files(root: &Root, limits: &Limits) -> Listing<PresentFile> {
    present(root, WATCHED, limits)
}

/// Private host keys in the image.
pub fn host_keys(root: &Root, limits: &Limits) -> Listing<String> {
    let found = present(root, HOST_KEYS, limits);
    Listing { items: found.items.into_iter().map(|file| file.path).collect(), gaps: found.gaps }
}

fn present(root: &Root, patterns: &[&str], limits: &Limits) -> Listing<PresentFile> {
    let mut listing = Listing::default();
    for pattern in patterns {
        let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        // A pattern of the last name is matched against the folder's list: `glob` does not see links that lead nowhere.
        let found =
            if pattern.contains('*') { named(root, folder, name) } else { vec![GuestPath::new(pattern)].into() };
        listing.gaps.extend(found.gaps);
        for path in found.items {
            if listing.items.len() >= limits.list_rows {
                listing.gaps.push(Gap::at(*pattern, format!("more than {} files", limits.list_rows)));
                return listing;
            }
            match look(root, &path) {
                Ok(None) => {}
                Ok(Some(file)) => listing.items.push(file),
                Err(error) => listing.gaps.push(error.into()),
            }
        }
    }
    listing
}

/// Names in the folders that match `folder` which match `name`, at most one `*` in it.
fn named(root: &Root, folder: &str, name: &str) -> Listing<GuestPath> {
    let mut found = root.glob(folder);
    let Some((before, after)) = name.split_once('*') else {
        found.items.iter_mut().for_each(|folder| *folder = folder.join(name.as_bytes()));
        return found;
    };
    for folder in std::mem::take(&mut found.items) {
        match root.list(&folder) {
            Ok(listing) => {
                found.gaps.extend(listing.gaps);
                let fits = |name: &[u8]| {
                    name.strip_prefix(before.as_bytes()).is_some_and(|rest| rest.ends_with(after.as_bytes()))
                };
                let names = listing.items.iter().filter(|entry| fits(&entry.name));
                found.items.extend(names.map(|entry| folder.join(&entry.name)));
            }
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => found.gaps.push(error.into()),
        }
    }
    found
}

fn look(root: &Root, path: &GuestPath) -> Result<Option<PresentFile>> {
    let present = |kind: &str, mode: u32| PresentFile {
        path: path.to_text(),
        kind: kind.to_owned(),
        is_executable: Fact::Known(kind == "file" && mode & 0o111 != 0),
    };
    match root.metadata(path) {
        Ok(metadata) => Ok(Some(match metadata.file_type {
            // Linux does not execute an empty file.
            FileType::Regular => present("file", if metadata.size > 0 { metadata.mode } else { 0 }),
            FileType::Directory => present("folder", 0),
            FileType::Symlink => present("link", 0),
            FileType::Other => present("other", 0),
        })),
        Err(error) if error.kind == ErrorKind::NotFound => match root.symlink_metadata(path) {
            Ok(_) => Ok(Some(present("link", 0))),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    #[test]
    fn what_is_there_and_what_cannot_be_seen() {
        let root = Memory::new("ext4", "", "")
            .file("/usr/bin/growpart", "x")
            .link("/lib", "usr/lib")
            .file("/usr/lib/systemd/systemd-growfs", "x")
            .link("/etc/systemd/system-generators/cloud-init-generator", "/dev/null")
            .folder("/usr/lib/dracut/modules.d/30ignition")
            .file("/etc/runlevels/default/sshd", "")
            .link("/etc/runlevels/boot/tiny-cloud-boot", "/etc/init.d/tiny-cloud-boot")
            .unreadable("/usr/sbin/sshd")
            .root();
        let found = files(&root, &Limits::default());
        let shown: Vec<String> = found.items.iter().map(|file| format!("{} {}", file.kind, file.path)).collect();
        assert_eq!(
            shown,
            [
                "link /etc/systemd/system-generators/cloud-init-generator",
                "folder /usr/lib/dracut/modules.d/30ignition",
                "link /etc/runlevels/boot/tiny-cloud-boot",
                "file /etc/runlevels/default/sshd",
                "file /usr/bin/growpart",
                "file /usr/lib/systemd/systemd-growfs",
                "file /lib/systemd/systemd-growfs",
            ]
        );
        assert_eq!(found.gaps.iter().filter_map(|gap| gap.path.as_deref()).collect::<Vec<_>>(), ["/usr/sbin/sshd"]);
        let is_executable = |file: &PresentFile| file.is_executable == Fact::Known(true);
        assert_eq!(found.items.iter().filter(|file| is_executable(file)).count(), 3, "not the empty file");
    }

    #[test]
    fn private_keys_only() {
        let tree =
            Memory::new("ext4", "", "").file("/etc/ssh/ssh_host_rsa_key", "").file("/etc/ssh/ssh_host_rsa_key.pub", "");
        let found = host_keys(&tree.file("/etc/ssh/ssh_config", "").root(), &Limits::default());
        assert_eq!(found, vec!["/etc/ssh/ssh_host_rsa_key".to_owned()].into());
    }
}
