//! `NAME.lock` (TOML): what a build resolved, so that another makes the same image.

use super::engine::Options as Tree;
use super::plan::{Plan, Stage};
use super::source::hex;
use crate::error::{Error, Result};
use crate::limits::MIB;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The `schema` of locks.
pub const SCHEMA: &str = "bootworthy.lock/1";
/// Bytes of a lock: a desktop's 3 000 packages take 600 KiB.
pub const MAX_LOCK: u64 = 16 * MIB;

/// What was resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The recipe's name.
    pub name: String,
    /// [`recipe_digest`] of the recipe that it was resolved for.
    pub recipe: String,
    /// Seconds since 1970.
    pub source_date_epoch: u64,
    /// SHA-256 of the archive that the tree came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_sha256: Option<String>,
    /// As in [`Plan::uuids`].
    pub uuids: BTreeMap<String, String>,
    /// Sorted by name and architecture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub package: Vec<Package>,
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// A package as it was installed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// As the package database spells it, epoch and revision included.
    pub version: String,
    /// As the package database spells it: `amd64`, `all`, `noarch`.
    pub architecture: String,
    /// SHA-256 of the archive in hexadecimal, where the engine knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Lock {
    /// The lock of a build that installed these packages.
    pub fn of(plan: &Plan, recipe: String, mut package: Vec<Package>, input_sha256: Option<String>) -> Self {
        package.sort();
        Self {
            schema: SCHEMA.to_owned(),
            name: plan.name.clone(),
            recipe,
            source_date_epoch: plan.source_date_epoch,
            input_sha256,
            uuids: plan.uuids.clone(),
            package,
        }
    }

    /// Reads a lock; `name` is the file's, for errors.
    ///
    /// # Errors
    /// `Corrupt` where it is no lock of this version.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong =
            |cause: String| Error::corrupt("lock", cause).at(name).help("build without --locked to write it anew");
        let unread = |error: toml::de::Error| wrong(error.message().replace('\n', ", "));
        // The version first: another one has other fields.
        let head: Head = toml::from_str(text).map_err(unread)?;
        if head.schema != SCHEMA {
            return Err(wrong(format!("schema is {:?}, this version reads {SCHEMA}", head.schema)));
        }
        toml::from_str(text).map_err(unread)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// `Io` never in practice: everything in it can be written.
    pub fn write(&self) -> Result<String> {
        let text = toml::to_string(self).map_err(|error| Error::io("lock", error))?;
        Ok(format!("# Written by bootworthy build; --locked builds from it.\n{text}"))
    }
}

/// What a recipe means, as one digest: that of its plan without lock, time and manifests.
///
/// # Errors
/// `Io` never in practice: a plan can always be written.
pub fn recipe_digest(plan: &Plan) -> Result<String> {
    let mut sum = Sha256::new();
    for stage in &plan.stages {
        let mut stage = stage.clone();
        match &mut stage {
            Stage::Check(_) | Stage::Result(_) => continue,
            // Where a file stands on the host is no part of the image.
            Stage::Tree(tree) => tree.input = None,
            Stage::Files(files) => files.files.iter_mut().for_each(|file| file.source = None),
            _ => {}
        }
        sum.update(serde_json::to_vec(&stage).map_err(|error| Error::io("plan", error))?);
    }
    Ok(hex(&sum.finalize()))
}

/// The options of the first stage, which installs.
pub fn tree(plan: &Plan) -> Option<&Tree> {
    plan.stages.iter().find_map(|stage| if let Stage::Tree(options) = stage { Some(options) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, sha256: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            sha256: sha256.map(str::to_owned),
        }
    }

    fn lock() -> Lock {
        Lock {
            schema: SCHEMA.to_owned(),
            name: "x".to_owned(),
            recipe: "00".to_owned(),
            source_date_epoch: 1,
            input_sha256: None,
            uuids: BTreeMap::from([("root.filesystem".to_owned(), "4a1f".to_owned())]),
            package: vec![package("bash", "5.2-1", Some("aa")), package("dash", "1:0.5", None)],
        }
    }

    #[test]
    fn a_lock_comes_back_as_it_was() {
        let text = lock().write().unwrap();
        assert_eq!(Lock::parse("x.lock", &text).unwrap(), lock());
        for (from, to) in [("lock/1", "lock/2"), ("name", "nome"), ("[[package]]", "[[packages]]"), ("= 1\n", "= -1\n")]
        {
            assert!(Lock::parse("x.lock", &text.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
