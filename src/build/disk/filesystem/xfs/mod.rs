//! XFS from a folder of the tree: `mkfs.xfs -p`, then what its prototype file cannot say.

mod inodes;
mod protofile;

use super::listing::Listing;
use super::{FileSystem, Job};
use crate::build::disk::target::{self, Target};
use crate::bytes::text;
use crate::error::{Error, Result};
use crate::limits::MIB;
use inodes::{Layout, Wish};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Bytes of the smallest file system that `mkfs.xfs` makes (since xfsprogs 5.19).
const SMALLEST: u64 = 300 * MIB;
/// Bytes of what `xfs_db` says: a line per file.
const MAX_NAMES: u64 = 256 * MIB;
/// Features that GRUB reads since 2.06, whatever the host's `/usr/share/xfsprogs/mkfs` says; of the same name as in the
/// recipe, which comes later and wins.
const FEATURES: &[(&str, &str)] = &[
    ("-m", "crc=1,finobt=1,rmapbt=0,reflink=1,bigtime=1,inobtcount=1"),
    ("-i", "sparse=1,nrext64=0"),
    ("-n", "ftype=1"),
];
/// The same of features that mkfs.xfs knows since 6.10, and that no GRUB reads.
const FEATURES_6_10: &[(&str, &str)] = &[("-i", "exchange=0"), ("-n", "parent=0")];

/// Makes the file system in `job.image`.
///
/// # Errors
/// A name that cannot be written, what does not fit, and as the workshop has them.
pub(super) fn make(job: &Job<'_>, filesystem: &FileSystem) -> Result<()> {
    let listing = job.listing(filesystem)?;
    if filesystem.size < SMALLEST {
        let cause = format!("{} MiB, mkfs.xfs makes none below 300", filesystem.size.div_ceil(MIB));
        return Err(Error::unsupported("xfs file system", cause).at(filesystem.partition.clone()));
    }
    job.check_room(filesystem, listing.bytes(false))?;
    let version = version(job)?;
    check_features(filesystem)?;
    let proto = protofile::write(&listing, Path::new(&job.relative), Path::new(ALIASES), version >= (6, 13))?;
    tell(job, &proto, version);
    let file = job.shop.folder().join(PROTOFILE);
    Target::create(&file)?.write(0, &proto.text)?;
    link_aliases(job, &proto.aliases)?;
    let mut mkfs = job.shop.inside("mkfs.xfs");
    mkfs.args(["-q", "-f"]).args(arguments(filesystem, version));
    mkfs.arg("-p").arg(if version >= (6, 13) { format!("{PROTOFILE},slashes_are_spaces=1") } else { PROTOFILE.into() });
    let made = job.shop.run(super::STAGE, mkfs.arg(&job.image));
    made.map_err(|error| job.explain(error, filesystem, listing.bytes(false)))?;
    settle(job, &listing)?;
    let left = [file, job.shop.folder().join(ALIASES)];
    left.iter().try_for_each(|path| job.shop.remove(super::STAGE, path))
}

/// Names in the work folder, where `mkfs.xfs` runs.
const PROTOFILE: &str = "xfs.proto";
const ALIASES: &str = "xfs.names";

fn tell(job: &Job<'_>, proto: &protofile::Protofile, version: (u32, u32)) {
    let says = |line: String| job.shop.write(super::STAGE, &line);
    if proto.copies > 0 {
        says(format!("xfs: {} hard links became files of their own: a prototype file has none", proto.copies));
    }
    if proto.left_out > 0 {
        says(format!("xfs: {} devices and sockets were left out: the guest makes its own", proto.left_out));
    }
    for path in &proto.unnamed {
        says(format!("xfs: /{} was left out: a prototype file has no name that begins with ':'", text(path)));
    }
    // xfsprogs 6.13, mkfs/proto.c: writeattrs.
    if version < (6, 13) {
        says("xfs: extended attributes and capabilities of files are lost: mkfs.xfs copies them since 6.13".into());
    }
}

fn link_aliases(job: &Job<'_>, aliases: &[Vec<u8>]) -> Result<()> {
    let folder = job.shop.folder().join(ALIASES);
    job.shop.remove(super::STAGE, &folder)?;
    let failed = |error| Error::io("names for mkfs.xfs", error);
    std::fs::create_dir(&folder).map_err(failed)?;
    for (number, path) in aliases.iter().enumerate() {
        let target = Path::new("..").join(&job.relative).join(std::ffi::OsStr::from_bytes(path));
        std::os::unix::fs::symlink(target, folder.join(number.to_string())).map_err(failed)?;
    }
    Ok(())
}

/// A feature that is none of ours would be passed over.
fn check_features(filesystem: &FileSystem) -> Result<()> {
    let words = FEATURES.iter().chain(FEATURES_6_10).flat_map(|(_, words)| words.split(','));
    let known: Vec<&str> = words.filter_map(|word| word.split_once('=')).map(|(name, _)| name).collect();
    let is_known = |wish: &&String| wish.split_once('=').is_some_and(|(name, _)| known.contains(&name));
    filesystem.features.iter().find(|wish| !is_known(wish)).map_or(Ok(()), |wish| {
        Err(Error::unsupported("xfs feature", format!("{wish:?}, expected {}=0 or =1", known.join("=, "))))
    })
}

/// Identity and features; of two values for one feature `mkfs.xfs` would refuse the second.
fn arguments(filesystem: &FileSystem, version: (u32, u32)) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    let newer = if version >= (6, 10) { FEATURES_6_10 } else { &[] };
    let ours = FEATURES.iter().chain(newer).flat_map(|(flag, words)| words.split(',').map(move |word| (*flag, word)));
    for (flag, word) in ours {
        let (name, value) = word.split_once('=').unwrap_or((word, "1"));
        let wished = filesystem.features.iter().rev().find_map(|wish| wish.strip_prefix(name)?.strip_prefix('='));
        groups.entry(flag).or_default().push((name.to_owned(), wished.unwrap_or(value).to_owned()));
    }
    groups.entry("-m").or_default().push(("uuid".to_owned(), filesystem.uuid.clone()));
    let mut arguments = Vec::new();
    for (flag, words) in groups {
        let words: Vec<String> = words.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        arguments.extend([flag.to_owned(), words.join(",")]);
    }
    if let Some(label) = &filesystem.label {
        arguments.extend(["-L".to_owned(), label.clone()]);
    }
    arguments
}

/// Major and minor of `mkfs.xfs version 6.1.0`.
fn version(job: &Job<'_>) -> Result<(u32, u32)> {
    let said = job.shop.output(super::STAGE, job.shop.command("mkfs.xfs").arg("-V"), super::MAX_WORDS)?;
    parse_version(&text(&said))
        .ok_or_else(|| Error::unsupported("mkfs.xfs", format!("its version is {:?}", text(&said))))
}

fn parse_version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.trim().rsplit(' ').next()?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Sets times and sticky bits by the names that `xfs_db` finds for the inodes.
fn settle(job: &Job<'_>, listing: &Listing) -> Result<()> {
    let mut names = job.shop.command("xfs_db");
    names.args(["-r", "-c", "blockget -n", "-c", "ncheck"]).arg(&job.image);
    let names = job.shop.output(super::STAGE, &mut names, MAX_NAMES)?;
    let file = Target::open(&job.image)?;
    let layout = Layout::read(&file)?;
    let inodes = numbers(&names, layout.root);
    let mut wishes = BTreeMap::new();
    for entry in &listing.0 {
        let Some(inode) = inodes.get(entry.path.as_slice()) else { continue };
        // A time before 1970 is as little true as one after the build.
        let mtime = u32::try_from(entry.mtime).unwrap_or(job.epoch);
        wishes.insert(*inode, Wish { mode: entry.mode, mtime });
    }
    if wishes.len() < inodes.len() {
        let cause = format!("{} files, the tree has names for {}", inodes.len(), wishes.len());
        return Err(Error::corrupt("xfs file system that was made", cause).at(target::shown(&job.image)));
    }
    inodes::settle(&file, &layout, &wishes, job.epoch)
}

/// `  262272 a/.` of a folder, `  262273 a/f` of another file; the root is not said.
fn numbers(said: &[u8], root: u64) -> BTreeMap<&[u8], u64> {
    let lines = said.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.trim_ascii_start();
        let space = line.iter().position(|byte| *byte == b' ')?;
        let number = std::str::from_utf8(line.get(..space)?).ok()?.parse().ok()?;
        let path = line.get(space.checked_add(1)?..)?;
        Some((path.strip_suffix(b"/.").unwrap_or(path), number))
    });
    let mut numbers: BTreeMap<&[u8], u64> = lines.collect();
    numbers.insert(b"", root);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::plan::FileSystemType;

    #[test]
    fn a_feature_of_the_recipe_replaces_ours() {
        let filesystem = FileSystem {
            partition: "root".into(),
            filesystem: FileSystemType::Xfs,
            uuid: "4a1f7c1e-6d0e-4b5b-9f0c-0d1300000001".into(),
            label: Some("ROOT".into()),
            size: 512 * MIB,
            source: "/".into(),
            features: vec!["bigtime=0".into()],
        };
        let uuid = "uuid=4a1f7c1e-6d0e-4b5b-9f0c-0d1300000001";
        let m = format!("crc=1,finobt=1,rmapbt=0,reflink=1,bigtime=0,inobtcount=1,{uuid}");
        let expected = ["-i", "sparse=1,nrext64=0", "-m", &m, "-n", "ftype=1", "-L", "ROOT"];
        assert_eq!(arguments(&filesystem, (6, 1)), expected);
        assert_eq!(arguments(&filesystem, (6, 13))[1], "sparse=1,nrext64=0,exchange=0");
    }

    #[test]
    fn versions_and_names_are_read() {
        assert_eq!(parse_version("mkfs.xfs version 6.1.0\n"), Some((6, 1)));
        assert_eq!(parse_version("mkfs.xfs version 6.13.0-rc1\n"), Some((6, 13)));
        assert_eq!(parse_version("x"), None);
        let said = b"     262272 a/.\n     262273 a/f g\n";
        let expected: [(&[u8], u64); 3] = [(b"", 128), (b"a", 262_272), (b"a/f g", 262_273)];
        assert_eq!(numbers(said, 128).into_iter().collect::<Vec<_>>(), expected);
    }
}
