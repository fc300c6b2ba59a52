//! Tables in memory, sound and not.
#![expect(clippy::arithmetic_side_effects, reason = "test code")]

use super::*;
use std::sync::Arc;

fn disk(rows: &[[u8; 16]]) -> Bytes {
    let mut sector = vec![0; 1024];
    for (slot, row) in sector[446..510].chunks_mut(16).zip(rows) {
        slot.copy_from_slice(row);
    }
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
    Arc::new(sector)
}

const EE: [u8; 16] = [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
const LINUX: [u8; 16] = [0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0];

#[test]
fn protective_entries_are_judged() {
    let none = [0; 16];
    let mut odd_chs = EE;
    odd_chs[2] = 1;
    let mut late = EE;
    late[8] = 2;
    for (rows, flaws) in [
        (vec![EE], Some(vec![])),
        (vec![EE, LINUX], Some(vec!["gpt-hybrid-mbr"])),
        (vec![LINUX, EE], Some(vec!["gpt-hybrid-mbr", "gpt-protective-mbr-unusual"])),
        (vec![none, EE], Some(vec!["gpt-protective-mbr-unusual"])),
        (vec![odd_chs], Some(vec!["gpt-protective-mbr-unusual"])),
        (vec![late], None),
        (vec![LINUX], None),
        (vec![], None),
    ] {
        let found = match protection(&disk(&rows)).unwrap() {
            Protection::Present(flaws) => Some(flaws.iter().map(|flaw| flaw.id.clone()).collect::<Vec<_>>()),
            Protection::Absent => None,
        };
        assert_eq!(found, flaws.map(|ids| ids.into_iter().map(String::from).collect()), "{rows:?}");
    }
}

#[test]
fn a_plain_table_is_named_and_a_boot_sector_is_not() {
    let mut fat_code = LINUX;
    fat_code[0] = 0x33;
    for (rows, plain) in [(vec![LINUX], true), (vec![[0; 16]], false), (vec![fat_code, LINUX], false)] {
        assert_eq!(probe(&disk(&rows)).unwrap(), plain, "{rows:?}");
    }
    let tiny: Bytes = Arc::new(vec![0; 100]);
    assert!(!probe(&tiny).unwrap());
}

fn row(flag: u8, kind: u8, start: u32, sectors: u32) -> [u8; 16] {
    let mut row = [0; 16];
    (row[0], row[4]) = (flag, kind);
    row[8..12].copy_from_slice(&start.to_le_bytes());
    row[12..].copy_from_slice(&sectors.to_le_bytes());
    row
}

/// A disk of `sectors` sectors with tables in some of them.
fn tables(sectors: usize, tables: &[(usize, &[[u8; 16]])]) -> Bytes {
    let mut disk = vec![0; sectors * 512];
    for (at, rows) in tables {
        let table = &mut disk[at * 512..][..512];
        for (place, row) in table[446..510].chunks_mut(16).zip(*rows) {
            place.copy_from_slice(row);
        }
        table[510..].copy_from_slice(&[0x55, 0xaa]);
    }
    disk[0x1b8..0x1bc].copy_from_slice(&[0x78, 0x56, 0x34, 0x12]);
    Arc::new(disk)
}

/// `number:first+sectors`, then flaws, the fatal ones with a `!`.
fn found(disk: &Bytes) -> Vec<String> {
    let scan = read(disk, &Limits::default()).unwrap();
    let parts = scan.partitions.iter().map(|part| format!("{}:{}+{}", part.number, part.start / 512, part.size / 512));
    let flaws = scan.flaws.items.iter().map(|flaw| format!("{}{}", flaw.id, if flaw.fatal { "!" } else { "" }));
    parts.chain(flaws).collect()
}

#[test]
fn primary_entries_are_judged() {
    for (rows, expected) in [
        (vec![row(0x80, 0x83, 8, 8)], vec!["1:8+8"]),
        (vec![row(0, 0, 0, 0), row(0, 0x82, 8, 8), row(0, 0, 0, 0), row(0, 0x83, 16, 4)], vec!["2:8+8", "4:16+4"]),
        (vec![row(0, 0x83, 8, 8), row(0, 0x83, 15, 8)], vec!["1:8+8", "2:15+8", "mbr-partitions-overlap!"]),
        (vec![row(0, 0x83, 16, 8), row(0, 0x83, 8, 8)], vec!["1:16+8", "2:8+8"]),
        (vec![row(0, 0x83, 8, 56)], vec!["1:8+56"]),
        (vec![row(0, 0x83, 8, 57)], vec!["mbr-partition-past-end!"]),
        (vec![row(0, 0x83, u32::MAX, u32::MAX)], vec!["mbr-partition-past-end!"]),
        (vec![row(0, 0x83, 0, 8)], vec!["1:0+8", "mbr-partitions-overlap!"]),
        (vec![row(0x80, 0x83, 8, 8), row(0x80, 0x83, 16, 8)], vec!["1:8+8", "2:16+8", "mbr-active-twice"]),
        (vec![row(0, 0, 8, 8)], vec!["1:8+8", "mbr-no-type"]),
        (vec![row(0, 0xee, 2, 8), row(0, 0x83, 16, 8)], vec!["1:2+8", "2:16+8", "mbr-protective-entry!"]),
    ] {
        assert_eq!(found(&tables(64, &[(0, &rows)])), expected, "{rows:?}");
    }
}

/// Tables by their sector.
type Chain<'a> = &'a [(usize, &'a [[u8; 16]])];

#[test]
fn logical_partitions_are_a_chain() {
    let (none, extended) = (row(0, 0, 0, 0), row(0, 0x05, 8, 40));
    let first = row(0, 0x83, 1, 4);
    let link = |start, sectors| row(0, 0x05, start, sectors);
    let main: &[[u8; 16]] = &[row(0, 0x83, 1, 7), extended];
    let cases: &[(Chain<'_>, &[&str])] = &[
        (&[(8, &[first])], &["5:9+4"]),
        (&[(8, &[first, link(8, 16)]), (16, &[first, link(24, 8)]), (32, &[first])], &["5:9+4", "6:17+4", "7:33+4"]),
        (&[(8, &[none, link(8, 16)]), (16, &[first])], &["5:17+4"]),
        (&[(8, &[link(8, 16), first]), (16, &[first])], &["5:9+4", "6:17+4"]),
        (&[(8, &[first, none, row(0, 0x83, 6, 2), row(0, 0x83, 6, 200)])], &["5:9+4", "6:14+2"]),
        (&[(8, &[first, link(0, 16)])], &["5:9+4", "mbr-logical-loop!"]),
        (&[(8, &[first, link(8, 8)]), (16, &[first, link(8, 8)])], &["5:9+4", "6:17+4", "mbr-logical-loop!"]),
        (&[(8, &[first, link(40, 8)])], &["5:9+4", "mbr-logical-outside!"]),
        (&[(8, &[first, link(u32::MAX, 8)])], &["5:9+4", "mbr-logical-outside!"]),
        (&[(8, &[first, link(8, 8)])], &["5:9+4", "mbr-logical-table-missing!"]),
        (&[], &["mbr-logical-table-missing!"]),
        (&[(8, &[])], &[]),
        (&[(8, &[row(0, 0x83, 1, 40)])], &["5:9+40", "mbr-logical-outside!"]),
        (&[(8, &[row(0, 0x83, 1, 4000)])], &["mbr-logical-outside!", "mbr-partition-past-end!"]),
        (&[(8, &[row(0, 0x83, 1, 8), link(8, 8)]), (16, &[first])], &["5:9+8", "6:17+4", "mbr-partitions-overlap!"]),
    ];
    for (chain, expected) in cases {
        let all: Vec<_> = [(0, main)].into_iter().chain(chain.iter().copied()).collect();
        let mut wanted = vec!["1:1+7", "2:8+2"];
        wanted.extend(expected.iter());
        assert_eq!(found(&tables(64, &all)), wanted, "{chain:?}");
    }
}

#[test]
fn long_chains_end() {
    for (count, filled, flaw) in
        [(300, true, Some("mbr-logical-chain")), (150, false, Some("mbr-logical-chain")), (99, false, None)]
    {
        let rows: Vec<[[u8; 16]; 2]> = (1..=count)
            .map(|index| {
                [
                    row(0, 0x83, 1, u32::from(filled)),
                    row(0, 5, if index == count { 0 } else { index * 2 }, if index == count { 0 } else { 2 }),
                ]
            })
            .collect();
        let mut all: Vec<(usize, &[[u8; 16]])> =
            rows.iter().enumerate().map(|(index, rows)| (8 + index * 2, rows.as_slice())).collect();
        let main = [row(0, 0x0f, 8, 2 * count)];
        all.push((0, &main));
        let disk = tables(1000, &all);
        let scan = read(&disk, &Limits::default()).unwrap();
        assert_eq!(scan.partitions.len(), if filled { 252 } else { 1 });
        assert_eq!(scan.flaws.items.first().map(|flaw| flaw.id.as_str()), flaw, "{count}");
        let small = Limits { partitions: 50, ..Limits::default() };
        assert_eq!(read(&disk, &small).unwrap_err().kind, crate::error::ErrorKind::TooLarge);
    }
}

#[test]
fn what_oslo_takes_for_an_mbr() {
    for (disk, is_refused) in [
        (tables(2, &[]), false),
        (tables(2, &[(0, &[])]), true),
        (tables(2, &[(0, &[row(0x33, 0x83, 1, 1)])]), true),
        (tables(2, &[(0, &[row(0, 0x83, 0, 0)])]), false),
    ] {
        assert_eq!(unreadable(&disk).unwrap().is_some(), is_refused);
        let mut bytes = vec![0; 1024];
        disk.read_at(0, &mut bytes).unwrap();
        (bytes[0x10], bytes[0x15]) = (2, 0xf8);
        let disk: Bytes = Arc::new(bytes);
        assert_eq!(unreadable(&disk).unwrap(), None, "a FAT file system");
    }
}
