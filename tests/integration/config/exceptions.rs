//! Exceptions: when they end, for which images they are, how they are shown.

use super::{BROKEN, FAULTS, accepting, finding, folder, report, run_in};
use crate::common::fixture;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;

/// Last day, `--today`, `SOURCE_DATE_EPOCH`, whether it has expired.
type End = (Option<&'static str>, Option<&'static str>, Option<&'static str>, bool);

#[test]
fn exceptions_end() {
    let rows: &[End] = &[
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

/// What is to say of the configuration is no fault of the image.
#[test]
fn an_exception_that_ended_unneeded_only_warns() {
    let file = "profile = \"strict\"\nfail_on = \"note\"\n[[ignore]]\ncheck = \"watchdog-driver\"\nreason = \"r\"\nexpires = \"2025-12-31\"\n";
    let folder = folder(file);
    let text = run_in(folder.path(), &["check", "--today", "2026-01-01", "good.qcow2"], None);
    let warning = "warning[watchdog-driver]: an exception to this check has expired and counts no more\n  --> bootworthy.toml:3\n   |  its last day was 2025-12-31; its reason was: r\n   = fix: remove the exception: the check holds\n";
    assert!(text.code == 0 && text.stdout.contains(warning), "{}", text.stdout);
    let quiet = run_in(folder.path(), &["check", "-q", "--today", "2026-01-01", "good.qcow2"], None).stdout;
    assert!(quiet.lines().count() == 1 && quiet.ends_with("fit (profile strict)\n"), "{quiet}");
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
