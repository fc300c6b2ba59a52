//! Looks whether every kernel of the tree has what the features need.

use super::kernels::{is_set, kernels};
use super::root::Root;
use super::say;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};
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

/// Carries it out.
///
/// # Errors
/// A kernel that lacks an option, named with the features that need it; a tree without kernels.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply("kernel", &Stage::Kernel(options.clone()), shop)
}

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    let mut lacks = Vec::new();
    for kernel in kernels(root)? {
        let Some(config) = kernel.config(root)? else {
            // The image's own check looks at the modules themselves.
            say(&format!("{} has no configuration beside it; what it lacks shows in the check", kernel.version));
            continue;
        };
        for need in options.needs.iter().filter(|need| !is_set(&config, &need.option)) {
            lacks.push(format!("{} lacks {} ({})", kernel.version, need.option, need.by.join(", ")));
        }
    }
    if lacks.is_empty() {
        return Ok(());
    }
    let what = options.package.as_ref().map_or_else(|| "kernel".to_owned(), |package| format!("kernel {package}"));
    Err(Error::unsupported(what, lacks.join("; "))
        .help("name another kernel's package in [packages] kernel, or leave these features out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named_with_who_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let watchdog = Need { option: "CONFIG_I6300ESB_WDT".into(), by: vec!["watchdog".into()] };
        let options = Options { package: Some("linux-image-x".into()), needs: vec![watchdog] };
        assert!(apply(&options, &root).unwrap_err().to_string().contains("no folder of /lib/modules"));
        let file = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        file("usr/lib/modules/6.1/modules.dep", "");
        assert_eq!(apply(&options, &root), Ok(()));
        file("boot/config-6.1", "CONFIG_I6300ESB_WDT=m\n");
        assert_eq!(apply(&options, &root), Ok(()));
        file("boot/config-6.1", "# CONFIG_I6300ESB_WDT is not set\n");
        let error = apply(&options, &root).unwrap_err().to_string();
        assert_eq!(error, "kernel linux-image-x: 6.1 lacks CONFIG_I6300ESB_WDT (watchdog)");
    }
}
