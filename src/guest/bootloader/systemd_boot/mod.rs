//! systemd-boot: loader.conf, loader/entries/*.conf and EFI/Linux/*.efi of the EFI system partition and of XBOOTLDR →
//! entries in its order (UAPI.1 Boot Loader Specification; `man 5 loader.conf`; systemd, `src/boot/boot.c`).

mod lines;
mod order;
mod scan;
#[cfg(test)]
mod tests;

pub(super) use lines::{Pair, pairs};
pub(super) use scan::tries;

use super::disk::Disk;
use super::entry::Entry;
use super::uefi::Loader;
use crate::error::ErrorKind;
use crate::fact::{Gap, Listing};
use crate::limits::Limits;
use order::{compare, is_match};
use scan::{Found, Scan};

/// Entries that systemd-boot makes by itself, behind those of files.
const OWN: &[&str] = &[
    "auto-osx",
    "auto-windows",
    "auto-efi-shell",
    "auto-efi-default",
    "auto-reboot-to-firmware-setup",
    "auto-poweroff",
    "auto-reboot",
];

const CONFIG: &str = "/loader/loader.conf";

/// What loader.conf says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Settings {
    /// `default`, in lower case; none for `@saved`, which a fresh instance has nothing of.
    default: Option<String>,
    /// Nothing is started before somebody presses a key.
    waits: Option<u32>,
}

/// What systemd-boot offers that stands as `loader` on the EFI system partition `system`.
pub(super) fn read(
    disk: &Disk,
    system: usize,
    loader: &Loader,
    version: Option<u32>,
    limits: &Limits,
) -> Listing<Entry> {
    let mut scan = Scan::new(disk, loader, version, limits);
    let settings = settings(&mut scan, system);
    scan.volume(system);
    if let Some(extended) = scan.extended(system) {
        scan.volume(extended);
    }
    let Scan { mut found, mut gaps, .. } = scan;
    mark_default(&mut found, settings.default.as_deref(), &mut gaps);
    if let Some(line) = settings.waits.filter(|_| !found.is_empty()) {
        gaps.push(Gap::at(CONFIG, format!("line {line}: nothing is started before somebody presses a key")));
    }
    let is_default = |found: &&Found| found.is_default;
    gaps.extend(found.iter().filter(is_default).flat_map(|found| found.gaps.clone()));
    if found.is_empty() && gaps.is_empty() {
        gaps.push(Gap::at(loader.path.clone(), "systemd-boot is started, and no entry is there that starts Linux"));
    }
    let entries = found.into_iter().filter_map(|found| {
        let entry = found.entry?;
        Some(Entry { is_default: found.is_default, ..entry })
    });
    Listing { items: entries.collect(), gaps }
}

fn settings(scan: &mut Scan<'_>, system: usize) -> Settings {
    let mut settings = Settings::default();
    let root = scan.disk.root(system);
    let bytes = match root.and_then(|root| root.read(CONFIG, scan.limits.config_file)) {
        Ok(bytes) => bytes,
        Err(error) => {
            if error.kind != ErrorKind::NotFound {
                scan.gaps.push(error.at(CONFIG).into());
            }
            return settings;
        }
    };
    for Pair { line, key, value } in pairs(&bytes, &[' ', '\t']) {
        match key.as_str() {
            "default" if value.eq_ignore_ascii_case("@saved") => settings.default = None,
            "default" if !value.starts_with('@') => settings.default = Some(value.to_ascii_lowercase()),
            "timeout" if value == "menu-force" => settings.waits = Some(line),
            "timeout" if value == "menu-hidden" || value == "menu-disabled" => settings.waits = None,
            // UINT32_MAX is menu-force.
            "timeout" => {
                if let Ok(seconds) = value.parse::<u32>() {
                    settings.waits = (seconds == u32::MAX).then_some(line);
                }
            }
            _ => {}
        }
    }
    settings
}

/// As `sort_pointer_array` does: entries that are equal stay as they were read.
fn sort(found: &mut Vec<Found>) {
    let mut sorted: Vec<Found> = Vec::with_capacity(found.len());
    for entry in found.drain(..) {
        let after = sorted.iter().rposition(|known| compare(&known.rank, &entry.rank).is_le());
        sorted.insert(after.map_or(0, |at| at.saturating_add(1)), entry);
    }
    *found = sorted;
}

/// `config_select_default_entry`, without EFI variables: the first that the pattern means, else the first. Older versions
/// keep the counters in the id, by which entries are sorted and named; what is equal may stand in each other's place.
fn mark_default(found: &mut Vec<Found>, default: Option<&str>, gaps: &mut Vec<Gap>) {
    for keeps_counters in [false, true] {
        if keeps_counters {
            swap_ids(found);
        }
        sort(found);
        let named = default.and_then(|default| found.iter().position(|found| is_match(default, &found.rank.id)));
        if named.is_none()
            && let Some(own) = default.and_then(|default| OWN.iter().find(|own| is_match(default, own)))
        {
            gaps.push(Gap::at(CONFIG, format!("the default may be {own}, which systemd-boot makes by itself")));
        }
        if let Some(rank) = found.get(named.unwrap_or(0)).map(|found| found.rank.clone()) {
            for found in found.iter_mut() {
                found.is_default |= compare(&rank, &found.rank).is_eq();
            }
        }
        if keeps_counters {
            swap_ids(found);
        }
    }
    sort(found);
    gaps.dedup();
}

/// The id with and without its counters.
fn swap_ids(found: &mut [Found]) {
    for Found { rank, name, .. } in found {
        std::mem::swap(&mut rank.id, name);
    }
}
