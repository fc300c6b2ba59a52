//! The prototype file that `mkfs.xfs -p` reads (xfsprogs, `man 8 mkfs.xfs`): words between white space, without any
//! quoting, so that not every name can be written.

use super::super::listing::{Entry, Kind, Listing};
use crate::bytes::text;
use crate::error::{Error, Result};
use crate::limits::MIB;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Files of this size and more are not read by every release: the length of a file is an `int` there.
const MAX_FILE: u64 = 2048 * MIB;

/// Where ucf keeps what it installed, for three-way merges: `:etc:ssh:sshd_config`. It does without, as it does when a
/// file was never merged.
const UCF_CACHE: &[u8] = b"var/lib/ucf/cache/";

/// A prototype file, and what it cannot say.
#[derive(Debug, Default)]
pub(super) struct Protofile {
    /// The whole text.
    pub(super) text: Vec<u8>,
    /// Hard links that become files of their own.
    pub(super) copies: usize,
    /// Sockets and devices, which are left out: the guest makes its own.
    pub(super) left_out: usize,
    /// Paths of ucf's copies of configuration files, which begin with a colon.
    pub(super) unnamed: Vec<Vec<u8>>,
    /// Files whose path is no word: each is read through a link of this number in the folder of [`write`].
    pub(super) aliases: Vec<Vec<u8>>,
}

/// Writes it for what `folder` holds, both folders as `mkfs.xfs` sees them. With `spaces_as_slashes` a name may have
/// spaces (xfsprogs 6.13).
///
/// # Errors
/// `Unsupported`, naming the file whose name or target cannot be written, or that is too large.
pub(super) fn write(listing: &Listing, folder: &Path, aliases: &Path, spaces_as_slashes: bool) -> Result<Protofile> {
    let mut proto = Protofile::default();
    // A boot file, blocks and inodes: read by no one since IRIX.
    line(&mut proto.text, &[b"/ 0 0"]);
    let mut inodes = BTreeSet::new();
    let mut open = 0_usize;
    for entry in &listing.0 {
        // A `$` ends a folder.
        while open > entry.depth() {
            line(&mut proto.text, &[b"$"]);
            open = open.saturating_sub(1);
        }
        if matches!(entry.kind, Kind::Socket | Kind::Special('b' | 'c')) {
            proto.left_out = proto.left_out.saturating_add(1);
            continue;
        }
        if entry.path.starts_with(UCF_CACHE) && entry.name().starts_with(b":") {
            proto.unnamed.push(entry.path.clone());
            continue;
        }
        if entry.kind == Kind::Regular && !inodes.insert(&entry.inode) {
            proto.copies = proto.copies.saturating_add(1);
        }
        let source = source(entry, folder, aliases, &mut proto.aliases)?;
        write_entry(&mut proto.text, entry, &source, spaces_as_slashes)?;
        if entry.kind == Kind::Directory {
            open = entry.depth().saturating_add(1);
        }
    }
    (0..open).for_each(|_| line(&mut proto.text, &[b"$"]));
    Ok(proto)
}

/// Where the bytes of a regular file are read.
fn source(entry: &Entry, folder: &Path, aliases: &Path, spaced: &mut Vec<Vec<u8>>) -> Result<Vec<u8>> {
    if entry.kind != Kind::Regular {
        return Ok(Vec::new());
    }
    if entry.size >= MAX_FILE {
        return Err(refused(entry, "it has 2 GiB or more, which not every mkfs.xfs reads"));
    }
    let mut path = folder.join(OsStr::from_bytes(&entry.path));
    if entry.path.iter().any(|byte| is_blank(*byte)) {
        path = aliases.join(spaced.len().to_string());
        spaced.push(entry.path.clone());
    }
    Ok(path.into_os_string().into_vec())
}

fn write_entry(out: &mut Vec<u8>, entry: &Entry, source: &[u8], spaces_as_slashes: bool) -> Result<()> {
    let name = word(entry.name(), entry, spaces_as_slashes)?;
    let owner = format!("{} {}", entry.uid, entry.gid);
    let mode = mode(entry);
    let mut words: Vec<&[u8]> = if entry.depth() == 0 { Vec::new() } else { vec![&name] };
    words.extend([mode.as_bytes(), owner.as_bytes()]);
    match entry.kind {
        Kind::Regular => words.push(source),
        Kind::Symlink if entry.target.is_empty() || entry.target.iter().any(|byte| is_blank(*byte)) => {
            return Err(refused(entry, "mkfs.xfs reads no link whose target has white space"));
        }
        // A target that begins with a colon would be a comment.
        Kind::Symlink if entry.target.starts_with(b":") => return Err(refused(entry, "its target begins with ':'")),
        Kind::Symlink => words.push(&entry.target),
        _ => {}
    }
    line(out, &words);
    Ok(())
}

/// A name as a word of the file.
fn word(name: &[u8], entry: &Entry, spaces_as_slashes: bool) -> Result<Vec<u8>> {
    if name.starts_with(b":") || name == b"$" {
        return Err(refused(entry, "mkfs.xfs reads such a name as something else"));
    }
    let has_others = name.iter().any(|byte| is_blank(*byte) && *byte != b' ');
    if has_others || (name.contains(&b' ') && !spaces_as_slashes) {
        return Err(refused(entry, "mkfs.xfs reads no name with white space"));
    }
    Ok(name.iter().map(|byte| if *byte == b' ' { b'/' } else { *byte }).collect())
}

/// What ends a word (`getstr` of `mkfs/proto.c`).
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

fn refused(entry: &Entry, why: &str) -> Error {
    Error::unsupported("xfs file system", why).at(format!("/{}", text(&entry.path))).help(
        "take the file out of the tree, use ext4 for this file system, or xfsprogs 6.13, which reads names with spaces",
    )
}

/// Type, set-user-ID, set-group-ID and nine permission bits; the sticky bit has no place here.
fn mode(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::Directory => 'd',
        Kind::Symlink => 'l',
        Kind::Special(letter) => letter,
        Kind::Regular | Kind::Socket => '-',
    };
    let bit = |bit, letter| if entry.mode & bit == 0 { '-' } else { letter };
    format!("{kind}{}{}{:03o}", bit(0o4000, 'u'), bit(0o2000, 'g'), entry.mode & 0o777)
}

fn line(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend(words.join(&b' '));
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::super::super::listing::tests::listing;
    use super::*;

    #[test]
    fn folders_are_closed_before_what_stands_beside_them() {
        let tree = listing(
            "d 755 0 0 1:1 0 0 1.0 ;;d 1777 0 0 1:2 0 0 1.0 a;;d 700 1 2 1:3 0 0 1.0 a/b;;f 4755 0 0 1:4 3 8 1.0 a/b/f;;\
             f 644 0 0 1:5 0 0 1.0 c;;l 777 0 0 1:6 3 0 1.0 d;a/b;f 644 0 0 1:4 3 8 1.0 e;;c 600 0 0 1:7 0 0 1.0 n;;\
             p 600 0 0 1:8 0 0 1.0 p;;s 600 0 0 1:9 0 0 1.0 s;;",
        );
        let proto = write(&tree, Path::new("tree"), Path::new("x"), false).unwrap();
        let expected = "/ 0 0\nd--755 0 0\na d--777 0 0\nb d--700 1 2\nf -u-755 0 0 tree/a/b/f\n$\n$\nc ---644 0 0 tree/c\n\
            d l--777 0 0 a/b\ne ---644 0 0 tree/e\np p--600 0 0\n$\n";
        assert_eq!(text(&proto.text), expected);
        assert_eq!((proto.copies, proto.left_out), (1, 2));
    }

    #[test]
    fn names_with_spaces_are_written_with_slashes_and_read_through_links() {
        let tree = listing("d 755 0 0 1:1 0 0 1.0 ;;d 755 0 0 1:2 0 0 1.0 a b;;f 644 0 0 1:3 0 0 1.0 a b/c d;;");
        let proto = write(&tree, Path::new("tree"), Path::new("x"), true).unwrap();
        assert_eq!(text(&proto.text), "/ 0 0\nd--755 0 0\na/b d--755 0 0\nc/d ---644 0 0 x/0\n$\n$\n");
        assert_eq!(proto.aliases, [b"a b/c d".to_vec()]);
    }

    #[test]
    fn copies_of_ucf_are_left_out_and_told() {
        let path = "var/lib/ucf/cache/:etc:ssh:sshd_config";
        let tree = listing(&format!("d 755 0 0 1:1 0 0 1.0 ;;f 644 0 0 1:2 0 0 1.0 {path};;"));
        let proto = write(&tree, Path::new("tree"), Path::new("x"), false).unwrap();
        assert_eq!(text(&proto.text), "/ 0 0\nd--755 0 0\n$\n");
        assert_eq!(proto.unnamed, [path.as_bytes().to_vec()]);
    }

    #[test]
    fn names_that_cannot_be_written_are_refused_with_their_path() {
        for (name, target, spaces, said) in [
            ("a b", "", false, Some("/d/a b")),
            ("a b", "", true, None),
            ("a\nb", "", true, Some("/d/a\nb")),
            ("$", "", true, Some("something else")),
            (":a", "", true, Some("something else")),
            ("a:$\"'\\", "", false, None),
            ("caf\u{e9}", "", false, None),
            ("l", "x y", true, Some("target has white space")),
            ("l", ":x", true, Some("':'")),
        ] {
            let kind = if target.is_empty() { 'f' } else { 'l' };
            let tree = listing(&format!(
                "d 755 0 0 1:1 0 0 1.0 ;;d 755 0 0 1:2 0 0 1.0 d;;{kind} 644 0 0 1:3 3 8 1.0 d/{name};{target};"
            ));
            let found = write(&tree, Path::new("tree"), Path::new("x"), spaces).map_err(|error| error.to_string());
            let is_said = |said: &str| found.as_ref().is_err_and(|error| error.contains(said));
            assert!(said.map_or(found.is_ok(), is_said), "{name:?}: {found:?}");
        }
    }
}
