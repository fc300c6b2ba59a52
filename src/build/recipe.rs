//! A recipe (TOML) → what the image shall be. Unknown keys are errors, and so is a wish that contradicts another.

use super::disk::image::{Compression, Format};
use super::plan::{Architecture, Firmware};
use crate::error::{Error, Result};
use crate::limits::{GIB, KIB, MIB};
use crate::verdict::feature::{self, FEATURES};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The `schema` of recipes.
pub const SCHEMA: &str = "bootworthy.recipe/1";

/// What an image shall be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Name of the image, `[a-z0-9.-]+`.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Names of [`crate::verdict::feature::FEATURES`].
    #[serde(default)]
    pub features: Vec<String>,
    /// Where the packages come from.
    pub distribution: Distribution,
    /// What is installed.
    pub packages: Packages,
    /// How it starts.
    pub boot: Boot,
    /// What it stands on.
    pub disk: Disk,
}

/// Where the packages come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// os-release `ID`.
    pub id: String,
    /// Debian's suite, a release number elsewhere.
    pub suite: String,
    /// `x86_64` or `aarch64`.
    pub architecture: Architecture,
}

/// What is installed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packages {
    /// The kernel's package.
    pub kernel: String,
    /// Further packages; those of features come by themselves.
    #[serde(default)]
    pub install: Vec<String>,
}

/// How the image starts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// One or both.
    pub firmware: BTreeSet<Firmware>,
    /// Words of the kernel command line besides root=.
    #[serde(default)]
    pub cmdline: Vec<String>,
}

/// The disk.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Image format.
    pub format: Format,
    /// qcow2 cluster compression.
    pub compression: Option<Compression>,
    /// Virtual size, for example `4 GiB`.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// In disk order; the last is the root.
    pub partition: Vec<Partition>,
}

/// One partition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// PARTLABEL.
    pub label: String,
    /// Its type.
    pub kind: PartitionKind,
    /// Bytes; without it, what is left.
    #[serde(default, deserialize_with = "some_size")]
    pub size: Option<u64>,
    /// `ext4`, `xfs` or `vfat`.
    pub filesystem: Option<String>,
    /// Mount point.
    pub mount: Option<String>,
    /// Mount options.
    #[serde(default)]
    pub options: Vec<String>,
}

/// Types of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionKind {
    /// Where GRUB's core stands on GPT disks that start by BIOS.
    BiosBoot,
    /// EFI system partition.
    Esp,
    /// /boot on its own.
    Boot,
    /// The root file system.
    Root,
}

impl Recipe {
    /// Reads and validates a recipe.
    ///
    /// # Errors
    /// `Corrupt`, naming the line or the key and what is legal there.
    pub fn parse(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(|error| Error::corrupt("recipe", error.to_string()))?;
        recipe.validate()?;
        Ok(recipe)
    }

    fn validate(&self) -> Result<()> {
        let wrong = |cause: String| Err(Error::corrupt("recipe", cause));
        if self.schema != SCHEMA {
            return wrong(format!("schema is {:?}, this version reads {SCHEMA}", self.schema));
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if self.name.is_empty() || self.name.starts_with(['-', '.']) || !self.name.chars().all(is_plain) {
            return wrong(format!("name is {:?}, expected lower-case letters, digits, '-' and '.'", self.name));
        }
        if let Some(feature) = self.features.iter().find(|name| feature::find(name).is_none()) {
            let known: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
            return wrong(format!("there is no feature {feature:?}; there are {}", known.join(", ")));
        }
        if self.boot.firmware.is_empty() {
            return wrong("boot.firmware is empty, expected \"bios\", \"uefi\" or both".to_owned());
        }
        self.validate_disk()
    }

    fn validate_disk(&self) -> Result<()> {
        let wrong = |cause: String| Err(Error::corrupt("recipe", cause));
        let parts = &self.disk.partition;
        let has = |kind| parts.iter().any(|part| part.kind == kind);
        if self.boot.firmware.contains(&Firmware::Bios) && !has(PartitionKind::BiosBoot) {
            return wrong("boot.firmware asks for bios, which needs a partition of kind \"bios-boot\"".to_owned());
        }
        if self.boot.firmware.contains(&Firmware::Uefi) && !has(PartitionKind::Esp) {
            return wrong("boot.firmware asks for uefi, which needs a partition of kind \"esp\"".to_owned());
        }
        if parts.last().is_none_or(|last| last.kind != PartitionKind::Root) {
            return wrong("the last partition is not the root: growpart could not enlarge it".to_owned());
        }
        let roots = parts.iter().filter(|part| part.kind == PartitionKind::Root || part.mount.as_deref() == Some("/"));
        if roots.count() != 1 {
            return wrong("more than one partition is the root".to_owned());
        }
        if let Some(part) = parts.iter().rev().skip(1).find(|part| part.size.is_none()) {
            return wrong(format!("partition {:?} has no size; only the last may take what is left", part.label));
        }
        let used = parts.iter().filter_map(|part| part.size).try_fold(0, u64::checked_add);
        if used.is_none_or(|used| used >= self.disk.size) {
            return wrong(format!("the partitions do not fit into disk.size, {} bytes", self.disk.size));
        }
        if self.disk.compression.is_some() && self.disk.format == Format::Raw {
            return wrong("disk.compression is for qcow2; a raw disk has none".to_owned());
        }
        Ok(())
    }
}

/// `4 GiB`, `64 MiB`, `512 KiB` in bytes.
fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("size is {text:?}, expected a number and KiB, MiB or GiB, for example \"4 GiB\"");
    let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
    let unit = match unit {
        "KiB" => KIB,
        "MiB" => MIB,
        "GiB" => GIB,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|size| *size > 0).ok_or_else(wrong)
}

fn size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    parse_size(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn some_size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    size(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = include_str!("../../recipes/debian-13.toml");

    #[test]
    fn the_shipped_recipe_is_valid() {
        let recipe = Recipe::parse(DEBIAN).unwrap();
        assert_eq!((recipe.name.as_str(), recipe.disk.size), ("debian-13", 4 * GIB));
    }

    #[test]
    fn bad_recipes_are_refused_with_the_key() {
        for (from, to, says) in [
            ("bootworthy.recipe/1", "bootworthy.recipe/9", "schema"),
            ("name = \"debian-13\"", "name = \"../x\"", "name"),
            ("\"watchdog\"", "\"watchdoge\"", "watchdoge"),
            ("firmware = [\"bios\", \"uefi\"]", "firmware = []", "firmware"),
            ("firmware = [\"bios\", \"uefi\"]", "firmware = [\"coreboot\"]", "coreboot"),
            ("kind = \"bios-boot\"", "kind = \"boot\"", "bios-boot"),
            ("kind = \"esp\"", "kind = \"boot\"", "esp"),
            ("kind = \"root\"", "kind = \"boot\"", "root"),
            ("size = \"64 MiB\"", "size = \"64 MB\"", "KiB, MiB or GiB"),
            ("size = \"64 MiB\"\n", "", "esp"),
            ("size = \"64 MiB\"", "size = \"99999999999999999999 GiB\"", "size"),
            ("size = \"4 GiB\"", "size = \"65 MiB\"", "do not fit"),
            ("format = \"qcow2\"", "format = \"raw\"", "compression"),
            ("[boot]", "[boot]\nspeed = 3", "speed"),
            ("x86_64", "vax", "vax"),
        ] {
            assert!(DEBIAN.contains(from), "{from}");
            let error = Recipe::parse(&DEBIAN.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(says), "{to}: {error}");
        }
    }
}
