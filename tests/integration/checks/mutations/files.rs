//! The checks of fstab, packages and the image file, and the properties.

use super::{FSTAB, UUID, evidence, fatal, harmless, rows};
use crate::checks::{earned, judge, report, saved};
use bootworthy::verdict::Weight::{Full, Minor, Reduced};
use bootworthy::verdict::Word::{Fail, NotApplicable, Pass, Unknown};
use serde_json::{Value, json};

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
            (other, r("/srv", "none", &["bind"]), Unknown, Minor, path, None, "whether /srv is in the root tree"),
            (other, r("/srv/disk", "ext4", &["loop"]), Unknown, Minor, path, None, "whether /srv/disk is"),
            (other, r("/srv", "none", &["bind", "nofail"]), Pass, Full, path, Some(1), ok),
            (other, r("/dev", "none", &["bind"]), Pass, Full, path, Some(1), ok),
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
            // GPT's backup is at the end of the disk, and no use of it: volume 1 ends at byte 2147465728.
            ("/image/virtual_size", json!(8_589_862_912_u64), Pass, Full, None, None, "used to byte"),
            ("/image/virtual_size", json!(8_589_863_424_u64), Fail, Full, None, None, "the last used byte"),
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
