//! Which firmware starts an entry: by the way it is reached and the machine of its kernel.

use super::entry::{Entry, Place, REACHED, Reach};
use super::{Menu, Reached, Way};
use crate::bytes::read_capped;
use crate::error::Result;
use crate::fact::Fact;
use crate::guest::{kernel, pe};
use crate::limits::KIB;
use std::io::Read as _;

/// Machines that BIOS starts.
const X86: &[&str] = &["x86_64", "i686"];

/// Bytes from the front of a kernel that name its machine, also where they are compressed.
const KERNEL_FRONT: u64 = 64 * KIB;

impl Menu<'_> {
    /// An entry that two firmwares reach alike stands once.
    pub(super) fn add(&mut self, entry: Entry, way: Way<'_>, reach: &Reach) {
        let Some(mut firmware) = self.firmware(&entry, way) else { return };
        let mut stops = Vec::new();
        if *reach != REACHED {
            // What the firmware does not come to anyway needs no other reason.
            let names = firmware.known().cloned().unwrap_or_default();
            stops.extend(names.into_iter().map(|name| (name, reach.clone())));
            firmware = match reach {
                Fact::Unknown(gap) => Fact::Unknown(gap.clone()),
                Fact::Known(_) if stops.is_empty() => firmware,
                Fact::Known(_) => Fact::Known(Vec::new()),
            };
        }
        let key = (entry.config.as_ref().clone(), entry.line, entry.ids.clone());
        let known = self.index.get(&key).and_then(|&index| self.entries.get_mut(index));
        if let Some(known) = known.filter(|known| known.entry.attempts == entry.attempts) {
            known.entry.is_default |= entry.is_default;
            join(&mut known.firmware, firmware);
            stops.retain(|stop| !known.stops.contains(stop));
            known.stops.append(&mut stops);
            return;
        }
        self.index.insert(key, self.entries.len());
        self.entries.push(Reached { entry, firmware, stops });
    }

    /// What starts the entry this way; `None` when its kernel is for a machine that another way starts.
    fn firmware(&mut self, entry: &Entry, way: Way<'_>) -> Option<Fact<Vec<String>>> {
        let by = |name: &str| Some(Fact::Known(vec![name.to_owned()]));
        let architecture = match way {
            Way::Nothing => return Some(self.none()),
            Way::Bios | Way::Uefi(_) => self.architecture(entry),
        };
        let Some(architecture) = architecture else {
            return match way {
                Way::Bios => by("bios"),
                _ => {
                    Some(Fact::unknown("the kernel does not say for which machine it is; UEFI's loader must be for it"))
                }
            };
        };
        let has = |list: &[&str]| list.contains(&architecture.as_str());
        match way {
            Way::Bios if has(X86) => by("bios"),
            Way::Uefi(list) if has(list) => by("uefi"),
            // GRUB for 64 bits starts them, unless the firmware's tables are needed.
            Way::Uefi(list) if architecture == "i686" && list.contains(&"x86_64") => {
                Some(Fact::unknown("the loader for UEFI is for x86_64, the kernel for i686"))
            }
            _ if has(&self.architectures) || (matches!(self.bios, Fact::Known(Some(_))) && has(X86)) => None,
            _ => Some(self.none()),
        }
    }

    /// No firmware starts it, unless one does that was not seen.
    fn none(&self) -> Fact<Vec<String>> {
        match (self.bios, &self.unseen) {
            (Fact::Unknown(gap), _) | (_, Some(gap)) => Fact::Unknown(gap.clone()),
            _ => Fact::Known(Vec::new()),
        }
    }

    /// The machine of the kernel that is started first.
    fn architecture(&mut self, entry: &Entry) -> Option<String> {
        let (volume, path) = match &entry.attempts.first()?.kernel {
            Place::On(volume, path) => (volume, path.clone()),
            Place::Section(volume, path, name) => (volume, format!("{path}#{name}")),
            Place::Elsewhere(_) | Place::Unknown => return None,
        };
        let key = (*volume, path);
        if let Some(known) = self.kernels.get(&key) {
            return known.clone();
        }
        let front = |path: &str| -> Result<Vec<u8>> {
            read_capped(&mut pe::open(self.disk.root(*volume)?, path)?.take(KERNEL_FRONT), KERNEL_FRONT, "kernel")
        };
        let header = front(&key.1).and_then(|front| kernel::parse_header(&front));
        let found = header.ok().and_then(|header| header.architecture.known().cloned());
        self.kernels.insert(key, found.clone());
        found
    }
}

/// What is known of one way holds whatever is not known of another.
fn join(firmware: &mut Fact<Vec<String>>, other: Fact<Vec<String>>) {
    match (&mut *firmware, other) {
        (Fact::Known(list), Fact::Known(more)) => {
            let new: Vec<String> = more.into_iter().filter(|name| !list.contains(name)).collect();
            list.extend(new);
        }
        (Fact::Known(list), unknown) if list.is_empty() => *firmware = unknown,
        (Fact::Unknown(_), Fact::Known(list)) if !list.is_empty() => *firmware = Fact::Known(list),
        _ => {}
    }
}
