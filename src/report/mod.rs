//! Verdicts → text. One neutral shape goes in, one format per file comes out.

pub mod escape;
mod json;
mod list;
mod style;
mod text;

pub use list::{checks, explain};
pub use style::{Style, human};

use crate::verdict::Report;

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
    pub render: fn(&[&Report], Style) -> String,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[text::FORMAT, json::FORMAT];
