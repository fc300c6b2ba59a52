//! Drivers that a device needs once the root file system is mounted.

use super::Value;
use crate::verdict::boot::{Course, Rule, Start, each_entry};
use crate::verdict::check::{BOOT_FACTS, BOOT_PATH, late_driver};
use crate::verdict::{FactName, Tally, Verdict, View, Weight, boot};

/// The facts that rules over drivers look at.
pub(super) const READS: &[FactName] = BOOT_FACTS;

/// `value`, where every default boot entry's kernel passes the rule.
pub(super) fn driven(view: &View<'_>, value: &str, rule: Rule) -> Value {
    let mut tally = Tally::default();
    each_entry(view, &mut tally, &Course { rule, path: BOOT_PATH, is_fatal: false });
    let judgement = tally.judgement();
    let is_light = boot::passes(&judgement);
    let reason = judgement.reason().unwrap_or_default();
    match judgement.verdict {
        Verdict::Pass(_) => Value::is(value),
        Verdict::Fail(_) if is_light => Value::is(value),
        Verdict::Fail(_) | Verdict::NotApplicable(_) => Value::Without(reason),
        Verdict::Unknown(gaps) => {
            for gap in gaps {
                view.miss(gap);
            }
            Value::Without(reason)
        }
    }
}

/// A module and the option of the kernel's configuration that makes it.
pub(super) type Module = (&'static str, &'static str);

/// Each module is built in, or a file that modprobe finds, that fits the kernel, and that nothing stops.
pub(super) fn late(start: &Start<'_, '_>, tally: &mut Tally, modules: &[Module]) {
    for (module, option) in modules {
        let Some(driver) = late_driver::find(start, tally, module) else { return };
        match driver.proof(start) {
            None => tally.fault(Weight::Full, driver.absent(start, option)),
            Some(proof) if driver.is_free(start, tally) && driver.is_whole(start, tally) => tally.proof(proof),
            Some(_) => {}
        }
    }
}
