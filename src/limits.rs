//! Every bound on hostile input, named, with where the number comes from.

use serde::{Deserialize, Serialize};

/// One kibibyte, in bytes.
pub const KIB: u64 = 1024;
/// One mebibyte, in bytes.
pub const MIB: u64 = 1024 * KIB;
/// One gibibyte, in bytes.
pub const GIB: u64 = 1024 * MIB;

/// Symbolic links followed in one path: Linux's `MAXSYMLINKS` (`include/linux/namei.h`).
pub const MAX_SYMLINKS: usize = 40;
/// Bytes in one path component: Linux's `NAME_MAX`.
pub const MAX_NAME: usize = 255;
/// Bytes in one path or link target: Linux's `PATH_MAX`.
pub const MAX_PATH: usize = 4096;
/// Components in one path; real trees stay below 20.
pub const MAX_DEPTH: usize = 64;

/// Bytes of a manifest: a catalogue of 10 000 images, as `GET /v2/images` writes it, has 15 MB.
pub const MAX_MANIFEST: u64 = 64 * MIB;

/// Properties of one image, or extra specs of one flavor, in a manifest: 32 times what Glance takes.
pub const MAX_CLAIMS: usize = 4096;

/// The bounds that a user may change; [`Limits::default`] suits real cloud images with an order of magnitude to spare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one configuration file (fstab, os-release, unit files); real ones stay below 100 KiB.
    pub config_file: u64,
    /// Bytes of one grub.cfg; Ubuntu with twenty kernels has 60 KiB, and what is parsed takes a multiple of it in memory.
    pub boot_config: u64,
    /// Bytes of a package database; a full desktop's dpkg status has 20 MB.
    pub package_database: u64,
    /// Bytes of modules.dep, modules.builtin, modules.alias or a kernel config; a distribution's largest is 1.5 MB.
    pub module_index: u64,
    /// Bytes of one unpacked kernel module: of those that are read, btrfs.ko with debug information has 45 MB.
    pub module: u64,
    /// Bytes of one initrd file as stored; a Debian MODULES=most initrd has 33 MB, dracut rescue ones 200 MB.
    pub initrd: u64,
    /// Bytes an initrd unpacks to, all segments together: more than this does not fit a small flavor's memory.
    pub initrd_unpacked: u64,
    /// Segments in one initrd; microcode + early + main are three.
    pub initrd_segments: usize,
    /// Entries in one initrd; a full dracut initrd has 5 000.
    pub initrd_entries: usize,
    /// Entries listed of one directory; Debian's /var/lib/dpkg/info has 20 000.
    pub directory_entries: usize,
    /// Rows of one list of facts (packages, mounts, boot entries).
    pub list_rows: usize,
    /// Bytes of facts the worker may write: a Debian with 2 000 packages and three generic kernels writes 2 MB.
    pub facts: u64,
    /// Bytes of L1 table a qcow2 image may have: QEMU's `QCOW_MAX_L1_SIZE`.
    pub qcow2_l1: u64,
    /// Partitions in one table; `sgdisk` makes 128.
    pub partitions: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            config_file: MIB,
            boot_config: MIB,
            package_database: 128 * MIB,
            module_index: 16 * MIB,
            module: 64 * MIB,
            initrd: GIB,
            initrd_unpacked: 2 * GIB,
            initrd_segments: 64,
            initrd_entries: 200_000,
            directory_entries: 100_000,
            list_rows: 100_000,
            facts: 16 * MIB,
            qcow2_l1: 32 * MIB,
            partitions: 1024,
        }
    }
}
