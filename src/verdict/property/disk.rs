//! The disk: bus, model, smallest size.

use super::{BUS_SCSI, BUS_VIRTIO, Property, SAFE, Value};
use crate::limits::GIB;
use crate::verdict::{FactName, View};

pub(super) const SCSI_BUS: Property = Property {
    key: "hw_disk_bus",
    summary: "the bus that disks hang on",
    needs: BUS_SCSI,
    reads: &[],
    value: |_| Value::is("scsi"),
    is_integer: false,
};

// Without the model Nova adds no controller for the scsi bus, and libvirt adds one that cloud kernels do not drive
// (nova/virt/libvirt/driver.py, _get_scsi_controller).
pub(super) const SCSI_MODEL: Property = Property {
    key: "hw_scsi_model",
    summary: "the controller of the scsi bus",
    needs: BUS_SCSI,
    reads: &[],
    value: |_| Value::is("virtio-scsi"),
    is_integer: false,
};

pub(super) const VIRTIO_BUS: Property = Property { needs: BUS_VIRTIO, value: |_| Value::is("virtio"), ..SCSI_BUS };

pub(super) const MIN_DISK: Property = Property {
    key: "min_disk",
    summary: "the smallest root disk of a flavor, in GiB",
    needs: &[SAFE],
    reads: &[FactName::Image],
    value: min_disk,
    is_integer: true,
};

fn min_disk(view: &View<'_>) -> Value {
    let size = view.image().and_then(|image| view.need(&image.virtual_size)).copied().flatten();
    match size {
        Some(size) => Value::Is(size.div_ceil(GIB).to_string()),
        None => Value::Without("a directory has no virtual size".to_owned()),
    }
}
