//! A module folder by the names that checks ask for, made once per check however many entries start from it.

use super::module_name;
use crate::guest::{Module, ModuleTree};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ptr;
use std::rc::Rc;

/// Positions in the lists of a folder.
#[derive(Debug)]
struct Index {
    /// In the files, by module; of several files of one module the one that modules.dep.bin names.
    files: HashMap<String, usize>,
    /// In what was read of the files, by path.
    records: HashMap<String, usize>,
    /// Modules that its modules.builtin lists; `None` where it has no such list.
    builtin: Option<HashSet<String>>,
}

impl Index {
    fn new(tree: &ModuleTree) -> Self {
        let (paths, modules) = (paths(tree), records(tree));
        let is_indexed = |module: &&Module| module.is_indexed.known() == Some(&true);
        let indexed: HashSet<&str> = modules.iter().filter(is_indexed).map(|module| module.path.as_str()).collect();
        let mut files = HashMap::with_capacity(paths.len());
        for is_named in [true, false] {
            for (position, path) in
                paths.iter().enumerate().filter(|(_, path)| indexed.contains(path.as_str()) == is_named)
            {
                if let Some(name) = module_name(path) {
                    files.entry(name.into_owned()).or_insert(position);
                }
            }
        }
        let mut by_path = HashMap::with_capacity(modules.len());
        by_path.extend(modules.iter().enumerate().map(|(position, module)| (module.path.clone(), position)));
        let names = tree.builtin.known().and_then(Option::as_ref);
        Self { files, records: by_path, builtin: names.map(|names| names.iter().cloned().collect()) }
    }
}

fn paths(tree: &ModuleTree) -> &[String] {
    tree.files.known().map(|files| files.items.as_slice()).unwrap_or_default()
}

fn records(tree: &ModuleTree) -> &[Module] {
    tree.modules.known().map(|modules| modules.items.as_slice()).unwrap_or_default()
}

/// A folder that answers by name.
#[derive(Clone, Debug)]
pub(super) struct Folder<'a> {
    pub(super) tree: &'a ModuleTree,
    index: Rc<Index>,
}

impl<'a> Folder<'a> {
    /// The file of `module`, relative to the folder.
    pub(super) fn file(&self, module: &str) -> Option<&'a str> {
        paths(self.tree).get(*self.index.files.get(module)?).map(String::as_str)
    }

    /// What was read of a file.
    pub(super) fn record(&self, path: &str) -> Option<&'a Module> {
        records(self.tree).get(*self.index.records.get(path)?)
    }

    /// Everything that was read.
    pub(super) fn records(&self) -> &'a [Module] {
        records(self.tree)
    }

    /// The modules of its files.
    pub(super) fn modules(&self) -> impl Iterator<Item = &String> {
        self.index.files.keys()
    }

    /// The modules that its modules.builtin lists; `None` where it has no such list.
    pub(super) fn builtin(&self) -> Option<&HashSet<String>> {
        self.index.builtin.as_ref()
    }
}

/// Indexes by the address of their folder, shared by all that one check looks at.
#[derive(Clone, Debug, Default)]
pub(in crate::verdict) struct Indexes(Rc<RefCell<HashMap<usize, Rc<Index>>>>);

impl Indexes {
    /// A folder of the facts, which stay where they are while they are judged.
    pub(super) fn of<'a>(&self, tree: &'a ModuleTree) -> Folder<'a> {
        let mut indexes = self.0.borrow_mut();
        let index = indexes.entry(ptr::from_ref(tree).addr()).or_insert_with(|| Rc::new(Index::new(tree)));
        Folder { tree, index: Rc::clone(index) }
    }
}
