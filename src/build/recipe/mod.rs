//! A recipe (TOML 1.1) → what the image shall be. Unknown keys are errors, and so is a wish that contradicts another.

mod disk;
mod document;
mod key;
mod page;
mod rule;
mod rules;
mod schema;
mod shape;
mod size;

pub use disk::{Disk, Partition, PartitionKind, Trim};
pub use key::KEYS;
pub use page::page;
pub use schema::schema;
pub use shape::Key;

use super::engine::Engine;
use super::plan::{Architecture, Firmware, Mode};
use super::tree::commands::Command;
use super::tree::users::{Ssh, User};
use crate::error::{Error, Result};
use document::Document;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// The `schema` of recipes.
pub const SCHEMA: &str = "bootworthy.recipe/1";

/// What an image shall be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Name of the image.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Names of [`crate::verdict::feature::FEATURES`].
    #[serde(default)]
    pub features: Vec<String>,
    /// Where the packages come from.
    pub distribution: Distribution,
    /// What makes the root tree.
    #[serde(default)]
    pub engine: EngineChoice,
    /// What is installed.
    #[serde(default)]
    pub packages: Packages,
    /// How it starts.
    pub boot: Boot,
    /// What it stands on.
    pub disk: Disk,
    /// Accounts.
    #[serde(default)]
    pub user: Vec<User>,
    /// sshd's rules.
    #[serde(default)]
    pub ssh: Ssh,
    /// Files.
    #[serde(default)]
    pub file: Vec<File>,
    /// Commands.
    #[serde(default)]
    pub command: Vec<Command>,
    /// Units.
    #[serde(default)]
    pub units: Units,
    /// Kernel modules.
    #[serde(default)]
    pub modules: Modules,
    /// cloud-init.
    #[serde(default)]
    pub cloud_init: CloudInit,
    /// Glance properties.
    #[serde(default)]
    pub properties: Properties,
    /// What only the publisher can say, by Glance's key.
    #[serde(default, deserialize_with = "values")]
    pub policy: BTreeMap<String, String>,
    /// The image's own check.
    #[serde(default)]
    pub check: Check,
    /// The file's name and text, for errors with their line.
    #[serde(skip)]
    file_name: String,
    #[serde(skip)]
    text: String,
}

/// Where the packages come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// os-release `ID`.
    pub id: String,
    /// Debian's suite, a release number elsewhere.
    pub suite: String,
    /// `x86_64` or `aarch64`.
    pub architecture: Architecture,
    /// Addresses; the engine's own default otherwise.
    #[serde(default, deserialize_with = "one_or_many")]
    pub mirror: Vec<String>,
    /// Areas of Debian's archive.
    #[serde(default)]
    pub components: Vec<String>,
}

/// What makes the root tree; the distribution's own engine where nothing is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineChoice {
    /// Which.
    pub name: Option<Engine>,
    /// The archive of `tar`, the folder of `dir`.
    pub path: Option<String>,
    /// mmdebstrap's `--variant`.
    pub variant: Option<String>,
}

/// What is installed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packages {
    /// The kernel's package; the distribution's for virtual machines otherwise.
    pub kernel: Option<String>,
    /// That kernel and no other, whatever the features need.
    #[serde(default)]
    pub insist: bool,
    /// Further packages; those of features come by themselves.
    #[serde(default)]
    pub install: Vec<String>,
}

/// How the image starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// `bios`, `uefi`, or both, which is `hybrid` in one word; sorted, each once.
    #[serde(deserialize_with = "firmware")]
    pub firmware: Vec<Firmware>,
    /// Words of the kernel command line besides root=.
    #[serde(default)]
    pub cmdline: Vec<String>,
    /// Seconds that the loader's menu waits.
    #[serde(default = "one_second")]
    pub timeout: u32,
    /// Speed of the loader's serial terminal in baud; 0 for none.
    #[serde(default = "usual_speed")]
    pub serial: u32,
}

/// A file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where, in the image.
    pub path: String,
    /// Permissions.
    #[serde(default = "readable")]
    pub mode: Mode,
    /// `user:group`.
    #[serde(default = "root")]
    pub owner: String,
    /// The whole of it.
    pub text: Option<String>,
    /// Or the file of the host that it is a copy of.
    pub source: Option<String>,
}

/// Units on, off and masked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Units {
    /// On.
    pub enable: Vec<String>,
    /// Off.
    pub disable: Vec<String>,
    /// Masked.
    pub mask: Vec<String>,
}

/// Kernel modules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Modules {
    /// Into every initrd.
    pub initrd: Vec<String>,
    /// Loaded when the system starts.
    pub load: Vec<String>,
    /// Lines of modprobe.d.
    pub options: Vec<String>,
}

/// cloud-init.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudInit {
    /// Where it looks, in order.
    pub datasources: Vec<String>,
    /// Who it makes.
    pub default_user: Option<String>,
    /// Whether root cannot log in with the instance's key.
    pub disable_root: Option<bool>,
}

/// Glance properties.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Properties {
    /// Name of the image in Glance; `description`, else `name`, otherwise.
    pub title: Option<String>,
    /// Which are looked at.
    pub set: Option<String>,
    /// Must be earned.
    pub with: Vec<String>,
    /// Left out.
    pub without: Vec<String>,
    /// What the watchdog does.
    pub watchdog_action: Option<String>,
}

/// The image's own check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Check {
    /// A name of [`crate::verdict::profile::PROFILES`], whose features are demanded too.
    pub profile: Option<String>,
    /// Features besides the profile's and the recipe's.
    pub require: Vec<String>,
}

impl Recipe {
    /// Reads and validates a recipe; `name` is the file's, for errors.
    ///
    /// # Errors
    /// `Corrupt`, naming file, line and key, and what is legal there.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let document = Document::parse(name, text)?;
        shape::table(&document, "", document.top(), 0, KEYS)?;
        let mut recipe: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            document.error(offset, error.message().replace('\n', ", "))
        })?;
        if let Some(broken) = rules::broken_rule(&recipe) {
            return Err(document.error_of(&broken.key, broken.cause));
        }
        (recipe.file_name, recipe.text) = (name.to_owned(), text.to_owned());
        Ok(recipe)
    }

    /// An error at a key of this recipe: `disk.partition.1.size`.
    pub fn error(&self, key: &str, cause: impl std::fmt::Display) -> Error {
        match Document::parse(&self.file_name, &self.text) {
            Ok(document) => document.error_of(key, cause),
            Err(error) => error,
        }
    }
}

fn one_second() -> u32 {
    1
}

/// What cloud images of every distribution have on ttyS0.
fn usual_speed() -> u32 {
    115_200
}

fn readable() -> Mode {
    Mode(0o644)
}

fn root() -> String {
    "root:root".to_owned()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(list) => list,
    })
}

fn firmware<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Firmware>, D::Error> {
    let mut all: Vec<Firmware> = Vec::new();
    for word in one_or_many(deserializer)? {
        match word.as_str() {
            "bios" => all.push(Firmware::Bios),
            "uefi" => all.push(Firmware::Uefi),
            _ => all.extend([Firmware::Bios, Firmware::Uefi]),
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Every value as Glance stores it: as text.
fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values: BTreeMap<String, toml::Value> = BTreeMap::deserialize(deserializer)?;
    let text = |value| match value {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(values.into_iter().map(|(key, value)| (key, text(value))).collect())
}

#[cfg(test)]
mod tests;
