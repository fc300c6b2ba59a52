//! FAT from a folder of the tree: `mkfs.vfat` on a file, then mtools in the order of the names.

use super::listing::{Entry, Kind};
use super::{FileSystem, Job, STAGE};
use crate::bytes::text;
use crate::error::{Error, Result};
use crate::limits::MIB;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::Command;

/// Bytes from which one sector per cluster gives the 65525 clusters that make a FAT32 (Microsoft's FAT specification),
/// which UEFI asks for on a hard disk (UEFI 2.10 §13.3); what is smaller becomes what `mkfs.vfat` chooses.
const FAT32: u64 = 40 * MIB;
/// Bytes up to which a cluster is one sector.
const SMALL: u64 = 260 * MIB;

/// Makes the file system in `job.image`.
///
/// # Errors
/// A file that FAT cannot hold, what does not fit, and as the workshop has them.
pub(super) fn make(job: &Job<'_>, filesystem: &FileSystem) -> Result<()> {
    let listing = job.listing(filesystem)?;
    let bytes = listing.bytes(false);
    job.check_room(filesystem, bytes)?;
    if let Some(entry) = listing.0.iter().find(|entry| !matches!(entry.kind, Kind::Regular | Kind::Directory)) {
        let cause = "FAT holds files and folders only";
        return Err(Error::unsupported("vfat file system", cause).at(format!(
            "{}/{}",
            filesystem.source,
            text(&entry.path)
        )));
    }
    let mut names = BTreeSet::new();
    if let Some(entry) = listing.0.iter().find(|entry| !names.insert(text(&entry.path).to_lowercase())) {
        let cause = "another differs from it only in the case of letters, which FAT does not tell apart";
        return Err(Error::unsupported("vfat file system", cause).at(format!(
            "{}/{}",
            filesystem.source,
            text(&entry.path)
        )));
    }
    let mut mkfs = job.shop.command("mkfs.vfat");
    mkfs.args(arguments(filesystem)).arg(&job.image);
    job.shop.run(STAGE, &mut mkfs)?;
    for entry in listing.0.iter().filter(|entry| entry.depth() > 0) {
        let copied = job.shop.run(STAGE, &mut copy(job, entry));
        copied.map_err(|error| job.explain(error, filesystem, bytes))?;
    }
    Ok(())
}

fn arguments(filesystem: &FileSystem) -> Vec<String> {
    let mut arguments: Vec<String> = ["--invariant", "-S", "512", "-i"].map(str::to_owned).into();
    arguments.push(filesystem.uuid.replace('-', ""));
    if filesystem.size >= FAT32 {
        arguments.extend(["-F", "32"].map(str::to_owned));
        if filesystem.size < SMALL {
            arguments.extend(["-s", "1"].map(str::to_owned));
        }
    }
    if let Some(label) = &filesystem.label {
        arguments.extend(["-n".to_owned(), label.clone()]);
    }
    arguments
}

/// One file or folder; a file has the time of the tree, a folder that of the build.
fn copy(job: &Job<'_>, entry: &Entry) -> Command {
    let target = OsString::from_vec([b"::/", entry.path.as_slice()].concat());
    let is_folder = entry.kind == Kind::Directory;
    let mut command = job.shop.inside(if is_folder { "mmd" } else { "mcopy" });
    command.env("MTOOLSRC", "/dev/null").arg("-i").arg(&job.image);
    if !is_folder {
        // A time later than the build's becomes that one, which mtools takes from SOURCE_DATE_EPOCH.
        if entry.mtime <= job.epoch.into() {
            command.arg("-m");
        }
        command.arg(job.source.join(OsStr::from_bytes(&entry.path)));
    }
    command.arg(target);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::plan::FileSystemType;

    #[test]
    fn the_kind_of_fat_follows_the_size() {
        for (size, expected) in [(16, &[][..]), (64, &["-F", "32", "-s", "1"]), (512, &["-F", "32"])] {
            let filesystem = FileSystem {
                partition: "esp".into(),
                filesystem: FileSystemType::Vfat,
                uuid: "0D12-0000".into(),
                label: Some("EFI".into()),
                size: size * MIB,
                source: "/boot/efi".into(),
                features: Vec::new(),
            };
            let expected = [&["--invariant", "-S", "512", "-i", "0D120000"], expected, &["-n", "EFI"]].concat();
            assert_eq!(arguments(&filesystem), expected);
        }
    }
}
