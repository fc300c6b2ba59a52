//! The kernel has a driver for the watchdog that Nova adds.

use super::{BOOT_FACTS, BOOT_PATH, Check, late_driver};
use crate::verdict::boot::{Course, Start, each_entry};
use crate::verdict::{Tally, Weight};

pub(super) const CHECK: Check = Check {
    id: "watchdog-driver",
    summary: "the kernel has the driver of Nova's watchdog, i6300esb",
    broken: "the kernel has no driver for Nova's watchdog, i6300esb",
    why: "hw_watchdog_action adds an i6300esb to the instance. A kernel without its driver has no /dev/watchdog: the daemon runs, is enabled and active, and watches nothing.",
    detects: "i6300esb must be built into each boot entry's kernel, or be a file of its module folder in the root tree or of its initrds, of its version and with all that it depends on. Where the kernel's configuration leaves it out, that line is the evidence. iTCO_wdt is no substitute.",
    fix: "Install a kernel that has CONFIG_I6300ESB_WDT=m or =y.",
    family_fixes: &[
        (
            "debian",
            "apt-get install linux-image-amd64 && apt-get purge 'linux-image-*cloud*' (Debian 12's cloud kernel lacks i6300esb; Debian 13's has it)",
        ),
        ("fedora", "dnf install kernel-modules-core kernel-modules"),
        ("suse", "zypper install kernel-default (instead of kernel-default-base)"),
        ("arch", "pacman -S linux"),
        ("alpine", "apk add linux-lts (instead of linux-virt)"),
    ],
    source: "Nova admin guide, libvirt miscellaneous (watchdog); Nova virt/libvirt/config.py (LibvirtConfigGuestWatchdog, i6300esb); Linux drivers/watchdog/i6300esb.c",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &Course { rule: judge, path: BOOT_PATH, is_fatal: false }),
};

pub(super) const MODULE: &str = "i6300esb";
const OPTION: &str = "CONFIG_I6300ESB_WDT";

fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(driver) = late_driver::find(start, tally, MODULE) else { return };
    // It is a PCI device: without the bus its driver finds nothing.
    if let Some((_, evidence)) = start.option("CONFIG_PCI").filter(|(value, _)| *value == "n") {
        return tally.fault(Weight::Full, evidence.expected("CONFIG_PCI=y"));
    }
    match driver.proof(start) {
        None => tally.fault(Weight::Full, driver.absent(start, OPTION)),
        Some(proof) if driver.is_whole(start, tally) => tally.proof(proof),
        Some(_) => {}
    }
}
