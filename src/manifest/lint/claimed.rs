//! What a manifest claims of the image, in the words in which properties are earned: older names, capitals and other
//! spellings of a value are what Nova makes of them.

use super::{Image, effects};
use crate::manifest::{Claim, ClaimValue};
use crate::verdict::property::vocabulary::{Entry, property};
use crate::verdict::property::{Offer, PROPERTIES, Property, Values};

/// A claim of a property that has a row in [`PROPERTIES`].
#[derive(Debug)]
pub(super) struct Claimed<'a> {
    /// The row's key.
    pub(super) key: &'static str,
    /// Where it stands.
    pub(super) claim: &'a Claim,
    /// What it says.
    pub(super) says: Says,
}

/// What a claim says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// The image has this value, in the row's spelling.
    Is(String),
    /// Nothing that the image must keep up with: it is turned off, refused by Nova, or idle for want of another.
    Nothing,
    /// What it will be is not known before it is applied.
    Computed,
}

/// Each key of [`PROPERTIES`] once.
pub(super) fn keys() -> impl Iterator<Item = &'static Property> {
    let is_first =
        |(place, row): &(usize, &Property)| PROPERTIES.iter().position(|other| other.key == row.key) == Some(*place);
    PROPERTIES.iter().enumerate().filter(is_first).map(|(_, row)| row)
}

/// Everything that is claimed, in table order.
pub(super) fn claimed<'a>(image: &Image<'a>) -> Vec<Claimed<'a>> {
    keys().filter_map(|row| one(image, row)).collect()
}

/// The checks without which the image cannot keep what is claimed of it, each once.
pub(super) fn checks(image: &Image<'_>) -> Vec<&'static str> {
    let mut checks = Vec::new();
    for claimed in claimed(image) {
        let Says::Is(value) = &claimed.says else { continue };
        let own = PROPERTIES.iter().filter(|row| row.key == claimed.key && stands_for(row, value));
        checks.extend(own.flat_map(|row| row.needs));
    }
    checks.sort_unstable();
    checks.dedup();
    checks
}

/// Whether the row is the one for this value: it says so, or its value is found and may be any that no other row has.
fn stands_for(row: &Property, value: &str) -> bool {
    let is_word = match row.values {
        Values::OneOf(words) => words.contains(&row.value.label()),
        Values::Yes(word) => row.value.label() == word,
        Values::Text | Values::Integer => false,
    };
    row.value.label() == value || (!is_word && matches!(row.value, Offer::Found(..)) && value != "disabled")
}

fn one<'a>(image: &Image<'a>, row: &'static Property) -> Option<Claimed<'a>> {
    let claim = found(image, row.key)?;
    let says = match &claim.value {
        ClaimValue::Computed(_) => Says::Computed,
        _ => said(image, row, claim).map_or(Says::Nothing, Says::Is),
    };
    Some(Claimed { key: row.key, claim, says })
}

/// The claim of a key, by whichever name Nova reads it.
pub(super) fn found<'a>(image: &Image<'a>, key: &str) -> Option<&'a Claim> {
    match key {
        "min_disk" => image.claims.min_disk.as_ref(),
        // What sets the bus under this name loses against the bus itself (`_set_attr_from_legacy_names`).
        "hw_disk_bus" => image.claim_of(key).or_else(|| image.claims.property("vmware_adaptertype")),
        _ => image.claim_of(field(key)),
    }
}

/// Nova's own name of a property.
pub(super) fn field(key: &str) -> &str {
    property(key).map_or(key, |entry| entry.name.as_str())
}

fn said(image: &Image<'_>, row: &Property, claim: &Claim) -> Option<String> {
    let field = field(row.key);
    if row.key == "min_disk" {
        let text = claim.sent(image.document.typing)?;
        return text.trim().parse::<u32>().ok().filter(|least| *least > 0).map(|least| least.to_string());
    }
    let is_refused = image.rejected.iter().any(|rejected| rejected.key == claim.key);
    if is_refused || effects::is_idle(image, field) {
        return None;
    }
    if let Some(flag) = image.props.flag(field) {
        return match row.values {
            Values::Yes(word) if flag => Some(word.to_owned()),
            _ => None,
        };
    }
    let text = match image.props.text(field) {
        Some(text) => text.to_owned(),
        None => claim.sent(image.document.typing)?,
    };
    // The same machine with the same devices: what proves one proves the other.
    let is_kvm = row.key == "hypervisor_type" && text == "kvm";
    Some(if is_kvm { "qemu".to_owned() } else { text }).filter(|text| !text.trim().is_empty())
}

/// Claims of which no row is, although the guest needs something for them: nothing looks at that.
pub(super) fn unjudged<'a>(image: &Image<'a>) -> Vec<(&'a Claim, String, &'static Entry)> {
    let is_row = |entry: &Entry| keys().any(|row| field(row.key) == entry.name);
    let asked = image.sent().filter_map(|(claim, value)| {
        let entry = property(&claim.key)?;
        let is_open = entry.needs.is_some() && !is_row(entry) && effects::asks(image, &entry.name);
        (is_open && !effects::is_idle(image, &entry.name)).then_some((claim, value, entry))
    });
    asked.collect()
}
