//! What counts in a run, and the configuration behind the command line: the same for images and for manifests.

use super::Usage;
use crate::config::{Config, Date};
use crate::error::Error;
use crate::manifest::lint;
use crate::report::nearest;
use crate::verdict::Ignore;
use crate::verdict::check::CHECKS;
use crate::verdict::profile::Severity;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Severities and exceptions.
#[derive(Debug, clap::Args)]
pub(super) struct Levels {
    /// Another severity: error, warning, note or off (repeatable)
    #[arg(long, value_name = "ID=LEVEL")]
    severity: Vec<String>,
    /// Leave a check or rule out of the result (repeatable)
    #[arg(long, value_name = "ID")]
    ignore: Vec<String>,
    /// Lowest that fails the run: error (default), warning, note
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, value_parser = PossibleValuesParser::new(["error", "warning", "note"]))]
    fail_on: Option<String>,
}

/// Where the configuration comes from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct Source {
    /// Read this file instead of the bootworthy.toml of the current directory or one above it
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Read no configuration
    #[arg(long)]
    no_config: bool,
    /// The day on which exceptions expire; else the clock
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<String>,
}

impl Levels {
    /// The lightest severity that fails the run.
    pub(super) fn fail_on(&self, config: &Config) -> Severity {
        self.fail_on.as_deref().and_then(Severity::parse).or(config.fail_on).unwrap_or_default()
    }

    /// The configuration's, then those of the command line: the last one counts.
    ///
    /// # Errors
    /// For ids and levels that do not exist.
    pub(super) fn severities(&self, config: &Config) -> Result<Vec<(String, Severity)>, Usage> {
        let mut severities = config.severities.clone();
        for text in &self.severity {
            let (id, level) =
                text.split_once('=').ok_or_else(|| Usage(format!("--severity {text}: ID=LEVEL is expected")))?;
            let words: Vec<&str> = Severity::ALL.iter().map(|severity| severity.word()).collect();
            let unknown = || Usage(format!("--severity {text}: {level:?} is none of {}", words.join(", ")));
            severities.push((known_id(id)?, Severity::parse(level).ok_or_else(unknown)?));
        }
        Ok(severities)
    }

    /// The exceptions of the command line.
    ///
    /// # Errors
    /// For ids that do not exist.
    pub(super) fn ignores(&self) -> Result<Vec<Ignore>, Usage> {
        let ignore =
            |id: &String| Ok(Ignore { check: known_id(id)?, place: "--ignore".to_owned(), ..Ignore::default() });
        self.ignore.iter().map(ignore).collect()
    }
}

impl Source {
    /// The configuration, and the day where an exception of it ends on one; what is judged in `paths` is not asked.
    ///
    /// # Errors
    /// For files that cannot be read, or say what does not exist.
    pub(super) fn config(&self, paths: &[PathBuf]) -> Result<(Config, Option<Date>), Usage> {
        let today = self.today()?;
        let config = match (&self.config, self.no_config) {
            (Some(file), _) => Config::named(file),
            (None, true) => Ok(Config::default()),
            (None, false) => Config::found(paths),
        };
        let config = config.map_err(|error| unreadable(&error))?;
        let today = match today {
            None if config.expires() => {
                let epoch = std::env::var_os("SOURCE_DATE_EPOCH");
                Some(Date::today(epoch.as_deref()).map_err(|error| unreadable(&error))?)
            }
            day => day,
        };
        Ok((config, today))
    }

    fn today(&self) -> Result<Option<Date>, Usage> {
        let parse = |text: &String| {
            let wrong = || Usage(format!("--today {text}: a day such as 2026-12-31 is expected"));
            Date::parse(text).ok_or_else(wrong)
        };
        self.today.as_ref().map(parse).transpose()
    }
}

/// An error of the configuration, with its next step: nothing was read yet.
fn unreadable(error: &Error) -> Usage {
    let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    Usage(format!("{error}{help}"))
}

/// The id, if there is such a check or rule.
fn known_id(id: &str) -> Result<String, Usage> {
    let known = || CHECKS.iter().map(|check| check.id).chain(lint::RULES.iter().map(|rule| rule.id));
    if known().any(|known| known == id) {
        return Ok(id.to_owned());
    }
    let near = did_you_mean(id, known());
    Err(Usage(format!("there is no check {id:?}{near} (`bootworthy checks` lists the checks)")))
}

pub(super) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}
