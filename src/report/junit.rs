//! `JUnit` XML as Jenkins, GitLab and Zuul read it (`junit-10.xsd` of Jenkins' xunit plugin): a suite per image, a case
//! per check.

use super::issue::{Issue, issue, place, unread};
use super::{Format, Style, escape};
use crate::verdict::profile::Severity;
use crate::verdict::{Finding, Report, Word};
use std::fmt::Write as _;

pub(super) const FORMAT: Format =
    Format { name: "junit", summary: "JUnit XML, a suite per image", write, is_appended: false };

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    /// It does not hold, and that counts.
    Failed,
    /// It could not be judged, and that counts.
    Broken,
    /// It does not concern the image, or is off.
    Skipped,
    /// It does not hold or could not be judged, and that does not count.
    Told,
}

#[derive(Debug)]
struct Case {
    id: String,
    end: End,
    level: Severity,
    message: String,
    body: String,
}

fn write(reports: &[Report], _: Style) -> String {
    let suites: Vec<(String, Vec<Case>)> = reports.iter().map(|report| (xml(&report.path), cases(report))).collect();
    let all: Vec<&Case> = suites.iter().flat_map(|(_, cases)| cases).collect();
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let count = |cases: &[&Case], end| cases.iter().filter(|case| case.end == end).count();
    let sums = |cases: &[&Case]| {
        let (failed, broken) = (count(cases, End::Failed), count(cases, End::Broken));
        format!("tests=\"{}\" failures=\"{failed}\" errors=\"{broken}\"", cases.len())
    };
    let _ = writeln!(text, "<testsuites name=\"bootworthy\" {}>", sums(&all));
    for (path, cases) in &suites {
        let cases: Vec<&Case> = cases.iter().collect();
        let skipped = count(&cases, End::Skipped);
        let _ = writeln!(text, "  <testsuite name=\"{path}\" {} skipped=\"{skipped}\">", sums(&cases));
        for case in cases {
            write_case(&mut text, path, case);
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

fn write_case(text: &mut String, path: &str, case: &Case) {
    let Case { id, level, message, body, .. } = case;
    let (id, level) = (xml(id), level.word());
    let inner = match case.end {
        End::Passed => {
            let _ = writeln!(text, "    <testcase classname=\"{path}\" name=\"{id}\"/>");
            return;
        }
        End::Failed => format!("<failure type=\"{level}\" message=\"{message}\">{body}</failure>"),
        End::Broken => format!("<error type=\"unknown\" message=\"{message}\">{body}</error>"),
        End::Skipped => format!("<skipped message=\"{message}\"/>"),
        End::Told => format!("<system-out>{level}: {body}</system-out>"),
    };
    let _ = writeln!(text, "    <testcase classname=\"{path}\" name=\"{id}\">\n      {inner}\n    </testcase>");
}

fn cases(report: &Report) -> Vec<Case> {
    let case = |finding| issue(finding).map_or_else(|| settled(finding), |issue| open(&issue, report.fail_on));
    let unread = unread(report).map(|issue| open(&issue, report.fail_on));
    unread.into_iter().chain(report.checks.iter().map(case)).collect()
}

fn open(issue: &Issue<'_>, fail_on: Severity) -> Case {
    let end = match issue.word {
        _ if issue.level < fail_on => End::Told,
        Word::Unknown => End::Broken,
        _ => End::Failed,
    };
    let mut lines = issue.lines();
    lines.push(format!("why: {}", issue.why));
    lines.extend(issue.fix.iter().flat_map(|fix| fix.lines()).map(|fix| format!("fix: {fix}")));
    let body = lines.iter().map(|line| xml_line(line)).collect::<Vec<_>>().join("\n");
    Case { id: issue.id.to_owned(), end, level: issue.level, message: xml(&issue.title), body }
}

fn settled(finding: &Finding) -> Case {
    let (end, reason) = match finding.verdict {
        _ if finding.severity == Severity::Off => (End::Skipped, "left out (severity off)"),
        Word::NotApplicable => (End::Skipped, finding.reason.as_deref().unwrap_or_default()),
        _ => (End::Passed, ""),
    };
    let body = finding
        .evidence
        .iter()
        .map(|proof| xml_line(&place(proof, finding.about).told()))
        .collect::<Vec<_>>()
        .join("\n");
    Case { id: finding.id.to_owned(), end, level: finding.severity, message: xml(reason), body }
}

/// Text for an attribute or an element: XML 1.0 has no control characters and neither U+FFFE nor U+FFFF.
pub(super) fn xml(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for character in escape(text).chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(xml, "\\u{{{:x}}}", u32::from(character));
            }
            _ => xml.push(character),
        }
    }
    xml
}

/// A line of its own: what GitHub's runner would take for a command, at the beginning of a line alone, is broken.
pub(super) fn xml_line(line: &str) -> String {
    let line = xml(line);
    line.trim_start().strip_prefix("::").map(|rest| format!(":\\u{{3a}}{rest}")).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_text_wherever_it_stands() {
        for (text, expected) in [
            ("]]><x a=\"1\">", "]]&gt;&lt;x a=&quot;1&quot;&gt;"),
            ("&amp; it's", "&amp;amp; it&apos;s"),
            ("\u{0}\u{b}\n\u{fffe}\u{ffff}", "\\u{0}\\u{b}\\u{a}\\u{fffe}\\u{ffff}"),
        ] {
            assert_eq!(xml(text), expected);
        }
    }
}
