//! The network card's driver is somewhere: in the root tree at least, in the initrd where that one needs the network.

use super::{BOOT_FACTS, BOOT_PATH, Check, initrd_virtio};
use crate::verdict::boot::{Course, Place, Shelf, Start, each_entry, place_of};
use crate::verdict::{Evidence, Tally, Weight};

const MODULE: &str = "virtio_net";

pub(super) const CHECK: Check = Check {
    id: "initrd-virtio-net",
    summary: "the kernel drives a virtio network card as early as it needs it",
    broken: "the kernel does not find virtio_net in its initrd",
    why: "Nova's network card is virtio-net: without its driver the instance has no network, and an initrd that needs the network (ip=, netroot=, a root on nfs) waits for it before the root file system is there.",
    detects: "virtio_net is looked for among what is built into the kernel, then in the initrds of each boot entry, then in the root tree's /lib/modules of the kernel's version. Only the root tree is enough, unless the command line makes the initrd use the network, or --require-in-initrd asks for it.",
    fix: "Add virtio_net to the modules of the initrd, and build the initrd of every kernel again.",
    family_fixes: &[
        (
            "dracut",
            "echo 'add_drivers+=\" virtio_net \"' > /etc/dracut.conf.d/virtio-net.conf && dracut -f --regenerate-all",
        ),
        ("debian", "echo virtio_net >> /etc/initramfs-tools/modules && update-initramfs -u -k all"),
        (
            "fedora",
            "echo 'add_drivers+=\" virtio_net \"' > /etc/dracut.conf.d/virtio-net.conf && dracut -f --regenerate-all",
        ),
        (
            "suse",
            "echo 'add_drivers+=\" virtio_net \"' > /etc/dracut.conf.d/virtio-net.conf && dracut -f --regenerate-all",
        ),
        ("arch", "add virtio_net to MODULES in /etc/mkinitcpio.conf, then: mkinitcpio -P"),
        ("alpine", "add virtio and network to features in /etc/mkinitfs/mkinitfs.conf, then: mkinitfs"),
    ],
    source: "man 7 dracut.cmdline; man 7 initramfs-tools; Nova network model vif_model=virtio",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &Course { rule: judge, path: BOOT_PATH, is_fatal: false }),
};

fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(early) = start.early(tally) else { return };
    match early.place(MODULE) {
        Some(place) if !start.is_free(tally, &early, MODULE, &place) => {}
        Some(Place::BuiltIn(proof)) => tally.proof(proof.entry(start.entry.id.clone())),
        Some(Place::File(file)) if early.record(&file).is_some() => {
            tally.proof(start.at(place_of(&file), format!("{MODULE}: {}", file.path)));
        }
        // What could not be read of it is a gap.
        Some(Place::File(_)) | None => {}
        Some(Place::Absent) => judge_absent(start, tally),
    }
}

/// Not in the initrd: an error where that one needs the network, otherwise the root tree must have it.
fn judge_absent(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(cmdline) = start.cmdline() else { return };
    if let Some(word) = cmdline.network {
        let found = format!("the initrd needs the network ({word}): {}", initrd_virtio::absent(start, MODULE));
        return start.missing(tally, Weight::Full, here(start, found));
    }
    let Some(late) = start.late(tally) else { return };
    match late.place(MODULE) {
        None => {}
        Some(Place::Absent) => {
            let found = "virtio_net is neither built in, nor in this initrd, nor in the root tree";
            tally.fault(Weight::Full, here(start, found));
        }
        Some(place) if !start.is_free(tally, &late, MODULE, &place) => {}
        Some(_) => judge_late(start, tally, &late),
    }
}

/// Only the root tree has it: the network comes up once the root file system is mounted.
fn judge_late(start: &Start<'_, '_>, tally: &mut Tally, late: &Shelf<'_, '_>) {
    let Some(record) = late.record_of(MODULE) else { return };
    let version = record.vermagic.split_ascii_whitespace().next().unwrap_or_default();
    for tree in late.trees().filter(|tree| tree.version != version) {
        let found = format!("{} is built for {version:?}", record.path);
        tally.fault(Weight::Full, start.at(tree.path.clone(), found).expected(tree.version.clone()));
    }
    for missing in late.unmet(MODULE).0 {
        let found =
            format!("{} needs {}, which is neither built in nor in the root tree", missing.module, missing.needs);
        tally.fault(Weight::Full, start.at(missing.at, found));
    }
    let is_required = start.view.options().require_in_initrd.iter().any(|module| module == MODULE);
    let weight = if is_required { Weight::Full } else { Weight::Minor };
    tally.fault(weight, here(start, "virtio_net.ko is not in this initrd; only the root tree has it"));
}

fn here(start: &Start<'_, '_>, found: impl Into<String>) -> Evidence {
    start.at(start.archive_path(), found).expected("virtio_net.ko")
}
