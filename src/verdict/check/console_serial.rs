//! The kernel and the boot write to the serial console, which `openstack console log show` prints.

use super::Check;
use crate::fact::Gap;
use crate::guest::Kernel;
use crate::verdict::login::{DefaultStart, default_starts};
use crate::verdict::{Evidence, FactName, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "console-serial",
    summary: "the kernel writes to the serial console",
    broken: "the kernel does not write to the serial console",
    why: "`openstack console log show` prints what arrives at the serial console; without it an instance that does not come up is mute.",
    detects: "Every console= of the default entry's command line, the kernel's built-in one before it, is compared with the serial console of the kernel's architecture: ttyS0, on aarch64 ttyAMA0, on ppc64le hvc0, on s390x ttysclp0. The last one is /dev/console.",
    fix: "Add console=ttyS0,115200 (aarch64: console=ttyAMA0) as the last console= of the kernel's command line.",
    family_fixes: &[
        ("debian", "Add console=tty0 console=ttyS0,115200 to GRUB_CMDLINE_LINUX in /etc/default/grub; update-grub"),
        ("fedora", "grubby --update-kernel=ALL --args='console=tty0 console=ttyS0,115200'"),
        (
            "suse",
            "Add console=tty0 console=ttyS0,115200 to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub; grub2-mkconfig -o /boot/grub2/grub.cfg",
        ),
    ],
    source: "OpenStack image guide (ensure image writes boot log to console); Documentation/admin-guide/serial-console.rst",
    reads: &[FactName::BootEntries, FactName::Kernels],
    run,
};

/// The serial console that Nova's machine has, by the kernel's architecture (Nova `virt/libvirt/driver.py`, consoles).
const CONSOLES: &[(&str, &[&str])] = &[
    ("x86_64", &["ttyS0"]),
    ("i686", &["ttyS0"]),
    ("i386", &["ttyS0"]),
    ("aarch64", &["ttyAMA0"]),
    ("arm", &["ttyAMA0"]),
    ("ppc64le", &["hvc0"]),
    ("ppc64", &["hvc0"]),
    ("s390x", &["ttysclp0", "sclp0", "hvc0"]),
    ("riscv64", &["ttyS0"]),
];

fn run(view: &View<'_>, tally: &mut Tally) {
    for default in default_starts(view).unwrap_or_default() {
        judge(view, &default, tally);
    }
}

fn judge(view: &View<'_>, default: &DefaultStart<'_, '_>, tally: &mut Tally) {
    let Some(architecture) = default.start.kernel().and_then(|kernel: &Kernel| view.need(&kernel.architecture)) else {
        return;
    };
    let Some((_, serial)) = CONSOLES.iter().find(|(name, _)| name == architecture) else {
        let reason = format!("which serial console a machine of {architecture} has is not known to this version");
        return view.miss(Gap::new(reason));
    };
    let devices: Vec<&str> = default.words.iter().filter_map(|word| console(word)).collect();
    let wanted = serial.first().copied().unwrap_or_default();
    let Some(device) = devices.iter().find(|device| serial.contains(device)) else {
        let found = if devices.is_empty() {
            "the command line has no console=".to_owned()
        } else {
            format!("the command line's consoles are {}", devices.join(", "))
        };
        return tally.fault(Weight::Full, default.start.at_line(found).expected(format!("console={wanted}")));
    };
    // The last one is /dev/console, to which init and its services write.
    let last = devices.last().copied().unwrap_or_default();
    tally.proof(Evidence { entry: None, ..default.start.at_line(format!("console={device}; /dev/console is {last}")) });
    if last != *device {
        let found = format!("the last console= is {last}: what init and its services print goes there");
        tally.note(default.start.at_line(found).expected(format!("console={device} as the last")));
    }
}

/// The device of `console=ttyS0,115200n8`.
fn console(word: &str) -> Option<&str> {
    let value = word.strip_prefix("console=")?;
    value.split(',').next().filter(|device| !device.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_without_their_speed() {
        for (word, device) in [
            ("console=ttyS0", Some("ttyS0")),
            ("console=ttyS0,115200n8", Some("ttyS0")),
            ("console=", None),
            ("earlyprintk=ttyS0", None),
            ("systemd.console=ttyS0", None),
        ] {
            assert_eq!(console(word), device, "{word}");
        }
    }
}
