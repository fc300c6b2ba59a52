//! `bootworthy features`: what the image is ready for, and what else each feature takes.

use super::images::{Images, Inspected};
use super::judging::Judging;
use super::{EXIT_CODES, failed, is_colourful, print, width};
use crate::report::{FEATURE_FORMATS, Sheet, Style, Verbosity};
use crate::verdict::exit_code;
use crate::verdict::feature::states;
use clap::builder::PossibleValuesParser;
use std::process::ExitCode;

/// Tell which features an image is ready for, and what else each takes: property, flavor, nova.conf
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy features debian-13.qcow2", after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    images: Images,
    /// Format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = PossibleValuesParser::new(FEATURE_FORMATS.iter().map(|format| format.name)))]
    format: String,
    /// Show every property, extra spec and option, and what is not checked
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    judging: Judging,
}

/// Prints one sheet per image; exits as the profile judges it.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rules = args.judging.rules(&args.images)?;
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
    let style = Style { has_colour: is_colourful(), width: width(), verbosity };
    if let Some(format) = FEATURE_FORMATS.iter().find(|format| format.name == args.format) {
        print(&(format.write)(&sheets, style))?;
    }
    Ok(ExitCode::from(exit_code(sheets.iter().map(|sheet| sheet.report.result))))
}
