//! Words of the command line and options of the kernel that stop what the facts would otherwise prove.

use super::{CMDLINE, UUID};
use crate::checks::{at, judge, saved};
use bootworthy::verdict::Word;
use serde_json::json;

#[test]
fn words_that_stop_the_boot() {
    use Word::{Fail, Pass, Unknown};
    for (words, id, word) in [
        ("quiet", "initrd-virtio-scsi", Pass),
        ("module_blacklist=virtio_scsi", "initrd-virtio-scsi", Fail),
        ("module_blacklist=virtio_scsi", "initrd-virtio-blk", Pass),
        ("module_blacklist=sd_mod", "initrd-virtio-scsi", Fail),
        ("module_blacklist=virtio_net", "initrd-virtio-net", Fail),
        ("module_blacklist=virtio_pci", "initrd-virtio-pci", Fail),
        ("module_blacklist=ext4", "initrd-root-filesystem", Fail),
        ("modprobe.blacklist=virtio_blk", "initrd-virtio-blk", Fail),
        ("rd.driver.blacklist=virtio-net", "initrd-virtio-net", Fail),
        ("blacklist=ext4", "initrd-root-filesystem", Unknown),
        ("modprobe.blacklist=nouveau", "initrd-virtio-blk", Pass),
        ("initcall_blacklist=init_sd", "initrd-virtio-scsi", Unknown),
        ("initcall_blacklist=acpi_cpufreq_init", "initrd-virtio-scsi", Pass),
        ("noinitrd", "boot-entry-resolves", Unknown),
        ("noinitrd", "initrd-virtio-pci", Unknown),
        ("rootfstype=xfs", "cmdline-root-resolves", Fail),
        ("rootfstype=xfs,ext4", "cmdline-root-resolves", Pass),
        ("rootflags=subvol=@", "cmdline-root-resolves", Fail),
        ("rootflags=discard", "cmdline-root-resolves", Pass),
        ("init=/nope", "cmdline-root-resolves", Unknown),
        ("init=/lib/systemd/systemd", "cmdline-root-resolves", Pass),
        ("break=premount", "cmdline-root-resolves", Fail),
        ("rd.break", "cmdline-root-resolves", Fail),
        ("systemd.unit=emergency.target", "cmdline-root-resolves", Fail),
        ("single", "cmdline-root-resolves", Fail),
    ] {
        let mut value = saved("healthy");
        *at(&mut value, CMDLINE) = json!(format!("root=UUID={UUID} ro {words}"));
        let judgement = judge(&value, id);
        assert_eq!(judgement.verdict.word(), word, "{words}: {id}: {judgement:#?}");
    }
}

#[test]
fn a_recovery_entry_may_end_in_a_shell() {
    let mut value = saved("healthy");
    let mut recovery = at(&mut value, "/boot_entries/0").clone();
    recovery["id"] = json!("recovery");
    recovery["is_default"] = json!(false);
    recovery["attempts"][0]["cmdline"] = json!(format!("root=UUID={UUID} ro single"));
    at(&mut value, "/boot_entries").as_array_mut().unwrap().push(recovery);
    assert_eq!(judge(&value, "cmdline-root-resolves").verdict.word(), Word::Pass);
}

#[test]
fn options_that_the_kernel_lacks() {
    use Word::{Fail, Pass, Unknown};
    for (options, id, word) in [
        (&[("CONFIG_RD_ZSTD", "y")][..], "initrd-virtio-scsi", Pass),
        (&[("CONFIG_RD_ZSTD", "n")], "initrd-virtio-scsi", Fail),
        (&[("CONFIG_RD_ZSTD", "n")], "boot-entry-resolves", Fail),
        (&[("CONFIG_RD_GZIP", "y")], "boot-entry-resolves", Fail),
        (&[("CONFIG_RD_XZ", "n"), ("CONFIG_RD_ZSTD", "y")], "boot-entry-resolves", Pass),
        (&[("CONFIG_BLK_DEV_INITRD", "n")], "boot-entry-resolves", Fail),
        (&[("CONFIG_MODULES", "n")], "initrd-virtio-blk", Fail),
        (&[("CONFIG_MODULES", "n")], "initrd-virtio-net", Fail),
        (&[("CONFIG_MODULES", "y")], "initrd-virtio-net", Pass),
        (&[("CONFIG_CMDLINE_OVERRIDE", "y")], "cmdline-root-stable", Unknown),
        (&[("CONFIG_CMDLINE_OVERRIDE", "y")], "cmdline-root-resolves", Unknown),
        (&[("CONFIG_CMDLINE_BOOL", "n"), ("CONFIG_CMDLINE", "\"single\"")], "cmdline-root-resolves", Pass),
        (&[("CONFIG_CMDLINE_BOOL", "y"), ("CONFIG_CMDLINE", "\"root=/dev/vda1\"")], "cmdline-root-resolves", Pass),
        (
            &[("CONFIG_CMDLINE_BOOL", "y"), ("CONFIG_CMDLINE", "\"module_blacklist=virtio_blk\"")],
            "initrd-virtio-blk",
            Fail,
        ),
    ] {
        let mut value = saved("healthy");
        at(&mut value, "/initrds/0/segments")
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|s| s["compression"] = json!("zstd"));
        let row = |(name, value): &(&str, &str)| json!({"name": name, "value": value, "line": 7});
        let options: Vec<_> = options.iter().map(row).collect();
        *at(&mut value, "/kernels/0/config") = json!({"path": "/boot/config-x", "options": options});
        let judgement = judge(&value, id);
        assert_eq!(judgement.verdict.word(), word, "{options:?}: {id}: {judgement:#?}");
    }
}
