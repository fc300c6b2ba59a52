//! Reports that no check of an image made: of one that could not be inspected, and of manifests; and their counts.

use super::boot::BootTable;
use super::profile::{Profile, Severity};
use super::{Finding, Outcome, Report, Subject, Summary, Word};
use crate::error::Error;

impl Report {
    /// The report of an image that could not be inspected: it keeps its place.
    pub fn unreadable(path: &str, error: Error, profile: &Profile) -> Self {
        Self {
            subject: Subject::Image,
            profile: profile.name,
            path: path.to_owned(),
            guest: None,
            result: Outcome::Unknown,
            fail_on: profile.fail_on,
            table: BootTable::default(),
            checks: Vec::new(),
            earned: Vec::new(),
            withheld: Vec::new(),
            buses: Vec::new(),
            features: Vec::new(),
            error: Some(error),
            config: None,
            remarks: Vec::new(),
        }
    }

    /// The report of a manifest: what its rules found, or why it could not be read. Nothing found is fit.
    pub fn of_manifest(
        path: &str,
        subject: Subject,
        checks: Vec<Finding>,
        fail_on: Severity,
        error: Option<Error>,
    ) -> Self {
        let fails = checks.iter().any(|finding| finding.severity != Severity::Off && finding.severity >= fail_on);
        let result = match (&error, fails) {
            (Some(_), _) => Outcome::Unknown,
            (None, true) => Outcome::Unfit,
            (None, false) => Outcome::Fit,
        };
        Self {
            subject,
            profile: "",
            path: path.to_owned(),
            guest: None,
            result,
            table: BootTable::default(),
            checks,
            earned: Vec::new(),
            withheld: Vec::new(),
            buses: Vec::new(),
            features: Vec::new(),
            error,
            fail_on,
            config: None,
            remarks: Vec::new(),
        }
    }

    /// Counts of the findings that are not off.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for finding in self.checks.iter().filter(|finding| finding.severity != Severity::Off) {
            let count = match finding.verdict {
                Word::Pass => &mut summary.pass,
                Word::Fail if finding.severity == Severity::Error => &mut summary.fail,
                Word::Fail => &mut summary.warn,
                Word::Unknown => &mut summary.unknown,
                Word::NotApplicable => &mut summary.not_applicable,
            };
            *count = count.saturating_add(1);
        }
        summary
    }
}
