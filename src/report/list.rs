//! `bootworthy checks` and `bootworthy explain`: the tables themselves, for people.

use crate::verdict::check::{CHECKS, Check};
use crate::verdict::profile::{PROFILES, severity};
use crate::verdict::property::{PROPERTIES, Property};
use crate::verdict::Weight;
use std::fmt::Write as _;

/// One line per check: severity in the default profile, id, healthy condition.
pub fn checks() -> String {
    let width = CHECKS.iter().map(|check| check.id.len()).max().unwrap_or_default();
    let row = |check: &Check| {
        let level = PROFILES.first().map_or("", |profile| severity(profile, check.id, Weight::Full, &|_| false).word());
        format!("{level:<8} {:<width$}  {}\n", check.id, check.summary)
    };
    CHECKS.iter().map(row).collect()
}

/// What a check or property is, why it matters and how to mend it.
///
/// # Errors
/// The sentence to print when there is no such id, with the nearest known one.
pub fn explain(id: &str) -> Result<String, String> {
    let wanted = id.trim().to_lowercase();
    if let Some(check) = CHECKS.iter().find(|check| check.id == wanted) {
        return Ok(explain_check(check));
    }
    if let Some(property) = PROPERTIES.iter().find(|property| property.key == wanted) {
        return Ok(explain_property(property));
    }
    let known = CHECKS.iter().map(|check| check.id).chain(PROPERTIES.iter().map(|property| property.key));
    let nearest = known.min_by_key(|name| distance(name, &wanted)).unwrap_or_default();
    Err(format!("there is no check or property {id:?}; the nearest is {nearest} (`bootworthy checks` lists the checks)"))
}

fn explain_check(check: &Check) -> String {
    let mut text = format!("{}: {}\n\n", check.id, check.summary);
    let severities = PROFILES.iter().map(|profile| {
        format!("{} {}", severity(profile, check.id, Weight::Full, &|_| false).word(), profile.name)
    });
    // Writing to a String cannot fail.
    let _ = writeln!(text, "severity  {}", severities.collect::<Vec<_>>().join(", "));
    let reads: Vec<String> = check.reads.iter().map(|fact| format!("{fact:?}")).collect();
    let _ = writeln!(text, "looks at  {}", reads.join(", "));
    let _ = writeln!(text, "why       {}", check.why);
    let _ = writeln!(text, "fix       {}", check.fix);
    for (family, fix) in check.family_fixes {
        let _ = writeln!(text, "          {family}: {fix}");
    }
    let _ = writeln!(text, "source    {}", check.source);
    let keys: Vec<&str> = PROPERTIES.iter().filter(|p| p.needs.contains(&check.id)).map(|p| p.key).collect();
    if !keys.is_empty() {
        let _ = writeln!(text, "withholds {}, when it does not pass", keys.join(", "));
    }
    text
}

fn explain_property(property: &Property) -> String {
    let mut text = format!("{}: {}\n\n", property.key, property.summary);
    let (there, coming): (Vec<&str>, Vec<&str>) =
        property.needs.iter().partition(|id| CHECKS.iter().any(|check| check.id == **id));
    if !there.is_empty() {
        let _ = writeln!(text, "earned by      {}", there.join(", "));
    }
    if !coming.is_empty() {
        let _ = writeln!(text, "not checked yet {}", coming.join(", "));
    }
    text
}

/// Edits that lead from one word to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(MOST_LETTERS).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, a) in from.chars().enumerate() {
        let mut next = vec![index.saturating_add(1)];
        for (b, pair) in to.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { break };
            let left = next.last().copied().unwrap_or_default();
            let changed = diagonal.saturating_add(usize::from(a != *b));
            next.push(changed.min(above.saturating_add(1)).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Letters of a mistyped name that are compared; no id is longer.
const MOST_LETTERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        for (from, to, edits) in [("", "", 0), ("kitten", "sitting", 3), ("abc", "", 3), ("", "abc", 3), ("a-b", "a-b", 0)] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }

    #[test]
    fn everything_can_be_explained_and_mistakes_are_answered() {
        for id in CHECKS.iter().map(|check| check.id).chain(PROPERTIES.iter().map(|property| property.key)) {
            assert!(explain(id).unwrap().starts_with(id));
        }
        assert!(explain("fstab-stabel-ids").unwrap_err().contains("fstab-stable-ids"));
    }
}
