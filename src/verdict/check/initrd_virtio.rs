//! The drivers of virtio's bus and disks are there before the root file system is mounted: three checks, one rule.

use super::{BOOT_FACTS, Check, boots_by};
use crate::verdict::boot::{Place, Start, each_entry, place_of};
use crate::verdict::{Tally, Weight};

const SOURCE: &str = "Nova virt/libvirt/blockinfo.py (disk buses); Linux drivers/virtio, drivers/block, drivers/scsi";

pub(super) const PCI: Check = Check {
    id: "initrd-virtio-pci",
    summary: "the kernel reaches virtio devices before the root file system is mounted",
    broken: "the kernel cannot reach any virtio device",
    why: "Every virtio disk and network card of a Nova instance hangs on virtio_pci; without it the kernel finds no root disk and stops in the initramfs shell.",
    detects: "virtio_pci: Built in is what modules.builtin of the kernel's version or its config says; a file counts where it is in an initrd of the boot entry, under the kernel's version, indexed by depmod and with a .modinfo that can be read. Every attempt of every entry is judged, the default ones as errors.",
    fix: "Add virtio_pci to the modules of the initrd, and build the initrd of every kernel again.",
    family_fixes: &[
        (
            "dracut",
            "echo 'add_drivers+=\" virtio_pci \"' > /etc/dracut.conf.d/virtio-pci.conf && dracut -f --regenerate-all",
        ),
        ("debian", "echo virtio_pci >> /etc/initramfs-tools/modules && update-initramfs -u -k all"),
        (
            "fedora",
            "echo 'add_drivers+=\" virtio_pci \"' > /etc/dracut.conf.d/virtio-pci.conf && dracut -f --regenerate-all",
        ),
        (
            "suse",
            "echo 'add_drivers+=\" virtio_pci \"' > /etc/dracut.conf.d/virtio-pci.conf && dracut -f --regenerate-all",
        ),
        ("arch", "add virtio_pci to MODULES in /etc/mkinitcpio.conf, then: mkinitcpio -P"),
        ("alpine", "add virtio to features in /etc/mkinitfs/mkinitfs.conf, then: mkinitfs"),
    ],
    source: SOURCE,
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(pci)),
};

pub(super) const BLK: Check = Check {
    id: "initrd-virtio-blk",
    summary: "the kernel can mount its root from a virtio-blk disk",
    broken: "the kernel cannot reach a virtio-blk disk",
    why: "With hw_disk_bus=virtio, and where an image says nothing, the root disk is virtio-blk; without its driver the kernel stops in the initramfs shell.",
    detects: "virtio_blk: Built in is what modules.builtin of the kernel's version or its config says; a file counts where it is in an initrd of the boot entry, under the kernel's version, indexed by depmod and with a .modinfo that can be read. Every attempt of every entry is judged, the default ones as errors.",
    fix: "Add virtio_blk to the modules of the initrd, and build the initrd of every kernel again.",
    family_fixes: &[
        (
            "dracut",
            "echo 'add_drivers+=\" virtio_blk \"' > /etc/dracut.conf.d/virtio-blk.conf && dracut -f --regenerate-all",
        ),
        ("debian", "echo virtio_blk >> /etc/initramfs-tools/modules && update-initramfs -u -k all"),
        (
            "fedora",
            "echo 'add_drivers+=\" virtio_blk \"' > /etc/dracut.conf.d/virtio-blk.conf && dracut -f --regenerate-all",
        ),
        (
            "suse",
            "echo 'add_drivers+=\" virtio_blk \"' > /etc/dracut.conf.d/virtio-blk.conf && dracut -f --regenerate-all",
        ),
        ("arch", "add virtio_blk to MODULES in /etc/mkinitcpio.conf, then: mkinitcpio -P"),
        ("alpine", "add virtio to features in /etc/mkinitfs/mkinitfs.conf, then: mkinitfs"),
    ],
    source: SOURCE,
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(|start, tally| in_initrd(start, tally, BLK_MODULES))),
};

pub(super) const SCSI: Check = Check {
    id: "initrd-virtio-scsi",
    summary: "the kernel can mount its root from a virtio-scsi disk",
    broken: "the kernel cannot reach a virtio-scsi disk",
    why: "With hw_disk_bus=scsi and hw_scsi_model=virtio-scsi the root disk hangs on virtio_scsi, scsi_mod and sd_mod; without one of them the kernel stops in the initramfs shell.",
    detects: "virtio_scsi, scsi_mod and sd_mod: Built in is what modules.builtin of the kernel's version or its config says; a file counts where it is in an initrd of the boot entry, under the kernel's version, indexed by depmod and with a .modinfo that can be read. Every attempt of every entry is judged, the default ones as errors.",
    fix: "Add virtio_scsi and sd_mod to the modules of the initrd, and build the initrd of every kernel again.",
    family_fixes: &[
        (
            "dracut",
            "echo 'add_drivers+=\" virtio_scsi sd_mod \"' > /etc/dracut.conf.d/virtio-scsi.conf && dracut -f --regenerate-all",
        ),
        ("debian", "printf 'virtio_scsi\\nsd_mod\\n' >> /etc/initramfs-tools/modules && update-initramfs -u -k all"),
        (
            "fedora",
            "echo 'add_drivers+=\" virtio_scsi sd_mod \"' > /etc/dracut.conf.d/virtio-scsi.conf && dracut -f --regenerate-all",
        ),
        (
            "suse",
            "echo 'add_drivers+=\" virtio_scsi sd_mod \"' > /etc/dracut.conf.d/virtio-scsi.conf && dracut -f --regenerate-all",
        ),
        ("arch", "add virtio_scsi and sd_mod to MODULES in /etc/mkinitcpio.conf, then: mkinitcpio -P"),
        ("alpine", "add scsi and virtio to features in /etc/mkinitfs/mkinitfs.conf, then: mkinitfs"),
    ],
    source: SOURCE,
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(|start, tally| in_initrd(start, tally, SCSI_MODULES))),
};

pub(super) const PCI_MODULES: &[&str] = &["virtio_pci"];
pub(super) const BLK_MODULES: &[&str] = &["virtio_blk"];
pub(super) const SCSI_MODULES: &[&str] = &["virtio_scsi", "scsi_mod", "sd_mod"];

pub(super) fn pci(start: &Start<'_, '_>, tally: &mut Tally) {
    in_initrd(start, tally, PCI_MODULES);
}

/// Each module is built in, or a file of the initrds whose `.modinfo` could be read.
fn in_initrd(start: &Start<'_, '_>, tally: &mut Tally, modules: &[&str]) {
    let Some(shelf) = start.early(tally) else { return };
    for module in modules {
        match shelf.place(module) {
            Some(place) if !start.is_free(tally, &shelf, module, &place) => {}
            Some(Place::BuiltIn(proof)) => tally.proof(proof.entry(start.entry.id.clone())),
            Some(Place::File(file)) if shelf.record(&file).is_some() => {
                tally.proof(start.at(place_of(&file), format!("{module}: {}", file.path)));
            }
            // What could not be read of it is a gap.
            Some(Place::File(_)) | None => {}
            Some(Place::Absent) => {
                let found = shelf.hidden(module).unwrap_or_else(|| absent(start, module));
                let evidence = start.at(start.archive_path(), found).expected(format!("{module}.ko"));
                start.missing(tally, Weight::Full, evidence);
            }
        }
    }
}

/// Says where a module that the initrds lack is instead.
pub(super) fn absent(start: &Start<'_, '_>, module: &str) -> String {
    if start.is_bare() == Some(true) {
        let reason = "which is started without an initrd and without an initramfs of its own";
        return format!("{module} is not built into this kernel, {reason}");
    }
    match start.root_tree_has(module) {
        Some(true) => format!("{module}.ko is not in this initrd; only the root tree has it"),
        Some(false) => format!("{module}.ko is not in this initrd, nor in the root tree, nor built in"),
        None => format!("{module}.ko is not in this initrd, nor built in"),
    }
}
