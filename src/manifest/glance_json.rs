//! What Glance's `POST /v2/images` takes: one flat object, strings but for `min_disk` and `min_ram`.

use super::{Format, Manifest, ascii_json};
use serde::Serializer as _;
use serde::ser::SerializeMap as _;

pub(super) const FORMAT: Format = Format { name: "json", summary: "the body of Glance's POST /v2/images", render };

fn render(manifest: &Manifest<'_>) -> String {
    let mut bytes = Vec::new();
    // Strings and integers always serialise into memory.
    drop(write(manifest, &mut bytes));
    ascii_json(&String::from_utf8(bytes).unwrap_or_default()) + "\n"
}

fn write(manifest: &Manifest<'_>, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::pretty(bytes);
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("name", manifest.name)?;
    if let Some(format) = manifest.disk_format {
        map.serialize_entry("disk_format", format)?;
        map.serialize_entry("container_format", "bare")?;
    }
    for earned in manifest.earned {
        match earned.value.parse::<u64>().ok().filter(|_| earned.is_integer) {
            Some(number) => map.serialize_entry(earned.key, &number)?,
            None => map.serialize_entry(earned.key, &earned.value)?,
        }
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::property::Earned;

    #[test]
    fn only_the_two_minima_are_integers() {
        let earned =
            |key, value: &str| Earned { key, value: value.to_owned(), is_integer: key == "min_disk", evidence: &[] };
        let earned = [earned("os_version", "13"), earned("min_disk", "10")];
        let manifest =
            Manifest { file: None, name: "a \"b\"", disk_format: Some("qcow2"), earned: &earned, withheld: &[] };
        let value: serde_json::Value = serde_json::from_str(&render(&manifest)).unwrap();
        let expected = serde_json::json!({
            "name": "a \"b\"", "disk_format": "qcow2", "container_format": "bare", "os_version": "13", "min_disk": 10
        });
        assert_eq!(value, expected);
    }
}
