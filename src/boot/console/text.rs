//! A serial line's bytes → lines of plain text: what a terminal would obey is left out.

use crate::bytes::text;

/// Bytes of one line; a longer one is cut. systemd's longest status line has 300.
const MAX_LINE: usize = 4096;

/// Splits bytes into lines as they come.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    state: State,
}

/// Where in an escape sequence the next byte stands (ECMA-48).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and intermediate bytes, as of a character set: one more.
    Intermediate,
    /// In `ESC [ …`.
    Control,
    /// In `ESC ] …` and its like, which end with BEL or ESC `\`.
    Text2,
}

impl Lines {
    /// Takes bytes and gives the lines that they complete, none of them empty.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            // A return without a line feed starts the same row again: what stood there is a line of its own.
            if self.is_end(*byte) || self.line.len() >= MAX_LINE {
                lines.extend(self.rest());
                self.line.clear();
            }
        }
        lines
    }

    /// The line that is not complete, as a prompt is.
    pub(super) fn rest(&self) -> Option<String> {
        let line = text(self.line.trim_ascii_end());
        if line.is_empty() { None } else { Some(line) }
    }

    /// Takes a byte; whether it ends the line.
    fn is_end(&mut self, byte: u8) -> bool {
        self.state = match (self.state, byte) {
            (State::Text | State::Text2, 0x1b) => State::Escape,
            (State::Text, b'\n' | b'\r') => return true,
            (State::Text, _) => {
                self.keep(byte);
                State::Text
            }
            (State::Escape, b'[') | (State::Control, 0x20..=0x3f) => State::Control,
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::Text2,
            (State::Escape | State::Intermediate, 0x20..=0x2f) => State::Intermediate,
            // A sequence that is cut short, as by a reset, does not swallow the line's end.
            (_, b'\n' | b'\r') => {
                self.state = State::Text;
                return true;
            }
            (State::Text2, 0x07) | (State::Escape | State::Intermediate | State::Control, _) => State::Text,
            (State::Text2, _) => State::Text2,
        };
        false
    }

    fn keep(&mut self, byte: u8) {
        match byte {
            0x08 => drop(self.line.pop()),
            b'\t' => self.line.push(b' '),
            0..=0x1f | 0x7f => {}
            _ => self.line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_plain_text() {
        let rows: &[(&str, &[&str], Option<&str>)] = &[
            ("one\r\r\ntwo\n\n\nthree", &["one", "two"], Some("three")),
            ("[\x1b[0;32m  OK  \x1b[0m] Reached \x1b[0;1;39mx\x1b[0m\r\n", &["[  OK  ] Reached x"], None),
            ("\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\r\n", &["SeaBIOS"], None),
            ("\x1b]0;title\x07a\x1b]3008;x\x1b\\b\x1b(Bc\n", &["abc"], None),
            ("\x1b[12", &[], None),
            ("\x1b[12\nnext\n\x1b]open\nlast", &["next"], Some("last")),
            ("abc\x08\x08X\ty\x07\x00\n", &["aX y"], None),
            ("(initramfs) ", &[], Some("(initramfs)")),
        ];
        for (bytes, expected, rest) in rows {
            let mut lines = Lines::default();
            assert_eq!(lines.take(bytes.as_bytes()), *expected, "{bytes:?}");
            assert_eq!(lines.rest().as_deref(), *rest, "{bytes:?}");
            let mut lines = Lines::default();
            let single: Vec<String> = bytes.bytes().flat_map(|byte| lines.take(&[byte])).collect();
            assert_eq!(single, *expected, "byte by byte: {bytes:?}");
        }
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"\xff\xfe ok\n"), ["\\xff\\xfe ok"]);
        assert_eq!(lines.take(&vec![b'x'; 3 * MAX_LINE]).len(), 3);
    }
}
