//! Reports that no check of an image made: of one that could not be inspected, and of manifests; and their counts.

use super::assess::outcome;
use super::boot::BootTable;
use super::check;
use super::profile::{Profile, Severity};
use super::{Finding, Ignore, Options, Outcome, Remark, Report, Subject, Summary, Word, ignored};
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
        options: &Options,
        error: Option<Error>,
    ) -> Self {
        let (checks, remarks) = settled(checks, options);
        let counts = |finding: &Finding| finding.severity != Severity::Off && finding.severity >= options.fail_on;
        let result = match (&error, checks.iter().any(counts)) {
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
            fail_on: options.fail_on,
            config: None,
            remarks,
        }
    }

    /// Adds what is said of the image's manifest, with the severities and exceptions of the user; it counts like any
    /// finding.
    #[must_use]
    pub fn with_manifest(mut self, findings: Vec<Finding>, options: &Options) -> Self {
        let (findings, remarks) = settled(findings, options);
        self.checks.extend(findings);
        self.remarks.extend(remarks);
        self.result = match (outcome(&self.checks, self.fail_on), &self.error) {
            (Outcome::Fit, Some(_)) => Outcome::Unknown,
            (outcome, _) => outcome,
        };
        self
    }

    /// Counts of the findings that are not off.
    pub fn summary(&self) -> Summary {
        let ignored = self.checks.iter().filter(|finding| finding.ignored.is_some()).count();
        let mut summary = Summary { ignored, ..Summary::default() };
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

/// Findings by the severities and exceptions of the user.
fn settled(mut findings: Vec<Finding>, options: &Options) -> (Vec<Finding>, Vec<Remark>) {
    for finding in &mut findings {
        finding.severity = options.severity(finding.id).unwrap_or(finding.severity);
    }
    let is_own = |ignore: &&Ignore| check::find(&ignore.check).is_none();
    let remarks = ignored::apply(options.ignores.iter().filter(is_own), &mut findings);
    (findings, remarks)
}
