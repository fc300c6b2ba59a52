//! What a boot showed → text: a table of proofs beside the verdicts that they decide, one writer per format.

mod json;
mod junit;
mod text;

pub use text::seconds;

use super::{Format, Reported};
use crate::error::Error;
use crate::verdict::{Outcome, Word};
use serde::Serialize;

/// What one boot of one image showed.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The image as the user named it.
    pub path: String,
    /// The machine in one line; `None` where none was started.
    pub machine: Option<String>,
    /// What is worth knowing of this host: a processor that was changed, why there is no KVM.
    pub remarks: Vec<String>,
    /// The steps of the first start, in order.
    pub phases: Vec<Phase>,
    /// In the order in which they were made.
    pub proofs: Vec<Proof>,
    /// Proofs that contradict the verdict of a check.
    pub disagreements: Vec<Disagreement>,
    /// [`Outcome::Unfit`] where something was disproved or a check disagrees, [`Outcome::Unknown`] where something
    /// promised could not be decided.
    pub result: Outcome,
    /// Why there are no proofs.
    pub error: Option<Error>,
}

/// A step of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// `kernel`, `login`.
    pub name: &'static str,
    /// Since the machine was started, milliseconds.
    pub millis: u64,
}

/// What one proof came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Its id.
    pub id: &'static str,
    /// What it shows, lower case, no full stop.
    pub summary: &'static str,
    /// The checks that it decides and what they say of this image; the word that counts is that for the machine's start.
    pub decides: Vec<(&'static str, Word)>,
    /// The properties or the checks promise it.
    pub is_promised: bool,
    /// What was seen.
    pub standing: Standing,
    /// How it was seen, or why not.
    pub evidence: String,
    /// How long it took, milliseconds.
    pub millis: u64,
}

/// The four words for a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Seen.
    Proved,
    /// The contrary was seen.
    Disproved,
    /// Neither was seen, or it cannot be seen here.
    Inconclusive,
    /// Nothing was promised.
    #[serde(rename = "n/a")]
    NotApplicable,
}

impl Standing {
    /// Every one, in the order of the closing line.
    pub const ALL: [Self; 4] = [Self::Proved, Self::Disproved, Self::Inconclusive, Self::NotApplicable];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Disproved => "disproved",
            Self::Inconclusive => "inconclusive",
            Self::NotApplicable => "n/a",
        }
    }
}

/// A check says one thing and the guest shows the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The check.
    pub check: &'static str,
    /// What it says.
    pub verdict: Word,
    /// The proof.
    pub proof: &'static str,
    /// What it came to.
    pub standing: Standing,
    /// What was seen.
    pub evidence: String,
}

/// The id of the finding that is a [`Disagreement`].
pub const DISAGREES: &str = "check-disagrees";

impl Disagreement {
    fn title(&self) -> String {
        format!("{} says {}, {} is {}", self.check, word(self.verdict), self.proof, self.standing.word())
    }
}

/// What to do about a [`Disagreement`].
const REPORT: &str = "bug in a check, please report: with the facts (`bootworthy inspect`) and the folder of --keep";

impl Trial {
    /// Of an image of which nothing was seen yet.
    pub fn new(path: String) -> Self {
        Self {
            path,
            machine: None,
            remarks: Vec::new(),
            phases: Vec::new(),
            proofs: Vec::new(),
            disagreements: Vec::new(),
            result: Outcome::Unknown,
            error: None,
        }
    }

    /// How many proofs came to this.
    pub fn count(&self, standing: Standing) -> usize {
        self.proofs.iter().filter(|proof| proof.standing == standing).count()
    }

    /// `14 proved, 0 disproved, 1 inconclusive`, and what did not apply where something did not.
    pub fn closing(&self) -> String {
        let told = |standing: &Standing| {
            let count = self.count(*standing);
            let is_told = *standing != Standing::NotApplicable || count > 0;
            let word = if *standing == Standing::NotApplicable { "not applicable" } else { standing.word() };
            is_told.then(|| format!("{count} {word}"))
        };
        let counts: Vec<String> = Standing::ALL.iter().filter_map(told).collect();
        let disagreements = match self.disagreements.len() {
            0 => String::new(),
            1 => " · 1 check disagrees".to_owned(),
            more => format!(" · {more} checks disagree"),
        };
        counts.join(", ") + &disagreements
    }
}

fn word(word: Word) -> &'static str {
    match word {
        Word::Pass => "pass",
        Word::NotApplicable => "n/a",
        Word::Unknown => "unknown",
        Word::Fail => "fail",
    }
}

impl Reported for Trial {
    const FORMATS: &'static [Format<Self>] = &[text::FORMAT, json::FORMAT, junit::FORMAT];
}

#[cfg(test)]
mod tests;
