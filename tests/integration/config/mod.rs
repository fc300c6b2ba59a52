//! `bootworthy.toml`: where it is found, what it may say, what beats what, and what it never changes.

mod bad;
mod discovery;
mod exceptions;
mod precedence;
mod schema;

use crate::common::{Run, command, fixture};
use bad::BAD;
use bootworthy::config::{Config, KEYS};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// An image with three faults: initrd-virtio-scsi, fstab-stable-ids, watchdog-driver.
const BROKEN: &str = "broken.qcow2";
const FAULTS: &[&str] = &["initrd-virtio-scsi", "fstab-stable-ids", "watchdog-driver"];

/// A folder with the two images and this configuration.
fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [BROKEN, "good.qcow2"] {
        symlink(fixture(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("bootworthy.toml"), config).unwrap();
    folder
}

fn run_in(folder: &Path, args: &[&str], epoch: Option<&str>) -> Run {
    let mut command = command();
    command.current_dir(folder).args(args).envs(epoch.map(|seconds| ("SOURCE_DATE_EPOCH", seconds)));
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn report(folder: &Path, flags: &[&str], image: &str) -> (i32, Value) {
    let run = run_in(folder, &[&["check", "--format", "json"], flags, &[image]].concat(), None);
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {flags:?} {}", run.stderr));
    (run.code, report)
}

fn finding<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap()
}

/// All three faults are accepted.
fn accepting(checks: &[&str]) -> String {
    let row = |check: &&str| format!("[[ignore]]\ncheck = \"{check}\"\nreason = \"known\"\n");
    checks.iter().map(row).collect::<Vec<_>>().concat()
}

#[test]
fn every_mistake_is_named_with_its_line_before_an_image_is_read() {
    assert!(BAD.len() >= 70, "{}", BAD.len());
    let folder = folder("");
    for (text, line, message) in BAD {
        fs::write(folder.path().join("bootworthy.toml"), text).unwrap();
        let run = run_in(folder.path(), &["check", "nowhere.qcow2"], None);
        let expected = format!("error: bootworthy.toml:{line}: {message}\n");
        assert_eq!((run.code, run.stdout.as_str(), run.stderr), (2, "", expected), "{text}");
    }
    let run = run_in(folder.path(), &["properties", "good.qcow2"], None);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: bootworthy.toml:1: "), "{}", run.stderr);
    // It is asked for what it does not concern: facts need no configuration.
    assert_eq!(run_in(folder.path(), &["inspect", "good.qcow2"], None).code, 0);
}

#[test]
fn an_empty_file_changes_nothing_but_its_name() {
    let folder = folder("");
    for image in [BROKEN, "good.qcow2", "nowhere.qcow2"] {
        let (code, mut with) = report(folder.path(), &[], image);
        let (bare, without) = report(folder.path(), &["--no-config"], image);
        assert_eq!((&with["config"], code), (&"bootworthy.toml".into(), bare));
        with["config"] = Value::Null;
        assert_eq!(with, without, "{image}");
    }
    for args in [&["check"][..], &["check", "-v"], &["check", "-q"]] {
        let with = run_in(folder.path(), &[args, &[BROKEN]].concat(), None).stdout;
        let without = run_in(folder.path(), &[args, &["--no-config", BROKEN]].concat(), None).stdout;
        assert_eq!(with.replace("configuration: bootworthy.toml\n", ""), without, "{args:?}");
    }
    for args in [&["properties"][..], &["properties", "--format", "json", "--set", "full"]] {
        let with = run_in(folder.path(), &[args, &[BROKEN]].concat(), None).stdout;
        assert_eq!(with, run_in(folder.path(), &[args, &["--no-config", BROKEN]].concat(), None).stdout, "{args:?}");
    }
}

#[test]
fn damaged_files_are_refused_or_read_and_nothing_else() {
    let text = fs::read(fixture("bootworthy.toml")).unwrap();
    let parse = |bytes: &[u8]| drop(Config::parse("x", &String::from_utf8_lossy(bytes), Path::new("/")));
    (0..text.len()).for_each(|end| parse(&text[..end]));
    // A fixed seed: xorshift64.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(end).unwrap()).unwrap()
    };
    for _ in 0..2000 {
        let mut bytes = text.clone();
        for _ in 0..=next(3) {
            let (at, byte) = (next(bytes.len()), b"\"[]{}=.,\n#\\'-0aZ\xff\0"[next(18)]);
            bytes[at] = byte;
        }
        parse(&bytes);
    }
}

#[test]
fn the_readme_shows_the_file_that_the_tests_read() {
    let readme = fs::read_to_string("README.md").unwrap();
    let block = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let file = fs::read_to_string(fixture("bootworthy.toml")).unwrap();
    assert_eq!(block, file);
    let config = Config::parse("bootworthy.toml", &file, Path::new("/")).unwrap();
    assert_eq!((config.ignores.len(), config.policy.len(), config.severities.len()), (2, 8, 1));
    for key in KEYS {
        let is_shown = file.lines().any(|line| line.trim_start_matches('[').starts_with(key.name));
        assert!(is_shown, "the example does not show {}", key.name);
    }
}
