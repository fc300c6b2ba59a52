//! What a check, property or feature is about: `bootworthy checks` and `bootworthy explain`.

use super::feature_page;
use crate::verdict::Weight;
use crate::verdict::check::{self, CHECKS, Check};
use crate::verdict::feature::{self, FEATURES};
use crate::verdict::nearest::nearest;
use crate::verdict::profile::{self, PROFILES, Profile};
use crate::verdict::property::{self, PROPERTIES, Property, Values};
use std::fmt::Write as _;

/// There is no check, property or feature of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotKnown {
    /// The known name that is nearest, if one is near.
    pub nearest: Option<&'static str>,
}

/// Every check with its severity in the default profile, and what it asks for.
pub fn list_checks() -> String {
    let width = CHECKS.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let level = |check: &Check| PROFILES.first().map_or("", |default| level(default, check, Weight::Full));
    let row = |check: &Check| format!("{:width$}  {:7}  {}\n", check.id, level(check), check.summary);
    CHECKS.iter().map(row).collect()
}

/// Every property with what it does, each key once.
pub fn list_properties() -> String {
    let width = PROPERTIES.iter().map(|property| property.key.len()).max().unwrap_or(0);
    let mut told: Vec<&str> = Vec::new();
    let mut text = String::new();
    for property in PROPERTIES {
        if !told.contains(&property.key) {
            told.push(property.key);
            let _ = writeln!(text, "{:width$}  {}", property.key, property.summary);
        }
    }
    text
}

/// What is told of a check, a property or a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Id or key.
    pub name: &'static str,
    /// The healthy condition, or what the property does.
    pub summary: &'static str,
    /// In reading order.
    pub parts: Vec<Part>,
}

/// A part of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// `why`, `detected by`, `fix` …
    pub head: String,
    /// A paragraph; empty where the rows say it all.
    pub text: String,
    /// Name and text of each row.
    pub rows: Vec<(String, String)>,
}

/// Why a check exists, how it is detected and mended, what earns a property, or the sides of a feature.
///
/// # Errors
/// When there is no such name; the nearest known one comes along.
pub fn page(name: &str) -> Result<Page, NotKnown> {
    if let Some(check) = check::find(name) {
        return Ok(check_page(check));
    }
    let rows: Vec<&Property> = PROPERTIES.iter().filter(|property| property.key == name).collect();
    if let Some(first) = rows.first() {
        return Ok(property_page(first, &rows));
    }
    if let Some(feature) = feature::find(name) {
        return Ok(feature_page::page(feature));
    }
    if let Some(page) = super::vocabulary::page(name) {
        return Ok(page);
    }
    let keys = PROPERTIES.iter().map(|property| property.key).chain(super::vocabulary::names());
    let features = FEATURES.iter().map(|feature| feature.name);
    Err(NotKnown { nearest: nearest(name, CHECKS.iter().map(|check| check.id).chain(keys).chain(features)) })
}

/// The page as text for people.
///
/// # Errors
/// As [`page`].
pub fn explain(name: &str) -> Result<String, NotKnown> {
    page(name).map(|page| page.text())
}

impl Page {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.name, self.summary);
        for part in &self.parts {
            let paragraph = if part.text.is_empty() { String::new() } else { format!(" {}", part.text) };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n{}:{paragraph}", part.head);
            for (name, row) in &part.rows {
                let _ = writeln!(text, "  {name}: {row}");
            }
        }
        text
    }
}

pub(super) fn part(head: impl Into<String>, text: impl Into<String>) -> Part {
    Part { head: head.into(), text: text.into(), rows: Vec::new() }
}

fn level(profile: &Profile, check: &Check, weight: Weight) -> &'static str {
    profile::severity(profile, check.id, weight, &|_| false).word()
}

fn check_page(check: &'static Check) -> Page {
    let level = |profile: &Profile| {
        let (full, light) = (level(profile, check, Weight::Full), level(profile, check, Weight::Minor));
        let text = if full == light { full.to_owned() } else { format!("{full}, {light} where it weighs less") };
        (profile.name.to_owned(), text)
    };
    let is_listed = CHECKS.iter().any(|listed| listed.id == check.id);
    let levels = if is_listed { PROFILES.iter().map(level).collect() } else { Vec::new() };
    let always = if is_listed { "" } else { "error" };
    let mut parts = vec![
        part("why", check.why),
        part("detected by", check.detects),
        Part { rows: owned(check.family_fixes), ..part("fix", check.fix) },
        Part { rows: levels, ..part("severity", always) },
    ];
    let mut earns: Vec<&str> = Vec::new();
    for property in PROPERTIES.iter().filter(|property| property.needs.contains(&check.id)) {
        if !earns.contains(&property.key) {
            earns.push(property.key);
        }
    }
    let facts: Vec<&str> = check.reads.iter().map(|fact| fact.field()).collect();
    for (head, names) in [("earns", earns), ("facts", facts)] {
        if !names.is_empty() {
            parts.push(part(head, names.join(", ")));
        }
    }
    parts.push(part("source", check.source));
    Page { name: check.id, summary: check.summary, parts }
}

fn owned(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn property_page(first: &'static Property, rows: &[&'static Property]) -> Page {
    let mut parts = vec![part("why", first.why)];
    let mut needs: Vec<&str> = Vec::new();
    for property in rows {
        let sets: Vec<&str> = property.sets.iter().map(|set| set.name()).collect();
        let sets = if sets.is_empty() { format!("none: --with {}", property.key) } else { sets.join(", ") };
        let checks = if property.needs.is_empty() { property::SAFE.to_owned() } else { property.needs.join(", ") };
        let told =
            [("detected by", property.detects), ("earned by", &checks), ("in the sets", &sets), ("fix", property.fix)];
        parts.push(Part { rows: owned(&told), ..part(format!("value {}", property.value.label()), "") });
        needs.extend(property.needs.iter().filter(|id| !needs.contains(id)).collect::<Vec<_>>());
    }
    let mut mends = Vec::new();
    for check in needs.iter().filter_map(|id| check::find(id)) {
        mends.push((check.id.to_owned(), check.fix.to_owned()));
        mends.extend(
            check.family_fixes.iter().map(|(family, fix)| (format!("{} on {family}", check.id), (*fix).to_owned())),
        );
    }
    if !mends.is_empty() {
        parts.push(Part { rows: mends, ..part("fix of what earns it", "") });
    }
    parts.push(part("values", values(first)));
    parts.extend(super::vocabulary::parts(first.key));
    parts.push(part("source", first.source));
    Page { name: first.key, summary: first.summary, parts }
}

/// What `--with` takes.
fn values(property: &Property) -> String {
    match property.values {
        Values::Text => "any text".to_owned(),
        Values::Integer => "a whole number".to_owned(),
        Values::Yes(spelled) => spelled.to_owned(),
        Values::OneOf(values) => values.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_explained() {
        let checks = CHECKS.iter().chain([&check::DEMAND, &check::INSPECTED]).map(|check| (check.id, "\nseverity:"));
        for (name, own) in checks.chain(PROPERTIES.iter().map(|property| (property.key, "\nvalues: "))) {
            let text = explain(name).unwrap();
            assert!(text.starts_with(&format!("{name}: ")), "{text}");
            for head in ["\nwhy: ", "detected by: ", "fix: ", "\nsource: ", own] {
                assert!(text.contains(head), "{head:?} is not in\n{text}");
            }
            assert!(!text.contains(":  ") && !text.contains(": \n"), "{text}");
        }
        assert_eq!(list_checks().lines().count(), CHECKS.len());
        let keys: std::collections::BTreeSet<&str> = PROPERTIES.iter().map(|property| property.key).collect();
        assert_eq!(list_properties().lines().count(), keys.len());
    }

    #[test]
    fn unknown_names_get_the_nearest() {
        for (name, expected) in [
            ("initrd-virtio-scs", Some("initrd-virtio-scsi")),
            ("fstab-stabel-ids", Some("fstab-stable-ids")),
            ("hw_disk_buss", Some("hw_disk_bus")),
            ("cpu-pining", Some("cpu-pinning")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(explain(name), Err(NotKnown { nearest: expected }), "{name}");
        }
    }
}
