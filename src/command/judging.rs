//! How images are judged, and which properties are asked for: shared by check and properties.

use super::Usage;
use crate::report::nearest;
use crate::verdict::Options;
use crate::verdict::check::{CHECKS, COMING};
use crate::verdict::feature;
use crate::verdict::profile::{self, PROFILES, Profile, Severity};
use crate::verdict::property::{Choice, PROPERTIES, Refusal, Set};
use clap::builder::PossibleValuesParser;

/// Shared options of judging.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Judging")]
pub(super) struct Judging {
    /// What counts as an error: openstack requires virtio-scsi, guest-agent and watchdog; bootable nothing; strict counts warnings too
    #[arg(long, value_name = "PROFILE", default_value = "openstack", value_parser = PossibleValuesParser::new(PROFILES.iter().map(|profile| profile.name)))]
    profile: String,
    /// A feature that must be there, besides the profile's (repeatable)
    #[arg(long, value_name = "FEATURE", value_parser = PossibleValuesParser::new(feature::requirable().map(|feature| feature.name)))]
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
    /// Lowest severity that fails the run
    #[arg(long, value_name = "SEVERITY", default_value = "error", value_parser = PossibleValuesParser::new(["error", "warning", "note"]))]
    fail_on: String,
    #[command(flatten)]
    wishes: Wishes,
}

/// Which properties are asked for; none is earned by asking.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Properties")]
struct Wishes {
    /// Which properties are looked at
    #[arg(long, value_name = "SET", default_value = "recommended", value_parser = PossibleValuesParser::new(Set::ALL.iter().map(|set| set.name())))]
    set: String,
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

impl Judging {
    /// The profile, with what else is required.
    ///
    /// # Errors
    /// None in practice: clap lets only names of [`PROFILES`] through.
    pub(super) fn profile(&self) -> Result<Profile, Usage> {
        let profile =
            profile::find(&self.profile).ok_or_else(|| Usage(format!("there is no profile {:?}", self.profile)))?;
        let is_asked = |name: &&str| self.require.iter().any(|required| required == name);
        let features: Vec<&'static str> = feature::requirable().map(|feature| feature.name).filter(is_asked).collect();
        Ok(profile.clone().requiring(&features))
    }

    /// The options of [`crate::verdict::assess`].
    ///
    /// # Errors
    /// For ids, keys and values that do not exist, and options that contradict each other.
    pub(super) fn options(&self) -> Result<Options, Usage> {
        let fail_on = Severity::parse(&self.fail_on).unwrap_or_default();
        let require_in_initrd = self.require_in_initrd.iter().map(|name| name.replace('-', "_")).collect();
        Ok(Options { require_in_initrd, fail_on, severities: self.severities()?, choice: self.wishes.choice()? })
    }

    /// In the order in which the last one counts: what is ignored stays ignored.
    fn severities(&self) -> Result<Vec<(String, Severity)>, Usage> {
        let mut severities = Vec::new();
        for text in &self.severity {
            let (id, level) =
                text.split_once('=').ok_or_else(|| Usage(format!("--severity {text}: ID=LEVEL is expected")))?;
            let words: Vec<&str> = Severity::ALL.iter().map(|severity| severity.word()).collect();
            let unknown = || Usage(format!("--severity {text}: {level:?} is none of {}", words.join(", ")));
            severities.push((known_check(id)?, Severity::parse(level).ok_or_else(unknown)?));
        }
        for id in &self.ignore {
            severities.push((known_check(id)?, Severity::Off));
        }
        Ok(severities)
    }
}

/// The id, if there is such a check, now or to come.
fn known_check(id: &str) -> Result<String, Usage> {
    let known = || CHECKS.iter().map(|check| check.id).chain(COMING.iter().copied());
    if known().any(|known| known == id) {
        return Ok(id.to_owned());
    }
    Err(Usage(format!("there is no check {id:?}{} (`bootworthy checks` lists the checks)", did_you_mean(id, known()))))
}

fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

impl Wishes {
    fn choice(&self) -> Result<Choice, Usage> {
        let mut choice = Choice { set: Set::parse(&self.set).unwrap_or_default(), ..Choice::default() };
        let wished = self.with.iter().try_for_each(|text| choice.add(text));
        let left = wished.and_then(|()| self.without.iter().try_for_each(|key| choice.leave_out(key)));
        left.and_then(|()| self.watchdog_action.iter().try_for_each(|action| choice.act(action))).map_err(refused)?;
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
