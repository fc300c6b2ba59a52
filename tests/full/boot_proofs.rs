//! Real images, started and asked: every proof that a translator allows is proved, and what is not agrees with the checks.

use crate::boot_machine::{self, proof};
use crate::common::image;
use serde_json::Value;

/// Boots an image; its report.
fn boot(name: &str, args: &[&str]) -> Value {
    boot_machine::boot(&image(name), args)
}

/// Every proof's word, apart from those named.
fn standings<'a>(report: &'a Value, without: &[&str]) -> Vec<(&'a str, &'a str)> {
    let rows = report["proofs"].as_array().unwrap().iter();
    let rows = rows.map(|row| (row["id"].as_str().unwrap(), row["standing"].as_str().unwrap()));
    rows.filter(|(id, _)| !without.contains(id)).collect()
}

/// All of it proved; several queues only where the host has a tap device for them.
fn everything(name: &str, args: &[&str]) {
    let report = boot(name, args);
    assert_eq!(report["disagreements"], Value::Array(Vec::new()), "{name} {args:?}");
    for (id, word) in standings(&report, &["queues"]) {
        assert_eq!(word, "proved", "{name} {args:?}: {id}: {}", proof(&report, id)["evidence"]);
    }
    let queues = proof(&report, "queues");
    let is_elsewhere = queues["evidence"].as_str().unwrap().starts_with("not provable here");
    assert!(queues["standing"] == "proved" || is_elsewhere, "{queues}");
}

#[test]
fn debian_12_by_bios_and_scsi() {
    everything("debian12_generic", &[]);
}

#[test]
fn debian_12_by_uefi_on_q35() {
    everything("debian12_generic", &["--firmware", "uefi", "--machine", "q35"]);
}

#[test]
fn debian_12_on_virtio_blk() {
    everything("debian12_generic", &["--bus", "virtio"]);
}

#[test]
fn debian_13_by_bios_and_scsi() {
    everything("debian13", &[]);
}

#[test]
fn debian_13_by_uefi_on_q35() {
    everything("debian13", &["--firmware", "uefi", "--machine", "q35"]);
}

#[test]
fn debian_13_on_virtio_blk() {
    everything("debian13", &["--bus", "virtio"]);
}

/// The watchdog is in the machine, which the image has not earned.
#[test]
fn debian_12s_cloud_kernel_has_no_watchdog() {
    let args = [
        "--property",
        "hw_watchdog_action=reset",
        "--without-proof",
        "second-boot",
        "--without-proof",
        "shutdown-clean",
    ];
    let report = boot("debian12", &args);
    assert_eq!((report["result"].as_str(), &report["disagreements"]), (Some("unfit"), &Value::Array(Vec::new())));
    for id in ["watchdog-identity", "watchdog-fires"] {
        let row = proof(&report, id);
        assert_eq!(row["standing"], "disproved", "{row}");
        assert_eq!(row["decides"][0], serde_json::json!({ "check": "watchdog-driver", "verdict": "fail" }), "{row}");
    }
    for id in ["boots-to-login", "root-on-bus", "serial-console", "agent-answers", "cloud-init-done"] {
        assert_eq!(proof(&report, id)["standing"], "proved", "{report}");
    }
}

#[test]
fn an_initrd_of_dracut_boots() {
    let args = [
        "--proof",
        "boots-to-login",
        "--proof",
        "root-on-bus",
        "--proof",
        "agent-answers",
        "--proof",
        "trim-frees-blocks",
    ];
    let report = boot("debian12_dracut", &args);
    assert_eq!(report["disagreements"], Value::Array(Vec::new()));
    for (id, word) in standings(&report, &["trim-frees-blocks"]) {
        assert_eq!(word, "proved", "{id}: {}", proof(&report, id)["evidence"]);
    }
}
