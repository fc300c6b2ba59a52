//! Every place of the four modules, with and without what they depend on, against a small independent reference.

use super::{judge, saved};
use bootworthy::verdict::{Weight, Word};
use serde_json::{Value, json};

const MODULES: [(&str, &str, &str); 4] = [
    ("virtio_pci", "initrd-virtio-pci", "kernel/drivers/virtio/virtio_pci.ko"),
    ("virtio_blk", "initrd-virtio-blk", "kernel/drivers/block/virtio_blk.ko"),
    ("virtio_scsi", "initrd-virtio-scsi", "kernel/drivers/scsi/virtio_scsi.ko"),
    ("virtio_net", "initrd-virtio-net", "kernel/drivers/net/virtio_net.ko"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    BuiltIn,
    Initrd,
    RootTree,
    Absent,
}

/// What the rules say, written down a second time: the check's word and weight, and the closure's word.
fn expected(module: &str, place: Place, has_depends: bool) -> (Word, Weight, Word) {
    let (word, weight) = match place {
        Place::BuiltIn | Place::Initrd => (Word::Pass, Weight::Full),
        Place::RootTree if module == "virtio_net" && has_depends => (Word::Fail, Weight::Minor),
        Place::RootTree | Place::Absent => (Word::Fail, Weight::Full),
    };
    let closure = if place == Place::Initrd && !has_depends { Word::Fail } else { Word::Pass };
    (word, weight, closure)
}

fn remove(tree: &mut Value, module: &str) {
    let is_it = |path: &str| path.ends_with(&format!("/{module}.ko"));
    tree["files"].as_array_mut().unwrap().retain(|path| !is_it(path.as_str().unwrap()));
    tree["modules"].as_array_mut().unwrap().retain(|record| record["name"] != module);
}

fn needs(tree: &mut Value, module: &str, dependency: &str) {
    for record in tree["modules"].as_array_mut().unwrap().iter_mut().filter(|record| record["name"] == module) {
        record["depends"].as_array_mut().unwrap().push(json!(dependency));
    }
}

/// The healthy guest with `module` at `place`; without depends it needs a module that is nowhere.
fn placed(module: &str, place: Place, has_depends: bool) -> Value {
    let mut value = saved("healthy");
    for (pointer, stays) in
        [("/initrds/0/modules/0", place == Place::Initrd), ("/kernels/0/modules", place == Place::RootTree)]
    {
        let tree = value.pointer_mut(pointer).unwrap();
        if !stays {
            remove(tree, module);
        } else if !has_depends {
            needs(tree, module, "nowhere_to_be_found");
        }
        if place == Place::BuiltIn {
            tree["builtin"].as_array_mut().unwrap().push(json!(module));
        }
    }
    // The config of the saved guest says `m` for all four.
    value["kernels"][0]["config"] = Value::Null;
    value
}

#[test]
fn every_place_of_the_four_modules() {
    for (module, id, _) in MODULES {
        for place in [Place::BuiltIn, Place::Initrd, Place::RootTree, Place::Absent] {
            for has_depends in [true, false] {
                let value = placed(module, place, has_depends);
                let judgement = judge(&value, id);
                let closure = judge(&value, "initrd-module-closure").verdict.word();
                let found = (judgement.verdict.word(), judgement.weight, closure);
                assert_eq!(
                    found,
                    expected(module, place, has_depends),
                    "{module} {place:?} {has_depends}: {judgement:?}"
                );
            }
        }
    }
}

#[test]
fn an_initrd_of_another_version_holds_nothing_for_this_kernel() {
    let mut value = saved("healthy");
    value["initrds"][0]["modules"][0]["version"] = json!("6.1.0-40-cloud-amd64");
    for (_, id, _) in &MODULES[..3] {
        assert_eq!(judge(&value, id).verdict.word(), Word::Fail, "{id}");
    }
    assert_eq!(judge(&value, "initrd-kernel-match").verdict.word(), Word::Fail);
}

#[test]
fn a_second_initrd_counts() {
    let mut value = saved("healthy");
    let first = value["initrds"][0].clone();
    let mut second = first.clone();
    second["path"] = json!("/boot/extra.img");
    value["initrds"][0]["modules"] = json!([]);
    value["initrds"].as_array_mut().unwrap().push(second);
    for (_, id, _) in &MODULES[..3] {
        assert_eq!(judge(&value, id).verdict.word(), Word::Fail, "{id}: the entry does not name the second");
    }
    value["boot_entries"][0]["attempts"][0]["initrds"].as_array_mut().unwrap().push(json!("/boot/extra.img"));
    for (_, id, _) in MODULES {
        assert_eq!(judge(&value, id).verdict.word(), Word::Pass, "{id}");
    }
    value["initrds"][0]["flaws"] = json!([{"id": "padding", "found": "broken padding", "fatal": true}]);
    assert_eq!(judge(&value, "initrd-virtio-pci").verdict.word(), Word::Fail);
}

#[test]
fn a_list_of_another_version_or_a_config_that_disagrees_proves_nothing() {
    let absent = placed("virtio_scsi", Place::Absent, true);
    let mut other = absent.clone();
    other["kernels"][0]["modules"]["version"] = json!("6.1.0-40-cloud-amd64");
    other["kernels"][0]["modules"]["builtin"] = json!(["virtio_scsi"]);
    assert_ne!(judge(&other, "initrd-virtio-scsi").verdict.word(), Word::Pass);
    for (value, word) in [("y", Word::Unknown), ("m", Word::Fail), ("n", Word::Fail)] {
        let mut config = absent.clone();
        let options = json!([{"name": "CONFIG_SCSI_VIRTIO", "value": value, "line": 7}]);
        config["kernels"][0]["config"] = json!({"path": "/boot/config", "options": options});
        assert_eq!(
            judge(&config, "initrd-virtio-scsi").verdict.word(),
            word,
            "config {value}, modules.builtin without"
        );
    }
    let mut disagreeing = placed("virtio_scsi", Place::BuiltIn, true);
    let options = json!([{"name": "CONFIG_SCSI_VIRTIO", "value": "m", "line": 7}]);
    disagreeing["kernels"][0]["config"] = json!({"path": "/boot/config", "options": options});
    assert_eq!(judge(&disagreeing, "initrd-virtio-scsi").verdict.word(), Word::Unknown);
}

#[test]
fn the_config_alone_decides_where_there_is_no_list() {
    for (value, word) in [(Some("y"), Word::Pass), (Some("m"), Word::Fail), (None, Word::Unknown)] {
        let mut guest = placed("virtio_blk", Place::Absent, true);
        guest["kernels"][0]["modules"]["builtin"] = Value::Null;
        guest["initrds"][0]["modules"][0]["builtin"] = Value::Null;
        let options: Vec<Value> =
            value.iter().map(|value| json!({"name": "CONFIG_VIRTIO_BLK", "value": value, "line": 7})).collect();
        guest["kernels"][0]["config"] = json!({"path": "/boot/config", "options": options});
        assert_eq!(judge(&guest, "initrd-virtio-blk").verdict.word(), word, "{value:?}");
    }
}

#[test]
fn a_dependency_further_down_is_missed_as_well() {
    for (dependency, word) in
        [("crc_t10dif", Word::Fail), ("virtio_pci_modern_dev", Word::Fail), ("crc32c_generic", Word::Pass)]
    {
        let mut value = saved("healthy");
        remove(&mut value["initrds"][0]["modules"][0], dependency);
        if dependency.contains('_') {
            let file = dependency.replace("crc_t10dif", "crc-t10dif");
            remove(&mut value["initrds"][0]["modules"][0], &file);
        }
        let judgement = judge(&value, "initrd-module-closure");
        assert_eq!(judgement.verdict.word(), word, "{dependency}");
        assert_eq!(judgement.notes.is_empty(), dependency != "crc32c_generic", "a softdep is a note: {judgement:?}");
    }
}

#[test]
fn modules_that_depend_on_each_other_end() {
    let mut value = saved("healthy");
    needs(&mut value["initrds"][0]["modules"][0], "virtio", "virtio_pci");
    assert_eq!(judge(&value, "initrd-module-closure").verdict.word(), Word::Pass);
}
