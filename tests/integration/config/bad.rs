//! Files that are refused: text, line, and all that is said.

/// Text of the file, line of the mistake, the message.
#[rustfmt::skip]
pub(super) const BAD: &[(&str, u32, &str)] = &[
    (r#"profil = "openstack""#, 1, r#"there is no key "profil"; did you mean profile?"#),
    (r#"Profile = "openstack""#, 1, r#"there is no key "Profile"; did you mean profile?"#),
    ("color = true", 1, r#"there is no key "color"; there are profile, require, require_in_initrd, fail_on, set, with, without, watchdog_action, severity, ignore, policy"#),
    (r#"profile = "opnstack""#, 1, r#"profile: "opnstack" is none of openstack, bootable, strict; did you mean openstack?"#),
    (r#"profile = "OpenStack""#, 1, r#"profile: "OpenStack" is none of openstack, bootable, strict; did you mean openstack?"#),
    (r#"profile = """#, 1, r#"profile: "" is none of openstack, bootable, strict"#),
    ("profile = 3", 1, "profile: found the number 3, expected a text in quotes"),
    (r#"profile = ["openstack"]"#, 1, "profile: found a list, expected a text in quotes"),
    ("profile = openstack", 1, "this is not TOML: string values must be quoted, expected literal string"),
    (r#"profile = "openstack"#, 1, r#"this is not TOML: invalid basic string, expected `"`"#),
    (r#"profile = "openstack"
profile = "strict""#, 2, "this is not TOML: duplicate key"),
    (r#"= "x""#, 1, "this is not TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`"),
    (r#"[severity
fstab-uuid = "note""#, 1, "this is not TOML: unclosed table, expected `]`"),
    (r#"require = "watchdog""#, 1, r#"require: found the text "watchdog", expected a list in [ ]"#),
    (r#"require = ["watchdog", "gest-agent"]"#, 1, r#"require: "gest-agent" is none of virtio-scsi, discard, guest-agent, multiqueue, watchdog, uefi, secure-boot, config-drive; did you mean guest-agent?"#),
    ("require = [true]", 1, "require: found the word true without quotes, expected a text in quotes"),
    (r#"require_in_initrd = ["virtio_net", "../x"]"#, 1, r#"require_in_initrd: found the text "../x", expected the name of a kernel module, such as virtio_net"#),
    (r#"require_in_initrd = [""]"#, 1, r#"require_in_initrd: found the text "", expected the name of a kernel module, such as virtio_net"#),
    ("require_in_initrd = { virtio_net = true }", 1, "require_in_initrd: found a table, expected a list in [ ]"),
    (r#"fail_on = "off""#, 1, r#"fail_on: "off" is none of note, warning, error"#),
    (r#"fail_on = "fatal""#, 1, r#"fail_on: "fatal" is none of note, warning, error"#),
    ("fail_on = 1.5", 1, "fail_on: found the number 1.5, expected a text in quotes"),
    (r#"fail-on = "error""#, 1, r#"there is no key "fail-on"; did you mean fail_on?"#),
    (r#"set = "recomended""#, 1, r#"set: "recomended" is none of minimal, recommended, scs, full; did you mean recommended?"#),
    ("set = 2026-01-01", 1, "set: found the date 2026-01-01, expected a text in quotes"),
    (r#"with = "os_version""#, 1, r#"with: found the text "os_version", expected a table of properties and values in { }, or a list of keys"#),
    (r#"with = { os_vesion = "12" }"#, 1, r#"there is no property "os_vesion"; did you mean os_version?"#),
    (r#"with = { os_version = ["12"] }"#, 1, "with.os_version: found a list, expected a text in quotes"),
    ("with = { os_version = 12.4 }", 1, "with.os_version: found the number 12.4, expected a text in quotes"),
    (r#"with = { os_version = "" }"#, 1, "with.os_version: os_version=: a value has 1 to 255 characters"),
    (r#"with = { hw_disk_bus = "SCSI" }"#, 1, "with.hw_disk_bus: hw_disk_bus=SCSI: Nova accepts fdc, ide, sata, scsi, usb, virtio, xen, lxc, uml"),
    ("with = { hw_qemu_guest_agent = false }", 1, "with.hw_qemu_guest_agent: hw_qemu_guest_agent=false: yes is all that can be earned; --without hw_qemu_guest_agent leaves it out"),
    (r#"with = ["hw_dsk_bus"]"#, 1, r#"with: there is no property "hw_dsk_bus"; did you mean hw_disk_bus?"#),
    (r#"with = ["min_disk=many"]"#, 1, "with: min_disk=many: a whole number is expected"),
    (r#"with = ["os_version=12", "os_version=13"]"#, 1, "with: with os_version=13 contradicts with os_version (12)"),
    (r#"without = ["os_version"]
with = { os_version = "12" }"#, 2, "with.os_version: with os_version=12 contradicts without os_version"),
    (r#"with = ["os_version"]
without = ["os_version"]"#, 2, "without: without os_version contradicts with os_version"),
    (r#"without = "os_version""#, 1, r#"without: found the text "os_version", expected a list in [ ]"#),
    (r#"without = ["min_dsk"]"#, 1, r#"without: there is no property "min_dsk"; did you mean min_disk?"#),
    (r#"watchdog_action = "shutdown""#, 1, "watchdog_action: 'shutdown' is a libvirt action; Nova accepts none, pause, poweroff, reset, disabled"),
    (r#"watchdog_action = "reboot""#, 1, "watchdog_action: 'reboot' is no watchdog action; Nova accepts none, pause, poweroff, reset, disabled"),
    ("watchdog_action = true", 1, "watchdog_action: found the word true without quotes, expected a text in quotes"),
    (r#"watchdog_action = "reset"
with = { hw_watchdog_action = "pause" }"#, 2, "with.hw_watchdog_action: with hw_watchdog_action=pause contradicts watchdog-action reset"),
    (r#"with = ["hw_watchdog_action=pause"]
watchdog_action = "reset""#, 2, "watchdog_action: watchdog-action reset contradicts with hw_watchdog_action=pause"),
    (r#"severity = "warning""#, 1, r#"severity: found the text "warning", expected a table: [severity]"#),
    (r#"[severity]
fstab-uid = "note""#, 2, r#"there is no check "fstab-uid"; did you mean fstab-uuid?"#),
    (r#"[severity]
fstab-uuid = "Warning""#, 2, r#"severity.fstab-uuid: "Warning" is none of off, note, warning, error; did you mean warning?"#),
    ("[severity]

# a comment
fstab-uuid = 2", 4, "severity.fstab-uuid: found the number 2, expected a text in quotes"),
    (r#"[severity]
property-earned = "off""#, 2, r#"there is no check "property-earned""#),
    (r#"[ignore]
check = "fstab-uuid"
reason = "r""#, 1, "ignore: found a table, expected a list of tables: [[ignore]]"),
    (r#"ignore = ["fstab-uuid"]"#, 1, r#"ignore: found the text "fstab-uuid", expected a table: [[ignore]]"#),
    (r#"[[ignore]]
check = "fstab-uuid""#, 1, "ignore: reason is missing: say why the finding is accepted"),
    (r#"[[ignore]]
reason = "r""#, 1, "ignore: check is missing: the check whose finding is accepted"),
    (r#"[[ignore]]
check = "fstab-uuid"
reason = " ""#, 3, "ignore.reason: it is empty; say why the finding is accepted"),
    (r#"[[ignore]]
check = "fstab-uid"
reason = "r""#, 2, r#"ignore.check: there is no check "fstab-uid"; did you mean fstab-uuid?"#),
    (r#"[[ignore]]
check = ["fstab-uuid"]
reason = "r""#, 2, "ignore.check: found a list, expected a text in quotes"),
    (r#"[[ignore]]
check = "fstab-uuid"
resaon = "r""#, 3, r#"there is no key "resaon"; did you mean reason?"#),
    (r#"[[ignore]]
check = "fstab-uuid"
reason = "r"
expires = "31.12.2026""#, 4, r#"ignore.expires: found the text "31.12.2026", expected a day such as "2026-12-31""#),
    (r#"[[ignore]]
check = "fstab-uuid"
reason = "r"
expires = "2026-02-30""#, 4, r#"ignore.expires: found the text "2026-02-30", expected a day such as "2026-12-31""#),
    (r#"[[ignore]]
check = "fstab-uuid"
reason = "r"
expires = 2026-12-31T00:00:00Z"#, 4, r#"ignore.expires: found the date 2026-12-31T00:00:00Z, expected a day such as "2026-12-31""#),
    (r#"[[ignore]]
check = "fstab-uuid"
reason = "r"
expires = 20261231"#, 4, r#"ignore.expires: found the number 20261231, expected a day such as "2026-12-31""#),
    (r#"[[ignore]]
check = "fstab-uuid"
reason = "r"
image = """#, 4, "ignore.image: a pattern has 1 to 4096 characters"),
    (r#"[[ignore]]
check = "fstab-uuid"
reason = "r"

[[ignore]]
check = "fstab-uuid"
reason = 7"#, 7, "ignore.reason: found the number 7, expected a text in quotes"),
    (r#"policy = "scs""#, 1, r#"policy: found the text "scs", expected a table: [policy]"#),
    (r#"[policy]
os_purpos = "generic""#, 2, r#"there is no promise "os_purpos"; did you mean os_purpose?"#),
    (r#"[policy]
os_purpose = "general""#, 2, r#"policy.os_purpose: "general" is none of generic, oldgeneric, minimal, k8snode, gpu, network, custom; did you mean generic?"#),
    (r#"[policy]
colour = "red""#, 2, r#"there is no promise "colour"; there are min_ram, os_purpose, replace_frequency, uuid_validity, provided_until, hotfix_hours, image_source, image_description, image_build_date, image_original_user, patchlevel, license_included, license_required, subscription_included, subscription_required, maintained_until, l1_support_contact"#),
    (r#"[policy]
replace_frequency = "sometimes""#, 2, r#"policy.replace_frequency: "sometimes" is none of yearly, quarterly, monthly, weekly, daily, critical_bug, never"#),
    (r#"[policy]
uuid_validity = "last-0""#, 2, r#"policy.uuid_validity: found the text "last-0", expected none, last-N, YYYY-MM-DD, notice or forever"#),
    (r#"[policy]
provided_until = "2026-13-01""#, 2, r#"policy.provided_until: found the text "2026-13-01", expected YYYY-MM-DD, none or notice"#),
    (r#"[policy]
hotfix_hours = "24""#, 2, r#"policy.hotfix_hours: found the text "24", expected a whole number from 0 to 4294967295"#),
    ("[policy]
hotfix_hours = -1", 2, "policy.hotfix_hours: found the number -1, expected a whole number from 0 to 4294967295"),
    (r#"[policy]
image_source = "file:///tmp/x""#, 2, r#"policy.image_source: found the text "file:///tmp/x", expected a http, https, ftp or ftps URL, or private"#),
    (r#"[policy]
image_description = """#, 2, r#"policy.image_description: found the text "", expected 1 to 255 characters, not all of them blank"#),
    (r#"[policy]
image_build_date = "2026-03-01 25:00""#, 2, r#"policy.image_build_date: found the text "2026-03-01 25:00", expected YYYY-MM-DD[ hh:mm[:ss]]"#),
    (r#"[policy]
license_included = "yes""#, 2, r#"policy.license_included: found the text "yes", expected true or false, without quotes"#),
    ("policy.os_purpose.x = 1", 1, "policy.os_purpose: found a table, expected a text in quotes"),
    (r#"profile = "a\nb""#, 1, r#"profile: "a\nb" is none of openstack, bootable, strict"#),
    (r#"profile = "\u001b[31m""#, 1, r#"profile: "\u{1b}[31m" is none of openstack, bootable, strict"#),
];
