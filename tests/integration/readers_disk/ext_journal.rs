//! Journals that must be replayed, written by `debugfs`, against what `e2fsck` makes of them.

use super::ext::{debugfs, mend};
use super::filesystems::{assert_equal, rdump};
use super::{Folder, Random, file, memory, mount, run};
use bootworthy::error::ErrorKind;
use bootworthy::limits::MIB;
use std::fs;
use std::process::Command;

/// A small tree before and after a change, as two images of the same file system.
fn before_and_after(folder: &Folder, options: &str) -> (String, Vec<u8>) {
    let mut random = Random(31);
    let tree = folder.path("tree");
    let _ = fs::remove_dir_all(&tree);
    fs::create_dir_all(tree.join("etc")).unwrap();
    for index in 0..40 {
        fs::write(tree.join(format!("etc/file{index}")), random.bytes(index * 97)).unwrap();
    }
    let image = folder.sized("image", 16 * MIB);
    let command = ["mke2fs", "-q", "-F", "-d", tree.to_str().unwrap()];
    run(&command.into_iter().chain(options.split(' ')).chain([image.as_str()]).collect::<Vec<_>>());
    let after = folder.at("after");
    fs::copy(&image, &after).unwrap();
    // A file whose blocks begin with the journal's own magic number.
    let magic = [&[0xc0, 0x3b, 0x39, 0x98][..], &random.bytes(9000)].concat();
    let new = folder.write("new", &magic);
    let write = format!("write {new} /etc/new");
    debugfs(
        folder,
        &after,
        &[&write, "rm /etc/file7", "mkdir /etc/made", "symlink /etc/link file9", "sif /etc/file9 mode 0100600"],
    );
    (image, fs::read(after).unwrap())
}

/// Blocks in which two images differ, and the second one's content of them.
fn changed(before: &[u8], after: &[u8], size: usize) -> (Vec<usize>, Vec<u8>) {
    let differ = |index: &usize| before[index * size..][..size] != after[index * size..][..size];
    let blocks: Vec<usize> = (0..before.len() / size).filter(differ).collect();
    let bytes = blocks.iter().flat_map(|index| after[index * size..][..size].to_vec()).collect();
    (blocks, bytes)
}

fn numbers(blocks: &[usize]) -> String {
    blocks.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// The tree that the image leads to once `e2fsck` has replayed its journal.
fn assert_replayed(folder: &Folder, image: &str, what: &str) {
    let replayed = folder.at("replayed");
    fs::copy(image, &replayed).unwrap();
    let _ = Command::new("e2fsck").args(["-y", "-E", "journal_only", &replayed]).output().unwrap();
    let features = String::from_utf8(run(&["dumpe2fs", "-h", &replayed])).unwrap();
    assert!(!features.contains("needs_recovery"), "{what}: {features}");
    let dumped = rdump(folder, &replayed);
    if what.contains("inline_data") {
        mend(&dumped, &folder.path("tree"));
    }
    let filesystem = mount(file(image)).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_equal(filesystem.as_ref(), &dumped);
    fs::remove_dir_all(dumped).unwrap();
}

const KINDS: [(&str, usize); 6] = [
    ("-t ext4 -b 1024", 1024),
    ("-t ext4 -b 4096", 4096),
    ("-t ext4 -b 1024 -O ^64bit,^metadata_csum", 1024),
    ("-t ext4 -b 1024 -O ^64bit", 1024),
    ("-t ext3 -b 1024", 1024),
    ("-t ext4 -b 1024 -O inline_data,fast_commit", 1024),
];

#[test]
fn committed_transactions_are_replayed_and_others_are_not() {
    let folder = Folder::new();
    for (options, size) in KINDS {
        for open in ["jo", "jo -c", "jo -c -v 2"] {
            let (image, after) = before_and_after(&folder, options);
            let before = fs::read(&image).unwrap();
            let (blocks, bytes) = changed(&before, &after, size);
            let data = folder.write("data", &bytes);
            let (half, rest) = blocks.split_at(blocks.len() / 2);
            let back = folder
                .write("back", &rest.iter().flat_map(|b| before[b * size..][..size].to_vec()).collect::<Vec<_>>());
            let all = format!("jw -b {} {data}", numbers(&blocks));
            for (what, commands) in [
                ("committed", &[open, &all, "jc"][..]),
                ("torn", &[open, &all, "jc"]),
                ("committed, then one that is not", &[open, &all, &format!("jw -c -b {} {back}", numbers(rest)), "jc"]),
                ("revoked", &[open, &all, &format!("jw -r {}", numbers(&blocks)), "jc"]),
                ("revoked, then written", &[open, &format!("jw -r {}", numbers(half)), &all, "jc"]),
                ("written, revoked and written", &[open, &all, &format!("jw -r {}", numbers(half)), &all, "jc"]),
                ("written back", &[open, &all, &format!("jw -b {} {back}", numbers(rest)), &all, "jc"]),
            ] {
                fs::write(&image, &before).unwrap();
                debugfs(&folder, &image, commands);
                let what = format!("{options}, {open}, {what}");
                if what.ends_with("torn") {
                    tear(&image);
                }
                let features = String::from_utf8(run(&["dumpe2fs", "-h", &image])).unwrap();
                assert!(features.contains("needs_recovery"), "{what}: {features}");
                let is_version_1 = open != "jo" && (options.contains("^metadata_csum") || options.contains("ext3"));
                if is_version_1 && commands.iter().any(|command| command.starts_with("jw -r")) {
                    // debugfs 1.47 adds revocations to these checksums; Linux and e2fsck do not, and refuse them.
                    assert_eq!(mount(file(&image)).err().map(|error| error.kind), Some(ErrorKind::Corrupt), "{what}");
                    continue;
                }
                assert_replayed(&folder, &image, &what);
                let is_new = mount(file(&image)).unwrap().symlink_metadata(&"/etc/new".into_path()).is_ok();
                let is_kept = what.ends_with("torn") || what.ends_with("revoked");
                assert_eq!(is_new, !is_kept, "{what}");
            }
        }
    }
}

/// Takes the commits out of a journal.
fn tear(image: &str) {
    let commit = [0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 2];
    let mut bytes = fs::read(image).unwrap();
    for at in (0..bytes.len()).step_by(1024) {
        if bytes[at..].starts_with(&commit) {
            bytes[at..at + 1024].fill(0);
        }
    }
    fs::write(image, bytes).unwrap();
}

trait IntoPath {
    fn into_path(self) -> bootworthy::disk::filesystem::GuestPath;
}

impl IntoPath for &str {
    fn into_path(self) -> bootworthy::disk::filesystem::GuestPath {
        bootworthy::disk::filesystem::GuestPath::new(self)
    }
}

/// An image with one committed transaction, and the byte at which its journal begins.
fn with_journal(folder: &Folder, options: &str, open: &str) -> (Vec<u8>, usize) {
    let (image, after) = before_and_after(folder, options);
    let (blocks, bytes) = changed(&fs::read(&image).unwrap(), &after, 1024);
    let data = folder.write("data", &bytes);
    debugfs(folder, &image, &[open, &format!("jw -b {} {data}", numbers(&blocks)), "jc"]);
    let start = String::from_utf8(run(&["debugfs", "-R", "bmap <8> 0", &image])).unwrap();
    (fs::read(image).unwrap(), start.trim().parse::<usize>().unwrap() * 1024)
}

#[test]
fn a_damaged_journal_gives_no_other_tree() {
    let folder = Folder::new();
    let (whole, start) = with_journal(&folder, "-t ext4 -b 1024", "jo -c");
    let names = |bytes: Vec<u8>| {
        let listing = mount(memory(bytes))?.read_dir(&"/etc".into_path(), 100)?;
        assert_eq!(listing.gaps, []);
        Ok::<_, bootworthy::error::Error>(listing.items.into_iter().map(|entry| entry.name).collect::<Vec<_>>())
    };
    let expected = names(whole.clone()).unwrap();
    let mut random = Random(77);
    let used: Vec<usize> = (start..start + 60 * 1024).filter(|at| whole[*at] != 0).collect();
    let mut refused = 0;
    for _ in 0..300 {
        let mut bytes = whole.clone();
        let at = used[random.below(used.len() as u64) as usize];
        bytes[at] ^= 1 << random.below(8);
        match names(bytes) {
            Ok(found) if found == expected => {}
            // A header that is none, or a descriptor that leads past its commit, is a transaction that was not
            // committed, as it is for Linux.
            Ok(found) => {
                let offset = at - start;
                assert!(offset % 1024 < 12 || offset / 1024 == 1, "byte {at} of the journal at {start}");
                assert!(!found.contains(&b"new".to_vec()));
            }
            Err(error) => {
                assert!(matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Unsupported), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn forged_journals_end() {
    let folder = Folder::new();
    let (whole, start) = with_journal(&folder, "-t ext4 -b 1024 -O ^metadata_csum", "jo");
    let mut random = Random(78);
    for round in 0..400 {
        let mut bytes = whole.clone();
        let reach = [100, 1024 + 100, 60 * 1024][round % 3];
        for _ in 0..=random.below(3) {
            let at = start + (random.below(reach) as usize & !3);
            let value = [0, u32::MAX, random.next() as u32, 1 << random.below(32)][random.below(4) as usize];
            bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        if let Ok(filesystem) = mount(memory(bytes)) {
            let _ = filesystem.read_dir(&"/etc".into_path(), 100);
        }
    }
    // A log of descriptors only, which leads back to its start.
    let mut bytes = whole.clone();
    let descriptor = whole[start + 1024..start + 2048].to_vec();
    for at in (start + 1024..start + 1024 * 1024).step_by(1024) {
        bytes[at..at + 1024].copy_from_slice(&descriptor);
    }
    assert_eq!(mount(memory(bytes)).err().map(|error| error.kind), Some(ErrorKind::Corrupt));
}

#[test]
fn journals_that_are_not_read_are_named() {
    let folder = Folder::new();
    let (whole, start) = with_journal(&folder, "-t ext4 -b 1024 -O ^metadata_csum", "jo");
    let word = |bytes: &mut [u8], at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    for (at, value, said) in
        [(0x28, 0x40_u32, "unknown features 0x40"), (0x2c, 1, "unknown features"), (0x40, 2, "2 file systems share it")]
    {
        let mut bytes = whole.clone();
        word(&mut bytes, start + at, value);
        let error = mount(memory(bytes)).err().unwrap();
        assert!(error.kind == ErrorKind::Unsupported && error.to_string().contains(said), "{error}");
    }
    // Another device holds it: the number of its inode is 0, its UUID stands in the superblock.
    let mut bytes = whole.clone();
    word(&mut bytes, 1024 + 0xe0, 0);
    word(&mut bytes, 1024 + 0xd0, 7);
    let error = mount(memory(bytes)).err().unwrap();
    assert!(error.kind == ErrorKind::Unsupported && error.to_string().contains("another device"), "{error}");
    // Fast commits of the transaction that follows, behind the log.
    let mut bytes = whole.clone();
    word(&mut bytes, start + 0x28, 0x20);
    word(&mut bytes, start + 0x54, 256);
    let behind = blocks_of(&whole, start) - 256;
    let sequence = u32::from_be_bytes(bytes[start + 0x18..start + 0x1c].try_into().unwrap()) + 1;
    assert!(mount(memory(bytes.clone())).is_err() || behind >= 1024);
    let at = start + behind * 1024;
    bytes[at..at + 2].copy_from_slice(&9_u16.to_le_bytes());
    bytes[at + 8..at + 12].copy_from_slice(&sequence.to_le_bytes());
    let error = mount(memory(bytes)).err().unwrap();
    assert!(error.to_string().contains("fast commits") || error.kind == ErrorKind::Corrupt, "{error}");
}

fn blocks_of(image: &[u8], start: usize) -> usize {
    u32::from_be_bytes(image[start + 0x10..start + 0x14].try_into().unwrap()) as usize
}
