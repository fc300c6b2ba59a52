//! Files → facts: everything that checks ask for, collected once into plain data.

pub mod agent;
pub mod bootloader;
pub mod command;
pub mod crypttab;
mod facts;
pub mod fstab;
pub mod getopt;
pub mod initrd;
mod inspect;
pub mod kernel;
pub mod login;
#[cfg(test)]
mod memory;
pub mod modprobe;
pub mod modules;
pub mod os_release;
pub mod packages;
pub mod pe;
pub mod root;
pub mod selinux;
pub mod systemd;
pub mod timespan;
pub mod watchdog;

pub use facts::{
    Account, Accounts, Agent, Assignment, Attempt, BootEntry, CloudInit, ConfigFile, ConfigOption, Crypt, Datasources,
    Filesystem, Guest, Image, Initrd, Kernel, KernelConfig, LoaderStop, MachineId, ModprobeRule, Module, ModuleLoad,
    ModuleTree, Mount, OsRelease, Package, PartitionTable, PresentFile, Root, SCHEMA, Segment, Selinux, Setting, Unit,
    UnitStart, Volume, Watchdog,
};
pub use inspect::{Input, Options, inspect};
