//! GRUB's commands, as far as they decide what is started (`info grub`, "Commands").

use super::environment::{MAX_VALUE, Value, cost, cost_of};
use super::evaluator::{Evaluator, Frame, LOOK, Outcome};
use super::lexer::{Part, Word};
use super::menu::{Item, Loaded};
use super::parser::Block;
use crate::fact::Gap;
use crate::guest::bootloader::entry::{Place, REACHED};
use std::rc::Rc;

/// Rows of one menu; a neglected server with fifty kernels has 150.
pub(super) const MAX_ITEMS: usize = 1000;

impl Evaluator<'_> {
    /// Runs one command, function or assignment.
    pub(super) fn command(&mut self, line: u32, words: &[Word], block: Option<&Block>, frame: &mut Frame) -> Outcome {
        let Some(mut arguments) = self.expand(words, frame) else { return self.exhausted(frame) };
        if arguments.is_empty() {
            return Outcome::of(Some(true));
        }
        let name = arguments.remove(0);
        match name.as_deref() {
            Some("!") if !arguments.is_empty() => {
                let name = arguments.remove(0);
                let outcome = self.named(line, name.as_deref(), &arguments, words, block, frame);
                Outcome { status: outcome.status.map(|status| !status), ..outcome }
            }
            name => self.named(line, name, &arguments, words, block, frame),
        }
    }

    /// `normal`, with the menu that it reads unless it says none.
    fn enter_menu(&mut self, line: u32, file: Option<&Value>, frame: &mut Frame) -> Outcome {
        match file {
            Some(file) => self.normal_file(line, file, frame),
            None => self.normal(line, frame),
        }
    }

    fn named(
        &mut self,
        line: u32,
        name: Option<&str>,
        arguments: &[Value],
        words: &[Word],
        block: Option<&Block>,
        frame: &mut Frame,
    ) -> Outcome {
        let Some(name) = name else {
            frame.doubt();
            self.gap(frame, line, "the command itself is not known before the start");
            return Outcome::UNKNOWN;
        };
        if let Some(outcome) = self.lacking(name, frame) {
            return outcome;
        }
        match name {
            "[" | "test" => Outcome::of(self.test(arguments, &frame.environment)),
            "true" => Outcome::of(Some(true)),
            "false" => Outcome::of(Some(false)),
            "menuentry" | "submenu" => self.entry(line, name == "submenu", arguments, block, frame),
            // Only GRUB for UEFI has them.
            "linuxefi" | "initrdefi" if frame.environment.get("grub_platform").as_deref() == Some("pc") => {
                Outcome::of(Some(false))
            }
            "linux" | "linux16" | "linuxefi" => self.linux(line, name, arguments, frame),
            "insmod" => self.insmod(arguments, frame),
            "initrd" | "initrd16" | "initrdefi" => self.initrd(line, arguments, frame),
            "chainloader" | "multiboot" | "multiboot2" | "fwsetup" | "kfreebsd" | "knetbsd" | "kopenbsd" | "ntldr"
            | "xen_hypervisor" | "xnu_kernel" | "linux_kernel16" => {
                Self::load(frame, &Loaded::Foreign);
                Outcome::of(Some(true))
            }
            "configfile" | "normal" if frame.is_entry => {
                Self::load(frame, &Loaded::Foreign);
                Self::end(frame);
                Outcome::END
            }
            "configfile" => self.include(line, arguments.first(), true, frame),
            "normal" => self.enter_menu(line, arguments.first(), frame),
            "source" | "." => self.include(line, arguments.first(), false, frame),
            "blscfg" | "bls_import" => self.blscfg(line, !arguments.is_empty(), frame),
            "legacy_configfile"
            | "legacy_source"
            | "syslinux_configfile"
            | "syslinux_source"
            | "extract_entries_source"
            | "extract_entries_configfile"
            | "uki" => {
                frame.doubt();
                self.gap(frame, line, format!("{name}: the entries that it reads are not read by this version"));
                Outcome::UNKNOWN
            }
            "eval" => {
                frame.doubt();
                self.gap(frame, line, "eval: what it makes of its words is not read by this version");
                Outcome::UNKNOWN
            }
            "boot" | "halt" | "reboot" | "exit" | "normal_exit" => self.leave(name, line, frame),
            "authenticate" | "cryptomount" => {
                self.gap(frame, line, format!("{name} asks for a password"));
                Outcome::UNKNOWN
            }
            "read" => {
                self.gap(frame, line, "read waits for somebody to type");
                self.variables(name, arguments, words, frame)
            }
            _ => self.variables(name, arguments, words, frame),
        }
    }

    /// Commands after which GRUB runs no more: `boot` starts what was loaded, after the others it never is.
    fn leave(&mut self, name: &str, line: u32, frame: &mut Frame) -> Outcome {
        if name == "boot" {
            frame.is_booted = true;
        } else {
            Self::drop_loaded(frame);
            if !frame.is_entry {
                frame.doubt();
                self.gap(frame, line, format!("{name} leaves GRUB before it shows a menu"));
            }
        }
        Self::end(frame);
        Outcome::END
    }

    /// Commands that set variables; whatever else there is changes nothing that counts.
    fn variables(&mut self, name: &str, arguments: &[Value], words: &[Word], frame: &mut Frame) -> Outcome {
        match name {
            "set" => {
                // Where the value is unknown, so is the argument; the name is in the word.
                match (arguments.first(), words.get(1)) {
                    (Some(Some(pair)), _) => assign(pair, frame),
                    (Some(None), Some(word)) => forget(word, frame),
                    _ => {}
                }
                Outcome::DONE
            }
            "unset" => {
                for name in arguments.iter().flatten() {
                    frame.environment.unset(name);
                }
                Outcome::DONE
            }
            "export" => {
                for name in arguments.iter().flatten() {
                    frame.environment.export(name);
                }
                Outcome::DONE
            }
            "load_env" => self.load_env(arguments, frame),
            "save_env" => {
                self.saved.extend(arguments.iter().flatten().cloned());
                if !frame.is_entry {
                    let names = arguments.iter().flatten().filter(|name| !name.starts_with('-'));
                    self.written.extend(names.map(|name| (name.clone(), frame.environment.get(name))));
                }
                Outcome::UNKNOWN
            }
            "search" | "search.fs_uuid" | "search.fs_label" | "search.file" | "search.part_uuid" => {
                self.search(name, arguments, frame)
            }
            "keystatus" => Outcome::of(Some(false)),
            "increment" | "decrement" | "read" => {
                for name in arguments.iter().flatten() {
                    frame.environment.set(name, None);
                }
                Outcome::UNKNOWN
            }
            _ if name.contains('=') => {
                assign(name, frame);
                Outcome::DONE
            }
            _ => self.call(name, arguments.to_vec(), frame).unwrap_or_else(|| {
                for name in set_by(arguments) {
                    frame.environment.set(&name, None);
                }
                Outcome::UNKNOWN
            }),
        }
    }

    fn entry(
        &mut self,
        line: u32,
        is_submenu: bool,
        arguments: &[Value],
        block: Option<&Block>,
        frame: &mut Frame,
    ) -> Outcome {
        let Some(block) = block else {
            frame.doubt();
            self.gap(frame, line, "a menu entry without a block in braces");
            return Outcome::UNKNOWN;
        };
        if frame.items.len() >= self.limits.list_rows.min(MAX_ITEMS) {
            frame.doubt();
            self.gap(frame, line, "too many menu entries; the rest is not read");
            return Outcome::UNKNOWN;
        }
        if !self.spend(frame.when.iter().map(|when| cost(when)).sum()) {
            return self.exhausted(frame);
        }
        let (mut id, mut rest, mut is_unrestricted) = (None, Vec::new(), false);
        let mut options = arguments.iter();
        while let Some(argument) = options.next() {
            match argument.as_deref() {
                Some("--id") => id = options.next().cloned().flatten(),
                Some("--class" | "--users" | "--hotkey" | "--source") => drop(options.next()),
                Some("--unrestricted") => is_unrestricted = true,
                Some(option) if option.starts_with("--") => {
                    if let Some(value) = option.strip_prefix("--id=") {
                        id = Some(value.to_owned());
                    }
                }
                _ => rest.push(argument.clone()),
            }
        }
        let title = rest.first().cloned().flatten().unwrap_or_else(|| format!("entry at line {line}"));
        frame.items.push(Item {
            id: id.filter(|id| !id.is_empty()).unwrap_or_else(|| title.clone()),
            title,
            line,
            config: Rc::clone(&frame.config),
            body: Rc::clone(block),
            arguments: rest,
            is_submenu,
            is_unrestricted,
            when: frame.when.clone(),
        });
        Outcome::DONE
    }

    fn linux(&mut self, line: u32, name: &str, arguments: &[Value], frame: &mut Frame) -> Outcome {
        let Some((kernel, rest)) = arguments.split_first() else {
            return Outcome::of(Some(false));
        };
        let file = kernel.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        if file.starts_with("memtest") {
            Self::load(frame, &Loaded::Foreign);
            return Outcome::DONE;
        }
        let kernel = self.locate(kernel, &frame.environment);
        let cmdline = rest.iter().cloned().map(|argument| argument.map(quoted)).collect::<Option<Vec<_>>>();
        let cmdline = cmdline.map(|arguments| arguments.join(" ")).filter(|line| line.len() <= MAX_VALUE);
        let copies = u64::try_from(frame.paths.len()).unwrap_or(u64::MAX);
        if !self.spend(copies.saturating_mul(cmdline.as_deref().map_or(1, cost))) {
            return self.exhausted(frame);
        }
        let reach = match self.supply(name, frame) {
            REACHED => self.place_readable(&kernel, frame),
            reach => reach,
        };
        Self::load(frame, &Loaded::Linux { line, kernel, cmdline, initrds: Vec::new(), reach });
        Outcome::DONE
    }

    fn initrd(&mut self, line: u32, arguments: &[Value], frame: &mut Frame) -> Outcome {
        let is_file = |argument: &&Value| argument.as_deref().is_none_or(|argument| !argument.starts_with("--"));
        // `newc:name:path` puts a file into the initrd under that name (`grub-core/loader/linux.c`).
        let is_newc = |file: &Value| file.as_deref().is_some_and(|file| file.starts_with("newc:"));
        if arguments.iter().any(is_newc) {
            self.gap(frame, line, "newc: what this file replaces in the initrd is not looked into by this version");
        }
        let place = |file: &Value| if is_newc(file) { Place::Unknown } else { self.locate(file, &frame.environment) };
        let found: Vec<Place> = arguments.iter().filter(is_file).map(place).collect();
        // Each way keeps a copy.
        if !self.spend(u64::try_from(found.len().saturating_mul(frame.paths.len())).unwrap_or(u64::MAX)) {
            return self.exhausted(frame);
        }
        let hidden = found.iter().map(|place| self.place_readable(place, frame)).find(|reach| *reach != REACHED);
        for path in frame.paths.iter_mut().filter(|path| !path.is_ended) {
            if let Some(Loaded::Linux { initrds, reach, .. }) = &mut path.loaded {
                initrds.clone_from(&found);
                if let Some(hidden) = hidden.as_ref().filter(|_| *reach == REACHED) {
                    reach.clone_from(hidden);
                }
            }
        }
        Outcome::DONE
    }

    fn load_env(&mut self, arguments: &[Value], frame: &mut Frame) -> Outcome {
        let mut path = frame.environment.get("prefix").map(|prefix| format!("{prefix}/grubenv"));
        let (mut only, mut options) = (Vec::new(), arguments.iter());
        while let Some(argument) = options.next() {
            match argument.as_deref() {
                Some("-f" | "--file") => path = options.next().cloned().flatten(),
                Some(option) if option.starts_with("--file=") => {
                    path = option.strip_prefix("--file=").map(str::to_owned);
                }
                Some(option) if option.starts_with('-') => {}
                Some(name) => only.push(name.to_owned()),
                None => {}
            }
        }
        let Place::On(volume, path) = self.locate(&path, &frame.environment) else {
            return Outcome::of(Some(false));
        };
        // GRUB's block has 1024 bytes; others may be larger.
        match self.disk.root(volume).and_then(|root| root.read_if_exists(&path, self.limits.config_file)) {
            Ok(Some(block)) => {
                if !self.spend(cost_of(block.len()).saturating_mul(8).saturating_add(LOOK)) {
                    return self.exhausted(frame);
                }
                frame.environment.load(&block, &only);
                frame.environment.overlay(&self.earlier, &only);
                Outcome::DONE
            }
            Ok(None) => Outcome::of(Some(false)),
            Err(error) => {
                self.gaps.push(Gap::from(error.at(path)));
                frame.doubt();
                for name in ["default", "next_entry", "saved_entry"] {
                    frame.environment.set(name, None);
                }
                Outcome::UNKNOWN
            }
        }
    }
}

fn assign(pair: &str, frame: &mut Frame) {
    if let Some((name, value)) = pair.split_once('=') {
        frame.environment.set(name, Some(value.to_owned()));
    }
}

/// The variable of a word `name=…` whose value is not known.
fn forget(word: &Word, frame: &mut Frame) {
    if let Some(Part::Bare(text) | Part::Quoted(text)) = word.parts.first() {
        let name = text.split('=').next().unwrap_or_default();
        frame.environment.set(name, None);
    }
}

/// Variables that a command of another kind sets: `probe --set=x`, `regexp -s 1:x`, `smbios --set x`.
fn set_by(arguments: &[Value]) -> Vec<String> {
    let mut names = Vec::new();
    let mut options = arguments.iter().flatten();
    while let Some(option) = options.next() {
        let name = match option.as_str() {
            "-s" | "--set" => options.next().map(String::as_str),
            option => option.strip_prefix("--set="),
        };
        names.extend(name.map(|name| name.rsplit(':').next().unwrap_or_default().to_owned()));
    }
    names
}

/// An argument as it stands on Linux's command line (`grub-core/lib/cmdline.c`).
fn quoted(argument: String) -> String {
    if !argument.contains([' ', '\\', '\'', '"']) {
        return argument;
    }
    let escaped = argument.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"");
    if escaped.contains(' ') { format!("\"{escaped}\"") } else { escaped }
}
