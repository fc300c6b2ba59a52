//! A parsed TOML document with its places: every error names file, line and key, what was found and what was expected.

use crate::error::{Error, ErrorKind, Result};
use crate::report::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a file and the name that errors give it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    /// The document's keys, in the order of the file.
    pub(super) fn rows(self, table: &'a DeTable<'a>) -> Vec<Row<'a>> {
        rows(self, "", table)
    }

    /// `bootworthy.toml:3`.
    pub(super) fn place(self, offset: usize) -> String {
        let before = self.text.as_bytes().iter().take(offset);
        let line = before.filter(|byte| **byte == b'\n').count().saturating_add(1);
        format!("{}:{line}", self.name)
    }

    /// An error at a byte of the text.
    pub(super) fn error(self, offset: usize, what: impl Into<String>) -> Error {
        Error::new(ErrorKind::Corrupt, what).at(self.place(offset))
    }
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    source: Source<'a>,
    offset: usize,
    /// As it stands in its own table.
    pub(super) key: &'a str,
    /// What stands behind it.
    pub(super) value: Node<'a>,
}

impl Row<'_> {
    /// The key is not one of `known`.
    pub(super) fn unknown(&self, kind: &str, known: &[&str]) -> Error {
        self.source.error(self.offset, not_there(kind, self.key, known))
    }
}

/// Names that an error still lists in full: a line's worth.
const FEW: usize = 20;

/// The sentence for a name that does not exist, with the nearest that does.
fn not_there(kind: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {kind} {name:?}; did you mean {near}?"),
        None if known.len() <= FEW => format!("there is no {kind} {name:?}; there are {}", known.join(", ")),
        None => format!("there is no {kind} {name:?}"),
    }
}

/// A value at its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    source: Source<'a>,
    /// Dotted, from the top: `policy.os_purpose`.
    name: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Node<'a> {
    /// An error at this value.
    pub(super) fn error(&self, cause: impl std::fmt::Display) -> Error {
        self.source.error(self.value.span().start, format!("{}: {cause}", self.name))
    }

    /// Something else was expected here.
    pub(super) fn wrong(&self, expected: &str) -> Error {
        self.error(format!("found {}, expected {expected}", self.found()))
    }

    fn found(&self) -> String {
        match self.value.get_ref() {
            DeValue::String(text) => format!("the text {text:?}"),
            DeValue::Integer(number) => format!("the number {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(word) => format!("the word {word} without quotes"),
            DeValue::Datetime(date) => format!("the date {date}"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Result<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong("a text in quotes")),
        }
    }

    /// A text, or a date as TOML writes it, without quotes.
    pub(super) fn date(&self) -> Result<String> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            DeValue::Datetime(date) => Ok(date.to_string()),
            _ => Err(self.wrong("a day such as \"2026-12-31\"")),
        }
    }

    /// A word that Glance takes: a text, a number or a truth value, as text.
    pub(super) fn word(&self) -> Result<String> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            DeValue::Boolean(word) => Ok(word.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
            _ => Err(self.wrong("a text in quotes")),
        }
    }

    /// A truth value.
    pub(super) fn truth(&self) -> Result<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(word) => Ok(*word),
            _ => Err(self.wrong("true or false, without quotes")),
        }
    }

    /// A number from zero up, in digits.
    pub(super) fn number(&self) -> Result<u32> {
        match self.value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            _ => None,
        }
        .ok_or_else(|| self.wrong("a whole number from 0 to 4294967295"))
    }

    /// One of these words.
    pub(super) fn one_of(&self, words: &[&'static str]) -> Result<&'static str> {
        let text = self.text()?;
        let unknown = || {
            let near = nearest(text, words.iter().copied());
            let near = near.map(|word| format!("; did you mean {word}?")).unwrap_or_default();
            self.error(format!("{text:?} is none of {}{near}", words.join(", ")))
        };
        words.iter().copied().find(|word| *word == text).ok_or_else(unknown)
    }

    /// One of these names, of which there are many.
    pub(super) fn named(&self, kind: &str, names: &[&'static str]) -> Result<&'static str> {
        let text = self.text()?;
        names.iter().copied().find(|name| *name == text).ok_or_else(|| self.unknown(kind, text, names))
    }

    /// The name does not exist.
    pub(super) fn unknown(&self, kind: &str, name: &str, known: &[&str]) -> Error {
        self.error(not_there(kind, name, known))
    }

    /// The members of a list.
    pub(super) fn list(&self) -> Result<Vec<Self>> {
        let DeValue::Array(members) = self.value.get_ref() else { return Err(self.wrong("a list in [ ]")) };
        let node = |value| Self { source: self.source, name: self.name.clone(), value };
        Ok(members.iter().map(node).collect())
    }

    /// The keys of a table, in the order of the file; `None` where it is no table.
    pub(super) fn table(&self) -> Option<Vec<Row<'a>>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(rows(self.source, &self.name, table)),
            _ => None,
        }
    }

    /// The line that it stands in.
    pub(super) fn place(&self) -> String {
        self.source.place(self.value.span().start)
    }
}

fn rows<'a>(source: Source<'a>, name: &str, table: &'a DeTable<'a>) -> Vec<Row<'a>> {
    let row = |(key, value): (&'a Spanned<toml::de::DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
        let name =
            if name.is_empty() { key.get_ref().clone().into_owned() } else { format!("{name}.{}", key.get_ref()) };
        let value = Node { source, name, value };
        Row { source, offset: key.span().start, key: key.get_ref(), value }
    };
    let mut rows: Vec<Row<'a>> = table.iter().map(row).collect();
    rows.sort_by_key(|row| row.offset);
    rows
}
