//! How a check looks at the facts: only at those it declares, and never past a gap without being marked by it.

use super::Options;
use super::boot::Indexes;
use crate::fact::{Fact, Gap, Listing};
use crate::guest::{
    Accounts, Agent, BootEntry, CloudInit, Crypt, Guest, Image, Initrd, Kernel, MachineId, ModprobeRule, ModuleLoad,
    Mount, OsRelease, Package, PartitionTable, PresentFile, Root, Selinux, Setting, Unit, Volume, Watchdog,
};
use std::cell::RefCell;
use std::collections::HashSet;

/// A top-level field of [`Guest`], as checks declare them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactName {
    /// `image`
    Image,
    /// `partition_table`
    PartitionTable,
    /// `volumes`
    Volumes,
    /// `root`
    Root,
    /// `os`
    Os,
    /// `boot_entries`
    BootEntries,
    /// `kernels`
    Kernels,
    /// `initrds`
    Initrds,
    /// `modprobe`
    Modprobe,
    /// `module_loads`
    ModuleLoads,
    /// `fstab`
    Fstab,
    /// `packages`
    Packages,
    /// `units`
    Units,
    /// `manager`
    Manager,
    /// `agent`
    Agent,
    /// `watchdog`
    Watchdog,
    /// `crypttab`
    Crypttab,
    /// `selinux`
    Selinux,
    /// `files`
    Files,
    /// `cloud_init`
    CloudInit,
    /// `machine_ids`
    MachineIds,
    /// `host_keys`
    HostKeys,
    /// `accounts`
    Accounts,
}

impl FactName {
    /// The field of [`Guest`].
    pub fn field(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::PartitionTable => "partition_table",
            Self::Volumes => "volumes",
            Self::Root => "root",
            Self::Os => "os",
            Self::BootEntries => "boot_entries",
            Self::Kernels => "kernels",
            Self::Initrds => "initrds",
            Self::Modprobe => "modprobe",
            Self::ModuleLoads => "module_loads",
            Self::Fstab => "fstab",
            Self::Packages => "packages",
            Self::Units => "units",
            Self::Manager => "manager",
            Self::Agent => "agent",
            Self::Watchdog => "watchdog",
            Self::Crypttab => "crypttab",
            Self::Selinux => "selinux",
            Self::Files => "files",
            Self::CloudInit => "cloud_init",
            Self::MachineIds => "machine_ids",
            Self::HostKeys => "host_keys",
            Self::Accounts => "accounts",
        }
    }
}

/// What a list says of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a, T> {
    /// It is there.
    There(&'a T),
    /// The whole list was read and it is not in it.
    Absent,
}

/// A check's window on the facts. Every unknown that it meets is kept: a verdict that would pass all the same becomes unknown.
#[derive(Debug)]
pub struct View<'a> {
    guest: &'a Guest,
    options: &'a Options,
    reads: &'static [FactName],
    gaps: RefCell<Gaps>,
    indexes: Indexes,
}

/// Gaps in the order in which they were met, each once.
#[derive(Debug, Default)]
struct Gaps {
    order: Vec<Gap>,
    known: HashSet<Gap>,
}

impl<'a> View<'a> {
    /// A window on `guest` for a check that declares `reads`.
    pub fn new(guest: &'a Guest, options: &'a Options, reads: &'static [FactName]) -> Self {
        Self { guest, options, reads, gaps: RefCell::default(), indexes: Indexes::default() }
    }

    /// What the user asked of the judging.
    pub fn options(&self) -> &'a Options {
        self.options
    }

    /// The gaps met so far.
    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.borrow().order.clone()
    }

    /// The value of a fact; where there is none, its gap is kept.
    pub fn need<'f, T>(&self, fact: &'f Fact<T>) -> Option<&'f T> {
        match fact {
            Fact::Known(value) => Some(value),
            Fact::Unknown(gap) => {
                self.miss(gap.clone());
                None
            }
        }
    }

    /// Everything of a list, when absence matters: its gaps are kept.
    pub fn all<'f, T>(&self, listing: &'f Listing<T>) -> &'f [T] {
        for gap in &listing.gaps {
            self.miss(gap.clone());
        }
        &listing.items
    }

    /// The first item that `is` it. What was found is usable whatever else could not be read; only when nothing was
    /// found do the list's gaps matter: they are kept, and the answer is `None`.
    pub fn find<'f, T>(&self, listing: &'f Listing<T>, is: impl Fn(&T) -> bool) -> Option<Lookup<'f, T>> {
        match listing.items.iter().find(|item| is(item)) {
            Some(item) => Some(Lookup::There(item)),
            None if listing.gaps.is_empty() => Some(Lookup::Absent),
            None => {
                self.all(listing);
                None
            }
        }
    }

    /// What `part` gives, if it met no gap; otherwise its gaps are kept.
    pub fn certain<T>(&self, part: impl FnOnce(&Self) -> T) -> Option<T> {
        let (result, gaps) = self.apart(part);
        let certain = gaps.is_empty();
        for gap in gaps {
            self.miss(gap);
        }
        certain.then_some(result)
    }

    /// Keeps a gap that the check met by itself.
    pub fn miss(&self, gap: Gap) {
        let mut gaps = self.gaps.borrow_mut();
        if gaps.known.insert(gap.clone()) {
            gaps.order.push(gap);
        }
    }

    /// Judges a part by itself: the gaps that `part` meets are given to it instead of to this view.
    pub fn apart<T>(&self, part: impl FnOnce(&Self) -> T) -> (T, Vec<Gap>) {
        let (gaps, indexes) = (RefCell::default(), self.indexes.clone());
        let inner = Self { guest: self.guest, options: self.options, reads: self.reads, gaps, indexes };
        let result = part(&inner);
        (result, inner.gaps.into_inner().order)
    }

    /// Module folders by name, made once.
    pub(super) fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    fn declared(&self, name: FactName) {
        debug_assert!(self.reads.contains(&name), "the check reads {name:?} and does not declare it");
    }
}

/// One accessor per fact: each is the declaration's only door.
macro_rules! accessors {
    ($($field:ident: $name:ident -> $type:ty;)*) => {
        impl<'a> View<'a> {
            $(#[doc = concat!("`", stringify!($field), "`, or its gap is kept.")]
            pub fn $field(&self) -> Option<&'a $type> {
                self.declared(FactName::$name);
                self.need(&self.guest.$field)
            })*
        }
    };
}

accessors! {
    image: Image -> Image;
    partition_table: PartitionTable -> Option<PartitionTable>;
    volumes: Volumes -> Listing<Volume>;
    root: Root -> Root;
    os: Os -> OsRelease;
    boot_entries: BootEntries -> Listing<BootEntry>;
    kernels: Kernels -> Listing<Kernel>;
    initrds: Initrds -> Listing<Initrd>;
    modprobe: Modprobe -> Listing<ModprobeRule>;
    module_loads: ModuleLoads -> Listing<ModuleLoad>;
    fstab: Fstab -> Option<Listing<Mount>>;
    packages: Packages -> Listing<Package>;
    units: Units -> Listing<Unit>;
    manager: Manager -> Listing<Setting>;
    agent: Agent -> Agent;
    watchdog: Watchdog -> Watchdog;
    crypttab: Crypttab -> Option<Listing<Crypt>>;
    selinux: Selinux -> Option<Selinux>;
    files: Files -> Listing<PresentFile>;
    cloud_init: CloudInit -> CloudInit;
    machine_ids: MachineIds -> Vec<MachineId>;
    host_keys: HostKeys -> Listing<String>;
    accounts: Accounts -> Accounts;
}
