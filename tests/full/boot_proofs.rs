//! Real images, started and asked: every proof that a translator allows is proved, and what is not agrees with the checks.

use crate::common::{command, image};
use serde_json::Value;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A machine takes all the processors that there are.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Boots an image with all that the tests' own QEMU gives; its report.
fn boot(name: &str, args: &[&str]) -> Value {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = written(&image(name));
    let mut command = command();
    for variable in ["PATH", "BOOTWORTHY_QEMU", "HOME"] {
        command.envs(std::env::var_os(variable).map(|value| (variable, value)));
    }
    command.args(["boot", "--accel", "tcg", "--format", "json", "--timeout", "1800"]).args(args).arg(image(name));
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    eprintln!("{name} {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&text).unwrap();
    let code = match report["result"].as_str().unwrap() {
        "fit" => 0,
        "unfit" => 1,
        _ => 3,
    };
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(written(&image(name)), before, "the image is never written to");
    report
}

fn written(path: &Path) -> (std::time::SystemTime, u64) {
    let found = path.metadata().unwrap();
    (found.modified().unwrap(), found.len())
}

/// Every proof's word, apart from those named.
fn standings<'a>(report: &'a Value, without: &[&str]) -> Vec<(&'a str, &'a str)> {
    let rows = report["proofs"].as_array().unwrap().iter();
    let rows = rows.map(|row| (row["id"].as_str().unwrap(), row["standing"].as_str().unwrap()));
    rows.filter(|(id, _)| !without.contains(id)).collect()
}

fn standing<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["proofs"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no {id}"))
}

/// All of it proved; several queues only where the host has a tap device for them.
fn everything(name: &str, args: &[&str]) {
    let report = boot(name, args);
    assert_eq!(report["disagreements"], Value::Array(Vec::new()), "{name} {args:?}");
    for (id, word) in standings(&report, &["queues"]) {
        assert_eq!(word, "proved", "{name} {args:?}: {id}: {}", standing(&report, id)["evidence"]);
    }
    let queues = standing(&report, "queues");
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
        let row = standing(&report, id);
        assert_eq!(row["standing"], "disproved", "{row}");
        assert_eq!(row["decides"][0], serde_json::json!({ "check": "watchdog-driver", "verdict": "fail" }), "{row}");
    }
    for id in ["boots-to-login", "root-on-bus", "serial-console", "agent-answers", "cloud-init-done"] {
        assert_eq!(standing(&report, id)["standing"], "proved", "{report}");
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
        assert_eq!(word, "proved", "{id}: {}", standing(&report, id)["evidence"]);
    }
}
