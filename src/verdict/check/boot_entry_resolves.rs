//! What the boot loader starts is there: kernel, initrds that Linux unpacks, and an `/init` in them.

use super::{BOOT_FACTS, Check, boots_by};
use crate::fact::Gap;
use crate::guest::Initrd;
use crate::verdict::boot::{Start, each_entry};
use crate::verdict::{Tally, Weight};

pub(super) const CHECK: Check = Check {
    id: "boot-entry-resolves",
    summary: "the boot entries name kernels and initrds that are there and can be started",
    broken: "a boot entry cannot be started",
    why: "The loader stops at a file that is not there; Linux panics when it does not unpack the initrd or finds no /init in it.",
    fix: "Build the initrd again, and let the boot loader write its configuration again.",
    family_fixes: &[
        ("debian", "update-initramfs -u -k all && update-grub"),
        ("fedora", "dracut -f --regenerate-all && grub2-mkconfig -o /boot/grub2/grub.cfg"),
        ("suse", "dracut -f --regenerate-all && grub2-mkconfig -o /boot/grub2/grub.cfg"),
        ("arch", "mkinitcpio -P && grub-mkconfig -o /boot/grub/grub.cfg"),
    ],
    source: "Linux init/initramfs.c and init/main.c (ramdisk_execute_command); GRUB manual, commands linux and initrd",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(judge)),
};

pub(super) fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    if let Some(kernel) = start.kernel()
        && let Some(exists) = start.view.need(&kernel.exists)
    {
        if *exists {
            tally.proof(start.at_line(format!("starts {}", kernel.path)));
            for flaw in start.view.need(&kernel.flaws).map_or(&[][..], |flaws| start.view.all(flaws)) {
                if flaw.fatal {
                    tally.fault(Weight::Full, start.at(kernel.path.clone(), flaw.found.clone()));
                }
            }
        } else {
            tally.fault(
                Weight::Full,
                start.at_line(format!("names the kernel {}, which is not in the image", kernel.path)),
            );
        }
    }
    if let Some(initrds) = start.archives(tally)
        && !initrds.is_empty()
    {
        judge_init(start, tally, &initrds);
    }
}

/// Linux runs `/init` of the unpacked initrds, whichever of them holds it.
fn judge_init(start: &Start<'_, '_>, tally: &mut Tally, initrds: &[&Initrd]) {
    let path = start.archive_path();
    if let Some(init) = start.cmdline().and_then(|cmdline| cmdline.rdinit) {
        let gap = format!("rdinit={init} starts another program than /init, which was not looked for");
        start.view.miss(Gap::at(path, gap));
        return;
    }
    if let Some(initrd) = initrds.iter().find(|initrd| initrd.has_init.known() == Some(&true)) {
        tally.proof(start.at(initrd.path.clone(), "/init is there"));
        return;
    }
    let without =
        start.view.certain(|view| initrds.iter().filter(|initrd| view.need(&initrd.has_init).is_some()).count());
    if without.is_some() {
        let found = "there is no /init in this initrd: Linux does not start it";
        tally.fault(Weight::Full, start.at(path, found).expected("/init"));
    }
}
