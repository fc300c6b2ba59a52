//! The machine around the disk: firmware, machine type, hypervisor, secure boot.

use super::{ALL, BUS_SCSI, BUS_VIRTIO, NAMED, Offer, Property, SCS, Value, Values, os};
use crate::fact::Gap;
use crate::verdict::{FactName, View};

pub(super) const TYPE: Property = Property {
    key: "hw_firmware_type",
    summary: "the firmware, where the image boots with only one",
    why: "An image that only UEFI boots hangs in BIOS, Nova's default on x86_64; on aarch64 there is nothing but UEFI.",
    detects: "The firmware that reaches the default boot entries: boot code and GRUB's core for BIOS, EFI/BOOT on the ESP for UEFI. An image that boots with both needs no word; either may be asked for.",
    fix: "Install the boot loader for the firmware: grub-install DISK for BIOS, grub-install --removable for UEFI.",
    source: "Nova virt/libvirt/driver.py (_configure_guest_by_virt_type); UEFI 2.10, 3.5.1.1",
    sets: ALL,
    values: Values::OneOf(&["uefi", "bios"]),
    needs: &["boot-entry-resolves"],
    reads: &[FactName::BootEntries],
    value: Offer::Found("uefi", firmware),
};

/// UEFI only where no entry is reached by BIOS, unless the user asks for one that reaches every default entry.
fn firmware(view: &View<'_>) -> Value {
    let entries = view.boot_entries().map(|entries| view.all(entries)).unwrap_or_default();
    let firmware: Vec<&Vec<String>> = entries.iter().filter_map(|entry| view.need(&entry.firmware)).collect();
    let has = |names: &&&Vec<String>, wanted: &str| names.iter().any(|name| name == wanted);
    if let Some(wanted) = view.options().choice.value(TYPE.key) {
        let is_default = entries.iter().filter(|entry| view.need(&entry.is_default) == Some(&true));
        let reached: Vec<&Vec<String>> = is_default.filter_map(|entry| view.need(&entry.firmware)).collect();
        // Each firmware has a default entry of its own, and every one of them has passed.
        let is_reached = reached.iter().any(|names| has(&names, wanted));
        let without = || Value::without(format!("no default boot entry is reached by {wanted}"));
        return if is_reached { Value::is(wanted) } else { without() };
    }
    let is_uefi = |names: &&Vec<String>| names.as_slice() == ["uefi"];
    match firmware.iter().any(|names| has(&names, "bios")) {
        true => Value::NotNeeded,
        false if !firmware.is_empty() && firmware.iter().all(is_uefi) => Value::is("uefi"),
        false => Value::without("which firmware reaches the boot entries is not known"),
    }
}

pub(super) const MACHINE: Property = Property {
    key: "hw_machine_type",
    summary: "the machine that the instance is",
    why: "aarch64 has only virt; on x86_64 pc and q35 both run a virtio image, and naming one excludes hosts that lack it.",
    detects: "The architecture of kernel and userland: virt on aarch64; pc or q35 on x86_64 where they are asked for.",
    fix: "Name a machine of the image's architecture.",
    source: "Nova virt/libvirt/utils.py (get_machine_type); QEMU docs/system/targets",
    sets: ALL,
    values: Values::Text,
    needs: &["boot-entry-resolves", "initrd-virtio-pci"],
    reads: &[FactName::Os, FactName::BootEntries, FactName::Kernels],
    value: Offer::Found("virt on aarch64", machine),
};

fn machine(view: &View<'_>) -> Value {
    let wanted = view.options().choice.value(MACHINE.key);
    let architecture = match os::architecture(view) {
        Value::Is(architecture) => architecture,
        other => return other,
    };
    // `pc`, `pc-i440fx-9.2`, `q35`, `pc-q35-rhel9.4.0`: what `qemu-system-x86_64 -machine help` lists.
    let is_machine = |name: &str| match architecture.as_str() {
        "x86_64" | "i686" => {
            ["pc", "q35"].contains(&name) || name.starts_with("pc-i440fx-") || name.starts_with("pc-q35-")
        }
        "aarch64" => name == "virt" || name.starts_with("virt-"),
        _ => false,
    };
    match wanted {
        None if architecture == "aarch64" => Value::is("virt"),
        None => Value::NotNeeded,
        Some(wanted) if is_machine(wanted) => Value::is(wanted),
        Some(wanted) => Value::without(format!("{wanted} is not known as a machine of {architecture}")),
    }
}

pub(super) const HYPERVISOR_SCSI: Property = Property {
    key: "hypervisor_type",
    summary: "the hypervisor that the image is made for",
    why: "The scheduler then starts it on hosts of that kind alone; SCS-0102 recommends to name it. qemu stands for KVM as well.",
    detects: "The image boots on a virtio disk, which KVM and QEMU have.",
    fix: "Build the initrd with virtio_scsi or virtio_blk.",
    source: "Nova scheduler/filters/image_props_filter.py; Glance docs, useful image properties; SCS-0102",
    sets: SCS,
    values: Values::OneOf(&[
        "baremetal",
        "bhyve",
        "docker",
        "fake",
        "hyperv",
        "ironic",
        "kqemu",
        "kvm",
        "lxc",
        "lxd",
        "openvz",
        "parallels",
        "phyp",
        "qemu",
        "test",
        "uml",
        "vbox",
        "vz",
        "vmware",
        "xen",
        "zvm",
        "prsm",
    ]),
    needs: BUS_SCSI,
    reads: &[],
    value: Offer::Fixed("qemu"),
};

pub(super) const HYPERVISOR_VIRTIO: Property = Property { needs: BUS_VIRTIO, ..HYPERVISOR_SCSI };

pub(super) const SECURE_BOOT: Property = Property {
    key: "os_secure_boot",
    summary: "whether UEFI checks signatures",
    why: "With required, and with optional on hosts that can, the firmware starts only what is signed: an image without shim, or with a kernel of its own, does not boot.",
    detects: "Signatures of shim, boot loader and kernel.",
    fix: "Install shim-signed, grub-efi-amd64-signed and a signed kernel, or the distribution's equivalents.",
    source: "Nova virt/libvirt/driver.py (_configure_guest_by_virt_type); Nova objects/fields.py (SecureBoot); SCS-0102",
    sets: SCS,
    values: Values::OneOf(&["required", "disabled", "optional"]),
    needs: &["boot-entry-resolves"],
    reads: &[],
    value: Offer::Found("required", |view| {
        let wanted = view.options().choice.value(SECURE_BOOT.key).unwrap_or("required");
        if wanted == "disabled" {
            return Value::NotNeeded;
        }
        view.miss(Gap::new("whether shim, boot loader and kernel are signed is not read by this version"));
        Value::is(wanted)
    }),
};

pub(super) const SECURE_BOOT_OFF: Property = Property {
    detects: "Nothing: without signatures asked for, none is missed.",
    fix: "Nothing is needed.",
    sets: NAMED,
    value: Offer::Fixed("disabled"),
    ..SECURE_BOOT
};
