//! Truncated, flipped and forged: a clear error or a flaw, never a panic, an abort or a hang.

use super::{Folder, Random, file, memory, mount, run, scan};
use bootworthy::bytes::{Bytes, Faulty, read_capped};
use bootworthy::disk::filesystem::{FileSystem, FileType, GuestPath};
use bootworthy::disk::image::{Overlays, open};
use bootworthy::error::{Error, ErrorKind};
use bootworthy::limits::{KIB, Limits, MIB};
use std::fs;
use std::sync::Arc;

/// Reads whatever can be read: every name, link and first 64 KiB, at most some 500 files of a tree that may have circles.
fn walk(filesystem: &dyn FileSystem) -> usize {
    let (mut folders, mut seen) = (vec![GuestPath::root()], 0);
    while let Some(folder) = folders.pop() {
        let Ok(listing) = filesystem.read_dir(&folder, 500) else { continue };
        for entry in listing.items {
            seen += 1;
            let path = folder.join(&entry.name);
            let _ = filesystem.read_link(&path);
            if let Ok(mut file) = filesystem.open(&path) {
                let _ = read_capped(&mut file, 64 * KIB, "file");
            }
            if entry.file_type == FileType::Directory && path.depth() < 8 && seen < 500 {
                folders.push(path);
            }
        }
    }
    seen
}

fn mount_and_walk(bytes: Vec<u8>) -> usize {
    mount(memory(bytes)).map_or(0, |filesystem| walk(filesystem.as_ref()))
}

/// A volume of 3 MiB made by `command`, with a small tree.
fn small(command: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let tree = folder.path("tree");
    fs::create_dir_all(tree.join("etc/deep")).unwrap();
    for name in ["etc/fstab", "etc/deep/file", "big"] {
        fs::write(tree.join(name), name.repeat(3000)).unwrap();
    }
    for index in 0..60 {
        fs::write(tree.join(format!("etc/entry with a long name {index}")), "x").unwrap();
    }
    let image = folder.sized("image", 3 * MIB);
    if command[0] == "mke2fs" {
        std::os::unix::fs::symlink("0123456789/".repeat(20), tree.join("link")).unwrap();
        let arguments = [command, &["-q", "-F", "-d", tree.to_str().unwrap(), &image]].concat();
        run(&arguments);
    } else {
        run(&[command, &[&image]].concat());
        for name in ["etc", "big"] {
            run(&["mcopy", "-s", "-i", &image, tree.join(name).to_str().unwrap(), "::/"]);
        }
    }
    fs::read(image).unwrap()
}

const EXT4: &[&str] = &["mke2fs", "-t", "ext4", "-b", "1024"];
const EXT4_UNSUMMED: &[&str] = &["mke2fs", "-t", "ext4", "-b", "1024", "-O", "^metadata_csum"];
const EXT2: &[&str] = &["mke2fs", "-t", "ext2", "-b", "1024"];
const FAT: &[&str] = &["mkfs.vfat", "-F", "12"];

#[test]
fn flipped_file_systems_end() {
    for (command, rounds) in [(EXT4, 250), (EXT4_UNSUMMED, 250), (EXT2, 250), (FAT, 300)] {
        let (whole, mut random) = (small(command), Random(21));
        assert!(mount_and_walk(whole.clone()) > 60);
        // Where there is something: most of the volume is zeros.
        let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
        for _ in 0..rounds {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(6) {
                let at = used[random.below(used.len() as u64) as usize];
                bytes[at] = [random.next() as u8, 0xff, 0, bytes[at] ^ 1][random.below(4) as usize];
            }
            mount_and_walk(bytes);
        }
    }
}

#[test]
fn flipped_superblocks_and_boot_sectors_end() {
    for (command, start, length) in
        [(EXT4_UNSUMMED, 1024, 1024), (EXT2, 1024, 1024), (EXT4_UNSUMMED, 2048, 1024), (FAT, 0, 600)]
    {
        let (whole, mut random) = (small(command), Random(22));
        for round in 0..400 {
            let mut bytes = whole.clone();
            let at = start + random.below(length) as usize;
            let width = [1, 2, 4, 8][round % 4].min(bytes.len() - at);
            let value = [0, u64::MAX, random.next(), 1 << random.below(64)][random.below(4) as usize];
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
            mount_and_walk(bytes);
        }
    }
}

#[test]
fn cut_volumes_end() {
    for command in [EXT4, EXT2, FAT] {
        let whole = small(command);
        let edges = [0, 1, 510, 511, 512, 1023, 1024, 1025, 1080, 1082, 2047, 2048, 2049, 3072, 4096, 8192, 65_536];
        for length in edges.into_iter().chain((0..whole.len()).step_by(150_001)) {
            mount_and_walk(whole[..length].to_vec());
        }
    }
}

#[test]
fn forged_sizes_are_refused_before_they_are_believed() {
    let folder = Folder::new();
    for (size, path, kind) in [
        ("0x10000000000", "/link", ErrorKind::Corrupt),
        ("5000", "/link", ErrorKind::Corrupt),
        ("0x30000000000", "/big", ErrorKind::TooLarge),
        ("0x40000000", "/etc", ErrorKind::TooLarge),
    ] {
        let image = folder.write("image", &small(EXT4_UNSUMMED));
        run(&["debugfs", "-w", "-R", &format!("set_inode_field {path} size {size}"), &image]);
        let filesystem = mount(file(&image)).unwrap();
        let target = GuestPath::new(path);
        let error = match path {
            "/link" => filesystem.read_link(&target).unwrap_err(),
            "/big" => read_capped(&mut filesystem.open(&target).unwrap(), MIB, "file").unwrap_err(),
            _ => filesystem.symlink_metadata(&target.join(b"fstab")).unwrap_err(),
        };
        assert_eq!(error.kind, kind, "{path} {size}: {error}");
        // A path through the link is not resolved here, whatever it claims.
        assert_eq!(filesystem.symlink_metadata(&GuestPath::new("/link/x")).unwrap_err().kind, ErrorKind::NotFound);
        walk(filesystem.as_ref());
    }
}

#[test]
fn a_forged_tree_of_names_is_corrupt() {
    // The count in an htree's root, which the reader's checksum of the block slices by.
    let (folder, image) = (Folder::new(), "image");
    let path = folder.write(image, &small(EXT4));
    run(&["e2fsck", "-fyD", &path]);
    let block = String::from_utf8(run(&["debugfs", "-R", "bmap /etc 0", &path])).unwrap();
    let at = block.trim().parse::<usize>().unwrap() * 1024;
    let mut bytes = fs::read(&path).unwrap();
    let sound = |bytes: &[u8]| mount(memory(bytes.to_vec())).unwrap().symlink_metadata(&GuestPath::new("/etc/fstab"));
    assert_eq!(sound(&bytes).unwrap().size, 27_000);
    for count in [0_u16, 1, 200, 0xffff] {
        bytes[at + 0x22..][..2].copy_from_slice(&count.to_le_bytes());
        assert_eq!(sound(&bytes).unwrap_err().kind, ErrorKind::Corrupt, "{count}");
        let filesystem = mount(memory(bytes.clone())).unwrap();
        assert_eq!(filesystem.read_dir(&GuestPath::new("/etc"), 10).unwrap().gaps.len(), 1, "{count}");
    }
}

#[test]
fn a_circle_in_fat_ends() {
    // FAT12 of the root's first folder points to itself.
    let whole = small(FAT);
    let reserved = usize::from(u16::from_le_bytes([whole[14], whole[15]])) * 512;
    for cluster in 2..40_usize {
        let mut bytes = whole.clone();
        let (at, value) = (reserved + cluster * 3 / 2, cluster as u16);
        let old = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let new = if cluster % 2 == 1 { old & 0x000f | value << 4 } else { old & 0xf000 | value };
        bytes[at..at + 2].copy_from_slice(&new.to_le_bytes());
        mount_and_walk(bytes);
    }
}

fn images() -> Vec<(&'static str, Vec<u8>)> {
    let folder = Folder::new();
    let raw = folder.write("raw", &Random(5).bytes(700_000));
    let image = folder.at("image");
    ["compat=0.10", "cluster_size=512", "compression_type=zstd", "cluster_size=4k,compression_type=zstd"]
        .map(|options| {
            run(&["qemu-img", "convert", "-c", "-O", "qcow2", "-o", options, &raw, &image]);
            run(&["qemu-img", "snapshot", "-c", "one", &image]);
            run(&["qemu-io", "-c", "write -q -P 7 65536 70000", &image]);
            (options, fs::read(&image).unwrap())
        })
        .to_vec()
}

fn open_and_read(bytes: Bytes) -> Result<u64, Error> {
    let disk = open(bytes, &Overlays::default(), &Limits::default())?.disk;
    let (mut at, mut errors) = (0, 0);
    while at < disk.size().min(MIB) {
        errors += u64::from(disk.read_at(at, &mut [0; 512]).is_err());
        at += 512;
    }
    let _ = disk.read_at(disk.size().saturating_sub(1), &mut [0]);
    Ok(errors)
}

#[test]
fn cut_and_flipped_qcow2_end() {
    for (options, whole) in images() {
        let mut random = Random(6);
        assert_eq!(open_and_read(memory(whole.clone())), Ok(0), "{options}");
        for length in (0..=112).chain([511, 512, 513, 4095, 65_535, 65_536, 65_544, 131_072, 196_608, 262_145]) {
            let _ = open_and_read(memory(whole[..length.min(whole.len())].to_vec()));
        }
        for _ in 0..400 {
            let mut bytes = whole.clone();
            // Header and tables stand in front; later bytes are mostly packed data.
            let reach = [112, 1024, 300_000.min(whole.len() as u64)][random.below(3) as usize];
            for _ in 0..=random.below(4) {
                let at = random.below(reach) as usize;
                bytes[at] = [random.next() as u8, 0xff, 0, bytes[at] ^ 1][random.below(4) as usize];
            }
            let _ = open_and_read(memory(bytes));
        }
    }
}

#[test]
fn tables_that_overlap_end() {
    let (_, whole) = images().remove(2);
    let at = |field: usize| u64::from_be_bytes(whole[field..field + 8].try_into().unwrap());
    for (field, value) in [(40, 0), (40, at(48)), (48, at(40)), (48, 0)] {
        let mut bytes = whole.clone();
        bytes[field..field + 8].copy_from_slice(&u64::to_be_bytes(value));
        let _ = open_and_read(memory(bytes));
    }
    // The L1 table as its own L2 table.
    let (mut bytes, l1) = (whole.clone(), at(40));
    bytes[l1 as usize..l1 as usize + 8].copy_from_slice(&(l1 | 1 << 63).to_be_bytes());
    assert!(open_and_read(memory(bytes)).is_ok());
}

#[test]
fn a_read_that_fails_is_an_error_or_a_gap_never_other_bytes() {
    let (_, whole) = images().remove(3);
    let expected = open(memory(whole.clone()), &Overlays::default(), &Limits::default()).unwrap().disk;
    let expected = super::all_bytes(&expected);
    for index in 0.. {
        let faulty = Arc::new(Faulty::new(memory(whole.clone()), index));
        let read = || -> Result<Vec<u8>, Error> {
            let opened = open(Arc::clone(&faulty) as Bytes, &Overlays::default(), &Limits::default())?;
            assert_eq!(opened.flaws.items, [], "read {index}");
            let mut bytes = vec![0; expected.len()];
            opened.disk.read_at(0, &mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => assert!(bytes == expected, "read {index}"),
            Err(error) => assert_eq!(error.kind, ErrorKind::Io, "read {index}: {error}"),
        }
        if faulty.reads() <= index {
            break;
        }
    }
}

#[test]
fn a_volume_that_fails_once_gives_no_other_tree() {
    for command in [EXT4, FAT] {
        let whole = small(command);
        let expected = mount_and_walk(whole.clone());
        for index in 0..60 {
            let faulty: Bytes = Arc::new(Faulty::new(memory(whole.clone()), index));
            // The cache reads a part again that failed, so a single failure may go unnoticed.
            match mount(faulty) {
                Ok(filesystem) => assert!(walk(filesystem.as_ref()) <= expected),
                Err(error) => assert_eq!(error.kind, ErrorKind::Io, "{error}"),
            }
        }
    }
}

#[test]
fn random_disks_end() {
    let mut random = Random(8);
    for round in 0..200 {
        let mut bytes = random.bytes(80_000);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        let magics: [(usize, &[u8]); 6] = [
            (512, b"EFI PART"),
            (1080, b"\x53\xef"),
            (82, b"FAT32   "),
            (0, b"QFI\xfb\0\0\0\x03"),
            (65_600, b"_BHRfS_M"),
            (32_769, b"CD001"),
        ];
        let (at, magic) = magics[round % magics.len()];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        let disk = memory(bytes);
        let _ = scan(&disk);
        let _ = mount(Arc::clone(&disk));
        let _ = open_and_read(disk);
    }
}
