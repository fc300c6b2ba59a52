//! Who feeds the watchdog and where its driver is: what the checks say of a disk, and what its guest does.

use crate::boot_machine::{boot, proof, raw};
use crate::variants::Disk;
use serde_json::json;
use std::path::Path;

/// A disk whose feeders and driver were changed.
struct Row {
    name: &'static str,
    image: &'static str,
    /// What is done to the image, which feeds by its daemon and has the driver in the root tree.
    edits: &'static [fn(&Disk)],
    /// The machine, where it is not Nova's default.
    machine: &'static [&'static str],
    /// What does not pass of [`CHECKS`].
    checks: &'static [(&'static str, &'static str)],
    /// The guest has the device.
    has_device: bool,
    /// It fires, and who has fed it; or why it cannot.
    fires: Result<&'static str, &'static str>,
}

/// The checks of the watchdog.
const CHECKS: &[&str] =
    &["watchdog-installed", "watchdog-driver", "watchdog-loadable", "watchdog-armed", "watchdog-single-owner"];

const fn row(name: &'static str, edits: &'static [fn(&Disk)], fires: Result<&'static str, &'static str>) -> Row {
    Row { name, image: "debian12-generic", edits, machine: &[], checks: &[], has_device: true, fires }
}

impl Row {
    const fn checks(self, checks: &'static [(&'static str, &'static str)]) -> Self {
        Self { checks, ..self }
    }

    const fn without_device(self) -> Self {
        Self { has_device: false, ..self }
    }

    const fn of(self, image: &'static str) -> Self {
        Self { image, ..self }
    }

    const fn on(self, machine: &'static [&'static str]) -> Self {
        Self { machine, ..self }
    }
}

const CONFIG: &str = "/etc/watchdog.conf";
const DEFAULTS: &str = "/etc/default/watchdog";
const LINK: &str = "/etc/systemd/system/default.target.wants/watchdog.service";

/// Debian's configuration with its device, and less time than a minute.
fn daemon(disk: &Disk) {
    disk.append(CONFIG, "watchdog-timeout = 20\n");
}

/// The configuration as Debian's package brings it.
fn unarmed(disk: &Disk) {
    disk.replace(CONFIG, "\nwatchdog-device", "\n#watchdog-device");
}

fn disabled(disk: &Disk) {
    disk.remove(LINK);
}

fn systemd(disk: &Disk) {
    manager(disk, "RuntimeWatchdogSec=20");
}

fn manager(disk: &Disk, lines: &str) {
    disk.mkdir("/etc/systemd/system.conf.d");
    disk.create("/etc/systemd/system.conf.d/watchdog.conf", format!("[Manager]\n{lines}\n"));
}

fn blacklisted(disk: &Disk) {
    disk.create("/etc/modprobe.d/watchdog.conf", "blacklist i6300esb\n");
}

/// The daemon's unit loads it by name.
fn named(disk: &Disk) {
    disk.replace(DEFAULTS, "watchdog_module=\"none\"", "watchdog_module=\"i6300esb\"");
}

/// As `update-initramfs` does it for a line of /etc/initramfs-tools/modules.
fn in_initrd(disk: &Disk) {
    add(disk, &["i6300esb", "watchdog"]);
}

/// Without the module that it needs: the initrd cannot load it.
fn half_in_initrd(disk: &Disk) {
    add(disk, &["i6300esb"]);
}

fn add(disk: &Disk, modules: &[&str]) {
    let path = |module: &&str| format!("usr/lib/modules/{}/kernel/drivers/watchdog/{module}.ko", disk.release());
    let files: Vec<_> = modules.iter().map(path).map(|name| (disk.read(&format!("/{name}")), name)).collect();
    disk.repack("zstd -qc", |tree| {
        for (bytes, name) in &files {
            std::fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
            std::fs::write(tree.join(name), bytes).unwrap();
        }
        let list = tree.join("conf/modules");
        let before = std::fs::read_to_string(&list).unwrap_or_default();
        std::fs::write(list, before + "i6300esb\n").unwrap();
        depmod(tree, disk.release());
    });
}

fn depmod(tree: &Path, release: &str) {
    crate::common::tool("depmod", ["-b", tree.join("usr").to_str().unwrap(), release]);
}

const IDLE: Result<&str, &str> = Err("/dev/watchdog0 is inactive: nothing feeds it");
const NONE: Result<&str, &str> = Err("no watchdog is i6300ESB timer");
const BY_DAEMON: Result<&str, &str> = Ok("fed by watchdog;");
const BY_SYSTEMD: Result<&str, &str> = Ok("fed by systemd;");

const LOADABLE: (&str, &str) = ("watchdog-loadable", "fail");
const ARMED: (&str, &str) = ("watchdog-armed", "fail");
const OWNERS: (&str, &str) = ("watchdog-single-owner", "fail");
const NOBODY: (&str, &str) = ("watchdog-single-owner", "n/a");

/// Who feeds × where the driver is.
const MATRIX: &[Row] = &[
    row("daemon, root tree", &[], BY_DAEMON),
    row("daemon, initrd", &[daemon, in_initrd], BY_DAEMON),
    row("daemon, blacklisted", &[daemon, blacklisted], NONE).checks(&[LOADABLE]).without_device(),
    row("systemd, root tree", &[disabled, systemd], BY_SYSTEMD),
    row("systemd, initrd", &[disabled, systemd, in_initrd], BY_SYSTEMD),
    row("systemd, blacklisted", &[disabled, systemd, blacklisted], NONE).checks(&[LOADABLE]).without_device(),
    row("both, root tree", &[daemon, systemd], BY_SYSTEMD).checks(&[OWNERS]),
    row("both, initrd", &[daemon, systemd, in_initrd], BY_SYSTEMD).checks(&[OWNERS]),
    row("both, blacklisted", &[daemon, systemd, blacklisted], NONE).checks(&[LOADABLE, OWNERS]).without_device(),
    row("none, root tree", &[unarmed], IDLE).checks(&[ARMED, NOBODY]),
    row("none, initrd", &[unarmed, in_initrd], IDLE).checks(&[ARMED, NOBODY]),
    row("none, blacklisted", &[unarmed, blacklisted], NONE).checks(&[LOADABLE, ARMED, NOBODY]).without_device(),
];

/// Started by hand, for its unit has no `[Install]`.
fn keepalive(disk: &Disk) {
    disk.link(
        "/etc/systemd/system/multi-user.target.wants/wd_keepalive.service",
        "/usr/lib/systemd/system/wd_keepalive.service",
    );
}

fn second_device(disk: &Disk) {
    manager(disk, "RuntimeWatchdogSec=20\nWatchdogDevice=/dev/watchdog1");
}

fn reboot_only(disk: &Disk) {
    manager(disk, "RebootWatchdogSec=20");
}

fn not_run(disk: &Disk) {
    disk.replace(DEFAULTS, "run_watchdog=1", "run_watchdog=0");
}

fn impossible(disk: &Disk) {
    disk.append(CONFIG, "max-load-1 = 1\n");
}

const BY_KEEPALIVE: Result<&str, &str> = Ok("fed by wd_keepalive;");

/// What else is met in images.
const OTHERS: &[Row] = &[
    row("the service disabled", &[disabled], IDLE).checks(&[ARMED, NOBODY]),
    row("systemd, for the reboot alone", &[disabled, reboot_only], IDLE).checks(&[ARMED, NOBODY]),
    row("systemd, of a second device", &[disabled, second_device], IDLE).checks(&[ARMED]),
    row("wd_keepalive alone", &[disabled, keepalive], BY_KEEPALIVE),
    row("run_watchdog=0", &[not_run], BY_KEEPALIVE),
    row("a limit that ends the daemon", &[impossible], BY_KEEPALIVE),
    row("blacklisted, named", &[daemon, blacklisted, named], BY_DAEMON),
    row("blacklisted, named, disabled, systemd", &[disabled, systemd, blacklisted, named], NONE)
        .checks(&[LOADABLE])
        .without_device(),
    // The initrd has its file, and not what that needs.
    row("blacklisted, half of it in the initrd", &[daemon, blacklisted, half_in_initrd], NONE)
        .checks(&[LOADABLE])
        .without_device(),
    row("q35, systemd", &[disabled, systemd], BY_SYSTEMD).on(&["--machine", "q35"]),
    row("Debian 13, systemd", &[disabled, systemd], BY_SYSTEMD).of("debian13"),
];

fn run(rows: &[Row]) {
    let mut wrong = Vec::new();
    for row in rows {
        let folder = tempfile::tempdir().unwrap();
        let (whole, facts) = raw(row.image, folder.path());
        let disk = Disk::copy(&whole, &facts, folder.path());
        row.edits.iter().for_each(|edit| edit(&disk));
        for found in judge(row, &disk) {
            wrong.push(format!("{}: {found}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const ARGS: &[&str] = &[
    "--vcpus",
    "1",
    "--property",
    "hw_watchdog_action=reset",
    "--proof",
    "boots-to-login",
    "--proof",
    "watchdog-identity",
    "--proof",
    "watchdog-fires",
];

/// What is not as it is said.
fn judge(row: &Row, disk: &Disk) -> Vec<String> {
    let mut wrong = Vec::new();
    let report = disk.check();
    for check in report["checks"].as_array().unwrap() {
        let (id, verdict) = (check["id"].as_str().unwrap(), check["verdict"].as_str().unwrap());
        let expected = row.checks.iter().find(|(known, _)| *known == id).map_or("pass", |(_, verdict)| verdict);
        if CHECKS.contains(&id) && verdict != expected {
            wrong.push(format!("{id} is {verdict}, not {expected}: {check}"));
        }
    }
    let report = boot(&disk.path, &[ARGS, row.machine].concat());
    let fires = row.fires.map_or_else(|reason| ("disproved", reason), |how| ("proved", how));
    let identity = if row.has_device { ("proved", "is i6300ESB timer") } else { ("disproved", "expected i6300ESB") };
    for (id, (word, told)) in
        [("boots-to-login", ("proved", "")), ("watchdog-identity", identity), ("watchdog-fires", fires)]
    {
        let proof = proof(&report, id);
        if proof["standing"] != word || !proof["evidence"].as_str().unwrap().contains(told) {
            wrong.push(format!("{id} is not {word} by {told:?}: {proof}"));
        }
    }
    if report["disagreements"] != json!([]) {
        wrong.push(report["disagreements"].to_string());
    }
    if report["result"] != if row.fires.is_ok() { "fit" } else { "unfit" } {
        wrong.push(report["result"].to_string());
    }
    wrong
}

#[test]
fn who_feeds_it_and_where_its_driver_is() {
    run(MATRIX);
}

#[test]
fn what_else_is_met() {
    run(OTHERS);
}
