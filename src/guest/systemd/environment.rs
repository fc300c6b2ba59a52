//! Variables of a service: `Environment=` and the files of `EnvironmentFile=` (`man 5 systemd.exec`;
//! src/basic/env-file.c, `parse_env_file_internal`).

use super::ini;
use super::load::list;
use super::name;
use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::fact::{Fact, Gap, Listing};
use crate::guest::{Assignment, Setting};
use crate::limits::Limits;

/// Files of one service; real ones name up to four.
const MAX_FILES: usize = 64;

/// Variables in the order in which they are set; files come after `Environment=`, wherever that stands.
pub(super) fn read(root: &Root, id: &str, settings: &Listing<Setting>, limits: &Limits) -> Fact<Listing<Assignment>> {
    if let Some(setting) = list(settings, "Service", "UnsetEnvironment").first() {
        let reason = format!("line {}: what UnsetEnvironment= takes away is not followed", setting.line);
        return Fact::Unknown(Gap::at(&setting.path, reason));
    }
    let mut found = Listing::default();
    for setting in list(settings, "Service", "Environment") {
        let Some(words) = ini::unescaped_words(&setting.value) else { continue };
        for word in words {
            let word = name::expand(&word, id, None);
            let Some((name, value)) = word.split_once('=').filter(|(name, _)| is_name(name)) else { continue };
            found.items.push(Assignment {
                name: name.to_owned(),
                value: value.to_owned(),
                path: setting.path.clone(),
                line: setting.line,
            });
        }
    }
    for setting in list(settings, "Service", "EnvironmentFile").into_iter().take(MAX_FILES) {
        let path = setting.value.strip_prefix('-').unwrap_or(&setting.value);
        let path = name::expand(path, id, None);
        if path.contains(['%', '?', '[']) {
            found.gaps.push(Gap::at(
                &setting.path,
                format!("line {}: {path} is a pattern that is not followed", setting.line),
            ));
            continue;
        }
        let paths = root.glob(&path);
        found.gaps.extend(paths.gaps);
        for path in paths.items {
            match root.read(&path, limits.config_file) {
                Ok(bytes) => found.items.extend(parse(&path.to_text(), &bytes)),
                Err(error) => found.gaps.push(error.into()),
            }
        }
    }
    Fact::Known(found)
}

/// `env_name_is_valid`, src/basic/env-util.c.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// States of systemd's own reader, by their names there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    PreKey,
    Key,
    PreValue,
    Value,
    ValueEscape,
    SingleQuote,
    DoubleQuote,
    DoubleQuoteEscape,
    Comment,
    CommentEscape,
}

/// Characters that a backslash in double quotes protects (`SHELL_NEED_ESCAPE`).
const NEED_ESCAPE: &[u8] = b"\"\\`$";

/// Reads a file of assignments; what is none is passed over, as systemd does.
pub(super) fn parse(path: &str, bytes: &[u8]) -> Vec<Assignment> {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut reader = Reader { path, ..Reader::default() };
    let mut line = 1_u32;
    // The end of the file ends a line; whatever is open then counts, an unclosed quote too.
    for byte in bytes {
        reader.step(*byte, line);
        if *byte == b'\n' {
            line = line.saturating_add(1);
        }
    }
    reader.end();
    reader.found
}

#[derive(Default)]
struct Reader<'a> {
    path: &'a str,
    state: State,
    key: Vec<u8>,
    value: Vec<u8>,
    /// Length of the value up to its last byte that is no blank, or stood in quotes or after a backslash.
    kept: usize,
    line: u32,
    found: Vec<Assignment>,
}

impl Reader<'_> {
    fn step(&mut self, byte: u8, line: u32) {
        let is_end = matches!(byte, b'\n' | b'\r');
        let is_blank = is_end || matches!(byte, b' ' | b'\t');
        self.state = match (self.state, byte) {
            (State::PreKey, b'#' | b';') => State::Comment,
            (State::PreKey, _) if is_blank => State::PreKey,
            (State::PreKey, _) => {
                self.key = vec![byte];
                self.line = line;
                State::Key
            }
            // Since systemd 254 a comment does not continue on the next line.
            (State::Key | State::Comment | State::CommentEscape, _) if is_end => State::PreKey,
            (State::Key, b'=') => {
                self.value.clear();
                self.kept = 0;
                State::PreValue
            }
            (State::Key, _) => {
                self.key.push(byte);
                State::Key
            }
            (State::PreValue | State::Value, _) if is_end => {
                self.push();
                State::PreKey
            }
            (State::PreValue, b'\'') => State::SingleQuote,
            (State::PreValue, b'"') | (State::DoubleQuoteEscape, b'\n') => State::DoubleQuote,
            (State::PreValue | State::Value, b'\\') => State::ValueEscape,
            (State::PreValue, _) if is_blank => State::PreValue,
            (State::PreValue | State::Value, _) => self.keep(byte, !is_blank, State::Value),
            (State::ValueEscape, _) if is_end => State::Value,
            (State::ValueEscape, _) => self.keep(byte, true, State::Value),
            (State::SingleQuote, b'\'') | (State::DoubleQuote, b'"') => State::PreValue,
            (State::DoubleQuote, b'\\') => State::DoubleQuoteEscape,
            (State::SingleQuote, _) => self.keep(byte, true, State::SingleQuote),
            (State::DoubleQuote, _) => self.keep(byte, true, State::DoubleQuote),
            (State::DoubleQuoteEscape, _) => {
                if !NEED_ESCAPE.contains(&byte) {
                    self.keep(b'\\', true, State::DoubleQuote);
                }
                self.keep(byte, true, State::DoubleQuote)
            }
            (State::Comment, b'\\') => State::CommentEscape,
            (State::Comment | State::CommentEscape, _) => State::Comment,
        };
    }

    fn keep(&mut self, byte: u8, is_kept: bool, state: State) -> State {
        self.value.push(byte);
        if is_kept {
            self.kept = self.value.len();
        }
        state
    }

    fn push(&mut self) {
        self.value.truncate(self.kept);
        let name = text(self.key.trim_ascii_end());
        if is_name(&name) {
            let (value, path) = (text(&self.value), self.path.to_owned());
            self.found.push(Assignment { name, value, path, line: self.line });
        }
    }

    fn end(&mut self) {
        if !matches!(self.state, State::PreKey | State::Key | State::Comment | State::CommentEscape) {
            self.push();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_as_systemd_reads_them() {
        for (text, expected) in [
            ("a=b\nc = d \n", &[("a", "b", 1), ("c", "d", 2)][..]),
            ("# a=b\n;c=d\n\n e=f # g\n", &[("e", "f # g", 4)]),
            ("a='b c' d\nb=\"x\\\"y\\z\"\n", &[("a", "b cd", 1), ("b", "x\"y\\z", 2)]),
            ("a=b\\\nc\nd=\\ e\n", &[("a", "bc", 1), ("d", " e", 3)]),
            ("export A=b\nB\n1C=d\nE=", &[("E", "", 4)]),
            ("A=\"b\nc\"\nD=e\r\n", &[("A", "b\nc", 1), ("D", "e", 3)]),
            ("A=b  \nC='d  '\n", &[("A", "b", 1), ("C", "d  ", 2)]),
            ("# c \\\nA=b\n", &[("A", "b", 2)]),
        ] {
            let found = parse("/f", text.as_bytes());
            let row = |it: &Assignment| (it.name.clone(), it.value.clone(), it.line);
            let expected: Vec<_> =
                expected.iter().map(|(name, value, line)| ((*name).to_owned(), (*value).to_owned(), *line)).collect();
            assert_eq!(found.iter().map(row).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
