//! xz (`xz-file-format.txt` 1.2) as Linux's `lib/xz/xz_dec_stream.c` reads it, block by block: a subset.

mod block;
mod index;

use super::{Unpack, difference, memory_limit, refused};
use crate::bytes::{le_u32, slice};
use crate::error::Error;
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;
use block::Header;
use index::Index;
use liblzma::stream::{Action, Error as XzError, Filters, Status, Stream};
use std::collections::BTreeSet;

const MAGIC: &[u8] = b"\xfd7zXZ\0";
const CORRUPT: &str = "XZ-compressed data is corrupt";
const UNSUPPORTED: &str = "Input was encoded with settings that are not supported by this XZ decoder";
/// The largest dictionary that is allocated here: `xz -9` has 64 MiB. Linux takes up to 3 GiB, where it has them.
const DICTIONARY_LIMIT: u64 = 128 * 1024 * 1024;

/// One stream.
struct Xz {
    /// Bytes of the check behind each block: CRC32 or none.
    check: u8,
    block: Option<Block>,
    index: Index,
    filters: BTreeSet<&'static str>,
    is_ended: bool,
}

/// A block being unpacked.
struct Block {
    header: Header,
    stream: Stream,
    /// Where its data begin.
    start: u64,
    sum: crc32fast::Hasher,
    is_ended: bool,
}

pub(super) fn open(input: &mut Input<'_>) -> Result<Box<dyn Unpack>, Halt> {
    let check = check_stream_header(input)?;
    Ok(Box::new(Xz { check, block: None, index: Index::default(), filters: BTreeSet::new(), is_ended: false }))
}

/// `dec_stream_header`; gives the bytes of the check.
fn check_stream_header(input: &mut Input<'_>) -> Result<u8, Halt> {
    let header: [u8; 12] = match slice(input.peek(12)?, 0, 12).map(TryInto::try_into) {
        Some(Ok(header)) => header,
        _ => return Err(refused(input, "initrd-cut-short", CORRUPT, "the xz header is cut short")),
    };
    if !header.starts_with(MAGIC) {
        return Err(refused(input, "initrd-xz", "Input is not in the XZ format (wrong magic bytes)", ""));
    }
    let [.., flags, check, _, _, _, _] = header;
    if Some(crc32fast::hash(&[flags, check])) != le_u32(&header, 8) {
        return Err(refused(input, "initrd-xz", CORRUPT, "the checksum of the xz header is wrong"));
    }
    // Of the checks Linux has none (0) and CRC32 (1); xz's own default is CRC64 (4).
    if flags != 0 || check > 1 {
        let name = match check {
            4 => "CRC64",
            10 => "SHA-256",
            _ => "unknown",
        };
        let found = format!("integrity check {check} ({name}); it reads only CRC32 (xz --check=crc32)");
        return Err(refused(input, "initrd-xz-check", UNSUPPORTED, &found));
    }
    input.consume(12);
    Ok(check.saturating_mul(4))
}

fn cut(input: &Input<'_>) -> Halt {
    refused(input, "initrd-cut-short", CORRUPT, "the xz data are cut short")
}

fn corrupt(input: &Input<'_>, found: &str) -> Halt {
    refused(input, "initrd-xz", CORRUPT, found)
}

impl Xz {
    /// Begins the next block; false where the index stands in its place.
    fn begin(&mut self, input: &mut Input<'_>) -> Result<bool, Halt> {
        let Some(first) = input.peek(1)?.first().copied() else { return Err(cut(input)) };
        if first == 0 {
            return Ok(false);
        }
        let header = Header::read(input)?;
        if header.dictionary > DICTIONARY_LIMIT {
            return Err(memory_limit("its xz dictionary", header.dictionary, DICTIONARY_LIMIT));
        }
        let stream = chain(&header).and_then(|filters| Stream::new_raw_decoder(&filters));
        let stream = stream.map_err(|error| Halt::unread(Error::io("xz decoder", error)))?;
        self.filters.extend(header.filter);
        let start = input.position();
        self.block = Some(Block { header, stream, start, sum: crc32fast::Hasher::new(), is_ended: false });
        Ok(true)
    }

    /// What stands behind a block: zeros, and the check.
    fn end(&mut self, input: &mut Input<'_>, block: Block) -> Result<(), Halt> {
        let packed = input.position().saturating_sub(block.start);
        let unpacked = block.stream.total_out();
        let is_as_said = |said: Option<u64>, found| said.is_none_or(|said| said == found);
        if !is_as_said(block.header.packed, packed) || !is_as_said(block.header.unpacked, unpacked) {
            return Err(corrupt(input, "a block is not as long as its header says"));
        }
        let padding = usize::try_from(packed.wrapping_neg() % 4).unwrap_or(0);
        let check = usize::from(self.check);
        let Some(behind) = slice(input.peek(8)?, 0, padding.saturating_add(check)).map(<[u8]>::to_vec) else {
            return Err(cut(input));
        };
        input.consume(behind.len());
        let (zeros, sum) = behind.split_at(padding.min(behind.len()));
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(corrupt(input, "the padding of a block is not zeros"));
        }
        let found = block.sum.finalize();
        if check != 0 && le_u32(sum, 0) != Some(found) {
            return Err(corrupt(input, "the checksum of a block is wrong"));
        }
        let size = block.header.size.saturating_add(packed).saturating_add(self.check.into());
        self.index.add(size, unpacked);
        Ok(())
    }
}

/// The filters of a block, in the order of its header.
fn chain(header: &Header) -> Result<Filters, XzError> {
    let mut filters = Filters::new();
    match header.filter {
        Some("x86") => filters.x86(),
        Some("powerpc") => filters.powerpc(),
        Some("ia64") => filters.ia64(),
        Some("arm") => filters.arm(),
        Some("armthumb") => filters.arm_thumb(),
        Some("sparc") => filters.sparc(),
        Some("arm64") => filters.arm64(),
        Some("riscv") => filters.riscv(),
        _ => &mut filters,
    };
    filters.lzma2_properties(&[header.properties])?;
    Ok(filters)
}

impl Unpack for Xz {
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        while !self.is_ended {
            let Some(block) = &mut self.block else {
                if !self.begin(input)? {
                    self.index.verify(input)?;
                    index::footer(input, self.check / 4, self.index.size)?;
                    self.is_ended = true;
                }
                continue;
            };
            if block.is_ended {
                if let Some(block) = self.block.take() {
                    self.end(input, block)?;
                }
                continue;
            }
            let produced = block.unpack(input, out)?;
            if produced > 0 {
                return Ok(produced);
            }
        }
        Ok(0)
    }

    fn filters(&self) -> Vec<String> {
        self.filters.iter().map(|name| (*name).to_owned()).collect()
    }
}

impl Block {
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        let chunk = input.chunk()?;
        let is_end = chunk.is_empty();
        let before = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.process(chunk, out, Action::Run);
        let consumed = difference(self.stream.total_in(), before.0);
        let produced = difference(self.stream.total_out(), before.1);
        input.consume(consumed);
        match status {
            Ok(Status::StreamEnd) => self.is_ended = true,
            Ok(_) if consumed.saturating_add(produced) > 0 => {}
            Ok(_) | Err(XzError::Data) if is_end => return Err(cut(input)),
            Ok(_) => return Err(corrupt(input, "no progress")),
            Err(XzError::MemLimit | XzError::Mem) => {
                return Err(memory_limit("its xz dictionary", self.header.dictionary, DICTIONARY_LIMIT));
            }
            Err(XzError::Options) => return Err(refused(input, "initrd-xz-filter", UNSUPPORTED, "")),
            Err(error) => return Err(corrupt(input, &error.to_string())),
        }
        self.sum.update(out.get(..produced).unwrap_or_default());
        Ok(produced)
    }
}
