//! The guest agent and the watchdog daemon are installed: two checks, one rule.

use super::Check;
use crate::guest::Package;
use crate::verdict::watchdog::{Feeder, settle, systemd};
use crate::verdict::{Evidence, FactName, Tally, View, Weight};

pub(super) const AGENT: Check = Check {
    id: "agent-installed",
    summary: "the QEMU guest agent is installed",
    broken: "the QEMU guest agent is not installed",
    why: "hw_qemu_guest_agent=yes only gives the instance a channel; without the agent on it nobody freezes file systems for a snapshot or sets a password.",
    detects: "The package database is asked for qemu-guest-agent or qemu-ga in a state that counts as installed.",
    fix: "Install the package qemu-guest-agent.",
    family_fixes: &[
        ("debian", "apt-get install qemu-guest-agent"),
        ("fedora", "dnf install qemu-guest-agent"),
        ("suse", "zypper install qemu-guest-agent"),
        ("arch", "pacman -S qemu-guest-agent"),
        ("alpine", "apk add qemu-guest-agent"),
    ],
    source: "Nova admin guide, libvirt miscellaneous (guest agent)",
    reads: &[FactName::Packages],
    run: |view, tally| {
        judge(view, tally, &["qemu-guest-agent", "qemu-ga"], "the package qemu-guest-agent is not installed");
    },
};

pub(super) const WATCHDOG: Check = Check {
    id: "watchdog-installed",
    summary: "a watchdog daemon is installed, or systemd feeds the watchdog",
    broken: "no watchdog daemon is installed, and systemd feeds none",
    why: "hw_watchdog_action only arms once something in the guest opens /dev/watchdog; without a daemon a crashed instance stays down.",
    detects: "The package database is asked for watchdog in a state that counts as installed; without it, RuntimeWatchdogSec= of systemd's configuration or systemd.watchdog_sec= of the default boot entries must be above 0.",
    fix: "Install the package watchdog; or let systemd feed the watchdog with RuntimeWatchdogSec=60 in /etc/systemd/system.conf.",
    family_fixes: &[
        ("debian", "apt-get install watchdog; or set RuntimeWatchdogSec=60 in /etc/systemd/system.conf"),
        ("fedora", "dnf install watchdog; or set RuntimeWatchdogSec=60 in /etc/systemd/system.conf"),
        ("suse", "zypper install watchdog; or set RuntimeWatchdogSec=60 in /etc/systemd/system.conf"),
        ("arch", "pacman -S watchdog; or set RuntimeWatchdogSec=60 in /etc/systemd/system.conf"),
    ],
    source: "Nova admin guide, libvirt miscellaneous (watchdog); man 8 watchdog; man 5 systemd-system.conf",
    reads: &[FactName::Packages, FactName::Manager, FactName::BootEntries],
    run: watchdog,
};

/// The package; or systemd, which needs none.
fn watchdog(view: &View<'_>, tally: &mut Tally) {
    let mut package = Tally::default();
    let ((), gaps) =
        view.apart(|view| judge(view, &mut package, &["watchdog"], "the package watchdog is not installed"));
    let is_installed = gaps.is_empty() && !package.has_faults();
    if is_installed {
        return tally.add(package.judgement().verdict, Weight::Full);
    }
    match settle(view, systemd) {
        Ok(Feeder::Feeds(_, evidence)) => tally.proof(evidence.packaged(None)),
        Ok(Feeder::Idle(_)) if gaps.is_empty() => tally.add(package.judgement().verdict, Weight::Full),
        Ok(Feeder::Idle(_)) => gaps.into_iter().for_each(|gap| view.miss(gap)),
        Err(more) => gaps.into_iter().chain(more).for_each(|gap| view.miss(gap)),
    }
}

/// One of `names` is properly installed. One that is found counts, whatever else could not be read.
fn judge(view: &View<'_>, tally: &mut Tally, names: &[&str], absent: &str) {
    let Some(packages) = view.packages() else { return };
    let is_named = |package: &&Package| names.contains(&package.name.as_str());
    let named = || packages.items.iter().filter(is_named);
    // Of several architectures one properly installed will do; dpkg's reader keeps one record per architecture.
    if let Some(package) = named().find(|package| is_configured(package.state.as_deref())) {
        let found = format!("the package {} {} is installed", package.name, package.version);
        return tally.proof(Evidence::of(found).packaged(Some(&package.name)));
    }
    if view.certain(|view| view.all(packages).len()).is_none() {
        return;
    }
    let found =
        named().find_map(|package| Some(format!("the package {} is {}", package.name, package.state.as_ref()?)));
    tally.fault(Weight::Full, Evidence::of(found.unwrap_or_else(|| absent.to_owned())));
}

/// dpkg has configured what only waits for triggers (`man 1 dpkg`, "triggers-awaited", "triggers-pending").
fn is_configured(state: Option<&str>) -> bool {
    matches!(state, None | Some("triggers-awaited" | "triggers-pending"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_configured_is_installed() {
        for (state, is_installed) in [
            (None, true),
            (Some("triggers-pending"), true),
            (Some("triggers-awaited"), true),
            (Some("half-configured"), false),
            (Some("unpacked"), false),
            (Some("config-files"), false),
            (Some("half-installed"), false),
        ] {
            assert_eq!(is_configured(state), is_installed, "{state:?}");
        }
    }
}
