//! A bounded read cache below a file system's reader: drivers read block by block, images are read in larger parts.

use crate::bytes::Bytes;
use crate::error::Result;
use std::collections::VecDeque;

/// Bytes of one cached part: one default qcow2 cluster.
const PART: u64 = 64 * 1024;
/// Parts kept, 4 MiB in all: the inode tables and folders that one walk touches.
const PARTS: usize = 64;

/// The most recently used parts of a volume, newest first.
#[derive(Debug)]
pub(super) struct Cache {
    inner: Bytes,
    parts: VecDeque<(u64, Vec<u8>)>,
}

impl Cache {
    /// An empty cache over `inner`.
    pub(super) fn new(inner: Bytes) -> Self {
        Self { inner, parts: VecDeque::with_capacity(PARTS) }
    }

    /// Fills `buf` from `offset`, as [`crate::bytes::ReadAt::read_at`] does.
    pub(super) fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let (start, skip) =
            (offset.saturating_sub(offset % PART), usize::try_from(offset % PART).unwrap_or(usize::MAX));
        let Some(end) = skip.checked_add(buf.len()).filter(|end| u64::try_from(*end).is_ok_and(|end| end <= PART))
        else {
            return self.inner.read_at(offset, buf);
        };
        match self.part(start).and_then(|part| part.get(skip..end)) {
            Some(found) => buf.copy_from_slice(found),
            // A part that cannot be read whole, or that ends early: what was asked for may still be there.
            None => self.inner.read_at(offset, buf)?,
        }
        Ok(())
    }

    fn part(&mut self, start: u64) -> Option<&Vec<u8>> {
        if let Some(index) = self.parts.iter().position(|(at, _)| *at == start) {
            let part = self.parts.remove(index)?;
            self.parts.push_front(part);
        } else {
            let length = usize::try_from(self.inner.size().saturating_sub(start).min(PART)).ok()?;
            // The oldest part gives its memory to the newest.
            let mut bytes =
                if self.parts.len() < PARTS { Vec::new() } else { self.parts.pop_back().map(|(_, bytes)| bytes)? };
            bytes.resize(length, 0);
            self.inner.read_at(start, &mut bytes).ok()?;
            self.parts.push_front((start, bytes));
        }
        self.parts.front().map(|(_, bytes)| bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{Counted, Counter, Faulty};
    use std::sync::Arc;

    fn disk() -> Bytes {
        Arc::new((0..=255_u8).cycle().take(200_000).collect::<Vec<u8>>())
    }

    #[test]
    fn reads_what_the_volume_holds() {
        let (disk, mut cache) = (disk(), Cache::new(disk()));
        for (offset, length) in [(0, 10), (65_530, 6), (65_530, 12), (131_072, 65_536), (199_990, 10), (5, 150_000)] {
            let (mut expected, mut found) = (vec![0; length], vec![1; length]);
            let expect = disk.read_at(offset, &mut expected);
            let got = cache.read_at(offset, &mut found);
            assert_eq!(got.is_ok(), expect.is_ok(), "{offset} {length}");
            assert!(expect.is_err() || expected == found, "{offset} {length}");
        }
        assert!(cache.read_at(199_999, &mut [0; 2]).is_err());
    }

    #[test]
    fn reads_a_part_once() {
        let counter = Arc::new(Counter::default());
        let mut cache = Cache::new(Arc::new(Counted::new(disk(), Arc::clone(&counter))));
        for offset in 0..1000 {
            cache.read_at(offset, &mut [0; 4]).unwrap();
        }
        assert_eq!(counter.totals(), (1, PART));
    }

    #[test]
    fn a_part_that_fails_is_read_exactly_and_not_kept() {
        let mut cache = Cache::new(Arc::new(Faulty::new(disk(), 0)));
        let mut buf = [0; 2];
        cache.read_at(70_000, &mut buf).unwrap();
        assert_eq!(buf, [112, 113]);
    }
}
