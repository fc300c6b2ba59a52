//! Facts of initrds, of the modules in them or in the root tree, and of what loads modules or keeps them from it.

use crate::fact::{Fact, Flaw, Listing};
use serde::{Deserialize, Serialize};

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
    /// What it is compiled for, from its ELF header, spelled as [`crate::guest::Kernel::architecture`].
    #[serde(default)]
    pub machine: Fact<String>,
    /// Whether modprobe finds it by name: /lib/modules leads to its folder, whose modules.dep.bin names this file and
    /// the files of what it depends on.
    #[serde(default)]
    pub is_indexed: Fact<bool>,
    /// Whether the folder's modules.alias.bin leads from each of its aliases to it.
    #[serde(default)]
    pub is_aliased: Fact<bool>,
    /// Whether a signature is appended to it; whose it is, is not looked at.
    #[serde(default)]
    pub is_signed: Fact<bool>,
}

/// One line of modprobe.d (`man 5 modprobe.d`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModprobeRule {
    /// `alias`, `blacklist`, `install`, `options`, `remove`, `softdep` or `weakdep`.
    pub command: String,
    /// A module, or a pattern in `alias` and `install`; `-` as `_`.
    pub module: String,
    /// What follows, as written: the module that an alias stands for, a command, options; empty for `blacklist`.
    pub rest: String,
    /// File in the tree.
    pub path: String,
    /// First line of the rule, from 1.
    pub line: u32,
}

/// A module that something loads by its name at boot, whether or not there is a device for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleLoad {
    /// A module or an alias, `-` as `_`.
    pub module: String,
    /// What loads it: `systemd-modules-load`, `openrc`, `watchdog`, `initramfs-tools`, `dracut`, `mkinitcpio`, `mkinitfs`.
    pub by: String,
    /// Whether it loads what a `blacklist` names, too.
    pub is_forced: bool,
    /// File in the tree.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
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
    /// Its modprobe.d, and blacklists of dracut's cmdline.d, in the order in which they are read.
    #[serde(default)]
    pub modprobe: Fact<Listing<ModprobeRule>>,
    /// Modules that it loads by name.
    #[serde(default)]
    pub module_loads: Fact<Listing<ModuleLoad>>,
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
