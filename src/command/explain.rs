//! `bootworthy explain`: why a check or property matters and how to mend it.

use super::{Usage, print};
use std::process::ExitCode;

/// Tell why a check or property matters and how to mend it
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy explain initrd-virtio-scsi")]
pub struct Args {
    /// Id of a check, or key of a property
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

/// Prints the story of each id; an unknown one is answered with the nearest known.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let texts: Result<Vec<String>, String> = args.ids.iter().map(|id| crate::report::explain(id)).collect();
    print(&texts.map_err(Usage)?.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
