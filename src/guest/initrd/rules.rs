//! The unpacked tree → its modprobe.d, and what it loads by name.

use super::rootfs::{Content, File, Rootfs};
use crate::bytes::text;
use crate::error::Error;
use crate::fact::{Gap, Listing};
use crate::guest::modprobe::{
    Body, Folder, Kind, MODPROBE, MODULES_LOAD, cmdline_blacklists, cmdline_loads, initrd_loads, is_mask, modules_load,
    rules_in,
};
use crate::guest::{ModprobeRule, ModuleLoad};
use crate::limits::Limits;
use std::collections::BTreeSet;

/// Where dracut's `getargs` looks besides the kernel's command line.
const CMDLINE: &[&str] = &["/etc/cmdline.d", "/usr/lib/cmdline.d"];
/// Lists of modules of initramfs-tools, mkinitfs and mkinitcpio.
const LISTS: &[&str] = &["/conf/modules", "/etc/modules", "/config"];

/// modprobe.d in the order in which kmod reads it, then what dracut makes of its cmdline.d; `hidden` are the gaps of
/// what the tree itself may hide.
pub(super) fn rules(rootfs: &Rootfs, hidden: &[Gap], limits: &Limits) -> Listing<ModprobeRule> {
    let folders = folders(rootfs, MODPROBE, Kind::Modprobe);
    let mut rules = rules_in(folders, hidden.to_vec(), limits.list_rows);
    for (path, body) in cmdlines(rootfs) {
        match body {
            Body::Text(bytes) => {
                rules.items.extend(lines(&bytes).flat_map(|(line, words)| cmdline_blacklists(&path, line, &words)));
            }
            Body::Mask => {}
            Body::Unread(gap) => rules.gaps.push(gap),
        }
    }
    rules
}

/// What the initrd loads by name; `hidden` as for [`rules`].
pub(super) fn loads(rootfs: &Rootfs, hidden: &[Gap]) -> Listing<ModuleLoad> {
    let mut loads = modules_load(folders(rootfs, MODULES_LOAD, Kind::Conf), hidden.to_vec());
    let lists = LISTS.iter().filter_map(|path| Some(((*path).to_owned(), body(path, rootfs.file(path.as_bytes())?))));
    for (path, body) in lists.chain(cmdlines(rootfs)) {
        match body {
            Body::Text(bytes) => {
                let list = initrd_loads(&path, &bytes);
                let words = || lines(&bytes).flat_map(|(line, words)| cmdline_loads(&path, line, &words)).collect();
                loads.items.extend(list.unwrap_or_else(words));
            }
            Body::Mask => {}
            Body::Unread(gap) => loads.gaps.push(gap),
        }
    }
    loads
}

/// dracut's own command lines.
fn cmdlines(rootfs: &Rootfs) -> Vec<(String, Body)> {
    let single = rootfs.file(b"/etc/cmdline").map(|file| ("/etc/cmdline".to_owned(), body("/etc/cmdline", file)));
    let folders = folders(rootfs, CMDLINE, Kind::Conf).into_iter();
    let files = folders.flat_map(|Folder { path, files, .. }| {
        files.into_iter().map(move |(name, body)| (format!("{path}/{}", text(&name)), body))
    });
    single.into_iter().chain(files).collect()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = (u32, String)> {
    let lines: Vec<String> = bytes.split(|byte| *byte == b'\n').map(text).collect();
    (1_u32..).zip(lines)
}

/// The folders of `paths` that there are; one that is another by a link is read once.
fn folders(rootfs: &Rootfs, paths: &[&str], kind: Kind) -> Vec<Folder> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for path in paths {
        let Some(node) = rootfs.directory(path.as_bytes()).filter(|node| seen.insert(*node)) else { continue };
        let files = rootfs.files(node).filter(|(name, _)| kind.reads(name));
        let mut files: Vec<(Vec<u8>, Body)> =
            files.map(|(name, file)| (name.to_vec(), body(&format!("{path}/{}", text(name)), file))).collect();
        let masks = rootfs.links(node).filter(|(name, target)| kind.reads(name) && is_mask(path, target));
        files.extend(masks.map(|(name, _)| (name.to_vec(), Body::Mask)));
        let is_optional = ["/usr/lib/", "/lib/"].iter().any(|start| path.starts_with(start));
        found.push(Folder { path: (*path).to_owned(), files, is_optional });
    }
    found
}

fn body(path: &str, file: &File) -> Body {
    let unread = |error: &Error| Body::Unread(Gap::new(format!("{path}: {error}")));
    match &file.content {
        _ if file.size == 0 => Body::Text(Vec::new()),
        Content::Config(Ok(bytes)) => Body::Text(bytes.clone()),
        Content::Config(Err(error)) => unread(error),
        _ => Body::Unread(Gap::new(format!("{path} is not read: it is a link to another name"))),
    }
}
