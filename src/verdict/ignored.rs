//! Accepted findings: they count no more, stay visible, and nothing that was earned changes.

use super::profile::Severity;
use super::{Finding, Ignore, Remark, Word};

/// Marks what is accepted; says which exceptions have expired, and which have nothing to accept.
pub(super) fn apply<'a>(ignores: impl Iterator<Item = &'a Ignore>, findings: &mut [Finding]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for ignore in ignores {
        let finding = findings.iter_mut().find(|finding| finding.id == ignore.check);
        let finding = finding.filter(|finding| matches!(finding.verdict, Word::Fail | Word::Unknown));
        match finding {
            found if ignore.is_expired => remarks.push(expired(ignore, found.is_some())),
            None if ignore.reason.is_some() => remarks.push(idle(ignore)),
            None => {}
            Some(finding) => {
                finding.severity = Severity::Off;
                finding.ignored.get_or_insert_with(|| ignore.clone());
            }
        }
    }
    remarks
}

fn expired(ignore: &Ignore, has_finding: bool) -> Remark {
    let last = ignore.expires.as_deref().unwrap_or_default();
    let reason = ignore.reason.as_deref().unwrap_or_default();
    Remark {
        severity: Severity::Warning,
        check: ignore.check.clone(),
        place: ignore.place.clone(),
        title: "an exception to this check has expired and counts no more",
        text: format!("its last day was {last}; its reason was: {reason}"),
        fix: if has_finding {
            "mend the image, or give the exception a new day"
        } else {
            "remove the exception: the check holds"
        },
    }
}

fn idle(ignore: &Ignore) -> Remark {
    let reason = ignore.reason.as_deref().unwrap_or_default();
    Remark {
        severity: Severity::Note,
        check: ignore.check.clone(),
        place: ignore.place.clone(),
        title: "an exception to this check has nothing to accept in this image",
        text: format!("the check did not fail; the reason of the exception is: {reason}"),
        fix: "remove the exception, or name the images that it is for: image = \"pattern\"",
    }
}
