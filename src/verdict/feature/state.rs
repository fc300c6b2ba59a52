//! Features against the facts of an image: what is ready, what is missing, which properties come of it.

use super::{FEATURES, Feature, ImageProperty, Role, Side};
use crate::guest::Guest;
use crate::verdict::check::{self, CHECKS};
use crate::verdict::property::{Choice, Forced, PROPERTIES, SAFE, Set, claims};
use crate::verdict::{Judgement, Options, Verdict, Word, boot};

type Judged = [(&'static str, Judgement)];

/// A feature and what the image has for it.
#[derive(Debug)]
pub struct State {
    /// The feature.
    pub feature: &'static Feature,
    /// The image side.
    pub image: ImageState,
    /// What is missing or not known, in the order of the feature's checks; empty where the image is ready.
    pub missing: Vec<Missing>,
    /// Its properties, in the feature's order.
    pub properties: Vec<PropertyState>,
}

/// Whether the image side is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// Every check passed.
    Ready,
    /// One of them failed.
    Missing,
    /// None failed, and one could not be judged.
    Unknown,
    /// It has to bring something that no check looks at.
    Unjudged,
    /// Every image will do.
    Free,
}

/// One thing that keeps an image from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The check, or the property whose own rule decides.
    pub id: &'static str,
    /// Fail or unknown.
    pub word: Word,
    /// What does not hold, or what is not known.
    pub title: String,
    /// Where and why, as it was found.
    pub reason: String,
    /// What to do about it.
    pub fix: String,
}

/// A property of a feature, for this image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyState {
    /// Glance's key.
    pub key: &'static str,
    /// The value that it has or would have; `None` where only the image could tell.
    pub value: Option<String>,
    /// What it is to the feature.
    pub role: Role,
    /// What becomes of it.
    pub standing: Standing,
    /// The check that does not let it pass, where one decides.
    pub check: Option<&'static str>,
    /// Why it is not set; empty where it is.
    pub reason: String,
}

/// What becomes of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// `bootworthy properties` prints it with the same options.
    Set,
    /// It is earned, and printed when `--with` asks for it.
    Earned,
    /// The evidence speaks against it.
    Withheld,
    /// There is no evidence.
    Unknown,
    /// Whoever runs the cloud decides.
    Choice,
}

/// Every feature, in table order.
pub fn states(guest: &Guest, options: &Options) -> Vec<State> {
    let judged: Vec<(&'static str, Judgement)> =
        CHECKS.iter().map(|check| (check.id, check.judge(guest, options))).collect();
    let earned = claims(guest, options, &judged).earned;
    let is_set = |key: &str, value: &str| earned.iter().any(|earned| earned.key == key && earned.value == value);
    let forced = wished(guest, options, &judged, FEATURES.iter());
    FEATURES.iter().map(|feature| state(feature, guest, &judged, &forced, &is_set)).collect()
}

/// What becomes of the properties that these features name, each asked for by its value and whatever the user chose.
pub(in crate::verdict) fn wished<'a>(
    guest: &Guest,
    options: &Options,
    judged: &Judged,
    features: impl Iterator<Item = &'a Feature>,
) -> Vec<Forced> {
    let mut choice = Choice { set: Set::Full, watchdog_action: options.choice.watchdog_action, ..Choice::default() };
    for property in features.flat_map(|feature| feature.properties).filter(|property| property.role != Role::Choice) {
        // A test asks for each of them: none is refused.
        drop(choice.add(&wish(property)));
    }
    claims(guest, &Options { choice, ..options.clone() }, judged).forced
}

/// The action of the watchdog is the user's, and the name of a user the image's.
pub(super) fn wish(property: &ImageProperty) -> String {
    match (property.key, property.value) {
        ("hw_watchdog_action", _) | (_, "") => property.key.to_owned(),
        (key, value) => format!("{key}={value}"),
    }
}

fn state(
    feature: &'static Feature,
    guest: &Guest,
    judged: &Judged,
    forced: &[Forced],
    is_set: &dyn Fn(&str, &str) -> bool,
) -> State {
    let of_key = |property: &&ImageProperty| forced.iter().find(|forced| forced.key == property.key);
    let judges = |property: &&ImageProperty| matches!(property.role, Role::Earned | Role::Proof);
    let needs = Some(SAFE).filter(|_| feature.side == Side::Judged).into_iter().chain(feature.needs.iter().copied());
    let mut missing: Vec<Missing> = needs.filter_map(|id| unmet(id, guest, judged)).collect();
    for forced in feature.properties.iter().filter(judges).filter_map(|property| of_key(&property)) {
        let is_told = |told: &Missing| Some(told.id) == forced.check;
        if !missing.iter().any(is_told) {
            missing.extend(unearned(forced, guest, judged));
        }
    }
    let instead = feature.properties.iter().filter(|property| property.role == Role::Instead);
    for other in instead.filter_map(|property| of_key(&property)).filter(|forced| forced.word == Word::Pass) {
        for missing in missing.iter_mut().filter(|missing| feature.properties.iter().any(|own| own.key == missing.id)) {
            let way =
                format!("Or set {0}, which this image has earned (bootworthy properties --with {0}).", other.text);
            missing.fix = format!("{}\n{way}", missing.fix);
        }
    }
    let properties = feature.properties.iter().map(|property| standing(property, of_key(&property), is_set)).collect();
    let image = match feature.side {
        Side::Free => ImageState::Free,
        Side::Unjudged => ImageState::Unjudged,
        Side::Judged if missing.is_empty() => ImageState::Ready,
        Side::Judged if missing.iter().any(|missing| missing.word == Word::Fail) => ImageState::Missing,
        Side::Judged => ImageState::Unknown,
    };
    State { feature, image, missing, properties }
}

/// A check that did not pass. One that nobody judged is unknown.
fn unmet(id: &'static str, guest: &Guest, judged: &Judged) -> Option<Missing> {
    let judgement = judged.iter().find(|(check, _)| *check == id).map(|(_, judgement)| judgement);
    let Some((check, judgement)) = check::find(id).zip(judgement) else {
        let (title, reason) = ("not checked by this version".to_owned(), String::new());
        return Some(Missing { id, word: Word::Unknown, title, reason, fix: String::new() });
    };
    if boot::passes(judgement) {
        return None;
    }
    let word = judgement.verdict.word();
    let title = match word {
        Word::Unknown => format!("not known whether {}", check.summary),
        _ => check.broken.to_owned(),
    };
    let exact: Vec<&str> = match &judgement.verdict {
        Verdict::Fail(faults) => faults.iter().filter_map(|fault| fault.evidence.fix.as_deref()).collect(),
        _ => Vec::new(),
    };
    let fix = match (word, exact.is_empty()) {
        (Word::Unknown, _) => format!("bootworthy explain {id} tells what is looked at"),
        (_, true) => check.fix_for(guest).to_owned(),
        (_, false) => exact.join("\n"),
    };
    Some(Missing { id, word, title, reason: place(judgement).unwrap_or_default(), fix })
}

/// Where and what: `/etc/fstab:2: /dev/vda3 is …`.
fn place(judgement: &Judgement) -> Option<String> {
    let reason = judgement.reason()?;
    let Verdict::Fail(faults) = &judgement.verdict else { return Some(reason) };
    let evidence = &faults.iter().max_by_key(|fault| fault.weight)?.evidence;
    let line = evidence.line.map(|line| format!(":{line}")).unwrap_or_default();
    Some(evidence.path.as_ref().map_or(reason.clone(), |path| format!("{path}{line}: {reason}")))
}

/// A property that is not earned: by a check, or by its own rule.
fn unearned(forced: &Forced, guest: &Guest, judged: &Judged) -> Option<Missing> {
    let verb = match forced.word {
        Word::Fail => "is not earned",
        Word::Unknown => "is not proved",
        Word::Pass | Word::NotApplicable => return None,
    };
    if let Some(check) = forced.check {
        return unmet(check, guest, judged);
    }
    let row = PROPERTIES.iter().find(|property| property.key == forced.key);
    Some(Missing {
        id: forced.key,
        word: forced.word,
        title: format!("{} {verb}", forced.text),
        reason: forced.reason.clone(),
        fix: row.map(|property| property.fix.to_owned()).unwrap_or_default(),
    })
}

fn standing(property: &ImageProperty, forced: Option<&Forced>, is_set: &dyn Fn(&str, &str) -> bool) -> PropertyState {
    let (key, role) = (property.key, property.role);
    let named = Some(property.value.to_owned()).filter(|value| !value.is_empty());
    let Some(forced) = forced.filter(|_| role != Role::Choice) else {
        let reason = "whoever runs the cloud decides".to_owned();
        return PropertyState { key, value: named, role, standing: Standing::Choice, check: None, reason };
    };
    let value = forced.text.split_once('=').map(|(_, value)| value.to_owned()).or(named);
    let standing = match forced.word {
        Word::Pass if value.as_deref().is_some_and(|value| is_set(key, value)) => Standing::Set,
        Word::Pass => Standing::Earned,
        Word::Unknown => Standing::Unknown,
        Word::Fail | Word::NotApplicable => Standing::Withheld,
    };
    let is_earned = matches!(standing, Standing::Set | Standing::Earned);
    let reason = if is_earned { String::new() } else { forced.reason.clone() };
    PropertyState { key, value, role, standing, check: forced.check.filter(|_| !is_earned), reason }
}
