//! Reports → text: writers that render the neutral shape of [`crate::verdict::Report`] and never know who made it.

mod escape;
mod explain;
mod feature_page;
mod features;
mod github;
mod gitlab;
mod issue;
mod json;
mod json_parts;
mod junit;
mod markdown;
pub mod proofs;
mod sarif;
mod size;
mod text;
mod vocabulary;

pub use crate::verdict::nearest::nearest;
pub use escape::{escape, escape_lines};
pub use explain::{NotKnown, Page, Part, explain, list_checks, list_properties, page};
pub use feature_page::list_features;
pub use features::Sheet;
pub use size::human;
pub use vocabulary::list_rules;

use crate::verdict::Report;

/// How a text is laid out; the command decides by its terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub has_colour: bool,
    /// Columns to fold to; `None` folds nothing.
    pub width: Option<usize>,
    /// How much is said.
    pub verbosity: Verbosity,
}

/// How much a text says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// The closing line alone.
    Quiet,
    /// What is to be done.
    #[default]
    Normal,
    /// Passed checks with their evidence and notes as well.
    Verbose,
}

/// A format of what a command reports: the reports of all images, in order, unless said otherwise.
#[derive(Debug)]
pub struct Format<T: ?Sized = [Report]> {
    /// Value of `--format`.
    pub name: &'static str,
    /// What it is for.
    pub summary: &'static str,
    /// Renders it.
    pub write: fn(&T, Style) -> String,
    /// Added to the end of a file instead of replacing it.
    pub is_appended: bool,
}

/// What commands report.
pub trait Reported: 'static {
    /// Every format of it, the default first.
    const FORMATS: &'static [Format<Self>];
}

impl Reported for [Report] {
    const FORMATS: &'static [Format] = FORMATS;
}

/// Every format of `check` and `lint`, the default first.
pub const FORMATS: &[Format] = &[
    text::FORMAT,
    json::FORMAT,
    json::LINES,
    sarif::FORMAT,
    junit::FORMAT,
    github::ANNOTATIONS,
    github::SUMMARY,
    gitlab::FORMAT,
    markdown::FORMAT,
];

/// The format with this name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}
