//! systemd's time spans → microseconds (`man 7 systemd.time`, `parse_time` of `src/basic/time-util.c`).

/// A span without end.
pub const INFINITY: u64 = u64::MAX;

/// Microseconds of a unit; of two that begin alike the first that fits counts.
const UNITS: &[(&str, u64)] = &[
    ("seconds", 1_000_000),
    ("second", 1_000_000),
    ("sec", 1_000_000),
    ("s", 1_000_000),
    ("minutes", 60_000_000),
    ("minute", 60_000_000),
    ("min", 60_000_000),
    ("months", 2_629_800_000_000),
    ("month", 2_629_800_000_000),
    ("M", 2_629_800_000_000),
    ("msec", 1_000),
    ("ms", 1_000),
    ("m", 60_000_000),
    ("hours", 3_600_000_000),
    ("hour", 3_600_000_000),
    ("hr", 3_600_000_000),
    ("h", 3_600_000_000),
    ("days", 86_400_000_000),
    ("day", 86_400_000_000),
    ("d", 86_400_000_000),
    ("weeks", 604_800_000_000),
    ("week", 604_800_000_000),
    ("w", 604_800_000_000),
    ("years", 31_557_600_000_000),
    ("year", 31_557_600_000_000),
    ("y", 31_557_600_000_000),
    ("usec", 1),
    ("us", 1),
    ("\u{3bc}s", 1),
    ("\u{b5}s", 1),
];

/// Microseconds of a span, a number without unit counting seconds; `None` for what systemd refuses.
pub fn parse(text: &str) -> Option<u64> {
    const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];
    let mut rest = text.trim_start_matches(BLANK);
    if let Some(behind) = rest.strip_prefix("infinity") {
        return behind.trim_matches(BLANK).is_empty().then_some(INFINITY);
    }
    let mut total: Option<u64> = None;
    loop {
        rest = rest.trim_start_matches(BLANK);
        if rest.is_empty() {
            return total;
        }
        let (whole, behind) = digits(rest.strip_prefix('+').unwrap_or(rest));
        let (fraction, behind) = behind.strip_prefix('.').map_or(("", behind), digits);
        let has_point =
            rest.len() > behind.len() && rest.strip_suffix(behind).is_some_and(|number| number.ends_with('.'));
        if whole.is_empty() && (fraction.is_empty() || rest.starts_with('+')) || (has_point && fraction.is_empty()) {
            return None;
        }
        let unit_at = behind.trim_start_matches(BLANK);
        let unit = UNITS.iter().find_map(|(name, unit)| Some((*unit, unit_at.strip_prefix(*name)?)));
        // Two numbers without a unit between them must be apart.
        if unit.is_none() && !behind.is_empty() && !behind.starts_with(BLANK) {
            return None;
        }
        let (unit, behind) = unit.unwrap_or((1_000_000, unit_at));
        let whole = if whole.is_empty() { 0 } else { u64::try_from(whole.parse::<i64>().ok()?).ok()? };
        let mut part = whole.checked_mul(unit)?;
        let mut place = unit;
        for digit in fraction.chars().filter_map(|digit| digit.to_digit(10)) {
            place = place.checked_div(10)?;
            part = part.checked_add(u64::from(digit).checked_mul(place)?)?;
        }
        total = Some(total.unwrap_or(0).checked_add(part)?);
        rest = behind;
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, expected) in [
            ("60", Some(60_000_000)),
            ("0", Some(0)),
            ("1min 30s", Some(90_000_000)),
            ("1min30s", Some(90_000_000)),
            ("0.5", Some(500_000)),
            ("2.25 min", Some(135_000_000)),
            ("5m 3", Some(303_000_000)),
            ("3 5", Some(8_000_000)),
            ("10ms", Some(10_000)),
            ("infinity", Some(INFINITY)),
            ("off", None),
            ("", None),
            ("-1", None),
            ("1x", None),
            ("infinity 3", None),
            ("9223372036854775808us", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
