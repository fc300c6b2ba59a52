//! `bootworthy check --manifest`: what a manifest claims is held against what the image has shown.

mod pairing;

use crate::common::{Run, bootworthy, command, fixture, image, with_input};
use bootworthy::manifest::FORMATS;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

const MATCHES: &str = "property-matches-evidence";
const UNCLAIMED: &str = "property-unclaimed";
const SCSI: &str = "hw_disk_bus=scsi hw_scsi_model=virtio-scsi";

/// `a=b c=d` as the body of `POST /v2/images`, a line for each; minima are numbers.
fn body(words: &str) -> String {
    let mut image = Map::new();
    for (key, value) in words.split_ascii_whitespace().filter_map(|word| word.split_once('=')) {
        let number = value.parse::<i64>().ok().filter(|_| key.starts_with("min_")).map(Value::from);
        image.insert(key.to_owned(), number.unwrap_or_else(|| Value::from(value)));
    }
    serde_json::to_string_pretty(&image).unwrap()
}

fn check(image: &Path, manifest: &str, flags: &[&str]) -> (i32, Value) {
    let path = image.to_str().unwrap();
    let args = [&["check", path, "--no-config", "--format=json", "--manifest=-"], flags].concat();
    let run = with_input(&args, manifest.as_bytes());
    (run.code, serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {} {manifest}", run.stderr)))
}

fn finding<'a>(report: &'a Value, id: &str) -> Option<&'a Value> {
    report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id)
}

/// What was found at each place of a finding.
fn told(finding: &Value) -> Vec<&str> {
    finding["evidence"].as_array().unwrap().iter().map(|place| place["found"].as_str().unwrap()).collect()
}

/// An image, what is claimed of it, the exit code, the verdict, and what stands in its evidence.
type Planted = (&'static str, &'static str, i32, &'static str, &'static [&'static str]);

const PLANTED: &[Planted] = &[
    // What the image keeps, in every spelling that Nova takes.
    (
        "good",
        SCSI,
        0,
        "pass",
        &["hw_disk_bus=scsi is earned by initrd-virtio-scsi", "hw_scsi_model=virtio-scsi is earned"],
    ),
    ("good", "hw_disk_bus=virtio", 0, "pass", &["hw_disk_bus=virtio is earned by initrd-virtio-blk"]),
    ("good", "", 0, "pass", &["without hw_disk_bus Nova takes virtio", "without hw_firmware_type Nova takes bios"]),
    ("good", "architecture=AMD64", 0, "pass", &["architecture=x86_64 is earned"]),
    ("good", "hw_architecture=x86_64 os_type=Linux", 0, "pass", &["hw_architecture=x86_64 is", "os_type=linux is"]),
    (
        "good",
        "hw_qemu_guest_agent=on",
        0,
        "pass",
        &["hw_qemu_guest_agent=yes is earned by initrd-virtio-pci, agent-installed"],
    ),
    ("good", "hw_vif_multiqueue_enabled=1", 0, "pass", &["hw_vif_multiqueue_enabled=true is earned"]),
    ("good", "hw_watchdog_action=pause", 0, "pass", &["hw_watchdog_action=pause is earned by watchdog-driver"]),
    ("good", "hw_watchdog_action=disabled", 0, "pass", &["hw_watchdog_action=disabled is earned"]),
    ("good", "hypervisor_type=KVM", 0, "pass", &["hypervisor_type=qemu is earned"]),
    ("good", "os_distro=Debian os_version=13", 0, "pass", &["os_distro=Debian is true", "os_version=13 is true"]),
    ("good", "os_distro=debian13", 0, "pass", &["os_distro=debian13 is true"]),
    ("good", "min_disk=10 disk_format=qcow2", 0, "pass", &["min_disk=10 is earned", "disk_format=qcow2 is what"]),
    ("good", "hw_firmware_type=uefi", 0, "pass", &["hw_firmware_type=uefi is earned"]),
    ("good", "hw_firmware_type=bios", 0, "pass", &["hw_firmware_type=bios is earned"]),
    ("good", "hw_machine_type=q35", 0, "pass", &["hw_machine_type=q35 is earned"]),
    ("good", "hw_qemu_guest_agent=yes os_require_quiesce=true", 0, "pass", &["os_require_quiesce=yes is earned"]),
    ("good", "hw_qemu_guest_agent=yes os_admin_user=root", 0, "pass", &["os_admin_user=root is earned"]),
    ("good", "hw_tpm_version=2.0 hw_tpm_model=tpm-crb", 0, "pass", &["hw_tpm_model=tpm-crb is earned"]),
    ("good", "hw_rng_model=virtio hw_qemu_guest_agent=no", 0, "pass", &["hw_rng_model=virtio is earned"]),
    // What it does not.
    ("good", "os_type=windows", 1, "fail", &["os_type=windows: this image has linux"]),
    ("good", "os_distro=ubuntu", 1, "fail", &["os_distro=ubuntu: this image has debian"]),
    ("good", "os_version=12", 1, "fail", &["os_version=12: this image has 13"]),
    // Refused by Nova, which is told by its own rule and judged by none.
    ("good", "architecture=arm64", 1, "pass", &["without hw_disk_bus"]),
    ("good", "architecture=aarch64", 1, "fail", &["architecture=aarch64: this image has x86_64"]),
    ("good", "hw_machine_type=virt", 1, "fail", &["virt is not known as a machine of x86_64"]),
    ("good", "disk_format=vmdk", 1, "fail", &["disk_format=vmdk: the file is qcow2"]),
    (
        "good",
        "hw_qemu_guest_agent=yes os_admin_user=nobody1",
        1,
        "fail",
        &["os_admin_user=nobody1: this image has debian"],
    ),
    ("good", "hw_video_model=virtio", 1, "fail", &["hw_video_model=virtio: virtio_gpu is neither built in"]),
    ("good", "hw_cdrom_bus=sata", 1, "fail", &["hw_cdrom_bus=sata: ahci is neither"]),
    ("good", "img_config_drive=mandatory", 1, "fail", &["img_config_drive=mandatory: ahci"]),
    (
        "broken",
        SCSI,
        1,
        "fail",
        &[
            "hw_disk_bus=scsi: initrd-virtio-scsi: /boot/initrd.img-6.1.0-56-cloud-amd64: virtio_scsi.ko is not",
            "hw_scsi_model=virtio-scsi: initrd-virtio-scsi",
        ],
    ),
    ("broken", "hw_disk_bus=virtio", 1, "fail", &["hw_disk_bus=virtio: fstab-stable-ids: /etc/fstab:2: /dev/vda3 is"]),
    ("broken", "", 1, "fail", &["without hw_disk_bus Nova takes virtio: fstab-stable-ids: /etc/fstab:2"]),
    (
        "broken",
        "hw_disk_bus=virtio hw_watchdog_action=reset",
        1,
        "fail",
        &["hw_watchdog_action=reset: watchdog-driver: /boot/config-6.1.0-56-cloud-amd64:2875: CONFIG_I6300ESB_WDT"],
    ),
    // What no check can tell.
    ("good", "hw_disk_bus=sata", 3, "unknown", &["hw_disk_bus=sata: bootworthy has a proof only for scsi, virtio"]),
    ("good", "hw_disk_bus=scsi", 3, "unknown", &["hw_disk_bus=scsi: without hw_scsi_model=virtio-scsi"]),
    ("good", "vmware_adaptertype=ide", 3, "unknown", &["hw_disk_bus=ide: bootworthy has a proof only"]),
    ("good", "hw_vif_model=e1000", 3, "unknown", &["hw_vif_model=e1000: bootworthy has a proof only for virtio"]),
    ("good", "hw_video_model=qxl", 3, "unknown", &["proof only for virtio, none"]),
    ("good", "hypervisor_type=vmware", 3, "unknown", &["proof only for qemu"]),
    ("good", "os_version=13.1", 0, "unknown", &["os_version=13.1: the image says no more than 13"]),
    ("good", "hw_input_bus=virtio", 0, "unknown", &["hw_input_bus=virtio: no check looks for"]),
    // What claims nothing: turned off, or idle.
    (
        "good",
        "hw_disk_bus=virtio hw_scsi_model=virtio-scsi hw_mem_encryption=false",
        0,
        "pass",
        &["hw_disk_bus=virtio is"],
    ),
    (
        "good",
        "os_secure_boot=required hw_tpm_model=tpm-crb",
        0,
        "pass",
        &["without hw_disk_bus", "without hw_firmware_type"],
    ),
];

#[test]
fn claims_are_what_the_image_has_shown() {
    assert!(PLANTED.len() >= 25);
    let mut differ = Vec::new();
    for (name, words, code, verdict, parts) in PLANTED {
        let (found, report) = check(&fixture(&format!("{name}.qcow2")), &body(words), &["--profile=bootable"]);
        let own = finding(&report, MATCHES).unwrap();
        let texts = told(own);
        let is_right = (found, own["verdict"].as_str()) == (*code, Some(*verdict))
            && parts.iter().all(|part| texts.iter().any(|text| text.contains(part)));
        if !is_right {
            differ.push(format!("{name} {words:?}: exit {found}, {} {texts:#?}", own["verdict"]));
        }
        assert_eq!(own["about"], "manifest");
    }
    assert!(differ.is_empty(), "{} of {}:\n{}", differ.len(), PLANTED.len(), differ.join("\n"));
}

/// Real images: Debian 12's cloud kernel has no i6300esb.
#[test]
fn real_images_are_held_to_what_is_claimed_of_them() {
    let all = "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_qemu_guest_agent=yes hw_vif_multiqueue_enabled=true \
               hw_watchdog_action=reset os_distro=debian os_type=linux architecture=x86_64";
    let rows: [(&str, &str, &[&str]); 4] = [
        ("debian12", "os_version=12", &["hw_watchdog_action=reset: watchdog-driver: /boot/config-"]),
        (
            "debian12",
            "os_version=12 hw_cdrom_bus=sata",
            &["hw_watchdog_action=reset: watchdog-driver", "hw_cdrom_bus=sata: CONFIG_SATA_AHCI is not set"],
        ),
        ("debian13", "os_version=13 min_disk=3", &[]),
        (
            "debian13",
            "os_version=12 min_disk=2",
            &["os_version=12: this image has 13", "min_disk=2: the image's disk takes 3 GiB"],
        ),
    ];
    for (name, words, parts) in rows {
        let (code, report) = check(&image(name), &body(&format!("{all} {words}")), &[]);
        let own = finding(&report, MATCHES).unwrap();
        assert_eq!(own["verdict"], if parts.is_empty() { "pass" } else { "fail" }, "{name} {words} {own:#}");
        assert_eq!(code, i32::from(!parts.is_empty()), "{name} {words}");
        let texts = told(own);
        assert!(parts.iter().all(|part| texts.iter().any(|text| text.contains(part))), "{name} {texts:#?}");
        assert!(parts.is_empty() || texts.len() == parts.len(), "{name} {texts:#?}");
    }
}

/// What `properties` prints is claimed rightly, in every format, and leaves nothing out that has a place there.
#[test]
fn what_properties_prints_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "min_ram=512 os_purpose=generic replace_frequency=monthly uuid_validity=none provided_until=none \
                  image_source=private image_description=x image_build_date=2026-01-31 image_original_user=debian";
    for format in FORMATS {
        let path = fixture("good.qcow2");
        let mut args = vec!["properties", path.to_str().unwrap(), "--no-config", "--format", format.name];
        let is_scs = !format.demands.is_empty();
        if is_scs {
            args.extend(["--set", "scs", "--without", "os_secure_boot"]);
            args.extend(policy.split(' ').flat_map(|word| ["--policy", word]));
        }
        let run = bootworthy(&args);
        assert_eq!(run.code, 0, "{}: {}", format.name, run.stderr);
        let name =
            if format.name == "tfvars" { "x.auto.tfvars.json".to_owned() } else { format!("{}.txt", format.name) };
        let manifest = folder.path().join(name);
        fs::write(&manifest, &run.stdout).unwrap();
        let run =
            bootworthy(["check", args[1], "--no-config", "--format=json", "--manifest", manifest.to_str().unwrap()]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
        assert_eq!(run.code, 0, "{}: {report:#}", format.name);
        let own = finding(&report, MATCHES).unwrap();
        assert_eq!(own["verdict"], "pass", "{}: {own:#}", format.name);
        let missed = finding(&report, UNCLAIMED).map(told);
        assert_eq!(missed, None, "{}", format.name);
    }
}

#[test]
fn what_is_left_out_has_its_line_to_add() {
    let (code, report) = check(&fixture("good.qcow2"), &body(SCSI), &[]);
    let own = finding(&report, UNCLAIMED).unwrap();
    assert_eq!((code, own["severity"].as_str(), own["verdict"].as_str()), (0, Some("warning"), Some("fail")));
    assert_eq!(told(own).len(), 8, "{own:#}");
    let run = with_input(
        ["check", fixture("good.qcow2").to_str().unwrap(), "--no-config", "--manifest=-"],
        body(SCSI).as_bytes(),
    );
    for line in
        ["   = fix: hw_qemu_guest_agent=yes\n", "   = fix: hw_watchdog_action=reset\n", "   = fix: min_disk=1\n"]
    {
        assert!(run.stdout.contains(line), "{line} is not in\n{}", run.stdout);
    }
    // A misspelt name is told as such, and the controller of a bus that is not asked for is not missed.
    for (words, absent) in
        [("hw_qemu_gest_agent=yes", "hw_qemu_guest_agent=yes"), ("hw_disk_bus=virtio", "hw_scsi_model")]
    {
        let (_, report) = check(&fixture("good.qcow2"), &body(words), &[]);
        assert!(!told(finding(&report, UNCLAIMED).unwrap()).iter().any(|text| text.contains(absent)), "{words}");
    }
    // Only words for people are missing: a note.
    let (_, report) =
        check(&fixture("broken.qcow2"), &body("hw_qemu_guest_agent=yes hw_vif_multiqueue_enabled=yes"), &[]);
    assert_eq!(finding(&report, UNCLAIMED).unwrap()["severity"], "note");
}

#[test]
fn what_a_claim_rests_on_is_an_error() {
    let level = |report: &Value, id: &str| finding(report, id).unwrap()["severity"].as_str().unwrap().to_owned();
    let bootable = ["--profile=bootable"];
    for (words, id, expected) in [
        ("hw_disk_bus=virtio", "watchdog-driver", "note"),
        ("hw_watchdog_action=reset", "watchdog-driver", "error"),
        ("hw_watchdog_action=reset", "watchdog-loadable", "error"),
        ("hw_watchdog_action=reset", "watchdog-armed", "error"),
        ("hw_watchdog_action=reset", "watchdog-installed", "note"),
        ("hw_watchdog_action=disabled", "watchdog-driver", "note"),
        ("hw_qemu_guest_agent=no", "agent-installed", "note"),
        ("hw_qemu_guest_agent=true", "agent-installed", "error"),
        ("hw_qemu_guest_agent=true os_require_quiesce=true", "agent-freeze-allowed", "error"),
        ("hw_vif_multiqueue_enabled=true", "multiqueue-kernel", "error"),
    ] {
        let (_, report) = check(&fixture("broken.qcow2"), &body(words), &bootable);
        assert_eq!(level(&report, id), expected, "{words} {id}");
    }
}

#[test]
fn rules_of_the_manifest_are_judged_too_and_are_severed_and_accepted_like_checks() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("m.json", "{\n  \"hw_dsik_bus\": \"scsi\",\n  \"os_version\": \"12\"\n}\n");
    let good = fixture("good.qcow2");
    let run_in = |args: &[&str]| ended(folder.path(), args);
    let both = ["check", good.to_str().unwrap(), "--manifest", "m.json", "--format=json", "--today=2026-06-01"];
    let report =
        |run: &Run| -> Value { serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr)) };
    let run = run_in(&both);
    let first = report(&run);
    assert_eq!((run.code, &first["summary"]["fail"], &first["summary"]["ignored"]), (1, &2.into(), &0.into()));
    let place = &finding(&first, "name-misspelt").unwrap()["evidence"][0];
    assert_eq!((&place["path"], &place["line"], &place["column"]), (&"m.json".into(), &2.into(), &3.into()));
    write(
        "bootworthy.toml",
        "[severity]\nname-misspelt = \"note\"\n\n[[ignore]]\ncheck = \"property-matches-evidence\"\nimage = \"m.json\"\n\
         reason = \"the manifest is of next week's image\"\nexpires = \"2026-12-31\"\n",
    );
    let run = run_in(&both);
    let second = report(&run);
    assert_eq!((run.code, &second["summary"]["fail"], &second["summary"]["ignored"]), (0, &0.into(), &1.into()));
    assert_eq!(second["config"], "bootworthy.toml");
    assert_eq!(finding(&second, MATCHES).unwrap()["ignored"]["place"], "bootworthy.toml:4");
    assert_eq!(second["remarks"], Value::Array(Vec::new()));
    let late = run_in(&[&both[..5], &["--today=2027-01-01"]].concat());
    assert_eq!((late.code, report(&late)["remarks"][0]["severity"].as_str()), (1, Some("warning")));
    assert_eq!(
        run_in(
            &[&both[..], &["--severity", "property-matches-evidence=off", "--no-config", "--ignore", "name-misspelt"]]
                .concat()
        )
        .code,
        0
    );
}

fn ended(folder: &Path, args: &[&str]) -> Run {
    let output = command().current_dir(folder).args(args).output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A manifest that is a template says what it knows; the rest is unknown and never a pass.
#[test]
fn what_is_computed_is_unknown() {
    for (rows, code, verdict) in [
        ("properties = { hw_disk_bus = var.bus }", 3, "unknown"),
        ("properties = { os_version = var.version }", 0, "unknown"),
        ("properties = merge(local.common, {})", 3, "unknown"),
        ("properties = { hw_disk_bus = var.bus, os_version = \"11\" }", 1, "fail"),
    ] {
        let text = format!("resource \"openstack_images_image_v2\" \"d\" {{\n  {rows}\n}}\n");
        let (found, report) = check(&fixture("good.qcow2"), &text, &[]);
        assert_eq!((found, finding(&report, MATCHES).unwrap()["verdict"].as_str()), (code, Some(verdict)), "{rows}");
    }
}

/// What changes an image that is there already says nothing by silence.
#[test]
fn a_patch_says_nothing_by_silence() {
    for text in [
        "openstack image set --property hw_qemu_guest_agent=yes debian",
        r#"[{"op": "add", "path": "/hw_qemu_guest_agent", "value": "yes"}]"#,
        "source \"openstack\" \"d\" {\n  metadata = {\n    hw_qemu_guest_agent = \"yes\"\n  }\n}\n",
    ] {
        let (_, report) = check(&fixture("broken.qcow2"), text, &["--profile=bootable"]);
        let own = finding(&report, MATCHES).unwrap();
        assert_eq!((own["verdict"].as_str(), told(own).len()), (Some("pass"), 1), "{text} {own:#}");
    }
    let (_, report) =
        check(&fixture("broken.qcow2"), "openstack image create --property hw_qemu_guest_agent=yes d", &[]);
    assert_eq!(finding(&report, MATCHES).unwrap()["verdict"], "fail");
}
