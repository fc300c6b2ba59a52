//! The whole answer for one image: every check with its severity, what is earned, what is withheld, and the result.

use super::Judgement;
use super::check::Check;
use serde::{Deserialize, Serialize};

/// How much a finding counts, in the words of configuration and report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not judged at all.
    Off,
    /// Worth knowing.
    Note,
    /// Works, but not as it should.
    Warning,
    /// Does not boot on the promised bus, cannot be reached, or a required feature is missing.
    Error,
}

/// The result of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fitness {
    /// Every check that counts passed or does not concern it.
    Fit,
    /// One of them failed.
    Unfit,
    /// None failed, but one could not be judged.
    Unknown,
}

impl Fitness {
    /// The program's exit code for it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Fit => 0,
            Self::Unfit => 1,
            Self::Unknown => 3,
        }
    }
}

/// A check's answer with the severity that the profile gives this very answer.
#[derive(Debug)]
pub struct Finding {
    /// The rule.
    pub check: &'static Check,
    /// What it found.
    pub judgement: Judgement,
    /// What a fail or unknown of it counts here.
    pub severity: Severity,
}

/// A property that the image has earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// Glance's key.
    pub key: &'static str,
    /// Its value; Glance takes `min_disk` as an integer, all others as text.
    pub value: String,
    /// Ids of the checks that prove it.
    pub checks: Vec<&'static str>,
}

/// A property that it has not earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Glance's key.
    pub key: &'static str,
    /// The value it would have; `None` when that is not known either.
    pub value: Option<String>,
    /// Id of the check that stands in the way.
    pub check: Option<&'static str>,
    /// What that check found, or why the value is not known.
    pub reason: String,
}

/// The whole answer for one image.
#[derive(Debug)]
pub struct Assessment {
    /// Name of the profile.
    pub profile: &'static str,
    /// In the order of [`super::check::CHECKS`].
    pub findings: Vec<Finding>,
    /// In table order.
    pub earned: Vec<Earned>,
    /// In table order.
    pub withheld: Vec<Withheld>,
    /// Fit, unfit or unknown.
    pub fitness: Fitness,
    /// Whether it boots on virtio-scsi and virtio-blk, in words for the closing line: `yes`, `no`, `unknown`.
    pub boots: Vec<(&'static str, &'static str)>,
    /// Required features that are absent or inert; those that no check judges yet are in `unjudged`.
    pub missing_features: Vec<&'static str>,
    /// What this version does not judge yet, for the closing line.
    pub unjudged: Vec<&'static str>,
}
