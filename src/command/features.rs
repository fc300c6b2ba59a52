//! `bootworthy features`: what the image is ready for, and what else each feature takes.

use super::images::{Images, Inspected};
use super::judging::Judging;
use super::output::Outputs;
use super::{EXIT_CODES, failed};
use crate::report::{Sheet, Verbosity};
use crate::verdict::exit_code;
use crate::verdict::feature::states;
use std::process::ExitCode;

/// Tell which features an image is ready for, and what else each takes: property, flavor, nova.conf
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy features debian-13.qcow2", after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    outputs: Outputs<[Sheet]>,
    /// Show every property, extra spec and option, and what is not checked
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    judging: Judging,
}

/// Prints one sheet per image; exits as the profile judges it.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rules = args.judging.rules(&args.images)?;
    let targets = args.outputs.targets()?;
    let mut sheets = Vec::new();
    for Inspected { name, result } in args.images.inspect(rules.modules())? {
        let states = match &result {
            Ok(guest) => states(guest, rules.options()),
            Err(error) => {
                failed(&error.clone().into());
                Vec::new()
            }
        };
        sheets.push(Sheet { report: rules.judge(&name, result), states });
    }
    let verbosity = match (args.images.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    targets.write(&sheets, verbosity)?;
    Ok(ExitCode::from(exit_code(sheets.iter().map(|sheet| sheet.report.result))))
}
