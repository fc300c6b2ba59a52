//! MBR partition tables against libblkid, whole and damaged.

use super::{Folder, Random, memory, run, scan};
use std::io::Write as _;
use std::process::{Command, Stdio};

const SECTORS: u64 = 16384;

/// Number, first sector, sectors, PARTUUID and type.
type Row = (u64, u64, u64, String, u64);

const LAYOUT: &str = "label: dos
label-id: 0x9abcdef0
1 : start=64, size=1000, type=83, bootable
3 : start=2048, size=12000, type=f
4 : start=1200, size=800, type=7
5 : start=2112, size=1000, type=83
6 : start=4096, size=4096, type=82
7 : start=9000, size=500, type=ef
";

fn disk(layout: &str) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.sized("disk", SECTORS * 512);
    let mut child = Command::new("sfdisk").args(["--quiet", "--no-reread", &path]).stdin(Stdio::piped()).spawn();
    let child = child.as_mut().expect("sfdisk is needed by this test; run tests/run");
    child.stdin.take().unwrap().write_all(layout.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::read(path).unwrap()
}

/// The partitions as libblkid has them; extended ones as long as
/// Linux shows them.
fn expected(folder: &Folder, disk: &[u8]) -> Vec<Row> {
    let path = folder.write("disk", disk);
    let list =
        Command::new("partx").args(["--raw", "--noheadings", "-o", "NR,START,SECTORS,UUID,TYPE", &path]).output();
    let list = String::from_utf8(list.expect("partx is needed by this test; run tests/run").stdout).unwrap();
    let rows = list.lines().map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| fields[at].parse::<u64>().unwrap();
        let kind = u64::from_str_radix(fields[4].trim_start_matches("0x"), 16).unwrap();
        let sectors = if matches!(kind, 5 | 0xf | 0x85) { number(2).min(2) } else { number(2) };
        (number(0), number(1), sectors, fields[3].to_owned(), kind)
    });
    rows.collect()
}

fn found(disk: &[u8]) -> (Vec<Row>, Vec<String>) {
    let scan = scan(&memory(disk.to_vec())).unwrap();
    let fatal = scan.flaws.items.iter().filter(|flaw| flaw.fatal).map(|flaw| flaw.id.clone()).collect();
    let row = |part: &bootworthy::disk::volume::Partition| {
        let kind = u64::from_str_radix(part.kind.trim_start_matches("0x"), 16).unwrap_or(0);
        (u64::from(part.number), part.start / 512, part.size / 512, part.uuid.clone().unwrap_or_default(), kind)
    };
    (scan.partitions.iter().map(row).collect(), fatal)
}

#[test]
fn a_whole_table_equals_libblkid() {
    let (bytes, folder) = (disk(LAYOUT), Folder::new());
    let (rows, fatal) = found(&bytes);
    assert_eq!((rows.as_slice(), fatal.len()), (expected(&folder, &bytes).as_slice(), 0));
    assert_eq!(rows.len(), 6);
    let tags = String::from_utf8(run(&["blkid", "-p", "-o", "export", &folder.at("disk")])).unwrap();
    let id = scan(&memory(bytes.clone())).unwrap().id.unwrap();
    assert!(tags.contains("PTTYPE=dos\n") && tags.contains(&format!("PTUUID={id}\n")), "{tags}");
    let scanned = scan(&memory(bytes)).unwrap();
    assert_eq!((scanned.scheme, scanned.used_end, scanned.sector_size), (Some("dos"), 14048 * 512, 512));
}

#[test]
fn damaged_tables_equal_libblkid_or_are_flaws() {
    let (whole, folder, mut random) = (disk(LAYOUT), Folder::new(), Random(0xd05));
    let tables: Vec<usize> =
        (0..SECTORS as usize).filter(|sector| whole[sector * 512 + 510..][..2] == [0x55, 0xaa]).collect();
    assert_eq!(tables.len(), 4);
    let (mut sound, mut flawed) = (0, 0);
    for _ in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(2) {
            let table = tables[random.below(4) as usize];
            let entry = random.below(4) as usize * 16;
            let field = [0, 4, 4, 8, 9, 10, 12, 13, 14][random.below(9) as usize];
            let values = [0, 0x80, 5, 0x0f, 0x83, 1, random.below(256) as u8];
            bytes[table * 512 + 446 + entry + field] = values[random.below(7) as usize];
        }
        let expected = expected(&folder, &bytes);
        match scan(&memory(bytes.clone())).unwrap().scheme {
            Some("dos") => {}
            // Neither takes it for a table, or it says that it is a GPT's.
            scheme => {
                assert!(expected.is_empty(), "{scheme:?} {expected:?}");
                continue;
            }
        }
        let (rows, fatal) = found(&bytes);
        if fatal.is_empty() {
            assert_eq!(rows, expected);
            sound += 1;
        } else {
            flawed += 1;
        }
    }
    assert!(sound > 100 && flawed > 100, "{sound} {flawed}");
}
