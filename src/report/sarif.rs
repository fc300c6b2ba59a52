//! SARIF 2.1.0 (OASIS, errata 01): one run, a rule per check, a result per check that failed or is unknown.

use super::issue::{Issue, Place, fingerprints, issues};
use super::{Format, Style, escape};
use crate::verdict::check::{CHECKS, Check, DEMAND, INSPECTED};
use crate::verdict::profile::{PROFILES, Severity, severity};
use crate::verdict::{Report, Weight, exit_code};
use serde_json::{Value, json};

pub(super) const FORMAT: Format =
    Format { name: "sarif", summary: "SARIF 2.1.0, for code scanning", write, is_appended: false };

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

fn write(reports: &[Report], _: Style) -> String {
    let rules = rules(reports);
    let mut results = Vec::new();
    for (report, prints) in reports.iter().zip(fingerprints(reports)) {
        let rows = issues(report).into_iter().zip(prints);
        results.extend(rows.map(|(issue, print)| result(report, &issue, &print, &rules)));
    }
    let errors = reports.iter().filter(|report| report.error.is_some());
    let notifications: Vec<Value> =
        errors.flat_map(|report| issues(report).into_iter().map(notification(report))).collect();
    let sarif = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(Rule::shape).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": notifications.is_empty(),
                "exitCode": exit_code(reports.iter().map(|report| report.result)),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    // A value can always be written.
    super::json_parts::pretty(&sarif)
}

/// What the results refer to; a lint rule or a proof has no page of its own.
#[derive(Debug)]
struct Rule<'a> {
    id: &'a str,
    summary: &'a str,
    why: &'a str,
    check: Option<&'static Check>,
}

/// Every check, then what else the reports speak of.
fn rules(reports: &[Report]) -> Vec<Rule<'_>> {
    let known = CHECKS.iter().chain([&DEMAND, &INSPECTED]);
    let rule =
        |check: &'static Check| Rule { id: check.id, summary: check.summary, why: check.why, check: Some(check) };
    let mut rules: Vec<Rule<'_>> = known.map(rule).collect();
    for finding in reports.iter().flat_map(|report| &report.checks) {
        if !rules.iter().any(|rule| rule.id == finding.id) {
            rules.push(Rule { id: finding.id, summary: finding.title, why: finding.why, check: None });
        }
    }
    rules
}

impl Rule<'_> {
    fn shape(&self) -> Value {
        let mut rule = json!({
            "id": self.id,
            "shortDescription": { "text": plain(self.summary) },
            "fullDescription": { "text": plain(self.why) },
        });
        if let (Some(check), Some(rule)) = (self.check, rule.as_object_mut()) {
            // Only what is a check of facts has a severity by profile.
            let default = PROFILES.first().filter(|_| CHECKS.iter().any(|known| known.id == check.id));
            let level =
                default.map_or(Severity::Error, |profile| severity(profile, check.id, Weight::Full, &|_| false));
            let help = format!("Detected by: {}\n\nFix: {}", check.detects, check.fix);
            rule.insert("help".to_owned(), json!({ "text": plain_lines(&help) }));
            rule.insert("defaultConfiguration".to_owned(), json!({ "level": word(level) }));
            rule.insert("properties".to_owned(), json!({ "tags": ["openstack"], "source": check.source }));
        }
        rule
    }
}

fn result(report: &Report, issue: &Issue<'_>, fingerprint: &str, rules: &[Rule<'_>]) -> Value {
    json!({
        "ruleId": issue.id,
        "ruleIndex": rules.iter().position(|rule| rule.id == issue.id),
        // An unknown is `open` in SARIF's words, but those have no level (§3.27.10) and nobody would see them.
        "kind": "fail",
        "level": word(issue.level),
        "message": { "text": message(issue) },
        "locations": locations(report, issue),
        // The second name is the only one that GitHub's code scanning reads.
        "partialFingerprints": {
            "bootworthy/v1": fingerprint,
            "primaryLocationLineHash": format!("{fingerprint}:1"),
        },
        "properties": { "verdict": issue.word, "profile": report.profile, "fix": issue.fix },
    })
}

fn notification(report: &Report) -> impl Fn(Issue<'_>) -> Value {
    move |issue| {
        json!({
            "level": "error",
            "message": { "text": message(&issue) },
            "locations": locations(report, &issue),
        })
    }
}

fn message(issue: &Issue<'_>) -> String {
    let mut lines: Vec<String> = issue.lines().iter().map(|line| plain(line)).collect();
    lines.push(format!("why: {}", plain(issue.why)));
    lines.extend(issue.fix.iter().flat_map(|fix| fix.lines()).map(|fix| format!("fix: {}", plain(fix))));
    lines.join("\n")
}

fn locations(report: &Report, issue: &Issue<'_>) -> Vec<Value> {
    let places = issue.places.iter().map(|place| location(report, Some(place)));
    if issue.places.is_empty() { vec![location(report, None)] } else { places.collect() }
}

/// The image as the artifact and the path inside it as the logical location; or the manifest and its line.
fn location(report: &Report, place: Option<&Place<'_>>) -> Value {
    let own = place.filter(|place| place.is_outside());
    let file = own.and_then(Place::file);
    // Code scanning wants a line for everything.
    let mut region = json!({ "startLine": own.and_then(|place| place.line).unwrap_or(1) });
    if let (Some(column), Some(region)) = (own.and_then(|place| place.column), region.as_object_mut()) {
        region.insert("startColumn".to_owned(), json!(column));
    }
    let mut location = json!({
        "physicalLocation": { "artifactLocation": { "uri": uri(file.unwrap_or(&report.path)) }, "region": region },
    });
    if let (Some(place), Some(location)) = (place, location.as_object_mut()) {
        location.insert("message".to_owned(), json!({ "text": plain(&place.text) }));
        if let Some(path) = place.path.filter(|_| file.is_none()) {
            let mut logical = json!({ "fullyQualifiedName": escape(path), "kind": "file" });
            if let (Some(line), Some(logical)) = (place.line, logical.as_object_mut()) {
                logical.insert("properties".to_owned(), json!({ "line": line }));
            }
            location.insert("logicalLocations".to_owned(), json!([logical]));
        }
    }
    location
}

fn word(level: Severity) -> &'static str {
    match level {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
        Severity::Off => "none",
    }
}

/// Text for a plain text message: brackets would make a link (§3.11.6), braces a placeholder (§3.11.5).
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in escape(text).chars() {
        match character {
            '\\' | '[' | ']' => plain.extend(['\\', character]),
            '{' | '}' => plain.extend([character, character]),
            _ => plain.push(character),
        }
    }
    plain
}

fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

/// A path as the user wrote it → a URI reference (RFC 3986), relative where the path is.
fn uri(path: &str) -> String {
    let encoded: String = path.bytes().map(encoded).collect();
    if path.starts_with('/') { format!("file://{encoded}") } else { encoded }
}

/// Unreserved characters and `/` as they are; a colon too would be taken for a scheme's end.
fn encoded(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        for (path, expected) in [
            ("images/debian 13.qcow2", "images/debian%2013.qcow2"),
            ("/srv/a.raw", "file:///srv/a.raw"),
            ("../a.raw", "../a.raw"),
            ("c:a#b?c%d", "c%3Aa%23b%3Fc%25d"),
            ("caf\u{e9}\\xff", "caf%C3%A9%5Cxff"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }

    #[test]
    fn messages_hold_neither_links_nor_placeholders() {
        for (text, expected) in [
            ("[click](https://example.org)", "\\[click\\](https://example.org)"),
            ("{0} \\[x", "{{0}} \\\\\\[x"),
            ("a\nb", "a\\\\u{{a}}b"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }
}
