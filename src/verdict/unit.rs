//! Units of systemd as checks ask for them: does one start at the first boot, and with which settings.

use super::{Evidence, Lookup, View};
use crate::fact::Gap;
use crate::guest::{Assignment, Setting, Unit, UnitStart};

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
    // What /run masks is gone when the guest boots.
    if state == "masked" {
        return Some(Start::No(Evidence::at(path, format!("{name} is masked: nothing can start it"))));
    }
    if state == "not-found" {
        return Some(Start::No(Evidence::at(path, format!("{name} has no unit file: nothing can start it"))));
    }
    let starts = view.need(&unit.starts)?;
    let Some(start) = starts.items.iter().find(|start| is_certain(start)) else {
        view.certain(|view| view.all(starts).len())?;
        return match starts.items.first() {
            Some(start) => {
                let reason = format!("{name} starts with a device that may not be there: {}", start.of);
                view.miss(Gap::at(&start.path, reason));
                None
            }
            None => Some(Start::No(Evidence::at(path, format!("{name} is {state}: nothing starts it at boot")))),
        };
    };
    if let Some(setting) = view.need(&unit.refused)? {
        let found = format!(
            "{name} is started by {} ({}), but {}={} keeps it from running",
            start.of, start.by, setting.key, setting.value
        );
        return Some(Start::No(Evidence::at(setting.path.clone(), found).line(setting.line)));
    }
    let evidence = Evidence::at(start.path.clone(), format!("{name} is started by {} ({})", start.of, start.by));
    Some(Start::Yes(match start.line {
        Some(line) => evidence.line(line),
        None => evidence,
    }))
}

/// The device of the agent's channel, which Nova gives every instance with `hw_qemu_guest_agent=yes`.
const AGENT_DEVICE: &str = r"dev-virtio\x2dports-org.qemu.guest_agent.0.device";

/// Whether what starts a unit is there in every instance: of devices only the agent's channel is.
fn is_certain(start: &UnitStart) -> bool {
    start.of == AGENT_DEVICE || (start.by != "udev" && !start.of.ends_with(".device"))
}

/// The names of a template and of all its instances that the guest has, `qemu-ga@….service` for `qemu-ga@`.
pub(super) fn instances<'a>(view: &View<'a>, start: &str) -> Option<Vec<&'a str>> {
    let names = view.units()?.items.iter().map(|unit| unit.name.as_str());
    Some(names.filter(|name| name.starts_with(start)).collect())
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
