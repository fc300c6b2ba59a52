//! The program's promises to scripts: exit codes, what stands on which output, one shape of JSON.

use crate::common::{bootworthy, command, fixture, with_input};
use serde_json::Value;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::process::Stdio;

fn path(name: &str) -> String {
    fixture(name).to_str().unwrap().to_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn exit_codes() {
    let (good, broken) = (path("good.qcow2"), path("broken.qcow2"));
    let (good, broken) = (good.as_str(), broken.as_str());
    let cases: &[(&[&str], i32)] = &[
        (&["check", good], 0),
        (&["check", broken], 1),
        (&["check", "nowhere.qcow2"], 3),
        (&["check", good, "nowhere.qcow2"], 3),
        (&["check", good, "nowhere.qcow2", broken], 1),
        (&["check", "--profile", "bootable", broken], 1),
        (&["check", "README.md"], 3),
        (&["check", "/dev/null"], 3),
        (&["check"], 2),
        (&["check", "--profile", "nice", good], 2),
        (&["check", "--format", "xml", good], 2),
        (&["check", "--fail-on", "off", good], 2),
        (&["check", "--root", "1", good, broken], 2),
        (&["check", "--facts", "-", good], 2),
        (&["chekc"], 2),
        (&["properties", good], 0),
        (&["properties", broken], 1),
        (&["properties", "nowhere.qcow2"], 3),
        (&["inspect", good], 0),
        (&["inspect", "nowhere.qcow2"], 3),
        (&["checks"], 0),
        (&["explain", "initrd-virtio-scsi"], 0),
        (&["explain", "initrd-virtio-sci"], 2),
        (&["initrd", "README.md"], 1),
        (&["initrd", "nowhere"], 3),
        (&["initrd", "--allow-missing", "e1000", "x"], 2),
        (&["--version"], 0),
        (&["--help"], 0),
    ];
    for (args, code) in cases {
        let run = bootworthy(*args);
        assert_eq!(run.code, *code, "{args:?}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn an_error_names_the_image_and_leaves_standard_output_to_results() {
    let run = bootworthy(["properties", "nowhere.qcow2"]);
    assert_eq!((run.stdout.as_str(), run.stderr.contains("nowhere.qcow2")), ("", true), "{}", run.stderr);
    let run = bootworthy(["explain", "fstab-uid"]);
    assert!(run.stderr.contains("fstab-uuid") && run.stdout.is_empty(), "{}", run.stderr);
}

#[test]
fn one_image_is_an_object_and_several_are_an_array_in_order() {
    let (good, broken) = (path("good.qcow2"), path("broken.qcow2"));
    let one = json(&bootworthy(["check", "--format", "json", &good]).stdout);
    assert_eq!(one["result"], "fit");
    let several = json(&bootworthy(["check", "--format", "json", &broken, "nowhere.qcow2", &good]).stdout);
    let results: Vec<&str> =
        several.as_array().unwrap().iter().map(|report| report["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["unfit", "unknown", "fit"]);
    assert_eq!(several[2], one);
    let keys = |report: &Value| -> Vec<String> { report.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&several[1]), keys(&one), "an image that could not be inspected keeps the same shape");
    let error: Vec<String> = keys(&several[1]["error"]);
    assert_eq!(error, ["cause", "help", "kind", "path", "what"]);
    assert_eq!(several[1]["image"]["path"], "nowhere.qcow2");
}

#[test]
fn the_report_has_the_promised_shape() {
    let report = json(&bootworthy(["check", "--format", "json", &path("broken.qcow2")]).stdout);
    assert_eq!(report["schema"], "bootworthy.report/1");
    assert_eq!(report["tool"]["name"], "bootworthy");
    assert_eq!(report["profile"], "openstack");
    assert_eq!(report["image"]["format"], "qcow2");
    assert_eq!(report["os"]["id"], "debian");
    assert_eq!(report["error"], Value::Null);
    let checks = report["checks"].as_array().unwrap();
    for check in checks {
        for key in ["id", "severity", "verdict", "entries", "evidence", "reason", "fix"] {
            assert!(check.get(key).is_some(), "{key} is missing: {check}");
        }
        for evidence in check["evidence"].as_array().unwrap() {
            for key in ["path", "line", "found", "expected", "entry"] {
                assert!(evidence.get(key).is_some(), "{key} is missing: {evidence}");
            }
        }
    }
    let count = |verdict: &str| checks.iter().filter(|check| check["verdict"] == verdict).count();
    assert_eq!(report["summary"]["pass"], count("pass"));
    assert_eq!(report["summary"]["n/a"], count("n/a"));
    let number = |key: &str| report["summary"][key].as_u64().unwrap();
    assert_eq!(number("fail") + number("warn"), u64::try_from(count("fail")).unwrap());
    assert!(report["properties"]["min_disk"].is_u64() && report["properties"]["os_version"].is_string());
    for withheld in report["withheld"].as_array().unwrap() {
        for key in ["key", "value", "check", "reason"] {
            assert!(withheld.get(key).is_some(), "{key} is missing: {withheld}");
        }
    }
}

#[test]
fn judging_saved_facts_equals_judging_the_image() {
    for name in ["good.qcow2", "broken.qcow2"] {
        let facts = bootworthy(["inspect", &path(name)]).stdout;
        for args in [&["--format", "json"][..], &["--format", "text"], &["-v"], &["-q"]] {
            let direct = bootworthy([&["check", &path(name)], args].concat());
            let saved = with_input([&["check", "--facts", "-"], args].concat(), facts.as_bytes());
            let without_path = |text: &str| text.replace(&path(name), "-");
            assert_eq!(saved.stdout.replace(&path(name), "-"), without_path(&direct.stdout), "{name} {args:?}");
            assert_eq!(saved.code, direct.code, "{name} {args:?}");
        }
    }
}

#[test]
fn the_same_input_gives_the_same_output() {
    for command in ["check", "inspect", "properties"] {
        let run = || bootworthy([command, &path("good.qcow2")]).stdout;
        assert_eq!(run(), run());
    }
}

#[test]
fn saved_facts_that_are_none_are_refused() {
    for (facts, says) in [
        ("", "facts"),
        ("{}", "schema"),
        (r#"{"schema":"bootworthy.facts/9"}"#, "bootworthy.facts/9"),
        (r#"{"schema":"bootworthy.facts/1","os":7}"#, "facts"),
        ("[", "facts"),
    ] {
        let run = with_input(["check", "--facts", "-"], facts.as_bytes());
        assert!(run.code == 3 && run.stdout.contains(says), "{facts}: {} {}", run.code, run.stdout);
    }
    let deep = "[".repeat(100_000);
    assert_eq!(with_input(["check", "--facts", "-"], deep.as_bytes()).code, 3);
    let bare = with_input(["check", "--facts", "-"], br#"{"schema":"bootworthy.facts/1"}"#);
    assert_eq!(bare.code, 3, "{}", bare.stdout);
}

#[test]
fn a_directory_is_judged_without_leaving_it() {
    let tree = tempfile::tempdir().unwrap();
    let at = |name: &str| tree.path().join(name);
    for folder in ["etc", "usr/lib/systemd", "sbin", "var/lib/dpkg"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::write(at("usr/lib/os-release"), "ID=debian\nVERSION_ID=13\n").unwrap();
    fs::write(at("usr/lib/systemd/systemd"), "").unwrap();
    std::os::unix::fs::symlink("/usr/lib/systemd/systemd", at("sbin/init")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("etc/os-release")).unwrap();
    let status = "Package: qemu-guest-agent\nStatus: install ok installed\nVersion: 1:7.2\nArchitecture: amd64\n";
    fs::write(at("var/lib/dpkg/status"), status).unwrap();
    let fifo = at("etc/fstab");
    std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    let run = bootworthy(["check", "--format", "json", tree.path().to_str().unwrap()]);
    let report = json(&run.stdout);
    assert_eq!(run.code, 3, "{}", run.stdout);
    let verdict = |id: &str| {
        report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap()["verdict"].clone()
    };
    assert_eq!(verdict("agent-installed"), "pass");
    assert_eq!(verdict("watchdog-installed"), "unknown", "systemd might feed it");
    assert_eq!(verdict("fstab-stable-ids"), "unknown", "a FIFO is not read");
    assert_eq!(verdict("image-format-safe"), "n/a");
    // The host's /etc/passwd is not the tree's.
    assert_eq!(
        report["os"],
        json(r#"{"id":"debian","version_id":"13","version_codename":null,"pretty_name":null,"architecture":null}"#)
    );
}

#[test]
fn a_broken_pipe_is_quiet_success_and_a_full_disk_is_not() {
    let image = path("good.qcow2");
    let mut child = command().args(["inspect", &image]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.is_empty()), (Some(0), true));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = command().args(["check", &image]).stdout(full).output().unwrap();
    assert!(ended.status.code() == Some(3) && !ended.stderr.is_empty());
}

#[test]
fn names_that_are_hostile_or_not_text_are_shown_escaped() {
    let folder = tempfile::tempdir().unwrap();
    for name in [&b"bell\x07\x1b[31m\nline.qcow2"[..], b"latin\xe9.qcow2"] {
        let path = folder.path().join(std::ffi::OsString::from_vec(name.to_vec()));
        fs::copy(fixture("good.qcow2"), &path).unwrap();
        for format in ["text", "json"] {
            let run =
                bootworthy([std::ffi::OsStr::new("check"), "--format".as_ref(), format.as_ref(), path.as_os_str()]);
            assert_eq!(run.code, 0);
            assert!(run.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{}", run.stdout);
        }
        let quoted = bootworthy([std::ffi::OsStr::new("properties"), path.as_os_str()]).stdout;
        assert!(quoted.chars().all(|c| c == '\n' || !c.is_control()), "{quoted}");
    }
}

#[test]
fn quiet_is_one_line_an_image() {
    let run = bootworthy(["check", "-q", &path("good.qcow2"), &path("broken.qcow2")]);
    assert_eq!(run.stdout.lines().count(), 2);
    assert!(run.stdout.contains(" fit ") && run.stdout.contains("unfit"), "{}", run.stdout);
}

#[test]
fn an_overlay_is_refused_until_its_base_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let overlay = folder.path().join("overlay.qcow2");
    let (overlay, base) = (overlay.to_str().unwrap(), path("good.qcow2"));
    crate::common::tool("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &base, overlay]);
    let run = bootworthy(["check", overlay]);
    assert_eq!(run.code, 3);
    assert!(run.stdout.contains("overlay of") && run.stdout.contains("--backing"), "{}", run.stdout);
    let run = bootworthy(["check", "--backing", &base, overlay]);
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn help_fits_a_screen_and_begins_with_an_example() {
    assert!(bootworthy(["--help"]).stdout.lines().count() <= 30);
    for name in ["check", "properties", "lint", "inspect", "initrd", "explain"] {
        let help = bootworthy([name, "--help"]).stdout;
        assert!(help.starts_with("Example: bootworthy ") && help.lines().count() <= 55, "{help}");
    }
}

/// Healthy facts, as saved, with one node replaced.
fn facts(pointer: &str, new: &Value) -> Vec<u8> {
    let mut value = crate::checks::saved("healthy");
    if !pointer.is_empty() {
        *value.pointer_mut(pointer).unwrap() = new.clone();
    }
    value.to_string().into_bytes()
}

/// What SCS-0102 demands of the publisher.
const POLICY: &str = "--policy min_ram=512 --policy os_purpose=generic --policy replace_frequency=monthly \
    --policy uuid_validity=none --policy provided_until=none --policy image_source=private --policy image_description=x \
    --policy image_build_date=2026-01-31 --policy image_original_user=debian";

#[test]
fn flags_change_exit_codes_and_never_what_is_earned() {
    let healthy = ("", Value::Null);
    let by_name = ("/fstab/0/spec", Value::from("/dev/vda1"));
    let too_large = ("/image/virtual_size", Value::from(1_u64 << 40));
    let is_bus = |properties: &Value, bus: &Value| properties["hw_disk_bus"] == *bus;
    let (scsi, virtio, none) = (Value::from("scsi"), Value::from("virtio"), Value::Null);
    for ((pointer, new), flags, code, bus) in [
        (&healthy, "", 0, &scsi),
        (&healthy, "--set minimal", 0, &scsi),
        (&healthy, "--set scs", 0, &scsi),
        (&healthy, "--set full", 0, &scsi),
        (&healthy, "--with hw_disk_bus --with os_version=12", 0, &scsi),
        (&healthy, "--with hw_disk_bus=virtio", 0, &virtio),
        (&healthy, "--with hw_disk_bus=ide", 3, &none),
        (&healthy, "--with os_version=13", 1, &scsi),
        (&healthy, "--with os_version=13 --profile bootable --fail-on error", 1, &scsi),
        (&healthy, "--without hw_disk_bus", 0, &none),
        (&by_name, "", 1, &none),
        (&by_name, "--ignore fstab-stable-ids", 0, &none),
        (&by_name, "--severity fstab-stable-ids=warning", 0, &none),
        (&by_name, "--severity fstab-stable-ids=warning --fail-on warning", 1, &none),
        (&by_name, "--severity fstab-stable-ids=error --ignore fstab-stable-ids", 0, &none),
        (&by_name, "--ignore fstab-stable-ids --with hw_disk_bus", 1, &none),
        (&by_name, "--severity fstab-stable-ids=off --severity fstab-stable-ids=error", 1, &none),
        (&too_large, "", 0, &scsi),
        (&too_large, "--fail-on warning", 1, &scsi),
        (&too_large, "--fail-on warning --ignore virtual-size-sane", 0, &scsi),
        (&too_large, "--severity virtual-size-sane=error", 1, &scsi),
        (&too_large, "--profile strict", 1, &scsi),
        (&too_large, "--profile strict --ignore virtual-size-sane", 0, &scsi),
        (&too_large, "--profile bootable --fail-on note", 1, &scsi),
    ] {
        let args = ["check", "--facts", "-", "--format", "json"].into_iter().chain(flags.split_ascii_whitespace());
        let run = with_input(args, &facts(pointer, new));
        assert_eq!(run.code, code, "{pointer} {flags}: {}{}", run.stdout, run.stderr);
        let report = json(&run.stdout);
        assert!(is_bus(&report["properties"], bus), "{pointer} {flags}: {}", report["properties"]);
        let policy = if flags == "--set scs" { POLICY } else { "" };
        let flags = format!("{flags} {policy}");
        let args = ["properties", "--facts", "-", "--format", "json"].into_iter().chain(flags.split_ascii_whitespace());
        let printed = with_input(args, &facts(pointer, new));
        assert_eq!(
            (printed.code, printed.stdout.is_empty()),
            (code, code == 3),
            "{pointer} {flags}: {}",
            printed.stdout
        );
    }
}

#[test]
fn required_features_are_errors_in_every_profile() {
    let none = facts("/packages", &Value::Array(Vec::new()));
    for (flags, code) in [
        ("--profile bootable", 0),
        ("--profile bootable --require virtio-scsi", 0),
        ("--profile bootable --require guest-agent", 1),
        ("--profile bootable --require watchdog --require virtio-scsi", 1),
        ("--profile openstack", 1),
    ] {
        let args = ["check", "--facts", "-", "-q"].into_iter().chain(flags.split_ascii_whitespace());
        let run = with_input(args, &none);
        assert_eq!(run.code, code, "{flags}: {}", run.stdout);
        assert_eq!(run.stdout.contains("required features missing"), code == 1, "{flags}: {}", run.stdout);
    }
}

#[test]
fn a_property_forced_against_the_evidence_names_its_check() {
    let broken = path("broken.qcow2");
    let run = bootworthy(["check", "--with", "hw_scsi_model", "--ignore", "initrd-virtio-scsi", &broken]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    for part in [
        "error[property-earned]",
        "hw_scsi_model=virtio-scsi: initrd-virtio-scsi: virtio_scsi.ko",
        "`bootworthy explain initrd-virtio-scsi`",
    ] {
        assert!(run.stdout.contains(part), "{part} is not in\n{}", run.stdout);
    }
    let run = bootworthy(["properties", "--with", "hw_scsi_model", &broken]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("hw_scsi_model=virtio-scsi: initrd-virtio-scsi: "), "{}", run.stderr);
    assert!(run.stdout.contains("os_type=linux") && !run.stdout.contains("--property hw_scsi_model"), "{}", run.stdout);
}

#[test]
fn what_does_not_exist_is_answered_with_the_nearest() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["--watchdog-action", "shutdown"],
            "'shutdown' is a libvirt action; Nova accepts none, pause, poweroff, reset, disabled",
        ),
        (&["--watchdog-action", "dump"], "'dump' is a libvirt action; Nova accepts"),
        (&["--watchdog-action", "rest"], "'rest' is no watchdog action; Nova accepts"),
        (&["--with", "hw_watchdog_action=shutdown"], "'shutdown' is a libvirt action"),
        (&["--with", "hw_watchdog_action=pause", "--watchdog-action", "reset"], "contradicts"),
        (&["--with", "hw_disc_bus"], "did you mean hw_disk_bus?"),
        (&["--with", "hw_disk_bus=SCSI"], "Nova accepts fdc, ide, sata, scsi"),
        (&["--without", "os_vesion"], "did you mean os_version?"),
        (&["--with", "os_version", "--without", "os_version"], "contradicts"),
        (&["--ignore", "fstab-uid"], "did you mean fstab-uuid?"),
        (&["--ignore", "password-unset", "--ignore", "zzz"], "there is no check \"zzz\" ("),
        (&["--severity", "fstab-uuid"], "ID=LEVEL is expected"),
        (&["--severity", "fstab-uuid=fatal"], "none of off, note, warning, error"),
        (&["--severity", "fstab-uid=note"], "did you mean fstab-uuid?"),
        (&["--require", "watchdg"], "watchdog"),
        (&["--set", "recomended"], "recommended"),
        (&["--profile", "strickt"], "strict"),
    ];
    for (flags, says) in cases {
        for command in ["check", "properties"] {
            let run = bootworthy([&[command][..], flags, &["nowhere.qcow2"]].concat());
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{flags:?}: {}", run.stderr);
            assert!(run.stderr.contains(says), "{flags:?}: {}", run.stderr);
        }
    }
}

#[test]
fn explain_without_an_id_lists_all_and_with_each_tells_all() {
    let list = bootworthy(["explain"]).stdout;
    let ids: Vec<&str> = list.lines().filter_map(|line| line.split_ascii_whitespace().next()).collect();
    assert!(ids.contains(&"fstab-uuid") && ids.contains(&"hw_disk_bus") && ids.len() >= 40, "{list}");
    let run = bootworthy(["explain"].into_iter().chain(ids.iter().copied()));
    assert_eq!(run.code, 0);
    let proofs = bootworthy::boot::proof::PROOFS.len();
    for (head, count) in
        [("\nwhy: ", ids.len() - proofs), ("\nsource: ", ids.len() - proofs), ("\nasked for: ", proofs)]
    {
        assert_eq!(run.stdout.matches(head).count(), count, "{head:?}");
    }
    let features = bootworthy::verdict::feature::FEATURES.len();
    let rules = bootworthy::manifest::lint::RULES.len();
    assert!(run.stdout.matches("detected by: ").count() >= ids.len() - proofs - features - rules);
    assert_eq!(run.stdout.matches("\nwhat has aged:").count(), features);
}
