//! Packer's builder `openstack`: `metadata` of a source in HCL, and of `builders` in JSON
//! (packer-plugin-openstack `builder/openstack/image_config.go`).

use super::hcl;
use super::json::{self as tree, Entry, Node};
use super::quote::{comment, hcl as quoted, printable};
use super::read::{Reader, claim, claim_of, shape};
use super::terraform::{aligned, map};
use super::{Claim, ClaimValue, Claims, Document, Format, Manifest, Typing, Written, labelled, refused};
use crate::error::Result;

pub(super) const FORMAT: Format = Format {
    name: "packer",
    summary: "metadata for a source of Packer's openstack builder",
    is_digest_read: false,
    demands: &[],
    write,
};

pub(super) const READER: Reader = Reader {
    name: "packer",
    summary: "Packer's openstack builder: source \"openstack\" in HCL, builders in JSON",
    fits: |path, text| {
        path.ends_with(".pkr.hcl") || text.contains("source \"openstack\"") || text.contains("\"builders\"")
    },
    read,
};

fn write(images: &[Manifest<'_>]) -> Result<Written> {
    let texts = labelled(images).map(|(image, label)| source(image, &label)).collect::<Result<Vec<_>>>()?;
    let has_memory = images.iter().any(|image| image.min_ram.is_some());
    let notes = has_memory.then(|| "min_ram is left out: Packer has no place for it".to_owned());
    Ok(Written { text: texts.join("\n"), notes: notes.into_iter().collect() })
}

fn source(image: &Manifest<'_>, label: &str) -> Result<String> {
    let texts = image.properties.iter().flat_map(|property| [property.key, property.value]);
    // Packer renders Go templates in every string of a builder, in HCL too.
    if let Some(text) = texts.chain([image.name]).find(|text| text.contains("{{")) {
        return Err(refused(&format!("{:?}", printable(text)), "Packer takes {{ for the beginning of a template"));
    }
    let mut rows = vec![("image_name", quoted(image.name))];
    rows.extend(image.disk_format.map(|format| ("image_disk_format", quoted(format))));
    rows.extend(image.min_disk.map(|value| ("image_min_disk", value.to_string())));
    let head: String = image.remarks().iter().map(|remark| comment(remark)).collect();
    Ok(format!("{head}source \"openstack\" \"{label}\" {{\n{}{}}}\n", aligned(&rows), map("metadata", image)))
}

fn read(text: &str) -> Result<Document> {
    let images: Vec<Claims> = if text.trim_start().starts_with('{') {
        let node = tree::parse("JSON", text)?;
        let Some(Node::List(builders)) = node.get("builders") else { return Err(shape("a list of builders")) };
        let is_ours =
            |builder: &&Node| builder.get("type").map(Node::claim_value) == Some(ClaimValue::Text("openstack".into()));
        builders.iter().filter(is_ours).map(|builder| image(builder.entries(), None)).collect()
    } else {
        let body = hcl::parse(text)?;
        body.of("source", "openstack").map(|block| image(&block.body.attributes, Some(block.line))).collect()
    };
    if images.is_empty() {
        return Err(shape("a source or builder of the type openstack"));
    }
    Ok(Document { typing: Typing::Lower, images, ..Document::default() })
}

fn image(entries: &[Entry], line: Option<u32>) -> Claims {
    let line = line.or_else(|| entries.first().map(|entry| entry.line));
    // The snapshot inherits the properties of the image that it was started from (`nova/compute/utils.py`).
    let mut claims = Claims { line, is_partial: true, ..Claims::default() };
    for entry in entries {
        let own = templated(claim_of(&entry.key, Some(&entry.value), Some(entry.line)));
        match (entry.key.as_str(), &entry.value) {
            ("image_name", _) => claims.name = Some(own),
            ("image_disk_format", _) => claims.disk_format = Some(own),
            ("image_min_disk", _) => claims.min_disk = Some(own),
            ("metadata", Node::Map(rows)) => claims.properties.extend(rows.iter().map(|row| templated(claim(row)))),
            ("metadata", _) => claims.fields.push(own),
            _ => {}
        }
    }
    claims
}

fn templated(claim: Claim) -> Claim {
    match claim.value {
        ClaimValue::Text(text) if text.contains("{{") => Claim { value: ClaimValue::Computed(text), ..claim },
        _ => claim,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;

    #[test]
    fn templates_are_refused_and_not_taken_for_text() {
        assert!(FORMAT.write(&[image("n", &[("a", "{{ b }}")])]).is_err());
        let json =
            r#"{"builders": [{"type": "qemu"}, {"type": "openstack", "metadata": {"a": "{{user `b`}}", "c": "d"}}]}"#;
        let document = read(json).unwrap();
        let values: Vec<_> = document.images[0].properties.iter().map(|claim| claim.sent(document.typing)).collect();
        assert_eq!(values, [None, Some("d".to_owned())]);
        let written = FORMAT.write(&[image("n", &[])]).unwrap();
        assert_eq!((written.notes.len(), read(&written.text).unwrap().images.len()), (1, 1));
    }
}
