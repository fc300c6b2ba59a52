//! UEFI secure boot.

use super::{ExtraSpec, Feature, ImageProperty, NovaOption, Provision, Role, Side};

pub(super) const FEATURE: Feature = Feature {
    name: "secure-boot",
    summary: "the firmware starts only what is signed",
    why: "With it required, a loader or kernel that the firmware's keys do not vouch for does not start.",
    side: Side::Judged,
    image: "All that uefi needs, a signed shim as the fallback loader, and a signed GRUB and kernel behind it.",
    needs: &["boot-entry-resolves"],
    properties: &[
        ImageProperty {
            key: "os_secure_boot",
            value: "required",
            role: Role::Proof,
            effect: "required, optional (where the host can) or disabled; one that differs from the flavor's is FlavorImageConflict",
        },
        ImageProperty {
            key: "hw_firmware_type",
            value: "uefi",
            role: Role::Proof,
            effect: "without it BIOS starts on x86_64, and nothing is verified",
        },
        ImageProperty {
            key: "hw_machine_type",
            value: "q35",
            role: Role::Helps,
            effect: "needed on x86_64 where the hosts' default is pc",
        },
    ],
    flavor: &[ExtraSpec {
        key: "os:secure_boot",
        value: "required",
        effect: "required or disabled; optional is for images alone",
    }],
    nova: &[NovaOption {
        section: "libvirt",
        name: "hw_machine_type",
        value: "x86_64=q35",
        services: &["nova-compute"],
        since: None,
        effect: "the machine of images that name none; secure boot on x86_64 takes q35 alone",
        formerly: &[],
    }],
    node: &[
        "OVMF built with SMM and enrolled keys; the host's resource provider then has the trait COMPUTE_SECURITY_UEFI_SECURE_BOOT, since 23.0.0 (Wallaby)",
    ],
    provision: &[
        ("any", Provision { kernel: &["CONFIG_EFI"], ..super::NOTHING }),
        // The packages of the shim differ with the architecture; build knows them, and where they put it.
        ("debian", super::NOTHING),
    ],
    proofs: &[],
    aged: &[
        (
            "os_secure_boot=required is enough",
            "without hw_firmware_type=uefi it does nothing, and on x86_64 it needs q35",
        ),
        ("it is for Hyper-V", "for libvirt since 23.0.0 (Wallaby)"),
    ],
    source: "Nova virt/libvirt/driver.py (_check_secure_boot_support), virt/hardware.py (get_secure_boot_constraint), api/validation/extra_specs/os.py; Nova admin guide, secure boot",
};
