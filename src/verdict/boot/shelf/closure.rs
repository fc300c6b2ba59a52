//! What a module depends on, direct or not.

use super::{Place, Shelf, place_of};
use crate::fact::Gap;
use std::collections::BTreeSet;

/// Modules that one module may depend on; amdgpu of a desktop kernel needs 40.
const MAX_CLOSURE: usize = 1024;

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

impl Shelf<'_, '_> {
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

    /// Whether a softdep is met: it names a module, or an alias such as `crc32c` of `crc32c_generic`.
    fn has_like(&self, name: &str) -> bool {
        let is_like =
            |module: &str| module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        let is_built_in =
            self.builtin.iter().any(|(_, index)| index.builtin().into_iter().flatten().any(|module| is_like(module)));
        is_built_in || self.trees.iter().any(|(_, index)| index.modules().any(|module| is_like(module)))
    }
}

/// `pre: crc32c post: x` → the names.
fn softdeps(line: &str) -> impl Iterator<Item = &str> {
    line.split_ascii_whitespace().filter(|word| !word.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softdeps_without_their_keywords() {
        assert_eq!(softdeps("pre: crc32c a post: b").collect::<Vec<_>>(), ["crc32c", "a", "b"]);
    }
}
