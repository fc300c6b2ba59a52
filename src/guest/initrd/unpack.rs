//! The walk over an initrd file: `unpack_to_rootfs` and `flush_buffer` of Linux's `init/initramfs.c`, step by step.

use super::compression::{self, Decoder};
use super::cpio::{Entry, HEADER, TRAILER};
use super::halt::{Halt, Place};
use super::input::{Input, Unpacked};
use super::keep::Keeper;
use super::rootfs::{Placed, REGULAR, Rootfs, SYMLINK, TYPE};
use super::stream::{Stream, align, count, pass, place, skip_zeros, some, take};
use crate::error::Error;
use crate::fact::{Flaw, Gap};
use crate::guest::{Segment, modules};
use crate::limits::{Limits, MAX_PATH};

/// Where early microcode stands in an uncompressed segment (`Documentation/arch/x86/microcode.rst`).
const MICROCODE: &[u8] = b"kernel/x86/microcode/";
/// Flaws of one initrd that are listed; more of them tell nothing new.
const FLAWS: usize = 50;

/// What a walk found.
pub(super) struct Walk<'l> {
    pub(super) rootfs: Rootfs,
    pub(super) segments: Vec<Segment>,
    pub(super) flaws: Vec<Flaw>,
    /// Why what is in [`Self::rootfs`] may differ from what the guest gets; nothing when the walk is whole.
    pub(super) gaps: Vec<Gap>,
    /// Whether the file was seen to where Linux ends, so that no flaw can be missing.
    pub(super) is_seen: bool,
    /// Bytes unpacked, all segments together.
    pub(super) unpacked: u64,
    limits: &'l Limits,
    keeper: Keeper<'l>,
    entries: usize,
    /// Whether an uncompressed segment goes on: its trailer has not come.
    is_open: bool,
}

impl<'l> Walk<'l> {
    pub(super) fn new(keeper: Keeper<'l>, limits: &'l Limits) -> Self {
        Self {
            rootfs: Rootfs::new(),
            segments: Vec::new(),
            flaws: Vec::new(),
            gaps: Vec::new(),
            is_seen: true,
            unpacked: 0,
            limits,
            keeper,
            entries: 0,
            is_open: false,
        }
    }

    /// Walks the whole file, or as far as Linux goes.
    pub(super) fn run(&mut self, input: &mut Input<'_>) {
        match self.all_segments(input) {
            Ok(()) => self.end_plain(),
            Err(halt) => self.note(halt),
        }
    }

    /// The loop of `unpack_to_rootfs`.
    fn all_segments(&mut self, input: &mut Input<'_>) -> Result<(), Halt> {
        loop {
            let position = input.position();
            match input.chunk()?.first() {
                None => return Ok(()),
                Some(b'0') if position.is_multiple_of(4) => self.plain_entry(input)?,
                Some(0) => skip_zeros(input)?,
                Some(_) => self.packed_segment(input)?,
            }
        }
    }

    /// One entry of an uncompressed archive, and the zeros behind it.
    fn plain_entry(&mut self, input: &mut Input<'_>) -> Result<(), Halt> {
        if !self.is_open {
            self.begin(input.position(), "none")?;
            self.is_open = true;
        }
        let start = input.position();
        let read = self.entry(input);
        let size = input.position().saturating_sub(start);
        self.unpacked = self.unpacked.saturating_add(size);
        if let Some(segment) = self.segments.last_mut() {
            segment.size = input.position().saturating_sub(segment.offset);
            segment.unpacked = segment.size;
        }
        self.is_open = !read?;
        // do_reset: zeros behind an entry are eaten, and what follows must be aligned, whatever it is.
        skip_zeros(input)?;
        let place = place(input);
        if !place.offset.is_multiple_of(4) && !input.chunk()?.is_empty() {
            return Err(self.stopped(input, "initrd-broken-padding", place, "broken padding")?);
        }
        Ok(())
    }

    /// A compressed segment: `decompress_method`, then `flush_buffer` on what comes out.
    fn packed_segment(&mut self, input: &mut Input<'_>) -> Result<(), Halt> {
        self.end_plain();
        let Some(decoder) = compression::find(input.peek(4)?) else {
            let message = "invalid magic at start of compressed archive";
            return Err(self.stopped(input, "initrd-invalid-magic", place(input), message)?);
        };
        let offset = input.position();
        let is_first = self.segments.is_empty();
        self.begin(offset, decoder.name)?;
        let result = self.unpack_segment(input, decoder, is_first);
        if let Some(segment) = self.segments.last_mut() {
            segment.size = input.position().saturating_sub(offset);
        }
        match result {
            Err(Halt::Damaged(flaw)) => {
                self.note(Halt::Damaged(flaw));
                Ok(())
            }
            other => other,
        }
    }

    fn unpack_segment(&mut self, input: &mut Input<'_>, decoder: &Decoder, is_first: bool) -> Result<(), Halt> {
        let left = self.limits.initrd_unpacked.saturating_sub(self.unpacked);
        let decoder = (decoder.open)(input)?;
        let mut stream = Unpacked::new(input, decoder, left);
        let walked = self.archives(&mut stream, is_first);
        self.unpacked = self.unpacked.saturating_add(stream.position());
        if let Some(segment) = self.segments.last_mut() {
            segment.unpacked = stream.position();
            segment.filters = stream.filters();
        }
        walked?;
        stream.finish()
    }

    /// Archives within one compressed segment. At the very beginning of an initrd Linux expects a header, later
    /// (state Reset) zeros may come before it.
    fn archives(&mut self, stream: &mut Unpacked<'_, '_>, is_first: bool) -> Result<(), Halt> {
        let mut has_trailer = false;
        if is_first {
            has_trailer = self.entry(stream)?;
        }
        loop {
            skip_zeros(stream)?;
            let place = place(stream);
            match stream.chunk()?.first() {
                None => break,
                Some(_) if !place.offset.is_multiple_of(4) => {
                    return Err(Halt::refused("initrd-broken-padding", place, "broken padding", ""));
                }
                Some(b'0') => has_trailer = self.entry(stream)?,
                Some(_) => {
                    let found = compression::find(stream.chunk()?).map(|inner| format!("{} within it", inner.name));
                    let message = "junk within compressed archive";
                    return Err(Halt::refused("initrd-junk", place, message, &found.unwrap_or_default()));
                }
            }
        }
        if !has_trailer {
            self.no_trailer();
        }
        Ok(())
    }

    /// One entry with its name, body and padding; true when it is the trailer.
    fn entry(&mut self, stream: &mut dyn Stream) -> Result<bool, Halt> {
        let at = place(stream);
        let header = take(stream, HEADER)?;
        let mut entry = Entry::parse(&header, at)?;
        self.entries = self.entries.saturating_add(1);
        if self.entries > self.limits.initrd_entries {
            return Err(too_many("entries", self.limits.initrd_entries));
        }
        let kind = entry.mode & TYPE;
        let is_skipped = entry.name_size == 0
            || entry.name_size > MAX_PATH
            || (kind == SYMLINK && entry.size > count(MAX_PATH))
            || (kind != SYMLINK && kind != REGULAR && entry.size > 0);
        if is_skipped {
            return self.skipped(stream, &entry, at);
        }
        let stored = take(stream, entry.padded_name())?;
        let name = stored.get(..entry.name_size).unwrap_or_default();
        let mut parts = name.split(|byte| *byte == 0);
        entry.name = parts.next().unwrap_or_default().to_vec();
        let target = if kind == SYMLINK { take(stream, usize::try_from(entry.size).unwrap_or(0))? } else { Vec::new() };
        if name.last() != Some(&0) {
            let found = format!("the name {:?} does not end with NUL", crate::bytes::text(name));
            return Err(Halt::refused("initrd-malformed-name", at, "malformed archive", &found));
        }
        if kind != SYMLINK && entry.name == TRAILER {
            self.rootfs.forget_links();
            pass(stream, entry.size)?;
            align(stream)?;
            return Ok(true);
        }
        self.count(&entry);
        let placed = if kind == SYMLINK { self.rootfs.link(&entry, &target) } else { self.rootfs.place(&entry) };
        match placed {
            Placed::File(node) => self.body(stream, &entry, node, at)?,
            Placed::Done => {}
            Placed::Dropped => {
                self.dropped(&entry, at);
                pass(stream, if kind == SYMLINK { 0 } else { entry.size })?;
            }
        }
        if let Some(cause) = self.rootfs.exhausted() {
            return Err(Halt::unread(Error::too_large("initrd", cause)));
        }
        align(stream)?;
        Ok(false)
    }

    /// Notes a bound that was reached after the walk, by those who looked at its tree.
    pub(super) fn check_bounds(&mut self) {
        if let Some(cause) = self.rootfs.exhausted().filter(|_| self.gaps.is_empty()) {
            self.note(Halt::unread(Error::too_large("initrd", cause)));
        }
    }

    /// The body of a regular file, kept where it is wanted; `do_copy`.
    fn body(&mut self, stream: &mut dyn Stream, entry: &Entry, node: usize, at: Place) -> Result<(), Halt> {
        let is_wanted = self.keeper.wants(entry) || self.rootfs.file_mut(node).is_some_and(|file| file.is_wanted);
        if let Some(file) = self.rootfs.file_mut(node) {
            file.is_wanted = is_wanted;
        }
        let mut kept = self.keeper.begin(entry, is_wanted);
        let mut sum = 0_u32;
        let mut left = entry.size;
        while left > 0 {
            let part = some(stream, left)?;
            if entry.checksum.is_some() {
                sum = part.iter().fold(sum, |sum, byte| sum.wrapping_add(u32::from(*byte)));
            }
            kept.add(part);
            let length = part.len();
            stream.consume(length);
            left = left.saturating_sub(count(length));
        }
        if let Some(expected) = entry.checksum.filter(|expected| *expected != sum) {
            let found = format!("{} has the sum {sum:08x}, its header {expected:08x}", crate::bytes::text(&entry.name));
            return Err(Halt::refused("initrd-bad-checksum", at, "bad data checksum", &found));
        }
        if let Some(file) = self.rootfs.file_mut(node).filter(|_| entry.size > 0) {
            file.content = self.keeper.end(entry, kept);
        }
        Ok(())
    }

    /// An entry that `do_header` steps over; Linux's next state is then a left-over, so what follows is uncertain.
    fn skipped(&mut self, stream: &mut dyn Stream, entry: &Entry, at: Place) -> Result<bool, Halt> {
        let found =
            format!("an entry with a name of {} and a body of {} bytes is stepped over", entry.name_size, entry.size);
        self.note(Halt::damaged("initrd-skipped-entry", at, &found));
        let name = count(entry.name_size.saturating_add(1) & !3).saturating_add(2);
        pass(stream, name.saturating_add(entry.size))?;
        align(stream)?;
        Ok(false)
    }

    fn count(&mut self, entry: &Entry) {
        let Some(segment) = self.segments.last_mut() else { return };
        segment.entries = segment.entries.saturating_add(1);
        if modules::module_name(&entry.name).is_some() {
            segment.modules = segment.modules.saturating_add(1);
        }
        let is_file = entry.mode & TYPE == REGULAR;
        let name = entry.name.strip_prefix(b"./").unwrap_or(&entry.name);
        if is_file && name.starts_with(MICROCODE) {
            segment.microcode = segment.microcode.saturating_add(1);
        }
    }

    fn begin(&mut self, offset: u64, compression: &str) -> Result<(), Halt> {
        if self.segments.len() >= self.limits.initrd_segments {
            return Err(too_many("segments", self.limits.initrd_segments));
        }
        let compression = compression.to_owned();
        let filters = Vec::new();
        self.segments.push(Segment {
            offset,
            compression,
            filters,
            size: 0,
            unpacked: 0,
            entries: 0,
            modules: 0,
            microcode: 0,
        });
        Ok(())
    }

    fn end_plain(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.no_trailer();
        }
    }

    fn no_trailer(&mut self) {
        let offset = self.segments.last().map_or(0, |segment| segment.offset);
        let found =
            format!("the archive at byte {offset} has no trailer; Linux takes it, other tools call it cut short");
        self.flaw(Flaw { id: "initrd-no-trailer".into(), found, fatal: false });
    }

    fn dropped(&mut self, entry: &Entry, at: Place) {
        let name = crate::bytes::text(&entry.name);
        let found =
            format!("{at}: {name} is not unpacked: its folder comes later or not at all, or something is in its way");
        self.flaw(Flaw { id: "initrd-dropped-entry".into(), found, fatal: false });
    }

    /// Linux prints `message` and keeps what it has unpacked. When /init is there and what follows is no archive, that
    /// is everything there was, and the guest boots: a note, not a refusal.
    fn stopped(&mut self, input: &mut Input<'_>, id: &str, place: Place, message: &str) -> Result<Halt, Halt> {
        let ahead = input.peek(6)?;
        let foreign = compression::foreign(ahead);
        let is_archive = foreign.is_some() || compression::find(ahead).is_some() || ahead.starts_with(b"07070");
        if is_archive || self.is_open || !super::inventory::has_init(&self.rootfs) {
            return Ok(Halt::refused(id, place, message, foreign.unwrap_or_default()));
        }
        let found = format!("{place}: bytes behind the last archive; Linux says {message:?} and boots all the same");
        Ok(Halt::Refused(Flaw { id: "initrd-trailing-garbage".into(), found, fatal: false }))
    }

    fn note(&mut self, halt: Halt) {
        match halt {
            Halt::Refused(flaw) => {
                if flaw.fatal {
                    self.gaps.push(Gap::new(format!("Linux stops unpacking the initrd: {}", flaw.found)));
                }
                self.flaw(flaw);
            }
            Halt::Damaged(flaw) => {
                self.gaps.push(Gap::new(format!("the initrd is damaged: {}", flaw.found)));
                self.flaw(flaw);
            }
            Halt::Unread(gap) => {
                self.gaps.push(gap);
                self.is_seen = false;
            }
        }
    }

    fn flaw(&mut self, flaw: Flaw) {
        if flaw.fatal || self.flaws.len() < FLAWS {
            self.flaws.push(flaw);
        } else if self.flaws.len() == FLAWS {
            let found = format!("more than {FLAWS} flaws; the rest is not listed");
            self.flaws.push(Flaw { id: "initrd-more-flaws".into(), found, fatal: false });
        }
    }
}

fn too_many(what: &str, limit: usize) -> Halt {
    Halt::unread(Error::too_large("initrd", format!("more than the limit of {limit} {what}")))
}
