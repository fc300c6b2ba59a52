//! Manifests and flavors → findings: what Glance would refuse, Nova would refuse or silently ignore, and what does nothing.

mod claimed;
mod conflicts;
mod descriptive;
mod effects;
mod evidence;
mod flavor;
mod names;
mod quote;
mod values;

use super::{Claim, Claims, Document, Flavor, Typing};
use crate::guest::Guest;
use crate::verdict::profile::Severity;
use crate::verdict::property::Earned;
use crate::verdict::property::vocabulary::{FlavorSpecs, ImageProps, Rejected};
use crate::verdict::{About, Evidence, Finding, Options, Word};
use quote::Quoted;

/// A rule of the linter.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case; never changes.
    pub id: &'static str,
    /// How much a breach of it matters.
    pub severity: Severity,
    /// The headline of a finding.
    pub summary: &'static str,
    /// What goes wrong.
    pub why: &'static str,
    /// How to mend it, where no place says it more exactly.
    pub fix: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// Looks at one image, or at the flavor.
    run: Run,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
enum Run {
    /// One image, with the flavor where there is one.
    Image(fn(&Image<'_>) -> Vec<Evidence>),
    /// The flavor alone.
    Flavor(fn(&FlavorFile<'_>) -> Vec<Evidence>),
    /// An image with what was found in it: [`against`].
    Shown,
}

/// Every rule, in report order: names, values, what they amount to, the flavor, the image itself.
pub const RULES: &[Rule] = &[
    names::MISSPELT,
    names::UNREAD,
    names::RESERVED_NAME,
    names::TOO_LONG,
    names::REPEATED,
    names::TOO_MANY,
    names::TWO_NAMES,
    names::TRAIT,
    values::REFUSED,
    values::SILENTLY_FALSE,
    values::TYPED,
    values::BLANK,
    values::LOST_ZERO,
    values::TOO_LONG,
    values::BEYOND_BMP,
    values::MINIMUM,
    values::FORMAT,
    values::DISTRO,
    values::OTHER_DISTRO,
    conflicts::CONTRADICTION,
    conflicts::HOST,
    conflicts::SCSI_MODEL,
    conflicts::QUIESCE,
    conflicts::EMULATION,
    conflicts::NEEDS_FLAVOR,
    effects::IDLE,
    effects::ELSEWHERE,
    effects::INERT,
    flavor::SPEC_REFUSED,
    flavor::SPEC_MISSPELT,
    flavor::SPEC_IDLE,
    flavor::SPEC_SHAPE,
    flavor::FLAVOR_CONTRADICTION,
    flavor::CONFLICT,
    flavor::TOO_SMALL,
    flavor::OVERRIDDEN,
    evidence::MATCHES,
    evidence::UNCLAIMED,
];

/// The rule with this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// One image with what the rules ask of it.
#[derive(Debug)]
struct Image<'a> {
    document: &'a Document,
    claims: &'a Claims,
    /// The properties as Nova takes them.
    props: ImageProps,
    /// Those that it refuses.
    rejected: Vec<Rejected>,
    quoted: &'a Quoted<'a>,
    flavor: Option<&'a FlavorFile<'a>>,
}

/// A flavor with what the rules ask of it.
#[derive(Debug)]
struct FlavorFile<'a> {
    flavor: &'a Flavor,
    quoted: Quoted<'a>,
    specs: FlavorSpecs,
}

/// Judges every image of a manifest, and the flavor where one is given.
pub fn lint(document: &Document, flavor: Option<&Flavor>) -> Vec<Finding> {
    let flavor = flavor.map(FlavorFile::of);
    let quoted = Quoted::new(&document.path, &document.text);
    let images: Vec<Image<'_>> =
        document.images.iter().map(|claims| Image::of(document, claims, &quoted, flavor.as_ref())).collect();
    let broken = |rule: &Rule| -> Vec<Evidence> {
        match rule.run {
            Run::Image(run) => images.iter().flat_map(|image| image.placed(run(image))).collect(),
            Run::Flavor(run) => flavor.as_ref().map(run).unwrap_or_default(),
            Run::Shown => Vec::new(),
        }
    };
    RULES.iter().filter_map(|rule| rule.finding(broken(rule))).collect()
}

/// What an image has shown, for the manifest that claims things of it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The facts; `None` where the image could not be inspected.
    pub guest: Option<&'a Guest>,
    /// What the user asked of the judging.
    pub options: &'a Options,
    /// What the image has earned of the properties that are asked for.
    pub earned: &'a [Earned],
}

/// Judges the first image of a manifest by the rules of [`lint`], and against what the image itself has shown.
pub fn against(document: &Document, shown: &Shown<'_>) -> Vec<Finding> {
    let mut findings = lint(document, None);
    let quoted = Quoted::new(&document.path, &document.text);
    let images = document.images.iter().take(1).map(|claims| Image::of(document, claims, &quoted, None));
    findings.extend(images.flat_map(|image| evidence::findings(&image, shown)));
    findings
}

/// The checks on which rests what the first image of a manifest claims; they become errors.
pub fn checks(document: &Document) -> Vec<&'static str> {
    let quoted = Quoted::new(&document.path, &document.text);
    let claims = document.images.first();
    claims.map(|claims| claimed::checks(&Image::of(document, claims, &quoted, None))).unwrap_or_default()
}

impl Rule {
    /// Whether it says nothing of a manifest without its image.
    pub fn needs_image(&self) -> bool {
        matches!(self.run, Run::Shown)
    }

    fn finding(&self, evidence: Vec<Evidence>) -> Option<Finding> {
        let reason = evidence.first()?.found.clone();
        Some(Finding {
            id: self.id,
            severity: self.severity,
            verdict: Word::Fail,
            title: self.summary,
            why: self.why,
            about: About::Manifest,
            entries: Vec::new(),
            evidence,
            notes: Vec::new(),
            reason: Some(reason),
            fix: Some(self.fix.to_owned()),
            ignored: None,
        })
    }
}

impl<'a> Image<'a> {
    fn of(
        document: &'a Document,
        claims: &'a Claims,
        quoted: &'a Quoted<'a>,
        flavor: Option<&'a FlavorFile<'a>>,
    ) -> Self {
        let sent: Vec<(&str, String)> = claims
            .properties
            .iter()
            .filter_map(|claim| Some((claim.key.as_str(), claim.sent(document.typing)?)))
            .collect();
        let (props, rejected) = ImageProps::from_pairs(sent.iter().map(|(key, value)| (*key, value.as_str())));
        Self { document, claims, props, rejected, quoted, flavor }
    }

    /// Each property that is sent, with its text; of repetitions the last.
    fn sent(&self) -> impl Iterator<Item = (&'a Claim, String)> {
        let (claims, typing) = (self.claims, self.document.typing);
        let last = move |claim: &&Claim| claims.property(&claim.key).is_some_and(|last| std::ptr::eq(last, *claim));
        claims.properties.iter().filter(last).filter_map(move |claim| Some((claim, claim.sent(typing)?)))
    }

    /// Whether a property of this name is claimed, whatever its value.
    fn has(&self, key: &str) -> bool {
        self.claims.property(key).is_some()
    }

    /// The claim that a field of Nova came from: by its name of now, an older one, or the first of a family.
    fn claim_of(&self, field: &str) -> Option<&'a Claim> {
        let is_it = |claim: &&Claim| {
            let entry = crate::verdict::property::vocabulary::property(&claim.key);
            entry.is_some_and(|entry| entry.name == field)
        };
        self.claims.property(field).or_else(|| self.claims.properties.iter().find(is_it))
    }

    /// Evidence at a claim, with its line and what is meant in it.
    fn at(&self, claim: &Claim, found: impl Into<String>) -> Evidence {
        self.quoted.at(claim, found.into())
    }

    /// Evidence at a claim whose name is meant.
    fn at_key(&self, claim: &Claim, found: impl Into<String>) -> Evidence {
        self.quoted.at_key(claim, found.into())
    }

    /// Evidence at the field's claim, or at the image.
    fn at_field(&self, field: &str, found: impl Into<String>) -> Evidence {
        match self.claim_of(field) {
            Some(claim) => self.at(claim, found),
            None => self.at_image(found),
        }
    }

    /// Evidence at the beginning of the image.
    fn at_image(&self, found: impl Into<String>) -> Evidence {
        let evidence = Evidence::at(&self.document.path, found);
        match self.claims.line {
            Some(line) => evidence.line(line),
            None => evidence,
        }
    }

    /// Names the image where the file has several.
    fn placed(&self, evidence: Vec<Evidence>) -> Vec<Evidence> {
        let name = self.claims.name.as_ref().and_then(|name| name.sent(Typing::Lower));
        match name.filter(|_| self.document.images.len() > 1) {
            Some(name) => evidence.into_iter().map(|evidence| evidence.entry(name.clone())).collect(),
            None => evidence,
        }
    }
}

impl<'a> FlavorFile<'a> {
    fn of(flavor: &'a Flavor) -> Self {
        let sent = |claim: &Claim| Some((claim.key.clone(), claim.sent(Typing::Lower)?));
        let specs = flavor.extra_specs.iter().filter_map(sent).collect();
        Self {
            flavor,
            quoted: Quoted::new(&flavor.path, &flavor.text),
            specs: FlavorSpecs { vcpus: flavor.vcpus, memory: flavor.ram, specs },
        }
    }

    fn at(&self, claim: &Claim, found: impl Into<String>) -> Evidence {
        self.quoted.at(claim, found.into())
    }

    fn at_key(&self, claim: &Claim, found: impl Into<String>) -> Evidence {
        self.quoted.at_key(claim, found.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rules_say_what_they_must() {
        let mut ids = BTreeSet::new();
        for found in RULES {
            assert!(ids.insert(found.id), "{} stands twice", found.id);
            assert!(found.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", found.id);
            for text in [found.why, found.fix] {
                assert!(text.ends_with('.') && text.len() > 20, "{}: {text}", found.id);
            }
            assert!(!found.summary.is_empty() && !found.source.is_empty(), "{}", found.id);
            assert!(rule(found.id).is_some_and(|known| known.summary == found.summary));
        }
    }
}
