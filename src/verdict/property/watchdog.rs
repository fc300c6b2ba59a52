//! The watchdog device.

use super::{ACTIONS, Offer, Property, RECOMMENDED, Value, Values, choice};

pub(super) const ACTION: Property = Property {
    key: choice::WATCHDOG,
    summary: "what happens to an instance whose watchdog is no longer fed",
    why: "Nova adds an i6300esb device that does nothing until the guest opens it: without a driver and something that feeds it, a crashed instance stays down, silently.",
    detects: "The i6300esb driver of every default kernel, whatever keeps it from being loaded, and who feeds /dev/watchdog. The action is --watchdog-action, reset by default.",
    fix: "Install a kernel with i6300esb, and let the watchdog daemon or systemd's RuntimeWatchdogSec feed it.",
    source: "Nova virt/libvirt/driver.py (_guest_add_watchdog_action); Nova objects/fields.py (WatchdogAction)",
    sets: RECOMMENDED,
    values: Values::OneOf(ACTIONS),
    needs: &["watchdog-driver", "watchdog-loadable", "watchdog-armed"],
    reads: &[],
    value: Offer::Found("--watchdog-action", |view| match view.options().choice.action() {
        "disabled" => Value::NotNeeded,
        action => Value::is(action),
    }),
};

// It adds no device, and takes away the one that a flavor asks for.
pub(super) const DISABLED: Property = Property {
    detects: "Nothing: disabled adds no device, whatever the flavor says, and every image can do without one.",
    fix: "Nothing is needed.",
    needs: &[],
    value: Offer::Found("disabled", |view| match view.options().choice.action() {
        "disabled" => Value::is("disabled"),
        _ => Value::NotNeeded,
    }),
    ..ACTION
};
