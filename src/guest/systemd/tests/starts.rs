//! What starts at boot, and by what.

use super::{A, LINK, told, tree};

const RULE: &str = "/usr/lib/udev/rules.d/60-a.rules";

/// A service, and what is true of it.
type Row = (&'static [(&'static str, &'static str)], &'static str, &'static str);

const ROWS: &[Row] = &[
    (&[("u/a.service", A)], "a.service", "-"),
    (&[("u/a.service", A), LINK], "a.service", "wants multi-user.target"),
    (&[("u/a.service", A), LINK, ("e/a.service", "-> /dev/null")], "a.service", "wants multi-user.target"),
    (&[("u/a.service", A), ("e/multi-user.target.wants/a.service", "-> /dev/null")], "a.service", "-"),
    (
        &[
            ("u/a.service", A),
            ("u/multi-user.target.wants/a.service", "-> ../a.service"),
            ("e/multi-user.target.wants/a.service", "-> /dev/null"),
        ],
        "a.service",
        "-",
    ),
    (&[("u/a.service", A), ("e/multi-user.target.wants/a.service", "a file")], "a.service", "-"),
    (&[("u/a.service", A), ("e/other.target.wants/a.service", "-> x")], "a.service", "-"),
    (
        &[("u/a.service", A), ("e/target.wants/a.service", "-> ../a.service")],
        "a.service",
        "wants graphical.target, wants multi-user.target, wants sysinit.target, wants basic.target, wants sockets.target, wants timers.target",
    ),
    (&[("u/a.service", A), ("e/default.target.wants/a.service", "-> x")], "a.service", "wants graphical.target"),
    (&[("u/a.service", A), LINK, ("e/default.target", "-> /usr/lib/systemd/system/basic.target")], "a.service", "-"),
    (&[("u/a.service", A), LINK, ("e/default.target", "-> gone.target")], "a.service", "-"),
    (
        &[
            ("u/a.service", A),
            ("e/b.service", "-> /usr/lib/systemd/system/a.service"),
            ("e/multi-user.target.wants/b.service", "-> x"),
        ],
        "a.service",
        "wants multi-user.target",
    ),
    (
        &[("u/a.service", A), ("e/b.service", "-> /usr/lib/systemd/system/a.service"), LINK],
        "b.service",
        "wants multi-user.target",
    ),
    (
        &[
            ("u/a.service", A),
            ("u/b.service", "[Unit]\nUpholds=a.service\n"),
            ("u/multi-user.target.upholds/b.service", "-> x"),
        ],
        "a.service",
        "upholds b.service",
    ),
    (
        &[
            ("u/a.service", A),
            ("u/b.service", "[Unit]\nAfter=a.service\nRequisite=a.service\n"),
            ("u/multi-user.target.wants/b.service", "-> x"),
        ],
        "a.service",
        "-",
    ),
    (
        &[("u/a@.service", A), ("e/multi-user.target.wants/a@x.service", "-> x")],
        "a@x.service",
        "wants multi-user.target",
    ),
    (
        &[
            ("u/a@.service", A),
            ("u/b@.service", "[Unit]\nWants=a@%i.service a@.service\n"),
            ("e/multi-user.target.wants/b@y.service", "-> x"),
        ],
        "a@y.service",
        "wants b@y.service, wants b@y.service",
    ),
    (
        &[
            ("u/a.service", A),
            ("u/b-c.service", A),
            ("u/b-.service.d/x.conf", "[Unit]\nWants=a.service\n"),
            ("e/multi-user.target.wants/b-c.service", "-> x"),
        ],
        "a.service",
        "wants b-c.service",
    ),
    (
        &[
            ("u/a.service", A),
            ("u/a.socket", "[Socket]\nListenStream=/x\n"),
            ("u/sockets.target.wants/a.socket", "-> x"),
        ],
        "a.service",
        "socket a.socket",
    ),
    (
        &[("u/a@.service", A), ("u/a.socket", "[Socket]\nAccept=yes\n"), ("u/sockets.target.wants/a.socket", "-> x")],
        "a@.service",
        "socket a.socket",
    ),
    (
        &[("u/a.service", A), ("u/b.timer", "[Timer]\nUnit=a.service\n"), ("u/timers.target.wants/b.timer", "-> x")],
        "a.service",
        "timer b.timer",
    ),
    (
        &[
            ("u/a.service", A),
            ("u/a.timer", "[Unit]\nConditionVirtualization=no\n[Timer]\n"),
            ("u/timers.target.wants/a.timer", "-> x"),
        ],
        "a.service",
        "-",
    ),
    (
        &[("u/a.service", A), (RULE, "SUBSYSTEM==\"virtio-ports\", ENV{SYSTEMD_WANTS}=\"a.service\"\n")],
        "a.service",
        r"udev dev-virtio\x2dports-org.qemu.guest_agent.0.device",
    ),
    (
        &[("u/a.service", A), (RULE, "SUBSYSTEM==\"net\", ENV{SYSTEMD_WANTS}=\"a.service\"\n")],
        "a.service",
        "udev SUBSYSTEM==\"net\"",
    ),
    (
        &[
            ("u/a.service", A),
            (RULE, "KERNEL==\"vport*\", ENV{SYSTEMD_WANTS}=\"a.service\"\n"),
            ("/etc/udev/rules.d/60-a.rules", "-> /dev/null"),
        ],
        "a.service",
        "-",
    ),
    (
        &[("u/a.service", A), (r"e/dev-virtio\x2dports-org.qemu.guest_agent.0.device.wants/a.service", "-> x")],
        "a.service",
        r"wants dev-virtio\x2dports-org.qemu.guest_agent.0.device",
    ),
    (&[("u/a.service", A), ("e/dev-sdb.device.wants/a.service", "-> x")], "a.service", "wants dev-sdb.device"),
    (
        &[
            ("u/a@.service", "[Unit]\nWants=a@%i0.service a@%i1.service\n"),
            ("e/multi-user.target.wants/a@.service", "-> x"),
            ("u/b.service", A),
        ],
        "b.service",
        "?",
    ),
    (&[("u/a.service", "[Unit\n"), LINK, ("u/b.service", A)], "b.service", "?"),
    (
        &[
            ("u/serial-getty@.service", A),
            ("u/getty.target", "[Unit]\n"),
            ("u/multi-user.target.wants/getty.target", "-> x"),
            ("/usr/lib/systemd/system-generators/systemd-getty-generator", "x"),
        ],
        "serial-getty@ttyS0.service",
        "generator getty.target",
    ),
    (
        &[("u/cloud-init.target", "[Unit]\n"), ("/usr/lib/systemd/system-generators/cloud-init-generator", "x")],
        "cloud-init.target",
        "generator multi-user.target",
    ),
    (
        &[
            ("u/cloud-init.target", "[Unit]\n"),
            ("/usr/lib/systemd/system-generators/cloud-init-generator", "x"),
            ("/etc/cloud/cloud-init.disabled", ""),
        ],
        "cloud-init.target",
        "-",
    ),
    (
        &[
            ("u/cloud-init.target", "[Unit]\n"),
            ("/usr/lib/systemd/system-generators/cloud-init-generator", "x"),
            ("/etc/systemd/system-generators/cloud-init-generator", "-> /dev/null"),
        ],
        "cloud-init.target",
        "-",
    ),
    (
        &[
            ("/usr/lib/systemd/system-generators/systemd-sysv-generator", "x"),
            ("/etc/init.d/old", "x"),
            ("/etc/rc2.d/S01old", "-> ../init.d/old"),
            ("/etc/rc0.d/K01old", "-> ../init.d/old"),
        ],
        "old.service",
        "generator multi-user.target",
    ),
    (&[("u/a.service", A), ("/run/systemd/system/multi-user.target.wants/a.service", "-> x")], "a.service", "-"),
];

#[test]
fn what_starts_and_what_does_not() {
    for (files, name, expected) in ROWS {
        assert_eq!(told(tree(files), name), *expected, "{files:#?}");
    }
}
