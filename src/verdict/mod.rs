//! Facts → verdicts: pure functions, no I/O. The rules: what passes, what fails, what could not be looked at.

pub mod boot;
pub mod check;
pub mod feature;
pub mod nearest;
pub mod profile;
pub mod property;
mod agent;
mod assess;
mod defaults;
mod fstab;
mod ignored;
mod login;
mod spec;
mod tally;
mod trim;
mod unjudged;
mod unit;
mod view;
mod watchdog;

pub use assess::{About, BusState, FeatureState, Finding, Outcome, Report, Subject, Summary, assess, exit_code};
pub use boot::{BootRow, BootTable};
pub use tally::Tally;
pub use view::{FactName, Lookup, View};

use crate::fact::Gap;
use profile::Severity;
use serde::{Deserialize, Serialize};

/// What the user asked of the judging; nothing in it can earn a property that the facts do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Modules that must be in the initrd even where the root tree alone would do (`--require-in-initrd`).
    pub require_in_initrd: Vec<String>,
    /// The lightest severity that makes an image unfit (`--fail-on`).
    pub fail_on: Severity,
    /// Severities that the user set for checks and rules of the linter by id, the last one of an id counts; they change exit codes, never what
    /// is earned.
    pub severities: Vec<(String, Severity)>,
    /// Findings that the user accepts in this image; the same holds of them.
    pub ignores: Vec<Ignore>,
    /// Which properties are asked for.
    pub choice: property::Choice,
}

impl Options {
    /// The severity that the user set for this check or rule.
    pub fn severity(&self, id: &str) -> Option<Severity> {
        self.severities.iter().rev().find(|(check, _)| check == id).map(|(_, level)| *level)
    }
}

/// A finding that the user accepts: it changes exit codes and is shown as what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    /// The check's id.
    pub check: String,
    /// Why; the command line gives none.
    pub reason: Option<String>,
    /// Its last day, `YYYY-MM-DD`.
    pub expires: Option<String>,
    /// That day is over: it counts as absent.
    pub is_expired: bool,
    /// `bootworthy.toml:7`, or `--ignore`.
    pub place: String,
}

/// Something to say of the configuration; it changes no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Warning or note.
    pub severity: Severity,
    /// The check that it is about.
    pub check: String,
    /// `bootworthy.toml:7`.
    pub place: String,
    /// What is the matter.
    pub title: &'static str,
    /// In full.
    pub text: String,
    /// What to do.
    pub fix: &'static str,
}

/// What a check says: the four words of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Word {
    /// Holds, with proof.
    #[serde(rename = "pass")]
    Pass,
    /// Does not concern this image, with the reason.
    #[serde(rename = "n/a")]
    NotApplicable,
    /// A fact that it needs could not be had.
    #[serde(rename = "unknown")]
    Unknown,
    /// Does not hold, with evidence.
    #[serde(rename = "fail")]
    Fail,
}

/// A place in the image and what stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// Path inside the image.
    pub path: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// What was found.
    pub found: String,
    /// What was expected; empty evidence of a pass has none.
    pub expected: Option<String>,
    /// The boot entry it belongs to.
    pub entry: Option<String>,
    /// The line of the file as it stands, for the report to underline `mark` in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The part of `text` that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// Set where a package is asked for: its name, or none where something else takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Packaged>,
    /// The exact mend of this place, where one can be written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// A package by name, or that there is none; `null` in reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Packaged(pub Option<String>);

impl Evidence {
    /// Evidence that has no place.
    pub fn of(found: impl Into<String>) -> Self {
        Self { found: found.into(), ..Self::default() }
    }

    /// Evidence at `path`.
    pub fn at(path: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: Some(path.into()), found: found.into(), ..Self::default() }
    }

    /// Adds the line.
    #[must_use]
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// Where the part that is meant begins in its line, in characters from 1; `None` without the line.
    pub fn column(&self) -> Option<u32> {
        let (text, mark) = self.text.as_deref().zip(self.mark.as_deref())?;
        let before = text.get(..text.find(mark)?)?;
        u32::try_from(before.chars().count()).ok()?.checked_add(1)
    }

    /// Adds what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds the line as it stands and the part of it that is meant.
    #[must_use]
    pub fn marking(mut self, text: impl Into<String>, mark: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self.mark = Some(mark.into());
        self
    }

    /// Adds the exact mend of this place.
    #[must_use]
    pub fn mend(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Says which package it is, or that none is needed.
    #[must_use]
    pub fn packaged(mut self, name: Option<&str>) -> Self {
        self.package = Some(Packaged(name.map(str::to_owned)));
        self
    }

    /// Adds the boot entry.
    #[must_use]
    pub fn entry(mut self, entry: impl Into<String>) -> Self {
        self.entry = Some(entry.into());
        self
    }
}

/// How much a fault or gap weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// One severity lower, and the promise holds all the same: another entry than the default,
    /// `virtio_net` only in the root tree. Withholds nothing.
    Minor,
    /// The check's own severity, and what it costs is withheld by another check: a blacklist of one of two disk drivers.
    Told,
    /// One severity lower, but the property is withheld: a `nofail` row by device name.
    Reduced,
    /// The check's own severity; its properties are withheld.
    Full,
}

impl Weight {
    /// Whether what rests on the check is withheld.
    pub fn withholds(self) -> bool {
        self >= Self::Reduced
    }
}

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, found and expected.
    pub evidence: Evidence,
    /// How much it weighs.
    pub weight: Weight,
}

/// What a check found, before severities are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Holds; never empty.
    Pass(Vec<Evidence>),
    /// Does not hold; never empty.
    Fail(Vec<Fault>),
    /// Could not be looked at; never empty.
    Unknown(Vec<Gap>),
    /// Does not concern this image.
    NotApplicable(String),
}

impl Verdict {
    /// Faults decide, then gaps; without either, proofs; with nothing at all it is unknown, for nothing was looked at.
    pub fn of(proofs: Vec<Evidence>, faults: Vec<Fault>, gaps: Vec<Gap>) -> Self {
        if !faults.is_empty() {
            Self::Fail(faults)
        } else if !gaps.is_empty() {
            Self::Unknown(gaps)
        } else if !proofs.is_empty() {
            Self::Pass(proofs)
        } else {
            Self::Unknown(vec![Gap::new("nothing was found that could be judged")])
        }
    }

    /// The word for it.
    pub fn word(&self) -> Word {
        match self {
            Self::Pass(_) => Word::Pass,
            Self::Fail(_) => Word::Fail,
            Self::Unknown(_) => Word::Unknown,
            Self::NotApplicable(_) => Word::NotApplicable,
        }
    }
}

/// What a check says of one boot entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryVerdict {
    /// [`crate::guest::BootEntry::id`].
    pub entry: String,
    /// The verdict for it.
    pub verdict: Word,
}

/// A check's whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict over all.
    pub verdict: Verdict,
    /// The heaviest of its faults, or of its gaps when it is unknown.
    pub weight: Weight,
    /// Per boot entry, for the checks that judge them.
    pub entries: Vec<EntryVerdict>,
    /// What is worth saying and changes nothing: a missing softdep, a lighter fault beside a heavier gap.
    pub notes: Vec<Evidence>,
}

impl Judgement {
    /// Why it is not a plain pass: the first fault, the first gap, or why it does not apply.
    pub fn reason(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Pass(_) => None,
            Verdict::Fail(faults) => {
                faults.iter().max_by_key(|fault| fault.weight).map(|fault| fault.evidence.found.clone())
            }
            Verdict::Unknown(gaps) => gaps.first().map(|gap| gap.reason.clone()),
            Verdict::NotApplicable(reason) => Some(reason.clone()),
        }
    }
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Self {
        let weight = match &verdict {
            Verdict::Fail(faults) => faults.iter().map(|fault| fault.weight).max().unwrap_or(Weight::Full),
            _ => Weight::Full,
        };
        Self { verdict, weight, entries: Vec::new(), notes: Vec::new() }
    }
}
