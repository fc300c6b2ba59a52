//! The unpacked tree → module folders; and where a module is.

use super::rootfs::{Content, File, Rootfs};
use crate::bytes::text;
use crate::fact::{Fact, Flaw, Gap, Listing};
use crate::guest::modules::{Index, Indexes, module_name, precedence, trimmed};
use crate::guest::{Initrd, Module, ModuleTree};
use crate::limits::MAX_PATH;
use std::collections::{BTreeMap, BTreeSet};

/// Where module folders are: kmod looks into the first (`KMOD_DIRNAME`, which some distributions build as the second).
const FOLDERS: &[&[u8]] = &[b"/lib/modules", b"/usr/lib/modules"];
/// Images within the initrd that hold most of it (dracut's modules squash, squash-squashfs and squash-erofs).
const IMAGES: &[&[u8]] = &[b"/squash-root.img", b"/squashfs-root.img", b"/erofs-root.img", b"/squash/root.img"];

/// Kernel versions in one initrd; real ones have one.
const TREES: usize = 64;

/// What [`collect`] finds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) trees: Listing<ModuleTree>,
    pub(super) flaws: Vec<Flaw>,
    /// Modules that are there and needed, whose bodies the walk passed by.
    pub(super) unread: BTreeSet<String>,
}

/// Whether there is something that Linux can start: /init, a file with content that may be executed.
pub(super) fn has_init(rootfs: &Rootfs) -> bool {
    rootfs.file(b"/init").is_some_and(|file| file.is_executable && file.size > 0)
}

/// The module folders, with `.modinfo` of `wanted` and of all they depend on.
pub(super) fn collect(rootfs: &Rootfs, wanted: &[String]) -> Found {
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    for (path, folder) in FOLDERS.iter().filter_map(|path| Some((path, rootfs.directory(path)?))) {
        if seen.insert(folder) {
            versions(rootfs, folder, *path == b"/lib/modules", wanted, &mut found);
        }
    }
    for image in IMAGES.iter().filter(|path| rootfs.file(path).is_some()) {
        let reason = format!("most of it is in the dracut image {}, which is not read by this version", text(image));
        found.trees.gaps.push(Gap::new(reason));
    }
    found
}

/// The folders of one /lib/modules.
fn versions(rootfs: &Rootfs, folder: usize, is_looked_at: bool, wanted: &[String], found: &mut Found) {
    let parent = text(&rootfs.path(folder));
    for (name, node) in rootfs.directories(folder) {
        let version = text(name);
        let path = format!("{parent}/{version}");
        if found.trees.items.len() >= TREES || path.len() > MAX_PATH {
            let reason = format!("more than {TREES} module folders, or one with a path of more than {MAX_PATH} bytes");
            found.trees.gaps.push(Gap::new(reason));
            return;
        }
        if let Some(first) = found.trees.items.iter().find(|other| other.version == version) {
            let text = format!("{} and {path}; kmod reads only the first", first.path);
            found.flaws.push(Flaw { id: "initrd-two-module-folders".into(), found: text, fatal: false });
            continue;
        }
        let builtin = builtin(rootfs, node, &path);
        let (files, gaps) = list(rootfs, node, &path);
        let mut indexes = indexes(rootfs, node, &path);
        if !is_looked_at {
            let reason = "modprobe looks into /lib/modules, which does not lead to this folder";
            indexes.names = Index::Unknown(Gap::at(path.clone(), reason));
        }
        let modules = closure(&path, &files, &indexes, wanted, &mut found.unread);
        let mut items: Vec<String> = files.into_iter().map(|(name, _)| name).collect();
        items.sort();
        let (files, modules) = (Fact::Known(Listing { items, gaps }), Fact::Known(modules));
        found.trees.items.push(ModuleTree { path, version, files, builtin, modules });
    }
}

fn builtin(rootfs: &Rootfs, folder: usize, path: &str) -> Fact<Option<Vec<String>>> {
    let file = rootfs.files(folder).find(|(name, _)| *name == b"modules.builtin").map(|(_, file)| file);
    let gap = |reason: &str| Fact::Unknown(Gap::at(format!("{path}/modules.builtin"), reason));
    match file.map(|file| (&file.content, file.size)) {
        None => Fact::Known(None),
        Some((Content::Builtin(Ok(names)), _)) => Fact::Known(Some(names.clone())),
        Some((Content::Builtin(Err(error)), _)) => gap(&error.to_string()),
        Some((_, 0)) => Fact::Known(Some(Vec::new())),
        Some(_) => gap("not read: it is a link to another name"),
    }
}

/// The indexes of one folder. Without modules.dep.bin, modules.dep finds modules for a busybox modprobe only.
fn indexes<'r>(rootfs: &'r Rootfs, folder: usize, path: &str) -> Indexes<'r> {
    let at = |name: &str| format!("{path}/{name}");
    let index = |name: &str| {
        let file = rootfs.files(folder).find(|(found, _)| *found == name.as_bytes()).map(|(_, file)| file);
        let unread = |reason: &str| Index::Unknown(Gap::at(at(name), reason));
        match file.map(|file| (&file.content, file.size)) {
            None => Index::Absent,
            Some((_, 0)) => unread("the file is empty"),
            Some((Content::Index(Ok(bytes)), _)) => Index::Read(at(name), bytes),
            Some((Content::Index(Err(error)), _)) => unread(&error.to_string()),
            Some(_) => unread("not read: it is a link to another name"),
        }
    };
    let names = match index("modules.dep.bin") {
        Index::Absent if rootfs.files(folder).any(|(name, file)| name == b"modules.dep" && file.size > 0) => {
            let reason = "it is missing; kmod and udev read no other index, busybox reads modules.dep beside it";
            Index::Unknown(Gap::at(at("modules.dep.bin"), reason))
        }
        index => index,
    };
    Indexes { names, aliases: index("modules.alias.bin") }
}

/// Module files below `folder`, by relative path.
fn list<'r>(rootfs: &'r Rootfs, folder: usize, path: &str) -> (Vec<(String, &'r File)>, Vec<Gap>) {
    let (mut files, mut gaps) = (Vec::new(), Vec::new());
    let mut folders = vec![(String::new(), folder)];
    while let Some((below, folder)) = folders.pop() {
        if below.len() > MAX_PATH {
            gaps.push(Gap::at(path, format!("a folder in it has a path of more than {MAX_PATH} bytes")));
            continue;
        }
        let modules = rootfs.files(folder).filter(|(name, _)| module_name(name).is_some());
        files.extend(modules.map(|(name, file)| (format!("{below}{}", text(name)), file)));
        folders.extend(rootfs.directories(folder).map(|(name, node)| (format!("{below}{}/", text(name)), node)));
    }
    (files, gaps)
}

/// `wanted` where they are there, then what they depend on. A body that was passed by goes to `unread` and is a gap.
fn closure(
    folder: &str,
    files: &[(String, &File)],
    indexes: &Indexes<'_>,
    wanted: &[String],
    unread: &mut BTreeSet<String>,
) -> Listing<Module> {
    let mut by_name: BTreeMap<String, Vec<&(String, &File)>> = BTreeMap::new();
    for file in files {
        by_name.entry(module_name(file.0.as_bytes()).unwrap_or_default()).or_default().push(file);
    }
    let mut modules = Listing::default();
    let mut asked: BTreeSet<String> = wanted.iter().cloned().collect();
    let mut ahead = wanted.to_vec();
    while let Some(name) = ahead.pop() {
        for (path, file) in by_name.get(&name).into_iter().flatten() {
            let gap = |reason: String| Gap::at(format!("{folder}/{path}"), reason);
            match &file.content {
                Content::Module(Ok(module)) => {
                    let module = Module { name: name.clone(), path: path.clone(), ..module.clone() };
                    ahead.extend(module.depends.iter().filter(|name| asked.insert((*name).clone())).cloned());
                    modules.items.push(trimmed(indexes.judge(module, |name| by_name.contains_key(name)), wanted));
                }
                Content::Module(Err(error)) => modules.gaps.push(gap(error.to_string())),
                _ if file.size == 0 => modules.gaps.push(gap("the file is empty".into())),
                _ => {
                    unread.insert(name.clone());
                    modules.gaps.push(gap("not read: no further walk over the initrd was affordable".into()));
                }
            }
        }
    }
    modules.items.sort_by(|a, b| (&a.name, precedence(&a.path)).cmp(&(&b.name, precedence(&b.path))));
    modules.gaps.sort_by(|a, b| a.path.cmp(&b.path));
    modules
}

/// Where a module is, for one kernel version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// `None` when the initrd has no module folder at all.
    pub version: Option<String>,
    /// Where it is.
    pub location: Location,
}

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the kernel, by modules.builtin of the folder.
    BuiltIn,
    /// A file.
    File {
        /// Relative to the folder.
        path: String,
        /// All it depends on, direct or not, sorted, and whether that is there.
        needs: Vec<(String, bool)>,
    },
    /// A file, relative to the folder, that modprobe does not find: the folder's index does not name it as it is.
    Unindexed(String),
    /// Neither.
    Missing,
    /// It could not be seen.
    Unknown(Gap),
}

/// Where `module` is, in each module folder of `initrd`; without one it is missing, unless something was not read.
pub fn locate(initrd: &Initrd, module: &str) -> Vec<Located> {
    let trees = match &initrd.modules {
        Fact::Known(trees) => trees,
        Fact::Unknown(gap) => return vec![Located { version: None, location: Location::Unknown(gap.clone()) }],
    };
    if trees.items.is_empty() {
        let location = trees.gaps.first().map_or(Location::Missing, |gap| Location::Unknown(gap.clone()));
        return vec![Located { version: None, location }];
    }
    let found = trees.items.iter().map(|tree| Located {
        version: Some(tree.version.clone()),
        location: match (locate_in(tree, module), trees.gaps.first()) {
            (Location::Missing, Some(gap)) => Location::Unknown(gap.clone()),
            (location, _) => location,
        },
    });
    found.collect()
}

/// Where `module` is in one folder. A file that is there and could not be read is unknown, never there; so is one with
/// such a file among its dependencies.
pub fn locate_in(tree: &ModuleTree, module: &str) -> Location {
    let module = module.replace('-', "_");
    let path = match find(tree, &module) {
        Ok(Place::File(found)) => found.path.clone(),
        Ok(Place::BuiltIn) => return Location::BuiltIn,
        Ok(Place::Nowhere) => return Location::Missing,
        Ok(Place::Unindexed(found)) => return Location::Unindexed(found.path.clone()),
        Err(gap) => return Location::Unknown(gap),
    };
    let mut needs = BTreeMap::new();
    let mut ahead = vec![module.clone()];
    while let Some(name) = ahead.pop() {
        let is_there = match find(tree, &name) {
            Ok(Place::File(found)) => {
                ahead.extend(found.depends.iter().filter(|name| !needs.contains_key(*name)).cloned());
                true
            }
            Ok(Place::BuiltIn) => true,
            Ok(Place::Nowhere | Place::Unindexed(_)) => false,
            Err(gap) => return Location::Unknown(gap),
        };
        needs.insert(name, is_there);
    }
    needs.remove(&module);
    Location::File { path, needs: needs.into_iter().collect() }
}

/// Where one name is, for certain.
enum Place<'t> {
    BuiltIn,
    File(&'t Module),
    Unindexed(&'t Module),
    Nowhere,
}

fn find<'t>(tree: &'t ModuleTree, name: &str) -> Result<Place<'t>, Gap> {
    let builtin = match &tree.builtin {
        Fact::Known(names) => Ok(names.as_deref().unwrap_or_default().iter().any(|builtin| builtin == name)),
        Fact::Unknown(gap) => Err(gap.clone()),
    };
    if builtin == Ok(true) {
        return Ok(Place::BuiltIn);
    }
    let modules = match &tree.modules {
        Fact::Known(modules) => modules,
        Fact::Unknown(gap) => return Err(gap.clone()),
    };
    // The gap first: with two files of one name, it is not known which of them is loaded.
    let is_of =
        |gap: &&Gap| gap.path.as_deref().is_none_or(|path| module_name(path.as_bytes()).as_deref() == Some(name));
    if let Some(gap) = modules.gaps.iter().find(is_of) {
        return Err(gap.clone());
    }
    let named = || modules.items.iter().filter(|module| module.name == name);
    if let Some(module) = named().find(|module| module.is_indexed.known() == Some(&true)).or_else(|| named().next()) {
        return match (&module.is_indexed, &module.is_aliased) {
            (Fact::Known(false), _) => Ok(Place::Unindexed(module)),
            (Fact::Known(true), Fact::Known(true)) => Ok(Place::File(module)),
            (Fact::Known(true), Fact::Known(false)) => {
                let reason =
                    "modules.alias.bin does not lead to it: no device loads it, and what loads it by name is not read";
                Err(Gap::at(format!("{}/{}", tree.path, module.path), reason))
            }
            (Fact::Unknown(gap), _) | (_, Fact::Unknown(gap)) => Err(gap.clone()),
        };
    }
    let files = match &tree.files {
        Fact::Known(files) => files,
        Fact::Unknown(gap) => return Err(gap.clone()),
    };
    if let Some(path) = files.items.iter().find(|path| module_name(path.as_bytes()).as_deref() == Some(name)) {
        let path = format!("{}/{path}", tree.path);
        return Err(Gap::at(path, "the file is there, its dependencies were not asked for"));
    }
    match files.gaps.first() {
        Some(gap) => Err(gap.clone()),
        None => builtin.map(|_| Place::Nowhere),
    }
}
