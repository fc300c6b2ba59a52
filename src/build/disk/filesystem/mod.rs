//! File systems from the tree, each in a file of its own, without a mount.

mod btrfs;
mod ext4;
mod listing;
mod vfat;
mod xfs;

pub(in crate::build) use ext4::set_aside;

use super::target::{self, Target};
use crate::build::plan::{FileSystemType, place};
use crate::build::workshop::{Workshop, require};
use crate::error::{Error, Result};
use crate::limits::MIB;
use listing::Listing;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The name of the stage in the log.
const STAGE: &str = "filesystem";
/// Bytes of what a program says of itself.
const MAX_WORDS: u64 = 64 * 1024;
/// What keeps a folder's time while it is emptied; in the work folder.
const STAMP: &str = "time";
/// Bytes free below which a failure is the host's: a file system in a file writes no more at once.
const NOTHING_FREE: u64 = MIB;

/// What is made; a subtree that another file system holds is left out of its parent's, but for its empty folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// In disk order.
    pub filesystems: Vec<FileSystem>,
    /// What the time of making becomes.
    pub source_date_epoch: u64,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSystem {
    /// Label of its partition: it is made in `filesystems/PARTITION.img`.
    pub partition: String,
    /// Its type.
    pub filesystem: FileSystemType,
    /// As blkid prints it: `4a1f7c1e-…`, or `0D12-0000` of a FAT.
    pub uuid: String,
    /// Its own label.
    pub label: Option<String>,
    /// Bytes, a multiple of 1 MiB.
    pub size: u64,
    /// What it holds: the folder of the tree that is mounted there, `/` or `/boot`.
    pub source: String,
    /// Features for the program that makes it, as `^metadata_csum_seed` or `nrext64=0`.
    pub features: Vec<String>,
}

/// A type of file system: the programs that make it, and how.
struct Maker {
    filesystem: FileSystemType,
    programs: &'static [&'static str],
    make: fn(&Job<'_>, &FileSystem) -> Result<()>,
}

const MAKERS: &[Maker] = &[
    Maker { filesystem: FileSystemType::Ext4, programs: &["mke2fs", "debugfs", "find"], make: ext4::make },
    Maker { filesystem: FileSystemType::Xfs, programs: &["mkfs.xfs", "xfs_db", "find"], make: xfs::make },
    Maker { filesystem: FileSystemType::Btrfs, programs: &["mkfs.btrfs", "find"], make: btrfs::make },
    Maker { filesystem: FileSystemType::Vfat, programs: &["mkfs.vfat", "mmd", "mcopy", "find"], make: vfat::make },
];

/// A file system that is being made.
struct Job<'a> {
    shop: &'a Workshop,
    /// The folder that it holds, on the host.
    source: PathBuf,
    /// The same from the work folder, where every program runs: white space in the way there does no harm.
    relative: String,
    /// The file in which it is made, there and of its full size.
    image: PathBuf,
    /// The latest time that stands in it.
    epoch: u32,
}

/// Makes every file system of the tree, which is gone when this returns: nothing stands on the disk twice.
///
/// # Errors
/// A program that is missing, what does not fit, a full disk, and as the programs have them.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    let makers: Vec<&Maker> = options.filesystems.iter().filter_map(|wish| maker(wish.filesystem)).collect();
    require(&makers.iter().flat_map(|maker| maker.programs).copied().collect::<Vec<_>>())?;
    let folder = shop.folder().join(place::FILESYSTEMS);
    std::fs::create_dir_all(&folder).map_err(|error| target::failed(&folder, &error, 0))?;
    // The deepest first: what it holds is gone before the file system above it is made.
    let mut order: Vec<&FileSystem> = options.filesystems.iter().collect();
    order.sort_by_key(|wish| std::cmp::Reverse(depth(&wish.source)));
    order.iter().try_for_each(|wish| make(shop, wish, options.source_date_epoch))?;
    shop.remove(STAGE, &shop.tree())
}

fn maker(filesystem: FileSystemType) -> Option<&'static Maker> {
    MAKERS.iter().find(|maker| maker.filesystem == filesystem)
}

fn depth(source: &str) -> usize {
    source.split('/').filter(|name| !name.is_empty()).count()
}

fn make(shop: &Workshop, wish: &FileSystem, epoch: u64) -> Result<()> {
    let relative = match wish.source.trim_matches('/') {
        "" => place::TREE.to_owned(),
        inner => format!("{}/{inner}", place::TREE),
    };
    let image = shop.folder().join(place::FILESYSTEMS).join(format!("{}.img", wish.partition));
    let epoch =
        u32::try_from(epoch).map_err(|_| Error::corrupt("source_date_epoch", format!("{epoch} is past 2106")))?;
    Target::create(&image)?.resize(wish.size)?;
    let job = Job { shop, source: shop.folder().join(&relative), relative, image, epoch };
    shop.write(STAGE, &format!("{} MiB for {}", wish.size.div_ceil(MIB), wish.source));
    maker(wish.filesystem).map_or(Ok(()), |maker| (maker.make)(&job, wish))?;
    job.empty()
}

impl Job<'_> {
    fn listing(&self, wish: &FileSystem) -> Result<Listing> {
        let mut is_folder = self.shop.inside("sh");
        let is_folder = self.shop.run(STAGE, is_folder.args(["-euc", IS_FOLDER, "sh", self.relative.as_str()]));
        is_folder.map_err(|_| {
            Error::not_found(format!("folder {} of the tree", wish.source))
                .because("it is not there, or a link stands in its way")
                .help("the recipe mounts a file system there: the tree needs a folder")
        })?;
        Listing::read(self.shop, STAGE, &self.source)
    }

    /// Takes away what the folder holds.
    fn empty(&self) -> Result<()> {
        let mut command = self.shop.inside("sh");
        command.args(["-euc", EMPTY, "sh", self.relative.as_str(), STAMP]);
        self.shop.run(STAGE, &mut command)
    }

    /// Refuses files of `bytes` that cannot fit, before anything is made.
    fn check_room(&self, wish: &FileSystem, bytes: u64) -> Result<()> {
        if bytes > wish.size {
            return Err(too_small(wish, bytes));
        }
        target::room(&self.image, bytes)
    }

    /// What a program's failure means: the file system is too small, the host's disk is full, or what it says itself.
    fn explain(&self, error: Error, wish: &FileSystem, bytes: u64) -> Error {
        const WORDS: &[&str] =
            &["No space left on device", "Could not allocate", "cannot reserve space", "not enough free"];
        let said = error.cause.as_deref().unwrap_or_default();
        if !WORDS.iter().any(|words| said.contains(words)) {
            return error;
        }
        match target::free(&self.image) {
            Some(free) if free < NOTHING_FREE => target::full(&self.image, bytes),
            _ => too_small(wish, bytes),
        }
    }
}

fn too_small(wish: &FileSystem, bytes: u64) -> Error {
    let [files, size] = [bytes, wish.size].map(|bytes| bytes.div_ceil(MIB));
    let cause =
        format!("the files of {} take {files} MiB, and with its own tables they do not fit {size} MiB", wish.source);
    Error::too_large(format!("file system {}", wish.partition), cause)
        .help("make disk.size or the size of this partition in the recipe larger")
}

/// No name on the way is a link: on the host it would lead out of the tree.
const IS_FOLDER: &str = r#"
while [ -d "$1" ] && [ ! -L "$1" ]; do
  case $1 in */*) set -- "${1%/*}" ;; *) exit 0 ;; esac
done
exit 1
"#;
/// Takes away what a folder holds; its own time stays, for the file system above it has the folder.
const EMPTY: &str = r#"
touch -r "$1" "$2"
find "$1" -mindepth 1 -delete
touch -r "$2" -- "$1"
rm -- "$2"
"#;
