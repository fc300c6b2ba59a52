//! The order and the default of systemd-boot's entries against `bootctl list` of the same version: made-up partitions by
//! a fixed sequence. bootctl asks for the root of a mounted file system, which a name space of its own gives it.

use crate::common::tool;
use bootworthy::disk::filesystem::{Directory, FileSystem, Identity};
use bootworthy::fact::Fact;
use bootworthy::guest::root::{OpenVolume, assemble};
use bootworthy::limits::Limits;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

const LOADER: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";

/// The next number of a fixed sequence, below `limit`.
fn next(seed: &mut u64, limit: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap() % limit
}

fn any<'t>(seed: &mut u64, of: &[&'t str]) -> &'t str {
    of[next(seed, of.len())]
}

/// Fills an EFI system partition.
fn make(folder: &Path, seed: &mut u64) {
    for inside in ["EFI/BOOT", "loader/entries"] {
        fs::create_dir_all(folder.join(inside)).unwrap();
    }
    fs::copy(LOADER, folder.join("EFI/BOOT/BOOTX64.EFI")).unwrap();
    fs::write(folder.join("linux"), "").unwrap();
    let versions = [
        "6.1.0-9",
        "6.1.0-10",
        "6.12.3-arch1-1",
        "6.9~rc1",
        "6.9",
        "6.9.1",
        "7.0-300.fc42",
        "7.0-300.fc42+debug",
        "lts",
    ];
    for _ in 0..=next(seed, 9) {
        let name = format!("{}{}.conf", any(seed, &["", "arch-", "9bc3-", "fedora-", "0"]), any(seed, &versions));
        // bootctl passes over such names, systemd-boot does not.
        let name = name.replace('~', "_");
        let mut body = "title x\nlinux /linux\n".to_owned();
        for (key, values) in [
            ("sort-key", &["arch", "fedora", "a"][..]),
            ("machine-id", &["11111111111111111111111111111111", "22222222222222222222222222222222"]),
            ("version", &versions),
        ] {
            if next(seed, 3) > 0 {
                body = [body.as_str(), key, " ", any(seed, values), "\n"].concat();
            }
        }
        fs::write(folder.join("loader/entries").join(name), body).unwrap();
    }
    let default = any(
        seed,
        &["", "default *\n", "default arch-*\n", "default *6.9*\n", "default [0-9]*.conf\n", "default none\n"],
    );
    fs::write(folder.join("loader/loader.conf"), format!("timeout 3\n{default}")).unwrap();
}

/// Ids in order, the default with a star.
fn by_bootctl(folder: &Path) -> Vec<String> {
    let mount = tempfile::tempdir().unwrap();
    let (from, at) = (folder.display(), mount.path().display());
    let script = format!(
        "mount -t tmpfs none {at} && cp -r {from}/. {at} && SYSTEMD_RELAX_ESP_CHECKS=1 bootctl list --no-pager --esp-path={at}"
    );
    let text = String::from_utf8(tool("unshare", ["-rm", "sh", "-c", &script])).unwrap();
    let mut star = "";
    let mut ids = Vec::new();
    for line in text.lines() {
        match line.trim_start().split_once(": ") {
            Some(("title", title)) => star = if title.contains("(default)") { "*" } else { "" },
            Some(("id", id)) => ids.push(format!("{star}{id}")),
            _ => {}
        }
    }
    ids
}

fn by_bootworthy(folder: &Path) -> Vec<String> {
    let volume = |number: u32, kind: &str, folder: &Path| {
        let filesystem: Rc<dyn FileSystem> = Rc::new(Directory::new(fs::File::open(folder).unwrap()));
        let identity = Identity { kind: kind.to_owned(), uuid: None, label: None };
        OpenVolume {
            number: Some(number),
            partuuid: None,
            partlabel: None,
            kind: String::new(),
            identity: Some(identity),
            filesystem: Ok(filesystem),
        }
    };
    let root = tempfile::tempdir().unwrap();
    for file in ["etc/os-release", "sbin/init"] {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "ID=x\n").unwrap();
    }
    let volumes = vec![volume(1, "vfat", folder), volume(2, "ext4", root.path())];
    let entries = assemble(volumes, &Fact::Known(None), None, &Limits::default()).unwrap().boot_entries;
    assert_eq!(entries.gaps, []);
    let star = |is_default: &Fact<bool>| if is_default.known() == Some(&true) { "*" } else { "" };
    entries.items.iter().map(|entry| format!("{}{}", star(&entry.is_default), entry.id)).collect()
}

#[test]
fn entries_stand_in_the_order_of_bootctl() {
    let version = Command::new("bootctl").arg("--version").output().expect("bootctl is needed by this test").stdout;
    let mut seed = 1;
    let mut starred = 0;
    for round in 0..60 {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), &mut seed);
        let expected = by_bootctl(folder.path());
        assert_eq!(by_bootworthy(folder.path()), expected, "round {round}, {}", String::from_utf8_lossy(&version));
        starred += usize::from(expected.iter().any(|id| id.starts_with('*')));
    }
    assert!(starred > 40, "bootctl named a default in {starred} rounds");
}
