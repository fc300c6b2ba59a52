//! Severities per profile: what a verdict means for the exit code, as data. Never what is earned.

use super::Weight;
use super::feature::{self, Feature};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not shown and not counted.
    Off,
    /// Worth knowing.
    Note,
    /// A feature will not work, or not always.
    Warning,
    /// Does not boot, cannot be reached or would be refused.
    #[default]
    Error,
}

impl Severity {
    /// Every word, from the lightest.
    pub const ALL: &'static [Self] = &[Self::Off, Self::Note, Self::Warning, Self::Error];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The severity with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|severity| severity.word() == word)
    }

    /// What a lighter fault of the same check weighs.
    #[must_use]
    pub fn lower(self) -> Self {
        match self {
            Self::Error => Self::Warning,
            Self::Warning | Self::Note => Self::Note,
            Self::Off => Self::Off,
        }
    }
}

/// A set of promises.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// What it promises.
    pub summary: &'static str,
    /// Features that must be there ([`feature::FEATURES`]).
    pub required: Cow<'static, [&'static str]>,
    /// The lightest severity that it counts as an error.
    pub fail_on: Severity,
    /// Checks that what a manifest claims of the image rests on: an error, whatever the profile says of them.
    claimed: Vec<&'static str>,
    /// Only what boots matters: everything else informs.
    is_lenient: bool,
}

/// Every profile, the default first.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "openstack",
        summary: "boots on virtio-scsi, and has the guest agent and a watchdog",
        required: Cow::Borrowed(REQUIRED),
        fail_on: Severity::Error,
        claimed: Vec::new(),
        is_lenient: false,
    },
    Profile {
        name: "bootable",
        summary: "boots on some virtio disk; nothing else is required",
        required: Cow::Borrowed(&[]),
        fail_on: Severity::Error,
        claimed: Vec::new(),
        is_lenient: true,
    },
    Profile {
        name: "strict",
        summary: "openstack, with warnings counted as errors",
        required: Cow::Borrowed(REQUIRED),
        fail_on: Severity::Warning,
        claimed: Vec::new(),
        is_lenient: false,
    },
];

const REQUIRED: &[&str] = &["virtio-scsi", "guest-agent", "watchdog"];

/// The profile with this name.
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

impl Profile {
    /// The profile with more features required.
    #[must_use]
    pub fn requiring(mut self, features: &[&'static str]) -> Self {
        for feature in features {
            if !self.required.contains(feature) {
                self.required.to_mut().push(feature);
            }
        }
        self
    }

    /// The profile for an image of which a manifest claims what rests on these checks.
    #[must_use]
    pub fn claiming(mut self, checks: &[&'static str]) -> Self {
        self.claimed.extend(checks);
        self
    }

    /// Whether a required feature rests on this check.
    fn requires(&self, check: &str) -> bool {
        self.features().any(|feature| feature.needs.contains(&check))
    }

    /// The features that it requires.
    pub fn features(&self) -> impl Iterator<Item = &'static Feature> {
        self.required.iter().filter_map(|name| feature::find(name))
    }
}

/// The severities of one check.
#[derive(Debug)]
struct Row {
    check: &'static str,
    openstack: Severity,
    bootable: Severity,
    /// A lighter fault in `bootable`, where that is not one severity lower.
    bootable_light: Option<Severity>,
    strict: Option<Severity>,
    /// An error where the profile requires this feature, a note elsewhere.
    feature: Option<&'static str>,
    /// In `bootable` a warning where this other check passed.
    eased_by: Option<&'static str>,
}

const fn row(check: &'static str, openstack: Severity, bootable: Severity) -> Row {
    Row { check, openstack, bootable, bootable_light: None, strict: None, feature: None, eased_by: None }
}

const ROWS: &[Row] = &[
    row("boot-entry-resolves", Severity::Error, Severity::Error),
    row("initrd-virtio-pci", Severity::Error, Severity::Error),
    Row { eased_by: Some("initrd-virtio-scsi"), ..row("initrd-virtio-blk", Severity::Error, Severity::Error) },
    Row { eased_by: Some("initrd-virtio-blk"), ..row("initrd-virtio-scsi", Severity::Error, Severity::Error) },
    Row { bootable_light: Some(Severity::Note), ..row("initrd-virtio-net", Severity::Error, Severity::Error) },
    row("initrd-module-closure", Severity::Error, Severity::Error),
    row("initrd-kernel-match", Severity::Error, Severity::Error),
    row("initrd-root-filesystem", Severity::Error, Severity::Error),
    row("module-not-blacklisted", Severity::Error, Severity::Error),
    row("cmdline-root-stable", Severity::Error, Severity::Error),
    row("cmdline-root-resolves", Severity::Error, Severity::Error),
    row("fstab-stable-ids", Severity::Error, Severity::Error),
    row("fstab-targets-exist", Severity::Error, Severity::Error),
    Row { strict: Some(Severity::Warning), ..row("fstab-uuid", Severity::Note, Severity::Note) },
    row("fstab-discard", Severity::Note, Severity::Note),
    row("trim-enabled", Severity::Warning, Severity::Note),
    Row { feature: Some("guest-agent"), ..row("agent-installed", Severity::Error, Severity::Note) },
    Row { feature: Some("guest-agent"), ..row("agent-started", Severity::Error, Severity::Note) },
    Row { feature: Some("guest-agent"), ..row("agent-channel", Severity::Error, Severity::Note) },
    row("agent-freeze-allowed", Severity::Note, Severity::Note),
    row("agent-password-allowed", Severity::Note, Severity::Note),
    Row { feature: Some("watchdog"), ..row("watchdog-installed", Severity::Error, Severity::Note) },
    Row { feature: Some("watchdog"), ..row("watchdog-driver", Severity::Error, Severity::Note) },
    Row { feature: Some("watchdog"), ..row("watchdog-loadable", Severity::Error, Severity::Note) },
    Row { feature: Some("watchdog"), ..row("watchdog-armed", Severity::Error, Severity::Note) },
    row("watchdog-single-owner", Severity::Warning, Severity::Note),
    row("multiqueue-kernel", Severity::Warning, Severity::Note),
    row("irqbalance-enabled", Severity::Note, Severity::Note),
    row("cloud-init-present", Severity::Warning, Severity::Note),
    row("cloud-init-datasource", Severity::Warning, Severity::Note),
    row("console-serial", Severity::Warning, Severity::Note),
    row("sshd-enabled", Severity::Warning, Severity::Note),
    row("growpart-available", Severity::Warning, Severity::Note),
    row("machine-id-reset", Severity::Warning, Severity::Note),
    row("ssh-hostkeys-absent", Severity::Warning, Severity::Note),
    row("password-unset", Severity::Warning, Severity::Note),
    row("image-format-safe", Severity::Error, Severity::Error),
    row("virtual-size-sane", Severity::Warning, Severity::Note),
];

/// The severity of a check in a profile, for a fault or gap of this weight; `passed` says of another check whether it
/// did. An id without a row is an error: nothing is ever overlooked by a missing line.
pub fn severity(profile: &Profile, check: &str, weight: Weight, passed: &dyn Fn(&str) -> bool) -> Severity {
    let Some(row) = ROWS.iter().find(|row| row.check == check) else { return Severity::Error };
    let own = match row.feature {
        _ if profile.claimed.contains(&check) => Severity::Error,
        Some(feature) if profile.required.contains(&feature) => Severity::Error,
        Some(_) => Severity::Note,
        None if profile.requires(check) => Severity::Error,
        None if profile.is_lenient && row.eased_by.is_some_and(passed) => Severity::Warning,
        None if profile.is_lenient => row.bootable,
        None if profile.fail_on == Severity::Warning => row.strict.unwrap_or(row.openstack),
        None => row.openstack,
    };
    match (weight, row.bootable_light) {
        (Weight::Full | Weight::Told, _) => own,
        (_, Some(light)) if profile.is_lenient => light,
        _ => own.lower(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::check::CHECKS;

    #[test]
    fn every_check_has_one_row_in_report_order() {
        let rows: Vec<&str> = ROWS.iter().map(|row| row.check).collect();
        let checks: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(rows, checks);
        for name in REQUIRED {
            assert!(feature::requirable().any(|feature| feature.name == *name), "{name}");
        }
    }

    #[test]
    fn severities_as_the_rules_have_them() {
        use Severity::{Error, Note, Warning};
        use Weight::{Full, Minor, Reduced};
        let nothing: &[&str] = &[];
        for (profile, check, weight, passed, expected) in [
            ("openstack", "initrd-virtio-scsi", Full, nothing, Error),
            ("openstack", "initrd-virtio-scsi", Minor, nothing, Warning),
            ("openstack", "initrd-virtio-blk", Full, &["initrd-virtio-scsi"], Error),
            ("bootable", "initrd-virtio-scsi", Full, nothing, Error),
            ("bootable", "initrd-virtio-scsi", Full, &["initrd-virtio-blk"], Warning),
            ("bootable", "initrd-virtio-blk", Full, &["initrd-virtio-scsi"], Warning),
            ("bootable", "initrd-virtio-blk", Minor, &["initrd-virtio-scsi"], Note),
            ("openstack", "initrd-virtio-net", Full, nothing, Error),
            ("openstack", "initrd-virtio-net", Minor, nothing, Warning),
            ("bootable", "initrd-virtio-net", Full, nothing, Error),
            ("bootable", "initrd-virtio-net", Minor, nothing, Note),
            ("openstack", "fstab-stable-ids", Reduced, nothing, Warning),
            ("bootable", "fstab-stable-ids", Reduced, nothing, Warning),
            ("openstack", "fstab-uuid", Full, nothing, Note),
            ("strict", "fstab-uuid", Full, nothing, Warning),
            ("strict", "fstab-uuid", Reduced, nothing, Note),
            ("strict", "fstab-discard", Full, nothing, Note),
            ("openstack", "agent-installed", Full, nothing, Error),
            ("bootable", "agent-installed", Full, nothing, Note),
            ("strict", "watchdog-installed", Full, nothing, Error),
            ("openstack", "virtual-size-sane", Full, nothing, Warning),
            ("bootable", "virtual-size-sane", Full, nothing, Note),
            ("bootable", "image-format-safe", Full, nothing, Error),
            ("openstack", "never-heard-of", Full, nothing, Error),
        ] {
            let found = severity(find(profile).unwrap(), check, weight, &|id| passed.contains(&id));
            assert_eq!(found, expected, "{profile} {check} {weight:?} {passed:?}");
        }
        let bootable = || find("bootable").unwrap().clone();
        for (required, check, expected) in [
            (&["watchdog"][..], "watchdog-installed", Error),
            (&["watchdog"], "agent-installed", Note),
            (&["guest-agent"], "agent-installed", Error),
            (&["virtio-scsi"], "initrd-virtio-scsi", Error),
            (&["virtio-scsi"], "virtual-size-sane", Note),
            (&["discard"], "trim-enabled", Error),
            (&["multiqueue"], "multiqueue-kernel", Error),
            (&["config-drive"], "cloud-init-datasource", Error),
            (&["cpu-pinning"], "trim-enabled", Note),
        ] {
            let profile = bootable().requiring(required).requiring(required);
            assert_eq!(profile.required, required);
            assert_eq!(severity(&profile, check, Full, &|_| true), expected, "{required:?} {check}");
        }
    }
}
