//! Positioned reads of the virtual disk: L1 table → L2 tables → clusters.

use super::header::{Compression, DATA_FILE, Header};
use super::lru::Lru;
use crate::bytes::{Bytes, ReadAt, be_u64, within};
use crate::error::{Error, Result};
use flate2::{Decompress, FlushDecompress};
use std::io::Read as _;
use std::sync::Arc;

/// Bits of an L1 or L2 entry that are an offset in the file.
pub(super) const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// L1 or L2 entry: nothing else refers to the cluster.
pub(super) const COPIED: u64 = 1 << 63;
pub(super) const COMPRESSED: u64 = 1 << 62;
/// L2 entry: the cluster reads as zeros, whatever its offset is (version 3).
const ZERO: u64 = 1;
/// Window that zlib clusters are packed with (`block/qcow2-threads.c`).
const ZLIB_WINDOW_BITS: u8 = 12;
/// Largest window of a zstd cluster: 16 MiB, twice what any standard compression level asks for.
const ZSTD_WINDOW_BITS: u32 = 24;

/// Where the bytes of a cluster are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cluster {
    /// In the backing file, or zeros without one.
    Unallocated,
    Zero,
    /// At this offset of the data file, or of the image itself.
    Data(u64),
    /// Packed into at most `length` bytes at `at`.
    Packed {
        at: u64,
        length: u64,
    },
}

/// An L2 entry as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) word: u64,
    /// Extended entries: which subclusters are allocated (low half) or zeros (high half).
    pub(super) bitmap: u64,
}

impl Entry {
    /// One bit for each subcluster that is allocated.
    pub(super) fn allocated(self) -> u64 {
        self.bitmap & u64::from(u32::MAX)
    }

    /// One bit for each subcluster that reads as zeros.
    fn zeros(self) -> u64 {
        self.bitmap >> 32
    }
}

/// The virtual disk of a qcow2 image.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) file: Bytes,
    pub(super) header: Header,
    data: Option<Bytes>,
    backing: Option<Bytes>,
    pub(super) l1: Vec<u64>,
    tables: Lru,
    unpacked: Lru,
}

impl Disk {
    /// Reads the L1 table; `header` has bounded it.
    pub(super) fn new(file: Bytes, header: Header, data: Option<Bytes>, backing: Option<Bytes>) -> Result<Self> {
        let length = usize::try_from(header.l1_entries).unwrap_or(0).saturating_mul(8);
        let mut bytes = vec![0; length];
        file.read_at(header.l1_at, &mut bytes)?;
        let l1 = bytes.chunks_exact(8).filter_map(|entry| be_u64(entry, 0)).collect();
        let (tables, unpacked) = (Lru::new(header.cluster()), Lru::new(header.cluster()));
        Ok(Self { file, header, data, backing, l1, tables, unpacked })
    }

    /// The file that clusters of data are in.
    pub(super) fn data(&self) -> &Bytes {
        self.data.as_ref().unwrap_or(&self.file)
    }

    /// The data is in the same file as the tables.
    pub(super) fn is_whole(&self) -> bool {
        self.data.is_none()
    }

    /// The L2 table that an L1 entry points to, or `None` for none.
    pub(super) fn table(&self, entry: u64) -> Result<Option<Arc<Vec<u8>>>> {
        let at = entry & OFFSET;
        if at == 0 {
            return Ok(None);
        }
        if at.checked_rem(self.header.cluster()) != Some(0) {
            return Err(Error::corrupt("qcow2 L2 table", "it does not begin at a cluster").offset(at));
        }
        let read = || {
            let mut table = vec![0; usize::try_from(self.header.cluster()).unwrap_or(0)];
            self.file.read_at(at, &mut table)?;
            Ok(table)
        };
        self.tables.get(at, read).map(Some)
    }

    /// The entries of an L2 table.
    pub(super) fn entries<'t>(&self, table: &'t [u8]) -> impl Iterator<Item = Entry> + 't {
        let size = usize::try_from(self.header.l2_entry()).unwrap_or(8);
        let word = |bytes: &[u8], at| be_u64(bytes, at).unwrap_or(0);
        table.chunks_exact(size).map(move |entry| Entry { word: word(entry, 0), bitmap: word(entry, 8) })
    }

    /// What the first word of an L2 entry says (`qcow2_get_cluster_type`, `qcow2_get_host_offset` of QEMU).
    pub(super) fn cluster(&self, entry: u64) -> Result<Cluster> {
        let has_data_file = self.header.incompatible & DATA_FILE != 0;
        let corrupt = |cause: &str| corrupt(entry, cause);
        if entry & COMPRESSED != 0 {
            if has_data_file {
                return corrupt("a compressed cluster in an image with a data file");
            }
            // 62 − (cluster_bits − 8) bits of offset, then the number of further 512-byte sectors.
            let shift = 70_u32.saturating_sub(self.header.cluster_bits);
            let at = entry & (1_u64 << shift).saturating_sub(1);
            let sectors = (entry & (COMPRESSED - 1)) >> shift;
            let length = sectors.saturating_add(1).saturating_mul(512).saturating_sub(at % 512);
            return Ok(Cluster::Packed { at, length });
        }
        if entry & ZERO != 0 {
            return match (self.header.version, self.header.has_extended_l2()) {
                (2, _) => corrupt("a zero cluster in version 2"),
                (_, true) => corrupt("a zero cluster in an image with subclusters"),
                (_, false) => Ok(Cluster::Zero),
            };
        }
        let at = entry & OFFSET;
        if at == 0 && !(has_data_file && entry & COPIED != 0) {
            return Ok(Cluster::Unallocated);
        }
        if at.checked_rem(self.header.cluster()) != Some(0) {
            return corrupt("the cluster does not begin at a multiple of its size");
        }
        Ok(Cluster::Data(at))
    }

    /// What the bitmap makes of subcluster `index` of a cluster (`qcow2_get_subcluster_type`).
    fn subcluster(&self, entry: Entry, index: u64) -> Result<Cluster> {
        let cluster = self.cluster(entry.word)?;
        if !self.header.has_extended_l2() {
            return Ok(cluster);
        }
        judge_bitmap(entry, cluster)?;
        let has = |bits: u64| bits.checked_shr(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0) & 1 == 1;
        Ok(match cluster {
            Cluster::Packed { .. } => cluster,
            _ if has(entry.zeros()) => Cluster::Zero,
            Cluster::Data(_) if has(entry.allocated()) => cluster,
            _ => Cluster::Unallocated,
        })
    }

    /// The cluster that holds byte `offset` of the disk, or what is said of the part of it that does.
    fn find(&self, offset: u64) -> Result<Cluster> {
        let (covers, cluster) = (self.header.l2_covers(), self.header.cluster());
        let l1 = offset.checked_div(covers).and_then(|index| usize::try_from(index).ok());
        let entry = l1.and_then(|index| self.l1.get(index)).copied().unwrap_or(0);
        let Some(table) = self.table(entry)? else { return Ok(Cluster::Unallocated) };
        let index = offset.checked_rem(covers).and_then(|rest| rest.checked_div(cluster)).unwrap_or(0);
        let at = usize::try_from(index.saturating_mul(self.header.l2_entry())).unwrap_or(usize::MAX);
        let entry = self.entries(table.get(at..).unwrap_or_default()).next().unwrap_or_default();
        let part = offset.checked_rem(cluster).and_then(|rest| rest.checked_div(self.header.subcluster()));
        self.subcluster(entry, part.unwrap_or(0))
    }

    /// Fills `buf` from `offset`, both within one subcluster.
    fn read_part(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let inner = offset.checked_rem(self.header.cluster()).unwrap_or(0);
        match self.find(offset)? {
            Cluster::Zero => buf.fill(0),
            Cluster::Unallocated => self.read_backing(offset, buf)?,
            Cluster::Data(at) => self.data().read_at(at.saturating_add(inner), buf)?,
            Cluster::Packed { at, length } => {
                let cluster = self.unpacked.get(at, || self.unpack(at, length))?;
                let start = usize::try_from(inner).unwrap_or(usize::MAX);
                let found = cluster.get(start..).and_then(|rest| rest.get(..buf.len()));
                buf.copy_from_slice(
                    found.ok_or_else(|| Error::corrupt("qcow2 cluster", "it is too short").offset(at))?,
                );
            }
        }
        Ok(())
    }

    /// A backing file that is shorter than the disk reads as zeros behind its end.
    fn read_backing(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let size = self.backing.as_ref().map_or(0, |backing| backing.size());
        let there = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        let (stored, behind) = buf.split_at_mut(there);
        behind.fill(0);
        match &self.backing {
            Some(backing) if !stored.is_empty() => backing.read_at(offset, stored),
            _ => Ok(()),
        }
    }

    fn unpack(&self, at: u64, length: u64) -> Result<Vec<u8>> {
        // The last sector of the last packed cluster need not be whole.
        let length = length.min(self.file.size().saturating_sub(at));
        let mut packed = vec![0; usize::try_from(length).unwrap_or(0)];
        self.file.read_at(at, &mut packed)?;
        let mut cluster = vec![0; usize::try_from(self.header.cluster()).unwrap_or(0)];
        let cause = match self.header.compression {
            Compression::Zlib => inflate(&packed, &mut cluster),
            Compression::Zstd => unzstd(&packed, &mut cluster),
        };
        match cause {
            Ok(()) => Ok(cluster),
            Err(cause) => Err(Error::corrupt("qcow2 compressed cluster", cause).offset(at)),
        }
    }
}

/// Both halves of a bitmap must agree with each other and with the cluster.
pub(super) fn judge_bitmap(entry: Entry, cluster: Cluster) -> Result<()> {
    let cause = match cluster {
        Cluster::Data(_) if entry.allocated() & entry.zeros() != 0 => "a subcluster is both allocated and zeros",
        Cluster::Unallocated if entry.allocated() != 0 => "subclusters are allocated, the cluster is not",
        Cluster::Packed { .. } if entry.bitmap != 0 => "a compressed cluster has subclusters",
        _ => return Ok(()),
    };
    corrupt(entry.bitmap, cause)
}

fn corrupt<T>(word: u64, cause: &str) -> Result<T> {
    Err(Error::corrupt("qcow2 L2 entry", format!("{word:#018x}: {cause}")))
}

fn inflate(packed: &[u8], cluster: &mut [u8]) -> Result<(), String> {
    let mut inflater = Decompress::new_with_window_bits(false, ZLIB_WINDOW_BITS);
    let status = inflater.decompress(packed, cluster, FlushDecompress::Finish).map_err(|error| error.to_string())?;
    let filled = inflater.total_out();
    if usize::try_from(filled) == Ok(cluster.len()) {
        Ok(())
    } else {
        Err(format!("it unpacks to {filled} bytes of {} ({status:?})", cluster.len()))
    }
}

fn unzstd(packed: &[u8], cluster: &mut [u8]) -> Result<(), String> {
    let mut decoder = zstd::Decoder::with_buffer(packed).map_err(|error| error.to_string())?;
    decoder.window_log_max(ZSTD_WINDOW_BITS).map_err(|error| error.to_string())?;
    decoder.single_frame().read_exact(cluster).map_err(|error| error.to_string())
}

impl ReadAt for Disk {
    fn size(&self) -> u64 {
        self.header.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        within("qcow2 disk", offset, buf.len(), self.header.size)?;
        let part = self.header.subcluster();
        let (mut position, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let room = part.saturating_sub(position.checked_rem(part).unwrap_or(0));
            let length = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
            let (now, behind) = rest.split_at_mut(length);
            self.read_part(position, now).map_err(|error| error.offset(position))?;
            position = position.saturating_add(room);
            rest = behind;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::disk::image::qcow2::header::EXTENDED_L2;
    use crate::limits::Limits;

    /// A disk of 64 KiB in a file of three clusters, whose L1 table is in the last and empty.
    fn disk(version: u32, incompatible: u64) -> Disk {
        build(version, incompatible, 3, 65536, &[0])
    }

    /// A version 3 disk in a file of `clusters` of 64 KiB, with these L1 entries.
    pub(in super::super) fn disk_of(clusters: usize, l1: &[u64]) -> Disk {
        let size = u64::try_from(l1.len()).unwrap() << 29;
        build(3, 0, clusters, size, l1)
    }

    fn build(version: u32, incompatible: u64, clusters: usize, size: u64, l1: &[u64]) -> Disk {
        let mut file = vec![0; clusters << 16];
        let header = [
            &b"QFI\xfb"[..],
            &version.to_be_bytes(),
            &[0; 12],
            &16_u32.to_be_bytes(),
            &size.to_be_bytes(),
            &0_u32.to_be_bytes(),
            &u32::try_from(l1.len()).unwrap().to_be_bytes(),
            &(2 * 65536_u64).to_be_bytes(),
            &65536_u64.to_be_bytes(),
            &1_u32.to_be_bytes(),
            &[0; 12],
            &incompatible.to_be_bytes(),
            &[0; 16],
            &4_u32.to_be_bytes(),
            &104_u32.to_be_bytes(),
        ]
        .concat();
        file[..header.len()].copy_from_slice(&header);
        for (place, entry) in file[2 * 65536..].chunks_mut(8).zip(l1) {
            place.copy_from_slice(&entry.to_be_bytes());
        }
        let file: Bytes = Arc::new(file);
        let header = Header::read(&file, &Limits::default()).unwrap();
        Disk::new(file, header, None, None).unwrap()
    }

    #[test]
    fn entries_are_told_apart() {
        let packed = Cluster::Packed { at: 0x12345, length: 2 * 512 - 0x145 };
        for (version, incompatible, entry, expected) in [
            (3, 0, 0, Some(Cluster::Unallocated)),
            (3, 0, COPIED, Some(Cluster::Unallocated)),
            (3, DATA_FILE, COPIED, Some(Cluster::Data(0))),
            (3, 0, COPIED | 0x5_0000, Some(Cluster::Data(0x5_0000))),
            (3, 0, 0x5_0000, Some(Cluster::Data(0x5_0000))),
            (3, 0, 0x5_0000 | ZERO, Some(Cluster::Zero)),
            (3, 0, ZERO, Some(Cluster::Zero)),
            (2, 0, ZERO, None),
            (3, 0, 0x5_0200, None),
            (3, 0, COMPRESSED | 1 << 54 | 0x12345, Some(packed)),
            (2, 0, COMPRESSED | 1 << 54 | 0x12345, Some(packed)),
            (3, DATA_FILE, COMPRESSED | 1 << 54 | 0x12345, None),
        ] {
            let found = disk(version, incompatible).cluster(entry);
            assert_eq!(found.ok(), expected, "version {version} {incompatible} {entry:#x}");
        }
    }

    #[test]
    fn subclusters_are_told_apart() {
        let packed = COMPRESSED | 0x12345;
        for (word, bitmap, index, expected) in [
            (0, 0, 0, Some(Cluster::Unallocated)),
            (0, 1 << 35, 3, Some(Cluster::Zero)),
            (0, 1 << 35, 2, Some(Cluster::Unallocated)),
            (0, 1, 5, None),
            (0x5_0000, 0, 0, Some(Cluster::Unallocated)),
            (0x5_0000 | COPIED, 1 << 31, 31, Some(Cluster::Data(0x5_0000))),
            (0x5_0000, 1 << 31 | 1 << 62, 30, Some(Cluster::Zero)),
            (0x5_0000, 1 << 31 | 1 << 62, 29, Some(Cluster::Unallocated)),
            (0x5_0000, 1 << 31 | 1 << 63, 0, None),
            (0x5_0000 | ZERO, 1, 0, None),
            (packed, 0, 31, Some(Cluster::Packed { at: 0x12345, length: 0xbb })),
            (packed, 1, 31, None),
        ] {
            let found = disk(3, EXTENDED_L2).subcluster(Entry { word, bitmap }, index);
            assert_eq!(found.ok(), expected, "{word:#x} {bitmap:#x} {index}");
        }
    }

    #[test]
    fn an_empty_disk_is_zeros_to_its_end() {
        let mut buf = [1; 16];
        let disk = disk(3, 0);
        disk.read_at(65520, &mut buf).unwrap();
        assert_eq!(buf, [0; 16]);
        assert!(disk.read_at(65521, &mut buf).is_err());
    }

    #[test]
    fn clusters_unpack_to_their_size_or_not_at_all() {
        let zeros = zstd::encode_all(&[0; 100][..], 3).unwrap();
        for (length, fits) in [(99, true), (100, true), (101, false)] {
            assert_eq!(unzstd(&zeros, &mut vec![1; length]).is_ok(), fits, "{length}");
        }
        // A stored block: final, 3 bytes.
        let stored = [1, 3, 0, 0xfc, 0xff, 7, 8, 9];
        for (length, fits) in [(3, true), (4, false)] {
            assert_eq!(inflate(&stored, &mut vec![1; length]).is_ok(), fits, "{length}");
        }
        assert!(inflate(&[0xff; 20], &mut [0; 3]).is_err() && unzstd(&[0xff; 20], &mut [0; 3]).is_err());
    }
}
