//! One header of a newc archive (`Documentation/driver-api/early-userspace/buffer-format.rst`).

use super::halt::{Halt, Place};
use crate::bytes::slice;
use std::io::Read as _;

/// Bytes of a header: a magic of six and thirteen numbers of eight.
pub(super) const HEADER: usize = 110;
/// Where the number of bytes of the name stands.
const NAME_SIZE: usize = 94;
/// The name that ends an archive.
pub(super) const TRAILER: &[u8] = b"TRAILER!!!";

/// What a header says, and the name behind it.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Up to the first NUL; empty until it is read.
    pub(super) name: Vec<u8>,
    /// Bytes of the name as stored, the NUL included.
    pub(super) name_size: usize,
    /// Bytes of the body.
    pub(super) size: u64,
    /// Type and permissions.
    pub(super) mode: u32,
    /// Inode number; names with equal ones are hard links.
    pub(super) inode: u32,
    /// Device that the inode number belongs to.
    pub(super) device: (u32, u32),
    /// Names that the inode has.
    pub(super) links: u32,
    /// Sum of the body's bytes, in an archive with checksums.
    pub(super) checksum: Option<u32>,
}

impl Entry {
    /// Parses `header` as `do_header` of `init/initramfs.c` does, but strictly: its numbers may be upper or lower case
    /// hexadecimal digits and nothing else. Linux takes a sign, a blank or `0x` and stops at the first other character;
    /// no writer makes such a header, so it is damage, and what Linux makes of damage differs between versions.
    pub(super) fn parse(header: &[u8], place: Place) -> Result<Self, Halt> {
        match header.get(..6) {
            Some(b"070701" | b"070702") => {}
            Some(b"070707") => {
                let message = "incorrect cpio method used: use -H newc option";
                return Err(Halt::refused("initrd-old-cpio", place, message, "an odc archive"));
            }
            _ => return Err(Halt::refused("initrd-no-cpio-magic", place, "no cpio magic", "")),
        }
        let digits = header.get(6..).unwrap_or_default();
        if digits.len() != 104 || !digits.iter().all(u8::is_ascii_hexdigit) {
            let found = "a number of the header has characters that are no hexadecimal digits".to_owned();
            return Err(Halt::Refused(crate::fact::Flaw {
                id: "initrd-bad-header".into(),
                found: format!("{place}: {found}"),
                fatal: true,
            }));
        }
        Self::from_crate(header).ok_or_else(|| Halt::refused("initrd-bad-header", place, "no cpio magic", ""))
    }

    /// The cpio crate reads the numbers. It is given a name of its own, one NUL: it would refuse an archive for a name
    /// that is not UTF-8, and keeps none that is followed by other bytes.
    fn from_crate(header: &[u8]) -> Option<Self> {
        let name_size = std::str::from_utf8(slice(header, NAME_SIZE, 8)?).ok()?;
        let check = slice(header, NAME_SIZE.checked_add(8)?, 8)?;
        let parts = [header.get(..NAME_SIZE)?, b"00000001", check, b"\0\0"].concat();
        let reader = cpio::newc::Reader::new(parts.take(u64::MAX).into_inner()).ok()?;
        let entry = reader.entry();
        Some(Self {
            name: Vec::new(),
            name_size: usize::try_from(u32::from_str_radix(name_size, 16).ok()?).ok()?,
            size: entry.file_size().into(),
            // umode_t has 16 bits.
            mode: entry.mode() & 0xffff,
            inode: entry.ino(),
            device: (entry.dev_major(), entry.dev_minor()),
            links: entry.nlink(),
            checksum: entry.checksum(),
        })
    }

    /// Bytes of the name and its padding: `N_ALIGN` of `init/initramfs.c`.
    pub(super) fn padded_name(&self) -> usize {
        (self.name_size.saturating_add(1) & !3).saturating_add(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { offset: 0, is_packed: false };

    fn header(magic: &str, numbers: [u32; 13]) -> Vec<u8> {
        let digits = numbers.map(|number| format!("{number:08X}")).concat();
        [magic.as_bytes(), digits.as_bytes()].concat()
    }

    #[test]
    fn numbers_stand_in_their_places() {
        let numbers = [7, 0o100_644, 1, 2, 3, 4, 0xffff_fff5, 6, 8, 9, 10, 11, 12];
        let entry = Entry::parse(&header("070702", numbers), PLACE).unwrap();
        assert_eq!((entry.inode, entry.mode, entry.links, entry.size), (7, 0o100_644, 3, 0xffff_fff5));
        assert_eq!((entry.device, entry.name_size, entry.checksum), ((6, 8), 11, Some(12)));
        assert_eq!(Entry::parse(&header("070701", numbers), PLACE).unwrap().checksum, None);
    }

    #[test]
    fn other_headers_are_refused() {
        let whole = header("070701", [1; 13]);
        let mut signed = whole.clone();
        signed[54..62].copy_from_slice(b"+0000001");
        for (header, id) in [
            (header("070707", [1; 13]), "initrd-old-cpio"),
            (header("070703", [1; 13]), "initrd-no-cpio-magic"),
            (signed, "initrd-bad-header"),
            ([&whole[..102], b" 0000001"].concat(), "initrd-bad-header"),
            ([&whole[..102], b"0x000001"].concat(), "initrd-bad-header"),
            (whole[..109].to_vec(), "initrd-bad-header"),
            (Vec::new(), "initrd-no-cpio-magic"),
        ] {
            match Entry::parse(&header, PLACE) {
                Err(Halt::Refused(flaw)) => assert_eq!(flaw.id, id),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn names_are_padded_to_four_behind_the_header() {
        for size in 0..600 {
            let entry = Entry { name_size: size, ..Entry::default() };
            let padded = entry.padded_name();
            assert!((HEADER + padded).is_multiple_of(4) && padded >= size && padded < size + 4, "{size}");
        }
    }
}
