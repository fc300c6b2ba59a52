//! vCPUs on host CPUs of their own.

use super::{ExtraSpec, Feature, Former, ImageProperty, NovaOption, Release, Role, Side};

pub(super) const FEATURE: Feature = Feature {
    name: "cpu-pinning",
    summary: "each vCPU has a host CPU of its own",
    why: "A vCPU that floats shares its host CPU with others: the load of neighbours shows as steal time and latency.",
    side: Side::Free,
    image: "Nothing: no driver and no setting. An image can ask for it where the flavor leaves it open.",
    needs: &[],
    properties: &[
        ImageProperty {
            key: "hw_cpu_policy",
            value: "dedicated",
            role: Role::Choice,
            effect: "counts where the flavor names no policy; beside a flavor of shared or mixed it is ImageCPUPinningForbidden",
        },
        ImageProperty {
            key: "hw_cpu_thread_policy",
            value: "prefer",
            role: Role::Choice,
            effect: "prefer, isolate or require; where the flavor names one other than prefer, it must be the same",
        },
    ],
    flavor: &[
        ExtraSpec {
            key: "hw:cpu_policy",
            value: "dedicated",
            effect: "shared (the default), dedicated, or mixed since 22.0.0 (Victoria); dedicated wins over the image, mixed needs hw:cpu_dedicated_mask or hw:cpu_realtime_mask",
        },
        ExtraSpec {
            key: "hw:cpu_thread_policy",
            value: "prefer",
            effect: "prefer (the default), require a host with SMT, or isolate: since 20.0.0 (Train) hosts without SMT alone",
        },
    ],
    nova: &[
        NovaOption {
            section: "compute",
            name: "cpu_dedicated_set",
            value: "4-15",
            services: &["nova-compute"],
            since: Some(Release(20)),
            effect: "host CPUs for pinned vCPUs, reported as PCPU; `4-15,^8` leaves 8 out",
            formerly: &[Former {
                option: "[DEFAULT] vcpu_pin_set",
                changed: Release(20),
                gone: None,
                note: "deprecated and still read where cpu_dedicated_set is not set; both together are an error",
            }],
        },
        NovaOption {
            section: "compute",
            name: "cpu_shared_set",
            value: "0-3",
            services: &["nova-compute"],
            // It gave host CPUs to emulator threads alone before (Rocky's release note).
            since: Some(Release(20)),
            effect: "host CPUs for all other vCPUs, reported as VCPU; it must not overlap cpu_dedicated_set",
            formerly: &[],
        },
        NovaOption {
            section: "filter_scheduler",
            name: "enabled_filters",
            value: "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter,NUMATopologyFilter",
            services: &["nova-scheduler"],
            since: Some(Release(15)),
            effect: "the default's five and NUMATopologyFilter, which is not among them and picks a host where the CPUs fit",
            formerly: &[Former {
                option: "[DEFAULT] scheduler_default_filters",
                changed: Release(15),
                gone: Some(Release(24)),
                note: "was read as an alias in between",
            }],
        },
    ],
    node: &[
        "keep the host's own work off these CPUs: CPUAffinity= in /etc/systemd/system.conf, or isolcpus= on the host's command line",
    ],
    provision: &[],
    proofs: &[],
    aged: &[
        (
            "set vcpu_pin_set",
            "deprecated since 20.0.0 (Train): cpu_dedicated_set for pinned and cpu_shared_set for other vCPUs, both in [compute], on the same host",
        ),
        (
            "add NUMATopologyFilter to scheduler_default_filters",
            "the option is [filter_scheduler] enabled_filters since 15.0.0 (Ocata), and the old name is not read since 24.0.0 (Xena)",
        ),
        (
            "RetryFilter belongs in the list",
            "it was removed in 22.0.0 (Victoria), and a scheduler that is told to load it does not start",
        ),
        ("pinned and other instances need hosts of their own", "since 20.0.0 (Train) a host takes both"),
        ("isolate keeps the sibling thread free", "since 20.0.0 (Train) it asks for a host without SMT"),
        ("ask for resources:PCPU beside hw:cpu_policy", "one of the two: together they are InvalidRequest"),
    ],
    source: "Nova conf/compute.py, conf/scheduler.py, virt/hardware.py (get_cpu_policy_constraint), scheduler/utils.py; Nova release notes 15.0.0, 20.0.0, 22.0.0, 24.0.0; Nova admin guide, CPU topologies",
};
