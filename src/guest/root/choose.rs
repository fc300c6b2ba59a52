//! Which volume is the root: the one that the default entry names, else the only one that holds a system.

use crate::disk::filesystem::Root;
use crate::error::{Error, ErrorKind, Result};
use crate::guest::bootloader::Reached;
use crate::guest::bootloader::disk::{Disk, Found, OpenVolume};
use crate::guest::bootloader::entry::Entry;
use crate::guest::fstab;
use crate::limits::Limits;

/// A root file system holds one of these,
const RELEASES: &[&str] = &["/etc/os-release", "/usr/lib/os-release"];
/// and one of these, or a /usr of its own.
const INITS: &[&str] =
    &["/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd", "/bin/init", "/init"];

/// GPT's "Microsoft basic data", and its MBR type.
const MICROSOFT: &[&str] = &["ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "0x07", "0x7"];

/// The root's index and why it is the root.
pub(super) fn root(disk: &Disk, entries: &[Reached], choose: Option<u32>, limits: &Limits) -> Result<(usize, String)> {
    if disk.is_directory() {
        disk.root(0)?;
        return Ok((0, "the directory itself".to_owned()));
    }
    if let Some(number) = choose {
        let index = disk.volumes.iter().position(|volume| volume.number == Some(number));
        let index = index.ok_or_else(|| Error::not_found("root file system").because(no_partition(disk, number)))?;
        disk.root(index).map_err(|error| unopened(disk, index, &format!("--root {number}"), &error))?;
        return Ok((index, "named by --root".to_owned()));
    }
    let candidates = candidates(disk, limits)?;
    match named(disk, entries)? {
        Some((index, spec)) if candidates.contains(&index) => {
            return Ok((index, format!("named by root={spec} of the default entry")));
        }
        Some((index, spec)) => {
            let place = format!("root={spec} of the default entry");
            disk.root(index).map_err(|error| unopened(disk, index, &place, &error))?;
        }
        None => {}
    }
    match candidates.as_slice() {
        [index] => Ok((*index, "the only candidate, found by content".to_owned())),
        [] => Err(no_candidate(disk)),
        several => {
            let list: Vec<String> = several.iter().filter_map(|&index| disk.volumes.get(index)).map(describe).collect();
            let cause = format!("{} could be it, and no default boot entry names one of them", list.join(" and "));
            Err(Error::unsupported("root file system", cause).help("name it: --root PARTITION"))
        }
    }
}

/// Volumes that hold a system: os-release and an init.
fn candidates(disk: &Disk, limits: &Limits) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for index in 0..disk.volumes.len() {
        let Ok(root) = disk.root(index) else { continue };
        let is_candidate = holds(root, RELEASES)? && (holds(root, INITS)? || has_own_usr(root, limits)?);
        if is_candidate {
            found.push(index);
        }
    }
    Ok(found)
}

/// A link counts even when it leads to a volume that is not mounted yet.
fn holds(root: &Root, paths: &[&str]) -> Result<bool> {
    for path in paths {
        match root.symlink_metadata(path) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error.at(*path)),
        }
    }
    Ok(false)
}

fn has_own_usr(root: &Root, limits: &Limits) -> Result<bool> {
    let rows = fstab::read(root, limits)?;
    Ok(rows.is_some_and(|rows| rows.items.iter().any(|row| row.target == "/usr")))
}

/// The volume that `root=` of the default entries names, when they agree.
fn named(disk: &Disk, entries: &[Reached]) -> Result<Option<(usize, String)>> {
    let mut found: Option<(usize, String)> = None;
    for entry in entries.iter().map(|reached| &reached.entry).filter(|entry| entry.is_default) {
        let Some(spec) = root_argument(entry) else { continue };
        match disk.named(&spec) {
            Found::At(index) => match &found {
                Some((known, _)) if *known != index => return Ok(None),
                Some(_) => {}
                None => found = Some((index, spec)),
            },
            // A volume without any known signature holds no root: what names none is judged, not given up.
            Found::Unclear if !is_plain_device(&spec) && disk.volumes.iter().any(OpenVolume::is_unseen) => {
                let cause = format!("root={spec} of the default entry is on no volume that this version reads");
                return Err(Error::unsupported("root file system", cause).help("name another: --root PARTITION"));
            }
            Found::Unclear | Found::Nowhere => {}
        }
    }
    Ok(found)
}

/// The last `root=` of what the entry starts first.
fn root_argument(entry: &Entry) -> Option<String> {
    let cmdline = entry.attempts.first()?.cmdline.as_deref()?;
    let last = cmdline.split_whitespace().rev().find_map(|argument| argument.trim_matches('"').strip_prefix("root="));
    last.map(str::to_owned)
}

/// `/dev/sdb1`: a disk of its own, not one that is made of volumes.
pub(super) fn is_plain_device(spec: &str) -> bool {
    spec.strip_prefix("/dev/").is_some_and(|name| !name.contains('/') && !name.starts_with("dm-"))
}

fn describe(volume: &OpenVolume) -> String {
    let identity = volume.identity.as_ref();
    let kind = identity.map_or("unknown", |identity| identity.kind.as_str());
    let label = identity.and_then(|identity| identity.label.as_deref());
    format!("{} ({kind}{})", volume.display(), label.map(|label| format!(", {label}")).unwrap_or_default())
}

fn no_partition(disk: &Disk, number: u32) -> String {
    let known: Vec<String> = disk.volumes.iter().map(describe).collect();
    format!("there is no partition {number}; there is {}", known.join(", "))
}

fn unopened(disk: &Disk, index: usize, place: &str, error: &Error) -> Error {
    let volume = disk.volumes.get(index).map(describe).unwrap_or_default();
    let kind = if error.kind == ErrorKind::NotFound { ErrorKind::Unsupported } else { error.kind };
    Error::new(kind, "root file system").because(format!("{volume} is named by {place} and cannot be read: {error}"))
}

fn no_candidate(disk: &Disk) -> Error {
    let is_windows = |index: &usize| {
        let Some(volume) = disk.volumes.get(*index) else { return false };
        let has = |path: &str| disk.root(*index).is_ok_and(|root| root.exists(path).unwrap_or(false));
        let is_ntfs = volume.identity.as_ref().is_some_and(|identity| identity.kind == "ntfs");
        let is_unread = volume.filesystem.is_err() && MICROSOFT.contains(&volume.kind.as_str());
        is_ntfs || is_unread || has("/EFI/Microsoft") || has("/bootmgr") || has("/Windows/System32")
    };
    if (0..disk.volumes.len()).any(|index| is_windows(&index)) {
        return Error::unsupported("guest", "this looks like a Windows disk, and Windows cannot be judged yet");
    }
    let reason = |volume: &OpenVolume| match &volume.filesystem {
        Ok(_) => format!("{}: no os-release with an init", describe(volume)),
        Err(error) => format!("{}: {error}", describe(volume)),
    };
    let reasons: Vec<String> = disk.volumes.iter().map(reason).collect();
    Error::unsupported("root file system", format!("no volume holds one: {}", reasons.join("; ")))
}
