//! An image file → a virtual disk. Every probe runs; two matches are refused; raw is what remains.

use crate::bytes::Bytes;
use crate::error::Result;
use crate::fact::{Flaw, Listing};
use crate::limits::Limits;

/// Files that the user named for parts of an image that live elsewhere; nothing in an image ever opens one.
#[derive(Debug, Default)]
pub struct Overlays {
    /// Backing files, nearest first (`--backing`, repeatable).
    pub backing: Vec<Bytes>,
    /// The external data file (`--data-file`).
    pub data_file: Option<Bytes>,
}

/// An opened image.
#[derive(Debug)]
pub struct Opened {
    /// As `qemu-img` names it.
    pub format: &'static str,
    /// The virtual disk.
    pub disk: Bytes,
    /// Details worth a line: `v3`, `zstd`, `lazy-refcounts`.
    pub features: Vec<String>,
    /// What makes the file unsafe to boot or upload.
    pub flaws: Listing<Flaw>,
}

/// A disk image format.
#[derive(Debug)]
pub struct Format {
    /// As `qemu-img` names it.
    pub name: &'static str,
    probe: fn(&Bytes) -> Result<bool>,
    open: fn(Bytes, &Overlays, &Limits) -> Result<Opened>,
}
