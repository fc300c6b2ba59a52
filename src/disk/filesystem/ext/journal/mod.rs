//! The journal of a file system that was not unmounted: which blocks its committed transactions replace.
//! <https://docs.kernel.org/filesystems/ext4/journal.html>, `fs/jbd2/recovery.c` of Linux

mod log;
mod record;

use super::blocks::{Blocks, Logged, Replayed};
use super::feature;
use super::inode::Inode;
use crate::disk::filesystem::FileType;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::GIB;
use crc32fast::Hasher;
use log::{Log, Step};
use record::{Kind, Tag, Whole};
use std::collections::HashMap;

/// Begins every block of the journal that is none of data (`JBD2_MAGIC_NUMBER`).
pub(super) const MAGIC: u32 = 0xc03b_3998;
/// Largest journal in bytes: the largest that `mke2fs` makes by itself (`ext2fs_default_journal_size`).
const MAX_JOURNAL: u64 = GIB;
/// Most blocks that a journal may revoke, 24 bytes of memory each; a whole journal of 4 KiB blocks has 262 144.
const MAX_REVOKED: usize = 1 << 20;

/// The blocks that the journal replaces: none when the file system was unmounted.
///
/// # Errors
/// Where Linux would not mount the file system, and where what it would do is not known here.
pub(super) fn replay(blocks: &Blocks) -> Result<Replayed> {
    let superblock = &blocks.superblock;
    if superblock.incompat & feature::NEEDS_RECOVERY == 0 || superblock.compat & feature::HAS_JOURNAL == 0 {
        return Ok(Replayed::new());
    }
    let Some(log) = Log::open(blocks, journal(blocks)?)? else { return Ok(Replayed::new()) };
    let end = last_committed(&log)?;
    let revoked = revoked(&log, end)?;
    let replayed = replaced(&log, end, &revoked)?;
    log.check_fast_commits(end)?;
    Ok(replayed)
}

fn journal(blocks: &Blocks) -> Result<Inode> {
    let superblock = &blocks.superblock;
    let is_named = superblock.journal_device != 0 || superblock.journal_uuid != [0; 16];
    if superblock.journal_inode == 0 || is_named {
        let cause = "it must be replayed, and stands on another device";
        let help = "boot the machine once and shut it down cleanly, or run `e2fsck` with the journal's device";
        return Err(Error::unsupported("ext4 journal", cause).help(help));
    }
    let inode = blocks.inode(superblock.journal_inode)?;
    if inode.kind() != FileType::Regular || inode.is_inline() {
        return Err(Error::corrupt("ext4 journal", format!("inode {} is no journal", inode.number)));
    }
    if inode.size > MAX_JOURNAL {
        return Err(Error::too_large("ext4 journal", format!("{} bytes, the limit is {MAX_JOURNAL}", inode.size)));
    }
    Ok(inode)
}

/// The number behind that of the last transaction that was committed (`PASS_SCAN`).
fn last_committed(log: &Log) -> Result<u32> {
    let (mut is_doubtful, mut last_time, mut hasher) = (false, 0, Hasher::new());
    log.walk(None, &mut |record, block| {
        let Kind::Commit { time, whole } = &record.kind else {
            // Blocks of an older use of the journal may stand here; the time of their commit tells.
            is_doubtful |= !record.is_sum_right;
            if let (true, Kind::Descriptor { tags }) = (log.has_whole_sums(), &record.kind) {
                add(&mut hasher, block);
                tags.iter().try_for_each(|tag| log.read(tag.at).map(|(_, data)| add(&mut hasher, &data)))?;
            }
            return Ok(Step::On);
        };
        let sum = std::mem::take(&mut hasher).finalize();
        let is_whole = match whole {
            Whole::Unused => true,
            Whole::Crc32(stored) => *stored == (!sum).reverse_bits(),
            Whole::Unknown => false,
        };
        let is_right = record.is_sum_right && (is_whole || !log.has_whole_sums());
        if is_right && !is_doubtful {
            last_time = *time;
            return Ok(Step::On);
        }
        if *time < last_time {
            return Ok(Step::End);
        }
        let cause = format!("transaction {} has another checksum", record.sequence);
        // Linux leaves out such a transaction, but not one that another one follows.
        let is_open = log.is_async() && !is_doubtful;
        let kind = if is_open { ErrorKind::Unsupported } else { ErrorKind::Corrupt };
        Err(Error::new(kind, "ext4 journal").because(cause))
    })
}

/// Adds a block to what becomes Linux's `crc32_be`: CRC-32 with the bits of every byte, and of the result, reversed.
fn add(hasher: &mut Hasher, block: &[u8]) {
    hasher.update(&block.iter().map(|byte| byte.reverse_bits()).collect::<Vec<u8>>());
}

/// Blocks that are not replayed from the transactions up to the one named with them (`PASS_REVOKE`).
fn revoked(log: &Log, end: u32) -> Result<HashMap<u64, u32>> {
    let mut revoked = HashMap::new();
    log.walk(Some(end), &mut |record, _| {
        let Kind::Revoke { blocks } = &record.kind else { return Ok(Step::On) };
        for block in blocks {
            // Numbers of transactions only grow within one walk, so the last one is the latest.
            revoked.insert(*block, record.sequence);
        }
        if revoked.len() > MAX_REVOKED {
            return Err(Error::too_large("ext4 journal", format!("it revokes more than {MAX_REVOKED} blocks")));
        }
        Ok(Step::On)
    })?;
    Ok(revoked)
}

/// The newest copy of each block (`PASS_REPLAY`).
fn replaced(log: &Log, end: u32, revoked: &HashMap<u64, u32>) -> Result<Replayed> {
    let mut replayed = Replayed::new();
    log.walk(Some(end), &mut |record, _| {
        let Kind::Descriptor { tags } = &record.kind else { return Ok(Step::On) };
        for Tag { block, at, is_escaped, checksum } in tags {
            let is_later = |until: &u32| is_behind(record.sequence, *until);
            if !revoked.get(block).is_none_or(is_later) {
                continue;
            }
            let from = log.check_data(*at, record.sequence, *checksum)?;
            if *block >= log.volume_blocks() {
                let cause = format!("it replaces block {block} of {}", log.volume_blocks());
                return Err(Error::corrupt("ext4 journal", cause));
            }
            replayed.insert(*block, Logged { block: from, is_escaped: *is_escaped });
        }
        Ok(Step::On)
    })?;
    Ok(replayed)
}

/// Whether transaction `a` is later than `b`: their numbers run in a circle (`tid_gt`).
fn is_behind(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_transactions_run_in_a_circle() {
        for (a, b, expected) in [(2, 1, true), (1, 1, false), (1, 2, false), (0, u32::MAX, true), (u32::MAX, 0, false)]
        {
            assert_eq!(is_behind(a, b), expected, "{a} {b}");
        }
    }
}
