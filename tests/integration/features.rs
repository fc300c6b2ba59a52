//! `bootworthy features`: row by row on saved facts, on the images that ship with it and on real ones.

use crate::common::{Run, bootworthy, fixture, image, with_input};
use crate::sheet::{SIGNATURES, compare, debian_12, row};
use bootworthy::verdict::feature::{FEATURES, Side};
use serde_json::{Value, json};

fn saved(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(&format!("guests/{name}.json"))).unwrap()).unwrap()
}

fn judged(facts: &Value, args: &[&str]) -> Run {
    let all = [&["features", "--facts", "-"], args].concat();
    with_input(all, facts.to_string().as_bytes())
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
}

#[test]
fn healthy_facts_are_ready_for_what_is_judged() {
    let run = judged(&saved("healthy"), &["--format", "json"]);
    let sheet = json(&run);
    assert_eq!((run.code, &sheet["schema"], &sheet["result"]), (0, &json!("bootworthy.features/1"), &json!("fit")));
    let names: Vec<&str> = sheet["features"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, FEATURES.iter().map(|feature| feature.name).collect::<Vec<_>>());
    for (feature, image, properties) in [
        ("virtio-scsi", "ready", &["hw_disk_bus=scsi set", "hw_scsi_model=virtio-scsi set"][..]),
        ("multiqueue", "ready", &["hw_vif_multiqueue_enabled=true set"]),
        ("watchdog", "ready", &["hw_watchdog_action=reset set"]),
        ("soft-delete", "n/a", &[]),
        ("vgpu", "not-checked", &[]),
        ("nested-virtualisation", "not-checked", &[]),
        ("cpu-pinning", "n/a", &["hw_cpu_policy=dedicated optional", "hw_cpu_thread_policy=prefer optional"]),
    ] {
        let (found, missing, states) = row(&sheet, feature);
        assert_eq!(
            (found.as_str(), missing.len(), states),
            (image, 0, properties.iter().map(|p| (*p).to_owned()).collect()),
            "{feature}"
        );
    }
}

#[test]
fn what_breaks_a_fact_takes_its_features() {
    let healthy = saved("healthy");
    let broken = |edit: &dyn Fn(&mut Value)| {
        let mut facts = healthy.clone();
        edit(&mut facts);
        json(&judged(&facts, &["--format", "json"]))
    };
    let entries = |facts: &mut Value, edit: &dyn Fn(&mut Value)| {
        let list = if facts["boot_entries"].is_array() {
            &mut facts["boot_entries"]
        } else {
            &mut facts["boot_entries"]["items"]
        };
        list.as_array_mut().unwrap().iter_mut().for_each(edit);
    };
    let bios = broken(&|facts| entries(facts, &|entry| entry["firmware"] = json!(["bios"])));
    assert_eq!(row(&bios, "uefi").0, "missing");
    assert_eq!(row(&bios, "uefi").1, ["hw_firmware_type"]);
    assert_eq!(row(&bios, "secure-boot").0, "missing");
    let uefi = broken(&|facts| entries(facts, &|entry| entry["firmware"] = json!(["uefi"])));
    assert_eq!(row(&uefi, "uefi").2[0], "hw_firmware_type=uefi set");
    let dark = broken(&|facts| facts["packages"] = json!({"unknown": {"path": null, "reason": "not read"}}));
    assert_eq!(
        (row(&dark, "guest-agent").0.as_str(), row(&dark, "guest-agent").1[0].as_str()),
        ("unknown", "agent-installed")
    );
    let nothing = json(&judged(&json!({"schema": "bootworthy.facts/1"}), &["--format", "json"]));
    assert_eq!(nothing["result"], "unknown");
    for feature in FEATURES.iter().filter(|feature| feature.side == Side::Judged) {
        assert_eq!(row(&nothing, feature.name).0, "unknown", "{}: nothing is ready on nothing", feature.name);
    }
}

#[test]
fn the_images_that_ship_with_it() {
    for (name, code, lines, words) in [
        (
            "good.qcow2",
            0,
            30,
            &["virtio-scsi            ready", "hw_watchdog_action=reset set", "[libvirt] hw_disk_discard"][..],
        ),
        (
            "broken.qcow2",
            1,
            40,
            &[
                "virtio-scsi            no",
                "hw_scsi_model=virtio-scsi withheld",
                "no[initrd-virtio-scsi] virtio-scsi: ",
                "   = fix: printf 'virtio_scsi\\nsd_mod\\n' >> /etc/initramfs-tools/modules && update-initramfs -u -k all",
                "   |  /etc/fstab:2: /dev/vda3 is UUID=",
                "no: virtio-scsi, watchdog",
            ],
        ),
    ] {
        let path = fixture(name);
        let run = bootworthy(["features", path.to_str().unwrap()]);
        assert_eq!(run.code, code, "{name}: {}", run.stderr);
        assert!(run.stdout.lines().count() <= lines, "{name}: more than a screen\n{}", run.stdout);
        for word in words {
            assert!(run.stdout.contains(word), "{name}: {word:?} is not in\n{}", run.stdout);
        }
        let all = bootworthy(["features", "-v", path.to_str().unwrap()]);
        assert!(all.stdout.len() > run.stdout.len() && all.stdout.contains("[compute] cpu_shared_set = 0-3"), "{name}");
        let quiet = bootworthy(["features", "-q", path.to_str().unwrap()]);
        assert_eq!((quiet.code, quiet.stdout.lines().count()), (code, 1), "{name}: {}", quiet.stdout);
    }
}

#[test]
fn an_image_that_cannot_be_read_keeps_its_place() {
    let good = fixture("good.qcow2");
    let run = bootworthy(["features", "--format", "json", "nowhere.qcow2", good.to_str().unwrap()]);
    let sheets = json(&run);
    assert_eq!((run.code, &sheets[0]["result"], &sheets[1]["result"]), (3, &json!("unknown"), &json!("fit")));
    assert!(sheets[0]["error"]["what"].is_string() && run.stderr.contains("nowhere.qcow2"), "{sheets}{}", run.stderr);
    let run = bootworthy(["features", "nowhere.qcow2"]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
}

#[test]
fn a_feature_that_is_required_counts() {
    let healthy = saved("healthy");
    let mut bios = healthy.clone();
    let list =
        if bios["boot_entries"].is_array() { &mut bios["boot_entries"] } else { &mut bios["boot_entries"]["items"] };
    list.as_array_mut().unwrap().iter_mut().for_each(|entry| entry["firmware"] = json!(["bios"]));
    let check = |facts: &Value, feature: &str| {
        with_input(["check", "--facts", "-", "--require", feature], facts.to_string().as_bytes())
    };
    for (facts, feature, code, words) in [
        (&healthy, "discard", 0, "required features: all there"),
        (&healthy, "multiqueue", 0, "required features: all there"),
        (&healthy, "uefi", 0, "required features: all there"),
        (&bios, "uefi", 1, "hw_firmware_type=uefi: no default boot entry is reached by uefi"),
        (&healthy, "secure-boot", 3, "required features missing: secure-boot"),
        (&bios, "virtio-scsi", 0, "required features: all there"),
    ] {
        let run = check(facts, feature);
        assert_eq!(run.code, code, "{feature}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(words), "{feature}: {words:?} is not in\n{}", run.stdout);
    }
    for feature in FEATURES {
        let run = check(&healthy, feature.name);
        assert_eq!(run.code == 2, feature.side != Side::Judged, "{}: {}", feature.name, run.stderr);
    }
}

#[test]
fn debian_12_cloud_kernel() {
    let sheet = json(&bootworthy(["features", "--format", "json", image("debian12").to_str().unwrap()]));
    debian_12(&sheet, "debian12");
}

/// Its kernel has the watchdog's driver, and those of an ide and a sata CD-ROM.
#[test]
fn debian_13_cloud_kernel() {
    let sheet = json(&bootworthy(["features", "--format", "json", image("debian13").to_str().unwrap()]));
    let ready = |name| (name, "ready", &[][..]);
    let [scsi, discard, agent, queues, watchdog, uefi, drive] =
        ["virtio-scsi", "discard", "guest-agent", "multiqueue", "watchdog", "uefi", "config-drive"].map(ready);
    compare(&sheet, "debian13", &[scsi, discard, agent, queues, watchdog, uefi, SIGNATURES, drive]);
    assert_eq!(row(&sheet, "config-drive").2[0], "img_config_drive=mandatory earned");
}
