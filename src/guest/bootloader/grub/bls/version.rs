//! The order of loader entries: rpm's, over name, version and release of the file name (rhboot/grub2,
//! `grub-core/commands/blscfg.c`: `vercmp`, `split_package_string`, `split_cmp`).

use std::cmp::Ordering;

/// Compares two ids; `has_plus` says whether `+` sorts like rpm's `^`: GRUB before Red Hat's 2.06 passes over it.
pub(super) fn compare(a: &str, b: &str, has_plus: bool) -> Ordering {
    let (a, b) = (split(a.as_bytes()), split(b.as_bytes()));
    let parts = a.iter().zip(b);
    parts.map(|(a, b)| segments(a, b, has_plus)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Name, version and release; what is not there is empty.
fn split(id: &[u8]) -> [&[u8]; 3] {
    let cut = |text: &[u8]| text.iter().rposition(|&byte| byte == b'-');
    let parts = |text, at: usize| -> (&[u8], &[u8]) {
        let whole: &[u8] = text;
        (whole.get(..at).unwrap_or_default(), whole.get(at.saturating_add(1)..).unwrap_or_default())
    };
    let Some((front, release)) = cut(id).map(|at| parts(id, at)) else { return [id, b"", b""] };
    match cut(front).map(|at| parts(front, at)) {
        Some((name, version)) => [name, version, release],
        None => [front, release, b""],
    }
}

fn segments(mut a: &[u8], mut b: &[u8], has_plus: bool) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    while !a.is_empty() || !b.is_empty() {
        (a, b) = (drop_separators(a, has_plus), drop_separators(b, has_plus));
        let heads = (Head::of(a), Head::of(b));
        match heads {
            (Head::Plain, Head::Plain) => {}
            (Head::End | Head::Plain, Head::End | Head::Plain) => break,
            (one, two) if one == two => {
                (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default());
                continue;
            }
            (one, two) => return one.cmp(&two),
        }
        let is_number = a.first().is_some_and(u8::is_ascii_digit);
        let (one, rest_a) = segment(a, is_number);
        let (two, rest_b) = segment(b, is_number);
        let order = match (two.is_empty(), is_number) {
            // A number is newer than a word.
            (true, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, true) => {
                let (one, two) = (without_zeros(one), without_zeros(two));
                one.len().cmp(&two.len()).then(one.cmp(two))
            }
            (false, false) => one.cmp(two),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.is_empty().cmp(&b.is_empty()).reverse()
}

/// What a text begins with, from the oldest to the newest where one is a sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Head {
    Tilde,
    End,
    Plus,
    Plain,
}

impl Head {
    fn of(text: &[u8]) -> Self {
        match text.first() {
            Some(b'~') => Self::Tilde,
            None => Self::End,
            Some(b'+') => Self::Plus,
            Some(_) => Self::Plain,
        }
    }
}

fn drop_separators(text: &[u8], has_plus: bool) -> &[u8] {
    let counts = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'~' || (has_plus && *byte == b'+');
    let start = text.iter().position(counts).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

/// The leading digits, or the leading letters, and the rest.
fn segment(text: &[u8], is_number: bool) -> (&[u8], &[u8]) {
    let belongs = |byte: &u8| if is_number { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    let end = text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, b""))
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|&byte| byte != b'0').unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_kernels_come_first() {
        // From the newest to the oldest.
        for row in [
            &["m-6.12.0-1.fc42.x86_64", "m-6.9.10-200.fc42.x86_64", "m-6.9.9-300.fc42.x86_64", "m-0-rescue"][..],
            &["m-5.14.0-70.13.1.el9_0.x86_64", "m-5.14.0-70.el9.x86_64", "m-5.14.0-9.el9.x86_64"],
            &["m-4.18.0-305.el8.x86_64", "m-4.18.0-305.el8.aarch64"],
            &["m-6.1.0-1", "m-6.1.0-1~rc1", "m-6.1.0~rc9-2"],
            &["b-1-1", "a-2-2"],
            &["m-1.0010-1", "m-1.9-1", "m-1.a-1"],
            &["m-1-0123456789012345678901234567890", "m-1-99999999999999999999"],
            &["custom-2", "custom-1", "custom"],
            &["m-6.1-1a", "m-6.1-1", "m-6.1-a1"],
        ] {
            for (index, newer) in row.iter().enumerate() {
                assert_eq!(compare(newer, newer, true), Ordering::Equal);
                for older in &row[index + 1..] {
                    assert_eq!(compare(newer, older, true), Ordering::Greater, "{newer} {older}");
                    assert_eq!(compare(older, newer, true), Ordering::Less, "{older} {newer}");
                }
            }
        }
        for (a, b) in [("m-1.0-1", "m-1_0-1"), ("m-01-1", "m-1-1"), ("", ""), ("-", "--")] {
            assert_eq!(compare(a, b, true), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn plus_divides_the_versions_of_grub() {
        for (a, b, with, without) in [
            ("m-6.1+debug-1", "m-6.1-1", Ordering::Greater, Ordering::Greater),
            ("m-6.1-1.x86_64+debug", "m-6.1-1.x86_64", Ordering::Greater, Ordering::Greater),
            ("m-6.1+5-1", "m-6.1.2-1", Ordering::Less, Ordering::Greater),
        ] {
            assert_eq!((compare(a, b, true), compare(a, b, false)), (with, without), "{a} {b}");
        }
    }
}
