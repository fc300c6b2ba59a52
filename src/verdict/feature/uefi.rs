//! UEFI firmware.

use super::{Feature, ImageProperty, NovaOption, Provision, Role, Side};

pub(super) const FEATURE: Feature = Feature {
    name: "uefi",
    summary: "boots with UEFI firmware",
    why: "Secure boot, and every machine of aarch64, start by UEFI. A new instance has no boot variables: the firmware finds only the fallback loader of the ESP.",
    side: Side::Judged,
    image: "An EFI system partition with EFI/BOOT/BOOTX64.EFI (BOOTAA64.EFI on aarch64) that leads to every default boot entry.",
    needs: &["boot-entry-resolves"],
    properties: &[
        ImageProperty {
            key: "hw_firmware_type",
            value: "uefi",
            role: Role::Proof,
            effect: "the instance starts by UEFI; BIOS is the default on x86_64, and aarch64 has nothing else",
        },
        ImageProperty {
            key: "hw_machine_type",
            value: "q35",
            role: Role::Helps,
            effect: "recommended on x86_64, required with secure boot; aarch64 has virt",
        },
    ],
    // No extra spec chooses the firmware (nova/api/validation/extra_specs).
    flavor: &[],
    nova: &[NovaOption {
        section: "libvirt",
        name: "hw_machine_type",
        value: "x86_64=q35",
        services: &["nova-compute"],
        since: None,
        effect: "the machine of images that name none; pc without it on x86_64",
        formerly: &[],
    }],
    node: &["OVMF (edk2) and its descriptors in /usr/share/qemu/firmware"],
    // The loader's packages come with boot.firmware of the recipe.
    provision: &[("any", Provision { kernel: &["CONFIG_EFI"], ..super::NOTHING })],
    proofs: &["root-on-bus"],
    aged: &[
        (
            "hw_firmware_type=uefi never hurts",
            "an image without a fallback loader on its ESP stops in the firmware; one that boots by both needs no property",
        ),
        (
            "grub-install registers the loader",
            "in the builder's variables: an instance has its own, and needs grub-install --removable",
        ),
        (
            "install a certain OVMF file on the hosts",
            "libvirt chooses by the descriptors of the firmware since Nova 33.0.0 (2026.1)",
        ),
    ],
    source: "Nova virt/libvirt/driver.py (_configure_guest_by_virt_type); Nova admin guide, UEFI; UEFI 2.10, 3.5.1.1",
};
