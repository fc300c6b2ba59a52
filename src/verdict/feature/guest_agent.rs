//! The QEMU guest agent.

use super::{Feature, File, ImageProperty, Provision, Role, Side};

/// The unit of each release expands one of these (`BLACKLIST_RPC` RHEL 7 and 8, `BLOCK_RPCS` 9, `FILTER_RPC_ARGS` 9.4 and
/// later); as it comes, the file keeps Nova's commands from the agent.
const OPEN: File = File {
    path: "/etc/sysconfig/qemu-ga",
    text: "FILTER_RPC_ARGS=\"\"\nBLOCK_RPCS=\nBLACKLIST_RPC=\nFSFREEZE_HOOK_PATHNAME=/etc/qemu-ga/fsfreeze-hook\n",
};

pub(super) const FEATURE: Feature = Feature {
    name: "guest-agent",
    summary: "the QEMU guest agent starts and is reached",
    why: "Nova asks it to freeze the file systems for a snapshot and to set a password. The property gives the instance a channel, and nothing else: the agent is the image's.",
    side: Side::Judged,
    image: "The package qemu-guest-agent, something that starts it, and virtio_console for its channel.",
    needs: &["agent-installed", "agent-started", "agent-channel"],
    properties: &[
        ImageProperty {
            key: "hw_qemu_guest_agent",
            value: "yes",
            role: Role::Earned,
            effect: "the instance gets the channel org.qemu.guest_agent.0",
        },
        ImageProperty {
            key: "os_require_quiesce",
            value: "yes",
            role: Role::Helps,
            effect: "a snapshot that cannot be quiesced fails; without it, it is taken all the same",
        },
        ImageProperty {
            key: "os_admin_user",
            value: "",
            role: Role::Helps,
            effect: "the user whose password `openstack server set --password` sets; root otherwise",
        },
    ],
    // `hw:qemu_guest_agent` is refused by the API (nova/api/validation/extra_specs).
    flavor: &[],
    nova: &[],
    node: &["nothing: libvirt and QEMU bring the channel"],
    provision: &[
        ("any", Provision { packages: &["qemu-guest-agent"], kernel: &["CONFIG_VIRTIO_CONSOLE"], ..super::NOTHING }),
        // Debian's and SUSE's udev rules start the unit as soon as the port is there.
        ("debian", super::NOTHING),
        ("fedora", Provision { files: &[OPEN], units: &["qemu-guest-agent.service"], ..super::NOTHING }),
        ("suse", super::NOTHING),
        ("arch", Provision { units: &["qemu-guest-agent.service"], ..super::NOTHING }),
        ("alpine", Provision { units: &["qemu-guest-agent"], ..super::NOTHING }),
    ],
    proofs: &["agent-answers", "agent-freeze-thaw"],
    aged: &[
        (
            "hw_qemu_guest_agent=yes enables the agent",
            "it gives only the channel; the package must be in the image, and start",
        ),
        (
            "live snapshots of an instance with the agent are consistent",
            "only as far as the agent answers: without os_require_quiesce a failed freeze is logged, and the snapshot taken",
        ),
        ("a flavor can ask for the agent", "no extra spec does; hw:qemu_guest_agent is refused"),
    ],
    source: "Nova virt/libvirt/driver.py (_can_quiesce, set_admin_password); Nova admin guide, libvirt miscellaneous",
};
