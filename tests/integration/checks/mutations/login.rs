//! The checks of login and hygiene.

use super::{CMDLINE, evidence};
use crate::checks::{at, judge, saved};
use bootworthy::verdict::Word::{self, Fail, NotApplicable, Pass, Unknown};
use serde_json::{Value, json};

pub(super) type Change = fn(&mut Value);

/// The healthy facts with one change: the verdict, and a part of `path: found` of its first evidence.
pub(super) fn rows(id: &str, rows: &[(Change, Word, &str)]) {
    for (index, (change, word, part)) in rows.iter().enumerate() {
        let mut value = saved("healthy");
        change(&mut value);
        let judgement = judge(&value, id);
        let evidence = evidence(&judgement);
        let text = format!("{}: {}", evidence.path.unwrap_or_default(), evidence.found);
        assert_eq!(judgement.verdict.word(), *word, "{id}, row {index}: {judgement:#?}");
        assert!(text.contains(part), "{id}, row {index}: {part:?} is not in {text:?}");
    }
}

pub(super) fn add(value: &mut Value, list: &str, item: Value) {
    at(value, list).as_array_mut().unwrap().push(item);
}

pub(super) fn file(value: &mut Value, path: &str) {
    add(value, "/files", json!({"path": path, "kind": "file", "is_executable": true}));
}

pub(super) fn without(value: &mut Value, part: &str) {
    at(value, "/files").as_array_mut().unwrap().retain(|file| !file["path"].as_str().unwrap().contains(part));
}

pub(super) fn unit<'a>(value: &'a mut Value, name: &str) -> &'a mut Value {
    let units = at(value, "/units").as_array_mut().unwrap();
    units.iter_mut().find(|unit| unit["name"] == name).unwrap()
}

pub(super) fn mask(value: &mut Value, name: &str) {
    let unit = unit(value, name);
    unit["state"] = json!("masked");
    unit["starts"] = json!([]);
}

pub(super) fn disable(value: &mut Value, name: &str) {
    let unit = unit(value, name);
    unit["state"] = json!("disabled");
    unit["starts"] = json!([]);
}

/// A list with a gap.
pub(super) fn gap(value: &mut Value, pointer: &str) {
    let items = at(value, pointer).take();
    *at(value, pointer) = json!({"items": items, "gaps": [{"reason": "cut short"}]});
}

pub(super) fn set(value: &mut Value, key: &str, new: Value) {
    *at(value, &format!("/cloud_init/{key}")) = new;
}

#[test]
fn console_serial() {
    let cmdline = |value: &mut Value, text: &str| *at(value, CMDLINE) = json!(text);
    for (text, word, part) in [
        ("ro console=tty0 console=ttyS0,115200", Pass, "/dev/console is ttyS0"),
        ("ro console=ttyS0 console=tty0", Pass, "/dev/console is tty0"),
        ("ro", Fail, "has no console="),
        ("ro console=tty0", Fail, "consoles are tty0"),
        ("ro console=ttyS1,9600", Fail, "consoles are ttyS1"),
        ("ro console=ttyAMA0", Fail, "consoles are ttyAMA0"),
        ("ro earlyprintk=ttyS0", Fail, "has no console="),
        ("ro -- console=ttyS0", Fail, "has no console="),
    ] {
        let mut value = saved("healthy");
        cmdline(&mut value, text);
        let judgement = judge(&value, "console-serial");
        assert_eq!(judgement.verdict.word(), word, "{text}: {judgement:?}");
        assert!(evidence(&judgement).found.contains(part), "{text}: {judgement:?}");
    }
    rows(
        "console-serial",
        &[
            (|v| *at(v, "/kernels/0/architecture") = json!("aarch64"), Fail, "consoles are"),
            (|v| *at(v, "/kernels/0/architecture") = json!("loongarch64"), Unknown, "not known to this version"),
            (|v| *at(v, "/boot_entries/0/is_default") = json!(false), Unknown, "no boot entry is the default"),
            (|v| *at(v, "/boot_entries") = json!([]), Unknown, "no boot entry is the default"),
        ],
    );
    let mut value = saved("two-kernels");
    *at(&mut value, "/boot_entries/2/attempts/0/cmdline") = json!("ro");
    assert_eq!(judge(&value, "console-serial").verdict.word(), Pass, "another entry than the default");
}

#[test]
fn sshd_enabled() {
    rows(
        "sshd-enabled",
        &[
            (|_| (), Pass, "ssh.service is started by multi-user.target"),
            (|v| mask(v, "ssh.service"), Fail, "ssh.service is masked"),
            (|v| disable(v, "ssh.service"), Fail, "ssh.service is disabled"),
            (|v| without(v, "sshd"), Fail, "sshd is not installed"),
            (|v| file(v, "/etc/ssh/sshd_not_to_be_run"), Fail, "sshd_not_to_be_run: this file keeps"),
            (|v| *at(v, "/units") = json!([]), Fail, "/usr/sbin/sshd: there is no unit"),
            (|v| *at(v, "/units") = json!({"unknown": "x"}), Unknown, "x"),
            (|v| gap(v, "/files"), Unknown, "cut short"),
            (
                |v| {
                    *at(v, "/units") = json!({"unknown": "no systemd"});
                    file(v, "/etc/runlevels/default/sshd");
                },
                Pass,
                "/etc/runlevels/default/sshd",
            ),
            (
                |v| {
                    without(v, "sshd");
                    file(v, "/usr/sbin/dropbear");
                    file(v, "/etc/rc3.d/S50dropbear");
                },
                Pass,
                "/etc/rc3.d/S50dropbear",
            ),
            (|v| *at(v, "/files/3/is_executable") = json!(false), Fail, "sshd is not installed"),
        ],
    );
}

/// The root's row without `x-systemd.growfs`.
fn plain(value: &mut Value) {
    *at(value, "/fstab/0/options") = json!(["defaults"]);
}

#[test]
fn growpart_available() {
    rows(
        "growpart-available",
        &[
            (|_| (), Pass, "the root, partition 1, is the last"),
            (
                |v| {
                    *at(v, "/files") = json!([]);
                    file(v, "/etc/runlevels/boot/tiny-cloud-boot");
                },
                Pass,
                "the root, partition 1",
            ),
            (|v| without(v, "resize2fs"), Pass, "the root, partition 1"),
            (|v| without(v, "growpart"), Fail, "growpart is not installed"),
            (
                |v| {
                    plain(v);
                    without(v, "resize2fs");
                },
                Fail,
                "resize2fs, which grows ext4",
            ),
            (
                |v| {
                    plain(v);
                    *at(v, "/volumes/0/filesystem/kind") = json!("xfs");
                },
                Fail,
                "xfs_growfs, which grows xfs",
            ),
            (|v| *at(v, "/volumes/0/filesystem/kind") = json!("f2fs"), Unknown, "a root of f2fs"),
            (|v| *at(v, "/volumes/2/start") = json!(1_u64 << 40), Fail, "partition 15 stands behind the root"),
            (|v| set(v, "growpart", json!("off")), Fail, "mode: off keeps"),
            (|v| set(v, "growpart_devices", json!(["/data"])), Fail, "devices: /data"),
            (
                |v| {
                    plain(v);
                    set(v, "resizes_root", json!(false));
                },
                Fail,
                "resize_rootfs keeps",
            ),
            (|v| set(v, "modules", json!(["resizefs"])), Fail, "module growpart is in none"),
            (
                |v| {
                    plain(v);
                    set(v, "modules", json!(["growpart"]));
                },
                Fail,
                "module resizefs is in none",
            ),
            (|v| file(v, "/etc/growroot-disabled"), Fail, "/etc/growroot-disabled: this file"),
            (|v| file(v, "/etc/cloud/cloud-init.disabled"), Fail, "does not run: this file keeps"),
            (|v| gap(v, "/volumes"), Unknown, "cut short"),
            (|v| *at(v, "/root/volume") = Value::Null, NotApplicable, "directory"),
            (|v| *at(v, "/partition_table") = Value::Null, Pass, "resize2fs"),
            (
                |v| {
                    *at(v, "/partition_table") = Value::Null;
                    without(v, "growpart");
                },
                Pass,
                "resize2fs",
            ),
            (
                |v| {
                    *at(v, "/fstab/0/options") = json!(["x-systemd.growfs"]);
                    without(v, "bin/cloud-init");
                    file(v, "/usr/share/initramfs-tools/hooks/growroot");
                },
                Pass,
                "the root, partition 1",
            ),
            (
                |v| {
                    without(v, "growpart");
                    file(v, "/usr/lib/repart.d/50-root.conf");
                },
                Unknown,
                "50-root.conf: whether this definition",
            ),
            (
                |v| {
                    *at(v, "/partition_table/scheme") = json!("dos");
                    *at(v, "/volumes/0/number") = json!(5);
                    *at(v, "/root/volume") = json!(5);
                },
                Fail,
                "a logical one",
            ),
        ],
    );
}

#[test]
fn machine_id_reset() {
    rows(
        "machine-id-reset",
        &[
            (|_| (), Pass, "/etc/machine-id: it is empty"),
            (|v| *at(v, "/machine_ids/0/state") = json!("id"), Fail, "/etc/machine-id: it holds a machine id"),
            (|v| *at(v, "/machine_ids/0/state") = json!("other"), Fail, "neither a machine id nor"),
            (|v| *at(v, "/machine_ids/0/state") = json!("absent"), Pass, "there is none"),
            (|v| *at(v, "/machine_ids/0/state") = json!("uninitialized"), Pass, "uninitialized"),
            (|v| *at(v, "/machine_ids/0/state") = json!("new word"), Unknown, "new word is not known"),
            (|v| *at(v, "/machine_ids/1/state") = json!("id"), Fail, "/var/lib/dbus/machine-id: it holds"),
            (|v| *at(v, "/machine_ids/1/state") = json!("link"), Pass, ""),
            (|v| *at(v, "/machine_ids/1/state") = json!({"unknown": "x"}), Unknown, "x"),
            (|v| *at(v, "/machine_ids") = json!([]), Unknown, "nothing was found"),
        ],
    );
}

#[test]
fn ssh_hostkeys_absent() {
    const KEY: &str = "/etc/ssh/ssh_host_rsa_key";
    rows(
        "ssh-hostkeys-absent",
        &[
            (|_| (), Pass, "no private host key"),
            (|v| add(v, "/host_keys", json!(KEY)), Fail, "cloud-init replaces it"),
            (
                |v| {
                    add(v, "/host_keys", json!(KEY));
                    set(v, "deletes_host_keys", json!(false));
                },
                Fail,
                "that every instance will use",
            ),
            (
                |v| {
                    add(v, "/host_keys", json!(KEY));
                    *at(v, "/units") = json!({"unknown": "x"});
                },
                Fail,
                "ssh_host_rsa_key: a private host key",
            ),
            (|v| gap(v, "/host_keys"), Unknown, "cut short"),
        ],
    );
    let mut value = saved("healthy");
    set(&mut value, "modules", json!([]));
    let judgement = judge(&value, "ssh-hostkeys-absent");
    assert!(judgement.notes[0].found.contains("nothing was found that makes host keys"), "{judgement:?}");
}

#[test]
fn password_unset() {
    rows(
        "password-unset",
        &[
            (|_| (), Pass, "/etc/shadow: 3 accounts"),
            (|v| *at(v, "/accounts/shadow/0/password") = json!("hash"), Fail, "/etc/shadow: root has a password"),
            (|v| *at(v, "/accounts/shadow/0/password") = json!("empty"), Fail, "root has an empty password"),
            (|v| *at(v, "/accounts/shadow/1/password") = json!("empty"), Pass, ""),
            (|v| *at(v, "/accounts/shadow/1/password") = json!("hash"), Fail, "daemon has a password"),
            (|v| *at(v, "/accounts/shadow/1/password") = json!("argon"), Unknown, "argon"),
            (|v| *at(v, "/accounts/passwd/0/password") = json!("hash"), Fail, "/etc/passwd: root has a password"),
            (
                |v| {
                    *at(v, "/accounts/passwd/0/password") = json!("none");
                    *at(v, "/accounts/shadow/0/password") = json!("hash");
                },
                Pass,
                "",
            ),
            (|v| *at(v, "/accounts/shadow/0/name") = json!("ghost"), Pass, ""),
            (
                |v| {
                    *at(v, "/accounts/shadow/0/name") = json!("ghost");
                    *at(v, "/accounts/shadow/0/password") = json!("hash");
                },
                Fail,
                "ghost has a password",
            ),
            (|v| *at(v, "/accounts/shadow") = Value::Null, Pass, "/etc/passwd: 3 accounts"),
            (|v| *at(v, "/accounts/shadow") = json!({"unknown": "Permission denied"}), Unknown, "Permission denied"),
            (|v| gap(v, "/accounts/shadow"), Unknown, "cut short"),
            (|v| *at(v, "/accounts") = json!({"passwd": null, "shadow": null}), NotApplicable, "no accounts"),
        ],
    );
    let mut value = saved("healthy");
    *at(&mut value, "/accounts/shadow/1/password") = json!("empty");
    let judgement = judge(&value, "password-unset");
    assert!(judgement.notes[0].found.contains("a shell that lets nobody in"), "{judgement:?}");
}
