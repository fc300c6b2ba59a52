//! `bootworthy.report/1`: one object for one image, an array in order for several.

use super::json_parts::{JsonError, one_or_all, quiet};
use super::{Format, Style};
use crate::guest::OsRelease;
use crate::verdict::profile::Severity;
use crate::verdict::property::Earned;
use crate::verdict::{
    About, Evidence, FeatureState, Finding, Ignore, Outcome, Packaged, Remark, Report, Subject, Summary, Word,
};
use serde::Serialize;
use serde_json::{Map, Value};

pub(super) const FORMAT: Format =
    Format { name: "json", summary: "bootworthy.report/1, for programs", write, is_appended: false };

pub(super) const LINES: Format = Format {
    name: "ndjson",
    summary: "bootworthy.report/1, one line per image",
    write: write_lines,
    is_appended: false,
};

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: &'static str,
    tool: Tool,
    profile: &'a str,
    config: Option<&'a str>,
    image: JsonImage<'a>,
    os: Option<Os<'a>>,
    result: Outcome,
    checks: Vec<JsonCheck<'a>>,
    properties: Map<String, Value>,
    earned: Vec<JsonEarned<'a>>,
    withheld: Vec<JsonWithheld<'a>>,
    boots: Vec<JsonBoot<'a>>,
    features: Vec<JsonFeature<'a>>,
    remarks: Vec<JsonRemark<'a>>,
    error: Option<JsonError<'a>>,
    summary: Summary,
}

/// `bootworthy.lint/1`: a manifest has findings alone.
#[derive(Serialize)]
struct JsonLint<'a> {
    schema: &'static str,
    tool: Tool,
    config: Option<&'a str>,
    manifest: JsonManifest<'a>,
    result: Outcome,
    checks: Vec<JsonCheck<'a>>,
    remarks: Vec<JsonRemark<'a>>,
    error: Option<JsonError<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct JsonManifest<'a> {
    path: &'a str,
    format: &'a str,
    images: usize,
}

/// One report, in the shape of its subject.
#[derive(Serialize)]
#[serde(untagged)]
enum Shape<'a> {
    Image(Box<JsonReport<'a>>),
    Manifest(Box<JsonLint<'a>>),
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct JsonImage<'a> {
    path: &'a str,
    format: Option<&'a str>,
    virtual_size: Option<u64>,
}

#[derive(Serialize)]
struct Os<'a> {
    id: &'a str,
    version_id: Option<&'a str>,
    version_codename: Option<&'a str>,
    pretty_name: Option<&'a str>,
    architecture: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonCheck<'a> {
    id: &'a str,
    severity: Severity,
    verdict: Word,
    /// What the paths are in.
    about: About,
    entries: Vec<JsonEntry<'a>>,
    evidence: Vec<JsonEvidence<'a>>,
    reason: Option<&'a str>,
    fix: Option<&'a str>,
    ignored: Option<JsonIgnored<'a>>,
}

/// Who accepts a finding, and why.
#[derive(Serialize)]
struct JsonIgnored<'a> {
    reason: Option<&'a str>,
    expires: Option<&'a str>,
    place: &'a str,
}

/// Something to say of the configuration.
#[derive(Serialize)]
struct JsonRemark<'a> {
    severity: Severity,
    check: &'a str,
    place: &'a str,
    text: String,
    fix: &'a str,
}

#[derive(Serialize)]
struct JsonEntry<'a> {
    entry: &'a str,
    verdict: Word,
}

#[derive(Serialize)]
struct JsonEvidence<'a> {
    path: Option<&'a str>,
    line: Option<u32>,
    /// In characters, from 1; of a manifest alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    found: &'a str,
    expected: Option<&'a str>,
    entry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a Packaged>,
}

/// A property with the checks that prove it.
#[derive(Serialize)]
struct JsonEarned<'a> {
    key: &'a str,
    value: Value,
    checks: &'a [&'a str],
}

/// Whether it boots on a bus.
#[derive(Serialize)]
struct JsonBoot<'a> {
    bus: &'a str,
    verdict: Word,
}

/// A required feature, with its checks that did not pass.
#[derive(Serialize)]
struct JsonFeature<'a> {
    name: &'a str,
    missing: &'a [&'a str],
}

#[derive(Serialize)]
struct JsonWithheld<'a> {
    key: &'a str,
    value: Option<&'a str>,
    check: Option<&'a str>,
    reason: &'a str,
}

fn write(reports: &[Report], _: Style) -> String {
    let shapes: Vec<Shape<'_>> = reports.iter().map(shape).collect();
    one_or_all(&shapes)
}

/// A line per image or manifest, always, so that a stream of many can be read as it comes.
fn write_lines(reports: &[Report], _: Style) -> String {
    let line = |report| quiet(&serde_json::to_string(&shape(report)).unwrap_or_default()) + "\n";
    reports.iter().map(line).collect()
}

const TOOL: Tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

fn manifest(report: &Report) -> Option<JsonLint<'_>> {
    let Subject::Manifest { format, images } = report.subject else { return None };
    Some(JsonLint {
        schema: "bootworthy.lint/1",
        tool: TOOL,
        config: report.config.as_deref(),
        manifest: JsonManifest { path: &report.path, format, images },
        result: report.result,
        checks: report.checks.iter().map(check).collect(),
        remarks: report.remarks.iter().map(remark).collect(),
        error: report.error.as_ref().map(JsonError::from),
        summary: report.summary(),
    })
}

fn shape(report: &Report) -> Shape<'_> {
    match manifest(report) {
        Some(manifest) => Shape::Manifest(Box::new(manifest)),
        None => Shape::Image(Box::new(image(report))),
    }
}

fn image(report: &Report) -> JsonReport<'_> {
    let guest = report.guest.as_ref();
    let image = guest.and_then(|guest| guest.image.known());
    JsonReport {
        schema: "bootworthy.report/1",
        tool: TOOL,
        profile: report.profile,
        config: report.config.as_deref(),
        image: JsonImage {
            path: &report.path,
            format: image.map(|image| image.format.as_str()),
            virtual_size: image.and_then(|image| *image.virtual_size.known()?),
        },
        os: guest.and_then(|guest| guest.os.known()).map(os),
        result: report.result,
        checks: report.checks.iter().map(check).collect(),
        properties: properties(report),
        earned: report.earned.iter().map(earned).collect(),
        withheld: report
            .withheld
            .iter()
            .map(|withheld| JsonWithheld {
                key: withheld.key,
                value: withheld.value.as_deref(),
                check: withheld.check,
                reason: &withheld.reason,
            })
            .collect(),
        boots: report.buses.iter().map(|bus| JsonBoot { bus: bus.name, verdict: bus.boots }).collect(),
        features: report.features.iter().map(feature).collect(),
        remarks: report.remarks.iter().map(remark).collect(),
        error: report.error.as_ref().map(JsonError::from),
        summary: report.summary(),
    }
}

fn os(os: &OsRelease) -> Os<'_> {
    Os {
        id: &os.id,
        version_id: os.version_id.as_deref(),
        version_codename: os.version_codename.as_deref(),
        pretty_name: os.pretty_name.as_deref(),
        architecture: os.architecture.known().map(String::as_str),
    }
}

fn check(finding: &Finding) -> JsonCheck<'_> {
    JsonCheck {
        id: finding.id,
        severity: finding.severity,
        verdict: finding.verdict,
        about: finding.about,
        entries: finding
            .entries
            .iter()
            .map(|entry| JsonEntry { entry: &entry.entry, verdict: entry.verdict })
            .collect(),
        evidence: finding.evidence.iter().chain(&finding.notes).map(|row| evidence(row, finding.about)).collect(),
        reason: finding.reason.as_deref(),
        fix: finding.fix.as_deref(),
        ignored: finding.ignored.as_ref().map(ignored),
    }
}

fn ignored(ignore: &Ignore) -> JsonIgnored<'_> {
    JsonIgnored { reason: ignore.reason.as_deref(), expires: ignore.expires.as_deref(), place: &ignore.place }
}

fn remark(remark: &Remark) -> JsonRemark<'_> {
    JsonRemark {
        severity: remark.severity,
        check: &remark.check,
        place: &remark.place,
        text: format!("{}: {}", remark.title, remark.text),
        fix: remark.fix,
    }
}

fn evidence(evidence: &Evidence, about: About) -> JsonEvidence<'_> {
    JsonEvidence {
        path: evidence.path.as_deref(),
        line: evidence.line,
        column: evidence.column().filter(|_| about == About::Manifest),
        found: &evidence.found,
        expected: evidence.expected.as_deref(),
        entry: evidence.entry.as_deref(),
        package: evidence.package.as_ref(),
    }
}

fn properties(report: &Report) -> Map<String, Value> {
    report.earned.iter().map(|earned| (earned.key.to_owned(), value(earned))).collect()
}

fn earned(earned: &Earned) -> JsonEarned<'_> {
    JsonEarned { key: earned.key, value: value(earned), checks: earned.evidence }
}

/// A string, but a number where Glance takes a number.
fn value(earned: &Earned) -> Value {
    match earned.value.parse::<u64>() {
        Ok(number) if earned.is_integer => Value::from(number),
        _ => Value::from(earned.value.as_str()),
    }
}

fn feature(feature: &FeatureState) -> JsonFeature<'_> {
    JsonFeature { name: feature.name, missing: &feature.missing }
}
