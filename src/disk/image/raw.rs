//! A raw image: the file is the disk.

use super::{Opened, Overlays};
use crate::bytes::{Bytes, ReadAt, within};
use crate::error::{Error, Result};
use crate::fact::Listing;
use std::sync::Arc;

/// Bytes of a sector: QEMU rounds a raw file up to whole ones and reads zeros behind its end.
const SECTOR: u64 = 512;

/// A file whose last sector is not whole.
#[derive(Debug)]
struct Padded {
    file: Bytes,
    size: u64,
}

pub(super) fn open(file: Bytes, overlays: &Overlays) -> Result<Opened> {
    if !overlays.backing.is_empty() || overlays.data_file.is_some() {
        return Err(Error::unsupported("raw image", "it has no place for a backing or data file, and one was given")
            .help("leave out --backing and --data-file, or give one file less"));
    }
    let size = file.size().checked_next_multiple_of(SECTOR).unwrap_or(u64::MAX);
    let disk: Bytes = if size == file.size() { file } else { Arc::new(Padded { file, size }) };
    Ok(Opened { format: "raw", disk, features: Vec::new(), flaws: Listing::default() })
}

impl ReadAt for Padded {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        within("raw image", offset, buf.len(), self.size)?;
        let there = usize::try_from(self.file.size().saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        let (stored, behind) = buf.split_at_mut(there);
        behind.fill(0);
        if stored.is_empty() { Ok(()) } else { self.file.read_at(offset, stored) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_fill_the_last_sector() {
        let opened = open(Arc::new(vec![7; 600]), &Overlays::default()).unwrap();
        let mut buf = [1; 4];
        for (offset, expected) in
            [(596, Some([7, 7, 7, 7])), (598, Some([7, 7, 0, 0])), (1020, Some([0; 4])), (1021, None)]
        {
            assert_eq!(opened.disk.read_at(offset, &mut buf).ok().map(|()| buf), expected, "{offset}");
        }
    }
}
