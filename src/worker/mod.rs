//! The child process in which `disk/` and `guest/` run: opened files in, facts out. What hostile bytes do to it stays in it.
//!
//! The image stands on the child's standard input, the facts on its standard output, its progress on its standard
//! error, one line each. Overlays that the user named come as file descriptors over standard error, a socket then.

pub mod guard;
mod serve;
mod start;

pub use serve::serve;
pub use start::{Job, run};

use crate::error::Error;
use crate::guest::{Guest, Options};
use serde::{Deserialize, Serialize};

/// The hidden subcommand under which the program starts itself; its one argument is a request as JSON.
pub const COMMAND: &str = "worker";

/// What is inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An image file or a block device.
    Image,
    /// A directory that holds a root file system.
    Tree,
    /// An initrd file, with the directory of its root file system as the one overlay, where the user named it.
    Initrd,
}

/// What the child is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// The image as the user named it; only ever printed.
    name: String,
    /// What standard input is.
    kind: Kind,
    /// Files that come over the socket: backing files, nearest first; for an initrd the root directory.
    backing: usize,
    /// One more file comes after them: the data file.
    has_data_file: bool,
    /// What to look for, and how far.
    options: Options,
}

/// What the child answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The image could be inspected.
    Facts(Box<Guest>),
    /// It could not.
    Error(Error),
}

/// What the child answers, with what it cost.
#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    outcome: Outcome,
    stats: Stats,
}

/// What an inspection cost (`--stats`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Reads of the image file.
    pub reads: u64,
    /// Bytes read of the image file.
    pub bytes: u64,
    /// Processor time of the child, microseconds.
    pub cpu_us: u64,
}

/// The answer of one inspection.
#[derive(Debug)]
pub struct Answer {
    /// The facts, or why the image could not be inspected.
    pub result: Result<Box<Guest>, Error>,
    /// What it cost; zero when the child died.
    pub stats: Stats,
}
