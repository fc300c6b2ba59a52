//! The report for people: what to change comes first, one screen where there is nothing to change.

mod header;
mod ignored;
pub(super) mod paint;

use super::{Format, Style, Verbosity, escape};
use crate::error::Error;
use crate::verdict::profile::Severity;
use crate::verdict::{About, Evidence, Finding, Outcome, Report, Subject, Word};
use paint::{Colour, Page};

pub(super) const FORMAT: Format = Format { name: "text", summary: "for people", write, is_appended: false };

/// Places told of one finding; the JSON has all of them.
const MAX_PLACES: usize = 20;

fn write(reports: &[Report], style: Style) -> String {
    let mut page = Page::new(style);
    for (index, report) in reports.iter().enumerate() {
        if index > 0 && style.verbosity != Verbosity::Quiet {
            page.line("");
        }
        write_report(&mut page, report, style.verbosity);
    }
    page.finish()
}

fn write_report(page: &mut Page, report: &Report, verbosity: Verbosity) {
    if let Some(error) = &report.error {
        write_error(page, report, error);
        if verbosity != Verbosity::Quiet {
            write_findings(page, report, verbosity);
        }
        return;
    }
    if let Subject::Manifest { format, images } = report.subject {
        return write_manifest(page, report, (format, images), verbosity);
    }
    if verbosity != Verbosity::Quiet {
        header::write(page, report);
        write_findings(page, report, verbosity);
        ignored::write(page, report, verbosity);
        write_properties(page, report);
    }
    write_closing(page, report, verbosity);
}

/// A manifest has findings alone; its notes are told as well, for nothing else is.
fn write_manifest(page: &mut Page, report: &Report, (format, images): (&str, usize), verbosity: Verbosity) {
    let images = format!("{images} {}", if images == 1 { "image" } else { "images" });
    if verbosity != Verbosity::Quiet {
        page.line(&format!("{}  {format} · {images}", escape(&report.path)));
        write_findings(page, report, Verbosity::Verbose);
        ignored::write(page, report, verbosity);
        page.line("");
    }
    let count = |severity| report.checks.iter().filter(|finding| finding.severity == severity).count();
    let parts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counted = parts.map(|(severity, word)| (count(severity), word)).into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counted.map(|(n, word)| format!("{n} {word}{}", if n == 1 { "" } else { "s" })).collect();
    let counts = counts.into_iter().chain(ignored::count(report)).collect::<Vec<_>>();
    let text = if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") };
    let colour = if report.result == Outcome::Fit { Colour::Green } else { Colour::Red };
    page.line(&format!("{}: {}", escape(&report.path), page.painted(colour, &text)));
    if verbosity == Verbosity::Quiet {
        return;
    }
    if let Some(config) = &report.config {
        page.line(&format!("configuration: {}", escape(config)));
    }
    if let Some(first) = report.checks.iter().find(|finding| finding.severity != Severity::Off) {
        page.line(&format!("bootworthy explain {} tells more", first.id));
    }
}

fn write_error(page: &mut Page, report: &Report, error: &Error) {
    let place = escape(&report.path);
    let inner = error.path.as_deref().filter(|path| *path != report.path).map(|path| format!("{}: ", escape(path)));
    let cause = error.cause.as_deref().map(|cause| format!(": {}", escape(cause))).unwrap_or_default();
    let head = page.painted(Colour::Red, "error");
    page.line(&format!("{head}: {place}: {}{}{cause}", inner.unwrap_or_default(), escape(&error.what)));
    for (label, text) in [("why", &error.why), ("help", &error.help)] {
        if let Some(text) = text {
            page.folded(&format!("  = {label}: "), &escape(text));
        }
    }
}

/// Errors first, then what could not be looked at, then warnings; notes and passes only when asked for.
fn write_findings(page: &mut Page, report: &Report, verbosity: Verbosity) {
    let is_open = |finding: &&Finding| matches!(finding.verdict, Word::Fail | Word::Unknown);
    let least = if verbosity == Verbosity::Verbose { Severity::Note } else { Severity::Warning };
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        for word in [Word::Fail, Word::Unknown] {
            let asked = report.checks.iter().filter(is_open).filter(|finding| finding.severity >= least);
            let these = asked.filter(|finding| finding.severity == severity && finding.verdict == word);
            for alike in alike(these) {
                match alike.as_slice() {
                    [finding] => write_finding(page, finding, verbosity),
                    [first, ..] => write_alike(page, first, &alike),
                    [] => {}
                }
            }
        }
    }
    if verbosity == Verbosity::Verbose {
        for finding in report.checks.iter().filter(|finding| !is_open(finding) && finding.severity != Severity::Off) {
            write_settled(page, finding);
        }
    }
}

/// Findings that are unknown for the very same reason, told together; each other one by itself.
fn alike<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let is_alike = |first: &&Finding| finding.verdict == Word::Unknown && first.evidence == finding.evidence;
        match groups.iter_mut().find(|group| group.first().is_some_and(is_alike)) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

fn write_alike(page: &mut Page, first: &Finding, alike: &[&Finding]) {
    let head = page.painted(Colour::Magenta, &format!("unknown[{} checks]", alike.len()));
    page.line("");
    page.line(&format!("{head}: these could not be judged, all for the same reason"));
    write_places(page, first);
    let ids: Vec<&str> = alike.iter().map(|finding| finding.id).collect();
    page.folded("   = checks: ", &ids.join(", "));
}

fn write_places(page: &mut Page, finding: &Finding) {
    for evidence in finding.evidence.iter().take(MAX_PLACES) {
        write_place(page, evidence, finding.about);
        if let Some(entry) = evidence.entry.as_ref().filter(|_| finding.entries.len() > 1) {
            page.line(&format!("   = boot entry: {}", escape(entry)));
        }
    }
    let left = finding.evidence.len().saturating_sub(MAX_PLACES);
    if left > 0 {
        page.line(&format!("  --> and {left} more places (--format json has all)"));
    }
}

fn write_finding(page: &mut Page, finding: &Finding, verbosity: Verbosity) {
    let (label, colour) = match (finding.verdict, finding.severity) {
        (Word::Unknown, _) => ("unknown", Colour::Magenta),
        (_, Severity::Error) => ("error", Colour::Red),
        (_, Severity::Warning) => ("warning", Colour::Yellow),
        _ => ("note", Colour::Cyan),
    };
    let head = page.painted(colour, &format!("{label}[{}]", finding.id));
    let title = match finding.verdict {
        Word::Unknown => format!("not known whether {}", finding.title),
        _ => finding.title.to_owned(),
    };
    page.line("");
    page.line(&format!("{head}: {title}"));
    write_places(page, finding);
    if verbosity == Verbosity::Verbose {
        write_notes(page, finding);
    }
    // Where the exact mend stands at its place, nothing more needs to be said.
    if finding.evidence.iter().any(|evidence| evidence.fix.is_some()) {
        return;
    }
    page.folded("   = why: ", finding.why);
    for fix in finding.fix.iter().flat_map(|fix| fix.split('\n')) {
        page.folded("   = fix: ", &escape(fix));
    }
}

fn write_place(page: &mut Page, evidence: &Evidence, about: About) {
    let arrow = page.painted(Colour::Blue, "-->");
    let line = evidence.line.map(|line| format!(":{line}")).unwrap_or_default();
    let place = evidence.path.as_ref().map_or(&evidence.found, |path| path);
    let column = evidence.column().filter(|_| about == About::Manifest);
    let column = column.map(|column| format!(":{column}")).unwrap_or_default();
    page.line(&format!("  {arrow} {}{line}{column}", escape(place)));
    match (&evidence.text, &evidence.mark) {
        (Some(text), Some(mark)) if text.contains(mark.as_str()) => write_source(page, evidence, text, mark),
        _ if evidence.path.is_none() => {}
        _ => {
            page.line(&format!("   |  {}", escape(&evidence.found)));
            if let Some(expected) = evidence.expected.as_ref().filter(|_| evidence.fix.is_none()) {
                page.line(&format!("   |  expected {}", escape(expected)));
            }
        }
    }
    if let Some(fix) = &evidence.fix {
        page.line(&format!("   = fix: {}", escape(fix)));
    }
}

/// The line as it stands, and what is meant in it underlined.
fn write_source(page: &mut Page, evidence: &Evidence, text: &str, mark: &str) {
    let number = evidence.line.map(|line| line.to_string()).unwrap_or_default();
    let gutter = number.len().max(2);
    let before = text.split(mark).next().unwrap_or_default();
    let indent = escape(before).chars().count();
    let carets = page.painted(Colour::Red, &"^".repeat(escape(mark).chars().count()));
    page.line(&format!("{number:>gutter$} |  {}", escape(text)));
    page.line(&format!("{:gutter$} |  {:indent$}{carets} {}", "", "", escape(&evidence.found)));
}

fn write_notes(page: &mut Page, finding: &Finding) {
    for note in &finding.notes {
        let path = note.path.as_deref().map(|path| format!("{}: ", escape(path))).unwrap_or_default();
        page.line(&format!("   = note: {path}{}", escape(&note.found)));
    }
}

/// A check that passed or does not apply, with its evidence.
fn write_settled(page: &mut Page, finding: &Finding) {
    let (label, colour) = match finding.verdict {
        Word::Pass => ("pass", Colour::Green),
        _ => ("n/a", Colour::Blue),
    };
    let head = page.painted(colour, &format!("{label}[{}]", finding.id));
    page.line("");
    page.line(&format!("{head}: {}", finding.title));
    if let Some(reason) = &finding.reason {
        page.line(&format!("   |  {}", escape(reason)));
    }
    for proof in finding.evidence.iter().take(MAX_PLACES) {
        let line = proof.line.map(|line| format!(":{line}")).unwrap_or_default();
        let path = proof.path.as_deref().map(|path| format!("{}{line}: ", escape(path))).unwrap_or_default();
        page.line(&format!("   |  {path}{}", escape(&proof.found)));
    }
    write_notes(page, finding);
}

fn write_properties(page: &mut Page, report: &Report) {
    page.line("");
    if !report.withheld.is_empty() {
        page.folded("withheld: ", &withheld(report));
    }
    let earned: Vec<String> = report.earned.iter().map(|p| format!("{}={}", p.key, escape(&p.value))).collect();
    let earned = if earned.is_empty() { "nothing".to_owned() } else { earned.join("  ") };
    page.folded("earned:   ", &earned);
    page.line("");
}

/// `hw_disk_bus=scsi, hw_scsi_model (initrd-virtio-scsi) · …`: one part per reason.
fn withheld(report: &Report) -> String {
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for property in &report.withheld {
        let reason = match property.check {
            Some(check) => check.to_owned(),
            None => escape(&property.reason),
        };
        let name = match &property.value {
            Some(value) => format!("{}={}", property.key, escape(value)),
            None => property.key.to_owned(),
        };
        match parts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => parts.push((reason, vec![name])),
        }
    }
    let part = |(reason, names): &(String, Vec<String>)| format!("{} ({reason})", names.join(", "));
    parts.iter().map(part).collect::<Vec<_>>().join(" · ")
}

fn write_closing(page: &mut Page, report: &Report, verbosity: Verbosity) {
    let closing = format!("{} · {} · {}", buses(report), features(report), result(page, report));
    match verbosity {
        Verbosity::Quiet => page.line(&format!("{}: {closing}", escape(&report.path))),
        Verbosity::Normal | Verbosity::Verbose => page.line(&closing),
    }
    if verbosity == Verbosity::Quiet {
        return;
    }
    if let Some(config) = &report.config {
        page.line(&format!("configuration: {}", escape(config)));
    }
    let first = report.checks.iter().filter(|finding| finding.severity == Severity::Error);
    if let Some(finding) =
        first.clone().find(|f| f.verdict == Word::Fail).or(first.clone().find(|f| f.verdict == Word::Unknown))
    {
        page.line(&format!("bootworthy explain {} tells more", finding.id));
    }
}

/// `boots on virtio-scsi: no (virtio-blk: yes, but fstab)`.
fn buses(report: &Report) -> String {
    let word = |state: &crate::verdict::BusState| match (state.boots, state.is_hampered) {
        (Word::Pass | Word::NotApplicable, false) => "yes",
        (Word::Pass | Word::NotApplicable, true) => "yes, but fstab",
        (Word::Fail, _) => "no",
        (Word::Unknown, _) => "unknown",
    };
    match report.buses.as_slice() {
        [scsi, others @ ..] if scsi.boots != Word::Pass => {
            let others: Vec<String> = others.iter().map(|bus| format!("{}: {}", bus.name, word(bus))).collect();
            format!("boots on {}: {} ({})", scsi.name, word(scsi), others.join(", "))
        }
        [scsi, ..] => format!("boots on {}: {}", scsi.name, word(scsi)),
        [] => "boots: unknown".to_owned(),
    }
}

fn features(report: &Report) -> String {
    let missing: Vec<&str> = report.features.iter().filter(|f| !f.missing.is_empty()).map(|f| f.name).collect();
    match (report.features.is_empty(), missing.is_empty()) {
        (true, _) => "no feature required".to_owned(),
        (_, false) => format!("required features missing: {}", missing.join(", ")),
        (_, true) => "required features: all there".to_owned(),
    }
}

fn result(page: &Page, report: &Report) -> String {
    let count = |severity, word| report.checks.iter().filter(|f| f.severity == severity && f.verdict == word).count();
    let passed = report.summary().pass;
    let parts = [
        (count(Severity::Error, Word::Fail), "error", "errors"),
        (count(Severity::Warning, Word::Fail), "warning", "warnings"),
        (report.summary().unknown, "unknown", "unknown"),
        (passed, "passed", "passed"),
    ];
    let counts = parts.iter().filter(|(count, ..)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(n, one, many)| format!("{n} {}", if *n == 1 { one } else { many })).collect();
    match report.result {
        Outcome::Fit => {
            let ignored = ignored::count(report).map(|count| format!(", {count}")).unwrap_or_default();
            format!("{} (profile {}{ignored})", page.painted(Colour::Green, "fit"), report.profile)
        }
        Outcome::Unfit => format!("{}: {}", page.painted(Colour::Red, "unfit"), counts.join(", ")),
        Outcome::Unknown => format!("{}: {}", page.painted(Colour::Magenta, "unknown"), counts.join(", ")),
    }
}
