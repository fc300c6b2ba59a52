//! The stages that act on the root tree, each one file: its options and what it does. What writes into the tree runs as
//! the tree's root, in a process of its own that is given the stage as JSON and answers with JSON.

mod accounts;
pub mod cloud_init;
pub mod commands;
pub mod files;
pub mod fstab;
pub mod initrd;
mod install;
pub mod kernel;
mod kernels;
pub mod modprobe;
mod root;
pub mod seal;
pub mod units;
pub mod users;

pub(super) use root::Root;

use super::plan::Stage;
use super::workshop::Workshop;
use super::{APPLY, engine};
use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::MIB;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Write as _, stderr, stdout};
use std::path::Path;

/// Bytes of a stage as JSON: its files are the recipe's, which has a limit of its own.
const MAX_STAGE: u64 = 64 * MIB;
/// Bytes of the answer, an error at most.
const MAX_ANSWER: u64 = MIB;
/// Where a stage waits for the process that carries it out.
const REQUEST: &str = "stage.json";

/// Has a stage carried out by the tree's root.
pub(super) fn apply(name: &str, stage: &Stage, shop: &Workshop) -> Result<()> {
    let path = shop.folder().join(REQUEST);
    let failed = |error: std::io::Error| Error::io(format!("stage {name}"), error);
    let text = serde_json::to_vec(stage).map_err(|error| failed(error.into()))?;
    std::fs::write(&path, text).map_err(failed)?;
    let tree = shop.tree();
    let mut command = shop.ourselves_inside(&[OsStr::new(APPLY), tree.as_os_str(), path.as_os_str()]);
    let answer = shop.output(name, &mut command, MAX_ANSWER)?;
    let answer: std::result::Result<(), Error> = serde_json::from_slice(&answer)
        .map_err(|error| Error::io(format!("stage {name}"), format!("its process answered {error}")))?;
    answer
}

/// Carries a stage out, as the tree's root, and answers on standard output.
///
/// # Errors
/// When the stage cannot be read or the answer not be written; the stage's own failure is an answer.
pub(super) fn serve(tree: &Path, request: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("stage", error);
    let mut file = File::open(request).map_err(failed)?;
    let text = read_capped(&mut file, MAX_STAGE, "stage")?;
    let stage: Stage = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    let answer = Root::open(tree).and_then(|root| carry_out(&stage, &root));
    let answer = serde_json::to_vec(&answer).map_err(|error| failed(error.into()))?;
    stdout().write_all(&answer).map_err(failed)
}

fn carry_out(stage: &Stage, root: &Root) -> Result<()> {
    // Modes are what the stages say, whatever the user's shell thinks of it.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    match stage {
        Stage::Kernel(options) => kernel::apply(options, root),
        Stage::Files(options) => files::apply(options, root),
        Stage::Fstab(options) => fstab::apply(options, root),
        Stage::Modprobe(options) => modprobe::apply(options, root),
        Stage::Units(options) => units::apply(options, root),
        Stage::Users(options) => users::apply(options, root),
        Stage::CloudInit(options) => cloud_init::apply(options, root),
        Stage::Commands(options) => commands::apply(options, root),
        Stage::Initrd(options) => initrd::apply(options, root),
        Stage::Seal(options) => seal::apply(options, root),
        Stage::Tree(options) => engine::apply(options, root),
        Stage::Bootloader(_)
        | Stage::Filesystem(_)
        | Stage::Disk(_)
        | Stage::Image(_)
        | Stage::Check(_)
        | Stage::Result(_) => Err(Error::unsupported("stage", "it does not act on the tree's files")),
    }
}

/// A line for the log, from the process that carries a stage out.
fn say(line: &str) {
    // Without a log there is nobody to tell.
    drop(writeln!(stderr(), "{line}"));
}
