//! GUIDs as they stand in a partition table: the first three fields are little-endian (UEFI 2.10, appendix A).

use crate::error::{Error, Result};

/// Where each byte of the written form goes.
const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
/// Places of the dashes in the written form.
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// A GUID in its 16 bytes on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Guid([u8; 16]);

impl Guid {
    /// `c12a7328-f81f-11d2-ba4b-00a0c93ec93b`, in either case.
    ///
    /// # Errors
    /// `Corrupt` when it is written otherwise.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let written = parsed(text).ok_or_else(|| {
            Error::corrupt("GUID", format!("{text:?}, expected the form 01234567-89ab-cdef-0123-456789abcdef"))
        })?;
        Ok(Self(ORDER.map(|place| written.get(place).copied().unwrap_or(0))))
    }

    /// The bytes on disk.
    pub(super) fn bytes(self) -> [u8; 16] {
        self.0
    }
}

/// The 16 bytes in the order in which they are written.
fn parsed(text: &str) -> Option<[u8; 16]> {
    let has_dashes = DASHES.iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| *byte != b'-')
        .map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok().filter(|_| has_dashes && rest.is_empty() && text.len() == 36)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fields_are_little_endian() {
        let esp = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
        for text in ["c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"] {
            assert_eq!(Guid::parse(text).unwrap().bytes(), esp);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "c12a7328f81f11d2ba4b00a0c93ec93b",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93b0",
            "{12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec9-b",
            "é12a7328-f81f-11d2-ba4b-00a0c93ec93",
        ] {
            assert!(Guid::parse(text).is_err(), "{text:?}");
        }
    }
}
