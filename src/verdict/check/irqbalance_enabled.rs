//! irqbalance runs.

use super::Check;
use crate::verdict::unit::{self, Start};
use crate::verdict::{FactName, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "irqbalance-enabled",
    summary: "irqbalance starts at boot",
    broken: "irqbalance does not start at boot",
    why: "With several queues per network card their interrupts are spread over the processors only when something spreads them; virtio_net does so for its own queues, other devices need irqbalance.",
    detects: "Units are read as systemd reads them at the first boot; one processor or several is the flavor's affair.",
    fix: "Install the package irqbalance; systemctl enable irqbalance.service",
    family_fixes: &[
        ("debian", "apt-get install irqbalance; systemctl enable irqbalance.service"),
        ("fedora", "dnf install irqbalance; systemctl enable irqbalance.service"),
        ("suse", "zypper install irqbalance; systemctl enable irqbalance.service"),
        ("arch", "pacman -S irqbalance; systemctl enable irqbalance.service"),
        ("alpine", "apk add irqbalance; rc-update add irqbalance default"),
    ],
    source: "man 1 irqbalance; Documentation/core-api/irq/irq-affinity.rst",
    reads: &[FactName::Units],
    run: |view: &View<'_>, tally: &mut Tally| match unit::starts(view, &["irqbalance.service"]) {
        None => {}
        Some(Start::Yes(evidence)) => tally.proof(evidence),
        Some(Start::No(evidence)) => tally.fault(Weight::Full, evidence),
    },
};
