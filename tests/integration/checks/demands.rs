//! Which properties are set for which flags and verdicts. The verdicts are made up, so that every check can fail, be
//! unknown or not exist, whatever this version checks.

use super::{guest, profile, saved};
use bootworthy::fact::Gap;
use bootworthy::verdict::check::{CHECKS, DEMAND};
use bootworthy::verdict::profile::{Severity, severity};
use bootworthy::verdict::property::{Choice, Claims, PROPERTIES, Set, claims};
use bootworthy::verdict::{Evidence, Fault, Judgement, Options, Verdict, Weight, Word};
use serde_json::{Value, json};

fn all_ids() -> Vec<&'static str> {
    CHECKS.iter().map(|check| check.id).collect()
}

fn verdict(word: Word) -> Judgement {
    Judgement::from(match word {
        Word::Pass => Verdict::Pass(vec![Evidence::of("proof")]),
        Word::Fail => Verdict::Fail(vec![Fault { evidence: Evidence::of("fault"), weight: Weight::Full }]),
        Word::Unknown => Verdict::Unknown(vec![Gap::new("gap")]),
        Word::NotApplicable => Verdict::NotApplicable("reason".to_owned()),
    })
}

/// Every check passes but those named.
fn judged(others: &[(&str, Word)]) -> Vec<(&'static str, Judgement)> {
    let word = |id: &str| others.iter().find(|(other, _)| *other == id).map_or(Word::Pass, |(_, word)| *word);
    all_ids().into_iter().map(|id| (id, verdict(word(id)))).collect()
}

/// `--set recommended --with hw_disk_bus=scsi --without os_version --watchdog-action pause`
fn choice(flags: &str) -> Choice {
    let mut choice = Choice::default();
    let words: Vec<&str> = flags.split_ascii_whitespace().collect();
    for pair in words.chunks(2) {
        match pair[0] {
            "--set" => choice.set = Set::parse(pair[1]).unwrap(),
            "--with" => choice.add(pair[1]).unwrap(),
            "--without" => choice.leave_out(pair[1]).unwrap(),
            "--watchdog-action" => choice.act(pair[1]).unwrap(),
            other => panic!("{other}"),
        }
    }
    choice
}

fn claimed(facts: &Value, flags: &str, others: &[(&str, Word)]) -> Claims {
    let options = Options { choice: choice(flags), ..Options::default() };
    claims(&guest(facts), &options, &judged(others))
}

fn earned(claims: &Claims) -> Vec<String> {
    claims.earned.iter().map(|earned| format!("{}={}", earned.key, earned.value)).collect()
}

/// With `key` of every option left out, as the flags would be without the property.
fn without(list: &[&'static str], keys: &[&str]) -> Vec<&'static str> {
    list.iter().copied().filter(|text| !keys.contains(&text.split('=').next().unwrap())).collect()
}

const MINIMAL: &[&str] = &[
    "hw_disk_bus=scsi",
    "hw_scsi_model=virtio-scsi",
    "os_type=linux",
    "os_distro=debian",
    "os_version=12",
    "architecture=x86_64",
    "min_disk=2",
];
const RECOMMENDED: &[&str] = &[
    "hw_disk_bus=scsi",
    "hw_scsi_model=virtio-scsi",
    "hw_qemu_guest_agent=yes",
    "hw_vif_multiqueue_enabled=true",
    "hw_watchdog_action=reset",
    "os_type=linux",
    "os_distro=debian",
    "os_version=12",
    "architecture=x86_64",
    "min_disk=2",
];

#[test]
fn flags_choose_among_what_is_earned() {
    let facts = saved("healthy");
    let with = |list: &[&'static str], more: &[&'static str]| [list, more].concat();
    let replaced = |list: &[&'static str], key: &str, by: &'static str| -> Vec<&'static str> {
        list.iter().map(|text| if text.split('=').next() == Some(key) { by } else { text }).collect()
    };
    for (flags, expected) in [
        ("", RECOMMENDED.to_vec()),
        ("--set recommended", RECOMMENDED.to_vec()),
        ("--set minimal", MINIMAL.to_vec()),
        (
            "--set minimal --with hw_qemu_guest_agent",
            without(RECOMMENDED, &["hw_vif_multiqueue_enabled", "hw_watchdog_action"]),
        ),
        ("--without hw_watchdog_action", without(RECOMMENDED, &["hw_watchdog_action"])),
        ("--without hw_disk_bus", without(RECOMMENDED, &["hw_disk_bus", "hw_scsi_model"])),
        // Never the bus without its model: the disk then hangs on virtio-blk, which is earned too.
        (
            "--without hw_scsi_model",
            replaced(&without(RECOMMENDED, &["hw_scsi_model"]), "hw_disk_bus", "hw_disk_bus=virtio"),
        ),
        (
            "--with hw_disk_bus=virtio",
            replaced(&without(RECOMMENDED, &["hw_scsi_model"]), "hw_disk_bus", "hw_disk_bus=virtio"),
        ),
        ("--with hw_disk_bus=scsi", RECOMMENDED.to_vec()),
        ("--with hw_disk_bus=ide", without(RECOMMENDED, &["hw_disk_bus", "hw_scsi_model"])),
        (
            "--with hw_scsi_model=lsilogic",
            replaced(&without(RECOMMENDED, &["hw_scsi_model"]), "hw_disk_bus", "hw_disk_bus=virtio"),
        ),
        ("--watchdog-action pause", replaced(RECOMMENDED, "hw_watchdog_action", "hw_watchdog_action=pause")),
        (
            "--with hw_watchdog_action=poweroff",
            replaced(RECOMMENDED, "hw_watchdog_action", "hw_watchdog_action=poweroff"),
        ),
        ("--watchdog-action disabled", replaced(RECOMMENDED, "hw_watchdog_action", "hw_watchdog_action=disabled")),
        ("--with min_disk=20", replaced(RECOMMENDED, "min_disk", "min_disk=20")),
        ("--with min_disk=1", without(RECOMMENDED, &["min_disk"])),
        ("--with os_version=99", without(RECOMMENDED, &["os_version"])),
        ("--with hw_firmware_type=uefi", with(RECOMMENDED, &["hw_firmware_type=uefi"])),
        ("--with hw_firmware_type=bios", with(RECOMMENDED, &["hw_firmware_type=bios"])),
        ("--with hw_firmware_type", RECOMMENDED.to_vec()),
        ("--with hw_machine_type=q35", with(RECOMMENDED, &["hw_machine_type=q35"])),
        ("--with hw_machine_type=pc-i440fx-9.2", with(RECOMMENDED, &["hw_machine_type=pc-i440fx-9.2"])),
        ("--with hw_machine_type=virt", RECOMMENDED.to_vec()),
        ("--with hypervisor_type", with(RECOMMENDED, &["hypervisor_type=qemu"])),
        ("--with hw_vif_model=virtio", with(RECOMMENDED, &["hw_vif_model=virtio"])),
        ("--with hw_vif_model=e1000", RECOMMENDED.to_vec()),
        ("--with os_secure_boot=disabled", with(RECOMMENDED, &["os_secure_boot=disabled"])),
        ("--with os_secure_boot=required", RECOMMENDED.to_vec()),
        ("--with img_config_drive=optional", with(RECOMMENDED, &["img_config_drive=optional"])),
        ("--with hw_video_model=none", with(RECOMMENDED, &["hw_video_model=none"])),
        ("--with os_require_quiesce", with(RECOMMENDED, &["os_require_quiesce=yes"])),
        // It would make every snapshot fail.
        ("--set minimal --with os_require_quiesce", MINIMAL.to_vec()),
    ] {
        assert_eq!(earned(&claimed(&facts, flags, &[])), expected, "{flags}");
    }
}

#[test]
fn larger_sets_add_and_never_take_away() {
    let facts = saved("healthy");
    let mut before: Vec<String> = Vec::new();
    for set in Set::ALL {
        let claims = claimed(&facts, &format!("--set {}", set.name()), &[]);
        let now = earned(&claims);
        assert!(before.iter().all(|text| now.contains(text)), "{} lacks something of {before:?}: {now:?}", set.name());
        // Whatever is in the set is told, one way or the other, unless the image does not need it.
        for property in PROPERTIES.iter().filter(|property| property.sets.contains(set)) {
            let key = property.key;
            let is_told = now.iter().any(|text| text.starts_with(&format!("{key}=")))
                || claims.withheld.iter().any(|withheld| withheld.key == key);
            assert!(is_told || ["hw_firmware_type", "hw_machine_type"].contains(&key), "{key}");
        }
        before = now;
    }
}

#[test]
fn aarch64_is_a_virt_machine() {
    let mut facts = saved("healthy");
    facts["os"]["architecture"] = json!("aarch64");
    facts["kernels"][0]["architecture"] = json!("aarch64");
    for (flags, expected) in [
        ("--set minimal", Some("virt")),
        ("--with hw_machine_type", Some("virt")),
        ("--with hw_machine_type=virt-9.2", Some("virt-9.2")),
        ("--with hw_machine_type=q35", None),
    ] {
        let claims = claimed(&facts, flags, &[]);
        let found = claims.earned.iter().find(|earned| earned.key == "hw_machine_type");
        assert_eq!(found.map(|earned| earned.value.as_str()), expected, "{flags}");
    }
    facts["boot_entries"][0]["firmware"] = json!(["uefi"]);
    assert!(earned(&claimed(&facts, "", &[])).contains(&"hw_firmware_type=uefi".to_owned()));
}

/// What each check withholds when it does not pass, as the rules have it.
fn withholds(id: &str) -> Vec<&'static str> {
    let bus = ["hw_disk_bus=scsi", "hw_scsi_model=virtio-scsi"];
    match id {
        "image-format-safe" => RECOMMENDED.to_vec(),
        "initrd-virtio-pci" => [&bus[..], &["hw_qemu_guest_agent=yes", "hw_vif_multiqueue_enabled=true"]].concat(),
        "boot-entry-resolves"
        | "cmdline-root-stable"
        | "cmdline-root-resolves"
        | "initrd-virtio-scsi"
        | "initrd-kernel-match"
        | "fstab-stable-ids"
        | "initrd-root-filesystem"
        | "fstab-targets-exist" => bus.to_vec(),
        // As the module that it names.
        "initrd-module-closure" | "module-not-blacklisted" => [&bus[..], &["hw_vif_multiqueue_enabled=true"]].concat(),
        "initrd-virtio-net" | "multiqueue-kernel" => vec!["hw_vif_multiqueue_enabled=true"],
        "agent-installed" | "agent-started" | "agent-channel" => vec!["hw_qemu_guest_agent=yes"],
        "watchdog-driver" | "watchdog-loadable" | "watchdog-armed" => vec!["hw_watchdog_action=reset"],
        _ => Vec::new(),
    }
}

#[test]
fn each_check_withholds_what_the_rules_say() {
    let facts = saved("healthy");
    for id in all_ids() {
        for word in [Word::Fail, Word::Unknown] {
            let claims = claimed(&facts, "", &[(id, word)]);
            let withheld = withholds(id);
            let mut expected: Vec<&str> = RECOMMENDED.iter().copied().filter(|text| !withheld.contains(text)).collect();
            // Where scsi alone is not earned, virtio is.
            if id == "initrd-virtio-scsi" {
                expected.insert(0, "hw_disk_bus=virtio");
            }
            assert_eq!(earned(&claims), expected, "{id} {word:?}");
            for text in withheld {
                let (key, value) = text.split_once('=').unwrap();
                let of_key = claims.withheld.iter().find(|withheld| withheld.key == key);
                let record = of_key.unwrap_or_else(|| panic!("{id}: nothing is said of {key}"));
                assert_eq!((record.check, record.value.as_deref()), (Some(id), Some(value)), "{id} {word:?}");
            }
        }
        assert_eq!(earned(&claimed(&facts, "", &[(id, Word::NotApplicable)])), RECOMMENDED, "{id}");
    }
}

#[test]
fn a_wish_fails_on_evidence_and_is_unknown_without() {
    let facts = saved("healthy");
    let agent = "agent-started";
    for (flags, others, word, check, reason) in [
        ("--with hw_disk_bus", &[][..], Word::Pass, None, "initrd-virtio-scsi"),
        ("--with hw_qemu_guest_agent", &[(agent, Word::Fail)], Word::Fail, Some(agent), "fault"),
        ("--with hw_qemu_guest_agent=yes", &[(agent, Word::Unknown)], Word::Unknown, Some(agent), "gap"),
        ("--set minimal --with hw_qemu_guest_agent", &[(agent, Word::Fail)], Word::Fail, Some(agent), "fault"),
        // What fails is named before what is not known.
        (
            "--with hw_qemu_guest_agent",
            &[("agent-installed", Word::Unknown), (agent, Word::Fail)],
            Word::Fail,
            Some(agent),
            "fault",
        ),
        ("--with hw_disk_bus", &[("initrd-virtio-scsi", Word::Fail)], Word::Pass, None, "initrd-virtio-blk"),
        (
            "--with hw_disk_bus=scsi",
            &[("initrd-virtio-scsi", Word::Fail)],
            Word::Fail,
            Some("initrd-virtio-scsi"),
            "fault",
        ),
        // virtio might still be earned.
        (
            "--with hw_disk_bus",
            &[("initrd-virtio-scsi", Word::Fail), ("initrd-virtio-blk", Word::Unknown)],
            Word::Unknown,
            Some("initrd-virtio-blk"),
            "gap",
        ),
        ("--with hw_disk_bus=ide", &[], Word::Unknown, None, "only for scsi, virtio"),
        ("--with os_version=99", &[], Word::Fail, None, "this image has 12"),
        ("--with os_type=windows", &[], Word::Fail, None, "this image has linux"),
        ("--with min_disk=1", &[], Word::Fail, None, "this image has 2"),
        ("--with hw_firmware_type", &[], Word::Fail, None, "--with hw_firmware_type=VALUE"),
        ("--with hw_machine_type=virt", &[], Word::Fail, None, "x86_64"),
        ("--with os_secure_boot", &[], Word::Unknown, None, "signed"),
        (
            "--with hw_watchdog_action=disabled",
            &[("watchdog-armed", Word::Fail)],
            Word::Pass,
            None,
            "image-format-safe",
        ),
        ("--with hw_tpm_version=1.2 --with hw_tpm_model=tpm-crb", &[], Word::Fail, None, "TPM 2.0"),
        ("--with hw_scsi_model --without hw_disk_bus", &[], Word::Fail, None, "only beside hw_disk_bus=scsi"),
    ] {
        let claims = claimed(&facts, flags, others);
        let forced = claims.forced.first().unwrap();
        assert_eq!((forced.word, forced.check), (word, check), "{flags} {others:?}: {forced:?}");
        assert!(forced.reason.contains(reason), "{flags}: {forced:?}");
        let is_earned = claims.earned.iter().any(|earned| earned.key == forced.key);
        let is_withheld = claims.withheld.iter().any(|withheld| withheld.key == forced.key);
        assert!(is_earned == (word == Word::Pass) && (is_earned || is_withheld), "{flags}: {claims:#?}");
    }
}

#[test]
fn a_check_that_does_not_exist_earns_nothing() {
    let guest = guest(&saved("healthy"));
    for id in all_ids() {
        let judged: Vec<_> = judged(&[]).into_iter().filter(|(other, _)| *other != id).collect();
        let options = Options { choice: choice("--with hw_watchdog_action"), ..Options::default() };
        let claims = claims(&guest, &options, &judged);
        let withheld = withholds(id);
        for text in &withheld {
            assert!(!earned(&claims).contains(&(*text).to_owned()), "{id} {text}");
        }
        let is_asked = id == "image-format-safe" || withheld.contains(&"hw_watchdog_action=reset");
        let word = if is_asked { Word::Unknown } else { Word::Pass };
        assert_eq!(claims.forced[0].word, word, "{id}");
    }
}

#[test]
fn six_are_always_told() {
    let facts = saved("healthy");
    for (flags, reason) in [
        ("--set minimal", "not in the set minimal"),
        ("--without hw_qemu_guest_agent", "left out by --without"),
        ("--with hw_disk_bus=virtio", "only beside hw_disk_bus=scsi"),
    ] {
        let claims = claimed(&facts, flags, &[]);
        for key in bootworthy::verdict::property::ALWAYS {
            let is_earned = claims.earned.iter().any(|earned| earned.key == *key);
            assert!(is_earned || claims.withheld.iter().any(|withheld| withheld.key == *key), "{flags} {key}");
        }
        assert!(claims.withheld.iter().any(|withheld| withheld.reason == reason), "{flags}: {:#?}", claims.withheld);
    }
}

#[test]
fn only_a_boot_shows_what_selinux_allows() {
    let word = " enforcing=1";
    let file = |mode: &str| json!({"mode": mode, "line": 6, "has_policy": true});
    for (selinux, cmdline, expected) in [
        (Value::Null, "", Word::Pass),
        (Value::Null, word, Word::Unknown),
        (file("disabled"), word, Word::Pass),
        (file("permissive"), "", Word::Pass),
        (file("permissive"), word, Word::Unknown),
        (file("permissive"), " enforcing=0", Word::Pass),
        (file("enforcing"), "", Word::Unknown),
        (file(""), "", Word::Unknown),
        (json!({"unknown": {"reason": "test"}}), "", Word::Unknown),
    ] {
        let mut facts = saved("healthy");
        facts["selinux"] = selinux.clone();
        let words = facts.pointer_mut("/boot_entries/0/attempts/0/cmdline").unwrap();
        *words = json!(format!("{}{cmdline}", words.as_str().unwrap()));
        let claims = claimed(&facts, "--with os_require_quiesce", &[]);
        assert_eq!(claims.forced[0].word, expected, "{selinux} {cmdline}: {:?}", claims.forced);
    }
}

#[test]
fn the_admin_is_who_cloud_init_makes_or_an_account() {
    let account =
        |name: &str| json!({"name": name, "password": "shadow", "path": "/etc/passwd", "line": 1, "shell": null});
    let user = |name: Value, modules: Value| json!({"files": [], "modules": modules, "default_user": name});
    let (made, unknown) = (json!(["users_groups"]), json!({"unknown": {"reason": "test"}}));
    for (cloud_init, flags, expected) in [
        (user(json!("debian"), made.clone()), "os_admin_user", (Word::Pass, "os_admin_user=debian")),
        (user(json!("debian"), made.clone()), "os_admin_user=debian", (Word::Pass, "os_admin_user=debian")),
        (user(json!("debian"), made.clone()), "os_admin_user=root", (Word::Pass, "os_admin_user=root")),
        (user(json!("debian"), made.clone()), "os_admin_user=ubuntu", (Word::Fail, "os_admin_user=ubuntu")),
        (user(json!("debian"), json!([])), "os_admin_user", (Word::Fail, "os_admin_user")),
        (user(Value::Null, made.clone()), "os_admin_user", (Word::Fail, "os_admin_user")),
        (user(unknown.clone(), made), "os_admin_user", (Word::Unknown, "os_admin_user")),
        (user(json!("debian"), unknown.clone()), "os_admin_user", (Word::Unknown, "os_admin_user")),
        (unknown.clone(), "os_admin_user=root", (Word::Pass, "os_admin_user=root")),
        (unknown, "os_admin_user=debian", (Word::Unknown, "os_admin_user=debian")),
    ] {
        let mut facts = saved("healthy");
        facts["cloud_init"] = cloud_init.clone();
        facts["accounts"] = json!({"passwd": [account("root")], "shadow": []});
        let claims = claimed(&facts, &format!("--with {flags}"), &[]);
        let forced = &claims.forced[0];
        assert_eq!((forced.word, forced.text.as_str()), expected, "{cloud_init} {flags}: {forced:?}");
    }
}

#[test]
fn a_device_is_worth_its_property_where_the_kernel_drives_it() {
    let built_in = |modules: &[&str]| {
        let mut facts = saved("healthy");
        let list = facts.pointer_mut("/kernels/0/modules/builtin").unwrap().as_array_mut().unwrap();
        list.extend(modules.iter().map(|module| json!(module)));
        let mut sorted: Vec<String> = list.iter().map(|module| module.as_str().unwrap().to_owned()).collect();
        sorted.sort();
        *list = sorted.into_iter().map(Value::from).collect();
        facts
    };
    for (flags, modules) in [
        ("hw_rng_model", &["virtio_rng"][..]),
        ("hw_cdrom_bus=scsi", &["sr_mod", "isofs"]),
        ("hw_cdrom_bus=sata", &["sr_mod", "isofs", "ahci"]),
        ("hw_cdrom_bus=ide", &["sr_mod", "isofs", "ata_piix"]),
        ("hw_video_model=virtio", &["virtio_gpu"]),
        ("hw_tpm_version=2.0", &["tpm_tis"]),
        ("hw_tpm_version=1.2", &["tpm_tis"]),
        ("hw_tpm_version=2.0 --with hw_tpm_model=tpm-crb", &["tpm_crb"]),
        ("img_config_drive=mandatory", &["sr_mod", "isofs", "ahci", "ata_piix"]),
    ] {
        let flags = format!("--with {flags}");
        assert_eq!(claimed(&built_in(modules), &flags, &[]).forced[0].word, Word::Pass, "{flags}");
        for missing in modules {
            let others: Vec<&str> = modules.iter().copied().filter(|module| module != missing).collect();
            let forced = claimed(&built_in(&others), &flags, &[]).forced.remove(0);
            assert!(forced.word == Word::Fail && forced.reason.contains(missing), "{flags}: {forced:?}");
        }
        let mut facts = built_in(modules);
        *facts.pointer_mut("/kernels/0/modules").unwrap() = json!({"unknown": {"reason": "test"}});
        assert_eq!(claimed(&facts, &flags, &[]).forced[0].word, Word::Unknown, "{flags}");
    }
}

#[test]
fn severities_are_those_of_the_rules() {
    use Severity::{Error, Note, Warning};
    let errors = [
        "image-format-safe",
        "boot-entry-resolves",
        "cmdline-root-stable",
        "cmdline-root-resolves",
        "initrd-virtio-pci",
        "initrd-virtio-blk",
        "initrd-virtio-scsi",
        "initrd-virtio-net",
        "initrd-module-closure",
        "initrd-kernel-match",
        "initrd-root-filesystem",
        "module-not-blacklisted",
        "fstab-stable-ids",
        "fstab-targets-exist",
    ];
    let features = [
        "agent-installed",
        "agent-started",
        "agent-channel",
        "watchdog-installed",
        "watchdog-driver",
        "watchdog-loadable",
        "watchdog-armed",
    ];
    let warnings = [
        "virtual-size-sane",
        "trim-enabled",
        "watchdog-single-owner",
        "multiqueue-kernel",
        "cloud-init-present",
        "cloud-init-datasource",
        "console-serial",
        "sshd-enabled",
        "growpart-available",
        "machine-id-reset",
        "ssh-hostkeys-absent",
        "password-unset",
    ];
    let notes = ["fstab-discard", "agent-freeze-allowed", "agent-password-allowed", "irqbalance-enabled"];
    let mut rows: Vec<(&str, [Severity; 3])> = vec![("fstab-uuid", [Note, Note, Warning])];
    rows.extend(errors.map(|id| (id, [Error, Error, Error])));
    rows.extend(features.map(|id| (id, [Error, Note, Error])));
    rows.extend(warnings.map(|id| (id, [Warning, Note, Warning])));
    rows.extend(notes.map(|id| (id, [Note, Note, Note])));
    let mut ids: Vec<&str> = rows.iter().map(|(id, _)| *id).collect();
    let mut known = all_ids();
    ids.sort_unstable();
    known.sort_unstable();
    assert_eq!(ids, known, "every check of the rules exists");
    for (id, expected) in rows {
        let found =
            ["openstack", "bootable", "strict"].map(|name| severity(profile(name), id, Weight::Full, &|_| false));
        assert_eq!(found, expected, "{id}");
    }
    assert!(!known.contains(&DEMAND.id));
}
