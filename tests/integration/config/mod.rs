//! `bootworthy.toml`: where it is found, what it may say, what beats what, and what it never changes.

mod bad;
mod schema;

use crate::common::{Run, command, fixture};
use bad::BAD;
use bootworthy::config::{Config, KEYS};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// An image with three faults: initrd-virtio-scsi, fstab-stable-ids, watchdog-driver.
const BROKEN: &str = "broken.qcow2";
const FAULTS: &[&str] = &["initrd-virtio-scsi", "fstab-stable-ids", "watchdog-driver"];

/// A folder with the two images and this configuration.
fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [BROKEN, "good.qcow2"] {
        symlink(fixture(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("bootworthy.toml"), config).unwrap();
    folder
}

fn run_in(folder: &Path, args: &[&str], epoch: Option<&str>) -> Run {
    let mut command = command();
    command.current_dir(folder).args(args).envs(epoch.map(|seconds| ("SOURCE_DATE_EPOCH", seconds)));
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn report(folder: &Path, flags: &[&str], image: &str) -> (i32, Value) {
    let run = run_in(folder, &[&["check", "--format", "json"], flags, &[image]].concat(), None);
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {flags:?} {}", run.stderr));
    (run.code, report)
}

fn finding<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap()
}

/// All three faults are accepted.
fn accepting(checks: &[&str]) -> String {
    checks.iter().map(|check| format!("[[ignore]]\ncheck = \"{check}\"\nreason = \"known\"\n")).collect()
}

#[test]
fn every_mistake_is_named_with_its_line_before_an_image_is_read() {
    assert!(BAD.len() >= 70, "{}", BAD.len());
    let folder = folder("");
    for (text, line, message) in BAD {
        fs::write(folder.path().join("bootworthy.toml"), text).unwrap();
        let run = run_in(folder.path(), &["check", "nowhere.qcow2"], None);
        let expected = format!("error: bootworthy.toml:{line}: {message}\n");
        assert_eq!((run.code, run.stdout.as_str(), run.stderr), (2, "", expected), "{text}");
    }
    let run = run_in(folder.path(), &["properties", "good.qcow2"], None);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: bootworthy.toml:1: "), "{}", run.stderr);
    // It is asked for what it does not concern: facts need no configuration.
    assert_eq!(run_in(folder.path(), &["inspect", "good.qcow2"], None).code, 0);
}

/// File, flags, what the report must say: exit code and a value behind a pointer.
#[test]
fn the_command_line_beats_the_file_and_lists_add_up() {
    let severity = |id: &str| format!("/checks/{}/severity", FAULTS.iter().position(|fault| *fault == id).unwrap());
    let (blk, fstab) = (severity("initrd-virtio-scsi"), severity("fstab-stable-ids"));
    let rows: &[(&str, &[&str], i32, &str, Value)] = &[
        ("", &[], 1, "/profile", "openstack".into()),
        ("profile = \"bootable\"", &[], 1, "/profile", "bootable".into()),
        ("profile = \"bootable\"", &["--profile", "strict"], 1, "/profile", "strict".into()),
        ("profile = \"strict\"", &["--no-config"], 1, "/profile", "openstack".into()),
        ("profile = \"bootable\"", &[], 1, "/features", Value::Array(Vec::new())),
        ("profile = \"bootable\"\nrequire = [\"watchdog\"]", &[], 1, "/features/0/name", "watchdog".into()),
        (
            "profile = \"bootable\"\nrequire = [\"watchdog\"]",
            &["--require", "guest-agent"],
            1,
            "/features/0/name",
            "guest-agent".into(),
        ),
        (
            "profile = \"bootable\"\nrequire = [\"watchdog\"]",
            &["--require", "guest-agent"],
            1,
            "/features/1/name",
            "watchdog".into(),
        ),
        ("severity.fstab-stable-ids = \"note\"", &[], 1, &fstab, "note".into()),
        (
            "severity.fstab-stable-ids = \"note\"",
            &["--severity", "fstab-stable-ids=warning"],
            1,
            &fstab,
            "warning".into(),
        ),
        (
            "severity.initrd-virtio-scsi = \"warning\"",
            &["--severity", "fstab-stable-ids=note"],
            1,
            &blk,
            "warning".into(),
        ),
        ("severity.fstab-stable-ids = \"error\"", &["--ignore", "fstab-stable-ids"], 1, &fstab, "off".into()),
        ("watchdog_action = \"disabled\"", &[], 1, "/properties/hw_watchdog_action", "disabled".into()),
        (
            "watchdog_action = \"disabled\"",
            &["--watchdog-action", "reset"],
            1,
            "/properties/hw_watchdog_action",
            Value::Null,
        ),
        (
            "watchdog_action = \"disabled\"",
            &["--with", "hw_watchdog_action=pause"],
            1,
            "/properties/hw_watchdog_action",
            Value::Null,
        ),
        ("with = { hw_watchdog_action = \"disabled\" }", &[], 1, "/properties/hw_watchdog_action", "disabled".into()),
        (
            "with = { hw_watchdog_action = \"disabled\" }",
            &["--watchdog-action", "pause"],
            1,
            "/properties/hw_watchdog_action",
            Value::Null,
        ),
        ("set = \"minimal\"", &[], 1, "/properties/hw_qemu_guest_agent", Value::Null),
        ("set = \"minimal\"", &["--set", "recommended"], 1, "/properties/hw_qemu_guest_agent", "yes".into()),
        (
            "set = \"minimal\"\nwith = [\"hw_qemu_guest_agent\"]",
            &[],
            1,
            "/properties/hw_qemu_guest_agent",
            "yes".into(),
        ),
        (
            "set = \"minimal\"\nwith = { hw_qemu_guest_agent = true }",
            &[],
            1,
            "/properties/hw_qemu_guest_agent",
            "yes".into(),
        ),
        (
            "set = \"minimal\"\nwith = [\"hw_qemu_guest_agent\"]",
            &["--without", "hw_qemu_guest_agent"],
            1,
            "/properties/hw_qemu_guest_agent",
            Value::Null,
        ),
        ("without = [\"os_version\"]", &[], 1, "/properties/os_version", Value::Null),
        ("without = [\"os_version\"]", &["--with", "os_version"], 1, "/properties/os_version", "12".into()),
        ("without = [\"os_version\"]", &["--without", "os_distro"], 1, "/properties/os_version", Value::Null),
        ("without = [\"os_version\"]", &["--without", "os_distro"], 1, "/properties/os_distro", Value::Null),
    ];
    for (file, flags, code, pointer, expected) in rows {
        let folder = folder(file);
        let (exit, mut report) = report(folder.path(), flags, BROKEN);
        // The faults alone, so that a pointer finds them whatever else is checked.
        let faults: Vec<Value> = FAULTS.iter().map(|id| finding(&report, id).clone()).collect();
        report["checks"] = Value::Array(faults);
        let found = report.pointer(pointer).cloned().unwrap_or(Value::Null);
        assert_eq!((exit, &found), (*code, expected), "{file} {flags:?} {pointer}");
    }
}

/// File, flags, exit code with the broken image.
#[test]
fn exit_codes_follow_file_and_flags() {
    let all = accepting(FAULTS);
    let two = accepting(&FAULTS[..2]);
    let warned =
        "[severity]\ninitrd-virtio-scsi = \"warning\"\nfstab-stable-ids = \"warning\"\nwatchdog-driver = \"warning\"";
    let rows: &[(&str, &[&str], i32)] = &[
        ("", &[], 1),
        (&all, &[], 0),
        (&all, &["--no-config"], 1),
        (&two, &[], 1),
        (&two, &["--ignore", "watchdog-driver"], 0),
        (&two, &["--severity", "watchdog-driver=warning"], 0),
        (&two, &["--severity", "watchdog-driver=warning", "--fail-on", "warning"], 1),
        (warned, &[], 0),
        (warned, &["--fail-on", "warning"], 1),
        (&format!("fail_on = \"warning\"\n{warned}"), &[], 1),
        (&format!("fail_on = \"warning\"\n{warned}"), &["--fail-on", "error"], 0),
        (&format!("profile = \"strict\"\n{warned}"), &["--fail-on", "error"], 1),
        (&format!("{all}[severity]\nwatchdog-driver = \"error\""), &[], 0),
        (&format!("{all}[severity]\nwatchdog-driver = \"error\""), &["--severity", "watchdog-driver=error"], 0),
        (&format!("with = [\"hw_scsi_model\"]\n{all}"), &[], 1),
        (&format!("with = {{ os_version = \"12\" }}\n{all}"), &[], 0),
        (&format!("with = {{ os_version = \"13\" }}\n{all}"), &[], 1),
        (&format!("with = {{ os_version = \"13\" }}\n{all}"), &["--with", "os_version=12"], 0),
    ];
    for (file, flags, code) in rows {
        let folder = folder(file);
        let (exit, report) = report(folder.path(), flags, BROKEN);
        assert_eq!(exit, *code, "{file} {flags:?}");
        let run = run_in(folder.path(), &[&["properties"], *flags, &[BROKEN]].concat(), None);
        assert_eq!(run.code, *code, "{file} {flags:?}: {}", run.stderr);
        // What is accepted is not earned.
        assert_eq!(report["properties"]["hw_scsi_model"], Value::Null, "{file}");
    }
}

/// Last day, `--today`, `SOURCE_DATE_EPOCH`, whether it has expired.
#[test]
fn exceptions_end() {
    let rows: &[(Option<&str>, Option<&str>, Option<&str>, bool)] = &[
        (None, None, None, false),
        (None, Some("9999-12-31"), None, false),
        (Some("\"2026-12-31\""), Some("2026-12-31"), None, false),
        (Some("\"2026-12-31\""), Some("2027-01-01"), None, true),
        (Some("2026-12-31"), Some("2026-12-30"), None, false),
        (Some("2026-12-31"), Some("2027-01-01"), None, true),
        (Some("\"2025-12-31\""), None, Some("1767225599"), false),
        (Some("\"2025-12-31\""), None, Some("1767225600"), true),
        (Some("\"2025-12-31\""), Some("2025-12-31"), Some("1767225600"), false),
        (Some("\"2025-12-31\""), Some("2026-01-01"), Some("0"), true),
        (Some("\"1970-01-01\""), None, None, true),
        (Some("\"9999-12-31\""), None, None, false),
    ];
    for (expires, today, epoch, is_expired) in rows {
        let expires_row = expires.map(|day| format!("expires = {day}\n")).unwrap_or_default();
        let file =
            accepting(&FAULTS[..2]) + "[[ignore]]\ncheck = \"watchdog-driver\"\nreason = \"known\"\n" + &expires_row;
        let folder = folder(&file);
        let mut args = vec!["check", "--format", "json", BROKEN];
        args.extend(today.iter().flat_map(|day| ["--today", day]));
        let run = run_in(folder.path(), &args, *epoch);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(run.code, i32::from(*is_expired), "{expires:?} {today:?} {epoch:?}");
        let watchdog = finding(&report, "watchdog-driver");
        assert_eq!((watchdog["severity"] == "error", watchdog["ignored"].is_null()), (*is_expired, *is_expired));
        let remarks = report["remarks"].as_array().unwrap();
        assert_eq!(remarks.len(), usize::from(*is_expired), "{remarks:?}");
        if *is_expired {
            let last = expires.unwrap().trim_matches('"');
            let remark = &remarks[0];
            assert_eq!((&remark["severity"], &remark["check"]), (&"warning".into(), &"watchdog-driver".into()));
            assert_eq!(remark["place"], "bootworthy.toml:7");
            assert!(remark["text"].as_str().unwrap().contains(last), "{remark}");
        }
        let run = run_in(folder.path(), &[&["properties"], &args[3..]].concat(), *epoch);
        assert_eq!(run.stderr.contains("warning: bootworthy.toml:7: watchdog-driver: "), *is_expired, "{}", run.stderr);
    }
}

#[test]
fn a_day_that_is_none_is_refused_where_it_matters() {
    let ending = "[[ignore]]\ncheck = \"fstab-uuid\"\nreason = \"r\"\nexpires = \"2026-12-31\"\n";
    for (file, flags, epoch, says) in [
        ("", &["--today", "tomorrow"][..], None, Some("--today tomorrow: a day such as 2026-12-31 is expected")),
        ("", &["--today", "2026-02-30"], None, Some("--today 2026-02-30: a day such as 2026-12-31 is expected")),
        ("", &[], Some("soon"), None),
        (ending, &["--today", "2026-01-01"], Some("soon"), None),
        (
            ending,
            &[],
            Some("soon"),
            Some(
                "SOURCE_DATE_EPOCH is \"soon\", expected the seconds since 1970 in digits; name the day with --today YYYY-MM-DD",
            ),
        ),
    ] {
        let run = run_in(folder(file).path(), &[&["check", "-q"], flags, &["good.qcow2"]].concat(), epoch);
        let expected = says.map(|says| format!("error: {says}\n")).unwrap_or_default();
        assert_eq!((run.code, run.stderr), (if says.is_some() { 2 } else { 0 }, expected), "{flags:?} {epoch:?}");
    }
}

#[test]
fn an_exception_is_shown_with_its_reason() {
    let file = accepting(FAULTS) + "[[ignore]]\ncheck = \"trim-enabled\"\nreason = \"never\"\nimage = \"b*\"\n";
    let folder = folder(&file);
    let (code, report) = report(folder.path(), &[], BROKEN);
    let scsi = finding(&report, "initrd-virtio-scsi");
    assert_eq!((code, &scsi["verdict"], &scsi["severity"]), (0, &"fail".into(), &"off".into()));
    assert_eq!(scsi["ignored"], serde_json::json!({"reason": "known", "expires": null, "place": "bootworthy.toml:1"}));
    assert!(!scsi["evidence"].as_array().unwrap().is_empty());
    let idle = &report["remarks"][0];
    assert_eq!((&idle["severity"], &idle["place"]), (&"note".into(), &"bootworthy.toml:10".into()));
    let text = run_in(folder.path(), &["check", BROKEN], None).stdout;
    assert!(text.contains("(3 ignored: -v)") || text.contains(", 3 ignored: -v)"), "{text}");
    assert!(text.contains("fit (profile openstack, 3 ignored)\nconfiguration: bootworthy.toml\n"), "{text}");
    assert!(!text.contains("known") && !text.contains("nothing to accept"), "{text}");
    let text = run_in(folder.path(), &["check", "-v", BROKEN], None).stdout;
    for part in [
        "ignored[watchdog-driver]: ",
        "   = ignored: known (bootworthy.toml:7)\n",
        "note[trim-enabled]: an exception to this check has nothing to accept in this image\n  --> bootworthy.toml:10\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    // The other image has no faults, and the last exception is not for it.
    let (_, good) = self::report(folder.path(), &[], "good.qcow2");
    let places: Vec<&Value> = good["remarks"].as_array().unwrap().iter().map(|remark| &remark["place"]).collect();
    assert_eq!(places, ["bootworthy.toml:1", "bootworthy.toml:4", "bootworthy.toml:7"]);
    let flagged = run_in(folder.path(), &["check", "--no-config", "-v", "--ignore", "watchdog-driver", BROKEN], None);
    assert!(flagged.stdout.contains("   = ignored: --ignore\n"), "{}", flagged.stdout);
}

#[test]
fn text_of_the_file_reaches_the_terminal_escaped() {
    let file = "[[ignore]]\ncheck = \"watchdog-driver\"\nreason = \"\\u001b[31mred\\n::error::\"\n";
    let folder = folder(file);
    let text = run_in(folder.path(), &["check", "-v", BROKEN], None).stdout;
    assert!(!text.contains('\u{1b}') && !text.contains("\n::error"), "{text}");
    assert!(text.contains("\\u{1b}[31mred"), "{text}");
}

#[test]
fn it_is_found_in_the_current_directory_and_above() {
    let folder = folder("profile = \"strict\"");
    let root = folder.path();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    for (from, config) in [("", "bootworthy.toml"), ("a", "../bootworthy.toml"), ("a/b/c", "../../../bootworthy.toml")]
    {
        let (_, report) = report(&root.join(from), &[], root.join("good.qcow2").to_str().unwrap());
        assert_eq!((&report["config"], &report["profile"]), (&config.into(), &"strict".into()), "{from}");
    }
    // The nearest counts, alone.
    fs::write(root.join("a/bootworthy.toml"), "").unwrap();
    let (_, nearest) = report(&root.join("a/b/c"), &[], root.join("good.qcow2").to_str().unwrap());
    assert_eq!((&nearest["config"], &nearest["profile"]), (&"../../bootworthy.toml".into(), &"openstack".into()));
    // Beside the image is nowhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let image = root.join("good.qcow2");
    let (_, none) = report(elsewhere.path(), &[], image.to_str().unwrap());
    assert_eq!((&none["config"], &none["profile"]), (&Value::Null, &"openstack".into()));
    let (_, unreadable) = report(&root.join("a"), &[], "nowhere.qcow2");
    assert_eq!((&unreadable["config"], &unreadable["result"]), (&"bootworthy.toml".into(), &"unknown".into()));
    // A link to it is as good.
    symlink(root.join("bootworthy.toml"), elsewhere.path().join("bootworthy.toml")).unwrap();
    assert_eq!(report(elsewhere.path(), &[], image.to_str().unwrap()).1["profile"], "strict");
}

#[test]
fn a_tree_that_is_judged_does_not_say_how() {
    let folder = folder("profile = \"bootable\"");
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(tree.join("bootworthy.toml"), "profile = \"no such thing\"").unwrap();
    fs::write(tree.join("etc/bootworthy.toml"), "profile = \"no such thing\"").unwrap();
    for (from, image) in [("tree", "."), ("tree/etc", ".."), ("tree/etc", "../../tree/"), ("tree", "../tree/../tree")] {
        let run = run_in(&folder.path().join(from), &["check", "--format", "json", image], None);
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
        let above = format!("{}bootworthy.toml", if from == "tree" { "../" } else { "../../" });
        assert_eq!(
            (&report["config"], &report["profile"]),
            (&above.as_str().into(), &"bootable".into()),
            "{from} {image}"
        );
    }
    // Who names it, wants it.
    let run = run_in(&tree, &["check", "--config", "bootworthy.toml", "."], None);
    assert_eq!(run.code, 2, "{}", run.stdout);
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_passed_over() {
    let help = "; mend it, name another with --config FILE, or go without one: --no-config\n";
    let cases: &[(&str, fn(&Path), &str)] = &[
        ("a link to itself", |path| symlink("bootworthy.toml", path).unwrap(), "Too many levels of symbolic links"),
        ("a link to nothing", |path| symlink("gone", path).unwrap(), "No such file or directory"),
        ("a folder", |path| fs::create_dir(path).unwrap(), "it is no regular file"),
        ("a FIFO", |path| drop(crate::common::tool("mkfifo", [path])), "it is no regular file"),
    ];
    for (name, make, cause) in cases {
        let folder = folder("");
        let path = folder.path().join("bootworthy.toml");
        fs::remove_file(&path).unwrap();
        make(&path);
        let run = run_in(folder.path(), &["check", "good.qcow2"], None);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}: {}", run.stderr);
        let start = format!("error: bootworthy.toml: the configuration cannot be read: {cause}");
        assert!(run.stderr.starts_with(&start) && run.stderr.ends_with(help), "{name}: {}", run.stderr);
        assert_eq!(run_in(folder.path(), &["check", "-q", "--no-config", "good.qcow2"], None).code, 0, "{name}");
    }
    let folder = folder("");
    let path = folder.path().join("bootworthy.toml");
    fs::write(&path, "# ä\n\n# \u{e4}").unwrap();
    assert_eq!(run_in(folder.path(), &["check", "-q", "good.qcow2"], None).code, 0);
    for (bytes, says) in [
        (b"# one\n# \xff\n".to_vec(), "error: bootworthy.toml:2: this line is not UTF-8\n"),
        (vec![b'#'; (1 << 20) + 1], "error: bootworthy.toml: configuration: more than the limit of 1048576 bytes\n"),
        ([b"profile = ".to_vec(), vec![b'['; 10_000]].concat(), "error: bootworthy.toml:1: this is not TOML: "),
    ] {
        fs::write(&path, bytes).unwrap();
        let run = run_in(folder.path(), &["check", "good.qcow2"], None);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
        assert!(run.stderr.starts_with(says), "{}", run.stderr);
    }
    let run = run_in(folder.path(), &["check", "--config", "gone.toml", "good.qcow2"], None);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.starts_with("error: gone.toml: the configuration cannot be read: No such file"),
        "{}",
        run.stderr
    );
    let both = run_in(folder.path(), &["check", "--config", "x", "--no-config", "good.qcow2"], None);
    assert_eq!(both.code, 2);
}

#[test]
fn an_empty_file_changes_nothing_but_its_name() {
    let folder = folder("");
    for image in [BROKEN, "good.qcow2", "nowhere.qcow2"] {
        let (code, mut with) = report(folder.path(), &[], image);
        let (bare, without) = report(folder.path(), &["--no-config"], image);
        assert_eq!((&with["config"], code), (&"bootworthy.toml".into(), bare));
        with["config"] = Value::Null;
        assert_eq!(with, without, "{image}");
    }
    for args in [&["check"][..], &["check", "-v"], &["check", "-q"]] {
        let with = run_in(folder.path(), &[args, &[BROKEN]].concat(), None).stdout;
        let without = run_in(folder.path(), &[args, &["--no-config", BROKEN]].concat(), None).stdout;
        assert_eq!(with.replace("configuration: bootworthy.toml\n", ""), without, "{args:?}");
    }
    for args in [&["properties"][..], &["properties", "--format", "json", "--set", "full"]] {
        let with = run_in(folder.path(), &[args, &[BROKEN]].concat(), None).stdout;
        assert_eq!(with, run_in(folder.path(), &[args, &["--no-config", BROKEN]].concat(), None).stdout, "{args:?}");
    }
}

#[test]
fn patterns_start_from_the_file_and_not_from_where_one_stands() {
    let folder = folder("");
    let root = folder.path();
    fs::create_dir_all(root.join("images/old")).unwrap();
    symlink(fixture(BROKEN), root.join("images/web.qcow2")).unwrap();
    for (pattern, from, image, is_ignored) in [
        ("broken.*", "", BROKEN, true),
        ("*", "images", "../broken.qcow2", true),
        ("images/*", "", BROKEN, false),
        ("images/*", "", "images/web.qcow2", true),
        ("images/*", "", "./images/../images/web.qcow2", true),
        ("images/*", "images", "web.qcow2", true),
        ("images/*", "images/old", "../web.qcow2", true),
        ("images/*", "images", "../broken.qcow2", false),
        ("web", "images", "web.qcow2", false),
        ("[a-z]eb.qcow[23]", "images", "web.qcow2", true),
    ] {
        let file = format!("[[ignore]]\ncheck = \"watchdog-driver\"\nreason = \"r\"\nimage = \"{pattern}\"\n");
        fs::write(root.join("bootworthy.toml"), file).unwrap();
        let (_, report) = report(&root.join(from), &[], image);
        let found = !finding(&report, "watchdog-driver")["ignored"].is_null();
        assert_eq!(found, is_ignored, "{pattern} {from} {image}");
    }
}

#[test]
fn damaged_files_are_refused_or_read_and_nothing_else() {
    let text = fs::read(fixture("bootworthy.toml")).unwrap();
    let parse = |bytes: &[u8]| drop(Config::parse("x", &String::from_utf8_lossy(bytes), Path::new("/")));
    (0..text.len()).for_each(|end| parse(&text[..end]));
    // A fixed seed: xorshift64.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(end).unwrap()).unwrap()
    };
    for _ in 0..2000 {
        let mut bytes = text.clone();
        for _ in 0..=next(3) {
            let (at, byte) = (next(bytes.len()), b"\"[]{}=.,\n#\\'-0aZ\xff\0"[next(18)]);
            bytes[at] = byte;
        }
        parse(&bytes);
    }
}

#[test]
fn the_readme_shows_the_file_that_the_tests_read() {
    let readme = fs::read_to_string("README.md").unwrap();
    let block = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let file = fs::read_to_string(fixture("bootworthy.toml")).unwrap();
    assert_eq!(block, file);
    let config = Config::parse("bootworthy.toml", &file, Path::new("/")).unwrap();
    assert_eq!((config.ignores.len(), config.policy.len(), config.severities.len()), (2, 8, 1));
    for key in KEYS {
        let is_shown = file.lines().any(|line| line.trim_start_matches('[').starts_with(key.name));
        assert!(is_shown, "the example does not show {}", key.name);
    }
}
