//! The checks on saved facts: what passes, what fails and where, and that nothing unknown ever passes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "test code"
)]
#![allow(clippy::too_many_lines, unreachable_pub, reason = "test code: tables")]

mod demands;
mod mutations;
mod placement;
mod rendering;
mod symbols;
mod unknowns;

use bootworthy::guest::Guest;
use bootworthy::verdict::check::{CHECKS, Check, find};
use bootworthy::verdict::profile::{self, Profile};
use bootworthy::verdict::{Judgement, Options, Report, assess};
use serde_json::Value;

/// A saved guest of `fixtures/guests/`, as JSON.
pub fn saved(name: &str) -> Value {
    let path = format!("{}/fixtures/guests/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn guest(value: &Value) -> Guest {
    serde_json::from_value(value.clone()).unwrap()
}

pub fn check(id: &str) -> &'static Check {
    find(id).unwrap_or_else(|| panic!("there is no check {id}"))
}

pub fn judge(value: &Value, id: &str) -> Judgement {
    check(id).judge(&guest(value), &Options::default())
}

pub fn profile(name: &str) -> &'static Profile {
    profile::find(name).unwrap()
}

pub fn report(value: &Value) -> Report {
    assess("image.qcow2", guest(value), profile("openstack"), &Options::default())
}

/// The node at a JSON pointer.
pub fn at<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
    value.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing stands at {pointer}"))
}

/// `id: verdict` of every check that is not a plain pass.
pub fn open(report: &Report) -> Vec<String> {
    let word = |finding: &bootworthy::verdict::Finding| serde_json::to_value(finding.verdict).unwrap();
    let text =
        |f: &bootworthy::verdict::Finding| format!("{} {} {}", f.severity.word(), f.id, word(f).as_str().unwrap());
    report.checks.iter().map(text).filter(|text| !text.ends_with(" pass")).collect()
}

pub fn earned(report: &Report) -> Vec<String> {
    report.earned.iter().map(|property| format!("{}={}", property.key, property.value)).collect()
}

#[test]
fn saved_facts_come_back_byte_for_byte() {
    for name in ["healthy", "debian-13", "two-kernels", "ubuntu-initrdless", "directory"] {
        let path = format!("{}/fixtures/guests/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let guest: Guest = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string_pretty(&guest).unwrap() + "\n", text, "{name}");
    }
}

#[test]
fn a_healthy_guest_passes_every_check() {
    let report = report(&saved("healthy"));
    assert_eq!(report.checks.len(), CHECKS.len());
    assert_eq!((open(&report), report.summary().pass), (Vec::new(), CHECKS.len()));
    assert_eq!(report.result.exit_code(), 0);
    assert_eq!(
        earned(&report),
        [
            "hw_disk_bus=scsi",
            "hw_scsi_model=virtio-scsi",
            "hw_qemu_guest_agent=yes",
            "hw_vif_multiqueue_enabled=true",
            "hw_watchdog_action=reset",
            "os_type=linux",
            "os_distro=debian",
            "os_version=12",
            "architecture=x86_64",
            "min_disk=2"
        ]
    );
    assert_eq!(report.withheld, []);
}

#[test]
fn special_guests() {
    let scsi = "hw_disk_bus=scsi".to_owned();
    for (name, open_checks, has_scsi, code) in [
        ("debian-13", vec![], true, 0),
        ("two-kernels", vec!["warning initrd-virtio-scsi fail"], true, 0),
        (
            "ubuntu-initrdless",
            vec![
                "warning initrd-virtio-scsi fail",
                "warning initrd-virtio-net fail",
                "error initrd-kernel-match n/a",
                "note fstab-uuid fail",
            ],
            true,
            0,
        ),
        (
            "directory",
            vec![
                "error initrd-module-closure unknown",
                "error initrd-root-filesystem unknown",
                "error module-not-blacklisted unknown",
                "error cmdline-root-resolves unknown",
                "error fstab-targets-exist unknown",
                "warning growpart-available n/a",
                "error image-format-safe n/a",
                "warning virtual-size-sane n/a",
            ],
            false,
            3,
        ),
    ] {
        let report = report(&saved(name));
        assert_eq!(open(&report), open_checks, "{name}");
        assert_eq!((earned(&report).contains(&scsi), report.result.exit_code()), (has_scsi, code), "{name}");
    }
}

#[test]
fn what_is_required_is_an_option_and_severities_change_no_property() {
    let ubuntu = saved("ubuntu-initrdless");
    for (profile_name, options, code) in [
        ("openstack", Options::default(), 0),
        ("strict", Options::default(), 1),
        ("bootable", Options::default(), 0),
        ("openstack", Options { require_in_initrd: vec!["virtio_net".to_owned()], ..Options::default() }, 1),
        ("openstack", Options { fail_on: profile::Severity::Warning, ..Options::default() }, 1),
        ("bootable", Options { fail_on: profile::Severity::Note, ..Options::default() }, 1),
        ("strict", Options { fail_on: profile::Severity::Error, ..Options::default() }, 1),
    ] {
        let report = assess("x", guest(&ubuntu), profile(profile_name), &options);
        assert_eq!(report.result.exit_code(), code, "{profile_name} {options:?}");
        assert!(earned(&report).contains(&"hw_disk_bus=scsi".to_owned()));
    }
    let require = |module: &str| Options { require_in_initrd: vec![module.to_owned()], ..Options::default() };
    for (module, code) in [("failover", 0), ("virtio_console", 1)] {
        let report = assess("x", guest(&saved("healthy")), profile("openstack"), &require(module));
        assert_eq!(report.result.exit_code(), code, "{module}");
    }
    let mut broken = saved("healthy");
    *at(&mut broken, "/fstab/0/spec") = "/dev/vda1".into();
    let severities = vec![("fstab-stable-ids".to_owned(), profile::Severity::Off)];
    let report = assess("x", guest(&broken), profile("openstack"), &Options { severities, ..Options::default() });
    assert_eq!((report.result.exit_code(), earned(&report).contains(&"hw_disk_bus=scsi".to_owned())), (0, false));
}

#[test]
fn exit_codes() {
    use bootworthy::verdict::exit_code;
    let healthy = saved("healthy");
    let with = |pointer: &str, new: Value| {
        let mut value = healthy.clone();
        *at(&mut value, pointer) = new;
        report(&value).result
    };
    let unknown = serde_json::json!({"unknown": "x"});
    let (fit, unfit) = (report(&healthy).result, with("/packages", serde_json::json!([])));
    let not_known = with("/packages", unknown.clone());
    assert_eq!([fit, unfit, not_known].map(bootworthy::verdict::Outcome::exit_code), [0, 1, 3]);
    // A warning that is unknown is no error that is unknown.
    assert_eq!(with("/image/virtual_size", unknown.clone()).exit_code(), 0);
    let mut both = healthy.clone();
    *at(&mut both, "/packages") = serde_json::json!([]);
    *at(&mut both, "/boot_entries") = unknown;
    assert_eq!(report(&both).result.exit_code(), 1);
    for (outcomes, code) in
        [(vec![fit, fit], 0), (vec![fit, not_known], 3), (vec![not_known, unfit, fit], 1), (vec![unfit, fit], 1)]
    {
        assert_eq!(exit_code(outcomes), code);
    }
}

#[test]
fn reports_do_not_depend_on_the_run() {
    for name in ["healthy", "two-kernels", "ubuntu-initrdless", "directory"] {
        for format in bootworthy::report::FORMATS {
            let write = || (format.write)(&[report(&saved(name))], bootworthy::report::Style::default());
            assert_eq!(write(), write(), "{name} {}", format.name);
        }
    }
}
