//! What is asked for and what the evidence says → set, or withheld with the reason.

use super::{ALWAYS, Choice, Offer, PROPERTIES, Property, SAFE, Value, Values};
use crate::guest::Guest;
use crate::verdict::{Judgement, Options, View, Word, boot};

/// What is said of every property that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// What is set, in table order.
    pub earned: Vec<Earned>,
    /// What is not, in table order.
    pub withheld: Vec<Withheld>,
    /// What `--with` asks for, in the order of the command line.
    pub forced: Vec<Forced>,
}

/// A property that the image has earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// Glance's key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Glance takes it as a number.
    pub is_integer: bool,
    /// The checks that prove it.
    pub evidence: &'static [&'static str],
}

/// A property that is not set, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Glance's key.
    pub key: &'static str,
    /// The value it would have, where that is known.
    pub value: Option<String>,
    /// The check that does not let it pass, where one decides.
    pub check: Option<&'static str>,
    /// Why, for people.
    pub reason: String,
}

/// A property that the user insists on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forced {
    /// Glance's key.
    pub key: &'static str,
    /// As the user wrote it, or as it is set: `hw_watchdog_action=reset`.
    pub text: String,
    /// Pass when it is earned, fail when the evidence speaks against it, unknown when there is none.
    pub word: Word,
    /// The check that does not let it pass, where one decides.
    pub check: Option<&'static str>,
    /// Why it is not earned; the checks that prove it otherwise.
    pub reason: String,
}

type Judged = [(&'static str, Judgement)];

/// Why a row is not set.
#[derive(Debug)]
struct Objection {
    withheld: Withheld,
    /// Fail or unknown.
    word: Word,
}

/// A row of the table and what it comes to.
#[derive(Debug)]
struct Row {
    place: usize,
    key: &'static str,
    outcome: Outcome,
}

/// What a row comes to.
#[derive(Debug)]
enum Outcome {
    Earned(Earned),
    Withheld(Objection),
    /// It stands for this value; the user wants another.
    Other(String),
    NotNeeded,
}

/// Every property that is asked for. `judged` are the verdicts of all checks; severities play no part.
pub fn claims(guest: &Guest, options: &Options, judged: &Judged) -> Claims {
    let choice = &options.choice;
    let mut rows: Vec<Row> = Vec::new();
    for (place, property) in PROPERTIES.iter().enumerate().filter(|(_, property)| choice.includes(property)) {
        let is_earned = |row: &Row| row.key == property.key && matches!(row.outcome, Outcome::Earned(_));
        if !rows.iter().any(is_earned) {
            rows.push(Row { place, key: property.key, outcome: outcome(guest, options, judged, property) });
        }
    }
    let forced: Vec<Forced> = choice.with.iter().map(|wish| forced(choice, wish.key, &rows)).collect();
    let mut silent = silent(choice, &rows, &forced);
    let mut claims = Claims { forced, ..Claims::default() };
    for row in rows {
        match row.outcome {
            Outcome::Earned(earned) => claims.earned.push(earned),
            Outcome::Withheld(objection) => silent.push((row.place, objection.withheld)),
            Outcome::Other(_) | Outcome::NotNeeded => {}
        }
    }
    silent.sort_by_key(|(place, _)| *place);
    claims.withheld = silent.into_iter().map(|(_, withheld)| withheld).collect();
    claims
}

/// What no row speaks of, although it is always said or was asked for by name; with its place in the table.
fn silent(choice: &Choice, rows: &[Row], forced: &[Forced]) -> Vec<(usize, Withheld)> {
    let is_said = |key: &str| {
        let of_key = rows.iter().filter(|row| row.key == key);
        of_key.into_iter().any(|row| matches!(row.outcome, Outcome::Earned(_) | Outcome::Withheld(_)))
    };
    let is_first = |place: usize, key: &str| PROPERTIES.iter().position(|property| property.key == key) == Some(place);
    let mut silent = Vec::new();
    for (place, property) in PROPERTIES.iter().enumerate() {
        let key = property.key;
        if !is_first(place, key) || is_said(key) || !(ALWAYS.contains(&key) || choice.is_wished(key)) {
            continue;
        }
        let reason = match forced.iter().find(|forced| forced.key == key) {
            Some(forced) => forced.reason.clone(),
            None if choice.without.contains(&key) => "left out by --without".to_owned(),
            None if choice.includes_key(key) => "this image does not need it".to_owned(),
            None => format!("not in the set {}", choice.set.name()),
        };
        let value = choice.value(key).map(str::to_owned);
        silent.push((place, Withheld { key, value, check: None, reason }));
    }
    silent
}

/// What becomes of a property that the user insists on.
fn forced(choice: &Choice, key: &'static str, rows: &[Row]) -> Forced {
    let text = |value: Option<&str>| value.map_or(key.to_owned(), |value| format!("{key}={value}"));
    let own = || rows.iter().filter(|row| row.key == key).map(|row| &row.outcome);
    let wanted = choice.value(key);
    let earned = own().find_map(|row| if let Outcome::Earned(earned) = row { Some(earned) } else { None });
    if let Some(earned) = earned {
        let reason = if earned.evidence.is_empty() { SAFE.to_owned() } else { earned.evidence.join(", ") };
        return Forced { key, text: text(Some(&earned.value)), word: Word::Pass, check: None, reason };
    }
    let objections = || own().filter_map(|row| if let Outcome::Withheld(why) = row { Some(why) } else { None });
    // Whichever row would do: as long as one of them is not known, it is not known.
    let decisive = objections().find(|why| why.word == Word::Unknown).or_else(|| objections().next());
    if let Some(Objection { withheld, word }) = decisive {
        let value = withheld.value.as_deref().or(wanted);
        return Forced { key, text: text(value), word: *word, check: withheld.check, reason: withheld.reason.clone() };
    }
    let mut others: Vec<&str> =
        own().filter_map(|row| if let Outcome::Other(value) = row { Some(value.as_str()) } else { None }).collect();
    others.dedup();
    let (word, reason) = match others.as_slice() {
        [] => (Word::Fail, format!("this image does not need it; --with {key}=VALUE says which")),
        [found] if is_found(key) => (Word::Fail, format!("this image has {found}")),
        known => (Word::Unknown, format!("bootworthy has a proof only for {}", known.join(", "))),
    };
    Forced { key, text: text(wanted), word, check: None, reason }
}

/// Whether the facts themselves name the value, so that any other is wrong.
fn is_found(key: &str) -> bool {
    let is_found = |property: &Property| matches!(property.value, Offer::Found(..)) && !property.reads.is_empty();
    PROPERTIES.iter().any(|property| property.key == key && is_found(property))
}

fn outcome(guest: &Guest, options: &Options, judged: &Judged, property: &Property) -> Outcome {
    let view = View::new(guest, options, property.reads);
    let value = property.value.value(&view);
    let (value, without) = match (value, view.gaps().into_iter().next()) {
        (_, Some(gap)) => (None, Some((Word::Unknown, gap.reason))),
        (Value::NotNeeded, None) => return Outcome::NotNeeded,
        (Value::Is(value), None) => (Some(value), None),
        (Value::Without(reason), None) => (None, Some((Word::Fail, reason))),
    };
    let label = match property.value {
        Offer::Fixed(value) | Offer::Driven(value, _) => Some(value),
        Offer::Found(..) => value.as_deref(),
    };
    if let (Some(wanted), Some(label)) = (options.choice.value(property.key), label)
        && wanted != label
    {
        return Outcome::Other(label.to_owned());
    }
    let shown = value.clone().or_else(|| label.map(str::to_owned));
    let withheld = |check, reason, word| {
        let withheld = Withheld { key: property.key, value: shown.clone(), check, reason };
        Outcome::Withheld(Objection { withheld, word })
    };
    if let Some((check, reason, word)) = objection(judged, property.needs) {
        return withheld(Some(check), reason, word);
    }
    if let Some((word, reason)) = without {
        return withheld(None, reason, word);
    }
    match value.filter(|value| is_plain(value)) {
        Some(value) => Outcome::Earned(Earned {
            key: property.key,
            value,
            is_integer: property.values == Values::Integer,
            evidence: property.needs,
        }),
        None => withheld(None, "the value is not one that Glance takes".to_owned(), Word::Fail),
    }
}

/// The check that did not pass, and why: one that fails before one that is unknown, and that before one to come.
fn objection(judged: &Judged, needs: &[&'static str]) -> Option<(&'static str, String, Word)> {
    let find = |id: &str| judged.iter().find(|(check, _)| *check == id);
    let needs = || std::iter::once(SAFE).chain(needs.iter().copied());
    let open = || needs().filter_map(find).filter(|(_, judgement)| !boot::passes(judgement));
    let fails = |(_, judgement): &&(&str, Judgement)| judgement.verdict.word() == Word::Fail;
    if let Some((id, judgement)) = open().find(fails).or_else(|| open().next()) {
        return Some((id, judgement.reason().unwrap_or_default(), judgement.verdict.word()));
    }
    let missing: Vec<&str> = needs().filter(|id| find(id).is_none()).collect();
    missing.first().map(|first| (*first, format!("not checked yet: {}", missing.join(", ")), Word::Unknown))
}

/// What Glance stores and Nova copies without loss: printable ASCII, at most 255 characters
/// (`nova/utils.py`, `safe_truncate`).
fn is_plain(value: &str) -> bool {
    (1..=255).contains(&value.len()) && value.chars().all(|c| matches!(c, ' '..='~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values() {
        for (value, is) in [("12", true), ("", false), ("a\nb", false), ("caf\u{e9}", false), (&"x".repeat(256), false)]
        {
            assert_eq!(is_plain(value), is, "{value:?}");
        }
    }
}
