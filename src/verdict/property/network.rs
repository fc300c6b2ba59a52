//! The network card.

use super::{FULL, Offer, Property, RECOMMENDED, Values};

const DRIVER: &[&str] = &["initrd-virtio-pci", "initrd-virtio-net", "initrd-module-closure", "module-not-blacklisted"];

pub(super) const MULTIQUEUE: Property = Property {
    key: "hw_vif_multiqueue_enabled",
    summary: "the network card gets a queue per CPU",
    why: "Nova gives a card of an instance with several CPUs as many queues; a kernel that does not use them gains nothing, and an old one never enables more than one.",
    detects: "virtio_net for every default kernel, and the kernel's version.",
    fix: "Build the initrd with virtio_net; start a kernel that enables all queues by itself.",
    source: "Nova virt/libvirt/vif.py (get_base_config); Linux drivers/net/virtio_net.c",
    sets: RECOMMENDED,
    values: Values::Yes("true"),
    needs: &[
        "initrd-virtio-pci",
        "initrd-virtio-net",
        "initrd-module-closure",
        "module-not-blacklisted",
        "multiqueue-kernel",
    ],
    reads: &[],
    value: Offer::Fixed("true"),
};

pub(super) const VIF_MODEL: Property = Property {
    key: "hw_vif_model",
    summary: "the model of the network card",
    why: "A card without a driver is no network. virtio is what Nova takes by itself on KVM and QEMU, so that the property only excludes other hypervisors.",
    detects: "virtio_net for every default kernel.",
    fix: "Build the initrd with virtio_net.",
    source: "Nova virt/libvirt/vif.py; Nova objects/fields.py (VIFModel)",
    sets: FULL,
    values: Values::OneOf(&[
        "virtio",
        "ne2k_pci",
        "pcnet",
        "rtl8139",
        "e1000",
        "e1000e",
        "netfront",
        "spapr-vlan",
        "lan9118",
        "sriov",
        "vmxnet",
        "vmxnet3",
        "igb",
    ]),
    needs: DRIVER,
    reads: &[],
    value: Offer::Fixed("virtio"),
};
