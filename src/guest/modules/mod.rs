//! Kernel modules: names, `.modinfo`, modules.dep and modules.builtin (`man 5 modules.dep`).

mod index;
mod modinfo;
mod tree;

pub(crate) use index::{Index, Indexes};
pub use modinfo::{decompress, parse_modinfo};
pub use tree::read_tree;
pub(crate) use tree::trimmed;

use crate::bytes::text;
use crate::error::{Error, Result};
use crate::guest::Module;
use std::collections::{BTreeMap, BTreeSet};

/// Modules whose `.modinfo` is read although nothing depends on them: Nova's virtio devices, the SCSI disk on top of
/// virtio-scsi, the watchdog, the CD-ROM of a config drive and its buses, and the file systems that a root, /boot or ESP has. `virtio_pci_modern_dev` and the
/// rest of what they need come with the closure.
pub const SEEDS: &[&str] = &[
    "virtio",
    "virtio_ring",
    "virtio_pci",
    "virtio_blk",
    "virtio_scsi",
    "virtio_net",
    "virtio_rng",
    "virtio_console",
    "scsi_mod",
    "sd_mod",
    "i6300esb",
    "sr_mod",
    "ahci",
    "ata_piix",
    "ext4",
    "xfs",
    "btrfs",
    "f2fs",
    "vfat",
    "erofs",
    "isofs",
    "squashfs",
    "overlay",
    "dm_mod",
    "nls_ascii",
    "nls_cp437",
    "nls_iso8859_1",
    "nls_utf8",
];

/// What [`SEEDS`] depend on in the kernels of Debian, Ubuntu, RHEL, SUSE and Arch, 4.18 to 6.12. Knowing it beforehand
/// saves a second pass over an initrd; what is missing here costs that pass and nothing else.
pub(crate) const LIKELY: &[&str] = &[
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "net_failover",
    "failover",
    "scsi_common",
    "t10_pi",
    "crc_t10dif",
    "crct10dif_common",
    "crct10dif_generic",
    "crc64",
    "crc64_rocksoft",
    "crc64_rocksoft_generic",
    "crc16",
    "crc32c_generic",
    "crc32_generic",
    "mbcache",
    "jbd2",
    "libcrc32c",
    "xor",
    "raid6_pq",
    "zstd_compress",
    "blake2b_generic",
    "lz4_compress",
    "lz4hc_compress",
    "lz4_decompress",
    "fat",
    "cdrom",
    "libahci",
    "libata",
    "dax",
    "dm_log",
    "netfs",
    "fscrypto",
    "lzo_compress",
    "lzo_decompress",
    "zlib_deflate",
    "rng_core",
    "watchdog",
    "virtio_dma_buf",
];

/// A name as `modinfo` and the kernel spell it: `-` and `_` are the same (`man 8 modprobe`).
pub fn normalise(name: &str) -> String {
    name.replace('-', "_")
}

/// The normalised module name of a module file's name or path; `None` when it is no module file.
pub fn module_name(file: &[u8]) -> Option<String> {
    let name = file.rsplit(|byte| *byte == b'/').next()?;
    let name =
        [b".gz".as_slice(), b".xz", b".zst"].iter().find_map(|suffix| name.strip_suffix(*suffix)).unwrap_or(name);
    let name = name.strip_suffix(b".ko").filter(|name| !name.is_empty())?;
    Some(normalise(&text(name)))
}

/// [`SEEDS`] and `extra` (`--require-in-initrd`, a boot entry's file system), normalised.
pub fn wanted(extra: &[&str]) -> Vec<String> {
    let names: BTreeSet<String> = SEEDS.iter().chain(extra).map(|name| normalise(name)).collect();
    names.into_iter().collect()
}

/// Names of modules.builtin, normalised and sorted. A line that names no `.ko` names no module.
pub fn parse_builtin(bytes: &[u8]) -> Vec<String> {
    let names: BTreeSet<String> = bytes.split(|byte| *byte == b'\n').filter_map(module_name).collect();
    names.into_iter().collect()
}

/// Files of modules.dep with the files they need, in load order reversed as `depmod` writes it.
///
/// # Errors
/// `Corrupt` naming the line without a colon.
pub fn parse_dep(bytes: &[u8]) -> Result<BTreeMap<String, Vec<String>>> {
    let mut files = BTreeMap::new();
    for (line, number) in text(bytes).lines().zip(1_u32..) {
        let Some((file, needs)) = line.split_once(':') else {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            return Err(Error::corrupt("modules.dep", format!("line {number} has no colon")));
        };
        files.insert(file.to_owned(), needs.split_ascii_whitespace().map(str::to_owned).collect());
    }
    Ok(files)
}

/// Which of several files of one module `depmod` takes: updates/ first (`man 5 depmod.d`, "search updates built-in").
pub(crate) fn precedence(path: &str) -> (bool, &str) {
    (!path.starts_with("updates/"), path)
}

/// Names that `modules` depend on and that are in neither `modules` nor `asked`.
pub(crate) fn still_needed<'a>(
    modules: impl Iterator<Item = &'a Module>,
    asked: &BTreeSet<String>,
) -> BTreeSet<String> {
    modules.flat_map(|module| &module.depends).filter(|name| !asked.contains(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_module_files() {
        for (file, name) in [
            ("kernel/drivers/scsi/virtio_scsi.ko", Some("virtio_scsi")),
            ("virtio-rng.ko.xz", Some("virtio_rng")),
            ("/a/b.c/snd-hda-codec.ko.zst", Some("snd_hda_codec")),
            ("x.ko.gz", Some("x")),
            ("x.ko.xz.gz", None),
            (".ko", None),
            ("kernel/x.ko.debug", None),
            ("modules.dep", None),
            ("x.KO", None),
            ("", None),
        ] {
            assert_eq!(module_name(file.as_bytes()).as_deref(), name, "{file}");
        }
        assert_eq!(module_name(b"a\xff.ko").unwrap(), "a\\xff");
    }

    #[test]
    fn builtin_is_sorted_and_normalised() {
        let file = b"kernel/drivers/virtio/virtio_pci.ko\nkernel/lib/crc-x.ko\n\nkernel/lib/crc-x.ko\nnot a module\n";
        assert_eq!(parse_builtin(file), ["crc_x", "virtio_pci"]);
    }

    #[test]
    fn dep_lines() {
        let files = parse_dep(b"kernel/a.ko: kernel/b.ko kernel/c.ko\nkernel/b.ko:\n").unwrap();
        assert_eq!(files["kernel/a.ko"], ["kernel/b.ko", "kernel/c.ko"]);
        assert!(files["kernel/b.ko"].is_empty());
        assert_eq!(parse_dep(b"a: b\nbroken\n").unwrap_err().cause.unwrap(), "line 2 has no colon");
    }

    #[test]
    fn seeds_are_normalised_and_no_likely_one_is_a_seed() {
        assert!(SEEDS.iter().chain(LIKELY).all(|name| normalise(name) == *name));
        assert_eq!(LIKELY.iter().find(|name| SEEDS.contains(name)), None);
        assert!(wanted(&["virtio-gpu"]).contains(&"virtio_gpu".to_owned()));
    }
}
