//! Files → facts: everything that checks ask for, collected once into plain data.

pub mod bootloader;
mod facts;
pub mod fstab;
pub mod initrd;
mod inspect;
pub mod kernel;
#[cfg(test)]
mod memory;
pub mod modprobe;
pub mod modules;
pub mod os_release;
pub mod packages;
pub mod root;
pub mod systemd;

pub use facts::{
    Assignment, Attempt, BootEntry, ConfigOption, Filesystem, Guest, Image, Initrd, Kernel, KernelConfig, ModprobeRule,
    Module, ModuleLoad, ModuleTree, Mount, OsRelease, Package, PartitionTable, Root, SCHEMA, Segment, Setting, Unit,
    UnitStart, Volume,
};
pub use inspect::{Input, Options, inspect};
