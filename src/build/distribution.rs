//! The distributions that recipes name: whose ways they go, what makes their trees, what a bootable one takes.

use super::engine::Engine;
use super::plan::{Architecture, Family, FileSystemType, Firmware};
use super::tree::initrd::Generator;
use super::tree::units::Init;

/// A distribution.
#[derive(Debug)]
pub struct Distribution {
    /// `ID` of os-release.
    pub id: &'static str,
    /// Whose ways it goes.
    pub family: Family,
    /// The names of [`crate::verdict::feature::Feature::provision`] that concern it, from the widest.
    pub lineage: &'static [&'static str],
}

/// Every distribution.
pub const DISTRIBUTIONS: &[Distribution] = &[
    Distribution { id: "debian", family: Family::Debian, lineage: &["any", "debian"] },
    Distribution { id: "ubuntu", family: Family::Ubuntu, lineage: &["any", "debian", "ubuntu"] },
    Distribution { id: "fedora", family: Family::Fedora, lineage: &["any", "fedora"] },
    Distribution { id: "rhel", family: Family::Fedora, lineage: RHEL },
    Distribution { id: "centos", family: Family::Fedora, lineage: RHEL },
    Distribution { id: "rocky", family: Family::Fedora, lineage: RHEL },
    Distribution { id: "almalinux", family: Family::Fedora, lineage: RHEL },
    Distribution { id: "ol", family: Family::Fedora, lineage: RHEL },
    Distribution { id: "opensuse-leap", family: Family::Suse, lineage: &["any", "suse"] },
    Distribution { id: "opensuse-tumbleweed", family: Family::Suse, lineage: &["any", "suse"] },
    Distribution { id: "sles", family: Family::Suse, lineage: &["any", "suse"] },
    Distribution { id: "alpine", family: Family::Alpine, lineage: &["any", "alpine"] },
    Distribution { id: "arch", family: Family::Arch, lineage: &["any", "arch"] },
];

const RHEL: &[&str] = &["any", "fedora", "rhel"];

/// The distribution with this `ID`.
pub fn find(id: &str) -> Option<&'static Distribution> {
    DISTRIBUTIONS.iter().find(|distribution| distribution.id == id)
}

/// How a family does things.
#[derive(Debug)]
pub struct Ways {
    /// Whose they are.
    pub family: Family,
    /// What installs its packages; `None` where only a finished tree is taken.
    pub engine: Option<Engine>,
    /// What makes its initrds.
    pub generator: Generator,
    /// What starts its systems.
    pub init: Init,
    /// Its unit of sshd.
    pub ssh: &'static str,
    /// What a tree takes to start on its own, before features and the recipe.
    pub base: &'static [&'static str],
    /// GRUB's programs, by firmware and architecture.
    pub loaders: &'static [(Firmware, Architecture, &'static [&'static str])],
    /// What makes and mends a file system, where `base` does not have it.
    pub filesystems: &'static [(FileSystemType, &'static [&'static str])],
}

use Architecture::{Aarch64, X86_64};
use FileSystemType::{Btrfs, Ext4, Vfat, Xfs};
use Firmware::{Bios, Uefi};

/// The ways of every family.
pub const WAYS: &[Ways] = &[
    Ways {
        family: Family::Debian,
        engine: Some(Engine::Mmdebstrap),
        generator: Generator::InitramfsTools,
        init: Init::Systemd,
        ssh: "ssh.service",
        base: DEBIAN,
        loaders: GRUB_OF_DEBIAN,
        filesystems: PROGRAMS,
    },
    Ways {
        family: Family::Ubuntu,
        engine: Some(Engine::Mmdebstrap),
        generator: Generator::InitramfsTools,
        init: Init::Systemd,
        ssh: "ssh.service",
        base: DEBIAN,
        loaders: GRUB_OF_DEBIAN,
        filesystems: PROGRAMS,
    },
    Ways {
        family: Family::Fedora,
        engine: Some(Engine::Dnf),
        generator: Generator::Dracut,
        init: Init::Systemd,
        ssh: "sshd.service",
        base: &["systemd", "systemd-udev", "dracut", "kmod", "dnf", "passwd", "grub2-tools"],
        loaders: &[
            (Bios, X86_64, &["grub2-pc-modules"]),
            (Uefi, X86_64, &["grub2-efi-x64", "grub2-efi-x64-modules", "shim-x64"]),
            (Uefi, Aarch64, &["grub2-efi-aa64", "grub2-efi-aa64-modules", "shim-aa64"]),
        ],
        filesystems: PROGRAMS,
    },
    Ways {
        family: Family::Suse,
        engine: Some(Engine::Zypper),
        generator: Generator::Suse,
        init: Init::Systemd,
        ssh: "sshd.service",
        base: &["systemd", "udev", "dracut", "kmod", "zypper", "shadow", "grub2"],
        loaders: &[
            (Bios, X86_64, &["grub2-i386-pc"]),
            (Uefi, X86_64, &["grub2-x86_64-efi", "shim"]),
            (Uefi, Aarch64, &["grub2-arm64-efi", "shim"]),
        ],
        filesystems: PROGRAMS_OF_SUSE,
    },
    Ways {
        family: Family::Alpine,
        engine: Some(Engine::Apk),
        generator: Generator::Mkinitfs,
        init: Init::Openrc,
        ssh: "sshd",
        base: &["alpine-base", "openrc", "mkinitfs", "kmod", "grub"],
        loaders: &[(Bios, X86_64, &["grub-bios"]), (Uefi, X86_64, &["grub-efi"]), (Uefi, Aarch64, &["grub-efi"])],
        filesystems: PROGRAMS,
    },
    Ways {
        family: Family::Arch,
        engine: None,
        generator: Generator::Mkinitcpio,
        init: Init::Systemd,
        ssh: "sshd.service",
        base: &["base", "mkinitcpio", "grub"],
        loaders: &[(Bios, X86_64, &[]), (Uefi, X86_64, &[])],
        filesystems: PROGRAMS,
    },
];

const DEBIAN: &[&str] = &["initramfs-tools", "zstd", "systemd-sysv", "udev", "dbus", "kmod", "sudo", "grub2-common"];
const GRUB_OF_DEBIAN: &[(Firmware, Architecture, &[&str])] = &[
    (Bios, X86_64, &["grub-pc-bin"]),
    (Uefi, X86_64, &["grub-efi-amd64-bin"]),
    (Uefi, Aarch64, &["grub-efi-arm64-bin"]),
];
const PROGRAMS: &[(FileSystemType, &[&str])] =
    &[(Ext4, &["e2fsprogs"]), (Xfs, &["xfsprogs"]), (Btrfs, &["btrfs-progs"]), (Vfat, &["dosfstools"])];
const PROGRAMS_OF_SUSE: &[(FileSystemType, &[&str])] =
    &[(Ext4, &["e2fsprogs"]), (Xfs, &["xfsprogs"]), (Btrfs, &["btrfsprogs"]), (Vfat, &["dosfstools"])];

/// The ways of this family.
pub fn ways(family: Family) -> Option<&'static Ways> {
    WAYS.iter().find(|ways| ways.family == family)
}

/// The packages of the signed shim and the signed GRUB behind it, where their places are known here.
pub fn shim(family: Family, architecture: Architecture) -> Option<&'static [&'static str]> {
    match (family, architecture) {
        (Family::Debian | Family::Ubuntu, X86_64) => Some(&["shim-signed", "grub-efi-amd64-signed"]),
        (Family::Debian | Family::Ubuntu, Aarch64) => Some(&["shim-signed", "grub-efi-arm64-signed"]),
        _ => None,
    }
}
