//! A menu → what can be started from it, and what is started when nobody chooses (`grub-core/normal/menu.c`).

use super::environment::{Environment, Value, cost};
use super::evaluator::{Evaluator, Frame};
use super::parser::Block;
use crate::guest::bootloader::entry::{Attempt, Config, Entry, MAX_ENTRIES, Place, REACHED, Reach};
use std::rc::Rc;

/// One row of a menu.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) line: u32,
    pub(super) config: Rc<Config>,
    pub(super) body: Block,
    /// The title and what follows it.
    pub(super) arguments: Vec<Value>,
    pub(super) is_submenu: bool,
    /// `--unrestricted`: started without a password whatever `superusers` says.
    pub(super) is_unrestricted: bool,
    /// Conditions that nobody can decide, under which the row is there.
    pub(super) when: Vec<String>,
}

/// One way through an entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    pub(super) when: Vec<String>,
    /// Variables that must have been saved for it to be taken at a later start.
    pub(super) needs: Vec<String>,
    pub(super) loaded: Option<Loaded>,
    /// `boot`, `reboot` and their like have ended it: what follows changes nothing.
    pub(super) is_ended: bool,
}

/// What would be started.
#[derive(Clone, Debug)]
pub(super) enum Loaded {
    Linux {
        line: u32,
        kernel: Place,
        cmdline: Value,
        initrds: Vec<Place>,
        reach: Reach,
    },
    /// Another loader, another system, the firmware's menu.
    Foreign,
}

/// An entry, and what keeps GRUB from starting it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) entry: Entry,
    pub(crate) reach: Reach,
}

/// Which row is started when nobody chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    /// Its index, and the path below it.
    One(usize, String),
    /// None can be excluded.
    Any,
}

impl Evaluator<'_> {
    /// The entries of the menu that `frame` has built; `above` are the ids of its submenus, `is_chosen` says whether
    /// those are what is started.
    pub(super) fn entries(&mut self, frame: &Frame, above: &[String], is_chosen: bool, entries: &mut Vec<Found>) {
        let default = frame.environment.get("default");
        let choice = choose(&frame.items, default.as_deref(), frame.doubt, self.has_bls);
        for (index, item) in frame.items.iter().enumerate() {
            let (is_default, below) = match &choice {
                Choice::One(chosen, below) => (is_chosen && *chosen == index, Some(below.clone())),
                Choice::Any => (is_chosen, None),
            };
            // What its body runs in, and the ids that it carries.
            let copied = above.iter().map(|id| cost(id)).fold(frame.environment.size(), u64::saturating_add);
            if !self.spend(copied.saturating_add(cost(&item.id))) {
                return;
            }
            if entries.len() >= MAX_ENTRIES {
                return self.gap(
                    frame,
                    item.line,
                    format!("more than {MAX_ENTRIES} boot entries; the rest is not read"),
                );
            }
            if is_default {
                self.attended(item, frame, above.is_empty());
            }
            let mut ids = above.to_vec();
            ids.push(item.id.clone());
            if item.is_submenu {
                self.submenu(item, frame, &ids, is_default, below, entries);
            } else {
                self.entry_of(item, frame, ids, is_default, entries);
            }
        }
    }

    /// What keeps the default from being started when nobody is there (`grub-core/normal/menu.c`, `auth.c`).
    fn attended(&mut self, item: &Item, frame: &Frame, is_top: bool) {
        let timeout = frame.environment.get("timeout");
        // In a submenu that the default leads to, GRUB itself sets it to 0.
        match timeout.as_deref().map(ends) {
            _ if !is_top => {}
            Some(true) => {}
            Some(false) => {
                let cause = format!(
                    "nothing is started before somebody presses a key: timeout is `{}`, and expected is a number from 0 on",
                    timeout.as_deref().unwrap_or_default()
                );
                self.gap(frame, item.line, cause);
            }
            None => self.gap(frame, item.line, "how long the menu waits for a key is not known before the start"),
        }
        if frame.environment.is_set("superusers") && !item.is_unrestricted {
            let cause =
                format!("`{}` is started only with a password: superusers is set, without --unrestricted", item.title);
            self.gap(frame, item.line, cause);
        }
    }

    fn submenu(
        &mut self,
        item: &Item,
        frame: &Frame,
        ids: &[String],
        is_default: bool,
        below: Option<String>,
        entries: &mut Vec<Found>,
    ) {
        if frame.depth >= 8 {
            return self.gap(frame, item.line, "submenus are nested too deeply");
        }
        let mut inner = body_frame(item, frame, frame.environment.nested());
        inner.environment.set("default", below);
        self.run(&item.body, &mut inner);
        self.entries(&inner, ids, is_default, entries);
    }

    fn entry_of(&mut self, item: &Item, frame: &Frame, ids: Vec<String>, is_default: bool, entries: &mut Vec<Found>) {
        let mut inner = body_frame(item, frame, frame.environment.clone());
        inner.is_entry = true;
        inner.paths.iter_mut().for_each(|path| path.when.clone_from(&item.when));
        self.saved.clear();
        self.run(&item.body, &mut inner);
        inner.paths.retain(|path| path.needs.iter().all(|name| self.saved.contains(name)));
        let starts_linux = |path: &Path| matches!(path.loaded, Some(Loaded::Linux { .. }));
        if is_default && inner.paths.iter().any(starts_linux) && !inner.paths.iter().all(starts_linux) {
            self.gap(&inner, item.line, format!("one way through `{}` starts no Linux kernel", item.title));
        }
        let reach = reach(&inner.paths);
        let attempts = attempts(std::mem::take(&mut inner.paths));
        // os-prober's entries start what is installed on another disk or partition, with a title that says so.
        let is_prober = item.id.starts_with("osprober-");
        if attempts.is_empty() || is_prober {
            if is_default {
                let cause = format!(
                    "`{}` is started when nobody chooses, and it starts no Linux kernel of this guest",
                    item.title
                );
                self.gap(&inner, item.line, cause);
            }
            return;
        }
        let (title, config, line) = (item.title.clone(), Rc::clone(&item.config), item.line);
        entries.push(Found { entry: Entry { ids, title, config, line, is_default, attempts }, reach });
    }
}

/// Whether a menu with this `timeout` ends by itself: `grub_strtoul` takes no sign, and what is no number is no timeout.
pub(super) fn ends(timeout: &str) -> bool {
    timeout.trim_start().starts_with(|character: char| character.is_ascii_digit())
}

/// What each way starts, ways that start the same only once.
fn attempts(paths: Vec<Path>) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for path in paths {
        let Some(Loaded::Linux { line, kernel, cmdline, initrds, reach: _ }) = path.loaded else { continue };
        let attempt = Attempt { when: path.when.join(" and "), line, kernel, initrds, cmdline };
        let is_same = |other: &Attempt| {
            (other.line, &other.kernel, &other.initrds, &other.cmdline)
                == (attempt.line, &attempt.kernel, &attempt.initrds, &attempt.cmdline)
        };
        if !attempts.iter().any(is_same) {
            attempts.push(attempt);
        }
    }
    attempts
}

/// What keeps the first way that starts Linux from it.
fn reach(paths: &[Path]) -> Reach {
    let reach = |path: &Path| match &path.loaded {
        Some(Loaded::Linux { reach, .. }) => Some(reach.clone()),
        _ => None,
    };
    paths.iter().find_map(reach).unwrap_or(REACHED)
}

/// A configuration that ends with `boot` starts what it has loaded, before any menu.
pub(super) fn booted(frame: &mut Frame) -> Option<Found> {
    let reach = reach(&frame.paths);
    let attempts = attempts(std::mem::take(&mut frame.paths));
    let line = attempts.first().filter(|_| frame.is_booted)?.line;
    let config = Rc::clone(&frame.config);
    let (ids, title) = (vec!["boot".to_owned()], "boot".to_owned());
    Some(Found { entry: Entry { ids, title, config, line, is_default: true, attempts }, reach })
}

fn body_frame(item: &Item, frame: &Frame, mut environment: Environment) -> Frame {
    environment.arguments.clone_from(&item.arguments);
    Frame::new(environment, Rc::clone(&item.config), frame.depth.saturating_add(1))
}

/// `default` is an index, a title or an id, with those of submenus before it (`1>0`); `>>` is a plain `>`.
///
/// `doubt` is the first index at which another row than this one may stand. Upstream takes a name that begins with a
/// digit for an index, Red Hat's GRUB looks for the name first: where `is_red_hat` is not known, both must agree.
fn choose(items: &[Item], default: Option<&str>, doubt: Option<usize>, is_red_hat: bool) -> Choice {
    let Some(default) = default else { return Choice::Any };
    let (first, below) = split_path(default);
    let digits = first.len().saturating_sub(first.trim_start_matches(|it: char| it.is_ascii_digit()).len());
    let is_number = digits > 0 && digits == first.len();
    let named = items.iter().position(|item| item.id == first || item.title == first);
    let by_name = match named {
        Some(index) if !is_number => Choice::One(index, below.clone()),
        _ => numbered(&first, items.len(), &below, doubt),
    };
    if is_red_hat || digits == 0 || is_number {
        return by_name;
    }
    let by_number = numbered(first.get(..digits).unwrap_or_default(), items.len(), &below, doubt);
    if by_name == by_number { by_name } else { Choice::Any }
}

/// An empty default is the first row, and so is a name that is not there or an index out of range.
fn numbered(first: &str, rows: usize, below: &str, doubt: Option<usize>) -> Choice {
    let is_certain = |index: usize| doubt.is_none_or(|doubt| index < doubt);
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    // A number that begins with 0 is octal.
    if is_number && first.len() > 1 && first.starts_with('0') {
        return Choice::Any;
    }
    let index = first.parse().ok().filter(|&index: &usize| is_number && index < rows);
    match index {
        Some(index) if is_certain(index) => Choice::One(index, below.to_owned()),
        None if is_certain(0) && (first.is_empty() || doubt.is_none()) => Choice::One(0, String::new()),
        _ => Choice::Any,
    }
}

fn split_path(default: &str) -> (String, String) {
    let (mut first, mut rest) = (String::new(), default);
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        if character == '>' {
            match rest.strip_prefix('>') {
                Some(tail) => rest = tail,
                None => return (first, rest.to_owned()),
            }
        }
        first.push(character);
    }
    (first, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, title: &str) -> Item {
        Item {
            id: id.to_owned(),
            title: title.to_owned(),
            line: 1,
            config: Rc::new(Config { volume: 0, path: "/boot/grub/grub.cfg".to_owned() }),
            body: Rc::new([]),
            arguments: Vec::new(),
            is_submenu: false,
            is_unrestricted: false,
            when: Vec::new(),
        }
    }

    #[test]
    fn defaults_are_resolved_as_grub_does() {
        let items = [item("simple", "Debian"), item("advanced", "Advanced > more"), item("9ab-6.1", "third")];
        let one = |index: usize, below: &str| Choice::One(index, below.to_owned());
        for (default, certain, doubtful) in [
            (Some(""), one(0, ""), one(0, "")),
            (Some("0"), one(0, ""), one(0, "")),
            (Some("1>0"), one(1, "0"), Choice::Any),
            (Some("1>2>3"), one(1, "2>3"), Choice::Any),
            (Some("advanced>x"), one(1, "x"), one(1, "x")),
            (Some("Advanced >> more"), one(1, ""), one(1, "")),
            (Some("Debian"), one(0, ""), one(0, "")),
            (Some("7"), one(0, ""), Choice::Any),
            (Some("nowhere"), one(0, ""), Choice::Any),
            (Some("9ab-6.1"), Choice::Any, Choice::Any),
            (Some("9ab-6.2"), one(0, ""), Choice::Any),
            (Some("1ab-6.1"), Choice::Any, Choice::Any),
            (None, Choice::Any, Choice::Any),
        ] {
            assert_eq!(choose(&items, default, None, false), certain, "{default:?}");
            assert_eq!(choose(&items, default, Some(1), false), doubtful, "{default:?}");
        }
        assert_eq!(choose(&items, Some("0"), Some(0), false), Choice::Any);
        for (default, expected) in [
            ("9ab-6.1", one(2, "")),
            ("7ab-6.1", one(0, "")),
            ("2", one(2, "")),
            ("02", Choice::Any),
            ("99999999999999999999", one(0, "")),
        ] {
            assert_eq!(choose(&items, Some(default), None, true), expected, "{default}");
        }
    }
}
