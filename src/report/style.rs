//! How text is dressed: colour, width and verbosity, decided by the command, never by a writer.

use super::Verbosity;
use crate::limits::{GIB, KIB, MIB};

/// How a report is dressed. [`Style::default`] is what a file gets: no colour, no folding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours.
    pub colour: bool,
    /// Columns to fold to; `None` folds nothing.
    pub width: Option<usize>,
    /// How much is said.
    pub verbosity: Verbosity,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: None, verbosity: Verbosity::Normal }
    }
}

/// ANSI select-graphic-rendition codes in use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Paint {
    Bold,
    Red,
    Green,
    Yellow,
    Blue,
    Dim,
}

impl Style {
    /// `text` in a colour, if colours are wanted. The text must have been escaped.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bold => "1",
            Paint::Red => "1;31",
            Paint::Green => "32",
            Paint::Yellow => "1;33",
            Paint::Blue => "1;34",
            Paint::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// `words`, two blanks between them, folded to the width, each line after `indent`.
    pub(super) fn fold(self, words: &[String], indent: &str) -> String {
        let width = self.width.unwrap_or(usize::MAX);
        let mut lines = vec![String::new()];
        for word in words {
            let Some(line) = lines.last_mut() else { break };
            let needed = [indent, line, "  ", word].map(|part| part.chars().count()).iter().sum::<usize>();
            if line.is_empty() {
                line.push_str(word);
            } else if needed <= width {
                line.push_str("  ");
                line.push_str(word);
            } else {
                lines.push(word.clone());
            }
        }
        lines.iter().map(|line| format!("{indent}{line}\n")).collect()
    }
}

/// A size in the largest unit that gives a short number: `10 GiB`, `1.5 GiB`, `512 bytes`.
pub fn human(bytes: u64) -> String {
    for (unit, name) in [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")] {
        if let Some(whole) = bytes.checked_div(unit).filter(|whole| *whole > 0) {
            let tenths = (bytes % unit).saturating_mul(10) / unit;
            return if tenths == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenths} {name}") };
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_only_when_a_width_is_given() {
        let words = ["a=1", "bb=22", "ccc=333"].map(str::to_owned);
        let style = |width| Style { width, ..Style::default() };
        assert_eq!(style(None).fold(&words, "  "), "  a=1  bb=22  ccc=333\n");
        assert_eq!(style(Some(12)).fold(&words, "  "), "  a=1  bb=22\n  ccc=333\n");
    }

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
