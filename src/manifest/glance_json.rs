//! What Glance's `POST /v2/images` takes: one flat object, strings but for `min_disk` and `min_ram`.

use super::{Format, Manifest, Written, ascii_json};
use serde::Serializer as _;
use serde::ser::SerializeMap as _;

pub(super) const FORMAT: Format = Format {
    name: "json",
    summary: "the body of Glance's POST /v2/images",
    is_digest_read: false,
    demands: &[],
    write: |images| Ok(write(images)),
};

/// Several images become one array.
fn write(images: &[Manifest<'_>]) -> Written {
    let texts: Vec<String> = images.iter().map(object).collect();
    let text = match texts.as_slice() {
        [one] => format!("{one}\n"),
        several => format!("[\n{}\n]\n", several.join(",\n")),
    };
    Written { text, notes: Vec::new() }
}

fn object(image: &Manifest<'_>) -> String {
    let mut bytes = Vec::new();
    // Strings and integers always serialise into memory.
    drop(serialise(image, &mut bytes));
    ascii_json(&String::from_utf8(bytes).unwrap_or_default())
}

fn serialise(image: &Manifest<'_>, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::pretty(bytes);
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("name", image.name)?;
    if let Some(format) = image.disk_format {
        map.serialize_entry("disk_format", format)?;
        map.serialize_entry("container_format", "bare")?;
    }
    for (key, value) in [("min_disk", image.min_disk), ("min_ram", image.min_ram)] {
        if let Some(value) = value {
            map.serialize_entry(key, &value)?;
        }
    }
    for property in &image.properties {
        map.serialize_entry(property.key, property.value)?;
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;

    #[test]
    fn only_the_two_minima_are_integers() {
        let text = FORMAT.write(&[image("a \"b\"", &[("os_version", "13")])]).unwrap().text;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "name": "a \"b\"", "disk_format": "qcow2", "container_format": "bare", "os_version": "13", "min_disk": 3,
            "min_ram": 512
        });
        assert_eq!(value, expected);
        let text = FORMAT.write(&[image("a", &[]), image("b", &[])]).unwrap().text;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value[0]["name"], &value[1]["name"]), (&"a".into(), &"b".into()));
    }
}
