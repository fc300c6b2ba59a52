//! How images are judged, and which properties are asked for: the command line and, behind it, the configuration.

use super::Usage;
use super::images::Images;
use super::levels::{Levels, Source, did_you_mean};
use crate::config::{Config, Date};
use crate::error::Error;
use crate::guest::Guest;
use crate::manifest::Document;
use crate::manifest::lint::{self, Shown};
use crate::verdict::feature;
use crate::verdict::profile::{self, PROFILES, Profile};
use crate::verdict::property::{Choice, PROPERTIES, Refusal, Set};
use crate::verdict::{Options, Report, assess};
use clap::builder::PossibleValuesParser;
use std::collections::BTreeMap;

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
    #[command(flatten)]
    levels: Levels,
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
        let (config, today) = self.source.config(images.paths())?;
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
        let modules = config.require_in_initrd.iter().chain(&self.require_in_initrd);
        Ok(Options {
            require_in_initrd: modules.map(|name| name.replace('-', "_")).collect(),
            fail_on: self.levels.fail_on(config),
            severities: self.levels.severities(config)?,
            ignores: self.levels.ignores()?,
            choice: self.wishes.choice(config)?,
        })
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

    /// The configuration file that counts, as the user would name it.
    pub(super) fn config(&self) -> Option<&str> {
        self.config.name.as_deref()
    }

    /// What was asked for, whatever the image.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// The report of one image, as the user named it.
    pub(super) fn judge(&self, name: &str, inspected: Result<Box<Guest>, Error>) -> Report {
        self.report(name, inspected, &self.profile)
    }

    /// The same with what its manifest claims: what that rests on is an error, and it is judged by the evidence.
    pub(super) fn judge_with(&self, name: &str, inspected: Result<Box<Guest>, Error>, manifest: &Document) -> Report {
        let report = self.report(name, inspected, &self.profile.clone().claiming(&lint::checks(manifest)));
        let shown = Shown { guest: report.guest.as_ref(), options: &self.options, earned: &report.earned };
        let findings = lint::against(manifest, &shown);
        let mut options = self.options.clone();
        options.ignores.extend(self.config.ignores(&[name, &manifest.path], self.today));
        report.with_manifest(findings, &options)
    }

    fn report(&self, name: &str, inspected: Result<Box<Guest>, Error>, profile: &Profile) -> Report {
        let mut report = match inspected {
            Ok(guest) => {
                let mut options = self.options.clone();
                options.ignores.extend(self.config.ignores(&[name], self.today));
                assess(name, *guest, profile, &options)
            }
            Err(error) => Report::unreadable(name, error, profile),
        };
        report.config.clone_from(&self.config.name);
        report
    }
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
