//! The variants.

use super::{Disk, Variant, remove_named};
use std::fs;

const ZSTD: &str = "zstd -q";
const GRUB: &str = "/boot/grub/grub.cfg";
const FSTAB: &str = "/etc/fstab";

/// What is lost with the promise that the image boots.
pub(super) const BUS: &[&str] = &["hw_disk_bus", "hw_scsi_model"];

/// And with the initrd itself.
const EARLY: &[&str] = &["hw_disk_bus", "hw_qemu_guest_agent", "hw_scsi_model", "hw_vif_multiqueue_enabled"];
/// What the contents of an initrd that cannot be read would earn.
const UNREAD: &[&str] =
    &["hw_disk_bus", "hw_qemu_guest_agent", "hw_scsi_model", "hw_vif_multiqueue_enabled", "hw_watchdog_action"];

pub(super) const fn row(
    name: &'static str,
    edit: fn(&Disk),
    differs: &'static [(&'static str, &'static str)],
) -> Variant {
    Variant { name, edit, differs, tells: &[], withholds: &[] }
}

impl Variant {
    const fn tells(self, tells: &'static [&'static str]) -> Self {
        Self { tells, ..self }
    }

    pub(super) const fn withholds(self, withholds: &'static [&'static str]) -> Self {
        Self { withholds, ..self }
    }
}

/// What Ubuntu's `00_header` adds, in fewer words.
const UBUNTU: &str = r#"
set partuuid=1
function initrdfail {
  if [ -n "${have_grubenv}" ]; then if [ -n "${partuuid}" ]; then
    if [ -z "${initrdfail}" ]; then
      set initrdfail=1
    fi
    save_env initrdfail
  fi; fi
}"#;

/// The entry of Ubuntu's cloud images.
const UBUNTU_ENTRY: &str = r#"
	if [ "${initrdfail}" = 1 ]; then
LINUX
INITRD
	else
LINUX panic=-1
	fi
	initrdfail"#;

/// Takes a module out of the initrd, and out of nothing else.
fn without(disk: &Disk, module: &str) {
    disk.repack(ZSTD, |tree| remove_named(tree, &format!("{module}.ko")));
}

/// Adds a kernel of another version, which the menu starts with the initrd of the first; `saved` is what grubenv names.
fn add_kernel(disk: &Disk, saved: &str) {
    let release = disk.release();
    let other = format!("5{}", &release[1..]);
    let mut kernel = disk.read(&disk.kernel());
    let at = kernel.windows(release.len()).position(|window| window == release.as_bytes()).expect("the version");
    kernel[at] = b'5';
    disk.create(&format!("/boot/vmlinuz-{other}"), kernel);
    disk.create(&format!("/boot/config-{other}"), disk.read(&format!("/boot/config-{release}")));
    let modules = |release: &str| format!("/usr/lib/modules/{release}");
    disk.mkdir(&modules(&other));
    let builtin = disk.read(&format!("{}/modules.builtin", modules(release)));
    disk.create(&format!("{}/modules.builtin", modules(&other)), builtin);
    disk.replace(GRUB, "set default=\"0\"", "set default=\"${saved_entry}\"");
    let linux = format!("linux /boot/vmlinuz-{other} root=UUID={} ro console=ttyS0", disk.uuid());
    disk.append(GRUB, &format!("menuentry 'Other' --id other {{\n{linux}\ninitrd {}\n}}\n", disk.initrd()));
    let mut block = format!("# GRUB Environment Block\nsaved_entry={saved}\n").into_bytes();
    block.resize(1024, b'#');
    disk.write("/boot/grub/grubenv", block);
}

/// The checks that look into initrds.
const INITRD_CHECKS: &[&str] = &[
    "boot-entry-resolves",
    "initrd-virtio-pci",
    "initrd-virtio-blk",
    "initrd-virtio-scsi",
    "initrd-virtio-net",
    "initrd-module-closure",
    "initrd-kernel-match",
    "initrd-root-filesystem",
    "module-not-blacklisted",
];

/// Those, and what looks at the command line.
const BOOT_CHECKS: &[&str] = &[
    "boot-entry-resolves",
    "initrd-virtio-pci",
    "initrd-virtio-blk",
    "initrd-virtio-scsi",
    "initrd-virtio-net",
    "initrd-module-closure",
    "initrd-kernel-match",
    "initrd-root-filesystem",
    "module-not-blacklisted",
    "cmdline-root-stable",
    "cmdline-root-resolves",
    "console-serial",
    "agent-channel",
    "watchdog-driver",
    "watchdog-loadable",
    "multiqueue-kernel",
];

pub const ROWS: &[Variant] = &[
    row("nothing", |_| {}, &[]),
    row("the initrd packed again", |disk| disk.repack(ZSTD, |_| {}), &[]).tells(INITRD_CHECKS),
    row("no virtio_scsi in the initrd", |disk| without(disk, "virtio_scsi"), &[("initrd-virtio-scsi", "fail")])
        .tells(INITRD_CHECKS)
        .withholds(&["hw_disk_bus", "hw_scsi_model"]),
    row("no virtio_net in the initrd", |disk| without(disk, "virtio_net"), &[("initrd-virtio-net", "fail")])
        .tells(INITRD_CHECKS),
    row("no virtio_blk in the initrd", |disk| without(disk, "virtio_blk"), &[("initrd-virtio-blk", "fail")])
        .tells(INITRD_CHECKS),
    row("no sd_mod in the initrd", |disk| without(disk, "sd_mod"), &[("initrd-virtio-scsi", "fail")])
        .tells(INITRD_CHECKS)
        .withholds(BUS),
    row("no scsi_common in the initrd", |disk| without(disk, "scsi_common"), &[("initrd-module-closure", "fail")])
        .tells(INITRD_CHECKS)
        .withholds(&["hw_disk_bus", "hw_scsi_model", "hw_vif_multiqueue_enabled"]),
    row(
        "an empty initrd",
        |disk| disk.write(&disk.initrd(), []),
        &[
            ("boot-entry-resolves", "fail"),
            ("initrd-virtio-pci", "fail"),
            ("initrd-virtio-blk", "fail"),
            ("initrd-virtio-scsi", "fail"),
            ("initrd-virtio-net", "fail"),
            ("initrd-module-closure", "fail"),
            ("initrd-kernel-match", "fail"),
            ("initrd-root-filesystem", "fail"),
            ("module-not-blacklisted", "fail"),
        ],
    )
    .withholds(EARLY),
    row(
        "the initrd of another kernel",
        |disk| {
            disk.repack(ZSTD, |tree| {
                let modules = tree.join("usr/lib/modules");
                fs::rename(modules.join(disk.release()), modules.join("6.0.0-other")).unwrap();
            });
        },
        &[
            ("initrd-virtio-blk", "fail"),
            ("initrd-virtio-scsi", "fail"),
            ("initrd-virtio-net", "fail"),
            ("initrd-kernel-match", "fail"),
        ],
    )
    .tells(INITRD_CHECKS)
    .withholds(BUS),
    row(
        "a gzip initrd with a wrong checksum",
        |disk| {
            disk.repack("gzip -n", |_| {});
            let mut bytes = disk.read(&disk.initrd());
            let at = bytes.len() - 8;
            bytes[at] ^= 1;
            disk.write(&disk.initrd(), bytes);
        },
        &[
            ("boot-entry-resolves", "unknown"),
            ("initrd-virtio-pci", "unknown"),
            ("initrd-virtio-blk", "unknown"),
            ("initrd-virtio-scsi", "unknown"),
            ("initrd-virtio-net", "unknown"),
            ("initrd-module-closure", "unknown"),
            ("initrd-kernel-match", "unknown"),
            ("initrd-root-filesystem", "unknown"),
            ("module-not-blacklisted", "unknown"),
            // It may load another watchdog, softdog, which is /dev/watchdog then.
            ("watchdog-loadable", "unknown"),
        ],
    )
    .withholds(UNREAD),
    row(
        "an initrd in an lz4 frame",
        |disk| disk.repack("lz4 -q", |_| {}),
        &[
            ("boot-entry-resolves", "fail"),
            ("initrd-virtio-pci", "fail"),
            ("initrd-virtio-blk", "fail"),
            ("initrd-virtio-scsi", "fail"),
            ("initrd-virtio-net", "fail"),
            ("initrd-module-closure", "fail"),
            ("initrd-kernel-match", "fail"),
            ("initrd-root-filesystem", "fail"),
            ("module-not-blacklisted", "fail"),
            // It may load another watchdog, softdog, which is /dev/watchdog then.
            ("watchdog-loadable", "unknown"),
        ],
    )
    .withholds(UNREAD),
    row(
        "install virtio_scsi /bin/false",
        |disk| {
            disk.repack(ZSTD, |tree| {
                fs::create_dir_all(tree.join("etc/modprobe.d")).unwrap();
                fs::write(tree.join("etc/modprobe.d/no.conf"), "install virtio_scsi /bin/false\n").unwrap();
            });
        },
        &[("module-not-blacklisted", "fail"), ("initrd-virtio-scsi", "fail")],
    )
    .tells(INITRD_CHECKS)
    .withholds(BUS),
    row(
        "module_blacklist=virtio_net",
        |disk| disk.replace(GRUB, "ro console=tty0", "ro module_blacklist=virtio_net console=tty0"),
        &[("module-not-blacklisted", "fail"), ("initrd-virtio-net", "fail")],
    )
    .tells(&["console-serial", "boot-entry-resolves"])
    .withholds(&["hw_vif_multiqueue_enabled"]),
    row(
        "Ubuntu's attempt without an initrd, on a kernel whose disk drivers are modules",
        |disk| {
            let text = disk.text(GRUB);
            let initrd = format!("\tinitrd\t{}", disk.initrd());
            let at = text.find(&initrd).expect("an initrd line");
            let start = text[..at].rfind("\tlinux\t").expect("a kernel line");
            let linux = text[start..at].lines().next().unwrap();
            let linux = linux.replace(&format!("UUID={}", disk.uuid()), &format!("PARTUUID={}", disk.partuuid()));
            let entry = UBUNTU_ENTRY.replace("LINUX", &linux).replace("INITRD", &initrd);
            let with = format!("{}{entry}{}", &text[..start], &text[at + initrd.len()..]);
            disk.write(GRUB, with.replacen("\nfunction load_video", &format!("{UBUNTU}\nfunction load_video"), 1));
        },
        &[("initrd-virtio-blk", "fail"), ("initrd-virtio-scsi", "fail"), ("initrd-virtio-net", "fail")],
    )
    .tells(BOOT_CHECKS),
    row(
        "root=/dev/vda1",
        |disk| disk.replace(GRUB, &format!("root=UUID={}", disk.uuid()), "root=/dev/vda1"),
        &[("cmdline-root-stable", "fail")],
    )
    .tells(&["cmdline-root-resolves", "boot-entry-resolves"])
    .withholds(BUS),
    row(
        "root= that names no file system",
        |disk| {
            disk.replace(GRUB, &format!("root=UUID={}", disk.uuid()), "root=UUID=11111111-2222-3333-4444-555555555555");
        },
        &[("cmdline-root-resolves", "fail")],
    )
    .tells(&["cmdline-root-stable", "boot-entry-resolves"])
    .withholds(BUS),
    row(
        "no console on the serial line",
        |disk| disk.replace(GRUB, " console=ttyS0,115200", ""),
        &[("console-serial", "fail")],
    )
    .tells(&["boot-entry-resolves"]),
    row(
        "a second kernel with the initrd of the first, which grubenv does not name",
        |disk| add_kernel(disk, "0"),
        &[
            ("initrd-virtio-blk", "fail"),
            ("initrd-virtio-scsi", "fail"),
            ("initrd-virtio-net", "fail"),
            ("initrd-kernel-match", "fail"),
            ("watchdog-driver", "fail"),
        ],
    )
    .tells(BOOT_CHECKS),
    row(
        "the default swapped by grubenv to a kernel with the initrd of another",
        |disk| add_kernel(disk, "other"),
        &[
            ("initrd-virtio-blk", "fail"),
            ("initrd-virtio-scsi", "fail"),
            ("initrd-virtio-net", "fail"),
            ("initrd-kernel-match", "fail"),
            ("watchdog-driver", "fail"),
        ],
    )
    .tells(BOOT_CHECKS)
    .withholds(&["hw_disk_bus", "hw_scsi_model", "hw_vif_multiqueue_enabled", "hw_watchdog_action"]),
    row(
        "the kernel is gone",
        |disk| disk.remove(&disk.kernel()),
        &[
            ("boot-entry-resolves", "fail"),
            ("initrd-virtio-pci", "fail"),
            ("initrd-virtio-blk", "fail"),
            ("initrd-virtio-scsi", "fail"),
            ("initrd-virtio-net", "fail"),
            ("initrd-module-closure", "fail"),
            ("initrd-kernel-match", "fail"),
            ("initrd-root-filesystem", "fail"),
            ("module-not-blacklisted", "fail"),
            ("agent-channel", "fail"),
            ("watchdog-driver", "fail"),
            ("watchdog-loadable", "fail"),
            ("multiqueue-kernel", "fail"),
            ("console-serial", "unknown"),
        ],
    )
    .withholds(&[
        "architecture",
        "hw_disk_bus",
        "hw_qemu_guest_agent",
        "hw_scsi_model",
        "hw_vif_multiqueue_enabled",
        "hw_watchdog_action",
        "os_type",
    ]),
    row(
        "fstab names a UUID that is not there",
        |disk| disk.replace(FSTAB, "UUID=0D13-0000", "UUID=ABCD-0123"),
        &[("fstab-targets-exist", "fail")],
    )
    .tells(&["fstab-uuid", "fstab-stable-ids"])
    .withholds(BUS),
    row(
        "fstab by device",
        |disk| disk.replace(FSTAB, &format!("UUID={}", disk.uuid()), "/dev/vda1"),
        &[("fstab-stable-ids", "fail")],
    )
    .tells(&["fstab-targets-exist", "fstab-uuid", "fstab-discard", "trim-enabled"])
    .withholds(BUS),
    row("fstab by label", |disk| disk.replace(FSTAB, "UUID=0D13-0000", "LABEL=EFI"), &[("fstab-uuid", "fail")])
        .tells(&["fstab-targets-exist", "fstab-stable-ids"]),
    row("no discard in fstab", |disk| disk.replace(FSTAB, "discard,", ""), &[("fstab-discard", "fail")]).tells(&[
        "trim-enabled",
        "fstab-stable-ids",
        "fstab-uuid",
        "fstab-targets-exist",
    ]),
    row(
        "neither discard nor fstrim.timer",
        |disk| {
            disk.replace(FSTAB, "discard,", "");
            disk.remove("/etc/systemd/system/timers.target.wants/fstrim.timer");
        },
        &[("fstab-discard", "fail"), ("trim-enabled", "fail")],
    )
    .tells(&["fstab-stable-ids", "fstab-uuid", "fstab-targets-exist"]),
    row(
        "the agent's package removed",
        |disk| disk.replace("/var/lib/dpkg/status", "Package: qemu-guest-agent\n", "Package: gone\n"),
        &[("agent-installed", "fail")],
    )
    .withholds(&["hw_qemu_guest_agent"]),
    row(
        "the agent masked",
        |disk| disk.link("/etc/systemd/system/qemu-guest-agent.service", "/dev/null"),
        &[("agent-started", "fail"), ("agent-freeze-allowed", "n/a"), ("agent-password-allowed", "n/a")],
    )
    .withholds(&["hw_qemu_guest_agent"]),
    row(
        "the agent's udev rule masked",
        |disk| disk.link("/etc/udev/rules.d/60-qemu-guest-agent.rules", "/dev/null"),
        &[("agent-started", "fail")],
    )
    .withholds(&["hw_qemu_guest_agent"]),
    row(
        "the agent may not freeze",
        |disk| {
            disk.create("/etc/qemu/qemu-ga.conf", "[general]\nblock-rpcs = guest-fsfreeze-freeze\n");
        },
        &[("agent-freeze-allowed", "fail")],
    )
    .tells(&["agent-password-allowed", "agent-channel"]),
    row(
        "the agent may not set passwords",
        |disk| {
            disk.create("/etc/qemu/qemu-ga.conf", "[general]\nblock-rpcs = guest-set-user-password\n");
        },
        &[("agent-password-allowed", "fail")],
    )
    .tells(&["agent-freeze-allowed", "agent-channel"]),
    row(
        "the agent talks to a serial line",
        |disk| {
            disk.create("/etc/qemu/qemu-ga.conf", "[general]\nmethod = isa-serial\npath = /dev/ttyS0\n");
        },
        &[("agent-channel", "fail")],
    )
    .tells(&["agent-freeze-allowed", "agent-password-allowed"])
    .withholds(&["hw_qemu_guest_agent"]),
    row(
        "the watchdog's package removed",
        |disk| disk.replace("/var/lib/dpkg/status", "Package: watchdog\n", "Package: gone\n"),
        &[("watchdog-installed", "fail")],
    ),
    row(
        "the watchdog's device is a comment",
        |disk| disk.replace("/etc/watchdog.conf", "\nwatchdog-device", "\n#watchdog-device"),
        &[("watchdog-armed", "fail"), ("watchdog-single-owner", "n/a")],
    )
    .withholds(&["hw_watchdog_action"]),
    row(
        "the watchdog masked",
        |disk| disk.link("/etc/systemd/system/watchdog.service", "/dev/null"),
        &[("watchdog-armed", "fail"), ("watchdog-single-owner", "n/a")],
    )
    .withholds(&["hw_watchdog_action"]),
    row(
        "the watchdog has two owners",
        |disk| disk.append("/etc/systemd/system.conf", "\n[Manager]\nRuntimeWatchdogSec=60\n"),
        &[("watchdog-single-owner", "fail")],
    )
    .tells(&["watchdog-armed", "watchdog-installed"]),
    row(
        "the watchdog's driver blacklisted",
        |disk| disk.create("/etc/modprobe.d/no-watchdog.conf", "blacklist i6300esb\n"),
        &[("watchdog-loadable", "fail"), ("module-not-blacklisted", "fail")],
    )
    .withholds(&["hw_watchdog_action"]),
    row(
        "the watchdog's driver is neither in the root tree nor in the initrd",
        |disk| {
            let path = format!("/usr/lib/modules/{}/kernel/drivers/watchdog/i6300esb.ko.xz", disk.release());
            disk.remove(&path);
            without(disk, "i6300esb");
        },
        &[("watchdog-driver", "fail"), ("watchdog-loadable", "n/a")],
    )
    .tells(INITRD_CHECKS)
    .withholds(&["hw_watchdog_action"]),
    row(
        "irqbalance is not enabled",
        |disk| disk.remove("/etc/systemd/system/multi-user.target.wants/irqbalance.service"),
        &[("irqbalance-enabled", "fail")],
    ),
    row(
        "cloud-init disabled",
        |disk| disk.create("/etc/cloud/cloud-init.disabled", ""),
        &[("cloud-init-present", "fail"), ("growpart-available", "fail")],
    )
    .tells(&["cloud-init-datasource", "growpart-available", "ssh-hostkeys-absent"]),
    row(
        "a data source that is not OpenStack's",
        |disk| disk.create("/etc/cloud/cloud.cfg.d/99_only.cfg", "datasource_list: [NoCloud, None]\n"),
        &[("cloud-init-datasource", "fail")],
    ),
    row("sshd masked", |disk| disk.link("/etc/systemd/system/ssh.service", "/dev/null"), &[("sshd-enabled", "fail")]),
    row("growpart is not there", |disk| disk.remove("/usr/bin/growpart"), &[("growpart-available", "fail")]),
    row(
        "a machine-id that every instance would share",
        |disk| disk.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        &[("machine-id-reset", "fail")],
    ),
    row(
        "a host key that every instance would share",
        |disk| disk.create("/etc/ssh/ssh_host_ed25519_key", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
        &[("ssh-hostkeys-absent", "fail")],
    ),
    row(
        "root has a password",
        |disk| {
            disk.replace(
                "/etc/shadow",
                "root:*:",
                "root:$y$j9T$abcdefghijklmnop$0123456789012345678901234567890123456789012:",
            );
        },
        &[("password-unset", "fail")],
    ),
    row(
        "a hybrid MBR, which Glance refuses in a raw image",
        |disk| disk.poke(462 + 4, 0x83),
        &[("image-format-safe", "fail")],
    )
    .withholds(&[
        "architecture",
        "hw_disk_bus",
        "hw_qemu_guest_agent",
        "hw_scsi_model",
        "hw_vif_multiqueue_enabled",
        "hw_watchdog_action",
        "min_disk",
        "os_distro",
        "os_type",
        "os_version",
    ]),
];
