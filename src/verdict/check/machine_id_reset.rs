//! Every instance gets a machine id of its own.

use super::Check;
use crate::fact::Gap;
use crate::verdict::{Evidence, FactName, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "machine-id-reset",
    summary: "the image has no machine id",
    broken: "the image has a machine id, which all its instances will share",
    why: "DHCP client ids, journals and licences go by the machine id: instances that share it get each other's addresses.",
    detects: "/etc/machine-id may be absent, empty or hold the word uninitialized; /var/lib/dbus/machine-id may be absent, empty or a link, since systemd copies an id that it holds.",
    fix: "truncate -s 0 /etc/machine-id; rm -f /var/lib/dbus/machine-id; ln -s /etc/machine-id /var/lib/dbus/machine-id",
    family_fixes: &[("alpine", "rm -f /etc/machine-id /var/lib/dbus/machine-id")],
    source: "man 5 machine-id (first boot semantics); systemd src/shared/machine-id-setup.c",
    reads: &[FactName::MachineIds],
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(ids) = view.machine_ids() else { return };
    for id in ids {
        let Some(state) = view.need(&id.state) else { continue };
        let at = |found: &str| Evidence::at(id.path.clone(), found);
        match (id.path == "/etc/machine-id", state.as_str()) {
            (_, "id") => {
                let found = if id.path == "/etc/machine-id" {
                    "it holds a machine id"
                } else {
                    "it holds a machine id, which systemd copies to /etc/machine-id at the first boot"
                };
                tally.fault(Weight::Full, at(found).expected("an empty file"));
            }
            (_, "other") => {
                let found = "it holds neither a machine id nor the word uninitialized";
                tally.fault(Weight::Full, at(found).expected("an empty file"));
            }
            (true, "absent") => {
                tally.proof(at("there is none: it is made at the first boot, if /etc can be written by then"));
            }
            (true, "empty") => tally.proof(at("it is empty: an id is made at every boot until it can be written")),
            (true, "uninitialized") => {
                tally.proof(at("uninitialized: an id is made at the first boot, with presets and ConditionFirstBoot="));
            }
            (false, "absent" | "empty" | "uninitialized" | "link") => {}
            (_, state) => view.miss(Gap::at(id.path.clone(), format!("its state {state} is not known"))),
        }
    }
}
