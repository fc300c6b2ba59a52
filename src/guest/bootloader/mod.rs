//! Boot loader configurations → boot entries, one list over all paths that the firmware can take.

pub mod bios;
pub(crate) mod disk;
pub(crate) mod entry;
mod extlinux;
mod firmware;
pub(crate) mod grub;
pub mod grub_core;
mod systemd_boot;
#[cfg(test)]
pub(crate) mod tests;
pub mod uefi;
mod uki;

pub use disk::OpenVolume;

use crate::disk::filesystem::FileType;
use crate::error::ErrorKind;
use crate::fact::{Fact, Gap, Listing};
use crate::limits::Limits;
use bios::Code;
use disk::Disk;
use entry::{Config, Entry, REACHED, Reach};
use grub::Start;
use grub_core::Core;
use std::collections::BTreeMap;
use uefi::{Kind, Loader, Loaders};

/// Where GRUB's configuration stands, on the root file system or on one for /boot.
const MAIN: &[&str] = &["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg", "/grub2/grub.cfg"];

/// Configurations of other loaders.
const OTHERS: &[&str] = &[
    "/loader/entries",
    "/boot/loader/entries",
    "/boot/isolinux/isolinux.cfg",
    "/isolinux/isolinux.cfg",
    "/EFI/Linux",
    "/etc/lilo.conf",
    "/etc/zipl.conf",
    "/boot/grub/menu.lst",
];

/// Configurations of one kind that are read of one disk, each with its own budget; a disk with two systems has four.
const MAX_CONFIGS: usize = 16;

/// An entry and the firmware that reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) entry: Entry,
    /// Empty when no firmware does.
    pub(crate) firmware: Fact<Vec<String>>,
    /// Firmware that starts a GRUB which does not come to it, or may not, and why.
    pub(crate) stops: Vec<(String, Reach)>,
}

/// What runs a configuration.
#[derive(Clone, Copy, Debug)]
enum Way<'w> {
    Bios,
    /// The loaders of one EFI system partition, by architecture.
    Uefi(&'w [&'static str]),
    /// No firmware that is known of.
    Nothing,
}

/// All entries that the firmware can reach, or would if there were one; `bios` is the loader that BIOS starts.
pub(crate) fn read(disk: &Disk, bios: &Fact<Option<Code>>, limits: &Limits) -> Listing<Reached> {
    let mut menu = Menu::new(disk, bios, limits);
    menu.unopened();
    let mains = menu.configs(MAIN);
    let extlinux = menu.configs(extlinux::PATHS);
    let systems = menu.efi_systems();
    menu.architectures = systems.iter().flat_map(|(_, loaders)| loaders).map(|loader| loader.architecture).collect();
    let code = bios.known().and_then(Option::as_ref);
    match code {
        Some(Code::Grub(core)) => menu.grub(core, None, &mains, Way::Bios),
        Some(Code::Syslinux(number)) => {
            let is_its =
                |config: &&Config| disk.volumes.get(config.volume).is_some_and(|it| it.number == Some(*number));
            let its: Vec<&Config> = extlinux.iter().filter(is_its).collect();
            for config in &its {
                menu.extlinux(config, Way::Bios);
            }
            if its.is_empty() {
                menu.unread("there is Syslinux for BIOS");
            }
        }
        None => {}
    }
    for (system, loaders) in &systems {
        menu.system(*system, loaders, &mains);
    }
    let has_none = code.is_none() && systems.is_empty();
    if has_none {
        menu.run(&mains);
    }
    // U-Boot reads them where there is no other firmware, and boot code that is not known may be theirs.
    if has_none || bios.known().is_none() {
        for config in &extlinux {
            menu.extlinux(config, Way::Nothing);
        }
    }
    if has_none && mains.is_empty() && extlinux.is_empty() {
        menu.unread("no boot loader was found");
    }
    Listing { items: menu.entries, gaps: menu.gaps }
}

struct Menu<'a> {
    disk: &'a Disk,
    bios: &'a Fact<Option<Code>>,
    limits: &'a Limits,
    /// Those that have a loader for UEFI.
    architectures: Vec<&'static str>,
    /// Where a loader for UEFI may stand that was not seen.
    unseen: Option<Gap>,
    /// Of kernels, by volume and path; `None` where it is not known.
    kernels: BTreeMap<(usize, String), Option<String>>,
    entries: Vec<Reached>,
    /// Where an entry stands in `entries`.
    index: BTreeMap<(Config, u32, Vec<String>), usize>,
    gaps: Vec<Gap>,
}

impl<'a> Menu<'a> {
    fn new(disk: &'a Disk, bios: &'a Fact<Option<Code>>, limits: &'a Limits) -> Self {
        let mut menu = Self {
            disk,
            bios,
            limits,
            architectures: Vec::new(),
            unseen: None,
            kernels: BTreeMap::new(),
            entries: Vec::new(),
            index: BTreeMap::new(),
            gaps: Vec::new(),
        };
        // In a directory there is no firmware to ask, and its configurations stand for themselves.
        if let (Fact::Unknown(gap), false) = (bios, disk.is_directory()) {
            menu.keep(gap.clone());
        }
        menu
    }

    fn keep(&mut self, gap: Gap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// A volume that cannot be read may hold a configuration; one without a known signature, or swap, does not.
    fn unopened(&mut self) {
        for volume in self.disk.volumes.iter().filter(|volume| volume.is_unseen()) {
            let Err(error) = &volume.filesystem else { continue };
            let reason = format!("{} may hold a boot configuration and is not read: {error}", volume.display());
            if volume.identity.as_ref().is_none_or(|identity| identity.kind == "vfat") {
                self.unseen.get_or_insert(Gap::new(reason.clone()));
            }
            self.gaps.push(Gap::new(reason));
        }
    }

    /// What a path leads to on a volume, if it is there; what could not be seen is a gap.
    fn look(&mut self, volume: usize, path: &str) -> Option<(String, FileType)> {
        let root = self.disk.root(volume).ok()?;
        match root.resolve(path) {
            Ok((path, metadata)) => Some((path.to_text(), metadata.file_type)),
            Err(error) if error.kind == ErrorKind::NotFound => None,
            Err(error) => {
                self.keep(error.at(path).into());
                None
            }
        }
    }

    /// Configurations of one loader, each once even when links give it two names.
    fn configs(&mut self, paths: &[&str]) -> Vec<Config> {
        let mut found: Vec<(Config, String)> = Vec::new();
        for volume in 0..self.disk.volumes.len() {
            for path in paths {
                let Some((real, FileType::Regular)) = self.look(volume, path) else { continue };
                if found.iter().any(|(config, known)| config.volume == volume && *known == real) {
                    continue;
                }
                if found.len() >= MAX_CONFIGS {
                    self.keep(Gap::at(
                        *path,
                        format!("more than {MAX_CONFIGS} such configurations: the rest is not read"),
                    ));
                    return found.into_iter().map(|(config, _)| config).collect();
                }
                found.push((Config { volume, path: (*path).to_owned() }, real));
            }
        }
        found.into_iter().map(|(config, _)| config).collect()
    }

    /// FAT volumes from which UEFI starts a loader, and those loaders.
    fn efi_systems(&mut self) -> Vec<(usize, Vec<Loader>)> {
        if self.disk.is_directory() {
            return Vec::new();
        }
        let is_fat = |volume: &OpenVolume| volume.identity.as_ref().is_some_and(|identity| identity.kind == "vfat");
        let volumes = self.disk.volumes.iter().enumerate().filter(|(_, volume)| is_fat(volume));
        let mut systems = Vec::new();
        for (index, _) in volumes {
            let Ok(root) = self.disk.root(index) else { continue };
            let Loaders { loaders, gaps } = Loaders::read(root);
            for gap in gaps {
                self.unseen.get_or_insert(gap.clone());
                self.keep(gap);
            }
            if !loaders.is_empty() {
                systems.push((index, loaders));
            }
        }
        systems
    }

    /// What the loaders of one EFI system partition start.
    fn system(&mut self, system: usize, loaders: &[Loader], mains: &[Config]) {
        let mut others = Vec::new();
        for loader in loaders {
            if self.loader(system, loader) {
                continue;
            }
            let grubs = self.disk.root(system).and_then(|root| loader.grubs(root)).unwrap_or_else(|error| {
                self.keep(error.at(&loader.path).into());
                Vec::new()
            });
            if grubs.is_empty() {
                others.push(loader);
            }
            for grub in &grubs {
                self.program(system, grub, mains);
            }
        }
        let Some(first) = others.first() else { return };
        let stubs = self.stubs(system);
        if stubs.is_empty() && self.is_other_loader(system) {
            return self.unread("the EFI system partition starts another loader than GRUB");
        }
        let architectures: Vec<_> = others.iter().map(|loader| loader.architecture).collect();
        let gap = Gap::at(&first.path, "a loader that this version does not know: what it starts is not known");
        let configs = if stubs.is_empty() { mains } else { &stubs };
        self.astray(configs, Way::Uefi(&architectures), &Fact::Unknown(gap));
    }

    /// What GRUB starts that is a program for UEFI.
    fn program(&mut self, system: usize, grub: &Loader, mains: &[Config]) {
        let way = Way::Uefi(&[grub.architecture]);
        match self.disk.root(system).and_then(|root| grub.core(root)) {
            Ok(core) => self.grub(&core, Some((system, grub.folder())), mains, way),
            Err(error) => self.astray(mains, way, &Fact::Unknown(error.into())),
        }
    }

    /// What GRUB starts with this core.
    fn grub(&mut self, core: &Core, program: Option<(usize, &str)>, mains: &[Config], way: Way<'_>) {
        match grub::boot(self.disk, Start { core, program }, self.limits) {
            Ok(menu) => {
                if menu.items.is_empty() && menu.gaps.is_empty() {
                    self.keep(Gap::new("GRUB's menu leads to no entry that starts Linux"));
                }
                menu.gaps.into_iter().for_each(|gap| self.keep(gap));
                menu.items.into_iter().for_each(|found| self.add(found.entry, way, &found.reach));
            }
            Err(reach) => self.astray(mains, way, &reach),
        }
    }

    /// Configurations that GRUB does not come to, or of which nobody knows whether it does.
    fn astray(&mut self, configs: &[Config], way: Way<'_>, reach: &Reach) {
        if configs.is_empty() {
            match reach {
                Fact::Unknown(gap) => self.keep(gap.clone()),
                Fact::Known(stop) => stop.iter().for_each(|stop| self.keep(Gap::new(&stop.found))),
            }
            self.unread(if let Way::Bios = way { "there is GRUB for BIOS" } else { "there is a loader for UEFI" });
        }
        let platform = if let Way::Bios = way { "pc" } else { "efi" };
        for config in configs {
            let listing = grub::read(self.disk, config, Some(platform), self.limits);
            listing.gaps.into_iter().for_each(|gap| self.keep(gap));
            listing.items.into_iter().for_each(|entry| self.add(entry, way, reach));
        }
    }

    /// Reads what a loader starts that is none of GRUB's; whether it is one.
    fn loader(&mut self, system: usize, loader: &Loader) -> bool {
        let Ok(root) = self.disk.root(system) else { return false };
        let way = Way::Uefi(&[loader.architecture]);
        let listing = match loader.kind {
            Kind::SystemdBoot(version) => systemd_boot::read(self.disk, system, loader, version, self.limits),
            Kind::Uki(version) => uki::direct(root, system, &loader.path, version, self.limits),
            Kind::Kernel => uki::bare(system, &loader.path).into(),
            Kind::Grub => return false,
            Kind::Other => {
                return match loader.behind_shim(root) {
                    Ok(Some(behind)) if behind.kind != Kind::Other => self.loader(system, &behind),
                    Ok(_) => false,
                    Err(error) => {
                        self.keep(error.into());
                        false
                    }
                };
            }
        };
        self.take(listing, &loader.path, way);
        true
    }

    /// Entries of U-Boot's and syslinux's configuration.
    fn extlinux(&mut self, config: &Config, way: Way<'_>) {
        let listing = extlinux::read(self.disk, config, self.limits);
        self.take(listing, &config.path, way);
    }

    fn take(&mut self, listing: Listing<Entry>, path: &str, way: Way<'_>) {
        if listing.items.is_empty() && listing.gaps.is_empty() {
            self.keep(Gap::at(path, "it leads to no entry that starts Linux"));
        }
        listing.gaps.into_iter().for_each(|gap| self.keep(gap));
        listing.items.into_iter().for_each(|entry| self.add(entry, way, &REACHED));
    }

    /// Configurations beside the loaders of an EFI system partition.
    fn stubs(&mut self, volume: usize) -> Vec<Config> {
        let Ok(root) = self.disk.root(volume) else { return Vec::new() };
        let found = root.glob("/EFI/*/grub.cfg");
        found.gaps.into_iter().for_each(|gap| self.keep(gap));
        if found.items.len() > MAX_CONFIGS {
            let cause = format!("more than {MAX_CONFIGS} such configurations: the rest is not read");
            self.keep(Gap::at("/EFI/*/grub.cfg", cause));
        }
        let paths = found.items.iter().take(MAX_CONFIGS);
        paths.map(|path| Config { volume, path: path.to_text() }).collect()
    }

    fn is_other_loader(&mut self, volume: usize) -> bool {
        ["/loader/loader.conf", "/loader/entries", "/EFI/systemd", "/EFI/Linux", "/EFI/refind", "/EFI/BOOT/refind.conf"]
            .iter()
            .any(|path| self.look(volume, path).is_some())
    }

    /// Names what this version does not read, where it may decide.
    fn unread(&mut self, why: &str) {
        let mut is_named = false;
        for volume in 0..self.disk.volumes.len() {
            for path in OTHERS {
                if self.look(volume, path).is_some() {
                    is_named = true;
                    self.keep(Gap::at(*path, format!("{why}; this configuration is not read by this version")));
                }
            }
        }
        if !is_named {
            self.keep(Gap::new(format!("{why}, and no configuration of it that this version reads")));
        }
    }

    /// Reads configurations that no firmware comes to as each may that could.
    fn run(&mut self, configs: &[Config]) {
        for (config, platform) in configs.iter().flat_map(|config| ["pc", "efi"].map(|platform| (config, platform))) {
            let menu = grub::read(self.disk, config, Some(platform), self.limits);
            self.take(menu, &config.path, Way::Nothing);
        }
    }
}
