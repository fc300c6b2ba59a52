//! `bootworthy explain`: why a check, property or feature matters and how to mend it.

use super::{Usage, print};
use crate::report::{NotKnown, explain, list_checks, list_features, list_properties, list_rules};
use std::process::ExitCode;

/// Tell why a check, property or feature matters and how to mend it
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy explain initrd-virtio-scsi")]
pub struct Args {
    /// Id of a check or rule, key of a property or name of a feature; none lists them all
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

/// Prints the page of each id, or the list of all; an unknown one is answered with the nearest known.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.ids.is_empty() {
        print(&[list_checks(), list_properties(), list_features(), list_rules()].join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let texts: Result<Vec<String>, Usage> =
        args.ids.iter().map(|id| explain(id).map_err(|error| unknown(id, error))).collect();
    print(&texts?.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(id: &str, error: NotKnown) -> Usage {
    let nearest = error.nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    Usage(format!("there is no check, property or feature {id:?}{nearest} (`bootworthy explain` lists them)"))
}
