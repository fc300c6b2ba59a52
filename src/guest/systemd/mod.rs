//! systemd's folders → units as they will be at the first boot (`man 5 systemd.unit`).

mod environment;
mod generator;
mod ini;
mod install;
mod load;
mod manager;
mod name;
mod preset;
mod refusal;
mod start;
#[cfg(test)]
mod tests;
mod tree;
mod udev;

pub use manager::read as manager;

use crate::disk::filesystem::{GuestPath, Root};
use crate::error::{Error, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::guest::{BootEntry, Unit, UnitStart};
use crate::limits::Limits;
use generator::Cmdlines;
use install::Halt;
use load::{Loaded, Units};
use preset::{FirstBoot, Presets};
use refusal::Context;
use start::Starts;
use std::collections::{BTreeMap, BTreeSet};
use tree::{Entries, Tree};

/// Units whose settings checks ask for; a name that ends in `@` stands for the template and its instances, one that
/// ends in `*` for all that begin so.
const WANTED: &[&str] = &[
    "qemu-guest-agent.service",
    "qemu-ga.service",
    "qemu-ga@",
    "watchdog.service",
    "wd_keepalive.service",
    "fstrim.service",
    "fstrim.timer",
    "irqbalance.service",
    "ssh.service",
    "ssh.socket",
    "ssh@",
    "sshd.service",
    "sshd.socket",
    "sshd@",
    "cloud-*",
    "ignition*",
    "coreos-*",
    "afterburn*",
    "tiny-cloud*",
    "cirros*",
    "glean*",
    "systemd-repart.service",
    "systemd-growfs*",
    "growpart*",
    "growroot*",
    "serial-getty@",
];

fn is_wanted(name: &str) -> bool {
    WANTED.iter().any(|wanted| match wanted.strip_suffix(['@', '*']) {
        Some(start) if wanted.ends_with('@') => {
            name.strip_prefix(start).is_some_and(|rest| rest.starts_with('@') && rest.ends_with(".service"))
        }
        Some(start) => name.starts_with(start),
        None => name == *wanted,
    })
}

/// Every unit.
///
/// # Errors
/// `NotFound` when the guest has no systemd.
pub fn read(root: &Root, entries: &Listing<BootEntry>, limits: &Limits) -> Result<Listing<Unit>> {
    let tree = Tree::open(root, limits);
    if tree.at_boot().next().is_none() && tree.gaps.is_empty() {
        return Err(Error::not_found("systemd units").because("there is no /usr/lib/systemd/system"));
    }
    let units = Units::new(&tree);
    let cmdlines = Cmdlines::new(entries);
    let first_boot = preset::first_boot(root, limits);
    let context = Context { units: &units, cmdlines: &cmdlines, first_boot: &first_boot };
    let (starts, presets) = all_starts(&context);
    let mut names: BTreeSet<&String> = tree.folders.iter().flat_map(|folder| folder.units.keys()).collect();
    names.extend(starts.units.keys());
    let mut listing = Listing { items: Vec::new(), gaps: tree.gaps.clone() };
    for name in names {
        if listing.items.len() >= limits.list_rows {
            listing.gaps.push(Gap::new(format!("the limit of {} units is reached", limits.list_rows)));
            break;
        }
        listing.items.push(unit(&context, &starts, &presets, name));
    }
    Ok(listing)
}

fn all_starts(context: &Context<'_>) -> (Starts, Presets) {
    let Context { units, cmdlines, first_boot } = context;
    let presets = match first_boot {
        FirstBoot::Yes => preset::read(units.tree),
        FirstBoot::No => Presets::default(),
        FirstBoot::Unknown(gap) => Presets { gaps: vec![gap.clone()], ..Presets::default() },
    };
    let rules = udev::read(units.tree);
    let generated = generator::read(units.tree.root, units, cmdlines);
    let pulls: Vec<_> = [&rules.items, &generated.items, &presets.pulls].into_iter().flatten().cloned().collect();
    let refuses =
        |id: &str, settings: &Listing<_>| !matches!(refusal::refusal(context, id, settings), Fact::Known(None));
    let mut starts = start::starts(units, &pulls, &refuses);
    for gaps in [rules.gaps, generated.gaps, presets.gaps.clone()] {
        starts.gaps.extend(gaps);
    }
    (starts, presets)
}

fn unit(context: &Context<'_>, starts: &Starts, presets: &Presets, name: &str) -> Unit {
    let units = context.units;
    let tree = units.tree;
    let id = units.id(name);
    let loaded = units.load(&id);
    let spoiled = tree.gaps.first().cloned();
    let starts = started(starts, presets, &id);
    // Of the generators that are known only that of System V makes units; the others link to them.
    let is_generated = starts.items.iter().any(|start| start.by == "generator" && start.path.starts_with("/etc/rc"));
    let is_asked = is_wanted(name) || is_wanted(&id);
    let is_started = starts.items.iter().any(|start| !start.path.is_empty());
    let (refused, settings, environment) = match &*loaded {
        Loaded::There(_, settings) => {
            let refused =
                if is_asked || is_started { refusal::refusal(context, &id, settings) } else { Fact::Known(None) };
            let variables = || environment::read(tree.root, &id, settings, tree.limits);
            let environment = match is_asked.then(variables) {
                Some(Fact::Unknown(gap)) => Fact::Unknown(gap),
                Some(Fact::Known(variables)) => Fact::Known(Some(variables)),
                None => Fact::Known(None),
            };
            (refused, Fact::Known(is_asked.then(|| settings.clone())), environment)
        }
        Loaded::Unknown(gap) => (Fact::Unknown(gap.clone()), Fact::Unknown(gap.clone()), Fact::Unknown(gap.clone())),
        Loaded::Masked => (Fact::Known(None), Fact::Known(None), Fact::Known(None)),
        // A generator has made it, or a device.
        Loaded::Missing if is_generated || name::suffix(&id) == Some("device") => {
            (Fact::Known(None), Fact::Known(None), Fact::Known(None))
        }
        Loaded::Missing => {
            let refused = Fact::unknown(format!("{id} has no file in the image; a generator may make one"));
            (refused, Fact::Known(None), Fact::Known(None))
        }
    };
    let state = match install::state(tree, name) {
        Ok((_, state)) => Fact::Known(state.to_owned()),
        Err(Halt::NotFound) if is_generated => Fact::Known("generated".to_owned()),
        Err(Halt::NotFound) => Fact::Known("not-found".to_owned()),
        Err(Halt::Bad) => Fact::Known("bad".to_owned()),
        Err(Halt::Unknown(error)) => Fact::Unknown(error.into()),
    };
    let path = Fact::Known(first(tree, name).map(|path| path.to_text()));
    let unit = Unit { name: name.to_owned(), path, state, starts: Fact::Known(starts), refused, settings, environment };
    match spoiled {
        // A folder that was not listed may hold a mask or a drop-in of any unit.
        Some(gap) => Unit {
            state: Fact::Unknown(gap.clone()),
            starts: Fact::Unknown(gap.clone()),
            refused: Fact::Unknown(gap.clone()),
            settings: Fact::Unknown(gap.clone()),
            environment: Fact::Unknown(gap),
            ..unit
        },
        None => unit,
    }
}

/// The first file or link of a name, or of its template.
fn first(tree: &Tree<'_>, name: &str) -> Option<GuestPath> {
    let of = |name: &str| {
        let folder = tree.folders.iter().find(|folder| folder.units.contains_key(name))?;
        Some(folder.path.join(name.as_bytes()))
    };
    of(name).or_else(|| of(&name::template(name)?))
}

/// What starts a unit, and what could hide that.
fn started(starts: &Starts, presets: &Presets, id: &str) -> Listing<UnitStart> {
    let mut items = starts.units.get(id).cloned().unwrap_or_default();
    let mut gaps = starts.gaps.clone();
    if let Some((_, rule)) = presets.disabled.iter().find(|(name, _)| name == id) {
        let before = items.len();
        items.retain(|start| !start.path.starts_with("/etc/systemd/system/"));
        if items.len() < before {
            let reason = format!(
                "{id} is enabled, but at the first boot the preset of {rule} disables it where systemd is built with first-boot-full-preset"
            );
            gaps.push(Gap::new(reason));
        }
    }
    // What was found stands whatever else could not be read.
    Listing { gaps: if items.is_empty() { gaps } else { Vec::new() }, items }
}

/// Files with `suffix` in several folders as systemd reads them: of equal names the first counts, sorted by name
/// (`conf_files_list_strv`, src/basic/conf-files.c).
fn conf_files<'a>(folders: impl IntoIterator<Item = (GuestPath, &'a Entries)>, suffix: &str) -> Vec<GuestPath> {
    let mut files = BTreeMap::new();
    for (folder, entries) in folders {
        for name in entries.keys().filter(|name| name.ends_with(suffix) && !name.starts_with('.')) {
            files.entry(name).or_insert_with(|| folder.join(name.as_bytes()));
        }
    }
    files.into_values().collect()
}

/// The state of one unit, of which no file need exist, in the word of `systemctl is-enabled`.
///
/// # Errors
/// What stopped the reading.
pub fn state(root: &Root, name: &str, limits: &Limits) -> Result<String> {
    match install::state(&Tree::open(root, limits), name) {
        Ok((_, state)) => Ok(state.to_owned()),
        Err(Halt::NotFound) => Ok("not-found".to_owned()),
        Err(Halt::Bad) => Ok("bad".to_owned()),
        Err(Halt::Unknown(error)) => Err(error),
    }
}
