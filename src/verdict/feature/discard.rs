//! Freed blocks go back to the storage.

use super::{Feature, ImageProperty, NovaOption, Provision, Role, Side};

pub(super) const FEATURE: Feature = Feature {
    name: "discard",
    summary: "freed blocks are given back to the storage",
    why: "Without it an instance's disk only grows: what its file systems free stays allocated in Ceph or in the qcow2 file of the host.",
    side: Side::Judged,
    image: "fstrim.timer enabled, or file systems mounted with discard; with hw_disk_bus=virtio a kernel of 5.0 or later.",
    needs: &["trim-enabled"],
    properties: &[
        ImageProperty {
            key: "hw_disk_bus",
            value: "scsi",
            role: Role::Helps,
            effect: "passes discard on whatever the guest's kernel and the machine type",
        },
        ImageProperty {
            key: "hw_scsi_model",
            value: "virtio-scsi",
            role: Role::Helps,
            effect: "the controller of that bus",
        },
    ],
    flavor: &[],
    nova: &[NovaOption {
        section: "libvirt",
        name: "hw_disk_discard",
        value: "unmap",
        services: &["nova-compute"],
        since: None,
        effect: "disks of the host and of its Ceph pool pass discard on; there is no default, so that without it nothing does",
        formerly: &[],
    }],
    node: &[
        "volumes: their Cinder backend must report discard: report_discard_supported = true in its section of cinder.conf; RBD does so by itself",
    ],
    provision: &[
        ("debian", Provision { units: &["fstrim.timer"], ..super::NOTHING }),
        ("fedora", Provision { units: &["fstrim.timer"], ..super::NOTHING }),
        ("suse", Provision { units: &["fstrim.timer"], ..super::NOTHING }),
        ("arch", Provision { units: &["fstrim.timer"], ..super::NOTHING }),
        // OpenRC has no such timer: build mounts with discard.
        ("alpine", super::NOTHING),
    ],
    proofs: &["trim-frees-blocks"],
    aged: &[
        (
            "an image property turns discard on",
            "none does: it is hw_disk_discard in nova.conf, and Cinder's word for volumes",
        ),
        ("discard works as it comes", "hw_disk_discard has no default: unset, nothing is passed on"),
        (
            "virtio-blk cannot discard",
            "it can with a machine type of QEMU 4.0 or later and Linux 5.0 or later in the guest; Nova's debug line \"Trim commands will not be issued\" for bus=virtio is older than both",
        ),
    ],
    source: "Nova conf/libvirt.py (hw_disk_discard), virt/libvirt/imagebackend.py, virt/libvirt/volume/volume.py, virt/libvirt/driver.py (_check_discard_for_attach_volume); QEMU hw/core/machine.c (hw_compat_3_1); Linux 5.0 drivers/block/virtio_blk.c",
};
