//! The operating system: type, distribution, version, architecture, firmware.

use super::{Property, SAFE, Value};
use crate::fact::Gap;
use crate::guest::{BootEntry, Kernel};
use crate::verdict::{FactName, View};
use std::collections::{BTreeSet, HashMap};

pub(super) const TYPE: Property = Property {
    key: "os_type",
    summary: "the operating system's family",
    needs: &[SAFE],
    reads: &[FactName::Os, FactName::BootEntries, FactName::Kernels],
    value: os_type,
    is_integer: false,
};

pub(super) const DISTRO: Property = Property {
    key: "os_distro",
    summary: "the distribution, in Glance's vocabulary",
    needs: &[SAFE],
    reads: &[FactName::Os],
    value: os_distro,
    is_integer: false,
};

pub(super) const VERSION: Property = Property {
    key: "os_version",
    summary: "the distribution's version",
    needs: &[SAFE],
    reads: &[FactName::Os],
    value: |view| match view.os().and_then(|os| os.version_id.clone()) {
        Some(version) => Value::Is(version),
        None => Value::Without("os-release has no VERSION_ID".to_owned()),
    },
    is_integer: false,
};

pub(super) const ARCHITECTURE: Property = Property {
    key: "architecture",
    summary: "the CPU architecture, where kernel and userland agree",
    needs: &[SAFE],
    reads: &[FactName::Os, FactName::BootEntries, FactName::Kernels],
    value: architecture,
    is_integer: false,
};

pub(super) const FIRMWARE: Property = Property {
    key: "hw_firmware_type",
    summary: "the firmware, where the image boots with only one",
    needs: &["boot-entry-resolves"],
    reads: &[FactName::BootEntries],
    value: firmware,
    is_integer: false,
};

/// Linux needs os-release and a Linux kernel in an entry: one that is there and whose header gave a version.
fn os_type(view: &View<'_>) -> Value {
    if view.os().is_none() {
        return Value::Without("there is no os-release".to_owned());
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
    Value::Without("no boot entry starts a Linux kernel".to_owned())
}

/// Glance's names (`doc/source/admin/useful-image-properties.rst`) for `ID`s that are spelled otherwise.
fn os_distro(view: &View<'_>) -> Value {
    const NAMES: &[(&str, &str)] = &[
        ("opensuse-leap", "opensuse"),
        ("opensuse-tumbleweed", "opensuse"),
        ("opensuse-microos", "opensuse"),
        ("ol", "oraclelinux"),
    ];
    let Some(os) = view.os() else { return Value::Without("there is no os-release".to_owned()) };
    // `man 5 os-release`: ID is lower case, digits, `.`, `_` and `-`; `linux` stands for none.
    let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if os.id == "linux" || !os.id.chars().all(is_id) {
        return Value::Without("os-release names no distribution (ID)".to_owned());
    }
    Value::is(NAMES.iter().find(|(id, _)| *id == os.id).map_or(os.id.as_str(), |(_, name)| name))
}

/// What Nova takes (`nova/objects/fields.py`, Architecture), of what Linux distributions have.
const ARCHITECTURES: &[&str] = &["x86_64", "aarch64", "armv7l", "i686", "ppc64", "ppc64le", "s390x"];

fn architecture(view: &View<'_>) -> Value {
    let Some(userland) = view.os().and_then(|os| view.need(&os.architecture)) else {
        return Value::Without("the userland's architecture is not known".to_owned());
    };
    let kernels = kernels(view, |entry| view.need(&entry.is_default) == Some(&true));
    let names: Vec<&String> = kernels.iter().filter_map(|kernel| view.need(&kernel.architecture)).collect();
    match names.iter().find(|name| **name != userland) {
        _ if names.is_empty() => Value::Without("no default boot entry starts a kernel".to_owned()),
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

/// UEFI only where no entry is reached by BIOS; an image that boots with both needs no word.
fn firmware(view: &View<'_>) -> Value {
    let entries = view.boot_entries().map(|entries| view.all(entries)).unwrap_or_default();
    let firmware: Vec<&Vec<String>> = entries.iter().filter_map(|entry| view.need(&entry.firmware)).collect();
    let is_uefi = |names: &&Vec<String>| names.as_slice() == ["uefi"];
    match firmware.iter().any(|names| names.iter().any(|name| name == "bios")) {
        true => Value::NotNeeded,
        false if !firmware.is_empty() && firmware.iter().all(is_uefi) => Value::is("uefi"),
        false => Value::Without("which firmware reaches the boot entries is not known".to_owned()),
    }
}
