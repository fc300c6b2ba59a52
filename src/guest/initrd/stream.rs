//! Bytes in order, and the steps that the walk over an archive takes on them.

use super::halt::{Halt, Place};

/// Bytes in order, from the file or from a decoder.
pub(super) trait Stream {
    /// The bytes at hand, at least one; none at the end.
    fn chunk(&mut self) -> Result<&[u8], Halt>;
    /// Moves past `length` bytes of the chunk.
    fn consume(&mut self, length: usize);
    /// Bytes moved past so far: what Linux calls `this_header`.
    fn position(&self) -> u64;
    /// Whether a decoder makes them.
    fn is_packed(&self) -> bool;
}

/// Where `stream` stands.
pub(super) fn place(stream: &dyn Stream) -> Place {
    Place { offset: stream.position(), is_packed: stream.is_packed() }
}

/// Linux reads what is left of an uncompressed archive and says nothing; behind a decoder it does.
fn cut_short(stream: &dyn Stream) -> Halt {
    let place = place(stream);
    if stream.is_packed() {
        let message = "junk at the end of compressed archive";
        return Halt::refused("initrd-cut-short", place, message, "the archive ends within an entry");
    }
    Halt::damaged("initrd-cut-short", place, "the archive ends within an entry")
}

/// At least one byte and at most `most` of what comes.
pub(super) fn some(stream: &mut dyn Stream, most: u64) -> Result<&[u8], Halt> {
    if stream.chunk()?.is_empty() {
        return Err(cut_short(stream));
    }
    let chunk = stream.chunk()?;
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(chunk.len());
    Ok(chunk.get(..length).unwrap_or_default())
}

/// Exactly `length` bytes, at most a name's or a header's worth.
pub(super) fn take(stream: &mut dyn Stream, length: usize) -> Result<Vec<u8>, Halt> {
    let mut taken = Vec::with_capacity(length);
    while taken.len() < length {
        let part = some(stream, count(length.saturating_sub(taken.len())))?;
        taken.extend_from_slice(part);
        let part = part.len();
        stream.consume(part);
    }
    Ok(taken)
}

/// Moves past `length` bytes.
pub(super) fn pass(stream: &mut dyn Stream, mut length: u64) -> Result<(), Halt> {
    while length > 0 {
        let part = some(stream, length)?.len();
        stream.consume(part);
        length = length.saturating_sub(count(part));
    }
    Ok(())
}

/// To the next multiple of four; what is missing there at the end of a file is missed by nobody.
pub(super) fn align(stream: &mut dyn Stream) -> Result<(), Halt> {
    let behind = stream.position() % 4;
    match pass(stream, if behind == 0 { 0 } else { 4_u64.saturating_sub(behind) }) {
        Err(Halt::Damaged(_)) => Ok(()),
        other => other,
    }
}

/// Moves to the first byte that is not zero, or to the end.
pub(super) fn skip_zeros(stream: &mut dyn Stream) -> Result<(), Halt> {
    loop {
        let chunk = stream.chunk()?;
        let zeros = chunk.iter().position(|byte| *byte != 0).unwrap_or(chunk.len());
        let is_end = zeros < chunk.len() || chunk.is_empty();
        stream.consume(zeros);
        if is_end {
            return Ok(());
        }
    }
}

/// A length as a file offset.
pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
