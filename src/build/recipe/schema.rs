//! The JSON Schema of recipes (<https://json-schema.org/draft/2020-12>), for editors; made from [`KEYS`].

use super::key::KEYS;
use super::shape::{Key, Shape};
use serde_json::{Map, Value, json};

/// The schema, as it stands in `docs/schemas/recipe.json`.
pub fn schema() -> String {
    let mut schema = table(KEYS);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        schema.insert("title".to_owned(), json!(super::SCHEMA));
        schema.insert("description".to_owned(), json!("What an image shall be, for bootworthy build"));
    }
    format!("{schema:#}\n")
}

fn table(keys: &[Key]) -> Value {
    let described = |key: &Key| {
        let mut schema = shape(&key.shape);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), json!(key.summary));
        }
        (key.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(described).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if let Some(schema) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text(rule) => json!({ "type": "string", "pattern": rule.pattern }),
        Shape::Word(words) => json!({ "enum": words() }),
        Shape::Truth => json!({ "type": "boolean" }),
        Shape::Number(from, to) => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Shape::List(member) => json!({ "type": "array", "items": self::shape(member) }),
        Shape::OneOrMany(member) => {
            let one = self::shape(member);
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Shape::Table(keys) => table(keys),
        Shape::Values(names) => {
            let value = |summary: &str| json!({ "type": ["string", "integer", "boolean"], "description": summary });
            let values: Map<String, Value> =
                names().into_iter().map(|(name, summary)| (name.to_owned(), value(summary))).collect();
            json!({ "type": "object", "additionalProperties": false, "properties": values })
        }
        Shape::Map(rule, member) => json!({
            "type": "object",
            "propertyNames": { "pattern": rule.pattern },
            "additionalProperties": self::shape(member),
        }),
    }
}
