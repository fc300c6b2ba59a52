//! A unified kernel image → what its stub starts (UAPI.5 Unified Kernel Image; `man 7 systemd-stub`).

use super::entry::{Attempt, Config, Entry, Place};
use super::systemd_boot::{Pair, pairs, tries};
use crate::bytes::{read_capped, text};
use crate::disk::filesystem::Root;
use crate::error::{ErrorKind, Result};
use crate::fact::{Gap, Listing};
use crate::guest::pe::{self, Program, Section};
use crate::limits::Limits;
use std::rc::Rc;

/// The first version of the stub that reads a section or a folder (systemd, NEWS).
const ADDONS: u32 = 254;
const UCODE: u32 = 256;
const PROFILES: u32 = 257;

/// Where an image is told further words and archives, beside `<image>.extra.d`.
const SHARED_ADDONS: &str = "/loader/addons";

/// Sections that the stub starts with.
const STARTED: &[&str] = &[".linux", ".initrd", ".ucode"];
/// Those of which two in one profile would contradict each other.
const SINGLE: &[&str] = &[".linux", ".initrd", ".ucode", ".cmdline", ".osrel"];

/// An image on one volume.
#[derive(Debug)]
pub(super) struct Uki<'a> {
    pub(super) root: &'a Root,
    pub(super) volume: usize,
    pub(super) path: &'a str,
    pub(super) program: Program,
    /// Number of the stub's version; `None` for a stub that is not systemd's.
    pub(super) version: Option<u32>,
    pub(super) limits: &'a Limits,
}

impl Uki<'_> {
    /// What profile `number` starts, when the loader gives `options`; and what is not known of it.
    pub(super) fn attempt(&self, number: usize, line: u32, options: Option<&str>) -> (Attempt, Vec<Gap>) {
        let mut gaps = self.gaps(number);
        let place = |name: &'static str| Place::Section(self.volume, self.path.to_owned(), name);
        let names = [".ucode", ".initrd"].into_iter().filter(|name| self.is_used(name, number));
        let cmdline = match options.filter(|options| !options.trim().is_empty()) {
            Some(options) => Ok(options.to_owned()),
            None => self.section(number, ".cmdline").map(|bytes| words(&bytes.unwrap_or_default())),
        };
        let (cmdline, unread) = match cmdline {
            Ok(cmdline) => (Some(cmdline), None),
            Err(error) => (None, Some(Gap::from(error))),
        };
        gaps.extend(unread);
        let addons = self.addons();
        let is_plain = matches!(&addons, Ok(found) if found.is_empty());
        gaps.extend(match addons {
            Ok(found) => {
                found.into_iter().map(|path| Gap::at(path, "what this adds is not read by this version")).collect()
            }
            Err(error) => vec![Gap::from(error)],
        });
        let kernel = place(".linux");
        let initrds = names.map(place).collect();
        let cmdline = cmdline.filter(|_| is_plain);
        (Attempt { when: String::new(), line, kernel, initrds, cmdline }, gaps)
    }

    /// Microcode that an old stub does not know, it passes over; an empty archive is none.
    fn is_used(&self, name: &str, number: usize) -> bool {
        let is_known = name != ".ucode" || self.version.is_none_or(|version| version >= UCODE);
        is_known && self.program.in_profile(number, name).is_some_and(|section| section.virtual_size > 0)
    }

    fn gaps(&self, number: usize) -> Vec<Gap> {
        let mut reasons = Vec::new();
        if self.version.is_none() {
            reasons.push("its stub is none of systemd's: what it starts is not known".to_owned());
        }
        let is_old = self.version.is_some_and(|version| version < PROFILES);
        if is_old && self.program.sections.iter().any(|section| section.name == ".profile") {
            reasons.push(format!("it has profiles, and its stub knows of none before version {PROFILES}"));
        }
        let differs = |name: &&&str| self.program.in_profile(number, name) != self.program.find(name);
        if let Some(name) = STARTED.iter().find(differs) {
            reasons.push(format!("profile {number} has its own {name}, which is not read by this version"));
        }
        let mut scopes = self.program.sections.split(|section| section.name == ".profile");
        let count = |scope: &[Section], name: &str| scope.iter().filter(|section| section.name == name).count();
        if scopes.any(|scope| SINGLE.iter().any(|name| count(scope, name) > 1)) {
            reasons.push("it has two sections of one name: stubs differ about which counts".to_owned());
        }
        reasons.extend(self.misplaced());
        reasons.into_iter().map(|reason| Gap::at(self.path, reason)).collect()
    }

    /// Sections that the firmware loads over each other, or past the end of the program's memory.
    fn misplaced(&self) -> Option<String> {
        let sections = self.program.sections.iter().filter(|section| section.virtual_size > 0);
        let mut ranges: Vec<_> = sections
            .map(|section| (section.address, section.address.saturating_add(section.virtual_size), &section.name))
            .collect();
        ranges.sort_unstable();
        let over = ranges.windows(2).find_map(|pair| match pair {
            [(_, end, first), (start, _, second)] if end > start => Some((first, second)),
            _ => None,
        });
        if let Some((first, second)) = over {
            return Some(format!("{first} and {second} overlap in memory: what is started is not known"));
        }
        let past = ranges.iter().find(|(_, end, _)| *end > self.program.image_size);
        past.map(|(_, end, name)| {
            format!(
                "{name} ends at byte {end} in memory, where the image has {}: firmware refuses it",
                self.program.image_size
            )
        })
    }

    fn section(&self, number: usize, name: &str) -> Result<Option<Vec<u8>>> {
        let section = self.program.in_profile(number, name);
        section.map(|section| self.content(section)).transpose()
    }

    fn content(&self, section: &Section) -> Result<Vec<u8>> {
        let mut bytes = pe::open_section(self.root, self.path, section)?;
        read_capped(&mut bytes, self.limits.config_file, "section").map_err(|error| error.at(self.path))
    }

    /// The os-release of a profile, if it carries one.
    pub(super) fn release(&self, number: usize) -> Result<Option<Vec<Pair>>> {
        Ok(self.section(number, ".osrel")?.map(|bytes| pairs(&bytes, &['='])))
    }

    /// Id and title of a profile.
    pub(super) fn profile(&self, number: usize) -> Result<Vec<Pair>> {
        let mut marks = self.program.sections.iter().filter(|section| section.name == ".profile");
        let mark = marks.nth(number).map(|mark| self.content(mark)).transpose()?;
        Ok(pairs(&mark.unwrap_or_default(), &['=']))
    }

    /// Addons that the stub reads.
    fn addons(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        if self.version.is_some_and(|version| version < ADDONS) {
            return Ok(found);
        }
        // Newer stubs leave out the counters of the name.
        let plain = tries(self.path, ".efi").map_or_else(|| self.path.to_owned(), |(plain, _)| plain);
        let mut folders = vec![format!("{plain}.extra.d"), format!("{}.extra.d", self.path), SHARED_ADDONS.to_owned()];
        folders.dedup();
        for folder in &folders {
            let listing = match self.root.list(folder) {
                Ok(listing) => listing,
                Err(error) if error.kind == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let names = listing.items.iter().map(|entry| text(&entry.name));
            let addons = names.filter(|name| name.to_ascii_lowercase().ends_with(".addon.efi"));
            found.extend(addons.map(|name| format!("{folder}/{name}")));
        }
        Ok(found)
    }
}

/// The words of `.cmdline`: control characters become blanks, a NUL ends it (`mangle_stub_cmdline`).
fn words(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let plain = text(bytes.get(..end).unwrap_or_default());
    plain.replace(|it: char| it.is_ascii_control() && it != '\u{7f}', " ").trim().to_owned()
}

/// The image that UEFI itself starts, with nothing but what it carries.
pub(super) fn direct(root: &Root, volume: usize, path: &str, version: Option<u32>, limits: &Limits) -> Listing<Entry> {
    let image = match read(root, volume, path, version, limits) {
        Ok(Some(image)) => image,
        Ok(None) => return Listing::default(),
        Err(error) => return Listing { items: Vec::new(), gaps: vec![error.at(path).into()] },
    };
    let (attempt, gaps) = image.attempt(0, 1, None);
    let release = image.release(0).ok().flatten().unwrap_or_default();
    let title = release.into_iter().rfind(|pair| pair.key == "PRETTY_NAME").map(|pair| pair.value);
    Listing { items: vec![alone(volume, path, title, attempt)], gaps }
}

/// A kernel that UEFI itself starts: without an initrd and without words, but for those that are built in.
pub(super) fn bare(volume: usize, path: &str) -> Vec<Entry> {
    let kernel = Place::On(volume, path.to_owned());
    let attempt = Attempt { when: String::new(), line: 1, kernel, initrds: Vec::new(), cmdline: Some(String::new()) };
    vec![alone(volume, path, None, attempt)]
}

fn alone(volume: usize, path: &str, title: Option<String>, attempt: Attempt) -> Entry {
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Entry {
        title: title.unwrap_or_else(|| name.clone()),
        ids: vec![name],
        config: Rc::new(Config { volume, path: path.to_owned() }),
        line: 1,
        is_default: true,
        attempts: vec![attempt],
    }
}

/// Reads the headers of an image; `None` for what is no EFI program.
pub(super) fn read<'a>(
    root: &'a Root,
    volume: usize,
    path: &'a str,
    version: Option<u32>,
    limits: &'a Limits,
) -> Result<Option<Uki<'a>>> {
    let program = pe::read(root, path)?;
    Ok(program.map(|program| Uki { root, volume, path, program, version, limits }))
}
