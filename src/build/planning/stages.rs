//! The stages of a plan, each with what the recipe and its features say.

use super::Wanted;
use super::layout::Layout;
use super::provision::Needs;
use crate::build::check;
use crate::build::disk::{bootloader, filesystem, image, table};
use crate::build::distribution::{self, Ways};
use crate::build::engine::{self, Engine};
use crate::build::plan::{Family, Firmware, Mode, Stage};
use crate::build::recipe::{File as Wished, Recipe, Trim};
use crate::build::result;
use crate::build::source;
use crate::build::tree::units::Init;
use crate::build::tree::{cloud_init, commands, files, fstab, initrd, kernel, modprobe, seal, units, users};
use crate::error::Result;
use crate::verdict::feature::Side;
use crate::verdict::profile;
use std::collections::BTreeSet;

/// What was decided before.
#[derive(Debug)]
pub(super) struct Decided<'a> {
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) ways: &'static Ways,
    pub(super) needs: &'a Needs,
    pub(super) kernel: Option<String>,
    pub(super) epoch: u64,
    pub(super) layout: &'a Layout,
}

/// Every stage that has something to do, in order.
pub(super) fn stages(decided: &Decided<'_>, notes: &mut Vec<String>) -> Result<Vec<Stage>> {
    let recipe = decided.wanted.recipe;
    let mut stages = vec![Stage::Tree(decided.tree()), Stage::Kernel(decided.kernel())];
    let files = decided.files(notes)?;
    if !files.files.is_empty() {
        stages.push(Stage::Files(files));
    }
    stages.push(Stage::Fstab(decided.fstab(notes)));
    let modprobe = modprobe::Options { load: recipe.modules.load.clone(), lines: recipe.modules.options.clone() };
    if modprobe != modprobe::Options::default() {
        stages.push(Stage::Modprobe(modprobe));
    }
    let units = decided.units();
    if !(units.enable.is_empty() && units.disable.is_empty() && units.mask.is_empty()) {
        stages.push(Stage::Units(units));
    }
    let users = users::Options { users: recipe.user.clone(), ssh: recipe.ssh.clone() };
    if users != users::Options::default() {
        stages.push(Stage::Users(users));
    }
    let cloud_init = cloud_init::Options {
        datasources: recipe.cloud_init.datasources.clone(),
        default_user: recipe.cloud_init.default_user.clone(),
        disable_root: recipe.cloud_init.disable_root,
    };
    if cloud_init != cloud_init::Options::default() {
        stages.push(Stage::CloudInit(cloud_init));
    }
    if !recipe.command.is_empty() {
        stages.push(Stage::Commands(commands::Options { commands: recipe.command.clone() }));
    }
    stages.push(Stage::Initrd(decided.initrd()));
    stages.push(Stage::Bootloader(decided.bootloader()?));
    stages.push(Stage::Seal(decided.seal()));
    stages.extend(decided.disk());
    stages.push(Stage::Check(decided.check()));
    stages.push(Stage::Result(decided.result()));
    Ok(stages)
}

impl Decided<'_> {
    fn recipe(&self) -> &Recipe {
        self.wanted.recipe
    }

    fn tree(&self) -> engine::Options {
        let (recipe, lock) = (self.recipe(), self.wanted.lock);
        let engine = recipe.engine.name.or(self.ways.engine).unwrap_or(Engine::Tar);
        engine::Options {
            engine,
            family: self.ways.family,
            distribution: recipe.distribution.id.clone(),
            suite: recipe.distribution.suite.clone(),
            architecture: recipe.distribution.architecture,
            mirrors: recipe.distribution.mirror.clone(),
            components: recipe.distribution.components.clone(),
            // What a machine has that people log in to; apt alone would leave out what they expect, and more comes by name.
            variant: (engine == Engine::Mmdebstrap)
                .then(|| recipe.engine.variant.clone().unwrap_or_else(|| "important".to_owned())),
            packages: if self.kernel.is_some() { self.packages() } else { Vec::new() },
            input: recipe.engine.path.as_ref().map(|path| source::resolved(self.wanted.folder, path)),
            most: (engine == Engine::Tar).then_some(recipe.disk.size),
            input_sha256: lock.and_then(|lock| lock.input_sha256.clone()),
            locked: lock.map(|lock| lock.package.clone()).unwrap_or_default(),
            source_date_epoch: self.epoch,
        }
    }

    /// The kernel's, the loader's, the file systems', the features' and the recipe's, sorted, each once.
    fn packages(&self) -> Vec<String> {
        let recipe = self.recipe();
        let mut packages: BTreeSet<String> = self.ways.base.iter().map(|name| (*name).to_owned()).collect();
        packages.extend(self.kernel.clone());
        let architecture = recipe.distribution.architecture;
        for firmware in &recipe.boot.firmware {
            let rows = self.ways.loaders.iter().filter(|(one, of, _)| one == firmware && *of == architecture);
            packages.extend(rows.flat_map(|(_, _, names)| names.iter().map(|name| (*name).to_owned())));
        }
        if self.needs.has("secure-boot") {
            let shim = distribution::shim(self.ways.family, architecture).unwrap_or_default();
            packages.extend(shim.iter().map(|name| (*name).to_owned()));
        }
        for filesystem in self.layout.filesystems.iter().map(|made| made.filesystem) {
            let rows = self.ways.filesystems.iter().filter(|(one, _)| *one == filesystem);
            packages.extend(rows.flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned())));
        }
        packages.extend(self.needs.packages.iter().map(|name| (*name).to_owned()));
        packages.extend(recipe.packages.install.iter().cloned());
        packages.into_iter().collect()
    }

    fn kernel(&self) -> kernel::Options {
        let need = |(option, by): (&&str, &Vec<&str>)| kernel::Need {
            option: (*option).to_owned(),
            by: by.iter().map(|name| (*name).to_owned()).collect(),
        };
        kernel::Options { package: self.kernel.clone(), needs: self.needs.kernel.iter().map(need).collect() }
    }

    /// The features' files, then the recipe's, which replace them.
    fn files(&self, notes: &mut Vec<String>) -> Result<files::Options> {
        let recipe = self.recipe();
        let of_feature = |(file, feature): &(&'static crate::verdict::feature::File, &'static str)| files::File {
            path: file.path.to_owned(),
            mode: Mode(0o644),
            owner: "root:root".to_owned(),
            text: Some(file.text.to_owned()),
            source: None,
            sha256: None,
            by: (*feature).to_owned(),
        };
        // The recipe's own list of datasources is another file's; two would contradict each other.
        let is_taken =
            |path: &str| !recipe.cloud_init.datasources.is_empty() && path.starts_with("/etc/cloud/cloud.cfg.d/");
        let features = self.needs.files.iter().filter(|(file, _)| !is_taken(file.path));
        let mut all: Vec<files::File> = features.map(of_feature).collect();
        if self.ways.family == Family::Fedora && self.kernel.is_some() {
            notes.push(
                "SELinux labels are written by the first boot, which then starts over (/.autorelabel)".to_owned(),
            );
            all.push(files::File { path: "/.autorelabel".to_owned(), ..written("", "selinux") });
        }
        for (index, file) in recipe.file.iter().enumerate() {
            if let Some(replaced) = all.iter().position(|other| other.path == file.path) {
                let other = all.remove(replaced);
                notes.push(format!("{} is the recipe's instead of that of {}", file.path, other.by));
            }
            all.push(self.of_recipe(index, file)?);
        }
        Ok(files::Options { files: all })
    }

    fn of_recipe(&self, index: usize, file: &Wished) -> Result<files::File> {
        let source = file.source.as_ref().map(|path| source::resolved(self.wanted.folder, path));
        let digest = source.as_deref().map(source::digest).transpose();
        let digest = digest.map_err(|error| self.recipe().error(&format!("file.{index}.source"), error))?;
        Ok(files::File {
            path: file.path.clone(),
            mode: file.mode,
            owner: file.owner.clone(),
            text: file.text.clone(),
            source,
            sha256: digest,
            by: "recipe".to_owned(),
        })
    }

    /// The recipe's options; `discard` where the feature is kept by mounting.
    fn fstab(&self, notes: &mut Vec<String>) -> fstab::Options {
        let mut rows = self.layout.rows.clone();
        if self.is_trimmed_by_mounting() {
            if self.recipe().disk.trim == Trim::Timer {
                notes.push("the mount option discard instead of fstrim.timer, which OpenRC does not have".to_owned());
            }
            for row in rows.iter_mut().filter(|row| row.filesystem != "vfat") {
                let kept = row.options.split(',').filter(|option| !matches!(*option, "defaults" | "discard"));
                row.options = [vec!["discard"], kept.collect()].concat().join(",");
            }
        }
        fstab::Options { rows }
    }

    fn is_trimmed_by_mounting(&self) -> bool {
        let is_mounted = self.recipe().disk.trim == Trim::Mount || self.ways.init == Init::Openrc;
        self.needs.has("discard") && is_mounted
    }

    fn units(&self) -> units::Options {
        let recipe = self.recipe();
        let mut enable: BTreeSet<String> = self.needs.units.keys().map(|unit| (*unit).to_owned()).collect();
        if self.is_trimmed_by_mounting() {
            enable.remove("fstrim.timer");
        }
        let is_ssh = |name: &String| matches!(name.as_str(), "openssh" | "openssh-server" | "openssh-server-default");
        if recipe.packages.install.iter().any(is_ssh) {
            enable.insert(self.ways.ssh.to_owned());
        }
        enable.extend(recipe.units.enable.iter().cloned());
        let (disable, mask) = (recipe.units.disable.clone(), recipe.units.mask.clone());
        enable.retain(|unit| !disable.contains(unit) && !mask.contains(unit));
        units::Options { init: self.ways.init, enable: enable.into_iter().collect(), disable, mask }
    }

    fn initrd(&self) -> initrd::Options {
        let root = self.layout.root.as_ref().map(|root| root.filesystem.clone()).unwrap_or_default();
        // Whatever the features: an image that starts on neither virtio bus starts nowhere.
        let mut modules: BTreeSet<String> = ["virtio_blk", "virtio_pci"].map(str::to_owned).into();
        modules.insert(root.clone());
        modules.extend(self.needs.modules.keys().map(|name| (*name).to_owned()));
        modules.extend(self.recipe().modules.initrd.iter().map(|name| name.replace('-', "_")));
        initrd::Options {
            generator: self.ways.generator,
            modules: modules.into_iter().collect(),
            root_filesystem: root,
        }
    }

    fn bootloader(&self) -> Result<bootloader::Options> {
        let (recipe, layout) = (self.recipe(), self.layout);
        let root = layout.root.clone().ok_or_else(|| recipe.error("disk", "it has no root"))?;
        Ok(bootloader::Options {
            family: self.ways.family,
            distribution: recipe.distribution.id.clone(),
            architecture: recipe.distribution.architecture,
            firmware: recipe.boot.firmware.clone(),
            cmdline: recipe.boot.cmdline.clone(),
            timeout: recipe.boot.timeout,
            serial: Some(recipe.boot.serial).filter(|speed| *speed > 0),
            secure_boot: self.needs.has("secure-boot"),
            root,
            boot: layout.boot.clone(),
            esp: layout.esp.clone(),
            bios_partition: self.bios(),
        })
    }

    /// The partition of GRUB's core, where the recipe asks for BIOS.
    fn bios(&self) -> Option<u32> {
        self.layout.bios.filter(|_| self.recipe().boot.firmware.contains(&Firmware::Bios))
    }

    fn seal(&self) -> seal::Options {
        use seal::Trace::{CloudInit, Logs, MachineId, PackageCaches, RandomSeed, ResolvConf, SshHostKeys, Temporary};
        seal::Options {
            traces: vec![PackageCaches, Logs, CloudInit, SshHostKeys, RandomSeed, Temporary, ResolvConf, MachineId],
            hostname: Some("localhost".to_owned()),
            source_date_epoch: self.epoch,
        }
    }

    fn disk(&self) -> [Stage; 3] {
        let (recipe, layout) = (self.recipe(), self.layout);
        let filesystem = filesystem::Options { filesystems: layout.filesystems.clone(), source_date_epoch: self.epoch };
        let guid = super::identity::uuids(recipe, self.wanted.lock, self.epoch).remove("disk").unwrap_or_default();
        let table = table::Options {
            size: recipe.disk.size,
            guid,
            partitions: layout.partitions.clone(),
            bios_partition: self.bios(),
        };
        let image = image::Options { format: recipe.disk.format, compression: recipe.disk.compression };
        [Stage::Filesystem(filesystem), Stage::Disk(table), Stage::Image(image)]
    }

    /// The recipe's features are demanded, and the profile's where it names one.
    fn check(&self) -> check::Options {
        let recipe = self.recipe();
        let named = recipe.check.profile.as_deref().and_then(profile::find);
        let mut require: Vec<String> =
            named.map(|profile| profile.required.iter().map(|name| (*name).to_owned()).collect()).unwrap_or_default();
        let judged = self.needs.features.iter().filter(|feature| feature.side == Side::Judged);
        for name in judged.map(|feature| feature.name.to_owned()).chain(recipe.check.require.iter().cloned()) {
            if !require.contains(&name) {
                require.push(name);
            }
        }
        let properties = &recipe.properties;
        check::Options {
            profile: recipe.check.profile.clone().unwrap_or_else(|| "openstack".to_owned()),
            require,
            set: properties.set.clone().unwrap_or_else(|| "recommended".to_owned()),
            with: properties.with.clone(),
            without: properties.without.clone(),
            watchdog_action: properties.watchdog_action.clone(),
        }
    }

    fn result(&self) -> result::Options {
        let recipe = self.recipe();
        let described = Some(&recipe.description).filter(|text| !text.is_empty());
        let title = recipe.properties.title.as_ref().or(described).unwrap_or(&recipe.name);
        result::Options {
            title: title.clone(),
            manifests: self.wanted.manifests.to_vec(),
            policy: recipe.policy.clone(),
        }
    }
}

fn written(text: &str, by: &str) -> files::File {
    files::File {
        path: String::new(),
        mode: Mode(0o644),
        owner: "root:root".to_owned(),
        text: Some(text.to_owned()),
        source: None,
        sha256: None,
        by: by.to_owned(),
    }
}
