//! Runs a script as far as it can be known: what depends on the machine runs both ways.

use super::condition::{self, Asked};
use super::environment::{Environment, Value};
use super::lexer::{Part, Word};
use super::menu::{Item, Loaded, Path};
use super::parser::{Block, Branch, Statement, parse};
use crate::disk::filesystem::FileType;
use crate::error::ErrorKind;
use crate::fact::Gap;
use crate::guest::bootloader::disk::{Disk, Found};
use crate::limits::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Commands run and variables copied for one configuration; Ubuntu's with twenty kernels needs 20 000.
const MAX_STEPS: u64 = 2_000_000;
/// Functions, sourced files and submenus within each other.
const MAX_DEPTH: usize = 16;
/// Ways through one entry that are kept apart; Ubuntu's `initrdfail` makes two.
const MAX_PATHS: usize = 16;

/// Commands that start Linux or bring in further entries.
const LINUX: &[&str] = &[
    "linux",
    "linux16",
    "linuxefi",
    "configfile",
    "normal",
    "source",
    ".",
    "blscfg",
    "legacy_configfile",
    "syslinux_configfile",
    "extract_entries_source",
    "extract_entries_configfile",
];
/// Others that change what an entry starts.
const LOADING: &[&str] =
    &["boot", "initrd", "initrd16", "initrdefi", "chainloader", "multiboot", "multiboot2", "fwsetup", "exit"];

/// A configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Config {
    /// Index of its volume.
    pub(crate) volume: usize,
    /// Path there.
    pub(crate) path: String,
}

/// Where a path of the configuration leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Index of the volume, and the path there.
    On(usize, String),
    /// A device that is not in this image.
    Elsewhere(String),
    /// It depends on something unknown.
    Unknown,
}

/// What one script, function or entry runs in.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) environment: Environment,
    pub(super) config: Rc<Config>,
    pub(super) items: Vec<Item>,
    pub(super) paths: Vec<Path>,
    /// Conditions that nobody can decide, under which this runs.
    pub(super) when: Vec<String>,
    /// Index of the first row that may not be there, or before which others may be; `None` when all is certain.
    pub(super) doubt: Option<usize>,
    /// Whether this is an entry's body, not a menu's.
    pub(super) is_entry: bool,
    /// The menu that `configfile` has replaced this one with.
    pub(super) replaced: Option<Box<Frame>>,
    pub(super) depth: usize,
}

impl Frame {
    pub(super) fn new(environment: Environment, config: Rc<Config>, depth: usize) -> Self {
        Self {
            environment,
            config,
            items: Vec::new(),
            paths: vec![Path::default()],
            when: Vec::new(),
            doubt: None,
            is_entry: false,
            replaced: None,
            depth,
        }
    }

    /// From here on rows may be missing, or not be there.
    pub(super) fn doubt(&mut self) {
        self.doubt.get_or_insert(self.items.len());
    }
}

/// How a command ended: its status, where that is known, and whether the script ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) status: Option<bool>,
    pub(super) is_end: bool,
}

impl Outcome {
    pub(super) const DONE: Self = Self { status: Some(true), is_end: false };
    pub(super) const UNKNOWN: Self = Self { status: None, is_end: false };
    pub(super) const END: Self = Self { status: Some(true), is_end: true };

    pub(super) fn of(status: Option<bool>) -> Self {
        Self { status, is_end: false }
    }
}

/// Runs scripts against the volumes of a disk.
#[derive(Debug)]
pub(super) struct Evaluator<'a> {
    pub(super) disk: &'a Disk,
    pub(super) limits: &'a Limits,
    pub(super) gaps: Vec<Gap>,
    functions: BTreeMap<String, Block>,
    /// Functions that start something.
    loading: BTreeSet<String>,
    /// Variables that the configuration saves: they may differ at the next start.
    persistent: BTreeSet<String>,
    /// Variables that the entry in hand has saved.
    pub(super) saved: BTreeSet<String>,
    steps: u64,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(disk: &'a Disk, limits: &'a Limits) -> Self {
        Self {
            disk,
            limits,
            gaps: Vec::new(),
            functions: BTreeMap::new(),
            loading: BTreeSet::new(),
            persistent: BTreeSet::new(),
            saved: BTreeSet::new(),
            steps: 0,
        }
    }

    /// Reads a file and runs it in `frame`.
    pub(super) fn run_file(&mut self, place: &Place, frame: &mut Frame) -> Outcome {
        let Place::On(volume, path) = place else { return Outcome::of(Some(false)) };
        let read = self.disk.root(*volume).and_then(|root| root.read(path, self.limits.boot_config));
        match read {
            Ok(bytes) => {
                let script = parse(&bytes);
                self.note_saved(&script.statements);
                let outcome = self.run(&script.statements, frame);
                if let Some((line, cause)) = script.error {
                    frame.doubt();
                    self.gap(frame, line, format!("{cause}; what follows is not read"));
                }
                outcome
            }
            Err(error) if error.kind == ErrorKind::NotFound => Outcome::of(Some(false)),
            Err(error) => {
                frame.doubt();
                self.gaps.push(error.at(path.clone()).into());
                Outcome::UNKNOWN
            }
        }
    }

    pub(super) fn gap(&mut self, frame: &Frame, line: u32, cause: impl AsRef<str>) {
        let gap = Gap::at(frame.config.path.clone(), format!("line {line}: {}", cause.as_ref()));
        if !self.gaps.contains(&gap) && self.gaps.len() < self.limits.list_rows.min(1000) {
            self.gaps.push(gap);
        }
    }

    /// Counts `steps`; false once there were too many.
    pub(super) fn spend(&mut self, steps: u64) -> bool {
        let before = self.steps;
        self.steps = before.saturating_add(steps);
        if before <= MAX_STEPS && self.steps > MAX_STEPS {
            self.gaps.push(Gap::new(format!("grub.cfg: more than {MAX_STEPS} steps; the rest is not run")));
        }
        self.steps <= MAX_STEPS
    }

    pub(super) fn run(&mut self, block: &[Statement], frame: &mut Frame) -> Outcome {
        let mut last = Outcome::DONE;
        for statement in block {
            if !self.spend(1) {
                frame.doubt();
                return Outcome { status: None, is_end: true };
            }
            last = self.statement(statement, frame);
            if last.is_end {
                break;
            }
        }
        last
    }

    fn statement(&mut self, statement: &Statement, frame: &mut Frame) -> Outcome {
        match statement {
            Statement::Command { line, words, block } => self.command(*line, words, block.as_ref(), frame),
            Statement::If { branches, otherwise } => self.branches(branches, otherwise, frame),
            Statement::Function { name, body } => {
                if self.is_loading(body) {
                    self.loading.insert(name.clone());
                }
                self.functions.insert(name.clone(), Rc::clone(body));
                Outcome::DONE
            }
            Statement::For { name, words, body } => {
                for value in frame.environment.expand(words) {
                    let value = value.filter(|value| !value.contains('*'));
                    frame.environment.set(name, value);
                    let outcome = self.run(body, frame);
                    if outcome.is_end {
                        return outcome;
                    }
                }
                Outcome::UNKNOWN
            }
            Statement::While { line, body } => {
                if self.is_loading(body) {
                    frame.doubt();
                    self.gap(frame, *line, "a loop that this version does not run");
                }
                self.either("a loop", frame, |this, frame| this.run(body, frame), |_, _| Outcome::DONE);
                Outcome::UNKNOWN
            }
        }
    }

    /// `if` and what is left of its `elif`s.
    fn branches(&mut self, branches: &[Branch], otherwise: &Block, frame: &mut Frame) -> Outcome {
        let Some((branch, rest)) = branches.split_first() else { return self.run(otherwise, frame) };
        let status = self.run(&branch.condition, frame).status;
        let is_loading = self.is_loading(&branch.body)
            || rest.iter().any(|branch| self.is_loading(&branch.body))
            || self.is_loading(otherwise);
        let saved = if frame.is_entry && is_loading { self.saved_in(&branch.condition) } else { Vec::new() };
        match status {
            Some(true) if saved.is_empty() => self.run(&branch.body, frame),
            Some(false) if saved.is_empty() => self.branches(rest, otherwise, frame),
            _ => {
                if status.is_none() && is_loading {
                    let line = first_line(&branch.body).or(first_line(otherwise)).unwrap_or(0);
                    self.gap(frame, line, format!("whether `{}` holds is not known before the start", branch.when));
                }
                let body = |this: &mut Self, frame: &mut Frame| this.run(&branch.body, frame);
                let others = |this: &mut Self, frame: &mut Frame| this.branches(rest, otherwise, frame);
                self.fork(Fork { when: &branch.when, status, is_loading, saved }, frame, body, others)
            }
        }
    }

    fn either(
        &mut self,
        when: &str,
        frame: &mut Frame,
        one: impl FnOnce(&mut Self, &mut Frame) -> Outcome,
        two: impl FnOnce(&mut Self, &mut Frame) -> Outcome,
    ) -> Outcome {
        self.fork(Fork { when, status: None, is_loading: true, saved: Vec::new() }, frame, one, two)
    }

    /// Runs both ways. The one that the present variables choose comes first and leaves its variables; when nobody
    /// knows, the first is `one` and only variables that agree stay known.
    fn fork(
        &mut self,
        fork: Fork<'_>,
        frame: &mut Frame,
        one: impl FnOnce(&mut Self, &mut Frame) -> Outcome,
        two: impl FnOnce(&mut Self, &mut Frame) -> Outcome,
    ) -> Outcome {
        self.spend(frame.environment.size().saturating_mul(2));
        let holds = fork.when.to_owned();
        let fails = format!("not ({holds})");
        let mut sides = [holds, fails].map(|when| {
            let mut side = Frame::new(frame.environment.clone(), Rc::clone(&frame.config), frame.depth);
            side.is_entry = frame.is_entry;
            side.when.clone_from(&frame.when);
            side.paths.clone_from(&frame.paths);
            if fork.is_loading {
                side.when.push(when.clone());
                for path in &mut side.paths {
                    path.when.push(when.clone());
                }
            }
            side
        });
        let [first, second] = &mut sides;
        let outcomes = [one(self, first), two(self, second)];
        let [first, second] = sides;
        let (first, mut second) = if fork.status == Some(false) { (second, first) } else { (first, second) };
        // Another start takes the other way only if this one has saved what decides.
        if fork.status.is_some() {
            second.paths.iter_mut().for_each(|path| path.needs.extend(fork.saved.iter().cloned()));
        }
        if [&first, &second].into_iter().any(|side| side.doubt.is_some() || !side.items.is_empty()) {
            frame.doubt();
        }
        frame.environment = first.environment;
        if fork.status.is_none() {
            frame.environment.join(&second.environment);
        }
        frame.items.extend(first.items.into_iter().chain(second.items));
        if fork.is_loading {
            frame.paths = first.paths.into_iter().chain(second.paths).collect();
            if frame.paths.len() > MAX_PATHS {
                frame.paths.truncate(MAX_PATHS);
                self.gap(frame, 0, format!("more than {MAX_PATHS} ways through one entry"));
            }
        }
        if frame.replaced.is_none() {
            frame.replaced = first.replaced.or(second.replaced);
        }
        let [a, b] = outcomes;
        Outcome { status: a.status.filter(|_| a.status == b.status), is_end: a.is_end && b.is_end }
    }

    /// Whether a block may change what is started; menu entries count when they start Linux.
    fn is_loading(&self, block: &[Statement]) -> bool {
        self.holds(block, &|name| LINUX.contains(&name) || LOADING.contains(&name))
    }

    fn holds(&self, block: &[Statement], counts: &dyn Fn(&str) -> bool) -> bool {
        block.iter().any(|statement| match statement {
            Statement::Command { words, block, .. } => {
                let name = words.first().and_then(Word::bare);
                // A command by variable (`$linux /vmlinuz`) may be any.
                let is_variable =
                    words.first().is_some_and(|word| matches!(word.parts.first(), Some(Part::Variable { .. })));
                is_variable
                    || name.is_some_and(|name| counts(name) || self.loading.contains(name))
                    || block.as_ref().is_some_and(|block| self.holds(block, &|name| LINUX.contains(&name)))
            }
            Statement::If { branches, otherwise } => {
                branches.iter().any(|branch| self.holds(&branch.body, counts)) || self.holds(otherwise, counts)
            }
            Statement::For { body, .. } | Statement::While { body, .. } => self.holds(body, counts),
            Statement::Function { .. } => false,
        })
    }

    /// Collects the names that `save_env` writes.
    fn note_saved(&mut self, block: &[Statement]) {
        for statement in block {
            match statement {
                Statement::Command { words, block, .. } => {
                    if words.first().and_then(Word::bare) == Some("save_env") {
                        self.persistent.extend(words.iter().skip(1).filter_map(Word::bare).map(str::to_owned));
                    }
                    block.iter().for_each(|block| self.note_saved(block));
                }
                Statement::If { branches, otherwise } => {
                    branches.iter().for_each(|branch| self.note_saved(&branch.body));
                    self.note_saved(otherwise);
                }
                Statement::Function { body, .. } | Statement::For { body, .. } | Statement::While { body, .. } => {
                    self.note_saved(body);
                }
            }
        }
    }

    /// The variables of a condition that the configuration saves.
    fn saved_in(&self, condition: &[Statement]) -> Vec<String> {
        let words = condition.iter().flat_map(|statement| match statement {
            Statement::Command { words, .. } => words.as_slice(),
            _ => &[],
        });
        let names = words.flat_map(|word| &word.parts).filter_map(|part| match part {
            Part::Variable { name, .. } if self.persistent.contains(name) => Some(name.clone()),
            _ => None,
        });
        names.collect()
    }

    /// Runs a function of the script.
    pub(super) fn call(&mut self, name: &str, arguments: Vec<Value>, frame: &mut Frame) -> Option<Outcome> {
        let body = Rc::clone(self.functions.get(name)?);
        if frame.depth >= MAX_DEPTH {
            return Some(Outcome::UNKNOWN);
        }
        let before = std::mem::replace(&mut frame.environment.arguments, arguments);
        frame.depth = frame.depth.saturating_add(1);
        let outcome = self.run(&body, frame);
        frame.depth = frame.depth.saturating_sub(1);
        frame.environment.arguments = before;
        Some(outcome)
    }

    /// `source` runs in the same variables, `configfile` in the exported ones, and its menu replaces this one.
    pub(super) fn include(&mut self, line: u32, file: Option<&Value>, is_new: bool, frame: &mut Frame) -> Outcome {
        let place = file.map_or(Place::Unknown, |file| self.locate(file, &frame.environment));
        if let Place::Elsewhere(_) = place {
            return Outcome::of(Some(false));
        }
        let Place::On(volume, path) = &place else {
            frame.doubt();
            self.gap(frame, line, "another configuration is read, and which one is not known");
            return Outcome::UNKNOWN;
        };
        if frame.depth >= MAX_DEPTH {
            frame.doubt();
            self.gap(frame, line, "configurations include each other too deeply");
            return Outcome::UNKNOWN;
        }
        let config = Rc::new(Config { volume: *volume, path: path.clone() });
        if !is_new {
            let outer = std::mem::replace(&mut frame.config, config);
            frame.depth = frame.depth.saturating_add(1);
            let outcome = self.run_file(&place, frame);
            frame.depth = frame.depth.saturating_sub(1);
            frame.config = outer;
            return Outcome { is_end: false, ..outcome };
        }
        let mut inner = Frame::new(frame.environment.nested(), config, frame.depth.saturating_add(1));
        self.start(&mut inner);
        let outcome = self.run_file(&place, &mut inner);
        if inner.items.is_empty() && inner.replaced.is_none() && inner.doubt.is_none() {
            return Outcome { is_end: false, ..outcome };
        }
        frame.replaced = inner.replaced.take().or(Some(Box::new(inner)));
        Outcome::END
    }

    /// What GRUB sets before it runs a configuration (`grub-core/normal/main.c`).
    pub(super) fn start(&self, frame: &mut Frame) {
        let path = &frame.config.path;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let device = self.disk.grub_name(frame.config.volume);
        for (name, value) in [("config_file", path.as_str()), ("config_directory", folder)] {
            frame.environment.set(name, Some(format!("({device}){value}")));
            frame.environment.export(name);
        }
    }

    /// `(hd0,gpt3)/path`, or a path on `$root`.
    pub(super) fn locate(&self, path: &Value, environment: &Environment) -> Place {
        let Some(path) = path else { return Place::Unknown };
        let (device, path) = match path.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((device, path)) => (Some(device.to_owned()), path),
            None => (environment.get("root"), path.as_str()),
        };
        let Some(device) = device else { return Place::Unknown };
        // A path that is a list of blocks, or holds a wildcard, is none of a file.
        if !path.starts_with('/') || path.contains('*') {
            return Place::Unknown;
        }
        match self.disk.grub_device(&device) {
            Found::At(index) => Place::On(index, path.to_owned()),
            Found::Nowhere => Place::Elsewhere(format!("({device}){path}")),
            Found::Unclear => Place::Unknown,
        }
    }

    /// What a file test says; `None` when the volume cannot be read.
    fn file_test(&self, path: &str, asked: Asked, environment: &Environment) -> Option<bool> {
        let (volume, path) = match self.locate(&Some(path.to_owned()), environment) {
            Place::On(volume, path) => (volume, path),
            Place::Elsewhere(_) => return Some(false),
            Place::Unknown => return None,
        };
        match self.disk.root(volume).and_then(|root| root.metadata(&path)) {
            Ok(metadata) => Some(match asked {
                Asked::Exists => true,
                Asked::IsFile => metadata.file_type != FileType::Directory,
                Asked::IsFolder => metadata.file_type == FileType::Directory,
                Asked::HasContent => metadata.file_type == FileType::Regular && metadata.size > 0,
            }),
            Err(error) if error.kind == ErrorKind::NotFound => Some(false),
            Err(_) => None,
        }
    }

    pub(super) fn test(&self, arguments: &[Value], environment: &Environment) -> Option<bool> {
        condition::decide(arguments, &mut |path, asked| self.file_test(path, asked, environment))
    }

    /// Sets what was loaded on every way that leads here.
    pub(super) fn load(frame: &mut Frame, loaded: &Loaded) {
        frame.paths.iter_mut().for_each(|path| path.loaded = Some(loaded.clone()));
    }
}

struct Fork<'w> {
    when: &'w str,
    status: Option<bool>,
    is_loading: bool,
    /// Variables of the condition that the configuration saves.
    saved: Vec<String>,
}

fn first_line(block: &[Statement]) -> Option<u32> {
    block.iter().find_map(|statement| match statement {
        Statement::Command { line, .. } | Statement::While { line, .. } => Some(*line),
        Statement::If { branches, .. } => branches.first().and_then(|branch| first_line(&branch.body)),
        Statement::Function { .. } | Statement::For { .. } => None,
    })
}
