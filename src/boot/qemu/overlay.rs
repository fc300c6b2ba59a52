//! The throw-away qcow2 above an image: empty, of its virtual size. It names no backing file, so that nothing in a file
//! decides what QEMU opens: the node below it is given on the command line.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Bytes of a cluster, as `qemu-img create` takes: 64 KiB.
const CLUSTER: u64 = 1 << CLUSTER_BITS;
const CLUSTER_BITS: u32 = 16;
/// Bytes of the disk that one entry of the L1 table stands for: a cluster of 8-byte entries, a cluster each.
const PER_L1_ENTRY: u64 = CLUSTER / 8 * CLUSTER;
/// Entries of an L1 table: QEMU's `QCOW_MAX_L1_SIZE`, 32 MiB of 8 bytes. It makes 2 PiB.
const MAX_L1_ENTRIES: u64 = 32 * 1024 * 1024 / 8;
/// Where the refcount table, its one block and the L1 table lie: a cluster each, then as many as the L1 table takes.
const REFCOUNT_TABLE: u64 = CLUSTER;
const REFCOUNT_BLOCK: u64 = 2 * CLUSTER;
const L1_TABLE: u64 = 3 * CLUSTER;

/// Writes an empty overlay for a disk of `virtual_size` bytes, rounded up to a sector, at `path`, which must not exist.
///
/// # Errors
/// When the disk is larger than a qcow2 image can be, or the file cannot be written.
pub fn create(path: &Path, virtual_size: u64) -> Result<()> {
    let bytes = metadata(virtual_size)?;
    let failed = |error: std::io::Error| Error::io("overlay", error).at(path.display().to_string());
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)
}

/// Header, refcounts and an empty L1 table: docs/interop/qcow2.rst.
fn metadata(virtual_size: u64) -> Result<Vec<u8>> {
    let size = virtual_size.checked_next_multiple_of(512).filter(|size| size.div_ceil(PER_L1_ENTRY) <= MAX_L1_ENTRIES);
    let size =
        size.ok_or_else(|| Error::too_large("overlay", format!("{virtual_size} bytes are more than a qcow2 holds")))?;
    let l1_entries = size.div_ceil(PER_L1_ENTRY);
    let l1_clusters = l1_entries.div_ceil(CLUSTER / 8);
    let clusters = (L1_TABLE / CLUSTER).saturating_add(l1_clusters);

    let mut bytes: Vec<u8> = Vec::new();
    bytes.extend(b"QFI\xfb");
    bytes.extend(3_u32.to_be_bytes());
    bytes.extend([0; 12]); // backing file: offset, length
    bytes.extend(CLUSTER_BITS.to_be_bytes());
    bytes.extend(size.to_be_bytes());
    bytes.extend(0_u32.to_be_bytes()); // not encrypted
    bytes.extend(u32::try_from(l1_entries).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(L1_TABLE.to_be_bytes());
    bytes.extend(REFCOUNT_TABLE.to_be_bytes());
    bytes.extend(1_u32.to_be_bytes());
    bytes.extend([0; 12]); // snapshots: count, offset
    bytes.extend([0; 24]); // features: incompatible, compatible, autoclear
    bytes.extend(4_u32.to_be_bytes()); // refcounts of 2^4 bits
    bytes.extend(104_u32.to_be_bytes()); // bytes of this header
    bytes.extend([0; 8]); // no header extension

    pad(&mut bytes, REFCOUNT_TABLE);
    bytes.extend(REFCOUNT_BLOCK.to_be_bytes());
    pad(&mut bytes, REFCOUNT_BLOCK);
    (0..clusters).for_each(|_| bytes.extend(1_u16.to_be_bytes()));
    pad(&mut bytes, clusters.saturating_mul(CLUSTER));
    Ok(bytes)
}

fn pad(bytes: &mut Vec<u8>, length: u64) {
    bytes.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
}

/// Bytes that a file takes on the host's disk, holes left out: what a discard makes less.
///
/// # Errors
/// When the file cannot be looked at.
pub fn allocated(path: &Path) -> Result<u64> {
    let found = path.metadata().map_err(|error| Error::io("overlay", error).at(path.display().to_string()))?;
    Ok(found.blocks().saturating_mul(512))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_grow_with_the_disk() {
        const PIB: u64 = 1 << 50;
        // Virtual size; size and L1 entries in the header; clusters of the file.
        let rows = [
            (0, Some((0, 0, 3))),
            (1, Some((512, 1, 4))),
            (PER_L1_ENTRY, Some((PER_L1_ENTRY, 1, 4))),
            (PER_L1_ENTRY + 1, Some((PER_L1_ENTRY + 512, 2, 4))),
            (2 * PIB, Some((2 * PIB, 1 << 22, 515))),
            (2 * PIB + 1, None),
            (u64::MAX, None),
        ];
        for (size, expected) in rows {
            let found = metadata(size).ok().map(|bytes| {
                let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
                (number(24), number(32) & 0xffff_ffff, u64::try_from(bytes.len()).unwrap() / CLUSTER)
            });
            assert_eq!(found, expected, "{size}");
        }
    }

    #[test]
    fn an_overlay_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overlay.qcow2");
        create(&path, 1 << 30).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(allocated(&path).unwrap() > 0);
        assert!(create(&path, 1 << 30).is_err());
    }
}
