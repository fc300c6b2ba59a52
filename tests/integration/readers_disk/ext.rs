//! ext2, ext3 and ext4 of every kind against `debugfs`: equal names, links and bytes.

use super::filesystems::{assert_equal, blkid, listed, rdump, tree};
use super::{Folder, Random, file, mount, run};
use bootworthy::bytes::read_capped;
use bootworthy::disk::filesystem::{FileSystem, GuestPath};
use bootworthy::error::ErrorKind;
use bootworthy::limits::MIB;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use walkdir::WalkDir;

/// Runs `debugfs` for writing; it ends well whatever its commands did, so what it says is checked.
pub(super) fn debugfs(folder: &Folder, image: &str, commands: &[&str]) {
    let script = folder.write("commands", commands.join("\n").as_bytes());
    let said = String::from_utf8(run(&["debugfs", "-w", "-f", &script, image])).unwrap();
    let complaint = said.lines().find(|line| !line.starts_with("debugfs: ") && line.contains(": "));
    assert!(complaint.is_none_or(|line| line.starts_with("Allocated inode")), "{commands:?}: {said}");
}

/// debugfs 1.47 writes 60 bytes for every shorter file that stands in its inode; its `stat` knows better.
pub(super) fn mend(dumped: &Path, tree: &Path) {
    for entry in WalkDir::new(tree).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file()) {
        let (length, name) = (entry.metadata().unwrap().len(), entry.path().strip_prefix(tree).unwrap());
        if length < 60 && dumped.join(name).exists() {
            fs::OpenOptions::new().write(true).open(dumped.join(name)).unwrap().set_len(length).unwrap();
        }
    }
}

/// Options of `mke2fs`, and MiB of the volume.
const KINDS: &[(u64, &str)] = &[
    (64, "-t ext2 -b 1024"),
    (64, "-t ext2 -b 2048"),
    (64, "-t ext2 -b 4096 -I 128"),
    (64, "-t ext2 -r 0"),
    (64, "-t ext2 -b 1024 -O ^filetype"),
    (64, "-t ext2 -b 1024 -O ^sparse_super,^resize_inode"),
    (64, "-t ext3 -b 1024"),
    (64, "-t ext3 -b 4096"),
    (64, "-t ext4"),
    (64, "-t ext4 -b 1024 -O ^metadata_csum,^64bit"),
    (64, "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg"),
    (64, "-t ext4 -b 2048 -I 128 -O ^metadata_csum"),
    (64, "-t ext4 -b 1024 -I 128"),
    (64, "-t ext4 -b 4096 -I 1024"),
    (64, "-t ext4 -O ^64bit"),
    (64, "-t ext4 -O ^extent,^64bit"),
    (64, "-t ext4 -b 1024 -O ^extent,^64bit,^dir_index"),
    (64, "-t ext4 -O ^huge_file,^flex_bg"),
    (64, "-t ext4 -O inline_data"),
    (64, "-t ext4 -O inline_data,^metadata_csum -b 1024"),
    (64, "-t ext4 -O inline_data -I 512 -b 2048"),
    (64, "-t ext4 -O inline_data -I 1024"),
    (64, "-t ext4 -O meta_bg,^resize_inode"),
    (64, "-t ext4 -O meta_bg,^resize_inode -b 1024 -g 1024"),
    (64, "-t ext4 -O meta_bg,^resize_inode,^sparse_super,^64bit -b 1024 -g 1024"),
    (64, "-t ext4 -O sparse_super2,meta_bg,^resize_inode -b 1024 -g 1024"),
    (64, "-t ext4 -O bigalloc -C 16384"),
    (64, "-t ext4 -O bigalloc -C 8192 -b 1024"),
    (64, "-t ext4 -O metadata_csum_seed,^has_journal"),
    (64, "-t ext4 -O metadata_csum_seed -U 01234567-89ab-cdef-0123-456789abcdef"),
    (64, "-t ext4 -O large_dir,ea_inode,mmp,casefold"),
    (64, "-t ext4 -O encrypt,verity,quota,project,stable_inodes"),
    (64, "-t ext4 -O orphan_file,fast_commit"),
    (64, "-t ext4 -b 1024 -G 4 -g 2048"),
    (256, "-t ext4 -b 16384"),
    (512, "-t ext4 -b 65536"),
    (512, "-t ext4 -b 65536 -O inline_data,^metadata_csum,^has_journal"),
    (512, "-t ext2 -b 65536"),
];

#[test]
fn ext_of_every_kind_equals_debugfs() {
    let folder = Folder::new();
    let tree = tree(&folder);
    for (size, options) in KINDS {
        let image = folder.sized("image", size * MIB);
        let command = ["mke2fs", "-q", "-F", "-d", tree.to_str().unwrap()];
        run(&command.into_iter().chain(options.split(' ')).chain([image.as_str()]).collect::<Vec<_>>());
        let dumped = rdump(&folder, &image);
        if options.contains("inline_data") {
            mend(&dumped, &tree);
        }
        let filesystem = mount(file(&image)).unwrap_or_else(|error| panic!("{options}: {error}"));
        assert_eq!(Some(filesystem.identity().kind), blkid(&image)[0].clone(), "{options}");
        assert_eq!(assert_equal(filesystem.as_ref(), &dumped), 161, "{options}");
        fs::remove_dir_all(dumped).unwrap();
        fs::remove_file(image).unwrap();
    }
}

/// Files with holes, and with blocks that were allocated but never written.
fn sparse(folder: &Folder) -> std::path::PathBuf {
    let (root, mut random) = (folder.path("sparse"), Random(12));
    fs::create_dir(&root).unwrap();
    let made = |name: &str, size: u64| {
        let made = fs::File::create(root.join(name)).unwrap();
        made.set_len(size).unwrap();
        made
    };
    // Every other block: more extents than one level of a tree holds, every level of a block map.
    let comb = made("comb", 12 * MIB);
    (0..12 * MIB).step_by(2048).for_each(|at| comb.write_all_at(&random.bytes(1024), at).unwrap());
    let far = made("far", 72 * MIB + 17);
    for at in [0, 11_000, 12_288, 300_000, 66 * MIB, 70 * MIB, 72 * MIB] {
        far.write_all_at(&random.bytes(17), at).unwrap();
    }
    made("empty", 5 * MIB);
    made("whole", 0).write_all_at(&random.bytes(200_000), 0).unwrap();
    made("tail", 0).write_all_at(&random.bytes(100), 0).unwrap();
    root
}

#[test]
fn holes_and_what_was_never_written_are_zeros() {
    let folder = Folder::new();
    let tree = sparse(&folder);
    for options in ["ext4 -b 1024", "ext4 -b 4096", "ext4 -b 1024 -O ^extent,^64bit", "ext3 -b 1024", "ext2 -b 2048"] {
        let image = folder.sized("image", 64 * MIB);
        let command = ["mke2fs", "-q", "-F", "-d", tree.to_str().unwrap(), "-t"];
        run(&command.into_iter().chain(options.split(' ')).chain([image.as_str()]).collect::<Vec<_>>());
        let sizes = ["sif /empty size 5000000", "sif /tail size 90000"];
        let commands =
            ["fallocate /empty 3 700", "fallocate /tail 0 40", "fallocate /far 100 200", "punch /whole 7 20"];
        debugfs(&folder, &image, &[&commands[..], &sizes].concat());
        let dumped = rdump(&folder, &image);
        assert_eq!(assert_equal(mount(file(&image)).unwrap().as_ref(), &dumped), 5, "{options}");
        fs::remove_dir_all(dumped).unwrap();
    }
}

#[test]
fn big_directories_are_whole() {
    for (count, options) in [(20_000_u32, "ext4"), (3000, "ext4 -b 1024 -O large_dir")] {
        let folder = Folder::new();
        let tree = folder.path("tree");
        fs::create_dir_all(tree.join("big")).unwrap();
        let name = |index: u32| format!("package-{index:05}.list");
        (0..count).for_each(|index| fs::write(tree.join("big").join(name(index)), "").unwrap());
        let image = folder.sized("image", 64 * MIB);
        let command = ["mke2fs", "-q", "-F", "-N", "21000", "-d", tree.to_str().unwrap(), "-t"];
        run(&command.into_iter().chain(options.split(' ')).chain([image.as_str()]).collect::<Vec<_>>());
        for is_hashed in [false, true] {
            if is_hashed {
                // 1: e2fsck has changed something, as it was asked to.
                let _ = std::process::Command::new("e2fsck").args(["-fyD", &image]).output().unwrap();
                let said = String::from_utf8(run(&["debugfs", "-R", "htree_dump /big", &image])).unwrap();
                assert!(said.contains("Indirect levels"), "{said}");
            }
            let filesystem = mount(file(&image)).unwrap();
            let big = GuestPath::new("/big");
            let listing = filesystem.read_dir(&big, 30_000).unwrap();
            let names: BTreeSet<Vec<u8>> = listing.items.iter().map(|entry| entry.name.clone()).collect();
            assert_eq!((listing.gaps.len(), names.len()), (0, count as usize), "{options}");
            assert!((0..count).all(|index| names.contains(name(index).as_bytes())));
            assert!((0..count).all(|i| filesystem.symlink_metadata(&big.join(name(i).as_bytes())).is_ok()));
            let missing = filesystem.symlink_metadata(&big.join(b"package")).unwrap_err();
            assert_eq!(missing.kind, ErrorKind::NotFound);
        }
    }
}

fn read(filesystem: &dyn FileSystem, path: &str) -> Result<Vec<u8>, bootworthy::error::Error> {
    read_capped(&mut filesystem.open(&GuestPath::new(path))?, MIB, "file")
}

#[test]
fn what_is_encrypted_is_no_garbage() {
    let folder = Folder::new();
    let tree = tree(&folder);
    let image = folder.sized("image", 64 * MIB);
    run(&["mke2fs", "-q", "-F", "-t", "ext4", "-O", "encrypt", "-d", tree.to_str().unwrap(), &image]);
    let flags = ["sif /a/b/file4 flags 0x80800", "sif /many flags 0x80800", "sif /link600 flags 0x80800"];
    debugfs(&folder, &image, &flags);
    let filesystem = mount(file(&image)).unwrap();
    let kind = |error: bootworthy::error::Error| (error.kind, error.to_string().contains("encrypted"));
    let encrypted = (ErrorKind::Unsupported, true);
    assert_eq!(kind(read(filesystem.as_ref(), "/a/b/file4").unwrap_err()), encrypted);
    assert_eq!(kind(filesystem.read_link(&GuestPath::new("/link600")).unwrap_err()), encrypted);
    assert_eq!(kind(filesystem.symlink_metadata(&GuestPath::new("/many/x")).unwrap_err()), encrypted);
    let listing = filesystem.read_dir(&GuestPath::new("/many"), 10).unwrap();
    assert_eq!((listing.items.len(), listing.gaps.len()), (0, 1));
    assert!(listing.gaps[0].reason.contains("encrypted"));
    assert_eq!(read(filesystem.as_ref(), "/a/b/file3").unwrap().len(), 60);
}

#[test]
fn names_that_differ_in_case_only_are_not_called_absent() {
    let folder = Folder::new();
    let tree = tree(&folder);
    let image = folder.sized("image", 64 * MIB);
    run(&["mke2fs", "-q", "-F", "-t", "ext4", "-O", "casefold", "-d", tree.to_str().unwrap(), &image]);
    debugfs(&folder, &image, &["sif /a flags 0x40080000"]);
    let filesystem = mount(file(&image)).unwrap();
    let kind = |path: &str| filesystem.symlink_metadata(&GuestPath::new(path)).map_err(|error| error.kind).map(drop);
    assert_eq!(kind("/a/b/file3"), Ok(()));
    assert_eq!(kind("/a/B/file3"), Err(ErrorKind::Unsupported));
    assert_eq!(kind("/a/bb"), Err(ErrorKind::NotFound));
    assert_eq!(kind("/A/b"), Err(ErrorKind::NotFound));
}

#[test]
fn features_that_are_not_read_are_named() {
    let folder = Folder::new();
    for (command, name) in [
        (&["compression"][..], "compression"),
        (&["journal_dev"], "journal_dev"),
        (&["dirdata"], "dirdata"),
        (&["FEATURE_I30"], "0x40000000"),
    ] {
        let image = folder.sized("image", 16 * MIB);
        run(&["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum", &image]);
        let set = format!("feature {}", command.join(" "));
        run(&["debugfs", "-w", "-R", &set, &image]);
        let Err(error) = mount(file(&image)) else { panic!("{name} was opened") };
        assert!(error.kind == ErrorKind::Unsupported && error.to_string().contains(name), "{name}: {error}");
    }
}

#[test]
fn mount_options_are_those_of_tune2fs() {
    let folder = Folder::new();
    let image = folder.sized("image", 16 * MIB);
    run(&["mke2fs", "-q", "-F", "-t", "ext4", &image]);
    let options = || mount(file(&image)).unwrap().mount_options().join(" ");
    assert_eq!(options(), "user_xattr acl");
    run(&["tune2fs", "-o", "discard,journal_data_writeback", &image]);
    debugfs(&folder, &image, &["ssv mount_opts nodiscard,commit=30"]);
    assert_eq!(options(), "user_xattr acl discard journal_data_writeback nodiscard commit=30");
    let said = String::from_utf8(run(&["dumpe2fs", "-h", &image])).unwrap();
    let words = said.lines().find_map(|line| line.strip_prefix("Default mount options:")).unwrap();
    let sorted = |words: &str| words.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(sorted(&options().replace("nodiscard commit=30", "")), sorted(words));
    assert!(listed(mount(file(&image)).unwrap().as_ref()).contains_key(&b"/lost+found"[..]));
}
