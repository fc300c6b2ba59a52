//! `/lib/modules/VERSION` of the root tree → a [`ModuleTree`].

use super::{Index, Indexes, decompress, module_name, parse_builtin, parse_modinfo, precedence, still_needed};
use crate::bytes::text;
use crate::disk::filesystem::{FileType, Root};
use crate::error::{ErrorKind, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::guest::{Module, ModuleTree};
use crate::limits::{Limits, MAX_DEPTH};
use std::collections::{BTreeMap, BTreeSet};

/// The module folder of kernel `version`, `None` when there is none. `.modinfo` is read of `wanted` (normalised) and
/// of all they depend on; the files themselves count, a line of modules.dep without its file does not.
pub fn read_tree(root: &Root, version: &str, wanted: &[String], limits: &Limits) -> Fact<Option<ModuleTree>> {
    if version.is_empty() || version.contains('/') || version == "." || version == ".." {
        return Fact::unknown(format!("{version:?} is no name of a module folder"));
    }
    let folder = match root.resolve(format!("/lib/modules/{version}")) {
        Ok((path, metadata)) if metadata.file_type == FileType::Directory => text(path.as_bytes()),
        Ok(_) => return Fact::Known(None),
        Err(error) if error.kind == ErrorKind::NotFound => return Fact::Known(None),
        Err(error) => return Fact::Unknown(error.into()),
    };
    let files = list(root, &folder, limits);
    let builtin = root.read_if_exists(format!("{folder}/modules.builtin"), limits.module_index);
    let read = |name: &str| root.read_if_exists(format!("{folder}/{name}"), limits.module_index);
    let (names, aliases) = (read("modules.dep.bin"), read("modules.alias.bin"));
    let index = |name: &str, read| as_index(format!("{folder}/{name}"), read);
    let indexes = Indexes { names: index("modules.dep.bin", &names), aliases: index("modules.alias.bin", &aliases) };
    Fact::Known(Some(ModuleTree {
        version: version.to_owned(),
        builtin: builtin.map(|bytes| bytes.map(|bytes| parse_builtin(&bytes))).into(),
        modules: Fact::Known(closure(root, &folder, &files, &indexes, wanted, limits)),
        files: Fact::Known(files),
        path: folder,
    }))
}

fn as_index(path: String, read: &Result<Option<Vec<u8>>>) -> Index<'_> {
    match read {
        Ok(Some(bytes)) => Index::Read(path, bytes),
        Ok(None) => Index::Absent,
        Err(error) => Index::Unknown(Gap::at(path, error.to_string())),
    }
}

/// Module files below `folder`, relative and sorted; links to files count as files, links to folders (build, source)
/// are not followed.
fn list(root: &Root, folder: &str, limits: &Limits) -> Listing<String> {
    let mut found = Listing::default();
    let mut folders = vec![(String::new(), 0_usize)];
    while let Some((below, depth)) = folders.pop() {
        let listing = match root.list(format!("{folder}/{below}")) {
            Ok(listing) => listing,
            Err(error) => {
                found.gaps.push(error.into());
                continue;
            }
        };
        found.gaps.extend(listing.gaps);
        for entry in listing.items {
            let Ok(name) = String::from_utf8(entry.name.clone()) else {
                found.gaps.push(Gap::at(format!("{folder}/{below}{}", text(&entry.name)), "its name is not UTF-8"));
                continue;
            };
            let path = format!("{below}{name}");
            let is_file =
                || root.metadata(format!("{folder}/{path}")).is_ok_and(|to| to.file_type == FileType::Regular);
            match entry.file_type {
                FileType::Directory if depth < MAX_DEPTH => folders.push((format!("{path}/"), depth.saturating_add(1))),
                FileType::Directory => found.gaps.push(Gap::at(path, "nested too deeply")),
                FileType::Regular if module_name(name.as_bytes()).is_some() => found.items.push(path),
                FileType::Symlink if module_name(name.as_bytes()).is_some() && is_file() => found.items.push(path),
                _ => {}
            }
            if found.items.len() > limits.list_rows || folders.len() > limits.list_rows {
                found.gaps.push(Gap::at(folder, format!("more than the limit of {} files", limits.list_rows)));
                return found;
            }
        }
    }
    found.items.sort();
    found
}

/// Reads the modules of `wanted` that are there, then what they depend on, until nothing new is named.
fn closure(
    root: &Root,
    folder: &str,
    files: &Listing<String>,
    indexes: &Indexes<'_>,
    wanted: &[String],
    limits: &Limits,
) -> Listing<Module> {
    let mut by_name: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for path in &files.items {
        by_name.entry(module_name(path.as_bytes()).unwrap_or_default()).or_default().push(path);
    }
    let mut modules = Listing::default();
    let mut asked = BTreeSet::new();
    let mut next: BTreeSet<String> = wanted.iter().cloned().collect();
    while !next.is_empty() {
        let first_new = modules.items.len();
        for path in next.iter().filter_map(|name| by_name.get(name)).flatten() {
            let module = read(root, folder, path, limits).map_err(|error| error.at(format!("{folder}/{path}")));
            let judged = module.map(|module| trimmed(indexes.judge(module, |name| by_name.contains_key(name)), wanted));
            modules.add(judged);
        }
        asked.append(&mut next);
        next = still_needed(modules.items.iter().skip(first_new), &asked);
    }
    modules.items.sort_by(|a, b| (&a.name, precedence(&a.path)).cmp(&(&b.name, precedence(&b.path))));
    modules
}

fn read(root: &Root, folder: &str, path: &str, limits: &Limits) -> Result<Module> {
    let stored = root.read(format!("{folder}/{path}"), limits.module)?;
    parse_modinfo(path, &decompress(path, stored, limits.module)?)
}

/// Aliases are kept only of modules that were asked for: those of a network driver alone fill pages.
pub(crate) fn trimmed(mut module: Module, wanted: &[String]) -> Module {
    if !wanted.contains(&module.name) {
        module.aliases = Vec::new();
    }
    module
}
