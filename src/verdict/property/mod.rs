//! Facts and verdicts → Glance properties: each is earned by the checks that prove it, or withheld with the reason.

mod agent;
mod choice;
mod claim;
mod devices;
mod disk;
mod drivers;
mod firmware;
mod network;
mod os;
pub mod vocabulary;
mod watchdog;

pub use choice::{ACTIONS, Choice, Refusal, Set, Wish};
pub use claim::{Claims, Earned, Forced, Withheld, claims};

use super::{FactName, View, boot};

/// What a property's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The value.
    Is(String),
    /// This image does not need the property.
    NotNeeded,
    /// There is none, and why.
    Without(String),
}

impl Value {
    /// A known value.
    pub fn is(value: impl Into<String>) -> Self {
        Self::Is(value.into())
    }

    /// No value, and why.
    pub fn without(reason: impl Into<String>) -> Self {
        Self::Without(reason.into())
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
pub enum Offer {
    /// The row stands for this value alone.
    Fixed(&'static str),
    /// The same, and each default kernel must have what the rule asks for.
    Driven(&'static str, boot::Rule),
    /// The facts say it, in words for people; gaps that are met withhold it.
    Found(&'static str, fn(&View<'_>) -> Value),
}

impl Offer {
    /// The value, or where it comes from.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fixed(label) | Self::Driven(label, _) | Self::Found(label, _) => label,
        }
    }

    /// The value for this image.
    pub fn value(self, view: &View<'_>) -> Value {
        match self {
            Self::Fixed(value) => Value::is(value),
            Self::Driven(value, rule) => drivers::driven(view, value, rule),
            Self::Found(_, find) => find(view),
        }
    }
}

/// What Nova and Glance take as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Any text.
    Text,
    /// A whole number, which Glance takes as a JSON number.
    Integer,
    /// A boolean, in Horizon's spelling of true (Glance `etc/metadefs`).
    Yes(&'static str),
    /// One of these (`nova/objects/fields.py`).
    OneOf(&'static [&'static str]),
}

/// A Glance property, or one value of it.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Glance's key.
    pub key: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// What goes wrong when it is set and the image does not keep up.
    pub why: &'static str,
    /// What the image must have for it, and how that is found.
    pub detects: &'static str,
    /// How to earn it where that is not what its checks say.
    pub fix: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// The sets that it is in; none for what is only set when it is named.
    pub sets: &'static [Set],
    /// What `--with KEY=VALUE` may say.
    pub values: Values,
    /// The checks that must have passed.
    pub needs: &'static [&'static str],
    /// The facts that the value is made of.
    pub reads: &'static [FactName],
    /// The value.
    pub value: Offer,
}

/// Every property, in output order. Of several rows with one key the first that is earned counts.
pub const PROPERTIES: &[Property] = &[
    disk::SCSI_BUS,
    disk::SCSI_MODEL,
    disk::VIRTIO_BUS,
    agent::CHANNEL,
    network::MULTIQUEUE,
    watchdog::ACTION,
    watchdog::DISABLED,
    os::TYPE,
    os::DISTRO,
    os::VERSION,
    os::ARCHITECTURE,
    disk::MIN_DISK,
    firmware::TYPE,
    firmware::MACHINE,
    devices::RNG,
    firmware::HYPERVISOR_SCSI,
    firmware::HYPERVISOR_VIRTIO,
    firmware::SECURE_BOOT,
    firmware::SECURE_BOOT_OFF,
    network::VIF_MODEL,
    devices::CDROM_SCSI,
    devices::CDROM_SATA,
    devices::CDROM_IDE,
    devices::VIDEO,
    devices::VIDEO_NONE,
    devices::TPM_2,
    devices::TPM_1,
    devices::TPM_TIS,
    devices::TPM_CRB,
    devices::CONFIG_DRIVE,
    devices::CONFIG_DRIVE_OPTIONAL,
    agent::QUIESCE,
    agent::ADMIN_USER,
];

/// What is always printed, as set or as withheld with the reason.
pub const ALWAYS: &[&str] = &[
    "hw_disk_bus",
    "hw_scsi_model",
    "hw_qemu_guest_agent",
    "hw_vif_multiqueue_enabled",
    "hw_watchdog_action",
    "os_type",
];

/// The check without which nothing is earned.
pub const SAFE: &str = "image-format-safe";

/// Boots at all, on whichever bus.
pub const BOOT_SET: &[&str] = &[
    "boot-entry-resolves",
    "initrd-virtio-pci",
    "initrd-module-closure",
    "initrd-kernel-match",
    "initrd-root-filesystem",
    "module-not-blacklisted",
    "cmdline-root-stable",
    "cmdline-root-resolves",
    "fstab-stable-ids",
    "fstab-targets-exist",
];

/// The virtio-scsi disk and [`BOOT_SET`].
pub const BUS_SCSI: &[&str] = &with("initrd-virtio-scsi");
/// The virtio-blk disk and [`BOOT_SET`].
pub const BUS_VIRTIO: &[&str] = &with("initrd-virtio-blk");

/// One more before [`BOOT_SET`]: of several that fail, the first is named.
const fn with(check: &'static str) -> [&'static str; BOOT_SET.len() + 1] {
    let mut needs = [check; BOOT_SET.len() + 1];
    let (_, into) = needs.split_at_mut(1);
    into.copy_from_slice(BOOT_SET);
    needs
}

const ALL: &[Set] = Set::ALL;
const RECOMMENDED: &[Set] = &[Set::Recommended, Set::Scs, Set::Full];
const SCS: &[Set] = &[Set::Scs, Set::Full];
const FULL: &[Set] = &[Set::Full];
/// Only when it is named.
const NAMED: &[Set] = &[];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::check::CHECKS;

    #[test]
    fn needs_name_checks_that_exist() {
        for property in PROPERTIES {
            for id in property.needs {
                assert!(CHECKS.iter().any(|check| check.id == *id), "{} needs {id}", property.key);
            }
        }
        let bus = |needs: &[&str], first| {
            let (own, boot) = needs.split_first().unwrap();
            assert_eq!((*own, boot), (first, BOOT_SET));
        };
        bus(BUS_SCSI, "initrd-virtio-scsi");
        bus(BUS_VIRTIO, "initrd-virtio-blk");
    }

    #[test]
    fn rows_keep_to_the_house() {
        for property in PROPERTIES {
            let key = property.key;
            for text in [property.why, property.detects, property.fix] {
                assert!(text.ends_with('.') && text.starts_with(|c: char| !c.is_whitespace()), "{key}: {text}");
            }
            assert!(!property.summary.ends_with('.') && !property.source.is_empty(), "{key}");
            if let (Values::OneOf(values), Offer::Fixed(value) | Offer::Driven(value, _)) =
                (property.values, property.value)
            {
                assert!(values.contains(&value), "Nova does not take {key}={value}");
            }
            let same = PROPERTIES.iter().filter(|other| other.key == key);
            assert!(same.clone().all(|other| other.values == property.values), "{key}");
            assert!(same.clone().all(|other| other.summary == property.summary && other.why == property.why), "{key}");
        }
        for key in ALWAYS {
            assert!(PROPERTIES.iter().any(|property| property.key == *key), "{key}");
        }
    }
}
