//! Trees that something else made: an archive, or a folder. Nothing in them is trusted.

use super::{Options, STAGE};
use crate::build::source::digest;
use crate::build::tree::Root;
use crate::build::workshop::Workshop;
use crate::bytes::text;
use crate::error::{Error, Result};
use crate::limits::MIB;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Folders whose content is of the system that made the tree.
const MOUNTED: &[&str] = &["dev", "proc", "run", "sys"];
/// The next step when it is no archive, or one of something else.
const EXPECTED: &str = "the archive of a root tree is expected, without device files; tar --list shows what is in it";
/// Bytes of what tar says of an archive besides its list.
const MAX_WORDS: u64 = MIB;
/// What tells a root tree.
const RELEASES: &[&str] = &["/etc/os-release", "/usr/lib/os-release"];

/// Unpacks an archive that GNU tar reads.
pub(super) fn unpack(options: &Options, shop: &Workshop) -> Result<()> {
    let input = input(options)?;
    let name = input.display().to_string();
    if let Some(expected) = &options.input_sha256 {
        let found = digest(&name)?;
        if found != *expected {
            return Err(Error::corrupt("archive", format!("its SHA-256 is {found}, and {expected} is locked"))
                .at(name)
                .help("bring back the archive that the lock was made with, or build without the lock"));
        }
    }
    if let Some(most) = options.most {
        let bytes = unpacked(&input, shop)?;
        if bytes > most {
            let [bytes, most] = [bytes, most].map(|bytes| bytes.div_ceil(MIB));
            return Err(Error::too_large("archive", format!("it holds {bytes} MiB, and the disk has {most} MiB"))
                .at(name)
                .help("make disk.size in the recipe larger, or leave something out of the tree"));
        }
    }
    make_tree(shop)?;
    // tar itself keeps names and links inside: it takes no `/` and no `..`, and sets links last.
    let mut command = shop.inside("tar");
    command.args(["--extract", "--preserve-permissions", "--numeric-owner", "--same-owner", "--xattrs"]);
    command.args(["--xattrs-include=security.capability", "--xattrs-include=user.*"]);
    for folder in MOUNTED {
        command.arg(format!("--exclude=./{folder}/*")).arg(format!("--exclude={folder}/*"));
    }
    command.arg("--anchored").arg("--directory").arg(shop.tree()).arg("--file").arg(&input);
    shop.run(STAGE, &mut command).map_err(|error| {
        let is_full = error.help.as_ref().is_some_and(|help| help.contains("is full"));
        if is_full { error } else { error.help(EXPECTED) }
    })
}

/// Bytes of the archive once it is unpacked: it could fill the disk before anything in it is looked at.
fn unpacked(input: &Path, shop: &Workshop) -> Result<u64> {
    let mut tar = shop.command("sh");
    // What is wrong with the archive is said by tar when it unpacks.
    let tar = tar.args(["-euc", "tar --list --totals --file \"$1\" 2>&1 >/dev/null || :", "sh"]).arg(input);
    let said = text(&shop.output(STAGE, tar, MAX_WORDS)?);
    // "Total bytes read: 10240 (10KiB, 19MiB/s)"
    let total = said.lines().find_map(|line| line.strip_prefix("Total bytes read: "));
    Ok(total.and_then(|words| words.split(' ').next()?.parse().ok()).unwrap_or(0))
}

/// Copies a folder, owners as we see them.
pub(super) fn copy(options: &Options, shop: &Workshop) -> Result<()> {
    let input = input(options)?;
    let failed = |error: std::io::Error| Error::io("folder", error).at(input.display().to_string());
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&input).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !MOUNTED.iter().any(|name| entry.file_name() == *name) {
            names.push(entry.path());
        }
    }
    names.sort();
    make_tree(shop)?;
    if names.is_empty() {
        return Ok(());
    }
    let mut command = shop.inside("cp");
    command.args(["--archive", "--one-file-system", "--reflink=auto", "--target-directory"]);
    shop.run(STAGE, command.arg(shop.tree()).arg("--").args(names))
}

fn make_tree(shop: &Workshop) -> Result<()> {
    let made = fs::DirBuilder::new().mode(0o755).create(shop.tree());
    made.map_err(|error| Error::io(format!("stage {STAGE}"), error))
}

/// Where it is; the engine works in another folder.
fn input(options: &Options) -> Result<PathBuf> {
    let input = options.input.as_deref().ok_or_else(|| Error::not_found("path of the root tree ([engine] path)"))?;
    std::path::absolute(input).map_err(|error| Error::io("root tree", error).at(input))
}

/// Whether it is a root tree, and holds no device files outside of `/dev`, which the image does not keep.
pub(super) fn look(root: &Root) -> Result<()> {
    if !RELEASES.iter().any(|path| root.exists(path)) {
        return Err(Error::not_found("root tree")
            .because(format!("neither {} is there", RELEASES.join(" nor ")))
            .help("the tree's own / is expected at the top of the archive or folder"));
    }
    for entry in WalkDir::new(root.magic()).same_file_system(true) {
        let entry = entry.map_err(|error| Error::io("root tree", error))?;
        let kind = entry.file_type();
        let path = entry.path().strip_prefix(root.magic()).unwrap_or(entry.path()).display().to_string();
        if (kind.is_block_device() || kind.is_char_device()) && !path.starts_with("dev/") {
            return Err(Error::corrupt("root tree", "it is a device file, and an image needs none")
                .at(format!("/{path}"))
                .help("take it out of the tree"));
        }
    }
    Ok(())
}
