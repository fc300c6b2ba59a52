//! Large files of a tree, which `debugfs` writes into the file system one after the other while they leave the disk of the
//! build: the tree and its file system would take twice its size, and `mke2fs -d` takes a tree only whole.

use super::super::listing::{Entry, Kind, Listing};
use super::super::{Job, STAGE};
use crate::build::disk::target::Target;
use crate::bytes::text;
use crate::error::{Error, Result};
use crate::limits::MIB;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;

/// Bytes from which a file is large: in a Debian one file of ten, and three quarters of all bytes.
const LARGE: u64 = 32 * 1024;
/// Bytes that are written before they are taken away.
const BATCH: u64 = 32 * MIB;
/// Bytes of what debugfs says of a batch, which repeats its script.
const MAX_WORDS: u64 = 16 * MIB;
/// How lines begin that say what debugfs does.
const USUAL: &[&str] = &["debugfs 1.", "debugfs: ", "Allocated inode: "];
/// Names in the work folder: where the files wait, which, and what debugfs shall do.
const FOLDER: &str = "large";
const LIST: &str = "large.list";
const SCRIPT: &str = "large.debugfs";

/// A file that has left the tree, under its number.
pub(super) struct Large<'a> {
    number: usize,
    entry: &'a Entry,
}

/// Takes the large files out of the tree; those with extended attributes stay, for debugfs takes none along.
pub(super) fn take<'a>(job: &Job<'_>, listing: &'a Listing) -> Result<Vec<Large<'a>>> {
    let candidates = candidates(listing);
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<&[u8]> = candidates.iter().map(|entry| entry.path.as_slice()).collect();
    let [path, folder] = [LIST, FOLDER].map(|name| job.shop.folder().join(name));
    Target::create(&path)?.write(0, &list.join(&b'\n'))?;
    job.shop.remove(STAGE, &folder)?;
    let words = [OsStr::new(crate::build::ASIDE), job.source.as_os_str(), path.as_os_str(), folder.as_os_str()];
    let answer = job.shop.output(STAGE, &mut job.shop.ourselves_inside(&words), MAX_WORDS)?;
    let answer = text(&answer);
    let wrong = || Error::corrupt("large files", "their process answered something else than their numbers");
    answer
        .lines()
        .map(|line| {
            let number: usize = line.parse().map_err(|_| wrong())?;
            candidates.get(number).map(|entry| Large { number, entry }).ok_or_else(wrong)
        })
        .collect()
}

/// Regular files of one name each, which debugfs reads from its script as it is.
fn candidates(listing: &Listing) -> Vec<&Entry> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &listing.0 {
        let count = names.entry(&entry.inode).or_default();
        *count = count.saturating_add(1);
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:@~=,%".contains(byte);
    let is_large = |entry: &&Entry| {
        entry.kind == Kind::Regular
            && entry.allocated >= LARGE
            && names.get(entry.inode.as_str()) == Some(&1)
            && entry.path.iter().all(is_plain)
    };
    listing.0.iter().filter(is_large).collect()
}

/// Writes them into the file system, each into its folder, and takes them away.
pub(super) fn give(job: &Job<'_>, large: &[Large<'_>]) -> Result<()> {
    let mut rest = large;
    while !rest.is_empty() {
        let mut bytes = 0_u64;
        let fits = |large: &&Large<'_>| {
            bytes = bytes.saturating_add(large.entry.allocated);
            bytes <= BATCH
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (batch, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        write(job, batch)?;
        rest = behind;
    }
    let left = [FOLDER, LIST, SCRIPT].map(|name| job.shop.folder().join(name));
    left.iter().try_for_each(|path| job.shop.remove(STAGE, path))
}

fn write(job: &Job<'_>, batch: &[Large<'_>]) -> Result<()> {
    let path = job.shop.folder().join(SCRIPT);
    Target::create(&path)?.write(0, script(batch).as_bytes())?;
    // It goes on after what fails, and what went wrong is among its words.
    let mut debugfs = job.shop.inside("sh");
    debugfs.args(["-euc", "exec debugfs -w -f \"$1\" \"$2\" 2>&1", "sh", SCRIPT]).arg(&job.image);
    debugfs.env("E2FSPROGS_FAKE_TIME", job.epoch.to_string());
    let said = text(&job.shop.output(STAGE, &mut debugfs, MAX_WORDS)?);
    let is_usual = |line: &&str| USUAL.iter().any(|words| line.starts_with(words));
    if let Some(line) = said.lines().find(|line| !is_usual(line)) {
        return Err(Error::io(format!("stage {STAGE}"), format!("debugfs failed: {line}")));
    }
    let mut rm = job.shop.inside("rm");
    rm.arg("--").args(batch.iter().map(|large| format!("{FOLDER}/{}", large.number)));
    job.shop.run(STAGE, &mut rm)
}

/// What debugfs reads: it writes into the folder that it stands in, and takes neither mode nor owner nor time along.
fn script(batch: &[Large<'_>]) -> String {
    let mut script = String::new();
    for Large { number, entry } in batch {
        let name = text(entry.name());
        let folder = text(&entry.path);
        let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        let Entry { mode, uid, gid, mtime, .. } = entry;
        // A time before 1970 is as little true as one after the build.
        let mtime = u32::try_from(*mtime).unwrap_or(0);
        // Writing to a string cannot fail.
        let _ = write!(
            script,
            "cd /{folder}\nwrite {FOLDER}/{number} {name}\nsif {name} mode 0{:o}\nsif {name} uid {uid}\n\
             sif {name} gid {gid}\nsif {name} mtime @{mtime}\n",
            mode | 0o100_000
        );
    }
    script
}
