//! Heat templates with `OS::Glance::WebImage` (heat `engine/resources/openstack/glance/image.py`).

use super::ansible::key;
use super::json::{Entry, Node};
use super::quote::{comment, yaml};
use super::read::{Reader, claim, claim_of, shape};
use super::yaml::parse;
use super::{Claims, Document, Format, Manifest, Property, Typing, Written};
use crate::error::Result;
use std::fmt::Write as _;

pub(super) const FORMAT: Format = Format {
    name: "heat",
    summary: "a Heat template with OS::Glance::WebImage",
    is_digest_read: false,
    demands: &[],
    write,
};

const KINDS: &[&str] = &["OS::Glance::WebImage", "OS::Glance::Image"];
/// Properties that the resource knows itself; all others stand in `extra_properties`.
const OWN: &[&str] = &["architecture", "kernel_id", "os_distro", "os_version", "ramdisk_id"];

pub(super) const READER: Reader = Reader {
    name: "heat",
    summary: "Heat templates with OS::Glance::WebImage",
    fits: |_, text| KINDS.iter().any(|kind| text.contains(kind)),
    read,
};

fn write(images: &[Manifest<'_>]) -> Result<Written> {
    let mut text = "heat_template_version: \"2021-04-16\"\nparameters:\n".to_owned();
    for (number, _) in (1..).zip(images) {
        let _ = writeln!(text, "  location_{number}:\n    type: string\n    description: URL of the image for Glance");
    }
    text += "resources:\n";
    for (number, image) in (1_usize..).zip(images) {
        text += &resource(image, number)?;
    }
    Ok(Written { text, notes: Vec::new() })
}

fn resource(image: &Manifest<'_>, number: usize) -> Result<String> {
    let mut text: String = image.remarks().iter().flat_map(|remark| ["  ".to_owned(), comment(remark)]).collect();
    let _ = writeln!(text, "  image_{number}:\n    type: OS::Glance::WebImage\n    properties:");
    let _ = writeln!(text, "      name: {}", yaml(image.name));
    let _ = writeln!(text, "      location: {{get_param: location_{number}}}\n      container_format: bare");
    // The resource demands one.
    let _ = writeln!(text, "      disk_format: {}", yaml(image.disk_format.unwrap_or("raw")));
    for (key, minimum) in [("min_disk", image.min_disk), ("min_ram", image.min_ram)] {
        if let Some(minimum) = minimum {
            let _ = writeln!(text, "      {key}: {minimum}");
        }
    }
    let row = |property: &Property<'_>, indent: &str| {
        let origin = comment(&property.origin());
        Ok(format!("{indent}{origin}{indent}{}: {}\n", key(property.key)?, yaml(property.value)))
    };
    let (own, extra): (Vec<_>, Vec<_>) = image.properties.iter().partition(|property| OWN.contains(&property.key));
    for property in own {
        text += &row(property, "      ")?;
    }
    if !extra.is_empty() {
        text += "      extra_properties:\n";
    }
    for property in extra {
        text += &row(property, "        ")?;
    }
    Ok(text)
}

fn read(text: &str) -> Result<Document> {
    let mut images = Vec::new();
    for template in parse(text, false)? {
        let resources = template.get("resources").map(Node::entries).unwrap_or_default();
        let kind = |resource: &Entry| resource.value.get("type").map(Node::claim_value);
        let is_image = |resource: &&Entry| {
            KINDS.iter().any(|image| kind(resource) == Some(super::ClaimValue::Text((*image).to_owned())))
        };
        images.extend(resources.iter().filter(is_image).map(image));
    }
    if images.is_empty() {
        return Err(shape("a resource OS::Glance::WebImage"));
    }
    Ok(Document { typing: Typing::Python, images, ..Document::default() })
}

fn image(resource: &Entry) -> Claims {
    let mut claims = Claims { line: Some(resource.line), ..Claims::default() };
    for entry in resource.value.get("properties").map(Node::entries).unwrap_or_default() {
        let own = claim_of(&entry.key, Some(&entry.value), Some(entry.line));
        match (entry.key.as_str(), &entry.value) {
            ("name", _) => claims.name = Some(own),
            ("disk_format", _) => claims.disk_format = Some(own),
            ("container_format", _) => claims.container_format = Some(own),
            ("min_disk", _) => claims.min_disk = Some(own),
            ("min_ram", _) => claims.min_ram = Some(own),
            ("extra_properties", Node::Map(rows)) => claims.properties.extend(rows.iter().map(claim)),
            ("extra_properties", _) => claims.fields.push(own),
            (key, _) if OWN.contains(&key) => claims.properties.push(own),
            _ => {}
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;

    #[test]
    fn own_properties_stand_apart() {
        let text = FORMAT.write(&[image("n", &[("os_distro", "debian"), ("hw_disk_bus", "scsi")])]).unwrap().text;
        assert!(
            text.contains("\n      os_distro: \"debian\"\n      extra_properties:\n        # earned by check-a\n"),
            "{text}"
        );
        let document = read(&text).unwrap();
        let keys: Vec<_> = document.images[0].properties.iter().map(|claim| claim.key.as_str()).collect();
        assert_eq!(keys, ["os_distro", "hw_disk_bus"]);
    }
}
