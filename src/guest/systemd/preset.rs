//! Units that presets enable when the image boots for the first time (`man 5 systemd.preset`; src/core/manager.c,
//! `manager_preset_all`; src/shared/install.c, `unit_file_preset_all`).

use super::conf_files;
use super::install::{self, Info};
use super::name::{self, Kind};
use super::start::Pull;
use super::tree::{Entries, Node, Tree};
use crate::bytes::text;
use crate::disk::filesystem::{GuestPath, Root};
use crate::error::{ErrorKind, Result};
use crate::fact::Gap;
use crate::guest::UnitStart;
use crate::limits::Limits;
use std::collections::BTreeSet;

/// In systemd's order; of equal names the first counts.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system-preset",
    "/usr/local/lib/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
];

/// The first version to which `uninitialized` in /etc/machine-id means the first boot (NEWS of 247).
const FIRST_WITH_UNINITIALIZED: u32 = 247;

/// Whether systemd takes the boot for the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FirstBoot {
    /// /etc/machine-id is there, an empty one too.
    No,
    /// It is absent, or says `uninitialized`.
    Yes,
    /// Why that is not known.
    Unknown(Gap),
}

/// `log_execution_mode` of src/core/main.c: an empty file is no first boot.
pub(super) fn first_boot(root: &Root, limits: &Limits) -> FirstBoot {
    let path = "/etc/machine-id";
    let bytes = match root.read_if_exists(path, limits.config_file) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return FirstBoot::Yes,
        Err(error) => return FirstBoot::Unknown(error.into()),
    };
    if bytes.split(|byte| *byte == b'\n').next() != Some(b"uninitialized") {
        return FirstBoot::No;
    }
    match version(root) {
        Some(version) if version < FIRST_WITH_UNINITIALIZED => FirstBoot::No,
        Some(_) => FirstBoot::Yes,
        None => {
            let reason = "it says \"uninitialized\", which is the first boot only to systemd 247 and later; its version is not known";
            FirstBoot::Unknown(Gap::at(path, reason))
        }
    }
}

/// systemd's version, from the name of its library.
pub(super) fn version(root: &Root) -> Option<u32> {
    const PATTERNS: &[&str] = &[
        "/usr/lib/systemd/libsystemd-shared-*.so",
        "/usr/lib/*/systemd/libsystemd-shared-*.so",
        "/usr/lib64/systemd/libsystemd-shared-*.so",
        "/lib/systemd/libsystemd-shared-*.so",
    ];
    let paths = PATTERNS.iter().flat_map(|pattern| root.glob(pattern).items);
    let number = |path: GuestPath| {
        let path = path.to_text();
        let (_, rest) = path.rsplit_once("libsystemd-shared-")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    paths.filter_map(number).min()
}

/// What presets do at the first boot.
#[derive(Debug, Default)]
pub(super) struct Presets {
    /// Links that they make.
    pub(super) pulls: Vec<Pull>,
    /// Units that they disable, with the rule, where systemd is built to do so (`first-boot-full-preset`).
    pub(super) disabled: Vec<(String, String)>,
    /// What could not be read.
    pub(super) gaps: Vec<Gap>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Enable,
    Disable,
    Ignore,
}

#[derive(Debug)]
struct Rule {
    action: Action,
    pattern: String,
    instances: Vec<String>,
    path: String,
    line: u32,
}

/// Asks the rules of every unit file; a unit that no rule names is enabled.
pub(super) fn read(tree: &Tree<'_>) -> Presets {
    let mut presets = Presets::default();
    let rules = match rules(tree) {
        Ok(rules) => rules,
        Err(error) => {
            presets.gaps.push(error.into());
            return presets;
        }
    };
    let names: BTreeSet<&String> = tree.at_boot().flat_map(|folder| folder.units.keys()).collect();
    let mut applied = BTreeSet::new();
    for name in names {
        let Ok(info) = install::discover(tree, name) else { continue };
        if info.name != *name || info.is_masked() {
            continue;
        }
        let rule = rules.iter().find(|rule| rule.names(name));
        let place = rule.map_or_else(|| (info.path.to_text(), None), |rule| (rule.path.clone(), Some(rule.line)));
        match rule.map_or(Action::Enable, |rule| rule.action) {
            Action::Ignore => {}
            Action::Disable => {
                let line = place.1.unwrap_or_default();
                presets.disabled.push((name.clone(), format!("{}, line {line}", place.0)));
            }
            Action::Enable => {
                let instances = rule.map_or(&[][..], |rule| rule.instances.as_slice());
                let is_template = name::kind(name) == Some(Kind::Template) && !instances.is_empty();
                let of_rule = instances.iter().map(|instance| name::with_instance(name, instance));
                let mut names: Vec<String> = if is_template { of_rule.collect() } else { vec![name.clone()] };
                // `Also=` is followed, every unit once.
                while let Some(name) = names.pop() {
                    if !applied.insert(name.clone()) {
                        continue;
                    }
                    let Ok(info) = install::discover(tree, &name) else { continue };
                    if !info.is_masked() {
                        presets.pulls.extend(links(&info, &place));
                        names.extend(info.also);
                    }
                }
            }
        }
    }
    presets
}

/// The links that `systemctl enable` makes (`install_info_symlink_wants`). `Alias=` starts nothing by itself.
fn links(info: &Info, (path, line): &(String, Option<u32>)) -> Vec<Pull> {
    let default = info.default_instance.as_deref();
    let unit = match (name::kind(&info.name), default) {
        (Some(Kind::Template), Some(default)) => name::with_instance(&info.name, default),
        // Without an instance nothing of it starts.
        (Some(Kind::Template), None) => return Vec::new(),
        _ => info.name.clone(),
    };
    let targets = info.wanted_by.iter().chain(&info.required_by).chain(&info.upheld_by);
    let pull = |target: &String| {
        let of = name::expand(target, &info.name, default);
        let start = UnitStart { by: "preset".to_owned(), of, path: path.clone(), line: *line };
        Pull { unit: unit.clone(), start, is_certain: true }
    };
    targets.map(pull).collect()
}

impl Rule {
    /// A pattern with instances names the template and those (`pattern_match_multiple_instances`).
    fn names(&self, name: &str) -> bool {
        if !self.instances.is_empty() && name::template(name).is_some_and(|template| template == self.pattern) {
            return name::kind(name) == Some(Kind::Template)
                || name::instance(name).is_some_and(|own| self.instances.iter().any(|instance| instance == own));
        }
        matches(self.pattern.as_bytes(), name.as_bytes())
    }
}

fn rules(tree: &Tree<'_>) -> Result<Vec<Rule>> {
    let mut folders: Vec<(GuestPath, Entries)> = Vec::new();
    for folder in FOLDERS {
        match tree.root.list(folder) {
            Ok(listing) => {
                let entries = listing.items.iter().map(|entry| (text(&entry.name), Node::File)).collect();
                folders.push((GuestPath::new(folder), entries));
            }
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let mut rules = Vec::new();
    for path in conf_files(folders.iter().map(|(path, entries)| (path.clone(), entries)), ".preset") {
        match tree.root.read(&path, tree.limits.config_file) {
            Ok(bytes) => rules.extend(parse(&path.to_text(), &bytes)),
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(rules)
}

fn parse(path: &str, bytes: &[u8]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (line, text) in (1_u32..).zip(text(bytes).lines()) {
        let text = text.trim();
        let Some((word, rest)) = text.split_once([' ', '\t']) else { continue };
        let rest = rest.trim();
        let action = match word {
            "enable" => Action::Enable,
            "disable" => Action::Disable,
            "ignore" => Action::Ignore,
            _ => continue,
        };
        // Only `enable` takes instances; the others match the rest of the line.
        let (pattern, instances) = match rest.split_once([' ', '\t']) {
            Some((pattern, instances)) if action == Action::Enable => {
                if name::kind(pattern) != Some(Kind::Template) {
                    continue;
                }
                (pattern, instances.split_whitespace().map(str::to_owned).collect())
            }
            _ => (rest, Vec::new()),
        };
        rules.push(Rule { action, pattern: pattern.to_owned(), instances, path: path.to_owned(), line });
    }
    rules
}

/// `fnmatch` with `FNM_NOESCAPE`.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // The place to return to when what follows the last `*` does not match.
    let mut retry: Option<(&[u8], &[u8])> = None;
    let (mut pattern, mut name) = (pattern, name);
    loop {
        let step = match (pattern, name) {
            ([], []) => return true,
            ([b'*', rest @ ..], _) => {
                retry = Some((rest, name));
                pattern = rest;
                continue;
            }
            ([b'?', rest @ ..], [_, tail @ ..]) => Some((rest, tail)),
            ([b'[', rest @ ..], [byte, tail @ ..]) => match class(rest, *byte) {
                Some((true, rest)) => Some((rest, tail)),
                Some((false, _)) => None,
                None => (*byte == b'[').then_some((rest, tail)),
            },
            ([first, rest @ ..], [byte, tail @ ..]) if first == byte => Some((rest, tail)),
            _ => None,
        };
        match (step, retry) {
            (Some((rest, tail)), _) => (pattern, name) = (rest, tail),
            (None, Some((rest, [_, tail @ ..]))) => {
                retry = Some((rest, tail));
                (pattern, name) = (rest, tail);
            }
            (None, _) => return false,
        }
    }
}

/// Whether `byte` is in the class that begins after `[`, and what follows it; `None` when it is never closed.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (is_negated, body) = match pattern {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    // A bracket that comes first is itself.
    let end = body.iter().skip(1).position(|byte| *byte == b']')?.checked_add(1)?;
    let (set, rest) = body.split_at_checked(end)?;
    let mut found = false;
    let mut set = set;
    while let [first, tail @ ..] = set {
        (found, set) = match tail {
            [b'-', last, tail @ ..] => (found || (*first..=*last).contains(&byte), tail),
            _ => (found || *first == byte, tail),
        };
    }
    Some((found != is_negated, rest.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    #[test]
    fn patterns_as_fnmatch_has_them() {
        for (pattern, name, expected) in [
            ("*", "a.service", true),
            ("a*.service", "abc.service", true),
            ("a*c*.service", "abbcb.service", true),
            ("a?.service", "a.service", false),
            ("[ab].service", "b.service", true),
            ("[!ab].service", "b.service", false),
            ("[a-c]x", "bx", true),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("", "", true),
            ("*a", "b", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        assert!(!matches("*a".repeat(100).as_bytes(), "b".repeat(100_000).as_bytes()));
    }

    #[test]
    fn the_first_boot() {
        let library = "/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so";
        let old = "/usr/lib/systemd/libsystemd-shared-239.so";
        for (id, library, expected) in [
            (None, library, Some(true)),
            (Some(""), library, Some(false)),
            (Some("\n"), library, Some(false)),
            (Some("uninitialized\n"), library, Some(true)),
            (Some("uninitialized"), old, Some(false)),
            (None, old, Some(true)),
            (Some("uninitialized"), "/x", None),
            (Some("0123"), library, Some(false)),
        ] {
            let tree = Memory::new("ext4", "", "").file(library, "").folder("/etc");
            let tree = id.into_iter().fold(tree, |tree, id| tree.file("/etc/machine-id", id));
            let found = match first_boot(&tree.root(), &Limits::default()) {
                FirstBoot::Yes => Some(true),
                FirstBoot::No => Some(false),
                FirstBoot::Unknown(_) => None,
            };
            assert_eq!(found, expected, "{id:?} {library}");
        }
    }
}
