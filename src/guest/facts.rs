//! The facts: plain data, collected once, judged by pure functions. `bootworthy.facts/1`.

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
    /// Rows of /etc/fstab; `null` where there is no such file.
    #[serde(default)]
    pub fstab: Fact<Option<Listing<Mount>>>,
    /// Package database.
    #[serde(default)]
    pub packages: Fact<Listing<Package>>,
    /// Unit files and links of systemd's folders.
    #[serde(default)]
    pub units: Fact<Listing<Unit>>,
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
}

/// The root file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Its [`Volume::number`]; `null` for a directory.
    pub volume: Option<u32>,
    /// How it was chosen: `named by root=UUID=… of the default entry`, `the only candidate, found by content`, `named by --root`.
    pub chosen: String,
}

/// os-release, keys as the file has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// Where it was read: `/etc/os-release` or `/usr/lib/os-release`.
    pub path: String,
    /// `ID`, `linux` when the file has none (man 5 os-release).
    pub id: String,
    /// `ID_LIKE`, split.
    #[serde(default)]
    pub id_like: Vec<String>,
    /// `VERSION_ID`.
    #[serde(default)]
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`.
    #[serde(default)]
    pub version_codename: Option<String>,
    /// `PRETTY_NAME`.
    #[serde(default)]
    pub pretty_name: Option<String>,
    /// CPU architecture of the userland, from the ELF header of init or the shell: `x86_64`, `aarch64` …
    #[serde(default)]
    pub architecture: Fact<String>,
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
    /// Booted when nobody chooses. Undecidable: every entry is one.
    #[serde(default)]
    pub is_default: Fact<bool>,
    /// In loader order; the first decides.
    #[serde(default)]
    pub attempts: Fact<Listing<Attempt>>,
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

/// `/lib/modules/VERSION` of the root tree, or the same folder of an initrd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleTree {
    /// The folder as it is called in the tree: `/usr/lib/modules/6.1.0-56-cloud-amd64`.
    pub path: String,
    /// Its last component.
    pub version: String,
    /// Module files, sorted by path relative to the folder.
    #[serde(default)]
    pub files: Fact<Listing<String>>,
    /// Module names of modules.builtin, `-` as `_`, sorted; `null` when there is no such file.
    #[serde(default)]
    pub builtin: Fact<Option<Vec<String>>>,
    /// What was read of the modules that checks ask for, and of all they depend on.
    #[serde(default)]
    pub modules: Fact<Listing<Module>>,
}

/// The `.modinfo` of one module file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// `-` as `_`.
    pub name: String,
    /// Relative to the folder.
    pub path: String,
    /// `depends=`, normalised.
    pub depends: Vec<String>,
    /// `softdep=`, as written.
    #[serde(default)]
    pub softdeps: Vec<String>,
    /// `alias=`, as written; only of the modules that checks ask for by alias.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// `vermagic=`.
    pub vermagic: String,
    /// What it is compiled for, from its ELF header, spelled as [`Kernel::architecture`].
    #[serde(default)]
    pub machine: Fact<String>,
    /// Whether modprobe finds it by name: /lib/modules leads to its folder, whose modules.dep.bin names this file and
    /// the files of what it depends on.
    #[serde(default)]
    pub is_indexed: Fact<bool>,
    /// Whether the folder's modules.alias.bin leads from each of its aliases to it.
    #[serde(default)]
    pub is_aliased: Fact<bool>,
}

/// An initrd file, all segments together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initrd {
    /// Path in the guest's tree, or as the user named it.
    pub path: String,
    /// `false` when a boot entry names it and there is no such file.
    #[serde(default)]
    pub exists: Fact<bool>,
    /// Bytes as stored.
    #[serde(default)]
    pub size: Fact<u64>,
    /// In file order.
    #[serde(default)]
    pub segments: Fact<Listing<Segment>>,
    /// What Linux refuses or overlooks.
    #[serde(default)]
    pub flaws: Fact<Listing<Flaw>>,
    /// `/init` (or `/linuxrc`-less systemd's `/init` link) is there.
    #[serde(default)]
    pub has_init: Fact<bool>,
    /// Module folders, one per kernel version.
    #[serde(default)]
    pub modules: Fact<Listing<ModuleTree>>,
}

/// One archive within an initrd file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// First byte in the file.
    pub offset: u64,
    /// `none`, `gzip`, `zstd`, `xz` …
    pub compression: String,
    /// Branch filters of xz that the data went through: `x86`, `arm64` …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// Bytes as stored.
    pub size: u64,
    /// Bytes unpacked.
    pub unpacked: u64,
    /// Entries of the archive, without the trailer.
    pub entries: u64,
    /// Module files among them.
    pub modules: u64,
    /// Microcode files (`kernel/x86/microcode/*`) among them.
    pub microcode: u64,
}

/// One row of fstab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Line, from 1.
    pub line: u32,
    /// The line as it stands.
    pub text: String,
    /// `fs_spec`, octal escapes and quotes resolved as libmount does.
    pub spec: String,
    /// `fs_file`.
    pub target: String,
    /// `fs_vfstype`.
    pub fstype: String,
    /// `fs_mntops`, split at commas.
    pub options: Vec<String>,
    /// `fs_freq`, 0 when missing.
    pub freq: i64,
    /// `fs_passno`, 0 when missing.
    pub passno: i64,
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Epoch; `null` when none is written.
    pub epoch: Option<u64>,
    /// Upstream version.
    pub version: String,
    /// Debian revision or RPM release; `null` when there is none.
    pub release: Option<String>,
    /// Architecture, in the database's spelling.
    pub arch: Option<String>,
    /// The database's word for anything but properly installed: `config-files`, `half-configured`, `unpacked` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// A name in one of systemd's unit folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Path in the guest's tree, `/etc/systemd/system/multi-user.target.wants/ssh.service`.
    pub path: String,
    /// Target, where it is a link (`/dev/null` masks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}
