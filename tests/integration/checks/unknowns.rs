//! No wrong pass: every node of the healthy facts in turn unknown, every list in turn empty.

use super::{check, guest, judge, report, saved};
use bootworthy::verdict::check::CHECKS;
use bootworthy::verdict::profile::Severity;
use bootworthy::verdict::property::PROPERTIES;
use bootworthy::verdict::{Report, Verdict, Word};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Leaves that are facts of their own and that no check of this version reads, and why.
const UNREAD: &[(&str, &str)] = &[
    ("/image/file_size", "only reported"),
    ("/image/features", "only reported"),
    ("/partition_table/id", "only reported"),
    ("/os", "properties read it, no check does"),
    ("/boot_entries/*/firmware", "a property reads it, no check does"),
    ("/kernels/*/config", "read only where no modules.builtin decides"),
    ("/kernels/*/initramfs", "asked where no attempt of an entry has an initrd; here each has one"),
    ("/initrds/*/size", "only reported"),
    ("/initrds/*/module_loads", "asked where a driver is in a blacklist or leads from no alias; here none is"),
    ("/module_loads", "asked where a driver is in a blacklist or leads from no alias; here none is"),
    ("/initrds/*/modules/*/modules/*/is_signed", "asked where the kernel demands signatures; here it does not"),
    ("/kernels/*/modules/modules/*/softdeps", "a note of the initrd's modules only"),
    ("/kernels/*/modules/modules/*/is_signed", "asked where the kernel demands signatures; here it does not"),
    ("/initrds/*/modules/*/builtin", "asked for what is no file of the initrd; here all modules are files"),
    ("/volumes/*/partuuid", "nothing in these facts goes by PARTUUID"),
    ("/volumes/*/partlabel", "nothing in these facts goes by PARTLABEL"),
    ("/volumes/*/filesystem/label", "nothing in these facts goes by LABEL"),
    ("/volumes/*/filesystem/mount_options", "asked for what neither fstab nor fstrim.timer discards; here fstab does"),
    ("/units/*/starts/*/line", "only reported"),
    ("/watchdog/comments", "asked for where the daemon has no device; here it has one"),
    ("/watchdog/defaults", "the unit's own environment counts; the loaded module is read from it"),
    ("/selinux", "only a note"),
    ("/cloud_init/files", "only reported"),
    ("/cloud_init/default_user", "a property is to read it"),
    ("/cloud_init/disable_root", "only reported"),
    ("/cloud_init/deletes_host_keys", "asked where there is a host key; here is none"),
    ("/accounts/shadow/*/shell", "/etc/shadow has none"),
];

/// Checks that find elsewhere what they do not find there.
const FOUND_ELSEWHERE: &[(&str, &str)] = &[
    // What the initrd loads, the root tree has as well.
    ("agent-channel", "/boot_entries/*/attempts/*/initrds"),
    ("agent-channel", "/initrds"),
    ("agent-channel", "/kernels/*/modules"),
    ("agent-channel", "/modprobe"),
];

/// Every JSON pointer below the root, inner nodes and leaves.
fn pointers(value: &Value, path: &str, into: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, child)| (key.clone(), child)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let path = format!("{path}/{key}");
        pointers(child, &path, into);
        into.push(path);
    }
}

/// `/a/0/b` → `/a/*/b`.
fn pattern(pointer: &str) -> String {
    pointer.split('/').map(|part| if part.parse::<usize>().is_ok() { "*" } else { part }).collect::<Vec<_>>().join("/")
}

fn is_declared(id: &str, pointer: &str) -> bool {
    let field = pointer.split('/').nth(1).unwrap_or_default();
    check(id).reads.iter().any(|fact| fact.field() == field)
}

#[test]
fn each_node_made_unknown_is_unknown_to_whoever_reads_it() {
    let healthy = saved("healthy");
    let before = report(&healthy);
    let mut all = Vec::new();
    pointers(&healthy, "", &mut all);
    assert!(all.len() > 500, "{} nodes", all.len());
    let mut changed: BTreeMap<String, bool> = BTreeMap::new();
    for pointer in all.iter().filter(|pointer| *pointer != "/schema") {
        let mut value = healthy.clone();
        *value.pointer_mut(pointer).unwrap() = json!({"unknown": {"reason": "test"}});
        let after = report(&value);
        for (old, new) in before.checks.iter().zip(&after.checks) {
            let is_same = old.verdict == new.verdict && old.evidence == new.evidence;
            assert!(
                is_same || is_declared(new.id, pointer),
                "{} changed by {pointer}, which it does not declare",
                new.id
            );
            let has_other = |row: &&(&str, &str)| row.0 == new.id && pattern(pointer).starts_with(row.1);
            if !is_same && FOUND_ELSEWHERE.iter().any(|row| has_other(&row)) && new.verdict == Word::Pass {
                *changed.entry(pattern(pointer)).or_default() = true;
            } else if !is_same {
                *changed.entry(pattern(pointer)).or_default() = true;
                assert!(new.verdict == Word::Unknown, "{pointer}: {} is {:?}: {:?}", new.id, new.verdict, new.evidence);
                assert!(
                    new.evidence.iter().any(|gap| gap.found.contains("test")),
                    "{pointer}: {} {:?}",
                    new.id,
                    new.evidence
                );
            }
        }
        changed.entry(pattern(pointer)).or_default();
        judge_properties(pointer, &before, &after);
        judge_exit_code(pointer, &after);
    }
    let unread: Vec<&String> = changed.iter().filter(|(_, changed)| !**changed).map(|(pattern, _)| pattern).collect();
    let is_listed =
        |pattern: &str| UNREAD.iter().any(|(known, _)| pattern == *known || pattern.starts_with(&format!("{known}/")));
    let forgotten: Vec<&&String> = unread.iter().filter(|pattern| !is_listed(pattern)).collect();
    assert!(forgotten.is_empty(), "no check reads {forgotten:#?}");
    for (known, reason) in UNREAD {
        assert!(changed.contains_key(*known), "{known} ({reason}) is not among the facts");
    }
}

/// What rests on a check that is no longer passed is withheld, and says so.
fn judge_properties(pointer: &str, before: &Report, after: &Report) {
    let passes = |id: &str| after.checks.iter().all(|finding| finding.id != id || finding.verdict == Word::Pass);
    for property in PROPERTIES {
        let is_earned =
            |report: &Report| report.earned.iter().any(|p| p.key == property.key && p.evidence == property.needs);
        if !is_earned(before) {
            continue;
        }
        let open: Vec<&&str> = property.needs.iter().filter(|id| !passes(id)).collect();
        if is_earned(after) {
            assert!(open.is_empty(), "{pointer}: {} is earned in spite of {open:?}", property.key);
            continue;
        }
        let withheld = after.withheld.iter().find(|withheld| withheld.key == property.key);
        let withheld = withheld.unwrap_or_else(|| panic!("{pointer}: {} is neither earned nor withheld", property.key));
        assert_eq!(withheld.reason, "test", "{pointer}: {}", property.key);
        assert!(withheld.check.is_none_or(|check| !passes(check)), "{pointer}: {withheld:?}");
    }
}

fn judge_exit_code(pointer: &str, after: &Report) {
    let is_unknown = after.checks.iter().any(|f| f.severity == Severity::Error && f.verdict == Word::Unknown);
    assert_eq!(after.result.exit_code(), if is_unknown { 3 } else { 0 }, "{pointer}");
}

#[test]
fn facts_of_another_shape_are_refused() {
    let mut value = saved("healthy");
    value["schema"] = json!({"unknown": "test"});
    assert!(serde_json::from_value::<bootworthy::guest::Guest>(value).is_err());
}

#[test]
fn empty_lists_pass_nothing() {
    let healthy = saved("healthy");
    let mut all = Vec::new();
    pointers(&healthy, "", &mut all);
    let lists: Vec<&String> = all.iter().filter(|pointer| healthy.pointer(pointer).unwrap().is_array()).collect();
    // Whose emptiness is health, and what a module of its own brings along.
    let is_fine_empty = |pointer: &str| {
        ["/flaws", "/softdeps", "/aliases", "/id_like", "/features", "/depends"]
            .iter()
            .any(|end| pointer.ends_with(end))
    };
    let mut none = healthy.clone();
    for pointer in &lists {
        if let Some(node) = none.pointer_mut(pointer) {
            *node = json!([]);
        }
    }
    for finding in report(&none).checks {
        let is_error = finding.severity == Severity::Error;
        assert!(!is_error || finding.verdict != Word::Pass, "{} passes on nothing: {:?}", finding.id, finding.evidence);
    }
    for pointer in lists.into_iter().filter(|pointer| !is_fine_empty(pointer)) {
        let mut value = healthy.clone();
        *value.pointer_mut(pointer).unwrap() = json!([]);
        for (id, reads) in [
            ("/boot_entries", BOOT),
            ("/boot_entries/0/attempts", BOOT),
            ("/kernels", BOOT),
            ("/initrds", BOOT),
            ("/initrds/0/segments", INITRD),
            ("/initrds/0/modules", INITRD),
            ("/initrds/0/modules/0/files", INITRD),
            ("/initrds/0/modules/0/modules", LOADED),
            ("/boot_entries/0/attempts/0/initrds", INITRD),
            (
                "/volumes",
                &["initrd-module-closure", "cmdline-root-resolves", "fstab-targets-exist", "image-format-safe"],
            ),
            ("/packages", &["agent-installed", "watchdog-installed"]),
            ("/fstab", &["fstab-stable-ids", "fstab-targets-exist"]),
        ] {
            for check in reads.iter().filter(|_| id == pointer) {
                let word = judge(&value, check).verdict.word();
                assert_ne!(word, Word::Pass, "{check} passes with {pointer} empty");
            }
        }
    }
}

const BOOT: &[&str] =
    &["boot-entry-resolves", "initrd-virtio-pci", "initrd-virtio-blk", "initrd-virtio-scsi", "initrd-virtio-net"];
const INITRD: &[&str] = &["initrd-virtio-pci", "initrd-virtio-blk", "initrd-virtio-scsi", "initrd-module-closure"];
const LOADED: &[&str] = INITRD;

#[test]
fn two_nodes_unknown_never_pass_what_one_did_not() {
    // Of each top-level fact unknown beside one broken row: a fault stays, or the whole is unknown; it never passes.
    let mut broken = saved("healthy");
    broken["fstab"][0]["spec"] = json!("/dev/vda1");
    broken["boot_entries"][0]["attempts"][0]["cmdline"] = json!("root=/dev/vda1");
    let fields: Vec<String> = broken.as_object().unwrap().keys().filter(|key| *key != "schema").cloned().collect();
    for field in fields {
        let mut value = broken.clone();
        value[&field] = json!({"unknown": {"reason": "test"}});
        for id in ["fstab-stable-ids", "cmdline-root-stable"] {
            let word = judge(&value, id).verdict.word();
            assert!(matches!(word, Word::Fail | Word::Unknown), "{field} {id} {word:?}");
        }
        assert_ne!(report(&value).result.exit_code(), 0, "{field}");
    }
}

#[test]
fn a_lighter_fault_beside_a_gap_is_unknown() {
    let mut value = saved("healthy");
    let row = json!({"line": 3, "text": "/dev/vdb /mnt auto nofail 0 0", "spec": "/dev/vdb", "target": "/mnt",
        "fstype": "auto", "options": ["nofail"], "freq": 0, "passno": 0});
    value["fstab"].as_array_mut().unwrap().push(row);
    assert_eq!(judge(&value, "fstab-stable-ids").verdict.word(), Word::Fail);
    assert_eq!(report(&value).result.exit_code(), 0);
    let items = value["fstab"].take();
    value["fstab"] = json!({"items": items, "gaps": [{"reason": "line 4 cannot be read"}]});
    let judgement = judge(&value, "fstab-stable-ids");
    assert!(matches!(judgement.verdict, Verdict::Unknown(_)) && judgement.notes.len() == 1, "{judgement:?}");
    assert_eq!(report(&value).result.exit_code(), 3);
}

#[test]
fn every_check_declares_only_what_exists() {
    let value = guest(&saved("healthy"));
    let keys = serde_json::to_value(&value).unwrap();
    for check in CHECKS {
        for fact in check.reads {
            assert!(keys.get(fact.field()).is_some(), "{} reads {fact:?}", check.id);
        }
    }
}

#[test]
fn hostile_numbers_come_to_an_end() {
    // Twenty thousand of everything that a guest's files can multiply, each different.
    let healthy = saved("healthy");
    let mut value = healthy.clone();
    let many = |item: &Value, change: &dyn Fn(&mut Value, usize)| -> Value {
        let change = |index| {
            let mut item = item.clone();
            change(&mut item, index);
            item
        };
        (0..20_000).map(change).collect()
    };
    value["fstab"] = many(&healthy["fstab"][0], &|row, index| row["spec"] = json!(format!("/dev/vd{index}")));
    value["boot_entries"] = many(&healthy["boot_entries"][0], &|entry, index| {
        entry["id"] = json!(index.to_string());
        entry["attempts"][0]["kernel"] = json!(format!("/boot/{index}"));
    });
    let mut kernel = healthy["kernels"][0].clone();
    kernel["modules"] = Value::Null;
    value["kernels"] = many(&kernel, &|kernel, index| kernel["path"] = json!(format!("/boot/{index}")));
    let record = healthy["initrds"][0]["modules"][0]["modules"][0].clone();
    let tree = &mut value["initrds"][0]["modules"][0];
    tree["files"] = (0..20_000).map(|index| json!(format!("kernel/m{index}.ko"))).collect();
    tree["modules"] = many(&record, &|record, index| {
        record["path"] = json!(format!("kernel/m{index}.ko"));
        record["depends"] = json!([format!("m{}", index + 1)]);
    });
    tree["files"][0] = json!("kernel/virtio_pci.ko");
    tree["modules"][0]["path"] = json!("kernel/virtio_pci.ko");
    // Whatever grows with the square of them would not end here.
    assert_ne!(report(&value).result.exit_code(), 0);
}
