//! systemd's folders → units as they will be at the first boot (`man 5 systemd.unit`).

mod ini;
mod install;
mod name;
mod tree;

use crate::disk::filesystem::{GuestPath, Root};
use crate::error::{Error, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::guest::{BootEntry, Unit};
use crate::limits::Limits;
use install::Halt;
use std::collections::{BTreeMap, BTreeSet};
use tree::{Entries, Tree};

/// Every unit.
///
/// # Errors
/// `NotFound` when the guest has no systemd.
pub fn read(root: &Root, _entries: &Listing<BootEntry>, limits: &Limits) -> Result<Listing<Unit>> {
    let tree = Tree::open(root, limits);
    if tree.folders.is_empty() && tree.gaps.is_empty() {
        return Err(Error::not_found("systemd units").because("there is no /usr/lib/systemd/system"));
    }
    let mut units = Listing { items: Vec::new(), gaps: tree.gaps.clone() };
    let names: BTreeSet<&String> = tree.folders.iter().flat_map(|folder| folder.units.keys()).collect();
    for name in names {
        let (path, state) = match install::state(&tree, name) {
            Ok((info, state)) => (Fact::Known(Some(info.path.to_text())), Fact::Known(state.to_owned())),
            Err(Halt::NotFound) => (Fact::Known(None), Fact::Known("not-found".to_owned())),
            Err(Halt::Bad) => (Fact::Known(None), Fact::Known("bad".to_owned())),
            Err(Halt::Unknown(error)) => (Fact::Known(None), Fact::Unknown(Gap::from(error))),
        };
        units.items.push(Unit {
            name: name.clone(),
            path,
            state,
            starts: Fact::default(),
            settings: Fact::default(),
            environment: Fact::default(),
        });
    }
    Ok(units)
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
