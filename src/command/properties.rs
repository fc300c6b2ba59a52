//! `bootworthy properties`: what the image has earned, as a manifest.

use super::images::{Images, Inspected};
use super::judging::Judging;
use super::{EXIT_CODES, failed, print};
use crate::manifest::{FORMATS, Manifest};
use crate::report::{escape, escape_lines};
use crate::verdict::check::DEMAND;
use crate::verdict::{Outcome, Report, Word, assess, exit_code};
use clap::builder::PossibleValuesParser;
use std::process::ExitCode;

/// Print the Glance properties that an image has earned
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy properties debian-13.qcow2 --format openstack", after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    images: Images,
    /// Manifest format
    #[arg(long, value_name = "FORMAT", default_value = "openstack", value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    format: String,
    /// Name of the image in Glance; the distribution's otherwise
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    judging: Judging,
}

/// Prints one manifest per image; nothing for one whose verdict is unknown.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (profile, options) = (args.judging.profile()?, args.judging.options()?);
    let mut outcomes = Vec::new();
    let mut texts = Vec::new();
    for Inspected { name, result } in args.images.inspect(&options.require_in_initrd)? {
        match result {
            Ok(guest) => {
                let report = assess(&name, *guest, &profile, &options);
                outcomes.push(report.result);
                demanded(&report)?;
                if report.result == Outcome::Unknown {
                    undecided(&name)?;
                } else {
                    texts.push(render(args, &report));
                }
            }
            Err(error) => {
                failed(&error.into());
                outcomes.push(Outcome::Unknown);
            }
        }
    }
    print(&join(&args.format, &texts))?;
    Ok(ExitCode::from(exit_code(outcomes)))
}

fn render(args: &Args, report: &Report) -> String {
    let image = report.guest.as_ref().and_then(|guest| guest.image.known());
    let image = image.filter(|image| image.format != "directory");
    let os = report.guest.as_ref().and_then(|guest| guest.os.known());
    let titled = os.and_then(|os| os.pretty_name.clone()).or_else(|| os.map(|os| os.id.clone()));
    let name = args.name.clone().or(titled).unwrap_or_else(|| "image".to_owned());
    let manifest = Manifest {
        file: image.map(|image| image.path.as_str()),
        name: &name,
        disk_format: image.map(|image| image.format.as_str()),
        earned: &report.earned,
        withheld: &report.withheld,
    };
    let format = FORMATS.iter().find(|format| format.name == args.format);
    format.map(|format| escape_lines(&(format.render)(&manifest))).unwrap_or_default()
}

/// Several JSON objects become one array; shell lines follow each other.
fn join(format: &str, texts: &[String]) -> String {
    match (format, texts) {
        ("json", [] | [_]) | ("openstack", _) => texts.concat(),
        (_, several) => {
            let trimmed: Vec<&str> = several.iter().map(|text| text.trim_end()).collect();
            format!("[\n{}\n]\n", trimmed.join(",\n"))
        }
    }
}

/// Says of each property that `--with` asks for why it is not there.
fn demanded(report: &Report) -> std::io::Result<()> {
    use std::io::Write as _;
    let finding = report.checks.iter().find(|finding| finding.id == DEMAND.id && finding.verdict != Word::Pass);
    for evidence in finding.iter().flat_map(|finding| &finding.evidence) {
        let (path, found) = (escape(&report.path), escape(&evidence.found));
        writeln!(std::io::stderr(), "error: {path}: {}: {found}", DEMAND.broken)?;
        if let Some(fix) = &evidence.fix {
            writeln!(std::io::stderr(), "  = help: {}", escape(fix))?;
        }
    }
    Ok(())
}

fn undecided(name: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let name = escape(name);
    writeln!(std::io::stderr(), "error: {name}: a check that counts could not be judged, so no property is printed")?;
    writeln!(std::io::stderr(), "  = help: `bootworthy check {name}` says which, and why")
}
