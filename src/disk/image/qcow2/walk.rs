//! One look at every table when the image is opened: what lies past the end of the file is found before it is read.

use super::claims::{Claims, MOST_MAP, Wrong};
use super::disk::{COPIED, Cluster, Disk, Entry, OFFSET, judge_bitmap};
use crate::bytes::ReadAt as _;
use crate::error::{Error, ErrorKind, Result};
use crate::fact::{Flaw, Gap, Listing};
use crate::limits::MIB;
use std::collections::HashSet;

/// Bytes of L2 tables that are looked at when an image is opened: 512 GiB of disk with clusters of 64 KiB.
pub(super) const MOST: u64 = 64 * MIB;

/// What the tables hold.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) has_compressed: bool,
    /// First cluster past the end of the file, and how many.
    past: Option<(String, u64)>,
    /// First entry that contradicts the specification, and how many.
    wrong: Option<(String, u64)>,
    /// First entry with reserved bits, and how many.
    reserved: Option<(String, u64)>,
    /// First cluster or table where a table is, and how many.
    overlap: Option<(String, u64)>,
    /// First cluster that two places of the disk own, and how many.
    shared: Option<(String, u64)>,
    /// `None` in a file with too many clusters to remember.
    claims: Option<Claims>,
}

impl Seen {
    fn tell(&mut self, wrong: Option<Wrong>, first: impl FnOnce() -> String) {
        match wrong {
            Some(Wrong::Reserved) => Self::count(&mut self.reserved, first),
            Some(Wrong::Overlap) => Self::count(&mut self.overlap, first),
            Some(Wrong::Shared) => Self::count(&mut self.shared, first),
            None => {}
        }
    }

    fn count(place: &mut Option<(String, u64)>, first: impl FnOnce() -> String) {
        let (_, count) = place.get_or_insert_with(|| (first(), 0));
        *count = count.saturating_add(1);
    }
}

/// Walks tables of `most` bytes in all. A table that cannot be read is wrong; a medium that fails is an error.
pub(super) fn walk(disk: &Disk, most: u64, flaws: &mut Listing<Flaw>) -> Result<Seen> {
    let mut seen = Seen { claims: Claims::new(disk)?, ..Seen::default() };
    if seen.claims.is_none() {
        let reason =
            format!("qcow2: which clusters are used twice was not checked, a map of them takes over {MOST_MAP} bytes");
        flaws.gaps.push(Gap::new(reason));
    }
    claim_tables(disk, &mut seen);
    let mut tables = HashSet::new();
    let mut left = most;
    for (index, entry) in (0_u64..).zip(&disk.l1) {
        let start = index.saturating_mul(disk.header.l2_covers());
        let at = entry & OFFSET;
        // A table that is used twice holds the same entries, except behind the end of the disk.
        if at == 0 || start >= disk.size() || !tables.insert(at) {
            continue;
        }
        if left < disk.header.cluster() {
            let reason = format!(
                "qcow2: not every L2 table was checked for clusters past the end of the file, only {most} bytes of them"
            );
            flaws.gaps.push(Gap::new(reason));
            break;
        }
        left = left.saturating_sub(disk.header.cluster());
        walk_table(disk, start, *entry, &mut seen)?;
    }
    let mut flaw = |id: &str, what: &str, found: &Option<(String, u64)>| {
        if let Some((first, count)) = found {
            let found = format!("{count} {what}; the first: {first}");
            flaws.items.push(Flaw { id: id.to_owned(), found, fatal: true });
        }
    };
    flaw("data-past-end", "clusters or tables lie past the end of the file, which was cut short", &seen.past);
    flaw("qcow2-wrong-entry", "table entries contradict the format", &seen.wrong);
    flaw("qcow2-reserved-bits", "table entries have reserved bits set", &seen.reserved);
    flaw("qcow2-overlap", "clusters or tables lie on a table, which the first write destroys", &seen.overlap);
    flaw("qcow2-shared-cluster", "places of the disk own a cluster that another one uses", &seen.shared);
    Ok(seen)
}

/// All tables first: then it shows which data lies on one.
fn claim_tables(disk: &Disk, seen: &mut Seen) {
    let Some(mut claims) = seen.claims.take() else { return };
    for entry in disk.l1.iter().filter(|entry| **entry != 0) {
        let wrong = if entry & OFFSET == 0 { Some(Wrong::Reserved) } else { claims.table(disk, *entry) };
        // An entry without a table but with the copied bit is what QEMU leaves of a table that it freed.
        let is_empty = entry & OFFSET == 0 && entry & !COPIED == 0;
        seen.tell(wrong.filter(|_| !is_empty), || format!("the L1 entry {entry:#018x}"));
    }
    seen.claims = Some(claims);
}

fn walk_table(disk: &Disk, start: u64, entry: u64, seen: &mut Seen) -> Result<()> {
    let (cluster, at) = (disk.header.cluster(), entry & OFFSET);
    if at.checked_add(cluster).is_none_or(|end| end > disk.file.size()) {
        Seen::count(&mut seen.past, || format!("the table at byte {at}"));
        return Ok(());
    }
    let table = match disk.table(entry) {
        Ok(table) => table.unwrap_or_default(),
        Err(error) if error.kind == ErrorKind::Io => return Err(error),
        Err(error) => {
            Seen::count(&mut seen.wrong, || error.to_string());
            return Ok(());
        }
    };
    for (index, entry) in (0_u64..).zip(disk.entries(&table)) {
        let guest = start.saturating_add(index.saturating_mul(cluster));
        if guest >= disk.size() {
            break;
        }
        if entry != Entry::default() {
            let found = disk.cluster(entry.word);
            if let Ok(cluster) = &found
                && let Some(mut claims) = seen.claims.take()
            {
                let wrong = claims.entry(disk, entry.word, *cluster);
                seen.tell(wrong, || format!("the L2 entry {:#018x} for byte {guest} of the disk", entry.word));
                seen.claims = Some(claims);
            }
            judge(disk, guest, entry, found, seen);
        }
    }
    Ok(())
}

/// Of the last cluster only what the disk reaches into must be there, of subclusters those that are allocated.
fn judge(disk: &Disk, guest: u64, entry: Entry, found: Result<Cluster, Error>, seen: &mut Seen) {
    let found = found.and_then(|cluster| {
        if disk.header.has_extended_l2() { judge_bitmap(entry, cluster).map(|()| cluster) } else { Ok(cluster) }
    });
    let needed = disk.header.cluster().min(disk.size().saturating_sub(guest)).min(allocated(disk, entry));
    let (at, is_there) = match found {
        Ok(Cluster::Unallocated | Cluster::Zero) => return,
        Ok(Cluster::Data(at)) => (at, at.checked_add(needed).is_some_and(|end| end <= disk.data().size())),
        // How long it really is only shows when it is unpacked.
        Ok(Cluster::Packed { at, .. }) => {
            seen.has_compressed = true;
            (at, at < disk.file.size())
        }
        Err(error) => return Seen::count(&mut seen.wrong, || error.offset(guest).to_string()),
    };
    if !is_there {
        Seen::count(&mut seen.past, || format!("byte {guest} of the disk at byte {at} of the file"));
    }
}

/// Bytes from the beginning of a cluster to the end of its last allocated subcluster.
fn allocated(disk: &Disk, entry: Entry) -> u64 {
    if !disk.header.has_extended_l2() {
        return disk.header.cluster();
    }
    let last = u64::from(u64::BITS.saturating_sub(entry.allocated().leading_zeros()));
    last.saturating_mul(disk.header.subcluster())
}

#[cfg(test)]
mod tests {
    use super::super::disk::tests::disk_of;
    use super::*;
    use crate::limits::KIB;

    #[test]
    fn a_bound_that_is_reached_is_a_gap() {
        // Three tables of 64 KiB in a file of seven clusters.
        let disk = disk_of(7, &[3 << 16, 4 << 16, 5 << 16]);
        for (most, gaps) in [(128, 1), (191, 1), (192, 0), (193, 0)] {
            let mut flaws = Listing::default();
            walk(&disk, most * KIB, &mut flaws).unwrap();
            assert_eq!((flaws.gaps.len(), flaws.items.len()), (gaps, 0), "{most}");
        }
    }

    #[test]
    fn tables_past_the_end_or_out_of_place_are_flaws() {
        for (entry, id) in
            [(6_u64 << 16, None), (7 << 16, Some("data-past-end")), ((3 << 16) + 512, Some("qcow2-wrong-entry"))]
        {
            let mut flaws = Listing::default();
            walk(&disk_of(7, &[entry]), MOST, &mut flaws).unwrap();
            let found = flaws.items.first().map(|flaw| flaw.id.as_str());
            assert_eq!((found, flaws.items.len()), (id, usize::from(id.is_some())), "{entry:#x}");
        }
    }
}
