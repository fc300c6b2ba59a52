//! Directory entries of FAT: short names, and long names spread over entries of their own.
//! (Microsoft, "FAT: General Overview of On-Disk Format", 1.03.)

use crate::bytes::{le_u16, le_u32, slice};

const LONG_NAME: u8 = 0x0f;
const VOLUME_ID: u8 = 0x08;
const DIRECTORY: u8 = 0x10;

/// One file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Long name as UTF-8, or the short one where there is none.
    pub(super) name: Vec<u8>,
    /// `NAME.EXT`.
    pub(super) short: Vec<u8>,
    pub(super) is_directory: bool,
    /// First cluster; 0 for an empty file.
    pub(super) cluster: u32,
    /// Bytes; 0 for a directory.
    pub(super) size: u32,
}

impl Entry {
    /// Whether `name` names it; FAT does not tell capitals from small letters.
    pub(super) fn is_called(&self, name: &[u8]) -> bool {
        let fold = |name: &[u8]| {
            str::from_utf8(name).map_or_else(|_| name.to_ascii_lowercase(), |s| s.to_lowercase().into_bytes())
        };
        let wanted = fold(name);
        fold(&self.name) == wanted || fold(&self.short) == wanted
    }
}

/// The files of a directory, in order; `.`, `..`, deleted entries and the volume label are left out.
pub(super) fn parse(directory: &[u8]) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut long = LongName::default();
    for raw in directory.chunks_exact(32) {
        let (Some(first), Some(attributes)) = (raw.first(), raw.get(11)) else { break };
        match (*first, attributes & 0x3f) {
            (0, _) => break,
            (0xe5, _) => long = LongName::default(),
            (_, LONG_NAME) => long.add(raw),
            (b'.', kind) if kind & DIRECTORY != 0 => long = LongName::default(),
            (_, kind) if kind & VOLUME_ID != 0 => long = LongName::default(),
            _ => found.extend(entry(raw, std::mem::take(&mut long))),
        }
    }
    found
}

fn entry(raw: &[u8], long: LongName) -> Option<Entry> {
    let stored = slice(raw, 0, 11)?;
    let case = *raw.get(12)?;
    let short = short_name(stored, 0);
    let cluster = u32::from(le_u16(raw, 20)?) << 16 | u32::from(le_u16(raw, 26)?);
    let name = long.finish(checksum(stored)).unwrap_or_else(|| short_name(stored, case));
    Some(Entry { name, short, is_directory: raw.get(11)? & DIRECTORY != 0, cluster, size: le_u32(raw, 28)? })
}

/// `case` is the byte in which Windows keeps that base (0x08) or extension (0x10) are all small letters.
fn short_name(stored: &[u8], case: u8) -> Vec<u8> {
    let part = |start, length, small: bool| {
        let bytes = slice(stored, start, length).unwrap_or_default().trim_ascii_end();
        if small { bytes.to_ascii_lowercase() } else { bytes.to_vec() }
    };
    let mut name = part(0, 8, case & 0x08 != 0);
    if let Some(first) = name.first_mut().filter(|first| **first == 5) {
        *first = 0xe5;
    }
    let extension = part(8, 3, case & 0x10 != 0);
    if !extension.is_empty() {
        name.push(b'.');
        name.extend(extension);
    }
    name
}

fn checksum(stored: &[u8]) -> u8 {
    stored.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// Parts of a long name, collected from the last to the first as they are stored.
#[derive(Default)]
struct LongName {
    units: Vec<u16>,
    /// Number of the part that must come next, and the checksum that all carry.
    expects: u8,
    sum: u8,
}

impl LongName {
    fn add(&mut self, raw: &[u8]) {
        const LAST: u8 = 0x40;
        /// Parts of 13 letters that a name of 255 takes.
        const MAX_PARTS: u8 = 20;
        let (Some(order), Some(sum)) = (raw.first().copied(), raw.get(13).copied()) else { return };
        let number = order & 0x3f;
        if order & LAST != 0 && (1..=MAX_PARTS).contains(&number) {
            *self = Self { units: Vec::new(), expects: number, sum };
        }
        if self.expects == 0 || number != self.expects || sum != self.sum {
            *self = Self::default();
            return;
        }
        let places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
        let mut units: Vec<u16> = places.into_iter().filter_map(|at| le_u16(raw, at)).collect();
        units.append(&mut self.units);
        self.units = units;
        self.expects = number.saturating_sub(1);
        if self.expects == 0 {
            // Complete: 0 is kept apart from "nothing collected" by the units.
            self.units.truncate(self.units.iter().position(|unit| *unit == 0).unwrap_or(self.units.len()));
        }
    }

    /// The name, if it is complete and belongs to the short entry with this checksum.
    fn finish(self, sum: u8) -> Option<Vec<u8>> {
        if self.units.is_empty() || self.expects != 0 || self.sum != sum {
            return None;
        }
        let name: String = char::decode_utf16(self.units)
            .map(|unit| unit.map_or_else(|lone| format!("\\u{:04x}", lone.unpaired_surrogate()), String::from))
            .collect();
        Some(name.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(name: &[u8; 11], attributes: u8, case: u8) -> Vec<u8> {
        let mut raw = vec![0; 32];
        raw[..11].copy_from_slice(name);
        (raw[11], raw[12], raw[26]) = (attributes, case, 5);
        raw
    }

    fn long(order: u8, text: &str, sum: u8) -> Vec<u8> {
        let mut raw = vec![0xff; 32];
        (raw[0], raw[11], raw[12], raw[13], raw[26], raw[27]) = (order, LONG_NAME, 0, sum, 0, 0);
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        for (unit, at) in units.iter().zip([1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30]) {
            raw[at..][..2].copy_from_slice(&unit.to_le_bytes());
        }
        raw
    }

    #[test]
    fn names_are_joined_from_their_parts() {
        const SHORT: &[u8; 11] = b"INITRD~1IMG";
        let sum = checksum(SHORT);
        let parts = |rows: &[Vec<u8>]| parse(&rows.concat()).into_iter().map(|entry| entry.name).collect::<Vec<_>>();
        for (rows, name) in [
            (
                vec![long(0x42, "-6.1.img", sum), long(1, "initrd-\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", sum)],
                "initrd-éééééé-6.1.img",
            ),
            (vec![long(0x41, "abc", sum)], "abc"),
            // Of another file, out of order, or incomplete: the short name is what remains.
            (vec![long(0x41, "abc", sum.wrapping_add(1))], "INITRD~1.IMG"),
            (vec![long(0x43, "c", sum), long(1, "a", sum)], "INITRD~1.IMG"),
            (vec![long(0x42, "b", sum)], "INITRD~1.IMG"),
            (vec![long(0x7f, "b", sum)], "INITRD~1.IMG"),
            (vec![long(0x40, "b", sum)], "INITRD~1.IMG"),
        ] {
            let rows = [rows, vec![short(SHORT, 0x20, 0)]].concat();
            assert_eq!(parts(&rows), [name.as_bytes()]);
        }
    }

    #[test]
    fn short_names_keep_their_case_flags() {
        for (name, case, expected) in [
            (b"KERNEL  IMG", 0, "KERNEL.IMG"),
            (b"KERNEL  IMG", 0x18, "kernel.img"),
            (b"KERNEL  IMG", 0x08, "kernel.IMG"),
            (b"A          ", 0, "A"),
        ] {
            assert_eq!(short_name(name, case), expected.as_bytes());
        }
    }

    #[test]
    fn labels_dots_and_deleted_entries_are_left_out() {
        let rows = [
            short(b"LABEL      ", VOLUME_ID, 0),
            short(b".          ", DIRECTORY, 0),
            short(b"\xe5ONE    TXT", 0x20, 0),
            short(b"KEPT    TXT", 0x20, 0),
            vec![0; 32],
            short(b"AFTER   TXT", 0x20, 0),
        ];
        let found = parse(&rows.concat());
        assert_eq!(found.len(), 1);
        assert!(found[0].is_called(b"kept.txt") && !found[0].is_called(b"kept"));
    }
}
