//! The guest agent runs once Nova gives the instance its channel.

use super::Check;
use crate::verdict::unit::{self, Start};
use crate::verdict::{Evidence, FactName, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "agent-started",
    summary: "the QEMU guest agent starts at boot",
    broken: "the QEMU guest agent does not start at boot",
    why: "With hw_qemu_guest_agent=yes Nova asks the agent to freeze file systems and to set passwords; nobody answers when nothing starts it.",
    detects: "Units are read as systemd reads them at the first boot: links, masks, presets, drop-ins, conditions, and the udev rule or device unit of the port org.qemu.guest_agent.0.",
    fix: "systemctl unmask qemu-guest-agent.service; systemctl enable qemu-guest-agent.service",
    family_fixes: &[
        (
            "debian",
            "systemctl unmask qemu-guest-agent.service; apt-get install --reinstall qemu-guest-agent (its udev rule starts the unit)",
        ),
        ("fedora", "systemctl unmask qemu-guest-agent.service; systemctl enable qemu-guest-agent.service"),
        (
            "suse",
            "systemctl unmask qemu-guest-agent.service qemu-ga@.service; zypper install --force qemu-guest-agent (its udev rule starts the unit)",
        ),
        ("alpine", "rc-update add qemu-guest-agent default"),
    ],
    source: "man 5 systemd.unit, systemd.device; Debian's 60-qemu-guest-agent.rules, SUSE's 80-qemu-ga.rules",
    reads: &[FactName::Units, FactName::Packages],
    run,
};

/// Units of the agent by family: Debian and Fedora, SUSE's older ones.
const NAMES: &[&str] = &["qemu-guest-agent.service", "qemu-ga.service"];

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(mut names) = unit::instances(view, "qemu-ga@") else { return };
    names.splice(..0, NAMES.iter().copied());
    match unit::starts(view, &names) {
        None => {}
        Some(Start::Yes(evidence)) => tally.proof(evidence),
        Some(Start::No(evidence)) if evidence.path.is_some() => tally.fault(Weight::Full, evidence),
        Some(Start::No(evidence)) => absent(view, tally, evidence),
    }
}

/// Without a unit it matters whether there is an agent at all.
fn absent(view: &View<'_>, tally: &mut Tally, evidence: Evidence) {
    let Some(packages) = view.packages() else { return };
    let is_agent = |name: &str| name == "qemu-guest-agent" || name == "qemu-ga";
    if packages.items.iter().any(|package| is_agent(&package.name) && package.state.as_deref() != Some("config-files"))
    {
        return tally.fault(Weight::Full, evidence);
    }
    if view.certain(|view| view.all(packages).len()).is_some() {
        tally.not_applicable("there is no agent to start");
    }
}
