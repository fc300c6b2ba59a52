//! `bootworthy inspect`: the facts as JSON.

use super::images::{Images, Inspected};
use super::{EXIT_UNKNOWN, print};
use crate::error::Error;
use crate::guest::Guest;
use crate::manifest::ascii_json;
use serde::Serialize;
use std::process::ExitCode;

/// Print the facts of an image as JSON
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy inspect disk.qcow2 > facts.json && bootworthy check --facts facts.json")]
pub struct Args {
    #[command(flatten)]
    images: Images,
}

/// What stands in the array for one of several images.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Facts(&'a Guest),
    Failed { image: serde_json::Value, error: &'a Error },
}

/// Prints one object for one image, an array in order for several.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let inspected = args.images.inspect(&[])?;
    let text = match inspected.as_slice() {
        [Inspected { result: Ok(guest), .. }] => serde_json::to_string_pretty(guest)?,
        [Inspected { result: Err(error), .. }] => return Err(error.clone().into()),
        several => serde_json::to_string_pretty(&several.iter().map(row).collect::<Vec<_>>())?,
    };
    print(&(ascii_json(&text) + "\n"))?;
    let is_whole = inspected.iter().all(|image| image.result.is_ok());
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(EXIT_UNKNOWN) })
}

fn row(image: &Inspected) -> Row<'_> {
    match &image.result {
        Ok(guest) => Row::Facts(guest),
        Err(error) => Row::Failed { image: serde_json::json!({ "path": image.name }), error },
    }
}
