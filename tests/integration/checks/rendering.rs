//! What the writers make of reports: the shapes that pipelines read, and nothing hostile on a terminal.

use super::{profile, report, saved};
use bootworthy::error::Error;
use bootworthy::manifest::{FORMATS as FORMATS_OUT, Format, Manifest};
use bootworthy::report::{FORMATS, Style, Verbosity, find};
use bootworthy::verdict::Report;
use bootworthy::verdict::check::CHECKS;
use serde_json::{Value, json};

fn text(reports: &[Report], verbosity: Verbosity) -> String {
    (find("text").unwrap().write)(reports, Style { verbosity, ..Style::default() })
}

fn as_json(reports: &[Report]) -> Value {
    serde_json::from_str(&(find("json").unwrap().write)(reports, Style::default())).unwrap()
}

/// What the command hands to a manifest, the name as hostile as the image has it.
fn manifest(report: &Report) -> Manifest<'_> {
    let guest = report.guest.as_ref().unwrap();
    let image = guest.image.known().filter(|image| image.format != "directory");
    let name = guest.os.known().and_then(|os| os.pretty_name.as_deref()).unwrap_or("image");
    let file = image.map(|image| image.path.as_str());
    let disk_format = image.map(|image| if image.format.starts_with("qcow2") { "qcow2" } else { "raw" });
    Manifest {
        file,
        size: Some(65_536),
        sha512: None,
        name,
        disk_format,
        min_disk: None,
        min_ram: None,
        properties: Vec::new(),
        withheld: &report.withheld,
    }
    .with(&report.earned)
}

/// The manifest in each format that can hold it; image-manager demands what no image shows.
fn texts(report: &Report) -> Vec<String> {
    let write = |format: &Format| format.write(&[manifest(report)]).map(|written| written.text);
    FORMATS_OUT.iter().filter(|format| format.demands.is_empty()).map(|format| write(format).unwrap()).collect()
}

#[test]
fn manifests_of_a_healthy_image() {
    let report = report(&saved("healthy"));
    let texts = texts(&report);
    for part in ["--min-disk 2", "--property hw_disk_bus=scsi", "'Debian GNU/Linux 12 (bookworm)'"] {
        assert!(texts[0].contains(part), "{part} is not in {}", texts[0]);
    }
    for withheld in &report.withheld {
        assert!(texts[0].contains(&format!("# withheld: {}", withheld.key)), "{}", texts[0]);
    }
    let body: Value = serde_json::from_str(&texts[2]).unwrap();
    assert_eq!(
        (&body["min_disk"], &body["os_version"], &body["disk_format"]),
        (&json!(2), &json!("12"), &json!("qcow2"))
    );
}

fn unreadable() -> Report {
    let error = Error::unsupported("this image", "an overlay of \"../base.qcow2\"").help("flatten it");
    Report::unreadable("overlay.qcow2", error, profile("openstack"))
}

fn keys(value: &Value) -> Vec<&String> {
    value.as_object().unwrap().keys().collect()
}

#[test]
fn one_object_or_an_array_and_the_same_keys() {
    let one = as_json(&[report(&saved("healthy"))]);
    let many = as_json(&[report(&saved("healthy")), unreadable(), report(&saved("two-kernels"))]);
    assert_eq!((one.is_object(), many.as_array().unwrap().len()), (true, 3));
    for report in many.as_array().unwrap() {
        assert_eq!(keys(report), keys(&one));
    }
    assert_eq!(many[1]["result"], "unknown");
    assert_eq!(
        many[1]["error"],
        json!({"kind": "unsupported", "what": "this image", "path": null, "cause": "an overlay of \"../base.qcow2\"", "help": "flatten it"})
    );
    assert_eq!(one["properties"]["min_disk"], json!(2));
    assert_eq!(one["properties"]["os_version"], json!("12"));
    assert_eq!(
        one["summary"],
        json!({"pass": CHECKS.len(), "fail": 0, "warn": 0, "unknown": 0, "n/a": 0, "ignored": 0})
    );
    assert_eq!(
        keys(&one["checks"][0]),
        ["about", "entries", "evidence", "fix", "id", "ignored", "reason", "severity", "verdict"]
    );
    assert_eq!(keys(&one["checks"][0]["evidence"][0]), ["entry", "expected", "found", "line", "path"]);
    let broken = as_json(&[report(&saved("directory"))]);
    assert_eq!(keys(&broken["withheld"][0]), ["check", "key", "reason", "value"]);
}

#[test]
fn a_healthy_image_fits_one_screen() {
    let text = text(&[report(&saved("healthy"))], Verbosity::Normal);
    assert!(text.lines().count() <= 24, "{text}");
    for part in [
        "6.1.0-56-cloud-amd64 ★",
        format!("✓ {} checks passed", CHECKS.len()).as_str(),
        "boots on virtio-scsi: yes",
        "fit (profile openstack)",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("explain"));
}

#[test]
fn a_broken_row_is_underlined_and_mended() {
    let mut value = saved("healthy");
    let row = "/dev/vda3  /  ext4  discard,errors=remount-ro  0 1";
    value["fstab"][0]["text"] = json!(row);
    value["fstab"][0]["spec"] = json!("/dev/vda3");
    value["fstab"][0]["line"] = json!(2);
    let text = text(&[report(&value)], Verbosity::Normal);
    let expected = "\
error[fstab-stable-ids]: a file system is mounted by its bus name
  --> /etc/fstab:2
 2 |  /dev/vda3  /  ext4  discard,errors=remount-ro  0 1
   |  ^^^^^^^^^ /dev/vda3 is UUID=4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001 in this image
   = fix: UUID=4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001  /  ext4  discard,errors=remount-ro  0 1
";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("boots on virtio-scsi: yes, but fstab"), "{text}");
    assert!(text.ends_with("bootworthy explain fstab-stable-ids tells more\n"), "{text}");
}

#[test]
fn the_fix_is_that_of_the_initrds_own_tool() {
    let mut value = saved("healthy");
    let files = value["initrds"][0]["modules"][0]["files"].as_array_mut().unwrap();
    files.retain(|path| !path.as_str().unwrap().contains("virtio_scsi"));
    for (id, package, fix) in [
        ("debian", "initramfs-tools", "update-initramfs -u -k all"),
        ("debian", "dracut", "dracut -f --regenerate-all"),
        ("fedora", "initramfs-tools", "dracut -f --regenerate-all"),
        ("arch", "initramfs-tools", "mkinitcpio -P"),
        ("void", "initramfs-tools", "build the initrd of every kernel again"),
    ] {
        value["os"]["id"] = json!(id);
        value["packages"][2]["name"] = json!(package);
        let text = text(&[report(&value)], Verbosity::Normal);
        assert!(text.contains(fix), "{id} {package}: {text}");
    }
}

#[test]
fn verbosity() {
    let reports = [report(&saved("two-kernels")), unreadable()];
    let quiet = text(&reports, Verbosity::Quiet);
    assert_eq!(quiet.lines().filter(|line| line.starts_with("image.qcow2: boots on")).count(), 1, "{quiet}");
    assert!(quiet.contains("error: overlay.qcow2: this image: an overlay of") && quiet.contains("= help: flatten it"));
    let (normal, verbose) = (text(&reports, Verbosity::Normal), text(&reports, Verbosity::Verbose));
    assert!(normal.contains("warning[initrd-virtio-scsi]") && !normal.contains("pass[fstab-uuid]"));
    assert!(verbose.contains("pass[fstab-uuid]") && verbose.len() > normal.len());
}

#[test]
fn every_text_of_a_hostile_image_is_escaped() {
    const EVIL: &str = "a\u{1b}]0;x\u{7}\n\u{202e}\u{200b}\r$(id)'";
    // Every string of the facts, and every name in them, turned hostile: some verdicts change, no byte gets through.
    fn poison(value: &mut Value) {
        match value {
            Value::String(text) => text.push_str(EVIL),
            Value::Array(items) => items.iter_mut().for_each(poison),
            Value::Object(map) => map.values_mut().for_each(poison),
            _ => {}
        }
    }
    let is_evil = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202e}' | '\u{200b}'));
    for name in ["healthy", "two-kernels", "ubuntu-initrdless", "directory"] {
        let healthy = saved(name);
        for field in healthy.as_object().unwrap().keys() {
            let mut value = healthy.clone();
            poison(&mut value[field]);
            let report = report(&value);
            for verbosity in [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose] {
                let text = text(std::slice::from_ref(&report), verbosity);
                assert!(!text.contains(is_evil) && !text.contains("\n\\u{202e}"), "{name} {field}: {text:?}");
            }
            for text in texts(&report) {
                assert!(!text.contains(is_evil), "{name} {field}: {text:?}");
            }
            let json = (FORMATS[1].write)(std::slice::from_ref(&report), Style::default());
            assert!(serde_json::from_str::<Value>(&json).is_ok() && !json.contains(is_evil));
        }
    }
}
