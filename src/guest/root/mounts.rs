//! The tree while volumes are mounted on it, and the paths of boot loaders as paths of the tree.

use super::choose::is_plain_device;
use crate::disk::filesystem::{DirEntry, FileSystem, FileType, GuestPath, Identity, Metadata, Root};
use crate::error::{Error, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::guest::bootloader::Reached;
use crate::guest::bootloader::disk::{Disk, Found, OpenVolume};
use crate::guest::bootloader::entry::{Place, Reach};
use crate::guest::{Attempt, BootEntry, LoaderStop, Mount, fstab, pe};
use crate::limits::Limits;
use std::collections::BTreeSet;
use std::io::Read;
use std::rc::Rc;

/// GPT's "Extended Boot Loader" partition, which systemd mounts on /boot (Discoverable Partitions Specification).
const XBOOTLDR: &str = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
/// GPT's EFI system partition.
const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
/// File systems that stand in no volume; `none` and `swap` are rows, not mounts.
const WITHOUT_VOLUME: &[&str] = &[
    "none",
    "swap",
    "proc",
    "sysfs",
    "tmpfs",
    "ramfs",
    "devpts",
    "devtmpfs",
    "debugfs",
    "tracefs",
    "securityfs",
    "cgroup",
    "cgroup2",
    "hugetlbfs",
    "mqueue",
    "configfs",
    "fusectl",
    "binfmt_misc",
    "overlay",
    "efivarfs",
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "autofs",
    "udf,iso9660",
    "iso9660",
    "udf",
];

/// The tree while volumes are mounted on it.
pub(super) struct Mounts<'a> {
    disk: &'a Disk,
    pub(super) root: Root,
    /// Where the volumes stand.
    places: Vec<(usize, GuestPath)>,
    pub(super) gaps: Vec<Gap>,
}

impl<'a> Mounts<'a> {
    pub(super) fn new(disk: &'a Disk, index: usize, limits: &Limits) -> Result<Self> {
        let volume = disk.volumes.get(index).ok_or_else(|| Error::not_found("volume"))?;
        let filesystem = volume.filesystem.clone()?;
        let root = Root::new(filesystem, limits.directory_entries);
        Ok(Self { disk, root, places: vec![(index, GuestPath::root())], gaps: Vec::new() })
    }

    /// Mounts what fstab mounts at boot, upper folders first.
    pub(super) fn by_fstab(&mut self, limits: &Limits) {
        if self.disk.is_directory() {
            return;
        }
        let mut rows = match fstab::read(&self.root, limits) {
            Ok(rows) => rows.unwrap_or_default().items,
            Err(error) => return self.gaps.push(error.into()),
        };
        rows.retain(is_mounted);
        rows.sort_by_key(|row| GuestPath::new(&row.target).depth());
        for row in rows {
            self.mount_row(&row);
        }
    }

    fn mount_row(&mut self, row: &Mount) {
        let found = self.disk.named(&row.spec);
        let unread = |error: Error| -> Rc<dyn FileSystem> {
            let reason = format!("{} of fstab cannot be read: {error}", row.spec);
            Rc::new(Unread(Error::unsupported("file system", reason)))
        };
        let filesystem = match found {
            Found::At(index) if self.places.iter().any(|(known, _)| *known == index) => return,
            Found::At(index) => {
                self.places.push((index, GuestPath::new(&row.target)));
                match self.disk.volumes.get(index).map(|volume| volume.filesystem.clone()) {
                    Some(Ok(filesystem)) => filesystem,
                    Some(Err(error)) => unread(error),
                    None => return,
                }
            }
            // Checks say that it is not there.
            Found::Nowhere => return,
            Found::Unclear if is_plain_device(&row.spec) => return,
            Found::Unclear => unread(Error::unsupported("volume", "it is none that this version finds")),
        };
        if let Err(error) = self.root.mount(&row.target, filesystem) {
            self.places.retain(|(_, place)| *place != GuestPath::new(&row.target));
            let reason = format!("line {}: {} cannot be mounted: {error}", row.line, row.target);
            self.gaps.push(Gap::at(fstab::PATH, reason));
        }
    }

    /// A volume of kernels that no row mounts is /boot: systemd mounts one of that type, people mount others by hand, and
    /// systemd-gpt-auto-generator the EFI system partition on /efi or /boot. Any other stands under its own name.
    pub(super) fn boot_volumes(&mut self, entries: &[Reached]) {
        let attempts = entries.iter().flat_map(|reached| &reached.entry.attempts);
        let files = attempts.flat_map(|attempt| std::iter::once(&attempt.kernel).chain(&attempt.initrds));
        let volumes = files.filter_map(|place| match place {
            Place::On(index, _) | Place::Section(index, ..) => Some(*index),
            Place::Elsewhere(_) | Place::Unknown => None,
        });
        for index in volumes.collect::<BTreeSet<usize>>() {
            let is_known = self.places.iter().any(|(known, _)| *known == index);
            let Some(volume) = self.disk.volumes.get(index).filter(|_| !is_known) else { continue };
            let Ok(filesystem) = volume.filesystem.clone() else { continue };
            let folders: &[&str] = if volume.kind == ESP { &["/efi", "/boot"] } else { &["/boot"] };
            let free = folders.iter().map(GuestPath::new).find(|folder| self.is_free(folder, &volume.kind));
            match free {
                Some(folder) if self.root.mount(&folder, Rc::clone(&filesystem)).is_ok() => {
                    self.places.push((index, folder));
                }
                _ => self.root.attach(&volume_name(volume), filesystem),
            }
        }
    }

    /// Whether a volume of this type may stand in a folder.
    fn is_free(&self, folder: &GuestPath, kind: &str) -> bool {
        let is_taken = self.places.iter().any(|(_, place)| place == folder);
        let is_empty = || self.root.list(folder).is_ok_and(|listing| listing.items.is_empty());
        !is_taken && (kind == XBOOTLDR || is_empty())
    }

    /// A path of a volume as a path of the tree.
    fn guest_path(&self, index: usize, path: &str) -> Result<String> {
        if self.disk.is_directory() {
            return Ok(self.directory_path(path));
        }
        let place = self.places.iter().find(|(known, _)| *known == index).map(|(_, place)| place);
        let volume = self.disk.volumes.get(index);
        let Some(place) = place else { return Ok(volume.map(volume_name).unwrap_or_default() + path) };
        let volume = volume.map(OpenVolume::display).unwrap_or_default();
        // An absolute link means another file once its volume is mounted below the root.
        let real = self.disk.root(index).and_then(|root| root.resolve(path));
        let path = match real {
            Ok((real, _)) if place.depth() > 0 => real.to_text(),
            _ => path.to_owned(),
        };
        let full = GuestPath::new([place.as_bytes(), path.as_bytes()].concat());
        let covering = self.places.iter().filter(|(_, place)| full.below(place).is_some());
        match covering.max_by_key(|(_, place)| place.depth()) {
            Some((owner, _)) if *owner == index => Ok(full.to_text()),
            _ => {
                let cause = format!("{path} of {volume} is hidden by what fstab mounts over it");
                Err(Error::unsupported("boot file", cause))
            }
        }
    }

    /// In a directory /boot may have been a volume of its own, with paths from there.
    fn directory_path(&self, path: &str) -> String {
        let below = format!("/boot{path}");
        let is_below = !self.root.exists(path).unwrap_or(true) && self.root.exists(&below).unwrap_or(false);
        if is_below { below } else { path.to_owned() }
    }

    fn place(&self, place: &Place, line: u32) -> Result<String> {
        match place {
            // As a fact it would name a section.
            Place::On(_, path) if pe::split(path).is_some() => {
                Err(Error::unsupported("boot file", format!("line {line}: {path} looks like the section of a program")))
            }
            Place::On(index, path) => self.guest_path(*index, path),
            Place::Section(index, path, name) => Ok(format!("{}#{name}", self.guest_path(*index, path)?)),
            Place::Elsewhere(path) => Ok(path.clone()),
            Place::Unknown => {
                let cause = format!("line {line}: which file it is, is not known before the start");
                Err(Error::unsupported("boot file", cause))
            }
        }
    }

    fn stop(&self, firmware: String, reach: Reach) -> LoaderStop {
        match reach {
            Fact::Unknown(gap) => LoaderStop { firmware, found: Fact::Unknown(gap), path: None },
            Fact::Known(stop) => {
                let (found, file) = stop.map_or_else(Default::default, |stop| (stop.found, stop.file));
                let path = file.map(|file| self.guest_path(file.volume, &file.path).unwrap_or(file.path));
                LoaderStop { firmware, found: Fact::Known(found), path }
            }
        }
    }

    pub(super) fn boot_entries(&self, reached: Listing<Reached>) -> Listing<BootEntry> {
        let mut ids = BTreeSet::new();
        let items = reached.items.into_iter().map(|Reached { entry, firmware, stops }| {
            let mut attempts = Listing::default();
            for attempt in &entry.attempts {
                let initrds = attempt.initrds.iter().map(|initrd| self.place(initrd, attempt.line));
                attempts.add(self.place(&attempt.kernel, attempt.line).map(|kernel| Attempt {
                    when: attempt.when.clone(),
                    line: attempt.line,
                    kernel,
                    initrds: initrds.collect::<Result<Vec<_>>>().into(),
                    cmdline: attempt.cmdline.clone().map_or_else(|| unknown_cmdline(attempt.line), Fact::Known),
                }));
            }
            let config = self.guest_path(entry.config.volume, &entry.config.path);
            let stops = stops.into_iter().map(|(firmware, reach)| self.stop(firmware, reach));
            BootEntry {
                id: unique(&mut ids, &entry.ids.join(">")),
                title: entry.title,
                config: config.unwrap_or_else(|_| entry.config.path.clone()),
                line: entry.line,
                firmware,
                stops: stops.collect(),
                is_default: Fact::Known(entry.is_default),
                attempts: Fact::Known(attempts),
            }
        });
        Listing { items: items.collect(), gaps: reached.gaps }
    }
}

/// The folder under which a volume stands that is mounted nowhere.
fn volume_name(volume: &OpenVolume) -> String {
    format!("({})", volume.display())
}

fn unknown_cmdline(line: u32) -> Fact<String> {
    Fact::unknown(format!("line {line}: the command line depends on what is not known before the start"))
}

fn unique(ids: &mut BTreeSet<String>, id: &str) -> String {
    let mut unique = id.to_owned();
    let mut number = 1_u32;
    while !ids.insert(unique.clone()) {
        number = number.saturating_add(1);
        unique = format!("{id} #{number}");
    }
    unique
}

/// Rows that mount a volume at boot, apart from `/` itself.
fn is_mounted(row: &Mount) -> bool {
    let has = |name: &str| row.options.iter().any(|option| option == name);
    let is_path = row.target.starts_with('/') && GuestPath::new(&row.target).depth() > 0;
    let is_volume = row.spec.starts_with("/dev/") || row.spec.contains('=');
    is_path
        && is_volume
        && !has("noauto")
        && !has("bind")
        && !has("rbind")
        && !WITHOUT_VOLUME.contains(&row.fstype.as_str())
}

/// Stands where a volume is mounted that cannot be read: every look at it is an error, never an absence.
struct Unread(Error);

impl FileSystem for Unread {
    fn identity(&self) -> Identity {
        Identity::default()
    }

    fn open(&self, _: &GuestPath) -> Result<Box<dyn Read + '_>> {
        Err(self.0.clone())
    }

    fn read_dir(&self, _: &GuestPath, _: usize) -> Result<Listing<DirEntry>> {
        Err(self.0.clone())
    }

    fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata> {
        if path.depth() == 0 {
            return Ok(Metadata { file_type: FileType::Directory, size: 0, mode: 0o755 });
        }
        Err(self.0.clone())
    }

    fn read_link(&self, _: &GuestPath) -> Result<Vec<u8>> {
        Err(self.0.clone())
    }
}
