//! The header of a block (`dec_block_header` of Linux's `lib/xz/xz_dec_stream.c`).

use super::{UNSUPPORTED, corrupt, cut, refused};
use crate::bytes::{le_u32, slice};
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::{Stream as _, count};

const LZMA2: u8 = 0x21;
/// Branch filters, from number 4 on; each has its option, `CONFIG_XZ_DEC_X86` and so on (`lib/xz/Kconfig`).
const BRANCH_FILTERS: [&str; 8] = ["x86", "powerpc", "ia64", "arm", "armthumb", "sparc", "arm64", "riscv"];
/// The number of the first.
const FIRST_BRANCH_FILTER: u8 = 4;

/// What a block says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the header.
    pub(super) size: u64,
    /// Bytes of the data, packed and unpacked, where it says so.
    pub(super) packed: Option<u64>,
    pub(super) unpacked: Option<u64>,
    /// The branch filter behind which LZMA2 stands.
    pub(super) filter: Option<&'static str>,
    /// LZMA2's properties, and the bytes of dictionary that they ask for.
    pub(super) properties: u8,
    pub(super) dictionary: u64,
}

impl Header {
    /// Reads the header and moves behind it.
    pub(super) fn read(input: &mut Input<'_>) -> Result<Self, Halt> {
        let size = match input.peek(1)?.first() {
            None => return Err(cut(input)),
            Some(size) => usize::from(*size).saturating_add(1).saturating_mul(4),
        };
        let Some(header) = slice(input.peek(size)?, 0, size).map(<[u8]>::to_vec) else {
            return Err(refused(input, "initrd-cut-short", super::CORRUPT, "the xz block header is cut short"));
        };
        let (fields, sum) = header.split_at(size.saturating_sub(4));
        if le_u32(sum, 0) != Some(crc32fast::hash(fields)) {
            return Err(corrupt(input, "the checksum of an xz block header is wrong"));
        }
        match Self::parse(fields) {
            None => Err(corrupt(input, "the xz block header is cut short")),
            Some(Err(found)) => Err(refused(input, "initrd-xz-filter", UNSUPPORTED, &found)),
            Some(Ok(parsed)) => {
                input.consume(size);
                Ok(Self { size: count(size), ..parsed })
            }
        }
    }

    /// The header without its checksum; `None` past its end, an error where Linux refuses.
    fn parse(header: &[u8]) -> Option<Result<Self, String>> {
        let (&[_, flags], mut rest) = header.split_first_chunk()?;
        if flags & 0x3e != 0 {
            return Some(Err(format!("block flags {flags:#04x}; it reads at most two filters")));
        }
        let mut sizes = [None, None];
        for (size, bit) in sizes.iter_mut().zip([0x40, 0x80]) {
            if flags & bit != 0 {
                let (number, behind) = number(rest)?;
                (*size, rest) = (Some(number), behind);
            }
        }
        let mut filter = None;
        if flags & 1 != 0 {
            let (&[id, size], after) = rest.split_first_chunk()?;
            let name = id.checked_sub(FIRST_BRANCH_FILTER).and_then(|place| BRANCH_FILTERS.get(usize::from(place)));
            filter = name.copied().filter(|_| size == 0);
            if filter.is_none() {
                return Some(Err(format!("filter {id:#04x}; it reads only LZMA2 behind at most one branch filter")));
            }
            rest = after;
        }
        let (&[id, size, properties], padding) = rest.split_first_chunk()?;
        if id != LZMA2 || size != 1 {
            return Some(Err(format!("filter {id:#04x}; it reads only LZMA2")));
        }
        // xz_dec_lzma2_reset: "This limits dictionary size to 3 GiB".
        if properties > 39 {
            return Some(Err("a dictionary of more than 3 GiB".into()));
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Some(Err("a block header that goes on behind its filters".into()));
        }
        let shift = u32::from(properties >> 1).checked_add(11)?;
        let dictionary = u64::from(2 | (properties & 1)).checked_shl(shift)?;
        let [packed, unpacked] = sizes;
        Some(Ok(Self { size: 0, packed, unpacked, filter, properties, dictionary }))
    }
}

/// A number of up to nine bytes, seven bits each, and what stands behind it.
pub(super) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, byte) in (0_u32..9).zip(bytes) {
        number |= u64::from(byte & 0x7f) << place.checked_mul(7)?;
        if byte & 0x80 == 0 {
            let is_shortest = place == 0 || *byte != 0;
            let behind = bytes.get(usize::try_from(place).ok()?.checked_add(1)?..)?;
            return is_shortest.then_some((number, behind));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_headers_are_judged_as_linux_does() {
        let of = |bytes: &[u8]| match Header::parse(bytes) {
            Some(Ok(header)) => format!("{} {}", header.dictionary, header.filter.unwrap_or_default()),
            Some(Err(found)) => found,
            None => "cut short".into(),
        };
        for (header, expected) in [
            (&[2, 0, LZMA2, 1, 22][..], "8388608"),
            (&[2, 0, LZMA2, 1, 39], "3221225472"),
            (&[2, 0, LZMA2, 1, 40], "a dictionary of more than 3 GiB"),
            (&[2, 0xc0, 0x80, 1, 0x85, 0x86, 7, LZMA2, 1, 0], "4096"),
            (&[2, 1, 4, 0, LZMA2, 1, 1], "6144 x86"),
            (&[2, 1, 10, 0, LZMA2, 1, 1], "6144 arm64"),
            (&[2, 1, 12, 0, LZMA2, 1, 1], "filter 0x0c"),
            (&[2, 1, 4, 4, LZMA2, 1, 1], "filter 0x04"),
            (&[2, 0, LZMA2, 1, 1, 0, 0], "6144"),
            (&[2, 0, LZMA2, 1, 1, 0, 1], "a block header that goes on"),
            (&[2, 0x40, 0x80, 0, LZMA2, 1, 1], "cut short"),
            (&[2, 1, 3, 1, 0, LZMA2, 1, 1], "filter 0x03"),
            (&[2, 2, LZMA2], "block flags 0x02"),
            (&[2, 0, 3, 1, 0], "filter 0x03"),
            (&[2, 0, LZMA2, 1], "cut short"),
            (&[2, 0x40, 0x80, 0x80], "cut short"),
            (&[2], "cut short"),
        ] {
            assert!(of(header).starts_with(expected), "{header:x?}: {}", of(header));
        }
    }
}
