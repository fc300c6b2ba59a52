//! Nothing keeps the driver of Nova's watchdog from being loaded.

use super::late_driver::Driver;
use super::{BOOT_PATH, Check, LOAD_FACTS, late_driver, watchdog_driver};
use crate::fact::Gap;
use crate::guest::ModuleLoad;
use crate::verdict::boot::{Course, Place, Shelf, Start, each_entry};
use crate::verdict::watchdog::UNITS;
use crate::verdict::{Evidence, Tally, Weight, unit};

pub(super) const CHECK: Check = Check {
    id: "watchdog-loadable",
    summary: "nothing keeps the watchdog's driver from being loaded",
    broken: "the watchdog's driver is not loaded",
    why: "Ubuntu names i6300esb in a `blacklist` of every kernel: no device loads it, /dev/watchdog does not appear, and hw_watchdog_action is without effect although the driver and the daemon are there.",
    detects: "A driver that is a module must be named by modules.dep.bin, lead from the PCI device by modules.alias.bin, and be named by no `blacklist` or `install` line of modprobe.d and no word of the command line. watchdog_module= in /etc/default/watchdog loads it in spite of a `blacklist`, where watchdog.service is started; systemd's modules-load.d does not. Where another driver is loaded by name, or softdog is built in, /dev/watchdog may be its instead.",
    fix: "Remove i6300esb from the `blacklist` lines of modprobe.d; or let the watchdog daemon load it: watchdog_module=\"i6300esb\" in /etc/default/watchdog.",
    family_fixes: &[
        (
            "ubuntu",
            "sed -i 's/^watchdog_module=.*/watchdog_module=\"i6300esb\"/' /etc/default/watchdog (blacklist_linux_*.conf comes again with each kernel)",
        ),
        ("debian", "sed -i 's/^watchdog_module=.*/watchdog_module=\"i6300esb\"/' /etc/default/watchdog"),
    ],
    source: "man 5 modprobe.d; kmod libkmod/libkmod-module.c (kmod_module_probe_insert_module); systemd src/shared/module-util.c; Debian's watchdog.service (ExecStartPre)",
    reads: LOAD_FACTS,
    run: |view, tally| each_entry(view, tally, &Course { rule: judge, path: BOOT_PATH, is_fatal: false }),
};

fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(mut driver) = late_driver::find(start, tally, watchdog_driver::MODULE) else { return };
    if let Some(why) = idle(start, &mut driver) {
        tally.note(why);
    }
    if driver.place == Place::Absent {
        return tally.not_applicable("there is no driver to load; watchdog-driver says so");
    }
    if driver.is_free(start, tally) && is_first(start, tally, &driver) {
        driver.proof(start).into_iter().for_each(|proof| tally.proof(proof));
    }
}

/// The program that loads what `watchdog_module=` names.
const DAEMON: &str = "watchdog";

/// Leaves out what the watchdog daemon's units would load, where nothing starts them, and says why.
pub(super) fn idle(start: &Start<'_, '_>, driver: &mut Driver<'_, '_>) -> Option<Evidence> {
    let (load, _) = start.view.apart(|view| driver.shelf.load_where(view, |load| load.by == DAEMON));
    let load = load?;
    let unit::Start::No(why) = unit::starts(start.view, UNITS)? else { return None };
    driver.shelf.leave_out(DAEMON);
    let found = format!("watchdog_module={} loads nothing: {}", load.module, why.found);
    Some(Evidence::at(load.path.clone(), found).line(load.line))
}

/// A watchdog that needs no device: the kernel's own timer.
const SOFTWARE: &str = "softdog";
/// Drivers that find nothing in Nova's default machine; of a q35 one the watchdog's is `iTCO_wdt`'s second.
const HARMLESS: &[&str] = &[watchdog_driver::MODULE, "iTCO_wdt", "iTCO_vendor_support"];

/// Whether /dev/watchdog is Nova's: the driver that registers first has that name (`drivers/watchdog/watchdog_dev.c`).
fn is_first(start: &Start<'_, '_>, tally: &mut Tally, driver: &Driver<'_, '_>) -> bool {
    let Some(software) = driver.shelf.place(SOFTWARE) else { return false };
    // Built in, the drivers register in the order of drivers/watchdog/Makefile, softdog last.
    if let (Place::BuiltIn(proof), Place::File(_)) = (&software, &driver.place) {
        let found = format!("{SOFTWARE} is built into the kernel and is /dev/watchdog before i6300esb is loaded");
        let evidence = Evidence { found, ..proof.clone() };
        tally.fault(Weight::Full, evidence.entry(start.entry.id.clone()).expected("CONFIG_SOFT_WATCHDOG=m"));
        return false;
    }
    // An initrd that Linux refuses is told by the checks of the boot path; what it may load is not known all the same.
    let early = if start.is_bare() == Some(false) { start.early(&mut Tally::default()) } else { None };
    let rival = early.iter().chain([&driver.shelf]).find_map(|shelf| rival(start, shelf));
    if let Some(load) = rival {
        let reason =
            format!("line {} loads {}: which of the two is /dev/watchdog is not known", load.line, load.module);
        start.view.miss(Gap::at(load.path.clone(), reason));
    }
    rival.is_none()
}

/// Another watchdog's driver that is loaded by name, whether or not its device is there.
fn rival<'a>(start: &Start<'_, 'a>, shelf: &Shelf<'_, 'a>) -> Option<&'a ModuleLoad> {
    let is_watchdog = |name: &str| match shelf.place(name) {
        Some(Place::File(file)) => file.path.contains("/drivers/watchdog/"),
        _ => name == SOFTWARE,
    };
    let is_its = |load: &ModuleLoad| !HARMLESS.contains(&load.module.as_str()) && is_watchdog(&load.module);
    shelf.load_where(start.view, is_its)
}
