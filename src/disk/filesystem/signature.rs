//! What stands on a volume, read or not: TYPE, UUID and LABEL as `blkid -p` prints them (util-linux, `libblkid/src/superblocks`).

use super::Identity;
use super::ext::crc32c;
use super::fat::Geometry;
use crate::bytes::{Bytes, be_u16, be_u32, le_u16, le_u32, le_u64, slice, text};
use crate::error::{Error, Result};
use std::fmt::Write as _;

/// How a signature behaves beside others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// A member of an array or an encrypted volume: what is seen below it belongs to what is inside.
    Container,
    /// A file system, or swap space.
    Plain,
    /// A format that may share its volume with another (`BLKID_IDINFO_TOLERANT`).
    Tolerant,
}

type Probe = fn(&Bytes) -> Result<Option<Identity>>;

/// In libblkid's order (`superblocks.c`): the first container ends the search.
const SIGNATURES: &[(Sort, Probe)] = &[
    (Sort::Container, raid),
    (Sort::Container, lvm2),
    (Sort::Container, luks),
    (Sort::Plain, vfat),
    (Sort::Plain, swap),
    (Sort::Plain, xfs),
    (Sort::Plain, ext),
    (Sort::Plain, squashfs),
    (Sort::Tolerant, udf),
    (Sort::Tolerant, iso9660),
    (Sort::Plain, ntfs),
    (Sort::Plain, btrfs),
    (Sort::Plain, f2fs),
    (Sort::Plain, exfat),
    (Sort::Plain, erofs),
];

/// TYPE, UUID and LABEL of what stands on `volume`; `None` when no signature is known.
///
/// # Errors
/// `Corrupt` when two file systems are there at once: then `blkid`, and with it the booted system, names neither.
pub fn identify(volume: &Bytes) -> Result<Option<Identity>> {
    let mut found: Vec<(Sort, Identity)> = Vec::new();
    for (sort, probe) in SIGNATURES {
        if let Some(identity) = probe(volume)? {
            found.push((*sort, identity));
            if *sort == Sort::Container {
                break;
            }
        }
    }
    if found.len() > 1 && found.iter().any(|(sort, _)| *sort == Sort::Plain) {
        let kinds: Vec<&str> = found.iter().map(|(_, identity)| identity.kind.as_str()).collect();
        let cause = format!("signatures of {} stand on it at once", kinds.join(" and "));
        return Err(Error::corrupt("file system", cause).help("remove the stale one with `wipefs`"));
    }
    Ok(found.into_iter().next().map(|(_, identity)| identity))
}

/// `length` bytes at `offset`, or `None` where the volume is too small for them.
pub(super) fn piece(volume: &Bytes, offset: u64, length: usize) -> Result<Option<Vec<u8>>> {
    let end = u64::try_from(length).ok().and_then(|length| offset.checked_add(length));
    if end.is_none_or(|end| end > volume.size()) {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    volume.read_at(offset, &mut bytes)?;
    Ok(Some(bytes))
}

#[expect(clippy::unnecessary_wraps, reason = "what every probe returns")]
fn identity(kind: &str, uuid: Option<String>, label: Option<String>) -> Option<Identity> {
    Some(Identity { kind: kind.to_owned(), uuid, label })
}

/// 16 bytes in plain order; all zero is none (`blkid_probe_set_uuid`).
fn uuid(bytes: &[u8], at: usize) -> Option<String> {
    let bytes = slice(bytes, at, 16).filter(|bytes| bytes.iter().any(|byte| *byte != 0))?;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// Up to the first NUL, white space around it dropped; empty is none (`blkid_probe_set_label`).
pub(super) fn label(bytes: &[u8], at: usize, length: usize) -> Option<String> {
    let bytes = slice(bytes, at, length)?.split(|byte| *byte == 0).next()?.trim_ascii();
    (!bytes.is_empty()).then(|| text(bytes))
}

fn wide_label(bytes: &[u8], read: fn(&[u8], usize) -> Option<u16>) -> Option<String> {
    let units = (0..bytes.len()).step_by(2).map_while(|at| read(bytes, at)).take_while(|unit| *unit != 0);
    let label: String = char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect();
    Some(label.trim().to_owned()).filter(|label| !label.is_empty())
}

/// ext2, ext3, ext4 or jbd; the kind follows the features, as in `ext.c`.
pub(super) fn ext(volume: &Bytes) -> Result<Option<Identity>> {
    /// Read-only compatible features of ext2 and ext3: `sparse_super`, `large_file`, `btree_dir`.
    const OLD_RO: u32 = 0x7;
    /// Incompatible features of ext2: `filetype`, `meta_bg`. ext3 adds `needs_recovery`.
    const EXT2_INCOMPAT: u32 = 0x12;
    const NEEDS_RECOVERY: u32 = 0x4;
    const JOURNAL_DEV: u32 = 0x8;
    const HAS_JOURNAL: u32 = 0x4;
    const METADATA_CSUM: u32 = 0x400;
    let Some(sb) = piece(volume, 1024, 1024)?.filter(|sb| le_u16(sb, 0x38) == Some(0xef53)) else { return Ok(None) };
    let field = |at| le_u32(&sb, at).unwrap_or(0);
    let (compat, incompat, ro) = (field(0x5c), field(0x60), field(0x64));
    if ro & METADATA_CSUM != 0 && slice(&sb, 0, 0x3fc).map(|sb| crc32c(u32::MAX, sb)) != le_u32(&sb, 0x3fc) {
        return Ok(None);
    }
    let is_old = ro & !OLD_RO == 0;
    let kind = if incompat & JOURNAL_DEV != 0 {
        "jbd"
    } else if compat & HAS_JOURNAL == 0 && is_old && incompat & !EXT2_INCOMPAT == 0 {
        "ext2"
    } else if compat & HAS_JOURNAL != 0 && is_old && incompat & !(EXT2_INCOMPAT | NEEDS_RECOVERY) == 0 {
        "ext3"
    } else {
        "ext4"
    };
    Ok(identity(kind, uuid(&sb, 0x68), label(&sb, 0x78, 16)))
}

fn vfat(volume: &Bytes) -> Result<Option<Identity>> {
    let Some(geometry) = Geometry::read(volume)? else { return Ok(None) };
    Ok(identity("vfat", Some(geometry.serial()), geometry.label(volume)?))
}

fn xfs(volume: &Bytes) -> Result<Option<Identity>> {
    let Some(sb) = piece(volume, 0, 512)?.filter(|sb| sb.starts_with(b"XFSB")) else { return Ok(None) };
    let block_size = be_u32(&sb, 4).unwrap_or(0);
    let version = be_u16(&sb, 100).unwrap_or(0) & 0xf;
    if !(512..=65536).contains(&block_size) || !block_size.is_power_of_two() || !(1..=5).contains(&version) {
        return Ok(None);
    }
    Ok(identity("xfs", uuid(&sb, 32), label(&sb, 108, 12)))
}

fn btrfs(volume: &Bytes) -> Result<Option<Identity>> {
    let sb = piece(volume, 64 * 1024, 4096)?.filter(|sb| slice(sb, 0x40, 8) == Some(b"_BHRfS_M"));
    Ok(sb.and_then(|sb| identity("btrfs", uuid(&sb, 0x20), label(&sb, 0x12b, 256))))
}

fn swap(volume: &Bytes) -> Result<Option<Identity>> {
    const SUSPENDED: [&[u8]; 4] = [b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001"];
    const TUX_ON_ICE: &[u8] = b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c";
    let is_tux_on_ice = piece(volume, 0, 8)?.is_some_and(|start| start == TUX_ON_ICE);
    // The last ten bytes of the first page, whose size depends on the machine.
    for page in [4096, 8192, 16384, 32768, 65536_u64] {
        let Some(magic) = piece(volume, page.saturating_sub(10), 10)? else { break };
        let Some(header) = piece(volume, 1024, 512)? else { break };
        let is_v1 = matches!((le_u32(&header, 0), be_u32(&header, 0)), (Some(1), _) | (_, Some(1)));
        let name = || label(&header, 28, 16);
        match magic.as_slice() {
            b"SWAPSPACE2" if is_tux_on_ice => return Ok(identity("swsuspend", uuid(&header, 12), name())),
            b"SWAPSPACE2" if is_v1 && le_u32(&header, 4) != Some(0) => {
                return Ok(identity("swap", uuid(&header, 12), name()));
            }
            b"SWAP-SPACE" => return Ok(identity("swap", None, None)),
            other if SUSPENDED.contains(&other) => return Ok(identity("swsuspend", uuid(&header, 12), name())),
            _ => {}
        }
    }
    Ok(None)
}

/// LUKS 1 and 2 (cryptsetup, `docs/on-disk-format`); the label is LUKS 2's.
fn luks(volume: &Bytes) -> Result<Option<Identity>> {
    let Some(header) = piece(volume, 0, 512)?.filter(|header| header.starts_with(b"LUKS\xba\xbe")) else {
        return Ok(None);
    };
    let name = if be_u16(&header, 6) == Some(2) { label(&header, 24, 48) } else { None };
    Ok(identity("crypto_LUKS", label(&header, 168, 40), name))
}

fn lvm2(volume: &Bytes) -> Result<Option<Identity>> {
    /// Where libblkid breaks a physical volume's 32 letters with dashes.
    const DASHES: [usize; 6] = [6, 10, 14, 18, 22, 26];
    for sector in 0..4_u64 {
        let Some(label) = piece(volume, sector.saturating_mul(512), 512)? else { break };
        if !label.starts_with(b"LABELONE")
            || slice(&label, 24, 8) != Some(b"LVM2 001")
            || le_u64(&label, 8) != Some(sector)
        {
            continue;
        }
        let at = le_u32(&label, 20).and_then(|at| usize::try_from(at).ok()).unwrap_or(usize::MAX);
        let id = slice(&label, at, 32).map(|id| {
            let mut dashed = String::with_capacity(38);
            for (index, byte) in id.iter().enumerate() {
                if DASHES.contains(&index) {
                    dashed.push('-');
                }
                dashed.push_str(&text(&[*byte]));
            }
            dashed
        });
        return Ok(identity("LVM2_member", id, None));
    }
    Ok(None)
}

/// md superblocks 1.0, 1.1, 1.2 and 0.90 (`linux/raid/md_p.h`).
fn raid(volume: &Bytes) -> Result<Option<Identity>> {
    const MAGIC: u32 = 0xa92b_4efc;
    let size = volume.size();
    let at_end = size.checked_sub(8192).map(|at| at.saturating_sub(at % 4096));
    for at in [at_end, Some(0), Some(4096)].into_iter().flatten() {
        let sb = piece(volume, at, 256)?.filter(|sb| le_u32(sb, 0) == Some(MAGIC) && le_u32(sb, 4) == Some(1));
        // `super_offset`, in sectors, keeps a copy of a member from being taken for one.
        if let Some(sb) = sb.filter(|sb| le_u64(sb, 144) == Some(at / 512)) {
            return Ok(identity("linux_raid_member", uuid(&sb, 16), label(&sb, 32, 32)));
        }
    }
    let Some(at) = size.saturating_sub(size % 65536).checked_sub(65536) else { return Ok(None) };
    let Some(sb) = piece(volume, at, 4096)? else { return Ok(None) };
    let words = match (le_u32(&sb, 0), be_u32(&sb, 0)) {
        (Some(MAGIC), _) => [20, 52, 56, 60].map(|at| le_u32(&sb, at).unwrap_or(0)),
        (_, Some(MAGIC)) => [20, 52, 56, 60].map(|at| be_u32(&sb, at).unwrap_or(0)),
        _ => return Ok(None),
    };
    Ok(identity("linux_raid_member", uuid(&words.map(u32::to_be_bytes).concat(), 0), None))
}

fn squashfs(volume: &Bytes) -> Result<Option<Identity>> {
    let sb =
        piece(volume, 0, 96)?.filter(|sb| sb.starts_with(b"hsqs") && le_u16(sb, 28).is_some_and(|major| major >= 4));
    Ok(sb.and_then(|_| identity("squashfs", None, None)))
}

fn erofs(volume: &Bytes) -> Result<Option<Identity>> {
    let sb = piece(volume, 1024, 128)?.filter(|sb| le_u32(sb, 0) == Some(0xe0f5_e1e2));
    Ok(sb.and_then(|sb| identity("erofs", uuid(&sb, 48), label(&sb, 64, 16))))
}

fn f2fs(volume: &Bytes) -> Result<Option<Identity>> {
    let Some(sb) = piece(volume, 1024, 1148)?.filter(|sb| le_u32(sb, 0) == Some(0xf2f5_2010)) else { return Ok(None) };
    if (le_u16(&sb, 4), le_u16(&sb, 6)) == (Some(1), Some(0)) {
        return Ok(identity("f2fs", None, None));
    }
    Ok(identity("f2fs", uuid(&sb, 108), slice(&sb, 124, 1024).and_then(|name| wide_label(name, le_u16))))
}

/// UDF is named by its volume recognition sequence (ECMA-167 2/8); its label stands in structures that are not read.
fn udf(volume: &Bytes) -> Result<Option<Identity>> {
    // Behind the descriptors of ISO 9660 that a bridge disc has first.
    for sector in 16..64_u64 {
        let Some(descriptor) = piece(volume, sector.saturating_mul(2048), 6)? else { break };
        match slice(&descriptor, 1, 5) {
            Some(b"NSR02" | b"NSR03") => return Ok(identity("udf", None, None)),
            Some(b"CD001" | b"BEA01" | b"BOOT2" | b"CDW02") => {}
            _ => break,
        }
    }
    Ok(None)
}

fn iso9660(volume: &Bytes) -> Result<Option<Identity>> {
    const SECTOR: u64 = 2048;
    let Some(primary) = piece(volume, 16 * SECTOR, 2048)?.filter(|pvd| slice(pvd, 1, 5) == Some(b"CD001")) else {
        return Ok(None);
    };
    // ECMA-119 8.4.26: YYYYMMDDHHMMSSCC, the modification date before the creation date.
    let date = |at| {
        slice(&primary, at, 16).filter(|date| date.iter().all(u8::is_ascii_digit) && date.iter().any(|d| *d != b'0'))
    };
    let uuid = date(830).or_else(|| date(813)).map(|date| {
        let parts = [(0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 2)];
        parts.map(|(at, length)| slice(date, at, length).map(text).unwrap_or_default()).join("-")
    });
    let mut name = label(&primary, 40, 32);
    for sector in 17..32_u64 {
        let Some(descriptor) = piece(volume, sector.saturating_mul(SECTOR), 2048)? else { break };
        let joliet = [&b"%/@"[..], b"%/C", b"%/E"];
        match descriptor.first() {
            Some(2) if slice(&descriptor, 88, 3).is_some_and(|escape| joliet.contains(&escape)) => {
                name = slice(&descriptor, 40, 32).and_then(|name| wide_label(name, be_u16)).or(name);
                break;
            }
            Some(255) | None => break,
            Some(_) => {}
        }
    }
    Ok(identity("iso9660", uuid, name))
}

/// The label stands in the MFT, which is not read.
fn ntfs(volume: &Bytes) -> Result<Option<Identity>> {
    let boot = piece(volume, 0, 512)?.filter(|boot| slice(boot, 3, 8) == Some(b"NTFS    "));
    Ok(boot.and_then(|boot| identity("ntfs", le_u64(&boot, 72).map(|serial| format!("{serial:016X}")), None)))
}

/// The label stands in the root directory, which is not read.
fn exfat(volume: &Bytes) -> Result<Option<Identity>> {
    let boot = piece(volume, 0, 512)?.filter(|boot| slice(boot, 3, 8) == Some(b"EXFAT   "));
    let serial = |boot: &[u8]| le_u32(boot, 100).map(|serial| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff));
    Ok(boot.and_then(|boot| identity("exfat", serial(&boot), None)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn disk(size: usize, pieces: &[(usize, &[u8])]) -> Bytes {
        let mut disk = vec![0; size];
        for (at, bytes) in pieces {
            disk[*at..][..bytes.len()].copy_from_slice(bytes);
        }
        Arc::new(disk)
    }

    #[test]
    fn nothing_is_nothing() {
        for size in [0, 1, 511, 512, 1024, 4096, 70_000, 300_000] {
            assert_eq!(identify(&disk(size, &[])).unwrap(), None, "{size}");
        }
    }

    #[test]
    fn two_file_systems_are_neither() {
        let (ext, btrfs) = ((1080, &b"\x53\xef"[..]), (65600, &b"_BHRfS_M"[..]));
        assert_eq!(identify(&disk(80_000, &[ext])).unwrap().unwrap().kind, "ext2");
        assert_eq!(identify(&disk(80_000, &[btrfs])).unwrap().unwrap().kind, "btrfs");
        assert!(identify(&disk(80_000, &[ext, btrfs])).unwrap_err().to_string().contains("ext2 and btrfs"));
        let luks = (0, &b"LUKS\xba\xbe\x00\x02"[..]);
        assert_eq!(identify(&disk(80_000, &[luks, btrfs])).unwrap().unwrap().kind, "crypto_LUKS");
    }

    #[test]
    fn labels_are_trimmed_as_blkid_does() {
        for (bytes, expected) in [
            (&b"root\0\0junk"[..], Some("root")),
            (b"  a b  \0", Some("a b")),
            (b"\0\0\0", None),
            (b"   ", None),
            (b"caf\xe9", Some("caf\\xe9")),
        ] {
            assert_eq!(label(bytes, 0, bytes.len()).as_deref(), expected);
        }
    }
}
