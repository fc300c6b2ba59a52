//! Disks that cannot boot: each is disproved by the line that its guest writes, at the line and not at the timeout.

use crate::boot_machine::{boot, proof, raw};
use crate::variants::{Disk, remove_named};
use serde_json::Value;

struct Row {
    name: &'static str,
    image: &'static str,
    bus: &'static str,
    edit: fn(&Disk),
    /// The line of the console that the proof quotes.
    line: &'static str,
    /// What it tells of besides: what explained it before.
    signs: &'static [&'static str],
    /// What a check says of it without a boot.
    check: (&'static str, &'static str),
}

const NO_ROOT: &str = "00000000-dead-4000-8000-000000000000";

/// Puts another root= in every boot entry.
fn wrong_root(disk: &Disk) {
    disk.replace("/boot/grub/grub.cfg", &format!("root=UUID={}", disk.uuid()), &format!("root=UUID={NO_ROOT}"));
}

const ROWS: &[Row] = &[
    Row {
        name: "no boot code",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.poke(510, 0),
        line: "No bootable device.",
        signs: &[],
        check: ("boot-entry-resolves", "fail"),
    },
    Row {
        name: "GRUB without its modules",
        image: "debian12",
        bus: "virtio",
        edit: |disk| disk.remove("/boot/grub/i386-pc/normal.mod"),
        line: "grub rescue>",
        signs: &["normal.mod"],
        check: ("boot-entry-resolves", "fail"),
    },
    Row {
        name: "GRUB without a menu",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.remove("/boot/grub/grub.cfg"),
        line: "Minimal BASH-like line editing is supported.",
        signs: &[],
        check: ("boot-entry-resolves", "unknown"),
    },
    Row {
        name: "an empty initrd",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.write(&disk.initrd(), ""),
        line: "Unable to mount root fs on unknown-block(0,0)",
        signs: &[],
        check: ("initrd-virtio-scsi", "fail"),
    },
    Row {
        name: "no virtio_scsi in the initrd",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.repack("zstd -qc", |tree| remove_named(tree, "virtio_scsi")),
        line: "does not exist.  Dropping to a shell!",
        signs: &["Gave up waiting for root file system device"],
        check: ("initrd-virtio-scsi", "fail"),
    },
    Row {
        name: "a driver that the command line forbids",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.replace("/boot/grub/grub.cfg", " ro ", " ro module_blacklist=virtio_scsi "),
        line: "does not exist.  Dropping to a shell!",
        signs: &["Gave up waiting for root file system device"],
        check: ("initrd-virtio-scsi", "fail"),
    },
    Row {
        name: "a root= that is not there",
        image: "debian12",
        bus: "virtio",
        edit: wrong_root,
        line: "ALERT!  UUID=00000000-dead-4000-8000-000000000000 does not exist.  Dropping to a shell!",
        signs: &["Gave up waiting for root file system device"],
        check: ("cmdline-root-resolves", "fail"),
    },
    Row {
        name: "fstab by the bus's name",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.append("/etc/fstab", "/dev/vda1 /srv ext4 defaults 0 2\n"),
        line: "You are in emergency mode",
        signs: &["dev-vda1"],
        check: ("fstab-stable-ids", "fail"),
    },
    Row {
        name: "no virtio_scsi in dracut's initrd",
        image: "debian12-dracut",
        bus: "scsi",
        edit: |disk| disk.repack("gzip -c", |tree| remove_named(tree, "virtio_scsi")),
        line: "dracut-initqueue: starting timeout scripts",
        signs: &[],
        check: ("initrd-virtio-scsi", "fail"),
    },
];

/// Disproved by a guest whose root does not come; nothing else is looked at.
const AT_START: &[&str] = &["boots-to-login", "root-on-bus"];

#[test]
fn what_cannot_boot_is_disproved_by_its_line() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let folder = tempfile::tempdir().unwrap();
        let (whole, facts) = raw(row.image, folder.path());
        let disk = Disk::copy(&whole, &facts, folder.path());
        (row.edit)(&disk);
        wrong.extend(judge(row, &disk).into_iter().map(|found| format!("{}: {found}", row.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not as the row says.
fn judge(row: &Row, disk: &Disk) -> Vec<String> {
    let report = boot(&disk.path, &["--bus", row.bus, "--without-proof", "second-boot"]);
    let mut wrong = Vec::new();
    let found = proof(&report, "boots-to-login");
    let evidence = found["evidence"].as_str().unwrap();
    if found["standing"] != "disproved" || !evidence.contains(row.line) {
        wrong.push(format!("{} by {evidence}", found["standing"]));
    }
    wrong.extend(
        row.signs.iter().filter(|sign| !evidence.contains(**sign)).map(|sign| format!("no {sign} in {evidence}")),
    );
    let says = |check: &Value| check["check"] == row.check.0 && check["verdict"] == row.check.1;
    if !found["decides"].as_array().unwrap().iter().any(says) {
        wrong.push(format!("not {:?}: {}", row.check, found["decides"]));
    }
    let all = report["proofs"].as_array().unwrap();
    let others =
        all.iter().filter(|row| !AT_START.contains(&row["id"].as_str().unwrap()) && row["standing"] == "disproved");
    wrong.extend(others.map(|row| format!("{} is disproved too: {}", row["id"], row["evidence"])));
    if report["disagreements"] != Value::Array(Vec::new()) {
        wrong.push(format!("{}", report["disagreements"]));
    }
    wrong
}
