//! One finding: the fact, the place, the line as it stands, the consequence, the command that mends it.

use super::super::escape;
use super::super::style::{Paint, Style};
use super::super::Verbosity;
use crate::fact::Gap;
use crate::verdict::{Assessment, Evidence, Finding, Severity, Verdict};

/// Places printed of one finding; the rest is counted.
const MOST_PLACES: usize = 8;

/// Errors first, then what could not be judged, then warnings; notes and passes only when asked for.
pub(super) fn all(assessment: &Assessment, style: Style) -> String {
    let mut text = String::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        if severity == Severity::Note && style.verbosity != Verbosity::Verbose {
            continue;
        }
        let of = |finding: &&Finding| finding.severity == severity;
        for finding in assessment.findings.iter().filter(of) {
            text += &bad(finding, style);
        }
    }
    if style.verbosity == Verbosity::Verbose {
        text += &assessment.findings.iter().map(|finding| good(finding, style)).collect::<String>();
    }
    text
}

/// The heaviest finding that does not pass.
pub(super) fn first_failing(assessment: &Assessment) -> Option<&'static str> {
    let counts = |finding: &&Finding| {
        finding.severity >= Severity::Warning && matches!(finding.judgement.verdict, Verdict::Fail(_) | Verdict::Unknown(_))
    };
    let failing = assessment.findings.iter().filter(counts);
    failing.max_by_key(|finding| (finding.severity, std::cmp::Reverse(finding.check.id))).map(|finding| finding.check.id)
}

fn bad(finding: &Finding, style: Style) -> String {
    match &finding.judgement.verdict {
        Verdict::Fail(faults) => {
            let places: Vec<&Evidence> = faults.iter().map(|fault| &fault.evidence).collect();
            failed(finding, &places, style)
        }
        Verdict::Unknown(gaps) => unknown(finding, gaps, style),
        Verdict::Pass(_) | Verdict::NotApplicable(_) => String::new(),
    }
}

fn title(finding: &Finding, style: Style) -> String {
    let (word, paint) = match (&finding.judgement.verdict, finding.severity) {
        (Verdict::Unknown(_), _) => ("unknown", Paint::Yellow),
        (_, Severity::Error) => ("error", Paint::Red),
        (_, Severity::Warning) => ("warning", Paint::Yellow),
        _ => ("note", Paint::Blue),
    };
    style.paint(paint, &format!("{word}[{}]", finding.check.id))
}

fn failed(finding: &Finding, places: &[&Evidence], style: Style) -> String {
    let mut text = format!("\n{}: not so: {}\n", title(finding, style), finding.check.summary);
    for place in places.iter().take(MOST_PLACES) {
        text += &at(place, style);
    }
    if let Some(more) = places.len().checked_sub(MOST_PLACES).filter(|more| *more > 0) {
        text += &format!("   |  … and {more} more\n");
    }
    text += &format!("   = why: {}\n", finding.check.why);
    let mut fixes: Vec<&str> = places.iter().filter_map(|place| place.fix.as_deref()).take(MOST_PLACES).collect();
    fixes.dedup();
    if fixes.is_empty() {
        fixes.push(finding.check.fix);
    }
    for fix in fixes {
        text += &format!("   = fix: {}\n", escape::line(fix));
    }
    text
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

fn unknown(finding: &Finding, gaps: &[Gap], style: Style) -> String {
    let mut text = format!("\n{}: could not be judged: {}\n", title(finding, style), finding.check.summary);
    for gap in gaps.iter().take(MOST_PLACES) {
        if let Some(path) = &gap.path {
            text += &format!("  --> {}\n", escape::line(path));
        }
        text += &format!("   |  {}\n", escape::line(&gap.reason));
    }
    if let Some(more) = gaps.len().checked_sub(MOST_PLACES).filter(|more| *more > 0) {
        text += &format!("   |  … and {more} more\n");
    }
    text + &format!("   = why: {}\n", finding.check.why)
}

fn good(finding: &Finding, style: Style) -> String {
    let word = |paint, word: &str| style.paint(paint, &format!("{word}[{}]", finding.check.id));
    let notes = finding.judgement.notes.iter().map(|note| format!("   = note: {}\n", escape::line(&note.found)));
    match &finding.judgement.verdict {
        Verdict::Pass(proofs) => {
            let mut text = format!("\n{}: {}\n", word(Paint::Green, "pass"), finding.check.summary);
            for proof in proofs.iter().take(MOST_PLACES) {
                text += &at(&Evidence { text: None, ..proof.clone() }, style);
            }
            text + &notes.collect::<String>()
        }
        Verdict::NotApplicable(reason) => {
            format!("\n{}: {}\n", word(Paint::Dim, "n/a"), escape::line(reason))
        }
        Verdict::Fail(_) | Verdict::Unknown(_) => String::new(),
    }
}
