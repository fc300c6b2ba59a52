//! `bootworthy boot`: the proof.

mod wanted;

use super::images::{self, Images, Inspected};
use super::judging::Judging;
use super::output::{Outputs, Targets};
use super::{Usage, failed, print};
use crate::boot::{Order, Stage, prove};
use crate::error::Error;
use crate::report::Verbosity;
use crate::report::proofs::{Phase, Trial};
use crate::verdict::exit_code;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use wanted::{Host, Wanted};

/// Start an image in QEMU with the devices that Nova gives it, and prove in the guest what the checks promise
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: bootworthy boot debian-13.qcow2",
    after_help = "Exit codes:
  0  everything that was promised is proved
  1  something is disproved, or a check says the contrary of what was seen
  2  usage or configuration, before the image was read
  3  nothing is disproved, but something promised could not be decided, or the image could not be started"
)]
pub struct Args {
    /// Disk image (raw, qcow2); it is never written to
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    outputs: Outputs<Trial>,
    /// Show every check that a proof decides
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Only the closing line, no progress
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    judging: Judging,
}

/// Inspects, judges, boots, prints; exits as the proofs say.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let images = Images::alone(&args.image, args.quiet);
    let rules = args.judging.rules(&images)?;
    let targets = args.outputs.targets()?;
    let verbosity = match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let proofs = args.wanted.proofs()?;
    let claimed = args.wanted.claimed()?;
    let flavor = args.wanted.flavor()?;
    if args.image.is_dir() {
        return Err(Usage(format!("{}: it is a directory; only a disk image boots", images::shown(&args.image))).into());
    }
    let Some(Inspected { name, result }) = images.inspect(rules.modules())?.into_iter().next() else {
        return Err(Usage("no image is named".to_owned()).into());
    };
    let guest = match result {
        Ok(guest) => guest,
        Err(error) => return told_of(&Trial { error: Some(error), ..Trial::new(name) }, &targets, verbosity),
    };
    let report = rules.judge(&name, Ok(guest.clone()));
    let properties = args.wanted.properties(claimed, &report);
    let order = Order {
        options: rules.options(),
        guest: &guest,
        image: args.image.clone(),
        name,
        properties,
        flavor,
        accel: args.host.accel(),
        qemu: args.host.qemu.clone(),
        proofs,
        timeout: args.host.timeout.map(Duration::from_secs),
        keep: args.host.keep.clone(),
    };
    if args.host.print_command {
        print(&format!("{}\n", order.command().map_err(|error: Error| error.at(order.name.as_str()))?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let bar = bar(args.quiet);
    let trial = prove(&order, &|stage| bar.set_message(told(stage)));
    bar.finish_and_clear();
    told_of(&trial, &targets, verbosity)
}

/// Says why there are no proofs where there are none, and writes the reports.
fn told_of(trial: &Trial, targets: &Targets<Trial>, verbosity: Verbosity) -> anyhow::Result<ExitCode> {
    let result = trial.result;
    if let Some(error) = &trial.error {
        failed(&error.clone().into());
    }
    targets.write(trial, verbosity)?;
    Ok(ExitCode::from(exit_code([result])))
}

/// A line that moves, on a terminal alone.
fn bar(is_quiet: bool) -> ProgressBar {
    if is_quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn told(stage: &Stage<'_>) -> String {
    let step = |phase: &Phase| format!("{} {}", phase.name, crate::report::proofs::seconds(phase.millis));
    match stage {
        Stage::Starting([]) => "starting".to_owned(),
        Stage::Starting(phases) => phases.iter().map(step).collect::<Vec<_>>().join(" · "),
        Stage::Proving(id) => (*id).to_owned(),
    }
}
