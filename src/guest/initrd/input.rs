//! The two streams that are walked over: the file as stored, and what a decoder makes of it.

use super::compression::Unpack;
use super::halt::Halt;
use super::stream::{Stream, count};
use crate::bytes::from_io;
use crate::error::Error;
use std::io::{ErrorKind, Read};

/// Bytes read at once; also the most that [`Input::peek`] looks ahead (an xz block header ends within 1036).
const CHUNK: usize = 64 * 1024;
/// Bytes unpacked at once: Linux's `ZSTD_IOBUF_SIZE` (`lib/decompress_unzstd.c`).
const UNPACKED_CHUNK: usize = 128 * 1024;
/// An initrd of at most this size may unpack from however little.
const RATIO_FLOOR: u64 = 256 * 1024 * 1024;
/// Unpacked bytes for each stored one: real initrds stay below 10; gzip cannot exceed 1032, zstd and xz can.
const RATIO: u64 = 256;

/// The initrd file, front to back.
pub(super) struct Input<'a> {
    reader: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    start: usize,
    position: u64,
    limit: u64,
    is_ended: bool,
}

impl<'a> Input<'a> {
    /// Reads at most `limit` bytes; more are an error.
    pub(super) fn new(reader: Box<dyn Read + 'a>, limit: u64) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, position: 0, limit, is_ended: false }
    }

    /// The bytes ahead, at least `length` (below [`CHUNK`]) of them unless the file ends.
    pub(super) fn peek(&mut self, length: usize) -> Result<&[u8], Halt> {
        while !self.is_ended && self.buffer.len().saturating_sub(self.start) < length {
            self.fill()?;
        }
        Ok(self.buffer.get(self.start..).unwrap_or_default())
    }

    fn fill(&mut self) -> Result<(), Halt> {
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.start = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept.saturating_add(CHUNK), 0);
        let read = loop {
            match self.reader.read(self.buffer.get_mut(kept..).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let length = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(kept.saturating_add(length));
        self.is_ended = length == 0;
        read.map_err(|error| Halt::unread(from_io(error, "initrd")))?;
        if self.position.saturating_add(count(self.buffer.len())) > self.limit {
            let cause = format!("more than the limit of {} bytes", self.limit);
            return Err(Halt::unread(Error::too_large("initrd", cause)));
        }
        Ok(())
    }
}

impl Stream for Input<'_> {
    fn chunk(&mut self) -> Result<&[u8], Halt> {
        self.peek(1)
    }

    fn consume(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.buffer.len());
        self.position = self.position.saturating_add(count(length));
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn is_packed(&self) -> bool {
        false
    }
}

/// What a decoder makes of the input.
pub(super) struct Unpacked<'i, 'a> {
    input: &'i mut Input<'a>,
    decoder: Box<dyn Unpack>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
    limit: u64,
    is_ended: bool,
}

impl<'i, 'a> Unpacked<'i, 'a> {
    /// At most `limit` bytes, and [`RATIO`] for each stored one; more are an error.
    pub(super) fn new(input: &'i mut Input<'a>, decoder: Box<dyn Unpack>, limit: u64) -> Self {
        let buffer = vec![0; UNPACKED_CHUNK];
        Self { input, decoder, buffer, start: 0, end: 0, position: 0, limit, is_ended: false }
    }

    /// What the data went through before they were compressed.
    pub(super) fn filters(&self) -> Vec<String> {
        self.decoder.filters()
    }

    /// Reads what stands behind the data, once they have ended.
    pub(super) fn finish(mut self) -> Result<(), Halt> {
        self.decoder.finish(self.input)
    }

    fn fill(&mut self) -> Result<(), Halt> {
        let length = self.decoder.unpack(self.input, &mut self.buffer)?;
        (self.start, self.end, self.is_ended) = (0, length.min(self.buffer.len()), length == 0);
        let unpacked = self.position.saturating_add(count(length));
        if unpacked > self.limit {
            let cause = format!("it unpacks to more than the limit of {} bytes", self.limit);
            return Err(Halt::unread(Error::too_large("initrd", cause)));
        }
        if unpacked > self.input.position().saturating_mul(RATIO).max(RATIO_FLOOR) {
            let cause = format!("it unpacks to more than {RATIO} times its size");
            return Err(Halt::unread(Error::too_large("initrd", cause)));
        }
        Ok(())
    }
}

impl Stream for Unpacked<'_, '_> {
    fn chunk(&mut self) -> Result<&[u8], Halt> {
        if self.start == self.end && !self.is_ended {
            self.fill()?;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
        self.position = self.position.saturating_add(count(length));
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn is_packed(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, as a pipe may.
    struct Trickle(Vec<u8>);

    impl Read for Trickle {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let length = buf.len().min(1).min(self.0.len());
            buf[..length].copy_from_slice(&self.0.drain(..length).collect::<Vec<u8>>());
            Ok(length)
        }
    }

    #[test]
    fn looks_ahead_without_moving() {
        let mut input = Input::new(Box::new(Trickle((0..10).collect())), 10);
        assert_eq!(input.peek(4).unwrap_or_default(), [0, 1, 2, 3]);
        input.consume(3);
        assert_eq!((input.position(), input.peek(9).unwrap_or_default()), (3, [3, 4, 5, 6, 7, 8, 9].as_slice()));
        input.consume(7);
        assert_eq!(input.chunk().unwrap_or(&[1]), [0_u8; 0]);
    }

    #[test]
    fn ends_at_the_limit() {
        for (length, fits) in [(9, true), (10, true), (11, false)] {
            let mut input = Input::new(Box::new(Trickle(vec![0; length])), 10);
            assert_eq!(input.peek(100).is_ok(), fits, "{length}");
        }
    }
}
