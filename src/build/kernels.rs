//! Kernels of which is known, before anything is fetched, what they lack; the stage `kernel` looks at every one.

use super::plan::{Architecture, Family};

/// A kernel's package.
#[derive(Debug)]
pub struct Kernel {
    /// os-release `ID`s; empty for all of the family.
    pub distributions: &'static [&'static str],
    /// Suites; empty for all.
    pub suites: &'static [&'static str],
    /// Its name.
    pub package: &'static str,
    /// Options that are not set in it.
    pub lacks: &'static [&'static str],
    /// The package of the same distribution that has them.
    pub instead: &'static str,
    /// Where that is seen.
    pub source: &'static str,
}

/// What is known.
pub const KERNELS: &[Kernel] = &[
    Kernel {
        distributions: &["debian"],
        suites: &["bookworm"],
        package: "linux-image-cloud-amd64",
        lacks: &["CONFIG_I6300ESB_WDT", "CONFIG_SATA_AHCI"],
        instead: "linux-image-amd64",
        source: "/boot/config-6.1.0-56-cloud-amd64 and /boot/config-6.1.0-56-amd64",
    },
    Kernel {
        distributions: &["alpine"],
        suites: &[],
        package: "linux-virt",
        lacks: &["CONFIG_I6300ESB_WDT"],
        instead: "linux-lts",
        source: "aports main/linux-lts, virt.*.config and lts.*.config",
    },
    Kernel {
        distributions: &["opensuse-leap", "opensuse-tumbleweed", "sles"],
        suites: &[],
        package: "kernel-default-base",
        lacks: &["CONFIG_I6300ESB_WDT"],
        instead: "kernel-default",
        source: "kernel-source, package-descriptions of kernel-default-base: a subset of the modules",
    },
];

/// What is known of this package.
pub fn known(distribution: &str, suite: &str, package: &str) -> Option<&'static Kernel> {
    KERNELS.iter().find(|kernel| {
        kernel.package == package
            && kernel.distributions.contains(&distribution)
            && (kernel.suites.is_empty() || kernel.suites.contains(&suite))
    })
}

/// The kernel for virtual machines of a family.
pub fn usual(family: Family, architecture: Architecture) -> &'static str {
    match (family, architecture) {
        (Family::Debian, Architecture::X86_64) => "linux-image-cloud-amd64",
        (Family::Debian, Architecture::Aarch64) => "linux-image-cloud-arm64",
        // The virtual one leaves out the modules of linux-modules-extra, watchdogs among them.
        (Family::Ubuntu, _) => "linux-image-generic",
        (Family::Fedora, _) => "kernel",
        (Family::Suse, _) => "kernel-default",
        (Family::Alpine, _) => "linux-virt",
        (Family::Arch, _) => "linux",
    }
}
