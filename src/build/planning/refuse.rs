//! Wishes that no image can fulfil, refused before anything is fetched.

use super::provision::Needs;
use crate::build::distribution::{self, Distribution, Ways};
use crate::build::engine::Engine;
use crate::build::plan::{Architecture, Family, FileSystemType, Firmware};
use crate::build::recipe::{PartitionKind, Recipe};
use crate::error::{Error, Result};

/// The recipe's distribution.
pub(super) fn distribution(recipe: &Recipe) -> Result<&'static Distribution> {
    let id = &recipe.distribution.id;
    distribution::find(id).ok_or_else(|| recipe.error("distribution.id", format!("there is no distribution {id:?}")))
}

/// Its ways, which its engine goes.
pub(super) fn ways(recipe: &Recipe, distribution: &Distribution) -> Result<&'static Ways> {
    let ways = distribution::ways(distribution.family)
        .ok_or_else(|| recipe.error("distribution.id", "its family has no ways"))?;
    match (recipe.engine.name, ways.engine) {
        (Some(Engine::Tar | Engine::Dir), _) => {}
        (None, None) => {
            let cause =
                format!("no engine installs {}; make a root tree and name it: engine tar or dir", distribution.id);
            return Err(recipe.error("distribution.id", cause));
        }
        (Some(named), own) if own != Some(named) => {
            let own = own.map_or("tar or dir", Engine::name);
            let cause = format!("{} does not install {}; {own} does", named.name(), distribution.id);
            return Err(recipe.error("engine.name", cause));
        }
        _ => {}
    }
    for firmware in &recipe.boot.firmware {
        let has = ways
            .loaders
            .iter()
            .any(|(one, architecture, _)| one == firmware && *architecture == recipe.distribution.architecture);
        if !has {
            let cause = match (firmware, recipe.distribution.architecture) {
                (Firmware::Bios, Architecture::Aarch64) => "aarch64 machines have no BIOS; uefi is expected".to_owned(),
                _ => format!("{} has no loader for this firmware and architecture that is known here", distribution.id),
            };
            return Err(recipe.error("boot.firmware", cause));
        }
    }
    Ok(ways)
}

/// A rule over the whole of the recipe: gives the key and the reason.
type Rule = fn(&Recipe, &Distribution, &Needs) -> Option<(String, String)>;

const RULES: &[Rule] = &[uefi, secure_boot, masked, blacklisted, no_discard, datasource, unreadable];

/// The first wish that another one makes impossible.
pub(super) fn contradictions(recipe: &Recipe, distribution: &Distribution, needs: &Needs) -> Result<(), Error> {
    let refused = RULES.iter().find_map(|rule| rule(recipe, distribution, needs));
    refused.map_or(Ok(()), |(key, cause)| Err(recipe.error(&key, cause)))
}

fn uefi(recipe: &Recipe, _: &Distribution, needs: &Needs) -> Option<(String, String)> {
    let wanting = ["uefi", "secure-boot"].into_iter().find(|name| needs.has(name))?;
    let has = recipe.boot.firmware.contains(&Firmware::Uefi);
    (!has).then(|| {
        ("boot.firmware".to_owned(), format!("the feature {wanting} needs uefi, and with it an EFI system partition"))
    })
}

/// A shim that is not signed, or whose place the loader's stage does not know, starts nothing.
fn secure_boot(recipe: &Recipe, distribution: &Distribution, needs: &Needs) -> Option<(String, String)> {
    let shim = distribution::shim(distribution.family, recipe.distribution.architecture);
    let index = recipe.features.iter().position(|name| name == "secure-boot")?;
    let is_refused = needs.has("secure-boot") && shim.is_none();
    let cause = || format!("no signed shim of {} is known here; debian and ubuntu have one", distribution.id);
    is_refused.then(|| (format!("features.{index}"), cause()))
}

fn masked(recipe: &Recipe, _: &Distribution, needs: &Needs) -> Option<(String, String)> {
    for (key, list) in [("mask", &recipe.units.mask), ("disable", &recipe.units.disable)] {
        for (index, unit) in list.iter().enumerate() {
            if let Some(feature) = needs.units.get(unit.as_str()) {
                let cause = format!("the feature {feature} starts {unit}; leave one of the two out");
                return Some((format!("units.{key}.{index}"), cause));
            }
        }
    }
    None
}

fn blacklisted(recipe: &Recipe, _: &Distribution, needs: &Needs) -> Option<(String, String)> {
    for (index, line) in recipe.modules.options.iter().enumerate() {
        let mut words = line.split_whitespace();
        let (word, name) = (words.next()?, words.next().unwrap_or_default().replace('-', "_"));
        let stops = word == "blacklist" || (word == "install" && line.contains("/bin/false"));
        let feature = match name.as_str() {
            "i6300esb" if needs.has("watchdog") => Some("watchdog"),
            _ => needs.modules.get(name.as_str()).copied(),
        };
        if let Some(feature) = feature.filter(|_| stops) {
            let cause = format!("the feature {feature} needs {name}; leave one of the two out");
            return Some((format!("modules.options.{index}"), cause));
        }
    }
    None
}

fn no_discard(recipe: &Recipe, _: &Distribution, needs: &Needs) -> Option<(String, String)> {
    let parts = recipe.disk.partition.iter().enumerate().filter(|_| needs.has("discard"));
    let mut stopped = parts.filter(|(_, part)| part.options.iter().any(|option| option == "nodiscard"));
    stopped.next().map(|(index, _)| {
        (format!("disk.partition.{index}.options"), "nodiscard stops what the feature discard is for".to_owned())
    })
}

fn datasource(recipe: &Recipe, _: &Distribution, needs: &Needs) -> Option<(String, String)> {
    let sources = &recipe.cloud_init.datasources;
    let lacks = needs.has("config-drive") && !sources.is_empty() && !sources.iter().any(|name| name == "ConfigDrive");
    lacks.then(|| {
        ("cloud_init.datasources".to_owned(), "the feature config-drive needs ConfigDrive in the list".to_owned())
    })
}

/// What GRUB does not read where its own folder stands (`grub-core/fs/ext2.c`, `EXT2_DRIVER_SUPPORTED_INCOMPAT`;
/// `grub-core/fs/xfs.c`, `XFS_SB_FEAT_INCOMPAT_SUPPORTED`); of Debian 12's suite alone where it is named.
const UNREADABLE: &[(FileSystemType, &str, Option<&str>)] = &[
    (FileSystemType::Ext4, "inline_data", None),
    (FileSystemType::Ext4, "casefold", None),
    (FileSystemType::Ext4, "ea_inode", None),
    (FileSystemType::Xfs, "nrext64=1", Some("bookworm")),
    (FileSystemType::Xfs, "exchange=1", None),
    (FileSystemType::Xfs, "parent=1", None),
    (FileSystemType::Xfs, "metadir=1", None),
];

fn unreadable(recipe: &Recipe, distribution: &Distribution, _: &Needs) -> Option<(String, String)> {
    let parts = &recipe.disk.partition;
    let has_boot = parts.iter().any(|part| part.kind == PartitionKind::Boot);
    let kind = if has_boot { PartitionKind::Boot } else { PartitionKind::Root };
    let (index, part) = parts.iter().enumerate().find(|(_, part)| part.kind == kind)?;
    for (at, feature) in part.features.iter().enumerate() {
        let is_unread = |(filesystem, name, suite): &&(FileSystemType, &str, Option<&str>)| {
            let is_here =
                suite.is_none_or(|suite| distribution.family == Family::Debian && recipe.distribution.suite == suite);
            part.filesystem == Some(*filesystem) && feature == name && is_here
        };
        if UNREADABLE.iter().any(|row| is_unread(&row)) {
            let cause = format!(
                "{}'s GRUB does not read a file system with {feature}; leave it out, or put /boot on a partition of its own",
                distribution.id
            );
            return Some((format!("disk.partition.{index}.features.{at}"), cause));
        }
    }
    None
}
