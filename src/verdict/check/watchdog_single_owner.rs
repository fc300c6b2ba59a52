//! Not two at once want the watchdog.

use super::Check;
use crate::verdict::watchdog::{Feeder, READS, daemon, is_first, settle, systemd};
use crate::verdict::{Evidence, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "watchdog-single-owner",
    summary: "only one program opens the watchdog",
    broken: "the watchdog daemon and systemd both want the watchdog",
    why: "A watchdog can be opened once: the second gets EBUSY, the daemon then runs its tests without being able to reset, and nobody sees it. systemd comes first where udev loads the driver: Debian's watchdog.service waits for multi-user.target.",
    detects: "Whether both the watchdog daemon and systemd feed the same device, by the rules of watchdog-armed.",
    fix: "Remove RuntimeWatchdogSec= from systemd's configuration, or disable watchdog.service.",
    family_fixes: &[],
    source: "Linux drivers/watchdog/watchdog_dev.c (watchdog_open: EBUSY); watchdog's src/keep_alive.c (open_watchdog goes on without the device)",
    reads: READS,
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let mut feeders = Vec::new();
    for feeder in [settle(view, daemon), settle(view, systemd)] {
        match feeder {
            Ok(Feeder::Feeds(device, evidence)) => feeders.push((device, evidence)),
            Ok(Feeder::Idle(_)) => {}
            Err(gaps) => gaps.into_iter().for_each(|gap| view.miss(gap)),
        }
    }
    // /dev/watchdog is the first of the numbered ones (`Documentation/watchdog/watchdog-kernel-api.rst`).
    let is_same = |one: &str, other: &str| one == other || (is_first(one) && is_first(other));
    match feeders.as_slice() {
        [(one, daemon), (other, systemd)] if is_same(one, other) => {
            let found = format!("{}, and {}", daemon.found, systemd.found);
            tally.fault(Weight::Full, Evidence { found, ..daemon.clone() });
        }
        [] => tally.not_applicable("nothing feeds the watchdog"),
        all => all.iter().for_each(|(_, evidence)| tally.proof(evidence.clone())),
    }
}
