//! A file that is being assembled: positioned writes, holes kept, and one clear error when the disk below is full.

use crate::bytes::text;
use crate::error::{Error, Result};
use crate::limits::MIB;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, statvfs};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind as IoKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Bytes that are copied at once.
const PART: u64 = MIB;
/// A block that holds only zeros is not written: what ext4, xfs and btrfs allocate at least.
const BLOCK: usize = 4096;

/// A file of ours, open for reading and writing.
#[derive(Debug)]
pub(super) struct Target {
    file: File,
    path: PathBuf,
    need: u64,
}

impl Target {
    /// A new, empty file in the place of what was there.
    ///
    /// # Errors
    /// `Io` when it cannot be made.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path);
        Self::of(file, path)
    }

    /// A file that is there.
    ///
    /// # Errors
    /// `Io` when it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::of(OpenOptions::new().read(true).write(true).open(path), path)
    }

    fn of(file: io::Result<File>, path: &Path) -> Result<Self> {
        let file = file.map_err(|error| failed(path, &error, 0))?;
        Ok(Self { file, path: path.to_owned(), need: 0 })
    }

    /// Refuses to begin when fewer than `need` bytes are free, and names this number should they run out later.
    ///
    /// # Errors
    /// `Io` naming the file, the bytes it needs and those that are free.
    pub(super) fn reserve(&mut self, need: u64) -> Result<()> {
        self.need = need;
        room(&self.path, need)
    }

    /// Makes it `size` bytes long; what is new is a hole.
    pub(super) fn resize(&self, size: u64) -> Result<()> {
        self.file.set_len(size).map_err(|error| self.failed(&error))
    }

    /// Its length in bytes.
    pub(super) fn size(&self) -> Result<u64> {
        self.file.metadata().map(|found| found.len()).map_err(|error| self.failed(&error))
    }

    /// Fills `buf` from `offset`, exactly.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(buf, offset).map_err(|error| self.failed(&error).offset(offset))
    }

    /// Writes all `bytes` at `offset`.
    ///
    /// # Errors
    /// `Io` naming the file; on a full disk also what is needed and what is free.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(|error| self.failed(&error).offset(offset))
    }

    /// Moves all of `from` to `offset`, a part at a time, so that it never stands on the disk twice: its holes and blocks
    /// of zeros stay holes, and the file is gone at the end.
    ///
    /// # Errors
    /// As [`Target::write`], and when `from` cannot be read; what was moved is then no longer there.
    pub(super) fn take(&self, offset: u64, from: &Path) -> Result<()> {
        let source = OpenOptions::new().read(true).write(true).open(from).map_err(|error| failed(from, &error, 0))?;
        let size = source.metadata().map_err(|error| failed(from, &error, 0))?.len();
        let mut buffer = vec![0; length(PART)];
        let mut at = 0;
        while let Some((start, end)) = next_extent(&source, at, size).map_err(|error| failed(from, &error, 0))? {
            let mut place = start;
            while place < end {
                let part = buffer.get_mut(..length(end.saturating_sub(place))).unwrap_or_default();
                source.read_exact_at(part, place).map_err(|error| failed(from, &error, 0).offset(place))?;
                self.write_sparse(offset.saturating_add(place), part)?;
                give_back(&source, place, end.saturating_sub(place).min(PART));
                place = place.saturating_add(PART);
            }
            at = end;
        }
        std::fs::remove_file(from).map_err(|error| failed(from, &error, 0))
    }

    /// Gives every piece of `size` bytes that holds something to `piece`, in order, and its bytes back to the disk below.
    ///
    /// # Errors
    /// Those of `piece`, and when the file cannot be read; what was given is then no longer there.
    pub(super) fn hand_out(&self, size: usize, mut piece: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let whole = self.size()?;
        let step = u64::try_from(size).unwrap_or(u64::MAX);
        let mut buffer = vec![0; size];
        let mut at = 0;
        while let Some((start, end)) = next_extent(&self.file, at, whole).map_err(|error| self.failed(&error))? {
            // Two extents may share a piece; the first has given it out.
            at = at.max(start.saturating_sub(start.checked_rem(step).unwrap_or(0)));
            while at < end {
                let part = buffer
                    .get_mut(..usize::try_from(whole.saturating_sub(at)).unwrap_or(size).min(size))
                    .unwrap_or_default();
                self.read(at, part)?;
                if part.iter().any(|byte| *byte != 0) {
                    piece(at, part)?;
                }
                give_back(&self.file, at, step);
                at = at.saturating_add(step);
            }
        }
        Ok(())
    }

    /// Writes the blocks that hold something, neighbours at once.
    fn write_sparse(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let is_empty = |block: &[u8]| block.iter().all(|byte| *byte == 0);
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let is_hole = is_empty(rest.get(..BLOCK).unwrap_or(rest));
            let alike = rest.chunks(BLOCK).take_while(|block| is_empty(block) == is_hole).map(<[u8]>::len).sum();
            let (run, behind) = rest.split_at_checked(alike).unwrap_or((rest, &[]));
            if !is_hole {
                self.write(at, run)?;
            }
            at = at.saturating_add(u64::try_from(alike).unwrap_or(u64::MAX));
            rest = behind;
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        failed(&self.path, error, self.need)
    }
}

/// Makes a hole of what is no longer needed; a file system without holes keeps it.
fn give_back(file: &File, at: u64, size: u64) {
    let _ = fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, size);
}

/// How much of `left` is copied at once.
fn length(left: u64) -> usize {
    usize::try_from(left.min(PART)).unwrap_or(0)
}

/// The next bytes of `file` from `at` that are not a hole.
fn next_extent(file: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= size {
        return Ok(None);
    }
    let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        // Nothing but a hole up to the end.
        Err(rustix::io::Errno::NXIO) => return Ok(None),
        // A file system without holes.
        Err(rustix::io::Errno::INVAL) => return Ok(Some((at, size))),
        Err(error) => return Err(error.into()),
    };
    let end = rustix::fs::seek(file, SeekFrom::Hole(start))?.min(size);
    Ok((start < end).then_some((start, end)))
}

/// Fails when the file system of `path` has fewer than `need` bytes left.
///
/// # Errors
/// `Io` naming the file, the bytes it needs and those that are free.
pub(super) fn room(path: &Path, need: u64) -> Result<()> {
    match free(path) {
        Some(free) if free < need => Err(full(path, need)),
        _ => Ok(()),
    }
}

/// Bytes that the file takes on the disk below, holes not counted; 0 where it cannot be asked.
pub(super) fn allocated(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.blocks().saturating_mul(512))
}

/// The disk below `path` is full: what is needed there, and what is free.
pub(super) fn full(path: &Path, need: u64) -> Error {
    let mib = |bytes: u64| bytes.div_ceil(MIB);
    let free = free(path).map_or_else(String::new, |free| format!(", {} MiB are free", mib(free)));
    let need = if need == 0 { String::new() } else { format!(": {} MiB are needed{free}", mib(need)) };
    Error::io("the disk below it is full", "no space left on device")
        .because(format!("no space left on device{need}"))
        .at(shown(path))
        .help("free space there, or build in another folder")
}

/// A path of the host in a message.
pub(super) fn shown(path: &Path) -> String {
    text(path.as_os_str().as_bytes())
}

/// An error of the host about a file of ours, which needs `need` bytes.
pub(super) fn failed(path: &Path, error: &io::Error, need: u64) -> Error {
    match error.kind() {
        IoKind::StorageFull | IoKind::QuotaExceeded => full(path, need),
        _ => Error::io("file of the build", error).at(shown(path)),
    }
}

/// Bytes that an ordinary user may still write where `path` stands.
pub(super) fn free(path: &Path) -> Option<u64> {
    let folder = if path.exists() { path } else { path.parent()? };
    let found = statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_is_moved_keeps_bytes_and_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let source = Target::create(&from).unwrap();
        source.resize(8 * MIB + 3).unwrap();
        let pieces: [(u64, &[u8]); 4] = [(0, b"a"), (MIB - 1, b"bc"), (5 * MIB, &[0; 4096]), (8 * MIB, b"end")];
        for (at, bytes) in pieces {
            source.write(at, bytes).unwrap();
        }
        let target = Target::create(&to).unwrap();
        target.resize(32 * MIB).unwrap();
        let read = |file: &Target, at, size: u64| {
            let mut bytes = vec![1; usize::try_from(size).unwrap()];
            file.read(at, &mut bytes).unwrap();
            bytes
        };
        let before = read(&source, 0, 8 * MIB + 3);
        target.take(4 * MIB, &from).unwrap();
        assert_eq!(read(&target, 4 * MIB, 8 * MIB + 3), before);
        assert!(!from.exists());
        // The first part was given back before the last was read.
        assert!(read(&source, 0, MIB).iter().all(|byte| *byte == 0));
        assert!(read(&target, 0, 4 * MIB).iter().all(|byte| *byte == 0));
        assert_eq!(to.metadata().unwrap().len(), 32 * MIB);
        assert!(allocated(&to) <= 5 * 4096, "{} bytes", allocated(&to));
    }

    #[test]
    fn what_is_handed_out_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let file = Target::create(&path).unwrap();
        file.resize(MIB).unwrap();
        for at in [70_000, 80_000, 3 * 65_536, MIB - 1] {
            file.write(at, b"x").unwrap();
        }
        let mut places = Vec::new();
        let handed = file.hand_out(65_536, |at, bytes| {
            places.push((at, bytes.len(), bytes.iter().filter(|byte| **byte == b'x').count()));
            Ok(())
        });
        handed.unwrap();
        assert_eq!(places, [(65_536, 65_536, 2), (3 * 65_536, 65_536, 1), (15 * 65_536, 65_536, 1)]);
        assert_eq!((allocated(&path), path.metadata().unwrap().len()), (0, MIB));
    }

    #[test]
    fn a_file_of_holes_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        Target::create(&from).unwrap().resize(MIB).unwrap();
        let to = folder.path().join("to");
        Target::create(&to).unwrap().take(0, &from).unwrap();
        assert_eq!(to.metadata().unwrap().len(), 0);
    }

    #[test]
    fn a_full_disk_is_said_before_and_while_it_fills() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.raw");
        let error = Target::create(&path).unwrap().reserve(u64::MAX).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("disk.raw") && said.contains("MiB are needed") && said.contains("MiB are free"),
            "{said}"
        );
        // The device that is always full.
        let full = Target { file: OpenOptions::new().write(true).open("/dev/full").unwrap(), path, need: 3 * MIB };
        let error = full.write(0, b"x").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Io);
        assert!(error.to_string().contains("no space left on device: 3 MiB are needed"), "{error}");
    }
}
