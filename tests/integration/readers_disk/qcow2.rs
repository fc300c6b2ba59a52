//! qcow2 against `qemu-img convert -O raw`, byte for byte.

use super::{Folder, Random, all_bytes, file, opened, run};
use bootworthy::bytes::Bytes;
use bootworthy::disk::image::{Opened, Overlays, open};
use bootworthy::error::{Error, ErrorKind};
use bootworthy::limits::Limits;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;

/// Bytes of the test disks: more than four of the largest clusters, and not a multiple of most.
const SIZE: u64 = 9 * 1024 * 1024 + 512;

fn assert_equal(folder: &Folder, name: &str, disk: &Bytes) {
    let raw = folder.at("expected.raw");
    run(&["qemu-img", "convert", "-O", "raw", &folder.at(name), &raw]);
    let (expected, found) = (fs::read(raw).unwrap(), all_bytes(disk));
    assert_eq!(found.len(), expected.len(), "{name}");
    let first = found.iter().zip(&expected).position(|(a, b)| a != b);
    assert_eq!(first, None, "{name} differs there");
}

/// Writes, zeros and discards at random places, after packed clusters where nothing is yet.
fn scribble(folder: &Folder, image: &str, cluster: u64, version: u32, is_new: bool, random: &mut Random) {
    let source = folder.at("random");
    let mut commands = Vec::new();
    // QEMU packs no cluster that is allocated already.
    for packed in (0..SIZE / cluster).step_by(3).take(if is_new { 40 } else { 0 }) {
        commands.push(format!("write -q -c -P {} {} {cluster}", random.below(255), packed * cluster));
    }
    for round in 0..16 {
        let (at, length) = (random.below(SIZE - 512), 1 + random.below(150_000));
        let length = length.min(SIZE - at);
        let whole = random.below(SIZE / cluster) * cluster;
        commands.push(match round % 4 {
            2 => format!("write -q -z {at} {length}"),
            3 if version == 3 => format!("discard -q {whole} {cluster}"),
            _ => format!("write -q -s {source} {at} {length}"),
        });
    }
    let mut arguments = vec!["qemu-io", "-f", "qcow2"];
    for command in &commands {
        arguments.extend(["-c", command]);
    }
    arguments.push(image);
    run(&arguments);
}

#[test]
fn every_cluster_size_version_and_compression_equals_qemu() {
    let (folder, mut random) = (Folder::new(), Random(0x5eed));
    folder.write("random", &random.bytes(300_000));
    for bits in 9..=21 {
        for (version, compression) in [(2, "zlib"), (3, "zlib"), (3, "zstd")] {
            let cluster = 1_u64 << bits;
            let image = folder.at("disk.qcow2");
            let compat = if version == 2 { "0.10" } else { "1.1" };
            let options = format!("cluster_size={cluster},compat={compat},compression_type={compression}");
            run(&["qemu-img", "create", "-q", "-f", "qcow2", "-o", &options, &image, &SIZE.to_string()]);
            scribble(&folder, &image, cluster, version, true, &mut random);
            run(&["qemu-img", "snapshot", "-c", "before", &image]);
            scribble(&folder, &image, cluster, version, false, &mut random);
            let found = opened(&image);
            assert_equal(&folder, "disk.qcow2", &found.disk);
            assert_eq!(
                (found.features[0].as_str(), found.features.last().unwrap().as_str()),
                (if version == 2 { "v2" } else { "v3" }, "1 snapshot")
            );
            assert_eq!((found.format, found.flaws.items.len(), found.flaws.gaps.len()), ("qcow2", 0, 0));
            let packed = folder.at("packed.qcow2");
            run(&["qemu-img", "convert", "-c", "-O", "qcow2", "-o", &options, &image, &packed]);
            let found = opened(&packed);
            assert_equal(&folder, "packed.qcow2", &found.disk);
            assert_eq!(found.features, [&format!("v{version}"), compression], "{options}");
        }
    }
}

#[test]
fn reads_at_any_place_are_exact() {
    let (folder, mut random) = (Folder::new(), Random(7));
    let image = folder.at("disk.qcow2");
    folder.write("random", &random.bytes(300_000));
    run(&["qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", &image, &SIZE.to_string()]);
    scribble(&folder, &image, 4096, 3, true, &mut random);
    let disk = opened(&image).disk;
    let expected = all_bytes(&disk);
    std::thread::scope(|scope| {
        for seed in 1..4 {
            let (disk, expected) = (&disk, &expected);
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..2000 {
                    let at = random.below(SIZE);
                    let length = random.below(20_000).min(SIZE - at) as usize;
                    let mut buf = vec![0; length];
                    disk.read_at(at, &mut buf).unwrap();
                    assert_eq!(buf, expected[at as usize..][..length], "{length} bytes at {at}");
                }
            });
        }
    });
    assert!(disk.read_at(SIZE - 1, &mut [0; 2]).is_err());
}

#[test]
fn preallocated_images_equal_qemu() {
    let folder = Folder::new();
    for kind in ["metadata", "falloc", "full"] {
        let image = folder.at("disk.qcow2");
        let options = format!("preallocation={kind},lazy_refcounts=on");
        run(&["qemu-img", "create", "-q", "-f", "qcow2", "-o", &options, &image, "9437696"]);
        let found = opened(&image);
        assert_equal(&folder, "disk.qcow2", &found.disk);
        assert_eq!((found.features, found.flaws.items), (vec!["v3".into(), "lazy-refcounts".into()], vec![]), "{kind}");
    }
}

fn open_with(image: &str, backing: &[&str], data_file: Option<&str>) -> Result<Opened, Error> {
    let overlays = Overlays { backing: backing.iter().map(file).collect(), data_file: data_file.map(file) };
    open(file(image), &overlays, &Limits::default())
}

#[test]
fn backing_files_are_those_the_user_names() {
    let (folder, mut random) = (Folder::new(), Random(11));
    // The base ends within a cluster, and before the overlay does.
    let base = folder.write("base.raw", &random.bytes(3_000_320));
    folder.write("random", &random.bytes(300_000));
    let (middle, top) = (folder.at("middle.qcow2"), folder.at("top.qcow2"));
    run(&["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", &base, &middle, "4M"]);
    run(&["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &middle, &top, &SIZE.to_string()]);
    for image in [&middle, &top] {
        run(&["qemu-io", "-c", "write -q -P 9 100k 5k", image]);
    }
    run(&["qemu-io", "-c", "write -q -P 5 2M 300k", "-c", "write -q -z 1M 128k", &top]);
    let found = open_with(&top, &[&middle, &base], None).unwrap();
    assert_equal(&folder, "top.qcow2", &found.disk);
    assert_eq!(found.features, ["v3", "backing"]);
    assert!(found.flaws.items.iter().all(|flaw| flaw.id == "qcow2-backing-file" && !flaw.fatal));
    let error = open_with(&top, &[], None).unwrap_err();
    assert!(
        error.to_string().contains(&format!("an overlay of \"{middle}\" and is not complete without it")),
        "{error}"
    );
    assert!(error.why.unwrap().contains("CVE-2024-32498") && error.help.unwrap().contains("--backing"));
    for wrong in [&[middle.as_str()][..], &[&middle, &base, &base], &[&base, &base]] {
        assert_eq!(open_with(&top, wrong, None).unwrap_err().kind, ErrorKind::Unsupported, "{wrong:?}");
    }
}

#[test]
fn data_files_are_those_the_user_names() {
    let folder = Folder::new();
    let (image, data) = (folder.at("disk.qcow2"), folder.at("disk.data"));
    let options = format!("data_file={data}");
    run(&["qemu-img", "create", "-q", "-f", "qcow2", "-o", &options, &image, &SIZE.to_string()]);
    run(&["qemu-io", "-c", "write -q -P 3 0 70k", "-c", "write -q -P 4 5M 70k", "-c", "write -q -z 64k 64k", &image]);
    let found = open_with(&image, &[], Some(&data)).unwrap();
    assert_equal(&folder, "disk.qcow2", &found.disk);
    assert_eq!(found.features, ["v3", "data-file"]);
    let error = open_with(&image, &[], None).unwrap_err();
    assert!(error.to_string().contains(&data) && error.help.unwrap().contains("--data-file"));
    let plain = folder.at("plain.qcow2");
    run(&["qemu-img", "create", "-q", "-f", "qcow2", &plain, "1M"]);
    assert_eq!(open_with(&plain, &[], Some(&data)).unwrap_err().kind, ErrorKind::Unsupported);
}

#[test]
fn what_is_not_read_is_named() {
    let folder = Folder::new();
    let image = folder.at("disk.qcow2");
    for (options, bytes, said) in [
        ("extended_l2=on,cluster_size=16k", Some((20, [0, 0, 0, 13])), "subclusters of 256 bytes"),
        ("compat=1.1", Some((32, [0, 0, 0, 1])), "encrypted"),
        ("compat=1.1", Some((32, [0, 0, 0, 2])), "encrypted"),
        ("compat=1.1", Some((76, [0, 0, 1, 32])), "feature bits 5, 8"),
        ("compat=1.1", Some((4, [0, 0, 0, 4])), "version 4"),
        ("compat=1.1", Some((20, [0, 0, 0, 22])), "cluster_bits is 22"),
        ("compat=1.1", Some((36, [0, 64, 0, 1])), "L1 table"),
        ("compat=1.1", Some((36, [0, 0, 0, 0])), "l1_size is 0"),
        ("compat=1.1", Some((40, [0, 255, 0, 0])), "L1 table"),
        ("compat=1.1", Some((56, [0, 0, 1, 0])), "refcount table"),
        ("compat=1.1", Some((96, [0, 0, 0, 7])), "refcount_order is 7"),
        ("compat=1.1", Some((100, [0, 0, 0, 16])), "header_length is 16"),
        ("compat=1.1", Some((100, [0, 1, 0, 1])), "header_length is 65537"),
        ("compat=1.1", Some((60, [0, 2, 0, 0])), "snapshots"),
        ("compat=1.1", Some((12, [255, 255, 255, 255])), "backing file name"),
    ] {
        run(&["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, &image, "10G"]);
        if let Some((at, bytes)) = bytes {
            OpenOptions::new().write(true).open(&image).unwrap().write_all_at(&bytes, at).unwrap();
        }
        let error = open_with(&image, &[], None).unwrap_err().to_string();
        assert!(error.contains(said), "{options} {bytes:?}: {error}");
    }
}

#[test]
fn dirty_corrupt_and_cut_images_open_with_a_flaw() {
    let folder = Folder::new();
    let image = folder.at("disk.qcow2");
    for (bits, ids) in [(1, vec!["qcow2-dirty"]), (2, vec!["qcow2-corrupt"]), (3, vec!["qcow2-dirty", "qcow2-corrupt"])]
    {
        run(&["qemu-img", "create", "-q", "-f", "qcow2", &image, "1M"]);
        OpenOptions::new().write(true).open(&image).unwrap().write_all_at(&[bits], 79).unwrap();
        let flaws = opened(&image).flaws.items;
        assert_eq!(flaws.iter().map(|flaw| flaw.id.as_str()).collect::<Vec<_>>(), ids);
        assert!(flaws.iter().all(|flaw| flaw.fatal));
    }
    run(&["qemu-img", "create", "-q", "-f", "qcow2", &image, "1M"]);
    run(&["qemu-io", "-c", "write -q -P 1 0 1M", &image]);
    let whole = fs::metadata(&image).unwrap().len();
    for cut in [1, 4096, 65536, 300_000] {
        OpenOptions::new().write(true).open(&image).unwrap().set_len(whole - cut).unwrap();
        let found = opened(&image);
        assert_eq!(
            found.flaws.items.iter().map(|flaw| flaw.id.as_str()).collect::<Vec<_>>(),
            ["data-past-end"],
            "{cut}"
        );
        assert!(found.disk.read_at(1_048_575, &mut [0]).is_err());
    }
}

#[test]
fn extended_l2_entries_equal_qemu() {
    let (folder, mut random) = (Folder::new(), Random(0x5ab));
    folder.write("random", &random.bytes(300_000));
    let base = folder.write("base.raw", &random.bytes(3_000_320));
    for bits in 14..=21 {
        for (compression, backed) in [("zlib", false), ("zstd", true)] {
            let (cluster, image) = (1_u64 << bits, folder.at("disk.qcow2"));
            let options = format!("cluster_size={cluster},extended_l2=on,compression_type={compression}");
            let mut create = vec!["qemu-img", "create", "-q", "-f", "qcow2", "-o", &options];
            create.extend(if backed { vec!["-F", "raw", "-b", &base] } else { vec![] });
            let size = SIZE.to_string();
            run(&[create.as_slice(), &[&image, &size]].concat());
            scribble(&folder, &image, cluster, 3, true, &mut random);
            // Zeros and data in single subclusters, in clusters with and without data.
            let part = cluster / 32;
            let mut commands = vec!["qemu-io".to_owned(), "-f".to_owned(), "qcow2".to_owned()];
            for round in 0..40 {
                let at = random.below(SIZE / part - 4) * part;
                let length = (1 + random.below(3)) * part;
                let verb = ["write -q -z", "write -q -P 7", "write -q -z -u", "discard -q"][round % 4];
                commands.extend(["-c".to_owned(), format!("{verb} {at} {length}")]);
            }
            commands.push(image.clone());
            run(&commands.iter().map(String::as_str).collect::<Vec<_>>());
            let backing: &[&str] = if backed { &[&base] } else { &[] };
            let found = open_with(&image, backing, None).unwrap();
            assert_equal(&folder, "disk.qcow2", &found.disk);
            let fatal: Vec<&str> =
                found.flaws.items.iter().filter(|flaw| flaw.fatal).map(|flaw| flaw.id.as_str()).collect();
            assert_eq!((fatal, found.flaws.gaps.len()), (vec!["qcow2-extended-l2"], 0), "{options}");
            assert!(found.features.contains(&"extended-l2".to_owned()), "{:?}", found.features);
        }
    }
}

#[test]
fn bitmaps_that_contradict_are_corrupt_as_for_qemu() {
    let folder = Folder::new();
    let image = folder.at("disk.qcow2");
    run(&["qemu-img", "create", "-q", "-f", "qcow2", "-o", "extended_l2=on", &image, "1M"]);
    run(&["qemu-io", "-c", "write -q -P 3 0 64k", "-c", "write -q -c -P 5 64k 64k", &image]);
    let whole = fs::read(&image).unwrap();
    let word = |at: usize| u64::from_be_bytes(whole[at..at + 8].try_into().unwrap());
    let l2 = (word(word(40) as usize) & 0x00ff_ffff_ffff_fe00) as usize;
    for (name, at, value, byte) in [
        ("both bits", l2 + 8, 0x0000_0001_0000_0001_u64, 0),
        ("allocated without a cluster", l2 + 2 * 16 + 8, 1, 2 * 65536),
        ("a bitmap of a compressed cluster", l2 + 16 + 8, 1, 65536),
        ("a zero cluster", l2, word(l2) | 1, 0),
    ] {
        let mut bytes = whole.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_be_bytes());
        fs::write(&image, &bytes).unwrap();
        let oracle = std::process::Command::new("qemu-img").args(["check", "-f", "qcow2", &image]).output().unwrap();
        // The specification has no such bit in extended entries; QEMU does not look at it.
        assert!(oracle.status.code() != Some(0) || name == "a zero cluster", "{name}: qemu-img finds nothing");
        let found = opened(&image);
        assert!(found.flaws.items.iter().any(|flaw| flaw.id == "qcow2-wrong-entry"), "{name}: {:?}", found.flaws);
        let error = found.disk.read_at(byte, &mut [0; 512]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Corrupt, "{name}");
    }
}
