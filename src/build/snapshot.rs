//! Trees as engines made them, kept as archives by what they are made of: installing is what takes a build its minutes.

use super::plan::place;
use super::workshop::{Mode, Workshop, find};
use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The name of the stage in the log.
const STAGE: &str = "cache";
/// Trees that are kept, the latest: one of a Debian takes 300 MB.
const KEPT: usize = 4;

/// A folder of trees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cache<'a>(pub(super) &'a Path);

impl Cache<'_> {
    fn tree(self, key: &str) -> PathBuf {
        self.0.join(format!("tree-{key}.tar"))
    }

    fn packages(self, key: &str) -> PathBuf {
        self.0.join(format!("tree-{key}.packages.json"))
    }

    /// Whether it has the tree of this key.
    pub(super) fn has(self, key: &str) -> bool {
        self.tree(key).is_file() && self.packages(key).is_file()
    }

    /// Puts the tree of this key into the work folder.
    ///
    /// # Errors
    /// As `tar` has them.
    pub(super) fn restore(self, key: &str, shop: &Workshop) -> Result<()> {
        shop.remove(STAGE, &shop.tree())?;
        shop.restart().map_err(|error| self.failed(&error))?;
        shop.run(STAGE, shop.inside("mkdir").arg("--mode=0755").arg(shop.tree()))?;
        let mut tar = archive(shop, "--extract", &self.tree(key));
        tar.args(["--same-permissions", "--same-owner"]);
        shop.run(STAGE, &mut tar)?;
        let packages = shop.folder().join(place::PACKAGES);
        fs::copy(self.packages(key), packages).map_err(|error| self.failed(&error))?;
        // It is the latest again.
        let used = fs::File::options().append(true).open(self.tree(key));
        drop(used.and_then(|file| file.set_modified(SystemTime::now())));
        Ok(())
    }

    /// Keeps the tree of the work folder under this key, and no more than some others.
    ///
    /// # Errors
    /// As `tar` has them.
    pub(super) fn keep(self, key: &str, shop: &Workshop) -> Result<()> {
        let part = self.0.join(format!(".tree-{key}.part"));
        let made = shop.run(STAGE, archive(shop, "--create", &part).args(["--sort=name", "."])).and_then(|()| {
            fs::copy(shop.folder().join(place::PACKAGES), self.packages(key)).map_err(|error| self.failed(&error))?;
            fs::rename(&part, self.tree(key)).map_err(|error| self.failed(&error))
        });
        if made.is_err() {
            drop(fs::remove_file(&part));
        }
        self.prune();
        made
    }

    /// Removes all but the latest; what cannot be removed stays.
    fn prune(self) {
        let Ok(entries) = fs::read_dir(self.0) else { return };
        let trees = entries.filter_map(Result::ok).map(|entry| entry.path());
        let trees = trees.filter(|path| path.extension().is_some_and(|ending| ending == "tar"));
        let mut trees: Vec<(SystemTime, PathBuf)> =
            trees.filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).collect();
        trees.sort();
        trees.reverse();
        for (_, path) in trees.into_iter().skip(KEPT) {
            drop(fs::remove_file(path.with_extension("packages.json")));
            drop(fs::remove_file(path));
        }
    }

    fn failed(self, error: &std::io::Error) -> Error {
        Error::io("cache", error).at(self.0.display().to_string()).help("free some space, or build with --no-cache")
    }
}

/// `tar` as the tree's root, with everything that a file has.
fn archive(shop: &Workshop, what: &str, file: &Path) -> Command {
    let mut tar = shop.inside("tar");
    tar.arg(what).arg("--file").arg(file).arg("--directory").arg(shop.tree()).arg("--numeric-owner");
    if find("zstd").is_some() {
        // 27 is the largest window that is read back without being told. Both take a quarter off, and it counts: this
        // stands there while the disk becomes the image.
        tar.arg("--use-compress-program=zstd -T0 -9 --long=27");
    }
    // Under fakeroot a file loses its type with its capability.
    if shop.mode() != Mode::Fakechroot {
        tar.args(["--xattrs", "--xattrs-include=*"]);
    }
    tar
}
