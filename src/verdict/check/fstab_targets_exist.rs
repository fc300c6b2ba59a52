//! What fstab mounts is in the image, once, and of the type that the row says.

use super::Check;
use crate::fact::Gap;
use crate::guest::Volume;
use crate::verdict::fstab::{PATH, Row, has_root, rows};
use crate::verdict::spec::{Resolved, Spec, Tag, not_understood, resolve, resolve_offset};
use crate::verdict::{FactName, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "fstab-targets-exist",
    summary: "every volume that fstab names is in the image",
    broken: "fstab names a volume that is not in the image",
    why: "systemd waits 90 seconds for a device that never comes, and a required one that stays away ends in emergency mode, without network.",
    detects: "The first field of every row of /etc/fstab is looked up among the UUIDs and labels of all partitions and file systems of the image: there must be exactly one, of the type that the row says, and for / the root. Rows with nofail or noauto weigh less.",
    fix: "Remove the row from /etc/fstab, add nofail to it, or name a file system that is in the image.",
    family_fixes: &[],
    source: "man 5 fstab; man 5 systemd.mount (nofail, x-systemd.device-timeout)",
    reads: &[FactName::Fstab, FactName::Volumes, FactName::Root],
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(rows) = rows(view, tally) else { return };
    let has_root = has_root(&rows, tally);
    for row in &rows {
        let (holds, gaps) = view.apart(|view| judge(view, tally, row));
        if let Some(volume) = holds.filter(|_| has_root && gaps.is_empty()) {
            tally.proof(row.at_spec(format!("{} is volume {}", row.mount.spec, volume.number)));
        }
        for gap in gaps {
            tally.gap(row.weight, gap);
        }
    }
    tally.not_applicable("no row of /etc/fstab names a volume");
}

/// The volume that the row mounts; faults go to the tally, gaps to the view.
fn judge<'a>(view: &View<'a>, tally: &mut Tally, row: &Row<'_>) -> Option<&'a Volume> {
    if row.weight == Weight::Full
        && let Some(reason) = unseen_source(row)
    {
        // The mount fails where it is not there; that every image with such a row is unknown would help nobody.
        tally.gap(Weight::Minor, Gap::at(PATH, reason));
        return None;
    }
    if matches!(row.spec, Spec::Network | Spec::Pseudo | Spec::Removable) {
        return None;
    }
    if view.root()?.volume.is_none() {
        view.miss(Gap::new("a directory has no volumes: what fstab names cannot be looked for"));
        return None;
    }
    let resolved = match &row.spec {
        Spec::Tag(tag, value) => match resolve(view, *tag, value)? {
            Resolved::OtherCase(_, exact) if matches!(tag, Tag::Uuid | Tag::PartUuid) => {
                let name = row.mount.spec.replace(value.as_str(), &exact);
                let found = format!("this image has it as {exact}: links under /dev/disk keep upper and lower case");
                let evidence = row.at_spec(found).expected(name.clone());
                let mend = row.with_field(0, &name);
                tally.fault(row.weight, mend.map_or(evidence.clone(), |mend| evidence.mend(mend)));
                return None;
            }
            resolved => resolved,
        },
        Spec::Offset(base, offset) => resolve_offset(view, base, *offset)?,
        Spec::Device(Some(partition)) if partition.is_first_disk => {
            let volumes = view.all(view.volumes()?);
            volumes.iter().find(|volume| volume.number == partition.number).map_or(Resolved::Nothing, Resolved::One)
        }
        Spec::Device(Some(_)) | Spec::Bare(_) => Resolved::Nothing,
        Spec::Mapped => {
            let reason = format!("{}: LVM and device mapper volumes are not read by this version", row.mount.spec);
            view.miss(Gap::at(PATH, reason));
            return None;
        }
        _ => {
            view.miss(not_understood(PATH, &row.mount.spec));
            return None;
        }
    };
    tell(view, tally, row, &resolved)
}

/// Why it cannot be said that the file or folder which the row mounts is there.
fn unseen_source(row: &Row<'_>) -> Option<String> {
    let mount = row.mount;
    let is_of_tree = row.spec == Spec::Pseudo && mount.spec.starts_with('/') && !mount.spec.starts_with("/dev/");
    let is_bound = mount.options.iter().any(|option| matches!(option.as_str(), "bind" | "rbind"));
    let is_always_there = is_bound && ["/", "/dev", "/proc", "/sys", "/run"].contains(&mount.spec.as_str());
    let has_device = !matches!(mount.fstype.as_str(), "swap" | "fuse" | "davfs") && !mount.fstype.starts_with("fuse.");
    (is_of_tree && !is_always_there && has_device).then(|| {
        format!("line {}: whether {} is in the root tree is not looked at by this version", mount.line, mount.spec)
    })
}

fn tell<'a>(view: &View<'a>, tally: &mut Tally, row: &Row<'_>, resolved: &Resolved<'a>) -> Option<&'a Volume> {
    let found = match resolved {
        Resolved::One(volume) => {
            let kind = view.need(&volume.filesystem)?.as_ref().map(|filesystem| filesystem.kind.as_str());
            match kind {
                Some(_) if row.is_root() && Some(volume.number) != view.root()?.volume => {
                    format!("{} is volume {}, which is not the root file system", row.mount.spec, volume.number)
                }
                Some(kind) if is_same_type(&row.mount.fstype, kind) => return Some(volume),
                Some(kind) => format!("{} holds {kind}, the row says {}", row.mount.spec, row.mount.fstype),
                None => format!("{} holds no file system", row.mount.spec),
            }
        }
        Resolved::Several(numbers) => format!("{} is {} volumes of this image", row.mount.spec, numbers.len()),
        Resolved::Nothing | Resolved::OtherCase(..) => format!("no volume of this image is {}", row.mount.spec),
    };
    tally.fault(row.weight, row.at_spec(found));
    None
}

/// Whether `mount -t fstype` takes a volume of this kind; types that this table does not know are taken at their word.
fn is_same_type(fstype: &str, kind: &str) -> bool {
    const TYPES: &[(&str, &[&str])] = &[
        ("ext2", &["ext2"]),
        ("ext3", &["ext2", "ext3"]),
        ("ext4", &["ext2", "ext3", "ext4"]),
        ("xfs", &["xfs"]),
        ("btrfs", &["btrfs"]),
        ("f2fs", &["f2fs"]),
        ("vfat", &["vfat"]),
        ("msdos", &["vfat"]),
        ("swap", &["swap"]),
    ];
    let takes =
        |fstype: &str| TYPES.iter().find(|(name, _)| *name == fstype).is_none_or(|(_, kinds)| kinds.contains(&kind));
    fstype.split(',').any(takes)
}
