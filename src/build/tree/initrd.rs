//! Modules into every initrd of the tree, by the way of the program that makes them.

use serde::{Deserialize, Serialize};

/// What every initrd must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What makes them.
    pub generator: Generator,
    /// With underscores, sorted; those that the kernel has built in are passed over.
    pub modules: Vec<String>,
    /// The root's file system, whose module is among `modules` too.
    pub root_filesystem: String,
}

/// Programs that make initrds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generator {
    /// `/etc/initramfs-tools/modules`, `update-initramfs -u -k all`.
    InitramfsTools,
    /// `add_drivers` in `/etc/dracut.conf.d`, `dracut --force --regenerate-all --no-hostonly`.
    Dracut,
    /// `features` in `/etc/mkinitfs/mkinitfs.conf` and a feature file of modules.
    Mkinitfs,
    /// `MODULES` in `/etc/mkinitcpio.conf.d`.
    Mkinitcpio,
    /// `INITRD_MODULES` in `/etc/sysconfig/kernel` besides dracut's `add_drivers`.
    Suse,
}
