//! The table image × check × verdict, complete: each cell that is no pass carries its cause.

use crate::common::{bootworthy, image};
use serde_json::Value;

/// What a check says of an image, where it is not `pass`, and what it must name as the cause.
pub type Exception = (&'static str, &'static str, &'static str, &'static str);

/// Every check of this version, in report order.
const CHECKS: &[&str] = &[
    "boot-entry-resolves",
    "initrd-virtio-pci",
    "initrd-virtio-blk",
    "initrd-virtio-scsi",
    "initrd-virtio-net",
    "initrd-module-closure",
    "initrd-kernel-match",
    "initrd-root-filesystem",
    "module-not-blacklisted",
    "cmdline-root-stable",
    "cmdline-root-resolves",
    "fstab-stable-ids",
    "fstab-targets-exist",
    "fstab-uuid",
    "fstab-discard",
    "trim-enabled",
    "agent-installed",
    "agent-started",
    "agent-channel",
    "agent-freeze-allowed",
    "agent-password-allowed",
    "watchdog-installed",
    "watchdog-driver",
    "watchdog-loadable",
    "watchdog-armed",
    "watchdog-single-owner",
    "multiqueue-kernel",
    "irqbalance-enabled",
    "cloud-init-present",
    "cloud-init-datasource",
    "console-serial",
    "sshd-enabled",
    "growpart-available",
    "machine-id-reset",
    "ssh-hostkeys-absent",
    "password-unset",
    "image-format-safe",
    "virtual-size-sane",
];

pub fn report(name: &str) -> Value {
    let run = bootworthy(["check", "--format", "json", image(name).to_str().unwrap()]);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
}

/// Compares every check's verdict, and the properties that are earned.
pub fn compare(name: &str, exceptions: &[Exception], earned: &Value) {
    let report = report(name);
    let ids: Vec<&str> =
        report["checks"].as_array().unwrap().iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(ids, CHECKS, "the table is complete");
    for check in report["checks"].as_array().unwrap() {
        let exception = exceptions.iter().find(|exception| check["id"] == exception.0);
        let (verdict, severity) = exception.map_or(("pass", ""), |exception| (exception.1, exception.2));
        assert_eq!(check["verdict"], verdict, "{name}: {check}");
        if let Some((_, _, _, cause)) = exception {
            assert_eq!(check["severity"], severity, "{name}: {check}");
            let told = check["evidence"].to_string() + &check["reason"].to_string();
            assert!(told.contains(cause), "{name}: {cause:?} is not named in {check}");
        } else {
            assert!(!check["evidence"].as_array().unwrap().is_empty(), "{name}: a pass without proof: {check}");
        }
    }
    assert_eq!(&report["properties"], earned, "{name}");
}

/// What Debian 12's cloud kernel and its commented device line cost.
pub const DEBIAN_12: &[Exception] = &[
    ("watchdog-driver", "fail", "error", "CONFIG_I6300ESB_WDT is not set"),
    ("watchdog-loadable", "n/a", "error", "there is no driver to load"),
    ("watchdog-armed", "fail", "error", "#watchdog-device = /dev/watchdog is a comment"),
    ("watchdog-single-owner", "n/a", "warning", "nothing feeds"),
];

/// What every Debian of this table has earned.
pub fn debian(version: &str, min_disk: u64, has_watchdog: bool) -> Value {
    let mut earned = serde_json::json!({
        "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi", "hw_qemu_guest_agent": "yes",
        "hw_vif_multiqueue_enabled": "true", "os_type": "linux", "os_distro": "debian",
        "os_version": version, "architecture": "x86_64", "min_disk": min_disk
    });
    if has_watchdog {
        earned["hw_watchdog_action"] = "reset".into();
    }
    earned
}
