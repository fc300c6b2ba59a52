//! Zuul's `tags` of a provider's images, and `meta` of Nodepool's diskimages: both end as Glance properties
//! (<https://zuul-ci.org/docs/zuul/latest/drivers/openstack.html>, <https://zuul-ci.org/docs/nodepool/openstack.html>).

use super::ansible::key;
use super::json::{Entry, Node};
use super::quote::{comment, yaml};
use super::read::{Reader, claim, claim_of, shape};
use super::yaml::parse;
use super::{Claims, Document, Format, Manifest, Typing, Written, labelled};
use crate::error::Result;
use std::fmt::Write as _;

pub(super) const ZUUL: Format = Format {
    name: "zuul",
    summary: "tags of an image of a Zuul provider",
    is_digest_read: false,
    demands: &[],
    write: |images| write(images, "- provider:\n    name: PROVIDER\n    images:\n", "      ", "tags"),
};

pub(super) const NODEPOOL: Format = Format {
    name: "nodepool",
    summary: "meta of a diskimage of a Nodepool provider",
    is_digest_read: false,
    demands: &[],
    write: |images| write(images, "providers:\n  - name: PROVIDER\n    diskimages:\n", "      ", "meta"),
};

pub(super) const ZUUL_READER: Reader = Reader {
    name: "zuul",
    summary: "images of Zuul's providers and sections",
    fits: |_, text| {
        let begins = |line: &str| line.starts_with("- provider:") || line.starts_with("- section:");
        text.lines().any(begins) && text.contains("tags:")
    },
    read: |text| read(text, &["provider", "section"], "images", "tags"),
};

pub(super) const NODEPOOL_READER: Reader = Reader {
    name: "nodepool",
    summary: "diskimages of Nodepool's providers",
    fits: |_, text| text.contains("diskimages:") && text.contains("meta:"),
    read: |text| read(text, &["providers"], "diskimages", "meta"),
};

fn write(images: &[Manifest<'_>], head: &str, indent: &str, place: &str) -> Result<Written> {
    let mut text = head.to_owned();
    for (image, label) in labelled(images) {
        for remark in image.remarks() {
            let _ = write!(text, "{indent}{}", comment(&remark));
        }
        let _ = writeln!(text, "{indent}- name: {}", yaml(&label.replace('_', "-")));
        if !image.properties.is_empty() {
            let _ = writeln!(text, "{indent}  {place}:");
        }
        for property in &image.properties {
            let (key, value) = (key(property.key)?, yaml(property.value));
            let _ = writeln!(text, "{indent}    {}{indent}    {key}: {value}", comment(&property.origin()));
        }
    }
    let has_minima = images.iter().any(|image| image.min_disk.or(image.min_ram).is_some());
    let note = || format!("min_disk and min_ram are left out: {place} holds properties alone");
    Ok(Written { text, notes: has_minima.then(note).into_iter().collect() })
}

fn read(text: &str, tops: &[&str], list: &str, place: &str) -> Result<Document> {
    let mut claims = Vec::new();
    for node in parse(text, false)? {
        let items = if let Node::List(items) = &node { items.as_slice() } else { std::slice::from_ref(&node) };
        let entries = items.iter().flat_map(Node::entries).filter(|entry| tops.contains(&entry.key.as_str()));
        for provider in entries.flat_map(|entry| each(&entry.value)) {
            let images = provider.get(list).map(each).unwrap_or_default();
            claims.extend(images.iter().filter_map(|node| image(node, place)));
        }
    }
    if claims.is_empty() {
        return Err(shape(&format!("{list} with {place}")));
    }
    Ok(Document { typing: Typing::Python, images: claims, ..Document::default() })
}

/// The items of a list, or the one that stands for it.
fn each(node: &Node) -> &[Node] {
    if let Node::List(items) = node { items } else { std::slice::from_ref(node) }
}

fn image(node: &Node, place: &str) -> Option<Claims> {
    let named = |entry: &&Entry| entry.key == "name";
    let name = node.entries().iter().find(named).map(claim);
    let properties = node.entries().iter().rev().find(|entry| entry.key == place)?;
    let mut claims = Claims { line: Some(node.entries().first()?.line), name, ..Claims::default() };
    match &properties.value {
        Node::Map(rows) => claims.properties = rows.iter().map(claim).collect(),
        value => claims.fields.push(claim_of(place, Some(value), Some(properties.line))),
    }
    Some(claims)
}

#[cfg(test)]
mod tests {
    use super::super::tests::image as made;
    use super::*;

    #[test]
    fn both_ways() {
        for (format, reader) in [(ZUUL, ZUUL_READER), (NODEPOOL, NODEPOOL_READER)] {
            let images = [made("Debian 13", &[("a", "b"), ("c: d", "yes")]), made("n", &[("e", "f")])];
            let written = format.write(&images).unwrap();
            assert!((reader.fits)("x.yaml", &written.text) && written.notes.len() == 1);
            let document = (reader.read)(&written.text).unwrap();
            let keys: Vec<_> = document.images[0].properties.iter().map(|claim| claim.key.as_str()).collect();
            assert_eq!((document.images.len(), keys), (2, vec!["a", "c: d"]), "{}", written.text);
        }
    }
}
