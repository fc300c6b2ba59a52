//! The guest agent and what rests on it.

use super::{NAMED, Offer, Property, RECOMMENDED, Value, Values};
use crate::fact::Gap;
use crate::verdict::View;

const AGENT: &str = "hw_qemu_guest_agent";

pub(super) const CHANNEL: Property = Property {
    key: AGENT,
    summary: "the instance gets a channel to the guest agent",
    why: "Nova gives the instance a virtio-serial port and expects an agent on it: without one, snapshots are not quiesced and passwords cannot be set.",
    detects: "The package qemu-guest-agent, whatever starts it at the first boot, and the driver of its port (virtio_console).",
    fix: "Install qemu-guest-agent, and do not mask its unit.",
    source: "Nova virt/libvirt/driver.py (_set_qemu_guest_agent); Glance docs, useful image properties",
    sets: RECOMMENDED,
    values: Values::Yes("yes"),
    needs: &["initrd-virtio-pci", "agent-installed", "agent-started", "agent-channel"],
    reads: &[],
    value: Offer::Fixed("yes"),
};

pub(super) const QUIESCE: Property = Property {
    key: "os_require_quiesce",
    summary: "a snapshot fails unless the guest agent freezes the file systems",
    why: "Nova then refuses every live snapshot of an instance whose agent does not answer, instead of taking one that is not consistent.",
    detects: "All that hw_qemu_guest_agent needs, and no list that blocks guest-fsfreeze-freeze. Where SELinux is enforcing its policy decides, which only a boot shows.",
    fix: "Allow guest-fsfreeze-freeze and -thaw in the agent's configuration.",
    source: "Nova virt/libvirt/driver.py (_can_quiesce); Glance docs, useful image properties",
    sets: NAMED,
    values: Values::Yes("yes"),
    needs: &["initrd-virtio-pci", "agent-installed", "agent-started", "agent-channel", "agent-freeze-allowed"],
    reads: &[],
    value: Offer::Found("yes", quiesce),
};

pub(super) const ADMIN_USER: Property = Property {
    key: "os_admin_user",
    summary: "the user whose password `openstack server set --password` sets",
    why: "Nova asks the agent to set this user's password, root's otherwise; one that the image does not have gets none.",
    detects: "All that hw_qemu_guest_agent needs, no list that blocks guest-set-user-password, and cloud-init's default user.",
    fix: "Allow guest-set-user-password in the agent's configuration.",
    source: "Nova virt/libvirt/driver.py (set_admin_password); Glance docs, useful image properties",
    sets: NAMED,
    values: Values::Text,
    needs: &["initrd-virtio-pci", "agent-installed", "agent-started", "agent-channel", "agent-password-allowed"],
    reads: &[],
    value: Offer::Found("cloud-init's default user", admin_user),
};

fn quiesce(view: &View<'_>) -> Value {
    if let Some(value) = without_channel(view) {
        return value;
    }
    view.miss(Gap::new("whether SELinux is enforcing is not read by this version"));
    Value::is("yes")
}

fn admin_user(view: &View<'_>) -> Value {
    if let Some(value) = without_channel(view) {
        return value;
    }
    view.miss(Gap::new("cloud-init's default user is not read by this version"));
    Value::without("")
}

/// Nothing that asks the agent works without its channel.
fn without_channel(view: &View<'_>) -> Option<Value> {
    let is_left_out = !view.options().choice.includes_key(AGENT);
    is_left_out.then(|| Value::without(format!("it does nothing without {AGENT}, which is left out")))
}
