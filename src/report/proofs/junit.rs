//! `JUnit` XML: a suite for the image, a case per proof, and one per check that disagrees.

use super::{DISAGREES, REPORT, Standing, Trial};
use crate::report::junit::{xml, xml_line};
use crate::report::{Format, Style};
use std::fmt::Write as _;

pub(super) const FORMAT: Format<Trial> =
    Format { name: "junit", summary: "JUnit XML, a case per proof", write, is_appended: false };

/// How a case ends, and its elements.
struct Case {
    name: String,
    millis: u64,
    end: &'static str,
    inner: String,
}

fn write(trial: &Trial, _: Style) -> String {
    let cases = cases(trial);
    let count = |end: &str| cases.iter().filter(|case| case.end == end).count();
    let path = xml(&trial.path);
    let sums = format!("tests=\"{}\" failures=\"{}\" errors=\"{}\"", cases.len(), count("failure"), count("error"));
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(text, "<testsuites name=\"bootworthy\" {sums}>");
    let _ = writeln!(text, "  <testsuite name=\"{path}\" {sums} skipped=\"{}\">", count("skipped"));
    for Case { name, millis, inner, .. } in &cases {
        let time = format!("{}.{:03}", millis / 1000, millis % 1000);
        let _ = writeln!(text, "    <testcase classname=\"{path}\" name=\"{}\" time=\"{time}\">", xml(name));
        let _ = writeln!(text, "      {inner}\n    </testcase>");
    }
    text + "  </testsuite>\n</testsuites>\n"
}

fn cases(trial: &Trial) -> Vec<Case> {
    let proof = |proof: &super::Proof| {
        let (message, body) = (xml(&proof.evidence), xml_line(&proof.evidence));
        let (end, inner) = match proof.standing {
            Standing::Disproved => {
                ("failure", format!("<failure type=\"disproved\" message=\"{message}\">{body}</failure>"))
            }
            Standing::Inconclusive if proof.is_promised => {
                ("error", format!("<error type=\"inconclusive\" message=\"{message}\">{body}</error>"))
            }
            Standing::Inconclusive | Standing::NotApplicable => {
                ("skipped", format!("<skipped message=\"{message}\"/>"))
            }
            Standing::Proved => ("passed", format!("<system-out>{body}</system-out>")),
        };
        Case { name: proof.id.to_owned(), millis: proof.millis, end, inner }
    };
    let mut cases: Vec<Case> = trial.proofs.iter().map(proof).collect();
    cases.extend(trial.disagreements.iter().map(|found| {
        let (message, body) = (xml(&found.title()), xml_line(&format!("{}; {REPORT}", found.evidence)));
        let inner = format!("<failure type=\"{DISAGREES}\" message=\"{message}\">{body}</failure>");
        Case { name: format!("{DISAGREES} {}", found.check), millis: 0, end: "failure", inner }
    }));
    cases.extend(trial.error.as_ref().map(|error| {
        let (message, body) = (xml(&error.to_string()), xml_line(error.help.as_deref().unwrap_or_default()));
        let inner = format!("<error type=\"unknown\" message=\"{message}\">{body}</error>");
        Case { name: "boot".to_owned(), millis: 0, end: "error", inner }
    }));
    cases
}
