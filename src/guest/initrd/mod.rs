//! An initrd file → segments, inventory and module trees (`Documentation/driver-api/early-userspace/buffer-format.rst`).
//! It is read as Linux 6.1's `init/initramfs.c` reads it: what Linux refuses is a fatal flaw, what it overlooks a flaw.

mod compression;
mod cpio;
mod halt;
mod input;
mod inventory;
mod keep;
mod rootfs;
mod rules;
mod stream;
mod unpack;

pub use inventory::{Located, Location, locate, locate_in};

use crate::error::{Error, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::guest::{Initrd, modules};
use crate::limits::Limits;
use halt::Halt;
use input::{Input, Unpacked};
use keep::Keeper;
use std::collections::BTreeSet;
use std::io::Read;
use stream::Stream as _;
use unpack::Walk;

/// Walks over one initrd: the chain of dependencies that the first one did not foresee is rarely longer than one.
const WALKS: usize = 6;

/// Opens the initrd; called once for each walk.
pub type Open<'a> = dyn Fn() -> Result<Box<dyn Read + 'a>> + 'a;

/// Everything that is known of the initrd `path` of `size` bytes. `.modinfo` is read of `wanted` (normalised, see
/// [`modules::wanted`]) and of all they depend on. What could not be read is a gap; nothing here fails.
pub fn inspect(path: &str, size: u64, open: &Open<'_>, wanted: &[String], limits: &Limits) -> Initrd {
    let mut names: BTreeSet<String> = wanted.iter().cloned().collect();
    names.extend(modules::LIKELY.iter().map(|name| (*name).to_owned()));
    let mut unpacked = 0_u64;
    let mut walks = 0_usize;
    loop {
        let mut walk = Walk::new(Keeper::new(&names, limits), limits);
        match opened(size, open, limits) {
            Ok(reader) => walk.run(&mut Input::new(reader, limits.initrd)),
            Err(error) => return unknown(path, size, &Gap::at(path, error.to_string())),
        }
        walks = walks.saturating_add(1);
        unpacked = unpacked.saturating_add(walk.unpacked);
        let found = inventory::collect(&walk.rootfs, wanted);
        walk.check_bounds();
        let is_new = found.unread.iter().any(|name| !names.contains(name));
        // Another walk is only worth its time, and only safe, while all of them together stay below one walk's limit.
        let is_affordable = walks < WALKS && unpacked.saturating_add(walk.unpacked) <= limits.initrd_unpacked;
        if !is_new || !is_affordable || !walk.gaps.is_empty() {
            return facts(path, size, walk, found, limits);
        }
        names.extend(found.unread);
    }
}

fn opened<'a>(size: u64, open: &Open<'a>, limits: &Limits) -> Result<Box<dyn Read + 'a>> {
    if size > limits.initrd {
        let cause = format!("{size} bytes, the limit is {}", limits.initrd);
        return Err(Error::too_large("initrd", cause));
    }
    open()
}

/// Whether `bytes` begin what Linux unpacks: a newc archive, or one that is compressed.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"07070") || compression::find(bytes).is_some()
}

/// What one compressed stream of at most `size` bytes unpacks to, by the decompressors that unpack initrds; `what` is
/// compressed.
///
/// # Errors
/// When they refuse it, when something stands behind it, or past `limit` bytes.
pub fn decompress<'a>(what: &str, reader: Box<dyn Read + 'a>, size: u64, limit: u64) -> Result<Vec<u8>> {
    decompress_all(&mut Input::new(reader, size), limit).map_err(|halt| match halt {
        Halt::Refused(flaw) | Halt::Damaged(flaw) => Error::corrupt(what, flaw.found),
        Halt::Unread(gap) => Error::unsupported(what, gap.reason),
    })
}

fn decompress_all(input: &mut Input<'_>, limit: u64) -> Result<Vec<u8>, Halt> {
    let Some(decoder) = compression::find(input.peek(4)?) else {
        return Err(Halt::unread(Error::unsupported("compression", "it is none that Linux reads")));
    };
    let decoder = (decoder.open)(input)?;
    let mut stream = Unpacked::new(input, decoder, limit);
    let mut bytes = Vec::new();
    loop {
        let chunk = stream.chunk()?;
        if chunk.is_empty() {
            break;
        }
        bytes.extend_from_slice(chunk);
        let length = chunk.len();
        stream.consume(length);
    }
    stream.finish()?;
    if input.peek(1)?.is_empty() {
        return Ok(bytes);
    }
    Err(Halt::unread(Error::corrupt(
        "compressed data",
        format!("they end at byte {}, and bytes follow", input.position()),
    )))
}

/// An initrd of which only its size is known.
fn unknown(path: &str, size: u64, gap: &Gap) -> Initrd {
    Initrd {
        path: path.to_owned(),
        exists: Fact::Known(true),
        size: Fact::Known(size),
        segments: Fact::Unknown(gap.clone()),
        flaws: Fact::Unknown(gap.clone()),
        has_init: Fact::Unknown(gap.clone()),
        modules: Fact::Unknown(gap.clone()),
        modprobe: Fact::Unknown(gap.clone()),
        module_loads: Fact::Unknown(gap.clone()),
    }
}

/// A walk that did not reach the end, or what it found damaged, proves nothing of the contents: a later segment may
/// replace what an earlier one has unpacked.
fn facts(path: &str, size: u64, walk: Walk<'_>, found: inventory::Found, limits: &Limits) -> Initrd {
    let mut flaws = walk.flaws;
    flaws.extend(found.flaws);
    let gaps: Vec<Gap> = walk.gaps.into_iter().map(|gap| Gap::at(path, gap.reason)).collect();
    let unseen = if walk.is_seen { Vec::new() } else { gaps.clone() };
    let initrd = match gaps.first() {
        Some(gap) => unknown(path, size, gap),
        None => Initrd {
            has_init: Fact::Known(inventory::has_init(&walk.rootfs)),
            modprobe: Fact::Known(at(path, rules::rules(&walk.rootfs, &found.trees.gaps, limits))),
            module_loads: Fact::Known(at(path, rules::loads(&walk.rootfs, &found.trees.gaps))),
            modules: Fact::Known(at(path, found.trees)),
            ..unknown(path, size, &Gap::new(""))
        },
    };
    Initrd {
        segments: Fact::Known(Listing { items: walk.segments, gaps }),
        flaws: Fact::Known(Listing { items: flaws, gaps: unseen }),
        ..initrd
    }
}

/// What is in an initrd is named by the initrd.
fn at<T>(path: &str, mut list: Listing<T>) -> Listing<T> {
    list.gaps = list.gaps.into_iter().map(|gap| Gap::at(path, gap.reason)).collect();
    list
}
