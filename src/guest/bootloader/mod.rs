//! Boot loader configurations → boot entries, one list over all paths that the firmware can take.

pub(crate) mod disk;
pub(crate) mod grub;

pub use disk::OpenVolume;

use crate::disk::filesystem::FileType;
use crate::error::{ErrorKind, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::limits::Limits;
use disk::Disk;
use grub::{Config, Entry};
use std::collections::BTreeMap;

/// Where GRUB's configuration stands, on the root file system or on one for /boot.
const MAIN: &[&str] = &["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg", "/grub2/grub.cfg"];

/// Configurations of other loaders.
const OTHERS: &[&str] = &[
    "/loader/entries",
    "/boot/loader/entries",
    "/boot/extlinux/extlinux.conf",
    "/extlinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/syslinux/syslinux.cfg",
    "/boot/isolinux/isolinux.cfg",
    "/isolinux/isolinux.cfg",
    "/EFI/Linux",
    "/etc/lilo.conf",
    "/etc/zipl.conf",
    "/boot/grub/menu.lst",
];

/// The programs that UEFI starts from a disk without boot variables (UEFI 2.10, table 3.2).
const FALLBACK: &[&str] =
    &["BOOTX64.EFI", "BOOTAA64.EFI", "BOOTIA32.EFI", "BOOTARM.EFI", "BOOTRISCV64.EFI", "BOOTLOONGARCH64.EFI"];

/// An entry and the firmware that reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) entry: Entry,
    pub(crate) firmware: Fact<Vec<String>>,
}

/// All entries that the firmware can reach; `has_bios_boot` says whether there is boot code for BIOS.
pub(crate) fn read(disk: &Disk, has_bios_boot: bool, limits: &Limits) -> Listing<Reached> {
    let mut menu = Menu { disk, limits, entries: Vec::new(), index: BTreeMap::new(), gaps: Vec::new() };
    menu.unopened();
    let mains = menu.mains();
    let systems = menu.efi_systems();
    if has_bios_boot {
        menu.run(&mains, Some("bios"));
        if mains.is_empty() {
            menu.unread("there is boot code for BIOS");
        }
    }
    for system in &systems {
        let stubs = menu.stubs(*system);
        if stubs.is_empty() && menu.is_other_loader(*system) {
            menu.unread("the EFI system partition starts another loader than GRUB");
        } else if stubs.is_empty() {
            menu.run(&mains, Some("uefi"));
        } else {
            menu.run(&stubs, Some("uefi"));
        }
        if stubs.is_empty() && mains.is_empty() {
            menu.unread("there is a loader for UEFI");
        }
    }
    if !has_bios_boot && systems.is_empty() {
        menu.run(&mains, None);
        if mains.is_empty() {
            menu.unread("no boot loader was found");
        }
    }
    Listing { items: menu.entries, gaps: menu.gaps }
}

struct Menu<'a> {
    disk: &'a Disk,
    limits: &'a Limits,
    entries: Vec<Reached>,
    /// Where an entry stands in `entries`.
    index: BTreeMap<(Config, u32, Vec<String>), usize>,
    gaps: Vec<Gap>,
}

impl Menu<'_> {
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

    /// GRUB's main configurations, each once even when links give it two names.
    fn mains(&mut self) -> Vec<Config> {
        let mut found: Vec<(Config, String)> = Vec::new();
        for volume in 0..self.disk.volumes.len() {
            for path in MAIN {
                let Some((real, FileType::Regular)) = self.look(volume, path) else { continue };
                if !found.iter().any(|(config, known)| config.volume == volume && *known == real) {
                    found.push((Config { volume, path: (*path).to_owned() }, real));
                }
            }
        }
        found.into_iter().map(|(config, _)| config).collect()
    }

    /// FAT volumes from which UEFI starts a loader.
    fn efi_systems(&mut self) -> Vec<usize> {
        if self.disk.is_directory() {
            return Vec::new();
        }
        let is_fat = |volume: &OpenVolume| volume.identity.as_ref().is_some_and(|identity| identity.kind == "vfat");
        let volumes = self.disk.volumes.iter().enumerate().filter(|(_, volume)| is_fat(volume));
        let indices: Vec<usize> = volumes.map(|(index, _)| index).collect();
        indices.into_iter().filter(|&volume| self.has_fallback(volume)).collect()
    }

    fn has_fallback(&mut self, volume: usize) -> bool {
        let Some((folder, FileType::Directory)) = self.look(volume, "/EFI/BOOT") else { return false };
        let listing: Result<_> = self.disk.root(volume).and_then(|root| root.list(&folder));
        match listing {
            Ok(listing) => {
                listing.gaps.into_iter().for_each(|gap| self.keep(gap));
                let is_loader = |name: &[u8]| FALLBACK.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
                listing.items.iter().any(|entry| is_loader(&entry.name))
            }
            Err(error) => {
                self.keep(error.at(folder).into());
                false
            }
        }
    }

    /// Configurations beside the loaders of an EFI system partition.
    fn stubs(&mut self, volume: usize) -> Vec<Config> {
        let Ok(root) = self.disk.root(volume) else { return Vec::new() };
        let found = root.glob("/EFI/*/grub.cfg");
        found.gaps.into_iter().for_each(|gap| self.keep(gap));
        found.items.iter().map(|path| Config { volume, path: path.to_text() }).collect()
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

    /// Reads configurations as the loader of `firmware` does; as each may that can, when it is not known.
    fn run(&mut self, configs: &[Config], firmware: Option<&str>) {
        let platforms: &[&str] = match firmware {
            Some("bios") => &["pc"],
            Some(_) => &["efi"],
            None => &["pc", "efi"],
        };
        for (config, platform) in configs.iter().flat_map(|config| platforms.iter().map(move |it| (config, it))) {
            let menu = grub::read(self.disk, config, Some(platform), self.limits);
            if menu.items.is_empty() && menu.gaps.is_empty() {
                self.keep(Gap::at(config.path.clone(), "it leads to no entry that starts Linux"));
            }
            menu.gaps.into_iter().for_each(|gap| self.keep(gap));
            menu.items.into_iter().for_each(|entry| self.add(entry, firmware));
        }
    }

    /// An entry that two firmwares reach alike stands once.
    fn add(&mut self, entry: Entry, firmware: Option<&str>) {
        let key = (entry.config.as_ref().clone(), entry.line, entry.ids.clone());
        let known = self.index.get(&key).and_then(|&index| self.entries.get_mut(index));
        if let Some(known) = known.filter(|known| known.entry.attempts == entry.attempts) {
            known.entry.is_default |= entry.is_default;
            if let (Fact::Known(list), Some(firmware)) = (&mut known.firmware, firmware)
                && !list.iter().any(|name| name == firmware)
            {
                list.push(firmware.to_owned());
            }
            return;
        }
        let firmware = match firmware {
            Some(firmware) => Fact::Known(vec![firmware.to_owned()]),
            None => Fact::unknown("neither boot code for BIOS nor a loader for UEFI was found"),
        };
        self.index.insert(key, self.entries.len());
        self.entries.push(Reached { entry, firmware });
    }
}

#[cfg(test)]
mod tests {
    use super::disk::tests::volume;
    use super::*;
    use crate::guest::memory::Memory;

    fn found(volumes: Vec<OpenVolume>, has_bios_boot: bool) -> Vec<String> {
        let disk = Disk::new(volumes, &Limits::default());
        let listing = read(&disk, has_bios_boot, &Limits::default());
        let row = |reached: &Reached| {
            let firmware = reached.firmware.known().map_or("?".to_owned(), |list| list.join("+"));
            let star = if reached.entry.is_default { "*" } else { "" };
            format!("{star}{} {firmware} {}", reached.entry.ids.join(">"), reached.entry.config.path)
        };
        let mut rows: Vec<String> = listing.items.iter().map(row).collect();
        rows.extend(listing.gaps.iter().map(|gap| format!("{} {}", gap.path.as_deref().unwrap_or("-"), gap.reason)));
        rows
    }

    const TWO: &str = "menuentry a { linux /a }\nmenuentry b { linux /b }\n";
    const STUB: &str = "search.fs_uuid root-1 root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n";

    fn root() -> Memory {
        Memory::new("ext4", "root-1", "").file("/boot/grub/grub.cfg", TWO)
    }

    fn esp() -> Memory {
        Memory::new("vfat", "AAAA-BBBB", "").file("/EFI/BOOT/bootx64.efi", "MZ")
    }

    #[test]
    fn each_firmware_reaches_what_it_reads() {
        let path = "/boot/grub/grub.cfg";
        let both = [format!("*a bios+uefi {path}"), format!("b bios+uefi {path}")];
        let with_stub = || esp().file("/EFI/debian/grub.cfg", STUB);
        assert_eq!(found(vec![volume(1, root()), volume(15, with_stub())], true), both);
        assert_eq!(found(vec![volume(1, root()), volume(15, esp())], true), both, "the only main configuration");
        let uefi = [format!("*a uefi {path}"), format!("b uefi {path}")];
        assert_eq!(found(vec![volume(1, root()), volume(15, with_stub())], false), uefi);
        let unclear = [format!("*a ? {path}"), format!("b ? {path}")];
        assert_eq!(found(vec![volume(1, root())], false), unclear);
        // `30_uefi-firmware` of every Debian and Ubuntu.
        let firmware = "if [ \"$grub_platform\" = \"efi\" ]; then\nfwsetup --is-supported\nif [ \"$?\" = 0 ]; then\nmenuentry 'UEFI Firmware Settings' { fwsetup }\nfi\nfi\n";
        let settings = || Memory::new("ext4", "root-1", "").file("/boot/grub/grub.cfg", format!("{TWO}{firmware}"));
        assert_eq!(found(vec![volume(1, settings())], false), unclear);
        let split = format!("if [ $grub_platform = efi ]; then set default=1; fi\n{TWO}");
        let split = Memory::new("ext4", "root-1", "").file("/boot/grub/grub.cfg", split);
        let each = [format!("*a ? {path}"), format!("*b ? {path}")];
        assert_eq!(found(vec![volume(1, split)], false), each, "one of them starts each");
    }

    #[test]
    fn several_configurations_each_have_a_default() {
        let other = Memory::new("ext4", "root-2", "").file("/boot/grub2/grub.cfg", "menuentry c { linux /c }");
        let rows = found(vec![volume(1, root()), volume(2, other)], true);
        assert_eq!(rows.iter().filter(|row| row.starts_with('*')).count(), 2, "{rows:?}");
        let linked = Memory::new("ext4", "boot-1", "").file("/grub/grub.cfg", TWO).link("/boot", ".");
        assert_eq!(found(vec![volume(1, linked)], true).len(), 2, "two names of one file");
    }

    #[test]
    fn other_loaders_are_named_where_they_decide() {
        let systemd = || esp().file("/loader/loader.conf", "").file("/loader/entries/x.conf", "");
        let rows = found(vec![volume(1, root()), volume(15, systemd())], true);
        assert!(rows[0].starts_with("*a bios ") && rows[2].starts_with("/loader/entries the EFI system"), "{rows:?}");
        let rows = found(vec![volume(15, systemd().file("/EFI/x/grub.cfg", STUB)), volume(1, root())], false);
        assert!(rows.iter().all(|row| !row.contains("not read")), "GRUB's own stub decides: {rows:?}");
        let extlinux = Memory::new("ext4", "", "").file("/boot/extlinux/extlinux.conf", "");
        let rows = found(vec![volume(1, extlinux)], true);
        assert!(rows.len() == 1 && rows[0].starts_with("/boot/extlinux/extlinux.conf "), "{rows:?}");
        assert_eq!(found(vec![volume(1, Memory::new("ext4", "", ""))], false).len(), 1, "a gap at least");
        let mut unopened = volume(2, Memory::new("btrfs", "x", ""));
        unopened.filesystem = Err(crate::error::Error::unsupported("btrfs", "this version does not read it"));
        let rows = found(vec![volume(1, root()), unopened], true);
        assert!(rows[2].starts_with("- partition 2 may hold a boot configuration"), "{rows:?}");
        let mut blank = volume(2, Memory::new("", "", ""));
        blank.filesystem = Err(crate::error::Error::not_found("file system"));
        blank.identity = None;
        assert_eq!(found(vec![volume(1, root()), blank], true).len(), 2, "a BIOS boot partition hides nothing");
        let broken = Memory::new("ext4", "", "").unreadable("/boot");
        assert!(found(vec![volume(1, broken)], true)[0].contains("Input/output error"));
    }
}
