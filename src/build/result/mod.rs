//! What is written beside the image: manifests, report, SBOM and sums.

mod manifest;
mod outputs;
mod sbom;

pub use outputs::Outputs;

use super::lock::Package;
use crate::error::{Error, Result};
use crate::manifest::{FORMATS, Format, Policy, sha512};
use crate::report::{self, Style};
use crate::verdict::Report;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What the manifests say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Name of the image in Glance.
    pub title: String,
    /// Names of [`crate::manifest::FORMATS`].
    pub manifests: Vec<String>,
    /// What only the publisher can say, by Glance's key.
    pub policy: BTreeMap<String, String>,
}

/// An image that was made and judged.
#[derive(Debug)]
pub struct Made<'a> {
    /// Its file in the work folder.
    pub image: &'a Path,
    /// Where it will stand.
    pub target: &'a Path,
    /// What its check says.
    pub report: &'a Report,
    /// What was installed, for the digests of the archives.
    pub packages: &'a [Package],
    /// Seconds since 1970.
    pub source_date_epoch: u64,
    /// Where manifests go, in the order of [`Options::manifests`].
    pub manifests: &'a [PathBuf],
    /// Where the lock goes, and its text; a build from a lock leaves that as it is.
    pub lock: Option<(PathBuf, String)>,
}

/// Makes everything that is written beside the image; gives it with what is to be said of the manifests.
///
/// # Errors
/// Where a format cannot hold what the image is, or the image cannot be read.
pub fn make(options: &Options, made: &Made<'_>) -> Result<(Outputs, Vec<String>)> {
    let open = || File::open(made.image).map_err(|error| Error::io("image", error));
    let sums =
        Sums { sha256: super::source::digest(&made.image.to_string_lossy())?, sha512: sha512(&mut open()?, &|_| {})? };
    let name = made.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut outputs = Outputs::new(made.image, made.target);
    let mut notes = Vec::new();
    let policy = policy(&options.policy)?;
    for (format, path) in options.manifests.iter().zip(made.manifests) {
        let written =
            manifest::write(find(format)?, &manifest::Source { options, made, policy: &policy, sums: &sums })?;
        notes.extend(written.notes);
        outputs.add(path.clone(), written.text);
    }
    let report = report::find("json").ok_or_else(|| Error::not_found("report format json"))?;
    outputs
        .add(beside(made.target, "report.json"), (report.write)(std::slice::from_ref(made.report), Style::default()));
    outputs.add(beside(made.target, "cdx.json"), sbom::write(&options.title, made, &sums));
    outputs.add(beside(made.target, "sha256"), format!("{}  {name}\n", sums.sha256));
    outputs.add(beside(made.target, "sha512"), format!("{}  {name}\n", sums.sha512));
    if let Some((path, text)) = &made.lock {
        outputs.add(path.clone(), text.clone());
    }
    Ok((outputs, notes))
}

/// Digests of the image's file, in hexadecimal.
#[derive(Debug)]
struct Sums {
    sha256: String,
    sha512: String,
}

/// A file beside the image: `disk.qcow2.sha256`.
pub fn beside(image: &Path, ending: &str) -> PathBuf {
    let mut name = image.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(ending);
    image.with_file_name(name)
}

/// A manifest format by its name.
///
/// # Errors
/// `NotFound` with the names that there are.
pub fn find(name: &str) -> Result<&'static Format> {
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    let unknown =
        || Error::not_found(format!("manifest format {name:?}")).help(format!("there are {}", names.join(", ")));
    FORMATS.iter().find(|format| format.name == name).ok_or_else(unknown)
}

fn policy(values: &BTreeMap<String, String>) -> Result<Policy> {
    let mut policy = Policy::default();
    values.iter().try_for_each(|(key, value)| policy.set(key, value))?;
    Ok(policy)
}
