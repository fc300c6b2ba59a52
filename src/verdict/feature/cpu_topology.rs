//! Sockets, cores and threads.

use super::{ExtraSpec, Feature, ImageProperty, Role, Side};

const fn choice(key: &'static str, value: &'static str, effect: &'static str) -> ImageProperty {
    ImageProperty { key, value, role: Role::Choice, effect }
}

pub(super) const FEATURE: Feature = Feature {
    name: "cpu-topology",
    summary: "the instance sees the sockets, cores and threads that it is meant to see",
    why: "Every vCPU is a socket of its own by default: software that is licensed by socket, or that takes no more than two, makes do with a part of them.",
    side: Side::Free,
    image: "Nothing: every kernel reads the topology. An image can ask for one where its software counts sockets.",
    needs: &[],
    properties: &[
        choice(
            "hw_cpu_max_sockets",
            "2",
            "no more sockets than this; not above the flavor's, which is ImageVCPULimitsRangeExceeded",
        ),
        choice("hw_cpu_max_threads", "1", "no more threads per core than this"),
        choice(
            "hw_cpu_sockets",
            "2",
            "this many, if the vCPUs divide; one of sockets, cores and threads on the image replaces all three of the flavor",
        ),
    ],
    flavor: &[
        ExtraSpec {
            key: "hw:cpu_max_sockets",
            value: "2",
            effect: "no more sockets than this: 4 vCPUs with 1 are one socket of four cores; images may only lower it",
        },
        ExtraSpec { key: "hw:cpu_max_threads", value: "1", effect: "no more threads per core than this" },
    ],
    nova: &[],
    node: &[
        "nothing: the topology is what the guest sees; threads that are no siblings on the host are not faster for it",
    ],
    provision: &[],
    proofs: &[],
    aged: &[
        (
            "hw:cpu_sockets settles it",
            "it is a preference: the maxima decide, and any of hw_cpu_sockets, hw_cpu_cores, hw_cpu_threads on an image replaces all three of the flavor",
        ),
        (
            "cpu_sockets without a prefix",
            "the flavor's are hw:cpu_*, the image's hw_cpu_*; any other name is taken without a word and does nothing",
        ),
    ],
    source: "Nova virt/hardware.py (get_cpu_topology_constraints), api/validation/extra_specs/hw.py; Nova admin guide, CPU topologies",
};
