//! Sizes as people write them.

use crate::limits::{GIB, KIB, MIB};
use serde::Deserialize as _;
use serde::Deserializer;
use serde::de::Error as _;

/// `4 GiB`, `64 MiB`, `512 KiB` in bytes.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("size is {text:?}, expected a number and KiB, MiB or GiB, for example \"4 GiB\"");
    let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
    let unit = match unit {
        "KiB" => KIB,
        "MiB" => MIB,
        "GiB" => GIB,
        _ => return Err(wrong()),
    };
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    let number: u64 = number.parse().ok().filter(|_| is_plain).ok_or_else(wrong)?;
    number.checked_mul(unit).ok_or_else(wrong)
}

/// Bytes in words: the largest unit that divides them.
pub(super) fn shown(bytes: u64) -> String {
    let unit = [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")].into_iter().find(|(unit, _)| bytes.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{} {name}", bytes.checked_div(unit).unwrap_or_default()),
        None => format!("{bytes} bytes"),
    }
}

pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

pub(super) fn some_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    size(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("4 GiB", Some(4 * GIB)),
            ("64 MiB", Some(64 * MIB)),
            ("1 KiB", Some(KIB)),
            ("64 MB", None),
            ("64", None),
            ("0 MiB", None),
            ("+1 MiB", None),
            ("01 MiB", None),
            ("99999999999999999999 GiB", None),
            ("17179869184 GiB", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
        for (bytes, text) in [(4 * GIB, "4 GiB"), (1536 * MIB, "1536 MiB"), (1000, "1000 bytes")] {
            assert_eq!(shown(bytes), text);
        }
    }
}
