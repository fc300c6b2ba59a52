//! An engine that a distribution maintains → the root tree in the work folder, and the list of what it installed.

mod apk;
mod archive;
mod mmdebstrap;
mod packages;
mod rpm;

use super::lock::Package;
use super::plan::{Architecture, Family, Stage, place};
use super::tree::{self, Root};
use super::workshop::{Workshop, require};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Where the root tree comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What makes it.
    pub engine: Engine,
    /// Decides how packages are named and listed.
    pub family: Family,
    /// os-release `ID`.
    pub distribution: String,
    /// Debian's suite, a release number elsewhere.
    pub suite: String,
    /// Of the packages.
    pub architecture: Architecture,
    /// Addresses of the recipe; empty for the engine's own default.
    pub mirrors: Vec<String>,
    /// Debian's areas of the archive: `main`, `contrib`, …; empty for the engine's own default.
    pub components: Vec<String>,
    /// mmdebstrap's `--variant`.
    pub variant: Option<String>,
    /// The kernel's, the features' and the recipe's, sorted, each once.
    pub packages: Vec<String>,
    /// The archive of `tar` or the folder of `dir`, as the recipe names it.
    pub input: Option<String>,
    /// Bytes that an archive may unpack to: those of the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// SHA-256 that the archive must have (from the lock).
    pub input_sha256: Option<String>,
    /// The versions that must be installed, no others (from the lock); empty when nothing is locked.
    pub locked: Vec<Package>,
    /// `SOURCE_DATE_EPOCH` of the engine.
    pub source_date_epoch: u64,
}

/// What makes root trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Debian, Ubuntu and what is made of them.
    Mmdebstrap,
    /// An archive of a root tree that anything else made.
    Tar,
    /// A folder with a root tree that anything else made.
    Dir,
    /// `dnf --installroot`.
    Dnf,
    /// `zypper --root`.
    Zypper,
    /// `apk --root`.
    Apk,
}

impl Engine {
    /// Its name, as recipes and plans write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mmdebstrap => "mmdebstrap",
            Self::Tar => "tar",
            Self::Dir => "dir",
            Self::Dnf => "dnf",
            Self::Zypper => "zypper",
            Self::Apk => "apk",
        }
    }
}

/// How an engine makes a tree.
#[derive(Debug)]
pub struct Maker {
    /// The engine.
    pub engine: Engine,
    /// Programs of the host that it needs.
    pub programs: &'static [&'static str],
    make: fn(&Options, &Workshop) -> Result<()>,
}

/// Every engine.
pub const ENGINES: &[Maker] = &[
    Maker { engine: Engine::Mmdebstrap, programs: &["mmdebstrap"], make: mmdebstrap::make },
    Maker { engine: Engine::Tar, programs: &["tar"], make: archive::unpack },
    Maker { engine: Engine::Dir, programs: &["cp"], make: archive::copy },
    Maker { engine: Engine::Dnf, programs: &["dnf"], make: rpm::dnf },
    Maker { engine: Engine::Zypper, programs: &["zypper"], make: rpm::zypper },
    Maker { engine: Engine::Apk, programs: &["apk"], make: apk::make },
];

/// The name of the stage in the log.
const STAGE: &str = "tree";
/// Where apt keeps lists and what it computes from them.
const APT: &[&str] = &["/var/lib/apt/lists", "/var/cache/apt"];
/// Packages that an error names one by one.
const FEW: usize = 5;

/// Makes the tree anew, looks at it, and writes the list of its packages.
///
/// # Errors
/// A program that is missing, what the engine says, a tree that is none, a locked version that could not be had.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    let Some(maker) = ENGINES.iter().find(|maker| maker.engine == options.engine) else { return Ok(()) };
    require(maker.programs)?;
    shop.remove(STAGE, &shop.tree())?;
    shop.restart().map_err(|error| Error::io("work folder", error))?;
    (maker.make)(options, shop)?;
    tree::apply(STAGE, &Stage::Tree(options.clone()), shop)?;
    let mut packages = packages::list(options, shop)?;
    packages.sort();
    compare(&options.locked, &packages)?;
    if options.engine == Engine::Mmdebstrap {
        // What apt fetches or computes again is a quarter of a small tree. A recipe's command that installs asks anew.
        shop.run(STAGE, shop.within("find").args(APT).args(["-type", "f", "-delete"]))?;
    }
    let text = serde_json::to_vec_pretty(&packages).map_err(|error| Error::io("packages", error))?;
    let path = shop.folder().join(place::PACKAGES);
    std::fs::write(&path, text).map_err(|error| Error::io("packages", error).at(path.display().to_string()))
}

/// Looks, as the tree's root, whether it is a tree that an image can be made of.
pub(super) fn apply(_: &Options, root: &Root) -> Result<()> {
    root.heal_links()?;
    archive::look(root)
}

/// What is locked must be what is there.
fn compare(locked: &[Package], installed: &[Package]) -> Result<()> {
    if locked.is_empty() {
        return Ok(());
    }
    let same = |a: &Package, b: &Package| a.name == b.name && a.architecture == b.architecture;
    let mut differ: Vec<String> = Vec::new();
    for package in locked {
        match installed.iter().find(|other| same(package, other)) {
            None => differ.push(format!("{} {} is not there", package.name, package.version)),
            Some(other) if other.version != package.version => {
                differ.push(format!("{} {} came as {}", package.name, package.version, other.version));
            }
            Some(other) if other.sha256.is_some() && package.sha256.is_some() && other.sha256 != package.sha256 => {
                differ.push(format!("{} {} has another SHA-256", package.name, package.version));
            }
            Some(_) => {}
        }
    }
    let added = installed.iter().filter(|other| !locked.iter().any(|package| same(package, other)));
    differ.extend(added.map(|other| format!("{} {} is not in it", other.name, other.version)));
    if differ.is_empty() {
        return Ok(());
    }
    let more = differ.len().saturating_sub(FEW);
    differ.truncate(FEW);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Error::not_found("packages of the lock")
        .because(format!("{}{more}", differ.join(", ")))
        .help("name a mirror that keeps old versions, or build without the lock"))
}

/// A package whose version a mirror no longer has, told from an engine's words.
fn gone(error: Error, options: &Options) -> Error {
    let said = error.cause.clone().unwrap_or_default();
    let missing = |package: &&Package| said.contains(&package.name) && said.contains(&package.version);
    match options.locked.iter().find(missing) {
        Some(Package { name, version, .. }) => Error::not_found(format!("package {name} {version} of the lock"))
            .because(said)
            .help("name a mirror that keeps old versions, or build without the lock"),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, sha256: Option<&str>) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            architecture: "amd64".into(),
            sha256: sha256.map(str::to_owned),
        }
    }

    #[test]
    fn every_engine_has_a_maker() {
        for engine in [Engine::Mmdebstrap, Engine::Tar, Engine::Dir, Engine::Dnf, Engine::Zypper, Engine::Apk] {
            assert_eq!(ENGINES.iter().filter(|maker| maker.engine == engine).count(), 1, "{}", engine.name());
        }
    }

    #[test]
    fn what_differs_from_the_lock_is_named() {
        let locked = [package("bash", "5.2-1", Some("aa")), package("dash", "1:0.5", None)];
        for (installed, says) in [
            (vec![package("bash", "5.2-1", Some("aa")), package("dash", "1:0.5", Some("bb"))], None),
            (vec![package("bash", "5.3-1", None), package("dash", "1:0.5", None)], Some("bash 5.2-1 came as 5.3-1")),
            (vec![package("bash", "5.2-1", Some("ab")), package("dash", "1:0.5", None)], Some("another SHA-256")),
            (vec![package("bash", "5.2-1", None)], Some("dash 1:0.5 is not there")),
        ] {
            match (compare(&locked, &installed), says) {
                (Ok(()), None) => {}
                (Err(error), Some(says)) => assert!(error.to_string().contains(says), "{error}"),
                (result, says) => panic!("{result:?} {says:?}"),
            }
        }
        assert_eq!(compare(&[], &[package("bash", "1", None)]), Ok(()));
    }
}
