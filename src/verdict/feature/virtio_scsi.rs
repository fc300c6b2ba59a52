//! The virtio-scsi disk.

use super::{Feature, ImageProperty, NovaOption, Provision, Release, Role, Side};
use crate::verdict::property::BUS_SCSI;

pub(super) const FEATURE: Feature = Feature {
    name: "virtio-scsi",
    summary: "boots from a virtio-scsi disk",
    why: "One controller takes 256 disks where virtio-blk takes a PCI slot for each, and every disk on it passes discard on. An image whose initrd lacks the driver stops in the initramfs shell.",
    side: Side::Judged,
    image: "virtio_pci, virtio_scsi, scsi_mod and sd_mod built into the kernel or in its initrd, and file systems named by UUID or label.",
    needs: BUS_SCSI,
    properties: &[
        ImageProperty { key: "hw_disk_bus", value: "scsi", role: Role::Earned, effect: "disks hang on the controller" },
        ImageProperty {
            key: "hw_scsi_model",
            value: "virtio-scsi",
            role: Role::Earned,
            effect: "the controller is virtio-scsi; without it libvirt picks one that cloud kernels do not drive",
        },
    ],
    // `hw:scsi_model` and `hw:disk_bus` are refused by the API (nova/api/validation/extra_specs).
    flavor: &[],
    nova: &[
        NovaOption {
            section: "compute",
            name: "max_disk_devices_to_attach",
            value: "-1",
            services: &["nova-compute"],
            since: Some(Release(19)),
            effect: "the most disks of an instance, -1 (the default) for as many as the bus takes",
            formerly: &[],
        },
        NovaOption {
            section: "libvirt",
            name: "num_pcie_ports",
            value: "0",
            services: &["nova-compute"],
            since: Some(Release(18)),
            effect: "PCIe ports of a q35 or virt machine, 28 at most, 0 (the default) leaves one or two free; a disk on virtio-blk takes one, disks on virtio-scsi share one",
            formerly: &[],
        },
    ],
    node: &[],
    provision: &[(
        "any",
        Provision {
            initrd_modules: &["virtio_pci", "virtio_scsi", "sd_mod"],
            kernel: &["CONFIG_VIRTIO_PCI", "CONFIG_SCSI_VIRTIO", "CONFIG_BLK_DEV_SD"],
            ..super::NOTHING
        },
    )],
    proofs: &["root-on-bus"],
    aged: &[
        (
            "only virtio-scsi passes discard on",
            "virtio-blk does so too since machine types of QEMU 4.0 and Linux 5.0 in the guest; older ones need virtio-scsi",
        ),
        (
            "an instance takes 26 disks",
            "ide takes 4; virtio-blk as many as there are PCI slots, about 28 on pc, on q35 as many as root ports; virtio-scsi 256 a controller",
        ),
        ("hw_scsi_model=virtio-scsi is enough", "the disk moves only with hw_disk_bus=scsi beside it"),
    ],
    source: "Nova virt/libvirt/driver.py (_get_scsi_controller), virt/libvirt/blockinfo.py, virt/libvirt/volume/volume.py; conf/compute.py, conf/libvirt.py; QEMU hw/core/machine.c (hw_compat_3_1)",
};
