//! Where a kernel finds a module at one moment: built in, a file of the initrds, a file of the root tree, or nowhere.

use crate::fact::{Fact, Gap, Listing};
use crate::guest::{Kernel, Module, ModuleTree};
use crate::verdict::{Evidence, View};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Modules that one module may depend on; amdgpu of a desktop kernel needs 40.
const MAX_CLOSURE: usize = 1024;

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

/// A hard dependency that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The module that needs it.
    pub module: String,
    /// Where that module is.
    pub at: String,
    /// What it needs.
    pub needs: String,
}

/// The module folders of one kernel version that modprobe sees, and the lists of what is built in.
#[derive(Debug)]
pub struct Shelf<'v, 'a> {
    view: &'v View<'a>,
    kernel: &'a Kernel,
    version: &'a str,
    trees: Vec<&'a ModuleTree>,
    /// Lists that may hide a folder.
    lists: Vec<&'a Listing<ModuleTree>>,
    /// Why the root tree's folder may not be all there is.
    doubt: Option<Gap>,
    /// Why the indexes of the initrds' folders may not be those that modprobe reads.
    rivals: Option<Gap>,
    files: HashMap<Cow<'a, str>, File<'a>>,
    /// What was read of the files, by archive and path.
    records: HashMap<(Option<&'a str>, &'a str), &'a Module>,
    /// Built-in modules, and the list that says so.
    builtin: HashMap<&'a str, String>,
    has_builtin: bool,
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
            doubt: None,
            rivals: None,
            files: HashMap::new(),
            records: HashMap::new(),
            builtin: HashMap::new(),
            has_builtin: false,
        };
        if let Some(tree) = shelf.root_tree() {
            shelf.add_builtin(tree, &format!("{}/modules.builtin", tree.path));
        }
        shelf
    }

    /// Adds the folders of an initrd; those of another version are invisible to this kernel.
    pub fn add_archive(&mut self, path: &'a str, trees: &'a Listing<ModuleTree>) {
        self.lists.push(trees);
        let version = self.version;
        for tree in trees.items.iter().filter(|tree| tree.version == version) {
            if !self.trees.is_empty() {
                let reason = "another initrd has a module folder of this version too: the later modules.dep.bin replaces the other";
                self.rivals = Some(Gap::at(path, reason));
            }
            self.add(tree, Some(path));
            self.add_builtin(tree, path);
        }
    }

    /// Adds the folder of the root tree, if it is this kernel's.
    pub fn add_root(&mut self) {
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

    /// Of several files of one module the one that the index names.
    fn add(&mut self, tree: &'a ModuleTree, archive: Option<&'a str>) {
        self.trees.push(tree);
        let files = tree.files.known().map(|files| files.items.as_slice()).unwrap_or_default();
        let modules = tree.modules.known().map(|modules| modules.items.as_slice()).unwrap_or_default();
        let listed: HashSet<&String> = files.iter().collect();
        let indexed = modules.iter().filter(|module| module.is_indexed.known() == Some(&true));
        for path in indexed.map(|module| &module.path).filter(|path| listed.contains(path)).chain(files) {
            if let Some(name) = module_name(path) {
                self.files.entry(name).or_insert(File { archive, tree, path });
            }
        }
        self.records.extend(modules.iter().map(|record| ((archive, record.path.as_str()), record)));
    }

    fn add_builtin(&mut self, tree: &'a ModuleTree, path: &str) {
        if let Some(Some(names)) = tree.builtin.known() {
            self.has_builtin = true;
            for name in names {
                self.builtin.entry(name).or_insert_with(|| path.to_owned());
            }
        }
    }

    /// The folders of this kernel's version.
    pub fn trees(&self) -> impl Iterator<Item = &'a ModuleTree> {
        self.trees.iter().copied()
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
        if let Some(file) = self.files.get(module)
            && !self.is_hidden(file)
        {
            return Some(Place::File(*file));
        }
        self.view.certain(|view| {
            self.looked_at_builtin(view, module);
            self.looked_everywhere(view);
            Place::Absent
        })
    }

    /// Whether modprobe does not find this file of an initrd; later, in the root tree, it may be called otherwise.
    fn is_hidden(&self, file: &File<'_>) -> bool {
        let module = self.records.get(&(file.archive, file.path));
        file.archive.is_some() && module.is_some_and(|module| module.is_indexed.known() == Some(&false))
    }

    /// What to say of a module whose file is in the initrd where modprobe does not find it.
    pub fn hidden(&self, module: &str) -> Option<String> {
        let file = self.files.get(module).filter(|file| self.is_hidden(file))?;
        let folder = &file.tree.path;
        Some(format!("modprobe does not find {}: {folder}/modules.dep.bin lacks it or what it needs", file.path))
    }

    /// Whether `module` is built in; `None` when that cannot be said, and why is kept by `view`.
    pub fn is_built_in(&self, view: &View<'_>, module: &str) -> Option<bool> {
        if self.built_in(module).is_some() {
            return Some(true);
        }
        view.certain(|view| {
            self.looked_at_builtin(view, module);
            false
        })
    }

    /// The proof that `module` is part of the kernel: a modules.builtin of this version or `=y` in its config, and
    /// neither says otherwise. Every option asked for is a tristate, so that modules.builtin lists it when it is `y`.
    fn built_in(&self, module: &str) -> Option<Evidence> {
        let option = self.option(module);
        match (self.builtin.get(module), option) {
            (Some(_), Some((value, _))) if value != "y" => None,
            (Some(path), _) => {
                let found = format!("{module} is built in (modules.builtin of {})", self.version);
                Some(Evidence::at(path.clone(), found))
            }
            (None, Some(("y", line))) if !self.has_builtin => {
                let config = self.kernel.config.known()?.as_ref()?;
                let found = format!("{module} is built in ({}=y)", option_of(module)?);
                Some(Evidence::at(config.path.clone(), found).line(line))
            }
            (None, _) => None,
        }
    }

    /// What the kernel's config says of `module`.
    fn option(&self, module: &str) -> Option<(&'a str, u32)> {
        let config = self.kernel.config.known()?.as_ref()?;
        let name = option_of(module)?;
        let option = config.options.iter().find(|option| option.name == name)?;
        Some((&option.value, option.line))
    }

    /// Whether a softdep is met: it names a module, or an alias such as `crc32c` of `crc32c_generic`.
    fn has_like(&self, name: &str) -> bool {
        let is_like =
            |module: &str| module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        self.builtin.keys().any(|module| is_like(module)) || self.files.keys().any(|module| is_like(module))
    }

    /// Meets every gap that may hide a module file of this kernel.
    pub fn looked_everywhere(&self, view: &View<'_>) {
        for list in &self.lists {
            view.all(list);
        }
        for tree in &self.trees {
            if let Some(files) = view.need(&tree.files) {
                view.all(files);
            }
        }
        if let Some(doubt) = &self.doubt {
            view.miss(doubt.clone());
        }
    }

    /// Meets every gap that may hide that `module` is built in; without any list to look at, that is one.
    fn looked_at_builtin(&self, view: &View<'_>, module: &str) {
        let root = view.need(&self.kernel.modules).and_then(|_| self.root_tree());
        for tree in self.trees().chain(root) {
            view.need(&tree.builtin);
        }
        let is_in_list = self.builtin.contains_key(module);
        match self.option(module) {
            Some((value, _)) if self.has_builtin && is_in_list != (value == "y") => {
                let reason =
                    format!("modules.builtin and the kernel's config disagree on whether {module} is built in");
                view.miss(Gap::at(self.kernel.path.clone(), reason));
            }
            None if !self.has_builtin => {
                view.need(&self.kernel.config);
                let reason = format!(
                    "whether {module} is built in cannot be said: there is no modules.builtin of {} and no config that names it",
                    self.version
                );
                view.miss(Gap::at(self.kernel.path.clone(), reason));
            }
            _ => {}
        }
    }

    /// What was read of a module file; `None` keeps the gap.
    pub fn record(&self, file: &File<'a>) -> Option<&'a Module> {
        let Some(record) = self.records.get(&(file.archive, file.path)).copied() else {
            let records = self.view.need(&file.tree.modules)?;
            if self.view.certain(|view| view.all(records).len()).is_some() {
                self.view.miss(Gap::at(place_of(file), format!("what {} depends on was not read", file.path)));
            }
            return None;
        };
        if file.archive.is_none() { Some(record) } else { self.loadable(file, record) }
    }

    /// The record of a file of an initrd, if modprobe and udev find it there; `None` keeps the gap.
    fn loadable(&self, file: &File<'a>, record: &'a Module) -> Option<&'a Module> {
        if let Some(gap) = &self.rivals {
            self.view.miss(gap.clone());
            return None;
        }
        let (_, is_aliased) = (self.view.need(&record.is_indexed)?, self.view.need(&record.is_aliased)?);
        if !is_aliased {
            let reason =
                "modules.alias.bin does not lead to it: no device loads it, and what loads it by name is not read";
            self.view.miss(Gap::at(format!("{}/{}", file.tree.path, file.path), reason));
        }
        is_aliased.then_some(record)
    }

    /// What was read of `module`, if it is a file here.
    pub fn record_of(&self, module: &str) -> Option<&'a Module> {
        match self.place(module)? {
            Place::File(file) => self.record(&file),
            Place::BuiltIn(_) | Place::Absent => None,
        }
    }

    /// Hard dependencies of `module` that are neither built in nor on this shelf, and softdeps that are not.
    /// Files that could not be read are gaps of the view.
    pub fn unmet(&self, module: &str) -> (BTreeSet<Missing>, BTreeSet<Missing>) {
        let (mut hard, mut soft) = (BTreeSet::new(), BTreeSet::new());
        let mut seen = BTreeSet::new();
        let mut queue = vec![module.to_owned()];
        while let Some(name) = queue.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if seen.len() > MAX_CLOSURE {
                let reason = format!("{module} depends on more than {MAX_CLOSURE} modules");
                self.view.miss(Gap::at(self.kernel.path.clone(), reason));
                break;
            }
            let Some(Place::File(file)) = self.place(&name) else { continue };
            let Some(record) = self.record(&file) else { continue };
            let missing = |needs: &str| Missing { module: name.clone(), at: place_of(&file), needs: needs.to_owned() };
            for needs in record.depends.iter().filter(|needs| !needs.is_empty()) {
                match self.place(needs) {
                    Some(Place::Absent) => drop(hard.insert(missing(needs))),
                    Some(_) => queue.push(needs.clone()),
                    None => {}
                }
            }
            let absent = |needs: &&str| !self.has_like(needs);
            soft.extend(record.softdeps.iter().flat_map(|line| softdeps(line)).filter(absent).map(missing));
        }
        (hard, soft)
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

/// `pre: crc32c post: x` → the names.
fn softdeps(line: &str) -> impl Iterator<Item = &str> {
    line.split_ascii_whitespace().filter(|word| !word.ends_with(':'))
}

/// The option that builds a module in (`drivers/*/Kconfig`).
fn option_of(module: &str) -> Option<&'static str> {
    const OPTIONS: &[(&str, &str)] = &[
        ("virtio_pci", "CONFIG_VIRTIO_PCI"),
        ("virtio_blk", "CONFIG_VIRTIO_BLK"),
        ("virtio_scsi", "CONFIG_SCSI_VIRTIO"),
        ("virtio_net", "CONFIG_VIRTIO_NET"),
        ("virtio", "CONFIG_VIRTIO"),
        ("scsi_mod", "CONFIG_SCSI"),
        ("sd_mod", "CONFIG_BLK_DEV_SD"),
        ("ext4", "CONFIG_EXT4_FS"),
        ("xfs", "CONFIG_XFS_FS"),
        ("btrfs", "CONFIG_BTRFS_FS"),
        ("f2fs", "CONFIG_F2FS_FS"),
        ("erofs", "CONFIG_EROFS_FS"),
        ("squashfs", "CONFIG_SQUASHFS"),
        ("vfat", "CONFIG_VFAT_FS"),
    ];
    OPTIONS.iter().find(|(name, _)| *name == module).map(|(_, option)| *option)
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

    #[test]
    fn softdeps_without_their_keywords() {
        assert_eq!(softdeps("pre: crc32c a post: b").collect::<Vec<_>>(), ["crc32c", "a", "b"]);
    }
}
