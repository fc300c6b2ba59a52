//! The guest agent and what rests on it.

use super::{NAMED, Offer, Property, RECOMMENDED, Value, Values};
use crate::fact::Gap;
use crate::verdict::{FactName, Lookup, View};

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
    reads: &[FactName::Selinux, FactName::BootEntries],
    value: Offer::Found("yes", quiesce),
};

pub(super) const ADMIN_USER: Property = Property {
    key: "os_admin_user",
    summary: "the user whose password `openstack server set --password` sets",
    why: "Nova asks the agent to set this user's password, root's otherwise; one that the image does not have gets none.",
    detects: "All that hw_qemu_guest_agent needs, no list that blocks guest-set-user-password, and the user: system_info.default_user of cloud-init's merged configuration, or one of /etc/passwd that is asked for.",
    fix: "Allow guest-set-user-password in the agent's configuration.",
    source: "Nova virt/libvirt/driver.py (set_admin_password); cloud-init cloudinit/config/cc_users_groups.py; Glance docs, useful image properties",
    sets: NAMED,
    values: Values::Text,
    needs: &[
        "initrd-virtio-pci",
        "agent-installed",
        "agent-started",
        "agent-channel",
        "agent-password-allowed",
        "cloud-init-present",
    ],
    reads: &[FactName::CloudInit, FactName::Accounts],
    value: Offer::Found("cloud-init's default user", admin_user),
};

/// Where `SELinux` is enforcing, only a boot shows what its policy lets the agent do.
fn quiesce(view: &View<'_>) -> Value {
    if let Some(value) = without_channel(view) {
        return value;
    }
    let at = |reason: &str| Gap::at("/etc/selinux/config", reason);
    match view.selinux() {
        // Its gap is kept.
        None => {}
        // libselinux `src/load_policy.c`: without a configuration it is permissive.
        Some(None) => enforcing_word(view),
        Some(Some(selinux)) => match selinux.mode.as_str() {
            "disabled" => {}
            "permissive" => enforcing_word(view),
            "enforcing" => view.miss(at("SELINUX=enforcing: what its policy lets the agent freeze only a boot shows")),
            _ => view.miss(at("whether SELinux will be enforcing is not known")),
        },
    }
    Value::is("yes")
}

/// Keeps the gap of a command line that turns enforcing on: it wins over the configuration
/// (`Documentation/admin-guide/kernel-parameters.txt`, `enforcing=`; libselinux `src/load_policy.c`).
fn enforcing_word(view: &View<'_>) {
    let entries = view.boot_entries().map(|entries| view.all(entries)).unwrap_or_default();
    for attempt in entries.iter().filter_map(|entry| view.need(&entry.attempts)).flat_map(|attempts| view.all(attempts))
    {
        let cmdline = view.need(&attempt.cmdline);
        if cmdline.is_some_and(|words| words.split_ascii_whitespace().any(|word| word == "enforcing=1")) {
            view.miss(Gap::at(
                "/etc/selinux/config",
                "enforcing=1 is on the command line: what SELinux lets the agent freeze only a boot shows",
            ));
        }
    }
}

/// The user that cloud-init makes at the first boot; any other that /etc/passwd has may be asked for.
fn admin_user(view: &View<'_>) -> Value {
    if let Some(value) = without_channel(view) {
        return value;
    }
    let wanted = view.options().choice.value(ADMIN_USER.key);
    let (found, gaps) = view.apart(default_user);
    let is_account = |wanted: &str| {
        let passwd = view.accounts().and_then(|accounts| view.need(&accounts.passwd))?.as_ref()?;
        view.find(passwd, |account| account.name == wanted)
    };
    match (found, wanted) {
        (Some(found), Some(wanted)) if found != wanted => match is_account(wanted) {
            Some(Lookup::There(_)) => Value::is(wanted),
            _ => Value::is(found),
        },
        (Some(found), _) => Value::is(found),
        (None, Some(wanted)) if matches!(is_account(wanted), Some(Lookup::There(_))) => Value::is(wanted),
        (None, _) => {
            for gap in gaps {
                view.miss(gap);
            }
            Value::without("cloud-init makes no default user")
        }
    }
}

/// Who cloud-init's users module makes.
fn default_user<'a>(view: &View<'a>) -> Option<&'a str> {
    let cloud_init = view.cloud_init()?;
    let makes_users = view.need(&cloud_init.modules)?.iter().any(|module| module == "users_groups");
    view.need(&cloud_init.default_user)?.as_deref().filter(|_| makes_users)
}

/// Nothing that asks the agent works without its channel.
fn without_channel(view: &View<'_>) -> Option<Value> {
    let is_left_out = !view.options().choice.includes_key(AGENT);
    is_left_out.then(|| Value::without(format!("it does nothing without {AGENT}, which is left out")))
}
