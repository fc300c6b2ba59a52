//! `s_kbytes_written`, which counts what mke2fs wrote and differs from run to run, becomes 0 in every superblock
//! (<https://docs.kernel.org/filesystems/ext4/super.html>).

use crate::build::disk::target::Target;
use crate::bytes::{le_u16, le_u32, slice};
use crate::disk::filesystem::crc32c;
use crate::error::{Error, Result};

/// Bytes of a superblock, and where the first stands.
const SUPERBLOCK: usize = 1024;
const FIRST: u64 = 1024;
/// `s_magic`.
const MAGIC: u16 = 0xef53;
/// `s_kbytes_written`, 64 bits.
const WRITTEN: usize = 0x178;
/// `s_checksum`, of all that stands before it.
const CHECKSUM: usize = 0x3fc;

/// Forgets what was written, in the superblock and its copies.
///
/// # Errors
/// `Corrupt` where a copy is not where `sparse_super` has it; `Io` as the file has it.
pub(super) fn settle(file: &Target) -> Result<()> {
    let mut first = vec![0; SUPERBLOCK];
    file.read(FIRST, &mut first)?;
    let field = |at| le_u32(&first, at).unwrap_or(0);
    let block_size = 1024_u64.checked_shl(field(0x18)).unwrap_or(1024);
    let first_data_block = u64::from(field(0x14));
    let blocks = u64::from(field(0x150)) << 32 | u64::from(field(0x4));
    let per_group = u64::from(field(0x20)).max(1);
    let groups = blocks.saturating_sub(first_data_block).div_ceil(per_group);
    forget(file, FIRST, 0)?;
    for group in (1..groups).filter(|group| has_copy(*group)) {
        let block = group.saturating_mul(per_group).saturating_add(first_data_block);
        forget(file, block.saturating_mul(block_size), group)?;
    }
    Ok(())
}

fn forget(file: &Target, at: u64, group: u64) -> Result<()> {
    let mut bytes = vec![0; SUPERBLOCK];
    file.read(at, &mut bytes)?;
    if le_u16(&bytes, 0x38) != Some(MAGIC) || le_u16(&bytes, 0x5a).map(u64::from) != Some(group & 0xffff) {
        return Err(Error::corrupt("ext4 file system that was made", format!("no superblock in group {group}")));
    }
    put(&mut bytes, WRITTEN, &[0; 8]);
    let sum = crc32c(u32::MAX, slice(&bytes, 0, CHECKSUM).unwrap_or_default());
    put(&mut bytes, CHECKSUM, &sum.to_le_bytes());
    file.write(at, &bytes)
}

/// Group 1 and the powers of 3, 5 and 7.
fn has_copy(group: u64) -> bool {
    let is_power = |base: u64| {
        let powers = std::iter::successors(Some(base), |power| power.checked_mul(base));
        powers.take_while(|power| *power <= group).any(|power| power == group)
    };
    group == 1 || [3, 5, 7].into_iter().any(is_power)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = at.checked_add(value.len()).and_then(|end| bytes.get_mut(at..end)) {
        place.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_stand_in_group_one_and_the_powers_of_three_primes() {
        let copies: Vec<u64> = (1..130).filter(|group| has_copy(*group)).collect();
        assert_eq!(copies, [1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
