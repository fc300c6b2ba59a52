//! Markdown (`CommonMark`, as GitHub and GitLab render it): text of an image stands in code spans only, where nothing is
//! a link, a mention or HTML. No tables: a pipe means two things there.

use super::issue::{Issue, issues};
use super::{Format, Style, escape};
use crate::verdict::profile::Severity;
use crate::verdict::{Outcome, Report, Word};
use std::fmt::Write as _;

pub(super) const FORMAT: Format =
    Format { name: "markdown", summary: "for a comment, a wiki, a job summary", write, is_appended: false };

/// Places told of one finding; the JSON has all of them.
const MAX_PLACES: usize = 20;

pub(super) fn write(reports: &[Report], _: Style) -> String {
    reports.iter().map(section).collect::<Vec<_>>().join("\n")
}

fn section(report: &Report) -> String {
    let word = match report.result {
        Outcome::Fit => "fit",
        Outcome::Unfit => "unfit",
        Outcome::Unknown => "unknown",
    };
    let mut text = format!("## {}: {word}\n\n{}\n", code(&report.path), counts(report));
    let mut rows = issues(report);
    rows.sort_by_key(|issue| (std::cmp::Reverse(issue.level), issue.word == Word::Unknown));
    if !rows.is_empty() {
        text.push('\n');
    }
    for issue in &rows {
        write_issue(&mut text, issue);
    }
    let earned: Vec<String> = report.earned.iter().map(|p| code(&format!("{}={}", p.key, p.value))).collect();
    let withheld = report.withheld.iter().map(|withheld| {
        let value = withheld.value.as_deref().map(|value| format!("={value}")).unwrap_or_default();
        let reason = withheld.check.map_or_else(|| code(&withheld.reason), code);
        format!("{} ({reason})", code(&format!("{}{value}", withheld.key)))
    });
    for (head, list) in [("Earned", earned), ("Withheld", withheld.collect())] {
        if !list.is_empty() {
            let _ = write!(text, "\n{head}: {}\n", list.join(", "));
        }
    }
    text
}

/// `Profile openstack: 3 errors, 1 unknown, 34 passed.`
fn counts(report: &Report) -> String {
    if report.error.is_some() {
        return format!("Profile {}: not inspected.", report.profile);
    }
    let count = |level| {
        let fails = report.checks.iter().filter(|finding| finding.verdict == Word::Fail && finding.severity == level);
        fails.count()
    };
    let summary = report.summary();
    let parts = [
        (count(Severity::Error), "errors"),
        (count(Severity::Warning), "warnings"),
        (count(Severity::Note), "notes"),
        (summary.unknown, "unknown"),
        (summary.pass, "passed"),
        (summary.not_applicable, "not applicable"),
    ];
    let told: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{word} {count}")).collect();
    format!("Profile {}: {}.", report.profile, told.join(", "))
}

fn write_issue(text: &mut String, issue: &Issue<'_>) {
    let word = if issue.word == Word::Unknown { "unknown" } else { issue.level.word() };
    let _ = writeln!(text, "- **{word}** {}: {}", code(issue.id), prose(&issue.title));
    for place in issue.places.iter().take(MAX_PLACES) {
        let line = place.line.map(|line| format!(":{line}")).unwrap_or_default();
        let at = match place.path {
            Some(path) => format!("{}: ", code(&format!("{path}{line}"))),
            None if line.is_empty() => String::new(),
            None => format!("line {}: ", line.trim_start_matches(':')),
        };
        let _ = writeln!(text, "  - {at}{}", code(&place.text));
    }
    let left = issue.places.len().saturating_sub(MAX_PLACES);
    if left > 0 {
        let _ = writeln!(text, "  - and {left} more places");
    }
    for fix in issue.fix.iter().flat_map(|fix| fix.lines()) {
        let _ = writeln!(text, "  - fix: {}", code(fix));
    }
}

/// Text of an image: a code span whose fence is longer than any run of backticks in it (`CommonMark` 6.1).
fn code(text: &str) -> String {
    let text = escape(text);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.saturating_add(1));
    // One blank at each end is taken away again, unless there is nothing else; without it a backtick would join the
    // fence, and a span of nothing is none.
    let is_blank = text.chars().all(|character| character == ' ');
    let is_bare =
        if is_blank { !text.is_empty() } else { !text.starts_with(['`', ' ']) && !text.ends_with(['`', ' ']) };
    let blank = if is_bare { "" } else { " " };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// Our own words: what would be markup is escaped.
fn prose(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    for character in escape(text).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '#' | '!' | '$') {
            prose.push('\\');
        }
        prose.push(character);
    }
    prose
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_end_where_the_text_does() {
        for (text, expected) in [
            ("plain", "`plain`"),
            ("a`b", "``a`b``"),
            ("``", "``` `` ```"),
            (" x", "`  x `"),
            ("", "`  `"),
            ("  ", "`  `"),
            ("a|b\n<b>", "`a|b\\u{a}<b>`"),
        ] {
            assert_eq!(code(text), expected, "{text:?}");
        }
    }
}
