//! Images whose container lies: what QEMU's own check or an upload to Glance refuses, image-format-safe does not pass.

use crate::common::{bootworthy, fixture, tool};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

fn verdict(image: &Path) -> (i32, Value) {
    let run = bootworthy(["check", "--format", "json", image.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap().clone();
    (run.code, checks.into_iter().find(|check| check["id"] == "image-format-safe").unwrap_or(Value::Null))
}

fn converted(folder: &Path, format: &str) -> (std::path::PathBuf, Vec<u8>) {
    let path = folder.join(format!("disk.{format}"));
    tool("qemu-img", ["convert", "-O", format, fixture("good.qcow2").to_str().unwrap(), path.to_str().unwrap()]);
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

fn be_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// A change of the entry at the first offset, given all offsets of mapped entries.
type Damage = fn(&mut Vec<u8>, &[usize]);

#[test]
fn what_qemu_img_check_calls_corrupt_is_not_safe() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = converted(folder.path(), "qcow2");
    assert_eq!(verdict(&path).0, 0);
    let l2 =
        usize::try_from(be_u64(&whole, usize::try_from(be_u64(&whole, 40)).unwrap()) & 0x00ff_ffff_ffff_fe00).unwrap();
    let mapped: Vec<usize> =
        (0..8192).map(|index| l2 + 8 * index).filter(|at| be_u64(&whole, *at) >> 63 == 1).collect();
    let cases: &[(&str, Damage)] = &[
        ("a reserved bit", |d, at| d[at[0]] |= 4),
        ("a host cluster that is not aligned", |d, at| d[at[0] + 6] |= 2),
        ("two guest clusters on one host cluster", |d, at| d.copy_within(at[1]..at[1] + 8, at[0])),
        ("a host cluster that is the L1 table", |d, at| {
            let table = be_u64(d, 40) | 1 << 63;
            d[at[0]..at[0] + 8].copy_from_slice(&table.to_be_bytes());
        }),
        ("a host cluster behind the end", |d, at| d[at[0] + 2] |= 1),
    ];
    for (name, damage) in cases {
        let mut bytes = whole.clone();
        damage(&mut bytes, &mapped);
        fs::write(&path, &bytes).unwrap();
        let oracle = Command::new("qemu-img").args(["check", "-f", "qcow2", path.to_str().unwrap()]).output().unwrap();
        assert_ne!(oracle.status.code(), Some(0), "{name}: qemu-img finds nothing");
        let (code, check) = verdict(&path);
        assert!(code != 0 && check["verdict"] != "pass", "{name}: {code} {check}");
    }
}

#[test]
fn a_raw_disk_that_glance_refuses_is_not_safe() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = converted(folder.path(), "raw");
    assert_eq!(verdict(&path).0, 0);
    // The second entry of the protective MBR begins at byte 462; the boot flag of the first stands at 446.
    for (name, at, byte) in [("a hybrid MBR", 462 + 4, 0x83), ("an odd boot flag", 446, 0x42)] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        fs::write(&path, &bytes).unwrap();
        let (code, check) = verdict(&path);
        assert!(code == 1 && check["verdict"] == "fail", "{name}: {code} {check}");
    }
}

/// Nobody is told twice what stands in the way of several checks.
#[test]
fn what_is_unknown_for_one_reason_is_told_once() {
    let text = bootworthy(["check", "--facts", fixture("guests/directory.json").to_str().unwrap()]).stdout;
    assert!(text.contains("unknown[4 checks]") && text.contains("= checks: "), "{text}");
}
