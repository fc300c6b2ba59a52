//! The watchdog.

use super::{ExtraSpec, Feature, File, ImageProperty, Provision, Role, Side};

/// `man 5 watchdog.conf`: without the device the daemon watches, and feeds nothing.
const CONFIGURATION: File =
    File { path: "/etc/watchdog.conf", text: "watchdog-device = /dev/watchdog\nrealtime = yes\npriority = 1\n" };
/// A module that is loaded by name is loaded in spite of a `blacklist` line, which Ubuntu has for every watchdog.
const DEFAULTS: File =
    File { path: "/etc/default/watchdog", text: "run_watchdog=1\nrun_wd_keepalive=1\nwatchdog_module=\"i6300esb\"\n" };

/// `man 5 systemd-system.conf`.
const SYSTEMD: File =
    File { path: "/etc/systemd/system.conf.d/50-watchdog.conf", text: "[Manager]\nRuntimeWatchdogSec=60\n" };

pub(super) const FEATURE: Feature = Feature {
    name: "watchdog",
    summary: "something feeds Nova's watchdog",
    why: "Nova's watchdog resets, pauses or powers off an instance whose kernel or user space hangs. It does nothing until the guest opens it, and says nothing about that.",
    side: Side::Judged,
    image: "A kernel with the driver i6300esb, nothing that keeps it from being loaded, and the watchdog daemon or systemd that feeds /dev/watchdog.",
    needs: &["watchdog-installed", "watchdog-driver", "watchdog-loadable", "watchdog-armed"],
    properties: &[ImageProperty {
        key: "hw_watchdog_action",
        value: "reset",
        role: Role::Earned,
        effect: "the instance gets an i6300esb that does this: none, pause, poweroff, reset; disabled takes away the flavor's. It wins over the flavor",
    }],
    flavor: &[ExtraSpec {
        key: "hw:watchdog_action",
        value: "reset",
        effect: "the same for images that do not say it themselves",
    }],
    nova: &[],
    node: &["virt_type kvm or qemu"],
    provision: &[
        ("any", Provision { kernel: &["CONFIG_I6300ESB_WDT"], ..super::NOTHING }),
        (
            "debian",
            Provision {
                packages: &["watchdog"],
                files: &[CONFIGURATION, DEFAULTS],
                units: &["watchdog.service"],
                ..super::NOTHING
            },
        ),
        (
            "fedora",
            Provision {
                packages: &["watchdog"],
                files: &[CONFIGURATION],
                units: &["watchdog.service"],
                ..super::NOTHING
            },
        ),
        (
            "suse",
            Provision {
                packages: &["watchdog"],
                files: &[CONFIGURATION],
                units: &["watchdog.service"],
                ..super::NOTHING
            },
        ),
        // Arch has no package of the daemon; systemd feeds the device itself.
        ("arch", Provision { files: &[SYSTEMD], ..super::NOTHING }),
    ],
    proofs: &["watchdog-identity", "watchdog-fires"],
    aged: &[
        (
            "the action may be reset, shutdown, poweroff, pause, none, dump",
            "that is libvirt's list; Nova takes none, pause, poweroff, reset and disabled, and refuses shutdown and dump",
        ),
        (
            "set hw_watchdog_action on the flavor",
            "the flavor's is hw:watchdog_action since 15.0.0 (Ocata); the name with the underscore is taken without a word and does nothing",
        ),
        (
            "the model can be chosen",
            "Nova's is always i6300esb; the iTCO_wdt of a q35 machine is another device and does not replace it",
        ),
        (
            "installing watchdog is enough",
            "watchdog-device is commented out in the file that comes with it: the daemon runs and watches nothing",
        ),
    ],
    source: "Nova virt/libvirt/driver.py (_guest_add_watchdog_action), virt/libvirt/config.py (LibvirtConfigGuestWatchdog), objects/fields.py (WatchdogAction); Nova release notes 15.0.0; man 5 watchdog.conf",
};
