//! GRUB's modules: which of them a command or a volume needs, and whether they are there (`grub-core/kern/dl.c`).

use super::environment::{Value, cost_of};
use super::evaluator::{Evaluator, Frame, LOOK, Outcome};
use crate::bytes::text;
use crate::error::{Error, ErrorKind};
use crate::fact::{Fact, Gap};
use crate::guest::bootloader::entry::{Config, Place, REACHED, Reach, Stop};
use crate::guest::bootloader::grub_core::Core;
use crate::guest::bootloader::grub_core::module::{self, MAX_MODULE, Module};
use crate::limits::MIB;
use std::collections::{BTreeMap, BTreeSet};

/// Modules that one needs, directly and by others; those of GRUB 2.12 need 20 at most.
const MAX_CLOSURE: usize = 256;
/// Bytes of command.lst or fs.lst; GRUB 2.12 has 5 KiB.
const MAX_LIST: u64 = MIB;

/// Commands that decide what is started, and modules that have them; GRUB in normal mode has the others that do.
const COMMANDS: &[(&str, &[&str])] = &[
    ("linux", &["linux"]),
    ("initrd", &["linux"]),
    ("linux16", &["linux16"]),
    ("initrd16", &["linux16"]),
    // Red Hat's module has both names.
    ("linuxefi", &["linuxefi", "linux"]),
    ("initrdefi", &["linuxefi", "linux"]),
    ("[", &["test"]),
    ("test", &["test"]),
    // Without a module `true` is an unknown command, which succeeds as well.
    ("false", &["true"]),
    ("search", &["search"]),
    ("search.fs_uuid", &["search_fs_uuid"]),
    ("search.fs_label", &["search_label"]),
    ("search.file", &["search_fs_file"]),
    ("configfile", &["configfile"]),
    ("source", &["configfile"]),
    (".", &["configfile"]),
    ("load_env", &["loadenv"]),
    ("save_env", &["loadenv"]),
    ("normal", &["normal"]),
    ("menuentry", &["normal"]),
    ("submenu", &["normal"]),
    ("export", &["normal"]),
    ("blscfg", &["blscfg"]),
    ("regexp", &["regexp"]),
    ("probe", &["probe"]),
];

/// Commands that do nothing where their module is missing: what follows runs as if they had found nothing.
const IDLE: &[&str] = &["search", "search.fs_uuid", "search.fs_label", "search.file", "configfile", "source", "."];

/// File systems as they are identified, and modules that read them.
const FILE_SYSTEMS: &[(&str, &str)] = &[
    ("ext2", "ext2"),
    ("ext3", "ext2"),
    ("ext4", "ext2"),
    ("vfat", "fat"),
    ("xfs", "xfs"),
    ("btrfs", "btrfs"),
    ("iso9660", "iso9660"),
    ("f2fs", "f2fs"),
    ("squashfs", "squash4"),
];

/// Modules that read disks on a machine with BIOS; UEFI's are in the kernel.
const DISKS: &[&str] = &["biosdisk", "ahci", "ata", "pata", "nativedisk"];

/// What GRUB has by itself, and what was seen of the rest.
#[derive(Debug)]
pub(super) struct Modules<'a> {
    pub(super) core: &'a Core,
    /// Whether normal mode runs: before it there are no lists, and a command that is not there is unknown.
    pub(super) is_normal: bool,
    /// What keeps the menu from being read as it stands. It is read so all the same: nothing else says what was meant.
    pub(super) lack: Option<Gap>,
    files: BTreeMap<Config, Fact<Seen>>,
    lists: BTreeMap<Config, Fact<Option<BTreeMap<String, String>>>>,
}

/// A module file.
#[derive(Clone, Debug)]
enum Seen {
    There(Vec<String>),
    /// Not there, or nothing that GRUB loads, and why.
    Not(String),
}

impl<'a> Modules<'a> {
    pub(super) fn new(core: &'a Core) -> Self {
        Self { core, is_normal: false, lack: None, files: BTreeMap::new(), lists: BTreeMap::new() }
    }
}

fn stop(found: impl Into<String>) -> Reach {
    Fact::Known(Some(Stop { found: found.into(), file: None }))
}

fn stop_at(file: &Config, found: impl Into<String>) -> Reach {
    Fact::Known(Some(Stop { found: found.into(), file: Some(file.clone()) }))
}

impl Evaluator<'_> {
    /// Whether GRUB has or can load what `command` is in.
    pub(super) fn supply(&mut self, command: &str, frame: &mut Frame) -> Reach {
        let Some(modules) = &self.modules else { return REACHED };
        let Some((_, owners)) = COMMANDS.iter().find(|(name, _)| *name == command) else { return REACHED };
        if owners.iter().any(|name| modules.core.has(name) || frame.environment.modules.contains(*name)) {
            return REACHED;
        }
        if !modules.is_normal {
            return stop(format!("GRUB's core has no module for the command {command}"));
        }
        let list = match self.folder(frame) {
            Ok(folder) => Config { path: format!("{}/command.lst", folder.path), ..folder },
            Err(reach) => return reach,
        };
        match self.list(&list) {
            Fact::Known(Some(rows)) => match rows.get(command).cloned() {
                Some(name) => self.module(&name, frame),
                None => {
                    stop_at(&list, format!("GRUB does not know the command {command}: command.lst has no row of it"))
                }
            },
            Fact::Known(None) => stop_at(
                &list,
                format!(
                    "GRUB does not know the command {command}: there is no command.lst that says which module has it"
                ),
            ),
            Fact::Unknown(gap) => Fact::Unknown(gap),
        }
    }

    /// What a command comes to that does nothing because GRUB has no module for it; `None` where it is to be run.
    pub(super) fn lacking(&mut self, command: &str, frame: &mut Frame) -> Option<Outcome> {
        if command.starts_with("linux") || command.starts_with("initrd") {
            return None;
        }
        let lack = match self.supply(command, frame) {
            Fact::Known(None) => return None,
            Fact::Known(_) if IDLE.contains(&command) => return Some(Outcome::of(Some(false))),
            Fact::Known(Some(Stop { found, file })) => {
                let reason = format!("{found}: what its menu comes to without it is not known");
                Gap { path: file.map(|file| file.path), reason }
            }
            Fact::Unknown(gap) => gap,
        };
        if let Some(modules) = &mut self.modules {
            modules.lack.get_or_insert(lack);
        }
        None
    }

    /// `insmod`: what decides nothing is not looked at.
    pub(super) fn insmod(&mut self, arguments: &[Value], frame: &mut Frame) -> Outcome {
        for name in arguments.iter().flatten() {
            let is_owner = COMMANDS.iter().any(|(_, owners)| owners.contains(&name.as_str()));
            let is_driver = FILE_SYSTEMS.iter().any(|(_, driver)| driver == name) || DISKS.contains(&name.as_str());
            if self.modules.is_some() && (is_owner || is_driver || name.starts_with("part_")) {
                // What it cannot load it says, and goes on.
                drop(self.module(name, frame));
            }
        }
        Outcome::UNKNOWN
    }

    /// Whether GRUB can load a module and all that it needs, from where its prefix is now.
    pub(super) fn module(&mut self, name: &str, frame: &mut Frame) -> Reach {
        let Some(core) = self.modules.as_ref().map(|modules| modules.core) else { return REACHED };
        let (mut open, mut needed) = (vec![(name.to_owned(), String::new())], BTreeSet::new());
        while let Some((next, by)) = open.pop() {
            let is_there = core.has(&next) || frame.environment.modules.contains(&next) || needed.contains(&next);
            if is_there {
                continue;
            }
            if needed.len() >= MAX_CLOSURE {
                return Fact::unknown(format!("GRUB's module {name} needs more than {MAX_CLOSURE} others"));
            }
            let folder = match self.folder(frame) {
                Ok(folder) => folder,
                Err(reach) => return reach,
            };
            let file = Config { path: format!("{}/{next}.mod", folder.path), ..folder };
            match self.module_file(&file, &next) {
                Fact::Known(Seen::There(depends)) => {
                    open.extend(depends.into_iter().map(|depend| (depend, next.clone())));
                    needed.insert(next);
                }
                Fact::Known(Seen::Not(why)) => {
                    let by = if by.is_empty() { String::new() } else { format!(", which {by}.mod needs,") };
                    return stop_at(&file, format!("GRUB loads the module {name}, and {next}.mod{by} {why}"));
                }
                Fact::Unknown(gap) => return Fact::Unknown(gap),
            }
        }
        frame.environment.modules.extend(needed);
        REACHED
    }

    /// Whether GRUB can read a volume: the disk, its partitions, its file system.
    pub(super) fn readable(&mut self, volume: usize, frame: &mut Frame) -> Reach {
        let Some(modules) = &self.modules else { return REACHED };
        let has = |name: &str| modules.core.has(name) || frame.environment.modules.contains(name);
        let Some(found) = self.disk.volumes.get(volume) else { return REACHED };
        if modules.core.platform.folder == "i386-pc" && !DISKS.iter().any(|name| has(name)) {
            return stop("GRUB's core has no module that reads disks, biosdisk");
        }
        let place = found.display();
        let table = if found.kind.starts_with("0x") { "part_msdos" } else { "part_gpt" };
        if found.number.is_some_and(|number| number > 0) && !has(table) {
            return stop(format!("GRUB has no module {table} by which it would find {place}"));
        }
        let kind = found.identity.as_ref().map(|identity| identity.kind.clone()).unwrap_or_default();
        let Some((_, driver)) = FILE_SYSTEMS.iter().find(|(name, _)| *name == kind) else { return REACHED };
        if has(driver) {
            return REACHED;
        }
        let without = stop(format!("GRUB has no module {driver} by which it would read the {kind} of {place}"));
        self.autoload(driver, volume, frame).unwrap_or(without)
    }

    /// In normal mode GRUB tries the modules of fs.lst by itself; `None` where it does not.
    fn autoload(&mut self, driver: &str, volume: usize, frame: &mut Frame) -> Option<Reach> {
        if !self.modules.as_ref()?.is_normal {
            return None;
        }
        let Place::On(at, folder) = self.prefix_folder(frame) else { return None };
        // What reads its own modules cannot come from them.
        if at == volume {
            return None;
        }
        match self.list(&Config { volume: at, path: format!("{folder}/fs.lst") }) {
            Fact::Known(rows) => rows?.contains_key(driver).then(|| self.module(driver, frame)),
            Fact::Unknown(gap) => Some(Fact::Unknown(gap)),
        }
    }

    fn prefix_folder(&self, frame: &Frame) -> Place {
        let folder = self.modules.as_ref().map_or("", |modules| modules.core.platform.folder);
        let prefix = frame.environment.get("prefix").map(|prefix| format!("{prefix}/{folder}"));
        self.locate(&prefix, &frame.environment)
    }

    /// Where GRUB looks for its modules.
    fn folder(&mut self, frame: &mut Frame) -> Result<Config, Reach> {
        let prefix = frame.environment.get("prefix");
        let (volume, path) = match self.prefix_folder(frame) {
            Place::On(volume, path) => (volume, path),
            Place::Elsewhere(path) => {
                return Err(stop(format!(
                    "GRUB looks for its modules in {path}, and there is no such device on this disk"
                )));
            }
            Place::Section(..) | Place::Unknown => {
                let prefix = prefix.map_or("not known before the start".to_owned(), |prefix| format!("`{prefix}`"));
                return Err(Fact::unknown(format!(
                    "where GRUB looks for its modules is not known: its prefix is {prefix}"
                )));
            }
        };
        match self.readable(volume, frame) {
            REACHED => Ok(Config { volume, path }),
            reach => Err(reach),
        }
    }

    fn module_file(&mut self, file: &Config, name: &str) -> Fact<Seen> {
        let Some(modules) = &self.modules else { return Fact::Known(Seen::There(Vec::new())) };
        let machine = modules.core.platform.elf;
        if let Some(seen) = modules.files.get(file) {
            return seen.clone();
        }
        let read = self.disk.root(file.volume).and_then(|root| root.read_if_exists(&file.path, MAX_MODULE));
        let length = read.as_ref().map_or(0, |read| read.as_ref().map_or(0, Vec::len));
        if !self.spend(cost_of(length).saturating_add(LOOK)) {
            return Fact::unknown("GRUB's modules: too many steps");
        }
        let seen = match read {
            Ok(None) => Fact::Known(Seen::Not("is not there".to_owned())),
            Ok(Some(bytes)) if is_packed(&bytes) => {
                Fact::Unknown(Gap::at(file.path.clone(), "a compressed module is not read by this version"))
            }
            Ok(Some(bytes)) => Fact::Known(seen(module::parse(&bytes), name, machine)),
            Err(error) if matches!(error.kind, ErrorKind::NotFound) => {
                Fact::Known(Seen::Not("is not there".to_owned()))
            }
            Err(error) => Fact::Unknown(error.at(file.path.clone()).into()),
        };
        if let Some(modules) = &mut self.modules {
            modules.files.insert(file.clone(), seen.clone());
        }
        seen
    }

    /// Rows `name: module` of a list, or names alone; `None` where there is none.
    fn list(&mut self, file: &Config) -> Fact<Option<BTreeMap<String, String>>> {
        if let Some(list) = self.modules.as_ref().and_then(|modules| modules.lists.get(file)) {
            return list.clone();
        }
        let read = self.disk.root(file.volume).and_then(|root| root.read_if_exists(&file.path, MAX_LIST));
        let length = read.as_ref().map_or(0, |read| read.as_ref().map_or(0, Vec::len));
        if !self.spend(cost_of(length).saturating_mul(4).saturating_add(LOOK)) {
            return Fact::unknown("GRUB's lists: too many steps");
        }
        let list = match read {
            Ok(read) => Fact::Known(read.map(|bytes| rows(&text(&bytes)))),
            Err(error) => Fact::Unknown(error.at(file.path.clone()).into()),
        };
        if let Some(modules) = &mut self.modules {
            modules.lists.insert(file.clone(), list.clone());
        }
        list
    }

    /// Whether GRUB can read what a path names.
    pub(super) fn place_readable(&mut self, place: &Place, frame: &mut Frame) -> Reach {
        match place {
            Place::On(volume, _) => self.readable(*volume, frame),
            Place::Section(..) | Place::Elsewhere(_) | Place::Unknown => REACHED,
        }
    }
}

fn seen(module: Result<Module, Error>, name: &str, machine: u16) -> Seen {
    match module {
        Ok(module) if module.name != name => Seen::Not(format!("holds the module {}", module.name)),
        Ok(module) if module.machine != machine => Seen::Not("is for another machine".to_owned()),
        Ok(module) => Seen::There(module.depends),
        Err(error) => Seen::Not(format!("is none: {error}")),
    }
}

/// What `grub-install --compress` leaves: gzip, xz, lzop.
fn is_packed(bytes: &[u8]) -> bool {
    [b"\x1f\x8b".as_slice(), b"\xfd7zXZ\0", b"\x89LZO\0"].iter().any(|magic| bytes.starts_with(magic))
}

/// `*search: search` of command.lst, `ext2` of fs.lst; of two rows for a command the last is taken.
fn rows(list: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let (name, module) = line.split_once(':').unwrap_or((line, line));
        (name.trim().trim_start_matches('*').to_owned(), module.trim().to_owned())
    };
    list.lines().map(row).filter(|(name, module)| !name.is_empty() && !module.is_empty()).collect()
}
