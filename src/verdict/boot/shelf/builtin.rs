//! Whether a module is part of the kernel: modules.builtin, or the kernel's configuration where there is no such list.

use super::Shelf;
use super::index::Folder;
use crate::fact::Gap;
use crate::verdict::{Evidence, View};

impl<'a> Shelf<'_, 'a> {
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
    pub(super) fn built_in(&self, module: &str) -> Option<Evidence> {
        let option = self.option(module);
        match (self.list_with(module), option) {
            (Some(_), Some((value, _))) if value != "y" => None,
            (Some(path), _) => {
                let found = format!("{module} is built in (modules.builtin of {})", self.version);
                Some(Evidence::at(path, found))
            }
            (None, Some(("y", line))) if self.builtin.is_empty() => {
                let config = self.kernel.config.known()?.as_ref()?;
                let found = format!("{module} is built in ({}=y)", option_of(module)?);
                Some(Evidence::at(config.path.clone(), found).line(line))
            }
            (None, _) => None,
        }
    }

    /// The first list that has `module`.
    fn list_with(&self, module: &str) -> Option<&str> {
        let has = |index: &Folder<'_>| index.builtin().is_some_and(|names| names.contains(module));
        self.builtin.iter().find(|(_, index)| has(index)).map(|(path, _)| path.as_str())
    }

    /// What the kernel's config says of `module`.
    fn option(&self, module: &str) -> Option<(&'a str, u32)> {
        let config = self.kernel.config.known()?.as_ref()?;
        let name = option_of(module)?;
        let option = config.options.iter().find(|option| option.name == name)?;
        Some((&option.value, option.line))
    }

    /// Meets every gap that may hide that `module` is built in; without any list to look at, that is one.
    pub(super) fn looked_at_builtin(&self, view: &View<'_>, module: &str) {
        let root = view.need(&self.kernel.modules).and_then(|_| self.root_tree());
        for tree in self.trees().chain(root) {
            view.need(&tree.builtin);
        }
        let is_in_list = self.list_with(module).is_some();
        match self.option(module) {
            Some((value, _)) if !self.builtin.is_empty() && is_in_list != (value == "y") => {
                let reason =
                    format!("modules.builtin and the kernel's config disagree on whether {module} is built in");
                view.miss(Gap::at(self.kernel.path.clone(), reason));
            }
            None if self.builtin.is_empty() => {
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
}

/// The option that builds a module in (`drivers/*/Kconfig`).
fn option_of(module: &str) -> Option<&'static str> {
    const OPTIONS: &[(&str, &str)] = &[
        ("virtio_pci", "CONFIG_VIRTIO_PCI"),
        ("virtio_blk", "CONFIG_VIRTIO_BLK"),
        ("virtio_scsi", "CONFIG_SCSI_VIRTIO"),
        ("virtio_net", "CONFIG_VIRTIO_NET"),
        ("virtio", "CONFIG_VIRTIO"),
        ("virtio_ring", "CONFIG_VIRTIO"),
        ("virtio_console", "CONFIG_VIRTIO_CONSOLE"),
        ("i6300esb", "CONFIG_I6300ESB_WDT"),
        ("failover", "CONFIG_FAILOVER"),
        ("net_failover", "CONFIG_NET_FAILOVER"),
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
