//! Feature bits of the superblock, named as `mke2fs` names them (e2fsprogs, `lib/ext2fs/ext2_fs.h`).

/// Compatible: there is a journal.
pub(super) const HAS_JOURNAL: u32 = 0x4;
/// Compatible: backups of the superblock stand in the two groups that it names.
pub(super) const SPARSE_SUPER2: u32 = 0x200;

/// Incompatible: directory entries carry the file type.
pub(super) const FILETYPE: u32 = 0x2;
/// Incompatible: the journal must be replayed.
pub(super) const NEEDS_RECOVERY: u32 = 0x4;
/// Incompatible: group descriptors stand in the groups that they describe.
pub(super) const META_BG: u32 = 0x10;
/// Incompatible: block numbers have 64 bits.
pub(super) const SIXTY_FOUR_BIT: u32 = 0x80;
/// Incompatible: the checksums' seed stands in the superblock.
pub(super) const CSUM_SEED: u32 = 0x2000;
/// Incompatible: sizes of directories have 64 bits.
pub(super) const LARGE_DIR: u32 = 0x4000;
/// Incompatible: small files stand in their inodes.
pub(super) const INLINE_DATA: u32 = 0x8000;
/// Incompatible features that are read: besides those above `extent`, `mmp`, `flex_bg`, `ea_inode`, `encrypt` (its
/// files are refused one by one) and `casefold`.
const READ: u32 = FILETYPE
    | NEEDS_RECOVERY
    | META_BG
    | 0x40
    | SIXTY_FOUR_BIT
    | 0x100
    | 0x200
    | 0x400
    | CSUM_SEED
    | LARGE_DIR
    | INLINE_DATA
    | 0x1_0000
    | 0x2_0000;
/// Incompatible features that are refused.
const REFUSED: &[(u32, &str)] =
    &[(0x1, "compression"), (0x8, "journal_dev (an external journal)"), (0x1000, "dirdata")];

/// Read-only compatible: not every group has a backup of the superblock.
pub(super) const SPARSE_SUPER: u32 = 0x1;
/// Read-only compatible: sizes of files may be counted in blocks.
pub(super) const HUGE_FILE: u32 = 0x8;
/// Read-only compatible: group descriptors have a CRC-16.
pub(super) const GDT_CSUM: u32 = 0x10;
/// Read-only compatible: blocks are allocated in clusters.
pub(super) const BIGALLOC: u32 = 0x200;
/// Read-only compatible: checksums of everything.
pub(super) const METADATA_CSUM: u32 = 0x400;
/// Read-only compatible features that Linux mounts for writing (`EXT4_FEATURE_RO_COMPAT_SUPP`).
const WRITTEN: u32 = SPARSE_SUPER
    | 0x2
    | 0x4
    | HUGE_FILE
    | GDT_CSUM
    | 0x20
    | 0x40
    | 0x100
    | BIGALLOC
    | METADATA_CSUM
    | 0x2000
    | 0x8000
    | 0x1_0000;

/// Names of the incompatible features that are not read, or `None` when all are.
pub(super) fn unread(incompat: u32) -> Option<String> {
    let mut names: Vec<String> =
        REFUSED.iter().filter(|(bit, _)| incompat & bit != 0).map(|(_, name)| (*name).to_owned()).collect();
    let unknown = REFUSED.iter().fold(incompat & !READ, |left, (bit, _)| left & !bit);
    if unknown != 0 {
        names.push(format!("unknown incompatible bits {unknown:#x}"));
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// Read-only compatible bits with which Linux does not mount for writing.
pub(super) fn unwritten(ro_compat: u32) -> u32 {
    ro_compat & !WRITTEN
}

/// `EXT2_DEFM_*` and `EXT4_DEFM_*` with the names that `tune2fs -o` has for them (e2fsprogs, `lib/e2p/mntopts.c`).
const MOUNT_OPTIONS: &[(u32, &str)] = &[
    (0x1, "debug"),
    (0x2, "bsdgroups"),
    (0x4, "user_xattr"),
    (0x8, "acl"),
    (0x10, "uid16"),
    (0x100, "nobarrier"),
    (0x200, "block_validity"),
    (0x400, "discard"),
    (0x800, "nodelalloc"),
];

/// Words of `s_default_mount_opts`.
pub(super) fn mount_options(bits: u32) -> impl Iterator<Item = &'static str> {
    let journal = match bits & 0x60 {
        0x20 => Some("journal_data"),
        0x40 => Some("journal_data_ordered"),
        0x60 => Some("journal_data_writeback"),
        _ => None,
    };
    MOUNT_OPTIONS.iter().filter(move |(bit, _)| bits & bit != 0).map(|(_, name)| *name).chain(journal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_features_are_named() {
        for (incompat, expected) in [
            (0x3_e7d6, None),
            (0x42, None),
            (0x0, None),
            (0x13, Some("compression")),
            (0x1008, Some("journal_dev (an external journal), dirdata")),
            (0x4000_0002, Some("unknown incompatible bits 0x40000000")),
            (0x4000_0821, Some("compression, unknown incompatible bits 0x40000820")),
        ] {
            assert_eq!(unread(incompat).as_deref(), expected, "{incompat:#x}");
        }
    }

    #[test]
    fn mount_options_are_words() {
        for (bits, expected) in
            [(0, ""), (0xc, "user_xattr acl"), (0x40c, "user_xattr acl discard"), (0x60, "journal_data_writeback")]
        {
            assert_eq!(mount_options(bits).collect::<Vec<_>>().join(" "), expected, "{bits:#x}");
        }
    }
}
