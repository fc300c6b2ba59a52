//! Images that boot and do not keep one of their promises: the check says so, and exactly its proof is disproved.

use crate::boot_machine::{boot, raw};
use crate::variants::Disk;
use serde_json::{Value, json};

/// A disk with one or two things broken that do not touch each other.
struct Row {
    name: &'static str,
    image: &'static str,
    edits: &'static [fn(&Disk)],
    /// Properties that the image no longer earns.
    properties: &'static [&'static str],
    /// The proof, the check that says the same, and words of the evidence.
    broken: &'static [(&'static str, &'static str, &'static str)],
    /// Proofs that are made besides, and hold.
    sound: &'static [&'static str],
}

const AGENT: &str = "hw_qemu_guest_agent=yes";

fn mask(disk: &Disk, unit: &str) {
    disk.link(&format!("/etc/systemd/system/{unit}"), "/dev/null");
}

fn masked_agent(disk: &Disk) {
    mask(disk, "qemu-guest-agent.service");
}

fn no_discard(disk: &Disk) {
    disk.replace("/etc/fstab", "discard,", "");
    mask(disk, "fstrim.timer");
}

/// As qemu-ga 7.2 calls it.
fn blocked_by_configuration(disk: &Disk) {
    disk.create("/etc/qemu/qemu-ga.conf", "[general]\nblacklist=guest-set-user-password,guest-fsfreeze-freeze\n");
}

fn blocked_by_options(disk: &Disk) {
    let folder = "/etc/systemd/system/qemu-guest-agent.service.d";
    disk.mkdir(folder);
    let command = "-/usr/sbin/qemu-ga --block-rpcs=guest-set-user-password,guest-fsfreeze-freeze";
    disk.create(&format!("{folder}/blocked.conf"), format!("[Service]\nExecStart=\nExecStart={command}\n"));
}

fn no_sshd(disk: &Disk) {
    // cloud-init.service wants it, too.
    mask(disk, "ssh.service");
}

fn no_serial_console(disk: &Disk) {
    disk.replace("/boot/grub/grub.cfg", " console=ttyS0,115200", "");
}

fn no_datasource(disk: &Disk) {
    disk.create("/etc/cloud/cloud.cfg.d/99_none.cfg", "datasource_list: [ NoCloud, None ]\n");
}

fn machine_id(disk: &Disk) {
    disk.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
}

/// That cloud-init leaves, too.
fn host_keys(disk: &Disk) {
    disk.create("/etc/cloud/cloud.cfg.d/99_keys.cfg", "ssh_deletekeys: false\n");
    disk.create("/etc/ssh/ssh_host_ed25519_key", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    disk.create("/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA root@image\n");
}

fn unarmed(disk: &Disk) {
    disk.replace("/etc/watchdog.conf", "\nwatchdog-device", "\n#watchdog-device");
}

const ROWS: &[Row] = &[
    Row {
        name: "a masked agent, nothing discards",
        image: "debian12-generic",
        edits: &[masked_agent, no_discard],
        properties: &[AGENT],
        broken: &[
            ("agent-answers", "agent-started", "no program opened the agent's port"),
            ("trim-frees-blocks", "trim-enabled", "/ is mounted without discard and fstrim.timer is not active"),
        ],
        sound: &["root-on-bus", "serial-console", "ssh-answers"],
    },
    Row {
        name: "calls blocked by the agent's configuration, no sshd",
        image: "debian12-generic",
        edits: &[blocked_by_configuration, no_sshd],
        properties: &[AGENT],
        broken: &[
            ("ssh-answers", "sshd-enabled", "nothing listens on port 22"),
            ("agent-freeze-thaw", "agent-freeze-allowed", "guest-fsfreeze-freeze"),
            ("set-password", "agent-password-allowed", "guest-set-user-password"),
        ],
        sound: &["agent-answers", "agent-os", "trim-frees-blocks"],
    },
    Row {
        name: "calls blocked by the unit, no serial console",
        image: "debian13",
        edits: &[blocked_by_options, no_serial_console],
        properties: &[AGENT],
        broken: &[
            ("serial-console", "console-serial", "neither the kernel nor a login"),
            ("agent-freeze-thaw", "agent-freeze-allowed", "guest-fsfreeze-freeze"),
            ("set-password", "agent-password-allowed", "guest-set-user-password"),
        ],
        sound: &["agent-answers", "cloud-init-done", "trim-frees-blocks"],
    },
    Row {
        name: "no data source, the image's own machine-id",
        image: "debian12-generic",
        edits: &[no_datasource, machine_id],
        properties: &[],
        broken: &[
            ("cloud-init-done", "cloud-init-datasource", "expected DataSourceConfigDrive"),
            ("second-boot", "machine-id-reset", "the machine-id is the image's own"),
        ],
        sound: &["agent-answers", "shutdown-clean"],
    },
    Row {
        name: "the image's own host keys, nothing feeds the watchdog",
        image: "debian13",
        edits: &[host_keys, unarmed],
        properties: &["hw_watchdog_action=reset"],
        broken: &[
            ("second-boot", "ssh-hostkeys-absent", "is older than the first start"),
            ("watchdog-fires", "watchdog-armed", "nothing feeds it"),
        ],
        sound: &["watchdog-identity", "shutdown-clean"],
    },
];

#[test]
fn what_is_broken_is_disproved_and_nothing_else() {
    let wanted = std::env::var("ROW").unwrap_or_default();
    let mut wrong = Vec::new();
    for row in ROWS.iter().filter(|row| row.name.contains(&wanted)) {
        let folder = tempfile::tempdir().unwrap();
        let (whole, facts) = raw(row.image, folder.path());
        let disk = Disk::copy(&whole, &facts, folder.path());
        row.edits.iter().for_each(|edit| edit(&disk));
        wrong.extend(judge(row, &disk).into_iter().map(|found| format!("{}: {found}", row.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not as it is said.
fn judge(row: &Row, disk: &Disk) -> Vec<String> {
    let mut wrong = Vec::new();
    let broken = row.broken.iter().map(|(proof, ..)| *proof);
    let mut args = vec!["--vcpus", "1", "--proof", "boots-to-login"];
    args.extend(row.sound.iter().copied().chain(broken).flat_map(|id| ["--proof", id]));
    args.extend(row.properties.iter().flat_map(|property| ["--property", property]));
    let report = boot(&disk.path, &args);
    for proof in report["proofs"].as_array().unwrap() {
        let expected = row.broken.iter().find(|(id, ..)| proof["id"] == *id);
        let Some((_, check, told)) = expected else {
            if proof["standing"] != "proved" {
                wrong.push(format!("not proved: {proof}"));
            }
            continue;
        };
        if proof["standing"] != "disproved" || !proof["evidence"].as_str().unwrap().contains(told) {
            wrong.push(format!("not disproved by {told:?}: {proof}"));
        }
        let of = |verdict: &str| {
            let rows = proof["decides"].as_array().unwrap().iter().filter(|row| row["verdict"] == verdict);
            rows.map(|row| row["check"].clone()).collect::<Vec<Value>>()
        };
        if of("fail") != [json!(check)] {
            wrong.push(format!("{:?} fail, not {check} alone: {proof}", of("fail")));
        }
    }
    if report["disagreements"] != json!([]) || report["result"] != "unfit" {
        wrong.push(format!("{}, {}", report["result"], report["disagreements"]));
    }
    wrong
}
