//! A few small files → an ISO 9660 image (ECMA-119) with Rock Ridge (IEEE P1282) and Joliet names, as Nova's `mkisofs -J
//! -r` makes it: Linux takes the Rock Ridge names, Windows the Joliet ones.

use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a logical block; every extent starts at one.
const BLOCK: usize = 2048;
/// The first volume descriptor's block.
const FIRST: u32 = 16;
/// Blocks up to the first directory: primary descriptor, Joliet's, the terminator, two path tables for each.
const DIRECTORIES: u32 = FIRST + 3 + 4;
/// Bytes of all files together: a config drive of Nova is made in 64 MiB at most (`CONFIGDRIVESIZE_BYTES`).
const MAX_CONTENT: usize = 64 * 1024 * 1024;
/// Bytes of a name: an identifier of ECMA-119's level 2 has 31, with the dot that one without extension gets.
const MAX_NAME: usize = 30;
/// 2000-01-01 00:00:00 UTC: the same input makes the same image.
const TIME: [u8; 7] = [100, 1, 1, 0, 0, 0, 0];

/// Which names a tree is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Upper case, with the real name in a Rock Ridge entry.
    Primary,
    /// UCS-2.
    Joliet,
}

impl Names {
    const ALL: [Self; 2] = [Self::Primary, Self::Joliet];
}

/// A directory: its place among all, where it lies, what is in it.
#[derive(Debug, Default)]
struct Directory {
    /// Index of the directory that it is in; the root is in itself.
    parent: usize,
    name: String,
    /// Names of subdirectories, by their index.
    directories: BTreeMap<String, usize>,
    /// Names of files: first block, bytes.
    files: BTreeMap<String, (u32, u32)>,
}

/// The image of the files, by their paths `a/b/c`, under the volume name `label`.
///
/// # Errors
/// When there is too much, or a name is none of lower case letters, digits, `_` and one dot.
pub fn image(label: &str, files: &[(&str, Vec<u8>)]) -> Result<Vec<u8>> {
    let content: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    if content > MAX_CONTENT {
        return Err(Error::too_large("config drive", format!("{content} bytes, at most {MAX_CONTENT}")));
    }
    let mut directories = directories(files)?;
    let count = number(directories.len())?;
    let mut block = DIRECTORIES.saturating_add(count.saturating_mul(2));
    for (path, bytes) in files {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let index = walk(&directories, folder.split('/').filter(|name| !name.is_empty()));
        if let Some(directory) = directories.get_mut(index) {
            directory.files.insert(name.to_owned(), (block, number(bytes.len())?));
        }
        block = block.saturating_add(number(bytes.len().div_ceil(BLOCK))?);
    }

    let mut image = vec![0; BLOCK.saturating_mul(usize::try_from(FIRST).unwrap_or_default())];
    for names in Names::ALL {
        let table = number(path_table(&directories, names, false).len())?;
        append(&mut image, &descriptor(label, names, block, table, block_of(&directories, 0, names)))?;
    }
    append(&mut image, b"\xffCD001\x01")?;
    for names in Names::ALL {
        append(&mut image, &path_table(&directories, names, false))?;
        append(&mut image, &path_table(&directories, names, true))?;
    }
    for names in Names::ALL {
        for index in 0..directories.len() {
            append(&mut image, &records(&directories, index, names))?;
        }
    }
    for (_, bytes) in files {
        image.extend(bytes);
        image.resize(image.len().next_multiple_of(BLOCK), 0);
    }
    Ok(image)
}

fn number(length: usize) -> Result<u32> {
    u32::try_from(length).map_err(|_| Error::too_large("config drive", format!("{length} bytes")))
}

/// Adds what must fit a block.
fn append(image: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    if bytes.len() > BLOCK {
        return Err(Error::too_large("config drive", format!("a directory of {} bytes, at most {BLOCK}", bytes.len())));
    }
    image.extend(bytes);
    image.resize(image.len().next_multiple_of(BLOCK), 0);
    Ok(())
}

/// The root and what the paths name, in a path table's order: by level, then as their parents stand, then by name.
fn directories(files: &[(&str, Vec<u8>)]) -> Result<Vec<Directory>> {
    let mut folders: BTreeSet<(usize, Vec<&str>)> = BTreeSet::from([(0, Vec::new())]);
    for (path, _) in files {
        let mut names: Vec<&str> = path.split('/').collect();
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(Error::unsupported("config drive", format!("the name {name}")));
        }
        while names.pop().is_some() {
            folders.insert((names.len(), names.clone()));
        }
    }
    let mut directories: Vec<Directory> = Vec::new();
    for (index, (_, mut names)) in folders.into_iter().enumerate() {
        let name = names.pop().unwrap_or_default();
        let parent = walk(&directories, names.into_iter());
        if let Some(parent) = directories.get_mut(parent) {
            parent.directories.insert(name.to_owned(), index);
        }
        directories.push(Directory { parent, name: name.to_owned(), ..Directory::default() });
    }
    Ok(directories)
}

fn is_name(name: &str) -> bool {
    let is_right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.');
    let has_stem = name.bytes().next().is_some_and(|first| first != b'.') && name.matches('.').count() < 2;
    has_stem && name.len() <= MAX_NAME && name.bytes().all(is_right)
}

/// The index of the directory at the end of the names.
fn walk<'a>(directories: &[Directory], mut names: impl Iterator<Item = &'a str>) -> usize {
    let step = |at: usize, name: &str| directories.get(at).and_then(|found| found.directories.get(name)).copied();
    names.try_fold(0, step).unwrap_or_default()
}

fn block_of(directories: &[Directory], index: usize, names: Names) -> u32 {
    let before = if names == Names::Joliet { directories.len() } else { 0 };
    DIRECTORIES.saturating_add(u32::try_from(before.saturating_add(index)).unwrap_or(u32::MAX))
}

/// A name as the tree spells it; files have a version.
fn identifier(name: &str, is_file: bool, names: Names) -> Vec<u8> {
    match names {
        Names::Primary if !is_file => name.to_ascii_uppercase().into_bytes(),
        Names::Primary if name.contains('.') => format!("{};1", name.to_ascii_uppercase()).into_bytes(),
        Names::Primary => format!("{}.;1", name.to_ascii_uppercase()).into_bytes(),
        Names::Joliet => ucs2(&format!("{name}{}", if is_file { ";1" } else { "" })),
    }
}

fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Both byte orders, as most numbers of ECMA-119 are written.
fn both(value: u32) -> impl Iterator<Item = u8> {
    value.to_le_bytes().into_iter().chain(value.to_be_bytes())
}

/// The directories' names, blocks and parents, in one byte order: ECMA-119, 9.4.
fn path_table(directories: &[Directory], names: Names, is_big_endian: bool) -> Vec<u8> {
    let mut table = Vec::new();
    for (index, directory) in directories.iter().enumerate() {
        let name = if index == 0 { vec![0] } else { identifier(&directory.name, false, names) };
        let block = block_of(directories, index, names);
        let parent = u16::try_from(directory.parent.saturating_add(1)).unwrap_or(u16::MAX);
        table.extend([u8::try_from(name.len()).unwrap_or(u8::MAX), 0]);
        if is_big_endian {
            table.extend(block.to_be_bytes());
            table.extend(parent.to_be_bytes());
        } else {
            table.extend(block.to_le_bytes());
            table.extend(parent.to_le_bytes());
        }
        table.extend(&name);
        table.resize(table.len().next_multiple_of(2), 0);
    }
    table
}

/// The records of a directory: itself, its parent, what is in it by name: ECMA-119, 9.3.
fn records(directories: &[Directory], index: usize, names: Names) -> Vec<u8> {
    let Some(directory) = directories.get(index) else { return Vec::new() };
    let block = u32::try_from(BLOCK).unwrap_or_default();
    let folder = |index| (block_of(directories, index, names), block);
    let mut rows = BTreeMap::new();
    for (name, index) in &directory.directories {
        let id = identifier(name, false, names);
        rows.insert(id.clone(), record(&id, folder(*index), true, &rock_ridge(name, true, names)));
    }
    for (name, extent) in &directory.files {
        let id = identifier(name, true, names);
        rows.insert(id.clone(), record(&id, *extent, false, &rock_ridge(name, false, names)));
    }
    let mut own = rock_ridge("", true, names);
    if index == 0 && names == Names::Primary {
        // SUSP's sign that such entries follow, and the name of the extension: read of the root alone.
        own = [b"SP\x07\x01\xbe\xef\x00", own.as_slice(), b"ER\x12\x01\x0a\x00\x00\x01RRIP_1991A"].concat();
    }
    let itself = record(&[0], folder(index), true, &own);
    let parent = record(&[1], folder(directory.parent), true, &rock_ridge("", true, names));
    [itself, parent].into_iter().chain(rows.into_values()).flatten().collect()
}

fn record(identifier: &[u8], (block, size): (u32, u32), is_directory: bool, more: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0];
    record.extend(both(block));
    record.extend(both(size));
    record.extend(TIME);
    // Flags, no interleaving, volume 1 of the set.
    record.extend([if is_directory { 2 } else { 0 }, 0, 0, 1, 0, 0, 1]);
    record.push(u8::try_from(identifier.len()).unwrap_or(u8::MAX));
    record.extend(identifier);
    record.resize(record.len().next_multiple_of(2), 0);
    record.extend(more);
    record.resize(record.len().next_multiple_of(2), 0);
    let length = u8::try_from(record.len()).unwrap_or(u8::MAX);
    record.first_mut().into_iter().for_each(|first| *first = length);
    record
}

/// The POSIX attributes and the real name: readable by all and owned by root, as `mkisofs -r` makes them.
fn rock_ridge(name: &str, is_directory: bool, names: Names) -> Vec<u8> {
    if names == Names::Joliet {
        return Vec::new();
    }
    let mut entries = b"PX\x24\x01".to_vec();
    let (mode, links) = if is_directory { (0o040_555, 2) } else { (0o100_444, 1) };
    entries.extend([mode, links, 0, 0].into_iter().flat_map(both));
    if !name.is_empty() {
        entries.extend(b"NM");
        entries.extend([u8::try_from(name.len().saturating_add(5)).unwrap_or(u8::MAX), 1, 0]);
        entries.extend(name.as_bytes());
    }
    entries
}

/// A volume descriptor of `blocks`: ECMA-119, 8.4; Joliet's is told by its escape sequence.
fn descriptor(label: &str, names: Names, blocks: u32, table: u32, root: u32) -> Vec<u8> {
    let is_joliet = names == Names::Joliet;
    let padded = |text: &str, length: usize| {
        // A field of odd length ends with half a character.
        let text = format!("{text:<length$}");
        let mut field = if is_joliet { ucs2(&text) } else { text.into_bytes() };
        field.truncate(length);
        field
    };
    let tables = FIRST.saturating_add(if is_joliet { 5 } else { 3 });
    let mut bytes = vec![if is_joliet { 2 } else { 1 }];
    bytes.extend(b"CD001\x01\x00");
    bytes.extend(padded("LINUX", 32));
    bytes.extend(padded(label, 32));
    bytes.extend([0; 8]);
    bytes.extend(both(blocks));
    bytes.extend(if is_joliet { b"%/E" } else { b"\0\0\0" });
    bytes.extend([0; 29]);
    bytes.extend([1, 0, 0, 1, 1, 0, 0, 1, 0, 8, 8, 0]); // one volume, number 1, blocks of 2048 bytes
    bytes.extend(both(table));
    bytes.extend(tables.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(tables.saturating_add(1).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(record(&[0], (root, u32::try_from(BLOCK).unwrap_or_default()), true, &[]));
    bytes.extend(padded("", 128));
    bytes.extend(padded("OpenStack Compute", 128));
    bytes.extend(padded("", 128 + 128 + 37 + 37 + 37));
    (0..4).for_each(|_| bytes.extend(b"0000000000000000\0")); // made, changed, expires, from: not said
    bytes.push(1);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes_are_bounded() {
        for name in ["", "/a", "a//b", "..", ".a", "a.b.c", "A", "ä", "a b", "../a", &"x".repeat(31)] {
            assert!(image("x", &[(name, Vec::new())]).is_err(), "{name}");
        }
        let names: Vec<String> = (0..40).map(|number| format!("file_{number}")).collect();
        let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), Vec::new())).collect();
        assert!(image("x", &files).unwrap_err().to_string().starts_with("config drive: a directory of "));
        assert!(image("x", &[("a", vec![0; MAX_CONTENT + 1])]).is_err());
    }

    #[test]
    fn directories_stand_by_level() {
        let files: Vec<(&str, Vec<u8>)> = ["b/x/f", "a/y/f", "a/x/f", "f"].map(|path| (path, Vec::new())).to_vec();
        let found = directories(&files).unwrap();
        let found: Vec<(&str, usize)> = found.iter().map(|found| (found.name.as_str(), found.parent)).collect();
        assert_eq!(found, [("", 0), ("a", 0), ("b", 0), ("x", 1), ("y", 1), ("x", 2)]);
    }
}
