//! `bootworthy.report/1`: its own structs, so that a change of the program is not a change of the format.

use super::{Format, Style};
use crate::error::{Error, ErrorKind};
use crate::guest::OsRelease;
use crate::verdict::profile::Severity;
use crate::verdict::property::{Earned, Withheld};
use crate::verdict::{EntryVerdict, Evidence, Finding, Outcome, Report, Summary, Word};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// The `schema` of JSON reports.
const SCHEMA: &str = "bootworthy.report/1";

pub(super) const FORMAT: Format = Format { name: "json", render };

/// One object for one image, an array in order for several.
fn render(reports: &[&Report], _: Style) -> String {
    let documents: Vec<Document<'_>> = reports.iter().map(|report| Document::of(report)).collect();
    let text = match documents.as_slice() {
        [one] => serde_json::to_string_pretty(one),
        several => serde_json::to_string_pretty(several),
    };
    // Strings, numbers and lists always serialise.
    text.unwrap_or_default() + "\n"
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tool: Tool,
    profile: &'static str,
    image: Image<'a>,
    os: Option<Os<'a>>,
    result: Outcome,
    checks: Vec<CheckResult<'a>>,
    properties: Properties<'a>,
    withheld: Vec<Refusal<'a>>,
    not_checked_yet: &'a [&'static str],
    error: Option<Failure<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Image<'a> {
    path: &'a str,
    format: Option<&'a str>,
    virtual_size: Option<u64>,
}

#[derive(Serialize)]
struct Os<'a> {
    id: &'a str,
    version_id: Option<&'a str>,
    pretty_name: Option<&'a str>,
    architecture: Option<&'a str>,
}

#[derive(Serialize)]
struct CheckResult<'a> {
    id: &'static str,
    severity: Severity,
    verdict: Word,
    entries: &'a [EntryVerdict],
    evidence: Vec<Place<'a>>,
    reason: Option<&'a str>,
    fix: Option<&'a str>,
}

#[derive(Serialize)]
struct Place<'a> {
    path: Option<&'a str>,
    line: Option<u32>,
    found: &'a str,
    expected: Option<&'a str>,
    entry: Option<&'a str>,
}

struct Properties<'a>(&'a [Earned]);

#[derive(Serialize)]
struct Refusal<'a> {
    key: &'static str,
    value: Option<&'a str>,
    check: Option<&'static str>,
    reason: &'a str,
}

#[derive(Serialize)]
struct Failure<'a> {
    kind: ErrorKind,
    what: &'a str,
    path: Option<&'a str>,
    cause: Option<&'a str>,
    help: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn of(report: &'a Report) -> Self {
        let image = report.guest.as_ref().and_then(|guest| guest.image.known());
        let os = report.guest.as_ref().and_then(|guest| guest.os.known());
        Self {
            schema: SCHEMA,
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            profile: report.profile,
            image: Image {
                path: image.map_or(&report.path, |image| &image.path),
                format: image.map(|image| image.format.as_str()),
                virtual_size: image.and_then(|image| image.virtual_size.known().copied().flatten()),
            },
            os: os.map(Os::of),
            result: report.result,
            checks: report.checks.iter().map(CheckResult::of).collect(),
            properties: Properties(&report.earned),
            withheld: report.withheld.iter().map(Refusal::of).collect(),
            not_checked_yet: report.not_checked,
            error: report.error.as_ref().map(Failure::of),
            summary: report.summary(),
        }
    }
}

impl<'a> Refusal<'a> {
    fn of(withheld: &'a Withheld) -> Self {
        Self { key: withheld.key, value: withheld.value.as_deref(), check: withheld.check, reason: &withheld.reason }
    }
}

impl<'a> Os<'a> {
    fn of(os: &'a OsRelease) -> Self {
        Self {
            id: &os.id,
            version_id: os.version_id.as_deref(),
            pretty_name: os.pretty_name.as_deref(),
            architecture: os.architecture.known().map(String::as_str),
        }
    }
}

impl<'a> CheckResult<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            id: finding.id,
            severity: finding.severity,
            verdict: finding.verdict,
            entries: &finding.entries,
            evidence: finding.evidence.iter().map(Place::of).collect(),
            reason: finding.reason.as_deref(),
            fix: finding.fix.as_deref(),
        }
    }
}

impl<'a> Place<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        Self {
            path: evidence.path.as_deref(),
            line: evidence.line,
            found: &evidence.found,
            expected: evidence.expected.as_deref(),
            entry: evidence.entry.as_deref(),
        }
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for earned in self.0 {
            match earned.value.parse::<u64>().ok().filter(|_| earned.is_integer) {
                Some(number) => map.serialize_entry(earned.key, &number)?,
                None => map.serialize_entry(earned.key, &earned.value)?,
            }
        }
        map.end()
    }
}

impl<'a> Failure<'a> {
    fn of(error: &'a Error) -> Self {
        Self {
            kind: error.kind,
            what: &error.what,
            path: error.path.as_deref(),
            cause: error.cause.as_deref(),
            help: error.help.as_deref(),
        }
    }
}
