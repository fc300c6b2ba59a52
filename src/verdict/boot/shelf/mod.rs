//! Where a kernel finds a module at one moment: built in, a file of the initrds, a file of the root tree, or nowhere.

mod builtin;
mod closure;
mod index;

pub use closure::Missing;
pub(in crate::verdict) use index::Indexes;

use crate::fact::{Fact, Gap, Listing};
use crate::guest::{Initrd, Kernel, ModprobeRule, Module, ModuleLoad, ModuleTree};
use crate::verdict::{Evidence, View};
use index::Folder;
use std::borrow::Cow;

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Part of the kernel; says which list proves it.
    BuiltIn(Evidence),
    /// A module file.
    File(File<'a>),
    /// Neither: everything was looked at.
    Absent,
}

/// A module file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// The initrd it is in; `None` in the root tree.
    pub archive: Option<&'a str>,
    /// Its folder.
    pub tree: &'a ModuleTree,
    /// Relative to the folder.
    pub path: &'a str,
}

/// The module folders of one kernel version that modprobe sees, and the lists of what is built in.
#[derive(Debug)]
pub struct Shelf<'v, 'a> {
    view: &'v View<'a>,
    kernel: &'a Kernel,
    version: &'a str,
    /// The folders of its version, with the initrd they are in.
    trees: Vec<(Option<&'a str>, Folder<'a>)>,
    /// Lists that may hide a folder.
    lists: Vec<&'a Listing<ModuleTree>>,
    /// The initrds.
    initrds: Vec<&'a Initrd>,
    /// Whether it is the running system's, whose modprobe.d is the root tree's.
    is_late: bool,
    /// Why the root tree's folder may not be all there is.
    doubt: Option<Gap>,
    /// Why the indexes of the initrds' folders may not be those that modprobe reads.
    rivals: Option<Gap>,
    /// Lists of built-in modules, and where they are.
    builtin: Vec<(String, Folder<'a>)>,
    /// What would load modules by name and does not run.
    idle: Option<&'static str>,
}

impl<'v, 'a> Shelf<'v, 'a> {
    /// A shelf of `kernel`, whose version is `version`, with nothing but what is built in.
    pub fn new(view: &'v View<'a>, kernel: &'a Kernel, version: &'a str) -> Self {
        let mut shelf = Self {
            view,
            kernel,
            version,
            trees: Vec::new(),
            lists: Vec::new(),
            initrds: Vec::new(),
            is_late: false,
            doubt: None,
            rivals: None,
            builtin: Vec::new(),
            idle: None,
        };
        if let Some(tree) = shelf.root_tree() {
            shelf.add_builtin(tree, format!("{}/modules.builtin", tree.path));
        }
        shelf
    }

    /// Adds an initrd and its folders; those of another version are invisible to this kernel. `None` keeps the gap.
    pub fn add_initrd(&mut self, initrd: &'a Initrd) -> Option<()> {
        let (path, trees) = (&initrd.path, self.view.need(&initrd.modules)?);
        self.initrds.push(initrd);
        self.lists.push(trees);
        let version = self.version;
        for tree in trees.items.iter().filter(|tree| tree.version == version) {
            if !self.trees.is_empty() {
                let reason = "another initrd has a module folder of this version too: the later modules.dep.bin replaces the other";
                self.rivals = Some(Gap::at(path.clone(), reason));
            }
            self.add(tree, Some(path));
            self.add_builtin(tree, path.clone());
        }
        Some(())
    }

    /// Adds the folder of the root tree, if it is this kernel's.
    pub fn add_root(&mut self) {
        self.is_late = true;
        if let Some(tree) = self.root_tree() {
            self.add(tree, None);
        }
        self.doubt = match &self.kernel.modules {
            Fact::Known(Some(tree)) if tree.version != self.version => {
                let reason = format!("the module folder is of {}, the kernel is {}", tree.version, self.version);
                Some(Gap::at(tree.path.clone(), reason))
            }
            Fact::Known(_) => None,
            Fact::Unknown(gap) => Some(gap.clone()),
        };
    }

    fn add(&mut self, tree: &'a ModuleTree, archive: Option<&'a str>) {
        self.trees.push((archive, self.view.indexes().of(tree)));
    }

    fn add_builtin(&mut self, tree: &'a ModuleTree, path: String) {
        let index = self.view.indexes().of(tree);
        if index.builtin().is_some() {
            self.builtin.push((path, index));
        }
    }

    /// The file of `module` in the first folder that has one.
    fn file(&self, module: &str) -> Option<File<'a>> {
        let of = |(archive, index): &(Option<&'a str>, Folder<'a>)| {
            Some(File { archive: *archive, tree: index.tree, path: index.file(module)? })
        };
        self.trees.iter().find_map(of)
    }

    /// The folders of this kernel's version.
    pub fn trees(&self) -> impl Iterator<Item = &'a ModuleTree> {
        self.trees.iter().map(|(_, folder)| folder.tree)
    }

    fn root_tree(&self) -> Option<&'a ModuleTree> {
        let tree = self.kernel.modules.known()?.as_ref()?;
        (tree.version == self.version).then_some(tree)
    }

    /// Where `module` is; `None` when that cannot be said.
    pub fn place(&self, module: &str) -> Option<Place<'a>> {
        if let Some(proof) = self.built_in(module) {
            return Some(Place::BuiltIn(proof));
        }
        if let Some(file) = self.file(module).filter(|file| !self.is_hidden(file)) {
            return Some(Place::File(file));
        }
        self.view.certain(|view| {
            self.looked_at_builtin(view, module);
            self.looked_everywhere(view);
            Place::Absent
        })
    }

    /// Whether modprobe does not find this file.
    fn is_hidden(&self, file: &File<'a>) -> bool {
        let module = self.read_of(file);
        module.is_some_and(|module| module.is_indexed.known() == Some(&false))
    }

    /// What to say of a module whose file is there where modprobe does not find it.
    pub fn hidden(&self, module: &str) -> Option<String> {
        let file = self.file(module).filter(|file| self.is_hidden(file))?;
        let folder = &file.tree.path;
        Some(format!("modprobe does not find {}: {folder}/modules.dep.bin lacks it or what it needs", file.path))
    }

    /// Meets every gap that may hide a module file of this kernel.
    pub fn looked_everywhere(&self, view: &View<'_>) {
        for list in &self.lists {
            view.all(list);
        }
        for tree in self.trees() {
            if let Some(files) = view.need(&tree.files) {
                view.all(files);
            }
        }
        if let Some(doubt) = &self.doubt {
            view.miss(doubt.clone());
        }
    }

    /// What was read of a module file; `None` keeps the gap.
    pub fn record(&self, file: &File<'a>) -> Option<&'a Module> {
        let Some(record) = self.read_of(file) else {
            let records = self.view.need(&file.tree.modules)?;
            if self.view.certain(|view| view.all(records).len()).is_some() {
                self.view.miss(Gap::at(place_of(file), format!("what {} depends on was not read", file.path)));
            }
            return None;
        };
        self.loadable(file, record)
    }

    /// The record of a file, if modprobe and udev find it; `None` keeps the gap.
    fn loadable(&self, file: &File<'a>, record: &'a Module) -> Option<&'a Module> {
        if let Some(gap) = &self.rivals {
            self.view.miss(gap.clone());
            return None;
        }
        let (_, is_aliased) = (self.view.need(&record.is_indexed)?, self.view.need(&record.is_aliased)?);
        if !is_aliased && self.load_of(self.view, &record.name, |_| true).is_none() {
            let reason =
                "modules.alias.bin does not lead to it: no device loads it, and nothing is seen to load it by name";
            self.view.miss(Gap::at(format!("{}/{}", file.tree.path, file.path), reason));
            return None;
        }
        Some(record)
    }

    /// The rules of modprobe.d at this moment, in reading order, with the initrd they are in; gaps are kept by `view`.
    pub fn rules(&self, view: &View<'a>) -> Vec<(Option<&'a str>, &'a ModprobeRule)> {
        if self.is_late {
            let rules = view.modprobe().map(|rules| view.all(rules)).unwrap_or_default();
            return rules.iter().map(|rule| (None, rule)).collect();
        }
        let of = |initrd: &&'a Initrd| {
            let rules = view.need(&initrd.modprobe).map(|rules| view.all(rules)).unwrap_or_default();
            rules.iter().map(|rule| (Some(initrd.path.as_str()), rule))
        };
        self.initrds.iter().flat_map(of).collect()
    }

    /// What loads `module` by its name at this moment, if it `is` such; where nothing does, `view` keeps the gaps.
    pub fn load_of(&self, view: &View<'a>, module: &str, is: impl Fn(&ModuleLoad) -> bool) -> Option<&'a ModuleLoad> {
        self.load_where(view, |load| load.module == module && is(load))
    }

    /// The first that is loaded by name and `is` such; where none is, `view` keeps the gaps.
    pub fn load_where(&self, view: &View<'a>, is: impl Fn(&ModuleLoad) -> bool) -> Option<&'a ModuleLoad> {
        let lists: Vec<&'a Fact<Listing<ModuleLoad>>> =
            self.initrds.iter().map(|initrd| &initrd.module_loads).collect();
        let late = if self.is_late { view.module_loads() } else { None };
        let known = || lists.iter().filter_map(|list| list.known()).chain(late);
        let is_run = |load: &&ModuleLoad| self.idle != Some(load.by.as_str());
        let found = known().flat_map(|list| &list.items).find(|load| is_run(load) && is(load));
        if found.is_none() {
            for list in &lists {
                view.need(list);
            }
            for list in known() {
                view.all(list);
            }
        }
        found
    }

    /// Leaves out what this program would load by name: it does not run.
    pub fn leave_out(&mut self, by: &'static str) {
        self.idle = Some(by);
    }

    /// What was read of a module file, however it is loaded; gaps are nobody's.
    pub fn read_of(&self, file: &File<'a>) -> Option<&'a Module> {
        let (_, index) = self.trees.iter().find(|(_, index)| std::ptr::eq(index.tree, file.tree))?;
        index.record(file.path)
    }

    /// Whether another module that was read brings `module` along.
    pub fn is_brought(&self, module: &str) -> bool {
        let brings = |record: &Module| record.depends.iter().any(|needs| needs == module);
        self.trees.iter().any(|(_, index)| index.records().iter().any(brings))
    }

    /// Whether it is the running system's shelf, not the initrd's.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// What was read of `module`, if it is a file here.
    pub fn record_of(&self, module: &str) -> Option<&'a Module> {
        match self.place(module)? {
            Place::File(file) => self.record(&file),
            Place::BuiltIn(_) | Place::Absent => None,
        }
    }
}

/// Where a module file is, for people: the initrd and the path in it, or the path in the root tree.
pub fn place_of(file: &File<'_>) -> String {
    file.archive.map_or_else(|| format!("{}/{}", file.tree.path, file.path), str::to_owned)
}

/// `kernel/drivers/net/net-failover.ko.xz` → `net_failover`; `None` for what is no module.
pub fn module_name(path: &str) -> Option<Cow<'_, str>> {
    const ENDINGS: &[&str] = &[".ko", ".ko.gz", ".ko.xz", ".ko.zst", ".ko.lzma", ".ko.lz4", ".ko.bz2"];
    let name = path.rsplit('/').next()?;
    let name = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))?;
    let name = if name.contains('-') { Cow::Owned(name.replace('-', "_")) } else { Cow::Borrowed(name) };
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_names() {
        for (path, name) in [
            ("kernel/drivers/block/virtio_blk.ko", Some("virtio_blk")),
            ("kernel/net/net-failover.ko.xz", Some("net_failover")),
            ("a.ko.zst", Some("a")),
            ("kernel/virtio_blk.ko.old", None),
            ("kernel/.ko", None),
            ("kernel/virtio_blk.ko/readme", None),
            ("virtio_blk", None),
        ] {
            assert_eq!(module_name(path).as_deref(), name, "{path}");
        }
    }
}
