//! What a check or property is about: `bootworthy checks` and `bootworthy explain`.

use crate::verdict::Weight;
use crate::verdict::check::{self, CHECKS, COMING, Check};
use crate::verdict::profile::{self, PROFILES, Profile};
use crate::verdict::property::{PROPERTIES, Property};

/// There is no check or property of this name.
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

/// Why a check exists and how it is mended, or what earns a property.
///
/// # Errors
/// When there is no such name; the nearest known one comes along.
pub fn explain(name: &str) -> Result<String, NotKnown> {
    if let Some(check) = check::find(name) {
        return Ok(explain_check(check));
    }
    let properties: Vec<&Property> = PROPERTIES.iter().filter(|property| property.key == name).collect();
    if !properties.is_empty() {
        return Ok(properties.into_iter().map(explain_property).collect::<Vec<_>>().join("\n"));
    }
    if let Some(id) = COMING.iter().find(|id| **id == name) {
        return Ok(format!("{id}: not checked by this version\n"));
    }
    let keys = PROPERTIES.iter().map(|property| property.key);
    Err(NotKnown { nearest: nearest(name, CHECKS.iter().map(|check| check.id).chain(keys)) })
}

fn level(profile: &Profile, check: &Check, weight: Weight) -> &'static str {
    profile::severity(profile, check.id, weight, &|_| false).word()
}

fn explain_check(check: &Check) -> String {
    let row = |(family, fix): &(&str, &str)| format!("  {family}: {fix}\n");
    let families: String = check.family_fixes.iter().map(row).collect();
    let level = |profile: &Profile| {
        let (full, light) = (level(profile, check, Weight::Full), level(profile, check, Weight::Minor));
        format!("  {}: {full}, {light} where it weighs less\n", profile.name)
    };
    let levels: String = PROFILES.iter().map(level).collect();
    let facts: Vec<&str> = check.reads.iter().map(|fact| fact.field()).collect();
    let mut earns: Vec<&str> = PROPERTIES.iter().filter(|p| p.needs.contains(&check.id)).map(|p| p.key).collect();
    earns.dedup();
    let earns = if earns.is_empty() { String::new() } else { format!("earns: {}\n", earns.join(", ")) };
    let Check { id, summary, why, detects, fix, source, .. } = check;
    let facts = facts.join(", ");
    format!(
        "{id}: {summary}\n\nwhy: {why}\n\ndetected by: {detects}\n\nfix: {fix}\n{families}\nseverity:\n{levels}\n{earns}facts: {facts}\nsource: {source}\n"
    )
}

fn explain_property(property: &Property) -> String {
    format!("{}: {}\n\nearned by: {}\n", property.key, property.summary, property.needs.join(", "))
}

/// The name with the fewest edits, if it takes no more than a third of its letters.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let nearest = names.into_iter().map(|known| (distance(name, known), known)).min()?;
    (nearest.0.saturating_mul(3) <= nearest.1.len()).then_some(nearest.1)
}

/// Levenshtein's distance, in characters; of the first 64, which is longer than any name.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut next = vec![i.saturating_add(1)];
        for ((to, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or(0);
            let replaced = diagonal.saturating_add(usize::from(from != *to));
            next.push(replaced.min(above.saturating_add(1)).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_explained() {
        for name in
            CHECKS.iter().map(|check| check.id).chain(PROPERTIES.iter().map(|p| p.key)).chain(COMING.iter().copied())
        {
            assert!(explain(name).is_ok_and(|text| text.starts_with(name)), "{name}");
        }
        assert_eq!(list_checks().lines().count(), CHECKS.len());
    }

    #[test]
    fn unknown_names_get_the_nearest() {
        for (name, expected) in [
            ("initrd-virtio-scs", Some("initrd-virtio-scsi")),
            ("fstab-stabel-ids", Some("fstab-stable-ids")),
            ("hw_disk_buss", Some("hw_disk_bus")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(explain(name), Err(NotKnown { nearest: expected }), "{name}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
