//! How images are judged: shared by check and properties.

use super::Usage;
use crate::verdict::Options;
use crate::verdict::profile::{self, PROFILES, Profile, Severity};
use clap::builder::PossibleValuesParser;

/// Shared options of judging.
#[derive(Debug, clap::Args)]
pub(super) struct Judging {
    /// What counts as an error: openstack requires virtio-scsi, guest-agent and watchdog; bootable nothing; strict counts warnings too
    #[arg(long, value_name = "PROFILE", default_value = "openstack", value_parser = PossibleValuesParser::new(PROFILES.iter().map(|profile| profile.name)))]
    profile: String,
    /// Lowest severity that fails the run
    #[arg(long, value_name = "SEVERITY", default_value = "error", value_parser = PossibleValuesParser::new(["error", "warning", "note"]))]
    fail_on: String,
    /// A module that must be in the initrd even where the root tree would do (repeatable)
    #[arg(long, value_name = "MODULE")]
    require_in_initrd: Vec<String>,
}

impl Judging {
    /// The profile.
    ///
    /// # Errors
    /// None in practice: clap lets only names of [`PROFILES`] through.
    pub(super) fn profile(&self) -> Result<&'static Profile, Usage> {
        profile::find(&self.profile).ok_or_else(|| Usage(format!("there is no profile {:?}", self.profile)))
    }

    /// The options of [`crate::verdict::assess`].
    pub(super) fn options(&self) -> Options {
        let fail_on = Severity::parse(&self.fail_on).unwrap_or_default();
        let require_in_initrd = self.require_in_initrd.iter().map(|name| name.replace('-', "_")).collect();
        Options { require_in_initrd, fail_on, ..Options::default() }
    }
}
