//! Recipe → plan → image: a recipe is read, its features become stages, the stages run one after the other.

pub mod check;
pub mod disk;
pub mod distribution;
pub mod engine;
pub mod kernels;
pub mod lock;
pub mod plan;
mod planning;
pub mod recipe;
pub mod result;
mod run;
mod snapshot;
mod source;
mod state;
pub mod tree;
pub mod workshop;

pub use plan::{Plan, Stage};
pub use planning::{Wanted, plan as make_plan};
pub use run::{Build, Event, clear, make, packages};
pub use source::digest;

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::path::Path;

/// The hidden subcommand under which the program starts itself as the tree's root.
const COMMAND: &str = "inside";
/// Steps into a tree and becomes a program of it: the tree, the program, its arguments.
const ENTER: &str = "enter";
/// Mounts what a tree may expect and becomes a program of the host: the same.
const FURNISH: &str = "furnish";
/// Takes large files out of a folder: the folder, the file that lists them, where they go.
const ASIDE: &str = "aside";
/// Carries out a stage: the tree, and the file that has the stage as JSON.
const APPLY: &str = "apply";

/// Does, as the tree's root, what the parent process asks; gives the exit code.
///
/// # Errors
/// When the words are none of the parent's, and what went wrong otherwise.
pub fn inside(words: &[OsString]) -> Result<u8> {
    match words {
        [what, tree, program, arguments @ ..] if what == ENTER => {
            Err(workshop::enter(Path::new(tree), program, arguments))
        }
        [what, tree, program, arguments @ ..] if what == FURNISH => {
            Err(workshop::furnished(Path::new(tree), program, arguments))
        }
        [what, folder, list, target] if what == ASIDE => {
            disk::filesystem::set_aside(Path::new(folder), Path::new(list), Path::new(target)).map(|()| 0)
        }
        [what, tree, request] if what == APPLY => tree::serve(Path::new(tree), Path::new(request)).map(|()| 0),
        _ => Err(Error::corrupt("inside", "expected what to do; this command is the program's own")),
    }
}
