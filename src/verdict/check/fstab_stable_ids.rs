//! Rows of fstab name file systems by what they are, not by the bus they hang on.

use super::Check;
use crate::verdict::fstab::{PATH, Row, has_root, rows};
use crate::verdict::spec::{Spec, meant, not_understood, stable_name};
use crate::verdict::{FactName, Tally, View};

pub(super) const CHECK: Check = Check {
    id: "fstab-stable-ids",
    summary: "file systems are mounted by UUID or label",
    broken: "a file system is mounted by its bus name",
    why: "Device names follow the disk bus: /dev/vda on virtio-blk is /dev/sda on virtio-scsi; a row that waits for the wrong one ends in emergency mode.",
    detects: "The first field of every row of /etc/fstab is read as libmount reads it, octal escapes and quotes resolved. sd*, vd*, xvd*, hd*, nvme*, by-path and by-id are bus names; UUID, LABEL, PARTUUID, PARTLABEL, their links, LVM and network names are not. Rows with nofail or noauto weigh less.",
    fix: "Replace the device name in /etc/fstab with UUID=, as blkid prints it.",
    family_fixes: &[],
    source: "man 5 fstab; Nova user guide, block device mapping: device names are not guaranteed",
    reads: &[FactName::Fstab, FactName::Volumes, FactName::Root],
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(rows) = rows(view, tally) else { return };
    let has_root = has_root(&rows, tally);
    for row in &rows {
        match &row.spec {
            Spec::Tag(..) | Spec::Offset(..) | Spec::Mapped | Spec::Network if has_root => {
                tally.proof(row.at_spec(format!("{} is mounted by {}", row.mount.target, row.mount.spec)));
            }
            Spec::Tag(..) | Spec::Offset(..) | Spec::Mapped | Spec::Network | Spec::Removable | Spec::Pseudo => {}
            Spec::Device(_) | Spec::Bare(_) => judge_named(view, tally, row),
            Spec::Other => tally.gap(row.weight, not_understood(PATH, &row.mount.spec)),
        }
    }
    tally.not_applicable("no row of /etc/fstab names a volume");
}

fn judge_named(view: &View<'_>, tally: &mut Tally, row: &Row<'_>) {
    let stable = match &row.spec {
        Spec::Bare(uuid) => Some(format!("UUID={uuid}")),
        _ => meant(view, row.partition(), row.is_root()).and_then(|volume| stable_name(view, volume)),
    };
    let leftover = row.mount.options.iter().any(|option| option == "comment=cloudconfig");
    let mut found = match (&row.spec, &stable) {
        (Spec::Bare(_), _) => format!("{} lacks the tag UUID=", row.mount.spec),
        (_, Some(name)) => format!("{} is {name} in this image", row.mount.spec),
        (_, None) => format!("{} follows the disk bus", row.mount.spec),
    };
    if leftover {
        found.push_str("; comment=cloudconfig: cloud-init wrote this row in a running instance");
    }
    let mut evidence = row.at_spec(found).expected(stable.clone().unwrap_or_else(|| "UUID=… or LABEL=…".to_owned()));
    if let Some(mend) = stable.and_then(|name| row.with_field(0, &name)) {
        evidence = evidence.mend(mend);
    }
    tally.fault(row.weight, evidence);
}
