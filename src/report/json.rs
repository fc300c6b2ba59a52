//! `bootworthy.report/1`: its own structs, so that a change of the program is not a change of the format.

use super::{Format, Report, Style};
use crate::error::{Error, ErrorKind};
use crate::guest::{Guest, OsRelease};
use crate::verdict::{Assessment, Earned, EntryVerdict, Evidence, Finding, Severity, Verdict, Word};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// The `schema` of JSON reports.
const SCHEMA: &str = "bootworthy.report/1";

pub(super) const FORMAT: Format = Format { name: "json", render };

/// One object for one image, an array in order for several.
fn render(reports: &[Report], _: Style) -> String {
    let documents: Vec<Document<'_>> = reports.iter().map(Document::of).collect();
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
    profile: Option<&'static str>,
    image: Image<'a>,
    os: Option<Os<'a>>,
    result: &'static str,
    checks: Vec<CheckResult<'a>>,
    properties: Properties<'a>,
    withheld: Vec<Withheld<'a>>,
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
    reason: Option<String>,
    fix: Option<String>,
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
struct Withheld<'a> {
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

#[derive(Default, Serialize)]
struct Summary {
    pass: usize,
    fail: usize,
    warn: usize,
    note: usize,
    unknown: usize,
    #[serde(rename = "n/a")]
    not_applicable: usize,
}

impl<'a> Document<'a> {
    fn of(report: &'a Report) -> Self {
        let tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
        let empty = Self {
            schema: SCHEMA,
            tool,
            profile: None,
            image: Image { path: &report.name, format: None, virtual_size: None },
            os: None,
            result: "unknown",
            checks: Vec::new(),
            properties: Properties(&[]),
            withheld: Vec::new(),
            not_checked_yet: &[],
            error: None,
            summary: Summary::default(),
        };
        match &report.result {
            Err(error) => Self { error: Some(Failure::of(error)), ..empty },
            Ok((guest, assessment)) => empty.filled(guest, assessment),
        }
    }

    fn filled(self, guest: &'a Guest, assessment: &'a Assessment) -> Self {
        let image = guest.image.known();
        Self {
            profile: Some(assessment.profile),
            image: Image {
                path: image.map_or(self.image.path, |image| &image.path),
                format: image.map(|image| image.format.as_str()),
                virtual_size: image.and_then(|image| image.virtual_size.known().copied().flatten()),
            },
            os: guest.os.known().map(Os::of),
            result: result(assessment),
            checks: assessment.findings.iter().map(CheckResult::of).collect(),
            properties: Properties(&assessment.earned),
            withheld: assessment.withheld.iter().map(|withheld| Withheld {
                key: withheld.key,
                value: withheld.value.as_deref(),
                check: withheld.check,
                reason: &withheld.reason,
            }).collect(),
            not_checked_yet: &assessment.unjudged,
            summary: Summary::of(&assessment.findings),
            ..self
        }
    }
}

fn result(assessment: &Assessment) -> &'static str {
    match assessment.fitness {
        crate::verdict::Fitness::Fit => "fit",
        crate::verdict::Fitness::Unfit => "unfit",
        crate::verdict::Fitness::Unknown => "unknown",
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
        let judgement = &finding.judgement;
        let (evidence, reason, fix) = match &judgement.verdict {
            Verdict::Pass(proofs) => (proofs.iter().map(Place::of).collect(), None, None),
            Verdict::Fail(faults) => {
                let exact = faults.iter().find_map(|fault| fault.evidence.fix.clone());
                let places = faults.iter().map(|fault| Place::of(&fault.evidence)).collect();
                (places, None, Some(exact.unwrap_or_else(|| finding.check.fix.to_owned())))
            }
            Verdict::Unknown(gaps) => {
                let places = gaps.iter().map(Place::of_gap).collect();
                let reasons: Vec<&str> = gaps.iter().map(|gap| gap.reason.as_str()).collect();
                (places, Some(reasons.join("; ")), None)
            }
            Verdict::NotApplicable(reason) => (Vec::new(), Some(reason.clone()), None),
        };
        Self {
            id: finding.check.id,
            severity: finding.severity,
            verdict: judgement.verdict.word(),
            entries: &judgement.entries,
            evidence,
            reason,
            fix,
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

    fn of_gap(gap: &'a crate::fact::Gap) -> Self {
        Self { path: gap.path.as_deref(), line: None, found: &gap.reason, expected: None, entry: None }
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for earned in self.0 {
            match earned.value.parse::<u64>().ok().filter(|_| crate::manifest::is_integer(earned.key)) {
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

impl Summary {
    fn of(findings: &[Finding]) -> Self {
        let mut summary = Self::default();
        for finding in findings {
            let count = match (finding.judgement.verdict.word(), finding.severity) {
                (Word::Pass, _) => &mut summary.pass,
                (Word::NotApplicable, _) => &mut summary.not_applicable,
                (Word::Unknown, _) => &mut summary.unknown,
                (Word::Fail, Severity::Error) => &mut summary.fail,
                (Word::Fail, Severity::Warning) => &mut summary.warn,
                (Word::Fail, Severity::Note | Severity::Off) => &mut summary.note,
            };
            *count = count.saturating_add(1);
        }
        summary
    }
}
