//! A part of the host's GPU.

use super::{ExtraSpec, Feature, Former, NovaOption, Release, Side};

pub(super) const FEATURE: Feature = Feature {
    name: "vgpu",
    summary: "the instance has a part of a GPU of its host",
    why: "A mediated device (mdev) of the host's GPU is handed to the instance; without the vendor's driver inside nothing uses it.",
    side: Side::Unjudged,
    image: "The vendor's guest driver for the running kernel (for NVIDIA with its licence client), which no distribution ships, and nouveau kept from being loaded: `lspci -nnk` in an instance names the driver in use.",
    needs: &[],
    properties: &[],
    flavor: &[ExtraSpec {
        key: "resources:VGPU",
        value: "1",
        effect: "asks Placement for one; the type is not named: tie flavor and hosts of a type by an aggregate, or by a class of its own (mdev_class)",
    }],
    nova: &[
        NovaOption {
            section: "devices",
            name: "enabled_mdev_types",
            value: "nvidia-35",
            services: &["nova-compute"],
            since: Some(Release(24)),
            effect: "the types that the host offers, from /sys/class/mdev_bus/*/mdev_supported_types; several since 21.0.0 (Ussuri), each then with a section of its own",
            formerly: &[Former {
                option: "[devices] enabled_vgpu_types",
                changed: Release(24),
                gone: None,
                note: "still read as an alias",
            }],
        },
        NovaOption {
            section: "mdev_nvidia-35",
            name: "device_addresses",
            value: "0000:84:00.0,0000:85:00.0",
            services: &["nova-compute"],
            since: Some(Release(24)),
            effect: "which GPUs offer this type; all that no other type claims when it is left out",
            formerly: &[Former {
                option: "[vgpu_nvidia-35] device_addresses",
                changed: Release(24),
                gone: None,
                note: "still read as an alias",
            }],
        },
        NovaOption {
            section: "mdev_nvidia-35",
            name: "mdev_class",
            value: "VGPU",
            services: &["nova-compute"],
            since: Some(Release(24)),
            effect: "the resource class that the flavor asks for: VGPU or CUSTOM_…",
            formerly: &[],
        },
        NovaOption {
            section: "mdev_nvidia-35",
            name: "max_instances",
            value: "8",
            services: &["nova-compute"],
            since: Some(Release(29)),
            effect: "no more devices of this type than this; what the type allows when it is left out",
            formerly: &[],
        },
    ],
    node: &[
        "the vendor's host driver, virtual functions enabled where the card has them, IOMMU on",
        "libvirt with KVM",
    ],
    provision: &[],
    proofs: &[],
    aged: &[
        (
            "set enabled_vgpu_types",
            "it is enabled_mdev_types since 24.0.0 (Xena), and [vgpu_TYPE] is [mdev_TYPE]; both old names are read as aliases",
        ),
        ("a host has one type", "several since 21.0.0 (Ussuri)"),
        ("an image property asks for it", "none does: the flavor alone, with resources:VGPU"),
    ],
    source: "Nova conf/devices.py, virt/libvirt/driver.py (_get_supported_vgpu_types); Nova release notes 17.0.0, 21.0.0, 24.0.0; Nova admin guide, virtual GPUs",
};
