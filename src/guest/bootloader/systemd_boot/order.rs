//! The order of entries, and which of them a pattern means (systemd, `src/boot/boot.c`, `boot_entry_compare`;
//! `src/fundamental/string-util-fundamental.c`, `strverscmp_improved`; `src/boot/efi-string.c`, `efi_fnmatch`).

use std::cmp::Ordering;

/// What decides the place of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rank {
    /// File name in lower case, without its counters.
    pub(super) id: String,
    pub(super) sort_key: Option<String>,
    pub(super) machine_id: Option<String>,
    pub(super) version: Option<String>,
    /// Profile of a unified kernel image.
    pub(super) profile: usize,
    /// Tries left and done.
    pub(super) tries: Option<(u32, u32)>,
}

/// Which entry systemd-boot lists first.
pub(super) fn compare(a: &Rank, b: &Rank) -> Ordering {
    let is_bad = |rank: &Rank| rank.tries.is_some_and(|(left, _)| left == 0);
    let by_key = || {
        if a.sort_key.is_none() {
            return Ordering::Equal;
        }
        let version = |rank: &'_ Rank| rank.version.clone().unwrap_or_default();
        let same = a.sort_key.cmp(&b.sort_key).then_with(|| a.machine_id.cmp(&b.machine_id));
        same.then_with(|| versions(&version(b), &version(a)))
    };
    let by_tries = || match (a.tries, b.tries) {
        (Some((left_a, done_a)), Some((left_b, done_b))) => left_b.cmp(&left_a).then(done_a.cmp(&done_b)),
        _ => Ordering::Equal,
    };
    is_bad(a)
        .cmp(&is_bad(b))
        .then(a.sort_key.is_none().cmp(&b.sort_key.is_none()))
        .then_with(by_key)
        .then_with(|| versions(&b.id, &a.id))
        .then(a.profile.cmp(&b.profile))
        .then_with(by_tries)
}

/// `strverscmp_improved`: segments of digits and letters; `~` is older than the end, `-` than `^`, `^` than `.`.
pub(super) fn versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        (a, b) = (drop_invalid(a), drop_invalid(b));
        match marked(&mut a, &mut b, b'~') {
            Ordering::Equal => {}
            order => return order,
        }
        if a.is_empty() || b.is_empty() {
            return a.first().cmp(&b.first());
        }
        for mark in [b'-', b'^', b'.'] {
            match marked(&mut a, &mut b, mark) {
                Ordering::Equal => {}
                order => return order,
            }
        }
        let is_number = [a, b].iter().any(|text| text.first().is_some_and(u8::is_ascii_digit));
        let (one, rest_a) = segment(a, is_number);
        let (two, rest_b) = segment(b, is_number);
        let order = if is_number {
            let digits = |text: &[u8]| text.iter().skip_while(|&&byte| byte == b'0').copied().collect::<Vec<u8>>();
            let (long, short) = (digits(one), digits(two));
            let is_there = (!one.is_empty()).cmp(&!two.is_empty());
            is_there.then(long.len().cmp(&short.len())).then(long.cmp(&short))
        } else {
            one.cmp(two)
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// A text that begins with `mark` is older; where both do, it is taken off.
fn marked(a: &mut &[u8], b: &mut &[u8], mark: u8) -> Ordering {
    match (a.split_first(), b.split_first()) {
        (Some((first, rest_a)), Some((second, rest_b))) if *first == mark && *second == mark => {
            (*a, *b) = (rest_a, rest_b);
            Ordering::Equal
        }
        (first, second) => {
            let is_other = |part: Option<(&u8, &[u8])>| part.is_none_or(|(byte, _)| *byte != mark);
            is_other(first).cmp(&is_other(second))
        }
    }
}

fn drop_invalid(text: &[u8]) -> &[u8] {
    let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"~-^.".contains(byte);
    text.get(text.iter().position(is_valid).unwrap_or(text.len())..).unwrap_or_default()
}

fn segment(text: &[u8], is_number: bool) -> (&[u8], &[u8]) {
    let belongs = |byte: &u8| if is_number { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    let end = text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, b""))
}

/// Whether `pattern` (`*`, `?`, `[a-c]`, `\`) means all of `name`.
pub(super) fn is_match(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut parts, mut rest) = (pattern.as_slice(), name.as_slice());
    let mut is_first = true;
    loop {
        match (prefix(parts, rest), is_first) {
            (Matched::Star(tail, ahead), _) => {
                (parts, rest) = (tail, ahead);
                is_first = false;
            }
            (Matched::All, _) => return true,
            (Matched::None, true) => return false,
            // `*` takes one character more.
            (Matched::None, false) => match rest.split_first() {
                Some((_, ahead)) => rest = ahead,
                None => return false,
            },
        }
    }
}

enum Matched<'t> {
    /// To the end of both.
    All,
    /// Up to a `*`: what follows it in the pattern, and what is left of the name.
    Star(&'t [char], &'t [char]),
    None,
}

fn prefix<'t>(mut pattern: &'t [char], mut name: &'t [char]) -> Matched<'t> {
    loop {
        let is_one = match pattern {
            [] => return if name.is_empty() { Matched::All } else { Matched::None },
            ['*', ..] => {
                let start = pattern.iter().position(|&it| it != '*').unwrap_or(pattern.len());
                return Matched::Star(pattern.get(start..).unwrap_or_default(), name);
            }
            ['\\', escaped, rest @ ..] => {
                pattern = rest;
                name.first() == Some(escaped)
            }
            ['?', rest @ ..] => {
                pattern = rest;
                !name.is_empty()
            }
            ['[', rest @ ..] => match name.first().and_then(|&it| set(rest, it)) {
                Some(rest) => {
                    pattern = rest;
                    true
                }
                None => false,
            },
            [plain, rest @ ..] => {
                pattern = rest;
                name.first() == Some(plain)
            }
        };
        match name.split_first() {
            Some((_, rest)) if is_one => name = rest,
            _ => return Matched::None,
        }
    }
}

/// What follows a set behind `[`, if `wanted` is in it.
fn set(mut pattern: &[char], wanted: char) -> Option<&[char]> {
    let (mut is_first, mut can_range, mut is_match, mut before) = (true, true, false, '[');
    loop {
        match pattern {
            [] | ['\\'] => return None,
            ['\\', escaped, rest @ ..] => {
                is_match |= *escaped == wanted;
                (can_range, before, pattern) = (true, *escaped, rest);
            }
            [']', rest @ ..] if !is_first => return is_match.then_some(rest),
            ['-', next, rest @ ..] if can_range && !is_first && *next != ']' => {
                let (high, rest) = match (next, rest) {
                    ('\\', [escaped, rest @ ..]) => (*escaped, rest),
                    ('\\', []) => return None,
                    (next, rest) => (*next, rest),
                };
                is_match |= before <= wanted && wanted <= high;
                (can_range, before, pattern) = (false, high, rest);
            }
            [plain, rest @ ..] => {
                is_match |= *plain == wanted;
                (can_range, before, pattern) = (true, *plain, rest);
            }
        }
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_systemd_orders_them() {
        // From the oldest to the newest: the comment of strverscmp_improved, and systemd's own test-string-util.c.
        let rows = [
            "122.1",
            "123~rc1-1",
            "123",
            "123-a",
            "123-a.1",
            "123-1",
            "123-1.1",
            "123^post1",
            "123.a-1",
            "123.1-1",
            "123a-1",
            "124-1",
        ];
        for (index, older) in rows.iter().enumerate() {
            assert_eq!(versions(older, older), Ordering::Equal);
            for newer in &rows[index + 1..] {
                assert_eq!(versions(older, newer), Ordering::Less, "{older} {newer}");
                assert_eq!(versions(newer, older), Ordering::Greater, "{newer} {older}");
            }
        }
        for (a, b, order) in [
            ("123.45-67.88", "123.45-67.89", Ordering::Less),
            ("00123", "123", Ordering::Equal),
            ("123_a", "123a", Ordering::Equal),
            ("5.11.0", "5.2.0", Ordering::Greater),
            ("", "", Ordering::Equal),
            ("", "1", Ordering::Less),
            ("~", "", Ordering::Less),
            ("1.0.", "1.0", Ordering::Greater),
        ] {
            assert_eq!(versions(a, b), order, "{a:?} {b:?}");
        }
    }

    #[test]
    fn patterns_as_systemd_matches_them() {
        // systemd's src/boot/test-efi-string.c, efi_fnmatch.
        for (pattern, name, expected) in [
            ("", "", true),
            ("abc", "abc", true),
            ("aBc", "abc", false),
            ("b", "a", false),
            ("abc", "ab", false),
            ("b*", "a", false),
            ("*", "a", true),
            ("a*b*c", "aXbYc", true),
            ("a*b", "aXbY", false),
            ("*.conf", "arch.conf", true),
            ("arch-*", "arch-lts.conf", true),
            ("?b?", "abc", true),
            ("?", "", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a\\", "a", false),
            ("[abc]", "b", true),
            ("[a-c]x", "bx", true),
            ("[a-c]", "d", false),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[-a]", "-", true),
            ("[a-c-f]", "e", false),
            ("[a-c-f]", "-", true),
            ("[\\]]", "]", true),
            ("[abc", "a", false),
            ("**a**", "xay", true),
            ("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(is_match(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn entries_are_ordered() {
        let plain = |id: &str| Rank { id: id.to_owned(), ..Rank::default() };
        let keyed = |key: &str, machine: &str, version: &str| Rank {
            id: "x.conf".to_owned(),
            sort_key: Some(key.to_owned()),
            machine_id: Some(machine.to_owned()),
            version: Some(version.to_owned()),
            ..Rank::default()
        };
        let tried = |left: u32, done: u32| Rank { tries: Some((left, done)), ..plain("t.conf") };
        let order = [
            keyed("arch", "1", "6.12"),
            keyed("arch", "1", "6.9"),
            keyed("arch", "2", "7.0"),
            keyed("fedora", "1", "9"),
            plain("z-6.12.conf"),
            plain("z-6.9.conf"),
            tried(3, 0),
            tried(2, 1),
            plain("a.conf"),
            tried(0, 3),
        ];
        for (index, first) in order.iter().enumerate() {
            for second in &order[index + 1..] {
                assert_eq!(compare(first, second), Ordering::Less, "{first:?} {second:?}");
                assert_eq!(compare(second, first), Ordering::Greater, "{second:?} {first:?}");
            }
        }
    }
}
