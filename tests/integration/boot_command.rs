//! `bootworthy boot` up to the start: what it refuses, and the command line that it would run.

use crate::common::{Run, bootworthy, fixture};
use bootworthy::boot::proof::PROOFS;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A program that says it is QEMU and starts nothing.
fn pretended(folder: &Path) -> PathBuf {
    let path = folder.join("qemu");
    std::fs::write(&path, "#!/bin/sh\necho 'QEMU emulator version 10.0.2 (test)'\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn boot(args: &[&str]) -> Run {
    bootworthy(["boot"].iter().chain(args))
}

#[test]
fn what_cannot_be_booted_is_said_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let broken = write("broken.json", "{\"name\": ");
    let two = write("two.json", r#"[{"name": "a", "os_type": "linux"}, {"name": "b", "os_type": "linux"}]"#);
    let refused = write("refused.json", r#"{"name": "a", "hw_disk_bus": "nvme"}"#);
    let text = write("text.qcow2", "no image at all");
    let good = fixture("good.qcow2").to_str().unwrap().to_owned();
    let qemu = pretended(folder.path()).to_str().unwrap().to_owned();
    for (args, code, expected) in [
        (&[good.as_str()][..], 3, "qemu-system-x86_64 is not in PATH"),
        (&[&good, "--qemu", "/nowhere/qemu"], 3, "/nowhere/qemu"),
        (&["fixtures"], 2, "only a disk image boots"),
        (&["no such file"], 3, "cannot open it"),
        (&[&text], 3, "error: "),
        (&[&good, "--properties", &broken], 3, "EOF while parsing"),
        (&[&good, "--properties", &two], 3, "it describes 2 images, and one boots"),
        (&[&good, "--properties", "/nowhere.json"], 3, "/nowhere.json"),
        (&[&good, "--qemu", &qemu, "--properties", &refused, "--print-command"], 3, "nvme"),
        (
            &[&good, "--qemu", &qemu, "--property", "hw_watchdog_action=dump", "--print-command"],
            3,
            "hw_watchdog_action",
        ),
        (&[&good, "--proof", "watchdog-fire"], 2, "did you mean watchdog-fires?"),
        (&[&good, "--proof", "queues", "--without-proof", "queues"], 2, "no proof is left"),
        (&[&good, "--vcpus", "0"], 2, "--vcpus"),
        (&[&good, "--ram", "1"], 2, "--ram"),
        (&[&good, "--property", "=x"], 2, "KEY=VALUE is expected"),
        (&[&good, "--output", "sarif=x"], 2, "there is no format \"sarif\""),
        (&[&good, "--output", "json=/nowhere/x"], 2, "there is no directory"),
        (&[&good, "--format", "json", "--output", "junit=-"], 2, "standard output has the report as json already"),
        (&[&good, "--output", "json=x", "--output", "junit=x"], 2, "another report goes there already"),
        (&[], 2, "<IMAGE>"),
        (&["--facts", "facts.json"], 2, "--facts"),
        (&[&good, &good], 2, "unexpected argument"),
    ] {
        let run = boot(args);
        assert_eq!(run.code, code, "{args:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(expected), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn what_cannot_be_started_keeps_its_place_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.qcow2");
    std::fs::write(&text, "no image at all").unwrap();
    for (image, kind, help) in [
        (fixture("good.qcow2"), "not-found", "install qemu-system-x86"),
        (folder.path().join("none.qcow2"), "io", ""),
        (text, "unsupported", ""),
    ] {
        let run = boot(&["--format", "json", image.to_str().unwrap()]);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.code, &report["result"], &report["error"]["kind"]), (3, &"unknown".into(), &kind.into()));
        assert!(report["error"]["help"].as_str().unwrap_or_default().contains(help), "{report}");
    }
}

#[test]
fn the_command_line_is_novas_machine() {
    let folder = tempfile::tempdir().unwrap();
    let qemu = pretended(folder.path());
    let good = fixture("good.qcow2");
    let line = |args: &[&str]| {
        let common = ["--accel", "tcg", "--print-command", "--qemu", qemu.to_str().unwrap(), good.to_str().unwrap()];
        let run = boot(&[&common[..], args].concat());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
        run.stdout
    };
    let before = std::fs::metadata(&good).unwrap().modified().unwrap();
    for (args, there, absent) in [
        (
            &[][..],
            &["-machine pc,", "virtio-scsi-pci", "i6300esb", "-watchdog-action reset", "org.qemu.guest_agent.0"][..],
            &["virtio-blk-pci", "q35"][..],
        ),
        (&["--bus", "virtio"], &["virtio-blk-pci"], &["virtio-scsi-pci"]),
        (&["--machine", "q35"], &["-machine q35,", "pcie-root-port"], &["-machine pc"]),
        (&["--vcpus", "4", "--ram", "2048"], &["-smp 4,", "size=2097152k"], &[]),
        (&["--property", "hw_watchdog_action=pause"], &["-watchdog-action pause"], &[]),
        (&["--property", "hw_watchdog_action", "--property", "hw_qemu_guest_agent"], &[], &["i6300esb", "guest_agent"]),
    ] {
        let line = line(args);
        assert!(there.iter().all(|word| line.contains(word)), "{args:?}: {line}");
        assert!(!absent.iter().any(|word| line.contains(word)), "{args:?}: {line}");
    }
    assert_eq!(std::fs::metadata(&good).unwrap().modified().unwrap(), before, "the image is not touched");
}

#[test]
fn every_proof_is_in_the_documents() {
    let page = std::fs::read_to_string("docs/proofs.md").unwrap();
    for proof in PROOFS {
        assert!(page.contains(&format!("`{}`", proof.id)), "{}", proof.id);
    }
}
