//! One finding: the fact, the place, the line as it stands, the consequence, the command that mends it.

use super::super::escape;
use super::super::style::{Paint, Style};
use super::super::Verbosity;
use crate::verdict::profile::Severity;
use crate::verdict::{Evidence, Finding, Report, Word};

/// Places printed of one finding; the rest is counted.
const MOST_PLACES: usize = 8;

/// Errors first, then what could not be judged, then warnings; notes and passes only when asked for.
pub(super) fn all(report: &Report, style: Style) -> String {
    let is_verbose = style.verbosity == Verbosity::Verbose;
    let least = if is_verbose { Severity::Note } else { Severity::Warning };
    let mut bad: Vec<&Finding> = report.checks.iter().filter(|finding| is_bad(finding, least)).collect();
    bad.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.verdict)));
    let mut text: String = bad.into_iter().map(|finding| one(finding, style)).collect();
    if is_verbose {
        text += &report.checks.iter().map(|finding| good(finding, style)).collect::<String>();
    }
    text
}

/// The heaviest finding that does not pass.
pub(super) fn first_failing(report: &Report) -> Option<&'static str> {
    let mut bad = report.checks.iter().filter(|finding| is_bad(finding, Severity::Warning));
    let first = bad.clone().find(|finding| finding.severity == Severity::Error && finding.verdict == Word::Fail);
    first.or_else(|| bad.next()).map(|finding| finding.id)
}

fn is_bad(finding: &Finding, least: Severity) -> bool {
    finding.severity >= least && matches!(finding.verdict, Word::Fail | Word::Unknown)
}

fn title(finding: &Finding, style: Style) -> String {
    let (word, paint) = match (finding.verdict, finding.severity) {
        (Word::Unknown, _) => ("unknown", Paint::Yellow),
        (_, Severity::Error) => ("error", Paint::Red),
        (_, Severity::Warning) => ("warning", Paint::Yellow),
        _ => ("note", Paint::Blue),
    };
    style.paint(paint, &format!("{word}[{}]", finding.id))
}

fn one(finding: &Finding, style: Style) -> String {
    let condition = if finding.verdict == Word::Unknown { "could not be judged: " } else { "" };
    let mut text = format!("\n{}: {condition}{}\n", title(finding, style), finding.title);
    for place in finding.evidence.iter().take(MOST_PLACES) {
        text += &at(place, style);
    }
    if let Some(more) = finding.evidence.len().checked_sub(MOST_PLACES).filter(|more| *more > 0) {
        text += &format!("   |  … and {more} more\n");
    }
    text += &format!("   = why: {}\n", finding.why);
    for fix in finding.fix.iter().flat_map(|fix| fix.lines()) {
        text += &format!("   = fix: {}\n", escape::line(fix));
    }
    text + &notes(finding)
}

fn notes(finding: &Finding) -> String {
    finding.notes.iter().map(|note| format!("   = note: {}\n", escape::line(&note.found))).collect()
}

/// The place, the line as it stands with the meant part underlined, and what was found.
fn at(place: &Evidence, style: Style) -> String {
    let mut text = String::new();
    if let Some(path) = &place.path {
        let line = place.line.map(|line| format!(":{line}")).unwrap_or_default();
        text += &format!("  --> {}{line}\n", escape::line(path));
    }
    let entry = place.entry.as_ref().map(|entry| format!(" (boot entry {})", escape::line(entry))).unwrap_or_default();
    let expected = place.expected.as_ref().map(|expected| format!(", expected {}", escape::line(expected)));
    let found = escape::line(&place.found) + &expected.unwrap_or_default() + &entry;
    match (&place.text, place.line) {
        (Some(line), Some(number)) => text += &underlined(line, place.mark.as_deref(), number, &found, style),
        _ => text += &format!("   |  {found}\n"),
    }
    text
}

fn underlined(line: &str, mark: Option<&str>, number: u32, found: &str, style: Style) -> String {
    let shown = escape::line(line);
    let mark = mark.map(escape::line).filter(|mark| !mark.is_empty());
    let place = mark.as_ref().and_then(|mark| Some((shown.find(mark.as_str())?, mark)));
    let mut text = format!("{number:>3} |  {shown}\n");
    let pointer = place.and_then(|(at, mark)| {
        let before = shown.get(..at)?.chars().count();
        Some(" ".repeat(before) + &style.paint(Paint::Red, &"^".repeat(mark.chars().count())) + " ")
    });
    text += &format!("    |  {}{found}\n", pointer.unwrap_or_default());
    text
}

fn good(finding: &Finding, style: Style) -> String {
    let word = |paint, word: &str| style.paint(paint, &format!("{word}[{}]", finding.id));
    match finding.verdict {
        Word::Pass => {
            let mut text = format!("\n{}: {}\n", word(Paint::Green, "pass"), finding.title);
            for proof in finding.evidence.iter().take(MOST_PLACES) {
                text += &at(&Evidence { text: None, ..proof.clone() }, style);
            }
            text + &notes(finding)
        }
        Word::NotApplicable => {
            let reason = finding.reason.as_deref().unwrap_or_default();
            format!("\n{}: {}\n", word(Paint::Dim, "n/a"), escape::line(reason))
        }
        Word::Fail | Word::Unknown => String::new(),
    }
}
