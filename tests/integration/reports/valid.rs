//! SARIF, JUnit and GitLab output by the schemas of those who read them.
//!
//! - SARIF: `sarif-2.1.0` as the crate `serde-sarif` ships it (`src/schema.json`), which tests/schemas/Cargo.toml names.
//! - JUnit: `testing/example_scripts/junit-10.xsd` of the source package of pytest on PyPI, which is that of Jenkins'
//!   xunit plugin; tests/run puts it where `BOOTWORTHY_JUNIT_XSD` says.
//! - GitLab: no package has one; tests/schemas/gitlab-code-quality.json is written after GitLab's documentation.

use super::hostile::{HOSTILE, reports};
use super::{python, valid};
use crate::common::{bootworthy, image, tool};
use bootworthy::report::{Style, find};
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const XSD: &str = r"
import sys, xmlschema
schema = xmlschema.XMLSchema(sys.argv[1])
for path in sys.argv[2:]:
    for error in schema.iter_errors(path):
        print(path, error.path, error.reason)
";

/// What a pipeline gets, and the same with hostile strings.
fn written(format: &str, folder: &TempDir) -> Vec<PathBuf> {
    let real = ["debian12", "debian13"].map(|name| image(name).to_str().unwrap().to_owned());
    let images = ["fixtures/good.qcow2", "fixtures/broken.qcow2", "./fixtures/good.qcow2", "src", "no such file"];
    let images: Vec<&str> = images.into_iter().chain(real.iter().map(String::as_str)).collect();
    let mut texts = Vec::new();
    for images in [&images[..], &images[..1], &images[1..2], &images[4..5]] {
        for profile in ["openstack", "strict"] {
            let options = [
                "check",
                "--with=os_require_quiesce",
                "--ignore=trim-enabled",
                "--profile",
                profile,
                "--format",
                format,
            ];
            texts.push(bootworthy(options.iter().chain(images)).stdout);
        }
    }
    let write = find(format).unwrap().write;
    texts.push(write(&[], Style::default()));
    texts.extend(HOSTILE.iter().map(|text| write(&reports(text), Style::default())));
    let paths = texts.iter().enumerate().map(|(index, text)| {
        let path = folder.path().join(index.to_string());
        fs::write(&path, text).unwrap();
        path
    });
    paths.collect()
}

#[test]
fn sarif_is_valid() {
    let options = ["metadata", "--format-version=1", "--locked", "--manifest-path", "tests/schemas/Cargo.toml"];
    let metadata: Value = serde_json::from_slice(&tool(env!("CARGO"), options)).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "serde-sarif");
    let manifest = package.unwrap()["manifest_path"].as_str().unwrap();
    let folder = TempDir::new().unwrap();
    let paths = written("sarif", &folder);
    valid(&PathBuf::from(manifest).with_file_name("src").join("schema.json"), &paths);
    for path in paths {
        let sarif: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let run = &sarif["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let ids: HashSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), rules.len(), "rules are told once");
        let mut prints = HashSet::new();
        for result in run["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(result["ruleId"], rules[index]["id"]);
            assert!(prints.insert(result["partialFingerprints"].to_string()), "{result}");
            assert_ne!(result["level"], "none");
        }
        let is_failure = run["invocations"][0]["executionSuccessful"] == false;
        let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
        assert_eq!(is_failure, !notes.is_empty());
    }
}

#[test]
fn junit_is_valid() {
    let xsd = std::env::var_os("BOOTWORTHY_JUNIT_XSD")
        .expect("BOOTWORTHY_JUNIT_XSD is not set; run the tests with tests/run");
    let folder = TempDir::new().unwrap();
    let paths = written("junit", &folder);
    assert_eq!(python(XSD, std::iter::once(&PathBuf::from(xsd)).chain(&paths)), "");
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        for node in document.descendants().filter(|node| node.has_tag_name("testsuite")) {
            let count = |name| node.descendants().filter(|inner| inner.has_tag_name(name)).count().to_string();
            for (attribute, tag) in
                [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
            {
                assert_eq!(node.attribute(attribute), Some(count(tag).as_str()), "{attribute}: {}", path.display());
            }
        }
    }
}

#[test]
fn gitlab_is_valid() {
    let folder = TempDir::new().unwrap();
    let paths = written("gitlab", &folder);
    valid(&PathBuf::from("tests/schemas/gitlab-code-quality.json"), &paths);
    for path in paths {
        let rows: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let prints: HashSet<&str> = rows.iter().map(|row| row["fingerprint"].as_str().unwrap()).collect();
        assert_eq!(prints.len(), rows.len());
    }
}

/// A pipeline that reads only the report must not see a pass where the exit code says none.
#[test]
fn reports_are_red_where_the_exit_code_is() {
    for (arguments, code) in [
        (vec!["fixtures/good.qcow2"], 0),
        (vec!["fixtures/broken.qcow2"], 1),
        (vec!["fixtures/broken.qcow2", "--profile=bootable", "--ignore=fstab-stable-ids"], 0),
        (vec!["fixtures/good.qcow2", "--with=os_require_quiesce"], 0),
        (vec!["fixtures"], 3),
        (vec!["no such file"], 3),
        (vec!["--facts=fixtures/guests/debian-13.json", "--fail-on=note"], 0),
        (vec!["fixtures/broken.qcow2", "--profile=bootable", "--ignore=fstab-stable-ids", "--fail-on=note"], 1),
        (vec!["fixtures/broken.qcow2", "--profile=strict", "--severity=fstab-stable-ids=off"], 1),
    ] {
        let run = |format: &str| bootworthy(["check", "--format", format].iter().chain(&arguments));
        let junit = run("junit");
        let is_red = junit.stdout.contains("<failure") || junit.stdout.contains("<error");
        assert_eq!((junit.code, is_red), (code, code != 0), "{arguments:?}: {}", junit.stdout);
        let sarif: Value = serde_json::from_str(&run("sarif").stdout).unwrap();
        assert_eq!(sarif["runs"][0]["invocations"][0]["exitCode"], code);
    }
}

#[test]
fn fingerprints_stay_while_path_and_check_do() {
    let prints = |profile: &str| {
        let run = bootworthy(["check", "fixtures/broken.qcow2", "--format=gitlab", "--profile", profile]);
        let rows: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
        let pair = |row: &Value| (row["check_name"].clone(), row["fingerprint"].clone());
        rows.iter().map(pair).collect::<Vec<_>>()
    };
    let strict = prints("strict");
    for pair in prints("openstack") {
        assert!(strict.contains(&pair), "{pair:?}");
    }
}
