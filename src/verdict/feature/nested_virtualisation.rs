//! KVM in an instance.

use super::{Feature, NovaOption, Provision, Release, Side};

pub(super) const FEATURE: Feature = Feature {
    name: "nested-virtualisation",
    summary: "the instance can run virtual machines of its own with KVM",
    why: "Without vmx or svm in the instance there is no /dev/kvm: QEMU falls back to emulation, or does not start.",
    side: Side::Unjudged,
    image: "A kernel with kvm and kvm_intel or kvm_amd, built in or as modules: `modprobe kvm_intel || modprobe kvm_amd; test -e /dev/kvm` in an instance tells.",
    needs: &[],
    properties: &[],
    flavor: &[],
    nova: &[
        NovaOption {
            section: "libvirt",
            name: "cpu_mode",
            value: "host-passthrough",
            services: &["nova-compute"],
            since: None,
            effect: "the guest sees the host's CPU with vmx or svm; host-model (the default of KVM) does so where its model has them",
            formerly: &[],
        },
        NovaOption {
            section: "libvirt",
            name: "cpu_model_extra_flags",
            value: "vmx",
            services: &["nova-compute"],
            since: Some(Release(18)),
            effect: "adds the flag (svm on AMD) where the model of cpu_mode host-model or custom lacks it",
            formerly: &[],
        },
    ],
    node: &[
        "kvm_intel or kvm_amd loaded with nested=1: `cat /sys/module/kvm_intel/parameters/nested` says Y or 1; by default since Linux 4.20, otherwise `options kvm_intel nested=1` in /etc/modprobe.d/kvm.conf",
        "hosts that have it in an aggregate of their own, and its flavor tied to them: no extra spec asks for it by name",
    ],
    provision: &[(
        "any",
        Provision { kernel: &["CONFIG_KVM", "CONFIG_KVM_INTEL", "CONFIG_KVM_AMD"], ..super::NOTHING },
    )],
    proofs: &[],
    aged: &[
        ("nested=1 must be set on every host", "Linux has it on by default since 4.20; look before you reboot"),
        (
            "cpu_mode=host-passthrough is the only way",
            "host-model, Nova's default, passes vmx or svm on where its model has them, and live migration then takes hosts that differ",
        ),
        ("cpu_model names the model", "it is cpu_models since 20.0.0 (Train), a list; the old name is an alias"),
        ("hw_cpu_mode on the image asks for it", "Glance's metadefs list it, and Nova does not read it"),
    ],
    source: "Nova admin guide, KVM (nested guest support); Nova conf/libvirt.py (cpu_mode, cpu_models, cpu_model_extra_flags); Linux Documentation/virt/kvm/x86/running-nested-guests.rst",
};
