//! The checks: what must hold for an image to boot and behave in OpenStack, each with why and how to mend it.

use super::{FactName, Judgement, Verdict, View};
use crate::guest::Guest;

/// A rule over facts.
#[derive(Debug)]
pub struct Check {
    /// Kebab-case, `<subject>-<what must hold>`; never changes.
    pub id: &'static str,
    /// The healthy condition, lower case, no full stop.
    pub summary: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    /// How to mend it.
    pub fix: &'static str,
    /// The facts it may look at.
    pub reads: &'static [FactName],
    /// The rule.
    pub run: fn(&View<'_>) -> Judgement,
}

/// Every check, in report order.
pub const CHECKS: &[Check] = &[];

impl Check {
    /// Runs the rule. A pass or n/a that looked past a gap is unknown: never a wrong pass.
    pub fn judge(&self, guest: &Guest) -> Judgement {
        let view = View::new(guest, self.reads);
        let mut judgement = (self.run)(&view);
        let gaps = view.gaps();
        match &mut judgement.verdict {
            Verdict::Pass(_) | Verdict::NotApplicable(_) if !gaps.is_empty() => {
                judgement = Verdict::Unknown(gaps).into()
            }
            _ => {}
        }
        judgement
    }
}
