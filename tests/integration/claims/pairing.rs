//! Which definition of which manifest is meant for an image, and where its findings stand.

use super::{MATCHES, ended, finding, told};
use crate::common::fixture;
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

/// A folder with two images and these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in [("debian-13.qcow2", "good.qcow2"), ("debian-12.qcow2", "broken.qcow2")] {
        std::os::unix::fs::symlink(fixture(file), folder.path().join(name)).unwrap();
    }
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Arguments, exit code, and what is said: the versions that were judged, or what is not clear.
const BY_NAME: &[(&str, i32, &str)] = &[
    ("debian-13.qcow2 --manifest both.json", 0, "os_version=13 is true of the image"),
    ("debian-13.qcow2 --manifest 13.json", 0, "os_version=13 is true of the image"),
    (
        "debian-13.qcow2 --manifest both.json --definition 'x",
        2,
        "has no images of this name; there are Debian 12, Debian 13",
    ),
    ("debian-13.qcow2 debian-12.qcow2 --manifest 13.json --manifest 12.json", 1, "os_version=13 is true of the image"),
    ("debian-13.qcow2 debian-12.qcow2 --manifest both.json", 1, "os_version=13 is true of the image"),
    ("debian-13.qcow2 debian-12.qcow2 --manifest 13.json", 2, "13.json has no images called like debian-13.qcow2"),
    ("debian-13.qcow2 --manifest twice.json", 2, "twice.json has 2 images called like debian-13.qcow2"),
    ("debian-13.qcow2 --manifest 12.json --manifest 13.json", 2, "2 --manifest for 1 images"),
    ("debian-13.qcow2 debian-12.qcow2 --manifest both.json --definition a", 2, "name one for each"),
    ("debian-13.qcow2 --manifest none.json", 2, "none.json has no images called like"),
    ("debian-13.qcow2 --definition x", 2, "--manifest"),
    ("debian-13.qcow2 --manifest bad.json", 3, "bad.json"),
    ("debian-13.qcow2 --manifest gone.json", 3, "gone.json"),
    ("gone.qcow2 --manifest 13.json", 3, ""),
];

#[test]
fn a_manifest_of_several_images_is_read_by_name() {
    let both = r#"[{"name": "Debian 12", "os_version": "12"}, {"name": "Debian 13", "os_version": "13"}]"#;
    let folder = folder(&[
        ("both.json", both),
        ("twice.json", r#"[{"name": "Debian 13"}, {"name": "debian_13"}]"#),
        ("12.json", r#"{"os_version": "12"}"#),
        ("13.json", r#"{"os_version": "13"}"#),
        ("none.json", "[]"),
        ("bad.json", "{"),
    ]);
    let judged = |args: &str| {
        let words: Vec<&str> = args.split(' ').filter(|word| !word.is_empty()).collect();
        let run = ended(
            folder.path(),
            &[&["check", "--no-config", "--format=json", "--profile=bootable"], &words[..]].concat(),
        );
        if run.stdout.is_empty() {
            return (run.code, run.stderr);
        }
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let reports = report.as_array().cloned().unwrap_or_else(|| vec![report]);
        let versions = reports.iter().map(|report| {
            let found = finding(report, MATCHES).unwrap();
            let own = told(found).into_iter().filter(|text| text.starts_with("os_version"));
            own.collect::<Vec<_>>().join("; ")
        });
        (run.code, versions.collect())
    };
    for (args, code, text) in BY_NAME {
        let (found, told) = judged(args);
        assert!(found == *code && told.contains(text), "{args}: exit {found}, {told}");
    }
    let run = ended(
        folder.path(),
        &["check", "--no-config", "debian-13.qcow2", "--manifest", "both.json", "--definition", "Debian 12"],
    );
    assert!(run.code == 1 && run.stdout.contains("os_version=12: this image has 13"), "{}", run.stdout);
    let run = ended(folder.path(), &["check", "--no-config", "gone.qcow2", "--manifest", "13.json", "--format=json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(finding(&report, MATCHES).unwrap()["verdict"], "unknown");
}

/// The place is a line of the manifest in every format.
#[test]
fn places_are_lines_of_the_manifest_in_every_report() {
    let tf = "resource \"openstack_images_image_v2\" \"d\" {\n  name = \"d\"\n  properties = {\n    os_version = \"12\"\n  }\n}\n";
    let folder = folder(&[("main.tf", tf)]);
    let text = |format: &str| {
        let args = [
            "check",
            "--no-config",
            "debian-13.qcow2",
            "--manifest",
            "main.tf",
            "--format",
            format,
            "--without=os_type",
        ];
        ended(folder.path(), &args).stdout
    };
    for (format, part) in [
        ("text", "  --> main.tf:4:18\n"),
        ("junit", "main.tf:4:18: os_version=12: this image has 13"),
        ("github", "::error file=main.tf,line=4,col=18,title=debian-13.qcow2%3A property-matches-evidence::"),
        ("markdown", "`main.tf:4`"),
    ] {
        assert!(text(format).contains(part), "{part} is not in\n{}", text(format));
    }
    let json = |format: &str| -> Value { serde_json::from_str(&text(format)).unwrap() };
    let sarif = json("sarif");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let own = results.iter().find(|result| result["ruleId"] == MATCHES).unwrap();
    let place = &own["locations"][0]["physicalLocation"];
    assert_eq!((&place["artifactLocation"]["uri"], &place["region"]["startLine"]), (&"main.tf".into(), &4.into()));
    assert_eq!((&place["region"]["startColumn"], &own["locations"][0]["logicalLocations"]), (&18.into(), &Value::Null));
    let gitlab = json("gitlab");
    let own = gitlab.as_array().unwrap().iter().find(|row| row["check_name"] == MATCHES).unwrap();
    assert_eq!((&own["location"]["path"], &own["location"]["lines"]["begin"]), (&"main.tf".into(), &4.into()));
}
