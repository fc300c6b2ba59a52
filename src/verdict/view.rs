//! How a check looks at the facts: only at those it declares, and never past a gap without being marked by it.

use crate::fact::{Fact, Gap, Listing};
use crate::guest::{BootEntry, Guest, Image, Initrd, Kernel, Mount, OsRelease, Package, PartitionTable, Root, Volume};
use std::cell::RefCell;

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
    /// `fstab`
    Fstab,
    /// `packages`
    Packages,
    /// `units`
    Units,
}

/// A check's window on the facts. Every unknown that it meets is kept: a verdict that would pass all the same becomes unknown.
#[derive(Debug)]
pub struct View<'a> {
    guest: &'a Guest,
    reads: &'static [FactName],
    gaps: RefCell<Vec<Gap>>,
}

impl<'a> View<'a> {
    /// A window on `guest` for a check that declares `reads`.
    pub fn new(guest: &'a Guest, reads: &'static [FactName]) -> Self {
        Self { guest, reads, gaps: RefCell::default() }
    }

    /// The gaps met so far.
    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.borrow().clone()
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

    /// Keeps a gap that the check met by itself.
    pub fn miss(&self, gap: Gap) {
        let mut gaps = self.gaps.borrow_mut();
        if !gaps.contains(&gap) {
            gaps.push(gap);
        }
    }

    /// Judges a part by itself: the gaps that `part` meets are given to it instead of to this view.
    pub fn apart<T>(&self, part: impl FnOnce(&Self) -> T) -> (T, Vec<Gap>) {
        let inner = Self { guest: self.guest, reads: self.reads, gaps: RefCell::default() };
        let result = part(&inner);
        (result, inner.gaps.into_inner())
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
    fstab: Fstab -> Option<Listing<Mount>>;
    packages: Packages -> Listing<Package>;
}
