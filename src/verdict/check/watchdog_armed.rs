//! Something feeds the watchdog: the daemon, or systemd itself.

use super::Check;
use crate::fact::Gap;
use crate::verdict::watchdog::{Feeder, READS, daemon, is_first, settle, systemd};
use crate::verdict::{Evidence, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "watchdog-armed",
    summary: "something in the guest feeds the watchdog",
    broken: "nothing in the guest feeds the watchdog",
    why: "The device that hw_watchdog_action adds only counts down once it was opened: what nothing opens never resets a crashed instance.",
    detects: "watchdog.service (or wd_keepalive.service) is started and the configuration that its command names sets watchdog-device; where the daemon ends with an error, or run_watchdog= keeps it from running, wd_keepalive.service counts if OnFailure= of its unit starts that instead; or RuntimeWatchdogSec= of systemd's configuration, or systemd.watchdog_sec= of the default boot entries, is above 0: systemd opens the device as soon as udev has loaded its driver, but for versions 246 to 247.2, which ask once at their start. A device other than /dev/watchdog and /dev/watchdog0 is a warning.",
    fix: "Set watchdog-device = /dev/watchdog in /etc/watchdog.conf and enable watchdog.service; or set RuntimeWatchdogSec=60 in /etc/systemd/system.conf.d/watchdog.conf, under [Manager].",
    family_fixes: &[(
        "debian",
        "sed -i 's/^#watchdog-device/watchdog-device/' /etc/watchdog.conf, run_watchdog=1 in /etc/default/watchdog, systemctl enable watchdog.service",
    )],
    source: "man 5 watchdog.conf (\"Default is to disable keep alive support\"); man 5 systemd-system.conf (RuntimeWatchdogSec=); man 7 kernel-command-line; systemd src/core/manager.c (manager_loop) and its issue 17838; Debian's watchdog.service",
    reads: READS,
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let feeders = [settle(view, daemon), settle(view, systemd)];
    let feeds = feeders.iter().filter_map(|feeder| match feeder {
        Ok(Feeder::Feeds(device, evidence)) => Some((device, evidence)),
        _ => None,
    });
    let feeds: Vec<(&String, &Evidence)> = feeds.collect();
    let usual = feeds.iter().filter(|(device, _)| is_first(device));
    usual.for_each(|(_, evidence)| tally.proof((*evidence).clone()));
    if feeds.iter().any(|(device, _)| is_first(device)) {
        return;
    }
    for (device, evidence) in &feeds {
        let found = format!("{} ({device}: whether Nova's watchdog has that name is not known)", evidence.found);
        tally.fault(Weight::Reduced, Evidence { found, ..(*evidence).clone() }.expected("/dev/watchdog"));
    }
    if !feeds.is_empty() {
        return;
    }
    let gaps: Vec<&Gap> = feeders.iter().filter_map(|feeder| feeder.as_ref().err()).flatten().collect();
    let is_known = gaps.is_empty();
    for gap in gaps {
        view.miss(gap.clone());
    }
    let [daemon, systemd] = feeders;
    match daemon {
        Ok(Feeder::Idle(why)) if is_known => tally.fault(Weight::Full, why),
        Ok(Feeder::Idle(why)) => tally.note(why),
        _ => {}
    }
    if let Ok(Feeder::Idle(why)) = systemd {
        tally.note(why);
    }
}
