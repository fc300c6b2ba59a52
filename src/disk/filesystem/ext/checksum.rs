//! CRC-32C and CRC-16 as ext4 has them: seeded, without the final inversion (e2fsprogs, `lib/ext2fs/{crc32c,crc16}.c`).

use std::array;
use std::sync::LazyLock;

/// What a byte does to the remainder when 0 to 7 further bytes follow it.
static TABLES: LazyLock<[[u32; 256]; 8]> =
    LazyLock::new(|| array::from_fn(|behind| array::from_fn(|byte| shifted(byte, behind))));

fn shifted(byte: usize, behind: usize) -> u32 {
    let bits = 0..behind.saturating_add(1).saturating_mul(8);
    bits.fold(u32::try_from(byte).unwrap_or(0), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0x82f6_3b78 })
}

/// CRC-32C of `bytes` behind what gave `seed`; the first seed is `u32::MAX`.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &*TABLES;
    let at = |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(0);
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut crc = seed;
    for [a, b, c, d, e, f, g, h] in chunks {
        let [w, x, y, z] = crc.to_le_bytes();
        let front = at(t7, a ^ w) ^ at(t6, b ^ x) ^ at(t5, c ^ y) ^ at(t4, d ^ z);
        crc = front ^ at(t3, *e) ^ at(t2, *f) ^ at(t1, *g) ^ at(t0, *h);
    }
    rest.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        crc >> 8 ^ at(t0, low ^ byte)
    })
}

/// CRC-16 (0xA001, reflected) of `bytes` behind what gave `seed`; the first seed is `u16::MAX`.
pub(super) fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xa001 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_of_the_catalogue() {
        // Catalogue of parametrised CRC algorithms: CRC-32/ISCSI inverts its end, CRC-16/MODBUS does not.
        assert_eq!(crc32c(u32::MAX, b"123456789"), !0xe306_9283);
        assert_eq!(crc16(u16::MAX, b"123456789"), 0x4b37);
    }

    #[test]
    fn parts_give_what_the_whole_gives() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..bytes.len() {
            let (front, back) = bytes.split_at(cut);
            assert_eq!(crc32c(crc32c(7, front), back), crc32c(7, &bytes), "{cut}");
        }
    }
}
