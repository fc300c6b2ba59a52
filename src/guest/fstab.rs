//! fstab → mounts (`man 5 fstab`), read as libmount reads it (`libmount/src/tab_parse.c`).

use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::{Error, Result};
use crate::fact::{Gap, Listing};
use crate::guest::Mount;
use crate::limits::Limits;

/// Where it stands in the guest.
pub const PATH: &str = "/etc/fstab";

/// Tags that libmount resolves, and whose value it unquotes (`mnt_valid_tagname`).
const TAGS: &[&str] = &["ID", "UUID", "LABEL", "PARTUUID", "PARTLABEL"];

/// Rows of the guest's fstab; `None` when there is no such file.
///
/// # Errors
/// When the file is there and could not be read.
pub fn read(root: &Root, limits: &Limits) -> Result<Option<Listing<Mount>>> {
    let bytes = root.read_if_exists(PATH, limits.config_file)?;
    Ok(bytes.map(|bytes| parse(&bytes, limits)))
}

/// All rows; a line that libmount rejects is a gap with its number.
pub fn parse(bytes: &[u8], limits: &Limits) -> Listing<Mount> {
    let mut mounts = Listing::default();
    for (line, number) in bytes.split_inclusive(|&byte| byte == b'\n').zip(1_u32..) {
        let row = match content(line) {
            Ok(row) if row.is_empty() || row.starts_with(b"#") => continue,
            row => row,
        };
        if mounts.items.len() >= limits.list_rows {
            let reason = format!("line {number}: the limit of {} rows is reached", limits.list_rows);
            mounts.gaps.push(Gap::at(PATH, reason));
            return mounts;
        }
        mounts.add(row.and_then(parse_row).map(|row| row.mount(number, line)).map_err(|cause| {
            Error::corrupt(format!("line {number}"), format!("{cause}; mount ignores the line")).at(PATH)
        }));
    }
    mounts
}

/// The line from its first non-blank to its end, without `\n` or `\r\n`. A NUL byte hides the newline from libmount.
fn content(line: &[u8]) -> Result<&[u8], &'static str> {
    let line = match line.strip_suffix(b"\n") {
        Some(line) if line.contains(&0) => return Err("it holds a NUL byte"),
        Some(line) => line,
        None => c_string(line),
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(skip_blank(line))
}

/// The fields of a row, escapes resolved.
#[derive(Default)]
struct Row {
    spec: Vec<u8>,
    target: Vec<u8>,
    fstype: Vec<u8>,
    options: Vec<u8>,
    freq: i32,
    passno: i32,
}

/// Three fields are needed; what follows the sixth is ignored, but a fifth or sixth that is no number spoils the row.
fn parse_row(row: &[u8]) -> Result<Row, &'static str> {
    let (spec, rest) = field(row);
    let (target, rest) = field(rest);
    let (fstype, rest) = field(rest);
    let (options, rest) = field(rest);
    if fstype.is_empty() {
        return Err("it has fewer than three fields");
    }
    let mut row = Row {
        spec: unquote(unescape(spec)),
        target: unescape(target),
        fstype: unescape(fstype),
        options: unescape(options),
        ..Row::default()
    };
    if rest.is_empty() {
        return Ok(row);
    }
    let (freq, rest) = number(rest).ok_or("its fifth field is not a number")?;
    row.freq = freq;
    if !rest.is_empty() {
        (row.passno, _) = number(rest).ok_or("its sixth field is not a number")?;
    }
    Ok(row)
}

impl Row {
    fn mount(self, number: u32, line: &[u8]) -> Mount {
        let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last.saturating_add(1));
        Mount {
            line: number,
            text: text(line.get(..end).unwrap_or_default()),
            spec: text(&self.spec),
            target: text(&self.target),
            fstype: text(&self.fstype),
            options: split_options(&self.options),
            freq: self.freq.into(),
            passno: self.passno.into(),
        }
    }
}

/// The first field, and what follows it and its blanks.
fn field(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| is_blank(byte)).unwrap_or(bytes.len());
    let (field, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (field, skip_blank(rest))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn skip_blank(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| !is_blank(byte)).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// Up to the first NUL, where C ends a string.
fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// `\040` as a space, as `lib/mangle.c` does: exactly three octal digits, the value's low eight bits.
fn unescape(mut bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    loop {
        match bytes {
            [b'\\', a @ b'0'..=b'7', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                plain.push(((a & 7) << 6) | ((b & 7) << 3) | (c & 7));
                bytes = rest;
            }
            [byte, rest @ ..] => {
                plain.push(*byte);
                bytes = rest;
            }
            [] => return c_string(&plain).to_vec(),
        }
    }
}

/// `UUID="…"` as `UUID=…`, as `blkid_parse_tag_string` does: up to the last quote of the same kind.
fn unquote(spec: Vec<u8>) -> Vec<u8> {
    let unquoted = || {
        let equals = spec.iter().position(|&byte| byte == b'=')?;
        let (tag, value) = (spec.get(..equals)?, spec.get(equals.checked_add(1)?..)?);
        let [quote @ (b'"' | b'\''), inner @ ..] = value else { return None };
        let end = inner.iter().rposition(|byte| byte == quote)?;
        TAGS.iter().any(|known| known.as_bytes() == tag).then_some([tag, b"=", inner.get(..end)?].concat())
    };
    unquoted().unwrap_or(spec)
}

/// Split at commas outside double quotes, as `mnt_optstr_next` does; empty items are dropped.
fn split_options(options: &[u8]) -> Vec<String> {
    let mut is_quoted = false;
    let items = options.split(|&byte| {
        is_quoted ^= byte == b'"';
        byte == b',' && !is_quoted
    });
    items.filter(|item| !item.is_empty()).map(text).collect()
}

/// A decimal number as `strtol` takes it, cut to 32 bits as libmount does; it must end at a blank or the end.
fn number(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))?;
    let (token, rest) = field(bytes.get(start..)?);
    let (is_negative, digits) = match token {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        let digit = i64::from(digit & 15);
        let value = value.checked_mul(10)?;
        if is_negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    });
    let [a, b, c, d, ..] = value.unwrap_or(if is_negative { i64::MIN } else { i64::MAX }).to_le_bytes();
    Some((i32::from_le_bytes([a, b, c, d]), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: &str) -> String {
        let listing = parse(line.as_bytes(), &Limits::default());
        match (listing.items.as_slice(), listing.gaps.as_slice()) {
            ([m], []) => {
                format!("{}|{}|{}|{}|{}|{}", m.spec, m.target, m.fstype, m.options.join(","), m.freq, m.passno)
            }
            ([], [gap]) => gap.reason.clone(),
            ([], []) => String::new(),
            _ => panic!("{listing:?}"),
        }
    }

    #[test]
    fn rows_are_read_as_libmount_reads_them() {
        for (line, expected) in [
            ("UUID=4a1f / ext4 discard,errors=remount-ro 0 1", "UUID=4a1f|/|ext4|discard,errors=remount-ro|0|1"),
            ("UUID=\"4a1f\"\t/\text4", "UUID=4a1f|/|ext4||0|0"),
            ("LABEL='a\\040b' /mnt/a\\040b ext4 rw", "LABEL=a b|/mnt/a b|ext4|rw|0|0"),
            ("PARTLABEL=\"x / ext4 rw", "PARTLABEL=\"x|/|ext4|rw|0|0"),
            ("FOO=\"x\" / ext4 rw", "FOO=\"x\"|/|ext4|rw|0|0"),
            ("  /dev/vda1  none  swap  sw  0  0  # ignored", "/dev/vda1|none|swap|sw|0|0"),
            ("/dev/vda1 / ext4 defaults # comment", "line 1: its fifth field is not a number; mount ignores the line"),
            ("/dev/vda1 / ext4 rw 0 #", "line 1: its sixth field is not a number; mount ignores the line"),
            ("/dev/vda1 /", "line 1: it has fewer than three fields; mount ignores the line"),
            ("/dev/vda1 / ext4 rw -1 +2", "/dev/vda1|/|ext4|rw|-1|2"),
            ("/dev/vda1 / ext4 rw 4294967297 99999999999999999999", "/dev/vda1|/|ext4|rw|1|-1"),
            ("/dev/vda1 / ext4 rw,,x=\"a,b\", 0 1\r\n", "/dev/vda1|/|ext4|rw,x=\"a,b\"|0|1"),
            ("a\\134b /\\08 ext\\4 rw", "a\\b|/\\08|ext\\4|rw|0|0"),
            ("a\\000b / ext4 rw", "a|/|ext4|rw|0|0"),
            (" \t # comment", ""),
            ("\r\n", ""),
            ("a\0 / ext4 rw\n", "line 1: it holds a NUL byte; mount ignores the line"),
        ] {
            assert_eq!(row(line), expected, "{line:?}");
        }
    }

    #[test]
    fn lines_are_counted_and_a_bad_one_loses_no_other() {
        let listing = parse(b"# one\n\nA / ext4\nbad\nB /b xfs rw 0 2", &Limits::default());
        assert_eq!(listing.items.iter().map(|mount| mount.line).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(listing.items.first().map(|mount| mount.text.as_str()), Some("A / ext4"));
        assert!(listing.gaps.iter().all(|gap| gap.reason.starts_with("line 4:")), "{:?}", listing.gaps);
    }

    #[test]
    fn a_reached_limit_is_a_gap() {
        let limits = Limits { list_rows: 2, ..Limits::default() };
        for (rows, gaps) in [(2, 0), (3, 1), (9, 1)] {
            let listing = parse("A / ext4\n".repeat(rows).as_bytes(), &limits);
            assert_eq!((listing.items.len(), listing.gaps.len()), (2, gaps), "{rows}");
        }
    }
}
