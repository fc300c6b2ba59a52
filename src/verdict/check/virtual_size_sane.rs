//! The virtual disk is as large as what is on it needs, in whole sectors.

use super::Check;
use crate::guest::Volume;
use crate::limits::MIB;
use crate::verdict::{Evidence, FactName, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "virtual-size-sane",
    summary: "the virtual disk holds its partitions and is not much larger",
    broken: "the virtual disk's size does not suit what is on it",
    why: "Nova refuses a flavor whose disk is smaller than the virtual size, so empty space makes every instance dearer; partitions past the end are lost.",
    detects: "The virtual size is compared with sectors of 512 bytes, with the end of every partition and of the partition table, and with four times the end of the last partition.",
    fix: "Shrink or grow the virtual disk with `qemu-img resize`; the root file system grows at first boot.",
    family_fixes: &[],
    source: "Nova virt/libvirt/imagebackend.py (verify_base_size); Glance min_disk",
    reads: &[FactName::Image, FactName::PartitionTable, FactName::Volumes],
    run,
};

/// Bytes of a sector: QEMU's `BDRV_SECTOR_SIZE`.
const SECTOR: u64 = 512;
/// How often the used part may fit into the virtual disk.
const SPARE: u64 = 4;

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(image) = view.image() else { return };
    let Some(size) = view.need(&image.virtual_size) else { return };
    let Some(size) = *size else { return tally.not_applicable("a directory has no virtual size") };
    if !size.is_multiple_of(SECTOR) {
        fault(tally, format!("the virtual size is {size} bytes"), format!("a multiple of {SECTOR}"));
    }
    let Some(listing) = view.volumes() else { return };
    let volumes = view.all(listing);
    for volume in volumes.iter().filter(|volume| end(volume) > size) {
        let found = format!("volume {} ends at byte {}", volume.number, end(volume));
        fault(tally, found, format!("at most the virtual size, {size}"));
    }
    let Some(table) = view.partition_table() else { return };
    let table_end = table.as_ref().map(|table| view.need(&table.used_end).copied());
    if let Some(Some(end)) = table_end.filter(|end| end.is_some_and(|end| end > size)) {
        fault(tally, format!("the partition table uses byte {end}"), format!("at most the virtual size, {size}"));
    }
    // GPT's backup stands at the end of the disk however empty it is: only partitions say what is used, and only all of
    // them where the last one ends.
    let Some(used) = volumes.iter().map(end).max().filter(|_| listing.gaps.is_empty()) else { return };
    if size > used.saturating_mul(SPARE) {
        let found =
            format!("the virtual size is {} MiB, the last used byte at {} MiB", size.div_ceil(MIB), used.div_ceil(MIB));
        fault(tally, found, format!("at most {SPARE} times the used part"));
    } else {
        tally.proof(Evidence::of(format!("{size} bytes, used to byte {used}")));
    }
}

fn end(volume: &Volume) -> u64 {
    volume.start.saturating_add(volume.size)
}

fn fault(tally: &mut Tally, found: String, expected: String) {
    tally.fault(Weight::Full, Evidence::of(found).expected(expected));
}
