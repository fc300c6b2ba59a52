//! `bootworthy build`: recipes, plans, locks, and what is refused before anything runs.

mod ends;
mod failing;
mod feature;
mod hostile;
mod makes;
mod plans;
mod refused;
mod schema;

use crate::common::{Run, command};
use std::path::{Path, PathBuf};

/// The recipes that users start from.
fn recipes() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    paths
}

/// A build on the first day of 2026, with a home of its own.
fn build(home: &Path, args: &[&str]) -> Run {
    let mut command = command();
    command.arg("build").args(args).env("HOME", home).env("SOURCE_DATE_EPOCH", "1767225600");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
