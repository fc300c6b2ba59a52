//! Looks whether every kernel of the tree has what the features need.

use serde::{Deserialize, Serialize};

/// What must be built in or a module (`/boot/config-*`, `/lib/modules/*/config`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The package that the recipe or the plan chose; absent for a tree that brings its own.
    pub package: Option<String>,
    /// Sorted by option.
    pub needs: Vec<Need>,
}

/// An option and who needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// `CONFIG_I6300ESB_WDT`.
    pub option: String,
    /// Features by name.
    pub by: Vec<String>,
}
