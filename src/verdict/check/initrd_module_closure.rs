//! What the boot drivers of the initrd depend on is in the initrd too, and so is the root file system's driver.

use super::{BOOT_FACTS, Check, boots_by, initrd_virtio};
use crate::verdict::boot::{Place, Shelf, Start, each_entry, root_driver};
use crate::verdict::{Tally, Weight};

pub(super) const CHECK: Check = Check {
    id: "initrd-module-closure",
    summary: "the initrd's boot drivers find everything they depend on",
    broken: "a boot driver lacks a module that it depends on",
    why: "modprobe loads a module only after all modules that it depends on; one that is missing in the initrd stops the whole chain, and the root disk with it.",
    detects: "depends= of each boot driver's .modinfo is followed through the files of the initrds to the end; each name must be built in or a file of the kernel's version that modules.dep.bin names. The root file system's driver is one of them. A softdep that is missing is a note.",
    fix: "Build the initrd of every kernel again with its own tool, which copies dependencies along.",
    family_fixes: &[
        ("dracut", "dracut -f --regenerate-all"),
        ("debian", "update-initramfs -u -k all"),
        ("fedora", "dracut -f --regenerate-all"),
        ("suse", "dracut -f --regenerate-all"),
        ("arch", "mkinitcpio -P"),
        ("alpine", "mkinitfs"),
    ],
    source: "man 8 modprobe; man 8 depmod; .modinfo depends= of each module",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(judge)),
};

pub(super) fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(shelf) = start.early(tally) else { return };
    let mut roots: Vec<&str> = Vec::new();
    for modules in
        [initrd_virtio::PCI_MODULES, initrd_virtio::BLK_MODULES, initrd_virtio::SCSI_MODULES, &["virtio_net"]]
    {
        roots.extend(modules);
    }
    let driver = root_driver(start.view);
    roots.extend(driver);
    let required = &start.view.options().require_in_initrd;
    let is_required = |module: &str| required.iter().any(|required| required == module);
    roots.extend(required.iter().map(String::as_str).filter(|module| !roots.contains(module)).collect::<Vec<_>>());
    for module in roots {
        match shelf.place(module) {
            Some(Place::File(_)) => {
                let (hard, soft) = shelf.unmet(module);
                let is_met = hard.is_empty();
                for missing in hard {
                    let found = format!(
                        "{} needs {}, which is neither built in nor in this initrd",
                        missing.module, missing.needs
                    );
                    tally.fault(Weight::Full, start.at(missing.at, found).expected(format!("{}.ko", missing.needs)));
                }
                for missing in soft {
                    let found = format!(
                        "{} would like {}, which is not in this initrd (a softdep)",
                        missing.module, missing.needs
                    );
                    tally.note(start.at(missing.at, found));
                }
                if is_met {
                    tally.proof(start.at(start.archive_path(), format!("{module} finds all that it depends on")));
                }
            }
            Some(Place::BuiltIn(proof)) => tally.proof(proof.entry(start.entry.id.clone())),
            Some(Place::Absent) if Some(module) == driver => {
                let found = format!("the root file system is read by {module}: {}", absent(start, &shelf, module));
                start.missing(tally, Weight::Full, start.at(start.archive_path(), found));
            }
            Some(Place::Absent) if is_required(module) && module != "virtio_net" => {
                let found = format!("--require-in-initrd {module}: {}", absent(start, &shelf, module));
                tally.fault(Weight::Full, start.at(start.archive_path(), found).expected(format!("{module}.ko")));
            }
            Some(Place::Absent) if shelf.hidden(module).is_some() => {
                let evidence = start.at(start.archive_path(), absent(start, &shelf, module));
                tally.fault(Weight::Full, evidence.expected("modules.dep.bin as depmod writes it"));
            }
            // Its own check says so; what depends on it is told above.
            Some(Place::Absent) | None => {}
        }
    }
}

fn absent(start: &Start<'_, '_>, shelf: &Shelf<'_, '_>, module: &str) -> String {
    shelf.hidden(module).unwrap_or_else(|| initrd_virtio::absent(start, module))
}
