//! Files of systemd's syntax → settings (`man 7 systemd.syntax`; src/shared/conf-parser.c, `config_parse`).

use crate::error::{Error, Result};
use crate::guest::Setting;

/// Settings in the order of the file; assignments before the first section are dropped, as systemd drops them.
///
/// # Errors
/// `Corrupt` where systemd refuses the whole file: a broken section header, or text that is not UTF-8.
pub(super) fn parse(path: &str, bytes: &[u8]) -> Result<Vec<Setting>> {
    let mut section: Option<String> = None;
    let mut settings = Vec::new();
    for (line, text) in logical_lines(bytes) {
        let text = std::str::from_utf8(&text).map_err(|_| refused(path, line, "it is not UTF-8"))?.trim_matches(BLANKS);
        if let Some(head) = text.strip_prefix('[') {
            let name = head.strip_suffix(']').filter(|name| name.chars().all(is_safe));
            section = Some(name.ok_or_else(|| refused(path, line, "its section header is broken"))?.to_owned());
            continue;
        }
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else { continue };
        let Some(section) = &section else { continue };
        settings.push(Setting {
            section: section.clone(),
            key: key.trim_matches(BLANKS).to_owned(),
            value: value.trim_matches(BLANKS).to_owned(),
            path: path.to_owned(),
            line,
        });
    }
    Ok(settings)
}

/// `WHITESPACE` of src/basic/string-util.h.
const BLANKS: &[char] = &[' ', '\t', '\n', '\r'];

/// `string_is_safe`, src/basic/string-util.c.
fn is_safe(c: char) -> bool {
    !c.is_ascii_control() && !matches!(c, '"' | '\'' | '\\')
}

fn refused(path: &str, line: u32, cause: &str) -> Error {
    Error::corrupt("configuration file", format!("line {line}: {cause}; systemd refuses the file")).at(path)
}

/// Lines with their numbers, comments dropped, continuations joined by a blank; a comment may stand within one.
fn logical_lines(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Vec::new();
    let mut pending: Option<(u32, Vec<u8>)> = None;
    for (number, text) in (1_u32..).zip(physical_lines(bytes)) {
        let is_comment = matches!(text.trim_ascii_start().first(), Some(b'#' | b';'));
        if is_comment {
            continue;
        }
        let (first, mut joined) = pending.take().unwrap_or((number, Vec::new()));
        joined.extend_from_slice(text);
        // An even number of backslashes at the end is none that continues.
        let backslashes = text.iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 1 {
            joined.pop();
            joined.push(b' ');
            pending = Some((first, joined));
        } else {
            lines.push((first, joined));
        }
    }
    lines.extend(pending);
    lines
}

/// `read_line` of src/basic/fileio.c: a line ends with a newline, a carriage return, a zero byte, or several that differ.
fn physical_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0);
    let mut rest = Some(bytes).filter(|bytes| !bytes.is_empty());
    std::iter::from_fn(move || {
        let bytes = rest.take()?;
        let Some(end) = bytes.iter().position(is_end) else { return Some(bytes) };
        let (line, tail) = bytes.split_at_checked(end)?;
        let differ = tail
            .iter()
            .enumerate()
            .take_while(|(at, byte)| is_end(byte) && !tail.get(..*at).is_some_and(|before| before.contains(byte)));
        let length = differ.count();
        rest = tail.get(length..).filter(|tail| !tail.is_empty());
        Some(line)
    })
}

/// Words with quotes removed and backslashes kept (`extract_first_word`, src/basic/extract-word.c); `None` when a quote
/// is never closed, for which systemd drops the whole assignment.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    split(text, false)
}

/// The same, with `\n`, `\x41` and their like resolved (`EXTRACT_CUNESCAPE`); `None` also for an unknown escape.
pub(super) fn unescaped_words(text: &str) -> Option<Vec<String>> {
    split(text, true)
}

fn split(text: &str, has_escapes: bool) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', _) if has_escapes => word.get_or_insert_default().push(unescape(&mut rest)?),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if BLANKS.contains(&c) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// What follows a backslash (`cunescape_one`, src/basic/escape.c), bytes above 0x7f left out.
fn unescape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let number = |digits: String, radix: u32, length: usize| {
        let value = u32::from_str_radix(&digits, radix).ok().filter(|_| digits.len() == length)?;
        char::from_u32(value).filter(|c| *c != '\0')
    };
    Some(match rest.next()? {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        's' => ' ',
        c @ ('\\' | '"' | '\'') => c,
        'x' => number(rest.by_ref().take(2).collect(), 16, 2).filter(char::is_ascii)?,
        'u' => number(rest.by_ref().take(4).collect(), 16, 4)?,
        'U' => number(rest.by_ref().take(8).collect(), 16, 8)?,
        digit @ '0'..='7' => {
            let digits = std::iter::once(digit).chain(rest.by_ref().take(2)).collect();
            number(digits, 8, 3).filter(char::is_ascii)?
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_as_systemd_reads_them() {
        for (text, expected) in [
            ("[A]\nx=1\n", &[("A", "x", "1", 2)][..]),
            ("x=0\n[A]\n x = 1 2 \n", &[("A", "x", "1 2", 3)]),
            ("[A]\nx=1 \\\n# c\n  2\ny=", &[("A", "x", "1    2", 2), ("A", "y", "", 5)]),
            ("[A]\nx=1\\\\\ny=2", &[("A", "x", r"1\\", 2), ("A", "y", "2", 3)]),
            ("[A]\r\nx=1\r\n;c\r\ny=2", &[("A", "x", "1", 2), ("A", "y", "2", 4)]),
            ("\u{feff}[A]\nx=1\\", &[("A", "x", "1", 2)]),
            ("[A]\nnoise\n=1\n[B]\nx==", &[("B", "x", "=", 5)]),
            ("", &[]),
        ] {
            let settings = parse("/f", text.as_bytes()).unwrap();
            let row = |s: &Setting| (s.section.clone(), s.key.clone(), s.value.clone(), s.line);
            let found: Vec<_> = settings.iter().map(row).collect();
            let expected: Vec<_> =
                expected.iter().map(|(a, b, c, d)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned(), *d)).collect();
            assert_eq!(found, expected, "{text:?}");
        }
        for text in [&b"[A\nx=1"[..], b"[A]\nx=\xff", b"[A\"]\n"] {
            assert!(parse("/f", text).is_err(), "{text:?}");
        }
        assert!(parse("/f", b"# \xff\n[A]").is_ok(), "comments are not looked at");
    }

    #[test]
    fn words_and_quotes() {
        for (text, plain, unescaped) in [
            ("a  b\tc", Some("a|b|c"), Some("a|b|c")),
            (r#""a b" c'd e'"#, Some("a b|cd e"), Some("a b|cd e")),
            (r"a\x2db", Some(r"a\x2db"), Some("a-b")),
            (r#""a" "" b"#, Some("a||b"), Some("a||b")),
            (r"a\q", Some(r"a\q"), None),
            (r"a\101", Some(r"a\101"), Some("aA")),
            ("\"a", None, None),
            ("", Some(""), Some("")),
        ] {
            let join = |words: Option<Vec<String>>| words.map(|words| words.join("|"));
            assert_eq!(join(words(text)).as_deref(), plain, "{text}");
            assert_eq!(join(unescaped_words(text)).as_deref(), unescaped, "{text}");
        }
    }
}
