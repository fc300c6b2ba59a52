//! `bootworthy properties`: what the image has earned, as a manifest.

use super::images::{Images, Inspected};
use super::judging::Judging;
use super::{EXIT_UNKNOWN, failed, print};
use crate::cli::EXIT_CODES;
use crate::guest::Guest;
use crate::manifest::{FORMATS, Manifest};
use crate::report::escape;
use crate::verdict::{Assessment, Fitness, assess};
use clap::builder::PossibleValuesParser;
use std::process::ExitCode;

/// Print the Glance properties that an image has earned
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy properties debian-13.qcow2 --format openstack", after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    judging: Judging,
    /// Manifest format
    #[arg(long, value_name = "FORMAT", default_value = "openstack", value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    format: String,
    /// Name of the image in Glance; the distribution's otherwise
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Prints one manifest per image; nothing for one whose verdict is unknown.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = args.judging.options();
    let mut codes = Vec::new();
    let mut texts = Vec::new();
    for Inspected { name, result } in args.images.inspect()? {
        let guest = match result {
            Ok(guest) => guest,
            Err(error) => {
                failed(&error.into());
                codes.push(EXIT_UNKNOWN);
                continue;
            }
        };
        let assessment = assess(&guest, &options);
        codes.push(assessment.fitness.exit_code());
        if assessment.fitness == Fitness::Unknown {
            undecided(&name)?;
            continue;
        }
        texts.push(render(args, &guest, &assessment));
    }
    print(&join(&args.format, &texts))?;
    let code = codes.iter().find(|code| **code == 1).or_else(|| codes.iter().max());
    Ok(ExitCode::from(code.copied().unwrap_or_default()))
}

fn render(args: &Args, guest: &Guest, assessment: &Assessment) -> String {
    let image = guest.image.known().filter(|image| image.format != "directory");
    let os = guest.os.known();
    let titled = os.and_then(|os| os.pretty_name.clone()).or_else(|| os.map(|os| os.id.clone()));
    let name = args.name.clone().or(titled).unwrap_or_else(|| "image".to_owned());
    let manifest = Manifest {
        file: image.map(|image| image.path.as_str()),
        name: &name,
        disk_format: image.map(|image| image.format.as_str()),
        earned: &assessment.earned,
        withheld: &assessment.withheld,
    };
    let format = FORMATS.iter().find(|format| format.name == args.format);
    format.map(|format| escape::block(&(format.render)(&manifest))).unwrap_or_default()
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

fn undecided(name: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let name = escape::line(name);
    writeln!(std::io::stderr(), "error: {name}: a check that counts could not be judged, so no property is printed")?;
    writeln!(std::io::stderr(), "  = help: `bootworthy check {name}` says which, and why")
}
