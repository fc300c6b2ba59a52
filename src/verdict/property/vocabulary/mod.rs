//! Nova's and Glance's words → what they are: every image property and flavor extra spec that anything reads, as data,
//! and the verdict that Nova itself gives of a value (`nova/objects/image_meta.py`, `nova/api/validation/extra_specs`,
//! `nova/virt/hardware.py` of nova 34.0.0).

mod constraints;
mod cpus;
mod image;
mod python;
mod specs;
mod versions;

pub use constraints::{CONSTRAINTS, Conflict, Constraint, FlavorSpecs};
pub use cpus::CpuSet;
pub use image::{ImageProps, Judged, Rejected, Value, judge};
pub use specs::{SpecJudged, judge_spec};

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Bytes of a property that Nova keeps with an instance; what is longer is cut (`nova/utils.py`, `safe_truncate`).
pub const MAX_KEPT: usize = 255;
/// Characters of a property's name: Glance's database (`glance/db/sqlalchemy/models.py`, `ImageProperty.name`).
pub const MAX_NAME: usize = 255;
/// Properties of an image: Glance's `image_property_quota`, as it stands without configuration.
pub const MAX_PROPERTIES: usize = 128;
/// NUMA nodes that Nova looks for in names (`ImageMetaProps.NUMA_NODES_MAX`).
pub const MAX_NODES: usize = 128;

/// Fields of Glance that are reserved: to send one is answered with 403 (`_reserved_properties` of
/// `glance/api/v2/images.py` and `glance/domain/__init__.py`).
pub const RESERVED: &[&str] = &["deleted", "deleted_at", "location", "locations"];
/// Fields that only Glance writes: to send one is answered with 403 (`_disallowed_properties`, `_readonly_properties`).
pub const READ_ONLY: &[&str] = &[
    "checksum",
    "created_at",
    "direct_url",
    "file",
    "schema",
    "self",
    "size",
    "status",
    "stores",
    "updated_at",
    "virtual_size",
];
/// How names begin that Glance keeps for itself (`_reserved_namespaces`).
pub const RESERVED_PREFIX: &str = "os_glance";

/// Names of distributions that Glance's documentation lists (`doc/source/admin/useful-image-properties.rst`).
pub const OS_DISTROS: &[&str] = &[
    "arch",
    "centos",
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
    "ubuntu",
    "windows",
];

/// An image property.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name that Nova uses now.
    pub name: String,
    /// Who reads it.
    pub scope: Scope,
    /// What its value is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The values that it takes, where they can be listed.
    #[serde(default)]
    pub values: Vec<String>,
    /// Whether capitals are the same to Nova.
    #[serde(default)]
    pub folds_case: bool,
    /// Other spellings of values, and what Nova makes of them.
    #[serde(default)]
    pub value_aliases: BTreeMap<String, String>,
    /// The first release that reads it.
    #[serde(default)]
    pub since: Option<String>,
    /// The first release that takes a value, where it is later.
    #[serde(default)]
    pub value_since: BTreeMap<String, String>,
    /// Older names that Nova still reads; the name of now wins.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it does, in one sentence.
    pub does: String,
    /// What the guest must have for it.
    #[serde(default)]
    pub needs: Option<String>,
    /// What it does not go together with.
    #[serde(default)]
    pub conflicts: Option<String>,
    /// Whether anything happens by it.
    pub effect: Effect,
    /// What does what its name promises, where it does nothing itself.
    #[serde(rename = "use", default)]
    pub instead: Option<String>,
}

/// Who reads a property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// `ImageMetaProps` of Nova.
    #[default]
    Nova,
    /// Another place in Nova, or it is Nova that writes it.
    NovaOther,
    /// Cinder.
    Cinder,
    /// Glance.
    Glance,
    /// Ironic.
    Ironic,
    /// People, by the standard SCS-0102.
    #[serde(rename = "scs-0102")]
    Scs,
    /// Catalogues of metadata and habits; no service.
    Catalogue,
}

/// What a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Any text.
    #[default]
    Text,
    /// `true` or `false` in any of twelve spellings.
    Bool,
    /// One of a list.
    Enum,
    /// A whole number.
    Integer,
    /// A UUID; Nova takes any text for one.
    Uuid,
    /// Comparisons of versions: `>=1.5,<2`.
    Versions,
    /// One value per NUMA node, each in a property of its own: `hw_numa_mem.0`.
    Numa,
    /// A list, which no property of Glance can be.
    List,
    /// Names behind `trait:`, each a property of its own.
    Traits,
    /// Numbers of processors, `^` before those that are left out.
    Mask,
    /// `small`, `large`, `any`, or a number with an optional unit.
    PageSize,
    /// Words with commas between.
    Labels,
    /// `NAME:COUNT` with commas between.
    Aliases,
}

/// Whether anything happens by a property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It does what it says.
    #[default]
    Yes,
    /// Only with `VMware`.
    Vmware,
    /// Only by its older name, which is what the code asks for.
    OldName,
    /// It tells people something.
    Told,
    /// Nothing happens.
    None,
}

/// A flavor extra spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name; `N` stands for a number, `KEY` for any text.
    pub name: String,
    /// What its value is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The values that it takes, where they can be listed.
    #[serde(default)]
    pub values: Vec<String>,
    /// The least number.
    #[serde(default)]
    pub min: Option<i64>,
    /// The greatest number.
    #[serde(default)]
    pub max: Option<i64>,
    /// What it does, in one sentence.
    pub does: String,
    /// The image property of the same thing.
    #[serde(default)]
    pub image: Option<String>,
    /// What to write instead.
    #[serde(rename = "use", default)]
    pub instead: Option<String>,
}

/// The words of flavors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraSpecs {
    /// Names with their types.
    pub specs: Vec<Spec>,
    /// What may stand behind `capabilities:`; `{filter}` for words with colons before them.
    pub capabilities: Vec<String>,
    /// What may stand behind `resources:` besides `CUSTOM_…` (os-resource-classes).
    pub resources: Vec<String>,
    /// What may stand behind `trait:` besides `CUSTOM_…` (os-traits).
    pub traits: Vec<String>,
}

static PROPERTIES: LazyLock<Vec<Entry>> =
    LazyLock::new(|| serde_json::from_str(include_str!("properties.json")).unwrap_or_default());
static SPECS: LazyLock<ExtraSpecs> =
    LazyLock::new(|| serde_json::from_str(include_str!("extra_specs.json")).unwrap_or_default());

/// Every property by name, in the order of the alphabet.
pub fn properties() -> &'static [Entry] {
    &PROPERTIES
}

/// The words of flavors.
pub fn extra_specs() -> &'static ExtraSpecs {
    &SPECS
}

/// The entry of a name, an older name, or one of a family: `hw_numa_mem.0`, `trait:CUSTOM_X`.
pub fn property(name: &str) -> Option<&'static Entry> {
    let family = match name.split_once(['.', ':']) {
        Some(("trait", _)) => "traits_required",
        Some((stem @ ("hw_numa_cpus" | "hw_numa_mem"), number)) if number.parse::<u32>().is_ok() => stem,
        _ => name,
    };
    let is_named = |entry: &&Entry| entry.name == family || entry.aliases.iter().any(|alias| alias == family);
    PROPERTIES.iter().find(is_named)
}

/// The row of an extra spec's name, or of the name that the row itself has: `hw:numa_mem.0`, `hw:numa_mem.N`.
pub fn extra_spec(name: &str) -> Option<&'static Spec> {
    SPECS.specs.iter().find(|spec| spec.name == name || specs::is_named(spec, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tables_are_whole() {
        assert_eq!(properties().iter().filter(|entry| entry.scope == Scope::Nova).count(), 86);
        let words = extra_specs();
        let counts = [words.specs.len(), words.capabilities.len(), words.resources.len(), words.traits.len()];
        assert_eq!(counts, [80, 45, 21, 377]);
    }

    #[test]
    fn tables_are_sorted_and_each_name_stands_once() {
        fn sorted<'a>(names: impl Iterator<Item = &'a str>) {
            let names: Vec<&str> = names.collect();
            assert!(names.is_sorted(), "{names:?}");
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        }
        sorted(properties().iter().map(|entry| entry.name.as_str()));
        sorted(extra_specs().specs.iter().map(|spec| spec.name.as_str()));
        for list in [&extra_specs().capabilities, &extra_specs().resources, &extra_specs().traits] {
            sorted(list.iter().map(String::as_str));
        }
        let names = properties().iter().flat_map(|entry| entry.aliases.iter().chain([&entry.name]));
        let mut seen = BTreeSet::new();
        assert!(names.clone().all(|name| seen.insert(name)), "a name stands twice");
        for list in [RESERVED, READ_ONLY, OS_DISTROS] {
            sorted(list.iter().copied());
        }
    }

    #[test]
    fn rows_say_what_they_must() {
        for entry in properties() {
            let name = &entry.name;
            assert!(entry.does.ends_with('.') && entry.does.len() > 10, "{name}: {}", entry.does);
            assert_eq!(entry.kind == Kind::Enum, entry.scope == Scope::Nova && !entry.values.is_empty(), "{name}");
            assert_eq!(entry.since.is_some(), entry.scope == Scope::Nova, "{name}");
            assert!(entry.value_since.keys().all(|value| entry.values.contains(value)), "{name}");
            assert!(entry.value_aliases.values().all(|value| entry.values.contains(value)), "{name}");
            assert!(property(name).is_some_and(|found| found == entry), "{name}");
            for alias in &entry.aliases {
                assert!(property(alias).is_some_and(|found| found == entry), "{alias}");
            }
        }
        for spec in &extra_specs().specs {
            assert!(spec.does.ends_with('.'), "{}", spec.name);
            assert!(spec.image.as_ref().is_none_or(|image| property(image).is_some()), "{}", spec.name);
            assert_eq!(spec.kind == Kind::Enum, !spec.values.is_empty(), "{}", spec.name);
        }
    }

    #[test]
    fn families_are_found() {
        for (name, expected) in [
            ("hw_numa_mem.3", Some("hw_numa_mem")),
            ("hw_numa_mem.x", None),
            ("trait:HW_CPU_X86_VMX", Some("traits_required")),
            ("architecture", Some("hw_architecture")),
            ("hw_disk_buss", None),
        ] {
            assert_eq!(property(name).map(|entry| entry.name.as_str()), expected, "{name}");
        }
        for (name, expected) in [
            ("hw:numa_mem.12", Some("hw:numa_mem.N")),
            ("aggregate_instance_extra_specs:ssd", Some("aggregate_instance_extra_specs:KEY")),
            ("hw:cpu_policy", Some("hw:cpu_policy")),
            ("hw:nothing", None),
        ] {
            assert_eq!(extra_spec(name).map(|spec| spec.name.as_str()), expected, "{name}");
        }
    }
}
