//! Nothing keeps the drivers of Nova's devices from being loaded where they are.

use super::{Check, LOAD_FACTS, boots_by, initrd_virtio, late_driver, watchdog_driver, watchdog_loadable};
use crate::fact::Gap;
use crate::verdict::boot::{Place, Shelf, Start, each_entry, root_driver};
use crate::verdict::{Evidence, Tally, Weight};

pub(super) const CHECK: Check = Check {
    id: "module-not-blacklisted",
    summary: "nothing keeps the drivers of the instance's devices from being loaded",
    broken: "a driver that the instance needs is kept from being loaded",
    why: "A driver that is there is not loaded when modprobe.d or the command line names it: Linux refuses what module_blacklist= names, `install NAME /bin/false` takes the place of loading, and `blacklist` keeps devices from loading it, which is how virtio drivers come up.",
    detects: "modprobe.d of the initrd and of the root tree is read as kmod reads it, with the words module_blacklist=, modprobe.blacklist= and rd.driver.blacklist= of each boot entry. Drivers of the boot are asked where the initrd loads them, the others in the root tree. What loads by name in spite of a `blacklist` counts. A `blacklist` only in the root tree warns for drivers that the initrd loads. A command that may load the module is unknown.",
    fix: "Remove the line from the file in /etc/modprobe.d (a file of /usr/lib/modprobe.d is hidden by one of the same name in /etc/modprobe.d), or the word from the command line, and build the initrd of every kernel again.",
    family_fixes: &[
        ("dracut", "remove the line from /etc/modprobe.d, then: dracut -f --regenerate-all"),
        ("debian", "remove the line from /etc/modprobe.d, then: update-initramfs -u -k all"),
        ("fedora", "remove the line from /etc/modprobe.d, then: dracut -f --regenerate-all"),
        ("suse", "remove the line from /etc/modprobe.d, then: dracut -f --regenerate-all"),
        ("arch", "remove the line from /etc/modprobe.d, then: mkinitcpio -P"),
        ("alpine", "remove the line from /etc/modprobe.d, then: mkinitfs"),
    ],
    source: "man 5 modprobe.d; kmod libkmod/libkmod-config.c, libkmod/libkmod-module.c; Linux kernel-parameters.txt (module_blacklist=); man 7 dracut.cmdline",
    reads: LOAD_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(judge)),
};

/// Drivers of Nova's other devices: without one of them a feature is missing.
const OTHERS: &[&str] = &["virtio_console", "virtio_rng", watchdog_driver::MODULE];
const NET: &str = "virtio_net";

pub(super) fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(shelf) = start.early(tally) else { return };
    for module in initrd_virtio::PCI_MODULES.iter().copied().chain(root_driver(start.view)) {
        ask(start, tally, &shelf, module, Weight::Full);
    }
    // One of two disk buses is enough: their own checks withhold what is lost with the other.
    for module in initrd_virtio::BLK_MODULES.iter().chain(initrd_virtio::SCSI_MODULES) {
        ask(start, tally, &shelf, module, Weight::Told);
    }
    judge_net(start, tally, &shelf);
    for module in OTHERS {
        judge_other(start, tally, module);
    }
}

/// Asks what stops a driver of the initrd; one that is not there is told by its own check.
fn ask<'a>(start: &Start<'_, 'a>, tally: &mut Tally, shelf: &Shelf<'_, 'a>, module: &str, weight: Weight) {
    let Some(place) = shelf.place(module).filter(|place| *place != Place::Absent) else { return };
    let (stops, gaps) = start.view.apart(|view| Start { view, ..*start }.stops(shelf, module, &place));
    if stops.is_empty() && gaps.is_empty() {
        tally.proof(proof(start, module, &place));
        warn(start, tally, module, &place);
    }
    tell(tally, weight, stops, gaps);
}

/// What only the root tree stops is loaded by the initrd: a warning, for the next initrd may stop it.
fn warn(start: &Start<'_, '_>, tally: &mut Tally, module: &str, place: &Place<'_>) {
    if !matches!(place, Place::File(_)) {
        return;
    }
    let (stops, gaps) = start.view.apart(|view| Start { view, ..*start }.stops_in_root_tree(module));
    tell(tally, Weight::Minor, Vec::new(), gaps);
    for stop in stops {
        let found = format!("{}; the initrd does not say so and loads it", stop.found);
        tally.fault(Weight::Minor, Evidence { found, ..stop });
    }
}

/// The network card's driver is loaded by the initrd or later.
fn judge_net(start: &Start<'_, '_>, tally: &mut Tally, early: &Shelf<'_, '_>) {
    let place = early.place(NET).unwrap_or(Place::Absent);
    let (stops, gaps) = start.view.apart(|view| Start { view, ..*start }.stops(early, NET, &place));
    if place != Place::Absent && stops.is_empty() && gaps.is_empty() {
        tally.proof(proof(start, NET, &place));
        return warn(start, tally, NET, &place);
    }
    let late = start.view.apart(|view| told(&Start { view, ..*start }, NET));
    match late {
        (Some((Place::Absent, _)), _) => {
            tell(tally, Weight::Told, stops, gaps);
        }
        (Some((place, late_stops)), late_gaps) => {
            if late_stops.is_empty() && late_gaps.is_empty() {
                tally.proof(proof(start, NET, &place));
            }
            tell(tally, Weight::Told, late_stops, late_gaps);
        }
        (None, late_gaps) => tell(tally, Weight::Told, Vec::new(), late_gaps),
    }
}

/// A driver that the running system loads: its feature's own check withholds, this one warns.
fn judge_other(start: &Start<'_, '_>, tally: &mut Tally, module: &'static str) {
    let (told, gaps) = start.view.apart(|view| told(&Start { view, ..*start }, module));
    tell(tally, Weight::Minor, told.map(|(_, stops)| stops).unwrap_or_default(), gaps);
}

fn tell(tally: &mut Tally, weight: Weight, stops: Vec<Evidence>, gaps: Vec<Gap>) {
    for gap in gaps {
        tally.gap(weight, gap);
    }
    for stop in stops {
        tally.fault(weight, stop);
    }
}

/// Where a driver of the running system is, and what stops it there.
fn told<'a>(start: &Start<'_, 'a>, module: &'static str) -> Option<(Place<'a>, Vec<Evidence>)> {
    let mut driver = late_driver::find(start, &mut Tally::default(), module)?;
    if module == watchdog_driver::MODULE {
        drop(watchdog_loadable::idle(start, &mut driver));
    }
    let stops = match &driver.place {
        Place::Absent => Vec::new(),
        place => start.stops(&driver.shelf, module, place),
    };
    Some((driver.place, stops))
}

fn proof(start: &Start<'_, '_>, module: &str, place: &Place<'_>) -> Evidence {
    let how = if matches!(place, Place::BuiltIn(_)) { "is built in" } else { "is stopped by nothing" };
    start.at(start.archive_path(), format!("{module} {how}"))
}
