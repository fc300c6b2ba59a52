//! The standard's own functions over the set `scs`, from a checkout of `SovereignCloudStack/standards`:
//! `BOOTWORTHY_SCS=DIR BOOTWORTHY_PYTHON_ORACLES=python cargo test --test scs`, with openstacksdk there.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::allow_attributes, reason = "test code")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "test code")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::print_stdout, reason = "test code")]

#[path = "../integration/common.rs"]
mod common;

use common::{bootworthy, fixture};
use std::io::Write as _;
use std::process::{Command, Stdio};

const POLICY: &[&str] = &[
    "min_ram=512",
    "os_purpose=generic",
    "replace_frequency=monthly",
    "uuid_validity=last-3",
    "provided_until=none",
    "hotfix_hours=0",
    "image_description=https://images.example.org/debian-13/",
    "image_build_date=2026-01-31 10:00",
    "image_original_user=debian",
];

const NAME: &str = "Debian 13";

#[test]
fn the_functions_of_the_standard_pass() {
    let standards = std::env::var_os("BOOTWORTHY_SCS").expect("BOOTWORTHY_SCS names a checkout of the standards");
    let python = std::env::var_os("BOOTWORTHY_PYTHON_ORACLES").expect("BOOTWORTHY_PYTHON_ORACLES has openstacksdk");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scs/scs_0102.py");
    let asked = Command::new(&python).arg(script).arg(&standards).args(["source", NAME]).output().unwrap();
    let source = String::from_utf8(asked.stdout).unwrap();
    assert!(asked.status.success() && !source.is_empty(), "{}", String::from_utf8_lossy(&asked.stderr));
    let source = format!("image_source={}", source.trim());
    let good = fixture("good.qcow2");
    let args = ["properties", good.to_str().unwrap(), "--set", "scs", "--format", "json", "--name", NAME];
    let policy = POLICY.iter().copied().chain([source.as_str()]).flat_map(|row| ["--policy", row]);
    let run = bootworthy(args.into_iter().chain(policy));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let size = std::fs::metadata(&good).unwrap().len().to_string();
    let mut child = Command::new(python)
        .arg(script)
        .arg(standards)
        .arg(size)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(run.stdout.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    println!("{text}");
    let passed = text.lines().filter(|line| line.ends_with(": PASS")).count();
    assert!(output.status.success() && passed == 22 && text.lines().count() == 22, "{text}");
}
