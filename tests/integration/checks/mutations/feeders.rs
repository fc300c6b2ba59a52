//! Who feeds the watchdog in place of its daemon.

use super::services::{CONF, setting, with_unit, words};
use super::{CMDLINE, UUID};
use crate::checks::{at, guest, judge, saved};
use bootworthy::verdict::Word::{self, Fail, Pass, Unknown};
use serde_json::{Value, json};

/// Changes the units of the daemon and of its little brother.
type Change = fn(&mut Value, &mut Value);

fn not_run(unit: &mut Value) {
    unit["environment"][0]["value"] = json!("0");
}

/// Debian's unit starts wd_keepalive in place of the daemon that fails, and says by `ExecStopPost=` when it does.
#[test]
fn the_daemon_is_replaced() {
    let unit_path = "/usr/lib/systemd/system/watchdog.service";
    let replaced = |change: Change| {
        let mut value = saved("healthy");
        let units = value["units"].as_array_mut().unwrap();
        let at = units.iter().position(|unit| unit["name"] == "watchdog.service").unwrap();
        let mut little = units[at].clone();
        little["name"] = json!("wd_keepalive.service");
        little["state"] = json!("static");
        little["starts"] = json!([]);
        little["settings"][2]["value"] = json!("/usr/sbin/wd_keepalive $watchdog_options");
        let settings = units[at]["settings"].as_array_mut().unwrap();
        settings.push(setting("Unit", "OnFailure", "wd_keepalive.service", unit_path, 5));
        let stop = "/bin/sh -c '[ $run_wd_keepalive != 1 ] || false'";
        settings.push(setting("Service", "ExecStopPost", stop, unit_path, 12));
        change(&mut units[at], &mut little);
        units.push(little);
        value
    };
    let rows: [(&str, Change, Word, &str); 5] = [
        ("run_watchdog=0", |full, _| not_run(full), Pass, "wd_keepalive instead"),
        (
            "run_wd_keepalive=0",
            |full, _| {
                not_run(full);
                full["environment"][1]["value"] = json!("0");
            },
            Fail,
            "run_watchdog=0",
        ),
        (
            "no OnFailure=",
            |full, _| {
                not_run(full);
                full["settings"][4]["value"] = json!("other.service");
            },
            Fail,
            "run_watchdog=0",
        ),
        (
            "masked",
            |full, little| {
                not_run(full);
                little["state"] = json!("masked");
            },
            Fail,
            "run_watchdog=0",
        ),
        ("not started", |full, _| full["starts"] = json!([]), Fail, "nothing starts it"),
    ];
    for (name, change, word, found) in rows {
        let judgement = judge(&replaced(change), "watchdog-armed");
        assert_eq!(judgement.verdict.word(), word, "{name}: {judgement:#?}");
        assert!(super::evidence(&judgement).found.contains(found), "{name}: {judgement:#?}");
    }
    for (key, number, word) in [("max-load-1", "1", Pass), ("interval", "60", Fail)] {
        let mut value = replaced(|_, _| {});
        *at(&mut value, "/watchdog/configs/0/settings/1") = setting("", key, number, CONF, 30);
        words(&value, "watchdog-armed", word, "the daemon ends");
    }
}

#[test]
fn systemd_feeds() {
    let path = "/etc/systemd/system.conf";
    let idle = |settings: &[(&str, &str)], cmdline: &str| {
        let mut value = with_unit("watchdog.service", |unit| unit["starts"] = json!([]));
        let row = |(key, value): &(&str, &str)| setting("Manager", key, value, path, 3);
        value["manager"] = settings.iter().map(row).collect();
        *at(&mut value, CMDLINE) = json!(format!("root=UUID={UUID} {cmdline}"));
        value
    };
    for (settings, cmdline, word, found) in [
        (vec![("RuntimeWatchdogSec", "60")], "", Pass, "RuntimeWatchdogSec=60"),
        (vec![("RuntimeWatchdogSec", "1min 30s")], "", Pass, "feeds"),
        (vec![("RuntimeWatchdogSec", "2046")], "", Pass, "feeds"),
        (vec![("RuntimeWatchdogSec", "1h")], "", Fail, "nothing starts"),
        (vec![("RuntimeWatchdogSec", "default")], "", Pass, "feeds"),
        (vec![("RuntimeWatchdogSec", "60"), ("RuntimeWatchdogSec", "0")], "", Fail, "nothing starts"),
        (vec![("RuntimeWatchdogSec", "60"), ("RuntimeWatchdogSec", "nonsense")], "", Pass, "=60"),
        (vec![("RuntimeWatchdogSec", "off")], "", Fail, "nothing starts"),
        (vec![("RebootWatchdogSec", "60")], "", Fail, "nothing starts"),
        (vec![("RuntimeWatchdogSec", "60")], "systemd.watchdog_sec=0", Fail, "nothing starts"),
        (vec![], "systemd.watchdog-sec=30", Pass, "systemd.watchdog_sec=30"),
        (vec![], "systemd.watchdog_sec=30 systemd.watchdog_sec=off", Fail, "nothing starts"),
        (vec![("RuntimeWatchdogSec", "60"), ("WatchdogDevice", "/dev/watchdog1")], "", Fail, "/dev/watchdog1"),
        (vec![("RuntimeWatchdogSec", "60"), ("WatchdogDevice", "watchdog1")], "", Pass, "=60"),
    ] {
        words(&idle(&settings, cmdline), "watchdog-armed", word, found);
    }
    let mut old = idle(&[("RuntimeWatchdogSec", "default")], "");
    let packages = old["packages"].as_array_mut().unwrap();
    packages.iter_mut().find(|package| package["name"] == "systemd").unwrap()["version"] = json!("247.3");
    words(&old, "watchdog-armed", Fail, "nothing starts");
    // Of these versions some ask for the device once, before udev has loaded its driver.
    for (version, word, found) in [
        ("245.4", Pass, "feeds"),
        ("246.16", Unknown, "asks for the watchdog once"),
        ("247.2", Unknown, "asks for the watchdog once"),
        ("247.3", Pass, "feeds"),
        ("1:246.16", Unknown, "asks for the watchdog once"),
    ] {
        let mut value = idle(&[("RuntimeWatchdogSec", "60")], "");
        let packages = value["packages"].as_array_mut().unwrap();
        packages.iter_mut().find(|package| package["name"] == "systemd").unwrap()["version"] = json!(version);
        words(&value, "watchdog-armed", word, found);
    }
    let mut unread = idle(&[("RuntimeWatchdogSec", "60")], "");
    unread["packages"] = json!({"unknown": {"reason": "no database"}});
    words(&unread, "watchdog-armed", Unknown, "no database");
    // Without the package systemd takes its place, and the report says that there is none.
    let mut alone = idle(&[("RuntimeWatchdogSec", "60")], "");
    words(&alone, "watchdog-installed", Pass, "is installed");
    alone["packages"].as_array_mut().unwrap().retain(|package| package["name"] != "watchdog");
    words(&alone, "watchdog-installed", Pass, "systemd feeds");
    let report = bootworthy::verdict::assess(
        "x",
        guest(&alone),
        crate::checks::profile("openstack"),
        &bootworthy::verdict::Options::default(),
    );
    let text = (bootworthy::report::FORMATS.iter().find(|format| format.name == "json").unwrap().write)(
        &[report],
        bootworthy::report::Style::default(),
    );
    let json: Value = serde_json::from_str(&text).unwrap();
    let installed =
        |id: &str| json["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap().clone();
    assert_eq!(installed("watchdog-installed")["evidence"][0].get("package"), Some(&Value::Null));
    assert_eq!(installed("agent-installed")["evidence"][0]["package"], "qemu-guest-agent");
    alone["manager"] = json!({"unknown": {"reason": "no systemd"}});
    words(&alone, "watchdog-installed", Unknown, "no systemd");
    alone["manager"] = json!([]);
    words(&alone, "watchdog-installed", Fail, "the package watchdog is not installed");
}
