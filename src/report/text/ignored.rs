//! Accepted findings, folded to a count unless asked for, and what is to say of the exceptions.

use super::paint::{Colour, Page};
use super::write_places;
use crate::report::{Verbosity, escape};
use crate::verdict::profile::Severity;
use crate::verdict::{Ignore, Remark, Report};

/// `2 ignored`; `None` where nothing is.
pub(super) fn count(report: &Report) -> Option<String> {
    let count = report.checks.iter().filter(|finding| finding.ignored.is_some()).count();
    (count > 0).then(|| format!("{count} ignored"))
}

pub(super) fn write(page: &mut Page, report: &Report, verbosity: Verbosity) {
    let is_verbose = verbosity == Verbosity::Verbose;
    for remark in report.remarks.iter().filter(|remark| is_verbose || remark.severity >= Severity::Warning) {
        write_remark(page, remark);
    }
    for finding in report.checks.iter().filter(|_| is_verbose) {
        let Some(ignore) = &finding.ignored else { continue };
        let head = page.painted(Colour::Blue, &format!("ignored[{}]", finding.id));
        page.line("");
        page.line(&format!("{head}: {}", finding.title));
        write_places(page, finding);
        page.folded("   = ignored: ", &accepted(ignore));
    }
}

/// `the cloud kernel has none (until 2026-12-31; bootworthy.toml:7)`.
fn accepted(ignore: &Ignore) -> String {
    let until = ignore.expires.as_ref().map(|day| format!("until {}; ", escape(day))).unwrap_or_default();
    match &ignore.reason {
        Some(reason) => format!("{} ({until}{})", escape(reason), escape(&ignore.place)),
        None => escape(&ignore.place),
    }
}

fn write_remark(page: &mut Page, remark: &Remark) {
    let (label, colour) = match remark.severity {
        Severity::Warning | Severity::Error => ("warning", Colour::Yellow),
        Severity::Note | Severity::Off => ("note", Colour::Cyan),
    };
    let head = page.painted(colour, &format!("{label}[{}]", escape(&remark.check)));
    let arrow = page.painted(Colour::Blue, "-->");
    page.line("");
    page.line(&format!("{head}: {}", remark.title));
    page.line(&format!("  {arrow} {}", escape(&remark.place)));
    page.line(&format!("   |  {}", escape(&remark.text)));
    page.line(&format!("   = fix: {}", remark.fix));
}
