//! The tools that manifests are for read the same properties out of them; `parse_manifests.py` says which tools.

use crate::hostile_manifests::{image, images, properties, written};
use bootworthy::manifest::{FORMATS, Manifest};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// What openstack-image-manager's closed list takes.
fn catalogued() -> Manifest<'static> {
    let rows = [
        ("hw_disk_bus", "scsi"),
        ("hw_scsi_model", "virtio-scsi"),
        ("hw_rng_model", "virtio"),
        ("hw_watchdog_action", "reset"),
        ("os_distro", "debian"),
        ("os_version", "13"),
        ("architecture", "x86_64"),
        ("hypervisor_type", "qemu"),
        ("os_purpose", "generic"),
        ("replace_frequency", "monthly"),
        ("uuid_validity", "2027-01-31"),
        ("provided_until", "2027-01-31"),
        ("image_description", "\"a\": #b {{ c }} \u{e9}\u{202e}"),
        ("patchlevel", "012"),
    ];
    let mut image = image("n", &rows);
    let login =
        [("image_original_user", "debian"), ("image_source", "https://a/b"), ("image_build_date", "2026-01-31")];
    image.properties.extend(login.map(|(key, value)| bootworthy::manifest::Property { key, value, evidence: None }));
    image
}

#[test]
fn their_tools_read_the_same() {
    let mut asked = Vec::new();
    let mut expected = Vec::new();
    for format in FORMATS {
        let all = if format.demands.is_empty() { images() } else { vec![catalogued()] };
        for image in all {
            let Some(text) = written(format, &image) else { continue };
            asked.push(json!({"format": format.name, "text": text}));
            let mut rows = properties(&image);
            rows.retain(|(key, _)| format.demands.is_empty() || bootworthy::manifest::is_meta_key(key));
            rows.sort();
            expected.push(rows);
        }
    }
    let python =
        std::env::var_os("BOOTWORTHY_PYTHON_ORACLES").expect("BOOTWORTHY_PYTHON_ORACLES names a python with the tools");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/full/parse_manifests.py");
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), &asked).unwrap();
    let output = child.wait_with_output().unwrap();
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), asked.len());
    let mut wrong = Vec::new();
    for ((asked, expected), answer) in asked.iter().zip(&expected).zip(&answers) {
        let mut rows: Vec<(String, String)> = serde_json::from_value(answer.clone()).unwrap_or_default();
        rows.sort();
        if rows != *expected {
            wrong.push(format!(
                "{}: {answer}\n  expected {expected:?}\n{}",
                asked["format"],
                asked["text"].as_str().unwrap()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are read otherwise:\n{}", wrong.len(), asked.len(), wrong.join("\n"));
}
