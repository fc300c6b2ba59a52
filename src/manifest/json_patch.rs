//! What Glance's `PATCH /v2/images/{image_id}` takes as `application/openstack-images-v2.1-json-patch` (RFC 6902).

use super::quote::json;
use super::read::{Reader, claim_of, is_field, shape};
use super::{Claims, Document, Format, Manifest, Typing, Written, json as tree, only};
use crate::error::Result;

pub(super) const FORMAT: Format = Format {
    name: "json-patch",
    summary: "the body of Glance's PATCH /v2/images/ID",
    is_digest_read: false,
    demands: &[],
    write,
};

pub(super) const READER: Reader = Reader {
    name: "json-patch",
    summary: "JSON-Patch for Glance",
    fits: |_, text| text.trim_start().starts_with('[') && text.contains("\"op\"") && text.contains("\"path\""),
    read,
};

/// `add` sets what is there as well as what is not; `replace` answers 409 for a property that is not there
/// (`glance/api/v2/images.py`, `_do_add`, `_do_replace`).
fn write(images: &[Manifest<'_>]) -> Result<Written> {
    let image = only(images, FORMAT.name)?;
    let row = |(op, key, value): (&str, &str, String)| {
        format!("  {{\"op\": \"{op}\", \"path\": {}, \"value\": {value}}}", json(&format!("/{}", pointer(key))))
    };
    let minimum = |key, value: Option<u64>| value.map(|value| ("replace", key, value.to_string()));
    let minima = minimum("min_disk", image.min_disk).into_iter().chain(minimum("min_ram", image.min_ram));
    let properties = image.properties.iter().map(|property| ("add", property.key, json(property.value)));
    let rows: Vec<String> = minima.chain(properties).map(row).collect();
    Ok(Written { text: format!("[\n{}\n]\n", rows.join(",\n")), notes: Vec::new() })
}

/// A reference token of RFC 6901.
fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn read(text: &str) -> Result<Document> {
    let node = tree::parse("JSON-Patch", text)?;
    let tree::Node::List(rows) = &node else { return Err(shape("a list of operations")) };
    let mut claims = Claims { is_partial: true, ..Claims::default() };
    for row in rows {
        let text = |key: &str| {
            if let Some(super::ClaimValue::Text(text)) = row.get(key).map(tree::Node::claim_value) {
                Some(text)
            } else {
                None
            }
        };
        let (Some(op), Some(path)) = (text("op"), text("path")) else {
            return Err(shape("\"op\" and \"path\" in each operation"));
        };
        let line = row.entries().first().map(|entry| entry.line);
        claims.line = claims.line.or(line);
        let Some(token) = path.strip_prefix('/').filter(|token| !token.contains('/')) else { continue };
        if !matches!(op.as_str(), "add" | "replace") {
            continue;
        }
        let key = token.replace("~1", "/").replace("~0", "~");
        let claim = claim_of(&key, row.get("value"), line);
        match key.as_str() {
            "name" => claims.name = Some(claim),
            "min_disk" => claims.min_disk = Some(claim),
            "min_ram" => claims.min_ram = Some(claim),
            "disk_format" => claims.disk_format = Some(claim),
            "container_format" => claims.container_format = Some(claim),
            key if is_field(key) => claims.fields.push(claim),
            _ => claims.properties.push(claim),
        }
    }
    Ok(Document { typing: Typing::Strict, images: vec![claims], ..Document::default() })
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;

    #[test]
    fn keys_are_pointers() {
        let written = FORMAT.write(&[image("n", &[("a/~1b", "\"x\"")])]).unwrap().text;
        assert_eq!(
            written,
            "[\n  {\"op\": \"replace\", \"path\": \"/min_disk\", \"value\": 3},\n  {\"op\": \"replace\", \"path\": \
             \"/min_ram\", \"value\": 512},\n  {\"op\": \"add\", \"path\": \"/a~1~01b\", \"value\": \"\\\"x\\\"\"}\n]\n"
        );
        let document = read(&written).unwrap();
        assert_eq!(document.images[0].properties[0].key, "a/~1b");
        assert!(FORMAT.write(&[image("n", &[]), image("m", &[])]).is_err());
    }
}
