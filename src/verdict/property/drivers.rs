//! Drivers that a device needs once the root file system is mounted.

use super::Value;
use crate::fact::Gap;
use crate::verdict::boot::{Course, File, Place, Rule, Shelf, Start, each_entry};
use crate::verdict::check::{BOOT_FACTS, BOOT_PATH};
use crate::verdict::{FactName, Tally, Verdict, View, Weight};

/// The facts that rules over drivers look at.
pub(super) const READS: &[FactName] = BOOT_FACTS;

/// `value`, where every default boot entry's kernel passes the rule.
pub(super) fn driven(view: &View<'_>, value: &str, rule: Rule) -> Value {
    let mut tally = Tally::default();
    each_entry(view, &mut tally, &Course { rule, path: BOOT_PATH, is_fatal: false });
    let judgement = tally.judgement();
    let reason = judgement.reason().unwrap_or_default();
    match judgement.verdict {
        Verdict::Pass(_) => Value::is(value),
        Verdict::Fail(_) if judgement.weight == Weight::Minor => Value::is(value),
        Verdict::Fail(_) | Verdict::NotApplicable(_) => Value::Without(reason),
        Verdict::Unknown(gaps) => {
            gaps.into_iter().for_each(|gap| view.miss(gap));
            Value::Without(reason)
        }
    }
}

/// Each module is built in, or a file of the root tree that modprobe finds and the device's alias leads to.
pub(super) fn late(start: &Start<'_, '_>, tally: &mut Tally, modules: &[&str]) {
    let Some(shelf) = start.late(tally) else { return };
    for module in modules {
        match shelf.place(module) {
            Some(place) if !start.is_free(tally, &shelf, module, &place) => {}
            Some(Place::BuiltIn(proof)) => tally.proof(proof.entry(start.entry.id.clone())),
            Some(Place::File(file)) => judge_file(start, tally, &shelf, module, &file),
            Some(Place::Absent) => {
                let found = format!("{module} is neither built into the kernel nor in the root tree");
                tally.fault(
                    Weight::Full,
                    start.at(start.attempt.kernel.clone(), found).expected(format!("{module}.ko")),
                );
            }
            // Why is kept by the view.
            None => {}
        }
    }
}

fn judge_file(start: &Start<'_, '_>, tally: &mut Tally, shelf: &Shelf<'_, '_>, module: &str, file: &File<'_>) {
    let path = format!("{}/{}", file.tree.path, file.path);
    let Some(record) = shelf.record_of(module) else { return };
    let (Some(is_indexed), Some(is_aliased)) =
        (start.view.need(&record.is_indexed), start.view.need(&record.is_aliased))
    else {
        return;
    };
    if !(*is_indexed && *is_aliased) {
        // Something may load it by name all the same.
        start.view.miss(Gap::at(path, "the indexes of depmod do not lead to this module"));
        return;
    }
    for missing in shelf.unmet(module).0 {
        let found =
            format!("{} needs {}, which is neither built in nor in the root tree", missing.module, missing.needs);
        tally.fault(Weight::Full, start.at(missing.at, found));
    }
    tally.proof(start.at(path, format!("{module} is in the root tree")));
}
