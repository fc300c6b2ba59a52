//! The checks: what must hold for an image to boot and behave in `OpenStack`, each with why and how to mend it.

mod agent_channel;
mod agent_rpc;
mod agent_started;
mod boot_entry_resolves;
mod cloud_init_datasource;
mod cloud_init_present;
mod cmdline_root_resolves;
mod cmdline_root_stable;
mod console_serial;
mod fstab_discard;
mod fstab_stable_ids;
mod fstab_targets_exist;
mod fstab_uuid;
mod growpart_available;
mod image_format_safe;
mod image_inspected;
mod initrd_kernel_match;
mod initrd_module_closure;
mod initrd_root_filesystem;
mod initrd_virtio;
mod initrd_virtio_net;
mod irqbalance_enabled;
pub(super) mod late_driver;
mod machine_id_reset;
mod module_not_blacklisted;
mod multiqueue_kernel;
mod package_installed;
mod password_unset;
mod property_earned;
mod ssh_hostkeys_absent;
mod sshd_enabled;
mod trim_enabled;
mod virtual_size_sane;
mod watchdog_armed;
mod watchdog_driver;
mod watchdog_loadable;
mod watchdog_single_owner;

use super::boot::{Course, Rule};
use super::{FactName, Judgement, Options, Tally, View, Weight};
use crate::guest::Guest;

/// A rule over facts.
#[derive(Debug)]
pub struct Check {
    /// Kebab-case, `<subject>-<what must hold>`; never changes.
    pub id: &'static str,
    /// The healthy condition, lower case, no full stop.
    pub summary: &'static str,
    /// The same when it does not hold: the headline of the finding.
    pub broken: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    /// How it is detected: what is read, and what counts.
    pub detects: &'static str,
    /// How to mend it, wherever no family has its own way.
    pub fix: &'static str,
    /// How to mend it in a family of distributions: an `ID` or `ID_LIKE` of os-release, and the command. `dracut`
    /// stands for whatever distribution has that package.
    pub family_fixes: &'static [(&'static str, &'static str)],
    /// Where the rule comes from.
    pub source: &'static str,
    /// The facts it may look at.
    pub reads: &'static [FactName],
    /// The rule.
    pub run: fn(&View<'_>, &mut Tally),
}

pub use image_inspected::INSPECTED;
pub use property_earned::DEMAND;

/// Every check, in report order: the boot path, then what is mounted, then what runs, then the file itself.
pub const CHECKS: &[Check] = &[
    boot_entry_resolves::CHECK,
    initrd_virtio::PCI,
    initrd_virtio::BLK,
    initrd_virtio::SCSI,
    initrd_virtio_net::CHECK,
    initrd_module_closure::CHECK,
    initrd_kernel_match::CHECK,
    initrd_root_filesystem::CHECK,
    module_not_blacklisted::CHECK,
    cmdline_root_stable::CHECK,
    cmdline_root_resolves::CHECK,
    fstab_stable_ids::CHECK,
    fstab_targets_exist::CHECK,
    fstab_uuid::CHECK,
    fstab_discard::CHECK,
    trim_enabled::CHECK,
    package_installed::AGENT,
    agent_started::CHECK,
    agent_channel::CHECK,
    agent_rpc::FREEZE,
    agent_rpc::PASSWORD,
    package_installed::WATCHDOG,
    watchdog_driver::CHECK,
    watchdog_loadable::CHECK,
    watchdog_armed::CHECK,
    watchdog_single_owner::CHECK,
    multiqueue_kernel::CHECK,
    irqbalance_enabled::CHECK,
    cloud_init_present::CHECK,
    cloud_init_datasource::CHECK,
    console_serial::CHECK,
    sshd_enabled::CHECK,
    growpart_available::CHECK,
    machine_id_reset::CHECK,
    ssh_hostkeys_absent::CHECK,
    password_unset::CHECK,
    image_format_safe::CHECK,
    virtual_size_sane::CHECK,
];

/// Judges entries by a rule without which a kernel does not boot.
const fn boots_by(rule: Rule) -> Course {
    Course { rule, path: BOOT_PATH, is_fatal: true }
}

/// What an attempt must pass to boot at all, on whichever bus.
pub(super) const BOOT_PATH: &[Rule] = &[
    boot_entry_resolves::judge,
    initrd_virtio::pci,
    initrd_module_closure::judge,
    initrd_kernel_match::judge,
    initrd_root_filesystem::judge,
    module_not_blacklisted::judge,
    cmdline_root_stable::judge,
    cmdline_root_resolves::judge,
];

/// The facts that a check of boot entries may look at: its own, and those of [`BOOT_PATH`].
pub(super) const BOOT_FACTS: &[FactName] = &[
    FactName::BootEntries,
    FactName::Kernels,
    FactName::Initrds,
    FactName::Volumes,
    FactName::Root,
    FactName::Modprobe,
    FactName::ModuleLoads,
];

/// Those, and what starts programs that load modules by name.
pub(super) const LOAD_FACTS: &[FactName] = &[
    FactName::BootEntries,
    FactName::Kernels,
    FactName::Initrds,
    FactName::Volumes,
    FactName::Root,
    FactName::Modprobe,
    FactName::ModuleLoads,
    FactName::Units,
];

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    CHECKS.iter().chain([&DEMAND, &INSPECTED]).find(|check| check.id == id)
}

impl Check {
    /// Runs the rule. A pass, an n/a or a lighter fault that looked past a gap is unknown: never a wrong pass.
    pub fn judge(&self, guest: &Guest, options: &Options) -> Judgement {
        let view = View::new(guest, options, self.reads);
        let mut tally = Tally::default();
        (self.run)(&view, &mut tally);
        view.gaps().into_iter().for_each(|gap| tally.gap(Weight::Full, gap));
        tally.judgement()
    }

    /// How to mend it in this guest.
    pub fn fix_for(&self, guest: &Guest) -> &'static str {
        let os = guest.os.known();
        let packages = guest.packages.known().map(|packages| packages.items.as_slice()).unwrap_or_default();
        let is_named = |family: &str| os.is_some_and(|os| os.id == family || os.id_like.iter().any(|id| id == family));
        let has = |name: &str| packages.iter().any(|package| package.name == name && package.state.is_none());
        let is_like = |family: &str| is_named(family) || (family == "dracut" && has(family));
        self.family_fixes.iter().find(|(family, _)| is_like(family)).map_or(self.fix, |(_, fix)| fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_and_texts_keep_to_the_house() {
        let mut ids = BTreeSet::new();
        for check in CHECKS {
            assert!(ids.insert(check.id), "{} stands twice", check.id);
            assert!(check.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{}", check.id);
            for text in [check.summary, check.broken] {
                assert!(!text.is_empty() && !text.ends_with('.') && text.starts_with(char::is_lowercase), "{text}");
            }
            assert!(
                ![check.why, check.detects, check.fix, check.source].contains(&"") && !check.reads.is_empty(),
                "{}",
                check.id
            );
        }
    }

    #[test]
    #[should_panic(expected = "does not declare")]
    fn reading_an_undeclared_fact_panics() {
        let fake = Check {
            reads: &[FactName::Os],
            run: |view, _| assert!(view.fstab().is_none()),
            ..package_installed::AGENT
        };
        let guest: Guest = serde_json::from_str(r#"{"schema":"bootworthy.facts/1"}"#).unwrap();
        fake.judge(&guest, &Options::default());
    }

    #[test]
    fn nothing_passes_on_nothing() {
        let guest: Guest = serde_json::from_str(r#"{"schema":"bootworthy.facts/1"}"#).unwrap();
        for check in CHECKS {
            let judgement = check.judge(&guest, &Options::default());
            assert_eq!(
                (judgement.verdict.word(), judgement.weight),
                (crate::verdict::Word::Unknown, Weight::Full),
                "{}",
                check.id
            );
        }
    }
}
