//! The log within the journal's file, walked record by record.

use super::record::{Format, Kind, Record, sum};
use super::{MAGIC, is_behind};
use crate::bytes::{be_u32, le_u16, le_u32, slice};
use crate::disk::filesystem::ext::blocks::Blocks;
use crate::disk::filesystem::ext::checksum::crc32c;
use crate::disk::filesystem::ext::inode::Inode;
use crate::disk::filesystem::ext::map::Map;
use crate::disk::filesystem::ext::superblock::split;
use crate::error::{Error, Result};
use std::cell::RefCell;

/// Compatible feature: version 1 of checksums, over whole transactions.
const CHECKSUM_1: u32 = 0x1;
/// Incompatible features; those not named here are revocations (0x1), which every journal may have.
const WIDE: u32 = 0x2;
const ASYNC_COMMIT: u32 = 0x4;
const CHECKSUM_2: u32 = 0x8;
const CHECKSUM_3: u32 = 0x10;
const FAST_COMMIT: u32 = 0x20;
const KNOWN: u32 = 0x1 | WIDE | ASYNC_COMMIT | CHECKSUM_2 | CHECKSUM_3 | FAST_COMMIT;
/// The checksum of versions 2 and 3 (`JBD2_CRC32C_CHKSUM`).
const CRC32C: u8 = 4;
/// Fewest blocks of a log (`JBD2_MIN_JOURNAL_BLOCKS`).
const MIN_BLOCKS: u64 = 1024;
/// Blocks of fast commits where the superblock names none (`JBD2_DEFAULT_FAST_COMMIT_BLOCKS`).
const FAST_BLOCKS: u64 = 256;
/// The tag that begins fast commits (`EXT4_FC_TAG_HEAD`).
const FAST_HEAD: u16 = 9;

/// A log that holds something to replay.
pub(super) struct Log<'a> {
    blocks: &'a Blocks,
    inode: Inode,
    map: RefCell<Map>,
    incompat: u32,
    format: Format,
    /// First block of the log in the journal, and the one behind its last.
    first: u64,
    last: u64,
    /// Block and number of the first transaction.
    start: u64,
    sequence: u32,
}

/// Gets each record and its block.
pub(super) type Visit<'a> = dyn FnMut(&Record, &[u8]) -> Result<Step> + 'a;

/// Whether to walk on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    On,
    End,
}

impl<'a> Log<'a> {
    /// The log of a journal, or `None` when it is empty (`jbd2_journal_load` of Linux, `e2fsck_journal_load`).
    pub(super) fn open(blocks: &'a Blocks, inode: Inode) -> Result<Option<Self>> {
        let map = RefCell::new(Map::new(&inode));
        let format = Format::default();
        let mut log = Self { blocks, inode, map, incompat: 0, format, first: 0, last: 0, start: 0, sequence: 0 };
        let (_, superblock) = log.read(0)?;
        let field = |at| be_u32(&superblock, at).unwrap_or(0);
        let version = field(4);
        if field(0) != MAGIC || !matches!(version, 3 | 4) {
            return Err(Error::corrupt("ext4 journal", "it does not begin with its superblock"));
        }
        if version == 4 {
            log.incompat = field(0x28);
            log.format = format_of(&superblock)?;
        }
        let size = blocks.superblock.block_size;
        let (length, there) = (u64::from(field(0x10)), split(log.inode.size, size).0);
        let fast = match u64::from(field(0x54)) {
            _ if log.incompat & FAST_COMMIT == 0 => 0,
            0 => FAST_BLOCKS,
            fast => fast,
        };
        (log.first, log.start, log.sequence) = (field(0x14).into(), field(0x1c).into(), field(0x18));
        log.last = length.saturating_sub(fast);
        let is_inside = |block| (log.first..log.last).contains(&block);
        if u64::from(field(0xc)) != size || length > there || log.last < MIN_BLOCKS || log.first == 0 {
            let cause = format!("{length} blocks of {} bytes from block {}, of {there}", field(0xc), log.first);
            return Err(Error::corrupt("ext4 journal", cause));
        }
        if log.start != 0 && !is_inside(log.start) {
            return Err(Error::corrupt("ext4 journal", format!("its first transaction is at block {}", log.start)));
        }
        Ok(Some(log).filter(|log| log.start != 0))
    }

    /// A block of the journal, and where it stands on the volume.
    pub(super) fn read(&self, at: u64) -> Result<(u64, Vec<u8>)> {
        let run = self.map.borrow_mut().run(self.blocks, &self.inode, at)?;
        let start = run.start.ok_or_else(|| Error::corrupt("ext4 journal", format!("its block {at} is a hole")))?;
        Ok((start, self.blocks.read(start)?))
    }

    /// Shows the records from the first to that which ends the log, before transaction `end`; gives the number of the
    /// transaction that was not complete.
    pub(super) fn walk(&self, end: Option<u32>, visit: &mut Visit) -> Result<u32> {
        let (mut at, mut sequence) = (self.start, self.sequence);
        // A log that never ends would be walked in circles; behind a full one stands its first block again.
        let mut left = self.last.saturating_sub(self.first).saturating_add(1);
        let mut next = || {
            let here = at;
            at = if at.saturating_add(1) >= self.last { self.first } else { at.saturating_add(1) };
            left = left.checked_sub(1).ok_or_else(|| Error::corrupt("ext4 journal", "its log has no end"))?;
            Ok::<u64, Error>(here)
        };
        while end.is_none_or(|end| is_behind(end, sequence)) {
            let (_, block) = self.read(next()?)?;
            let record = Record::parse(&block, sequence, self.format);
            let Some(mut record) = record.map_err(|cause| Error::corrupt("ext4 journal", cause))? else { break };
            if let Kind::Descriptor { tags } = &mut record.kind {
                for tag in tags {
                    tag.at = next()?;
                }
            }
            if visit(&record, &block)? == Step::End {
                break;
            }
            if matches!(record.kind, Kind::Commit { .. }) {
                sequence = sequence.wrapping_add(1);
            }
        }
        Ok(sequence)
    }

    /// The block of the volume that holds the data at a block of the journal, its checksum right.
    pub(super) fn check_data(&self, at: u64, sequence: u32, checksum: u32) -> Result<u64> {
        let (start, bytes) = self.read(at)?;
        let sum = crc32c(crc32c(self.format.seed, &sequence.to_be_bytes()), &bytes);
        let is_right = match self.format.checksums {
            0 | 1 => true,
            2 => sum & 0xffff == checksum,
            _ => sum == checksum,
        };
        if is_right {
            return Ok(start);
        }
        Err(Error::corrupt("ext4 journal", format!("a block of transaction {sequence} has another checksum")))
    }

    /// Refuses a journal with fast commits behind its last transaction (`ext4_fc_replay_scan` of Linux).
    pub(super) fn check_fast_commits(&self, end: u32) -> Result<()> {
        if self.incompat & FAST_COMMIT == 0 {
            return Ok(());
        }
        // Linux begins them one block behind the log, where a reader of the format looks first.
        for at in [self.last, self.last.saturating_add(1)] {
            let (_, block) = self.read(at)?;
            if le_u16(&block, 0) == Some(FAST_HEAD) && le_u32(&block, 8) == Some(end) {
                let help = "boot the machine once and shut it down cleanly, so that the journal is empty";
                return Err(Error::unsupported("ext4 journal", "this version does not replay fast commits").help(help));
            }
        }
        Ok(())
    }

    /// Whether commits have the checksum of their whole transaction.
    pub(super) fn has_whole_sums(&self) -> bool {
        self.format.checksums == 1
    }

    /// Whether a commit may be written before what it commits.
    pub(super) fn is_async(&self) -> bool {
        self.incompat & ASYNC_COMMIT != 0
    }

    /// Blocks of the volume.
    pub(super) fn volume_blocks(&self) -> u64 {
        self.blocks.superblock.blocks
    }
}

fn format_of(superblock: &[u8]) -> Result<Format> {
    let field = |at| be_u32(superblock, at).unwrap_or(0);
    let (compat, incompat, ro_compat) = (field(0x24), field(0x28), field(0x2c));
    let unsupported = |cause: String| Err(Error::unsupported("ext4 journal", cause));
    if incompat & !KNOWN != 0 || ro_compat != 0 {
        return unsupported(format!("unknown features {:#x} and {ro_compat:#x}", incompat & !KNOWN));
    }
    if field(0x40) > 1 {
        return unsupported(format!("{} file systems share it", field(0x40)));
    }
    let checksums = match (compat & CHECKSUM_1 != 0, incompat & CHECKSUM_2 != 0, incompat & CHECKSUM_3 != 0) {
        (false, false, false) => 0,
        (true, false, false) => 1,
        (false, true, false) => 2,
        (false, false, true) => 3,
        _ => return Err(Error::corrupt("ext4 journal", "checksums of two versions at once")),
    };
    let bytes = slice(superblock, 0, 1024).unwrap_or_default();
    if checksums >= 2 && (bytes.get(0x50) != Some(&CRC32C) || sum(bytes, 0xfc, u32::MAX) != be_u32(bytes, 0xfc)) {
        return Err(Error::corrupt("ext4 journal", "its superblock has another checksum"));
    }
    let seed = crc32c(u32::MAX, slice(bytes, 0x30, 16).unwrap_or_default());
    Ok(Format { is_wide: incompat & WIDE != 0, checksums, seed })
}
