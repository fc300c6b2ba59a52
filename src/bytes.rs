//! Positioned reads, and the only place that slices hostile bytes by offset.

use crate::error::{Error, Result};
use std::fmt::Write as _;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes at absolute offsets: an image file, a virtual disk, a volume.
pub trait ReadAt: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> u64;
    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// When fewer bytes are there than asked for, or the medium fails: it is exact or an error.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;
}

/// A [`ReadAt`] shared by volumes and threads.
pub type Bytes = Arc<dyn ReadAt>;

impl std::fmt::Debug for dyn ReadAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.size())
    }
}

/// The error for a read of `length` bytes at `offset` past the end of `size` bytes.
pub fn past_end(what: &str, offset: u64, length: usize, size: u64) -> Error {
    Error::corrupt(what, format!("{length} bytes wanted, the end is at byte {size}")).offset(offset)
}

/// Checks that `length` bytes at `offset` lie within `size`, or gives [`past_end`].
pub fn within(what: &str, offset: u64, length: usize, size: u64) -> Result<()> {
    let end = u64::try_from(length).ok().and_then(|length| offset.checked_add(length));
    if end.is_some_and(|end| end <= size) { Ok(()) } else { Err(past_end(what, offset, length, size)) }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let found = usize::try_from(offset).ok().and_then(|start| slice(self, start, buf.len()));
        buf.copy_from_slice(found.ok_or_else(|| past_end("bytes", offset, buf.len(), self.size()))?);
        Ok(())
    }
}

/// A window of another [`ReadAt`]: a partition of a disk.
#[derive(Debug)]
pub struct Window {
    inner: Bytes,
    start: u64,
    size: u64,
}

impl Window {
    /// The `size` bytes of `inner` from `start`; reads past the end of `inner` fail when they are made.
    pub fn new(inner: Bytes, start: u64, size: u64) -> Self {
        Self { inner, start, size }
    }
}

impl ReadAt for Window {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        within("volume", offset, buf.len(), self.size)?;
        let start = self.start.checked_add(offset).ok_or_else(|| past_end("volume", offset, buf.len(), self.size))?;
        self.inner.read_at(start, buf)
    }
}

/// Counts reads and bytes (`--stats`), and passes everything on.
#[derive(Debug)]
pub struct Counted {
    inner: Bytes,
    counter: Arc<Counter>,
}

/// What a [`Counted`] has counted so far.
#[derive(Debug, Default)]
pub struct Counter {
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    /// Reads made, and bytes read.
    pub fn totals(&self) -> (u64, u64) {
        (self.reads.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

impl Counted {
    /// Counts what is read from `inner` into `counter`.
    pub fn new(inner: Bytes, counter: Arc<Counter>) -> Self {
        Self { inner, counter }
    }
}

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.counter.reads.fetch_add(1, Ordering::Relaxed);
        self.counter.bytes.fetch_add(u64::try_from(buf.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.inner.read_at(offset, buf)
    }
}

/// Fails the read with index `at` (counted from 0), as a dying medium does; for tests.
#[derive(Debug)]
pub struct Faulty {
    inner: Bytes,
    at: u64,
    reads: AtomicU64,
}

impl Faulty {
    /// Fails read number `at` of `inner`, once.
    pub fn new(inner: Bytes, at: u64) -> Self {
        Self { inner, at, reads: AtomicU64::new(0) }
    }

    /// Reads made so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl ReadAt for Faulty {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if self.reads.fetch_add(1, Ordering::Relaxed) == self.at {
            return Err(Error::io("image", "Input/output error (os error 5)").offset(offset));
        }
        self.inner.read_at(offset, buf)
    }
}

/// Reads a [`ReadAt`] from front to back as [`Read`] and [`Seek`]; ends at its size.
#[derive(Debug)]
pub struct Stream {
    inner: Bytes,
    position: u64,
}

impl Stream {
    /// A stream at byte 0.
    pub fn new(inner: Bytes) -> Self {
        Self { inner, position: 0 }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.inner.size().saturating_sub(self.position);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let Some(part) = buf.get_mut(..length).filter(|part| !part.is_empty()) else { return Ok(0) };
        self.inner.read_at(self.position, part).map_err(io::Error::other)?;
        self.position = self.position.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Ok(length)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(delta) => self.inner.size().checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

/// Reads to the end, at most `limit` bytes.
///
/// # Errors
/// `TooLarge` naming `what` when there are more; the medium's own error otherwise.
pub fn read_capped(reader: &mut dyn Read, limit: u64, what: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0_u8; 16 * 1024];
    loop {
        let length = match reader.read(&mut part) {
            Ok(0) => return Ok(bytes),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(from_io(error, what)),
        };
        bytes.extend_from_slice(part.get(..length).unwrap_or_default());
        if bytes.size() > limit {
            return Err(Error::too_large(what, format!("more than the limit of {limit} bytes")));
        }
    }
}

/// Unwraps an [`Error`] that travelled inside an [`io::Error`], or wraps the latter.
pub fn from_io(error: io::Error, what: &str) -> Error {
    match error.downcast::<Error>() {
        Ok(inner) => inner,
        Err(other) => Error::io(what, other),
    }
}

/// `length` bytes from `start`, if they are there.
pub fn slice(bytes: &[u8], start: usize, length: usize) -> Option<&[u8]> {
    bytes.get(start..start.checked_add(length)?)
}

fn array<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    slice(bytes, start, N)?.try_into().ok()
}

/// Little-endian `u16` at `start`.
pub fn le_u16(bytes: &[u8], start: usize) -> Option<u16> {
    array(bytes, start).map(u16::from_le_bytes)
}

/// Little-endian `u32` at `start`.
pub fn le_u32(bytes: &[u8], start: usize) -> Option<u32> {
    array(bytes, start).map(u32::from_le_bytes)
}

/// Little-endian `u64` at `start`.
pub fn le_u64(bytes: &[u8], start: usize) -> Option<u64> {
    array(bytes, start).map(u64::from_le_bytes)
}

/// Big-endian `u16` at `start`.
pub fn be_u16(bytes: &[u8], start: usize) -> Option<u16> {
    array(bytes, start).map(u16::from_be_bytes)
}

/// Big-endian `u32` at `start`.
pub fn be_u32(bytes: &[u8], start: usize) -> Option<u32> {
    array(bytes, start).map(u32::from_be_bytes)
}

/// Big-endian `u64` at `start`.
pub fn be_u64(bytes: &[u8], start: usize) -> Option<u64> {
    array(bytes, start).map(u64::from_be_bytes)
}

/// Text of the image as UTF-8: bytes that are not are written `\xNN`, so the result is exact and printable elsewhere.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_do_not_reach_past_their_end() {
        let disk: Bytes = Arc::new((0..=99_u8).collect::<Vec<u8>>());
        let window = Window::new(disk, 90, 20);
        let mut buf = [0; 4];
        window.read_at(2, &mut buf).unwrap();
        assert_eq!(buf, [92, 93, 94, 95]);
        for offset in [8, 17, 20, u64::MAX] {
            assert!(window.read_at(offset, &mut buf).is_err(), "{offset}");
        }
    }

    #[test]
    fn read_capped_refuses_one_byte_too_many() {
        for (length, fits) in [(0, true), (9, true), (10, true), (11, false), (100_000, false)] {
            assert_eq!(read_capped(&mut io::repeat(7).take(length), 10, "x").is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn text_keeps_every_byte_visible() {
        assert_eq!(text(b"caf\xc3\xa9 \xff\xfe"), "caf\u{e9} \\xff\\xfe");
    }

    #[test]
    fn faulty_fails_once() {
        let faulty = Faulty::new(Arc::new(vec![1, 2, 3]), 1);
        let mut buf = [0; 1];
        assert_eq!([0, 1, 2].map(|offset| faulty.read_at(offset, &mut buf).is_ok()), [true, false, true]);
    }

    #[test]
    fn streams_end_at_the_size() {
        let mut stream = Stream::new(Arc::new(vec![1, 2, 3]));
        assert_eq!(read_capped(&mut stream, 10, "x").unwrap(), [1, 2, 3]);
        assert_eq!(stream.seek(SeekFrom::End(-1)).unwrap(), 2);
        assert_eq!(read_capped(&mut stream, 10, "x").unwrap(), [3]);
    }
}
