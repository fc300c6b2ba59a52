//! The boot-entry table of the report: where each kernel finds the modules that its boot needs.

use super::{MAX_STARTS, Place, Start, groups, has_initrd, root_driver};
use crate::guest::Guest;
use crate::verdict::{FactName, Options, Tally, View};

/// The table: one row per kernel start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootTable {
    /// Heads of the cells.
    pub columns: Vec<&'static str>,
    /// Rows, in loader order.
    pub rows: Vec<BootRow>,
}

/// A kernel start and where its modules are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootRow {
    /// Kernel version, or the entry's title where that is unknown.
    pub name: String,
    /// Booted when nobody chooses.
    pub is_default: bool,
    /// One per column.
    pub cells: Vec<String>,
}

const MODULES: &[&str] = &["virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net"];
const READS: &[FactName] = &[
    FactName::BootEntries,
    FactName::Kernels,
    FactName::Initrds,
    FactName::Volumes,
    FactName::Root,
    FactName::Modprobe,
    FactName::ModuleLoads,
];

/// The table of an image; the first attempt of each entry, equal rows once.
pub fn boot_table(guest: &Guest, options: &Options) -> BootTable {
    let view = View::new(guest, options, READS);
    let mut table = BootTable { columns: MODULES.to_vec(), rows: Vec::new() };
    table.columns.push("root driver");
    let entries = view.boot_entries().map(|entries| entries.items.as_slice()).unwrap_or_default();
    for group in groups(&view, entries).into_iter().take(MAX_STARTS) {
        let attempts = group.first.attempts.known().map(|attempts| attempts.items.as_slice()).unwrap_or_default();
        let Some(attempt) = attempts.first() else { continue };
        let is_beside_initrd = attempts.iter().any(has_initrd);
        let start = Start { view: &view, entry: group.first, attempt, is_beside_initrd };
        let version = start.kernel().and_then(|kernel| kernel.version.known());
        let name = version.unwrap_or(&group.first.title).clone();
        let mut cells: Vec<String> = MODULES.iter().map(|module| cell(&start, module).to_owned()).collect();
        cells.push(
            root_driver(&view).map_or("unknown".to_owned(), |driver| format!("{driver} {}", cell(&start, driver))),
        );
        match table.rows.iter_mut().find(|row| row.name == name && row.cells == cells) {
            Some(row) => row.is_default |= group.is_default,
            None => table.rows.push(BootRow { name, is_default: group.is_default, cells }),
        }
    }
    table
}

fn cell(start: &Start<'_, '_>, module: &str) -> &'static str {
    let mut tally = Tally::default();
    let Some(shelf) = start.early(&mut tally) else {
        return if tally.has_faults() { "no initrd" } else { "unknown" };
    };
    match shelf.place(module) {
        Some(Place::BuiltIn(_)) => "built in",
        Some(Place::File(_)) => "initrd",
        Some(Place::Absent) if start.unseen().is_some() => "unknown",
        Some(Place::Absent) if start.root_tree_has(module) == Some(true) => "missing (root tree)",
        Some(Place::Absent) => "missing",
        None => "unknown",
    }
}
