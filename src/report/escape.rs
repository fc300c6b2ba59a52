//! The only way of image text to a terminal: what could move the cursor, hide or reorder text is written `\u{…}`.

/// Text as one line.
pub fn line(text: &str) -> String {
    escape(text, |_| false)
}

/// Text of several lines; line ends stay.
pub fn block(text: &str) -> String {
    escape(text, |c| c == '\n')
}

fn escape(text: &str, keep: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && !keep(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Controls (C0, DEL, C1), line and paragraph separators, invisible and bidirectional format characters, tags and
/// private noncharacters: Unicode's `Default_Ignorable_Code_Point` and UAX #9, as far as a terminal acts on them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        for (text, escaped) in [
            ("Debian GNU/Linux 13 (caf\u{e9}) 日本", "Debian GNU/Linux 13 (caf\u{e9}) 日本"),
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("a\r\nerror: all good", "a\\u{d}\\u{a}error: all good"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("\u{9b}31m\u{7f}\0", "\\u{9b}31m\\u{7f}\\u{0}"),
            ("vir\u{200b}tio\u{feff}", "vir\\u{200b}tio\\u{feff}"),
            ("dev-virtio\\x2dports", "dev-virtio\\x2dports"),
        ] {
            assert_eq!(line(text), escaped);
        }
        assert_eq!(block("a\nb\tc"), "a\nb\\u{9}c");
    }

    #[test]
    fn every_character_of_the_first_planes_is_printable_or_escaped() {
        for c in ('\0'..='\u{ffff}').filter(|c| c.is_control()) {
            assert!(line(&c.to_string()).starts_with('\\'), "{c:?}");
        }
    }
}
