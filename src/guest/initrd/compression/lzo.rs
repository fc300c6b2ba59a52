//! lzop's format (`lzop.c`) as Linux's `lib/decompress_unlzo.c` reads it: flags and checksums are stepped over.

use super::blocks::{Blocks, Row, take};
use super::{Unpack, refused};
use crate::bytes::{be_u16, be_u32, slice};
use crate::error::Error;
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;

const MAGIC: &[u8] = &[0x89, b'L', b'Z', b'O', 0x00, 0x0d, 0x0a, 0x1a, 0x0a];
/// `HEADER_SIZE_MIN` and `HEADER_SIZE_MAX`.
const HEADER: std::ops::RangeInclusive<usize> = 33..=289;
const HAS_FILTER: u32 = 0x800;
/// Since this version a header has a compression level and 64 bits of date.
const LEVELS: u16 = 0x940;
/// Bytes that a block unpacks to at most: `LZO_BLOCK_SIZE`.
const BLOCK: u32 = 256 * 1024;
/// What a stream of LZO-RLE begins with; lzop does not write it (`Documentation/staging/lzo.rst`).
const RUN_LENGTHS: u8 = 17;

struct Lzo;

pub(super) fn open(input: &mut Input<'_>) -> Result<Box<dyn Unpack>, Halt> {
    let Some(length) = header(input.peek(*HEADER.end())?) else {
        return Err(refused(input, "initrd-lzo", "invalid header", ""));
    };
    input.consume(length);
    Ok(Box::new(Row::new(Lzo)))
}

/// Bytes of the header; `None` past its end, or when it is none.
fn header(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < *HEADER.start() || !bytes.starts_with(MAGIC) {
        return None;
    }
    let version = be_u16(bytes, 9)?;
    // Behind magic, three versions and the method.
    let mut at: usize = 16;
    if version >= LEVELS {
        at = at.checked_add(1)?;
    }
    at = at.checked_add(if be_u32(bytes, at)? & HAS_FILTER != 0 { 8 } else { 4 })?;
    // Mode and date.
    at = at.checked_add(if version >= LEVELS { 12 } else { 8 })?;
    let name = usize::from(*bytes.get(at)?);
    // The name and the checksum of the header.
    let end = at.checked_add(1)?.checked_add(name)?.checked_add(4)?;
    slice(bytes, 0, end).map(<[u8]>::len)
}

impl Blocks for Lzo {
    fn next(&mut self, input: &mut Input<'_>, block: &mut Vec<u8>) -> Result<bool, Halt> {
        let cut =
            |input: &Input<'_>| refused(input, "initrd-cut-short", "file corrupted", "the lzo data are cut short");
        let Some(unpacked) = be_u32(input.peek(4)?, 0) else { return Err(cut(input)) };
        if unpacked == 0 {
            input.consume(4);
            return Ok(false);
        }
        if unpacked > BLOCK {
            let found = format!("a block of {unpacked} bytes, {BLOCK} is the most");
            return Err(refused(input, "initrd-lzo", "dest len longer than block size", &found));
        }
        let Some(packed) = slice(input.peek(12)?, 0, 12).and_then(|header| be_u32(header, 4)) else {
            return Err(cut(input));
        };
        if packed == 0 || packed > unpacked {
            let found = format!("a block of {unpacked} bytes in {packed}");
            return Err(refused(input, "initrd-lzo", "file corrupted", &found));
        }
        input.consume(12);
        let Some(bytes) = take(input, usize::try_from(packed).unwrap_or(0))? else { return Err(cut(input)) };
        if packed == unpacked {
            block.extend_from_slice(&bytes);
            return Ok(true);
        }
        if bytes.first() == Some(&RUN_LENGTHS) {
            let cause = "lzo with run lengths is not read by this version";
            return Err(Halt::unread(Error::unsupported("initrd segment", cause).offset(input.position())));
        }
        let length = usize::try_from(unpacked).unwrap_or(0);
        let unpacked = Lzo1x { bytes: &bytes, at: 0, out: block, most: length }.unpack();
        if unpacked.is_none() || block.len() != length {
            return Err(refused(input, "initrd-lzo", "Compressed data violation", ""));
        }
        Ok(true)
    }
}

/// LZO1X (`Documentation/staging/lzo.rst` of Linux); `None` wherever it contradicts itself.
struct Lzo1x<'a> {
    bytes: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
    most: usize,
}

impl Lzo1x<'_> {
    fn unpack(&mut self) -> Option<()> {
        // Literals behind the last instruction: 0 none, 1 to 3 that many, 4 a long run.
        let mut state = 0;
        if let Some(run @ 1..) = self.bytes.first()?.checked_sub(17) {
            self.at = 1;
            self.literals(run.into())?;
            state = run.min(4);
        }
        loop {
            let code = self.byte()?;
            let (distance, length, literals) = match code {
                0..=15 if state == 0 => {
                    let length = self.length(code.into(), 15)?.checked_add(3)?;
                    self.literals(length)?;
                    state = 4;
                    continue;
                }
                0..=15 => {
                    let near = usize::from(code >> 2).checked_add(usize::from(self.byte()?) << 2)?;
                    let (base, length) = if state == 4 { (2049, 3) } else { (1, 2) };
                    (near.checked_add(base)?, length, code & 3)
                }
                16..=31 => {
                    let length = self.length(usize::from(code & 7), 7)?.checked_add(2)?;
                    let (near, literals) = self.pair()?;
                    let distance = near.checked_add(usize::from(code & 8) << 11)?;
                    if distance == 0 {
                        return (length == 3 && self.at == self.bytes.len()).then_some(());
                    }
                    (distance.checked_add(0x4000)?, length, literals)
                }
                32..=63 => {
                    let length = self.length(usize::from(code & 31), 31)?.checked_add(2)?;
                    let (near, literals) = self.pair()?;
                    (near.checked_add(1)?, length, literals)
                }
                64.. => {
                    let near = usize::from(code >> 2 & 7).checked_add(usize::from(self.byte()?) << 3)?;
                    (near.checked_add(1)?, usize::from(code >> 5).checked_add(1)?, code & 3)
                }
            };
            self.copy(distance, length)?;
            self.literals(literals.into())?;
            state = literals;
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at = self.at.checked_add(1)?;
        Some(byte)
    }

    /// A length that did not fit into its instruction goes on in further bytes: 255 for each that is zero.
    fn length(&mut self, short: usize, base: usize) -> Option<usize> {
        if short != 0 {
            return Some(short);
        }
        let mut length = base;
        loop {
            match self.byte()? {
                0 => length = length.checked_add(255)?,
                last => return length.checked_add(last.into()),
            }
        }
    }

    /// Fourteen bits of distance and two of literals.
    fn pair(&mut self) -> Option<(usize, u8)> {
        let [low, high] = [self.byte()?, self.byte()?];
        Some((usize::from(u16::from_le_bytes([low, high]) >> 2), low & 3))
    }

    fn literals(&mut self, length: usize) -> Option<()> {
        let bytes = slice(self.bytes, self.at, length)?;
        // An end of three bytes stands behind every literal.
        if self.bytes.len().checked_sub(self.at)? < length.checked_add(3)? || self.room()? < length {
            return None;
        }
        self.out.extend_from_slice(bytes);
        self.at = self.at.checked_add(length)?;
        Some(())
    }

    /// Copies from what was unpacked; the source may reach into the copy.
    fn copy(&mut self, distance: usize, length: usize) -> Option<()> {
        let start = self.out.len().checked_sub(distance)?;
        if self.room()? < length {
            return None;
        }
        for at in start..start.checked_add(length)? {
            let byte = *self.out.get(at)?;
            self.out.push(byte);
        }
        Some(())
    }

    fn room(&self) -> Option<usize> {
        self.most.checked_sub(self.out.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        Lzo1x { bytes, at: 0, out: &mut out, most }.unpack()?;
        Some(out)
    }

    const END: [u8; 3] = [17, 0, 0];

    #[test]
    fn instructions_of_lzo1x() {
        let of = |parts: &[&[u8]]| [parts.concat(), END.to_vec()].concat();
        for (bytes, expected) in [
            (of(&[]), Some(String::new())),
            (of(&[&[18], b"a"]), Some("a".into())),
            (of(&[&[17 + 5], b"abcde"]), Some("abcde".into())),
            (of(&[&[2], b"abcde"]), Some("abcde".into())),
            (of(&[&[0, 1], &[b'x'; 19]]), Some("x".repeat(19))),
            (of(&[&[0, 0, 1], &[b'x'; 274]]), Some("x".repeat(274))),
            // Three bytes from a distance of 2, then of 1 with one literal behind.
            (of(&[&[17 + 5], b"abcde", &[64 | 1 << 2, 0]]), Some("abcdeded".into())),
            (of(&[&[17 + 5], b"abcde", &[64 | 1, 0], b"z"]), Some("abcdeeeez".into())),
            (of(&[&[17 + 5], b"abcde", &[32 | 1, 4 << 2, 0]]), Some("abcdeabc".into())),
            // A literal run may not follow another, and distances may not reach before the beginning.
            (of(&[&[17 + 5], b"abcde", &[64 | 5 << 2, 0]]), None),
            (of(&[&[17 + 5], b"abcde", &[0, 0]]), None),
            (of(&[&[17 + 6], b"abcde"]), None),
            (b"\x12a".to_vec(), None),
            (vec![0; 300], None),
            ([of(&[&[18], b"a"]), vec![0]].concat(), None),
        ] {
            let found = unpacked(&bytes, 1000).map(|bytes| crate::bytes::text(&bytes));
            assert_eq!(found, expected, "{bytes:x?}");
        }
        let five = of(&[&[17 + 5], b"abcde"]);
        assert!(unpacked(&five, 5).is_some() && unpacked(&five, 4).is_none());
    }

    #[test]
    fn no_bytes_panic() {
        let mut random = 1_u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..24)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    random.to_be_bytes()[0]
                })
                .collect();
            assert!(unpacked(&bytes, 512).is_none_or(|out| out.len() <= 512));
        }
    }
}
