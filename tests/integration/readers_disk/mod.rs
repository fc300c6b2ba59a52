//! The disk readers against the reference tools: equal bytes, equal names, equal identities.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::disallowed_methods, reason = "test code")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test code")]

mod ext;
mod ext_hostile;
mod ext_journal;
mod filesystems;
mod gpt;
mod hostile;
mod mbr;
mod qcow2;

use crate::common::tool;
use bootworthy::bytes::{Bytes, Window};
use bootworthy::disk::filesystem::{self, FileSystem};
use bootworthy::disk::image::{self, Opened, Overlays};
use bootworthy::disk::source::FileBytes;
use bootworthy::disk::volume::{self, Scan};
use bootworthy::error::Result;
use bootworthy::limits::Limits;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Numbers that look random and are the same in every run (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(length).collect()
    }
}

/// A folder for one test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path as an argument.
    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        File::create(self.path(name)).unwrap().write_all(bytes).unwrap();
        self.at(name)
    }

    /// A file of zeros.
    fn sized(&self, name: &str, size: u64) -> String {
        File::create(self.path(name)).unwrap().set_len(size).unwrap();
        self.at(name)
    }
}

fn run(command: &[&str]) -> Vec<u8> {
    tool(command[0], &command[1..])
}

fn file(path: impl AsRef<Path>) -> Bytes {
    Arc::new(FileBytes::new(File::open(path).unwrap()).unwrap())
}

fn memory(bytes: Vec<u8>) -> Bytes {
    Arc::new(bytes)
}

fn opened(path: impl AsRef<Path>) -> Opened {
    image::open(file(path), &Overlays::default(), &Limits::default()).unwrap()
}

fn scan(disk: &Bytes) -> Result<Scan> {
    volume::scan(disk, &Limits::default())
}

fn mount(volume: Bytes) -> Result<Box<dyn FileSystem>> {
    filesystem::open(volume, &Limits::default())
}

/// The volume of the only partition whose file system is of `kind`.
fn volume_of(disk: &Bytes, kind: &str) -> Bytes {
    let windows = scan(disk).unwrap().partitions.into_iter();
    let windows = windows.map(|part| Arc::new(Window::new(Arc::clone(disk), part.start, part.size)) as Bytes);
    let is_kind = |volume: &Bytes| filesystem::identify(volume).unwrap().is_some_and(|found| found.kind == kind);
    let found: Vec<Bytes> = windows.filter(is_kind).collect();
    assert_eq!(found.len(), 1, "volumes with {kind}");
    Arc::clone(&found[0])
}

/// All bytes, read in parts of a size that no format uses.
fn all_bytes(disk: &Bytes) -> Vec<u8> {
    let mut bytes = vec![0xaa; usize::try_from(disk.size()).unwrap()];
    for (index, part) in bytes.chunks_mut(777_777).enumerate() {
        disk.read_at(index as u64 * 777_777, part).unwrap();
    }
    bytes
}

/// Writes a volume to a file of the host, holes where it is empty.
fn copy(volume: &Bytes, path: &str) {
    use std::os::unix::fs::FileExt as _;
    let target = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let mut part = vec![0; 1024 * 1024];
    for at in (0..volume.size()).step_by(part.len()) {
        let length = usize::try_from(volume.size() - at).unwrap().min(part.len());
        volume.read_at(at, &mut part[..length]).unwrap();
        if part[..length].iter().any(|byte| *byte != 0) {
            target.write_all_at(&part[..length], at).unwrap();
        }
    }
}
