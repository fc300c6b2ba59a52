//! What beats what: the command line, then the file, then what stands without either.

use super::{BROKEN, FAULTS, accepting, finding, folder, report, run_in};
use serde_json::Value;

/// File, flags, exit code, a pointer into the report and what stands there; of the checks, only [`FAULTS`] are in it.
const ROWS: &[(&str, &[&str], i32, &str, &str)] = &[
    ("", &[], 1, "/profile", r#""openstack""#),
    ("profile = \"bootable\"", &[], 1, "/profile", r#""bootable""#),
    ("profile = \"bootable\"", &["--profile", "strict"], 1, "/profile", r#""strict""#),
    ("profile = \"strict\"", &["--no-config"], 1, "/profile", r#""openstack""#),
    ("profile = \"bootable\"", &[], 1, "/features", "[]"),
    ("profile = \"bootable\"\nrequire = [\"watchdog\"]", &[], 1, "/features/0/name", r#""watchdog""#),
    (
        "profile = \"bootable\"\nrequire = [\"watchdog\"]",
        &["--require", "guest-agent"],
        1,
        "/features/0/name",
        r#""guest-agent""#,
    ),
    (
        "profile = \"bootable\"\nrequire = [\"watchdog\"]",
        &["--require", "guest-agent"],
        1,
        "/features/1/name",
        r#""watchdog""#,
    ),
    ("severity.fstab-stable-ids = \"note\"", &[], 1, "/checks/1/severity", r#""note""#),
    (
        "severity.fstab-stable-ids = \"note\"",
        &["--severity", "fstab-stable-ids=warning"],
        1,
        "/checks/1/severity",
        r#""warning""#,
    ),
    (
        "severity.initrd-virtio-scsi = \"warning\"",
        &["--severity", "fstab-stable-ids=note"],
        1,
        "/checks/0/severity",
        r#""warning""#,
    ),
    ("severity.fstab-stable-ids = \"error\"", &["--ignore", "fstab-stable-ids"], 1, "/checks/1/severity", r#""off""#),
    ("watchdog_action = \"disabled\"", &[], 1, "/properties/hw_watchdog_action", r#""disabled""#),
    ("watchdog_action = \"disabled\"", &["--watchdog-action", "reset"], 1, "/properties/hw_watchdog_action", "null"),
    (
        "watchdog_action = \"disabled\"",
        &["--with", "hw_watchdog_action=pause"],
        1,
        "/properties/hw_watchdog_action",
        "null",
    ),
    ("with = { hw_watchdog_action = \"disabled\" }", &[], 1, "/properties/hw_watchdog_action", r#""disabled""#),
    (
        "with = { hw_watchdog_action = \"disabled\" }",
        &["--watchdog-action", "pause"],
        1,
        "/properties/hw_watchdog_action",
        "null",
    ),
    ("set = \"minimal\"", &[], 1, "/properties/hw_qemu_guest_agent", "null"),
    ("set = \"minimal\"", &["--set", "recommended"], 1, "/properties/hw_qemu_guest_agent", r#""yes""#),
    ("set = \"minimal\"\nwith = [\"hw_qemu_guest_agent\"]", &[], 1, "/properties/hw_qemu_guest_agent", r#""yes""#),
    ("set = \"minimal\"\nwith = { hw_qemu_guest_agent = true }", &[], 1, "/properties/hw_qemu_guest_agent", r#""yes""#),
    (
        "set = \"minimal\"\nwith = [\"hw_qemu_guest_agent\"]",
        &["--without", "hw_qemu_guest_agent"],
        1,
        "/properties/hw_qemu_guest_agent",
        "null",
    ),
    ("without = [\"os_version\"]", &[], 1, "/properties/os_version", "null"),
    ("without = [\"os_version\"]", &["--with", "os_version"], 1, "/properties/os_version", r#""12""#),
    ("without = [\"os_version\"]", &["--without", "os_distro"], 1, "/properties/os_version", "null"),
    ("without = [\"os_version\"]", &["--without", "os_distro"], 1, "/properties/os_distro", "null"),
];

#[test]
fn the_command_line_beats_the_file_and_lists_add_up() {
    for (file, flags, code, pointer, expected) in ROWS {
        let folder = folder(file);
        let (exit, mut report) = report(folder.path(), flags, BROKEN);
        // The faults alone, so that a pointer finds them whatever else is checked.
        let faults: Vec<Value> = FAULTS.iter().map(|id| finding(&report, id).clone()).collect();
        report["checks"] = Value::Array(faults);
        let found = report.pointer(pointer).map_or_else(|| "null".to_owned(), Value::to_string);
        assert_eq!((exit, found.as_str()), (*code, *expected), "{file} {flags:?} {pointer}");
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
