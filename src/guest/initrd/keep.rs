//! The bodies that are kept while an initrd streams past: wanted modules and modules.builtin as facts, indexes and
//! configuration files whole.

use super::cpio::Entry;
use super::rootfs::Content;
use super::stream::count;
use crate::error::Error;
use crate::guest::modules::{decompress, module_name, parse_builtin, parse_modinfo};
use crate::limits::Limits;
use std::collections::BTreeSet;

/// Module files worth this many bytes, unpacked, are parsed in one walk; those that checks ask for have 30 MB.
const MODULES_TOTAL: u64 = 256 * 1024 * 1024;
/// Bytes of all indexes that are kept in one walk; a Debian initrd has 300 KB of them, a full module folder 2 MB.
const INDEXES_TOTAL: u64 = 32 * 1024 * 1024;
/// Bytes of all configuration files that are kept in one walk; Debian's modprobe.d has 10 KB.
const CONFIGS_TOTAL: u64 = 8 * 1024 * 1024;
/// Folders whose files are kept, and files of the tools that make initrds: what loads modules or keeps them from it.
const CONFIG_FOLDERS: &[&[u8]] = &[b"modprobe.d", b"modules-load.d", b"cmdline.d"];
const CONFIG_FILES: &[&[u8]] = &[b"conf/modules", b"etc/modules", b"config", b"etc/cmdline"];

/// Chooses and parses bodies.
pub(super) struct Keeper<'l> {
    wanted: &'l BTreeSet<String>,
    limits: &'l Limits,
    left: u64,
    indexes_left: u64,
    configs_left: u64,
}

/// A body being collected.
pub(super) enum Kept {
    /// Nobody wants it.
    Nothing,
    /// What has come of it, and the most that is taken.
    Body(Vec<u8>, u64),
    /// It grew past the limit.
    TooLarge(u64),
}

impl Kept {
    pub(super) fn add(&mut self, part: &[u8]) {
        let Self::Body(body, limit) = self else { return };
        if count(body.len()).saturating_add(count(part.len())) > *limit {
            *self = Self::TooLarge(*limit);
        } else {
            body.extend_from_slice(part);
        }
    }
}

impl<'l> Keeper<'l> {
    pub(super) fn new(wanted: &'l BTreeSet<String>, limits: &'l Limits) -> Self {
        Self { wanted, limits, left: MODULES_TOTAL, indexes_left: INDEXES_TOTAL, configs_left: CONFIGS_TOTAL }
    }

    /// Whether `entry` is a module that was asked for.
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        module_name(&entry.name).is_some_and(|name| self.wanted.contains(&name))
    }

    /// Whether and how much of the body of `entry` to collect.
    pub(super) fn begin(&self, entry: &Entry, is_wanted: bool) -> Kept {
        if is_builtin(entry) {
            Kept::Body(Vec::new(), self.limits.module_index)
        } else if is_index(entry) {
            Kept::Body(Vec::new(), self.limits.module_index.min(self.indexes_left))
        } else if is_wanted {
            Kept::Body(Vec::new(), self.limits.module.min(self.left))
        } else if is_config(entry) {
            Kept::Body(Vec::new(), self.limits.config_file.min(self.configs_left))
        } else {
            Kept::Nothing
        }
    }

    /// What the collected body says.
    pub(super) fn end(&mut self, entry: &Entry, kept: Kept) -> Content {
        let is_builtin = is_builtin(entry);
        let body = match kept {
            Kept::Nothing => return Content::Unread,
            Kept::TooLarge(limit) => Err(Error::too_large("file", format!("more than the limit of {limit} bytes"))),
            Kept::Body(body, _) => Ok(body),
        };
        if is_builtin {
            return Content::Builtin(body.map(|body| parse_builtin(&body)));
        }
        if is_index(entry) {
            let cost = body.as_ref().map_or(0, |body| count(body.len()));
            self.indexes_left = self.indexes_left.saturating_sub(cost);
            return Content::Index(body);
        }
        if is_config(entry) && !self.wants(entry) {
            let cost = body.as_ref().map_or(0, |body| count(body.len()));
            self.configs_left = self.configs_left.saturating_sub(cost);
            return Content::Config(body);
        }
        let path = crate::bytes::text(&entry.name);
        Content::Module(body.and_then(|body| {
            let limit = self.limits.module.min(self.left);
            // Charged before it is unpacked: a small file may unpack to the limit and fail there.
            let unpacked = decompress(&path, body, limit);
            let cost = unpacked.as_ref().map_or(limit, |elf| count(elf.len()));
            self.left = self.left.saturating_sub(cost);
            parse_modinfo(&path, &unpacked?)
        }))
    }
}

fn is_index(entry: &Entry) -> bool {
    entry.name.ends_with(b"/modules.dep.bin") || entry.name.ends_with(b"/modules.alias.bin")
}

fn is_builtin(entry: &Entry) -> bool {
    entry.name.ends_with(b"/modules.builtin")
}

fn is_config(entry: &Entry) -> bool {
    let mut names = entry.name.rsplit(|byte| *byte == b'/').skip(1);
    let name = entry.name.strip_prefix(b"./").unwrap_or(&entry.name);
    let name = name.strip_prefix(b"/").unwrap_or(name);
    CONFIG_FILES.contains(&name) || names.next().is_some_and(|folder| CONFIG_FOLDERS.contains(&folder))
}
