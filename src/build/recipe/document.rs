//! A TOML document with its places: every error names file, line and key.

use crate::error::{Error, ErrorKind, Result};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A parsed recipe and the text that it stands in.
#[derive(Debug)]
pub(super) struct Document<'a> {
    name: &'a str,
    text: &'a str,
    top: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    /// Parses the text of the file that errors call `name`.
    pub(super) fn parse(name: &'a str, text: &'a str) -> Result<Self> {
        let top = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            at(name, text, offset, format!("this is not TOML: {}", error.message().replace('\n', ", ")))
        })?;
        Ok(Self { name, text, top })
    }

    /// Its top level.
    pub(super) fn top(&self) -> &DeTable<'a> {
        self.top.get_ref()
    }

    /// An error at a byte of the text.
    pub(super) fn error(&self, offset: usize, what: impl Into<String>) -> Error {
        at(self.name, self.text, offset, what)
    }

    /// An error at a key as rules name it (`disk.partition.1.size`), or at the nearest table above it that is there.
    pub(super) fn error_of(&self, key: &str, cause: impl std::fmt::Display) -> Error {
        self.error(self.offset(key), format!("{}: {cause}", shown(key)))
    }

    fn offset(&self, key: &str) -> usize {
        let mut steps = key.split('.');
        let first = steps.next().and_then(|step| self.top().get(step));
        let Some(mut value) = first else { return 0 };
        for step in steps {
            let next = match value.get_ref() {
                DeValue::Table(table) => table.get(step),
                DeValue::Array(list) => step.parse().ok().and_then(|index: usize| list.get(index)),
                _ => None,
            };
            let Some(next) = next else { break };
            value = next;
        }
        value.span().start
    }
}

/// `disk.partition.1.size` without the number that counts members of a list.
fn shown(key: &str) -> String {
    let words: Vec<&str> = key.split('.').filter(|step| step.parse::<usize>().is_err()).collect();
    words.join(".")
}

fn at(name: &str, text: &str, offset: usize, what: impl Into<String>) -> Error {
    let before = text.as_bytes().iter().take(offset);
    let line = before.filter(|byte| **byte == b'\n').count().saturating_add(1);
    Error::new(ErrorKind::Corrupt, what).at(format!("{name}:{line}"))
}
