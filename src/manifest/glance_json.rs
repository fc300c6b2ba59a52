//! The body of Glance's `POST /v2/images`: strings, but `min_disk` an integer (api-ref, Create image).

use super::{Format, ascii_json, disk_format};
use crate::verdict::Report;
use serde_json::{Map, Value};

pub(super) const FORMAT: Format = Format { name: "json", summary: "the body of Glance's POST /v2/images", write };

fn write(report: &Report) -> String {
    let mut body = Map::new();
    if let Some(format) = disk_format(report) {
        body.insert("container_format".to_owned(), Value::from("bare"));
        body.insert("disk_format".to_owned(), Value::from(format));
    }
    for property in &report.earned {
        let value = match property.value.parse::<u64>() {
            Ok(number) if property.is_integer => Value::from(number),
            _ => Value::from(property.value.as_str()),
        };
        body.insert(property.key.to_owned(), value);
    }
    ascii_json(&format!("{:#}\n", Value::Object(body)))
}
