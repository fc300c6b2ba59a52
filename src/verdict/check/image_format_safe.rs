//! The image file and its partition table are what QEMU, Glance and the firmware accept.

use super::Check;
use crate::fact::{Fact, Flaw, Listing};
use crate::verdict::{Evidence, FactName, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "image-format-safe",
    summary: "the image file and its partition table are whole and safe",
    broken: "the image file is damaged, unsafe or refused by OpenStack",
    why: "Glance and Nova refuse unsafe images, QEMU refuses corrupt ones, and two copies of a partition table that disagree boot differently on every firmware.",
    detects: "The image's header and tables are read as QEMU reads them (dirty and corrupt bits, backing and data files, unknown features, clusters that overlap or lie past the end) and as Glance inspects them; both copies of the partition table are compared with their checksums, and partitions with each other and with the disk's end.",
    fix: "Write the image anew with `qemu-img convert`, and the partition table with `sgdisk --verify` and its repair commands.",
    family_fixes: &[],
    source: "QEMU docs/interop/qcow2.rst; UEFI 2.10 chapter 5; oslo.utils imageutils.format_inspector",
    reads: &[FactName::Image, FactName::PartitionTable, FactName::Volumes],
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(image) = view.image() else { return };
    if image.format == "directory" {
        return tally.not_applicable("a directory has no image format and no partition table");
    }
    let format = judge(view, tally, &image.flaws);
    if format == Some(0) {
        tally.proof(Evidence::of(format!("{}: nothing that QEMU or OpenStack refuses", image.format)));
    }
    let Some(Some(table)) = view.partition_table() else { return };
    let flaws = judge(view, tally, &table.flaws);
    let Some(volumes) = view.volumes() else { return };
    if view.certain(|view| view.all(volumes).is_empty()) == Some(true) {
        let found = format!("the {} partition table names no partition", table.scheme);
        tally.fault(Weight::Full, Evidence::of(found).expected("a partition"));
    } else if flaws == Some(0) {
        tally.proof(Evidence::of(format!("{}: {} partitions", table.scheme, volumes.items.len())));
    }
}

/// The number of fatal flaws; the others are notes.
fn judge(view: &View<'_>, tally: &mut Tally, flaws: &Fact<Listing<Flaw>>) -> Option<usize> {
    let flaws = view.all(view.need(flaws)?);
    for flaw in flaws {
        let evidence = Evidence::of(format!("{} ({})", flaw.found, flaw.id));
        if flaw.fatal { tally.fault(Weight::Full, evidence) } else { tally.note(evidence) }
    }
    Some(flaws.iter().filter(|flaw| flaw.fatal).count())
}
