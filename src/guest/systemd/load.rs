//! Units as the manager loads them: which file a name leads to, and its settings with those of all drop-ins
//! (src/shared/unit-file.c `unit_file_build_name_map`, src/shared/dropin.c, src/core/load-dropin.c).

use super::name::{self, Kind};
use super::tree::{Entries, Node, Tree, file_name};
use super::{conf_files, ini, install};
use crate::disk::filesystem::GuestPath;
use crate::error::ErrorKind;
use crate::fact::{Gap, Listing};
use crate::guest::Setting;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Aliases that the manager follows (`FOLLOW_MAX`).
const MAX_ALIASES: usize = 8;

/// Names and what they lead to, as they are when the guest boots.
pub(super) struct Units<'a> {
    pub(super) tree: &'a Tree<'a>,
    /// What the command line masks.
    masks: &'a [Setting],
    ids: BTreeMap<String, Target>,
    /// Every other name, by the name that a unit ends up with.
    aliases: BTreeMap<String, Vec<String>>,
    loaded: RefCell<BTreeMap<String, Rc<Loaded>>>,
}

enum Target {
    File(GuestPath),
    Name(String),
}

/// What loading a unit gives.
#[derive(Debug)]
pub(super) enum Loaded {
    /// There is no such file; a generator or a device may still make the unit.
    Missing,
    /// Nothing can start it.
    Masked,
    /// The file, and its settings with those of the drop-ins, in the order in which systemd reads them.
    There(GuestPath, Listing<Setting>),
    /// It could not be read, or systemd refuses it.
    Unknown(Gap),
}

impl<'a> Units<'a> {
    pub(super) fn new(tree: &'a Tree<'a>, masks: &'a [Setting]) -> Self {
        let mut ids = BTreeMap::new();
        for folder in tree.at_boot() {
            for (name, node) in &folder.units {
                if ids.contains_key(name) {
                    continue;
                }
                let own = || Target::File(folder.path.join(name.as_bytes()));
                let target = match node {
                    Node::File => Some(own()),
                    Node::Other => None,
                    // A link that is no valid alias is passed over.
                    Node::Link(target) => match install::resolve(tree, &folder.path, name, target) {
                        Ok((target, true)) => Some(Target::Name(file_name(&target))),
                        Ok((_, false)) => Some(own()),
                        Err(_) => None,
                    },
                };
                ids.extend(target.map(|target| (name.clone(), target)));
            }
        }
        let mut units = Self { tree, masks, ids, aliases: BTreeMap::new(), loaded: RefCell::default() };
        let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in units.ids.keys() {
            let id = units.id(name);
            if id != *name {
                aliases.entry(id).or_default().push(name.clone());
            }
        }
        units.aliases = aliases;
        units
    }

    /// Every name of a file or link.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.ids.keys()
    }

    /// The file that `name` leads to, aliases followed.
    fn fragment(&self, name: &str) -> Option<&GuestPath> {
        let follow = |start: &str| {
            let mut name = start.to_owned();
            for _ in 0..MAX_ALIASES {
                let target = self.ids.get(&name).or_else(|| {
                    // A link to an instance leads to its template.
                    let template = name::template(&name).filter(|_| name != start)?;
                    self.ids.get(&template)
                });
                match target? {
                    Target::File(path) => return Some(path),
                    Target::Name(next) => next.clone_into(&mut name),
                }
            }
            None
        };
        follow(name).or_else(|| follow(&name::template(name).filter(|_| name::kind(name) == Some(Kind::Instance))?))
    }

    /// The name that a unit ends up with: that of its file, with the instance of `name`.
    pub(super) fn id(&self, name: &str) -> String {
        let Some(base) = self.fragment(name).map(file_name) else { return name.to_owned() };
        match name::instance(name).filter(|_| name::kind(&base) == Some(Kind::Template)) {
            Some(instance) => name::with_instance(&base, instance),
            None => base,
        }
    }

    /// `id` and its other names.
    fn all_names(&self, id: &str) -> Vec<String> {
        let mut names = vec![id.to_owned()];
        names.extend(self.aliases.get(id).into_iter().flatten().cloned());
        if let (Some(template), Some(instance)) = (name::template(id), name::instance(id)) {
            let others = self.aliases.get(&template).into_iter().flatten();
            let others = others.filter(|other| name::kind(other) == Some(Kind::Template));
            let others: Vec<String> = others.map(|other| name::with_instance(other, instance)).collect();
            names.extend(others.into_iter().filter(|other| self.id(other) == id));
        }
        names
    }

    /// Files with `suffix` in the folders `NAME<folder>` of a unit: `.d` and `.conf`, or `.wants` and nothing.
    pub(super) fn files(&self, id: &str, folder: &str, suffix: &str) -> Vec<GuestPath> {
        let mut names: Vec<Vec<String>> = self.all_names(id).iter().map(|name| name::for_dropins(name)).collect();
        names.push(name::suffix(id).map(str::to_owned).into_iter().collect());
        let mut found: Vec<(GuestPath, &Entries)> = Vec::new();
        for names in names {
            for place in self.tree.at_boot().filter(|place| !place.below.is_empty()) {
                for name in &names {
                    let name = format!("{name}{folder}");
                    let below = place.below.get(&name);
                    found.extend(below.map(|below| (place.path.join(name.as_bytes()), &below.entries)));
                }
            }
        }
        conf_files(found, suffix)
    }

    /// Loads a unit, once.
    pub(super) fn load(&self, id: &str) -> Rc<Loaded> {
        if let Some(loaded) = self.loaded.borrow().get(id) {
            return Rc::clone(loaded);
        }
        let loaded = Rc::new(self.read(id));
        self.loaded.borrow_mut().insert(id.to_owned(), Rc::clone(&loaded));
        loaded
    }

    /// The word of the command line that masks the unit `id`.
    pub(super) fn mask(&self, id: &str) -> Option<&Setting> {
        self.masks.iter().find(|mask| mask.value == id)
    }

    fn read(&self, id: &str) -> Loaded {
        if self.mask(id).is_some() {
            return Loaded::Masked;
        }
        let Some(path) = self.fragment(id) else { return Loaded::Missing };
        let contents = match self.tree.read(path) {
            Ok(contents) => contents,
            Err(error) if error.kind == ErrorKind::NotFound => return Loaded::Missing,
            Err(error) => return Loaded::Unknown(error.at(path.to_text()).into()),
        };
        if contents.is_empty {
            return Loaded::Masked;
        }
        let mut settings = match &contents.settings {
            Ok(settings) => Listing::from(settings.clone()),
            Err(error) => return Loaded::Unknown(error.clone().into()),
        };
        for path in self.files(id, ".d", ".conf") {
            match self.tree.read(&path) {
                Ok(contents) => match &contents.settings {
                    Ok(more) => settings.items.extend_from_slice(more),
                    Err(error) => settings.gaps.push(error.clone().into()),
                },
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => settings.gaps.push(error.at(path.to_text()).into()),
            }
        }
        Loaded::There(path.clone(), settings)
    }
}

/// Names in a setting such as `Wants=`, specifiers expanded; a template gets the instance of the unit that names it, or
/// its prefix (`resolve_template`, src/core/unit.c).
pub(super) fn named(value: &str, id: &str) -> Vec<String> {
    let words = ini::words(value).unwrap_or_default();
    words.iter().map(|word| instantiated(&name::expand(word, id, None), id)).collect()
}

/// `name`, or its instance for the unit `id` when it is a template.
pub(super) fn instantiated(name: &str, id: &str) -> String {
    match name::kind(name) {
        Some(Kind::Template) => name::with_instance(name, name::instance(id).unwrap_or_else(|| name::prefix(id))),
        _ => name.to_owned(),
    }
}

/// The values of a setting that holds one: the last counts.
pub(super) fn last<'s>(settings: &'s Listing<Setting>, section: &str, key: &str) -> Option<&'s Setting> {
    settings.items.iter().rfind(|setting| setting.section == section && setting.key == key)
}

/// The values of a setting that holds a list, after the last empty one.
pub(super) fn list<'s>(settings: &'s Listing<Setting>, section: &str, key: &str) -> Vec<&'s Setting> {
    let of_key = settings.items.iter().filter(|setting| setting.section == section && setting.key == key);
    let mut values: Vec<&Setting> = Vec::new();
    for setting in of_key {
        if setting.value.is_empty() { values.clear() } else { values.push(setting) }
    }
    values
}
