//! The root file system's driver is there, and may be loaded, before the root file system is mounted.

use super::{BOOT_FACTS, Check, boots_by, initrd_virtio};
use crate::fact::Gap;
use crate::guest::Kernel;
use crate::verdict::boot::{Place, Shelf, Start, each_entry, is_network_root, place_of, root_driver, root_filesystem};
use crate::verdict::{Tally, Weight};

pub(super) const CHECK: Check = Check {
    id: "initrd-root-filesystem",
    summary: "the kernel can read its root file system before it is mounted",
    broken: "the kernel cannot read its root file system",
    why: "The driver of the root file system cannot come from the root file system: it must be built into the kernel or be in the initrd, with all that it depends on. Without it the kernel finds the disk and stops all the same.",
    detects: "The type of the root volume names the driver. It must be part of the kernel (modules.builtin, or =y in its configuration), or a file of the initrds that modprobe finds, whose dependencies are there and which neither modprobe.d nor the command line stops. A root within LVM, LUKS, md or another stack is unknown.",
    fix: "Build the initrd of every kernel again on a system whose root file system has this type, or name the driver in the modules of the initrd.",
    family_fixes: &[
        (
            "dracut",
            "echo 'filesystems+=\" ext4 \"' > /etc/dracut.conf.d/root.conf (with the type of your root) && dracut -f --regenerate-all",
        ),
        (
            "debian",
            "echo ext4 >> /etc/initramfs-tools/modules (with the type of your root) && update-initramfs -u -k all",
        ),
        (
            "fedora",
            "echo 'filesystems+=\" xfs \"' > /etc/dracut.conf.d/root.conf (with the type of your root) && dracut -f --regenerate-all",
        ),
        (
            "suse",
            "echo 'filesystems+=\" btrfs \"' > /etc/dracut.conf.d/root.conf (with the type of your root) && dracut -f --regenerate-all",
        ),
        ("arch", "add filesystems to HOOKS in /etc/mkinitcpio.conf, then: mkinitcpio -P"),
        ("alpine", "add the type of your root to features in /etc/mkinitfs/mkinitfs.conf, then: mkinitfs"),
    ],
    source: "Linux fs/filesystems.c (get_fs_type asks modprobe for fs-NAME), fs/ext4/super.c (ext2, ext3); man 7 dracut.cmdline; man 7 initramfs-tools",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(judge)),
};

/// What a root file system may lie in; each needs modules and programs of its own.
const STACKS: &[(&str, &str)] = &[
    ("crypto_LUKS", "LUKS"),
    ("LVM2_member", "LVM"),
    ("linux_raid_member", "md"),
    ("bcache", "bcache"),
    ("zfs_member", "ZFS"),
];

pub(super) fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(cmdline) = start.cmdline() else { return };
    let root = cmdline.root.unwrap_or_default();
    if is_network_root(&root) {
        return tally.not_applicable(format!("root={root} is not on the image's disk"));
    }
    let Some(filesystem) = root_filesystem(start.view) else { return };
    let stack = STACKS.iter().find(|(kind, _)| *kind == filesystem.kind).map(|(_, name)| *name);
    let mapped =
        ["/dev/mapper/", "/dev/dm-", "/dev/md"].iter().find(|name| root.starts_with(**name)).map(|_| "a mapped device");
    if let Some(stack) = stack.or(mapped) {
        let reason = format!(
            "the root file system lies within {stack}, whose modules and programs this version does not follow"
        );
        return start.view.miss(Gap::at(start.archive_path(), reason));
    }
    let Some(driver) = root_driver(start.view) else { return };
    let Some(shelf) = start.early(tally) else { return };
    match shelf.place(driver) {
        None => {}
        Some(Place::Absent) => {
            let found = shelf.hidden(driver).unwrap_or_else(|| initrd_virtio::absent(start, driver));
            let found = format!("the root file system is {}: {found}", filesystem.kind);
            let evidence = start.at(start.archive_path(), found).expected(format!("{driver}.ko"));
            start.missing(tally, Weight::Full, evidence);
        }
        Some(place) if !start.is_free(tally, &shelf, driver, &place) => {}
        Some(place) => judge_place(start, tally, &shelf, (&filesystem.kind, driver), &place),
    }
}

fn judge_place<'a>(
    start: &Start<'_, 'a>,
    tally: &mut Tally,
    shelf: &Shelf<'_, 'a>,
    (kind, driver): (&str, &str),
    place: &Place<'a>,
) {
    if !takes(start, shelf, (kind, driver), place) {
        let reason = format!("whether {driver} of this kernel mounts {kind} is not known");
        return start.view.miss(Gap::at(start.attempt.kernel.clone(), reason));
    }
    match place {
        Place::BuiltIn(proof) => tally.proof(proof.clone().entry(start.entry.id.clone())),
        Place::File(file) if shelf.record(file).is_some() => {
            let (hard, _) = shelf.unmet(driver);
            for missing in &hard {
                let found =
                    format!("{} needs {}, which is neither built in nor in this initrd", missing.module, missing.needs);
                tally
                    .fault(Weight::Full, start.at(missing.at.clone(), found).expected(format!("{}.ko", missing.needs)));
            }
            if hard.is_empty() {
                tally.proof(start.at(place_of(file), format!("the root file system is {kind}: {}", file.path)));
            }
        }
        Place::File(_) | Place::Absent => {}
    }
}

/// Whether the driver takes file systems of this kind. ext4 takes ext3 since Linux 4.3, where ext3's own driver went, and
/// ext2 by `CONFIG_EXT4_USE_FOR_EXT2` alone: a module of it says so by its aliases.
fn takes<'a>(start: &Start<'_, 'a>, shelf: &Shelf<'_, 'a>, (kind, driver): (&str, &str), place: &Place<'a>) -> bool {
    if kind == driver || !matches!(kind, "ext2" | "ext3") {
        return true;
    }
    match place {
        Place::File(file) => {
            let record = shelf.read_of(file);
            record.is_some_and(|record| record.aliases.iter().any(|alias| *alias == format!("fs-{kind}")))
        }
        _ if kind == "ext2" => start.option("CONFIG_EXT4_USE_FOR_EXT2").is_some_and(|(value, _)| value == "y"),
        _ => start.kernel().is_some_and(|kernel| is_since(kernel, (4, 3))),
    }
}

/// Whether the kernel is this version or a later one.
fn is_since(kernel: &Kernel, version: (u32, u32)) -> bool {
    kernel
        .version
        .known()
        .and_then(|text| super::multiqueue_kernel::version_of(text))
        .is_some_and(|found| found >= version)
}
