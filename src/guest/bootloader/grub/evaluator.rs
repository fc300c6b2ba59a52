//! Runs a script as far as it can be known: what depends on the machine runs both ways.

use super::environment::{Environment, Value, cost_of};
use super::lexer::Word;
use super::menu::{Item, Loaded, Path};
use super::modules::Modules;
use super::parser::{Block, Statement, parse};
use crate::error::ErrorKind;
use crate::fact::{Fact, Gap};
use crate::guest::bootloader::disk::Disk;
use crate::guest::bootloader::entry::{Config, Place};
use crate::limits::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Commands run, words, and every 64 bytes that are copied or read for one configuration; that is 32 MB at most.
const MAX_STEPS: u64 = 500_000;
/// Steps that a look for a file costs: it may read a whole folder.
pub(super) const LOOK: u64 = 100;
/// Gaps kept of one configuration; more of them say nothing new.
const MAX_GAPS: usize = 100;
/// Functions, sourced files and submenus within each other.
pub(super) const MAX_DEPTH: usize = 16;
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
    /// Whether `boot` has ended it: outside of an entry, what is loaded starts and no menu is shown.
    pub(super) is_booted: bool,
    /// The menu that `configfile` has replaced this one with.
    pub(super) replaced: Option<Box<Self>>,
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
            is_booted: false,
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
    pub(super) loading: BTreeSet<String>,
    /// Variables that the configuration saves: they may differ at the next start.
    pub(super) persistent: BTreeSet<String>,
    /// Variables that the entry in hand has saved.
    pub(super) saved: BTreeSet<String>,
    /// What earlier starts have saved before the menu.
    pub(super) earlier: BTreeMap<String, Value>,
    /// What this one saves before the menu.
    pub(super) written: BTreeMap<String, Value>,
    /// Whether entries of loader/entries are in the menu: only Red Hat's GRUB reads them there.
    pub(super) has_bls: bool,
    /// What GRUB's core has and can load; `None` where nothing is known of it.
    pub(super) modules: Option<Modules<'a>>,
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
            earlier: BTreeMap::new(),
            written: BTreeMap::new(),
            has_bls: false,
            modules: None,
            steps: 0,
        }
    }

    /// Reads a file and runs it in `frame`.
    pub(super) fn run_file(&mut self, place: &Place, frame: &mut Frame) -> Outcome {
        let Place::On(volume, path) = place else { return Outcome::of(Some(false)) };
        if !self.spend(LOOK) {
            return self.exhausted(frame);
        }
        match self.readable(*volume, frame) {
            Fact::Known(None) => {}
            Fact::Known(Some(_)) => return Outcome::of(Some(false)),
            Fact::Unknown(gap) => {
                frame.doubt();
                self.keep(gap);
                return Outcome::UNKNOWN;
            }
        }
        let read = self.disk.root(*volume).and_then(|root| root.read(path, self.limits.boot_config));
        match read {
            Ok(bytes) => {
                if !self.spend(cost_of(bytes.len())) {
                    return self.exhausted(frame);
                }
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
                self.keep(error.at(path.clone()).into());
                Outcome::UNKNOWN
            }
        }
    }

    pub(super) fn gap(&mut self, frame: &Frame, line: u32, cause: impl AsRef<str>) {
        let gap = Gap::at(frame.config.path.clone(), format!("line {line}: {}", cause.as_ref()));
        self.keep(gap);
    }

    pub(super) fn keep(&mut self, gap: Gap) {
        if self.gaps.len() < MAX_GAPS && !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Nothing more is run; the gap is already there.
    pub(super) fn exhausted(&self, frame: &mut Frame) -> Outcome {
        debug_assert!(self.steps > MAX_STEPS, "there is a gap that says so");
        frame.doubt();
        Outcome { status: None, is_end: true }
    }

    /// The arguments that words stand for; `None` once there were too many steps.
    pub(super) fn expand(&mut self, words: &[Word], frame: &mut Frame) -> Option<Vec<Value>> {
        let (fields, spent) = frame.environment.expand(words, MAX_STEPS.saturating_sub(self.steps));
        self.spend(spent).then_some(fields)
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
                return self.exhausted(frame);
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
                let Some(values) = self.expand(words, frame) else { return self.exhausted(frame) };
                for value in values {
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

    /// Sets what was loaded on every way that leads here.
    pub(super) fn load(frame: &mut Frame, loaded: &Loaded) {
        let paths = frame.paths.iter_mut().filter(|path| !path.is_ended);
        paths.for_each(|path| path.loaded = Some(loaded.clone()));
    }

    /// Forgets what was loaded on every way that leads here.
    pub(super) fn drop_loaded(frame: &mut Frame) {
        frame.paths.iter_mut().filter(|path| !path.is_ended).for_each(|path| path.loaded = None);
    }

    /// No way that leads here goes on.
    pub(super) fn end(frame: &mut Frame) {
        frame.paths.iter_mut().for_each(|path| path.is_ended = true);
    }
}
