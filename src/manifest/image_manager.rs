//! openstack-image-manager's catalogue (osism, `etc/schema.yaml`): a closed list of keys with types of their own.

use super::json::{Entry, Node};
use super::policy::{is_day, is_url};
use super::quote::{comment, yaml};
use super::read::{Reader, claim, claim_of, shape};
use super::yaml::parse;
use super::{Claims, Document, Format, Manifest, Typing, Written, printable};
use crate::error::{Error, Result};
use std::fmt::Write as _;

pub(super) const FORMAT: Format = Format {
    name: "image-manager",
    summary: "an entry of openstack-image-manager's catalogue",
    is_digest_read: true,
    demands: DEMANDS,
    write,
};

/// What no image shows and the schema wants.
const DEMANDS: &[&str] = &["os_purpose", "provided_until", "replace_frequency", "uuid_validity"];

pub(super) const READER: Reader = Reader {
    name: "image-manager",
    summary: "catalogues of openstack-image-manager",
    fits: |_, text| {
        text.lines().any(|line| line.starts_with("images:")) && text.contains("meta:") && !text.contains("tasks:")
    },
    read,
};

/// How a key of `meta` is written.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `yes` and its like as a truth value of YAML.
    Truth,
    /// A whole number.
    Number,
    /// A string.
    Text,
    /// One of these words, a day, or, where the flag says so, `last-N`.
    Day(&'static [&'static str], bool),
}

/// A key that `meta` may hold.
#[derive(Debug)]
struct Key {
    name: &'static str,
    is_required: bool,
    kind: Kind,
}

const fn key(name: &'static str, is_required: bool, kind: Kind) -> Key {
    Key { name, is_required, kind }
}

/// `meta` of the schema; where it takes `None` besides, the key is left out instead.
const META: &[Key] = &[
    key("architecture", true, Kind::OneOf(&["x86_64", "aarch64", "risc-v"])),
    key("hotfix_hours", false, Kind::Number),
    key("hw_disk_bus", true, Kind::OneOf(&["virtio", "scsi"])),
    key("hw_firmware_type", false, Kind::OneOf(&["uefi"])),
    key("hw_machine_type", false, Kind::OneOf(&["pc", "q35", "virt"])),
    key("hw_rng_model", false, Kind::OneOf(&["virtio"])),
    key("hw_scsi_model", false, Kind::OneOf(&["virtio-scsi"])),
    key("hw_vif_multiqueue_enabled", false, Kind::Truth),
    key("hw_watchdog_action", false, Kind::OneOf(&["disabled", "reset", "poweroff", "pause", "none"])),
    key("hypervisor_type", true, Kind::OneOf(&["hyperv", "ironic", "lxc", "qemu", "uml", "vmware", "xen"])),
    key("image_description", false, Kind::Text),
    key("os_distro", true, Kind::OneOf(DISTROS)),
    key("os_version", false, Kind::Text),
    key("os_purpose", true, Kind::OneOf(&["generic", "minimal", "k8snode", "gpu", "network", "custom"])),
    key("patchlevel", false, Kind::Text),
    key("provided_until", true, Kind::Day(&["none"], false)),
    key(
        "replace_frequency",
        true,
        Kind::OneOf(&["yearly", "quarterly", "monthly", "weekly", "daily", "critical_bug", "never"]),
    ),
    key("uuid_validity", true, Kind::Day(&["none", "forever", "notice"], true)),
];

const DISTROS: &[&str] = &[
    "arch",
    "centos",
    "cirros",
    "debian",
    "fedora",
    "freebsd",
    "gentoo",
    "mandrake",
    "mandriva",
    "mes",
    "msdos",
    "netbsd",
    "netware",
    "openbsd",
    "opensolaris",
    "opensuse",
    "rhel",
    "rocky",
    "sled",
    "talos",
    "ubuntu",
    "windows",
];

/// What the schema has no word for → the word that its own catalogue uses instead.
const TRANSLATED: &[(&str, &str, &str)] = &[
    ("os_distro", "almalinux", "centos"),
    ("os_distro", "flatcar", "fedora"),
    ("os_distro", "gardenlinux", "debian"),
    ("hypervisor_type", "kvm", "qemu"),
    ("provided_until", "notice", "none"),
];

/// Whether `meta` may hold this key: one that it does not know makes the whole catalogue invalid.
pub fn is_meta_key(name: &str) -> bool {
    META.iter().any(|key| key.name == name)
}

/// The word that stands in a catalogue for this one, which the schema does not have.
pub(super) fn translated(key: &str, value: &str) -> Option<&'static str> {
    TRANSLATED.iter().find(|row| (row.0, row.1) == (key, value)).map(|row| row.2)
}

fn write(images: &[Manifest<'_>]) -> Result<Written> {
    let mut written = Written { text: "---\nimages:\n".to_owned(), notes: Vec::new() };
    for image in images {
        let (body, notes) = entry(image)?;
        let remarks = image.remarks().into_iter().chain(notes.iter().cloned());
        written.text.extend(remarks.map(|remark| format!("  {}", comment(&remark))));
        written.text += &body;
        written.notes.extend(notes);
    }
    Ok(written)
}

const EMPTY: &str = "versions is empty, so nothing is imported: image_source (a URL) and image_build_date (a day) say \
                     what it is made of";

fn entry(image: &Manifest<'_>) -> Result<(String, Vec<String>)> {
    let (meta, mut notes) = meta(image)?;
    let login = image.value("image_original_user").ok_or_else(|| demanded("image_original_user"))?;
    let versions = versions(image).unwrap_or_else(|| {
        notes.push(EMPTY.to_owned());
        "    versions: []
"
        .to_owned()
    });
    let mut text = format!("  - name: {}\n    enable: true\n", yaml(image.name));
    let _ = writeln!(text, "    format: {}\n    login: {}", yaml(image.disk_format.unwrap_or("raw")), yaml(login));
    let _ =
        writeln!(text, "    min_disk: {}\n    min_ram: {}", image.min_disk.unwrap_or(0), image.min_ram.unwrap_or(0));
    text += "    status: active\n    visibility: private\n    multi: false\n";
    let _ = write!(text, "    meta:\n{meta}    tags: []\n{versions}");
    Ok((text, notes))
}

/// What the manager sets itself from what stands elsewhere.
const PLACED: &[&str] = &["image_original_user", "image_source", "image_build_date"];

fn meta(image: &Manifest<'_>) -> Result<(String, Vec<String>)> {
    let mut notes = Vec::new();
    for property in &image.properties {
        if !is_meta_key(property.key) && !PLACED.contains(&property.key) {
            notes.push(format!("{}={} is left out: the schema has no such key", property.key, property.value));
        }
    }
    let mut text = String::new();
    for key in META {
        let Some(property) = image.properties.iter().find(|property| property.key == key.name) else {
            if key.is_required {
                return Err(demanded(key.name));
            }
            continue;
        };
        let translated = translated(key.name, property.value);
        let value = translated.unwrap_or(property.value);
        if translated.is_some() {
            let word = property.value;
            notes.push(format!("{}={word} stands as {value}: the schema has no word for {word}", key.name));
        }
        let value = key.kind.written(value).ok_or_else(|| refused(key.name, property.value))?;
        let _ = writeln!(text, "      {}      {}: {value}", comment(&property.origin()), key.name);
    }
    Ok((text, notes))
}

fn demanded(key: &str) -> Error {
    let help = match key {
        "hypervisor_type" => "choose --set scs, or --with hypervisor_type".to_owned(),
        "os_purpose" | "provided_until" | "replace_frequency" | "uuid_validity" | "image_original_user" => {
            format!("give --policy {key}=VALUE")
        }
        _ => "`bootworthy check` says what the image lacks for it".to_owned(),
    };
    Error::unsupported(key, "openstack-image-manager's schema demands it").help(help)
}

fn refused(key: &str, value: &str) -> Error {
    let cause = format!("openstack-image-manager's schema does not take {:?}", printable(value));
    Error::unsupported(key, cause).help(format!("--without {key} leaves it out where it is not demanded"))
}

impl Kind {
    /// As the schema wants it.
    fn written(self, value: &str) -> Option<String> {
        match self {
            Self::OneOf(words) => words.contains(&value).then(|| yaml(value)),
            Self::Truth => match value.to_ascii_lowercase().as_str() {
                "true" | "yes" => Some("true".to_owned()),
                "false" | "no" => Some("false".to_owned()),
                _ => None,
            },
            Self::Number => value.parse::<u32>().ok().map(|number| number.to_string()),
            Self::Text => Some(yaml(value)),
            Self::Day(words, _) if words.contains(&value) => Some(yaml(value)),
            // A day is a date of YAML, without quotes.
            Self::Day(..) if is_day(value) => Some(value.to_owned()),
            Self::Day(_, is_counted) => (is_counted && value.starts_with("last-")).then(|| yaml(value)),
        }
    }
}

/// The one version that the file is, where its URL and day are known.
fn versions(image: &Manifest<'_>) -> Option<String> {
    let url = image.value("image_source").filter(|source| is_url(source))?;
    let day = image.value("image_build_date")?.get(..10).filter(|day| is_day(day))?;
    let mut text = format!("    versions:\n      - version: {}\n", yaml(&day.replace('-', "")));
    let _ = writeln!(text, "        url: {}\n        build_date: {day}", yaml(url));
    let digest = image.sha512.map(|digest| format!("        checksum: {}\n", yaml(&format!("sha512:{digest}"))));
    Some(text + &digest.unwrap_or_default())
}

fn read(text: &str) -> Result<Document> {
    let mut images = Vec::new();
    for node in parse(text, false)? {
        let Some(Node::List(items)) = node.get("images") else { continue };
        images.extend(items.iter().filter(|item| matches!(item, Node::Map(_))).map(image));
    }
    if images.is_empty() {
        return Err(shape("images, a list"));
    }
    Ok(Document { typing: Typing::Python, images, ..Document::default() })
}

fn image(node: &Node) -> Claims {
    let line = node.entries().iter().map(|entry| entry.line).min();
    let mut claims = Claims { line, ..Claims::default() };
    for entry in node.entries() {
        let own = claim_of(&entry.key, Some(&entry.value), Some(entry.line));
        match (entry.key.as_str(), &entry.value) {
            ("name", _) => claims.name = Some(own),
            ("format", _) => claims.disk_format = Some(own),
            ("min_disk", _) => claims.min_disk = Some(own),
            ("min_ram", _) => claims.min_ram = Some(own),
            ("meta", Node::Map(rows)) => claims.properties.extend(rows.iter().map(claim)),
            _ => {}
        }
    }
    // What a version says stands instead of what the image says, for that version.
    let versions = node.entries().iter().filter(|entry| entry.key == "versions").map(|entry| &entry.value);
    let version = |node: &Node| if let Node::List(items) = node { items.clone() } else { Vec::new() };
    for version in versions.flat_map(version) {
        let is_meta = |entry: &&Entry| entry.key == "meta";
        let rows = version.entries().iter().filter(is_meta).flat_map(|entry| entry.value.entries());
        claims.properties.extend(rows.map(claim));
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::super::tests::image as made;
    use super::*;

    const EARNED: &[(&str, &str)] = &[
        ("hw_disk_bus", "scsi"),
        ("hw_qemu_guest_agent", "yes"),
        ("hw_vif_multiqueue_enabled", "true"),
        ("os_distro", "almalinux"),
        ("architecture", "x86_64"),
        ("hypervisor_type", "qemu"),
        ("os_purpose", "generic"),
        ("replace_frequency", "monthly"),
        ("uuid_validity", "2027-01-31"),
        ("provided_until", "none"),
        ("image_source", "https://example.com/d.qcow2"),
        ("image_build_date", "2026-01-31 10:00"),
        ("image_original_user", "alma"),
    ];

    #[test]
    fn an_entry() {
        let written = write(&[Manifest { sha512: Some("ab"), ..made("Alma 9", EARNED) }]).unwrap();
        assert_eq!(
            written.notes,
            [
                "hw_qemu_guest_agent=yes is left out: the schema has no such key",
                "os_distro=almalinux stands as centos: the schema has no word for almalinux"
            ]
        );
        for part in [
            "---\nimages:\n  # d.qcow2: 65536 bytes\n  # hw_qemu_guest_agent=yes is left out",
            "\n      hw_vif_multiqueue_enabled: true\n",
            "\n      uuid_validity: 2027-01-31\n",
            "\n    login: \"alma\"\n",
            "\n      - version: \"20260131\"\n        url: \"https://example.com/d.qcow2\"\n        build_date: 2026-01-31\n        checksum: \"sha512:ab\"\n",
        ] {
            assert!(written.text.contains(part), "{part} is not in\n{}", written.text);
        }
        let document = read(&written.text).unwrap();
        let sent = |key: &str| document.images[0].property(key).and_then(|claim| claim.sent(document.typing));
        assert_eq!(sent("os_distro").as_deref(), Some("centos"));
        assert_eq!(sent("hw_vif_multiqueue_enabled").as_deref(), Some("True"));
    }

    #[test]
    fn what_the_schema_demands_is_named() {
        for key in META.iter().filter(|key| key.is_required).map(|key| key.name).chain(["image_original_user"]) {
            let rest: Vec<_> = EARNED.iter().copied().filter(|(other, _)| *other != key).collect();
            let error = write(&[made("n", &rest)]).unwrap_err();
            assert_eq!((error.what.as_str(), error.help.is_some()), (key, true));
        }
        for (key, value) in [("os_purpose", "oldgeneric"), ("os_distro", "alpine"), ("hw_vif_multiqueue_enabled", "x")]
        {
            let rows: Vec<_> = EARNED.iter().map(|row| if row.0 == key { (key, value) } else { *row }).collect();
            assert_eq!(write(&[made("n", &rows)]).unwrap_err().what, key);
        }
        let rest: Vec<_> = EARNED.iter().copied().filter(|(key, _)| *key != "image_source").collect();
        let written = write(&[made("n", &rest)]).unwrap();
        assert!(written.text.ends_with("    versions: []\n") && written.notes.len() == 3);
    }
}
