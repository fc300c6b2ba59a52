//! The checks of the boot path.

use super::{CMDLINE, GRUB, INITRD, KERNEL, UUID, evidence, fatal, harmless, rows};
use crate::checks::{at, earned, judge, report, saved};
use bootworthy::verdict::Weight::{Full, Minor};
use bootworthy::verdict::Word;
use bootworthy::verdict::Word::{Fail, NotApplicable, Pass, Unknown};
use serde_json::{Value, json};

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
            ("/boot_entries/0/firmware", json!([]), Fail, Full, Some(GRUB), None, "EFI/BOOT/BOOTX64.EFI"),
            ("/boot_entries/0/firmware", json!(["uefi"]), Pass, Full, Some(GRUB), Some(131), "starts"),
            ("/boot_entries/0/firmware", json!({"unknown": "x"}), Unknown, Full, None, None, "x"),
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
    let (flags, machine) = ("/initrds/0/modules/0/modules/3/vermagic", "/initrds/0/modules/0/modules/3/machine");
    let other_flags = "6.1.0-56-cloud-amd64 preempt mod_unload modversions ";
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
            (flags, json!(other_flags), Fail, Full, Some(INITRD), None, "is built for"),
            (machine, json!("aarch64"), Fail, Full, Some(INITRD), None, "is compiled for aarch64"),
            (machine, json!({"unknown": "no header"}), Unknown, Full, None, None, "no header"),
            ("/kernels/0/architecture", json!("i686"), Fail, Full, Some(INITRD), None, "is compiled for x86_64"),
            ("/kernels/0/architecture", json!({"unknown": "a PE"}), Unknown, Full, None, None, "a PE"),
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

/// What modprobe does not find is not there, though its file is.
#[test]
fn modules_that_the_indexes_lack() {
    for (module, field, new, virtio, closure) in [
        ("virtio_scsi", "is_indexed", json!(false), Fail, Fail),
        ("sd_mod", "is_indexed", json!(false), Fail, Fail),
        ("scsi_common", "is_indexed", json!(false), Pass, Fail),
        ("ext4", "is_indexed", json!(false), Pass, Fail),
        ("jbd2", "is_indexed", json!(false), Pass, Fail),
        ("virtio_scsi", "is_indexed", json!({"unknown": "x"}), Unknown, Unknown),
        ("scsi_common", "is_indexed", json!({"unknown": "x"}), Pass, Unknown),
        ("virtio_scsi", "is_aliased", json!(false), Unknown, Unknown),
        ("sd_mod", "is_aliased", json!({"unknown": "x"}), Unknown, Unknown),
        ("ext4", "is_aliased", json!(false), Pass, Unknown),
    ] {
        let mut value = saved("healthy");
        for record in value["initrds"][0]["modules"][0]["modules"].as_array_mut().unwrap() {
            if record["name"] == module {
                record[field] = new.clone();
            }
        }
        let found = ["initrd-virtio-scsi", "initrd-module-closure"].map(|id| judge(&value, id).verdict.word());
        assert_eq!(found, [virtio, closure], "{module} {field} {new}");
    }
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

/// No attempt of the entry has an initrd: what is inside the kernel decides.
#[test]
fn the_initramfs_inside_the_kernel() {
    let healthy = saved("healthy");
    let mut whole = healthy["initrds"][0].clone();
    whole["path"] = json!("BUILT-IN");
    let with = |pointer: &str, new: Value| {
        let mut initramfs = whole.clone();
        *at(&mut initramfs, pointer) = new;
        initramfs
    };
    let trivial = with("/has_init", json!(false));
    let names = healthy["initrds"][0]["modules"][0]["files"].as_array().unwrap().iter();
    let less: Vec<&Value> = names.filter(|name| !name.as_str().unwrap().ends_with("virtio_scsi.ko")).collect();
    let less = with("/modules/0/files", json!(less));
    let unread = with("/has_init", json!({"unknown": "cut short"}));
    let refused = with("/flaws", fatal());
    let states: [(Value, Word, Word, &str); 7] = [
        (whole.clone(), Pass, Pass, "BUILT-IN"),
        (less, Fail, Pass, "BUILT-IN"),
        (trivial, Fail, Fail, KERNEL),
        (Value::Null, Fail, Fail, KERNEL),
        (json!({"unknown": "no ELF file"}), Unknown, Unknown, KERNEL),
        (unread, Unknown, Unknown, KERNEL),
        (refused, Fail, Fail, "BUILT-IN"),
    ];
    for (initramfs, scsi, others, path) in states {
        let mut value = healthy.clone();
        value["boot_entries"][0]["attempts"][0]["initrds"] = json!([]);
        value["kernels"][0]["initramfs"] = initramfs.clone();
        let is_refused = initramfs["flaws"] == fatal();
        for (id, expected) in [
            ("initrd-virtio-scsi", scsi),
            ("initrd-virtio-pci", others),
            ("initrd-kernel-match", others),
            ("initrd-root-filesystem", others),
            ("cmdline-root-resolves", if is_refused { Pass } else { others }),
            ("boot-entry-resolves", if is_refused { Fail } else { Pass }),
        ] {
            let judgement = judge(&value, id);
            assert_eq!(judgement.verdict.word(), expected, "{id} with {initramfs}: {judgement:#?}");
            if id == "initrd-virtio-scsi" && judgement.verdict.word() != Pass {
                assert_eq!(evidence(&judgement).path.as_deref(), Some(path), "{judgement:#?}");
            }
        }
        let judged = report(&value);
        let may_boot = others == Pass;
        assert_eq!(earned(&judged).iter().any(|it| it.starts_with("hw_disk_bus")), may_boot, "{initramfs}");
        // An attempt beside one with an initrd is a way out, whatever is inside the kernel: nothing changes.
        let attempts = &mut value["boot_entries"][0]["attempts"];
        let mut beside = attempts[0].clone();
        beside["initrds"] = json!([INITRD]);
        attempts.as_array_mut().unwrap().push(beside);
        assert_eq!(judge(&value, "initrd-virtio-scsi").verdict.word(), Fail, "{initramfs}");
        // With an initrd of its own neither.
        value["boot_entries"][0]["attempts"] = healthy["boot_entries"][0]["attempts"].clone();
        for id in ["initrd-virtio-scsi", "boot-entry-resolves", "cmdline-root-resolves"] {
            assert_eq!(judge(&value, id).verdict, judge(&healthy, id).verdict, "{id} with {initramfs}");
        }
    }
    let mut rdinit = healthy.clone();
    rdinit["boot_entries"][0]["attempts"][0]["initrds"] = json!([]);
    rdinit["kernels"][0]["initramfs"] = with("/has_init", json!(false));
    *at(&mut rdinit, CMDLINE) = json!("root=UUID=4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001 rdinit=/linuxrc");
    assert_eq!(judge(&rdinit, "initrd-virtio-scsi").verdict.word(), Unknown);
}
