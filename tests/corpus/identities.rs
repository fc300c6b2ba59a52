//! Types, UUIDs and labels of other people's file systems.

use crate::corpus;
use bootworthy::bytes::{Bytes, text};
use bootworthy::disk::filesystem::identify;
use bootworthy::disk::source::FileBytes;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Types that are identified with UUID and LABEL; NTFS and exFAT keep their label where it is not read.
const KNOWN: &[&str] = &[
    "linux_raid_member",
    "LVM2_member",
    "crypto_LUKS",
    "vfat",
    "swap",
    "swsuspend",
    "xfs",
    "jbd",
    "ext2",
    "ext3",
    "ext4",
    "squashfs",
    "iso9660",
    "ntfs",
    "btrfs",
    "f2fs",
    "exfat",
    "erofs",
];

/// `\xNN` of udev's encoding as the bytes they stand for.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(1..3).filter(|_| *first == b'\\' && behind[0] == b'x');
        let byte = hex.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[3..] } else { behind };
    }
    text(&bytes)
}

#[test]
fn identities_equal_the_expected_ones() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let (mut compared, mut other, mut wrong) = (0, 0, Vec::new());
    let mut names: Vec<PathBuf> = fs::read_dir(corpus("blkid")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for expected in names.iter().filter(|path| path.extension().is_some_and(|extension| extension == "expected")) {
        let unpack = Command::new("xz")
            .arg("-dc")
            .arg(expected.with_extension("img.xz"))
            .stdout(Stdio::from(File::create(&image).unwrap()))
            .status();
        assert!(unpack.expect("xz is needed by this test").success());
        let lines = fs::read_to_string(expected).unwrap();
        let tags: BTreeMap<&str, &str> = lines.lines().filter_map(|line| line.split_once('=')).collect();
        let tag = |name: &str| tags.get(name).map(|value| decoded(value));
        let volume: Bytes = Arc::new(FileBytes::new(File::open(&image).unwrap()).unwrap());
        let found = identify(&volume)
            .unwrap_or_else(|error| panic!("{}: {error}", expected.display()))
            .map(|found| (found.kind, found.uuid, found.label));
        // What is not read as far as UUID and LABEL may be named, or not, but never be taken for something else.
        let expected_kind = tag("ID_FS_TYPE");
        let is_named = |found: &str| expected_kind.as_deref() == Some(found);
        let kind = expected_kind.clone().filter(|kind| KNOWN.contains(&kind.as_str()));
        let wanted = kind.map(|kind| (kind, tag("ID_FS_UUID_ENC"), tag("ID_FS_LABEL_ENC")));
        if wanted.is_some() {
            compared += 1;
        } else {
            other += 1;
        }
        if found != wanted && (wanted.is_some() || found.as_ref().is_none_or(|found| !is_named(&found.0))) {
            wrong.push(format!("{}: {found:?}, expected {wanted:?}", expected.display()));
        }
    }
    eprintln!("{compared} identities compared, {other} volumes of other types are named as none");
    assert!(wrong.is_empty() && compared > 20, "{}", wrong.join("\n"));
}
