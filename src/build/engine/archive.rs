//! Trees that something else made: an archive, or a folder. Nothing in them is trusted.

use super::{Options, STAGE};
use crate::build::source::digest;
use crate::build::tree::Root;
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::PathBuf;
use walkdir::WalkDir;

/// Folders whose content is of the system that made the tree.
const MOUNTED: &[&str] = &["dev", "proc", "run", "sys"];
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
        error.help("the archive of a root tree is expected, without device files; tar --list shows what is in it")
    })
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
