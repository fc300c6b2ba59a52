//! Who uses which host cluster: tables and data must not share one (`docs/interop/qcow2.rst`, "Cluster mapping").

use super::disk::{COMPRESSED, COPIED, Cluster, Disk, OFFSET};
use crate::bytes::be_u64;
use crate::error::Result;
use crate::limits::MIB;

/// Bytes of a map with one bit per host cluster: a file of 4 TiB with clusters of 64 KiB.
pub(super) const MOST_MAP: u64 = 8 * MIB;

/// One bit per host cluster.
#[derive(Debug, Default)]
struct Map(Vec<u64>);

impl Map {
    fn place(cluster: u64) -> Option<(usize, u64)> {
        Some((usize::try_from(cluster / 64).ok()?, 1 << (cluster % 64)))
    }

    fn has(&self, cluster: u64) -> bool {
        Self::place(cluster).is_some_and(|(word, bit)| self.0.get(word).is_some_and(|word| word & bit != 0))
    }

    /// Sets the bit; says whether it was set. What lies past the end is another's finding.
    fn set(&mut self, cluster: u64) -> bool {
        let Some((word, bit)) = Self::place(cluster) else { return false };
        let Some(word) = self.0.get_mut(word) else { return false };
        let was = *word & bit != 0;
        *word |= bit;
        was
    }
}

/// What is wrong with an entry beyond what it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Reserved,
    Overlap,
    Shared,
}

/// The host clusters in use.
#[derive(Debug, Default)]
pub(super) struct Claims {
    tables: Map,
    data: Map,
    copied: Map,
}

impl Claims {
    /// Claims header, L1 table, refcount table and refcount blocks; `None` when the file has too many clusters.
    pub(super) fn new(disk: &Disk) -> Result<Option<Self>> {
        let header = &disk.header;
        let size = disk.file.size().max(disk.data().size());
        let words = size.div_ceil(header.cluster()).div_ceil(64);
        if words.saturating_mul(8) > MOST_MAP {
            return Ok(None);
        }
        let map = || Map(vec![0; usize::try_from(words).unwrap_or(0)]);
        let mut claims = Self { tables: map(), data: map(), copied: map() };
        let l1_bytes = u64::from(header.l1_entries).saturating_mul(8);
        let mut table = vec![0; usize::try_from(header.refcounts).unwrap_or(0)];
        disk.file.read_at(header.refcounts_at, &mut table)?;
        for (at, length) in [(0, 1), (header.l1_at, l1_bytes), (header.refcounts_at, header.refcounts)] {
            for cluster in claims.range(disk, at, length) {
                claims.tables.set(cluster);
            }
        }
        for entry in table.chunks_exact(8).filter_map(|entry| be_u64(entry, 0)).filter(|entry| *entry >= 512) {
            for cluster in claims.range(disk, entry, 1) {
                claims.tables.set(cluster);
            }
        }
        Ok(Some(claims))
    }

    /// The clusters of `length` bytes at `at`.
    fn range(&self, disk: &Disk, at: u64, length: u64) -> std::ops::Range<u64> {
        let cluster = disk.header.cluster();
        let end = at.saturating_add(length).div_ceil(cluster);
        at.checked_div(cluster).unwrap_or(0)
            ..end.min(u64::try_from(self.tables.0.len()).unwrap_or(0).saturating_mul(64))
    }

    /// Claims an L2 table.
    pub(super) fn table(&mut self, disk: &Disk, entry: u64) -> Option<Wrong> {
        let is_taken = self.range(disk, entry & OFFSET, 1).any(|cluster| self.tables.set(cluster));
        if entry & !(OFFSET | COPIED) != 0 { Some(Wrong::Reserved) } else { is_taken.then_some(Wrong::Overlap) }
    }

    /// Claims what an L2 entry points to, once all tables are claimed.
    pub(super) fn entry(&mut self, disk: &Disk, entry: u64, cluster: Cluster) -> Option<Wrong> {
        let is_here = disk.is_whole();
        if let Cluster::Packed { at, length } = cluster {
            // QEMU never sets the copied flag of a compressed cluster (`block/qcow2-refcount.c`).
            let overlaps = || self.range(disk, at, length).any(|cluster| self.tables.has(cluster));
            return if entry & COPIED != 0 { Some(Wrong::Reserved) } else { overlaps().then_some(Wrong::Overlap) };
        }
        // `L2E_STD_RESERVED_MASK` of block/qcow2.h; bit 0 says that the cluster is zeros.
        if entry & !(OFFSET | COPIED | COMPRESSED | 1) != 0 {
            return Some(Wrong::Reserved);
        }
        let at = entry & OFFSET;
        if at == 0 && is_here {
            return None;
        }
        let host = at.checked_div(disk.header.cluster())?;
        if is_here && self.tables.has(host) {
            return Some(Wrong::Overlap);
        }
        let is_copied = entry & COPIED != 0;
        let (was_used, was_copied) = (self.data.set(host), is_copied && self.copied.set(host));
        let is_owned = is_copied || was_copied || self.copied.has(host);
        (was_used && is_owned && disk.header.snapshots == 0).then_some(Wrong::Shared)
    }
}
