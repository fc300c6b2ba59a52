//! The watchdog: its driver is loaded, somebody feeds it, and without food it bites.

use super::probe::Probe;
use super::session::clipped;
use super::{Needs, Proof, Seen, Session, Standing, Turn};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const IDENTITY: Proof = Proof {
    id: "watchdog-identity",
    summary: "the guest has a watchdog that calls itself i6300ESB timer",
    decides: &["watchdog-driver", "watchdog-loadable"],
    needs: Needs::Watchdog,
    turn: Turn::Up,
    run: identity,
};

pub(super) const FIRES: Proof = Proof {
    id: "watchdog-fires",
    summary: "the guest feeds the watchdog, and once it no longer does the promised action is taken",
    decides: &["watchdog-driver", "watchdog-loadable", "watchdog-armed"],
    needs: Needs::Watchdog,
    turn: Turn::Last,
    run: fires,
};

/// `drivers/watchdog/i6300esb.c`, `esb_info.identity`.
const NAME: &str = "i6300ESB timer";

/// `drivers/watchdog/iTCO_wdt.c`: the chipset's.
const CHIPSET: &str = "iTCO_wdt";

/// A watchdog of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dog {
    device: String,
    /// `active`, `inactive`; `?` without `CONFIG_WATCHDOG_SYSFS`.
    state: String,
    /// Seconds.
    timeout: Option<u64>,
    identity: String,
}

impl Dog {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let mut next = || Some(words.next()?.to_owned());
        let (device, state, timeout) = (next()?, next()?, next()?);
        let identity = next().unwrap_or_default();
        Some(Self { device, state, timeout: timeout.parse().ok(), identity })
    }
}

fn dogs(probe: &Probe) -> Vec<Dog> {
    probe.all("watchdog").iter().filter_map(|line| Dog::parse(line)).collect()
}

/// `watchdog0, systemd` of each that is open; the first one is `/dev/watchdog` as well (`watchdog_dev.c`).
fn owners(probe: &Probe) -> Vec<(&str, &str)> {
    let pairs = probe.all("watchdog.open").iter().filter_map(|line| line.split_once(' '));
    pairs.map(|(device, program)| (if device == "watchdog" { "watchdog0" } else { device }, program)).collect()
}

/// ` by systemd`, where it is known.
fn owner(probe: &Probe, device: &str) -> String {
    let mut programs: Vec<&str> = owners(probe).iter().filter(|row| row.0 == device).map(|row| row.1).collect();
    programs.dedup();
    if programs.is_empty() { String::new() } else { format!(" by {}", programs.join(" and ")) }
}

/// Loading is udev's, which may still be at it.
fn identity(session: &mut Session<'_>) -> Seen {
    let deadline = crate::boot::agent::deadline(session.patience(5));
    loop {
        let probe = session.look()?;
        let dogs = dogs(&probe);
        if let Some(dog) = dogs.iter().find(|dog| dog.identity == NAME) {
            return Ok(Standing::Proved(clipped(&format!("/dev/{} is {NAME}, {}", dog.device, dog.state))));
        }
        if Instant::now() >= deadline {
            let names: Vec<String> = dogs.iter().map(|dog| format!("{} is {:?}", dog.device, dog.identity)).collect();
            let found = if names.is_empty() { "/sys/class/watchdog is empty".to_owned() } else { names.join(", ") };
            return Ok(Standing::Disproved(clipped(&format!("{found}; expected {NAME}"))));
        }
        thread::sleep(Duration::from_secs(2));
    }
}

/// The kernel is stopped as a crash stops it: nothing feeds any more. A kernel that would start again by itself, or
/// start another after a crash, is told not to: what is looked for is the watchdog's own action.
const CRASH: &str = "\
if [ \"$(cat /sys/kernel/kexec_crash_loaded 2>/dev/null)\" = 1 ]; then kexec -p -u || exit 3; fi
sync
echo 0 >/proc/sys/kernel/panic && echo 1 >/proc/sys/kernel/sysrq || exit 4
(sleep 2; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 </dev/null &
";

fn fires(session: &mut Session<'_>) -> Seen {
    let Some(action) = session.terms.watchdog.clone() else { return Err("nothing was promised".to_owned()) };
    let fed = match fed(session)? {
        Ok(fed) => fed,
        Err(found) => return Ok(Standing::Disproved(clipped(&found))),
    };
    session.command(CRASH, session.patience(15))?;
    let crashed = Instant::now();
    // The device counts twice, each time half of what the driver was told; then some for a slow host.
    let patience = Duration::from_secs(fed.timeout.unwrap_or(60).min(600)).saturating_mul(2);
    let patience = patience.saturating_add(session.patience(30));
    let event = session.host.event("WATCHDOG", &|_| true, patience).map_err(|error| error.to_string())?;
    let told = fed.told;
    let seconds = crashed.elapsed().as_secs();
    let Some(data) = event else {
        let found = format!("{told}; no WATCHDOG event within {seconds} s after the kernel was crashed");
        return Ok(Standing::Disproved(clipped(&found)));
    };
    let taken = data.get("action").and_then(Value::as_str).unwrap_or_default();
    let told = clipped(&format!("{told}; WATCHDOG {taken} {seconds} s after the kernel was crashed"));
    Ok(if taken == action { Standing::Proved(told) } else { Standing::Disproved(format!("{told}; expected {action}")) })
}

/// A watchdog that somebody feeds.
struct Fed {
    /// Seconds.
    timeout: Option<u64>,
    /// Which, and who does.
    told: String,
}

impl Fed {
    fn of(probe: &Probe, dog: &Dog) -> Self {
        let name = if dog.identity == NAME { String::new() } else { format!("{}, ", dog.identity) };
        let told = format!("{name}/dev/{} is {}, fed{}", dog.device, dog.state, owner(probe, &dog.device));
        Self { timeout: dog.timeout, told }
    }
}

/// Waits until somebody feeds it: daemons start late, and what the last one starts in its place later still.
fn fed(session: &mut Session<'_>) -> Result<Result<Fed, String>, String> {
    let deadline = crate::boot::agent::deadline(session.patience(30));
    let mut was_settled = false;
    loop {
        let probe = session.look()?;
        let dogs = dogs(&probe);
        let Some(dog) = dogs.iter().find(|dog| dog.identity == NAME) else {
            return Ok(Err(format!("no watchdog is {NAME}: nothing can fire{}", others(&probe, &dogs))));
        };
        match dog.state.as_str() {
            "inactive" if Instant::now() < deadline && !was_settled => {
                was_settled = probe.is_settled();
                thread::sleep(Duration::from_secs(3));
            }
            "inactive" => {
                // Of a q35 machine it takes the same action (`tco_timer_expired` of QEMU's hw/acpi/ich9_tco.c).
                if let Some(dog) = dogs.iter().find(|dog| dog.identity == CHIPSET && dog.state == "active") {
                    return Ok(Ok(Fed::of(&probe, dog)));
                }
                let others = others(&probe, &dogs);
                return Ok(Err(format!(
                    "/dev/{} is inactive: nothing feeds it, so it never fires{others}",
                    dog.device
                )));
            }
            // Active; or the kernel does not say, and the event alone decides.
            _ => return Ok(Ok(Fed::of(&probe, dog))),
        }
    }
}

/// What is fed instead.
fn others(probe: &Probe, dogs: &[Dog]) -> String {
    let rest = dogs.iter().filter(|dog| dog.identity != NAME && dog.state == "active");
    let told = |dog: &Dog| format!("; {}, /dev/{}, is fed{}", dog.identity, dog.device, owner(probe, &dog.device));
    rest.map(told).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sysfs_says_of_watchdogs() {
        for (line, expected) in [
            ("watchdog0 active 60 i6300ESB timer", Some(("active", Some(60), NAME))),
            ("watchdog1 inactive 30 iTCO_wdt", Some(("inactive", Some(30), "iTCO_wdt"))),
            ("watchdog0 ? ?", Some(("?", None, ""))),
            ("watchdog0", None),
        ] {
            let dog = Dog::parse(line);
            let found = dog.as_ref().map(|dog| (dog.state.as_str(), dog.timeout, dog.identity.as_str()));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn who_has_one_open() {
        let probe = Probe::parse(
            "watchdog.open watchdog0 systemd\nwatchdog.open watchdog wd\nwatchdog.open watchdog1 x\nend\n",
        );
        let probe = probe.unwrap();
        for (device, told) in [("watchdog0", " by systemd and wd"), ("watchdog1", " by x"), ("watchdog2", "")] {
            assert_eq!(owner(&probe, device), told);
        }
    }
}
