//! Whole disks in memory.

use super::*;
use crate::disk::filesystem::Identity;
use crate::error::{Error, ErrorKind};
use crate::guest::bootloader::bios::Code;
use crate::guest::bootloader::disk::tests::volume;
use crate::guest::bootloader::grub_core::tests::{ALL, core, efi};
use crate::guest::bootloader::tests::kernel;
use crate::guest::memory::Memory;
use std::rc::Rc;

const UBUNTU: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/grub/ubuntu-24.04.cfg"));

fn system(uuid: &str, label: &str) -> Memory {
    Memory::new("ext4", uuid, label).file("/etc/os-release", "ID=debian\n").file("/usr/lib/systemd/systemd", "\x7fELF")
}

fn config(root: &str) -> String {
    format!(
        "set timeout=1\nmenuentry 'a' --id one {{\n linux /boot/vmlinuz-1 root={root} ro\n initrd /boot/initrd-1\n}}\n"
    )
}

fn unread(number: u32, kind: &str, reason: &str) -> OpenVolume {
    let mut volume = volume(number, Memory::new(kind, &format!("uuid-{number}"), ""));
    volume.filesystem = Err(Error::unsupported("file system", reason));
    volume
}

fn assembled(volumes: Vec<OpenVolume>) -> Tree {
    assembled_by("(,gpt1)/boot/grub", volumes)
}

fn assembled_by(prefix: &str, volumes: Vec<OpenVolume>) -> Tree {
    assemble(volumes, &grub(prefix), None, &Limits::default()).unwrap()
}

fn grub(prefix: &str) -> Fact<Option<Code>> {
    Fact::Known(Some(Code::Grub(core(prefix))))
}

fn failure(volumes: Vec<OpenVolume>, choose: Option<u32>) -> String {
    let error = assemble(volumes, &grub("(,gpt1)/boot/grub"), choose, &Limits::default()).unwrap_err();
    format!("{error} {}", error.help.as_deref().unwrap_or_default())
}

#[test]
fn the_default_entry_names_the_root() {
    for spec in ["UUID=root-b", "LABEL=system", "PARTUUID=part-2", "PARTLABEL=name-2", "/dev/vda2"] {
        let mut second = volume(2, system("root-b", "system"));
        second.partlabel = Some("name-2".to_owned());
        let first = volume(1, system("root-a", "").file("/boot/grub/grub.cfg", config(spec)));
        let tree = assembled(vec![first, second]);
        assert_eq!(tree.number, Some(2), "{spec}");
        assert_eq!(tree.chosen, format!("named by root={spec} of the default entry"));
    }
}

#[test]
fn without_a_name_the_only_candidate_is_it() {
    let data = || volume(2, Memory::new("ext4", "data", "").file("/etc/os-release", "ID=x"));
    for spec in ["UUID=elsewhere", "/dev/sdb1", "", "/dev/mapper/vg-root"] {
        let root = volume(1, system("root-a", "").file("/boot/grub/grub.cfg", config(spec)));
        let tree = assembled(vec![root, data()]);
        assert_eq!((tree.number, tree.chosen.as_str()), (Some(1), "the only candidate, found by content"), "{spec}");
    }
    for spec in ["UUID=elsewhere", "4a1f7c1e-6d0e-4b5b-9f0c-0d1300000001", "/dev/disk/by-path/pci-0-part1", "zfs:x"] {
        let mut blank = volume(2, Memory::new("", "", ""));
        blank.filesystem = Err(Error::not_found("file system"));
        blank.identity = None;
        let root = || volume(1, system("root-a", "").file("/boot/grub/grub.cfg", config(spec)));
        assert_eq!(assembled(vec![root(), blank]).number, Some(1), "{spec}: a BIOS boot partition is no root");
        let mut unseen = unread(2, "", "it could not be read");
        unseen.identity = None;
        assert!(failure(vec![root(), unseen], None).contains("on no volume that this version reads"), "{spec}");
        let other = volume(3, system("root-b", ""));
        assert!(failure(vec![root(), other], None).contains("could be it"), "{spec}");
    }
    let split = Memory::new("ext4", "r", "").link("/etc/os-release", "../usr/lib/os-release").link("/sbin", "usr/sbin");
    let split = split.folder("/usr").file("/etc/fstab", "UUID=u /usr ext4 ro 0 1\n");
    let usr = Memory::new("ext4", "u", "").file("/lib/os-release", "ID=split").file("/sbin/init", "");
    let tree = assembled(vec![volume(1, usr), volume(2, split)]);
    assert_eq!(tree.number, Some(2));
    assert_eq!(tree.root.read("/etc/os-release", 99).unwrap(), b"ID=split");
    assert!(tree.root.exists("/sbin/init").unwrap());
}

#[test]
fn what_cannot_be_decided_is_an_error_with_a_next_step() {
    let two = || vec![volume(1, system("a", "one")), volume(2, system("b", ""))];
    let message = failure(two(), None);
    assert!(message.contains("partition 1 (ext4, one) and partition 2 (ext4) could be it"), "{message}");
    assert!(message.contains("--root PARTITION"), "{message}");
    assert_eq!(
        assemble(two(), &grub("(,gpt1)/boot/grub"), Some(2), &Limits::default()).unwrap().chosen,
        "named by --root"
    );
    assert!(failure(two(), Some(7)).contains("there is no partition 7"));
    let disagreeing =
        |spec: &str| format!("{}menuentry b {{ linux /v root={spec} }}\n$x\nprobe -s x y\n$x\n", config("UUID=a"));
    let first = volume(1, system("a", "").file("/boot/grub/grub.cfg", disagreeing("UUID=b")));
    assert_eq!(assembled(vec![first, volume(2, system("b", ""))]).number, Some(1), "the gap is behind the first row");
    let named = volume(1, system("a", "").file("/boot/grub/grub.cfg", config("UUID=uuid-2")));
    let message = failure(vec![named, unread(2, "btrfs", "btrfs is not read by this version")], None);
    assert!(message.contains("partition 2 (btrfs) is named by root=UUID=uuid-2"), "{message}");
    let mapped = volume(1, system("a", "").file("/boot/grub/grub.cfg", config("/dev/mapper/vg-root")));
    let message = failure(vec![mapped, unread(2, "LVM2_member", "LVM is not read by this version")], None);
    assert!(message.contains("/dev/mapper/vg-root"), "{message}");
    let message = failure(vec![unread(2, "xfs", "xfs is not read by this version")], None);
    assert!(message.contains("no volume holds one: partition 2 (xfs): file system: xfs is not read"), "{message}");
}

#[test]
fn windows_is_recognised() {
    let esp = volume(1, Memory::new("vfat", "AAAA", "").file("/EFI/Microsoft/Boot/bootmgfw.efi", "MZ"));
    let mut basic = unread(3, "", "no file system that this version reads");
    basic.identity = None;
    basic.kind = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7".to_owned();
    for volumes in [vec![esp], vec![basic], vec![unread(2, "ntfs", "ntfs")]] {
        assert!(failure(volumes, None).contains("Windows cannot be judged yet"));
    }
}

#[test]
fn volumes_are_mounted_and_paths_translated() {
    let fstab = "LABEL=cloudimg-rootfs\t/\text4\tdiscard\t0 1\nLABEL=BOOT\t/boot\text4\tdefaults\t0 2\nLABEL=UEFI\t/boot/efi\tvfat\tumask=0077\t0 1\ntmpfs /tmp tmpfs rw\nLABEL=gone /srv ext4 rw\n/dev/sdb1 /mnt ext4 rw\n";
    let root = system("r", "cloudimg-rootfs").file("/etc/fstab", fstab).folder("/boot").folder("/srv");
    let boot = Memory::new("ext4", "b0070000-0000-4000-8000-000000000016", "BOOT").folder("/efi");
    let boot = boot.file("/grub/grub.cfg", UBUNTU).file("/vmlinuz-6.8.0-79-generic", kernel());
    let boot = boot.file("/grub/grubenv", "# GRUB Environment Block\n");
    let stub = "search.fs_uuid b0070000-0000-4000-8000-000000000016 root\nset prefix=($root)'/grub'\nconfigfile $prefix/grub.cfg\n";
    let esp = Memory::new("vfat", "C0DE-0015", "UEFI").file("/EFI/BOOT/BOOTX64.EFI", efi(0x8664, ALL, "/EFI/ubuntu"));
    let esp = esp.file("/EFI/ubuntu/grub.cfg", stub);
    let mut first = volume(1, root);
    first.partuuid = Some("8c1b0c11-1f5f-4c21-9c8e-000000000001".to_owned());
    let tree = assembled_by("(,gpt16)/grub", vec![first, volume(15, esp), volume(16, boot)]);
    assert_eq!(tree.number, Some(1));
    assert!(tree.chosen.starts_with("named by root=PARTUUID="), "{}", tree.chosen);
    assert_eq!(tree.gaps, []);
    assert_eq!(tree.root.read("/boot/vmlinuz-6.8.0-79-generic", 9999).unwrap(), kernel());
    assert!(tree.root.exists("/boot/efi/EFI/BOOT/BOOTX64.EFI").unwrap());
    let entries = &tree.boot_entries;
    assert_eq!((entries.items.len(), entries.gaps.as_slice()), (3, &[][..]));
    let first = &entries.items[0];
    assert_eq!(first.config, "/boot/grub/grub.cfg");
    assert_eq!(first.firmware.known().unwrap(), &["bios", "uefi"]);
    let attempts = first.attempts.known().unwrap();
    let shown: Vec<_> =
        attempts.items.iter().map(|it| (it.kernel.as_str(), it.initrds.known().unwrap().len())).collect();
    assert_eq!(shown, [("/boot/vmlinuz-6.8.0-79-generic", 0), ("/boot/vmlinuz-6.8.0-79-generic", 1)]);
    assert_eq!(attempts.items[1].initrds.known().unwrap(), &["/boot/initrd.img-6.8.0-79-generic"]);
}

#[test]
fn an_unread_mount_is_no_absence() {
    let root = || system("r", "").folder("/usr/local").folder("/var/lib");
    for (fstab, path) in [
        ("UUID=uuid-2 /var ext4 rw\n", "/var/lib/dpkg/status"),
        ("/dev/mapper/vg-var /var xfs rw\n", "/var/lib/dpkg/status"),
    ] {
        let volumes = vec![volume(1, root().file("/etc/fstab", fstab)), unread(2, "xfs", "xfs is not read")];
        let tree = assembled(volumes);
        let error = tree.root.exists(path).unwrap_err();
        assert!(
            error.kind == ErrorKind::Unsupported && error.to_string().contains("of fstab cannot be read"),
            "{error}"
        );
        assert!(tree.root.exists("/usr/local").unwrap());
    }
    let noauto = volume(1, root().file("/etc/fstab", "UUID=uuid-2 /var ext4 noauto\nUUID=no /nowhere ext4 rw\n"));
    let tree = assembled(vec![noauto, unread(2, "xfs", "xfs is not read")]);
    assert!(!tree.root.exists("/var/lib/dpkg/status").unwrap());
    let missing = volume(1, root().file("/etc/fstab", "UUID=other /not/there ext4 rw\n"));
    let tree = assembled(vec![missing, volume(2, Memory::new("ext4", "other", ""))]);
    assert!(tree.gaps[0].reason.contains("/not/there cannot be mounted"), "{:?}", tree.gaps);
}

#[test]
fn kernels_on_a_volume_that_fstab_does_not_name() {
    let menu = "set timeout=1\nsearch --fs-uuid --set=root boot\nmenuentry a { linux /vmlinuz root=UUID=r }\n";
    let boot = || volume(2, Memory::new("ext4", "boot", "").file("/grub/grub.cfg", menu).file("/vmlinuz", "k"));
    for (root, kernel) in [
        (system("r", "").folder("/boot"), "/boot/vmlinuz"),
        (system("r", "").file("/boot/other", ""), "(partition 2)/vmlinuz"),
    ] {
        let tree = assembled(vec![volume(1, root), boot()]);
        assert_eq!(tree.boot_entries.items[0].attempts.known().unwrap().items[0].kernel, kernel);
    }
    // Behind what fstab mounts over it, a kernel of the root's own /boot is out of reach.
    let hidden =
        system("r", "").file("/boot/grub/grub.cfg", config("UUID=r")).file("/etc/fstab", "UUID=boot /boot ext4");
    let other = volume(2, Memory::new("ext4", "boot", ""));
    let tree = assembled(vec![volume(1, hidden), other]);
    assert_eq!(tree.boot_entries.items[0].attempts.known().unwrap().gaps.len(), 1);
}

#[test]
fn a_directory_is_its_own_root() {
    let directory = |files: Memory| OpenVolume {
        number: None,
        partuuid: None,
        partlabel: None,
        kind: String::new(),
        identity: Some(Identity::default()),
        filesystem: Ok(Rc::new(files)),
    };
    let menu = "set timeout=1\nif [ x$feature_platform_search_hint = xy ]; then\nsearch --fs-uuid --set=root abc\nfi\nmenuentry a {\nset root=hd0,gpt2\nsearch --fs-uuid --set=root abc\nlinux /vmlinuz-1 root=UUID=abc\n}\n";
    let files = Memory::new("", "", "").file("/boot/grub/grub.cfg", menu).file("/boot/vmlinuz-1", "k");
    let files = files.file("/etc/fstab", "UUID=x /boot ext4 rw\n").folder("/EFI/BOOT");
    let tree = assemble(vec![directory(files)], &Fact::unknown("a directory"), None, &Limits::default()).unwrap();
    assert_eq!((tree.number, tree.gaps.len(), tree.boot_entries.gaps.len()), (None, 0, 0), "{:?}", tree.boot_entries);
    let entry = &tree.boot_entries.items[0];
    assert_eq!(entry.attempts.known().unwrap().items[0].kernel, "/boot/vmlinuz-1");
    assert!(entry.firmware.known().is_none() && entry.is_default.known() == Some(&true));
}
