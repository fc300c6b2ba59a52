//! What is known, and what could not be had: the two are different types everywhere.

use crate::error::Error;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Why a fact could not be had: a limit reached, a file unread, a format unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// Path inside the image, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What could not be read, and why.
    pub reason: String,
}

impl Gap {
    /// A gap that belongs to no single file.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { path: None, reason: reason.into() }
    }

    /// A gap at `path` inside the image.
    pub fn at(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: Some(path.into()), reason: reason.into() }
    }
}

impl From<Error> for Gap {
    fn from(mut error: Error) -> Self {
        let path = error.path.take();
        Self { path, reason: error.to_string() }
    }
}

/// A value, or why it could not be had. JSON: the value itself, or `{"unknown": {"path", "reason"}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// The value.
    Known(T),
    /// Why there is none.
    Unknown(Gap),
}

impl<T> Fact<T> {
    /// The value, for reports; a check asks its view instead, so that the gap is not lost.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// An unknown with this reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown(Gap::new(reason))
    }
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self::unknown("not collected by this version")
    }
}

impl<T> From<Result<T, Error>> for Fact<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(error) => Self::Unknown(error.into()),
        }
    }
}

impl<T: Serialize> Serialize for Fact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::Unknown(gap) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("unknown", gap)?;
                map.end()
            }
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Fact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        parse(value).map_err(serde::de::Error::custom)
    }
}

/// `{"unknown": …}` is a gap; so is a value that cannot be built because something within it is unknown.
fn parse<T: DeserializeOwned>(value: Value) -> Result<Fact<T>, serde_json::Error> {
    if let Some(gap) = as_unknown(&value) {
        return Ok(Fact::Unknown(gap));
    }
    let inner = first_unknown(&value);
    match (serde_json::from_value(value), inner) {
        (Ok(value), _) => Ok(Fact::Known(value)),
        (Err(_), Some(gap)) => Ok(Fact::Unknown(gap)),
        (Err(error), None) => Err(error),
    }
}

fn as_unknown(value: &Value) -> Option<Gap> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let reason = map.get("unknown")?;
    let gap = serde_json::from_value(reason.clone());
    Some(gap.unwrap_or_else(|_| Gap::new(reason.as_str().unwrap_or("no reason was recorded"))))
}

fn first_unknown(value: &Value) -> Option<Gap> {
    as_unknown(value).or_else(|| match value {
        Value::Array(items) => items.iter().find_map(first_unknown),
        Value::Object(map) => map.values().find_map(first_unknown),
        _ => None,
    })
}

/// Something found that is wrong with a container (image, partition table, initrd).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// Stable kebab-case name, for example `qcow2-dirty`.
    pub id: String,
    /// What was found, and what was expected.
    pub found: String,
    /// True when the reader that matters (QEMU, firmware, kernel) refuses it; false when it only deserves a note.
    pub fatal: bool,
}

/// A list read from hostile text: what was found is usable, absence is proven only without gaps.
/// JSON: a plain array when there are no gaps, `{"items", "gaps"}` when there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was found, in the order of the source.
    pub items: Vec<T>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { items: Vec::new(), gaps: Vec::new() }
    }
}

impl<T> From<Vec<T>> for Listing<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, gaps: Vec::new() }
    }
}

impl<T> Listing<T> {
    /// Adds an item or, when it could not be read, its gap.
    pub fn add(&mut self, item: Result<T, Error>) {
        match item {
            Ok(item) => self.items.push(item),
            Err(error) => self.gaps.push(error.into()),
        }
    }
}

impl<T: Serialize> Serialize for Listing<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.gaps.is_empty() {
            return self.items.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("items", &self.items)?;
        map.serialize_entry("gaps", &self.gaps)?;
        map.end()
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Listing<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Plain(Vec<Value>),
            Gapped { items: Vec<Value>, gaps: Vec<Gap> },
        }
        let (values, gaps) = match Shape::deserialize(deserializer)? {
            Shape::Plain(values) => (values, Vec::new()),
            Shape::Gapped { items, gaps } => (items, gaps),
        };
        let mut listing = Self { items: Vec::with_capacity(values.len()), gaps };
        for value in values {
            match parse(value).map_err(serde::de::Error::custom)? {
                Fact::Known(item) => listing.items.push(item),
                Fact::Unknown(gap) => listing.gaps.push(gap),
            }
        }
        Ok(listing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        #[serde(default)]
        size: Fact<u64>,
    }

    #[test]
    fn facts_round_trip() {
        for (json, size) in [
            (r#"{"name":"a","size":3}"#, Some(3)),
            (r#"{"name":"a","size":{"unknown":{"path":"/x","reason":"cut short"}}}"#, None),
        ] {
            let row: Row = serde_json::from_str(json).unwrap();
            assert_eq!(row.size.known().copied(), size);
            assert_eq!(serde_json::to_string(&row).unwrap(), json);
        }
    }

    #[test]
    fn missing_is_unknown_never_a_default() {
        let row: Row = serde_json::from_str(r#"{"name":"a"}"#).unwrap();
        assert_eq!(row.size, Fact::unknown("not collected by this version"));
    }

    #[test]
    fn an_unknown_leaf_makes_its_row_a_gap() {
        let rows: Listing<Row> = serde_json::from_str(r#"[{"name":"a","size":1},{"name":{"unknown":"x"}}]"#).unwrap();
        assert_eq!((rows.items.len(), rows.gaps), (1, vec![Gap::new("x")]));
        assert!(serde_json::from_str::<Listing<Row>>(r#"[{"name":3}]"#).is_err());
    }
}
