//! The report for people: what the image is, what to change first, what it has earned, one closing line.

mod finding;
mod head;

use super::escape;
use super::style::Paint;
use super::{Format, Style, Verbosity};
use crate::error::Error;
use crate::guest::Guest;
use crate::verdict::profile::Severity;
use crate::verdict::property::{Earned, Withheld};
use crate::verdict::{BusState, FeatureState, Finding, Outcome, Report, Word};

pub(super) const FORMAT: Format = Format { name: "text", render };

fn render(reports: &[&Report], style: Style) -> String {
    let texts: Vec<String> = reports.iter().map(|report| one(report, style)).collect();
    texts.join(if style.verbosity == Verbosity::Quiet { "" } else { "\n" })
}

fn one(report: &Report, style: Style) -> String {
    match (&report.error, &report.guest) {
        (Some(error), _) => unread(&report.path, error, style),
        (None, Some(guest)) if style.verbosity != Verbosity::Quiet => whole(guest, report, style),
        _ => format!("{}: {}\n", escape::line(&report.path), closing(report, style)),
    }
}

fn unread(name: &str, error: &Error, style: Style) -> String {
    // The place stands in the message already when it is the image itself.
    let place = if error.path.as_deref() == Some(name) { String::new() } else { format!("{}: ", escape::line(name)) };
    let mut text = format!("{} {place}{}\n", style.paint(Paint::Red, "error:"), escape::line(&error.to_string()));
    for (key, value) in [("why", &error.why), ("help", &error.help)] {
        if let Some(value) = value {
            text += &format!("  = {key}: {}\n", escape::line(value));
        }
    }
    text
}

fn whole(guest: &Guest, report: &Report, style: Style) -> String {
    let mut text = head::line(guest, style);
    text += &head::boot_table(&report.table, style);
    text += &counts(report, style);
    text += &finding::all(report, style);
    text += &properties(report, style);
    text += &format!("\n{}\n", closing(report, style));
    if !report.not_checked.is_empty() {
        let names: Vec<String> = report.not_checked.iter().map(|name| (*name).to_owned()).collect();
        text += &style.paint(Paint::Dim, "not checked yet:");
        text += &style.fold(&names, "  ").replacen("  ", " ", 1);
    }
    if let Some(id) = finding::first_failing(report) {
        text += &style.paint(Paint::Dim, &format!("bootworthy explain {id} tells more"));
        text.push('\n');
    }
    text
}

/// How many findings have this word and severity.
fn count(report: &Report, word: Word, severity: Severity) -> usize {
    let is_it = |finding: &&Finding| finding.verdict == word && finding.severity == severity;
    report.checks.iter().filter(is_it).count()
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn counts(report: &Report, style: Style) -> String {
    let summary = report.summary();
    let mut parts = vec![style.paint(Paint::Green, "✓") + " " + &plural(summary.pass, "check") + " passed"];
    let warnings = count(report, Word::Fail, Severity::Warning);
    for (number, paint, sign, noun) in
        [(summary.fail, Paint::Red, "✗", "error"), (warnings, Paint::Yellow, "!", "warning")]
    {
        if number > 0 {
            parts.push(style.paint(paint, sign) + " " + &plural(number, noun));
        }
    }
    if summary.unknown > 0 {
        parts.push(format!("{} {} unknown", style.paint(Paint::Yellow, "?"), summary.unknown));
    }
    if summary.not_applicable > 0 {
        parts.push(format!("– {} not applicable", summary.not_applicable));
    }
    let notes = count(report, Word::Fail, Severity::Note);
    if notes > 0 && style.verbosity != Verbosity::Verbose {
        parts.push(format!("({}: -v)", plural(notes, "note")));
    }
    format!("  {}\n", parts.join("   "))
}

fn properties(report: &Report, style: Style) -> String {
    let mut text = String::new();
    if !report.earned.is_empty() {
        text += &format!("\n{}\n", style.paint(Paint::Bold, "properties earned"));
        let words: Vec<String> = report.earned.iter().map(pair).collect();
        text += &style.fold(&words, "  ");
    }
    if !report.withheld.is_empty() {
        text += &format!("\n{}\n", style.paint(Paint::Bold, "withheld"));
        text += &report.withheld.iter().map(withheld).collect::<String>();
    }
    text
}

fn pair(earned: &Earned) -> String {
    format!("{}={}", earned.key, escape::line(&earned.value))
}

fn withheld(withheld: &Withheld) -> String {
    let value = withheld.value.as_ref().map(|value| format!("={}", escape::line(value))).unwrap_or_default();
    let check = withheld.check.map(|check| format!(" ({check})")).unwrap_or_default();
    format!("  {}{value}: {}{check}\n", withheld.key, escape::line(&withheld.reason))
}

/// Three parts: boots (on which bus) · required features missing · result.
fn closing(report: &Report, style: Style) -> String {
    let summary = report.summary();
    let warnings = count(report, Word::Fail, Severity::Warning);
    let numbers = [(summary.fail, "error"), (warnings, "warning")];
    let mut parts: Vec<String> =
        numbers.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| plural(*number, noun)).collect();
    if summary.unknown > 0 {
        parts.push(format!("{} unknown", summary.unknown));
    }
    parts.push(format!("{} passed", summary.pass));
    let result = match report.result {
        Outcome::Fit => style.paint(Paint::Green, "fit"),
        Outcome::Unfit => style.paint(Paint::Red, "unfit"),
        Outcome::Unknown => style.paint(Paint::Yellow, "unknown"),
    };
    let boots: Vec<String> = report.buses.iter().map(bus).collect();
    let boots = boots.join(", ");
    format!("boots on {boots} · {} · {result} (profile {}): {}", features(&report.features), report.profile, parts.join(", "))
}

fn bus(bus: &BusState) -> String {
    let word = match bus.boots {
        Word::Pass | Word::NotApplicable if bus.is_hampered => "yes, but fstab",
        Word::Pass | Word::NotApplicable => "yes",
        Word::Fail => "no",
        Word::Unknown => "unknown",
    };
    format!("{}: {word}", bus.name)
}

/// What is missing; a feature of which nothing is missing but something is not checked yet is not said to be there.
fn features(features: &[FeatureState]) -> String {
    let names = |of: fn(&FeatureState) -> bool| -> Vec<&str> {
        features.iter().filter(|feature| of(feature)).map(|feature| feature.name).collect()
    };
    let missing = names(|feature| !feature.missing.is_empty());
    let partly = names(|feature| feature.missing.is_empty() && !feature.coming.is_empty());
    let mut text = match (missing.as_slice(), features) {
        (_, []) => "no features required".to_owned(),
        ([], _) if partly.is_empty() => "required features: all there".to_owned(),
        ([], _) => "required features: none missing".to_owned(),
        (missing, _) => format!("required features missing: {}", missing.join(", ")),
    };
    if !partly.is_empty() {
        text += &format!(" ({} checked in part)", partly.join(", "));
    }
    text
}
