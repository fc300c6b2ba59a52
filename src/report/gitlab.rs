//! GitLab Code Quality (`docs.gitlab.com/ci/testing/code_quality/`, "Code Quality report format").

use super::issue::{Issue, Place, fingerprints, issues};
use super::{Format, Style, escape};
use crate::verdict::Report;
use crate::verdict::profile::Severity;
use serde_json::{Value, json};

pub(super) const FORMAT: Format = Format { name: "gitlab", summary: "GitLab Code Quality", write, is_appended: false };

fn write(reports: &[Report], _: Style) -> String {
    let mut rows: Vec<Value> = Vec::new();
    for (report, prints) in reports.iter().zip(fingerprints(reports)) {
        rows.extend(issues(report).iter().zip(prints).map(|(issue, print)| row(report, issue, &print)));
    }
    // A value can always be written.
    super::json_parts::pretty(&rows)
}

fn row(report: &Report, issue: &Issue<'_>, fingerprint: &str) -> Value {
    let severity = match issue.level {
        Severity::Error => "critical",
        Severity::Warning => "minor",
        Severity::Note | Severity::Off => "info",
    };
    let own = issue.places.first().filter(|place| place.is_outside());
    let path = own.and_then(Place::file).unwrap_or(&report.path);
    let line = own.and_then(|place| place.line).unwrap_or(1);
    json!({
        "description": issue.lines().iter().map(|line| escape(line)).collect::<Vec<_>>().join("; "),
        "check_name": issue.id,
        "fingerprint": fingerprint,
        "severity": severity,
        // Paths are relative and do not begin with `./`.
        "location": { "path": escape(path.trim_start_matches("./")), "lines": { "begin": line } },
    })
}
