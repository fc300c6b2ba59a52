//! GitHub Actions: workflow commands that become annotations, and the job summary
//! (docs.github.com, "Workflow commands for GitHub Actions"; escaping: actions/toolkit, `core/src/command.ts`).

use super::issue::{Issue, issues};
use super::{Format, Style, Verbosity, escape, markdown};
use crate::verdict::Report;
use crate::verdict::profile::Severity;

pub(super) const ANNOTATIONS: Format =
    Format { name: "github", summary: "annotations of a GitHub job (on standard output)", write, is_appended: false };

pub(super) const SUMMARY: Format = Format {
    name: "github-summary",
    summary: "Markdown, added to the end of $GITHUB_STEP_SUMMARY",
    write: markdown::write,
    is_appended: true,
};

/// Places told in one annotation: GitHub cuts long ones, and the other formats have them all.
const MAX_PLACES: usize = 10;

/// Errors first: GitHub keeps ten annotations of each kind per step. Notes only when asked for.
fn write(reports: &[Report], style: Style) -> String {
    let least = if style.verbosity == Verbosity::Verbose { Severity::Note } else { Severity::Warning };
    let mut rows: Vec<(&Report, Issue<'_>)> = Vec::new();
    for report in reports {
        rows.extend(issues(report).into_iter().filter(|issue| issue.level >= least).map(|issue| (report, issue)));
    }
    rows.sort_by_key(|(_, issue)| std::cmp::Reverse(issue.level));
    rows.iter().map(|(report, issue)| annotation(report, issue)).collect()
}

fn annotation(report: &Report, issue: &Issue<'_>) -> String {
    let command = match issue.level {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note | Severity::Off => "notice",
    };
    // A line without a path is one of the file itself, which can stand in the repository; an image never does.
    let own = issue.places.first().filter(|place| place.is_outside());
    let place = own.and_then(|place| {
        let path = property(place.file().unwrap_or(&report.path));
        let column = place.column.map(|column| format!("col={column},")).unwrap_or_default();
        Some(format!("file={path},line={},{column}", place.line?))
    });
    let place = place.unwrap_or_default();
    let title = property(&format!("{}: {}", report.path, issue.id));
    let mut lines = issue.lines();
    let left = lines.len().saturating_sub(MAX_PLACES.saturating_add(1));
    if left > 0 {
        lines.truncate(MAX_PLACES.saturating_add(1));
        lines.push(format!("and {left} more places"));
    }
    lines.extend(issue.fix.iter().flat_map(|fix| fix.lines()).map(|fix| format!("fix: {fix}")));
    let message = lines.iter().map(|line| message(line)).collect::<Vec<_>>().join("%0A");
    format!("::{command} {place}title={title}::{message}\n")
}

/// The text of a command.
fn message(text: &str) -> String {
    escape(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a command's property.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stay_one() {
        for (text, as_message, as_property) in [
            ("a, b: 100%", "a, b: 100%25", "a%2C b%3A 100%25"),
            ("x\n::error::y", "x\\u{a}::error::y", "x\\u{a}%3A%3Aerror%3A%3Ay"),
            ("%0A::stop-commands::z", "%250A::stop-commands::z", "%250A%3A%3Astop-commands%3A%3Az"),
        ] {
            assert_eq!((message(text).as_str(), property(text).as_str()), (as_message, as_property));
        }
    }
}
