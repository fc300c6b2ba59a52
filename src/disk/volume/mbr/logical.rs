//! Logical partitions: a chain of tables within an extended partition (`parse_extended` of `block/partitions/msdos.c`).

use super::{Entry, Extent, Slot, entries, table_extent, too_many};
use crate::bytes::Bytes;
use crate::disk::volume::{flaw, overlaps};
use crate::error::Result;
use crate::fact::Flaw;
use crate::limits::Limits;
use std::collections::HashSet;

/// The first number of a logical partition.
const FIRST: u32 = 5;
/// Linux numbers partitions below this (`DISK_MAX_PARTS`, `include/linux/genhd.h`).
const END: u32 = 256;
/// Tables in a row without a partition, after which Linux ends.
const EMPTY_TABLES: usize = 100;

/// Adds the logical partitions of `container`, numbered on from those in `found`.
pub(super) fn read(
    disk: &Bytes,
    container: &Slot,
    found: &mut Vec<Slot>,
    limits: &Limits,
    flaws: &mut Vec<Flaw>,
) -> Result<()> {
    let mut chain = Chain { container, seen: HashSet::new(), extents: Vec::new(), empty: 0 };
    let (mut at, mut size) = (container.start, container.sectors);
    while let Some(table) = chain.table(disk, at, limits, flaws)? {
        chain.partitions(&table, (at, size), found, flaws);
        if found.len() > usize::try_from(limits.partitions).unwrap_or(usize::MAX) {
            return Err(too_many(limits));
        }
        let Some(link) = table.iter().find(|entry| entry.is_used() && entry.is_extended()) else { break };
        (at, size) = (container.start.saturating_add(link.start.into()), link.sectors.into());
    }
    overlaps("mbr-partitions-overlap", chain.extents, flaws);
    Ok(())
}

struct Chain<'a> {
    container: &'a Slot,
    seen: HashSet<u64>,
    extents: Vec<Extent>,
    empty: usize,
}

impl Chain<'_> {
    /// The table in sector `at`; `None`, with a flaw, where the chain breaks off.
    fn table(&mut self, disk: &Bytes, at: u64, limits: &Limits, flaws: &mut Vec<Flaw>) -> Result<Option<Vec<Entry>>> {
        let number = self.container.number;
        let mut broken = |id: &str, what: &str| {
            flaws.push(flaw(
                id,
                format!("the chain of tables in partition {number} leads to sector {at}, {what}"),
                true,
            ));
            Ok(None)
        };
        if !self.seen.insert(at) {
            return broken("mbr-logical-loop", "where it has been");
        }
        if self.empty > EMPTY_TABLES {
            return broken("mbr-logical-chain", "behind a hundred tables without a partition, where Linux ends");
        }
        if self.seen.len() > usize::try_from(limits.partitions).unwrap_or(usize::MAX) {
            return Err(too_many(limits));
        }
        if at < self.container.start || at >= self.container.end() {
            return broken("mbr-logical-outside", "outside of the partition");
        }
        let Some(table) = entries(disk, at)? else {
            return broken("mbr-logical-table-missing", "where no table is");
        };
        self.empty = self.empty.saturating_add(1);
        self.extents.push(table_extent(at));
        Ok(Some(table))
    }

    /// The partitions that the table in sector `at` names; it speaks of `size` sectors.
    fn partitions(&mut self, table: &[Entry], (at, size): (u64, u64), found: &mut Vec<Slot>, flaws: &mut Vec<Flaw>) {
        for (index, entry) in table.iter().enumerate() {
            if !entry.is_used() || entry.is_extended() {
                continue;
            }
            let number = FIRST.saturating_add(u32::try_from(found.len()).unwrap_or(END));
            let (offset, sectors) = (u64::from(entry.start), u64::from(entry.sectors));
            let slot = Slot { number, kind: entry.kind, start: at.saturating_add(offset), sectors };
            let is_inside = slot.start >= self.container.start && slot.end() <= self.container.end();
            // "Check the 3rd and 4th entries - these sometimes contain random garbage".
            if index >= 2 && (!is_inside || offset.saturating_add(sectors) > size) {
                continue;
            }
            if number >= END {
                let found = format!("more than {} partitions: Linux numbers no more", END.saturating_sub(1));
                flaws.push(flaw("mbr-logical-chain", found, true));
                return;
            }
            if !is_inside {
                let found = format!(
                    "partition {number} takes sectors {} to {}, outside of partition {}",
                    slot.start,
                    slot.end().saturating_sub(1),
                    self.container.number
                );
                flaws.push(flaw("mbr-logical-outside", found, true));
            }
            self.extents.push(slot.extent());
            self.empty = 0;
            found.push(slot);
        }
    }
}
