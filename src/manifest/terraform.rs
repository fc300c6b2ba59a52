//! Terraform and `OpenTofu`: the resource `openstack_images_image_v2`, and a map for `*.auto.tfvars.json`.

use super::hcl::{self, Body};
use super::json::{self as tree, Entry, Node};
use super::quote::{ascii_json, comment, hcl as quoted, hcl_key};
use super::read::{Reader, claim_of, shape};
use super::{Claims, Document, Format, Manifest, Typing, Written, labelled, only};
use crate::error::Result;
use serde_json::{Map, Value};
use std::path::Path;

pub(super) const RESOURCE: Format = Format {
    name: "terraform",
    summary: "an openstack_images_image_v2 resource for Terraform and OpenTofu",
    is_digest_read: false,
    demands: &[],
    write: |images| {
        let texts: Vec<String> = labelled(images).map(|(image, label)| resource(image, &label)).collect();
        Ok(Written { text: texts.join("\n"), notes: Vec::new() })
    },
};

pub(super) const TFVARS: Format = Format {
    name: "tfvars",
    summary: "variables for an *.auto.tfvars.json of Terraform and OpenTofu",
    is_digest_read: false,
    demands: &[],
    write: variables,
};

const KIND: &str = "openstack_images_image_v2";

pub(super) const RESOURCE_READER: Reader = Reader {
    name: "terraform",
    summary: "Terraform and OpenTofu: openstack_images_image_v2, or the properties of a *.tfvars",
    fits: |path, text| has_extension(path, &["tf", "tfvars"]) || text.contains(&format!("\"{KIND}\"")),
    read,
};

pub(super) const TFVARS_READER: Reader = Reader {
    name: "tfvars",
    summary: "*.tfvars.json",
    fits: |path, text| {
        path.ends_with(".tfvars.json") || text.trim_start().starts_with('{') && text.contains("\"image_properties\"")
    },
    read: read_variables,
};

fn has_extension(path: &str, any: &[&str]) -> bool {
    Path::new(path).extension().is_some_and(|extension| any.iter().any(|one| extension == *one))
}

fn resource(image: &Manifest<'_>, label: &str) -> String {
    let mut rows = vec![("name", quoted(image.name))];
    rows.extend(image.file.map(|file| ("local_file_path", quoted(file))));
    if let Some(format) = image.disk_format {
        rows.push(("container_format", quoted("bare")));
        rows.push(("disk_format", quoted(format)));
    }
    rows.extend(image.min_disk.map(|value| ("min_disk_gb", value.to_string())));
    rows.extend(image.min_ram.map(|value| ("min_ram_mb", value.to_string())));
    let head: String = image.remarks().iter().map(|remark| comment(remark)).collect();
    format!("{head}resource \"{KIND}\" \"{label}\" {{\n{}{}}}\n", aligned(&rows), map("properties", image))
}

/// As `terraform fmt` would have it.
pub(super) fn aligned(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    rows.iter().map(|(key, value)| format!("  {key:width$} = {value}\n")).collect::<Vec<_>>().concat()
}

/// The properties as an attribute, each with where it comes from.
pub(super) fn map(name: &str, image: &Manifest<'_>) -> String {
    if image.properties.is_empty() {
        return String::new();
    }
    let row = |property: &super::Property<'_>| {
        let (key, value) = (hcl_key(property.key), quoted(property.value));
        format!("    {}    {key} = {value}\n", comment(&property.origin()))
    };
    format!("\n  {name} = {{\n{}  }}\n", image.properties.iter().map(row).collect::<Vec<_>>().concat())
}

/// In variables Terraform takes strings as they are, templates or not (`command/meta_vars.go`).
fn variables(images: &[Manifest<'_>]) -> Result<Written> {
    let image = only(images, TFVARS.name)?;
    let mut map = Map::new();
    map.insert("image_name".to_owned(), image.name.into());
    let text = |value: Option<&str>| value.map(Value::from);
    for (key, value) in [
        ("image_disk_format", text(image.disk_format)),
        ("image_min_disk_gb", image.min_disk.map(Value::from)),
        ("image_min_ram_mb", image.min_ram.map(Value::from)),
    ] {
        map.extend(value.map(|value| (key.to_owned(), value)));
    }
    let properties = image.properties.iter().map(|row| (row.key.to_owned(), row.value.into())).collect();
    map.insert("image_properties".to_owned(), Value::Object(properties));
    // A tree of strings and integers always serialises.
    let json = serde_json::to_string_pretty(&map).unwrap_or_default();
    Ok(Written { text: ascii_json(&json) + "\n", notes: Vec::new() })
}

fn read(text: &str) -> Result<Document> {
    let body = hcl::parse(text)?;
    let mut images: Vec<Claims> = body.of("resource", KIND).map(|block| image(&block.body, block.line)).collect();
    if images.is_empty() && body.blocks.is_empty() {
        images = variables_of(&body.attributes);
    }
    if images.is_empty() {
        return Err(shape(&format!("a resource \"{KIND}\", or a map whose name ends in properties")));
    }
    Ok(Document { typing: Typing::Lower, images, ..Document::default() })
}

fn image(body: &Body, line: u32) -> Claims {
    let mut claims = Claims { line: Some(line), ..Claims::default() };
    for entry in &body.attributes {
        take(&mut claims, entry, entry.key.as_str());
    }
    claims
}

/// One attribute of the resource.
fn take(claims: &mut Claims, entry: &Entry, name: &str) {
    let claim = claim_of(&entry.key, Some(&entry.value), Some(entry.line));
    match (name, &entry.value) {
        ("name", _) => claims.name = Some(claim),
        ("disk_format", _) => claims.disk_format = Some(claim),
        ("container_format", _) => claims.container_format = Some(claim),
        ("min_disk_gb", _) => claims.min_disk = Some(claim),
        ("min_ram_mb", _) => claims.min_ram = Some(claim),
        ("properties", Node::Map(rows)) => claims.properties.extend(rows.iter().map(super::read::claim)),
        // Not known before it is applied.
        ("properties", _) => claims.fields.push(claim),
        _ => {}
    }
}

/// The images in variables: one for each map whose name ends in `properties`.
fn variables_of(entries: &[Entry]) -> Vec<Claims> {
    let is_map = |entry: &&Entry| matches!(entry.value, Node::Map(_)) && entry.key.ends_with("properties");
    let image = |map: &Entry| {
        let prefix = map.key.strip_suffix("properties").unwrap_or_default();
        let mut claims = Claims { line: Some(map.line), ..Claims::default() };
        for entry in entries {
            take(&mut claims, entry, entry.key.strip_prefix(prefix).unwrap_or_default());
        }
        claims
    };
    entries.iter().filter(is_map).map(image).collect()
}

fn read_variables(text: &str) -> Result<Document> {
    let node = tree::parse("JSON", text)?;
    let images = variables_of(node.entries());
    if images.is_empty() {
        return Err(shape("an object with a map whose name ends in properties"));
    }
    Ok(Document { typing: Typing::Lower, images, ..Document::default() })
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;

    #[test]
    fn a_resource() {
        let text = RESOURCE.write(&[image("Debian 13", &[("hw_disk_bus", "scsi"), ("a b", "${c}")])]).unwrap().text;
        let expected = r#"# d.qcow2: 65536 bytes
resource "openstack_images_image_v2" "debian_13" {
  name             = "Debian 13"
  local_file_path  = "d.qcow2"
  container_format = "bare"
  disk_format      = "qcow2"
  min_disk_gb      = 3
  min_ram_mb       = 512

  properties = {
    # earned by check-a
    hw_disk_bus = "scsi"
    # earned by check-a
    "a b" = "$${c}"
  }
}
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn what_people_write_is_read() {
        let text = "locals { x = 1 }\nresource \"openstack_images_image_v2\" \"a\" {\n  name = \"n\"\n  properties = {\n    \
                    hw_disk_bus = \"scsi\"\n    hw_qemu_guest_agent = true\n    os_version = var.v\n  }\n}\n\
                    resource \"openstack_images_image_v2\" \"b\" {\n  properties = merge(local.x, {})\n}\n";
        let document = read(text).unwrap();
        let sent: Vec<_> = document.images[0].properties.iter().map(|claim| claim.sent(document.typing)).collect();
        assert_eq!(sent, [Some("scsi".to_owned()), Some("true".to_owned()), None]);
        assert_eq!((document.images[0].properties[1].line, document.images[1].fields.len()), (Some(6), 1));
        let document = read("debian_min_disk_gb = 3\ndebian_properties = { a = \"b\" }\n").unwrap();
        assert!(document.images[0].min_disk.is_some() && document.images[0].properties.len() == 1);
        assert!(read("x = 1\n").is_err());
    }
}
