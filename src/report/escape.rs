//! Text of an image → text that a terminal shows as it is: the only way there.

use std::fmt::Write as _;

/// Control characters, direction marks and characters without width become `\u{…}`; a tab becomes a space. Neither can
/// it be a command to what reads the log of a job: see `defuse`.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => escaped.push(' '),
            _ if is_hidden(character) => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    defuse(escaped)
}

/// `##[group]`, `##vso[…]`, `##teamcity[…]`: GitHub's runner, Azure Pipelines and `TeamCity` take these for commands
/// wherever they stand in a line (actions/runner, `ActionCommand.TryParse`).
fn defuse(text: String) -> String {
    let mut parts = text.split("##");
    let first = parts.next().unwrap_or_default();
    if first.len() == text.len() {
        return text;
    }
    let mut defused = first.to_owned();
    for part in parts {
        let word = part.trim_start_matches('#').trim_start_matches(|character: char| character.is_ascii_alphanumeric());
        defused.push_str(if word.starts_with('[') { "#\\u{23}" } else { "##" });
        defused.push_str(part);
    }
    defused
}

/// The same for text of several lines, whose ends stay.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// Characters that move, hide or reorder text (Unicode general categories Cc, Cf, Zl, Zp, and the fillers).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_unseen() {
        for (text, escaped) in [
            ("plain text, caf\u{e9}, \u{65e5}\u{672c}", "plain text, caf\u{e9}, \u{65e5}\u{672c}"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\nb\rc\0d", "a\\u{a}b\\u{d}c\\u{0}d"),
            ("a\tb", "a b"),
            ("abc\u{202e}fed", "abc\\u{202e}fed"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("\u{e0041}", "\\u{e0041}"),
            ("\u{7f}\u{8}", "\\u{7f}\\u{8}"),
            ("## title, a##b, x##", "## title, a##b, x##"),
            ("a ##[error]b ###vso[c]", "a #\\u{23}[error]b #\\u{23}#vso[c]"),
            ("", ""),
        ] {
            assert_eq!(escape(text), escaped, "{text:?}");
        }
    }

    #[test]
    fn no_control_character_survives() {
        let all: String = (0..=0x0010_ffff).filter_map(char::from_u32).collect();
        assert!(escape(&all).chars().all(|character| !character.is_control() && !is_hidden(character)));
    }
}
