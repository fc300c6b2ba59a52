//! The volume that holds the root file system, and the modules that read it.

use crate::fact::Gap;
use crate::guest::{Filesystem, Volume};
use crate::verdict::{Lookup, View};

/// The volume of the root file system; `None` keeps the gap.
pub fn root_volume<'a>(view: &View<'a>) -> Option<&'a Volume> {
    let root = view.root()?;
    let Some(number) = root.volume else {
        view.miss(Gap::new("a directory has no volumes: what is on the disk beside it cannot be said"));
        return None;
    };
    match view.find(view.volumes()?, |volume| volume.number == number)? {
        Lookup::There(volume) => Some(volume),
        Lookup::Absent => {
            view.miss(Gap::new(format!("the root volume {number} is not among the volumes")));
            None
        }
    }
}

/// The root file system; `None` keeps the gap.
pub fn root_filesystem<'a>(view: &View<'a>) -> Option<&'a Filesystem> {
    let volume = root_volume(view)?;
    let filesystem = view.need(&volume.filesystem)?.as_ref();
    if filesystem.is_none() {
        view.miss(Gap::new(format!("the root volume {} holds no file system", volume.number)));
    }
    filesystem
}

/// The module that reads the root file system; `None` keeps the gap.
pub fn root_driver(view: &View<'_>) -> Option<&'static str> {
    let kind = &root_filesystem(view)?.kind;
    let driver = driver_of(kind);
    if driver.is_none() {
        view.miss(Gap::new(format!("which module reads a {kind} root is not known to this version")));
    }
    driver
}

/// `fs/*/Makefile`; ext4.ko also reads ext2 and ext3 (`CONFIG_EXT4_USE_FOR_EXT2`).
fn driver_of(kind: &str) -> Option<&'static str> {
    const DRIVERS: &[(&str, &str)] = &[
        ("ext4", "ext4"),
        ("ext3", "ext4"),
        ("ext2", "ext4"),
        ("xfs", "xfs"),
        ("btrfs", "btrfs"),
        ("f2fs", "f2fs"),
        ("erofs", "erofs"),
        ("squashfs", "squashfs"),
        ("vfat", "vfat"),
    ];
    DRIVERS.iter().find(|(name, _)| *name == kind).map(|(_, driver)| *driver)
}
