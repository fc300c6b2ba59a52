//! Verdicts → text. One neutral shape goes in, one format per file comes out.

pub mod escape;
mod json;
mod list;
mod style;
mod text;

pub use list::{checks, explain};
pub use style::{Style, human};

use crate::error::Error;
use crate::guest::Guest;
use crate::verdict::Assessment;

/// One image and what is said of it.
#[derive(Debug)]
pub struct Report {
    /// As the user named it.
    pub name: String,
    /// What it is and what was found, or why it could not be inspected.
    pub result: Result<(Box<Guest>, Assessment), Error>,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// The closing line.
    Quiet,
    /// What does not hold, and what is earned.
    Normal,
    /// Notes and passed checks with their evidence too.
    Verbose,
}

/// A report format.
#[derive(Debug)]
pub struct Format {
    /// The value of `--format`.
    pub name: &'static str,
    /// Renders all images of a run, in order.
    pub render: fn(&[Report], Style) -> String,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[text::FORMAT, json::FORMAT];

impl Report {
    /// The exit code of this image alone.
    pub fn exit_code(&self) -> u8 {
        self.result.as_ref().map_or(3, |(_, assessment)| assessment.fitness.exit_code())
    }
}

/// The exit code of a run: 1 if any is 1, else 3 if any is 3, else 0.
pub fn exit_code(reports: &[Report]) -> u8 {
    let codes = || reports.iter().map(Report::exit_code);
    codes().find(|code| *code == 1).or_else(|| codes().max()).unwrap_or(0)
}
