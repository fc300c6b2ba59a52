//! The stages of a plan, one after the other, up to the image; what was done before is not done again.

use super::disk::{bootloader, filesystem, image, table};
use super::engine::Engine;
use super::lock::Package;
use super::plan::{FileSystemType, Plan, Stage, place};
use super::snapshot::Cache;
use super::state::{self, State, Step};
use super::workshop::{Workshop, require};
use super::{engine, tree};
use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::MIB;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Bytes of the list of packages: 3 000 take 500 KiB.
const MAX_PACKAGES: u64 = 64 * MIB;

/// What happens to a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It runs.
    Begins,
    /// It has run before, and what it left is there.
    Kept,
    /// It has ended.
    Ends,
}

/// A build.
#[derive(Clone, Copy)]
pub struct Build<'a> {
    /// What is done.
    pub plan: &'a Plan,
    /// Where.
    pub shop: &'a Workshop,
    /// Where trees are kept; nowhere without.
    pub cache: Option<&'a Path>,
    /// Is told of every stage by its index.
    pub progress: &'a dyn Fn(usize, Event),
}

/// Runs every stage that makes the image; gives the image in the work folder.
///
/// # Errors
/// Programs that are missing, before anything runs; then those of the first stage that fails.
pub fn make(build: &Build<'_>) -> Result<PathBuf> {
    require(&programs(build.plan))?;
    let keys = state::keys(build.plan, build.shop.mode());
    let (first, mut state) = begin(build, keys.as_deref())?;
    (0..first).for_each(|index| (build.progress)(index, Event::Kept));
    for (index, stage) in build.plan.stages.iter().enumerate().skip(first) {
        if matches!(stage, Stage::Check(_) | Stage::Result(_)) {
            break;
        }
        (build.progress)(index, Event::Begins);
        let key = keys.as_ref().and_then(|keys| keys.get(index)).cloned();
        let step = Step { key: key.clone().unwrap_or_default(), uses_up: stage.uses_up() };
        state.running = Some(step.clone());
        state.write(build.shop.folder())?;
        run(stage, build.shop)?;
        after(build, stage, key.as_deref())?;
        state.running = None;
        state.done.push(step);
        state.write(build.shop.folder())?;
        (build.progress)(index, Event::Ends);
    }
    Ok(build.shop.folder().join(place::IMAGE))
}

/// The stage to begin with: where an earlier build of the same ended, else after its tree, else the first.
fn begin(build: &Build<'_>, keys: Option<&[String]>) -> Result<(usize, State)> {
    let folder = build.shop.folder();
    let state = State::read(folder);
    if let (Some(keys), Some(_)) = (keys, build.cache)
        && let Some(next) = state.resume(build.plan, keys, folder)
    {
        let done = state.done.into_iter().take(next).collect();
        return Ok((next, State { done, running: None }));
    }
    // From here on the folder holds nothing that can be used.
    State::default().write(folder)?;
    for name in [place::FILESYSTEMS, place::DISK, place::IMAGE, place::PACKAGES, place::TREE] {
        build.shop.remove("begin", &folder.join(name))?;
    }
    let first = keys.and_then(|keys| keys.first());
    match (build.cache.map(Cache), first) {
        (Some(cache), Some(key)) if cache.has(key) => {
            cache.restore(key, build.shop)?;
            let state = State { done: vec![Step { key: key.clone(), uses_up: true }], running: None };
            state.write(folder)?;
            Ok((1, state))
        }
        _ => Ok((0, State::default())),
    }
}

/// Keeps what a stage left, and removes what no later one needs.
fn after(build: &Build<'_>, stage: &Stage, key: Option<&str>) -> Result<()> {
    let folder = build.shop.folder();
    match stage {
        Stage::Tree(_) => match (build.cache, key) {
            (Some(cache), Some(key)) => Cache(cache).keep(key, build.shop),
            _ => Ok(()),
        },
        Stage::Disk(_) => build.shop.remove(stage.name(), &folder.join(place::FILESYSTEMS)),
        Stage::Image(_) => build.shop.remove(stage.name(), &folder.join(place::DISK)),
        _ => Ok(()),
    }
}

/// What the engine installed.
///
/// # Errors
/// Where the stage `tree` left no list.
pub fn packages(folder: &Path) -> Result<Vec<Package>> {
    let failed = |error: std::io::Error| Error::io("list of packages", error).at(place::PACKAGES);
    let mut file = File::open(folder.join(place::PACKAGES)).map_err(failed)?;
    let text = read_capped(&mut file, MAX_PACKAGES, "list of packages")?;
    serde_json::from_slice(&text).map_err(|error| Error::corrupt("list of packages", error.to_string()))
}

fn run(stage: &Stage, shop: &Workshop) -> Result<()> {
    match stage {
        Stage::Tree(options) => engine::run(options, shop),
        Stage::Kernel(options) => tree::kernel::run(options, shop),
        Stage::Files(options) => tree::files::run(options, shop),
        Stage::Fstab(options) => tree::fstab::run(options, shop),
        Stage::Modprobe(options) => tree::modprobe::run(options, shop),
        Stage::Units(options) => tree::units::run(options, shop),
        Stage::Users(options) => tree::users::run(options, shop),
        Stage::CloudInit(options) => tree::cloud_init::run(options, shop),
        Stage::Commands(options) => tree::commands::run(options, shop),
        Stage::Initrd(options) => tree::initrd::run(options, shop),
        Stage::Bootloader(options) => bootloader::run(options, shop),
        Stage::Seal(options) => tree::seal::run(options, shop),
        Stage::Filesystem(options) => filesystem::run(options, shop),
        Stage::Disk(options) => table::run(options, shop),
        Stage::Image(options) => image::run(options, shop),
        // What an image is judged by and what is said of it is the caller's.
        Stage::Check(_) | Stage::Result(_) => Ok(()),
    }
}

/// The programs of the host that the stages run: a missing one is found now, not after minutes.
fn programs(plan: &Plan) -> Vec<&'static str> {
    let mut names = vec!["rm", "tar"];
    for stage in &plan.stages {
        match stage {
            Stage::Tree(options) => names.extend(match options.engine {
                Engine::Mmdebstrap => ["mmdebstrap"].as_slice(),
                Engine::Dnf => &["dnf", "rpm"],
                Engine::Zypper => &["zypper", "rpm"],
                Engine::Apk => &["apk"],
                Engine::Tar | Engine::Dir => &[],
            }),
            Stage::Filesystem(options) => {
                for made in &options.filesystems {
                    names.extend(match made.filesystem {
                        FileSystemType::Ext4 => ["mke2fs", "debugfs"].as_slice(),
                        FileSystemType::Xfs => &["mkfs.xfs", "xfs_db"],
                        FileSystemType::Btrfs => &["mkfs.btrfs"],
                        FileSystemType::Vfat => &["mkfs.vfat", "mmd", "mcopy"],
                    });
                }
            }
            Stage::Image(options) if options.format == image::Format::Qcow2 => {
                names.extend(["qemu-img", "qemu-nbd"]);
            }
            _ => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Removes all that a build left in its work folder, and the folder.
///
/// # Errors
/// When it cannot be removed.
pub fn clear(shop: &Workshop) -> Result<()> {
    let folder = shop.folder();
    let failed = |error: std::io::Error| Error::io("work folder", error).at(folder.display().to_string());
    for entry in fs::read_dir(folder).map_err(failed)? {
        shop.remove("end", &entry.map_err(failed)?.path())?;
    }
    fs::remove_dir(folder).map_err(failed)
}
