//! The blocks of the journal that are none of data: descriptors, revocations and commits.

use super::MAGIC;
use crate::bytes::{be_u16, be_u32, be_u64, slice};
use crate::disk::filesystem::ext::checksum::crc32c;

/// Bytes of the header of each block: magic number, kind, transaction.
const HEADER: usize = 12;
/// Flags of a tag: the data's magic number was taken out, no UUID follows, no tag follows.
const ESCAPED: u16 = 1;
const SAME_UUID: u16 = 2;
const LAST: u16 = 8;
/// Bytes of a UUID behind a tag.
const UUID: usize = 16;
/// Where a commit block has its checksum and its time.
const COMMIT_SUM: usize = 16;
const COMMIT_TIME: usize = 48;

/// How a journal writes its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Format {
    /// Block numbers have 64 bits.
    pub(super) is_wide: bool,
    /// Version of the checksums, 0 for none: 1 is one of a whole transaction, in its commit.
    pub(super) checksums: u8,
    /// What each checksum begins with.
    pub(super) seed: u32,
}

/// One block of the journal that is none of data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Number of its transaction.
    pub(super) sequence: u32,
    pub(super) kind: Kind,
    /// Its own checksum is right, or there is none.
    pub(super) is_sum_right: bool,
}

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Blocks of data follow in the journal, one for each tag.
    Descriptor { tags: Vec<Tag> },
    /// The transaction is complete.
    Commit { time: u64, whole: Whole },
    /// These blocks are not to be replayed from this or an earlier transaction.
    Revoke { blocks: Vec<u64> },
}

/// The checksum of a whole transaction, in its commit (version 1; `JBD2_CRC32_CHKSUM`, of four bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Unused,
    /// Over its descriptors and their data.
    Crc32(u32),
    /// Of a kind that Linux does not take for right.
    Unknown,
}

/// Where a block of data belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the volume that it replaces.
    pub(super) block: u64,
    /// The block of the journal that it stands in.
    pub(super) at: u64,
    pub(super) is_escaped: bool,
    /// As stored: 32 bits with version 3, 16 with version 2.
    pub(super) checksum: u32,
}

impl Record {
    /// The record in a block, or `None` when it is none of transaction `sequence`.
    ///
    /// # Errors
    /// A cause, when it contradicts itself.
    pub(super) fn parse(block: &[u8], sequence: u32, format: Format) -> Result<Option<Self>, String> {
        if be_u32(block, 0) != Some(MAGIC) || be_u32(block, 8) != Some(sequence) {
            return Ok(None);
        }
        let tail = block.len().saturating_sub(4);
        let (kind, sum_at) = match be_u32(block, 4) {
            Some(1) => (Kind::Descriptor { tags: tags(block, format) }, tail),
            Some(2) => (commit(block), COMMIT_SUM),
            Some(5) => (Kind::Revoke { blocks: revoked(block, format)? }, tail),
            _ => return Ok(None),
        };
        let is_sum_right = !format.has_tail() || sum(block, sum_at, format.seed) == be_u32(block, sum_at);
        Ok(Some(Self { sequence, kind, is_sum_right }))
    }
}

impl Format {
    /// Whether each record has a checksum of its own.
    fn has_tail(self) -> bool {
        self.checksums >= 2
    }
}

fn commit(block: &[u8]) -> Kind {
    let stored = be_u32(block, COMMIT_SUM).unwrap_or(0);
    let whole = match (slice(block, HEADER, 2), stored) {
        (Some([0, 0]), 0) => Whole::Unused,
        (Some([1, 4]), sum) => Whole::Crc32(sum),
        _ => Whole::Unknown,
    };
    Kind::Commit { time: be_u64(block, COMMIT_TIME).unwrap_or(0), whole }
}

/// The checksum of a block, its own field taken as zero.
pub(super) fn sum(block: &[u8], at: usize, seed: u32) -> Option<u32> {
    let (front, behind) = (block.get(..at)?, block.get(at.checked_add(4)?..)?);
    Some([front, &[0; 4], behind].iter().fold(seed, |sum, part| crc32c(sum, part)))
}

/// The tags of a descriptor (`journal_tag_bytes` and `do_one_pass`), where their data stands left open.
fn tags(block: &[u8], format: Format) -> Vec<Tag> {
    let length = match (format.checksums, format.is_wide) {
        (3, _) => 16,
        (2, true) => 14,
        (2, false) => 10,
        (_, true) => 12,
        (_, false) => 8,
    };
    let end = block.len().saturating_sub(if format.has_tail() { 4 } else { 0 });
    let (mut tags, mut at) = (Vec::new(), HEADER);
    while let Some(tag) = slice(block, at, length).filter(|_| at.saturating_add(length) <= end) {
        let flags = be_u16(tag, 6).unwrap_or(0);
        let high = if format.is_wide { be_u32(tag, 8).unwrap_or(0) } else { 0 };
        let checksum = if format.checksums == 3 { be_u32(tag, 12) } else { be_u16(tag, 4).map(u32::from) };
        tags.push(Tag {
            block: u64::from(high) << 32 | u64::from(be_u32(tag, 0).unwrap_or(0)),
            at: 0,
            is_escaped: flags & ESCAPED != 0,
            checksum: checksum.unwrap_or(0),
        });
        if flags & LAST != 0 {
            break;
        }
        at = at.saturating_add(length).saturating_add(if flags & SAME_UUID == 0 { UUID } else { 0 });
    }
    tags
}

/// The blocks of a revocation (`scan_revoke_records`).
fn revoked(block: &[u8], format: Format) -> Result<Vec<u64>, String> {
    let count = be_u32(block, HEADER).and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let most = block.len().saturating_sub(if format.has_tail() { 4 } else { 0 });
    if count > most {
        return Err(format!("revocations of {count} bytes in a block of {most}"));
    }
    let entries = block.get(HEADER.saturating_add(4)..count).unwrap_or_default();
    if format.is_wide {
        return Ok(entries.chunks_exact(8).filter_map(|entry| be_u64(entry, 0)).collect());
    }
    Ok(entries.chunks_exact(4).filter_map(|entry| be_u32(entry, 0)).map(u64::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: u32, rest: &[u32]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [MAGIC, kind, 7].iter().chain(rest).flat_map(|word| word.to_be_bytes()).collect();
        bytes.resize(1024, 0);
        bytes
    }

    const PLAIN: Format = Format { is_wide: false, checksums: 0, seed: 0 };
    const WIDE: Format = Format { is_wide: true, ..PLAIN };

    #[test]
    fn tags_have_their_layouts() {
        let found = |format, words: &[u32]| {
            tags(&block(1, words), format).iter().map(|tag| (tag.block, tag.is_escaped)).collect::<Vec<_>>()
        };
        assert_eq!(found(PLAIN, &[5, 0, 9, 9, 9, 9, 6, 3, 7, 10]), [(5, false), (6, true), (7, false)]);
        assert_eq!(found(WIDE, &[5, 2, 1, 6, 10, 0]), [(0x1_0000_0005, false), (6, false)]);
        let three = Format { is_wide: true, checksums: 3, seed: 0 };
        assert_eq!(found(three, &[5, 2, 0, 77, 6, 10, 2, 78]), [(5, false), (0x2_0000_0006, false)]);
        assert_eq!(tags(&block(1, &[5, 10, 0, 77]), three)[0].checksum, 77);
        let two = Format { checksums: 2, ..three };
        assert_eq!(found(two, &[5, 0xabcd_000a, 1, 0]), [(0x1_0000_0005, false)]);
        assert_eq!(tags(&block(1, &[5, 0xabcd_000a, 1, 0]), two)[0].checksum, 0xabcd);
        // None says that it is the last.
        assert_eq!(found(PLAIN, &[2; 300]).len(), 126);
    }

    #[test]
    fn revocations_count_bytes() {
        let found =
            |format, words: &[u32]| Record::parse(&block(5, words), 7, format).map(|record| record.unwrap().kind);
        assert_eq!(found(PLAIN, &[24, 5, 6, 7]), Ok(Kind::Revoke { blocks: vec![5, 6] }));
        assert_eq!(found(WIDE, &[32, 0, 6, 1, 7, 0]), Ok(Kind::Revoke { blocks: vec![6, 0x1_0000_0007] }));
        assert_eq!(found(PLAIN, &[3]), Ok(Kind::Revoke { blocks: vec![] }));
        assert!(found(PLAIN, &[1025]).is_err());
        assert!(found(PLAIN, &[u32::MAX]).is_err());
    }

    #[test]
    fn commits_have_a_time_and_a_checksum() {
        for (kind, sum, whole) in [
            (0, 0, Whole::Unused),
            (0x0104_0000, 5, Whole::Crc32(5)),
            (0x0104_0000, 0, Whole::Crc32(0)),
            (0, 5, Whole::Unknown),
            (0x0204_0000, 5, Whole::Unknown),
        ] {
            let record = Record::parse(&block(2, &[kind, sum, 0, 0, 0, 0, 0, 0, 0, 0, 77]), 7, PLAIN);
            assert_eq!(record.unwrap().unwrap().kind, Kind::Commit { time: 77, whole }, "{kind:x}");
        }
    }

    #[test]
    fn other_blocks_are_no_records() {
        for (bytes, sequence) in [(block(1, &[]), 8), (block(3, &[]), 7), (vec![0; 1024], 0), (vec![], 0)] {
            assert_eq!(Record::parse(&bytes, sequence, PLAIN), Ok(None));
        }
    }
}
