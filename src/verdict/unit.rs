//! Units of systemd as checks ask for them: does one start at the first boot, and with which settings.

use super::{Evidence, Lookup, View};
use crate::guest::{Assignment, Setting, Unit};

/// Whether something starts at the first boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It does; says what starts which unit.
    Yes(Evidence),
    /// It does not; says why.
    No(Evidence),
}

/// The unit with this name; `None` keeps the gap.
pub(super) fn find<'a>(view: &View<'a>, name: &str) -> Option<Lookup<'a, Unit>> {
    view.find(view.units()?, |unit| unit.name == name)
}

/// Whether any of the units `names` starts at the first boot: the first that does, or why the first that is there does
/// not. `None` keeps the gaps.
pub(super) fn starts(view: &View<'_>, names: &[&str]) -> Option<Start> {
    let mut is_known = true;
    let mut refusal = None;
    for name in names {
        let (start, gaps) = view.apart(|view| start_of(view, name));
        match start {
            Some(Start::Yes(evidence)) => return Some(Start::Yes(evidence)),
            Some(Start::No(evidence)) if evidence.path.is_some() => drop(refusal.get_or_insert(evidence)),
            Some(Start::No(_)) => {}
            None => is_known = false,
        }
        for gap in gaps {
            view.miss(gap);
        }
    }
    let none = || Evidence::of(format!("there is no unit {}", names.join(" or ")));
    is_known.then(|| Start::No(refusal.unwrap_or_else(none)))
}

fn start_of(view: &View<'_>, name: &str) -> Option<Start> {
    let unit = match find(view, name)? {
        Lookup::There(unit) => unit,
        Lookup::Absent => return Some(Start::No(Evidence::of(format!("there is no unit {name}")))),
    };
    let path = view.need(&unit.path)?.clone().unwrap_or_default();
    let state = view.need(&unit.state)?;
    if state.starts_with("masked") {
        return Some(Start::No(Evidence::at(path, format!("{name} is {state}: nothing can start it"))));
    }
    let starts = view.need(&unit.starts)?;
    if let Some(start) = starts.items.first() {
        let found = format!("{name} is started by {} ({})", start.of, start.by);
        let evidence = Evidence::at(start.path.clone(), found);
        return Some(Start::Yes(match start.line {
            Some(line) => evidence.line(line),
            None => evidence,
        }));
    }
    view.certain(|view| view.all(starts).len())?;
    Some(Start::No(Evidence::at(path, format!("{name} is {state}: nothing starts it at boot"))))
}

/// Every value of `key` in `section` of a unit, in the order in which systemd reads them, after the last one that
/// resets the list; `None` keeps the gap.
pub(super) fn settings<'a>(view: &View<'_>, unit: &'a Unit, section: &str, key: &str) -> Option<Vec<&'a Setting>> {
    let settings = view.need(&unit.settings)?.as_ref()?;
    let mut values: Vec<&Setting> = Vec::new();
    for setting in view.all(settings).iter().filter(|setting| setting.section == section && setting.key == key) {
        if setting.value.is_empty() {
            values.clear();
        } else {
            values.push(setting);
        }
    }
    Some(values)
}

/// The assignment of a variable that counts: the last one.
pub(super) fn variable<'a>(variables: &'a [Assignment], name: &str) -> Option<&'a Assignment> {
    variables.iter().rfind(|variable| variable.name == name)
}
