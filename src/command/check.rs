//! `bootworthy check`: the verdict.

use super::images::{Images, Inspected};
use super::judging::Judging;
use super::{EXIT_CODES, is_colourful, print, width};
use crate::report::{FORMATS, Style, Verbosity, find};
use crate::verdict::{Report, assess, exit_code};
use clap::builder::PossibleValuesParser;
use std::process::ExitCode;

/// Judge images: does it boot, on which bus, what is missing
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy check debian-13.qcow2", after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    images: Images,
    /// Report format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    format: String,
    /// Show passed checks with their evidence, and notes
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    judging: Judging,
}

/// Inspects, judges, prints; exits as the verdict says.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (profile, options) = (args.judging.profile()?, args.judging.options()?);
    let inspected = args.images.inspect(&options.require_in_initrd)?;
    let report = |Inspected { name, result }| match result {
        Ok(guest) => assess(&name, *guest, &profile, &options),
        Err(error) => Report::unreadable(&name, error, &profile),
    };
    let reports: Vec<Report> = inspected.into_iter().map(report).collect();
    let verbosity = match (args.images.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let style = Style { has_colour: is_colourful(), width: width(), verbosity };
    if let Some(format) = find(&args.format) {
        print(&(format.write)(&reports, style))?;
    }
    Ok(ExitCode::from(exit_code(reports.iter().map(|report| report.result))))
}
