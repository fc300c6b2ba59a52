use super::fake::{Machine, agent, shown, terms};
use super::undecided::ONE_WAY;
use super::*;
use crate::verdict::check::CHECKS;
use crate::verdict::feature::FEATURES;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn every_proof_of_a_feature_is_made() {
    for feature in FEATURES {
        for id in feature.proofs {
            assert!(find(id).is_some(), "{}: {id}", feature.name);
        }
    }
}

#[test]
fn every_check_is_decided_or_said_not_to_be() {
    let decided: BTreeSet<&str> = PROOFS.iter().flat_map(|proof| proof.decides).copied().collect();
    let undecided: BTreeSet<&str> = UNDECIDED.iter().map(|(id, _)| *id).collect();
    let both: Vec<_> = decided.intersection(&undecided).collect();
    assert!(both.is_empty(), "{both:?}");
    let told: BTreeSet<&str> = decided.union(&undecided).copied().collect();
    let all: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(told, all);
    assert!(ONE_WAY.iter().all(|(id, reason)| decided.contains(id) && !reason.ends_with('.')));
}

#[test]
fn the_table_keeps_to_the_house() {
    let mut ids = BTreeSet::new();
    for proof in PROOFS {
        assert!(ids.insert(proof.id), "{} stands twice", proof.id);
        assert!(proof.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", proof.id);
        assert!(proof.summary.starts_with(char::is_lowercase) && !proof.summary.ends_with('.'), "{}", proof.id);
    }
    assert!(PROOFS.is_sorted_by_key(|proof| proof.turn), "harmless ones first, what kills the guest last");
}

fn starts(standing: &Standing, word: &str, expected: &str) {
    let (found, told) = match standing {
        Standing::Proved(told) => ("proved", told),
        Standing::Disproved(told) => ("disproved", told),
        Standing::Inconclusive(told) => ("inconclusive", told),
        Standing::NotApplicable(told) => ("n/a", told),
    };
    assert!(found == word && told.contains(expected), "{word}, {expected}: {standing:?}");
}

#[test]
fn what_the_agent_shows() {
    let freeze = || {
        vec![
            ("guest-fsfreeze-freeze", json!(2)),
            ("guest-fsfreeze-status", json!("frozen")),
            ("guest-fsfreeze-thaw", json!(2)),
        ]
    };
    let none = || Err("no program opened the port".to_owned());
    let ping = || vec![("guest-ping", json!({}))];
    let mut machine = Machine::default();
    let mut look = |id: &str, agent, terms| shown(id, &mut machine, agent, terms, None);
    starts(&look("agent-answers", Ok(agent(ping(), &["guest-exec"])), terms()), "proved", "1 blocked");
    starts(&look("agent-answers", none(), terms()), "disproved", "no program opened");
    starts(&look("agent-answers", none(), Terms { agent: false, ..terms() }), "n/a", "hw_qemu_guest_agent");
    starts(&look("agent-freeze-thaw", Ok(agent(freeze(), &[])), terms()), "proved", "2 file systems frozen");
    let blocked = agent(freeze().split_off(1), &["guest-fsfreeze-freeze"]);
    starts(&look("agent-freeze-thaw", Ok(blocked), terms()), "disproved", "blocks guest-fsfreeze-freeze");
    starts(&look("set-password", Ok(agent(vec![], &["guest-set-user-password"])), terms()), "disproved", "blocks");
    let set = agent(vec![("guest-set-user-password", json!({}))], &["guest-exec"]);
    starts(&look("set-password", Ok(set), terms()), "inconclusive", "the agent blocks guest-exec; no ssh here");
}

#[test]
fn the_root_by_sysfs() {
    for (device, word) in [("0x1004", "proved"), ("0x1048", "proved"), ("0x1001", "disproved")] {
        let told = format!("root.pci 0x1af4 {device} 0000:00:05.0\nend\n");
        let standing = shown("root-on-bus", &mut Machine::default(), Err("none".to_owned()), terms(), Some(&told));
        starts(&standing, word, if word == "proved" { "root on 1af4:" } else { "expected 1af4:1004 or 1af4:1048" });
    }
}

#[test]
fn what_is_freed_and_by_whom() {
    const MIB: u64 = 1024 * 1024;
    let trim = |options: &str, timer: &str, allocated: &[u64]| {
        let told = format!("root.options {options}\nfstrim.timer {timer}\nend\n");
        let allocated = allocated.iter().map(|mib| mib * MIB).collect();
        // Room for a terabyte, to whoever asks.
        let mut machine = Machine { allocated, ssh: Some("1073741824\n"), ..Machine::default() };
        shown("trim-frees-blocks", &mut machine, Err("no agent".to_owned()), terms(), Some(&told))
    };
    let online = trim("rw,discard", "disabled inactive", &[10, 74, 10, 10, 74, 74, 10]);
    starts(&online, "proved", "the mount option discard freed 64 of 64 MiB in the overlay; fstrim alone freed 64");
    let timed = trim("rw,relatime", "enabled active", &[10, 74, 74, 10]);
    starts(&timed, "proved", "fstrim alone freed 64 of 64 MiB in the overlay, and fstrim.timer is active");
    let neither = trim("rw,relatime", "masked inactive", &[10, 74, 74, 10]);
    starts(&neither, "disproved", "fstrim.timer is not active (masked inactive), so nothing frees");
    starts(&trim("rw", "", &[10, 10]), "inconclusive", "the overlay grew by 0 MiB only");
}

#[test]
fn the_watchdog_and_the_queues() {
    let fires = |state: &str, events: Vec<(&'static str, Value)>| {
        let told = format!("watchdog watchdog0 {state} 60 i6300ESB timer\nwatchdog.open watchdog systemd\nend\n");
        let told: &'static str = told.leak();
        let mut machine = Machine { events, ssh: Some(told), ..Machine::default() };
        shown("watchdog-fires", &mut machine, Err("no agent".to_owned()), terms(), None)
    };
    let event = |action: &str| vec![("WATCHDOG", json!({ "action": action }))];
    starts(&fires("active", event("reset")), "proved", "/dev/watchdog0 is active, fed by systemd; WATCHDOG reset");
    starts(&fires("active", event("pause")), "disproved", "expected reset");
    starts(&fires("active", vec![]), "disproved", "no WATCHDOG event");
    let queues = |told, terms| shown("queues", &mut Machine::default(), Err("none".to_owned()), terms, Some(told));
    starts(&queues("net virtio_net 2 eth0\nend\n", terms()), "proved", "combined 2 of 2");
    starts(&queues("net virtio_net 1 eth0\nend\n", terms()), "disproved", "combined 1 of 2");
    starts(
        &queues("end\n", Terms { one_queue: Some("no tun".to_owned()), ..terms() }),
        "inconclusive",
        "not provable here: no tun",
    );
    starts(&queues("end\n", Terms { queues: None, ..terms() }), "n/a", "hw_vif_multiqueue_enabled");
}

#[test]
fn the_end_of_a_guest() {
    let down = |events| {
        let mut machine = Machine { events, ssh: Some("boot-id 1\nend\n"), ..Machine::default() };
        shown("shutdown-clean", &mut machine, Err("no agent".to_owned()), terms(), None)
    };
    starts(&down(vec![("SHUTDOWN", json!({ "guest": true, "reason": "guest-shutdown" }))]), "proved", "guest-shutdown");
    starts(&down(vec![("SHUTDOWN", json!({ "guest": false }))]), "disproved", "still running");
    let mut machine = Machine { banner: Some("SSH-2.0-x"), ..Machine::default() };
    starts(
        &shown("ssh-answers", &mut machine, Err("none".to_owned()), terms(), None),
        "proved",
        "no login tried: no ssh here",
    );
}
