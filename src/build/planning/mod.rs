//! A recipe and perhaps its lock → the plan, or why there is none: nothing is fetched for an impossible wish.

mod identity;
mod kernel;
mod layout;
mod provision;
mod refuse;
mod stages;

use super::lock::Lock;
use super::plan::{Plan, SCHEMA};
use super::recipe::Recipe;
use crate::error::Result;
use crate::verdict::feature::Feature;
use std::path::Path;

/// What a plan is made of.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The features that recipes may name: [`crate::verdict::feature::FEATURES`].
    pub features: &'static [Feature],
    /// Its folder, which relative paths start from.
    pub folder: &'a Path,
    /// What an earlier build resolved.
    pub lock: Option<&'a Lock>,
    /// `SOURCE_DATE_EPOCH` where there is no lock.
    pub source_date_epoch: u64,
    /// Names of [`crate::manifest::FORMATS`] that are written.
    pub manifests: &'a [String],
}

/// Decides everything.
///
/// # Errors
/// `Corrupt` with the recipe's line for a wish that cannot be fulfilled; `Io` for a file of the recipe that cannot be read.
pub fn plan(wanted: &Wanted<'_>) -> Result<Plan> {
    let recipe = wanted.recipe;
    let distribution = refuse::distribution(recipe)?;
    let ways = refuse::ways(recipe, distribution)?;
    let needs = provision::gather(recipe, distribution, wanted.features)?;
    refuse::contradictions(recipe, distribution, &needs)?;
    let mut notes = Vec::new();
    let kernel = kernel::choose(recipe, distribution, &needs, &mut notes)?;
    let epoch = wanted.lock.map_or(wanted.source_date_epoch, |lock| lock.source_date_epoch);
    let uuids = identity::uuids(recipe, wanted.lock, epoch);
    let layout = layout::layout(recipe, &uuids)?;
    let decided = stages::Decided { wanted, ways, needs: &needs, kernel, epoch, layout: &layout };
    let stages = stages::stages(&decided, &mut notes)?;
    Ok(Plan {
        schema: SCHEMA.to_owned(),
        name: recipe.name.clone(),
        distribution: recipe.distribution.id.clone(),
        suite: recipe.distribution.suite.clone(),
        family: distribution.family,
        source_date_epoch: epoch,
        notes,
        uuids,
        stages,
    })
}

#[cfg(test)]
mod tests;
