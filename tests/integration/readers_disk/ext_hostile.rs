//! ext whose bytes lie: an error for what is damaged, the right bytes for the rest, and an end for every loop.

use super::ext::debugfs;
use super::{Folder, Random, file, memory, mount, run};
use bootworthy::bytes::read_capped;
use bootworthy::disk::filesystem::{FileSystem, FileType, GuestPath};
use bootworthy::error::ErrorKind;
use bootworthy::limits::{KIB, MIB};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

/// Everything that a file system says, by path: bytes, target or `None` for a folder; and the folders with gaps.
#[derive(Default)]
struct Said {
    nodes: BTreeMap<Vec<u8>, Result<Vec<u8>, ErrorKind>>,
    gaps: BTreeSet<Vec<u8>>,
}

fn said(filesystem: &dyn FileSystem) -> Said {
    let (mut said, mut folders) = (Said::default(), vec![GuestPath::root()]);
    while let Some(folder) = folders.pop() {
        let Ok(listing) = filesystem.read_dir(&folder, 10_000) else {
            said.gaps.insert(folder.as_bytes().to_vec());
            continue;
        };
        if !listing.gaps.is_empty() {
            said.gaps.insert(folder.as_bytes().to_vec());
        }
        for entry in listing.items {
            let path = folder.join(&entry.name);
            let read = || match entry.file_type {
                FileType::Regular => read_capped(&mut filesystem.open(&path)?, 8 * MIB, "file"),
                FileType::Symlink => filesystem.read_link(&path),
                _ => Ok(format!("{:?}", filesystem.symlink_metadata(&path)?).into_bytes()),
            };
            said.nodes.insert(path.as_bytes().to_vec(), read().map_err(|error| error.kind));
            if entry.file_type == FileType::Directory && path.depth() < 6 {
                folders.push(path);
            }
        }
    }
    said
}

/// What a damaged image says, where it says something, is what the whole one says.
fn assert_honest(found: &Said, whole: &Said, what: &str) {
    let parent = |path: &[u8]| GuestPath::new(path).parent();
    let is_hidden = |path: &[u8]| {
        let mut folder = parent(path);
        loop {
            let bytes = folder.as_bytes();
            if found.gaps.contains(bytes) || matches!(found.nodes.get(bytes), Some(Err(_))) {
                return true;
            }
            if folder.depth() == 0 {
                return false;
            }
            folder = folder.parent();
        }
    };
    for (path, node) in &found.nodes {
        if let Ok(bytes) = node {
            assert!(Some(&Ok(bytes.clone())) == whole.nodes.get(path), "{what}: {}", String::from_utf8_lossy(path));
        }
    }
    for path in whole.nodes.keys().filter(|path| !found.nodes.contains_key(*path)) {
        assert!(is_hidden(path), "{what}: {} is gone", String::from_utf8_lossy(path));
    }
}

/// A volume of 4 MiB with folders, links, fragmented files and a hash tree.
fn made(folder: &Folder, options: &str) -> Vec<u8> {
    let mut random = Random(41);
    let tree = folder.path("tree");
    let _ = fs::remove_dir_all(&tree);
    fs::create_dir_all(tree.join("etc/deep")).unwrap();
    for index in 0..90 {
        fs::write(tree.join(format!("etc/a file with a long name {index}")), random.bytes(index)).unwrap();
    }
    fs::write(tree.join("etc/deep/file"), random.bytes(9000)).unwrap();
    fs::write(tree.join("comb"), vec![7; 400 * 1024]).unwrap();
    for length in [5, 59, 60, 300] {
        std::os::unix::fs::symlink("x".repeat(length), tree.join(format!("link{length}"))).unwrap();
    }
    let image = folder.sized("image", 4 * MIB);
    let command = ["mke2fs", "-q", "-F", "-d", tree.to_str().unwrap()];
    run(&command.into_iter().chain(options.split(' ')).chain([image.as_str()]).collect::<Vec<_>>());
    // Every other block away: an extent tree of several nodes.
    let punches: Vec<String> = (0..200).map(|index| format!("punch /comb {} {}", index * 2, index * 2)).collect();
    debugfs(folder, &image, &punches.iter().map(String::as_str).collect::<Vec<_>>());
    let _ = std::process::Command::new("e2fsck").args(["-fyD", &image]).output().unwrap();
    fs::read(image).unwrap()
}

/// Bytes of the blocks that hold the contents of files and the targets of links, which have no checksum.
fn contents(folder: &Folder, image: &[u8]) -> BTreeSet<usize> {
    let path = folder.write("contents", image);
    let blocks = |name: &str, count: usize| {
        let script: Vec<String> = (0..count).map(|index| format!("bmap {name} {index}")).collect();
        let script = folder.write("commands", script.join("\n").as_bytes());
        let said = String::from_utf8(run(&["debugfs", "-f", &script, &path])).unwrap();
        said.lines().filter_map(|line| line.trim().parse::<usize>().ok()).collect::<Vec<_>>()
    };
    let mut found: BTreeSet<usize> = blocks("/comb", 400).into_iter().collect();
    found.extend(blocks("/etc/deep/file", 9));
    found.extend((0..90).flat_map(|index| blocks(&format!("\"/etc/a file with a long name {index}\""), 1)));
    found.extend(["/link60", "/link300"].iter().flat_map(|name| blocks(name, 1)));
    found.remove(&0);
    found
}

#[test]
fn a_flipped_byte_of_metadata_is_an_error_never_other_bytes() {
    let folder = Folder::new();
    for options in ["-t ext4 -b 1024", "-t ext4 -b 1024 -O inline_data,metadata_csum_seed,^has_journal -I 512"] {
        let image = made(&folder, options);
        let whole = said(mount(memory(image.clone())).unwrap().as_ref());
        assert!(whole.nodes.len() > 97 && whole.nodes.values().all(Result::is_ok) && whole.gaps.is_empty());
        let contents = contents(&folder, &image);
        let used = |block: &usize| (0..1024).map(|at| block * 1024 + at).filter(|at| image[*at] != 0).collect();
        let blocks = (0..image.len() / 1024)
            .filter(|block| !contents.contains(block) && image[block * 1024..][..1024] != [7; 1024]);
        let metadata: Vec<Vec<usize>> =
            blocks.map(|block| used(&block)).filter(|used: &Vec<usize>| !used.is_empty()).collect();
        let (mut random, mut damaged) = (Random(42), 0);
        for _ in 0..700 {
            let block = &metadata[random.below(metadata.len() as u64) as usize];
            let at = block[random.below(block.len() as u64) as usize];
            let mut bytes = image.clone();
            bytes[at] ^= 1 << random.below(8);
            let Ok(filesystem) = mount(memory(bytes)) else {
                damaged += 1;
                continue;
            };
            let found = said(filesystem.as_ref());
            damaged += usize::from(!found.gaps.is_empty() || found.nodes.values().any(Result::is_err));
            assert_honest(&found, &whole, &format!("{options}, byte {at}"));
        }
        assert!(damaged > 300, "{damaged}");
    }
}

#[test]
fn a_cut_volume_says_nothing_else() {
    let folder = Folder::new();
    for options in ["-t ext4 -b 1024", "-t ext2 -b 1024", "-t ext4 -b 4096 -O inline_data"] {
        let image = made(&folder, options);
        for length in [0, 1023, 1024, 2047, 2048, 2100, 3072, 65_536, image.len() - 1024, image.len() - 1] {
            assert!(mount(memory(image[..length].to_vec())).is_err(), "{options}, {length}");
        }
        // Cut, and the superblock's count of blocks as before: zeros where the rest was.
        for block in (8..image.len() / 1024).step_by(97) {
            let mut bytes = image.clone();
            bytes[block * 1024..].fill(0);
            let started = Instant::now();
            if let Ok(filesystem) = mount(memory(bytes)) {
                said(filesystem.as_ref());
            }
            assert!(started.elapsed() < Duration::from_secs(5), "{options}, {block}");
        }
    }
}

/// Where an inode stands in an image, by `imap` of `debugfs`.
fn inode_at(path: &str, name: &str) -> usize {
    let said = String::from_utf8(run(&["debugfs", "-R", &format!("imap {name}"), path])).unwrap();
    let words = said.split_whitespace().map(|word| word.trim_end_matches(','));
    let found: Vec<&str> = words.collect();
    let after = |word: &str| found[found.iter().rposition(|found| *found == word).unwrap() + 1];
    let offset = usize::from_str_radix(after("offset").trim_start_matches("0x"), 16).unwrap();
    after("block").parse::<usize>().unwrap() * 1024 + offset
}

const PLAIN: &str = "-t ext4 -b 1024 -O ^metadata_csum";

#[test]
fn forged_trees_of_blocks_end() {
    let folder = Folder::new();
    for options in [PLAIN, "-t ext2 -b 1024"] {
        let image = made(&folder, options);
        let path = folder.write("forged", &image);
        let at = inode_at(&path, "/comb") + 0x28;
        let is_tree = options == PLAIN;
        for round in 0..6 {
            let mut bytes = image.clone();
            if is_tree {
                // A node that is its own child, a level that is none, shared children, an entry too many …
                let node = u32::from_le_bytes(bytes[at + 16..at + 20].try_into().unwrap()) as usize * 1024;
                match round {
                    0 => bytes[at + 6] = 6,
                    1 => {
                        let own = (node / 1024) as u32;
                        bytes[node + 6] = 1;
                        bytes[at + 6] = 2;
                        bytes[node + 16..node + 20].copy_from_slice(&own.to_le_bytes());
                    }
                    2 => bytes[at + 2] = 9,
                    3 => bytes[node + 2..node + 4].copy_from_slice(&u16::MAX.to_le_bytes()),
                    4 => bytes[node + 4..node + 6].copy_from_slice(&u16::MAX.to_le_bytes()),
                    _ => bytes[at + 16..at + 20].copy_from_slice(&u32::MAX.to_le_bytes()),
                }
            } else {
                // The indirect blocks lead to themselves, to nothing, or past the end.
                let own = u32::from_le_bytes(bytes[at + 48..at + 52].try_into().unwrap());
                let value = [own, own, own, u32::MAX, 1, 4096][round];
                let (slot, count) = [(48, 12), (52, 8), (56, 4), (48, 12), (48, 12), (48, 12)][round];
                (0..count).step_by(4).for_each(|slot_at| {
                    bytes[at + slot + slot_at..][..4].copy_from_slice(&value.to_le_bytes());
                });
                let node = own as usize * 1024;
                bytes[node..node + 1024].chunks_mut(4).for_each(|entry| entry.copy_from_slice(&own.to_le_bytes()));
            }
            // As large as a file can be.
            bytes[at - 0x28 + 4..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
            bytes[at - 0x28 + 0x6c..][..4].copy_from_slice(&0xffff_u32.to_le_bytes());
            let filesystem = mount(memory(bytes)).unwrap();
            let started = Instant::now();
            let mut opened = filesystem.open(&GuestPath::new("/comb")).unwrap();
            let error = read_capped(&mut opened, 64 * MIB, "file").unwrap_err();
            assert!(matches!(error.kind, ErrorKind::Corrupt | ErrorKind::TooLarge), "{options} {round}: {error}");
            assert!(!is_tree || error.kind == ErrorKind::Corrupt, "{round}: {error}");
            assert!(started.elapsed() < Duration::from_secs(10), "{options} {round}");
        }
    }
}

#[test]
fn forged_directories_end() {
    let folder = Folder::new();
    let image = made(&folder, "-t ext2 -b 1024 -O ^dir_index");
    let path = folder.write("forged", &image);
    let block = String::from_utf8(run(&["debugfs", "-R", "bmap /etc/deep 0", &path])).unwrap();
    let at = block.trim().parse::<usize>().unwrap() * 1024;
    let etc = |bytes: &[u8]| {
        let filesystem = mount(memory(bytes.to_vec())).unwrap();
        let listing = filesystem.read_dir(&GuestPath::new("/etc/deep"), 100).unwrap();
        let looked = filesystem.symlink_metadata(&GuestPath::new("/etc/deep/file")).map_err(|error| error.kind);
        (listing.items.len(), listing.gaps.len(), looked.map(drop))
    };
    assert_eq!(etc(&image), (1, 0, Ok(())));
    // The third entry is `file`: inode, length, length of the name, kind, name.
    let third = at + 24;
    for (offset, value, what) in [
        (4, &[0, 0][..], "a length of 0"),
        (4, &[4, 0], "a length of 4"),
        (4, &[13, 0], "an uneven length"),
        (4, &[0xff, 0xff], "a length past the end"),
        (4, &[0xdc, 3], "a length that leaves too little"),
        (6, &[255], "a name longer than its entry"),
        (6, &[0], "a name of nothing"),
        (0, &[0xff, 0xff, 0xff, 0x7f], "an inode that is none"),
        (8, b"a/b", "a slash"),
        (8, b"a\0b", "a zero byte"),
    ] {
        let mut bytes = image.clone();
        bytes[third + offset..][..value.len()].copy_from_slice(value);
        let (_, gaps, looked) = etc(&bytes);
        // An entry that takes less than its room leaves nothing behind it but what was there.
        assert!((gaps, looked) == (1, Err(ErrorKind::Corrupt)) || what == "a length of 4" && gaps == 1, "{what}");
    }
    // A folder that holds itself: deeper than any path may go.
    let mut bytes = image.clone();
    let own = bytes[at..at + 4].to_vec();
    bytes[third..third + 4].copy_from_slice(&own);
    bytes[third + 7] = 2;
    let filesystem = mount(memory(bytes)).unwrap();
    let deep = |times: usize| GuestPath::new(format!("/etc/deep{}", "/file".repeat(times)));
    assert_eq!(filesystem.read_dir(&deep(60), 10).unwrap().items.len(), 1);
    assert_eq!(filesystem.read_dir(&deep(63), 10).unwrap_err().kind, ErrorKind::TooLarge);
    // A reserved inode, which is the journal's or the resize inode's.
    let mut bytes = image.clone();
    bytes[third..third + 4].copy_from_slice(&7_u32.to_le_bytes());
    let error = mount(memory(bytes)).unwrap().open(&GuestPath::new("/etc/deep/file")).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Corrupt);
}

#[test]
fn forged_sizes_of_everything_end() {
    let folder = Folder::new();
    let image = folder.write("image", &made(&folder, PLAIN));
    let commands =
        ["sif /etc size 0x4000000", "sif /comb size 0xffffffffffff", "sif /link300 size 1024", "sif /link5 size 50"];
    debugfs(&folder, &image, &commands);
    let filesystem = mount(file(&image)).unwrap();
    let started = Instant::now();
    let kind = |path: &str| filesystem.symlink_metadata(&GuestPath::new(path)).err().map(|error| error.kind);
    // 64 MiB of a folder, nearly all of it a hole.
    assert_eq!(kind("/etc/deep"), Some(ErrorKind::Corrupt));
    for link in ["/link300", "/link5"] {
        assert_eq!(filesystem.read_link(&GuestPath::new(link)).unwrap_err().kind, ErrorKind::Corrupt, "{link}");
    }
    let mut opened = filesystem.open(&GuestPath::new("/comb")).unwrap();
    assert_eq!(read_capped(&mut opened, 16 * MIB + KIB, "file").unwrap_err().kind, ErrorKind::TooLarge);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn flipped_words_of_every_structure_end() {
    let folder = Folder::new();
    for options in [PLAIN, "-t ext2 -b 1024", "-t ext4 -b 1024 -O ^metadata_csum,inline_data,meta_bg,^resize_inode"] {
        let (image, mut random) = (made(&folder, options), Random(43));
        let used: Vec<usize> = (1024..image.len()).step_by(2).filter(|at| image[*at..at + 2] != [0, 0]).collect();
        let front: Vec<usize> = used.iter().copied().filter(|at| *at < 200 * 1024).collect();
        for round in 0..400 {
            let mut bytes = image.clone();
            let pool = if round % 4 == 0 { &used } else { &front };
            for _ in 0..=random.below(3) {
                let at = pool[random.below(pool.len() as u64) as usize].min(image.len() - 8);
                let width = [1, 2, 4, 8][random.below(4) as usize];
                let value = [0, u64::MAX, random.next(), 1 << random.below(64)][random.below(4) as usize];
                bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
            }
            let started = Instant::now();
            if let Ok(filesystem) = mount(memory(bytes)) {
                said(filesystem.as_ref());
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{options}, round {round}");
        }
    }
}
