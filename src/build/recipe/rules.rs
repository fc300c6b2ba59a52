//! What a recipe must keep to beyond the shape of its keys: nothing is fetched for one that contradicts itself.

use super::disk::{Disk, Partition, PartitionKind};
use super::{Recipe, size};
use crate::build::disk::image::Format;
use crate::build::engine::Engine;
use crate::build::plan::{FileSystemType, Firmware};
use crate::limits::MIB;
use crate::manifest::Policy;
use crate::verdict::property::{Choice, Refusal, Set};
use std::collections::BTreeSet;

/// A rule that a recipe breaks.
#[derive(Debug)]
pub(super) struct Broken {
    /// Where: `disk.partition.1.size`.
    pub(super) key: String,
    /// Found, and expected.
    pub(super) cause: String,
}

#[expect(clippy::unnecessary_wraps, reason = "what every rule ends with")]
fn broken(key: impl Into<String>, cause: impl Into<String>) -> Option<Broken> {
    Some(Broken { key: key.into(), cause: cause.into() })
}

/// The first rule that it breaks.
pub(super) fn broken_rule(recipe: &Recipe) -> Option<Broken> {
    [engine, packages, boot, disk, files, users, modules, wishes, policy].iter().find_map(|rule| rule(recipe))
}

fn engine(recipe: &Recipe) -> Option<Broken> {
    let choice = &recipe.engine;
    let packages = &recipe.packages;
    match (choice.name, &choice.path) {
        (Some(Engine::Tar | Engine::Dir), None) => {
            broken("engine.path", "it is missing: tar takes an archive, dir a folder")
        }
        (Some(Engine::Tar | Engine::Dir), _) if packages.kernel.is_some() || !packages.install.is_empty() => {
            broken("packages", "tar and dir take a finished tree, in which nothing is installed; leave [packages] out")
        }
        (Some(Engine::Tar | Engine::Dir), _) if !recipe.distribution.mirror.is_empty() => {
            broken("distribution.mirror", "tar and dir take a finished tree, for which nothing is fetched")
        }
        (Some(Engine::Mmdebstrap | Engine::Dnf | Engine::Zypper | Engine::Apk) | None, Some(_)) => {
            broken("engine.path", "only tar and dir take a path")
        }
        (Some(engine), _) if choice.variant.is_some() && engine != Engine::Mmdebstrap => {
            broken("engine.variant", "only mmdebstrap has variants")
        }
        _ => None,
    }
}

fn packages(recipe: &Recipe) -> Option<Broken> {
    if recipe.packages.insist && recipe.packages.kernel.is_none() {
        return broken("packages.insist", "on which kernel? packages.kernel is missing");
    }
    let mut seen = BTreeSet::new();
    let twice = recipe.packages.install.iter().position(|name| !seen.insert(name));
    twice.and_then(|index| broken(format!("packages.install.{index}"), "it is in the list twice"))
}

fn boot(recipe: &Recipe) -> Option<Broken> {
    let boot = &recipe.boot;
    if boot.firmware.is_empty() {
        return broken("boot.firmware", "it is empty, expected bios, uefi or both");
    }
    let index = boot.cmdline.iter().position(|word| word.starts_with("root=") || word == "ro" || word == "rw")?;
    broken(format!("boot.cmdline.{index}"), "the root comes by itself, by the UUID of its file system")
}

fn disk(recipe: &Recipe) -> Option<Broken> {
    let disk = &recipe.disk;
    if !disk.size.is_multiple_of(MIB) {
        return broken("disk.size", format!("{} is no multiple of 1 MiB", disk.shown_size()));
    }
    if disk.compression.is_some() && disk.format == Format::Raw {
        return broken("disk.compression", "it is for qcow2; a raw disk has none");
    }
    if disk.partition.is_empty() {
        return few_words(recipe);
    }
    let said = [("filesystem", disk.filesystem.is_some()), ("boot", disk.boot.is_some()), ("esp", disk.esp.is_some())];
    if let Some((key, _)) = said.iter().find(|(_, is_said)| *is_said) {
        return broken(format!("disk.{key}"), "it is for a disk without [[disk.partition]]; say it there");
    }
    partitions(recipe, &disk.partition).or_else(|| fits(disk, &disk.partition))
}

fn few_words(recipe: &Recipe) -> Option<Broken> {
    let disk = &recipe.disk;
    if disk.esp.is_some() && !recipe.boot.firmware.contains(&Firmware::Uefi) {
        return broken("disk.esp", "boot.firmware does not ask for uefi");
    }
    fits(disk, &disk.partitions(&recipe.boot.firmware))
}

/// What each partition is, and that there are those which the firmware needs.
fn partitions(recipe: &Recipe, parts: &[Partition]) -> Option<Broken> {
    let of = |kind| parts.iter().filter(move |part| part.kind == kind).count();
    for (firmware, kind, name) in
        [(Firmware::Bios, PartitionKind::BiosBoot, "bios-boot"), (Firmware::Uefi, PartitionKind::Esp, "esp")]
    {
        if recipe.boot.firmware.contains(&firmware) && of(kind) == 0 {
            let word = if firmware == Firmware::Bios { "bios" } else { "uefi" };
            return broken("boot.firmware", format!("it asks for {word}, which needs a partition of kind \"{name}\""));
        }
    }
    for (kind, name) in [
        (PartitionKind::BiosBoot, "bios-boot"),
        (PartitionKind::Esp, "esp"),
        (PartitionKind::Boot, "boot"),
        (PartitionKind::Root, "root"),
    ] {
        if of(kind) > 1 {
            let last = parts.iter().rposition(|part| part.kind == kind).unwrap_or_default();
            return broken(
                format!("disk.partition.{last}.kind"),
                format!("there is a partition of kind \"{name}\" already"),
            );
        }
    }
    if parts.last().is_none_or(|last| last.kind != PartitionKind::Root) {
        let index = parts.len().saturating_sub(1);
        return broken(
            format!("disk.partition.{index}.kind"),
            "the last partition is not the root, and growpart could not enlarge it",
        );
    }
    let (mut labels, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (index, part) in parts.iter().enumerate() {
        if !labels.insert(&part.label) {
            return broken(format!("disk.partition.{index}.label"), "another partition has this label");
        }
        let place = u32::try_from(index).unwrap_or_default().saturating_add(1);
        if !numbers.insert(part.number.unwrap_or(place)) {
            return broken(format!("disk.partition.{index}.number"), "another partition has this number");
        }
        if let Some(broken) = partition(part, index) {
            return Some(broken);
        }
    }
    None
}

/// What one partition is made of.
fn partition(part: &Partition, index: usize) -> Option<Broken> {
    use FileSystemType::{Btrfs, Ext4, Vfat, Xfs};
    let at = |key: &str| format!("disk.partition.{index}.{key}");
    let (mount, filesystems): (Option<&str>, &[FileSystemType]) = match part.kind {
        PartitionKind::BiosBoot => (None, &[]),
        PartitionKind::Esp => (Some("/boot/efi"), &[Vfat]),
        PartitionKind::Boot => (Some("/boot"), &[Ext4, Xfs, Btrfs]),
        PartitionKind::Root => (Some("/"), &[Ext4, Xfs, Btrfs]),
    };
    match (part.filesystem, filesystems) {
        (Some(_), []) => {
            return broken(at("filesystem"), "a partition of kind bios-boot holds GRUB's core and no file system");
        }
        (None, []) => {}
        (Some(found), takes) if takes.contains(&found) => {}
        (Some(_), [Vfat]) => return broken(at("filesystem"), "the firmware reads an ESP only as vfat"),
        (Some(_), _) => {
            return broken(at("filesystem"), "vfat has no owners and modes; ext4, xfs or btrfs is expected");
        }
        (None, _) => return broken(at("filesystem"), "it is missing"),
    }
    match (part.mount.as_deref(), mount) {
        (Some(found), Some("/boot/efi")) if found == "/boot/efi" || found == "/efi" => {}
        (found, expected) if found == expected => {}
        (_, None) => return broken(at("mount"), "a partition of kind bios-boot is not mounted"),
        (None, Some(expected)) => return broken(at("mount"), format!("it is missing, expected {expected:?}")),
        (Some(found), Some(expected)) => return broken(at("mount"), format!("found {found:?}, expected {expected:?}")),
    }
    if mount.is_none() && !(part.options.is_empty() && part.features.is_empty()) {
        return broken(at("options"), "a partition of kind bios-boot has no file system");
    }
    None
}

/// Megabytes that a GPT takes of the disk: one before the first partition, where every tool aligns it, one for the copy at the end.
const TABLES: u64 = 2 * MIB;
/// mkfs.fat makes FAT16 from 4 MiB and GRUB takes two; below that nothing fits.
const SMALLEST_ESP: u64 = 8 * MIB;
/// mkfs.xfs 5.19 and later refuse less than 300 MB (`man 8 mkfs.xfs`).
const SMALLEST_XFS: u64 = 300 * MIB;

fn fits(disk: &Disk, parts: &[Partition]) -> Option<Broken> {
    let at = |index: usize, key: &str| {
        if disk.partition.is_empty() { "disk.size".to_owned() } else { format!("disk.partition.{index}.{key}") }
    };
    let count = parts.len();
    for (index, part) in parts.iter().enumerate() {
        match part.size {
            Some(size) if !size.is_multiple_of(MIB) => {
                return broken(at(index, "size"), format!("{} is no multiple of 1 MiB", size::shown(size)));
            }
            Some(size) if part.kind == PartitionKind::Esp && size < SMALLEST_ESP => {
                return broken(at(index, "size"), "an ESP of less than 8 MiB holds no loader");
            }
            None if index.saturating_add(1) < count => {
                return broken(at(index, "size"), "it is missing; only the last partition may take what is left");
            }
            _ => {}
        }
    }
    let used = parts.iter().filter_map(|part| part.size).try_fold(TABLES, u64::checked_add);
    let left = used.and_then(|used| disk.size.checked_sub(used));
    let last = parts.last();
    let root = last.and_then(|part| part.size).or(left);
    match (left, root) {
        (None, _) => broken("disk.size", format!("the partitions do not fit into {}", disk.shown_size())),
        (Some(0), _) if last.is_some_and(|part| part.size.is_none()) => broken(
            "disk.size",
            format!("the partitions do not fit into {}: nothing is left for the root", disk.shown_size()),
        ),
        (_, Some(size))
            if last.is_some_and(|part| part.filesystem == Some(FileSystemType::Xfs)) && size < SMALLEST_XFS =>
        {
            broken("disk.size", "an XFS of less than 300 MiB is refused by mkfs.xfs")
        }
        _ => None,
    }
}

fn files(recipe: &Recipe) -> Option<Broken> {
    for (index, file) in recipe.file.iter().enumerate() {
        let at = |key: &str| format!("file.{index}.{key}");
        match (&file.text, &file.source) {
            (None, None) => return broken(at("text"), "a file has a text or a source; both are missing"),
            (Some(_), Some(_)) => return broken(at("source"), "a file has a text or a source; both are given"),
            _ => {}
        }
        if file.path.ends_with('/') {
            return broken(at("path"), "a file is expected, not a folder");
        }
        let generated = ["/etc/fstab", "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/etc/machine-id"];
        if generated.contains(&file.path.as_str()) {
            return broken(at("path"), "the build writes this file itself");
        }
    }
    None
}

fn users(recipe: &Recipe) -> Option<Broken> {
    let mut names = BTreeSet::new();
    let twice = recipe.user.iter().position(|user| !names.insert(&user.name));
    twice.and_then(|index| broken(format!("user.{index}.name"), "another [[user]] has this name"))
}

/// The words that begin a line of modprobe.d (man 5 modprobe.d).
const DIRECTIVES: &[&str] = &["alias", "blacklist", "install", "options", "remove", "softdep", "weakdep"];

fn modules(recipe: &Recipe) -> Option<Broken> {
    let is_line = |line: &String| line.split_whitespace().next().is_some_and(|word| DIRECTIVES.contains(&word));
    if let Some(index) = recipe.modules.options.iter().position(|line| !is_line(line)) {
        let expected = format!("a line of modprobe.d begins with {}", DIRECTIVES.join(", "));
        return broken(format!("modules.options.{index}"), expected);
    }
    let contradicts = |unit: &String| recipe.units.disable.contains(unit) || recipe.units.mask.contains(unit);
    let index = recipe.units.enable.iter().position(contradicts)?;
    broken(format!("units.enable.{index}"), "it is switched off in the same recipe")
}

/// The properties as the command line would take them.
fn wishes(recipe: &Recipe) -> Option<Broken> {
    choice(recipe).err().and_then(|(key, cause)| broken(key, cause))
}

/// What the recipe asks for; else the key and the reason.
pub(crate) fn choice(recipe: &Recipe) -> Result<Choice, (String, String)> {
    let properties = &recipe.properties;
    let set = properties.set.as_deref().and_then(Set::parse).unwrap_or_default();
    let mut choice = Choice { set, ..Choice::default() };
    let said = |refusal: Refusal| match refusal {
        Refusal::NoSuchKey(key) => format!("there is no property {key:?}"),
        Refusal::NoSuchValue(text) => text,
        Refusal::Contradiction(text) => text.replace("--", ""),
    };
    for (index, wish) in properties.with.iter().enumerate() {
        choice.add(wish).map_err(|refusal| (format!("properties.with.{index}"), said(refusal)))?;
    }
    for (index, key) in properties.without.iter().enumerate() {
        choice.leave_out(key).map_err(|refusal| (format!("properties.without.{index}"), said(refusal)))?;
    }
    if let Some(action) = &properties.watchdog_action {
        choice.act(action).map_err(|refusal| ("properties.watchdog_action".to_owned(), said(refusal)))?;
    }
    Ok(choice)
}

fn policy(recipe: &Recipe) -> Option<Broken> {
    let mut policy = Policy::default();
    for (key, value) in &recipe.policy {
        if let Err(error) = policy.set(key, value) {
            return broken(format!("policy.{key}"), error.cause.unwrap_or(error.what));
        }
    }
    let missing = policy.missing();
    let is_scs = recipe.properties.set.as_deref().and_then(Set::parse) == Some(Set::Scs);
    if is_scs && !missing.is_empty() {
        let cause = format!("SCS-0102 demands what no image shows: [policy] lacks {}", missing.join(", "));
        return broken("properties.set", cause);
    }
    None
}
