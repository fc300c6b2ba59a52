//! How Python reads text: Nova's rules are Python's `str.strip`, `int()` and `oslo_utils.strutils`.

/// Digits that `int()` takes, by `sys.int_info.default_max_str_digits`.
const MAX_DIGITS: usize = 4300;

/// The zeros of Unicode's decimal digits beside ASCII's (category Nd, Unicode 14 as in Python 3.11); nine digits follow each.
const ZEROS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0,
    0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0,
    0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// Whether `str.isspace` counts it: Unicode's white space, and the four information separators.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// `str.strip()`.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// The value of a decimal digit of any script, as `\d` and `int()` take it.
pub(super) fn digit(character: char) -> Option<u32> {
    let code = u32::from(character);
    character.to_digit(10).or_else(|| ZEROS.iter().filter_map(|zero| code.checked_sub(*zero)).find(|value| *value < 10))
}

/// `int(text)` as its shortest decimal text; `None` where Python raises `ValueError`.
pub(super) fn int(text: &str) -> Option<String> {
    let text = strip(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let mut decimal = String::new();
    for part in digits.split('_') {
        let part: Option<String> = part.chars().map(|c| char::from_digit(digit(c)?, 10)).collect();
        decimal += &part.filter(|part| !part.is_empty())?;
    }
    if decimal.len() > MAX_DIGITS {
        return None;
    }
    let plain = decimal.trim_start_matches('0');
    Some(if plain.is_empty() { "0".to_owned() } else { format!("{sign}{plain}") })
}

/// The value of what [`int`] gives, at the ends of `i64` where it is beyond them.
pub(super) fn value(decimal: &str) -> i64 {
    let end = if decimal.starts_with('-') { i64::MIN } else { i64::MAX };
    decimal.parse().unwrap_or(end)
}

/// `strutils.bool_from_string(text, strict=True)`; `None` is what is false where it is not strict.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match strip(text).to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_as_python_reads_them() {
        for (text, expected) in [
            ("0", Some("0")),
            ("-0", Some("0")),
            (" +007\n", Some("7")),
            ("1_000", Some("1000")),
            ("\u{a0}\u{661}\u{662}\u{1c}", Some("12")),
            ("-18446744073709551616", Some("-18446744073709551616")),
            ("", None),
            ("+", None),
            ("--1", None),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("0x10", None),
            ("1.0", None),
            ("1 0", None),
            ("+ 1", None),
            ("\u{b2}", None),
        ] {
            assert_eq!(int(text).as_deref(), expected, "{text:?}");
        }
        assert!(int(&"1".repeat(MAX_DIGITS)).is_some() && int(&"1".repeat(MAX_DIGITS + 1)).is_none());
        assert_eq!([value("-18446744073709551616"), value("7"), value(&"9".repeat(30))], [i64::MIN, 7, i64::MAX]);
    }

    #[test]
    fn truth_values() {
        for (text, expected) in [
            (" TRUE ", Some(true)),
            ("Y", Some(true)),
            ("oFf", Some(false)),
            ("0", Some(false)),
            ("", None),
            ("enabled", None),
            ("2", None),
            ("none", None),
        ] {
            assert_eq!(boolean(text), expected, "{text:?}");
        }
    }
}
