//! Images beyond the two that the first tier builds.

use crate::common::{bootworthy, fixture, image, with_input};
use crate::sheet::debian_12;
use crate::table::{DEBIAN_12, Exception, compare, debian, report};
use crate::variants;
use serde_json::{Value, json};

/// dracut leaves `virtio_net` to the root tree, and the image boots all the same: a warning, and nothing is withheld.
#[test]
fn debian_12_with_dracut() {
    let net = ("initrd-virtio-net", "fail", "warning", "virtio_net.ko is not in this initrd");
    compare("debian12_dracut", &[&[net], DEBIAN_12].concat(), &debian("12", 2, false));
}

/// The generic kernel has i6300esb, and the device line is no comment: nothing is left to complain of.
#[test]
fn debian_12_generic_kernel_with_the_watchdog_device_set() {
    compare("debian12_generic", &[], &debian("12", 2, true));
}

/// What Debian's own cloud images lack.
const STOCK: &[Exception] = &[
    ("agent-installed", "fail", "error", "the package qemu-guest-agent is not installed"),
    ("agent-started", "n/a", "error", "there is no agent to start"),
    ("agent-freeze-allowed", "n/a", "note", "no unit runs the guest agent"),
    ("agent-password-allowed", "n/a", "note", "no unit runs the guest agent"),
    ("watchdog-installed", "fail", "error", "the package watchdog is not installed"),
    ("watchdog-armed", "fail", "error", "there is no unit watchdog.service"),
    ("watchdog-single-owner", "n/a", "warning", "nothing feeds the watchdog"),
    ("irqbalance-enabled", "fail", "note", "there is no unit irqbalance.service"),
];

fn stock(version: &str, min_disk: u64) -> Value {
    let mut earned = debian(version, min_disk, false);
    earned.as_object_mut().unwrap().remove("hw_qemu_guest_agent");
    earned
}

#[test]
fn debian_12_stock() {
    let driver = [
        ("watchdog-driver", "fail", "error", "CONFIG_I6300ESB_WDT is not set"),
        ("watchdog-loadable", "n/a", "error", "there is no driver to load"),
    ];
    compare("debian12_stock", &[STOCK, &driver].concat(), &stock("12", 2));
}

#[test]
fn debian_13_stock() {
    compare("debian13_stock", STOCK, &stock("13", 3));
}

/// The golden facts are trimmed, and a kernel may have been updated since: what they say must be what the image says.
#[test]
fn golden_facts_are_those_of_the_image() {
    for (golden, name) in [("debian-12", "debian12_stock"), ("debian-13", "debian13_stock")] {
        let facts = fixture(&format!("guests/stock/{golden}.json"));
        for profile in ["openstack", "bootable", "strict"] {
            let judged = |from: &[&str]| {
                let run = bootworthy([&["check", "--format", "json", "--profile", profile], from].concat());
                let report: Value = serde_json::from_str(&run.stdout).unwrap();
                let checks = report["checks"].as_array().unwrap().iter();
                let verdicts: Vec<Value> =
                    checks.map(|check| json!([check["id"], check["verdict"], check["severity"]])).collect();
                json!([run.code, verdicts, report["properties"], report["withheld"]])
            };
            let kept = judged(&["--facts", facts.to_str().unwrap()]);
            assert_eq!(kept, judged(&[image(name).to_str().unwrap()]), "{name} {profile}; run tests/images/golden");
        }
    }
}

/// The variants of the small image, on a real one whose drivers are in other places.
#[test]
fn variants_of_debian_13() {
    assert_eq!(report("debian13")["result"], "fit");
    variants::run(&image("debian13"));
}

/// The same kernel as Debian 12's, and the same rows.
#[test]
fn features_of_debian_12_with_dracut() {
    let run = bootworthy(["features", "--format", "json", image("debian12_dracut").to_str().unwrap()]);
    debian_12(&serde_json::from_str(&run.stdout).unwrap(), "debian12_dracut");
}

/// What a manifest promises of Debian as it comes: no agent, no watchdog, and on 12 no driver for one.
#[test]
fn claims_of_images_as_they_come() {
    let all = "{\"hw_disk_bus\": \"scsi\", \"hw_scsi_model\": \"virtio-scsi\", \"hw_qemu_guest_agent\": \"yes\", \
               \"hw_watchdog_action\": \"reset\", \"os_distro\": \"debian\"}";
    let rows: [(&str, &[&str]); 4] = [
        ("debian12_stock", &["hw_qemu_guest_agent=yes: agent-installed", "hw_watchdog_action=reset: watchdog-driver"]),
        ("debian13_stock", &["hw_qemu_guest_agent=yes: agent-installed", "hw_watchdog_action=reset: watchdog-armed"]),
        ("debian12_dracut", &["hw_watchdog_action=reset: watchdog-driver"]),
        ("debian12_generic", &[]),
    ];
    for (name, parts) in rows {
        let path = image(name);
        let args = ["check", path.to_str().unwrap(), "--no-config", "--format=json", "--manifest=-"];
        let run = with_input(args, all.as_bytes());
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let own = checks.iter().find(|check| check["id"] == "property-matches-evidence").unwrap();
        assert_eq!(own["verdict"], if parts.is_empty() { "pass" } else { "fail" }, "{name}: {own:#}");
        let places = own["evidence"].as_array().unwrap();
        let is_told = |part: &&str| places.iter().any(|place| place["found"].as_str().unwrap().starts_with(*part));
        assert!(parts.iter().all(is_told), "{name}: {own:#}");
        assert!(parts.is_empty() || places.len() == parts.len(), "{name}: {own:#}");
    }
}
