//! Which kernel is installed: the recipe's, unless it is known to lack what a feature needs.

use super::provision::Needs;
use crate::build::distribution::Distribution;
use crate::build::engine::Engine;
use crate::build::kernels::{self, Kernel};
use crate::build::recipe::Recipe;
use crate::error::Result;

/// The kernel's package; `None` for a finished tree, which has its own.
///
/// # Errors
/// Where the recipe insists on a kernel that lacks what one of its features needs.
pub(super) fn choose(
    recipe: &Recipe,
    distribution: &Distribution,
    needs: &Needs,
    notes: &mut Vec<String>,
) -> Result<Option<String>> {
    if matches!(recipe.engine.name, Some(Engine::Tar | Engine::Dir)) {
        return Ok(None);
    }
    let usual = kernels::usual(distribution.family, recipe.distribution.architecture);
    let wished = recipe.packages.kernel.as_deref().unwrap_or(usual);
    // A version may stand behind it.
    let package = wished.split('=').next().unwrap_or(wished);
    let Some(known) = kernels::known(distribution.id, &recipe.distribution.suite, package) else {
        return Ok(Some(wished.to_owned()));
    };
    let missing = missing(known, needs);
    if missing.is_empty() {
        return Ok(Some(wished.to_owned()));
    }
    let missing = missing.join("; ");
    if recipe.packages.insist || wished != package {
        let cause = format!("{package} of {} lacks {missing}; {} has it", recipe.distribution.suite, known.instead);
        return Err(recipe.error("packages.kernel", cause));
    }
    notes.push(format!("kernel {} instead of {package}, which lacks {missing}", known.instead));
    Ok(Some(known.instead.to_owned()))
}

fn missing(known: &Kernel, needs: &Needs) -> Vec<String> {
    let lacking = needs.kernel.iter().filter(|(option, _)| known.lacks.contains(option));
    lacking.map(|(option, by)| format!("{option} ({})", by.join(", "))).collect()
}
