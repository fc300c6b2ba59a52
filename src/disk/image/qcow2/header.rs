//! The header of a qcow2 image and its extensions (QEMU, `docs/interop/qcow2.rst`), with the limits of `block/qcow2.c`.

use crate::bytes::{Bytes, be_u32, be_u64, slice, text};
use crate::error::{Error, Result};
use crate::limits::{Limits, MIB};

/// Bytes of a version 2 header.
const V2_LENGTH: u32 = 72;
/// Fewest bytes of a version 3 header.
const V3_LENGTH: u32 = 104;
/// Parts of a cluster that extended L2 entries tell apart (`QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER`).
const SUBCLUSTERS: u64 = 32;
/// Smallest subcluster: 512 bytes.
const SUBCLUSTER: u64 = 512;
/// Smallest and largest cluster: 512 bytes and 2 MiB (`MIN_CLUSTER_BITS`, `MAX_CLUSTER_BITS`).
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
/// Widest reference count: 64 bits.
const MAX_REFCOUNT_ORDER: u32 = 6;
/// Bytes of a refcount table (`QCOW_MAX_REFTABLE_SIZE`).
const MAX_REFCOUNT_TABLE: u64 = 8 * MIB;
/// Snapshots in an image (`QCOW_MAX_SNAPSHOTS`).
const MAX_SNAPSHOTS: u32 = 65_536;
/// Bytes of a backing file's name.
const MAX_NAME: u32 = 1023;
/// Header extension with the name of the external data file.
const DATA_FILE_NAME: u32 = 0x4441_5441;

/// Incompatible feature bits.
pub(super) const DIRTY: u64 = 1;
pub(super) const CORRUPT: u64 = 2;
pub(super) const DATA_FILE: u64 = 4;
const COMPRESSION: u64 = 8;
pub(super) const EXTENDED_L2: u64 = 16;
/// Compatible feature bit.
const LAZY_REFCOUNTS: u64 = 1;

/// How clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Zlib,
    Zstd,
}

/// A header within QEMU's limits.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) cluster_bits: u32,
    /// Bytes of the virtual disk.
    pub(super) size: u64,
    pub(super) l1_at: u64,
    pub(super) l1_entries: u32,
    pub(super) snapshots: u32,
    pub(super) refcounts_at: u64,
    /// Bytes of the refcount table.
    pub(super) refcounts: u64,
    pub(super) incompatible: u64,
    pub(super) has_lazy_refcounts: bool,
    pub(super) compression: Compression,
    /// Name of the backing file, escaped.
    pub(super) backing: Option<String>,
    /// Name of the external data file, escaped.
    pub(super) data_file: Option<String>,
}

/// The first cluster's bytes, read field by field.
struct Raw<'a>(&'a [u8]);

impl Raw<'_> {
    fn u32(&self, at: usize) -> u32 {
        be_u32(self.0, at).unwrap_or(0)
    }

    fn u64(&self, at: usize) -> u64 {
        be_u64(self.0, at).unwrap_or(0)
    }
}

fn corrupt<T>(offset: u64, cause: impl Into<String>) -> Result<T> {
    Err(Error::corrupt("qcow2 header", cause).offset(offset))
}

impl Header {
    /// Reads and judges the header.
    pub(super) fn read(file: &Bytes, limits: &Limits) -> Result<Self> {
        let mut start = [0; 24];
        file.read_at(0, &mut start)?;
        let cluster_bits = be_u32(&start, 20).unwrap_or(0);
        if !CLUSTER_BITS.contains(&cluster_bits) {
            return corrupt(20, format!("cluster_bits is {cluster_bits}, from 9 to 21 is possible"));
        }
        let cluster = 1_u64 << cluster_bits;
        let length = usize::try_from(cluster.min(file.size())).unwrap_or(0);
        let mut bytes = vec![0; length];
        file.read_at(0, &mut bytes)?;
        let raw = Raw(&bytes);
        let version = raw.u32(4);
        if !matches!(version, 2 | 3) {
            return Err(Error::unsupported("qcow2", format!("version {version}; 2 and 3 are read")));
        }
        let header_length = if version == 2 { V2_LENGTH } else { raw.u32(100) };
        let least = if version == 2 { V2_LENGTH } else { V3_LENGTH };
        if length < usize::try_from(least).unwrap_or(0) {
            return corrupt(0, format!("the file ends after {length} bytes, the header has {least}"));
        }
        if header_length < least || u64::from(header_length) > cluster {
            return corrupt(100, format!("header_length is {header_length}, from {least} to {cluster} is possible"));
        }
        let (incompatible, compatible) = if version == 2 { (0, 0) } else { (raw.u64(72), raw.u64(80)) };
        let compression = if header_length > V3_LENGTH { bytes.get(104).copied().unwrap_or(0) } else { 0 };
        let mut header = Self {
            version,
            cluster_bits,
            size: raw.u64(24),
            l1_at: raw.u64(40),
            l1_entries: raw.u32(36),
            snapshots: raw.u32(60),
            refcounts_at: raw.u64(48),
            refcounts: u64::from(raw.u32(56)).saturating_mul(cluster),
            incompatible,
            has_lazy_refcounts: compatible & LAZY_REFCOUNTS != 0,
            compression: judge_features(incompatible, compression)?,
            backing: None,
            data_file: None,
        };
        if raw.u32(32) != 0 {
            return Err(Error::unsupported("qcow2", "the image is encrypted")
                .help("check the image before it is encrypted, or decrypt it with `qemu-img convert`"));
        }
        header.judge_tables(&raw, file, limits)?;
        header.read_names(&raw, usize::try_from(header_length).unwrap_or(0))?;
        Ok(header)
    }

    /// Bytes of a cluster.
    pub(super) fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// L2 entries have a bitmap of subclusters.
    pub(super) fn has_extended_l2(&self) -> bool {
        self.incompatible & EXTENDED_L2 != 0
    }

    /// Bytes of a subcluster: of a cluster where there are none.
    pub(super) fn subcluster(&self) -> u64 {
        if self.has_extended_l2() { self.cluster() / SUBCLUSTERS } else { self.cluster() }
    }

    /// Bytes of an L2 entry.
    pub(super) fn l2_entry(&self) -> u64 {
        if self.has_extended_l2() { 16 } else { 8 }
    }

    /// Bytes of the virtual disk that one L2 table maps; a table fills a cluster.
    pub(super) fn l2_covers(&self) -> u64 {
        let entries = if self.has_extended_l2() { self.cluster() / 16 } else { self.cluster() / 8 };
        self.cluster().saturating_mul(entries)
    }

    fn judge_tables(&self, raw: &Raw<'_>, file: &Bytes, limits: &Limits) -> Result<()> {
        if self.subcluster() < SUBCLUSTER {
            return corrupt(20, format!("extended L2 entries with subclusters of {} bytes", self.subcluster()));
        }
        let l1_bytes = u64::from(self.l1_entries).saturating_mul(8);
        if l1_bytes > limits.qcow2_l1 {
            let cause = format!("{l1_bytes} bytes, the limit is {}", limits.qcow2_l1);
            return Err(Error::too_large("qcow2 L1 table", cause));
        }
        let needed = self.size.div_ceil(self.l2_covers());
        if u64::from(self.l1_entries) < needed {
            return corrupt(36, format!("l1_size is {}, the virtual size needs {needed}", self.l1_entries));
        }
        let refcount_order = if self.version == 2 { 4 } else { raw.u32(96) };
        if refcount_order > MAX_REFCOUNT_ORDER {
            return corrupt(
                96,
                format!("refcount_order is {refcount_order}, at most {MAX_REFCOUNT_ORDER} is possible"),
            );
        }
        let refcounts = self.refcounts;
        if refcounts == 0 || refcounts > MAX_REFCOUNT_TABLE {
            return corrupt(56, format!("a refcount table of {refcounts} bytes"));
        }
        if self.snapshots > MAX_SNAPSHOTS {
            return corrupt(60, format!("{} snapshots, at most {MAX_SNAPSHOTS} are possible", self.snapshots));
        }
        let snapshots_at = if self.snapshots == 0 { None } else { Some(("snapshot table", raw.u64(64), 0)) };
        let tables = [
            Some(("L1 table", self.l1_at, l1_bytes)),
            Some(("refcount table", self.refcounts_at, refcounts)),
            snapshots_at,
        ];
        for (name, at, length) in tables.into_iter().flatten() {
            if at.checked_rem(self.cluster()) != Some(0) {
                return Err(Error::corrupt(format!("qcow2 {name}"), "it does not begin at a cluster").offset(at));
            }
            if at.checked_add(length).is_none_or(|end| end > file.size()) {
                let cause =
                    format!("{length} bytes are expected, the file ends at byte {}: it is cut short", file.size());
                return Err(Error::corrupt(format!("qcow2 {name}"), cause).offset(at));
            }
        }
        Ok(())
    }

    /// The names of the backing file and, from the header extensions, of the data file.
    fn read_names(&mut self, raw: &Raw<'_>, header_length: usize) -> Result<()> {
        let (at, length) = (raw.u64(8), raw.u32(16));
        let mut end = raw.0.len();
        if at != 0 {
            let name = usize::try_from(at).ok().zip(usize::try_from(length).ok());
            let name = name.and_then(|(at, length)| slice(raw.0, at, length)).filter(|_| length <= MAX_NAME);
            let Some(name) = name else {
                return corrupt(8, format!("a backing file name of {length} bytes at byte {at}"));
            };
            self.backing = Some(text(name));
            end = usize::try_from(at).unwrap_or(end);
        }
        let mut position = header_length;
        // Each round moves on by at least the 8 bytes of an extension's own header.
        while position.saturating_add(8) <= end {
            let (kind, length) = (raw.u32(position), raw.u32(position.saturating_add(4)));
            if kind == 0 {
                break;
            }
            let start = position.saturating_add(8);
            let body = usize::try_from(length).ok().and_then(|length| slice(raw.0, start, length));
            let Some(body) = body.filter(|body| start.saturating_add(body.len()) <= end) else {
                let place = u64::try_from(position).unwrap_or(0);
                return corrupt(place, format!("extension {kind:#x} of {length} bytes does not fit"));
            };
            if kind == DATA_FILE_NAME {
                self.data_file = Some(text(body));
            }
            position = start.saturating_add(body.len().next_multiple_of(8));
        }
        Ok(())
    }
}

fn judge_features(incompatible: u64, compression: u8) -> Result<Compression> {
    let unknown = incompatible & !(DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2);
    if unknown != 0 {
        let bits: Vec<String> = (0..64).filter(|bit| unknown >> bit & 1 == 1).map(|bit| bit.to_string()).collect();
        return Err(Error::unsupported("qcow2", format!("unknown incompatible feature bits {}", bits.join(", "))));
    }
    match (incompatible & COMPRESSION != 0, compression) {
        (false, 0) => Ok(Compression::Zlib),
        (true, 1) => Ok(Compression::Zstd),
        (true, 2..) => {
            Err(Error::unsupported("qcow2", format!("compression type {compression}; zlib (0) and zstd (1) are read")))
        }
        // `validate_compression_type` of block/qcow2.c.
        (has_bit, _) => corrupt(
            104,
            format!("compression type {compression} with the feature bit {}", if has_bit { "set" } else { "unset" }),
        ),
    }
}
