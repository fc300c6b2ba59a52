//! File systems from the tree, each in a file of its own, without a mount.

mod btrfs;
mod ext4;
mod listing;
mod vfat;
mod xfs;

use super::target::{self, Target};
use crate::build::plan::{FileSystemType, place};
use crate::build::workshop::{Workshop, require};
use crate::error::{Error, Result};
use crate::limits::MIB;
use listing::Listing;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the stage in the log.
const STAGE: &str = "filesystem";
/// Bytes of what a program says of itself.
const MAX_WORDS: u64 = 64 * 1024;
/// Where folders wait that are mounted over others, while these become file systems; in the work folder.
const HELD: &str = "held";
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
    Maker { filesystem: FileSystemType::Ext4, programs: &["mke2fs", "find"], make: ext4::make },
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

/// Makes every file system; the tree is as it was when this returns.
///
/// # Errors
/// A program that is missing, what does not fit, a full disk, and as the programs have them.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    let makers: Vec<&Maker> = options.filesystems.iter().filter_map(|wish| maker(wish.filesystem)).collect();
    require(&makers.iter().flat_map(|maker| maker.programs).copied().collect::<Vec<_>>())?;
    let folder = shop.folder().join(place::FILESYSTEMS);
    std::fs::create_dir_all(&folder).map_err(|error| target::failed(&folder, &error, 0))?;
    // The deepest first: what it holds is out of the way before the file system above it is made.
    let mut order: Vec<(usize, &FileSystem)> = options.filesystems.iter().enumerate().collect();
    order.sort_by_key(|(_, wish)| std::cmp::Reverse(depth(&wish.source)));
    // What an earlier run that was killed left.
    put_back(shop, &order)?;
    let made = order.iter().try_for_each(|(number, wish)| {
        make(shop, wish, options.source_date_epoch)?;
        if depth(&wish.source) > 0 { hold(shop, *number, wish) } else { Ok(()) }
    });
    made.and(put_back(shop, &order))
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
    maker(wish.filesystem).map_or(Ok(()), |maker| (maker.make)(&job, wish))
}

impl Job<'_> {
    fn listing(&self, wish: &FileSystem) -> Result<Listing> {
        let is_folder = self.shop.run(STAGE, self.shop.inside("test").arg("-d").arg(&self.source));
        is_folder.map_err(|_| Error::not_found(format!("folder {} of the tree", wish.source)))?;
        Listing::read(self.shop, STAGE, &self.source)
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

/// Takes the folder out of the tree and leaves an empty one, both folders' times kept.
const HOLD: &str = r#"
touch -r "$(dirname "$1")" "$2.parent"
mv -- "$1" "$2"
mkdir -- "$1"
chown --reference="$2" -- "$1"
chmod --reference="$2" -- "$1"
touch -r "$2" -- "$1"
touch -r "$2.parent" -- "$(dirname "$1")"
"#;
/// Puts it back.
const PUT_BACK: &str = r#"
[ -e "$2" ] || exit 0
[ ! -e "$1" ] || rmdir -- "$1"
mv -- "$2" "$1"
touch -r "$2.parent" -- "$(dirname "$1")"
rm -- "$2.parent"
"#;

fn hold(shop: &Workshop, number: usize, wish: &FileSystem) -> Result<()> {
    let folder = shop.folder().join(HELD);
    shop.run(STAGE, shop.inside("mkdir").arg("-p").arg(&folder))?;
    shop.run(STAGE, &mut script(shop, HOLD, number, wish))
}

fn put_back(shop: &Workshop, order: &[(usize, &FileSystem)]) -> Result<()> {
    if !shop.folder().join(HELD).exists() {
        return Ok(());
    }
    // The shallowest first: a deeper one stands in it.
    let held = order.iter().rev().filter(|(_, wish)| depth(&wish.source) > 0);
    held.into_iter().try_for_each(|(number, wish)| shop.run(STAGE, &mut script(shop, PUT_BACK, *number, wish)))?;
    shop.remove(STAGE, &shop.folder().join(HELD))
}

fn script(shop: &Workshop, text: &str, number: usize, wish: &FileSystem) -> Command {
    let mut command = shop.inside("sh");
    command.args(["-euc", text, "sh"]);
    command.arg(Path::new(place::TREE).join(wish.source.trim_matches('/')));
    command.arg(Path::new(HELD).join(number.to_string()));
    command
}
