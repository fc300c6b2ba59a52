//! The stages that configure a tree, on small trees of every family, and what the checks say of them afterwards.

use crate::common::{bootworthy, program, tool};
use bootworthy::build::recipe::Recipe;
use bootworthy::build::tree::{cloud_init, files, fstab, initrd, kernel, modprobe, seal, units, users};
use bootworthy::build::workshop::{Mode, Options, Workshop};
use bootworthy::build::{Plan, Stage, Wanted, make_plan};
use bootworthy::verdict::feature::FEATURES;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Modules, as every family's kernel for virtual machines has them.
const DEP: &str = "kernel/drivers/virtio/virtio_pci.ko.xz:
kernel/drivers/scsi/virtio_scsi.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz
kernel/drivers/scsi/scsi_mod.ko.xz:
kernel/drivers/scsi/sd_mod.ko.xz:
kernel/drivers/block/virtio_blk.ko.xz:
kernel/drivers/net/virtio_net.ko.xz:
kernel/drivers/char/virtio_console.ko.xz:
kernel/drivers/watchdog/i6300esb.ko.xz:
kernel/fs/ext4/ext4.ko.xz:
kernel/fs/xfs/xfs.ko.xz:
kernel/fs/btrfs/btrfs.ko.xz:
";
/// What features ask of it.
const CONFIG: &str = "CONFIG_VIRTIO_PCI=m\nCONFIG_SCSI_VIRTIO=m\nCONFIG_BLK_DEV_SD=m\nCONFIG_VIRTIO_NET=m\nCONFIG_VIRTIO_CONSOLE=m
CONFIG_I6300ESB_WDT=m\nCONFIG_EFI=y\nCONFIG_EFI_STUB=y\nCONFIG_ISO9660_FS=m\nCONFIG_VFAT_FS=m\nCONFIG_BLK_DEV_SR=m\nCONFIG_SATA_AHCI=m\nCONFIG_ATA_PIIX=m\n";

/// qemu's contrib/systemd/qemu-guest-agent.service, as Fedora and RHEL carry it.
const AGENT: &str = r"[Unit]
Description=QEMU Guest Agent
BindsTo=dev-virtio\x2dports-org.qemu.guest_agent.0.device
After=dev-virtio\x2dports-org.qemu.guest_agent.0.device
[Service]
ExecStart=/usr/bin/qemu-ga --method=virtio-serial --path=/dev/virtio-ports/org.qemu.guest_agent.0
Restart=always
[Install]
WantedBy=dev-virtio\x2dports-org.qemu.guest_agent.0.device
";
const WATCHDOG: &str = "[Service]\nType=forking\nExecStart=/usr/sbin/watchdog\n[Install]\nWantedBy=multi-user.target\n";
const TIMER: &str = "[Timer]\nOnCalendar=weekly\n[Install]\nWantedBy=timers.target\n";
const FSTRIM: &str = "[Service]\nType=oneshot\nExecStart=/sbin/fstrim --listed-in /etc/fstab:/proc/self/mountinfo\n";
const SSHD: &str = "[Service]\nExecStart=/usr/sbin/sshd -D\n[Install]\nWantedBy=multi-user.target\n";

const IRQBALANCE: &str =
    "[Service]\nExecStart=/usr/sbin/irqbalance --foreground\n[Install]\nWantedBy=multi-user.target\n";
const UDEVD: &str = "[Service]\nExecStart=/usr/lib/systemd/systemd-udevd\n";
const TRIGGER: &str = "[Service]\nType=oneshot\nExecStart=/usr/bin/udevadm trigger\n";
/// systemd's rule for ports, and that of Debian's and SUSE's packages for the agent's.
const VIRTIO_PORTS: &str = "SUBSYSTEM==\"virtio-ports\", TAG+=\"systemd\"\n";
const AGENT_RULE: &str = "SUBSYSTEM==\"virtio-ports\", ATTR{name}==\"org.qemu.guest_agent.0\", TAG+=\"systemd\", ENV{SYSTEMD_WANTS}=\"qemu-guest-agent.service\"\n";
/// What the units start.
const PROGRAMS: &[&str] = &[
    "usr/lib/systemd/systemd-udevd",
    "usr/bin/udevadm",
    "usr/sbin/sshd",
    "usr/sbin/watchdog",
    "usr/sbin/irqbalance",
    "usr/bin/qemu-ga",
    "sbin/fstrim",
];

/// A family: its recipe, files of its tree besides those of all, and what its initrds are told where.
struct Family {
    recipe: &'static str,
    release: &'static str,
    files: &'static [(&'static str, &'static str)],
    told: (&'static str, &'static str),
    passes: &'static [&'static str],
}

const SYSTEMD: &[&str] = &[
    "fstab-stable-ids",
    "fstab-uuid",
    "trim-enabled",
    "watchdog-armed",
    "machine-id-reset",
    "ssh-hostkeys-absent",
    "password-unset",
    "agent-started",
    "sshd-enabled",
    "irqbalance-enabled",
];

const FAMILIES: &[Family] = &[
    Family {
        recipe: "debian-13",
        release: "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n",
        files: &[
            ("etc/initramfs-tools/modules", "# modules\n"),
            ("usr/lib/systemd/system/ssh.service", SSHD),
            ("usr/lib/udev/rules.d/60-qemu-guest-agent.rules", AGENT_RULE),
        ],
        told: ("etc/initramfs-tools/modules", "virtio_scsi\n"),
        passes: SYSTEMD,
    },
    Family {
        recipe: "ubuntu-24.04",
        release: "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
        files: &[
            ("etc/initramfs-tools/modules", ""),
            ("usr/lib/systemd/system/ssh.service", SSHD),
            ("usr/lib/udev/rules.d/60-qemu-guest-agent.rules", AGENT_RULE),
        ],
        told: ("etc/initramfs-tools/modules", "virtio_scsi\n"),
        passes: SYSTEMD,
    },
    Family {
        recipe: "rocky-9",
        release: "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n",
        files: &[("usr/lib/systemd/system/sshd.service", SSHD)],
        told: ("etc/dracut.conf.d/90-bootworthy.conf", " virtio_scsi "),
        passes: SYSTEMD,
    },
    Family {
        recipe: "fedora",
        release: "ID=fedora\nVERSION_ID=42\n",
        files: &[("usr/lib/systemd/system/sshd.service", SSHD)],
        told: ("etc/dracut.conf.d/90-bootworthy.conf", " virtio_scsi "),
        passes: SYSTEMD,
    },
    Family {
        recipe: "opensuse-leap-15.6",
        release: "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.6\"\n",
        files: &[
            ("usr/lib/systemd/system/sshd.service", SSHD),
            ("usr/lib/udev/rules.d/80-qemu-ga.rules", AGENT_RULE),
            ("etc/sysconfig/kernel", "INITRD_MODULES=\"\"\nNO_KMS_IN_INITRD=\"no\"\n"),
        ],
        told: ("etc/sysconfig/kernel", "virtio_scsi"),
        passes: SYSTEMD,
    },
    Family {
        recipe: "alpine",
        release: "ID=alpine\nVERSION_ID=3.22.0\n",
        files: &[("etc/mkinitfs/mkinitfs.conf", "features=\"ata base cdrom ext4 virtio\"\n")],
        told: ("etc/mkinitfs/features.d/bootworthy.modules", "virtio[-_]scsi.ko"),
        passes: &["fstab-stable-ids", "fstab-uuid", "trim-enabled", "ssh-hostkeys-absent", "password-unset"],
    },
];

const EVERYWHERE: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\nwheel:x:10:\nsudo:x:27:\n"),
    ("etc/shadow", "root:*:19000:0:99999:7:::\n"),
    ("etc/ssh/ssh_host_ed25519_key", "a key of the machine that made the tree"),
    ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("var/log/wtmp", "x"),
    ("lib/modules/6.12.1/modules.dep", DEP),
    ("lib/modules/6.12.1/modules.builtin", ""),
    ("boot/config-6.12.1", CONFIG),
];
const UNITS: &[(&str, &str)] = &[
    ("usr/lib/systemd/systemd", ""),
    ("usr/lib/systemd/libsystemd-shared-255.so", ""),
    ("usr/lib/systemd/system/default.target", "[Unit]\nRequires=multi-user.target\n"),
    ("usr/lib/systemd/system/irqbalance.service", IRQBALANCE),
    ("usr/lib/systemd/system/qemu-guest-agent.service", AGENT),
    ("usr/lib/systemd/system/watchdog.service", WATCHDOG),
    ("usr/lib/systemd/system/fstrim.timer", TIMER),
    ("usr/lib/systemd/system/fstrim.service", FSTRIM),
    ("usr/lib/systemd/system/multi-user.target", "[Unit]\nRequires=basic.target\n"),
    ("usr/lib/systemd/system/timers.target", "[Unit]\n"),
    ("usr/lib/systemd/system/basic.target", "[Unit]\nWants=timers.target\n"),
    (
        "usr/lib/systemd/system/basic.target.d/udev.conf",
        "[Unit]\nWants=systemd-udevd.service systemd-udev-trigger.service\n",
    ),
    ("usr/lib/systemd/system/systemd-udevd.service", UDEVD),
    ("usr/lib/systemd/system/systemd-udev-trigger.service", TRIGGER),
    ("usr/lib/udev/rules.d/99-systemd.rules", VIRTIO_PORTS),
    ("usr/lib/systemd/system/graphical.target", "[Unit]\nRequires=multi-user.target\n"),
];
const SERVICES: &[&str] = &["qemu-guest-agent", "chronyd", "networking", "sshd", "devfs", "watchdog", "cloud-init"];

fn plan(name: &str) -> Plan {
    let path = format!("recipes/{name}.toml");
    let recipe = Recipe::parse(&path, &std::fs::read_to_string(&path).unwrap()).unwrap();
    make_plan(&Wanted {
        recipe: &recipe,
        features: FEATURES,
        folder: Path::new("recipes"),
        lock: None,
        source_date_epoch: 1_700_000_000,
        manifests: &[],
    })
    .unwrap()
}

fn put(tree: &Path, path: &str, text: &str) {
    let path = tree.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Everything that the plan writes into a tree; what runs programs of the tree is left out.
fn configure(plan: &Plan, shop: &Workshop) {
    for stage in &plan.stages {
        let done = match stage {
            Stage::Kernel(options) => kernel::run(options, shop),
            Stage::Files(options) => files::run(options, shop),
            Stage::Fstab(options) => fstab::run(options, shop),
            Stage::Modprobe(options) => modprobe::run(options, shop),
            Stage::Units(options) => {
                // A tree of a few files has the units of the features alone.
                let mut options = options.clone();
                options.enable.retain(|unit| *unit != "irqbalance");
                units::run(&options, shop)
            }
            Stage::Users(options) => users::run(options, shop),
            Stage::CloudInit(options) => cloud_init::run(options, shop),
            Stage::Initrd(options) => initrd::configure(options, shop),
            Stage::Seal(options) => seal::run(options, shop),
            _ => Ok(()),
        };
        done.unwrap_or_else(|error| panic!("{}: {stage:?}: {error}", plan.name));
    }
}

#[test]
fn every_family_passes_the_checks_of_what_was_configured() {
    for family in FAMILIES {
        let folder = tempfile::tempdir().unwrap();
        let shop = Workshop::open(Options {
            folder: folder.path().join("work"),
            mode: Mode::detect().unwrap().0,
            epoch: 1_700_000_000,
            listener: Box::new(|_, _| {}),
            cancelled: Arc::new(AtomicBool::new(false)),
            ourselves: program().into(),
        })
        .unwrap();
        let tree = shop.tree();
        EVERYWHERE.iter().chain(family.files).for_each(|(path, text)| put(&tree, path, text));
        put(&tree, "etc/os-release", family.release);
        for path in PROGRAMS {
            put(&tree, path, "\x7fELF");
            tool("chmod", ["755", tree.join(path).to_str().unwrap()]);
        }
        if family.recipe == "alpine" {
            for name in SERVICES {
                put(&tree, &format!("etc/init.d/{name}"), "#!/sbin/openrc-run\n");
            }
        } else {
            for (path, text) in UNITS {
                put(&tree, path, text);
            }
        }
        configure(&plan(family.recipe), &shop);
        let told = std::fs::read_to_string(tree.join(family.told.0)).unwrap();
        assert!(told.contains(family.told.1), "{}: {told}", family.recipe);
        tool("chmod", ["-R", "a+rX", tree.to_str().unwrap()]);
        let report: Value =
            serde_json::from_str(&bootworthy(["check", "--format", "json", tree.to_str().unwrap()]).stdout).unwrap();
        let verdicts = report["checks"].as_array().unwrap();
        for id in family.passes {
            let check = verdicts.iter().find(|check| check["id"] == *id).unwrap();
            assert_eq!(check["verdict"], "pass", "{}: {check:#}", family.recipe);
        }
    }
}
