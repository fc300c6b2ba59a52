//! Variants of what GRUB finds: its core, its modules, its menu.

use super::disk::BIOS_BOOT;
use super::rows::{BUS, row};
use super::{Disk, Variant};

/// What depends on what is started.
const STARTED: &[&str] = &[
    "architecture",
    "hw_disk_bus",
    "hw_qemu_guest_agent",
    "hw_scsi_model",
    "hw_vif_multiqueue_enabled",
    "hw_watchdog_action",
];
/// A change of GRUB, which decides about nothing but what is started; it is made to disks for BIOS and UEFI.
const fn grub(name: &'static str, edit: fn(&Disk), verdict: &'static str) -> Variant {
    match verdict.as_bytes() {
        b"pass" => row(name, edit, &[]),
        _ => row(name, edit, &[("boot-entry-resolves", "fail")]).withholds(BUS),
    }
}

pub const ROWS: &[Variant] = &[
    grub("GRUB's normal.mod is gone", |disk| disk.remove("/boot/grub/i386-pc/normal.mod"), "fail"),
    grub("GRUB's linux.mod is gone", |disk| disk.remove("/boot/grub/i386-pc/linux.mod"), "fail"),
    grub("a module that linux.mod needs is gone", |disk| disk.remove("/boot/grub/i386-pc/boot.mod"), "fail"),
    grub("a module that normal.mod needs is gone", |disk| disk.remove("/boot/grub/i386-pc/crypto.mod"), "fail"),
    grub("GRUB's command.lst is gone", |disk| disk.remove("/boot/grub/i386-pc/command.lst"), "fail"),
    grub("all of GRUB's modules are gone", |disk| disk.unlink("/boot/grub/i386-pc"), "fail"),
    grub("GRUB's linux.mod for UEFI is gone", |disk| disk.remove("/boot/grub/x86_64-efi/linux.mod"), "fail"),
    grub(
        "GRUB's normal.mod for UEFI is gone, which its core has",
        |disk| disk.remove("/boot/grub/x86_64-efi/normal.mod"),
        "pass",
    ),
    grub("GRUB for UEFI finds no menu", |disk| disk.remove_from_esp("/EFI/debian/grub.cfg"), "fail"),
    grub("a module is empty", |disk| disk.write("/boot/grub/i386-pc/normal.mod", ""), "fail"),
    grub(
        "a core that looks in another folder",
        |disk| disk.core(&["-p", "(,gpt1)/grub", "biosdisk", "part_gpt", "ext2"]),
        "fail",
    ),
    grub(
        "a core that looks on another partition",
        |disk| disk.core(&["-p", "(,gpt15)/boot/grub", "biosdisk", "part_gpt", "ext2", "fat", "normal", "linux"]),
        "fail",
    ),
    grub(
        "a core that cannot read the root file system",
        |disk| disk.core(&["-p", "(,gpt1)/boot/grub", "biosdisk", "part_gpt", "fat", "normal", "linux"]),
        "fail",
    ),
    grub(
        "a core by device, as grub-install makes it",
        |disk| disk.core(&["-p", "(,gpt1)/boot/grub", "biosdisk", "part_gpt", "ext2"]),
        "pass",
    ),
    row(
        "a core that cannot be unpacked",
        |disk| {
            let at = disk.start_of(BIOS_BOOT) + 512 + 0xb20;
            (0..64).for_each(|offset| disk.poke(at + offset, 0xff));
        },
        // What is not known to be started may be anything.
        &[
            ("boot-entry-resolves", "unknown"),
            ("agent-channel", "unknown"),
            ("cloud-init-datasource", "unknown"),
            ("cloud-init-present", "unknown"),
            ("cmdline-root-resolves", "unknown"),
            ("cmdline-root-stable", "unknown"),
            ("console-serial", "unknown"),
            ("growpart-available", "unknown"),
            ("initrd-kernel-match", "unknown"),
            ("initrd-module-closure", "unknown"),
            ("initrd-root-filesystem", "unknown"),
            ("initrd-virtio-blk", "unknown"),
            ("initrd-virtio-net", "unknown"),
            ("initrd-virtio-pci", "unknown"),
            ("initrd-virtio-scsi", "unknown"),
            ("module-not-blacklisted", "unknown"),
            ("multiqueue-kernel", "unknown"),
            ("watchdog-driver", "unknown"),
            ("watchdog-loadable", "unknown"),
            ("watchdog-single-owner", "unknown"),
        ],
    )
    .withholds(STARTED),
];
