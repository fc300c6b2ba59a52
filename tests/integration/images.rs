//! Real Debian images against the table; the rest of it stands in the second tier.

use crate::table::{DEBIAN_12, compare, debian, report};

#[test]
fn debian_12_cloud_kernel() {
    compare("debian12", DEBIAN_12, &debian("12", 2, false));
}

#[test]
fn debian_13_cloud_kernel() {
    compare("debian13", &[], &debian("13", 3, true));
}

/// What is a module in Debian 12 is built into Debian 13's kernel, and both pass for different reasons.
#[test]
fn the_proofs_say_where_the_driver_is() {
    for (name, words) in [("debian12", "virtio_pci.ko"), ("debian13", "built in")] {
        let report = report(name);
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["id"] == "initrd-virtio-pci").unwrap();
        assert!(check["evidence"].to_string().contains(words), "{name}: {check}");
    }
}

#[test]
fn the_whole_report_without_progress_is_the_same_twice() {
    assert_eq!(report("debian13"), report("debian13"));
}
