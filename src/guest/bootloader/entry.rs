//! What every loader's configuration comes to: entries, each with its attempts.

use crate::fact::Fact;
use std::rc::Rc;

/// Entries of one loader's menus together; a neglected server with fifty kernels has 150.
pub(super) const MAX_ENTRIES: usize = 1000;

/// A configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Config {
    /// Index of its volume.
    pub(crate) volume: usize,
    /// Path there.
    pub(crate) path: String,
}

/// Where a path of the configuration leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Index of the volume, and the path there.
    On(usize, String),
    /// Index of the volume, path of an EFI program there, and the section of it that is meant.
    Section(usize, String, &'static str),
    /// A device that is not in this image.
    Elsewhere(String),
    /// It depends on something unknown.
    Unknown,
}

/// Why GRUB does not come to a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// As a report says it.
    pub(crate) found: String,
    /// The file that is not as it must be.
    pub(crate) file: Option<Config>,
}

/// What keeps a loader from starting an entry, if anything does.
pub(crate) type Reach = Fact<Option<Stop>>;

/// Nothing does.
pub(crate) const REACHED: Reach = Fact::Known(None);

/// An entry that starts Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Ids of the submenus above it, and its own.
    pub(crate) ids: Vec<String>,
    pub(crate) title: String,
    pub(crate) config: Rc<Config>,
    pub(crate) line: u32,
    pub(crate) is_default: bool,
    pub(crate) attempts: Vec<Attempt>,
}

/// One way to start it; the first is what happens at the first start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) when: String,
    pub(crate) line: u32,
    pub(crate) kernel: Place,
    pub(crate) initrds: Vec<Place>,
    pub(crate) cmdline: Option<String>,
}
