//! Ansible tasks of the module `openstack.cloud.image`.

use super::json::{Entry, Node};
use super::quote::{comment, yaml, yaml_key};
use super::read::{Reader, claim, claim_of, shape};
use super::yaml::{is_template, parse};
use super::{Claims, Document, Format, Manifest, Typing, Written, printable, refused};
use crate::error::Result;
use std::fmt::Write as _;

pub(super) const FORMAT: Format = Format {
    name: "ansible",
    summary: "an Ansible task of openstack.cloud.image",
    is_digest_read: false,
    demands: &[],
    write,
};

/// The module and its old name.
const MODULES: &[&str] = &["openstack.cloud.image", "os_image"];

pub(super) const READER: Reader = Reader {
    name: "ansible",
    summary: "Ansible tasks and playbooks with openstack.cloud.image",
    fits: |_, text| MODULES.iter().any(|module| text.contains(&format!("{module}:"))),
    read,
};

fn write(images: &[Manifest<'_>]) -> Result<Written> {
    let texts = images.iter().map(task).collect::<Result<Vec<_>>>()?;
    Ok(Written { text: texts.concat(), notes: Vec::new() })
}

fn task(image: &Manifest<'_>) -> Result<String> {
    let mut text: String = image.remarks().iter().map(|remark| comment(remark)).collect();
    text += "- name: Upload the image\n  openstack.cloud.image:\n    state: present\n";
    let _ = writeln!(text, "    name: {}", value(image.name));
    if let Some(file) = image.file {
        let _ = writeln!(text, "    filename: {}", value(file));
    }
    if let Some(format) = image.disk_format {
        let _ = writeln!(text, "    container_format: bare\n    disk_format: {}", value(format));
    }
    for (key, minimum) in [("min_disk", image.min_disk), ("min_ram", image.min_ram)] {
        if let Some(minimum) = minimum {
            let _ = writeln!(text, "    {key}: {minimum}");
        }
    }
    if !image.properties.is_empty() {
        text += "    properties:\n";
    }
    for property in &image.properties {
        // No tag keeps Ansible from templating a key.
        if is_template(property.key) {
            let what = format!("the property {:?}", printable(property.key));
            return Err(refused(&what, "Ansible takes its name for a template"));
        }
        let (key, value) = (key(property.key)?, value(property.value));
        let _ = writeln!(text, "      {}      {key}: {value}", comment(&property.origin()));
    }
    Ok(text)
}

/// A key of a mapping; readers look no further than 1024 characters for its colon (`scanner.py`,
/// `stale_possible_simple_keys`).
pub(super) fn key(key: &str) -> Result<String> {
    let quoted = yaml_key(key);
    if quoted.len() > 1000 {
        return Err(refused("a property with a long name", "a YAML key ends within 1024 characters, escapes counted"));
    }
    Ok(quoted)
}

/// A string that is no template.
fn value(text: &str) -> String {
    if is_template(text) { format!("!unsafe {}", yaml(text)) } else { yaml(text) }
}

fn read(text: &str) -> Result<Document> {
    let mut images = Vec::new();
    for node in parse(text, true)? {
        find(&node, &mut images);
    }
    if images.is_empty() {
        return Err(shape("a task with openstack.cloud.image"));
    }
    Ok(Document { typing: Typing::Python, images, ..Document::default() })
}

/// Tasks stand in plays, blocks and roles alike: wherever the module is a key, it is one.
fn find(node: &Node, images: &mut Vec<Claims>) {
    match node {
        Node::Leaf(_) => {}
        Node::List(items) => items.iter().for_each(|item| find(item, images)),
        Node::Map(entries) => {
            for entry in entries {
                match &entry.value {
                    Node::Map(arguments) if MODULES.contains(&entry.key.as_str()) => {
                        images.push(image(arguments, entry.line));
                    }
                    value => find(value, images),
                }
            }
        }
    }
}

fn image(arguments: &[Entry], line: u32) -> Claims {
    let mut claims = Claims { line: Some(line), ..Claims::default() };
    for entry in arguments {
        let own = claim_of(&entry.key, Some(&entry.value), Some(entry.line));
        match (entry.key.as_str(), &entry.value) {
            ("name", _) => claims.name = Some(own),
            ("disk_format", _) => claims.disk_format = Some(own),
            ("container_format", _) => claims.container_format = Some(own),
            ("min_disk", _) => claims.min_disk = Some(own),
            ("min_ram", _) => claims.min_ram = Some(own),
            ("properties", Node::Map(rows)) => claims.properties.extend(rows.iter().map(claim)),
            ("properties", _) => claims.fields.push(own),
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
    fn a_task() {
        let text = FORMAT.write(&[image("{{ n }}", &[("hw_disk_bus", "scsi"), ("yes", "{% a \"b\"")])]).unwrap().text;
        let expected = "# d.qcow2: 65536 bytes\n- name: Upload the image\n  openstack.cloud.image:\n    state: present\n    \
                        name: !unsafe \"{{ n }}\"\n    filename: \"d.qcow2\"\n    container_format: bare\n    disk_format: \
                        \"qcow2\"\n    min_disk: 3\n    min_ram: 512\n    properties:\n      # earned by check-a\n      \
                        hw_disk_bus: \"scsi\"\n      # earned by check-a\n      \"yes\": !unsafe \"{% a \\\"b\\\"\"\n";
        assert_eq!(text, expected);
        assert!(FORMAT.write(&[image("n", &[("{{ a }}", "b")])]).is_err());
        assert!(FORMAT.write(&[image("n", &[(&"\u{1f600}".repeat(200), "b")])]).is_err());
    }

    #[test]
    fn plays_are_searched() {
        let text = "- hosts: all\n  tasks:\n    - block:\n        - openstack.cloud.image:\n            name: '{{ n }}'\n            \
                    min_disk: 5\n            properties: {hw_qemu_guest_agent: yes, os_version: 22.10}\n    - os_image: {properties: '{{ p }}'}\n";
        let document = read(text).unwrap();
        let first = &document.images[0];
        let sent: Vec<_> = first.properties.iter().map(|claim| claim.sent(document.typing)).collect();
        assert_eq!((first.line, sent), (Some(4), vec![Some("True".to_owned()), Some("22.10".to_owned())]));
        assert_eq!((document.images.len(), document.images[1].fields.len()), (2, 1));
    }
}
