//! Several queues of a network card.

use super::{ExtraSpec, Feature, ImageProperty, NovaOption, Provision, Release, Role, Side};

/// It spreads the queues' interrupts over the processors.
const IRQBALANCE: Provision = Provision { units: &["irqbalance.service"], ..super::NOTHING };

pub(super) const FEATURE: Feature = Feature {
    name: "multiqueue",
    summary: "the network card has a queue per CPU",
    why: "With one queue a single CPU of the instance does all its network work.",
    side: Side::Judged,
    image: "virtio_net as early as the kernel needs it, and a kernel that uses several queues: 3.8 or later, by itself since 4.10.",
    needs: &[
        "initrd-virtio-pci",
        "initrd-virtio-net",
        "initrd-module-closure",
        "module-not-blacklisted",
        "multiqueue-kernel",
    ],
    properties: &[ImageProperty {
        key: "hw_vif_multiqueue_enabled",
        value: "true",
        role: Role::Earned,
        effect: "as many queues as the instance has CPUs; a flavor that says otherwise is FlavorImageConflict",
    }],
    flavor: &[ExtraSpec {
        key: "hw:vif_multiqueue_enabled",
        value: "true",
        effect: "the same for every image of the flavor, since 25.0.0 (Yoga); must equal the image's where both are set. A flavor of one vCPU gets one queue",
    }],
    nova: &[NovaOption {
        section: "libvirt",
        name: "max_queues",
        value: "8",
        services: &["nova-compute"],
        since: Some(Release(21)),
        effect: "the most queues of a card; unset, what the host's kernel takes by its version: 8 for 3.x, 256 for 4.x, no limit from 5.0 on",
        formerly: &[],
    }],
    node: &["virt_type kvm or qemu, and a virtio card"],
    provision: &[
        (
            "any",
            Provision {
                packages: &["irqbalance"],
                initrd_modules: &["virtio_net"],
                kernel: &["CONFIG_VIRTIO_NET"],
                ..super::NOTHING
            },
        ),
        ("debian", IRQBALANCE),
        ("fedora", IRQBALANCE),
        ("suse", IRQBALANCE),
        ("arch", IRQBALANCE),
        ("alpine", Provision { units: &["irqbalance"], ..super::NOTHING }),
    ],
    proofs: &["queues"],
    aged: &[
        (
            "run ethtool -L eth0 combined N in the guest",
            "since Linux 4.10 virtio_net turns all queues on by itself; 3.8 to 4.9 still need it",
        ),
        ("any kernel above 3.0 will do", "several queues came with 3.8; SLES 11's 3.0.101 has one"),
        ("it is set on the image alone", "a flavor can say it too since 25.0.0 (Yoga)"),
    ],
    source: "Nova virt/hardware.py (get_vif_multiqueue_constraint), virt/libvirt/vif.py (_get_max_tap_queues), conf/libvirt.py (max_queues); Linux drivers/net/virtio_net.c",
};
