//! An opened file or block device as [`ReadAt`].

use crate::bytes::{ReadAt, within};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind as IoKind, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};

/// A regular file or block device; its size is taken once, a file that shrinks afterwards fails to read.
#[derive(Debug)]
pub struct FileBytes {
    file: File,
    size: u64,
}

impl FileBytes {
    /// Reads from `file`.
    ///
    /// # Errors
    /// `Unsupported` for anything that has no positions: a FIFO, a socket, a terminal, a directory.
    pub fn new(mut file: File) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| Error::io("image file", error))?;
        let size = if metadata.is_file() {
            metadata.len()
        } else if metadata.file_type().is_block_device() {
            file.seek(SeekFrom::End(0)).map_err(|error| Error::io("block device", error))?
        } else {
            return Err(Error::unsupported("image", "it is neither a regular file nor a block device")
                .help("save it to a file first: an image is read at many places, not from front to back"));
        };
        Ok(Self { file, size })
    }
}

impl ReadAt for FileBytes {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        within("image file", offset, buf.len(), self.size)?;
        // `read_exact_at` retries EINTR and short reads; it fails with UnexpectedEof where the file has shrunk.
        self.file.read_exact_at(buf, offset).map_err(|error| {
            match error.kind() {
                IoKind::UnexpectedEof => Error::io("image file", "the file became shorter while it was read"),
                _ => Error::io("image file", error),
            }
            .offset(offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::io::Write as _;

    #[test]
    fn reads_exactly_or_fails() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1, 2, 3, 4]).unwrap();
        let bytes = FileBytes::new(file.try_clone().unwrap()).unwrap();
        let mut buf = [0; 2];
        bytes.read_at(2, &mut buf).unwrap();
        assert_eq!((bytes.size(), buf), (4, [3, 4]));
        assert_eq!(bytes.read_at(3, &mut buf).unwrap_err().kind, ErrorKind::Corrupt);
        file.set_len(3).unwrap();
        assert_eq!(bytes.read_at(2, &mut buf).unwrap_err().kind, ErrorKind::Io);
    }

    #[test]
    fn refuses_what_has_no_positions() {
        let directory = File::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert_eq!(FileBytes::new(directory).unwrap_err().kind, ErrorKind::Unsupported);
    }
}
