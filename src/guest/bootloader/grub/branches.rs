//! Conditions: one way where it is known, both where nobody knows or the next start may take the other.

use super::environment::cost;
use super::evaluator::{Evaluator, Frame, Outcome};
use super::lexer::{Part, Word};
use super::parser::{Block, Branch, Statement};
use std::rc::Rc;

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
    "bls_import",
    "uki",
    "legacy_configfile",
    "syslinux_configfile",
    "extract_entries_source",
    "extract_entries_configfile",
];
/// Others that change what an entry starts.
const LOADING: &[&str] = &[
    "boot",
    "initrd",
    "initrd16",
    "initrdefi",
    "chainloader",
    "multiboot",
    "multiboot2",
    "fwsetup",
    "exit",
    "normal_exit",
    "halt",
    "reboot",
];

impl Evaluator<'_> {
    /// `if` and what is left of its `elif`s.
    pub(super) fn branches(&mut self, branches: &[Branch], otherwise: &Block, frame: &mut Frame) -> Outcome {
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
                self.fork(&Fork { when: &branch.when, status, is_loading, saved }, frame, body, others)
            }
        }
    }

    pub(super) fn either(
        &mut self,
        when: &str,
        frame: &mut Frame,
        one: impl FnOnce(&mut Self, &mut Frame) -> Outcome,
        two: impl FnOnce(&mut Self, &mut Frame) -> Outcome,
    ) -> Outcome {
        self.fork(&Fork { when, status: None, is_loading: true, saved: Vec::new() }, frame, one, two)
    }

    /// Runs both ways. The one that the present variables choose comes first and leaves its variables; when nobody
    /// knows, the first is `one` and only variables that agree stay known.
    fn fork(
        &mut self,
        fork: &Fork<'_>,
        frame: &mut Frame,
        one: impl FnOnce(&mut Self, &mut Frame) -> Outcome,
        two: impl FnOnce(&mut Self, &mut Frame) -> Outcome,
    ) -> Outcome {
        let whens = frame.paths.iter().flat_map(|path| &path.when).chain(&frame.when);
        let copied = whens.map(|when| cost(when)).fold(frame.environment.size(), u64::saturating_add);
        if !self.spend(copied.saturating_mul(2)) {
            return self.exhausted(frame);
        }
        let holds = fork.when.to_owned();
        let fails = format!("not ({holds})");
        let mut sides = [holds, fails].map(|when| {
            let mut side = Frame::new(frame.environment.clone(), Rc::clone(&frame.config), frame.depth);
            side.is_entry = frame.is_entry;
            side.when.clone_from(&frame.when);
            side.paths.clone_from(&frame.paths);
            if fork.is_loading {
                side.when.push(when.clone());
                for path in side.paths.iter_mut().filter(|path| !path.is_ended) {
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
        if fork.is_loading && frame.is_entry {
            frame.paths = first.paths.into_iter().chain(second.paths).collect();
            if frame.paths.len() > MAX_PATHS {
                frame.paths.truncate(MAX_PATHS);
                self.gap(frame, 0, format!("more than {MAX_PATHS} ways through one entry"));
                return Outcome { status: None, is_end: true };
            }
        }
        if frame.replaced.is_none() {
            frame.replaced = first.replaced.or(second.replaced);
        }
        let [a, b] = outcomes;
        Outcome { status: a.status.filter(|_| a.status == b.status), is_end: a.is_end && b.is_end }
    }

    /// Whether a block may change what is started; menu entries count when they start Linux.
    pub(super) fn is_loading(&mut self, block: &[Statement]) -> bool {
        let mut seen = 0;
        let is_loading = self.holds(block, &|name| LINUX.contains(&name) || LOADING.contains(&name), &mut seen);
        self.spend(seen / 8);
        is_loading
    }

    fn holds(&self, block: &[Statement], counts: &dyn Fn(&str) -> bool, seen: &mut u64) -> bool {
        *seen = seen.saturating_add(u64::try_from(block.len()).unwrap_or(u64::MAX));
        block.iter().any(|statement| match statement {
            Statement::Command { words, block, .. } => {
                let name = words.first().and_then(Word::bare);
                // A command by variable (`$linux /vmlinuz`) may be any.
                let is_variable =
                    words.first().is_some_and(|word| matches!(word.parts.first(), Some(Part::Variable { .. })));
                is_variable
                    || name.is_some_and(|name| counts(name) || self.loading.contains(name))
                    || block.as_ref().is_some_and(|block| self.holds(block, &|name| LINUX.contains(&name), seen))
            }
            Statement::If { branches, otherwise } => {
                branches.iter().any(|branch| self.holds(&branch.body, counts, seen))
                    || self.holds(otherwise, counts, seen)
            }
            Statement::For { body, .. } | Statement::While { body, .. } => self.holds(body, counts, seen),
            Statement::Function { .. } => false,
        })
    }

    /// Collects the names that `save_env` writes.
    pub(super) fn note_saved(&mut self, block: &[Statement]) {
        for statement in block {
            match statement {
                Statement::Command { words, block, .. } => {
                    if words.first().and_then(Word::bare) == Some("save_env") {
                        self.persistent.extend(words.iter().skip(1).filter_map(Word::bare).map(str::to_owned));
                    }
                    if let Some(block) = block {
                        self.note_saved(block);
                    }
                }
                Statement::If { branches, otherwise } => {
                    for branch in branches {
                        self.note_saved(&branch.body);
                    }
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
