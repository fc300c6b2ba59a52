//! Files → facts: everything that checks ask for, collected once into plain data.

pub mod bootloader;
mod facts;
pub mod fstab;
pub mod initrd;
mod inspect;
pub mod kernel;
pub mod login;
#[cfg(test)]
mod memory;
pub mod modules;
pub mod os_release;
pub mod packages;
pub mod root;
pub mod systemd;

pub use facts::{
    Account, Accounts, Assignment, Attempt, BootEntry, CloudInit, ConfigOption, Datasources, Filesystem, Guest, Image,
    Initrd, Kernel, KernelConfig, MachineId, Module, ModuleTree, Mount, OsRelease, Package, PartitionTable,
    PresentFile, Root, SCHEMA, Segment, Setting, Unit, UnitStart, Volume,
};
pub use inspect::{Input, Options, inspect};
