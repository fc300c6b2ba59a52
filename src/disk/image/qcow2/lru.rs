//! A small cache of tables and unpacked clusters, shared by the threads that read one image.

use crate::limits::MIB;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that one cache holds: two of the largest tables or clusters.
const BYTES: u64 = 4 * MIB;
/// Entries that one cache holds, however small they are: it is searched in order.
const ENTRIES: u64 = 64;

/// The most recently used blocks, newest first, by their offset in the file.
#[derive(Debug)]
pub(super) struct Lru {
    kept: Mutex<VecDeque<(u64, Arc<Vec<u8>>)>>,
    most: usize,
}

impl Lru {
    /// A cache of blocks of `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        let most = BYTES.checked_div(size).unwrap_or(1).clamp(2, ENTRIES);
        Self { kept: Mutex::default(), most: usize::try_from(most).unwrap_or(2) }
    }

    /// The block with this key, from the cache or from `read`, which runs without the lock.
    pub(super) fn get<E>(&self, key: u64, read: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<Arc<Vec<u8>>, E> {
        // A panic of another thread leaves whole entries behind.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.iter().position(|(at, _)| *at == key).and_then(|index| kept.remove(index)) {
            let block = Arc::clone(&entry.1);
            kept.push_front(entry);
            return Ok(block);
        }
        drop(kept);
        let block = Arc::new(read()?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(self.most.saturating_sub(1));
        kept.push_front((key, Arc::clone(&block)));
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_within_its_bound() {
        let lru = Lru::new(2 * MIB);
        let reads = std::cell::Cell::new(0);
        let get = |key| {
            lru.get(key, || {
                reads.set(reads.get() + 1);
                Ok::<_, ()>(vec![0])
            })
            .unwrap();
            reads.get()
        };
        assert_eq!([1, 2, 1, 2, 3, 2, 1].map(get), [1, 2, 2, 2, 3, 3, 4]);
    }
}
