//! `bootworthy check`: the verdict.

use super::EXIT_CODES;
use super::images::{Images, Inspected};
use super::judging::Judging;
use super::manifests::Manifests;
use super::output::Outputs;
use crate::report::Verbosity;
use crate::verdict::{Report, exit_code};
use std::process::ExitCode;

/// Judge images: does it boot, on which bus, what is missing
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy check debian-13.qcow2", after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    outputs: Outputs<[Report]>,
    /// Show passed checks with their evidence, and notes
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    manifests: Manifests,
    #[command(flatten)]
    judging: Judging,
}

/// Inspects, judges, prints; exits as the verdict says.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rules = args.judging.rules(&args.images)?;
    let targets = args.outputs.targets()?;
    let manifests = args.manifests.of(&args.images.named())?;
    let inspected = args.images.inspect(rules.modules())?.into_iter().enumerate();
    let judged = |(index, Inspected { name, result })| match manifests.get(index) {
        Some(manifest) => rules.judge_with(&name, result, manifest),
        None => rules.judge(&name, result),
    };
    let reports: Vec<Report> = inspected.map(judged).collect();
    let verbosity = match (args.images.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    targets.write(&reports, verbosity)?;
    Ok(ExitCode::from(exit_code(reports.iter().map(|report| report.result))))
}
