//! The JSON Schema of the file (<https://json-schema.org/draft/2020-12>), for editors and pipelines; made from [`KEYS`].

use super::key::{IGNORE_KEYS, KEYS, Key, MAX_MODULE, MAX_PATTERN, Shape, checks, levels, properties};
use super::policy::{self, DAY};
use crate::manifest::policy::FIELDS;
use serde_json::{Map, Value, json};

/// The schema, as it stands in `docs/schemas/config.json`.
pub fn schema() -> String {
    let keys: Map<String, Value> = KEYS.iter().map(|key| (key.name.to_owned(), described(key))).collect();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": super::NAME,
        "description": "What a project asks of its images, and which findings it accepts",
        "type": "object",
        "additionalProperties": false,
        "properties": keys,
    });
    format!("{schema:#}\n")
}

fn described(key: &Key) -> Value {
    let mut schema = shape(&key.shape);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(key.summary));
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Word(words) => json!({ "enum": words() }),
        Shape::Words(words) => json!({ "type": "array", "items": { "enum": words() } }),
        Shape::Modules => {
            let pattern = format!("^[A-Za-z0-9_-]{{1,{MAX_MODULE}}}$");
            json!({ "type": "array", "items": { "type": "string", "pattern": pattern } })
        }
        Shape::Levels(names) => closed(names().into_iter().map(|name| (name, json!({ "enum": levels() })))),
        Shape::Ignores => json!({ "type": "array", "items": ignore() }),
        Shape::Wishes => {
            let value = json!({ "type": ["string", "boolean", "integer"] });
            let table = closed(properties().into_iter().map(|key| (key, value.clone())));
            let pattern = format!("^({})(=.+)?$", properties().join("|"));
            let list = json!({ "type": "array", "items": { "type": "string", "pattern": pattern } });
            json!({ "anyOf": [table, list] })
        }
        Shape::Policy => closed(FIELDS.iter().map(|field| (field.key, policy::schema(field)))),
    }
}

fn ignore() -> Value {
    let rule = |key: &str| match key {
        "check" => json!({ "enum": checks() }),
        "image" => json!({ "type": "string", "minLength": 1, "maxLength": MAX_PATTERN }),
        "expires" => json!({ "type": "string", "pattern": format!("^{DAY}$") }),
        _ => json!({ "type": "string", "pattern": "\\S" }),
    };
    let described = |(key, summary): &(&'static str, &str)| {
        let mut schema = rule(key);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), json!(summary));
        }
        (*key, schema)
    };
    let mut schema = closed(IGNORE_KEYS.iter().map(described));
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("required".to_owned(), json!(["check", "reason"]));
    }
    schema
}

/// An object with these keys and no other.
fn closed(keys: impl Iterator<Item = (&'static str, Value)>) -> Value {
    let keys: Map<String, Value> = keys.map(|(key, schema)| (key.to_owned(), schema)).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": keys })
}
