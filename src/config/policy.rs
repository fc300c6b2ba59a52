//! `[policy]`: the values of [`crate::manifest::policy`], as TOML writes them, and what they are in the JSON Schema.

use super::node::Node;
use crate::error::Result;
use crate::manifest::policy::{Field, Rule};
use serde_json::{Value, json};

/// The value as Glance stores it.
pub(super) fn read(field: &Field, node: &Node<'_>) -> Result<String> {
    let text = match field.rule {
        Rule::OneOf(words) => node.one_of(words)?.to_owned(),
        Rule::Truth => node.truth()?.to_string(),
        Rule::Count | Rule::Memory => node.number()?.to_string(),
        Rule::Day(_) | Rule::Validity => node.date()?,
        Rule::Moment => moment(node.date()?),
        Rule::Source | Rule::Text => node.text()?.to_owned(),
    };
    if field.rule.fits(&text) { Ok(text) } else { Err(node.wrong(&field.rule.takes())) }
}

/// TOML joins day and time by a `T`, which the standard has only before a `Z`.
fn moment(text: String) -> String {
    if text.ends_with('Z') { text } else { text.replacen('T', " ", 1) }
}

/// What the value may be, as JSON Schema.
pub(super) fn schema(field: &Field) -> Value {
    let pattern = |pattern: &str| json!({ "type": "string", "maxLength": MAX_VALUE, "pattern": pattern });
    let mut schema = match field.rule {
        Rule::OneOf(words) => json!({ "enum": words }),
        Rule::Truth => json!({ "type": "boolean" }),
        Rule::Count => json!({ "type": "integer", "minimum": 0, "maximum": MAX_COUNT }),
        Rule::Memory => json!({ "type": "integer", "minimum": 1, "maximum": MAX_COUNT }),
        Rule::Day(words) => pattern(&format!("^({})$", [&[DAY], words].concat().join("|"))),
        Rule::Validity => pattern(&format!("^(none|last-[1-9][0-9]{{0,8}}|{DAY}|notice|forever)$")),
        Rule::Moment => pattern(&format!("^{DAY}([ T]{TIME}(:{SECONDS})?|T{TIME}:{SECONDS}Z)?$")),
        Rule::Source => pattern("^(private|(https?|ftps?)://[A-Za-z0-9\\[][^\\s]*)$"),
        Rule::Text => pattern("\\S"),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(field.summary));
    }
    schema
}

/// Characters of one value: as many as Glance keeps.
const MAX_VALUE: usize = 255;
/// Nine digits.
const MAX_COUNT: u32 = 999_999_999;
/// A day in a JSON Schema's pattern, as far as one can count there: every month has 31.
pub(super) const DAY: &str = "(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
/// A time of day in a JSON Schema's pattern.
const TIME: &str = "([01][0-9]|2[0-3]):[0-5][0-9]";
const SECONDS: &str = "[0-5][0-9]";
