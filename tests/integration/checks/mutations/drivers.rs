//! The checks of what drivers there are and what keeps them from being loaded.

use super::{CMDLINE, INITRD, KERNEL, UUID, evidence, rows};
use crate::checks::{at, judge, report, saved};
use bootworthy::verdict::Weight::{self, Full, Minor, Told};
use bootworthy::verdict::Word::{self, Fail, NotApplicable, Pass, Unknown};
use serde_json::{Value, json};

const ROOT_CONF: &str = "/etc/modprobe.d/x.conf";

fn rule(command: &str, module: &str, rest: &str) -> Value {
    json!([{"command": command, "module": module, "rest": rest, "path": ROOT_CONF, "line": 3}])
}

fn load(module: &str, is_forced: bool) -> Value {
    json!([{"module": module, "by": "test", "is_forced": is_forced, "path": "/etc/x", "line": 1}])
}

/// A change of the healthy facts at a pointer.
type Change = (&'static str, Value);

fn changed(changes: &[Change]) -> Value {
    let mut value = saved("healthy");
    for (pointer, new) in changes {
        *at(&mut value, pointer) = new.clone();
    }
    value
}

fn words(value: &Value, ids: &[&str]) -> Vec<(Word, Weight)> {
    ids.iter().map(|id| judge(value, id)).map(|judgement| (judgement.verdict.word(), judgement.weight)).collect()
}

const EARLY: &str = "/initrds/0/modprobe";
const LATE: &str = "/modprobe";
const EARLY_LOADS: &str = "/initrds/0/module_loads";
const LATE_LOADS: &str = "/module_loads";

/// What modprobe.d does, by where it stands: module-not-blacklisted, and the check of the module itself.
#[test]
fn rules_of_modprobe() {
    let (pass, gap) = ((Pass, Full), (Unknown, Full));
    let (fail, told, minor) = ((Fail, Full), (Fail, Told), (Fail, Minor));
    let of = |pointer, command, module, rest| vec![(pointer, rule(command, module, rest))];
    for (changes, own, all, one) in [
        (of(EARLY, "blacklist", "virtio_scsi", ""), "initrd-virtio-scsi", told, fail),
        (of(EARLY, "blacklist", "virtio_pci", ""), "initrd-virtio-pci", fail, fail),
        (of(EARLY, "blacklist", "ext4", ""), "initrd-root-filesystem", fail, fail),
        (of(EARLY, "install", "virtio_scsi", "/bin/false"), "initrd-virtio-scsi", told, fail),
        (of(EARLY, "install", "virtio_*", "/bin/true"), "initrd-virtio-pci", fail, fail),
        (of(EARLY, "install", "virtio_ring", "/bin/false"), "initrd-virtio-blk", fail, fail),
        (of(EARLY, "install", "virtio_scsi", "/sbin/modprobe -i x"), "initrd-virtio-scsi", (Unknown, Told), gap),
        (of(EARLY, "remove", "virtio_scsi", "/bin/false"), "initrd-virtio-scsi", pass, pass),
        (of(EARLY, "options", "virtio_scsi", "a=1"), "initrd-virtio-scsi", pass, pass),
        (of(EARLY, "alias", "virtio:d00000008v*", "off"), "initrd-virtio-scsi", (Unknown, Told), gap),
        (of(EARLY, "alias", "pci:v000010DEd*", "off"), "initrd-virtio-pci", pass, pass),
        // A dependency is loaded for what needs it: its own blacklist is not asked.
        (of(EARLY, "blacklist", "scsi_mod", ""), "initrd-virtio-scsi", pass, pass),
        (of(EARLY, "blacklist", "virtio_ring", ""), "initrd-virtio-scsi", pass, pass),
        (vec![(EARLY, json!({"unknown": "x"}))], "initrd-virtio-scsi", gap, gap),
        // Only in the root tree: the initrd has loaded it by then.
        (of(LATE, "blacklist", "virtio_scsi", ""), "initrd-virtio-scsi", minor, pass),
        (of(LATE, "install", "virtio_pci", "/bin/false"), "initrd-virtio-pci", minor, pass),
        (of(LATE, "blacklist", "virtio_net", ""), "initrd-virtio-net", minor, pass),
        (of(LATE, "blacklist", "virtio_console", ""), "agent-channel", minor, fail),
        (of(LATE, "install", "i6300esb", "/bin/false"), "watchdog-loadable", minor, fail),
        (of(LATE, "blacklist", "i6300esb", ""), "watchdog-loadable", minor, fail),
        (of(LATE, "install", "i6300esb", "/opt/x"), "watchdog-loadable", (Unknown, Minor), gap),
        (of(LATE, "blacklist", "i6300esb", ""), "watchdog-driver", minor, pass),
    ] {
        let value = changed(&changes);
        let found = words(&value, &["module-not-blacklisted", own]);
        assert_eq!(found, [all, one], "{changes:?}: {:#?}", judge(&value, "module-not-blacklisted"));
    }
}

/// Another watchdog may have the name that the daemon opens.
#[test]
fn softdog_beside_the_driver() {
    for (place, loads) in [(LATE, LATE_LOADS), (EARLY, EARLY_LOADS)] {
        for (module, word) in [("softdog", Unknown), ("loop", Pass), ("iTCO_wdt", Pass), ("i6300esb", Pass)] {
            let value = changed(&[(loads, load(module, false))]);
            let verdict = judge(&value, "watchdog-loadable").verdict;
            assert_eq!(verdict.word(), word, "{place} {module}: {verdict:#?}");
        }
    }
}

/// What loads by name overrides a `blacklist`, if it asks modprobe so, and never an `install`.
#[test]
fn loads_by_name() {
    for (place, loads, module, id) in
        [(LATE, LATE_LOADS, "i6300esb", "watchdog-loadable"), (EARLY, EARLY_LOADS, "virtio_scsi", "initrd-virtio-scsi")]
    {
        for (command, rest, loaded, word) in [
            ("blacklist", "", load(module, true), Pass),
            ("blacklist", "", load(module, false), Fail),
            ("blacklist", "", load("loop", true), Fail),
            ("blacklist", "", json!({"unknown": "x"}), Unknown),
            ("install", "/bin/false", load(module, true), Fail),
        ] {
            let value = changed(&[(place, rule(command, module, rest)), (loads, loaded.clone())]);
            assert_eq!(judge(&value, id).verdict.word(), word, "{id} {command} {loaded}");
        }
    }
    let blacklist = rule("blacklist", "virtio_scsi", "");
    let words = json!(format!("root=UUID={UUID} rd.driver.pre=virtio_scsi"));
    let value = changed(&[(EARLY, blacklist), (CMDLINE, words)]);
    assert_eq!(judge(&value, "initrd-virtio-scsi").verdict.word(), Pass, "dracut loads it by name");
}

/// watchdog_module= is read by the daemon's unit, which may not be started.
#[test]
fn loads_of_the_watchdog_daemon() {
    let mut loaded = load("i6300esb", true);
    loaded[0]["by"] = json!("watchdog");
    let all = changed(&[(LATE, rule("blacklist", "i6300esb", "")), (LATE_LOADS, loaded)]);
    let ids = ["watchdog-loadable", "module-not-blacklisted"];
    for (starts, state, expected) in [
        (None, None, [(Pass, Full), (Pass, Full)]),
        (Some(json!([])), None, [(Fail, Full), (Fail, Minor)]),
        (None, Some("masked"), [(Fail, Full), (Fail, Minor)]),
        (Some(json!({"unknown": {"reason": "x"}})), None, [(Unknown, Full), (Unknown, Minor)]),
    ] {
        let mut value = all.clone();
        let units = value["units"].as_array_mut().unwrap();
        let unit = units.iter_mut().find(|unit| unit["name"] == "watchdog.service").unwrap();
        if let Some(starts) = starts {
            unit["starts"] = starts;
        }
        if let Some(state) = state {
            unit["state"] = json!(state);
        }
        assert_eq!(words(&value, &ids), expected);
    }
}

#[test]
fn words_and_signatures() {
    let cmdline = |words: &str| json!(format!("root=UUID={UUID} {words}"));
    for (words, id, word) in [
        ("module_blacklist=i6300esb", "watchdog-loadable", Fail),
        ("modprobe.blacklist=i6300esb", "watchdog-loadable", Fail),
        ("rd.driver.blacklist=i6300esb", "watchdog-loadable", Pass),
        ("modprobe.blacklist=virtio_console", "agent-channel", Fail),
        ("module_blacklist=virtio_pci", "module-not-blacklisted", Fail),
        ("rd.driver.blacklist=virtio_pci", "module-not-blacklisted", Fail),
        ("blacklist=virtio_pci", "module-not-blacklisted", Unknown),
        ("module.sig_enforce", "module-not-blacklisted", Pass),
        ("rd.driver.blacklist=virtio_net", "initrd-virtio-net", Fail),
    ] {
        let value = changed(&[(CMDLINE, cmdline(words))]);
        assert_eq!(judge(&value, id).verdict.word(), word, "{words}: {id}");
    }
    let mut unsigned = changed(&[(CMDLINE, cmdline("lockdown=integrity"))]);
    for record in at(&mut unsigned, "/initrds/0/modules/0/modules").as_array_mut().unwrap() {
        record["is_signed"] = json!(record["name"] != "scsi_common");
    }
    let found = ["initrd-virtio-scsi", "initrd-virtio-blk"].map(|id| judge(&unsigned, id).verdict.word());
    assert_eq!(found, [Fail, Pass]);
    *at(&mut unsigned, CMDLINE) = cmdline("quiet");
    assert_eq!(judge(&unsigned, "initrd-virtio-scsi").verdict.word(), Pass);
}

/// The evidence leads to the line.
#[test]
fn evidence_leads_to_the_line() {
    let late = judge(&changed(&[(LATE, rule("blacklist", "i6300esb", ""))]), "watchdog-loadable");
    let found = evidence(&late);
    assert_eq!((found.path.as_deref(), found.line), (Some(ROOT_CONF), Some(3)));
    assert_eq!(found.fix.as_deref(), Some("remove this line from /etc/modprobe.d/x.conf"));
    let early = judge(&changed(&[(EARLY, rule("install", "virtio_scsi", "/bin/false"))]), "initrd-virtio-scsi");
    let found = evidence(&early);
    assert_eq!(found.path.as_deref(), Some(INITRD));
    assert!(found.found.contains("install virtio_scsi /bin/false (/etc/modprobe.d/x.conf:3)"), "{found:?}");
}

/// A blacklist of one disk bus leaves the other.
#[test]
fn what_a_blacklist_withholds() {
    let bus = |value: &Value| {
        let report = report(value);
        report.earned.iter().find(|property| property.key == "hw_disk_bus").map(|property| property.value.clone())
    };
    for (module, left) in
        [("virtio_blk", Some("scsi")), ("virtio_scsi", Some("virtio")), ("virtio_pci", None), ("ext4", None)]
    {
        let value = changed(&[(EARLY, rule("blacklist", module, ""))]);
        assert_eq!(bus(&value).as_deref(), left, "{module}");
        assert_eq!(report(&value).result.exit_code(), 1, "{module}");
    }
    let warned = changed(&[(LATE, rule("blacklist", "virtio_pci", ""))]);
    assert_eq!((bus(&warned).as_deref(), report(&warned).result.exit_code()), (Some("scsi"), 0));
}

#[test]
fn initrd_root_filesystem() {
    let kind = "/volumes/0/filesystem/kind";
    rows(
        "initrd-root-filesystem",
        &[
            (kind, json!("xfs"), Fail, Full, Some(INITRD), None, "xfs.ko is not in this initrd"),
            (kind, json!("ext3"), Pass, Full, Some(INITRD), None, "the root file system is ext3"),
            (kind, json!("crypto_LUKS"), Unknown, Full, Some(INITRD), None, "lies within LUKS"),
            (kind, json!("LVM2_member"), Unknown, Full, Some(INITRD), None, "lies within LVM"),
            (kind, json!("linux_raid_member"), Unknown, Full, Some(INITRD), None, "lies within md"),
            (kind, json!("bcachefs"), Unknown, Full, None, None, "not known to this version"),
            (CMDLINE, json!("root=/dev/mapper/vg-root"), Unknown, Full, Some(INITRD), None, "a mapped device"),
            (CMDLINE, json!("root=/dev/nfs"), NotApplicable, Full, None, None, "not on the image's disk"),
            ("/initrds/0/modules", json!([]), Fail, Full, Some(INITRD), None, "only the root tree has it"),
            ("/initrds/0/modules", json!({"unknown": "x"}), Unknown, Full, None, None, "x"),
            (
                "/boot_entries/0/attempts/0/initrds",
                json!([]),
                Fail,
                Full,
                Some(KERNEL),
                None,
                "started without an initrd",
            ),
        ],
    );
    for (field, new, kind, word) in [
        ("depends", json!(["nowhere"]), "ext4", Fail),
        ("is_indexed", json!(false), "ext4", Fail),
        ("aliases", json!(["fs-ext4"]), "ext2", Unknown),
        ("aliases", json!(["fs-ext4", "fs-ext2"]), "ext2", Pass),
        ("aliases", json!(["fs-ext4"]), "ext4", Pass),
    ] {
        let mut value = changed(&[("/volumes/0/filesystem/kind", json!(kind))]);
        for record in at(&mut value, "/initrds/0/modules/0/modules").as_array_mut().unwrap() {
            if record["name"] == "ext4" {
                record[field] = new.clone();
            }
        }
        assert_eq!(judge(&value, "initrd-root-filesystem").verdict.word(), word, "{field} {new}");
    }
    for (kind, option, version, word) in [
        ("ext4", None, "6.1.0", Pass),
        ("ext3", None, "6.1.0", Pass),
        ("ext3", None, "4.2.0", Unknown),
        ("ext2", None, "6.1.0", Unknown),
        ("ext2", Some("y"), "6.1.0", Pass),
    ] {
        let mut value = changed(&[("/volumes/0/filesystem/kind", json!(kind)), ("/kernels/0/version", json!(version))]);
        value["kernels"][0]["modules"]["version"] = json!(version);
        value["kernels"][0]["modules"]["builtin"] = json!(["ext4", "virtio_pci", "virtio_blk"]);
        let options: Vec<Value> =
            option.iter().map(|y| json!({"name": "CONFIG_EXT4_USE_FOR_EXT2", "value": y, "line": 1})).collect();
        value["kernels"][0]["config"] = json!({"path": "/boot/config", "options": options});
        assert_eq!(judge(&value, "initrd-root-filesystem").verdict.word(), word, "{kind} {option:?} {version}");
    }
}

#[test]
fn multiqueue_kernel() {
    let version = "/kernels/0/version";
    let old = "3.8 or later";
    for (text, word, notes) in [
        ("2.6.32-754.el6.x86_64", Fail, 0),
        ("3.0.101-108-default", Fail, 0),
        ("3.7.10", Fail, 0),
        ("3.8.0", Pass, 1),
        ("3.10.0-1160.el7.x86_64", Pass, 1),
        ("4.9.0-19-amd64", Pass, 1),
        ("4.10.0", Pass, 0),
        ("6.12.107+deb13-cloud-amd64", Pass, 0),
    ] {
        let judgement = judge(&changed(&[(version, json!(text))]), "multiqueue-kernel");
        assert_eq!((judgement.verdict.word(), judgement.notes.len()), (word, notes), "{text}");
        assert!(word == Pass || evidence(&judgement).expected.as_deref() == Some(old), "{text}");
    }
    rows(
        "multiqueue-kernel",
        &[
            (version, json!("my-kernel"), Unknown, Full, Some(KERNEL), None, "no version"),
            (version, json!({"unknown": "x"}), Unknown, Full, None, None, "x"),
            ("/kernels/0/exists", json!(false), Fail, Full, Some(KERNEL), None, "not in the image"),
        ],
    );
}

/// Takes a module out of the root tree's folder, or out of the initrd's.
fn without(value: &mut Value, tree: &str, module: &str) {
    let tree = at(value, tree);
    let file = tree["modules"].as_array().unwrap().iter().find(|record| record["name"] == module);
    let path = file.map(|record| record["path"].clone()).unwrap_or_default();
    tree["files"].as_array_mut().unwrap().retain(|found| *found != path);
    tree["modules"].as_array_mut().unwrap().retain(|record| record["name"] != module);
}

#[test]
fn drivers_of_the_running_system() {
    for (module, driver, option) in [
        ("i6300esb", "watchdog-driver", "CONFIG_I6300ESB_WDT"),
        ("virtio_console", "agent-channel", "CONFIG_VIRTIO_CONSOLE"),
    ] {
        let mut value = saved("healthy");
        let record = at(&mut value, "/kernels/0/modules/modules").as_array().unwrap().iter();
        let record = record.clone().find(|record| record["name"] == module).unwrap().clone();
        without(&mut value, "/kernels/0/modules", module);
        let option_is = |value: &mut Value, is: &str| {
            let options = json!([{"name": option, "value": is, "line": 2875}]);
            *at(value, "/kernels/0/config") = json!({"path": "/boot/config-x", "options": options});
        };
        option_is(&mut value, "n");
        let found = judge(&value, driver);
        assert_eq!((found.verdict.word(), found.weight), (Fail, Full), "{module}");
        let line = evidence(&found);
        assert_eq!((line.path.as_deref(), line.line), (Some("/boot/config-x"), Some(2875)));
        assert!(line.found.contains("is not set"), "{line:?}");
        option_is(&mut value, "m");
        assert_eq!(judge(&value, driver).verdict.word(), Fail, "{module}: no file");
        option_is(&mut value, "y");
        assert_eq!(judge(&value, driver).verdict.word(), Unknown, "{module}: the config and the list disagree");
        at(&mut value, "/kernels/0/modules/builtin").as_array_mut().unwrap().push(json!(module));
        let built_in = [driver, "watchdog-loadable"].map(|id| judge(&value, id).verdict.word());
        assert_eq!(built_in, [Pass, Pass], "{module}");
        at(&mut value, "/kernels/0/modules/builtin").as_array_mut().unwrap().pop();
        option_is(&mut value, "m");
        let initrd = at(&mut value, "/initrds/0/modules/0");
        initrd["files"].as_array_mut().unwrap().push(record["path"].clone());
        initrd["modules"].as_array_mut().unwrap().push(record);
        assert_eq!(judge(&value, driver).verdict.word(), Pass, "{module} in the initrd");
    }
    let mut none = saved("healthy");
    without(&mut none, "/kernels/0/modules", "i6300esb");
    assert_eq!(judge(&none, "watchdog-loadable").verdict.word(), NotApplicable);
}

#[test]
fn modules_of_the_root_tree_that_do_not_load() {
    for (field, new, driver, loadable) in [
        ("vermagic", json!("6.1.0-40-cloud-amd64 SMP "), Fail, Pass),
        ("machine", json!("aarch64"), Fail, Pass),
        ("depends", json!(["nowhere"]), Fail, Pass),
        ("is_indexed", json!(false), Fail, NotApplicable),
        ("is_indexed", json!({"unknown": "x"}), Unknown, Unknown),
        ("is_aliased", json!(false), Unknown, Unknown),
    ] {
        let mut value = saved("healthy");
        for record in at(&mut value, "/kernels/0/modules/modules").as_array_mut().unwrap() {
            if record["name"] == "i6300esb" {
                record[field] = new.clone();
            }
        }
        let found = ["watchdog-driver", "watchdog-loadable"].map(|id| judge(&value, id).verdict.word());
        assert_eq!(found, [driver, loadable], "{field} {new}");
        if field == "is_aliased" {
            *at(&mut value, LATE_LOADS) = load("i6300esb", false);
            assert_eq!(judge(&value, "watchdog-loadable").verdict.word(), Pass, "loaded by name");
        }
    }
}

#[test]
fn channels_of_the_agent() {
    let settings = |method: &str| json!([{"section": "general", "key": "method", "value": method, "path": "/etc/qemu/qemu-ga.conf", "line": 2}, {"section": "general", "key": "path", "value": "/dev/ttyS1", "path": "/etc/qemu/qemu-ga.conf", "line": 3}]);
    for (method, word) in [("isa-serial", Fail), ("unix-listen", Fail), ("virtio-serial", Unknown)] {
        let value = changed(&[("/agent/configs/0/settings", settings(method))]);
        assert_eq!(judge(&value, "agent-channel").verdict.word(), word, "{method}");
    }
    let value = changed(&[("/agent/configs/0/settings", Value::Null)]);
    assert_eq!(judge(&value, "agent-channel").verdict.word(), Pass);
    assert_eq!(judge(&changed(&[(CMDLINE, json!("x"))]), "agent-channel").verdict.word(), Pass);
    assert_eq!(judge(&changed(&[("/kernels/0/path", json!("/boot/x"))]), "agent-channel").verdict.word(), Unknown);
}
