//! extlinux.conf and syslinux.cfg, of syslinux and of U-Boot's distro boot → entries (syslinux, `doc/syslinux.txt`,
//! `doc/menu.txt`; U-Boot, `doc/README.pxe`).

mod parser;
#[cfg(test)]
mod tests;

use super::disk::Disk;
use super::entry::{Attempt, Config, Entry, Place};
use crate::disk::filesystem::Root;
use crate::fact::{Gap, Listing};
use crate::limits::Limits;
use parser::{Label, Script, parse, place, word};
use std::rc::Rc;

/// Where the configuration stands on the root file system or on one for /boot (syslinux, `core/fs/lib/loadconfig.c`).
pub(super) const PATHS: &[&str] = &[
    "/boot/extlinux/extlinux.conf",
    "/extlinux/extlinux.conf",
    "/boot/syslinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/syslinux/extlinux.conf",
    "/syslinux/syslinux.cfg",
    "/boot/extlinux.conf",
    "/extlinux.conf",
    "/syslinux.cfg",
];

/// Programs that show the labels as a menu.
const MENUS: &[&str] = &["menu.c32", "vesamenu.c32"];
/// Endings of what is no kernel (`com32/elflink/ldlinux/ldlinux.c`, `file_extensions`).
const FOREIGN: &[&str] = &[".c32", ".img", ".bss", ".bin", ".bs", ".0"];

/// Which label is started when nobody chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    /// Its index, and the words behind its name.
    Label(usize, String),
    /// A kernel that no label names: line, and what is started.
    Command(u32, String),
    /// None can be excluded, and why.
    Any(String),
}

/// What one configuration offers.
pub(super) fn read(disk: &Disk, config: &Config, limits: &Limits) -> Listing<Entry> {
    let root = match disk.root(config.volume) {
        Ok(root) => root,
        Err(error) => return Listing { items: Vec::new(), gaps: vec![error.into()] },
    };
    let folder = config.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let script = parse(root, &config.path, limits);
    let choice = choose(&script, root, folder);
    let mut gaps = script.gaps.clone();
    let gap = |reason: String| Gap::at(config.path.clone(), reason);
    gaps.extend(script.doubts.iter().map(|(line, why)| gap(format!("line {line}: {why}, and which is not known"))));
    let is_doubtful = !gaps.is_empty();
    let menu = Menu { volume: config.volume, folder, config: Rc::new(config.clone()) };
    let mut entries = Vec::new();
    for (index, label) in script.labels.iter().enumerate() {
        let (is_default, words) = match &choice {
            Choice::Label(chosen, words) if *chosen == index => (true, words.as_str()),
            Choice::Any(_) => (true, ""),
            _ => (false, ""),
        };
        match menu.entry(label, words, is_default || is_doubtful) {
            Some(entry) => entries.push(entry),
            None if is_default && !matches!(choice, Choice::Any(_)) => {
                let cause = "is started when nobody chooses, and it starts no Linux kernel of this guest";
                gaps.push(gap(format!("line {}: `{}` {cause}", label.line, label.name)));
            }
            None => {}
        }
    }
    match choice {
        Choice::Any(reason) => gaps.push(gap(reason)),
        Choice::Command(line, command) => {
            let label =
                Label { name: "default".to_owned(), line, kind: "kernel".to_owned(), command, ..Label::default() };
            match menu.entry(&label, "", true) {
                Some(entry) => entries.insert(0, entry),
                None => {
                    gaps.push(gap(format!("line {line}: `{}` is started, and it is no Linux kernel", label.command)));
                }
            }
        }
        Choice::Label(..) => {}
    }
    Listing { items: entries, gaps }
}

/// The way of syslinux from `UI`, `DEFAULT`, `ONTIMEOUT` and `PROMPT` to a label (`com32/elflink/ldlinux/ldlinux.c`).
fn choose(script: &Script, root: &Root, folder: &str) -> Choice {
    let Some((line, command)) = script.ui.as_ref().or(script.default.as_ref()) else {
        return Choice::Any("it has no DEFAULT: syslinux asks what to start".to_owned());
    };
    let (name, words) = word(command);
    let program = name.rsplit('/').next().unwrap_or(name);
    let is_label = script.ui.is_none() && find(script, name).is_some();
    let is_menu =
        !is_label && MENUS.iter().any(|menu| menu.trim_end_matches(".c32") == program.trim_end_matches(".c32"));
    if !is_menu && script.ui.is_some() {
        return Choice::Any(format!("line {line}: what {name} starts is not known to this version"));
    }
    let waits = script.waits_for == 0;
    if is_menu {
        if !words.is_empty() {
            return Choice::Any(format!("line {line}: {name} reads {words}, which is not read by this version"));
        }
        let file = format!("{}.c32", name.strip_suffix(".c32").unwrap_or(name));
        if !root.exists(place(folder, &file)).unwrap_or(false) {
            return Choice::Any(format!(
                "line {line}: {file} is not beside the configuration: syslinux asks what to start"
            ));
        }
        if waits {
            return Choice::Any("it has no TIMEOUT: nothing is started before somebody presses a key".to_owned());
        }
        return match &script.on_timeout {
            Some((line, command)) => command_of(script, *line, command),
            None => highlighted(script),
        };
    }
    match &script.on_timeout {
        _ if !script.has_prompt => command_of(script, *line, command),
        _ if waits => {
            Choice::Any("PROMPT without a TIMEOUT: nothing is started before somebody presses a key".to_owned())
        }
        Some((line, command)) => command_of(script, *line, command),
        None => command_of(script, *line, command),
    }
}

/// The row that a menu stands on: the label of DEFAULT, else the last MENU DEFAULT, else the first.
fn highlighted(script: &Script) -> Choice {
    let default = script.default.as_ref().map(|(_, command)| word(command).0);
    let named = default.and_then(|name| find(script, name));
    let row = || script.rows.get(script.highlighted).copied().flatten();
    match named.filter(|&index| script.labels.get(index).is_some_and(|label| !label.is_hidden)).or_else(row) {
        Some(index) => Choice::Label(index, String::new()),
        None => Choice::Any("the menu stands on a row that starts nothing".to_owned()),
    }
}

/// A label and further words, or the name of a kernel.
fn command_of(script: &Script, line: u32, command: &str) -> Choice {
    let (name, words) = word(command);
    match find(script, name) {
        Some(index) => Choice::Label(index, words.to_owned()),
        None if script.is_explicit => Choice::Any(format!("line {line}: there is no label {name}")),
        None => Choice::Command(line, command.to_owned()),
    }
}

fn find(script: &Script, name: &str) -> Option<usize> {
    script.labels.iter().position(|label| label.name == name)
}

/// Where the paths of a configuration begin.
struct Menu<'a> {
    volume: usize,
    folder: &'a str,
    config: Rc<Config>,
}

impl Menu<'_> {
    /// `None` for what is no Linux kernel.
    fn entry(&self, label: &Label, words: &str, is_default: bool) -> Option<Entry> {
        let (kernel, append) = word(&label.command);
        let is_linux = match label.kind.as_str() {
            "linux" => true,
            "kernel" => !FOREIGN.iter().any(|ending| kernel.ends_with(ending)),
            _ => false,
        };
        let name = kernel.rsplit('/').next().unwrap_or(kernel);
        if !is_linux || kernel.is_empty() || name.starts_with("memtest") || name == "memdisk" {
            return None;
        }
        let parts = [format!("BOOT_IMAGE={kernel}"), append.to_owned(), words.to_owned()];
        let cmdline = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let place = |name: &str| Place::On(self.volume, place(self.folder, name));
        let attempt = Attempt {
            when: String::new(),
            line: label.line,
            kernel: place(kernel),
            initrds: initrds(&cmdline).map(place).collect(),
            cmdline: Some(cmdline.clone()),
        };
        let title = if label.title.is_empty() { label.name.clone() } else { label.title.clone() };
        let config = Rc::clone(&self.config);
        Some(Entry {
            ids: vec![label.name.clone()],
            title,
            config,
            line: label.line,
            is_default,
            attempts: vec![attempt],
        })
    }
}

/// What the first `initrd=` anywhere in the command line names, parted by commas (`com32/elflink/ldlinux/kernel.c`).
fn initrds(cmdline: &str) -> impl Iterator<Item = &str> {
    let list = cmdline.split_once("initrd=").map(|(_, rest)| rest.split(' ').next().unwrap_or_default());
    list.into_iter().flat_map(|list| list.split(','))
}
