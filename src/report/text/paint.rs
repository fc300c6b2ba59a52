//! Lines of a page: colours and folding, both only where the command asked for them.

use super::Style;

/// A colour of the terminal's own palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

/// Text in the making.
#[derive(Debug)]
pub(in crate::report) struct Page {
    style: Style,
    text: String,
}

/// Columns below which nothing is folded: words would stand alone.
const MIN_WIDTH: usize = 40;

impl Page {
    pub(in crate::report) fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    pub(in crate::report) fn finish(self) -> String {
        self.text
    }

    /// One line as it is; what GitHub's runner would take for a command, at the beginning of a line alone, is broken.
    pub(in crate::report) fn line(&mut self, line: &str) {
        let command = line.trim_start().strip_prefix("::");
        let line = command.map_or_else(|| line.trim_end().to_owned(), |rest| format!(":\\u{{3a}}{}", rest.trim_end()));
        self.text.push_str(&line);
        self.text.push('\n');
    }

    /// A head and a text that folds under its own beginning.
    pub(in crate::report) fn folded(&mut self, head: &str, text: &str) {
        let indent = head.chars().count();
        let width = self.style.width.filter(|width| *width >= MIN_WIDTH).map_or(usize::MAX, |width| width);
        let mut line = head.to_owned();
        let mut length = indent;
        for (index, word) in text.split(' ').enumerate() {
            let needs = word.chars().count().saturating_add(usize::from(index > 0));
            if index > 0 && length > indent && length.saturating_add(needs) > width {
                self.line(&line);
                line = " ".repeat(indent);
                length = indent;
            } else if index > 0 {
                line.push(' ');
                length = length.saturating_add(1);
            }
            line.push_str(word);
            length = length.saturating_add(word.chars().count());
        }
        self.line(&line);
    }

    /// The text in this colour, bold; as it is where colours are off.
    pub(in crate::report) fn painted(&self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Blue => 34,
            Colour::Magenta => 35,
            Colour::Cyan => 36,
        };
        if self.style.has_colour { format!("\u{1b}[1;{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_only_where_there_is_a_width() {
        let text = "one two three four five six seven eight nine ten eleven";
        for (width, expected) in [
            (None, "  = why: one two three four five six seven eight nine ten eleven\n"),
            (Some(10), "  = why: one two three four five six seven eight nine ten eleven\n"),
            (Some(40), "  = why: one two three four five six\n         seven eight nine ten eleven\n"),
        ] {
            let mut page = Page::new(Style { width, ..Style::default() });
            page.folded("  = why: ", text);
            assert_eq!(page.finish(), expected, "{width:?}");
        }
    }

    #[test]
    fn no_line_is_a_command() {
        for (line, expected) in [("::error::x ", ":\\u{3a}error::x\n"), ("  ::x", ":\\u{3a}x\n"), ("a ::x", "a ::x\n")]
        {
            let mut page = Page::new(Style::default());
            page.line(line);
            assert_eq!(page.finish(), expected);
        }
    }

    #[test]
    fn colours_only_when_asked() {
        for (has_colour, expected) in [(false, "x"), (true, "\u{1b}[1;31mx\u{1b}[0m")] {
            assert_eq!(Page::new(Style { has_colour, ..Style::default() }).painted(Colour::Red, "x"), expected);
        }
    }
}
