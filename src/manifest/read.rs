//! Manifest files → [`Document`]; the formats that are read back, and flavors.

use super::{Claim, ClaimValue, Claims, Document, Flavor, Typing, json};
use super::{ansible, heat, image_manager, json_patch, packer, shell, terraform, zuul};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::MAX_CLAIMS;

/// A format that is read.
#[derive(Debug)]
pub struct Reader {
    /// The value of `--from`.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    /// Whether a file of this name (as the user gave it) with this text is of the format.
    pub fits: fn(&str, &str) -> bool,
    /// Reads a text that [`Self::fits`]; the path of the answer is not filled in.
    pub read: fn(&str) -> Result<Document>,
}

/// Every format that is read; the last one is what JSON is when it is nothing else.
pub const READERS: &[Reader] = &[
    shell::READER,
    json_patch::READER,
    terraform::RESOURCE_READER,
    terraform::TFVARS_READER,
    ansible::READER,
    image_manager::READER,
    packer::READER,
    zuul::ZUUL_READER,
    zuul::NODEPOOL_READER,
    heat::READER,
    GLANCE_JSON,
];

/// Bytes of one manifest; the largest real catalogue has 100 KiB.
const MAX_TEXT: usize = 4 * 1024 * 1024;

const GLANCE_JSON: Reader = Reader {
    name: "json",
    summary: "Glance's image JSON, one or a list, and `openstack image show -f json`",
    fits: |_, text| text.trim_start().starts_with(['{', '[']),
    read: read_glance,
};

/// Glance's own fields (`glance/api/v2/images.py`, `get_base_properties`); all else in an image's JSON is a property.
pub const GLANCE_FIELDS: &[&str] = &[
    "checksum",
    "container_format",
    "created_at",
    "deleted",
    "deleted_at",
    "direct_url",
    "disk_format",
    "file",
    "id",
    "location",
    "locations",
    "min_disk",
    "min_ram",
    "name",
    "os_hash_algo",
    "os_hash_value",
    "os_hidden",
    "owner",
    "protected",
    "schema",
    "self",
    "size",
    "status",
    "stores",
    "tags",
    "updated_at",
    "virtual_size",
    "visibility",
];

/// Fields that only Glance writes: an object with one of them shows what Glance holds.
const STATE_FIELDS: &[&str] = &["created_at", "schema", "self", "updated_at"];

/// Reads a manifest: `path` as the user named it, `format` the reader's name, or found by what the text looks like.
///
/// # Errors
/// When no reader fits, or the text breaks the rules of its format.
pub fn read(path: &str, text: &str, format: Option<&str>) -> Result<Document> {
    if text.len() > MAX_TEXT {
        return Err(Error::too_large("manifest", format!("more than {MAX_TEXT} bytes")).at(path));
    }
    let reader = match format {
        Some(name) => READERS.iter().find(|reader| reader.name == name).ok_or_else(|| unknown(READERS.iter())),
        None => recognised(path, text),
    };
    let reader = reader.map_err(|error| error.at(path))?;
    let mut document = (reader.read)(text).map_err(|error| error.at(path))?;
    let most = document.images.iter().map(|claims| claims.properties.len()).max().unwrap_or(0);
    within("properties of an image", most).map_err(|error| error.at(path))?;
    path.clone_into(&mut document.path);
    text.clone_into(&mut document.text);
    document.format = reader.name;
    Ok(document)
}

/// The one reader that a text is for.
fn recognised(path: &str, text: &str) -> Result<&'static Reader> {
    let (last, others) = READERS.split_last().ok_or_else(|| unknown(READERS.iter()))?;
    let fitting: Vec<&Reader> = others.iter().filter(|reader| (reader.fits)(path, text)).collect();
    match fitting.as_slice() {
        [] if (last.fits)(path, text) => Ok(last),
        [] => Err(unknown(READERS.iter())),
        [reader] => Ok(reader),
        several => {
            let names: Vec<&str> = several.iter().map(|reader| reader.name).collect();
            Err(Error::unsupported("manifest", format!("it could be {}", names.join(" or ")))
                .help("name the format with --from"))
        }
    }
}

fn unknown(readers: impl Iterator<Item = &'static Reader>) -> Error {
    let names: Vec<&str> = readers.map(|reader| reader.name).collect();
    Error::unsupported("manifest", "its format is not known")
        .help(format!("name the format with --from; these are read: {}", names.join(", ")))
}

/// Rules compare properties with one another: there must not be more than can be compared.
fn within(what: &str, count: usize) -> Result<()> {
    if count <= MAX_CLAIMS {
        return Ok(());
    }
    Err(Error::too_large(what, format!("{count} of them, the limit MAX_CLAIMS is {MAX_CLAIMS}")))
}

fn read_glance(text: &str) -> Result<Document> {
    let node = json::parse("JSON", text)?;
    let list = match (&node, node.get("images")) {
        (json::Node::List(items), _) | (_, Some(json::Node::List(items))) => items.as_slice(),
        (json::Node::Map(_), None) => std::slice::from_ref(&node),
        _ => return Err(shape("an image, a list of images, or an object with \"images\"")),
    };
    if list.iter().any(|item| !matches!(item, json::Node::Map(_))) {
        return Err(shape("an object for each image"));
    }
    let is_shown = list.iter().any(|image| matches!(image.get("properties"), Some(json::Node::Map(_))));
    let has_state = |image: &json::Node| STATE_FIELDS.iter().any(|field| image.get(field).is_some());
    Ok(Document {
        typing: if is_shown { Typing::Shown } else { Typing::Strict },
        is_state: is_shown || list.iter().any(has_state),
        images: list.iter().map(glance_image).collect(),
        ..Document::default()
    })
}

/// The syntax is right, but what the format has in it is not there.
pub(super) fn shape(expected: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "manifest").because(format!("expected {expected}"))
}

fn glance_image(image: &json::Node) -> Claims {
    let mut claims = Claims { line: image.entries().first().map(|entry| entry.line), ..Claims::default() };
    for entry in image.entries() {
        let claim = claim(entry);
        match (entry.key.as_str(), &entry.value) {
            ("name", _) => claims.name = Some(claim),
            ("min_disk", _) => claims.min_disk = Some(claim),
            ("min_ram", _) => claims.min_ram = Some(claim),
            ("disk_format", _) => claims.disk_format = Some(claim),
            ("container_format", _) => claims.container_format = Some(claim),
            ("properties", json::Node::Map(properties)) => shown_properties(properties, &mut claims),
            (key, _) if is_field(key) => claims.fields.push(claim),
            _ => claims.properties.push(claim),
        }
    }
    claims
}

/// The client shows Glance's own fields among the properties.
fn shown_properties(properties: &[json::Entry], claims: &mut Claims) {
    for entry in properties {
        let list = if is_field(&entry.key) { &mut claims.fields } else { &mut claims.properties };
        list.push(claim(entry));
    }
}

pub(super) fn is_field(key: &str) -> bool {
    GLANCE_FIELDS.contains(&key)
}

pub(super) fn claim(entry: &json::Entry) -> Claim {
    claim_of(&entry.key, Some(&entry.value), Some(entry.line))
}

/// A claim under this key; without a value it is null.
pub(super) fn claim_of(key: &str, value: Option<&json::Node>, line: Option<u32>) -> Claim {
    Claim::new(key, value.map_or(ClaimValue::Null, json::Node::claim_value), line)
}

/// Reads a flavor: `openstack flavor show -f json`, Nova's own JSON, or an object of extra specs alone.
///
/// # Errors
/// When it is no JSON, or no object.
pub fn read_flavor(path: &str, text: &str) -> Result<Flavor> {
    let node = json::parse("flavor", text).map_err(|error| error.at(path))?;
    let node = node.get("flavor").unwrap_or(&node);
    if !matches!(node, json::Node::Map(_)) {
        return Err(shape("an object, as `openstack flavor show -f json` prints it").at(path));
    }
    let specs = ["properties", "extra_specs"].iter().find_map(|key| node.get(key));
    let number = |key: &str| match node.get(key)?.claim_value() {
        ClaimValue::Integer(value) => u64::try_from(value).ok(),
        ClaimValue::Text(text) => text.parse().ok(),
        _ => None,
    };
    let named = |entry: &&json::Entry| FLAVOR_FIELDS.contains(&entry.key.as_str());
    let extra_specs = match specs {
        Some(json::Node::Map(entries)) => entries.iter().map(claim).collect::<Vec<_>>(),
        Some(_) => return Err(shape("an object of extra specs; use openstackclient 4 or later").at(path)),
        None => node.entries().iter().filter(|entry| !named(entry)).map(claim).collect(),
    };
    within("extra specs of a flavor", extra_specs.len()).map_err(|error| error.at(path))?;
    Ok(Flavor {
        path: path.to_owned(),
        name: node.get("name").and_then(|name| Claim::new("name", name.claim_value(), None).sent(Typing::Strict)),
        vcpus: number("vcpus"),
        ram: number("ram"),
        disk: number("disk"),
        extra_specs,
        text: text.to_owned(),
    })
}

/// What `openstack flavor show` and Nova say of a flavor besides its extra specs.
const FLAVOR_FIELDS: &[&str] = &[
    "OS-FLV-DISABLED:disabled",
    "OS-FLV-EXT-DATA:ephemeral",
    "access_project_ids",
    "description",
    "disk",
    "ephemeral",
    "id",
    "links",
    "location",
    "name",
    "os-flavor-access:is_public",
    "ram",
    "rxtx_factor",
    "swap",
    "vcpus",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(claims: &[Claim]) -> Vec<&str> {
        claims.iter().map(|claim| claim.key.as_str()).collect()
    }

    #[test]
    fn the_shapes_of_glance_are_told_apart() {
        for (text, typing, is_state, images, properties) in [
            (r#"{"name":"a","min_disk":2,"hw_disk_bus":"scsi"}"#, Typing::Strict, false, 1, vec!["hw_disk_bus"]),
            (r#"{"id":"x","self":"/v2","hw_disk_bus":"scsi"}"#, Typing::Strict, true, 1, vec!["hw_disk_bus"]),
            (r#"{"images":[{"self":"/","a":"b"},{"name":"c"}],"schema":"/"}"#, Typing::Strict, true, 2, vec!["a"]),
            (r#"[{"a":"b"}]"#, Typing::Strict, false, 1, vec!["a"]),
            (r#"{"name":"a","properties":{"os_hidden":false,"x":"y"}}"#, Typing::Shown, true, 1, vec!["x"]),
            ("[]", Typing::Strict, false, 0, vec![]),
        ] {
            let document = read("m.json", text, None).unwrap();
            let found = (document.typing, document.is_state, document.images.len());
            assert_eq!(found, (typing, is_state, images), "{text}");
            let first = document.images.first().map(|image| keys(&image.properties)).unwrap_or_default();
            assert_eq!(first, properties, "{text}");
        }
        for text in ["", "hw_disk_bus: scsi", "[1]", "3", "{\"images\": 3}"] {
            assert!(read("m.json", text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn flavors() {
        let shown = r#"{"name":"m1","vcpus":2,"ram":512,"disk":5,"properties":{"hw:cpu_policy":"dedicated"}}"#;
        let raw =
            r#"{"flavor":{"name":"m1","vcpus":2,"ram":512,"disk":5,"extra_specs":{"hw:cpu_policy":"dedicated"}}}"#;
        let plain = r#"{"name":"m1","vcpus":"2","ram":512,"disk":5,"hw:cpu_policy":"dedicated"}"#;
        for text in [shown, raw, plain] {
            let flavor = read_flavor("f.json", text).unwrap();
            let found = (flavor.name.as_deref(), flavor.vcpus, flavor.ram, flavor.disk);
            assert_eq!(found, (Some("m1"), Some(2), Some(512), Some(5)), "{text}");
            assert_eq!(keys(&flavor.extra_specs), ["hw:cpu_policy"], "{text}");
        }
        for text in ["", "[]", r#"{"properties":"hw:cpu_policy='dedicated'"}"#] {
            assert!(read_flavor("f.json", text).is_err(), "{text}");
        }
    }
}
