//! Nothing keeps the driver of Nova's watchdog from being loaded.

use super::{BOOT_FACTS, BOOT_PATH, Check, late_driver, watchdog_driver};
use crate::verdict::Tally;
use crate::verdict::boot::{Course, Place, Start, each_entry};

pub(super) const CHECK: Check = Check {
    id: "watchdog-loadable",
    summary: "nothing keeps the watchdog's driver from being loaded",
    broken: "the watchdog's driver is not loaded",
    why: "Ubuntu names i6300esb in a `blacklist` of every kernel: no device loads it, /dev/watchdog does not appear, and hw_watchdog_action is without effect although the driver and the daemon are there.",
    detects: "A driver that is a module must be named by modules.dep.bin, lead from the PCI device by modules.alias.bin, and be named by no `blacklist` or `install` line of modprobe.d and no word of the command line. watchdog_module= in /etc/default/watchdog loads it in spite of a `blacklist`; systemd's modules-load.d does not.",
    fix: "Remove i6300esb from the `blacklist` lines of modprobe.d; or let the watchdog daemon load it: watchdog_module=\"i6300esb\" in /etc/default/watchdog.",
    family_fixes: &[
        (
            "ubuntu",
            "sed -i 's/^watchdog_module=.*/watchdog_module=\"i6300esb\"/' /etc/default/watchdog (blacklist_linux_*.conf comes again with each kernel)",
        ),
        ("debian", "sed -i 's/^watchdog_module=.*/watchdog_module=\"i6300esb\"/' /etc/default/watchdog"),
    ],
    source: "man 5 modprobe.d; kmod libkmod/libkmod-module.c (kmod_module_probe_insert_module); systemd src/shared/module-util.c; Debian's watchdog.service (ExecStartPre)",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &Course { rule: judge, path: BOOT_PATH, is_fatal: false }),
};

fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(driver) = late_driver::find(start, tally, watchdog_driver::MODULE) else { return };
    if driver.place == Place::Absent {
        return tally.not_applicable("there is no driver to load; watchdog-driver says so");
    }
    if driver.is_free(start, tally) {
        driver.proof(start).into_iter().for_each(|proof| tally.proof(proof));
    }
}
