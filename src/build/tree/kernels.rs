//! The kernels of a tree: their versions, their configuration, and which modules they have.

use super::root::Root;
use crate::error::{Error, Result};
use crate::guest::modules::normalise;
use std::collections::BTreeSet;

/// Where modules stand, `/usr` merged or not.
const FOLDERS: &[&str] = &["/usr/lib/modules", "/lib/modules"];

/// A kernel of the tree.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Its version, the name of its folder.
    pub(super) version: String,
    /// The folder of its modules.
    folder: String,
}

/// How a kernel has a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Has {
    BuiltIn,
    Module,
    Not,
}

/// Every kernel with modules, by version.
///
/// # Errors
/// When there is none.
pub(super) fn kernels(root: &Root) -> Result<Vec<Kernel>> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for folder in FOLDERS {
        for version in root.names(folder)? {
            let folder = format!("{folder}/{version}");
            let is_known = kernels.iter().any(|kernel| kernel.version == version);
            if !is_known
                && ["modules.dep", "modules.builtin"].iter().any(|name| root.exists(&format!("{folder}/{name}")))
            {
                kernels.push(Kernel { version, folder });
            }
        }
    }
    if kernels.is_empty() {
        return Err(Error::not_found("kernel in the tree")
            .because("no folder of /lib/modules has modules.dep")
            .help("name the kernel's package in [packages] kernel, or make the tree with one"));
    }
    Ok(kernels)
}

impl Kernel {
    /// Its configuration; `None` where the tree does not have it.
    pub(super) fn config(&self, root: &Root) -> Result<Option<String>> {
        for path in [format!("/boot/config-{}", self.version), format!("{}/config", self.folder)] {
            if root.exists(&path) {
                return root.text(&path).map(Some);
            }
        }
        Ok(None)
    }

    /// What it has of some modules.
    pub(super) fn modules(&self, root: &Root) -> Result<Modules> {
        let read = |name: &str| root.text(&format!("{}/{name}", self.folder));
        let built_in = read("modules.builtin")?.lines().filter_map(name).collect();
        let files = read("modules.dep")?.lines().filter_map(|line| name(line.split(':').next()?)).collect();
        Ok(Modules { built_in, files })
    }
}

/// The modules of a kernel, by their normal names.
#[derive(Debug)]
pub(super) struct Modules {
    built_in: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Modules {
    pub(super) fn has(&self, module: &str) -> Has {
        match (self.built_in.contains(module), self.files.contains(module)) {
            (true, _) => Has::BuiltIn,
            (_, true) => Has::Module,
            _ => Has::Not,
        }
    }
}

/// `kernel/drivers/scsi/virtio_scsi.ko.xz` → `virtio_scsi`.
fn name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (stem, _) = file.split_once(".ko")?;
    Some(normalise(stem))
}

/// Whether a configuration has an option, built in or as a module.
pub(super) fn is_set(config: &str, option: &str) -> bool {
    config
        .lines()
        .any(|line| line.split_once('=').is_some_and(|(key, value)| key == option && matches!(value, "y" | "m")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_or_not() {
        let config = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=\"m\"\nCONFIG_AB=y\n";
        for (option, expected) in [("CONFIG_A", true), ("CONFIG_B", true), ("CONFIG_C", false), ("CONFIG_D", false)] {
            assert_eq!(is_set(config, option), expected, "{option}");
        }
    }

    #[test]
    fn names_are_normal() {
        for (path, expected) in [
            ("kernel/drivers/char/hw_random/virtio-rng.ko.zst", Some("virtio_rng")),
            ("kernel/fs/ext4/ext4.ko", Some("ext4")),
            ("kernel/README", None),
        ] {
            assert_eq!(name(path).as_deref(), expected);
        }
    }
}
