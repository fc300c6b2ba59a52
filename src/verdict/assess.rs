//! Facts and a profile → the report: one neutral shape that every writer renders.

use super::boot::{self, BootTable, boot_table};
use super::check::{self, CHECKS, Check, DEMAND};
use super::feature::{self, Feature, Role};
use super::profile::{Profile, Severity, severity};
use super::property::{BUS_SCSI, BUS_VIRTIO, Claims, Earned, Forced, Withheld, claims};
use super::{EntryVerdict, Evidence, Ignore, Judgement, Options, Remark, Tally, Verdict, Weight, Word, ignored};
use crate::error::Error;
use crate::fact::Gap;
use crate::guest::Guest;
use serde::Serialize;
use std::collections::HashSet;

/// The result of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every check that counts passed or does not apply.
    Fit,
    /// One of them failed.
    Unfit,
    /// None failed, but one is unknown, or the image could not be inspected.
    Unknown,
}

/// What the places of a finding are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// The image: paths are inside it.
    #[default]
    Image,
    /// A manifest or a flavor: paths are files beside the image, as the user named them.
    Manifest,
}

/// What one check found, with its severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub id: &'static str,
    /// Under the profile, for this weight.
    pub severity: Severity,
    /// The verdict.
    pub verdict: Word,
    /// The headline: what holds, or what does not.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What its places are in.
    pub about: About,
    /// Per boot entry.
    pub entries: Vec<EntryVerdict>,
    /// Proofs, faults or gaps with their places.
    pub evidence: Vec<Evidence>,
    /// What is worth saying and changes nothing.
    pub notes: Vec<Evidence>,
    /// Why it is unknown or does not apply; what does not hold.
    pub reason: Option<String>,
    /// How to mend it: the exact rows where they can be written down.
    pub fix: Option<String>,
    /// The user accepts it: its severity is off.
    pub ignored: Option<Ignore>,
}

/// A required feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureState {
    /// Its name.
    pub name: &'static str,
    /// Checks of it that did not pass.
    pub missing: Vec<&'static str>,
}

/// Whether the image boots on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusState {
    /// `virtio-scsi`, `virtio-blk`.
    pub name: &'static str,
    /// Pass, fail or unknown.
    pub boots: Word,
    /// It boots, but fstab does not hold.
    pub is_hampered: bool,
}

/// Findings by verdict; `fail` are those of severity error, `warn` the lighter ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Passed.
    pub pass: usize,
    /// Failed, severity error.
    pub fail: usize,
    /// Failed, severity warning or note.
    pub warn: usize,
    /// Could not be looked at.
    pub unknown: usize,
    /// Does not apply.
    #[serde(rename = "n/a")]
    pub not_applicable: usize,
    /// Accepted: failed or unknown, and counted nowhere else.
    pub ignored: usize,
}

/// What a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// An image, of which facts are known.
    #[default]
    Image,
    /// A manifest with properties; no image was looked at.
    Manifest {
        /// The format that it was read as.
        format: &'static str,
        /// The images that it describes.
        images: usize,
    },
}

/// Everything that is said of one image.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it is about; a manifest has findings alone.
    pub subject: Subject,
    /// The profile's name.
    pub profile: &'static str,
    /// The image as the user named it.
    pub path: String,
    /// The facts; `None` where the image could not be inspected.
    pub guest: Option<Guest>,
    /// The result.
    pub result: Outcome,
    /// The lightest severity that counts for it.
    pub fail_on: Severity,
    /// Where the modules are.
    pub table: BootTable,
    /// In the order of [`CHECKS`], then [`DEMAND`] where `--with` asks for something, then what is said of a manifest.
    pub checks: Vec<Finding>,
    /// In the order of the properties' table.
    pub earned: Vec<Earned>,
    /// In the order of the properties' table.
    pub withheld: Vec<Withheld>,
    /// Whether it boots, per bus.
    pub buses: Vec<BusState>,
    /// What the profile requires.
    pub features: Vec<FeatureState>,
    /// Why the image could not be inspected.
    pub error: Option<Error>,
    /// The configuration file that counted, as the user would name it.
    pub config: Option<String>,
    /// What is to say of the configuration.
    pub remarks: Vec<Remark>,
}

/// Judges an image. `path` is the image as the user named it.
pub fn assess(path: &str, guest: Guest, profile: &Profile, options: &Options) -> Report {
    let judged: Vec<(&'static str, Judgement)> =
        CHECKS.iter().map(|check| (check.id, check.judge(&guest, options))).collect();
    let finding = |(check, (_, judgement)): (&'static Check, &(&'static str, Judgement))| {
        let level = level(profile, options, check.id, judgement, &judged);
        finding(check, judgement, level, &guest)
    };
    let mut checks: Vec<Finding> = CHECKS.iter().zip(&judged).map(finding).collect();
    let is_own = |ignore: &&Ignore| check::find(&ignore.check).is_some();
    let remarks = ignored::apply(options.ignores.iter().filter(is_own), &mut checks);
    let Claims { earned, withheld, mut forced } = claims(&guest, options, &judged);
    let proofs = proofs(&guest, profile, options, &judged);
    forced.extend(proofs.iter().filter(|proof| !forced.contains(proof)).cloned().collect::<Vec<_>>());
    // Nothing makes it lighter: who asks for a property by name must hear that it is not there.
    let demand = demand(&forced).map(|judgement| self::finding(&DEMAND, &judgement, Severity::Error, &guest));
    checks.extend(demand);
    Report {
        subject: Subject::Image,
        profile: profile.name,
        path: path.to_owned(),
        result: outcome(&checks, profile.fail_on.min(options.fail_on)),
        fail_on: profile.fail_on.min(options.fail_on),
        table: boot_table(&guest, options),
        checks,
        earned,
        withheld,
        buses: vec![bus("virtio-scsi", BUS_SCSI, &judged), bus("virtio-blk", BUS_VIRTIO, &judged)],
        features: features(profile, &judged, &proofs),
        error: None,
        config: None,
        remarks,
        guest: Some(guest),
    }
}

impl Outcome {
    /// 0 fit, 1 unfit, 3 unknown.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Fit => 0,
            Self::Unfit => 1,
            Self::Unknown => 3,
        }
    }
}

/// The exit code of several images: 1 if any is unfit, else 3 if any is unknown, else 0.
pub fn exit_code(outcomes: impl IntoIterator<Item = Outcome>) -> u8 {
    outcomes
        .into_iter()
        .map(Outcome::exit_code)
        .min_by_key(|code| [1, 3, 0].iter().position(|c| c == code))
        .unwrap_or(0)
}

pub(super) fn outcome(checks: &[Finding], fail_on: Severity) -> Outcome {
    let counts = |finding: &&Finding| finding.severity != Severity::Off && finding.severity >= fail_on;
    let has = |word| checks.iter().filter(counts).any(|finding| finding.verdict == word);
    if has(Word::Fail) {
        Outcome::Unfit
    } else if checks.is_empty() || has(Word::Unknown) {
        Outcome::Unknown
    } else {
        Outcome::Fit
    }
}

fn level(
    profile: &Profile,
    options: &Options,
    id: &str,
    judgement: &Judgement,
    judged: &[(&'static str, Judgement)],
) -> Severity {
    if let Some(level) = options.severity(id) {
        return level;
    }
    severity(profile, id, judgement.weight, &|other| {
        judged.iter().any(|(check, judgement)| *check == other && boot::passes(judgement))
    })
}

fn finding(check: &'static Check, judgement: &Judgement, severity: Severity, guest: &Guest) -> Finding {
    let (title, evidence, fix) = match &judgement.verdict {
        Verdict::Pass(proofs) => (check.summary, proofs.clone(), None),
        Verdict::NotApplicable(_) => (check.summary, Vec::new(), None),
        Verdict::Unknown(gaps) => (check.summary, gaps_evidence(gaps), None),
        Verdict::Fail(faults) => {
            let evidence: Vec<Evidence> = faults.iter().map(|fault| fault.evidence.clone()).collect();
            let exact: Vec<&str> = evidence.iter().filter_map(|evidence| evidence.fix.as_deref()).collect();
            let fix = if exact.is_empty() { check.fix_for(guest).to_owned() } else { exact.join("\n") };
            (check.broken, evidence, Some(fix))
        }
    };
    Finding {
        id: check.id,
        severity,
        verdict: judgement.verdict.word(),
        title,
        why: check.why,
        about: About::Image,
        entries: judgement.entries.clone(),
        evidence,
        notes: judgement.notes.clone(),
        reason: judgement.reason(),
        fix,
        ignored: None,
    }
}

/// Whether everything is earned that `--with` asks for; `None` where it asks for nothing.
fn demand(forced: &[Forced]) -> Option<Judgement> {
    let mut tally = Tally::default();
    for Forced { text, word, check, reason, .. } in forced {
        let place = check.map(|check| format!("{check}: ")).unwrap_or_default();
        match word {
            Word::Pass | Word::NotApplicable => tally.proof(Evidence::of(format!("{text} is earned by {reason}"))),
            Word::Unknown => tally.gap(Weight::Full, Gap::new(format!("{text}: {place}{reason}"))),
            Word::Fail => {
                let evidence = Evidence::of(format!("{text}: {place}{reason}"));
                let explained = |check| evidence.clone().mend(format!("`bootworthy explain {check}` tells how"));
                tally.fault(Weight::Full, check.map_or_else(|| evidence.clone(), explained));
            }
        }
    }
    (!forced.is_empty()).then(|| tally.judgement())
}

/// Each gap once: several boot entries meet the same.
fn gaps_evidence(gaps: &[Gap]) -> Vec<Evidence> {
    let mut seen = HashSet::new();
    let new = gaps.iter().filter(|gap| seen.insert(*gap));
    new.map(|gap| Evidence { path: gap.path.clone(), ..Evidence::of(gap.reason.clone()) }).collect()
}

/// Judged apart from fstab: a kernel that mounts its root boots, even into emergency mode.
fn bus(name: &'static str, needs: &[&'static str], judged: &[(&'static str, Judgement)]) -> BusState {
    let words = |is_fstab: bool| {
        let asked = judged.iter().filter(move |(id, _)| needs.contains(id) && id.starts_with("fstab-") == is_fstab);
        asked.map(|(_, judgement)| if boot::passes(judgement) { Word::Pass } else { judgement.verdict.word() }).max()
    };
    let boots = words(false).unwrap_or(Word::Unknown);
    BusState { name, boots, is_hampered: words(true) != Some(Word::Pass) }
}

/// What becomes of the properties whose own rule judges a required feature: its checks alone do not show it.
fn proofs(guest: &Guest, profile: &Profile, options: &Options, judged: &[(&'static str, Judgement)]) -> Vec<Forced> {
    let features: Vec<&Feature> = profile.features().filter(|feature| proves(feature).next().is_some()).collect();
    let is_proof = |forced: &Forced| features.iter().any(|feature| proves(feature).any(|key| key == forced.key));
    let mut forced = feature::wished(guest, options, judged, features.iter().copied());
    forced.retain(is_proof);
    forced
}

fn proves(feature: &Feature) -> impl Iterator<Item = &'static str> + use<> {
    feature.properties.iter().filter(|property| property.role == Role::Proof).map(|property| property.key)
}

fn features(profile: &Profile, judged: &[(&'static str, Judgement)], proofs: &[Forced]) -> Vec<FeatureState> {
    let state = |feature: &'static Feature| {
        let fails = |id: &&str| !judged.iter().any(|(check, judgement)| check == id && boot::passes(judgement));
        let unproved = |key: &str| proofs.iter().any(|proof| proof.key == key && proof.word != Word::Pass);
        let demand = proves(feature).any(unproved).then_some(DEMAND.id);
        FeatureState {
            name: feature.name,
            missing: feature.needs.iter().copied().filter(fails).chain(demand).collect(),
        }
    };
    profile.features().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_image_decides_the_exit_code() {
        use Outcome::{Fit, Unfit, Unknown};
        for (outcomes, code) in [
            (vec![], 0),
            (vec![Fit, Fit], 0),
            (vec![Fit, Unknown], 3),
            (vec![Unknown, Unfit, Fit], 1),
            (vec![Unfit], 1),
        ] {
            assert_eq!(exit_code(outcomes.clone()), code, "{outcomes:?}");
        }
    }
}
