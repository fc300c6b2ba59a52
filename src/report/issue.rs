//! Reports → what is wrong in them, one row each: what the writers for pipelines render, whoever made the report.

use crate::verdict::check::INSPECTED;
use crate::verdict::profile::Severity;
use crate::verdict::{About, Evidence, Finding, Report, Word};
use std::collections::HashMap;

/// One thing that does not hold or could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issue<'a> {
    /// The check or rule.
    pub(super) id: &'a str,
    /// What it weighs.
    pub(super) level: Severity,
    /// `fail` or `unknown`.
    pub(super) word: Word,
    /// The headline, of our own words.
    pub(super) title: String,
    /// Where, and what was found there.
    pub(super) places: Vec<Place<'a>>,
    /// Why it matters.
    pub(super) why: &'a str,
    /// How to mend it.
    pub(super) fix: Option<&'a str>,
}

/// A place and what was found there; text of the image, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// Path inside the image, or of a file beside it; none where the file that the report is about is meant itself.
    pub(super) path: Option<&'a str>,
    /// What the path is in.
    pub(super) about: About,
    /// Line, from 1.
    pub(super) line: Option<u32>,
    /// Column, in characters from 1; only of a file beside the image.
    pub(super) column: Option<u32>,
    /// What was found, and what was expected.
    pub(super) text: String,
}

impl<'a> Place<'a> {
    /// The file of the host that the place is in, if it is not the one that the report is about.
    pub(super) fn file(&self) -> Option<&'a str> {
        self.path.filter(|_| self.about == About::Manifest)
    }

    /// Whether its line is one of a file of the host.
    pub(super) fn is_outside(&self) -> bool {
        self.path.is_none() || self.about == About::Manifest
    }

    /// `/etc/fstab:2: /dev/vda3 is …`.
    pub(super) fn told(&self) -> String {
        let column = self.column.map(|column| format!(":{column}")).unwrap_or_default();
        match (self.path, self.line) {
            (Some(path), Some(line)) => format!("{path}:{line}{column}: {}", self.text),
            (Some(path), None) => format!("{path}: {}", self.text),
            (None, Some(line)) => format!("line {line}: {}", self.text),
            (None, None) => self.text.clone(),
        }
    }
}

impl Issue<'_> {
    /// The headline and every place, one per line.
    pub(super) fn lines(&self) -> Vec<String> {
        std::iter::once(self.title.clone()).chain(self.places.iter().map(Place::told)).collect()
    }
}

/// What is wrong in a report, in its own order; what is off is left out.
pub(super) fn issues(report: &Report) -> Vec<Issue<'_>> {
    unread(report).into_iter().chain(report.checks.iter().filter_map(issue)).collect()
}

/// That the image could not be inspected, where it could not.
pub(super) fn unread(report: &Report) -> Option<Issue<'_>> {
    report.error.as_ref().map(|error| Issue {
        id: INSPECTED.id,
        level: Severity::Error,
        word: Word::Unknown,
        title: INSPECTED.broken.to_owned(),
        // An error names the file itself again; its place is the report's.
        places: vec![Place {
            path: error.path.as_deref().filter(|path| *path != report.path),
            about: About::Image,
            line: None,
            column: None,
            text: crate::error::Error { path: None, ..error.clone() }.to_string(),
        }],
        why: error.why.as_deref().unwrap_or(INSPECTED.why),
        fix: error.help.as_deref(),
    })
}

/// What a check found, unless it passed or is off.
pub(super) fn issue(finding: &Finding) -> Option<Issue<'_>> {
    let title = match finding.verdict {
        _ if finding.severity == Severity::Off => return None,
        Word::Pass | Word::NotApplicable => return None,
        Word::Fail => finding.title.to_owned(),
        Word::Unknown => format!("not known whether {}", finding.title),
    };
    Some(Issue {
        id: finding.id,
        level: finding.severity,
        word: finding.verdict,
        title,
        places: finding.evidence.iter().map(|evidence| place(evidence, finding.about)).collect(),
        why: finding.why,
        fix: finding.fix.as_deref(),
    })
}

/// A place with what was found there.
pub(super) fn place(evidence: &Evidence, about: About) -> Place<'_> {
    let expected = evidence.expected.as_ref().map(|expected| format!(", expected {expected}")).unwrap_or_default();
    Place {
        path: evidence.path.as_deref(),
        about,
        line: evidence.line,
        column: evidence.column().filter(|_| about == About::Manifest),
        text: format!("{}{expected}", evidence.found),
    }
}

/// Fingerprints of the issues of all reports, in order: equal from run to run while image path and check stay, and
/// never equal within one run.
pub(super) fn fingerprints(reports: &[Report]) -> Vec<Vec<String>> {
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    let mut fingerprint = |path, id| {
        // The same image twice on one command line, or a rule that speaks twice.
        let nth = known.entry((path, id)).or_default();
        let text = format!("{path}\0{id}\0{nth}");
        *nth = nth.saturating_add(1);
        format!("{:032x}", fnv1a(&text))
    };
    let mut prints = Vec::with_capacity(reports.len());
    for report in reports {
        prints.push(issues(report).iter().map(|issue| fingerprint(report.path.as_str(), issue.id)).collect());
    }
    prints
}

/// FNV-1a with 128 bits (draft-eastlake-fnv): the path is the user's and the id ours, nobody gains by a collision.
fn fnv1a(text: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_fnv1a() {
        // Test vectors of draft-eastlake-fnv, appendix C.
        for (text, hash) in [
            ("", 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128),
            ("a", 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964),
            ("foobar", 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18),
        ] {
            assert_eq!(fnv1a(text), hash, "{text}");
        }
    }

    #[test]
    fn places_are_told_with_what_they_have() {
        let found = || Evidence::of("x").expected("y");
        for (evidence, told) in [
            (Evidence { path: Some("/a".into()), line: Some(2), ..found() }, "/a:2: x, expected y"),
            (Evidence { path: Some("/a".into()), ..found() }, "/a: x, expected y"),
            (Evidence { line: Some(2), ..found() }, "line 2: x, expected y"),
            (Evidence::of("x"), "x"),
        ] {
            assert_eq!(place(&evidence, About::Image).told(), told);
        }
    }
}
