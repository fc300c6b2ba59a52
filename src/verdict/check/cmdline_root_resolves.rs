//! `root=` names exactly one volume of the image, and it is the root.

use super::{BOOT_FACTS, Check, boots_by, cmdline_root_stable};
use crate::fact::Gap;
use crate::guest::Volume;
use crate::verdict::boot::{Cmdline, Detour, Start, each_entry, is_network_root, root_filesystem, root_volume, unword};
use crate::verdict::spec::{Resolved, Spec, Tag, resolve, resolve_offset, stable_name};
use crate::verdict::{Tally, Weight};

pub(super) const CHECK: Check = Check {
    id: "cmdline-root-resolves",
    summary: "root= names exactly one file system of the image, the root",
    broken: "root= does not lead to the root file system",
    why: "A kernel whose root= matches nothing waits for it and stops in the initramfs shell; one that matches two volumes takes either.",
    detects: "root= of each boot entry is looked up among the UUIDs and labels of all partitions and file systems of the image, upper and lower case as the initrd compares them, and must lead to the one that holds the root tree; the mount options beside it (rootflags, rootfstype, init) must not lead elsewhere.",
    fix: "Write root=UUID=… of the root file system, as blkid prints it, into the boot loader's configuration.",
    family_fixes: &[("debian", "update-grub"), ("fedora", "grubby --update-kernel=ALL --args=root=UUID=…")],
    source: "Linux init/do_mounts.c and block/early-lookup.c (without an initrd only PARTUUID and PARTLABEL); man 7 dracut.cmdline",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(judge)),
};

pub(super) fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(cmdline) = start.cmdline() else { return };
    judge_mounting(start, tally, &cmdline);
    judge_detours(start, tally, &cmdline);
    let Some(name) = cmdline.root else { return start.view.miss(cmdline_root_stable::no_root(start)) };
    let spec = Spec::of_root(&name);
    if spec == Spec::Network {
        return tally.not_applicable(format!("root={name} is not on the image's disk"));
    }
    let (Some(root), Some(is_bare)) = (root_volume(start.view), start.is_bare()) else { return };
    let gap = |reason: &str| start.view.miss(Gap::at(start.entry.config.clone(), format!("root={name}: {reason}")));
    let resolved = match spec {
        Spec::Tag(Tag::Uuid | Tag::Label, _) if is_bare => {
            let found = format!("root={name}: without an initrd Linux itself resolves only PARTUUID= and PARTLABEL=");
            return start.missing(tally, Weight::Full, start.at_line(found));
        }
        Spec::Tag(tag, value) => {
            let is_any_case = is_bare && tag == Tag::PartUuid;
            match resolve(start.view, tag, &value) {
                Some(Resolved::OtherCase(volume, _)) if is_any_case => Some(Resolved::One(volume)),
                Some(Resolved::OtherCase(..)) if matches!(tag, Tag::Label | Tag::PartLabel) => Some(Resolved::Nothing),
                resolved => resolved,
            }
        }
        Spec::Offset(base, offset) => resolve_offset(start.view, &base, offset),
        Spec::Device(Some(partition)) if partition.is_first_disk => {
            Some(if partition.number == root.number { Resolved::One(root) } else { Resolved::Nothing })
        }
        Spec::Device(Some(_)) | Spec::Bare(_) | Spec::Removable => Some(Resolved::Nothing),
        Spec::Mapped => return gap("LVM and device mapper volumes are not read by this version"),
        Spec::Device(None) | Spec::Pseudo | Spec::Other | Spec::Network => {
            return gap("what it names is not known to this version");
        }
    };
    if let Some(resolved) = resolved {
        tell(start, tally, &name, root, &resolved);
    }
}

/// The root file system is of the type that `rootfstype=` names and takes `rootflags=`.
fn judge_mounting(start: &Start<'_, '_>, tally: &mut Tally, cmdline: &Cmdline) {
    let is_subvolume = |flag: &str| flag.starts_with("subvol=") || flag.starts_with("subvolid=");
    let flag = cmdline.rootflags.iter().flat_map(|flags| flags.split(',')).find(|flag| is_subvolume(flag));
    let is_network = cmdline.root.as_deref().is_some_and(is_network_root);
    if is_network || (cmdline.rootfstype.is_none() && flag.is_none()) {
        return;
    }
    let Some(filesystem) = root_filesystem(start.view) else { return };
    let kind = filesystem.kind.as_str();
    if let Some(types) = cmdline.rootfstype.as_deref().filter(|types| !types.split(',').any(|name| reads(name, kind))) {
        let found = format!("rootfstype={types}: the root file system is {kind}");
        let fix = format!("rootfstype={kind}");
        tally.fault(Weight::Full, start.at_line(found).expected(fix.clone()).mend(fix));
    }
    if let Some(flag) = flag.filter(|_| kind != "btrfs") {
        let found = format!("rootflags={flag}: the root file system is {kind}, which has no subvolumes");
        tally.fault(Weight::Full, start.at_line(found).mend(unword(&format!("rootflags={flag}"))));
    }
}

/// Whether `mount -t name` takes a file system of this kind (`fs/ext4/super.c` registers for ext2 and ext3, too).
fn reads(name: &str, kind: &str) -> bool {
    match name {
        "auto" => true,
        "ext4" => matches!(kind, "ext2" | "ext3" | "ext4"),
        "ext3" => matches!(kind, "ext2" | "ext3"),
        _ => name == kind,
    }
}

/// A default entry must lead to the running system; one for recovery may end in a shell.
fn judge_detours(start: &Start<'_, '_>, tally: &mut Tally, cmdline: &Cmdline) {
    if start.entry.is_default.known() == Some(&false) {
        return;
    }
    for detour in &cmdline.detours {
        match detour {
            Detour::Stops(word) => {
                let found = format!("{word}: the default boot entry ends in a shell, which nobody leaves");
                tally.fault(Weight::Full, start.at_line(found).mend(unword(word)));
            }
            Detour::Leads(word) => {
                let reason = format!("{word}: what the default boot entry starts with it is not looked into");
                start.view.miss(Gap::at(start.entry.config.clone(), reason));
            }
        }
    }
}

fn tell(start: &Start<'_, '_>, tally: &mut Tally, name: &str, root: &Volume, resolved: &Resolved<'_>) {
    let found = match resolved {
        Resolved::One(volume) if volume.number == root.number => {
            return tally.proof(start.at_line(format!("root={name} is volume {}", volume.number)));
        }
        // dracut writes UUIDs in lower case, initramfs-tools compares them as they are.
        Resolved::OtherCase(_, exact) => {
            let reason =
                format!("root={name} differs in upper and lower case from {exact}: some initrds do not find it");
            return start.view.miss(Gap::at(start.entry.config.clone(), reason));
        }
        Resolved::One(volume) => {
            format!("root={name} is volume {}, the root file system was found on volume {}", volume.number, root.number)
        }
        Resolved::Nothing => format!("root={name} names no volume of this image"),
        Resolved::Several(numbers) => format!("root={name} names {} volumes of this image", numbers.len()),
    };
    let mut evidence = start.at_line(found);
    if let Some(stable) = stable_name(start.view, root) {
        evidence = evidence.expected(format!("root={stable}")).mend(format!("root={stable}"));
    }
    tally.fault(Weight::Full, evidence);
}
