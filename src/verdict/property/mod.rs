//! Facts and verdicts → Glance properties: each is earned by the checks that prove it, or withheld with the reason.

mod disk;
mod os;

use super::{FactName, Judgement, Options, View, boot};
use crate::guest::Guest;

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
}

/// A Glance property.
#[derive(Debug)]
pub struct Property {
    /// Glance's key.
    pub key: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// The checks that must have passed, existing ones and those to come.
    pub needs: &'static [&'static str],
    /// The facts that the value is made of.
    pub reads: &'static [FactName],
    /// The value; gaps that it meets withhold it.
    pub value: fn(&View<'_>) -> Value,
    /// Glance takes it as a number.
    pub is_integer: bool,
}

/// Every property, in output order. Of two rows with one key the first that is earned counts.
pub const PROPERTIES: &[Property] = &[
    disk::SCSI_BUS,
    disk::SCSI_MODEL,
    disk::VIRTIO_BUS,
    fixed("hw_qemu_guest_agent", "the instance gets a channel to the guest agent", AGENT, |_| Value::is("yes")),
    fixed("hw_vif_multiqueue_enabled", "the network card gets a queue per CPU", MULTIQUEUE, |_| Value::is("true")),
    fixed("hw_watchdog_action", "a crashed instance is reset", WATCHDOG, |_| Value::is("reset")),
    os::TYPE,
    os::DISTRO,
    os::VERSION,
    os::ARCHITECTURE,
    disk::MIN_DISK,
    os::FIRMWARE,
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

/// [`BOOT_SET`] and the virtio-scsi disk.
pub const BUS_SCSI: &[&str] = &with::<11>("initrd-virtio-scsi");
/// [`BOOT_SET`] and the virtio-blk disk.
pub const BUS_VIRTIO: &[&str] = &with::<11>("initrd-virtio-blk");

const AGENT: &[&str] = &["agent-installed", "agent-started", "agent-channel"];
const MULTIQUEUE: &[&str] = &["initrd-virtio-net", "multiqueue-kernel"];
const WATCHDOG: &[&str] = &["watchdog-driver", "watchdog-loadable", "watchdog-armed"];

/// [`BOOT_SET`] and one more.
const fn with<const N: usize>(check: &'static str) -> [&'static str; N] {
    let mut needs = [check; N];
    let (into, _) = needs.split_at_mut(BOOT_SET.len());
    into.copy_from_slice(BOOT_SET);
    needs
}

const fn fixed(
    key: &'static str,
    summary: &'static str,
    needs: &'static [&'static str],
    value: fn(&View<'_>) -> Value,
) -> Property {
    Property { key, summary, needs, reads: &[], value, is_integer: false }
}

/// A property with its value, or the reason why it is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Every check in its row passed.
    Earned(Earned),
    /// Not earned.
    Withheld(Withheld),
}

/// A property that the image has earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// Glance's key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Glance takes it as a number.
    pub is_integer: bool,
    /// The checks that prove it.
    pub evidence: &'static [&'static str],
}

/// A property that is not set, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Glance's key.
    pub key: &'static str,
    /// The value it would have, where that is known.
    pub value: Option<String>,
    /// The check that does not let it pass, where one decides.
    pub check: Option<&'static str>,
    /// Why, for people.
    pub reason: String,
}

/// Every property as earned or withheld. `judged` are the verdicts of all checks; severities play no part.
pub fn claims(guest: &Guest, options: &Options, judged: &[(&'static str, Judgement)]) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for property in PROPERTIES {
        let is_earned = |claim: &Claim| matches!(claim, Claim::Earned(earned) if earned.key == property.key);
        if !claims.iter().any(is_earned) {
            claims.extend(claim(guest, options, judged, property));
        }
    }
    claims
}

fn claim(guest: &Guest, options: &Options, judged: &[(&'static str, Judgement)], property: &Property) -> Option<Claim> {
    let view = View::new(guest, options, property.reads);
    let value = (property.value)(&view);
    let (value, without) = match (value, view.gaps().into_iter().next()) {
        (_, Some(gap)) => (None, Some(gap.reason)),
        (Value::NotNeeded, None) => return None,
        (Value::Is(value), None) => (Some(value), None),
        (Value::Without(reason), None) => (None, Some(reason)),
    };
    let withheld = |check, reason| Withheld { key: property.key, value: value.clone(), check, reason };
    if let Some((check, reason)) = objection(judged, property.needs) {
        return Some(Claim::Withheld(withheld(Some(check), reason)));
    }
    if let Some(reason) = without {
        return Some(Claim::Withheld(withheld(None, reason)));
    }
    Some(match value.as_ref().filter(|value| is_plain(value)) {
        Some(value) => Claim::Earned(Earned {
            key: property.key,
            value: value.clone(),
            is_integer: property.is_integer,
            evidence: property.needs,
        }),
        None => Claim::Withheld(withheld(None, "the value is not one that Glance takes".to_owned())),
    })
}

/// The first check that did not pass, and why; one that exists and fails is named before one that is to come.
fn objection(judged: &[(&'static str, Judgement)], needs: &[&'static str]) -> Option<(&'static str, String)> {
    let find = |id: &str| judged.iter().find(|(check, _)| *check == id);
    let needs = || std::iter::once(SAFE).chain(needs.iter().copied());
    for (id, judgement) in needs().filter_map(find) {
        if !boot::passes(judgement) {
            return Some((id, judgement.reason().unwrap_or_default()));
        }
    }
    let missing: Vec<&str> = needs().filter(|id| find(id).is_none()).collect();
    missing.first().map(|first| (*first, format!("not checked yet: {}", missing.join(", "))))
}

/// What Glance stores and Nova copies without loss: printable ASCII, at most 255 characters
/// (`nova/utils.py`, `safe_truncate`).
fn is_plain(value: &str) -> bool {
    (1..=255).contains(&value.len()) && value.chars().all(|c| matches!(c, ' '..='~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::check::{CHECKS, COMING};

    #[test]
    fn needs_name_checks_that_exist_or_are_to_come() {
        for property in PROPERTIES {
            for id in property.needs {
                let exists = CHECKS.iter().any(|check| check.id == *id);
                assert!(exists != COMING.contains(id), "{} needs {id}", property.key);
            }
        }
        assert_eq!((BUS_SCSI.len(), BUS_SCSI.last()), (11, Some(&"initrd-virtio-scsi")));
        assert_eq!((BUS_VIRTIO.first(), BUS_VIRTIO.last()), (Some(&"boot-entry-resolves"), Some(&"initrd-virtio-blk")));
    }

    #[test]
    fn plain_values() {
        for (value, is) in [("12", true), ("", false), ("a\nb", false), ("caf\u{e9}", false), (&"x".repeat(256), false)]
        {
            assert_eq!(is_plain(value), is, "{value:?}");
        }
    }
}
