//! ext and FAT against `debugfs` and `mcopy`; identities against `blkid`.

use super::{Folder, Random, all_bytes, file, memory, mount, opened, run, volume_of};
use bootworthy::bytes::{Bytes, read_capped};
use bootworthy::disk::filesystem::{FileSystem, FileType, GuestPath, identify};
use bootworthy::error::ErrorKind;
use bootworthy::limits::GIB;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use walkdir::WalkDir;

/// What a file is, without its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(u64),
    Directory,
    Link(Vec<u8>),
}

/// Every path that the reader lists.
pub(super) fn listed(filesystem: &dyn FileSystem) -> BTreeMap<Vec<u8>, Node> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![GuestPath::root()]);
    while let Some(folder) = folders.pop() {
        let listing = filesystem.read_dir(&folder, 1_000_000).unwrap();
        assert_eq!(listing.gaps, []);
        for entry in listing.items {
            let path = folder.join(&entry.name);
            let metadata = filesystem.symlink_metadata(&path).unwrap();
            assert_eq!(metadata.file_type, entry.file_type, "{path:?}");
            let node = match entry.file_type {
                FileType::Regular => Node::File(metadata.size),
                FileType::Symlink => Node::Link(filesystem.read_link(&path).unwrap()),
                FileType::Directory => {
                    folders.push(path.clone());
                    Node::Directory
                }
                // debugfs makes no devices, FIFOs or sockets on the host.
                FileType::Other => continue,
            };
            found.insert(path.as_bytes().to_vec(), node);
        }
    }
    found
}

/// Every path below a folder of the host.
fn extracted(root: &Path) -> BTreeMap<Vec<u8>, Node> {
    let entries = WalkDir::new(root).min_depth(1).into_iter().map(Result::unwrap);
    let node = |path: &Path, kind: fs::FileType| {
        if kind.is_dir() {
            Node::Directory
        } else if kind.is_symlink() {
            Node::Link(fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec())
        } else {
            Node::File(fs::metadata(path).unwrap().len())
        }
    };
    let path = |path: &Path| [b"/", path.strip_prefix(root).unwrap().as_os_str().as_bytes()].concat();
    entries.map(|entry| (path(entry.path()), node(entry.path(), entry.file_type()))).collect()
}

/// Paths, sizes, link targets and contents are equal; gives the number of regular files.
pub(super) fn assert_equal(filesystem: &dyn FileSystem, root: &Path) -> usize {
    let (found, expected) = (listed(filesystem), extracted(root));
    for path in found.keys().chain(expected.keys()) {
        assert_eq!(found.get(path), expected.get(path), "{}", String::from_utf8_lossy(path));
    }
    let mut files = 0;
    for path in found.iter().filter(|(_, node)| matches!(node, Node::File(_))).map(|(path, _)| path) {
        let name = String::from_utf8_lossy(path);
        let mut reader = filesystem.open(&GuestPath::new(path)).unwrap();
        let bytes = read_capped(&mut reader, GIB, "file").unwrap_or_else(|error| panic!("{name}: {error}"));
        let host = root.join(std::ffi::OsStr::from_bytes(&path[1..]));
        assert!(bytes == fs::read(host).unwrap(), "{name} has other bytes");
        files += 1;
    }
    files
}

pub(super) fn rdump(folder: &Folder, image: &str) -> std::path::PathBuf {
    let to = folder.path("dumped");
    fs::create_dir(&to).unwrap();
    run(&["debugfs", "-R", &format!("rdump / {}", to.to_str().unwrap()), image]);
    to
}

#[test]
fn the_debian_12_root_equals_debugfs() {
    assert_root_equals("debian12");
}

#[test]
fn the_debian_13_root_equals_debugfs() {
    assert_root_equals("debian13");
}

fn assert_root_equals(image: &str) {
    let folder = Folder::new();
    let disk = opened(crate::common::image(image)).disk;
    let volume = volume_of(&disk, "ext4");
    let image = folder.sized("root", volume.size());
    super::copy(&volume, &image);
    let files = assert_equal(mount(volume).unwrap().as_ref(), &rdump(&folder, &image));
    assert!(files >= 9000, "{files} files");
}

#[test]
fn the_debian_12_esp_equals_mcopy() {
    let folder = Folder::new();
    let disk = opened(crate::common::image("debian12")).disk;
    let volume = volume_of(&disk, "vfat");
    let (image, dumped) = (folder.sized("esp", volume.size()), folder.path("dumped"));
    super::copy(&volume, &image);
    fs::create_dir(&dumped).unwrap();
    run(&["mcopy", "-s", "-n", "-i", &image, "::/*", dumped.to_str().unwrap()]);
    assert!(assert_equal(mount(volume).unwrap().as_ref(), &dumped) >= 1);
}

/// A tree with what real ones seldom have: holes, deep folders, names of 255 bytes, links of every length.
pub(super) fn tree(folder: &Folder) -> std::path::PathBuf {
    let root = folder.path("tree");
    let mut random = Random(99);
    fs::create_dir_all(root.join("a/b/c/d/e/f/g/h")).unwrap();
    for (index, length) in [0, 1, 59, 60, 1023, 1024, 4096, 70_000, 3_000_000].into_iter().enumerate() {
        fs::write(root.join(format!("a/b/file{index}")), random.bytes(length)).unwrap();
    }
    for length in [1, 58, 59, 60, 61, 255, 600, 1000] {
        let target: String = "0123456789/".chars().cycle().take(length).collect();
        std::os::unix::fs::symlink(target, root.join(format!("link{length}"))).unwrap();
    }
    fs::create_dir(root.join("many")).unwrap();
    for index in 0..150 {
        fs::write(root.join(format!("many/entry-{index:05}-with-a-name-of-some-length")), [index as u8]).unwrap();
    }
    fs::write(root.join("n".repeat(255)), "long").unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"latin-\xe9")), "bytes").unwrap();
    root
}

#[test]
fn paths_are_resolved_without_following_links() {
    let folder = Folder::new();
    let tree = tree(&folder);
    std::os::unix::fs::symlink("a", tree.join("alias")).unwrap();
    let image = folder.sized("image", 64 * 1024 * 1024);
    run(&["mke2fs", "-q", "-F", "-t", "ext4", "-d", tree.to_str().unwrap(), &image]);
    let filesystem = mount(file(&image)).unwrap();
    let kind = |path: &str| filesystem.symlink_metadata(&GuestPath::new(path)).map_err(|error| error.kind);
    assert_eq!(kind("/alias").unwrap().file_type, FileType::Symlink);
    assert_eq!(kind("/a/b/file1").unwrap().size, 1);
    for path in ["/alias/b", "/alias/b/file1", "/none", "/a/none", "/a/b/file1/x", "/../a", "/a/../a", "/\0"] {
        assert_eq!(kind(path), Err(ErrorKind::NotFound), "{path}");
    }
    assert_eq!(kind(&format!("/{}", "n".repeat(256))), Err(ErrorKind::NotFound));
    assert_eq!(kind(&"/a".repeat(70)), Err(ErrorKind::TooLarge));
    for path in ["/a", "/alias"] {
        assert!(filesystem.open(&GuestPath::new(path)).is_err(), "{path}");
    }
    assert!(filesystem.read_dir(&GuestPath::new("/alias"), 10).is_err());
    let listing = filesystem.read_dir(&GuestPath::new("/many"), 100).unwrap();
    assert_eq!((listing.items.len(), listing.gaps.len()), (100, 1));
}

#[test]
fn an_esp_with_long_names_equals_mcopy() {
    let (folder, mut random) = (Folder::new(), Random(4));
    let tree = folder.path("tree");
    for sub in ["EFI/BOOT", "EFI/debian", "loader/entries", "a deep/folder of/names"] {
        fs::create_dir_all(tree.join(sub)).unwrap();
        for index in 0..25 {
            let name =
                format!("{sub}/{index} vmlinuz-6.1.0-{index}-cloud-amd64 \u{e9}\u{4e2d}.EFI{}", "x".repeat(index * 6));
            let length = random.below(60_000) as usize;
            fs::write(tree.join(name), random.bytes(length)).unwrap();
        }
    }
    fs::write(tree.join("EFI/BOOT/BOOTX64.EFI"), random.bytes(3_000_000)).unwrap();
    fs::write(tree.join("lower.txt"), "x").unwrap();
    fs::write(tree.join("empty"), "").unwrap();
    for (bits, size, cluster) in [("12", 15, "8"), ("16", 32, "4"), ("32", 80, "2"), ("32", 40, "1")] {
        let image = folder.sized("esp", size * 1024 * 1024);
        run(&["mkfs.vfat", "-F", bits, "-s", cluster, "-n", "ESP", &image]);
        // Files that are deleted again leave holes, so that the others are fragmented.
        let filler = folder.write("filler", &random.bytes(5000));
        for index in 0..20 {
            run(&["mcopy", "-i", &image, &filler, &format!("::/filler{index}")]);
        }
        for index in (0..20).step_by(2) {
            run(&["mdel", "-i", &image, &format!("::/filler{index}")]);
        }
        for entry in fs::read_dir(&tree).unwrap() {
            run(&["mcopy", "-s", "-i", &image, entry.unwrap().path().to_str().unwrap(), "::/"]);
        }
        let dumped = folder.path("dumped");
        fs::create_dir(&dumped).unwrap();
        run(&["mcopy", "-s", "-n", "-i", &image, "::/*", dumped.to_str().unwrap()]);
        let filesystem = mount(file(&image)).unwrap();
        assert_eq!(assert_equal(filesystem.as_ref(), &dumped), 113, "FAT{bits}");
        let size = |path: &str| filesystem.symlink_metadata(&GuestPath::new(path)).map(|found| found.size).ok();
        assert_eq!(
            [size("/efi/boot/bootx64.efi"), size("/EFI/Boot/BootX64.efi"), size("/efi/none")],
            [Some(3_000_000), Some(3_000_000), None]
        );
        fs::remove_dir_all(dumped).unwrap();
    }
}

/// TYPE, UUID and LABEL of `blkid -p`; all empty when it finds nothing.
pub(super) fn blkid(image: &str) -> [Option<String>; 3] {
    ["TYPE", "UUID", "LABEL"].map(|tag| {
        let arguments = ["-p", "-o", "value", "-s", tag, image];
        let output = std::process::Command::new("blkid")
            .args(arguments)
            .output()
            .expect("blkid is needed by this test; run tests/run");
        let value = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout).to_vec();
        (!value.is_empty()).then(|| bootworthy::bytes::text(&value))
    })
}

#[test]
fn identities_equal_blkid() {
    let folder = Folder::new();
    for (size, command) in [
        (16, "mke2fs -q -F -t ext2 -L root"),
        (16, "mke2fs -q -F -t ext3 -L sixteen-letters-"),
        (16, "mke2fs -q -F -t ext4 -L two\u{a0}words"),
        (16, "mke2fs -q -F -t ext4 -O ^metadata_csum,^has_journal"),
        (16, "mke2fs -q -F -t ext4 -U 00000000-0000-0000-0000-000000000000"),
        (16, "mke2fs -q -F -O journal_dev"),
        (8, "mkfs.vfat -F 12 -n EFI"),
        (64, "mkfs.vfat -F 16 -n Efi-System"),
        (64, "mkfs.vfat -F 32 -n ESP -i 00c0ffee"),
        (64, "mkfs.vfat -F 32"),
        (16, "mkswap -L swap-label"),
        (16, "mkswap --pagesize 16384"),
        (320, "mkfs.xfs -q -f -L xfs-label"),
        (320, "mkfs.xfs -q -f -m crc=0"),
        (320, "mkfs.btrfs -q -f -L btrfs-label"),
        (16, "true"),
    ] {
        let image = folder.sized("image", size * 1024 * 1024);
        let words: Vec<&str> = command.split(' ').chain([image.as_str()]).collect();
        run(&words);
        let found = identify(&file(&image)).unwrap();
        let [kind, uuid, label] = blkid(&image);
        assert_eq!(found.as_ref().map(|found| found.kind.clone()), kind, "{command}");
        let found = found.unwrap_or_default();
        assert_eq!((found.uuid, found.label), (uuid, label), "{command}");
    }
}

#[test]
fn a_root_label_in_fat_wins_over_the_boot_sector() {
    let folder = Folder::new();
    let image = folder.sized("image", 32 * 1024 * 1024);
    run(&["mkfs.vfat", "-n", "BOOTSECTOR", &image]);
    run(&["mlabel", "-i", &image, "::INROOT"]);
    let found = identify(&file(&image)).unwrap().unwrap();
    assert_eq!(found.label, blkid(&image)[2]);
    assert_eq!(found.label.as_deref(), Some("INROOT"));
}

#[test]
fn what_is_there_but_unread_is_named() {
    let folder = Folder::new();
    let image = folder.sized("image", 320 * 1024 * 1024);
    run(&["mkfs.xfs", "-q", "-f", &image]);
    let Err(error) = mount(file(&image)) else { panic!("xfs was opened") };
    assert_eq!((error.kind, error.what.as_str()), (ErrorKind::Unsupported, "xfs"));
    let nothing: Bytes = memory(vec![0; 100_000]);
    assert_eq!(mount(nothing).err().unwrap().kind, ErrorKind::NotFound);
    assert!(all_bytes(&memory(vec![1, 2])).len() == 2);
}
