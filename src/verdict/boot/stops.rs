//! What keeps a module that is there from being loaded: words of the command line, modprobe.d, a missing signature.
//! kmod decides alike for modprobe, udev and systemd-modules-load (`kmod_module_probe_insert_module`).

use super::cmdline::{Cmdline, Stop};
use super::{File, Place, Shelf, Start, unword};
use crate::fact::Gap;
use crate::guest::ModprobeRule;
use crate::guest::modprobe::matches;
use crate::verdict::{Evidence, Tally, Weight};
use std::collections::BTreeSet;

/// Modules that one module may depend on, as [`Shelf::unmet`] follows them.
const MAX_CLOSURE: usize = 1024;

/// A rule, and the initrd that it is in.
type Rule<'a> = (Option<&'a str>, &'a ModprobeRule);

impl<'a> Start<'_, 'a> {
    /// Whether nothing stops `module`, which is at `place`, nor what it depends on. Faults go to the tally, gaps to the
    /// view.
    pub fn is_free(&self, tally: &mut Tally, shelf: &Shelf<'_, 'a>, module: &str, place: &Place<'a>) -> bool {
        let (stops, gaps) = self.view.apart(|view| Start { view, ..*self }.stops(shelf, module, place));
        let is_free = stops.is_empty() && gaps.is_empty();
        for stop in stops {
            tally.fault(Weight::Full, stop);
        }
        for gap in gaps {
            self.view.miss(gap);
        }
        is_free
    }

    /// Everything that stops `module`, which is at `place`, or what it depends on; what may do so is a gap of the view.
    pub fn stops(&self, shelf: &Shelf<'_, 'a>, module: &str, place: &Place<'a>) -> Vec<Evidence> {
        let Some(cmdline) = self.cmdline() else { return Vec::new() };
        let mut found = Vec::new();
        let Place::File(file) = place else {
            self.by_word(&cmdline, module, None, &mut found);
            return found;
        };
        found.extend(self.is_off("CONFIG_MODULES", &format!("this kernel does not load {module}.ko")));
        self.by_word(&cmdline, module, Some(module), &mut found);
        let rules = shelf.rules(self.view);
        found.extend(self.blacklisted(shelf, &cmdline, &rules, module, file));
        self.doubt_aliases(shelf, &rules, module, file);
        self.refused(shelf, &cmdline, &rules, module, module, &mut found);
        // What modprobe loads as a dependency is not asked for its blacklists, but for its commands, and Linux for its own.
        for needed in self.needs(shelf, file) {
            self.by_word(&cmdline, module, Some(&needed), &mut found);
            self.refused(shelf, &cmdline, &rules, module, &needed, &mut found);
        }
        found
    }

    /// What modprobe.d of the root tree says of `module`, whatever is in the initrd.
    pub fn stops_in_root_tree(&self, module: &str) -> Vec<Evidence> {
        let rules = self.view.modprobe().map(|rules| self.view.all(rules)).unwrap_or_default();
        let rules: Vec<Rule<'_>> = rules.iter().map(|rule| (None, rule)).collect();
        let blacklist = rules.iter().find(|(_, rule)| is_blacklist(rule, module)).copied();
        let refusal = command_of(&rules, module).filter(|(_, rule)| refuses(&rule.rest));
        blacklist.into_iter().chain(refusal).map(|rule| self.by_rule(rule, module)).collect()
    }

    /// Words that stop `named`, which is `module` or what it needs; `None` for what is built in.
    fn by_word(&self, cmdline: &Cmdline, module: &str, named: Option<&str>, found: &mut Vec<Evidence>) {
        let name = named.unwrap_or(module);
        let behind = if name == module { String::new() } else { format!(", which {module} needs") };
        for stop in cmdline.stops(name, named.is_some()) {
            match stop {
                Stop::Certain(word) => {
                    let evidence = self.at_line(format!("{word}: Linux refuses {name}{behind}"));
                    found.push(evidence.mend(unword(&word)));
                }
                Stop::Possible(word) if name == module => self.doubt(&word, module),
                Stop::Possible(_) => {}
            }
        }
    }

    fn doubt(&self, word: &str, module: &str) {
        let reason = format!("{word} is on the command line: whether {module} still comes up is not known");
        self.view.miss(Gap::at(self.entry.config.clone(), reason));
    }

    /// The `blacklist` that keeps devices from loading `module`, unless something loads it by name all the same, or
    /// nothing asks for it but what depends on it.
    fn blacklisted(
        &self,
        shelf: &Shelf<'_, 'a>,
        cmdline: &Cmdline,
        rules: &[Rule<'a>],
        module: &str,
        file: &File<'a>,
    ) -> Option<Evidence> {
        let by_word = cmdline.blacklists(module, !shelf.is_late());
        let by_rule = rules.iter().find(|(_, rule)| is_blacklist(rule, module));
        if by_word.is_empty() && by_rule.is_none() {
            return None;
        }
        let has_aliases = shelf.read_of(file).is_none_or(|record| !record.aliases.is_empty());
        if !has_aliases && shelf.is_brought(module) {
            return None;
        }
        if !shelf.is_late() && cmdline.load_of(module).is_some() {
            return None;
        }
        let by_name = self.view.certain(|view| shelf.load_of(view, module, |load| load.is_forced).is_some());
        if by_name != Some(false) {
            return None;
        }
        if let Some(rule) = by_rule {
            return Some(self.by_rule(*rule, module));
        }
        let certain = by_word.iter().find_map(|stop| match stop {
            Stop::Certain(word) => Some(word),
            Stop::Possible(_) => None,
        });
        for stop in by_word.iter().filter(|_| certain.is_none()) {
            if let Stop::Possible(word) = stop {
                self.doubt(word, module);
            }
        }
        certain.map(|word| self.at_line(format!("{word}: no device loads {module}")).mend(unword(word)))
    }

    /// The `install` command or the missing signature that stops `name`, which is `module` or what it needs.
    fn refused(
        &self,
        shelf: &Shelf<'_, 'a>,
        cmdline: &Cmdline,
        rules: &[Rule<'a>],
        module: &str,
        name: &str,
        found: &mut Vec<Evidence>,
    ) {
        let subject = if name == module { module.to_owned() } else { format!("{name}, which {module} needs,") };
        if let Some((archive, rule)) = command_of(rules, name) {
            if refuses(&rule.rest) {
                found.push(self.by_rule((archive, rule), &subject));
            } else {
                let reason = format!("{}: whether this command loads {subject} is not known", line_of(rule));
                self.view.miss(Gap::at(archive.unwrap_or(&rule.path), reason));
            }
        }
        let is_forced = self.option("CONFIG_MODULE_SIG_FORCE").is_some_and(|(value, _)| value == "y");
        let word = cmdline.signature_word().map(str::to_owned);
        let Some(cause) = word.or_else(|| is_forced.then(|| "CONFIG_MODULE_SIG_FORCE=y".to_owned())) else { return };
        let Some(Place::File(file)) = shelf.place(name) else { return };
        let signed = shelf.read_of(&file).and_then(|record| self.view.need(&record.is_signed));
        if signed == Some(&false) {
            found.push(self.at_line(format!("{cause}: Linux refuses {subject} for it carries no signature")));
        }
    }

    /// Keeps the gap of an `alias` that leads from this module's name or devices elsewhere.
    fn doubt_aliases(&self, shelf: &Shelf<'_, 'a>, rules: &[Rule<'a>], module: &str, file: &File<'a>) {
        let aliases = shelf.read_of(file).map(|record| record.aliases.as_slice()).unwrap_or_default();
        let leads = |rule: &ModprobeRule| {
            matches(&rule.module, module) || aliases.iter().any(|alias| may_overlap(&rule.module, alias))
        };
        for (archive, rule) in rules.iter().filter(|(_, rule)| rule.command == "alias" && rule.rest != module) {
            if leads(rule) {
                let reason = format!("{}: whether {module} is still loaded is not known", line_of(rule));
                self.view.miss(Gap::at(archive.unwrap_or(&rule.path), reason));
            }
        }
    }

    fn by_rule(&self, (archive, rule): Rule<'_>, subject: &str) -> Evidence {
        let effect = if rule.command == "blacklist" { "no device loads" } else { "modprobe does not load" };
        let (line, place) = (line_of(rule), &rule.path);
        match archive {
            None => {
                let evidence = self.at(place.clone(), format!("{line}: {effect} {subject}")).line(rule.line);
                evidence.mend(format!("remove this line from {place}"))
            }
            Some(archive) => {
                let evidence = self.at(archive, format!("{line} ({place}:{}): {effect} {subject}", rule.line));
                evidence.mend(format!("remove this line from {place} and build the initrd again"))
            }
        }
    }

    /// The module files that `file` depends on; what could not be read is a gap of the view.
    fn needs(&self, shelf: &Shelf<'_, 'a>, file: &File<'a>) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut queue = vec![*file];
        while let Some(file) = queue.pop() {
            // Whether modprobe finds them is not asked here: the closure is.
            let Some(record) = shelf.read_of(&file).or_else(|| shelf.record(&file)) else { continue };
            for needs in record.depends.iter().filter(|needs| !needs.is_empty()) {
                if seen.len() >= MAX_CLOSURE {
                    let reason = format!("{} depends on more than {MAX_CLOSURE} modules", record.name);
                    self.view.miss(Gap::at(self.attempt.kernel.clone(), reason));
                    return seen;
                }
                if !seen.contains(needs)
                    && let Some(Place::File(file)) = shelf.place(needs)
                {
                    seen.insert(needs.clone());
                    queue.push(file);
                }
            }
        }
        seen
    }
}

fn is_blacklist(rule: &ModprobeRule, module: &str) -> bool {
    rule.command == "blacklist" && rule.module == module
}

/// Of several `install` commands for a module the first counts (`kmod_module_get_install_commands`).
fn command_of<'a>(rules: &[Rule<'a>], module: &str) -> Option<Rule<'a>> {
    rules.iter().find(|(_, rule)| rule.command == "install" && matches(&rule.module, module)).copied()
}

/// Whether a command does nothing, well or badly: the module is not loaded, and what needs it fails.
fn refuses(command: &str) -> bool {
    let mut words = command.split_ascii_whitespace();
    let name = words.next().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    matches!(name, "true" | "false" | ":" | "exit") && !command.contains([';', '&', '|', '$', '`', '<', '>', '('])
}

/// Whether one name could match both patterns: up to their first wildcard neither says otherwise.
fn may_overlap(a: &str, b: &str) -> bool {
    let literal = |pattern: &str| {
        let end = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
        (pattern.get(..end).unwrap_or_default().replace('-', "_"), end == pattern.len())
    };
    let ((a, a_is_whole), (b, b_is_whole)) = (literal(a), literal(b));
    if a_is_whole && b_is_whole { a == b } else { a.starts_with(&b) || b.starts_with(&a) }
}

fn line_of(rule: &ModprobeRule) -> String {
    format!("{} {} {}", rule.command, rule.module, rule.rest).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_load_nothing() {
        for (command, is) in [
            ("/bin/false", true),
            ("/usr/bin/true", true),
            (" /bin/true  # why", true),
            ("exit 1", true),
            (":", true),
            ("/bin/true; modprobe --ignore-install x", false),
            ("/bin/true && /sbin/insmod x", false),
            ("/sbin/modprobe --ignore-install x", false),
            ("/bin/falsehood", false),
            ("", false),
        ] {
            assert_eq!(refuses(command), is, "{command}");
        }
    }

    #[test]
    fn patterns_that_may_meet() {
        for (a, b, may) in [
            ("virtio:d00000008v*", "virtio:d00000008v*", true),
            ("virtio:*", "virtio:d00000008v*", true),
            ("*", "virtio:d00000008v*", true),
            ("pci:v000010DEd*", "pci:v00001AF4d*sv*", false),
            ("fs_ext4", "fs-ext4", true),
            ("fs_ext", "fs-ext4", false),
            ("scsi_hostadapter", "virtio:d00000008v*", false),
        ] {
            assert_eq!(may_overlap(a, b), may, "{a} {b}");
        }
    }
}
