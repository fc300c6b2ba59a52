//! `bootworthy checks`: what is checked.

use super::print;
use std::process::ExitCode;

/// List the checks
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints one line per check: severity, id, healthy condition.
pub fn run(_: &Args) -> anyhow::Result<ExitCode> {
    print(&crate::report::list_checks())?;
    Ok(ExitCode::SUCCESS)
}
