//! `bootworthy lint`: manifests and flavors, judged without an image.

use super::levels::{Levels, Source};
use super::manifests::read_text;
use super::output::Outputs;
use crate::config::{Config, Date};
use crate::error::Result;
use crate::manifest::{self, Flavor, READERS, lint};
use crate::report::Verbosity;
use crate::verdict::{Options, Report, Subject, exit_code};
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Judge manifests and flavors without an image: what Glance or Nova would refuse or silently ignore
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: bootworthy lint image.json --flavor flavor.json",
    after_help = "Exit codes:
  0  nothing of the severity that fails the run
  1  something of it
  2  usage
  3  a file could not be read"
)]
pub struct Args {
    /// Manifests (`-` reads standard input)
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A flavor to judge them with: `openstack flavor show -f json`, or an object of extra specs
    #[arg(long, value_name = "FILE")]
    flavor: Option<PathBuf>,
    /// The format of the manifests, where it is not to be guessed
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(READERS.iter().map(|reader| reader.name)))]
    from: Option<String>,
    #[command(flatten)]
    outputs: Outputs<[Report]>,
    #[command(flatten)]
    levels: Levels,
    #[command(flatten)]
    source: Source,
    /// Only the closing line
    #[arg(short, long)]
    quiet: bool,
}

/// What is asked of the judging, whichever the manifest.
#[derive(Debug)]
struct Rules {
    options: Options,
    config: Config,
    today: Option<Date>,
    flavor: Option<Flavor>,
}

/// Reads, judges, prints; a file that cannot be read keeps its place.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (config, today) = args.source.config(&args.files)?;
    let options = Options {
        fail_on: args.levels.fail_on(&config),
        severities: args.levels.severities(&config)?,
        ignores: args.levels.ignores()?,
        ..Options::default()
    };
    let targets = args.outputs.targets()?;
    let flavor = args.flavor.as_deref().map(read_flavor).transpose()?;
    let rules = Rules { options, config, today, flavor };
    let reports: Vec<Report> = args.files.iter().map(|path| rules.judge(path, args.from.as_deref())).collect();
    targets.write(&reports, if args.quiet { Verbosity::Quiet } else { Verbosity::Normal })?;
    Ok(ExitCode::from(exit_code(reports.iter().map(|report| report.result))))
}

impl Rules {
    fn judge(&self, path: &Path, format: Option<&str>) -> Report {
        let name = super::images::shown(path);
        let mut options = self.options.clone();
        options.ignores.extend(self.config.ignores(&[&name], self.today));
        // What needs the image is not looked at here, so that nothing is said of its exceptions either.
        let is_looked_at = |id: &str| lint::rule(id).is_some_and(|rule| !rule.needs_image());
        options.ignores.retain(|ignore| is_looked_at(&ignore.check));
        let document = read_text(path, "manifest").and_then(|text| manifest::read(&name, &text, format));
        let (subject, findings, error) = match document {
            Ok(document) => {
                let subject = Subject::Manifest { format: document.format, images: document.images.len() };
                (subject, lint::lint(&document, self.flavor.as_ref()), None)
            }
            Err(error) => (Subject::Manifest { format: "unknown", images: 0 }, Vec::new(), Some(error)),
        };
        let mut report = Report::of_manifest(&name, subject, findings, &options, error);
        report.config.clone_from(&self.config.name);
        report
    }
}

pub(super) fn read_flavor(path: &Path) -> Result<Flavor> {
    manifest::read_flavor(&super::images::shown(path), &read_text(path, "flavor")?)
}
