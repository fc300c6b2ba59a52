//! Rows of fstab go by UUID: a label is stable, but a second volume may carry the same.

use super::Check;
use crate::verdict::fstab::rows;
use crate::verdict::spec::{Resolved, Spec, Tag, resolve, stable_name};
use crate::verdict::{FactName, Tally, View};

pub(super) const CHECK: Check = Check {
    id: "fstab-uuid",
    summary: "file systems are mounted by UUID",
    broken: "a file system is mounted by its label",
    why: "An attached volume that was made from the same image carries the same label; which of the two is mounted is then chance.",
    detects: "The first field of every row of /etc/fstab: LABEL and PARTLABEL are listed, UUID and PARTUUID pass.",
    fix: "Replace LABEL= in /etc/fstab with UUID=, as blkid prints it.",
    family_fixes: &[],
    source: "man 5 fstab",
    reads: &[FactName::Fstab, FactName::Volumes],
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(rows) = rows(view, tally) else { return };
    for row in &rows {
        match row.tag() {
            Some(Tag::Uuid | Tag::PartUuid) => {
                tally.proof(row.at_spec(format!("{} is mounted by {}", row.mount.target, row.mount.spec)));
            }
            Some(Tag::Label | Tag::PartLabel) => {
                let mut evidence = row.at_spec(format!("{} is mounted by {}", row.mount.target, row.mount.spec));
                if let Some(name) = by_uuid(view, &row.spec) {
                    let mend = row.with_field(0, &name);
                    evidence = evidence.expected(name);
                    evidence.fix = mend;
                }
                tally.fault(row.weight, evidence);
            }
            None => {}
        }
    }
    tally.not_applicable("no row of /etc/fstab mounts by UUID or label");
}

/// The UUID of the volume that a label names. Only for advice.
fn by_uuid(view: &View<'_>, spec: &Spec) -> Option<String> {
    let Spec::Tag(tag, value) = spec else { return None };
    let (name, _) = view.apart(|view| match resolve(view, *tag, value)? {
        Resolved::One(volume) => stable_name(view, volume),
        _ => None,
    });
    name
}
