//! GUID partition tables against `sfdisk`, whole and damaged.

use super::{Folder, Random, all_bytes, memory, opened, run, scan};
use bootworthy::disk::volume::{self, Scan};
use bootworthy::error::{ErrorKind, Result};
use bootworthy::limits::Limits;
use std::io::Write as _;
use std::process::{Command, Stdio};

const MIB: usize = 1024 * 1024;
/// Bytes of the test disk.
const SIZE: usize = 8 * MIB;

const LAYOUT: &str = "label: gpt
first-lba: 34
label-id: 12345678-9ABC-DEF0-1122-334455667788
1 : start=4352, size=5120, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=AAAAAAAA-0000-4000-8000-000000000001, name=\"root \u{e9}\u{1f600}\"
14 : start=256, size=1024, type=21686148-6449-6E6F-744E-656564454649, uuid=AAAAAAAA-0000-4000-8000-00000000000E, attrs=\"LegacyBIOSBootable\"
15 : start=1280, size=2560, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=AAAAAAAA-0000-4000-8000-00000000000F, name=\"EFI System Partition with 36 letters.\"
";

/// A disk that sfdisk has partitioned.
fn disk(layout: &str) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.sized("disk", SIZE as u64);
    let mut child = Command::new("sfdisk").args(["--quiet", "--no-reread", &path]).stdin(Stdio::piped()).spawn();
    let child = child.as_mut().expect("sfdisk is needed by this test; run tests/run");
    child.stdin.take().unwrap().write_all(layout.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::read(path).unwrap()
}

/// Ids of flaws, the fatal ones with a `!`.
fn flaws(scan: &Scan) -> Vec<String> {
    scan.flaws.items.iter().map(|flaw| format!("{}{}", flaw.id, if flaw.fatal { "!" } else { "" })).collect()
}

fn scanned(disk: &[u8]) -> Result<Scan> {
    scan(&memory(disk.to_vec()))
}

/// Both checksums of the header in `sector` made right again.
fn seal(disk: &mut [u8], at: usize, sector: usize) {
    let word = |disk: &[u8], at: usize| u32::from_le_bytes(disk[at..at + 4].try_into().unwrap()) as usize;
    let entries = word(disk, at + 72) * sector;
    let sum = crc(&disk[entries..][..word(disk, at + 80) * word(disk, at + 84)]);
    disk[at + 88..at + 92].copy_from_slice(&sum.to_le_bytes());
    disk[at + 16..at + 20].fill(0);
    let sum = crc(&disk[at..at + 92]);
    disk[at + 16..at + 20].copy_from_slice(&sum.to_le_bytes());
}

fn crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[test]
fn a_whole_table_equals_sfdisk() {
    let (bytes, folder) = (disk(LAYOUT), Folder::new());
    let path = folder.write("disk", &bytes);
    let json: serde_json::Value = serde_json::from_slice(&run(&["sfdisk", "-J", &path])).unwrap();
    let (table, found) = (&json["partitiontable"], scanned(&bytes).unwrap());
    assert_eq!((found.scheme, found.sector_size, flaws(&found)), (Some("gpt"), 512, vec![]));
    assert_eq!(found.id.unwrap(), table["id"].as_str().unwrap().to_lowercase());
    assert_eq!(found.used_end, SIZE as u64);
    let expected = table["partitions"].as_array().unwrap();
    assert_eq!(found.partitions.len(), expected.len());
    for (part, row) in found.partitions.iter().zip(expected) {
        assert_eq!(format!("{path}{}", part.number), row["node"].as_str().unwrap());
        assert_eq!(
            (part.start / 512, part.size / 512),
            (row["start"].as_u64().unwrap(), row["size"].as_u64().unwrap())
        );
        assert_eq!(part.kind, row["type"].as_str().unwrap().to_lowercase());
        assert_eq!(part.uuid.as_deref().unwrap(), row["uuid"].as_str().unwrap().to_lowercase());
        assert_eq!(part.label.as_deref(), row["name"].as_str());
    }
}

/// What happens to a disk.
type Damage = fn(&mut Vec<u8>);

#[test]
fn damage_is_told_apart() {
    let whole = disk(LAYOUT);
    let last = SIZE - 512;
    let cases: &[(&str, Damage, &[&str])] = &[
        ("primary header zeroed", |d| d[512..1024].fill(0), &["gpt-primary-bad!"]),
        ("primary entries flipped", |d| d[1024 + 40] ^= 1, &["gpt-primary-bad!"]),
        ("primary header flipped", |d| d[512 + 60] ^= 1, &["gpt-primary-bad!"]),
        ("backup header zeroed", |d| d[SIZE - 512..].fill(0), &["gpt-backup-bad!"]),
        ("backup entries flipped", |d| d[SIZE - 33 * 512 + 40] ^= 1, &["gpt-backup-bad!"]),
        ("grown", |d| d.resize(SIZE + MIB, 0), &["gpt-backup-not-at-end"]),
        ("cut at the backup", |d| d.truncate(SIZE - 512), &["gpt-disk-truncated!"]),
        ("cut within a partition", |d| d.truncate(5 * MIB / 2), &["gpt-disk-truncated!", "gpt-partition-past-end!"]),
        ("no protective MBR", |d| d[..512].fill(0), &["gpt-protective-mbr-missing!"]),
        ("hybrid MBR", |d| d[446 + 16 + 4] = 0x83, &["gpt-hybrid-mbr"]),
        (
            "copies differ",
            |d| {
                d[1024 + 60] = b'X';
                seal(d, 512, 512);
            },
            &["gpt-copies-disagree!"],
        ),
    ];
    for (name, damage, expected) in cases {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        let found = scanned(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(flaws(&found), *expected, "{name}");
        assert_eq!(found.partitions.len(), if *name == "cut within a partition" { 2 } else { 3 }, "{name}");
        assert!(found.partitions.iter().all(|part| part.start + part.size <= bytes.len() as u64), "{name}");
    }
    let mut neither = whole;
    neither[512..1024].fill(0);
    neither[last..].fill(0);
    assert_eq!(scanned(&neither).unwrap_err().kind, ErrorKind::Corrupt);
}

#[test]
fn entries_that_contradict_are_flaws() {
    let whole = disk(LAYOUT);
    // Entry 1 begins at byte 1024; its first and last sector are at 32 and 40.
    for (first, last, expected) in [
        (4352_u64, 9471_u64, &[][..]),
        (3750, 5000, &["gpt-partitions-overlap!"]),
        (256, 15_000, &["gpt-partitions-overlap!", "gpt-partitions-overlap!"]),
        (6250, 5000, &["gpt-partition-reversed!"]),
        (6250, 50_000, &["gpt-partition-past-end!"]),
        (6250, u64::MAX, &["gpt-partition-past-end!"]),
        (6250, 16_383, &["gpt-partition-outside!"]),
        (33, 250, &["gpt-partition-outside!"]),
    ] {
        let mut bytes = whole.clone();
        for (header, entries) in [(512, 1024), (SIZE - 512, SIZE - 33 * 512)] {
            bytes[entries + 32..entries + 40].copy_from_slice(&first.to_le_bytes());
            bytes[entries + 40..entries + 48].copy_from_slice(&last.to_le_bytes());
            seal(&mut bytes, header, 512);
        }
        assert_eq!(flaws(&scanned(&bytes).unwrap()), expected, "{first} to {last}");
    }
}

#[test]
fn a_table_with_room_for_too_many_is_refused() {
    let whole = memory(disk(LAYOUT));
    for (partitions, fits) in [(127, false), (128, true), (129, true)] {
        let limits = Limits { partitions, ..Limits::default() };
        let found = volume::scan(&whole, &limits);
        assert_eq!(found.map_err(|error| error.kind).is_ok(), fits, "{partitions}");
    }
    let limits = Limits { partitions: 127, ..Limits::default() };
    assert_eq!(volume::scan(&whole, &limits).unwrap_err().kind, ErrorKind::TooLarge);
}

#[test]
fn tables_of_4096_byte_sectors_are_read() {
    // The same table, moved to where a 4K-native drive has it; a partition of 1 MiB at 2 MiB.
    let mut bytes = vec![0; 8 * MIB];
    let narrow = disk("label: gpt\n1 : start=2048, size=2048, uuid=AAAAAAAA-0000-4000-8000-000000000001\n");
    bytes[..512].copy_from_slice(&narrow[..512]);
    let sectors = (8 * MIB / 4096) as u64;
    for (at, own, other, entries) in [(4096, 1, sectors - 1, 2), (8 * MIB - 4096, sectors - 1, 1, sectors - 5)] {
        bytes[at..at + 92].copy_from_slice(&narrow[512..512 + 92]);
        for (field, value) in [(24, own), (32, other), (40, 6), (48, sectors - 6), (72, entries)] {
            bytes[at + field..at + field + 8].copy_from_slice(&value.to_le_bytes());
        }
        let start = entries as usize * 4096;
        bytes[start..start + 128].copy_from_slice(&narrow[1024..1152]);
        bytes[start + 32..start + 40].copy_from_slice(&512_u64.to_le_bytes());
        bytes[start + 40..start + 48].copy_from_slice(&767_u64.to_le_bytes());
        seal(&mut bytes, at, 4096);
    }
    let found = scanned(&bytes).unwrap();
    assert_eq!((found.sector_size, flaws(&found)), (4096, vec!["gpt-sector-size!".to_owned()]));
    assert_eq!((found.partitions[0].start, found.partitions[0].size), (2 * MIB as u64, MIB as u64));
}

#[test]
fn other_disks_are_no_gpt() {
    // An earlier GPT beside a plain MBR is not looked at, as Linux does not.
    let mut stale = disk(LAYOUT);
    stale[446 + 4] = 0x83;
    for bytes in [disk("label: dos\nstart=2048, type=83\n"), stale] {
        let dos = scanned(&bytes).unwrap();
        assert_eq!((dos.scheme, dos.partitions.len(), dos.partitions[0].kind.as_str()), (Some("dos"), 1, "0x83"));
    }
    for bytes in [vec![0; MIB], vec![], vec![0; 511]] {
        let whole = scanned(&bytes).unwrap();
        assert_eq!((whole.scheme, whole.partitions.len(), whole.partitions[0].number), (None, 1, 0));
    }
}

#[test]
fn flipped_bits_never_pass_for_the_same_table() {
    let mut whole = disk(LAYOUT);
    let (mut random, expected) = (Random(3), scanned(&whole).unwrap().partitions);
    for _ in 0..300 {
        let (at, bit) = (512 + random.below(33 * 512 - 420) as usize, 1 << random.below(8));
        whole[at] ^= bit;
        let found = scanned(&whole).unwrap();
        whole[at] ^= bit;
        let is_reserved = (512 + 92..1024).contains(&at);
        assert_eq!(found.partitions, expected, "byte {at}");
        assert_eq!(flaws(&found).is_empty(), is_reserved, "byte {at}");
    }
}

#[test]
fn a_real_image_equals_sfdisk() {
    let folder = Folder::new();
    let disk = opened(crate::common::image("debian12")).disk;
    let mut head = all_bytes(
        &(std::sync::Arc::new(bootworthy::bytes::Window::new(std::sync::Arc::clone(&disk), 0, MIB as u64)) as _),
    );
    head.resize(usize::try_from(disk.size()).unwrap().min(head.len()), 0);
    let path = folder.write("head", &head);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(disk.size()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&run(&["sfdisk", "-J", &path])).unwrap();
    let found = scan(&disk).unwrap();
    let rows = json["partitiontable"]["partitions"].as_array().unwrap();
    let starts =
        |part: &serde_json::Value| (part["start"].as_u64().unwrap() * 512, part["size"].as_u64().unwrap() * 512);
    assert_eq!(
        found.partitions.iter().map(|part| (part.start, part.size)).collect::<Vec<_>>(),
        rows.iter().map(starts).collect::<Vec<_>>()
    );
    assert_eq!(flaws(&found), Vec::<String>::new());
}
