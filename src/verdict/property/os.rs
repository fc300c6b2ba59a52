//! The operating system: type, distribution, version, architecture.

use super::{ALL, Offer, Property, SAFE, Value, Values};
use crate::fact::Gap;
use crate::guest::{BootEntry, Kernel};
use crate::verdict::{FactName, View};
use std::collections::{BTreeSet, HashMap};

pub(super) const TYPE: Property = Property {
    key: "os_type",
    summary: "the operating system's family",
    why: "Nova configures clock, RTC and disks by it; an image that is none of linux and windows is better off without it.",
    detects: "os-release is there, and a boot entry starts a file with the header of a Linux kernel.",
    fix: "Install a kernel and let the boot loader write its configuration.",
    source: "Nova virt/libvirt/driver.py; Glance docs, useful image properties",
    sets: ALL,
    values: Values::OneOf(&["linux", "windows"]),
    needs: &[SAFE],
    reads: &[FactName::Os, FactName::BootEntries, FactName::Kernels],
    value: Offer::Found("linux", os_type),
};

pub(super) const DISTRO: Property = Property {
    key: "os_distro",
    summary: "the distribution, in Glance's vocabulary",
    why: "libosinfo on the host, Magnum and people choose by it; Nova itself does not start anything differently for a name that it does not know.",
    detects: "ID of os-release, in the spelling of Glance's documentation where that differs.",
    fix: "Set ID in /etc/os-release.",
    source: "man 5 os-release; Glance docs, useful image properties; Nova virt/osinfo.py",
    sets: ALL,
    values: Values::Text,
    needs: &[SAFE],
    reads: &[FactName::Os],
    value: Offer::Found("ID of os-release", os_distro),
};

pub(super) const VERSION: Property = Property {
    key: "os_version",
    summary: "the distribution's version",
    why: "People and SCS-0102 ask for it; Nova never reads it.",
    detects: "VERSION_ID of os-release.",
    fix: "Set VERSION_ID in /etc/os-release.",
    source: "man 5 os-release; SCS-0102",
    sets: ALL,
    values: Values::Text,
    needs: &[SAFE],
    reads: &[FactName::Os],
    value: Offer::Found("VERSION_ID", |view| match view.os().and_then(|os| os.version_id.clone()) {
        Some(version) => Value::Is(version),
        None => Value::without("os-release has no VERSION_ID"),
    }),
};

pub(super) const ARCHITECTURE: Property = Property {
    key: "architecture",
    summary: "the CPU architecture, where kernel and userland agree",
    why: "The scheduler starts the instance on hosts of this architecture alone; without it an image of another one ends on a host that cannot run it.",
    detects: "The headers of the default kernels and of the userland's init, where they agree.",
    fix: "Install a kernel of the userland's architecture.",
    source: "Nova scheduler/filters/image_props_filter.py; Nova objects/fields.py (Architecture)",
    sets: ALL,
    values: Values::OneOf(ARCHITECTURES),
    needs: &[SAFE],
    reads: &[FactName::Os, FactName::BootEntries, FactName::Kernels],
    value: Offer::Found("kernel and userland", architecture),
};

/// Linux needs os-release and a Linux kernel in an entry: one that is there and whose header gave a version.
fn os_type(view: &View<'_>) -> Value {
    if view.os().is_none() {
        return Value::without("there is no os-release");
    }
    let (kernels, gaps) = view.apart(|view| kernels(view, |_| true));
    let is_linux = |kernel: &&Kernel| kernel.exists.known() == Some(&true) && kernel.version.known().is_some();
    if kernels.iter().any(is_linux) {
        return Value::is("linux");
    }
    for gap in gaps {
        view.miss(gap);
    }
    for kernel in kernels {
        let _ = (view.need(&kernel.exists), view.need(&kernel.version));
    }
    Value::without("no boot entry starts a Linux kernel")
}

/// Glance's names (`doc/source/admin/useful-image-properties.rst`) for `ID`s that are spelled otherwise.
fn os_distro(view: &View<'_>) -> Value {
    const NAMES: &[(&str, &str)] = &[
        ("opensuse-leap", "opensuse"),
        ("opensuse-tumbleweed", "opensuse"),
        ("opensuse-microos", "opensuse"),
        ("ol", "oraclelinux"),
    ];
    let Some(os) = view.os() else { return Value::without("there is no os-release") };
    // `man 5 os-release`: ID is lower case, digits, `.`, `_` and `-`; `linux` stands for none.
    let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if os.id == "linux" || !os.id.chars().all(is_id) {
        return Value::without("os-release names no distribution (ID)");
    }
    Value::is(NAMES.iter().find(|(id, _)| *id == os.id).map_or(os.id.as_str(), |(_, name)| name))
}

/// What Nova takes (`nova/objects/fields.py`, Architecture).
const ARCHITECTURES: &[&str] = &[
    "alpha",
    "armv6",
    "armv7l",
    "armv7b",
    "aarch64",
    "cris",
    "i686",
    "ia64",
    "lm32",
    "m68k",
    "microblaze",
    "microblazeel",
    "mips",
    "mipsel",
    "mips64",
    "mips64el",
    "openrisc",
    "parisc",
    "parisc64",
    "ppc",
    "ppcle",
    "ppc64",
    "ppc64le",
    "ppcemb",
    "s390",
    "s390x",
    "sh4",
    "sh4eb",
    "sparc",
    "sparc64",
    "unicore32",
    "x86_64",
    "xtensa",
    "xtensaeb",
];

pub(super) fn architecture(view: &View<'_>) -> Value {
    let Some(userland) = view.os().and_then(|os| view.need(&os.architecture)) else {
        return Value::without("the userland's architecture is not known");
    };
    let kernels = kernels(view, |entry| view.need(&entry.is_default) == Some(&true));
    let names: Vec<&String> = kernels.iter().filter_map(|kernel| view.need(&kernel.architecture)).collect();
    match names.iter().find(|name| **name != userland) {
        _ if names.is_empty() => Value::without("no default boot entry starts a kernel"),
        Some(kernel) => Value::Without(format!("the kernel is {kernel}, the userland {userland}")),
        None if ARCHITECTURES.contains(&userland.as_str()) => Value::is(userland),
        None => Value::Without(format!("Nova knows no architecture {userland}")),
    }
}

/// The kernels that some entries start; gaps are kept.
fn kernels<'a>(view: &View<'a>, is_asked: impl Fn(&BootEntry) -> bool) -> Vec<&'a Kernel> {
    let entries = view.boot_entries().map(|entries| view.all(entries)).unwrap_or_default();
    let attempts = entries.iter().filter(|entry| is_asked(entry)).filter_map(|entry| view.need(&entry.attempts));
    let paths = attempts.flat_map(|attempts| view.all(attempts)).map(|attempt| attempt.kernel.as_str());
    let paths: BTreeSet<&str> = paths.collect();
    let Some(kernels) = view.kernels() else { return Vec::new() };
    let by_path: HashMap<&str, &Kernel> = kernels.items.iter().map(|kernel| (kernel.path.as_str(), kernel)).collect();
    let find = |path: &str| {
        let kernel = by_path.get(path).copied();
        if kernel.is_none() {
            view.all(kernels);
            view.miss(Gap::at(path, "nothing was collected about this kernel"));
        }
        kernel
    };
    paths.into_iter().filter_map(find).collect()
}
