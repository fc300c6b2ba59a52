//! The disk: bus, model, smallest size.

use super::{ALL, BUS_SCSI, BUS_VIRTIO, Choice, Offer, Property, SAFE, Value, Values};
use crate::limits::GIB;
use crate::verdict::{FactName, View};

/// Nova's buses (`nova/objects/fields.py`, `DiskBus`).
pub(super) const BUSES: Values = Values::OneOf(&["fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml"]);

const MODEL: &str = "hw_scsi_model";

pub(super) const SCSI_BUS: Property = Property {
    key: "hw_disk_bus",
    summary: "the bus that disks hang on",
    why: "The kernel must reach the root disk on this bus from its initrd; one that lacks the driver stops in the initramfs shell.",
    detects: "Every default boot entry is followed from the boot loader to the root file system and to every row of /etc/fstab; the bus driver must be built into the kernel or in its initrds.",
    fix: "Build the initrd with virtio_scsi and sd_mod, and name file systems by UUID.",
    source: "Nova virt/libvirt/blockinfo.py; Glance docs, useful image properties",
    sets: ALL,
    values: BUSES,
    needs: BUS_SCSI,
    reads: &[],
    value: Offer::Found("scsi", |view| {
        let choice = &view.options().choice;
        if has_model(choice) || choice.wants_other("hw_disk_bus", "scsi") {
            Value::is("scsi")
        } else {
            Value::without("without hw_scsi_model=virtio-scsi the disk hangs on a controller that may have no driver")
        }
    }),
};

pub(super) const VIRTIO_BUS: Property = Property {
    detects: "As for scsi, with virtio_blk; only where scsi is not earned or not asked for.",
    fix: "Build the initrd with virtio_blk, and name file systems by UUID.",
    needs: BUS_VIRTIO,
    value: Offer::Fixed("virtio"),
    ..SCSI_BUS
};

// Without the model Nova adds no controller for the scsi bus, and libvirt adds one that cloud kernels do not drive
// (nova/virt/libvirt/driver.py, _get_scsi_controller).
pub(super) const SCSI_MODEL: Property = Property {
    key: MODEL,
    summary: "the controller of the scsi bus",
    why: "Without it libvirt picks a controller that cloud kernels do not drive; with it, but without hw_disk_bus=scsi, no disk hangs on it.",
    detects: "As for hw_disk_bus=scsi, beside which alone it is set.",
    fix: "Build the initrd with virtio_scsi and sd_mod, and name file systems by UUID.",
    source: "Nova virt/libvirt/driver.py (_get_scsi_controller)",
    sets: ALL,
    values: Values::OneOf(&["buslogic", "ibmvscsi", "lsilogic", "lsisas1068", "lsisas1078", "virtio-scsi", "vmpvscsi"]),
    needs: BUS_SCSI,
    reads: &[],
    value: Offer::Found("virtio-scsi", |view| {
        if has_bus(&view.options().choice) {
            Value::is("virtio-scsi")
        } else {
            Value::without("only beside hw_disk_bus=scsi")
        }
    }),
};

fn has_bus(choice: &Choice) -> bool {
    choice.includes_key("hw_disk_bus") && choice.value("hw_disk_bus").is_none_or(|bus| bus == "scsi")
}

/// Whether hw_scsi_model=virtio-scsi is not refused by the user.
pub(super) fn has_model(choice: &Choice) -> bool {
    choice.includes_key(MODEL) && choice.value(MODEL).is_none_or(|model| model == "virtio-scsi")
}

pub(super) const MIN_DISK: Property = Property {
    key: "min_disk",
    summary: "the smallest root disk of a flavor, in GiB",
    why: "Nova refuses a flavor whose disk is smaller than the image's virtual size only after the image was downloaded to a host; with it, the API says so at once.",
    detects: "The image's virtual size, rounded up to whole GiB; a larger one may be asked for.",
    fix: "Shrink the virtual disk with `qemu-img resize --shrink` after its partitions, where it is larger than what is on it.",
    source: "Glance API v2 (min_disk); Nova compute/api.py (_validate_flavor_image_nostatus)",
    sets: ALL,
    values: Values::Integer,
    needs: &[SAFE],
    reads: &[FactName::Image],
    value: Offer::Found("virtual size", min_disk),
};

fn min_disk(view: &View<'_>) -> Value {
    let size = view.image().and_then(|image| view.need(&image.virtual_size)).copied().flatten();
    let Some(size) = size else { return Value::without("a directory has no virtual size") };
    let least = size.div_ceil(GIB);
    let wanted = view.options().choice.value("min_disk").and_then(|wanted| wanted.parse().ok());
    Value::Is(wanted.filter(|wanted| *wanted > least).unwrap_or(least).to_string())
}
