//! Disks that cannot boot: each is disproved by the line that its guest writes, at the line and not at the timeout.

use crate::boot_machine::{Started, raw};
use crate::variants::{Disk, remove_named};
use bootworthy::boot::console::{Console, Phase};
use std::path::Path;
use std::time::Duration;

struct Row {
    name: &'static str,
    image: &'static str,
    bus: &'static str,
    edit: fn(&Disk),
    /// The first failure's mark, and what its line says.
    failure: (&'static str, &'static str),
    /// Marks that have explained it before.
    signs: &'static [&'static str],
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
        failure: ("firmware-no-device", "No bootable device."),
        signs: &["firmware-no-boot-code"],
    },
    Row {
        name: "GRUB without its modules",
        image: "debian12",
        bus: "virtio",
        edit: |disk| disk.remove("/boot/grub/i386-pc/normal.mod"),
        failure: ("grub-rescue", "grub rescue>"),
        signs: &["grub-error"],
    },
    Row {
        name: "GRUB without a menu",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.remove("/boot/grub/grub.cfg"),
        failure: ("grub-minimal", "Minimal BASH-like line editing is supported."),
        signs: &[],
    },
    Row {
        name: "an empty initrd",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.write(&disk.initrd(), ""),
        failure: ("root-unmountable", "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"),
        signs: &[],
    },
    Row {
        name: "no virtio_scsi in the initrd",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.repack("zstd -qc", |tree| remove_named(tree, "virtio_scsi")),
        failure: ("root-missing", "does not exist.  Dropping to a shell!"),
        signs: &["initramfs-waits", "root-given-up"],
    },
    Row {
        name: "a driver that the command line forbids",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.replace("/boot/grub/grub.cfg", " ro ", " ro module_blacklist=virtio_scsi "),
        failure: ("root-missing", "does not exist.  Dropping to a shell!"),
        signs: &["initramfs-waits", "root-given-up"],
    },
    Row {
        name: "a root= that is not there",
        image: "debian12",
        bus: "virtio",
        edit: wrong_root,
        failure: (
            "root-missing",
            "ALERT!  UUID=00000000-dead-4000-8000-000000000000 does not exist.  Dropping to a shell!",
        ),
        signs: &["initramfs-waits", "root-given-up"],
    },
    Row {
        name: "fstab by the bus's name",
        image: "debian12",
        bus: "scsi",
        edit: |disk| disk.append("/etc/fstab", "/dev/vda1 /srv ext4 defaults 0 2\n"),
        failure: ("emergency-mode", "You are in emergency mode"),
        signs: &["device-by-bus-name"],
    },
    Row {
        name: "no virtio_scsi in dracut's initrd",
        image: "debian12-dracut",
        bus: "scsi",
        edit: |disk| disk.repack("gzip -c", |tree| remove_named(tree, "virtio_scsi")),
        failure: ("dracut-gave-up", "dracut-initqueue: starting timeout scripts"),
        signs: &["no-disk", "dracut-waits"],
    },
];

/// Until a mark must have come: dracut waits for three minutes, the translator makes four of it.
const PATIENCE: Duration = Duration::from_mins(8);

#[test]
fn what_cannot_boot_is_disproved_by_its_line() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let folder = tempfile::tempdir().unwrap();
        let (whole, facts) = raw(row.image, folder.path());
        let disk = Disk::copy(&whole, &facts, folder.path());
        (row.edit)(&disk);
        if let Err(found) = judge(row, &disk.path) {
            wrong.push(format!("{}: {found}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judge(row: &Row, disk: &Path) -> Result<(), String> {
    let mut started = Started::boot(disk, &[("hw_disk_bus", row.bus), ("hw_scsi_model", "virtio-scsi")], None);
    let time = started.watch(PATIENCE, |console| console.failure().is_some() || console.phase() == Some(Phase::Login));
    let console = &started.console;
    let told = console.hits().iter().map(|hit| format!("{:.1} {} {}", hit.at.as_secs_f64(), hit.mark.id, hit.line));
    println!("{}, {:.1} s:\n  {}", row.name, time.as_secs_f64(), told.collect::<Vec<_>>().join("\n  "));
    let failure = console.failure().ok_or_else(|| format!("no failure: {:?}", last(console)))?;
    let (mark, line) = row.failure;
    if failure.mark.id != mark || !failure.line.contains(line) {
        return Err(format!("{} by {:?}", failure.mark.id, failure.line));
    }
    let missing = row.signs.iter().find(|sign| !console.signs().any(|hit| hit.mark.id == **sign));
    missing.map_or(Ok(()), |sign| Err(format!("no {sign}")))
}

fn last(console: &Console) -> Vec<&str> {
    console.tail().collect()
}
