//! Volumes → the guest's tree: which of them is the root, what fstab mounts on it, and what starts it.

mod choose;
mod mounts;
#[cfg(test)]
mod tests;

use super::BootEntry;
use super::bootloader::{self, bios::Code, disk::Disk};
use crate::disk::filesystem::Root;
use crate::error::Result;
use crate::fact::{Fact, Gap, Listing};
use crate::limits::Limits;
use mounts::Mounts;

pub use super::bootloader::OpenVolume;

/// The guest, ready to be read.
#[derive(Debug)]
pub struct Tree {
    /// All its files.
    pub root: Root,
    /// Number of the volume that is `/`; `None` for a directory.
    pub number: Option<u32>,
    /// How it was chosen, as [`super::Root::chosen`] says it.
    pub chosen: String,
    /// What the boot loaders offer, with paths of the guest's tree.
    pub boot_entries: Listing<BootEntry>,
    /// Rows of fstab that could not be mounted.
    pub gaps: Vec<Gap>,
}

/// Chooses the root, mounts the other volumes on it and reads what starts it. `bios` is the
/// loader that BIOS starts, `choose` is the number the user named.
///
/// # Errors
/// When no volume is the root, several may be, or the one that is named cannot be read.
pub fn assemble(
    volumes: Vec<OpenVolume>,
    bios: &Fact<Option<Code>>,
    choose: Option<u32>,
    limits: &Limits,
) -> Result<Tree> {
    let disk = Disk::new(volumes, limits);
    let reached = bootloader::read(&disk, bios, limits);
    let (index, chosen) = choose::root(&disk, &reached.items, choose, limits)?;
    let mut mounts = Mounts::new(&disk, index, limits)?;
    mounts.by_fstab(limits);
    mounts.boot_volumes(&reached.items);
    let boot_entries = mounts.boot_entries(reached);
    let number = disk.volumes.get(index).and_then(|volume| volume.number);
    Ok(Tree { root: mounts.root, number, chosen, boot_entries, gaps: mounts.gaps })
}
