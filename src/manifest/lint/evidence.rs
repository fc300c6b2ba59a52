//! A manifest against the image itself: what it claims and the image does not keep, and what it leaves out.

use super::claimed::{Claimed, Says, claimed, field, found, keys, unjudged};
use super::descriptive;
use super::names::misspelt;
use super::{Image, Rule, Run, Shown};
use crate::guest::Guest;
use crate::manifest::{ClaimValue, Typing};
use crate::verdict::check::CHECKS;
use crate::verdict::profile::Severity;
use crate::verdict::property::{Choice, Claims, Earned, Forced, Set, claims};
use crate::verdict::{About, Evidence, Finding, Judgement, Options, Verdict, Weight, Word};

pub(super) const MATCHES: Rule = Rule {
    id: "property-matches-evidence",
    severity: Severity::Error,
    summary: "the manifest claims what the image does not keep",
    why: "Nova builds the server that the properties promise: one that the image cannot drive does not boot, and a device that nothing in it uses helps nobody, silently.",
    fix: "Mend what the named check finds, or take the property out.",
    source: "bootworthy itself: `bootworthy explain PROPERTY` says what earns it",
    run: Run::Shown,
};

pub(super) const UNCLAIMED: Rule = Rule {
    id: "property-unclaimed",
    severity: Severity::Warning,
    summary: "the image has earned a property that the manifest leaves out",
    why: "What the manifest does not say, Nova does not do: no channel for the agent, no watchdog, one queue, another disk bus.",
    fix: "Add the line, or leave the property out of what is asked for with --without.",
    source: "bootworthy itself: `bootworthy properties IMAGE` prints what is earned",
    run: Run::Shown,
};

type Judged = [(&'static str, Judgement)];

/// What is said of the claims, by what comes of it.
#[derive(Debug, Default)]
struct Parts {
    proofs: Vec<Evidence>,
    faults: Vec<(Weight, Evidence)>,
    gaps: Vec<(Weight, Evidence)>,
    notes: Vec<Evidence>,
}

/// What is to be said of the image's manifest beyond its own rules.
pub(super) fn findings(image: &Image<'_>, shown: &Shown<'_>) -> Vec<Finding> {
    let Some(guest) = shown.guest else {
        let gap = image.at_image("nothing is known of the image, so nothing that is claimed of it is");
        return vec![Parts { gaps: vec![(Weight::Full, gap)], ..Parts::default() }.finding(&MATCHES)];
    };
    let mut found = vec![judge(image, guest, shown.options).finding(&MATCHES)];
    let missed = missed(image, shown.earned);
    found.extend((!missed.faults.is_empty()).then(|| missed.finding(&UNCLAIMED)));
    found
}

impl Parts {
    /// The heavier of faults and gaps decides, faults on a tie; then proofs; without any, nothing was claimed.
    fn finding(self, rule: &'static Rule) -> Finding {
        let heaviest = |list: &[(Weight, Evidence)]| list.iter().map(|(weight, _)| *weight).max();
        let (fault, gap) = (heaviest(&self.faults), heaviest(&self.gaps));
        let told = |list: Vec<(Weight, Evidence)>| list.into_iter().map(|(_, evidence)| evidence).collect::<Vec<_>>();
        let (faults, gaps, mut notes) = (told(self.faults), told(self.gaps), self.notes);
        let (verdict, evidence) = if fault.is_some() && fault >= gap {
            notes.extend(gaps);
            (Word::Fail, faults)
        } else if gap.is_some() {
            notes.extend(faults);
            (Word::Unknown, gaps)
        } else if self.proofs.is_empty() {
            (Word::NotApplicable, Vec::new())
        } else {
            (Word::Pass, self.proofs)
        };
        let is_light = fault.max(gap).is_some_and(|weight| matches!(weight, Weight::Minor | Weight::Reduced));
        let nothing = || "the manifest claims nothing that the image must show".to_owned();
        let reason = match verdict {
            Word::Pass => None,
            _ => evidence.first().map(|evidence| evidence.found.clone()).or_else(|| Some(nothing())),
        };
        Finding {
            id: rule.id,
            severity: if is_light { rule.severity.lower() } else { rule.severity },
            verdict,
            title: if verdict == Word::Fail { rule.summary } else { "the image keeps what the manifest claims of it" },
            why: rule.why,
            about: About::Manifest,
            entries: Vec::new(),
            evidence,
            notes,
            reason,
            fix: (verdict == Word::Fail).then(|| rule.fix.to_owned()),
            ignored: None,
        }
    }
}

/// Every claim against the evidence.
fn judge(image: &Image<'_>, guest: &Guest, options: &Options) -> Parts {
    let judged: Vec<(&'static str, Judgement)> =
        CHECKS.iter().map(|check| (check.id, check.judge(guest, options))).collect();
    let with = |choice: Choice| claims(guest, &Options { choice, ..options.clone() }, &judged);
    let have = with(Choice { set: Set::Full, ..Choice::default() });
    let stated = claimed(image);
    let choice = choice(&stated);
    let asked = with(choice.clone());
    let mut parts = Parts::default();
    for claimed in &stated {
        judge_one(&mut parts, image, claimed, &asked, &have, &judged);
    }
    descriptive::disk_format(&mut parts.proofs, &mut parts.faults, image, guest);
    if !is_open(image) && !image.claims.is_partial {
        unsaid(&mut parts, image, &with, &have, &judged);
    }
    if let Some(claim) = computed(image) {
        parts.gaps.push((Weight::Full, image.at(claim, "what it holds is not known before it is applied")));
    }
    for (claim, value, entry) in unjudged(image) {
        let needs = entry.needs.as_deref().unwrap_or_default();
        let text = format!("{}={value}: no check looks for what the guest needs for it: {needs}", claim.key);
        parts.gaps.push((Weight::Minor, image.at(claim, text)));
    }
    parts
}

/// The user's wishes would be these, had each claim been a `--with` and the rest a `--without`.
fn choice(stated: &[Claimed<'_>]) -> Choice {
    let mut choice = Choice { set: Set::Full, ..Choice::default() };
    for row in keys() {
        let says = stated.iter().find(|claimed| claimed.key == row.key).map(|claimed| &claimed.says);
        // What no row can say is told as a claim without a proof.
        let _ = match says {
            Some(Says::Is(value)) => choice.add(&format!("{}={value}", row.key)),
            _ => choice.leave_out(row.key),
        };
    }
    choice
}

fn judge_one(
    parts: &mut Parts,
    image: &Image<'_>,
    claimed: &Claimed<'_>,
    asked: &Claims,
    have: &Claims,
    judged: &Judged,
) {
    let Claimed { key, claim, says } = claimed;
    let weight = if descriptive::is_descriptive(key) { Weight::Reduced } else { Weight::Full };
    let value = match says {
        Says::Nothing => return,
        Says::Computed => {
            let text = format!("{} is not known before it is applied", claim.key);
            return parts.gaps.push((weight, image.at(claim, text)));
        }
        Says::Is(value) => value,
    };
    let is_alias = field(&claim.key) == field(key) || *key == "min_disk";
    let spelt = if is_alias { claim.key.as_str() } else { key };
    let name = format!("{spelt}={value}");
    let own = have.earned.iter().find(|earned| earned.key == *key).map(|earned| earned.value.as_str());
    match descriptive::agrees(image, key, value, own) {
        Some(Word::Pass) => return parts.proofs.push(image.at(claim, format!("{name} is true of the image"))),
        Some(Word::Unknown) => {
            let text = format!("{name}: the image says no more than {}", own.unwrap_or_default());
            return parts.gaps.push((weight, image.at(claim, text)));
        }
        _ => {}
    }
    let Some(forced) = asked.forced.iter().find(|forced| forced.key == *key) else {
        let text = format!("{name}: bootworthy has no proof for this value");
        return parts.gaps.push((weight, image.at(claim, text)));
    };
    let reason = told(forced, judged);
    match word(image, forced, value) {
        Word::Pass | Word::NotApplicable => {
            parts.proofs.push(image.at(claim, format!("{name} is earned by {}", forced.reason)));
        }
        Word::Unknown => parts.gaps.push((weight, image.at(claim, format!("{name}: {reason}")))),
        Word::Fail => {
            let reason = match (*key, own) {
                ("min_disk", Some(own)) => format!("the image's disk takes {own} GiB"),
                _ => reason,
            };
            let evidence = image.at(claim, format!("{name}: {reason}"));
            let explained = forced.check.unwrap_or(key);
            let evidence = match own.filter(|own| own != value) {
                Some(own) => evidence.expected(own).mend(format!("{spelt}={own}")),
                None => {
                    evidence.mend(format!("take {} out, or mend the image: bootworthy explain {explained}", claim.key))
                }
            };
            parts.faults.push((Weight::Full, evidence));
        }
    }
}

/// What becomes of a claim. A controller that libvirt picks, and the size of a directory, no check can speak of.
fn word(image: &Image<'_>, forced: &Forced, value: &str) -> Word {
    let has_model = image.props.text("hw_scsi_model") == Some("virtio-scsi");
    let is_open = match forced.key {
        "hw_disk_bus" => value == "scsi" && !has_model,
        "min_disk" => forced.reason.contains("directory"),
        _ => false,
    };
    match forced.word {
        Word::Fail if is_open && forced.check.is_none() => Word::Unknown,
        word => word,
    }
}

/// The check that decides, where it found what it says, and what.
fn told(forced: &Forced, judged: &Judged) -> String {
    let Some(check) = forced.check else { return forced.reason.clone() };
    let verdict = judged.iter().find(|(id, _)| *id == check).map(|(_, judgement)| &judgement.verdict);
    let place = match verdict {
        Some(Verdict::Fail(faults)) => faults.iter().max_by_key(|fault| fault.weight).and_then(|fault| {
            let line = fault.evidence.line.map(|line| format!(":{line}")).unwrap_or_default();
            Some(format!("{}{line}: ", fault.evidence.path.as_deref()?))
        }),
        Some(Verdict::Unknown(gaps)) => gaps.first().and_then(|gap| Some(format!("{}: ", gap.path.as_deref()?))),
        _ => None,
    };
    format!("{check}: {}{}", place.unwrap_or_default(), forced.reason)
}

/// What Nova does where the manifest is silent: a disk on virtio, and BIOS on `x86_64`
/// (`nova/virt/libvirt/blockinfo.py`, `get_disk_bus_for_device_type`; `driver.py`, `_configure_guest_by_virt_type`).
fn unsaid(parts: &mut Parts, image: &Image<'_>, with: &dyn Fn(Choice) -> Claims, have: &Claims, judged: &Judged) {
    let own = |key: &str| have.earned.iter().find(|earned| earned.key == key).map(|earned| earned.value.as_str());
    let is_pc = matches!(own("architecture"), Some("x86_64" | "i686"));
    let is_ours = matches!(image.props.text("img_hv_type"), None | Some("qemu" | "kvm"));
    for (key, value, is_default) in [("hw_disk_bus", "virtio", is_ours), ("hw_firmware_type", "bios", is_ours && is_pc)]
    {
        if !is_default || found(image, key).is_some() || is_meant(image, key) {
            continue;
        }
        let mut choice = Choice { set: Set::Full, ..Choice::default() };
        // Each is a value of its row.
        drop(choice.add(&format!("{key}={value}")));
        let asked = with(choice);
        let Some(forced) = asked.forced.iter().find(|forced| forced.key == key) else { continue };
        let evidence = image.at_image(format!("without {key} Nova takes {value}: {}", told(forced, judged)));
        match (forced.word, own(key)) {
            (Word::Pass | Word::NotApplicable, _) => {
                let text = format!("without {key} Nova takes {value}, earned by {}", forced.reason);
                parts.proofs.push(image.at_image(text));
            }
            (Word::Unknown, _) => parts.gaps.push((Weight::Full, evidence)),
            (Word::Fail, Some(own)) => parts.faults.push((Weight::Full, evidence.mend(format!("{key}={own}")))),
            (Word::Fail, None) => parts.faults.push((Weight::Full, evidence)),
        }
    }
}

/// Whether a misspelt claim means this property.
fn is_meant(image: &Image<'_>, key: &str) -> bool {
    image.claims.properties.iter().any(|claim| misspelt(&claim.key).is_some_and(|meant| field(&meant) == field(key)))
}

/// The place of all properties, where what stands in it is computed.
fn computed<'a>(image: &Image<'a>) -> Option<&'a crate::manifest::Claim> {
    let is_place = |key: &str| matches!(key, "properties" | "metadata" | "meta" | "extra_properties");
    let is_computed = |value: &ClaimValue| matches!(value, ClaimValue::Computed(_) | ClaimValue::Compound);
    image.claims.fields.iter().find(|claim| is_place(&claim.key) && is_computed(&claim.value))
}

fn is_open(image: &Image<'_>) -> bool {
    computed(image).is_some()
}

/// What the image has earned and the manifest does not say.
fn missed(image: &Image<'_>, earned: &[Earned]) -> Parts {
    let mut parts = Parts::default();
    if is_open(image) || image.claims.is_partial {
        return parts;
    }
    let bus = image.props.text("hw_disk_bus");
    for Earned { key, value, .. } in earned {
        let is_for_scsi = *key == "hw_scsi_model" && bus.is_some_and(|bus| bus != "scsi");
        let has_no_minimum = image.claims.min_disk.as_ref().is_some_and(|claim| claim.sent(Typing::Lower).is_some());
        if found(image, key).is_some() && (*key != "min_disk" || has_no_minimum) || is_meant(image, key) || is_for_scsi
        {
            continue;
        }
        if !descriptive::has_place(image.document.format, key) {
            parts.notes.push(image.at_image(format!("{key}={value} is earned, and the format has no place for it")));
            continue;
        }
        let weight = if descriptive::is_descriptive(key) { Weight::Minor } else { Weight::Full };
        let text = format!("{key}={value} is earned and does not stand here");
        parts.faults.push((weight, image.at_image(text).mend(format!("{key}={value}"))));
    }
    parts
}
