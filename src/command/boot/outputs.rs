//! Where the proofs go: standard output, and any number of files.

use crate::command::output::{check, replace};
use crate::command::{Usage, is_colourful, print, width};
use crate::report::proofs::{FORMATS, ProofFormat, Trial};
use crate::report::{Style, Verbosity, nearest};
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};

/// In which formats the proofs are wanted, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Outputs {
    /// Format on standard output: text unless said otherwise
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    format: Option<String>,
    /// The proofs in a file besides, as in junit=out.xml; `-` is standard output (repeatable)
    #[arg(short, long, value_name = "FORMAT=PATH")]
    output: Vec<String>,
}

/// What is written where.
#[derive(Debug)]
pub(super) struct Targets {
    stdout: Option<&'static ProofFormat>,
    files: Vec<(&'static ProofFormat, PathBuf)>,
}

impl Outputs {
    /// Looks at every path before anything is started.
    ///
    /// # Errors
    /// For formats that do not exist, and places that cannot hold a report.
    pub(super) fn targets(&self) -> Result<Targets, Usage> {
        let named = |name: &str| FORMATS.iter().find(|format| format.name == name);
        let mut stdout = self.format.as_deref().and_then(named).or(FORMATS.first());
        let mut files = Vec::new();
        for text in &self.output {
            let expected = || Usage(format!("--output {text}: FORMAT=PATH is expected"));
            let (name, path) = text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(expected)?;
            let format = named(name).ok_or_else(|| {
                let names = || FORMATS.iter().map(|format| format.name);
                let hint = nearest(name, names()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                let all = names().collect::<Vec<_>>().join(", ");
                Usage(format!("--output {text}: there is no format {name:?}{hint} ({all})"))
            })?;
            if path == "-" {
                stdout = Some(format);
            } else {
                check(text, Path::new(path))?;
                files.push((format, PathBuf::from(path)));
            }
        }
        Ok(Targets { stdout, files })
    }
}

impl Targets {
    /// Writes the files, then standard output.
    ///
    /// # Errors
    /// The first that cannot be written.
    pub(super) fn write(&self, trial: &Trial, verbosity: Verbosity) -> anyhow::Result<()> {
        for (format, path) in &self.files {
            replace(path, (format.write)(trial, Style { verbosity, ..Style::default() }).as_bytes())?;
        }
        let style = Style { has_colour: is_colourful(), width: width(), verbosity };
        Ok(self.stdout.map_or(Ok(()), |format| print(&(format.write)(trial, style)))?)
    }
}
