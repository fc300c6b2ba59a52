//! ext4 from a folder of the tree: `mke2fs -d`, its large files by `debugfs`, then the times that these take from the
//! builder's file system.

mod aside;
mod large;
mod times;
mod writes;

pub(in crate::build) use aside::set_aside;

use super::{FileSystem, Job, STAGE};
use crate::build::disk::target::Target;
use crate::error::{Error, Result};
use crate::limits::MIB;

/// What mke2fs 1.47.0 makes by its own configuration, without `metadata_csum_seed` and `orphan_file`, which GRUB 2.06
/// does not read. Every word stands here: the host's `/etc/mke2fs.conf` has no say.
const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
    large_file,huge_file,dir_nlink,extra_isize,metadata_csum";
/// Bytes of the file system per inode, as mke2fs has it for ordinary ones.
const INODE_RATIO: u64 = 16384;
/// Inodes that are free in the smallest file system.
const SPARE_INODES: u64 = 1024;
/// Bytes of the smallest file system that has room for a journal.
const SMALLEST: u64 = 8 * MIB;

/// Makes the file system in `job.image`; the folder is empty when this returns.
///
/// # Errors
/// What does not fit, and as the workshop has them.
pub(super) fn make(job: &Job<'_>, filesystem: &FileSystem) -> Result<()> {
    let listing = job.listing(filesystem)?;
    let bytes = listing.bytes(true);
    if filesystem.size < SMALLEST {
        let cause = format!("{} MiB, at least {} are needed", filesystem.size.div_ceil(MIB), SMALLEST.div_ceil(MIB));
        return Err(Error::unsupported("ext4 file system", cause).at(filesystem.partition.clone()));
    }
    job.check_room(filesystem, bytes)?;
    let files = u64::try_from(listing.0.len()).unwrap_or(u64::MAX);
    let large = large::take(job, &listing)?;
    let mut mke2fs = job.shop.inside("mke2fs");
    mke2fs.env("MKE2FS_CONFIG", "/dev/null").env("E2FSPROGS_FAKE_TIME", job.epoch.to_string());
    // The names of a folder are sorted as strcoll has it.
    mke2fs.env("LC_ALL", "C").args(arguments(filesystem, files)).arg("-d").arg(&job.source).arg(&job.image);
    let made = job.shop.run(STAGE, &mut mke2fs);
    let made = made.and_then(|()| job.empty()).and_then(|()| large::give(job, &large));
    made.map_err(|error| job.explain(error, filesystem, bytes))?;
    let made = Target::open(&job.image)?;
    times::settle(&made, job.epoch)?;
    writes::settle(&made)
}

fn arguments(filesystem: &FileSystem, files: u64) -> Vec<String> {
    let uuid = &filesystem.uuid;
    let features = [FEATURES.to_owned()].into_iter().chain(filesystem.features.iter().cloned());
    let usual = filesystem.size.checked_div(INODE_RATIO).unwrap_or(0);
    // A quarter more than there are: the guest will make files too.
    let least = files.saturating_add(files >> 2).saturating_add(SPARE_INODES);
    let inodes = usual.max(least).to_string();
    let extended = format!("lazy_itable_init=0,lazy_journal_init=1,discard,root_owner=0:0,hash_seed={uuid}");
    let features = features.collect::<Vec<_>>().join(",");
    let pairs = [
        ("-b", "4096"),
        ("-I", "256"),
        ("-N", &inodes),
        ("-O", &features),
        ("-E", &extended),
        ("-U", uuid),
        ("-L", filesystem.label.as_deref().unwrap_or_default()),
    ];
    let pairs = pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
    ["-q", "-F"].map(str::to_owned).into_iter().chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::plan::FileSystemType;

    #[test]
    fn inodes_are_enough_for_the_tree() {
        for (size, files, expected) in [(1024, 100, "65536"), (1024, 60_000, "76024"), (16, 0, "1024")] {
            let filesystem = FileSystem {
                partition: "root".into(),
                filesystem: FileSystemType::Ext4,
                uuid: "u".into(),
                label: None,
                size: size * MIB,
                source: "/".into(),
                features: vec!["^64bit".into()],
            };
            let words = arguments(&filesystem, files);
            let value = |flag: &str| words.iter().skip_while(|word| *word != flag).nth(1).cloned().unwrap();
            assert_eq!(value("-N"), expected);
            assert!(value("-O").ends_with("metadata_csum,^64bit"));
        }
    }
}
