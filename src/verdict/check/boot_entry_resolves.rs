//! What the boot loader starts is there: kernel, initrds that Linux unpacks, and an `/init` in them.

use super::{BOOT_FACTS, Check, boots_by};
use crate::fact::{Fact, Gap};
use crate::guest::bootloader::uefi;
use crate::guest::{BootEntry, Initrd};
use crate::verdict::boot::{Start, each_entry};
use crate::verdict::{Evidence, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "boot-entry-resolves",
    summary: "the boot entries name kernels and initrds that are there and can be started",
    broken: "a boot entry cannot be started",
    why: "Without boot code or a loader for UEFI nothing is started at all. The loader stops at a file that is not there; Linux panics when it does not unpack the initrd or finds no /init in it.",
    detects: "Every boot entry is read as the loader evaluates it, the default one as the firmware reaches it. Its kernel and initrds are looked up in the root tree, the kernel's header is read, the initrds are unpacked as Linux unpacks them and searched for /init; the first sector, the BIOS boot partition and the ESP say which firmware starts the loader. GRUB's core is unpacked, and followed from its prefix to its menu: the modules that it loads for that, for the commands of the entry and to read the disk are there.",
    fix: "Build the initrd again, and let the boot loader write its configuration again.",
    family_fixes: &[
        ("debian", "update-initramfs -u -k all && update-grub"),
        ("fedora", "dracut -f --regenerate-all && grub2-mkconfig -o /boot/grub2/grub.cfg"),
        ("suse", "dracut -f --regenerate-all && grub2-mkconfig -o /boot/grub2/grub.cfg"),
        ("arch", "mkinitcpio -P && grub-mkconfig -o /boot/grub/grub.cfg"),
    ],
    source: "Linux init/initramfs.c and init/main.c (ramdisk_execute_command); GRUB manual, commands linux and initrd",
    reads: BOOT_FACTS,
    run: |view, tally| {
        each_entry(view, tally, &boots_by(judge));
        judge_firmware(view, tally);
    },
};

/// Some firmware starts the loader. It is asked once for all attempts of an entry: none takes another's place here.
fn judge_firmware(view: &View<'_>, tally: &mut Tally) {
    let entries = view.boot_entries().map(|entries| view.all(entries)).unwrap_or_default();
    for entry in entries {
        let is_default = entry.is_default.known() != Some(&false);
        let weight = if is_default { Weight::Full } else { Weight::Minor };
        for stop in &entry.stops {
            let path = stop.path.as_ref().unwrap_or(&entry.config);
            match &stop.found {
                Fact::Known(found) => {
                    let evidence = Evidence::at(path.clone(), found.clone()).entry(entry.id.clone());
                    tally.fault(weight, evidence.mend(install(&stop.firmware)));
                }
                Fact::Unknown(gap) => tally.gap(weight, gap.clone()),
            }
        }
        match &entry.firmware {
            Fact::Known(names) if names.is_empty() && !entry.stops.is_empty() => {}
            Fact::Known(names) if names.is_empty() => {
                let loader = loader_of(view, entry);
                let found = format!(
                    "no firmware starts this loader: neither boot code for BIOS in the first sector that leads to a loader, nor a program for UEFI at {loader}"
                );
                let evidence = Evidence::at(entry.config.clone(), found).entry(entry.id.clone());
                tally
                    .fault(weight, evidence.expected(format!("one of them: boot code of GRUB, or {loader}")).mend(FIX));
            }
            Fact::Known(_) => {}
            Fact::Unknown(gap) => tally.gap(weight, gap.clone()),
        }
    }
}

/// Puts a loader where firmware looks for it.
const FIX: &str = "Install the boot loader on the disk: grub-install DISK for BIOS, grub-install --target=x86_64-efi --removable (of the kernel's architecture) for UEFI.";

/// Puts what GRUB loads where it looks.
fn install(firmware: &str) -> &'static str {
    match firmware {
        "bios" => {
            "Install GRUB for BIOS again, with its modules and its menu: grub-install --target=i386-pc DISK && update-grub (grub2-mkconfig elsewhere than on Debian)."
        }
        _ => {
            "Install GRUB for UEFI again, with its modules and its menu: grub-install --target=x86_64-efi --removable (of the kernel's architecture) && update-grub (grub2-mkconfig elsewhere than on Debian)."
        }
    }
}

/// Where UEFI looks for the loader of an entry's kernel.
fn loader_of(view: &View<'_>, entry: &BootEntry) -> String {
    let path = entry.attempts.known().and_then(|attempts| attempts.items.first()).map(|attempt| &attempt.kernel);
    let (kernels, _) = view.apart(View::kernels);
    let items = kernels.map(|kernels| kernels.items.as_slice()).unwrap_or_default();
    let kernel = items.iter().find(|kernel| Some(&kernel.path) == path);
    let architecture = kernel.and_then(|kernel| kernel.architecture.known());
    let name = architecture.and_then(|architecture| uefi::loader(architecture));
    format!("EFI/BOOT/{}", name.unwrap_or("BOOT*.EFI"))
}

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
