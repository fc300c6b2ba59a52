//! A real image with one thing changed on the disk: exactly which checks differ from the healthy report, and that all
//! the rest of the report is equal to the byte.

mod disk;
mod grub;
mod rows;

use crate::common::{bootworthy, tool};
pub use disk::{Disk, remove_named};
use rows::ROWS;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A variant of a healthy image.
pub struct Variant {
    pub name: &'static str,
    pub edit: fn(&Disk),
    /// The checks whose verdict differs from the healthy report's, and what it is.
    pub differs: &'static [(&'static str, &'static str)],
    /// Checks whose verdict stays and whose evidence is another.
    pub tells: &'static [&'static str],
    /// Properties that the change withholds.
    pub withholds: &'static [&'static str],
}

/// The verdict of each check by id, beside the whole of what the report says of it.
fn checks(report: &Value) -> BTreeMap<String, (String, Value)> {
    let checks = report["checks"].as_array().unwrap_or_else(|| panic!("no checks: {report}"));
    let id = |check: &Value| check["id"].as_str().unwrap().to_owned();
    checks.iter().map(|check| (id(check), (check["verdict"].as_str().unwrap().to_owned(), check.clone()))).collect()
}

fn withheld(healthy: &Value, report: &Value) -> Vec<String> {
    let earned = |report: &Value| report["properties"].as_object().unwrap().clone();
    let now = earned(report);
    earned(healthy).into_iter().filter(|(key, value)| now.get(key) != Some(value)).map(|(key, _)| key).collect()
}

/// Runs every variant on `image`, a healthy one.
pub fn run(image: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.raw");
    tool("qemu-img", ["convert", "-O", "raw", image.to_str().unwrap(), whole.to_str().unwrap()]);
    let facts: Value = serde_json::from_str(&bootworthy(["inspect", whole.to_str().unwrap()]).stdout).unwrap();
    let healthy = Disk::copy(&whole, &facts, folder.path()).check();
    let usual = checks(&healthy);
    let mut wrong = Vec::new();
    for variant in ROWS.iter().chain(grub::ROWS) {
        let disk = Disk::copy(&whole, &facts, folder.path());
        (variant.edit)(&disk);
        let report = disk.check();
        for (id, (verdict, whole)) in checks(&report) {
            let Some((healthy_verdict, healthy_whole)) = usual.get(&id) else { panic!("{id} is new") };
            let expected = variant.differs.iter().find(|row| row.0 == id).map_or(healthy_verdict.as_str(), |row| row.1);
            let may_tell = verdict != *healthy_verdict || variant.tells.contains(&id.as_str());
            if verdict != expected {
                wrong.push(format!("{}: {id} is {verdict}, not {expected}: {}", variant.name, whole["evidence"]));
            } else if !may_tell && whole != *healthy_whole {
                wrong.push(format!("{}: {id} tells another story: {whole} instead of {healthy_whole}", variant.name));
            }
        }
        let lost = withheld(&healthy, &report);
        if lost != variant.withholds {
            wrong.push(format!("{}: withholds {lost:?}, not {:?}", variant.name, variant.withholds));
        }
        for (id, verdict) in variant.differs {
            if usual.get(*id).is_none_or(|usual| usual.0 == *verdict) {
                wrong.push(format!("{}: {id} is no check, or {verdict} is no difference", variant.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn variants_differ_in_exactly_what_was_changed() {
    assert!(ROWS.len() >= 30);
    run(&crate::common::fixture("good.qcow2"));
}
