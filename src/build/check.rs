//! The image goes through the same worker and the same checks as any other.

use crate::error::{Error, Result};
use crate::guest;
use crate::limits::Limits;
use crate::verdict::feature;
use crate::verdict::profile::{self, Profile};
use crate::verdict::property::{Choice, Refusal, Set};
use crate::verdict::{Options as Judging, Report, assess};
use crate::worker::{self, Job, Kind};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

/// What it is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// A name of [`crate::verdict::profile::PROFILES`], for its severities.
    pub profile: String,
    /// Features that must be there, all of them.
    pub require: Vec<String>,
    /// A name of [`crate::verdict::property::Set`].
    pub set: String,
    /// Properties that must be earned.
    pub with: Vec<String>,
    /// Properties that are left out.
    pub without: Vec<String>,
    /// What the watchdog does.
    pub watchdog_action: Option<String>,
}

/// Inspects and judges the image, which reports call `name`.
///
/// # Errors
/// `Io` where it cannot be opened, `Corrupt` for options that no recipe has; what is wrong with the image is in the report.
pub fn judge(options: &Options, image: &Path, name: &str, progress: &(dyn Fn(&str) + Sync)) -> Result<Report> {
    let profile = options.profile()?;
    let file = File::open(image).map_err(|error| Error::io("cannot open the image", error).at(name))?;
    let judging = Judging { fail_on: profile.fail_on, choice: options.choice()?, ..Judging::default() };
    let job = Job {
        name: name.to_owned(),
        file,
        kind: Kind::Image,
        backing: Vec::new(),
        data_file: None,
        options: guest::Options { root: None, modules: Vec::new(), limits: Limits::default() },
    };
    Ok(match worker::run(job, progress).result {
        Ok(guest) => assess(name, *guest, &profile, &judging),
        Err(error) => Report::unreadable(name, error, &profile),
    })
}

impl Options {
    /// The profile's severities with exactly the plan's features.
    fn profile(&self) -> Result<Profile> {
        let unknown = || Error::corrupt("plan", format!("there is no profile {:?}", self.profile));
        let mut profile = profile::find(&self.profile).ok_or_else(unknown)?.clone();
        let named = self.require.iter().filter_map(|name| feature::find(name).map(|feature| feature.name));
        profile.required = Cow::Owned(named.collect());
        Ok(profile)
    }

    /// The properties as the command line would ask for them.
    fn choice(&self) -> Result<Choice> {
        let mut choice = Choice { set: Set::parse(&self.set).unwrap_or_default(), ..Choice::default() };
        let wished = self.with.iter().try_for_each(|wish| choice.add(wish));
        let left = wished.and_then(|()| self.without.iter().try_for_each(|key| choice.leave_out(key)));
        let acted = left.and_then(|()| self.watchdog_action.iter().try_for_each(|action| choice.act(action)));
        acted.map(|()| choice).map_err(|refusal| {
            let (Refusal::NoSuchKey(text) | Refusal::NoSuchValue(text) | Refusal::Contradiction(text)) = refusal;
            Error::corrupt("plan", text)
        })
    }
}
