//! `bootworthy lint`: manifests and flavors, judged without an image.

use super::{is_colourful, print, width};
use crate::bytes::{from_io, read_capped};
use crate::error::{Error, Result};
use crate::limits::MAX_MANIFEST;
use crate::manifest::{self, Flavor, READERS, lint};
use crate::report::{FORMATS, Style, Verbosity, find};
use crate::verdict::profile::Severity;
use crate::verdict::{Report, Subject, exit_code};
use clap::builder::PossibleValuesParser;
use std::fs::File;
use std::io::{self, Read};
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
    /// Report format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    format: String,
    /// Lowest severity that fails the run
    #[arg(long, value_name = "SEVERITY", default_value = "error", value_parser = PossibleValuesParser::new(["error", "warning", "note"]))]
    fail_on: String,
    /// Only the closing line
    #[arg(short, long)]
    quiet: bool,
}

/// Reads, judges, prints; a file that cannot be read keeps its place.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let flavor = args.flavor.as_deref().map(read_flavor).transpose()?;
    let reports: Vec<Report> = args.files.iter().map(|path| judged(args, path, flavor.as_ref())).collect();
    let verbosity = if args.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    let style = Style { has_colour: is_colourful(), width: width(), verbosity };
    if let Some(format) = find(&args.format) {
        print(&(format.write)(&reports, style))?;
    }
    Ok(ExitCode::from(exit_code(reports.iter().map(|report| report.result))))
}

fn judged(args: &Args, path: &Path, flavor: Option<&Flavor>) -> Report {
    let name = super::images::shown(path);
    let fail_on = Severity::parse(&args.fail_on).unwrap_or_default();
    let document = read_text(path, "manifest").and_then(|text| manifest::read(&name, &text, args.from.as_deref()));
    match document {
        Ok(document) => {
            let subject = Subject::Manifest { format: document.format, images: document.images.len() };
            Report::of_manifest(&name, subject, lint::lint(&document, flavor), fail_on, None)
        }
        Err(error) => {
            let subject = Subject::Manifest { format: "unknown", images: 0 };
            Report::of_manifest(&name, subject, Vec::new(), fail_on, Some(error))
        }
    }
}

pub(super) fn read_flavor(path: &Path) -> Result<Flavor> {
    manifest::read_flavor(&super::images::shown(path), &read_text(path, "flavor")?)
}

pub(super) fn read_text(path: &Path, what: &str) -> Result<String> {
    let name = super::images::shown(path);
    let opened = |error| from_io(error, what).at(name.clone());
    let mut input: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(opened)?) };
    let bytes = read_capped(&mut *input, MAX_MANIFEST, what).map_err(|error| error.at(name.clone()))?;
    let found =
        |error: std::string::FromUtf8Error| Error::corrupt(what, format!("it is no UTF-8: {error}")).at(name.clone());
    String::from_utf8(bytes).map_err(found)
}
