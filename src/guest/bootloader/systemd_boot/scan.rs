//! The files of one volume → entries, each with its place in the order.

use super::order::Rank;
use super::{Pair, pairs};
use crate::bytes::text;
use crate::disk::filesystem::{FileType, Root};
use crate::error::{ErrorKind, Result};
use crate::fact::Gap;
use crate::guest::bootloader::disk::Disk;
use crate::guest::bootloader::entry::{Attempt, Config, Entry, MAX_ENTRIES, Place};
use crate::guest::bootloader::uefi::{self, Kind, Loader};
use crate::guest::bootloader::uki::{self, Uki};
use crate::guest::pe;
use crate::limits::Limits;
use std::rc::Rc;

const ENTRIES: &str = "/loader/entries";
const IMAGES: &str = "/EFI/Linux";
/// GPT's "Extended Boot Loader" partition (Discoverable Partitions Specification).
const XBOOTLDR: &str = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
/// The first version that reads `uki` in an entry, and several profiles of an image (systemd, NEWS).
const UKI_KEY: u32 = 258;
const PROFILES: u32 = 257;

/// An entry that systemd-boot lists.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rank: Rank,
    /// File name in lower case, as it is.
    pub(super) name: String,
    pub(super) is_default: bool,
    /// What is not known of it.
    pub(super) gaps: Vec<Gap>,
    /// `None` when it starts no Linux.
    pub(super) entry: Option<Entry>,
}

/// Collects the entries of volumes.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) disk: &'a Disk,
    pub(super) limits: &'a Limits,
    loader: &'a Loader,
    version: Option<u32>,
    pub(super) found: Vec<Found>,
    pub(super) gaps: Vec<Gap>,
}

/// What an entry file starts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Start {
    key: String,
    line: u32,
    /// Path on the volume.
    path: String,
}

impl<'a> Scan<'a> {
    pub(super) fn new(disk: &'a Disk, loader: &'a Loader, version: Option<u32>, limits: &'a Limits) -> Self {
        Self { disk, limits, loader, version, found: Vec::new(), gaps: Vec::new() }
    }

    /// The partition for further entries, if the firmware reads it.
    pub(super) fn extended(&mut self, system: usize) -> Option<usize> {
        let index = self.disk.volumes.iter().position(|volume| volume.kind == XBOOTLDR)?;
        let volume = self.disk.volumes.get(index)?;
        if volume.identity.as_ref().is_none_or(|identity| identity.kind != "vfat") {
            let drivers = self.disk.root(system).map(|root| root.glob("/EFI/systemd/drivers/*"));
            if drivers.is_ok_and(|drivers| !drivers.items.is_empty() || !drivers.gaps.is_empty()) {
                let cause = format!("EFI/systemd/drivers may read {}, which is no FAT", volume.display());
                self.gaps.push(Gap::new(cause));
            }
            return None;
        }
        Some(index)
    }

    /// Adds what one volume holds, unified images first.
    pub(super) fn volume(&mut self, volume: usize) {
        let root = match self.disk.root(volume) {
            Ok(root) => root,
            Err(error) => return self.gaps.push(error.into()),
        };
        for (folder, suffix) in [(IMAGES, ".efi"), (ENTRIES, ".conf")] {
            for name in self.names(root, folder, suffix) {
                if self.found.len() >= MAX_ENTRIES {
                    let cause = format!("more than {MAX_ENTRIES} boot entries; the rest is not read");
                    return self.gaps.push(Gap::at(folder, cause));
                }
                let path = format!("{folder}/{name}");
                let added = if suffix == ".efi" {
                    self.image(root, volume, &path, &name)
                } else {
                    self.file(root, volume, &path, &name)
                };
                if let Err(error) = added {
                    self.gaps.push(error.at(path).into());
                }
            }
        }
    }

    /// Names that systemd-boot looks at.
    fn names(&mut self, root: &Root, folder: &str, suffix: &str) -> Vec<String> {
        let listing = match root.list(folder) {
            Ok(listing) => listing,
            Err(error) => {
                if error.kind != ErrorKind::NotFound {
                    self.gaps.push(error.at(folder).into());
                }
                return Vec::new();
            }
        };
        self.gaps.extend(listing.gaps);
        let files = listing.items.iter().filter(|entry| entry.file_type != FileType::Directory);
        let names = files.map(|entry| text(&entry.name)).filter(|name| {
            let lower = name.to_ascii_lowercase();
            !lower.starts_with('.') && !lower.starts_with("auto-") && lower.ends_with(suffix)
        });
        names.collect()
    }

    /// A type 2 entry: each profile of an image that names its system.
    fn image(&mut self, root: &Root, volume: usize, path: &str, name: &str) -> Result<()> {
        let Some(image) = image(root, volume, path, self.limits)? else { return Ok(()) };
        let profiles =
            if self.version.is_some_and(|version| version < PROFILES) { 1 } else { image.program.profiles() };
        for number in 0..profiles {
            let Some(release) = image.release(number)? else { continue };
            let first = |key: &str| release.iter().rfind(|pair| pair.key == key).map(|pair| pair.value.clone());
            let any = |keys: &[&str]| keys.iter().find_map(|key| first(key));
            let Some(title) = any(&["PRETTY_NAME", "IMAGE_ID", "NAME", "ID"]) else { continue };
            let profile = image.profile(number)?;
            let mark = |key: &str| profile.iter().rfind(|pair| pair.key == key).map(|pair| pair.value.clone());
            let mut rank = rank(name, ".efi");
            rank.sort_key = any(&["IMAGE_ID", "ID"]);
            rank.version = any(&["IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID"]);
            rank.profile = number;
            let id = match (number, mark("ID")) {
                (0, _) => rank.id.clone(),
                (_, Some(profile)) => format!("{}@{profile}", rank.id),
                (number, None) => format!("{}@{number}", rank.id),
            };
            let title = mark("TITLE").map_or(title.clone(), |mark| format!("{title} ({mark})"));
            let (attempt, gaps) = image.attempt(number, 1, None);
            let gaps = gaps.into_iter().chain(lacks_kernel(&image)).collect();
            self.add(rank, name, (volume, path), Named { id, title, line: 1 }, Some(attempt), gaps);
        }
        Ok(())
    }

    /// A type 1 entry.
    fn file(&mut self, root: &Root, volume: usize, path: &str, name: &str) -> Result<()> {
        let pairs = pairs(&root.read(path, self.limits.config_file)?, &[' ', '\t']);
        let Some(start) = self.start(&pairs, path) else { return Ok(()) };
        if !root.exists(&start.path)? {
            return Ok(());
        }
        let last = |key: &str| pairs.iter().rfind(|pair| pair.key == key).map(|pair| pair.value.clone());
        let mut rank = rank(name, ".conf");
        rank.sort_key = last("sort-key");
        rank.machine_id = last("machine-id");
        rank.version = last("version");
        rank.profile = last("profile").and_then(|number| number.parse().ok()).unwrap_or(0);
        let options: Vec<&str> =
            pairs.iter().filter(|pair| pair.key == "options").map(|pair| pair.value.as_str()).collect();
        let options = options.join(" ");
        let id = rank.id.clone();
        let named = Named { title: last("title").unwrap_or_else(|| id.clone()), id, line: start.line };
        let (attempt, mut gaps) = match start.key.as_str() {
            "linux" => (Some(linux(volume, &start, &pairs, &options)), Vec::new()),
            _ => self.program(root, volume, &start, (rank.profile, &options))?,
        };
        if attempt.is_none() {
            let cause = format!("line {}: whether {} starts Linux is not known", start.line, start.path);
            gaps.push(Gap::at(path, cause));
        }
        self.add(rank, name, (volume, path), named, attempt, gaps);
        Ok(())
    }

    /// What `efi` and `uki` start; no attempt where that is no Linux.
    fn program(
        &self,
        root: &Root,
        volume: usize,
        start: &Start,
        (profile, options): (usize, &str),
    ) -> Result<(Option<Attempt>, Vec<Gap>)> {
        let program = pe::read(root, &start.path)?;
        let kind = program.map(|program| uefi::kind(root, &start.path, &program)).transpose()?;
        match kind {
            Some(Kind::Uki(_)) => {
                let Some(image) = image(root, volume, &start.path, self.limits)? else { return Ok((None, Vec::new())) };
                let (attempt, gaps) = image.attempt(profile, start.line, Some(options));
                Ok((Some(attempt), gaps))
            }
            Some(Kind::Kernel) => Ok((Some(stub(volume, start, options)), Vec::new())),
            _ => Ok((None, Vec::new())),
        }
    }

    /// The program that an entry starts; `None` when systemd-boot does not list it.
    fn start(&mut self, pairs: &[Pair], path: &str) -> Option<Start> {
        let mut start: Option<Start> = None;
        for Pair { line, key, value } in pairs {
            match key.as_str() {
                "architecture" if !value.eq_ignore_ascii_case(self.loader.short) => return None,
                "uki-url" => {
                    self.gaps.push(Gap::at(path, format!("line {line}: what is started comes from the network")));
                    return None;
                }
                "linux" | "efi" | "uki" => {
                    if key == "uki" && self.version.is_none_or(|version| version < UKI_KEY) {
                        let cause = format!("line {line}: systemd-boot reads `uki` from version {UKI_KEY} on");
                        self.gaps.push(Gap::at(path, cause));
                        return None;
                    }
                    if start.as_ref().is_some_and(|start| start.key != *key) {
                        return None;
                    }
                    let file = volume_path(value);
                    if key == "efi" && file.eq_ignore_ascii_case(&self.loader.path) {
                        return None;
                    }
                    start = Some(Start { key: key.clone(), line: *line, path: file });
                }
                _ => {}
            }
        }
        start
    }

    fn add(
        &mut self,
        rank: Rank,
        name: &str,
        (volume, path): (usize, &str),
        named: Named,
        attempt: Option<Attempt>,
        gaps: Vec<Gap>,
    ) {
        let config = Rc::new(Config { volume, path: path.to_owned() });
        let Named { id, title, line } = named;
        let entry = attempt.map(|attempt| Entry {
            ids: vec![id],
            title,
            config,
            line,
            is_default: false,
            attempts: vec![attempt],
        });
        self.found.push(Found { rank, name: name.to_ascii_lowercase(), is_default: false, gaps, entry });
    }
}

fn image<'r>(root: &'r Root, volume: usize, path: &'r str, limits: &'r Limits) -> Result<Option<Uki<'r>>> {
    let Some(image) = uki::read(root, volume, path, None, limits)? else { return Ok(None) };
    let version = match uefi::kind(root, path, &image.program)? {
        Kind::Uki(version) => version,
        _ => None,
    };
    Ok(Some(Uki { version, ..image }))
}

/// What an entry is called, and where it stands in its file.
struct Named {
    id: String,
    title: String,
    line: u32,
}

fn lacks_kernel(image: &Uki<'_>) -> Option<Gap> {
    let is_there = image.program.find(".linux").is_some();
    (!is_there).then(|| Gap::at(image.path, "it has no section .linux: what it starts is not known"))
}

/// A kernel with its initrds, which systemd-boot also names on the command line.
fn linux(volume: usize, start: &Start, pairs: &[Pair], options: &str) -> Attempt {
    let paths = pairs.iter().filter(|pair| pair.key == "initrd").map(|pair| volume_path(&pair.value));
    let paths: Vec<String> = paths.collect();
    let words = paths.iter().map(|path| format!("initrd={}", path.replace('/', "\\")));
    let words: Vec<String> = words.chain((!options.is_empty()).then(|| options.to_owned())).collect();
    Attempt {
        when: String::new(),
        line: start.line,
        kernel: Place::On(volume, start.path.clone()),
        initrds: paths.into_iter().map(|path| Place::On(volume, path)).collect(),
        cmdline: Some(words.join(" ")),
    }
}

/// A kernel that is started as a program loads the initrds that its options name (`Documentation/admin-guide/efi-stub.rst`).
fn stub(volume: usize, start: &Start, options: &str) -> Attempt {
    let initrds = options.split_whitespace().filter_map(|word| word.strip_prefix("initrd="));
    Attempt {
        when: String::new(),
        line: start.line,
        kernel: Place::On(volume, start.path.clone()),
        initrds: initrds.map(|path| Place::On(volume, volume_path(path))).collect(),
        cmdline: Some(options.to_owned()),
    }
}

/// EFI knows `\`, and `/` is as good.
fn volume_path(value: &str) -> String {
    let names = value.split(['/', '\\']).filter(|name| !name.is_empty());
    names.fold(String::new(), |path, name| path + "/" + name)
}

fn rank(name: &str, suffix: &str) -> Rank {
    let lower = name.to_ascii_lowercase();
    match tries(&lower, suffix) {
        Some((id, tries)) => Rank { id, tries: Some(tries), ..Rank::default() },
        None => Rank { id: lower, ..Rank::default() },
    }
}

/// `x+3-1.conf` as `x.conf` and the tries left and done (`boot_entry_parse_tries`).
pub(in crate::guest::bootloader) fn tries(name: &str, suffix: &str) -> Option<(String, (u32, u32))> {
    let (stem, counters) = name.rsplit_once('+')?;
    let counters = counters.get(..counters.len().checked_sub(suffix.len())?)?;
    let ending = name.get(name.len().checked_sub(suffix.len())?..)?;
    let (left, done) = counters.split_once('-').unwrap_or((counters, "0"));
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i32>().ok().filter(|_| is_number).and_then(|number| u32::try_from(number).ok())
    };
    let tries = (number(left)?, number(done)?);
    ending.eq_ignore_ascii_case(suffix).then(|| (format!("{stem}{ending}"), tries))
}
