//! The report for people: what the image is, what to change first, what it has earned, one closing line.

mod finding;
mod head;

use super::escape;
use super::style::Paint;
use super::{Format, Report, Style, Verbosity};
use crate::error::Error;
use crate::guest::Guest;
use crate::verdict::{Assessment, Earned, Fitness, Severity, Withheld, Word};

pub(super) const FORMAT: Format = Format { name: "text", render };

fn render(reports: &[Report], style: Style) -> String {
    let texts: Vec<String> = reports.iter().map(|report| one(report, style)).collect();
    let blank = if style.verbosity == Verbosity::Quiet { "" } else { "\n" };
    texts.join(blank)
}

fn one(report: &Report, style: Style) -> String {
    match &report.result {
        Err(error) => unread(&report.name, error, style),
        Ok((_, assessment)) if style.verbosity == Verbosity::Quiet => {
            format!("{}: {}\n", escape::line(&report.name), closing(assessment, style))
        }
        Ok((guest, assessment)) => whole(guest, assessment, style),
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

fn whole(guest: &Guest, assessment: &Assessment, style: Style) -> String {
    let mut text = head::line(guest, style);
    text += &head::boot_table(guest, style);
    text += &counts(assessment, style);
    text += &finding::all(assessment, style);
    text += &properties(assessment, style);
    text += &format!("\n{}\n", closing(assessment, style));
    if !assessment.unjudged.is_empty() {
        text += &format!("not checked yet: {}\n", assessment.unjudged.join(", "));
    }
    if let Some(id) = finding::first_failing(assessment) {
        text += &style.paint(Paint::Dim, &format!("bootworthy explain {id} tells more"));
        text.push('\n');
    }
    text
}

/// How many findings have this word and severity.
fn count(assessment: &Assessment, word: Word, severity: Option<Severity>) -> usize {
    let is_it = |finding: &&crate::verdict::Finding| {
        finding.judgement.verdict.word() == word && severity.is_none_or(|severity| finding.severity == severity)
    };
    assessment.findings.iter().filter(is_it).count()
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn counts(assessment: &Assessment, style: Style) -> String {
    let failed = |severity| count(assessment, Word::Fail, Some(severity));
    let passed = plural(count(assessment, Word::Pass, None), "check") + " passed";
    let mut parts = vec![style.paint(Paint::Green, "✓") + " " + &passed];
    for (number, paint, sign, noun) in
        [(failed(Severity::Error), Paint::Red, "✗", "error"), (failed(Severity::Warning), Paint::Yellow, "!", "warning")]
    {
        if number > 0 {
            parts.push(style.paint(paint, sign) + " " + &plural(number, noun));
        }
    }
    let unknown = count(assessment, Word::Unknown, None);
    if unknown > 0 {
        parts.push(format!("{} {unknown} unknown", style.paint(Paint::Yellow, "?")));
    }
    let not_applicable = count(assessment, Word::NotApplicable, None);
    if not_applicable > 0 {
        parts.push(format!("– {not_applicable} not applicable"));
    }
    let notes = failed(Severity::Note);
    if notes > 0 && style.verbosity != Verbosity::Verbose {
        parts.push(format!("({}: -v)", plural(notes, "note")));
    }
    format!("  {}\n", parts.join("   "))
}

fn properties(assessment: &Assessment, style: Style) -> String {
    let mut text = String::new();
    if !assessment.earned.is_empty() {
        text += &format!("\n{}\n", style.paint(Paint::Bold, "properties earned"));
        let words: Vec<String> = assessment.earned.iter().map(pair).collect();
        text += &style.fold(&words, "  ");
    }
    if !assessment.withheld.is_empty() {
        text += &format!("\n{}\n", style.paint(Paint::Bold, "withheld"));
        text += &assessment.withheld.iter().map(withheld).collect::<String>();
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
fn closing(assessment: &Assessment, style: Style) -> String {
    let boots: Vec<String> = assessment.boots.iter().map(|(bus, word)| format!("{bus}: {word}")).collect();
    let features = match assessment.missing_features.as_slice() {
        [] => "required features: none missing".to_owned(),
        missing => format!("required features missing: {}", missing.join(", ")),
    };
    let failed = |severity| count(assessment, Word::Fail, Some(severity));
    let numbers = [
        (failed(Severity::Error), "error"),
        (failed(Severity::Warning), "warning"),
    ];
    let mut parts: Vec<String> =
        numbers.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| plural(*number, noun)).collect();
    let unknown = count(assessment, Word::Unknown, None);
    if unknown > 0 {
        parts.push(format!("{unknown} unknown"));
    }
    parts.push(format!("{} passed", count(assessment, Word::Pass, None)));
    let result = match assessment.fitness {
        Fitness::Fit => style.paint(Paint::Green, "fit"),
        Fitness::Unfit => style.paint(Paint::Red, "unfit"),
        Fitness::Unknown => style.paint(Paint::Yellow, "unknown"),
    };
    format!("boots on {} · {features} · {result} (profile {}): {}", boots.join(", "), assessment.profile, parts.join(", "))
}
