//! The standard's own functions over the set `scs` (`SovereignCloudStack/standards`).

use crate::common::{bootworthy, fixture};
use std::io::Write as _;
use std::process::{Command, Stdio};

const POLICY: &[&str] = &[
    "min_ram=512",
    "os_purpose=generic",
    "replace_frequency=monthly",
    "uuid_validity=last-3",
    "provided_until=none",
    "hotfix_hours=0",
    "image_source=https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2",
    "image_description=https://cloud.debian.org/images/cloud/trixie/latest/",
    "image_build_date=2026-01-31 10:00",
    "image_original_user=debian",
];

#[test]
#[ignore = "BOOTWORTHY_SCS names a checkout of SovereignCloudStack/standards"]
fn the_functions_of_the_standard_pass() {
    let standards = std::env::var_os("BOOTWORTHY_SCS").expect("BOOTWORTHY_SCS names a checkout of the standards");
    let python = std::env::var_os("BOOTWORTHY_PYTHON_ORACLES").expect("BOOTWORTHY_PYTHON_ORACLES has openstacksdk");
    let good = fixture("good.qcow2");
    let args = ["properties", good.to_str().unwrap(), "--set", "scs", "--format", "json", "--name", "Debian 13"];
    let run = bootworthy(args.into_iter().chain(POLICY.iter().flat_map(|row| ["--policy", row])));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/full/scs_0102.py");
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
