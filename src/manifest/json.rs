//! JSON text → a tree that keeps the order, the repetitions and the lines of its keys (RFC 8259).

use super::ClaimValue;
use crate::error::{Error, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Text, number, truth value or null.
    Leaf(ClaimValue),
    /// An array.
    List(Vec<Self>),
    /// An object, in its order and with its repetitions.
    Map(Vec<Entry>),
}

/// A key of an object with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its line, from 1.
    pub line: u32,
    /// The value.
    pub value: Node,
}

/// Parses a whole text; `what` names it in errors.
///
/// # Errors
/// When it is no JSON, or nests deeper than 128 levels (`serde_json`'s limit).
pub fn parse(what: &str, text: &str) -> Result<Node> {
    let mut node: Node = serde_json::from_str(text).map_err(|error| Error::corrupt(what, error.to_string()))?;
    number(&mut node, &mut key_lines(text).into_iter());
    Ok(node)
}

impl Node {
    /// The entries of an object; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    /// The value of this key of an object: the last one, as JSON readers take it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// As a value of a claim.
    pub fn claim_value(&self) -> ClaimValue {
        if let Self::Leaf(value) = self { value.clone() } else { ClaimValue::Compound }
    }
}

/// Lines of the keys of valid JSON, in the order in which they stand: strings with a colon behind them.
fn key_lines(text: &str) -> Vec<u32> {
    let mut lines = Vec::new();
    let (mut line, mut string_line, mut in_string, mut is_escaped, mut is_after_string) =
        (1_u32, 1, false, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => {
                (in_string, is_after_string) = (!in_string, in_string);
                string_line = line;
            }
            _ if in_string => {}
            b'\n' => line = line.saturating_add(1),
            b' ' | b'\t' | b'\r' => {}
            b':' if is_after_string => lines.push(string_line),
            _ => is_after_string = false,
        }
    }
    lines
}

fn number(node: &mut Node, lines: &mut impl Iterator<Item = u32>) {
    match node {
        Node::Leaf(_) => {}
        Node::List(items) => items.iter_mut().for_each(|item| number(item, lines)),
        Node::Map(entries) => {
            for entry in entries {
                entry.line = lines.next().unwrap_or(1);
                number(&mut entry.value, lines);
            }
        }
    }
}

struct Nodes;

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(ClaimValue::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(ClaimValue::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(ClaimValue::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        let large = |_| ClaimValue::Decimal(value.to_string());
        Ok(Node::Leaf(i64::try_from(value).map_or_else(large, ClaimValue::Integer)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(ClaimValue::Decimal(value.to_string())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(ClaimValue::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry()? {
            entries.push(Entry { key, line: 1, value });
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(node: &Node, found: &mut Vec<(String, u32)>) {
        match node {
            Node::Leaf(_) => {}
            Node::List(items) => items.iter().for_each(|item| keys(item, found)),
            Node::Map(entries) => {
                for entry in entries {
                    found.push((entry.key.clone(), entry.line));
                    keys(&entry.value, found);
                }
            }
        }
    }

    #[test]
    fn keys_have_their_lines() {
        let text = "{\n \"a\\\"\": [\"x:\",\n {\"b\"\n:1}],\n\n \"a\\\"\": \"c\\\\\", \"d\": {} }";
        let mut found = Vec::new();
        keys(&parse("test", text).unwrap(), &mut found);
        let expected = [("a\"", 2), ("b", 3), ("a\"", 6), ("d", 6)].map(|(key, line)| (key.to_owned(), line));
        assert_eq!(found, expected);
    }

    #[test]
    fn values_keep_their_types() {
        let node =
            parse("test", r#"{"t":"x","b":true,"i":-1,"n":null,"d":1.5,"u":18446744073709551615,"l":[]}"#).unwrap();
        for (key, expected) in [
            ("t", ClaimValue::Text("x".into())),
            ("b", ClaimValue::Bool(true)),
            ("i", ClaimValue::Integer(-1)),
            ("n", ClaimValue::Null),
            ("d", ClaimValue::Decimal("1.5".into())),
            ("u", ClaimValue::Decimal("18446744073709551615".into())),
            ("l", ClaimValue::Compound),
        ] {
            assert_eq!(node.get(key).map(Node::claim_value), Some(expected), "{key}");
        }
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in ["", "{", "{\"a\":1,}", "nul", &"[".repeat(1000)] {
            assert!(parse("test", text).is_err(), "{text}");
        }
    }
}
