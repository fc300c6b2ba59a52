//! Bytes → a short number for people.

use crate::limits::{GIB, KIB, MIB};

/// A size in the largest unit that gives a short number: `10 GiB`, `1.5 GiB`, `512 bytes`.
pub fn human(bytes: u64) -> String {
    let in_unit = |(unit, name): (u64, &str)| {
        let whole = bytes.checked_div(unit).filter(|whole| *whole > 0)?;
        let tenths = bytes.checked_rem(unit)?.saturating_mul(10).checked_div(unit)?;
        Some(if tenths == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenths} {name}") })
    };
    let text = [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")].into_iter().find_map(in_unit);
    text.unwrap_or_else(|| format!("{bytes} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (512, "512 bytes"),
            (1024, "1 KiB"),
            (3 << 29, "1.5 GiB"),
            (10 << 30, "10 GiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
