//! What may stand behind a key: one description for the reader, the JSON Schema and the page.

use super::document::Document;
use crate::error::{Error, Result};
use crate::report::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key of a table.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// What stands behind it.
    pub(super) shape: Shape,
    /// Whether a recipe without it is none.
    pub is_required: bool,
}

/// What a key takes.
#[derive(Debug)]
pub(super) enum Shape {
    /// A text that keeps to a rule.
    Text(&'static Rule),
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// True or false.
    Truth,
    /// A whole number from, to.
    Number(u32, u32),
    /// A table from these names, each with its summary, to what Glance stores as text: text, number, truth value or date.
    Values(fn() -> Vec<(&'static str, &'static str)>),
    /// A list of these.
    List(&'static Self),
    /// One of these, or a list of them.
    OneOrMany(&'static Self),
    /// A table with these keys and no others.
    Table(&'static [Key]),
    /// A table whose keys keep to a rule.
    Map(&'static Rule, &'static Self),
}

/// What a text must be.
#[derive(Debug)]
pub(super) struct Rule {
    /// In words, after "expected".
    pub(super) expected: &'static str,
    /// As a regular expression of JSON Schema (ECMA 262).
    pub(super) pattern: &'static str,
    pub(super) holds: fn(&str) -> bool,
}

/// Names that an error still lists in full: a line's worth.
const FEW: usize = 20;

/// Looks whether a table has only keys that there are, all that it must have, and what these take.
pub(super) fn table(
    document: &Document<'_>,
    name: &str,
    found: &DeTable<'_>,
    start: usize,
    keys: &[Key],
) -> Result<()> {
    let mut rows: Vec<_> = found.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in rows {
        let known = keys.iter().find(|known| known.name == key.get_ref().as_ref());
        let known = known.ok_or_else(|| {
            let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
            unknown(document, key.span().start, name, key.get_ref(), &names)
        })?;
        Node { document, name: dotted(name, known.name), value }.look(&known.shape)?;
    }
    match keys.iter().find(|key| key.is_required && !found.contains_key(key.name)) {
        None => Ok(()),
        Some(key) => Err(document.error(start, format!("{} is missing: {}", dotted(name, key.name), key.summary))),
    }
}

fn dotted(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

fn unknown(document: &Document<'_>, offset: usize, table: &str, name: &str, names: &[&str]) -> Error {
    let place = if table.is_empty() { String::new() } else { format!(" in {table}") };
    let near = match nearest(name, names.iter().copied()) {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; there are {}", names.join(", ")),
    };
    document.error(offset, format!("there is no key {name:?}{place}{near}"))
}

/// A value at its place.
struct Node<'a> {
    document: &'a Document<'a>,
    name: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Node<'a> {
    fn error(&self, cause: impl std::fmt::Display) -> Error {
        self.document.error(self.value.span().start, format!("{}: {cause}", self.name))
    }

    fn wrong(&self, expected: impl std::fmt::Display) -> Error {
        let found = match self.value.get_ref() {
            DeValue::String(text) => format!("the text {text:?}"),
            DeValue::Integer(number) => format!("the number {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(word) => format!("the word {word} without quotes"),
            DeValue::Datetime(date) => format!("the date {date}"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.error(format!("found {found}, expected {expected}"))
    }

    fn member(&self, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { document: self.document, name: self.name.clone(), value }
    }

    fn look(&self, shape: &Shape) -> Result<()> {
        match (shape, self.value.get_ref()) {
            (Shape::Text(rule), DeValue::String(text)) if (rule.holds)(text) => Ok(()),
            (Shape::Text(rule), _) => Err(self.wrong(rule.expected)),
            (Shape::Word(words), DeValue::String(text)) => self.word(text, &words()),
            (Shape::Word(_), _) => Err(self.wrong("a text in quotes")),
            (Shape::Truth, DeValue::Boolean(_)) => Ok(()),
            (Shape::Truth, _) => Err(self.wrong("true or false, without quotes")),
            (Shape::Number(from, to), DeValue::Integer(number)) => {
                let value = if number.radix() == 10 { number.as_str().parse::<u32>().ok() } else { None };
                let is_in = value.is_some_and(|value| (*from..=*to).contains(&value));
                if is_in { Ok(()) } else { Err(self.wrong(format!("a whole number from {from} to {to}"))) }
            }
            (Shape::Number(from, to), _) => Err(self.wrong(format!("a whole number from {from} to {to}"))),
            (Shape::Values(names), DeValue::Table(found)) => self.values(found, &names()),
            (Shape::List(shape) | Shape::OneOrMany(shape), DeValue::Array(members)) => {
                members.iter().try_for_each(|member| self.member(member).look(shape))
            }
            (Shape::List(Shape::Table(_)), _) => Err(self.wrong(format!("a list of tables, [[{}]]", self.name))),
            (Shape::List(_), _) => Err(self.wrong("a list in [ ]")),
            (Shape::OneOrMany(shape), _) => self.look(shape),
            (Shape::Table(keys), DeValue::Table(found)) => {
                table(self.document, &self.name, found, self.value.span().start, keys)
            }
            (Shape::Map(rule, shape), DeValue::Table(found)) => self.map(found, rule, shape),
            (Shape::Table(_) | Shape::Values(_) | Shape::Map(..), _) => {
                Err(self.wrong(format!("a table, [{}]", self.name)))
            }
        }
    }

    fn word(&self, text: &str, words: &[&str]) -> Result<()> {
        if words.contains(&text) {
            return Ok(());
        }
        let near = nearest(text, words.iter().copied()).map(|word| format!("did you mean {word}?"));
        Err(self.error(match near {
            Some(near) if words.len() > FEW => format!("there is no {text:?}; {near}"),
            Some(near) => format!("{text:?} is none of {}; {near}", words.join(", ")),
            None => format!("{text:?} is none of {}", words.join(", ")),
        }))
    }

    fn values(&self, found: &'a DeTable<'a>, names: &[(&str, &str)]) -> Result<()> {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let mut rows: Vec<_> = found.iter().collect();
        rows.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in rows {
            if !names.contains(&key.get_ref().as_ref()) {
                return Err(unknown(self.document, key.span().start, &self.name, key.get_ref(), &names));
            }
            if matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_) | DeValue::Float(_)) {
                let node = Self { document: self.document, name: dotted(&self.name, key.get_ref()), value };
                return Err(node.wrong("a text, a whole number, a day, true or false"));
            }
        }
        Ok(())
    }

    fn map(&self, found: &'a DeTable<'a>, rule: &Rule, shape: &Shape) -> Result<()> {
        let mut rows: Vec<_> = found.iter().collect();
        rows.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in rows {
            let name = key.get_ref().as_ref();
            if !(rule.holds)(name) {
                let cause = format!("{}: there is no {name:?}, expected {}", self.name, rule.expected);
                return Err(self.document.error(key.span().start, cause));
            }
            Self { document: self.document, name: dotted(&self.name, name), value }.look(shape)?;
        }
        Ok(())
    }
}
