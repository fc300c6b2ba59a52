//! The line of a file that a finding is about.

use crate::manifest::{Claim, ClaimValue};
use crate::verdict::Evidence;

/// Bytes of a line that is quoted; JSON on one line may have megabytes.
const MAX_LINE: usize = 160;

/// Bytes of a file of which lines are quoted; a larger one is no text for people.
const MAX_FILE: usize = 1 << 20;

/// A file with its lines.
#[derive(Debug)]
pub(super) struct Quoted<'a> {
    path: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Quoted<'a> {
    pub(super) fn new(path: &'a str, text: &'a str) -> Self {
        Self { path, lines: if text.len() <= MAX_FILE { text.lines().collect() } else { Vec::new() } }
    }

    /// Evidence at a claim: its line as it stands, and the value, or the key, underlined in it.
    pub(super) fn at(&self, claim: &Claim, found: String) -> Evidence {
        self.marked(claim, found, mark)
    }

    /// Evidence at a claim whose key is what is meant.
    pub(super) fn at_key(&self, claim: &Claim, found: String) -> Evidence {
        self.marked(claim, found, |line, claim| once(line, &claim.key).or_else(|| key(line, claim)))
    }

    fn marked(&self, claim: &Claim, found: String, mark: fn(&str, &Claim) -> Option<String>) -> Evidence {
        let evidence = Evidence::at(self.path, found);
        let Some(number) = claim.line else { return evidence };
        let evidence = evidence.line(number);
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let line = index.and_then(|index| self.lines.get(index)).filter(|line| line.len() <= MAX_LINE);
        match line.and_then(|line| Some((line, mark(line, claim)?))) {
            Some((line, mark)) => evidence.marking(*line, mark),
            None => evidence,
        }
    }
}

/// What stands behind the key and says the value, or the key itself.
fn mark(line: &str, claim: &Claim) -> Option<String> {
    let value = match &claim.value {
        ClaimValue::Text(text) => text.clone(),
        ClaimValue::Bool(value) => value.to_string(),
        ClaimValue::Integer(value) => value.to_string(),
        ClaimValue::Decimal(value) | ClaimValue::Computed(value) => value.clone(),
        ClaimValue::Null | ClaimValue::Compound => String::new(),
    };
    once(line, &value).or_else(|| key(line, claim))
}

/// The text as it stands in the line, with its quotes, where it stands there once: the report underlines the first
/// place, and that must be the one that is meant.
fn once(line: &str, text: &str) -> Option<String> {
    let quoted = [format!("\"{text}\""), format!("'{text}'"), text.to_owned()];
    let is_meant = |mark: &&String| !text.is_empty() && line.matches(mark.as_str()).count() == 1;
    quoted.iter().find(is_meant).cloned()
}

fn key(line: &str, claim: &Claim) -> Option<String> {
    Some(claim.key.clone()).filter(|key| !key.is_empty() && line.contains(key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_underlined_or_the_key() {
        let text = |value: &str| ClaimValue::Text(value.to_owned());
        for (line, key, value, expected) in [
            (r#"  "hw_disk_bus": "SCSI","#, "hw_disk_bus", text("SCSI"), Some("\"SCSI\"")),
            (r#"  "scsi": "scsi","#, "scsi", text("scsi"), Some("scsi")),
            ("hw_pmu: true", "hw_pmu", ClaimValue::Bool(true), Some("true")),
            ("hw_pmu: true # is it true?", "hw_pmu", ClaimValue::Bool(true), Some("hw_pmu")),
            ("hw_pmu:", "hw_pmu", ClaimValue::Null, Some("hw_pmu")),
            ("nothing of it", "hw_pmu", ClaimValue::Null, None),
        ] {
            assert_eq!(mark(line, &Claim::new(key, value, None)).as_deref(), expected, "{line}");
        }
    }
}
