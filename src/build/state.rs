//! How far a build has come: the keys of finished stages, in the work folder. A later build of the same goes on there.

use super::plan::{Plan, Stage, place};
use super::source::hex;
use super::workshop::Mode;
use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::MIB;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;

/// Its file in the work folder.
const NAME: &str = "state.json";

/// What has happened in a work folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The stages that have ended, in order.
    pub(super) done: Vec<Step>,
    /// The one that runs, or ran when the build was killed.
    pub(super) running: Option<Step>,
}

/// A stage that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Its key.
    pub(super) key: String,
    /// Whether it writes into what it works on or takes it away, so that half of it leaves nothing to go on from.
    pub(super) uses_up: bool,
}

/// A key for each stage: what it does and all that was done before it. Without one, nothing can be known by its options.
pub(super) fn keys(plan: &Plan, mode: Mode) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut before = format!("bootworthy {} {} {}", env!("CARGO_PKG_VERSION"), mode.name(), plan.source_date_epoch);
    for stage in &plan.stages {
        // What stands in a folder can change without a word.
        if matches!(stage, Stage::Tree(options) if options.engine == super::engine::Engine::Dir) {
            return None;
        }
        let mut sum = Sha256::new();
        sum.update(&before);
        sum.update(serde_json::to_vec(stage).ok()?);
        before = hex(&sum.finalize());
        keys.push(before.clone());
    }
    Some(keys)
}

impl State {
    /// What the work folder says; nothing where it cannot be understood.
    pub(super) fn read(folder: &Path) -> Self {
        let read = || {
            let mut file = fs::File::open(folder.join(NAME)).ok()?;
            serde_json::from_slice(&read_capped(&mut file, MIB, "state").ok()?).ok()
        };
        read().unwrap_or_default()
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let failed = |error: std::io::Error| Error::io("work folder", error).at(folder.display().to_string());
        let text = serde_json::to_vec(self).map_err(|error| Error::io("state", error))?;
        let part = folder.join("state.part");
        fs::write(&part, text).and_then(|()| fs::rename(&part, folder.join(NAME))).map_err(failed)
    }

    /// The stage to begin with, where the work folder can be used as it is; `None` where what is there has been changed
    /// by what this plan does not do, or by half of a stage.
    pub(super) fn resume(&self, plan: &Plan, keys: &[String], folder: &Path) -> Option<usize> {
        let same = self.done.iter().zip(keys).take_while(|(done, key)| done.key == **key).count();
        let mut others = self.done.iter().skip(same).chain(&self.running);
        if same == 0 || others.any(|step| step.uses_up) {
            return None;
        }
        // What an earlier run no longer needed is gone.
        let mut next = same;
        while let Some(stage) = plan.stages.get(next) {
            let is_there = match stage {
                Stage::Disk(_) => folder.join(place::FILESYSTEMS).exists(),
                Stage::Image(_) => folder.join(place::DISK).exists(),
                Stage::Check(_) | Stage::Result(_) => folder.join(place::IMAGE).exists(),
                _ => folder.join(place::TREE).exists(),
            };
            if is_there {
                break;
            }
            next = next.checked_sub(1)?;
        }
        Some(next)
    }
}

impl Stage {
    /// As in [`Step::uses_up`]: the tree becomes file systems, these the disk, and it the image, so that nothing stands there twice.
    pub(super) fn uses_up(&self) -> bool {
        !matches!(self, Self::Kernel(_) | Self::Check(_) | Self::Result(_))
    }

    /// Its name, as the plan has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tree(_) => "tree",
            Self::Kernel(_) => "kernel",
            Self::Files(_) => "files",
            Self::Fstab(_) => "fstab",
            Self::Modprobe(_) => "modprobe",
            Self::Units(_) => "units",
            Self::Users(_) => "users",
            Self::CloudInit(_) => "cloud-init",
            Self::Commands(_) => "commands",
            Self::Initrd(_) => "initrd",
            Self::Bootloader(_) => "bootloader",
            Self::Seal(_) => "seal",
            Self::Filesystem(_) => "filesystem",
            Self::Disk(_) => "disk",
            Self::Image(_) => "image",
            Self::Check(_) => "check",
            Self::Result(_) => "result",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::disk::{filesystem, image, table};
    use crate::build::plan::Family;
    use crate::build::tree::{files, fstab};

    fn plan() -> Plan {
        let table = table::Options { size: 0, guid: String::new(), partitions: Vec::new(), bios_partition: None };
        let filesystem = filesystem::Options { filesystems: Vec::new(), source_date_epoch: 0 };
        Plan {
            schema: String::new(),
            name: "x".to_owned(),
            distribution: String::new(),
            suite: String::new(),
            family: Family::Debian,
            source_date_epoch: 0,
            notes: Vec::new(),
            uuids: std::collections::BTreeMap::new(),
            stages: vec![
                Stage::Files(files::Options::default()),
                Stage::Fstab(fstab::Options::default()),
                Stage::Filesystem(filesystem),
                Stage::Disk(table),
                Stage::Image(image::Options { format: image::Format::Raw, compression: None }),
            ],
        }
    }

    #[test]
    fn a_build_goes_on_only_where_the_tree_is_its_own() {
        let folder = std::env::temp_dir().join(format!("bootworthy-state-{}", std::process::id()));
        for name in [place::TREE, place::FILESYSTEMS] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let plan = plan();
        let keys = keys(&plan, Mode::Root).unwrap();
        let step = |index: usize| Step { key: keys[index].clone(), uses_up: true };
        let other = |uses_up| Step { key: "other".to_owned(), uses_up };
        for (done, running, expected) in [
            (vec![], None, None),
            (vec![step(0)], None, Some(1)),
            (vec![step(0)], Some(step(1)), None),
            (vec![step(0), step(1)], None, Some(2)),
            (vec![step(0), step(1)], Some(step(2)), None),
            (vec![step(0), step(1), step(2)], None, Some(3)),
            (vec![step(0), step(1), step(2)], Some(step(3)), None),
            (vec![step(0), step(1), other(true)], None, None),
            (vec![step(0), step(1), other(false)], None, Some(2)),
            (vec![step(0), step(1), step(2), step(3)], Some(step(4)), None),
            (vec![other(true)], None, None),
            // The disk is gone, the file systems are there.
            (vec![step(0), step(1), step(2), step(3)], None, Some(3)),
        ] {
            let state = State { done, running };
            assert_eq!(state.resume(&plan, &keys, &folder), expected, "{state:?}");
            state.write(&folder).unwrap();
            assert_eq!(State::read(&folder), state);
        }
        // The tree has become file systems, and these the disk, which became the image: it is gone, too.
        for name in [place::FILESYSTEMS, place::TREE] {
            fs::remove_dir(folder.join(name)).unwrap();
        }
        let state = State { done: (0..4).map(step).collect(), running: None };
        assert_eq!(state.resume(&plan, &keys, &folder), None);
        fs::write(folder.join(place::DISK), "").unwrap();
        assert_eq!(state.resume(&plan, &keys, &folder), Some(4));
        fs::write(folder.join(NAME), "{").unwrap();
        assert_eq!(State::read(&folder), State::default());
        fs::remove_dir_all(&folder).unwrap();
    }
}
