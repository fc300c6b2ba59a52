//! bzip2 as Linux's `lib/decompress_bunzip2.c` reads it: one stream, no randomised blocks, checksums verified.

use super::{Unpack, refused};
use crate::guest::initrd::halt::Halt;
use crate::guest::initrd::input::Input;
use crate::guest::initrd::stream::Stream as _;

/// What Linux says of every error but a wrong checksum.
const FAILED: &str = "decompressor failed";
const BLOCK: u64 = 0x3141_5926_5359;
const END: u64 = 0x1772_4538_5090;
/// Bytes of a block for each level.
const LEVEL: usize = 100_000;
/// Symbols that are coded with one table before the next is chosen.
const GROUP: usize = 50;
/// Bits of a code at most (`MAX_HUFCODE_BITS`).
const MAX_BITS: u32 = 20;

/// Bits of the input, the highest of each byte first. No byte is taken before one of its bits is wanted.
#[derive(Default)]
struct Bits {
    buffer: u64,
    count: u32,
}

impl Bits {
    /// The next `wanted` bits, at most 48.
    fn take(&mut self, input: &mut Input<'_>, wanted: u32) -> Result<u64, Halt> {
        while self.count < wanted {
            let Some(byte) = input.chunk()?.first().copied() else {
                return Err(refused(input, "initrd-cut-short", FAILED, "the bzip2 data are cut short"));
            };
            input.consume(1);
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.count = self.count.saturating_add(8);
        }
        self.count = self.count.saturating_sub(wanted);
        Ok(self.buffer >> self.count & (1_u64 << wanted).saturating_sub(1))
    }

    fn flag(&mut self, input: &mut Input<'_>) -> Result<bool, Halt> {
        Ok(self.take(input, 1)? == 1)
    }

    /// Gives back what was taken last.
    fn untake(&mut self, bits: u32) {
        self.count = self.count.saturating_add(bits);
    }
}

/// A canonical code: for each length the highest code, and what to subtract for the place in `symbols`.
#[derive(Default)]
struct Table {
    lengths: Vec<(u32, i64, i64)>,
    symbols: Vec<usize>,
}

impl Table {
    fn new(lengths: &[u32]) -> Self {
        let (least, most) = (lengths.iter().min().copied(), lengths.iter().max().copied());
        let mut table = Self::default();
        let (mut code, mut place) = (0_i64, 0_i64);
        for length in least.unwrap_or(1)..=most.unwrap_or(0) {
            let with = (0..).zip(lengths).filter(|(_, found)| **found == length).map(|(symbol, _): (usize, _)| symbol);
            let before = table.symbols.len();
            table.symbols.extend(with);
            let count = i64::try_from(table.symbols.len().saturating_sub(before)).unwrap_or(0);
            let end = code.saturating_add(count);
            table.lengths.push((length, end.saturating_sub(1), code.saturating_sub(place)));
            (code, place) = (end.saturating_mul(2), place.saturating_add(count));
        }
        table
    }

    /// The next symbol; `None` for a code that has none.
    fn read(&self, bits: &mut Bits, input: &mut Input<'_>) -> Result<Option<usize>, Halt> {
        let Some((most, ..)) = self.lengths.last() else { return Ok(None) };
        let code = i64::try_from(bits.take(input, *most)?).unwrap_or(i64::MAX);
        for (length, highest, offset) in &self.lengths {
            let rest = most.saturating_sub(*length);
            let code = code >> rest;
            if code <= *highest {
                bits.untake(rest);
                let place = usize::try_from(code.saturating_sub(*offset)).ok();
                return Ok(place.and_then(|place| self.symbols.get(place).copied()));
            }
        }
        Ok(None)
    }
}

/// One stream.
struct Bzip2 {
    bits: Bits,
    /// Bytes of a block at most.
    most: usize,
    /// The block: a byte in the low bits, the place of the next one above.
    block: Vec<u32>,
    /// Where the next byte stands, and how many of the block come.
    place: usize,
    left: usize,
    /// The byte before, how often it came in a row, and how often it comes again.
    last: u8,
    row: u32,
    again: u32,
    /// Checksums: of the block so far, as its header has it, of all blocks.
    sum: u32,
    expected: u32,
    total: u32,
    has_block: bool,
    is_ended: bool,
}

pub(super) fn open(input: &mut Input<'_>) -> Result<Box<dyn Unpack>, Halt> {
    let level = match input.peek(4)? {
        [b'B', b'Z', b'h', level @ b'1'..=b'9', ..] => usize::from(level.saturating_sub(b'0')),
        _ => return Err(refused(input, "initrd-bzip2", FAILED, "bytes 0-3 are not BZh and a digit from 1 to 9")),
    };
    input.consume(4);
    Ok(Box::new(Bzip2 {
        bits: Bits::default(),
        most: level.saturating_mul(LEVEL),
        block: Vec::new(),
        place: 0,
        left: 0,
        last: 0,
        row: 0,
        again: 0,
        sum: u32::MAX,
        expected: 0,
        total: 0,
        has_block: false,
        is_ended: false,
    }))
}

fn corrupt(input: &Input<'_>, found: &str) -> Halt {
    refused(input, "initrd-bzip2", FAILED, found)
}

impl Unpack for Bzip2 {
    fn unpack(&mut self, input: &mut Input<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        let mut filled = 0_usize;
        for place in out.iter_mut() {
            let Some(byte) = self.byte(input)? else { break };
            *place = byte;
            filled = filled.saturating_add(1);
        }
        Ok(filled)
    }
}

impl Bzip2 {
    /// The next byte, of the next block where this one ends.
    fn byte(&mut self, input: &mut Input<'_>) -> Result<Option<u8>, Halt> {
        loop {
            if self.again > 0 {
                self.again = self.again.saturating_sub(1);
            } else if self.left > 0 {
                let byte = self.step(input)?;
                if self.row == 4 {
                    // The byte behind four equal ones says how often it comes again.
                    (self.again, self.row) = (byte.into(), 0);
                    continue;
                }
                self.row = if self.row > 0 && byte == self.last { self.row.saturating_add(1) } else { 1 };
                self.last = byte;
            } else if self.is_ended || !self.next_block(input)? {
                return Ok(None);
            } else {
                continue;
            }
            self.sum = sum(self.sum, self.last);
            return Ok(Some(self.last));
        }
    }

    /// Goes on along the chain of the Burrows-Wheeler transform.
    fn step(&mut self, input: &Input<'_>) -> Result<u8, Halt> {
        let Some(entry) = self.block.get(self.place) else { return Err(corrupt(input, "a place past its block")) };
        let [.., byte] = entry.to_be_bytes();
        self.place = usize::try_from(entry >> 8).unwrap_or(usize::MAX);
        self.left = self.left.saturating_sub(1);
        Ok(byte)
    }

    /// Ends the block that is read and reads the next one; false at the end of the stream.
    fn next_block(&mut self, input: &mut Input<'_>) -> Result<bool, Halt> {
        if std::mem::take(&mut self.has_block) {
            let found = !self.sum;
            self.total = self.total.rotate_left(1) ^ found;
            self.compare(input, found)?;
        }
        let magic = self.bits.take(input, 48)?;
        self.expected = u32::try_from(self.bits.take(input, 32)?).unwrap_or(0);
        if magic == END {
            self.is_ended = true;
            self.compare(input, self.total)?;
            return Ok(false);
        }
        if magic != BLOCK {
            return Err(corrupt(input, "no block begins where one is expected"));
        }
        if self.bits.flag(input)? {
            return Err(corrupt(input, "a randomised block, as bzip2 before 0.9.5 wrote it"));
        }
        let start = usize::try_from(self.bits.take(input, 24)?).unwrap_or(usize::MAX);
        let bytes = self.used_bytes(input)?;
        self.symbols(input, &bytes)?;
        self.sort();
        self.left = self.block.len();
        (self.sum, self.row, self.again, self.has_block) = (u32::MAX, 0, 0, true);
        if start >= self.most || (self.left > 0 && start >= self.left) {
            return Err(corrupt(input, "the block begins past its end"));
        }
        self.place = self.block.get(start).map_or(0, |entry| usize::try_from(entry >> 8).unwrap_or(usize::MAX));
        Ok(true)
    }

    fn compare(&self, input: &Input<'_>, found: u32) -> Result<(), Halt> {
        if found == self.expected {
            return Ok(());
        }
        let text = format!("the bzip2 checksum is {:08x}, the data have {found:08x}", self.expected);
        Err(refused(input, "initrd-bzip2", "Data integrity error when decompressing.", &text))
    }

    /// The bytes that occur in the block: a bitmap in two steps.
    fn used_bytes(&mut self, input: &mut Input<'_>) -> Result<Vec<u8>, Halt> {
        let rows = self.bits.take(input, 16)?;
        let mut used = Vec::new();
        for row in 0..16_u8 {
            if rows >> 15_u8.saturating_sub(row) & 1 == 0 {
                continue;
            }
            let columns = self.bits.take(input, 16)?;
            let is_used = |column: &u8| columns >> 15_u8.saturating_sub(*column) & 1 == 1;
            used.extend((0..16_u8).filter(is_used).map(|column| row << 4 | column));
        }
        Ok(used)
    }

    /// The tables, each with the codes of two runs, the bytes and the end.
    fn tables(&mut self, input: &mut Input<'_>, count: usize, symbols: usize) -> Result<Vec<Table>, Halt> {
        let mut tables = Vec::new();
        for _ in 0..count {
            let mut length = u32::try_from(self.bits.take(input, 5)?).unwrap_or(0);
            let mut lengths = Vec::with_capacity(symbols);
            for _ in 0..symbols {
                loop {
                    if !(1..=MAX_BITS).contains(&length) {
                        return Err(corrupt(input, "a code longer than 20 bits"));
                    }
                    if !self.bits.flag(input)? {
                        break;
                    }
                    length = if self.bits.flag(input)? { length.saturating_sub(1) } else { length.saturating_add(1) };
                }
                lengths.push(length);
            }
            tables.push(Table::new(&lengths));
        }
        Ok(tables)
    }

    /// Which table codes each group: moved to the front.
    fn selectors(&mut self, input: &mut Input<'_>, tables: usize) -> Result<Vec<usize>, Halt> {
        let count = self.bits.take(input, 15)?;
        let mut order: Vec<usize> = (0..tables).collect();
        let mut selectors = Vec::new();
        for _ in 0..count {
            let mut place = 0_usize;
            while self.bits.flag(input)? {
                place = place.saturating_add(1);
                if place >= tables {
                    return Err(corrupt(input, "a selector past the tables"));
                }
            }
            if let Some(front) = order.get_mut(..=place) {
                front.rotate_right(1);
            }
            selectors.push(order.first().copied().unwrap_or(0));
        }
        Ok(selectors)
    }

    /// Reads the block's symbols: runs of the front byte, places of bytes, and the end.
    fn symbols(&mut self, input: &mut Input<'_>, used: &[u8]) -> Result<(), Halt> {
        let count = usize::try_from(self.bits.take(input, 3)?).unwrap_or(0);
        if !(2..=6).contains(&count) {
            return Err(corrupt(input, "not from 2 to 6 code tables"));
        }
        let selectors = self.selectors(input, count)?;
        let end = used.len().saturating_add(1);
        let tables = self.tables(input, count, end.saturating_add(1))?;
        let mut order = used.to_vec();
        let (mut run, mut weight) = (0_usize, 1_usize);
        self.block.clear();
        for selector in selectors {
            let Some(table) = tables.get(selector) else { return Err(corrupt(input, "a selector past the tables")) };
            for _ in 0..GROUP {
                let Some(symbol) = table.read(&mut self.bits, input)? else {
                    return Err(corrupt(input, "a code that its table does not have"));
                };
                if symbol < 2 {
                    run = run.saturating_add(weight << symbol);
                    weight <<= 1;
                    // A longer run does not fit into any block.
                    if run >= self.most {
                        return Err(corrupt(input, "a run longer than its block"));
                    }
                    continue;
                }
                let front = order.first().copied().unwrap_or(0);
                self.add(input, front, std::mem::take(&mut run))?;
                weight = 1;
                if symbol >= end {
                    return Ok(());
                }
                if let Some(part) = order.get_mut(..symbol) {
                    part.rotate_right(1);
                }
                self.add(input, order.first().copied().unwrap_or(0), 1)?;
            }
        }
        Err(corrupt(input, "a block without an end"))
    }

    fn add(&mut self, input: &Input<'_>, byte: u8, count: usize) -> Result<(), Halt> {
        let length = self.block.len().saturating_add(count);
        // Linux takes a run only if room is left behind it.
        if length > self.most || (count > 1 && length >= self.most) {
            return Err(corrupt(input, "more bytes than its block has room for"));
        }
        self.block.resize(length, byte.into());
        Ok(())
    }

    /// Writes above each byte the place of the one that follows it.
    fn sort(&mut self) {
        let mut starts = [0_usize; 256];
        for byte in &self.block {
            let [.., byte] = byte.to_be_bytes();
            if let Some(count) = starts.get_mut(usize::from(byte)) {
                *count = count.saturating_add(1);
            }
        }
        let mut before = 0_usize;
        for count in &mut starts {
            (*count, before) = (before, before.saturating_add(*count));
        }
        for place in 0..self.block.len() {
            let [.., byte] = self.block.get(place).copied().unwrap_or(0).to_be_bytes();
            let Some(start) = starts.get_mut(usize::from(byte)) else { continue };
            if let Some(entry) = self.block.get_mut(*start) {
                *entry |= u32::try_from(place).unwrap_or(0) << 8;
            }
            *start = start.saturating_add(1);
        }
    }
}

/// CRC-32 with the highest bit first.
fn sum(before: u32, byte: u8) -> u32 {
    let [high, ..] = before.to_be_bytes();
    before << 8 ^ SUMS.get(usize::from(high ^ byte)).copied().unwrap_or(0)
}

static SUMS: std::sync::LazyLock<[u32; 256]> = std::sync::LazyLock::new(|| {
    std::array::from_fn(|index| {
        let start = u32::try_from(index).unwrap_or(0) << 24;
        (0..8).fold(start, |sum, _| if sum >> 31 == 1 { sum << 1 ^ 0x04c1_1db7 } else { sum << 1 })
    })
});
