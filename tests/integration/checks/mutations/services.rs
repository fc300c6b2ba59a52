//! The checks of the agent, the watchdog and trim.

use super::{CMDLINE, FSTAB, GRUB, UUID, rows};
use crate::checks::{at, judge, saved};
use bootworthy::verdict::Weight::{Full, Reduced};
use bootworthy::verdict::Word::{self, Fail, NotApplicable, Pass, Unknown};
use serde_json::{Value, json};

pub(super) const CONF: &str = "/etc/watchdog.conf";
const DEFAULTS: &str = "/etc/default/watchdog";
const AGENT: &str = "/usr/lib/systemd/system/qemu-guest-agent.service";

/// The healthy facts with the unit `name` changed.
pub(super) fn with_unit(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut value = saved("healthy");
    let units = value["units"].as_array_mut().unwrap();
    change(units.iter_mut().find(|unit| unit["name"] == name).unwrap());
    value
}

pub(super) fn setting(section: &str, key: &str, value: &str, path: &str, line: u32) -> Value {
    json!({"section": section, "key": key, "value": value, "path": path, "line": line})
}

pub(super) fn words(value: &Value, id: &str, expected: Word, found: &str) {
    let judgement = judge(value, id);
    assert_eq!(judgement.verdict.word(), expected, "{id} {found}: {judgement:#?}");
    assert!(super::evidence(&judgement).found.contains(found), "{id} {found}: {judgement:#?}");
}

/// The agent with this `ExecStart=`, these variables and this configuration.
fn agent(start: &str, variables: &[(&str, &str)], config: &[(&str, &str)]) -> Value {
    let mut value = with_unit("qemu-guest-agent.service", |unit| {
        unit["settings"] = json!([setting("Service", "ExecStart", start, AGENT, 7)]);
        let row = |(name, value): &(&str, &str)| json!({"name": name, "value": value, "path": "/etc/sysconfig/qemu-ga", "line": 3});
        unit["environment"] = variables.iter().map(row).collect();
    });
    if !config.is_empty() {
        let row = |(key, value): &(&str, &str)| setting("general", key, value, "/etc/qemu/qemu-ga.conf", 2);
        value["agent"]["configs"][0]["settings"] = config.iter().map(row).collect();
    }
    value
}

#[test]
fn agent_rpcs() {
    let (freeze, password) = ("agent-freeze-allowed", "agent-password-allowed");
    let rhel7 = "/usr/bin/qemu-ga --method=virtio-serial --path=/dev/virtio-ports/org.qemu.guest_agent.0 --blacklist=${BLACKLIST_RPC} -F${FSFREEZE_HOOK_PATHNAME}";
    let rhel9 = "/usr/bin/qemu-ga --method=virtio-serial --path=/dev/virtio-ports/org.qemu.guest_agent.0 $FILTER_RPC_ARGS -F${FSFREEZE_HOOK_PATHNAME}";
    let files = "guest-file-open,guest-file-close,guest-file-read,guest-file-write,guest-exec,guest-exec-status";
    let allowed = "--allow-rpcs=guest-sync-delimited,guest-sync,guest-ping,guest-fsfreeze-status,guest-fsfreeze-freeze,guest-fsfreeze-thaw";
    for (start, variables, config, can_freeze, can_set) in [
        ("-/usr/sbin/qemu-ga", vec![], vec![], Pass, Pass),
        (rhel7, vec![("BLACKLIST_RPC", files)], vec![], Pass, Pass),
        (rhel7, vec![("BLACKLIST_RPC", "guest-fsfreeze-freeze,guest-exec")], vec![], Fail, Pass),
        (rhel7, vec![("BLOCK_RPCS", "guest-fsfreeze-freeze")], vec![], Pass, Pass),
        (rhel7, vec![("BLACKLIST_RPC", "guest-sync"), ("BLACKLIST_RPC", "")], vec![], Pass, Pass),
        (rhel9, vec![("FILTER_RPC_ARGS", allowed)], vec![], Pass, Fail),
        (rhel9, vec![("FILTER_RPC_ARGS", "--allow-rpcs=guest-ping,guest-set-user-password")], vec![], Fail, Fail),
        (rhel9, vec![("FILTER_RPC_ARGS", "--block-rpcs=guest-set-user-password")], vec![], Pass, Fail),
        (rhel9, vec![("FILTER_RPC_ARGS", "--block-rpcs='guest-set-user-password'")], vec![], Pass, Fail),
        (rhel9, vec![], vec![], Pass, Pass),
        ("qemu-ga", vec![], vec![("block-rpcs", "guest-fsfreeze-thaw")], Fail, Pass),
        ("qemu-ga", vec![], vec![("allow-rpcs", "guest-sync,guest-set-user-password")], Fail, Pass),
        ("qemu-ga", vec![], vec![("daemon", "perhaps")], Fail, Fail),
        ("qemu-ga -c /etc/other.conf", vec![], vec![], Unknown, Unknown),
        ("qemu-ga", vec![("QGA_CONF", "/etc/other.conf")], vec![], Unknown, Unknown),
        ("qemu-ga -c /etc/qemu/qemu-ga.conf", vec![], vec![], Fail, Fail),
        ("qemu-ga -b help", vec![], vec![], Fail, Fail),
        ("qemu-ga --nope", vec![], vec![], Fail, Fail),
        ("/bin/sh -c 'exec qemu-ga'", vec![], vec![], Unknown, Unknown),
        ("qemu-ga 'x", vec![], vec![], Unknown, Unknown),
        ("/usr/bin/qemu-ga -p /dev/%I", vec![], vec![], Pass, Pass),
    ] {
        let value = agent(start, &variables, &config);
        words(&value, freeze, can_freeze, "");
        words(&value, password, can_set, "");
    }
    for (start, config, word) in [
        ("-/usr/sbin/qemu-ga", vec![], Pass),
        ("qemu-ga --version", vec![], Fail),
        ("qemu-ga --nope", vec![], Fail),
        ("qemu-ga -d", vec![], Fail),
        ("qemu-ga", vec![("daemon", "true")], Fail),
        ("/bin/true", vec![], Unknown),
    ] {
        words(&agent(start, &[], &config), "agent-started", word, "");
    }
    let value = agent(rhel9, &[("FILTER_RPC_ARGS", "--allow-rpcs=guest-ping")], &[]);
    let evidence = super::evidence(&judge(&value, freeze));
    assert_eq!(evidence.path.as_deref(), Some("/etc/sysconfig/qemu-ga"));
    assert_eq!(evidence.found, "the variable FILTER_RPC_ARGS does not list guest-fsfreeze-freeze");
    let value = agent("qemu-ga", &[], &[("block-rpcs", "guest-fsfreeze-thaw")]);
    assert_eq!(super::evidence(&judge(&value, freeze)).path.as_deref(), Some("/etc/qemu/qemu-ga.conf"));
    let masked = with_unit("qemu-guest-agent.service", |unit| unit["state"] = json!("masked"));
    words(&masked, freeze, NotApplicable, "no unit runs");
    let unread = with_unit("qemu-guest-agent.service", |unit| unit["settings"] = Value::Null);
    words(&unread, freeze, Unknown, "were not collected");
    let gap = with_unit("qemu-guest-agent.service", |unit| {
        unit["environment"] = json!({"items": [], "gaps": [{"reason": "cut short"}]});
    });
    words(&gap, password, Unknown, "cut short");
}

#[test]
fn selinux_and_hooks_are_notes() {
    let notes = |selinux: Value, cmdline: &str| {
        let mut value = saved("healthy");
        value["selinux"] = selinux;
        *at(&mut value, CMDLINE) = json!(format!("root=UUID={UUID} {cmdline}"));
        let judgement = judge(&value, "agent-freeze-allowed");
        assert_eq!(judgement.verdict.word(), Pass);
        judgement.notes.len()
    };
    let mode = |mode: &str| json!({"mode": mode, "line": 2, "has_policy": true});
    assert_eq!([mode("enforcing"), mode("permissive"), Value::Null].map(|selinux| notes(selinux, "")), [1, 0, 0]);
    assert_eq!([notes(mode("enforcing"), "selinux=0"), notes(mode("enforcing"), "selinux=1")], [0, 1]);
    assert_eq!(notes(json!({"mode": "enforcing", "line": 2, "has_policy": false}), ""), 0);
    let hook = agent("qemu-ga -F", &[], &[]);
    assert!(judge(&hook, "agent-freeze-allowed").notes[0].found.contains("/etc/qemu/fsfreeze-hook"));
}

#[test]
fn watchdog_armed() {
    let device = "/watchdog/configs/0/settings/0";
    let row = |key: &str, value: &str| setting("", key, value, CONF, 26);
    let second = "/watchdog/configs/0/settings/1";
    rows(
        "watchdog-armed",
        &[
            (device, row("x", ""), Fail, Full, Some(CONF), None, "is not set"),
            (device, row("watchdog-device", ""), Fail, Full, Some(CONF), Some(26), "is empty"),
            (device, row("watchdog-device", "/dev/watchdog0"), Pass, Full, Some(CONF), Some(26), "feeds"),
            (device, row("watchdog-device", "/dev/watchdog1"), Fail, Reduced, Some(CONF), Some(26), "/dev/watchdog1"),
            (second, row("interval", "60"), Fail, Full, Some(CONF), Some(26), "the daemon ends"),
            (second, row("watchdog-device", ""), Fail, Full, Some(CONF), Some(26), "is empty"),
            ("/watchdog/configs/0/settings", Value::Null, Fail, Full, Some(CONF), None, "is not there"),
            ("/watchdog/configs", json!([]), Unknown, Full, Some(CONF), None, "nothing was collected"),
        ],
    );
    let mut commented = saved("healthy");
    commented["watchdog"]["configs"][0]["settings"] = json!([]);
    commented["watchdog"]["comments"] = json!([row("watchdog-device", "/dev/watchdog")]);
    let evidence = super::evidence(&judge(&commented, "watchdog-armed"));
    assert_eq!(evidence.found, "#watchdog-device = /dev/watchdog is a comment: the daemon feeds nothing");
    assert_eq!((evidence.path.as_deref(), evidence.line), (Some(CONF), Some(26)));
    for (change, word, found) in [
        (("starts", json!([])), Fail, "nothing starts it"),
        (("state", json!("masked")), Fail, "masked"),
        (("settings", Value::Null), Unknown, "were not collected"),
    ] {
        let value = with_unit("watchdog.service", |unit| unit[change.0] = change.1);
        words(&value, "watchdog-armed", word, found);
    }
    for (index, value, word, found) in
        [(0, "0", Fail, "run_watchdog=0"), (0, "", Pass, "feeds"), (0, "1 2", Unknown, "not evaluated")]
    {
        let value = with_unit("watchdog.service", |unit| unit["environment"][index]["value"] = json!(value));
        words(&value, "watchdog-armed", word, found);
    }
    for (options, word, found) in [
        ("-v", Pass, "feeds"),
        ("-c /etc/other.conf", Unknown, "nothing was collected"),
        ("-q", Fail, "-q"),
        ("-n", Fail, "usage"),
    ] {
        let value = with_unit("watchdog.service", |unit| {
            unit["environment"][2] = json!({"name": "watchdog_options", "value": options, "path": DEFAULTS, "line": 7});
        });
        words(&value, "watchdog-armed", word, found);
    }
    for (name, id) in [("watchdog.service", "watchdog-armed"), ("qemu-guest-agent.service", "agent-started")] {
        for (key, confined, word) in [
            ("PrivateDevices", "yes", Unknown),
            ("PrivateDevices", "no", Pass),
            ("DeviceAllow", "/dev/null rw", Unknown),
            ("User", "nobody", Unknown),
            ("RootDirectory", "/srv", Unknown),
            ("RuntimeMaxSec", "5", Unknown),
            ("Type", "notify", Fail),
        ] {
            let value = with_unit(name, |unit| {
                unit["settings"].as_array_mut().unwrap().push(setting("Service", key, confined, AGENT, 9));
            });
            words(&value, id, word, "");
        }
    }
    for (line, kind, word) in
        [("watchdog -F", "simple", Pass), ("watchdog -F", "forking", Fail), ("watchdog", "simple", Fail)]
    {
        let value = with_unit("watchdog.service", |unit| {
            unit["settings"][2]["value"] = json!(format!("/usr/sbin/{line}"));
            unit["settings"].as_array_mut().unwrap().push(setting("Service", "Type", kind, CONF, 9));
        });
        words(&value, "watchdog-armed", word, "");
    }
    let plain = with_unit("watchdog.service", |unit| unit["settings"][2]["value"] = json!("/usr/sbin/watchdog"));
    words(&plain, "watchdog-armed", Pass, "feeds");
    let other = with_unit("watchdog.service", |unit| unit["settings"][2]["value"] = json!("/usr/bin/python3 x"));
    words(&other, "watchdog-armed", Unknown, "is not the watchdog daemon");
}

#[test]
fn watchdog_single_owner() {
    let both = |device: &str| {
        let mut value = saved("healthy");
        let path = "/etc/systemd/system.conf";
        value["manager"] = json!([
            setting("Manager", "RuntimeWatchdogSec", "60", path, 3),
            setting("Manager", "WatchdogDevice", device, path, 4),
        ]);
        value
    };
    words(&both("/dev/watchdog"), "watchdog-single-owner", Fail, "RuntimeWatchdogSec=60");
    words(&both(""), "watchdog-single-owner", Fail, "and RuntimeWatchdogSec=60");
    words(&both("/dev/watchdog1"), "watchdog-single-owner", Pass, "the watchdog daemon feeds");
    words(&both(""), "watchdog-armed", Pass, "feeds");
    rows(
        "watchdog-single-owner",
        &[
            ("/watchdog/configs/0/settings", json!([]), NotApplicable, Full, None, None, "nothing feeds"),
            ("/manager", json!({"unknown": "x"}), Unknown, Full, None, None, "x"),
        ],
    );
}

/// The healthy root with these options and type, and fstrim.timer as it is or not started.
fn trim(fstype: &str, options: &str, has_timer: bool) -> Value {
    let mut value = saved("healthy");
    value["fstab"][0]["fstype"] = json!(fstype);
    value["fstab"][0]["options"] = options.split(',').collect();
    value["fstab"][0]["text"] = json!(format!("UUID={UUID} / {fstype} {options} 0 1"));
    value["volumes"][0]["filesystem"]["kind"] = json!(fstype);
    if !has_timer {
        let units = value["units"].as_array_mut().unwrap();
        units.iter_mut().find(|unit| unit["name"] == "fstrim.timer").unwrap()["starts"] = json!([]);
    }
    value
}

#[test]
fn trim_enabled() {
    let id = "trim-enabled";
    for (fstype, options, has_timer, word, found) in [
        ("ext4", "rw,discard", false, Pass, "mounted with discard"),
        ("ext4", "defaults", true, Pass, "fstrim.timer trims /"),
        ("ext4", "defaults", false, Fail, "nothing starts it"),
        ("ext4", "discard,nodiscard", true, Fail, "nodiscard"),
        ("ext4", "ro", true, Fail, "leaves it out"),
        ("ext4", "X-fstrim.notrim", true, Fail, "leaves it out"),
        ("btrfs", "defaults", false, Fail, "without discard"),
        ("btrfs", "nodiscard", true, Fail, "nodiscard"),
        ("btrfs", "discard=async", false, Pass, "with discard"),
        ("xfs", "discard", false, Unknown, "first mounted"),
        ("xfs", "discard", true, Pass, "fstrim.timer trims /"),
        ("vfat", "defaults", false, NotApplicable, "no file system"),
    ] {
        words(&trim(fstype, options, has_timer), id, word, found);
    }
    for (name, field, new, word, found) in [
        (
            "fstrim.service",
            "refused",
            setting("Service", "ExecStartPre", "/bin/false", "/f", 3),
            Fail,
            "keeps fstrim.service from running",
        ),
        ("fstrim.timer", "settings", json!([setting("Timer", "OnCalendar", "weekly", "/t", 3)]), Pass, "trims /"),
        (
            "fstrim.timer",
            "settings",
            json!([setting("Timer", "OnCalendar", "weekly", "/t", 3), setting("Timer", "OnCalendar", "", "/t", 4)]),
            Fail,
            "does not start fstrim.service",
        ),
        ("fstrim.timer", "settings", json!([setting("Timer", "Unit", "a.service", "/t", 3)]), Fail, "Unit=a.service"),
    ] {
        let mut value = trim("ext4", "defaults", true);
        let units = value["units"].as_array_mut().unwrap();
        units.iter_mut().find(|unit| unit["name"] == name).unwrap()[field] = new;
        words(&value, id, word, found);
    }
    let mut flags = trim("xfs", "defaults", false);
    *at(&mut flags, CMDLINE) = json!(format!("root=UUID={UUID} rootflags=discard"));
    words(&flags, id, Pass, "mounted with discard");
    *at(&mut flags, CMDLINE) = json!(format!("root=UUID={UUID} rootflags=nodiscard"));
    words(&flags, id, Fail, "nodiscard");
    let mut new = trim("btrfs", "defaults", false);
    for (version, word) in [("6.2.0", Pass), ("6.12.1-x", Pass), ("6.1.99", Fail)] {
        new["kernels"][0]["version"] = json!(version);
        words(&new, id, word, "btrfs".get(..0).unwrap());
    }
    let mut superblock = trim("ext4", "defaults", false);
    superblock["volumes"][0]["filesystem"]["mount_options"] = json!(["user_xattr", "discard"]);
    words(&superblock, id, Pass, "superblock");
    superblock["volumes"][0]["filesystem"]["mount_options"] = json!({"unknown": "no superblock"});
    words(&superblock, id, Unknown, "no superblock");
    // A second file system, which only the timer of fstab reaches.
    let mut second = trim("ext4", "discard", true);
    let data = json!({"line": 7, "text": "UUID=1 /data ext4 defaults 0 0", "spec": "UUID=1", "target": "/data",
        "fstype": "ext4", "options": ["defaults"], "freq": 0, "passno": 0});
    second["fstab"].as_array_mut().unwrap().push(data);
    words(&second, id, Pass, "");
    let units = second["units"].as_array_mut().unwrap();
    units.iter_mut().find(|unit| unit["name"] == "fstrim.timer").unwrap()["starts"] = json!([]);
    let evidence = super::evidence(&judge(&second, id));
    assert_eq!((evidence.path.as_deref(), evidence.line), (Some(FSTAB), Some(7)));
    second["fstab"][2]["options"] = json!(["nofail"]);
    assert_eq!(judge(&second, id).weight, Reduced);
    second["fstab"][2]["target"] = json!("/boot");
    words(&second, id, Pass, "");
    // Encrypted volumes pass discard on only when they are told to.
    let mut crypt = trim("ext4", "discard", true);
    crypt["fstab"][0]["spec"] = json!("/dev/mapper/root");
    let row = |options: Value| json!([{"line": 1, "text": "root UUID=2 none luks", "name": "root", "device": "UUID=2", "options": options}]);
    crypt["crypttab"] = row(json!(["luks"]));
    words(&crypt, id, Fail, "root below / does not pass discard on");
    crypt["crypttab"] = row(json!(["luks", "discard"]));
    words(&crypt, id, Pass, "");
    let mut none = trim("ext4", "defaults", true);
    none["fstab"] = Value::Null;
    words(&none, id, Pass, "fstrim.timer trims /");
    let mut old = saved("healthy");
    old["kernels"][0]["version"] = json!("4.19.0-27-amd64");
    assert!(judge(&old, id).notes[0].found.contains("Linux 4.19"));
    assert_eq!(super::evidence(&judge(&old, "boot-entry-resolves")).path.as_deref(), Some(GRUB));
}
