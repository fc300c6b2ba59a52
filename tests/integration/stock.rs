//! The stock images of distributions, from their golden facts (fixtures/guests/stock/ORIGIN): exactly which errors and
//! warnings they get, and what they earn. A change of this table is to be reviewed: a user's pipeline turns red by it.

use crate::common::{bootworthy, fixture};
use bootworthy::guest::Guest;
use serde_json::{Map, Value, json};
use std::fs;

struct Stock {
    name: &'static str,
    /// What fails as an error with the default profile; with `bootable` nothing does.
    errors: &'static [&'static str],
    /// What fails as a warning with the default profile; with `bootable` nothing does.
    warnings: &'static [&'static str],
    distro: &'static str,
    version: &'static str,
    min_disk: u64,
    has_agent: bool,
}

const STOCK: &[Stock] = &[
    Stock {
        name: "debian-12",
        errors: &["agent-installed", "watchdog-installed", "watchdog-driver", "watchdog-armed"],
        warnings: &[],
        distro: "debian",
        version: "12",
        min_disk: 2,
        has_agent: false,
    },
    Stock {
        name: "debian-13",
        errors: &["agent-installed", "watchdog-installed", "watchdog-armed"],
        warnings: &[],
        distro: "debian",
        version: "13",
        min_disk: 3,
        has_agent: false,
    },
    // i6300esb is in linux-modules-extra, which linux-image-virtual does not bring along.
    Stock {
        name: "ubuntu-24.04",
        errors: &["agent-installed", "watchdog-installed", "watchdog-driver", "watchdog-armed"],
        warnings: &[],
        distro: "ubuntu",
        version: "24.04",
        min_disk: 4,
        has_agent: false,
    },
    // Its first attempt has no initrd, and needs none: all that the root is on is built in.
    Stock {
        name: "ubuntu-24.04-minimal",
        errors: &["agent-installed", "watchdog-installed", "watchdog-driver", "watchdog-armed"],
        warnings: &[],
        distro: "ubuntu",
        version: "24.04",
        min_disk: 4,
        has_agent: false,
    },
    // dracut's generic initrd has virtio_net, for cockpit-system brings dracut-network along.
    Stock {
        name: "rocky-9",
        errors: &["watchdog-installed", "watchdog-armed"],
        warnings: &["trim-enabled"],
        distro: "rocky",
        version: "9.3",
        min_disk: 10,
        has_agent: true,
    },
    Stock {
        name: "leap-15.6",
        errors: &["watchdog-installed", "watchdog-armed"],
        warnings: &[],
        distro: "opensuse",
        version: "15.6",
        min_disk: 2,
        has_agent: true,
    },
];

fn facts(name: &str) -> String {
    fixture(&format!("guests/stock/{name}.json")).to_str().unwrap().to_owned()
}

fn failed(report: &Value, severity: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["verdict"] == "fail" && check["severity"] == severity);
    failed.map(|check| check["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_gets_these_errors_and_warnings_and_earns_these_properties() {
    for stock in STOCK {
        let mut earned = json!({
            "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi", "hw_vif_multiqueue_enabled": "true",
            "os_type": "linux", "os_distro": stock.distro, "os_version": stock.version, "architecture": "x86_64",
            "min_disk": stock.min_disk
        });
        if stock.has_agent {
            earned["hw_qemu_guest_agent"] = "yes".into();
        }
        let none: &[&str] = &[];
        for (profile, errors, warnings) in [("openstack", stock.errors, stock.warnings), ("bootable", none, none)] {
            let run = bootworthy(["check", "--format", "json", "--profile", profile, "--facts", &facts(stock.name)]);
            let report: Value = serde_json::from_str(&run.stdout).unwrap();
            let at = format!("{} {profile}", stock.name);
            let checks = report["checks"].as_array().unwrap();
            let unknown: Vec<&Value> = checks.iter().filter(|check| check["verdict"] == "unknown").collect();
            assert!(unknown.is_empty(), "{at}: {unknown:?}");
            assert_eq!(failed(&report, "error"), errors, "{at}");
            assert_eq!(failed(&report, "warning"), warnings, "{at}");
            assert_eq!(run.code, i32::from(!errors.is_empty()), "{at}");
            assert_eq!(report["properties"], earned, "{at}");
        }
    }
}

/// What the file system of Ubuntu's images is mounted by is told, and is no fault.
#[test]
fn ubuntus_labels_are_a_note() {
    let run = bootworthy(["check", "--format", "json", "--facts", &facts("ubuntu-24.04")]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(failed(&report, "note"), ["fstab-uuid", "irqbalance-enabled"]);
}

/// A fact that is missing would be unknown, and a table of unknowns would not change with anything.
#[test]
fn golden_facts_are_complete_and_their_origin_is_told() {
    let origin = fs::read_to_string(fixture("guests/stock/ORIGIN")).unwrap();
    let mut names: Vec<String> = fs::read_dir(fixture("guests/stock"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    let mut judged: Vec<&str> = STOCK.iter().map(|stock| stock.name).collect();
    judged.sort_unstable();
    assert_eq!(names, judged);
    for name in names {
        assert!(origin.contains(&format!("## {name}")), "ORIGIN does not tell of {name}");
        let text = fs::read_to_string(facts(&name)).unwrap();
        let guest: Guest = serde_json::from_str(&text).unwrap();
        let kept: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(
            serde_json::to_value(&guest).unwrap(),
            Value::Object(kept),
            "{name}: a fact is missing or of no use"
        );
    }
}
