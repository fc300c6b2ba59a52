//! What starts at boot, as tables of small trees.

mod starts;

use super::*;
use crate::guest::memory::Memory;
use crate::guest::{Attempt, BootEntry};

const USR: &str = "/usr/lib/systemd/system";

/// A guest with the usual targets, a program, a machine-id, and `files`: `-> x` is a link, `e/` and `u/` systemd's folders.
fn tree(files: &[(&str, &str)]) -> Memory {
    let base: &[(&str, &str)] = &[
        ("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        ("u/default.target", "-> graphical.target"),
        ("u/graphical.target", "[Unit]\nRequires=multi-user.target\n"),
        ("u/multi-user.target", "[Unit]\nRequires=basic.target\n"),
        ("u/basic.target", "[Unit]\nRequires=sysinit.target\nWants=sockets.target timers.target\n"),
        ("u/sysinit.target", "[Unit]\n"),
        ("u/sysinit.target.wants/systemd-udevd.service", "-> ../systemd-udevd.service"),
        ("u/sysinit.target.wants/systemd-udev-trigger.service", "-> ../systemd-udev-trigger.service"),
        ("u/systemd-udevd.service", "[Service]\nExecStart=/etc/machine-id\n"),
        ("u/systemd-udev-trigger.service", "[Service]\nType=oneshot\nExecStart=-/etc/machine-id\n"),
        ("u/sockets.target", "[Unit]\n"),
        ("u/timers.target", "[Unit]\n"),
    ];
    base.iter().chain(files).fold(Memory::new("ext4", "", ""), |tree, (path, what)| {
        let path = match path.split_once('/') {
            Some(("e", rest)) => format!("/etc/systemd/system/{rest}"),
            Some(("u", rest)) => format!("{USR}/{rest}"),
            _ => (*path).to_owned(),
        };
        match what.strip_prefix("-> ") {
            Some(target) => tree.link(&path, target),
            None => tree.file(&path, what),
        }
    })
}

fn entries(cmdline: &str) -> Listing<BootEntry> {
    let attempt = Attempt {
        when: String::new(),
        line: 1,
        kernel: "/boot/vmlinuz".to_owned(),
        initrds: Fact::Known(Vec::new()),
        cmdline: Fact::Known(cmdline.to_owned()),
    };
    let entry = BootEntry {
        id: "a".to_owned(),
        title: "a".to_owned(),
        config: "/boot/grub/grub.cfg".to_owned(),
        line: 1,
        firmware: Fact::Known(Vec::new()),
        stops: Vec::new(),
        is_default: Fact::Known(true),
        attempts: Fact::Known(vec![attempt].into()),
    };
    vec![entry].into()
}

/// `by of` of everything that starts `name`; `-` when nothing does, `?` when that is not known, `!KEY=VALUE` or `!?`
/// behind it when it refuses.
fn told(tree: Memory, name: &str) -> String {
    told_with(tree, "root=/dev/x console=tty0 console=ttyS0,115200n8", name)
}

fn told_with(tree: Memory, cmdline: &str, name: &str) -> String {
    let units = read(&tree.root(), &entries(cmdline), &Limits::default()).unwrap();
    let Some(unit) = units.items.iter().find(|unit| unit.name == name) else { return "none".to_owned() };
    let Fact::Known(starts) = &unit.starts else { return "unknown".to_owned() };
    let rows: Vec<String> = starts.items.iter().map(|start| format!("{} {}", start.by, start.of)).collect();
    let rows = match (rows.is_empty(), starts.gaps.is_empty()) {
        (true, true) => "-".to_owned(),
        (true, false) => "?".to_owned(),
        _ => rows.join(", "),
    };
    match &unit.refused {
        Fact::Known(None) => rows,
        Fact::Known(Some(setting)) => format!("{rows} !{}={}", setting.key, setting.value),
        Fact::Unknown(_) => format!("{rows} !?"),
    }
}

const A: &str = "[Service]\nExecStart=/etc/machine-id\n[Install]\nWantedBy=multi-user.target\n";
const LINK: (&str, &str) = ("e/multi-user.target.wants/a.service", "-> /usr/lib/systemd/system/a.service");

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_refuses_to_start() {
    let program = "\n[Service]\nExecStart=-/etc/machine-id --x\n";
    for (unit, expected) in [
        ("ConditionVirtualization=!container", ""),
        ("ConditionVirtualization=vm", ""),
        ("ConditionVirtualization=no", " !ConditionVirtualization=no"),
        ("AssertVirtualization=!yes", " !AssertVirtualization=!yes"),
        ("ConditionVirtualization=no\nConditionPathExists=", ""),
        ("ConditionVirtualization=qemu", " !?"),
        ("ConditionCPUs=>1", ""),
        ("ConditionPathExists=/dev/virtio-ports/org.qemu.guest_agent.0", ""),
        ("ConditionPathExists=/dev/vdb", " !?"),
        ("ConditionPathExists=/etc/machine-id", ""),
        ("ConditionPathExists=!/etc/machine-id", " !ConditionPathExists=!/etc/machine-id"),
        ("ConditionPathExists=/etc/none", " !ConditionPathExists=/etc/none"),
        ("ConditionPathExists=!/etc/none", ""),
        ("ConditionPathExists=/var/lib/none", " !?"),
        ("ConditionPathExists=|/etc/none\nConditionPathExists=|/etc/machine-id", ""),
        (
            "ConditionPathExists=|/etc/none\nConditionPathExists=|!/etc/machine-id",
            " !ConditionPathExists=|!/etc/machine-id",
        ),
        ("ConditionPathExists=|/etc/none\nConditionPathExists=|/run/x", " !?"),
        ("ConditionKernelCommandLine=console", ""),
        ("ConditionKernelCommandLine=!root=/dev/x", " !ConditionKernelCommandLine=!root=/dev/x"),
        ("ConditionKernelCommandLine=quiet", " !ConditionKernelCommandLine=quiet"),
        ("ConditionFirstBoot=yes", " !ConditionFirstBoot=yes"),
        ("ConditionFirstBoot=no", ""),
        ("ConditionSecurity=tpm2", " !?"),
        ("ConditionEnvironment=!KERNEL_CMDLINE=cloud-init=disabled", ""),
        ("Requires=masked.service", " !Requires=masked.service"),
        ("Requires=gone.service", " !?"),
        ("Wants=gone.service", ""),
        (r"BindsTo=dev-virtio\x2dports-org.qemu.guest_agent.0.device", ""),
        ("[Service]\nExecStart=/usr/bin/none", " !ExecStart=/usr/bin/none"),
        ("[Service]\nEnvironmentFile=/etc/none", " !EnvironmentFile=/etc/none"),
        ("[Service]\nEnvironmentFile=-/etc/none", ""),
        ("[Service]\nEnvironmentFile=/etc/none\nEnvironmentFile=", ""),
        ("[Service]\nEnvironmentFile=/etc/machine-*", ""),
        ("[Service]\nEnvironmentFile=/run/none", " !?"),
        ("ConditionCPUs=<2", " !?"),
        ("ConditionCPUs=!>=1", " !ConditionCPUs=!>=1"),
        ("ConditionACPower=true", ""),
        ("ConditionACPower=false", " !ConditionACPower=false"),
        ("BindsTo=dev-ttyS9.device", " !?"),
        ("BindsTo=dev-ttyS0.device", ""),
        ("[Service]\nExecStartPre=/usr/bin/none", " !ExecStartPre=/usr/bin/none"),
        ("[Service]\nExecStartPre=-/usr/bin/none", ""),
        ("[Service]\nExecCondition=/etc/false", " !ExecCondition=/etc/false"),
        ("[Service]\nExecStartPost=none", " !ExecStartPost=none"),
        ("[Service]\nExecStartPre=tool -x", ""),
        ("[Service]\nExecStart=/etc/empty", " !ExecStart=/etc/empty"),
        ("[Service]\nExecStart=/etc/machine-id", " !ExecStart=-/etc/machine-id --x"),
        ("[Service]\nType=oneshot\nExecStart=/etc/machine-id", ""),
        ("[Service]\nExecStartPre=/usr/bin/sh -c '[ $a != 1 ] || exec /usr/bin/tool $b'", ""),
        (
            "[Service]\nExecStartPre=/usr/bin/sh -c 'exec /usr/bin/none $b'",
            " !ExecStartPre=/usr/bin/sh -c 'exec /usr/bin/none $b'",
        ),
        ("Requisite=multi-user.target", " !?"),
        ("[Service]\nType=oneshot\nRestart=always", " !Restart=always"),
        ("[Service]\nType=dbus", " !Type=dbus"),
        ("[Service]\nType=dbus\nBusName=a.b", ""),
        ("[Service]\nUser=gone", " !?"),
        ("[Service]\nUser=daemon\nWorkingDirectory=/etc", ""),
        ("[Service]\nWorkingDirectory=/srv/none", " !?"),
    ] {
        let text: &str = Box::leak(format!("[Unit]\n{unit}{program}").into_boxed_str());
        let files = [
            ("u/a.service", text),
            LINK,
            ("u/masked.service", "-> /dev/null"),
            ("/etc/empty", ""),
            ("/etc/passwd", "root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/false\n"),
            ("/usr/bin/sh", "x"),
            ("/usr/bin/tool", "x"),
        ];
        assert_eq!(told(tree(&files), "a.service"), format!("wants multi-user.target{expected}"), "{unit}");
    }
    let reset = [
        ("u/a.service", &*format!("[Unit]{program}").leak()),
        LINK,
        ("e/a.service.d/x.conf", "[Service]\nExecStart=\n"),
    ];
    assert_eq!(told(tree(&reset), "a.service"), "wants multi-user.target !ExecStart=");
    let several = [("u/a.service", "[Service]\nExecStart=/etc/machine-id ; /etc/machine-id\n"), LINK];
    let refused = "wants multi-user.target !ExecStart=/etc/machine-id ; /etc/machine-id";
    assert_eq!(told(tree(&several), "a.service"), refused);
}

#[test]
fn presets_of_a_sealed_image() {
    let preset = "/usr/lib/systemd/system-preset/90-x.preset";
    let library = ("/usr/lib/systemd/libsystemd-shared-257.so", "");
    for (id, rules, name, expected) in [
        ("uninitialized\n", "enable a.service\n", "a.service", "preset multi-user.target"),
        ("uninitialized\n", "disable *\n", "a.service", "-"),
        ("uninitialized\n", "ignore a*\n", "a.service", "-"),
        ("uninitialized\n", "disable a.service\nenable a.service\ndisable *\n", "a.service", "-"),
        ("uninitialized\n", "# nothing\n", "a.service", "preset multi-user.target"),
        ("uninitialized\n", "disable *.service\n", "linked.service", "?"),
        ("uninitialized\n", "enable t@.service x y\ndisable *\n", "t@y.service", "preset multi-user.target"),
        ("uninitialized\n", "enable t@.service x y\ndisable *\n", "t@.service", "-"),
        ("uninitialized\n", "enable also.service\ndisable *\n", "a.service", "preset multi-user.target"),
        ("\n", "enable a.service\n", "a.service", "-"),
        ("", "enable a.service\n", "a.service", "-"),
    ] {
        let files = [
            ("/etc/machine-id", id),
            library,
            (preset, rules),
            ("u/a.service", A),
            ("u/also.service", "[Install]\nAlso=a.service\n"),
            ("u/t@.service", A),
            ("u/linked.service", A),
            ("e/multi-user.target.wants/linked.service", "-> x"),
        ];
        let found = told(tree(&files), name);
        assert_eq!(found.split(" !").next().unwrap(), expected, "{id:?} {rules:?} {name}");
    }
}

#[test]
fn settings_and_variables_are_merged() {
    let files = [
        (
            "u/qemu-guest-agent.service",
            "[Service]\nEnvironment=\"A=1 2\" B=3\nEnvironmentFile=-/etc/a\nExecStart=/x \\\n  --y\n",
        ),
        ("/etc/a", "B='from file'\n"),
        ("u/qemu-guest-agent.service.d/20.conf", "[Service]\nEnvironment=C=vendor\n"),
        ("e/qemu-guest-agent.service.d/20.conf", "[Service]\nExecStart=\nExecStart=/z\n"),
        ("e/qemu-guest-agent.service.d/30.conf", "-> /dev/null"),
        ("u/qemu-guest-agent.service.d/30.conf", "[Service]\nNice=3\n"),
        ("u/qemu-guest-.service.d/10.conf", "[Service]\nNice=1\n"),
        ("u/service.d/15.conf", "[Service]\nNice=2\n"),
        ("e/alias.service", "-> /usr/lib/systemd/system/qemu-guest-agent.service"),
        ("e/alias.service.d/40.conf", "[Service]\nNice=4\n"),
        ("u/other.service", A),
    ];
    let units = read(&tree(&files).root(), &Listing::default(), &Limits::default()).unwrap();
    let find = |name: &str| units.items.iter().find(|unit| unit.name == name).unwrap();
    let unit = find("qemu-guest-agent.service");
    let settings = unit.settings.known().unwrap().as_ref().unwrap();
    let rows: Vec<String> = settings.items.iter().map(|it| format!("{}={}:{}", it.key, it.value, it.line)).collect();
    let expected = [
        "Environment=\"A=1 2\" B=3:2",
        "EnvironmentFile=-/etc/a:3",
        "ExecStart=/x    --y:4",
        "Nice=1:2",
        "Nice=2:2",
        "ExecStart=:2",
        "ExecStart=/z:3",
        "Nice=4:2",
    ];
    assert_eq!((rows.as_slice(), settings.gaps.len()), (expected.map(str::to_owned).as_slice(), 0));
    let variables = unit.environment.known().unwrap().as_ref().unwrap();
    let rows: Vec<String> = variables.items.iter().map(|it| format!("{}={}", it.name, it.value)).collect();
    assert_eq!(rows, ["A=1 2", "B=3", "B=from file"]);
    assert_eq!(
        (&find("other.service").settings, &find("other.service").environment),
        (&Fact::Known(None), &Fact::Known(None))
    );
}

#[test]
fn what_was_not_seen_is_unknown() {
    let empty = Memory::new("ext4", "", "").folder("/etc");
    assert!(read(&empty.root(), &Listing::default(), &Limits::default()).is_err());
    let spoiled = tree(&[("u/a.service", A), LINK]).unreadable("/etc/systemd/system/x.target.wants");
    assert_eq!(told(spoiled, "a.service"), "unknown");
    let unread = tree(&[("u/a.service", A), LINK]).unreadable("/etc/machine-id");
    assert_eq!(told(unread, "a.service").split(' ').next(), Some("wants"));
    let limits = Limits { list_rows: 4, ..Limits::default() };
    let units = read(&tree(&[("u/a.service", A)]).root(), &Listing::default(), &limits).unwrap();
    assert!(!units.gaps.is_empty() && units.items.iter().all(|unit| unit.state.known().is_none()));
}
