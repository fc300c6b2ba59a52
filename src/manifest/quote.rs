//! Text → words, strings and comments of the languages that manifests are written in; all of it printable ASCII.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

/// JSON with every character outside printable ASCII as `\uXXXX`: the same value, and harmless on a terminal.
pub fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            ' '..='~' | '\n' => ascii.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
        }
    }
    ascii
}

/// A JSON string.
pub(super) fn json(text: &str) -> String {
    // A string always serialises.
    ascii_json(&serde_json::to_string(text).unwrap_or_default())
}

/// The text with all that is not printable ASCII as `\u{…}`: for reading, not for reading back.
pub(super) fn printable(text: &str) -> String {
    let is_seen = |c: char| matches!(c, ' '..='~');
    text.chars().map(|c| if is_seen(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// One comment of a shell, YAML or HCL, whatever the text holds; ends its line.
pub(super) fn comment(text: &str) -> String {
    format!("# {}\n", printable(text))
}

/// The word as a shell reads it back, byte for byte: bare, `'…'`, or `$'…'` where it holds what cannot be seen
/// (POSIX.1-2024, 2.2.4; bash and zsh had it before).
pub(super) fn word(word: &str) -> String {
    shell_word(OsStr::new(word))
}

/// The same of a word that need not be UTF-8.
pub fn shell_word(word: &OsStr) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if let Some(text) = word.to_str() {
        if !text.is_empty() && text.chars().all(is_plain) {
            return text.to_owned();
        }
        if text.chars().all(|c| matches!(c, ' '..='~')) {
            return format!("'{}'", text.replace('\'', "'\\''"));
        }
    }
    let mut quoted = "$'".to_owned();
    for byte in word.as_bytes() {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            // Octal takes exactly three digits: what follows cannot be drawn in.
            _ => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted + "'"
}

/// A double-quoted YAML scalar (YAML 1.1, 5.6 and 7.3.1): no text is taken for a truth value, number, date or alias.
pub(super) fn yaml(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    escaped(text, &mut quoted);
    quoted + "\""
}

/// A YAML key: plain where nothing else can be meant.
pub(super) fn yaml_key(key: &str) -> String {
    // `resolver.py` of PyYAML; y and n are booleans of YAML 1.1 that other readers know.
    const WORDS: &[&str] = &["y", "n", "yes", "no", "true", "false", "on", "off", "null"];
    let is_plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && !WORDS.contains(&key.to_ascii_lowercase().as_str());
    if is_plain { key.to_owned() } else { yaml(key) }
}

/// An HCL string: no template begins in it (`hclsyntax/spec.md`, Template Expressions).
pub(super) fn hcl(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '%']) {
        let (before, marks) = rest.split_at_checked(at).unwrap_or((rest, ""));
        escaped(before, &mut quoted);
        let end = marks.find(|c| !matches!(c, '$' | '%')).unwrap_or(marks.len());
        let (marks, after) = marks.split_at_checked(end).unwrap_or((marks, ""));
        match marks {
            "$" | "%" if after.starts_with('{') && after.contains('}') => quoted.extend([marks, marks]),
            _ if !after.starts_with('{') => quoted.push_str(marks),
            // Of several marks before a brace readers make different things, and python-hcl2 looks for its end.
            _ => marks.chars().for_each(|mark| {
                let _ = write!(quoted, "\\u{:04x}", u32::from(mark));
            }),
        }
        rest = after;
    }
    escaped(rest, &mut quoted);
    quoted + "\""
}

/// An HCL identifier as it stands, any other key as a string.
pub(super) fn hcl_key(key: &str) -> String {
    const WORDS: &[&str] = &["for", "null", "true", "false"];
    let is_plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && !WORDS.contains(&key);
    if is_plain { key.to_owned() } else { hcl(key) }
}

/// The escapes that YAML and HCL share.
fn escaped(text: &str, quoted: &mut String) {
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            ' '..='~' => quoted.push(character),
            _ => {
                let code = u32::from(character);
                let _ = if code > 0xffff { write!(quoted, "\\U{code:08x}") } else { write!(quoted, "\\u{code:04x}") };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_value() {
        for text in ["plain", "caf\u{e9}", "\u{202e}\u{7f}\u{9b}", "\u{1f600}", "a\nb\u{1b}"] {
            let json = json(text);
            assert!(json.chars().all(|character| matches!(character, ' '..='~')), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn words_survive_the_shell() {
        for (text, quoted) in [
            ("scsi", "scsi"),
            ("", "''"),
            ("Debian 13", "'Debian 13'"),
            ("$(reboot)`id`", "'$(reboot)`id`'"),
            ("it's", "'it'\\''s'"),
            ("~root", "'~root'"),
            ("a;b|c&d>e*f?g[h]!#", "'a;b|c&d>e*f?g[h]!#'"),
            ("a\nb", "$'a\\012b'"),
            ("\u{1}7", "$'\\0017'"),
            ("caf\u{e9} '\\\u{202e}", "$'caf\\303\\251 \\'\\\\\\342\\200\\256'"),
        ] {
            assert_eq!(word(text), quoted);
            assert_eq!(bash(quoted), text.as_bytes(), "{quoted}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "bash is the reference for what a word means")]
    fn bash(word: &str) -> Vec<u8> {
        std::process::Command::new("bash").args(["-c", &format!("printf %s {word}")]).output().unwrap().stdout
    }

    #[test]
    fn strings() {
        for (text, in_yaml, in_hcl) in [
            ("scsi", "\"scsi\"", "\"scsi\""),
            ("a\"\\b", "\"a\\\"\\\\b\"", "\"a\\\"\\\\b\""),
            ("${x} %{y} $5 50%", "\"${x} %{y} $5 50%\"", "\"$${x} %%{y} $5 50%\""),
            ("$${x}%${y}$", "\"$${x}%${y}$\"", "\"\\u0024\\u0024{x}\\u0025\\u0024{y}$\""),
            ("${", "\"${\"", "\"\\u0024{\""),
            ("a\n\u{7}\u{202e}\u{1f600}", "\"a\\n\\u0007\\u202e\\U0001f600\"", "\"a\\n\\u0007\\u202e\\U0001f600\""),
        ] {
            assert_eq!((yaml(text).as_str(), hcl(text).as_str()), (in_yaml, in_hcl));
        }
        let keys = ["hw_disk_bus", "yes", "NO", "1a", "a-b", "trait:X", "<<", "for"];
        let quoted = ["hw_disk_bus", "\"yes\"", "\"NO\"", "\"1a\"", "\"a-b\"", "\"trait:X\"", "\"<<\""];
        for (key, quoted) in keys.iter().zip(quoted) {
            assert_eq!(yaml_key(key), quoted);
        }
        assert_eq!((hcl_key("for").as_str(), hcl_key("yes").as_str()), ("\"for\"", "yes"));
    }
}
