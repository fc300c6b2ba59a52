//! Per check: the healthy facts with one thing changed, the verdict, its weight and where the evidence points.

use super::{earned, judge, report, saved};
use bootworthy::verdict::Weight::{Full, Minor, Reduced};
use bootworthy::verdict::Word::{Fail, NotApplicable, Pass, Unknown};
use bootworthy::verdict::{Evidence, Judgement, Verdict, Weight, Word};
use serde_json::{Value, json};

const KERNEL: &str = "/boot/vmlinuz-6.1.0-56-cloud-amd64";
const INITRD: &str = "/boot/initrd.img-6.1.0-56-cloud-amd64";
const GRUB: &str = "/boot/grub/grub.cfg";
const FSTAB: &str = "/etc/fstab";
const UUID: &str = "4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001";
const CMDLINE: &str = "/boot_entries/0/attempts/0/cmdline";

/// The first evidence of a verdict.
fn evidence(judgement: &Judgement) -> Evidence {
    match &judgement.verdict {
        Verdict::Pass(proofs) => proofs[0].clone(),
        Verdict::Fail(faults) => faults[0].evidence.clone(),
        Verdict::Unknown(gaps) => Evidence { path: gaps[0].path.clone(), ..Evidence::of(gaps[0].reason.clone()) },
        Verdict::NotApplicable(reason) => Evidence::of(reason.clone()),
    }
}

type Row = (&'static str, Value, Word, Weight, Option<&'static str>, Option<u32>, &'static str);

/// (pointer, new value, word, weight, path, line, part of what was found)
fn rows(id: &str, rows: &[Row]) {
    for (pointer, new, word, weight, path, line, found) in rows {
        let mut value = saved("healthy");
        *value.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")) = new.clone();
        let judgement = judge(&value, id);
        let evidence = evidence(&judgement);
        let context = format!("{id}: {pointer} = {new}: {judgement:#?}");
        assert_eq!((judgement.verdict.word(), judgement.weight), (*word, *weight), "{context}");
        assert_eq!((evidence.path.as_deref(), evidence.line), (*path, *line), "{context}");
        assert!(evidence.found.contains(found), "{context}");
    }
}

fn fatal() -> Value {
    json!([{"id": "cpio-padding", "found": "broken padding", "fatal": true}])
}

fn harmless() -> Value {
    json!([{"id": "cpio-trailing", "found": "garbage after the trailer", "fatal": false}])
}

#[test]
fn boot_entry_resolves() {
    rows(
        "boot-entry-resolves",
        &[
            ("/kernels/0/exists", json!(false), Fail, Full, Some(GRUB), Some(131), "which is not in the image"),
            ("/initrds/0/exists", json!(false), Fail, Full, Some(INITRD), None, "not in the image"),
            ("/initrds/0/has_init", json!(false), Fail, Full, Some(INITRD), None, "no /init"),
            ("/initrds/0/flaws", fatal(), Fail, Full, Some(INITRD), None, "broken padding"),
            ("/initrds/0/flaws", harmless(), Pass, Full, Some(GRUB), Some(131), "starts"),
            ("/initrds/0/segments", json!([]), Fail, Full, Some(INITRD), None, "no archive"),
            ("/kernels/0/path", json!("/boot/other"), Unknown, Full, Some(KERNEL), None, "nothing was collected"),
            ("/boot_entries", json!([]), Unknown, Full, None, None, "no boot entry was found"),
            ("/boot_entries/0/is_default", json!(false), Unknown, Full, None, None, "no boot entry is the default"),
            ("/boot_entries/0/attempts", json!([]), Unknown, Full, Some(GRUB), None, "starts no kernel"),
            (CMDLINE, json!("root=UUID=1 rdinit=/bin/sh"), Unknown, Full, Some(INITRD), None, "rdinit=/bin/sh"),
            (CMDLINE, json!("root=UUID=1 rdinit=/init"), Pass, Full, Some(GRUB), Some(131), "starts"),
        ],
    );
}

#[test]
fn initrd_checks_fail_on_what_linux_does_not_unpack() {
    for id in [
        "initrd-virtio-pci",
        "initrd-virtio-blk",
        "initrd-virtio-scsi",
        "initrd-virtio-net",
        "initrd-module-closure",
        "initrd-kernel-match",
    ] {
        rows(
            id,
            &[
                (
                    "/initrds/0/flaws",
                    fatal(),
                    Fail,
                    Full,
                    Some(INITRD),
                    None,
                    "Linux refuses this initrd: broken padding",
                ),
                ("/initrds/0/exists", json!(false), Fail, Full, Some(INITRD), None, "not in the image"),
                ("/initrds", json!([]), Unknown, Full, Some(INITRD), None, "nothing was collected"),
                ("/kernels/0/exists", json!(false), Fail, Full, Some(KERNEL), None, "not in the image"),
                (
                    "/boot_entries/0/attempts/0/initrds/0",
                    json!("/boot/none"),
                    Unknown,
                    Full,
                    Some("/boot/none"),
                    None,
                    "nothing",
                ),
            ],
        );
    }
}

#[test]
fn initrd_virtio_net() {
    let net = "initrd-virtio-net";
    let mut value = saved("healthy");
    value["initrds"][0]["modules"][0]["files"]
        .as_array_mut()
        .unwrap()
        .retain(|path| !path.as_str().unwrap().contains("virtio_net"));
    for (cmdline, word, weight) in [
        ("root=UUID=1", Fail, Minor),
        ("root=UUID=1 ip=dhcp", Fail, Full),
        ("root=UUID=1 rd.neednet=1", Fail, Full),
        ("root=nfs:1.2.3.4:/x", Fail, Full),
        ("root=UUID=1 ip=off", Fail, Minor),
    ] {
        *value.pointer_mut(CMDLINE).unwrap() = json!(cmdline);
        let judgement = judge(&value, net);
        assert_eq!((judgement.verdict.word(), judgement.weight), (word, weight), "{cmdline}");
    }
    *value.pointer_mut(CMDLINE).unwrap() = json!(format!("root=UUID={UUID}"));
    for (pointer, new, word) in [
        ("/kernels/0/modules", json!({"unknown": "x"}), Unknown),
        ("/kernels/0/modules/files", json!([]), Fail),
        ("/kernels/0/modules/modules", json!([]), Unknown),
        ("/kernels/0/modules", Value::Null, Fail),
    ] {
        let mut other = value.clone();
        *other.pointer_mut(pointer).unwrap() = new;
        let judgement = judge(&other, net);
        assert_eq!((judgement.verdict.word(), judgement.weight), (word, Full), "{pointer}");
    }
    for module in value["kernels"][0]["modules"]["modules"].as_array_mut().unwrap() {
        module["vermagic"] = json!("5.10.0 SMP");
    }
    assert_eq!(judge(&value, net).weight, Full, "the root tree's module is of another version");
}

#[test]
fn initrd_kernel_match() {
    let tree = "/initrds/0/modules/0";
    let vermagic = json!("6.1.0-40-cloud-amd64 SMP preempt mod_unload modversions ");
    rows(
        "initrd-kernel-match",
        &[
            ("/initrds/0/modules/0/version", json!("6.1.0-40-cloud-amd64"), Fail, Full, Some(INITRD), None, "6.1.0-40"),
            ("/initrds/0/modules", json!([]), Fail, Full, Some(INITRD), None, "has no modules"),
            ("/initrds/0/modules/0/modules/3/vermagic", vermagic, Fail, Full, Some(INITRD), None, "is built for"),
            (
                "/kernels/0/version",
                json!("6.1.0-57-cloud-amd64"),
                Fail,
                Full,
                Some(INITRD),
                None,
                "modules of 6.1.0-56",
            ),
            ("/kernels/0/version", json!({"unknown": "no version"}), Unknown, Full, None, None, "no version"),
            (tree, json!({"unknown": "cut short"}), Unknown, Full, None, None, "cut short"),
        ],
    );
    let mut all_builtin = saved("healthy");
    all_builtin["initrds"][0]["modules"] = json!([]);
    all_builtin["kernels"][0]["config"] = Value::Null;
    all_builtin["kernels"][0]["modules"]["builtin"] = json!(["virtio_pci", "virtio_blk", "ext4"]);
    assert_eq!(judge(&all_builtin, "initrd-kernel-match").verdict.word(), Pass);
    all_builtin["kernels"][0]["modules"]["builtin"] = json!(["virtio_pci", "virtio_blk"]);
    assert_eq!(judge(&all_builtin, "initrd-kernel-match").verdict.word(), Fail);
}

#[test]
fn initrd_module_closure() {
    let kind = "/volumes/0/filesystem/kind";
    rows(
        "initrd-module-closure",
        &[
            (kind, json!("xfs"), Fail, Full, Some(INITRD), None, "read by xfs"),
            (kind, json!("ext3"), Pass, Full, Some(INITRD), None, "virtio_pci finds"),
            (kind, json!("bcachefs"), Unknown, Full, None, None, "bcachefs root is not known"),
            ("/volumes/0/filesystem", Value::Null, Unknown, Full, None, None, "holds no file system"),
            ("/root/volume", Value::Null, Unknown, Full, None, None, "a directory has no volumes"),
            ("/root/volume", json!(9), Unknown, Full, None, None, "not among the volumes"),
        ],
    );
}

#[test]
fn cmdline_root_stable() {
    let c = |text: &str| json!(text);
    let bad = "follows the disk bus";
    rows(
        "cmdline-root-stable",
        &[
            (CMDLINE, c("root=/dev/vda1"), Fail, Full, Some(GRUB), Some(131), bad),
            (CMDLINE, c("root=/dev/sda1 ro"), Fail, Full, Some(GRUB), Some(131), bad),
            (CMDLINE, c("root=/dev/nvme0n1p1"), Fail, Full, Some(GRUB), Some(131), bad),
            (CMDLINE, c("root=/dev/mapper/loop0p1"), Fail, Full, Some(GRUB), Some(131), bad),
            (CMDLINE, c("root=/dev/disk/by-path/x"), Fail, Full, Some(GRUB), Some(131), bad),
            (CMDLINE, c("root=UUID=1 root=/dev/vda1"), Fail, Full, Some(GRUB), Some(131), bad),
            (CMDLINE, c("root=/dev/vda1 root=UUID=1"), Pass, Full, Some(GRUB), Some(131), "root=UUID=1"),
            (CMDLINE, c("root=\"UUID=1\""), Pass, Full, Some(GRUB), Some(131), "root=UUID=1"),
            (CMDLINE, c("root=UUID=1 rootflags=subvol=@"), Pass, Full, Some(GRUB), Some(131), "root=UUID=1"),
            (CMDLINE, c("root=/dev/mapper/vg-root"), Pass, Full, Some(GRUB), Some(131), "vg-root"),
            (
                CMDLINE,
                c("root=4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001"),
                Fail,
                Full,
                Some(GRUB),
                Some(131),
                "lacks the tag",
            ),
            (CMDLINE, c("ro quiet"), Unknown, Full, Some(GRUB), None, "names no root="),
            (CMDLINE, c("root=vda1"), Unknown, Full, Some(GRUB), None, "not known"),
            ("/boot_entries/0/is_default", json!({"unknown": "saved_entry"}), Unknown, Full, None, None, "saved_entry"),
        ],
    );
    let mut value = saved("healthy");
    *value.pointer_mut(CMDLINE).unwrap() = json!("root=/dev/vda1");
    assert_eq!(evidence(&judge(&value, "cmdline-root-stable")).fix, Some(format!("root=UUID={UUID}")));
}

#[test]
fn cmdline_root_resolves() {
    let c = |text: &str| json!(text);
    let (grub, line) = (Some(GRUB), Some(131));
    rows(
        "cmdline-root-resolves",
        &[
            (CMDLINE, c("root=UUID=00000000-0000-0000-0000-000000000000"), Fail, Full, grub, line, "names no volume"),
            (
                CMDLINE,
                c("root=UUID=4A1F7C1E-6D0E-4B5B-9F0C-0D1200000001"),
                Unknown,
                Full,
                grub,
                None,
                "upper and lower case",
            ),
            (CMDLINE, c("root=PARTUUID=9d6b8a10-1c55-4f39-8a3e-4d1200000101"), Pass, Full, grub, line, "is volume 1"),
            (CMDLINE, c("root=PARTUUID=9d6b8a10-1c55-4f39-8a3e-4d1200000115"), Fail, Full, grub, line, "is volume 15"),
            (
                CMDLINE,
                c("root=PARTUUID=9d6b8a10-1c55-4f39-8a3e-4d1200000115/PARTNROFF=-14"),
                Pass,
                Full,
                grub,
                line,
                "volume 1",
            ),
            (
                CMDLINE,
                c("root=PARTUUID=9d6b8a10-1c55-4f39-8a3e-4d1200000115/PARTNROFF=7"),
                Fail,
                Full,
                grub,
                line,
                "no volume",
            ),
            (
                CMDLINE,
                c("root=/dev/disk/by-uuid/4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001"),
                Pass,
                Full,
                grub,
                line,
                "volume 1",
            ),
            (CMDLINE, c("root=LABEL=nothing"), Fail, Full, grub, line, "names no volume"),
            (CMDLINE, c("root=/dev/mapper/vg-root"), Unknown, Full, grub, None, "LVM"),
            (CMDLINE, c("root=/dev/vda1"), Pass, Full, grub, line, "is volume 1"),
            (CMDLINE, c("root=/dev/vda2"), Fail, Full, grub, line, "names no volume"),
            (CMDLINE, c("root=/dev/vdb1"), Fail, Full, grub, line, "names no volume"),
            (CMDLINE, c("root=/dev/nfs"), NotApplicable, Full, None, None, "not on the image's disk"),
            (CMDLINE, c("ro"), Unknown, Full, grub, None, "names no root="),
            ("/volumes/2/filesystem/uuid", json!(UUID), Fail, Full, grub, line, "names 2 volumes"),
            ("/volumes/2/filesystem", json!({"unknown": "not read"}), Unknown, Full, None, None, "not read"),
            ("/volumes", json!([]), Unknown, Full, None, None, "not among the volumes"),
            ("/root/volume", json!(15), Fail, Full, grub, line, "the root file system was found on volume 15"),
        ],
    );
    let mut labels = saved("healthy");
    *labels.pointer_mut(CMDLINE).unwrap() = json!("root=LABEL=root");
    labels["volumes"][0]["filesystem"]["label"] = json!("root");
    assert_eq!(judge(&labels, "cmdline-root-resolves").verdict.word(), Pass);
    labels["volumes"][2]["filesystem"]["label"] = json!("ROOT");
    assert_eq!(judge(&labels, "cmdline-root-resolves").verdict.word(), Pass);
    labels["volumes"][2]["filesystem"]["label"] = json!("root");
    assert_eq!(judge(&labels, "cmdline-root-resolves").verdict.word(), Fail);
}

#[test]
fn without_an_initrd_linux_resolves_only_partitions() {
    let mut value = saved("ubuntu-initrdless");
    let cmdline = "/boot_entries/0/attempts/0/cmdline";
    for (root, word, weight) in [
        ("PARTUUID=9d6b8a10-1c55-4f39-8a3e-4d1200000101", Pass, Full),
        ("PARTUUID=9D6B8A10-1C55-4F39-8A3E-4D1200000101", Pass, Full),
        ("UUID=b0b5b5b4-9d1e-4f7a-8f5c-1b2404000001", Fail, Minor),
        ("LABEL=cloudimg-rootfs", Fail, Minor),
    ] {
        *value.pointer_mut(cmdline).unwrap() = json!(format!("root={root} panic=-1"));
        let judgement = judge(&value, "cmdline-root-resolves");
        assert_eq!((judgement.verdict.word(), judgement.weight), (word, weight), "{root}");
    }
    *value.pointer_mut(cmdline).unwrap() = json!("root=LABEL=cloudimg-rootfs panic=0");
    assert_eq!(judge(&value, "cmdline-root-resolves").weight, Full, "nothing reboots into the second attempt");
    let attempts = value["boot_entries"][0]["attempts"].as_array_mut().unwrap();
    attempts.truncate(1);
    attempts[0]["cmdline"] = json!("root=UUID=b0b5b5b4-9d1e-4f7a-8f5c-1b2404000001");
    for id in ["cmdline-root-resolves", "initrd-virtio-scsi"] {
        assert_eq!(judge(&value, id).verdict.word(), Unknown, "{id}: an initramfs may be inside the kernel");
    }
    assert_eq!(judge(&value, "initrd-virtio-blk").verdict.word(), Pass, "built in is built in");
}

#[test]
fn a_way_out_must_lead_somewhere() {
    let scsi =
        |value: &Value| (judge(value, "initrd-virtio-scsi").verdict.word(), judge(value, "initrd-virtio-scsi").weight);
    let healthy = saved("ubuntu-initrdless");
    assert_eq!(scsi(&healthy), (Fail, Minor));
    for (pointer, new) in [
        ("/boot_entries/0/attempts/1/cmdline", json!("root=LABEL=nothing")),
        ("/boot_entries/0/attempts/1/cmdline", json!({"unknown": "x"})),
        ("/initrds/0/has_init", json!(false)),
        ("/initrds/0/exists", json!(false)),
        ("/initrds/0/modules/0/files", json!([])),
        ("/boot_entries/0/attempts/0/cmdline", json!("root=PARTUUID=9d6b8a10-1c55-4f39-8a3e-4d1200000101")),
    ] {
        let mut value = healthy.clone();
        *value.pointer_mut(pointer).unwrap() = new;
        let (word, weight) = scsi(&value);
        assert!(word != Pass && weight == Full, "{pointer}: {word:?} {weight:?}");
        assert!(!earned(&report(&value)).contains(&"hw_disk_bus=scsi".to_owned()), "{pointer}");
    }
    // The first attempt has the bus but no root, the second has a root but no bus: neither boots.
    let mut crossed = healthy.clone();
    crossed["boot_entries"][0]["attempts"][0]["cmdline"] = json!("root=PARTUUID=0 panic=-1");
    crossed["kernels"][0]["config"] = Value::Null;
    crossed["kernels"][0]["modules"]["builtin"].as_array_mut().unwrap().push(json!("virtio_scsi"));
    let mut second = crossed["kernels"][0].clone();
    second["path"] = json!("/boot/second");
    second["version"] = json!("6.8.0-91-generic");
    second["modules"] = Value::Null;
    crossed["kernels"].as_array_mut().unwrap().push(second);
    crossed["boot_entries"][0]["attempts"][1]["kernel"] = json!("/boot/second");
    assert!(!earned(&report(&crossed)).iter().any(|property| property.starts_with("hw_disk_bus")));
    assert_eq!(report(&crossed).result.exit_code(), 1);
}

#[test]
fn an_entry_that_is_no_default_weighs_less() {
    let mut value = saved("two-kernels");
    assert_eq!(report(&value).result.exit_code(), 0);
    for (is_default, word, weight) in
        [(json!(true), Fail, Full), (json!({"unknown": "grubenv"}), Unknown, Full), (json!(false), Fail, Minor)]
    {
        value["boot_entries"][2]["is_default"] = is_default.clone();
        let judgement = judge(&value, "initrd-virtio-scsi");
        assert_eq!((judgement.verdict.word(), judgement.weight), (word, weight), "{is_default}");
        let words: Vec<Word> = judgement.entries.iter().map(|entry| entry.verdict).collect();
        assert_eq!((words.len(), words.iter().filter(|word| **word == Fail).count()), (3, 1));
    }
    value["boot_entries"][2]["attempts"] = json!({"unknown": "a loop"});
    let judgement = judge(&value, "initrd-virtio-scsi");
    assert_eq!((judgement.verdict.word(), judgement.weight), (Unknown, Minor));
    assert_eq!(report(&value).result.exit_code(), 0);
    assert!(!earned(&report(&value)).contains(&"hw_disk_bus=scsi".to_owned()), "unknown earns nothing");
}

fn row(text: &str, options: &[&str]) -> Value {
    let fields: Vec<&str> = text.split_whitespace().collect();
    json!({"line": 7, "text": text, "spec": fields[0], "target": fields[1], "fstype": fields[2],
        "options": options, "freq": 0, "passno": 0})
}

#[test]
fn fstab_stable_ids() {
    let r = |spec: &str, options: &[&str]| json!(row(&format!("{spec} /data ext4 {} 0 0", options.join(",")), options));
    let other = "/fstab/1";
    let (path, line) = (Some(FSTAB), Some(7));
    rows(
        "fstab-stable-ids",
        &[
            (other, r("/dev/vda15", &["defaults"]), Fail, Full, path, line, "UUID=C6D5-1A2B in this image"),
            (other, r("/dev/sda1", &["defaults"]), Fail, Full, path, line, UUID),
            (other, r("/dev/vdb", &["nofail"]), Fail, Reduced, path, line, "follows the disk bus"),
            (other, r("/dev/vdb", &["noauto"]), Fail, Reduced, path, line, "follows the disk bus"),
            (other, r("/dev/vdb", &["nofail", "comment=cloudconfig"]), Fail, Reduced, path, line, "running instance"),
            (other, r("/dev/disk/by-id/x", &["defaults"]), Fail, Full, path, line, "follows the disk bus"),
            (other, r("/dev/loop0", &["defaults"]), Fail, Full, path, line, "follows the disk bus"),
            (other, r("C6D5-1A2B", &["defaults"]), Unknown, Full, path, None, "cannot be said"),
            (other, r(UUID, &["defaults"]), Fail, Full, path, line, "lacks the tag UUID="),
            (other, r("/dev/sr0", &["defaults"]), Pass, Full, path, Some(1), "mounted by UUID"),
            (other, r("/dev/vg/data", &["defaults"]), Pass, Full, path, Some(1), "mounted by UUID"),
            (other, r("LABEL=data", &["defaults"]), Pass, Full, path, Some(1), "mounted by UUID"),
            (other, r("/dev/md0", &["defaults"]), Unknown, Full, path, None, "cannot be said"),
            ("/fstab", Value::Null, NotApplicable, Full, None, None, "no /etc/fstab"),
            ("/fstab/0/target", json!("/srv"), NotApplicable, Full, None, None, "no row of /etc/fstab mounts the root"),
        ],
    );
    let mut value = saved("healthy");
    value["fstab"][0] =
        json!(row("/dev/vda3  /  ext4  discard,errors=remount-ro  0 1", &["discard", "errors=remount-ro"]));
    let evidence = evidence(&judge(&value, "fstab-stable-ids"));
    assert_eq!(evidence.found, format!("/dev/vda3 is UUID={UUID} in this image"));
    assert_eq!(evidence.mark.as_deref(), Some("/dev/vda3"));
    assert_eq!(evidence.fix, Some(format!("UUID={UUID}  /  ext4  discard,errors=remount-ro  0 1")));
    value["fstab"][0]["target"] = json!("/srv");
    value["fstab"][1]["spec"] = json!("/dev/vdb");
    assert_eq!(judge(&value, "fstab-stable-ids").verdict.word(), Fail, "a fault counts without a root row as well");
}

#[test]
fn fstab_targets_exist() {
    let r = |spec: &str, fstype: &str, options: &[&str]| {
        json!(row(&format!("{spec} /data {fstype} {} 0 0", options.join(",")), options))
    };
    let other = "/fstab/1";
    let (path, line) = (Some(FSTAB), Some(7));
    let ok = "is volume 1";
    rows(
        "fstab-targets-exist",
        &[
            (other, r("UUID=0", "ext4", &["defaults"]), Fail, Full, path, line, "no volume of this image is UUID=0"),
            (other, r("UUID=0", "ext4", &["nofail"]), Fail, Reduced, path, line, "no volume"),
            (other, r("UUID=c6d5-1a2b", "vfat", &["defaults"]), Fail, Full, path, line, "has it as C6D5-1A2B"),
            (
                other,
                r("UUID=C6D5-1A2B", "ext4", &["defaults"]),
                Fail,
                Full,
                path,
                line,
                "holds vfat, the row says ext4",
            ),
            (other, r("UUID=C6D5-1A2B", "auto", &["defaults"]), Pass, Full, path, Some(1), ok),
            (other, r("LABEL=none", "auto", &["defaults"]), Fail, Full, path, line, "no volume"),
            (other, r("/dev/vda9", "ext4", &["defaults"]), Fail, Full, path, line, "no volume"),
            (other, r("/dev/vdb1", "ext4", &["noauto"]), Fail, Reduced, path, line, "no volume"),
            (other, r("/dev/vda15", "vfat", &["defaults"]), Pass, Full, path, Some(1), ok),
            (other, r("/dev/mapper/vg-x", "ext4", &["defaults"]), Unknown, Full, path, None, "LVM"),
            (other, r("/dev/mapper/vg-x", "ext4", &["nofail"]), Unknown, Reduced, path, None, "LVM"),
            (
                other,
                r("PARTUUID=9d6b8a10-1c55-4f39-8a3e-4d1200000114", "ext4", &[]),
                Fail,
                Full,
                path,
                line,
                "no file system",
            ),
            (other, r("server:/x", "nfs", &["defaults"]), Pass, Full, path, Some(1), ok),
            (other, r("tmpfs", "tmpfs", &["defaults"]), Pass, Full, path, Some(1), ok),
            (other, r("/srv", "none", &["bind"]), Pass, Full, path, Some(1), ok),
            (other, r("/swapfile", "swap", &["sw"]), Pass, Full, path, Some(1), ok),
            ("/volumes/2/filesystem/uuid", json!(UUID), Fail, Full, path, Some(1), "is 2 volumes"),
            ("/root/volume", Value::Null, Unknown, Full, None, None, "a directory has no volumes"),
            ("/fstab", Value::Null, NotApplicable, Full, None, None, "no /etc/fstab"),
        ],
    );
}

#[test]
fn fstab_uuid_and_discard() {
    let label = json!(row("LABEL=data /data ext4 defaults 0 0", &["defaults"]));
    let nodiscard = json!(row("UUID=1 /data xfs discard,nodiscard 0 0", &["discard", "nodiscard"]));
    let discard = json!(row("UUID=1 /data btrfs discard=async 0 0", &["discard=async"]));
    rows(
        "fstab-uuid",
        &[
            ("/fstab/1", label.clone(), Fail, Full, Some(FSTAB), Some(7), "mounted by LABEL=data"),
            ("/fstab", json!([]), NotApplicable, Full, None, None, "no row"),
            ("/fstab/1/spec", json!("PARTUUID=1"), Pass, Full, Some(FSTAB), Some(1), "UUID"),
        ],
    );
    rows(
        "fstab-discard",
        &[
            ("/fstab/1", label, Fail, Full, Some(FSTAB), Some(7), "without discard"),
            ("/fstab/1", nodiscard, Fail, Full, Some(FSTAB), Some(7), "without discard"),
            ("/fstab/1", discard, Pass, Full, Some(FSTAB), Some(1), "with discard"),
            ("/fstab", json!([]), NotApplicable, Full, None, None, "no row"),
        ],
    );
}

#[test]
fn packages() {
    for (id, index, package) in [("agent-installed", 4, "qemu-guest-agent"), ("watchdog-installed", 6, "watchdog")] {
        let at = |what: &str| -> &'static str { Box::leak(format!("/packages/{index}{what}").into_boxed_str()) };
        let mut removed = saved("healthy")["packages"][index].clone();
        removed["state"] = json!("config-files");
        rows(
            id,
            &[
                (at("/name"), json!("other"), Fail, Full, None, None, package),
                (at(""), removed, Fail, Full, None, None, "is config-files"),
                ("/packages", json!([]), Fail, Full, None, None, package),
                (
                    "/packages",
                    json!({"items": [], "gaps": [{"reason": "cut short"}]}),
                    Unknown,
                    Full,
                    None,
                    None,
                    "cut short",
                ),
                ("/packages/0", json!({"unknown": "cut short"}), Pass, Full, None, None, package),
            ],
        );
    }
    rows("agent-installed", &[("/packages/4/name", json!("qemu-ga"), Pass, Full, None, None, "qemu-ga")]);
}

#[test]
fn image_format_safe_and_virtual_size_sane() {
    rows(
        "image-format-safe",
        &[
            ("/image/flaws", fatal(), Fail, Full, None, None, "broken padding (cpio-padding)"),
            ("/partition_table/flaws", fatal(), Fail, Full, None, None, "broken padding"),
            ("/image/flaws", harmless(), Pass, Full, None, None, "qcow2"),
            ("/volumes", json!([]), Fail, Full, None, None, "names no partition"),
            ("/partition_table", Value::Null, Pass, Full, None, None, "qcow2"),
            ("/image/format", json!("directory"), NotApplicable, Full, None, None, "a directory"),
        ],
    );
    rows(
        "virtual-size-sane",
        &[
            ("/image/virtual_size", json!(2_147_483_649_u64), Fail, Full, None, None, "2147483649 bytes"),
            (
                "/image/virtual_size",
                json!(2_147_483_136_u64),
                Fail,
                Full,
                None,
                None,
                "the partition table uses byte 2147483648",
            ),
            ("/image/virtual_size", json!(8_589_934_592_u64), Pass, Full, None, None, "used to byte"),
            ("/image/virtual_size", json!(8_589_935_104_u64), Fail, Full, None, None, "the last used byte"),
            ("/image/virtual_size", Value::Null, NotApplicable, Full, None, None, "a directory"),
            ("/partition_table", Value::Null, Pass, Full, None, None, "used to byte 2147465728"),
            ("/volumes/0/start", json!(u64::MAX), Fail, Full, None, None, "volume 1 ends at"),
        ],
    );
    let mut unsafe_image = saved("healthy");
    unsafe_image["image"]["flaws"] = fatal();
    let report = report(&unsafe_image);
    assert!(report.earned.is_empty(), "an unsafe image earns nothing");
    assert!(report.withheld.iter().all(|withheld| withheld.check == Some("image-format-safe")));
}

#[test]
fn properties() {
    for (pointer, new, gained, lost) in [
        ("/os/id", json!("opensuse-leap"), "os_distro=opensuse", "os_distro=debian"),
        ("/os/id", json!("ol"), "os_distro=oraclelinux", "os_distro=debian"),
        ("/os/id", json!("almalinux"), "os_distro=almalinux", "os_distro=debian"),
        ("/os/id", json!("linux"), "os_type=linux", "os_distro=debian"),
        ("/os/id", json!("A B"), "os_type=linux", "os_distro=debian"),
        ("/os/version_id", Value::Null, "os_type=linux", "os_version=12"),
        ("/os/version_id", json!("12\u{202e}"), "os_type=linux", "os_version=12"),
        ("/os/architecture", json!("aarch64"), "os_type=linux", "architecture=x86_64"),
        ("/os/architecture", json!({"unknown": "x"}), "os_type=linux", "architecture=x86_64"),
        ("/kernels/0/architecture", json!("i686"), "os_type=linux", "architecture=x86_64"),
        ("/kernels/0/exists", json!(false), "os_version=12", "os_type=linux"),
        ("/image/virtual_size", json!(2_147_484_160_u64), "min_disk=3", "min_disk=2"),
        ("/boot_entries/0/firmware", json!(["uefi"]), "hw_firmware_type=uefi", "hw_firmware_type=bios"),
        ("/fstab/0/spec", json!("/dev/vda1"), "os_type=linux", "hw_disk_bus=scsi"),
    ] {
        let mut value = saved("healthy");
        *value.pointer_mut(pointer).unwrap() = new.clone();
        let earned = earned(&report(&value));
        assert!(
            earned.contains(&gained.to_owned()) && !earned.contains(&lost.to_owned()),
            "{pointer} {new}: {earned:?}"
        );
    }
    let mut no_scsi = saved("healthy");
    let files = no_scsi["initrds"][0]["modules"][0]["files"].as_array_mut().unwrap();
    files.retain(|path| !path.as_str().unwrap().contains("virtio_scsi"));
    let report = report(&no_scsi);
    let keys: Vec<&str> = report.withheld.iter().map(|withheld| withheld.key).collect();
    assert_eq!(earned(&report)[0], "hw_disk_bus=virtio");
    assert_eq!(&keys[..2], ["hw_disk_bus", "hw_scsi_model"]);
    assert!(report.withheld[..2].iter().all(|withheld| withheld.check == Some("initrd-virtio-scsi")));
}
