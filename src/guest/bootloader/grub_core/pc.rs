//! core.img of i386-pc → GRUB's kernel and the modules behind it (`grub-core/boot/i386/pc/startup_raw.S`).

use super::{MAGIC, Width, corrupt};
use crate::bytes::{le_u32, slice};
use crate::error::{Error, Result};
use liblzma::stream::{Action, Filters, LzmaOptions, Stream};

/// `GRUB_DECOMPRESSOR_I386_PC_COMPRESSED_SIZE` and `…_UNCOMPRESSED_SIZE` (`include/grub/offsets.h`).
const COMPRESSED_SIZE: usize = 0x08;
const UNCOMPRESSED_SIZE: usize = 0x0c;
/// Where the image is loaded: `GRUB_BOOT_MACHINE_KERNEL_ADDR + 0x200`.
const LOAD_ADDRESS: u32 = 0x8200;
/// `GRUB_DECOMPRESSOR_I386_PC_MAX_DECOMPRESSOR_SIZE`.
const MAX_DECOMPRESSOR: usize = 0x9000 - 0x8200;
/// `GRUB_DECOMPRESSOR_I386_PC_BOOT_DEVICE`: partitions that GRUB 2 does not write there, then the drive.
const BOOT_DEVICE: usize = 0x18;
/// `movl $GRUB_MEMORY_MACHINE_DECOMPRESSION_ADDR, %edi` and `movl $decompressor_end, %esi`, whose operand follows.
const START: &[u8] = &[0xbf, 0x00, 0x00, 0x10, 0x00, 0xbe];
/// Bytes that are unpacked: what fits below 640 KiB when packed has 3 MiB with all modules.
const MAX_UNPACKED: usize = 16 << 20;
/// liblzma takes no smaller dictionary.
const MIN_DICTIONARY: u32 = 4096;

/// GRUB's kernel, modules behind it.
pub(super) fn unpack(image: &[u8]) -> Result<Vec<u8>> {
    let unknown = || Error::unsupported("GRUB's core", "it is unpacked by code that this version does not know");
    let start = decompressor_end(image).ok_or_else(unknown)?;
    let size = |at| le_u32(image, at).and_then(|size| usize::try_from(size).ok()).ok_or_else(unknown);
    let (packed, unpacked) = (size(COMPRESSED_SIZE)?, size(UNCOMPRESSED_SIZE)?);
    if unpacked > MAX_UNPACKED {
        let cause = format!("it unpacks to {unpacked} bytes, and at most {MAX_UNPACKED} are read");
        return Err(Error::too_large("GRUB's core", cause));
    }
    let data = slice(image, start, packed).ok_or_else(|| {
        corrupt(&format!("{packed} bytes of data from byte {start} on, and {} were loaded", image.len()))
    })?;
    lzma(data, unpacked)
}

/// Where the data begin: code says so, as no field does.
fn decompressor_end(image: &[u8]) -> Option<usize> {
    let code = slice(image, 0, image.len().min(MAX_DECOMPRESSOR))?;
    // `ljmp $0, $codestart`
    let is_known = code.starts_with(&[0xea]) && slice(code, BOOT_DEVICE, 3)? == [0xff; 3];
    let code = is_known.then_some(code)?;
    let at = code.windows(START.len()).position(|bytes| bytes == START)?.checked_add(START.len())?;
    let end = usize::try_from(le_u32(code, at)?.checked_sub(LOAD_ADDRESS)?).ok()?;
    (at..=MAX_DECOMPRESSOR).contains(&end).then_some(end)
}

/// LZMA data without header and end mark, with the properties that `lzma_decode.S` has built in.
fn lzma(data: &[u8], size: usize) -> Result<Vec<u8>> {
    let mut options = LzmaOptions::new_preset(0).map_err(|error| Error::io("lzma decoder", error))?;
    let dictionary = u32::try_from(size).unwrap_or(u32::MAX).max(MIN_DICTIONARY);
    options.dict_size(dictionary).literal_context_bits(3).literal_position_bits(0).position_bits(2);
    let mut filters = Filters::new();
    filters.lzma1(&options);
    let mut stream = Stream::new_raw_decoder(&filters).map_err(|error| Error::io("lzma decoder", error))?;
    let mut unpacked = vec![0; size];
    loop {
        let done = |total: u64| usize::try_from(total).unwrap_or(usize::MAX);
        let (read, written) = (done(stream.total_in()), done(stream.total_out()));
        let (input, output) = (data.get(read..).unwrap_or_default(), unpacked.get_mut(written..).unwrap_or_default());
        if output.is_empty() {
            return Ok(unpacked);
        }
        stream.process(input, output, Action::Run).map_err(|error| corrupt(&format!("LZMA data: {error}")))?;
        if (done(stream.total_in()), done(stream.total_out())) == (read, written) {
            return Err(corrupt(&format!("its LZMA data end after {written} of {size} bytes")));
        }
    }
}

/// The list of modules, which reaches to the end; the kernel knows by its own size where it begins.
pub(super) fn modules(kernel: &[u8]) -> Result<&[u8]> {
    let magic = MAGIC.to_le_bytes();
    let is_list = |at: &usize| {
        let list = kernel.get(*at..).unwrap_or_default();
        let size = le_u32(list, 8).and_then(|size| usize::try_from(size).ok());
        list.starts_with(&magic)
            && le_u32(list, 4) == u32::try_from(Width::Bits32.info()).ok()
            && size == Some(list.len())
    };
    let mut found = (0..kernel.len()).filter(is_list);
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(kernel.get(at..).unwrap_or_default()),
        (None, _) => Err(corrupt("no list of modules in it")),
        (Some(_), Some(_)) => Err(corrupt("two lists of modules in it")),
    }
}
