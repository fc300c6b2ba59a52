//! How images are judged, and which properties are asked for: the command line and, behind it, the configuration.

use super::Usage;
use super::images::Images;
use crate::config::{Config, Date};
use crate::error::Error;
use crate::guest::Guest;
use crate::report::nearest;
use crate::verdict::check::CHECKS;
use crate::verdict::feature;
use crate::verdict::profile::{self, PROFILES, Profile, Severity};
use crate::verdict::property::{Choice, PROPERTIES, Refusal, Set};
use crate::verdict::{Ignore, Options, Report, assess};
use clap::builder::PossibleValuesParser;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Shared options of judging.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Judging")]
pub(super) struct Judging {
    /// What counts: openstack (the default), bootable or strict
    #[arg(long, value_name = "PROFILE", hide_possible_values = true, value_parser = PossibleValuesParser::new(PROFILES.iter().map(|profile| profile.name)))]
    profile: Option<String>,
    /// A feature of `bootworthy features` besides (repeatable)
    #[arg(long, value_name = "FEATURE", hide_possible_values = true, value_parser = PossibleValuesParser::new(feature::requirable().map(|feature| feature.name)))]
    require: Vec<String>,
    /// A module that must be in the initrd even where the root tree would do (repeatable)
    #[arg(long, value_name = "MODULE")]
    require_in_initrd: Vec<String>,
    /// Another severity for a check: error, warning, note, off (repeatable)
    #[arg(long, value_name = "ID=LEVEL")]
    severity: Vec<String>,
    /// Leave a check out of the result (repeatable)
    #[arg(long, value_name = "ID")]
    ignore: Vec<String>,
    /// Lowest severity that fails the run: error (the default), warning or note
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, value_parser = PossibleValuesParser::new(["error", "warning", "note"]))]
    fail_on: Option<String>,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    source: Source,
}

/// Which properties are asked for; none is earned by asking.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Properties")]
struct Wishes {
    /// Which properties: minimal, recommended (the default), scs, full
    #[arg(long, value_name = "SET", hide_possible_values = true, value_parser = PossibleValuesParser::new(Set::ALL.iter().map(|set| set.name())))]
    set: Option<String>,
    /// A property that must be earned (repeatable)
    #[arg(long, value_name = "KEY[=VALUE]")]
    with: Vec<String>,
    /// A property to leave out (repeatable)
    #[arg(long, value_name = "KEY")]
    without: Vec<String>,
    /// What the watchdog does: none, pause, poweroff, reset (the default), disabled
    #[arg(long, value_name = "ACTION")]
    watchdog_action: Option<String>,
}

/// Where the configuration comes from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Configuration")]
struct Source {
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

/// What was asked for, whole: nothing can be wrong with it any more once an image is read.
#[derive(Debug)]
pub(super) struct Rules {
    /// What is required.
    profile: Profile,
    /// The same for all images; the exceptions of the command line.
    options: Options,
    config: Config,
    /// `None` where no exception ends.
    today: Option<Date>,
}

impl Judging {
    /// The configuration and, before it, the command line.
    ///
    /// # Errors
    /// For files, ids, keys and values that do not exist, and options that contradict each other.
    pub(super) fn rules(&self, images: &Images) -> Result<Rules, Usage> {
        let today = self.source.today()?;
        let config = match (&self.source.config, self.source.no_config) {
            (Some(file), _) => Config::named(file),
            (None, true) => Ok(Config::default()),
            (None, false) => Config::found(images.paths()),
        };
        let config = config.map_err(|error| unreadable(&error))?;
        let today = match today {
            None if config.expires() => {
                let epoch = std::env::var_os("SOURCE_DATE_EPOCH");
                Some(Date::today(epoch.as_deref()).map_err(|error| unreadable(&error))?)
            }
            day => day,
        };
        Ok(Rules { profile: self.profile(&config)?, options: self.options(&config)?, config, today })
    }

    fn profile(&self, config: &Config) -> Result<Profile, Usage> {
        let default = PROFILES.first().map_or("", |profile| profile.name);
        let name = self.profile.as_deref().or(config.profile).unwrap_or(default);
        let profile = profile::find(name).ok_or_else(|| Usage(format!("there is no profile {name:?}")))?;
        let is_asked =
            |name: &&str| config.require.contains(name) || self.require.iter().any(|required| required == name);
        let features: Vec<&'static str> = feature::requirable().map(|feature| feature.name).filter(is_asked).collect();
        Ok(profile.clone().requiring(&features))
    }

    fn options(&self, config: &Config) -> Result<Options, Usage> {
        let fail_on = self.fail_on.as_deref().and_then(Severity::parse).or(config.fail_on).unwrap_or_default();
        let modules = config.require_in_initrd.iter().chain(&self.require_in_initrd);
        let mut severities = config.severities.clone();
        severities.extend(self.severities()?);
        Ok(Options {
            require_in_initrd: modules.map(|name| name.replace('-', "_")).collect(),
            fail_on,
            severities,
            ignores: self.ignore.iter().map(|id| ignore(id)).collect::<Result<_, _>>()?,
            choice: self.wishes.choice(config)?,
        })
    }

    /// In the order in which the last one counts.
    fn severities(&self) -> Result<Vec<(String, Severity)>, Usage> {
        let mut severities = Vec::new();
        for text in &self.severity {
            let (id, level) =
                text.split_once('=').ok_or_else(|| Usage(format!("--severity {text}: ID=LEVEL is expected")))?;
            let words: Vec<&str> = Severity::ALL.iter().map(|severity| severity.word()).collect();
            let unknown = || Usage(format!("--severity {text}: {level:?} is none of {}", words.join(", ")));
            severities.push((known_check(id)?, Severity::parse(level).ok_or_else(unknown)?));
        }
        Ok(severities)
    }
}

impl Source {
    fn today(&self) -> Result<Option<Date>, Usage> {
        let parse = |text: &String| {
            let wrong = || Usage(format!("--today {text}: a day such as 2026-12-31 is expected"));
            Date::parse(text).ok_or_else(wrong)
        };
        self.today.as_ref().map(parse).transpose()
    }
}

impl Rules {
    /// Modules whose dependencies are to be read as well.
    pub(super) fn modules(&self) -> &[String] {
        &self.options.require_in_initrd
    }

    /// What the configuration promises of every image.
    pub(super) fn policy(&self) -> &BTreeMap<&'static str, String> {
        &self.config.policy
    }

    /// What was asked for, whatever the image.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// The report of one image, as the user named it.
    pub(super) fn judge(&self, name: &str, inspected: Result<Box<Guest>, Error>) -> Report {
        let mut report = match inspected {
            Ok(guest) => {
                let mut options = self.options.clone();
                options.ignores.extend(self.config.ignores(name, self.today));
                assess(name, *guest, &self.profile, &options)
            }
            Err(error) => Report::unreadable(name, error, &self.profile),
        };
        report.config.clone_from(&self.config.name);
        report
    }
}

/// An error of the configuration, with its next step: nothing was read yet.
fn unreadable(error: &Error) -> Usage {
    let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    Usage(format!("{error}{help}"))
}

fn ignore(id: &str) -> Result<Ignore, Usage> {
    Ok(Ignore { check: known_check(id)?, place: "--ignore".to_owned(), ..Ignore::default() })
}

/// The id, if there is such a check.
fn known_check(id: &str) -> Result<String, Usage> {
    let known = || CHECKS.iter().map(|check| check.id);
    if known().any(|known| known == id) {
        return Ok(id.to_owned());
    }
    Err(Usage(format!("there is no check {id:?}{} (`bootworthy checks` lists the checks)", did_you_mean(id, known()))))
}

fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

impl Wishes {
    /// What the command line asks for, then what the configuration does and the command line leaves open.
    fn choice(&self, config: &Config) -> Result<Choice, Usage> {
        let set = self.set.as_deref().and_then(Set::parse).or(config.set).unwrap_or_default();
        let mut choice = Choice { set, ..Choice::default() };
        let wished = self.with.iter().try_for_each(|text| choice.add(text));
        let left = wished.and_then(|()| self.without.iter().try_for_each(|key| choice.leave_out(key)));
        left.and_then(|()| self.watchdog_action.iter().try_for_each(|action| choice.act(action))).map_err(refused)?;
        choice.complete(&config.choice);
        Ok(choice)
    }
}

fn refused(refusal: Refusal) -> Usage {
    Usage(match refusal {
        Refusal::NoSuchKey(key) => {
            let nearest = did_you_mean(&key, PROPERTIES.iter().map(|property| property.key));
            format!("there is no property {key:?}{nearest} (`bootworthy explain` lists the properties)")
        }
        Refusal::NoSuchValue(text) | Refusal::Contradiction(text) => text,
    })
}
