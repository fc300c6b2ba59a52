//! Images from the shipped recipes, as whoever runs the tests: built, judged, built again from the lock.

use crate::common::command;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a build on two cores may take.
const PATIENCE: Duration = Duration::from_mins(6);

/// Reads a `CycloneDX` document; the validator has the official schema of 1.5.
const VALIDATE: &str = r"
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
import json
text = sys.stdin.read()
error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
if error: sys.exit(str(error))
for component in json.loads(text)['components']:
    if 'purl' in component:
        purl = PackageURL.from_string(component['purl'])
        assert purl.name == component['name'], component
        assert purl.to_string() == component['purl'], (purl.to_string(), component['purl'])
";

fn command_of(folder: &Path, recipe: &str, more: &[&str]) -> Command {
    let image = folder.join("disk.qcow2");
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("recipes/{recipe}.toml"));
    let mut command = command();
    command.arg("build").arg(recipe).arg("-o").arg(&image).arg("--work").arg(folder.join("work")).args(more);
    for name in ["PATH", "HOME", "http_proxy", "https_proxy", "no_proxy"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

fn build(folder: &Path, recipe: &str, more: &[&str]) -> Duration {
    let mut command = command_of(folder, recipe, more);
    let begun = Instant::now();
    let output = command.output().unwrap();
    let took = begun.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{recipe} in {}: {} s", folder.display(), took.as_secs());
    took
}

fn validate(sbom: &Path) {
    let python = std::env::var_os("BOOTWORTHY_PYTHON").expect("run the tests with tests/run");
    let mut child = Command::new(python).args(["-c", VALIDATE]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(sbom).unwrap()).unwrap();
    assert!(child.wait().unwrap().success(), "{}", sbom.display());
}

/// Built, judged with every feature of the mission, and its files are what they say.
fn stands(folder: &Path, recipe: &str) {
    let run = command().args(["check", "--format", "json"]).arg(folder.join("disk.qcow2")).output().unwrap();
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["result"], "fit", "{recipe}");
    let sums = Command::new("sha256sum").args(["--check", "disk.qcow2.sha256"]).current_dir(folder).status().unwrap();
    assert!(sums.success());
    validate(&folder.join("disk.qcow2.cdx.json"));
    let properties: Value =
        serde_json::from_slice(&fs::read(folder.join("disk.qcow2.properties.json")).unwrap()).unwrap();
    for (key, value) in [
        ("hw_disk_bus", "scsi"),
        ("hw_scsi_model", "virtio-scsi"),
        ("hw_qemu_guest_agent", "yes"),
        ("hw_vif_multiqueue_enabled", "true"),
        ("hw_watchdog_action", "reset"),
    ] {
        assert_eq!(properties[key], value, "{recipe}: {key}");
    }
    assert!(folder.join(format!("{recipe}.lock")).is_file());
    assert!(!folder.join("work").join(recipe).exists(), "the work folder is gone");
}

/// A whole build of each shipped recipe, and the same again from its lock in another folder: every byte is the same.
#[test]
fn shipped_recipes_become_images_twice() {
    for recipe in ["debian-12", "debian-13"] {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let took = build(first.path(), recipe, &[]);
        assert!(took <= PATIENCE, "{recipe} took {} s", took.as_secs());
        stands(first.path(), recipe);
        let lock = first.path().join(format!("{recipe}.lock"));
        build(second.path(), recipe, &["--locked", "--lock", lock.to_str().unwrap()]);
        let sum = |folder: &Path| fs::read_to_string(folder.join("disk.qcow2.sha256")).unwrap();
        assert_eq!(sum(first.path()), sum(second.path()), "{recipe}");
    }
}

/// XFS is made and not read yet: what cannot be judged does not get its name, and says so.
#[test]
fn an_image_on_xfs_is_made_and_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let output = command_of(folder.path(), "debian-13-xfs-uefi", &[]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("xfs: this version does not read it") && said.contains("left: "), "{said}");
    assert!(
        folder.path().join("work/debian-13-xfs-uefi/image").is_file() && !folder.path().join("disk.qcow2").exists()
    );
}
