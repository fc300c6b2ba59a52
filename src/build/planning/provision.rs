//! What the features of a recipe bring along, for its distribution.

use crate::build::distribution::Distribution;
use crate::build::recipe::Recipe;
use crate::error::Result;
use crate::verdict::feature::{Feature, File, Provision};
use std::collections::{BTreeMap, BTreeSet};

/// All of it, each once.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// The features, in the order of the table.
    pub(super) features: Vec<&'static Feature>,
    /// Packages.
    pub(super) packages: BTreeSet<&'static str>,
    /// Modules for the initrd, and which feature wants them.
    pub(super) modules: BTreeMap<&'static str, &'static str>,
    /// Files, and which feature writes them.
    pub(super) files: Vec<(&'static File, &'static str)>,
    /// Units, and which feature starts them.
    pub(super) units: BTreeMap<&'static str, &'static str>,
    /// Options of the kernel, and which features need them.
    pub(super) kernel: BTreeMap<&'static str, Vec<&'static str>>,
}

/// Gathers what every feature provides here.
///
/// # Errors
/// For a feature that nothing is known to provide on this distribution.
pub(super) fn gather(recipe: &Recipe, distribution: &Distribution, features: &'static [Feature]) -> Result<Needs> {
    let mut needs = Needs::default();
    for feature in features.iter().filter(|feature| recipe.features.iter().any(|name| name == feature.name)) {
        let index = recipe.features.iter().position(|name| name == feature.name).unwrap_or_default();
        if !is_provided(feature, distribution) {
            let families: Vec<&str> =
                feature.provision.iter().map(|(family, _)| *family).filter(|family| *family != "any").collect();
            return Err(recipe.error(
                &format!("features.{index}"),
                format!(
                    "nothing is known that provides {} on {}; it is there on {}",
                    feature.name,
                    distribution.id,
                    families.join(", ")
                ),
            ));
        }
        needs.features.push(feature);
        for name in distribution.lineage {
            let rows = feature.provision.iter().filter(|(family, _)| family == name);
            rows.for_each(|(_, provision)| needs.add(feature.name, provision));
        }
    }
    Ok(needs)
}

/// Whether one of its rows, where it has any but `any`, is for this distribution.
fn is_provided(feature: &Feature, distribution: &Distribution) -> bool {
    let mut families = feature.provision.iter().map(|(family, _)| *family).filter(|family| *family != "any").peekable();
    families.peek().is_none() || families.any(|family| distribution.lineage.contains(&family))
}

impl Needs {
    fn add(&mut self, feature: &'static str, provision: &'static Provision) {
        self.packages.extend(provision.packages);
        self.modules.extend(provision.initrd_modules.iter().map(|module| (*module, feature)));
        self.units.extend(provision.units.iter().map(|unit| (*unit, feature)));
        for file in provision.files {
            // What is nearer to the distribution replaces what is wider.
            self.files.retain(|(other, _)| other.path != file.path);
            self.files.push((file, feature));
        }
        for option in provision.kernel {
            let by = self.kernel.entry(option).or_default();
            if !by.contains(&feature) {
                by.push(feature);
            }
        }
    }

    /// Whether the recipe has this feature.
    pub(super) fn has(&self, name: &str) -> bool {
        self.features.iter().any(|feature| feature.name == name)
    }
}
