//! The facts: plain data, collected once, judged by pure functions. `bootworthy.facts/1`.

mod features;
mod login;
mod modules;
mod services;
mod system;

pub use features::{Agent, ConfigFile, Crypt, Selinux, Watchdog};
pub use login::{Account, Accounts, CloudInit, Datasources, MachineId, PresentFile};
pub use modules::{Initrd, ModprobeRule, Module, ModuleLoad, ModuleTree, Segment};
pub use services::{Assignment, Setting, Unit, UnitStart};
pub use system::{Mount, OsRelease, Package};

use crate::fact::{Fact, Flaw, Listing};
use serde::{Deserialize, Serialize};

/// The `schema` of saved facts.
pub const SCHEMA: &str = "bootworthy.facts/1";

/// Everything that is known of one image. A missing field is unknown, never a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The file or directory that was opened.
    #[serde(default)]
    pub image: Fact<Image>,
    /// `null` where the image has none (a directory, a file system on the whole disk).
    #[serde(default)]
    pub partition_table: Fact<Option<PartitionTable>>,
    /// Partitions in table order, or the whole disk as one.
    #[serde(default)]
    pub volumes: Fact<Listing<Volume>>,
    /// Which volume is the root file system, and how that was decided.
    #[serde(default)]
    pub root: Fact<Root>,
    /// os-release.
    #[serde(default)]
    pub os: Fact<OsRelease>,
    /// What the boot loaders offer, in their order.
    #[serde(default)]
    pub boot_entries: Fact<Listing<BootEntry>>,
    /// Kernels that boot entries name, and those in /boot that none names.
    #[serde(default)]
    pub kernels: Fact<Listing<Kernel>>,
    /// Initrds that boot entries name.
    #[serde(default)]
    pub initrds: Fact<Listing<Initrd>>,
    /// modprobe.d of the root tree, in the order in which kmod reads it.
    #[serde(default)]
    pub modprobe: Fact<Listing<ModprobeRule>>,
    /// Modules that the root tree loads by name at boot.
    #[serde(default)]
    pub module_loads: Fact<Listing<ModuleLoad>>,
    /// Rows of /etc/fstab; `null` where there is no such file.
    #[serde(default)]
    pub fstab: Fact<Option<Listing<Mount>>>,
    /// Package database.
    #[serde(default)]
    pub packages: Fact<Listing<Package>>,
    /// systemd's units, as they will be at the first boot.
    #[serde(default)]
    pub units: Fact<Listing<Unit>>,
    /// systemd's own settings (`[Manager]`), merged over system.conf and its drop-ins, in the order in which they are read.
    #[serde(default)]
    pub manager: Fact<Listing<Setting>>,
    /// The guest agent's configuration.
    #[serde(default)]
    pub agent: Fact<Agent>,
    /// The watchdog daemon's configuration.
    #[serde(default)]
    pub watchdog: Fact<Watchdog>,
    /// Rows of /etc/crypttab; `null` where there is no such file.
    #[serde(default)]
    pub crypttab: Fact<Option<Listing<Crypt>>>,
    /// What /etc/selinux/config asks for; `null` where there is no such file.
    #[serde(default)]
    pub selinux: Fact<Option<Selinux>>,
    /// Files that checks ask for by their path.
    #[serde(default)]
    pub files: Fact<Listing<PresentFile>>,
    /// cloud-init's configuration.
    #[serde(default)]
    pub cloud_init: Fact<CloudInit>,
    /// Files that identify the machine.
    #[serde(default)]
    pub machine_ids: Fact<Vec<MachineId>>,
    /// Private host keys, paths in the guest's tree.
    #[serde(default)]
    pub host_keys: Fact<Listing<String>>,
    /// Who may log in with a password.
    #[serde(default)]
    pub accounts: Fact<Accounts>,
}

/// The image file itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// As the user named it.
    pub path: String,
    /// `raw`, `qcow2` or `directory`.
    pub format: String,
    /// Bytes of the virtual disk; `null` for a directory.
    #[serde(default)]
    pub virtual_size: Fact<Option<u64>>,
    /// Bytes of the file; `null` for a directory.
    #[serde(default)]
    pub file_size: Fact<Option<u64>>,
    /// Details worth a line: `zstd`, `v3`, `lazy-refcounts`.
    #[serde(default)]
    pub features: Fact<Vec<String>>,
    /// What makes the file unsafe to boot or upload.
    #[serde(default)]
    pub flaws: Fact<Listing<Flaw>>,
}

/// A partition table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionTable {
    /// `gpt` or `dos`, as `sfdisk` names them.
    pub scheme: String,
    /// Bytes of a logical sector.
    pub sector_size: u64,
    /// Disk GUID or MBR signature, as `blkid` prints PTUUID.
    #[serde(default)]
    pub id: Fact<Option<String>>,
    /// Copies that disagree, overlaps, partitions past the end.
    #[serde(default)]
    pub flaws: Fact<Listing<Flaw>>,
    /// One past the last byte that any partition or backup table uses.
    #[serde(default)]
    pub used_end: Fact<u64>,
}

/// A partition, or the whole disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Partition number, 0 for the whole disk.
    pub number: u32,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// Type GUID (lower case) or MBR type (`0x83`).
    pub kind: String,
    /// PARTUUID, lower case.
    #[serde(default)]
    pub partuuid: Fact<Option<String>>,
    /// PARTLABEL.
    #[serde(default)]
    pub partlabel: Fact<Option<String>>,
    /// What stands in it; `null` when it is known to hold no file system (bios-boot).
    #[serde(default)]
    pub filesystem: Fact<Option<Filesystem>>,
}

/// A file system's identity, as `blkid` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// `ext4`, `vfat`, `xfs`, `swap`, `crypto_LUKS`, `LVM2_member` …
    pub kind: String,
    /// UUID.
    #[serde(default)]
    pub uuid: Fact<Option<String>>,
    /// LABEL.
    #[serde(default)]
    pub label: Fact<Option<String>>,
    /// Mount options that it holds itself (`tune2fs -o` and `-E mount_opts=`), as words; they come before those of
    /// fstab, which may take them back.
    #[serde(default)]
    pub mount_options: Fact<Vec<String>>,
}

/// The root file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Its [`Volume::number`]; `null` for a directory.
    pub volume: Option<u32>,
    /// How it was chosen: `named by root=UUID=… of the default entry`, `the only candidate, found by content`, `named by --root`.
    pub chosen: String,
}

/// One thing a boot loader offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootEntry {
    /// Unique in the image: GRUB's menu path with ids, or the file name of a loader entry.
    pub id: String,
    /// As shown in the menu.
    pub title: String,
    /// Configuration file, path in the guest.
    pub config: String,
    /// Line of the entry, from 1.
    pub line: u32,
    /// Firmware that reaches it: `bios`, `uefi`; empty when there is neither boot code nor a loader for its kernel.
    #[serde(default)]
    pub firmware: Fact<Vec<String>>,
    /// Firmware that starts a GRUB which does not come to it, or may not, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<LoaderStop>,
    /// Booted when nobody chooses. Undecidable: every entry is one.
    #[serde(default)]
    pub is_default: Fact<bool>,
    /// In loader order; the first decides.
    #[serde(default)]
    pub attempts: Fact<Listing<Attempt>>,
}

/// What keeps GRUB from an entry: a module that it does not find, a menu that is not where it looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoaderStop {
    /// `bios` or `uefi`.
    pub firmware: String,
    /// What was found; unknown where it may come to the entry.
    #[serde(default)]
    pub found: Fact<String>,
    /// The file that is not as it must be, path in the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// One kernel start within an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Condition, as written (`"${initrdfail}" = 1`); empty when there is none.
    #[serde(default)]
    pub when: String,
    /// Line of the kernel command in the configuration.
    pub line: u32,
    /// Kernel, path in the guest's tree (`/boot/vmlinuz-…` even when /boot is a volume of its own).
    pub kernel: String,
    /// Initrds, in order, paths in the guest's tree.
    #[serde(default)]
    pub initrds: Fact<Vec<String>>,
    /// Command line, variables resolved.
    #[serde(default)]
    pub cmdline: Fact<String>,
}

/// A kernel image and its modules in the root tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Path in the guest's tree.
    pub path: String,
    /// `false` when a boot entry names it and there is no such file.
    #[serde(default)]
    pub exists: Fact<bool>,
    /// `uname -r`, from the header, never from the file name.
    #[serde(default)]
    pub version: Fact<String>,
    /// `x86_64`, `aarch64` …
    #[serde(default)]
    pub architecture: Fact<String>,
    /// Options of interest of its config; `null` when the image has no config file for it.
    #[serde(default)]
    pub config: Fact<Option<KernelConfig>>,
    /// What keeps it from being started: a file shorter than its header claims.
    #[serde(default)]
    pub flaws: Fact<Listing<Flaw>>,
    /// Its module folder in the root tree; `null` when there is none.
    #[serde(default)]
    pub modules: Fact<Option<ModuleTree>>,
    /// The initramfs inside it, looked for where a boot entry starts it without an initrd; `null` when there is none.
    #[serde(default)]
    pub initramfs: Fact<Option<Initrd>>,
}

/// A kernel configuration file, reduced to [`crate::guest::kernel::CONFIG_OPTIONS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelConfig {
    /// `/boot/config-…`.
    pub path: String,
    /// Options found, set or `is not set`.
    pub options: Vec<ConfigOption>,
}

/// One line of a kernel configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigOption {
    /// With its `CONFIG_` prefix.
    pub name: String,
    /// `y`, `m`, `n` (is not set) or a value.
    pub value: String,
    /// Line, from 1.
    pub line: u32,
}
