//! The one walk over an image that collects every fact.

use super::bootloader::bios;
use super::root::{OpenVolume, Tree, assemble};
use super::{
    BootEntry, Filesystem, Guest, Image, Initrd, Kernel, ModuleTree, PartitionTable, Root, SCHEMA, Volume, agent,
    crypttab, fstab, initrd, kernel, login, modprobe, modules, os_release, packages, pe, selinux, systemd, watchdog,
};
use crate::bytes::{Bytes, Stream, Window};
use crate::disk::filesystem::{self, Directory, Identity};
use crate::disk::image::{self, Opened, Overlays};
use crate::disk::volume::{self, Partition, Scan};
use crate::error::{ErrorKind, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::limits::Limits;
use rustix::fd::OwnedFd;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

/// What is inspected: files that the caller opened. Nothing here opens one by a name of the host.
#[derive(Debug)]
pub enum Input {
    /// A disk image or block device.
    Image {
        /// As the user named it; only ever printed.
        name: String,
        /// The file.
        file: Bytes,
        /// Parts of it that live in other files.
        overlays: Overlays,
    },
    /// A root tree.
    Tree {
        /// As the user named it; only ever printed.
        name: String,
        /// The opened directory.
        directory: OwnedFd,
    },
    /// One initrd file.
    Initrd {
        /// As the user named it; only ever printed.
        name: String,
        /// The file.
        file: Bytes,
        /// The opened directory of the root file system that belongs to it.
        root: Option<OwnedFd>,
    },
}

/// What to look for, and how far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Partition number of the root file system (`--root`).
    pub root: Option<u32>,
    /// Further modules whose dependencies are followed (`--require-in-initrd`).
    pub modules: Vec<String>,
    /// The bounds.
    pub limits: Limits,
}

impl Options {
    /// Names of the modules whose dependencies are followed.
    fn wanted(&self) -> Vec<String> {
        modules::wanted(&self.modules.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Collects every fact of `input`; `progress` gets the name of each phase as it begins.
///
/// # Errors
/// When the image cannot be opened or no root file system is found; one unreadable file is a gap in the facts instead.
pub fn inspect(input: Input, options: &Options, progress: &dyn Fn(&str)) -> Result<Guest> {
    match input {
        Input::Image { name, file, overlays } => inspect_image(name, file, &overlays, options, progress),
        Input::Tree { name, directory } => inspect_tree(name, directory, options, progress),
        Input::Initrd { name, file, root } => Ok(inspect_initrd(&name, &file, root, options)),
    }
}

/// Facts of which nothing is known yet.
fn blank() -> Guest {
    Guest {
        schema: SCHEMA.to_owned(),
        image: Fact::default(),
        partition_table: Fact::default(),
        volumes: Fact::default(),
        root: Fact::default(),
        os: Fact::default(),
        boot_entries: Fact::default(),
        kernels: Fact::default(),
        initrds: Fact::default(),
        modprobe: Fact::default(),
        module_loads: Fact::default(),
        fstab: Fact::default(),
        packages: Fact::default(),
        units: Fact::default(),
        manager: Fact::default(),
        agent: Fact::default(),
        watchdog: Fact::default(),
        crypttab: Fact::default(),
        selinux: Fact::default(),
        files: Fact::default(),
        cloud_init: Fact::default(),
        machine_ids: Fact::default(),
        host_keys: Fact::default(),
        accounts: Fact::default(),
    }
}

fn inspect_image(
    name: String,
    file: Bytes,
    overlays: &Overlays,
    options: &Options,
    progress: &dyn Fn(&str),
) -> Result<Guest> {
    let limits = &options.limits;
    progress("image");
    let file_size = file.size();
    let Opened { format, disk, features, mut flaws } = image::open(file, overlays, limits)?;
    progress("volumes");
    let mut scan = volume::scan(&disk, limits)?;
    if format == "raw" {
        weigh_raw(&mut scan);
    }
    if scan.scheme.is_none() {
        flaws.items.append(&mut scan.flaws.items);
    }
    let mut guest = blank();
    guest.image = Fact::Known(Image {
        path: name,
        format: format.to_owned(),
        virtual_size: Fact::Known(Some(disk.size())),
        file_size: Fact::Known(Some(file_size)),
        features: Fact::Known(features),
        flaws: Fact::Known(flaws),
    });
    let bios = bios::code_of(&disk, &scan);
    let (volumes, open) = open_volumes(&disk, &scan, limits);
    guest.volumes = Fact::Known(volumes);
    guest.partition_table = Fact::Known(table(scan));
    collect(&mut guest, assemble(open, &bios, options.root, limits)?, options, progress);
    Ok(guest)
}

/// In a raw image the first sector is the file's: what oslo.utils' `format_inspector` says of it, Glance and Nova refuse.
fn weigh_raw(scan: &mut Scan) {
    const REFUSED: &[&str] = &["gpt-hybrid-mbr", "gpt-protective-mbr-unusual", "mbr-no-type", "mbr-not-a-table"];
    for flaw in scan.flaws.items.iter_mut().filter(|flaw| REFUSED.contains(&flaw.id.as_str())) {
        flaw.fatal = true;
    }
}

fn inspect_tree(name: String, directory: OwnedFd, options: &Options, progress: &dyn Fn(&str)) -> Result<Guest> {
    let mut guest = blank();
    guest.image = Fact::Known(Image {
        path: name,
        format: "directory".to_owned(),
        virtual_size: Fact::Known(None),
        file_size: Fact::Known(None),
        features: Fact::Known(Vec::new()),
        flaws: Fact::Known(Listing::default()),
    });
    guest.partition_table = Fact::Known(None);
    guest.volumes = Fact::unknown("a directory has no volumes; what UUIDs and labels will name is seen in the image");
    let filesystem: Rc<dyn filesystem::FileSystem> = Rc::new(Directory::new(directory));
    let volume = OpenVolume {
        number: None,
        partuuid: None,
        partlabel: None,
        kind: String::new(),
        identity: None,
        filesystem: Ok(filesystem),
    };
    let bios = Fact::unknown("a directory has neither a boot sector nor an EFI system partition");
    let tree = assemble(vec![volume], &bios, options.root, &options.limits)?;
    collect(&mut guest, tree, options, progress);
    Ok(guest)
}

fn inspect_initrd(name: &str, file: &Bytes, root: Option<OwnedFd>, options: &Options) -> Guest {
    let limits = &options.limits;
    let wanted = &options.wanted();
    let mut guest = blank();
    let open = || -> Result<Box<dyn Read>> { Ok(Box::new(Stream::new(Arc::clone(file)))) };
    let initrd = initrd::inspect(name, file.size(), &open, wanted, limits);
    if let Some(root) = root {
        let root = filesystem::Root::new(Rc::new(Directory::new(root)), limits.directory_entries);
        let trees = initrd.modules.known().map(|trees| trees.items.as_slice()).unwrap_or_default();
        let kernel = |tree: &ModuleTree| Kernel {
            path: tree.version.clone(),
            exists: Fact::default(),
            version: Fact::Known(tree.version.clone()),
            architecture: Fact::default(),
            config: Fact::default(),
            flaws: Fact::default(),
            modules: modules::read_tree(&root, &tree.version, wanted, limits),
            initramfs: Fact::default(),
        };
        guest.kernels = Fact::Known(trees.iter().map(kernel).collect::<Vec<_>>().into());
    }
    guest.initrds = Fact::Known(vec![initrd].into());
    guest
}

/// Every volume's identity, and its file system where one can be read.
fn open_volumes(disk: &Bytes, scan: &Scan, limits: &Limits) -> (Listing<Volume>, Vec<OpenVolume>) {
    let mut volumes = Listing::default();
    let mut open = Vec::new();
    for partition in &scan.partitions {
        let bytes: Bytes = Arc::new(Window::new(Arc::clone(disk), partition.start, partition.size));
        let identity = filesystem::identify(&bytes);
        let filesystem: Result<Rc<dyn filesystem::FileSystem>> = filesystem::open(bytes, limits).map(Rc::from);
        volumes.items.push(volume(partition, &identity, &filesystem));
        open.push(OpenVolume {
            number: Some(partition.number),
            kind: partition.kind.clone(),
            partuuid: partition.uuid.clone(),
            partlabel: partition.label.clone(),
            identity: identity.ok().flatten(),
            filesystem,
        });
    }
    (volumes, open)
}

fn volume(
    partition: &Partition,
    identity: &Result<Option<Identity>>,
    opened: &Result<Rc<dyn filesystem::FileSystem>>,
) -> Volume {
    let mount_options = opened.as_ref().map(|opened| opened.mount_options()).map_err(Clone::clone);
    let filesystem = match identity {
        Ok(identity) => Fact::Known(identity.as_ref().map(|identity| Filesystem {
            kind: identity.kind.clone(),
            uuid: Fact::Known(identity.uuid.clone()),
            label: Fact::Known(identity.label.clone()),
            mount_options: mount_options.into(),
        })),
        Err(error) => Fact::Unknown(error.clone().into()),
    };
    Volume {
        number: partition.number,
        start: partition.start,
        size: partition.size,
        kind: partition.kind.clone(),
        partuuid: Fact::Known(partition.uuid.clone()),
        partlabel: Fact::Known(partition.label.clone()),
        filesystem,
    }
}

fn table(scan: Scan) -> Option<PartitionTable> {
    Some(PartitionTable {
        scheme: scan.scheme?.to_owned(),
        sector_size: scan.sector_size,
        id: Fact::Known(scan.id),
        flaws: Fact::Known(scan.flaws),
        used_end: Fact::Known(scan.used_end),
    })
}

/// Everything that is read from the guest's files.
fn collect(guest: &mut Guest, tree: Tree, options: &Options, progress: &dyn Fn(&str)) {
    let limits = &options.limits;
    let wanted = &options.wanted();
    // What could not be mounted is absent from the tree, and everything that would be read of it absent or a gap.
    let Tree { root, number, chosen, boot_entries, gaps: _ } = tree;
    guest.root = Fact::Known(Root { volume: number, chosen });
    progress("system");
    guest.os = os_release::read(&root, limits).into();
    guest.fstab = fstab::read(&root, limits).into();
    guest.packages = packages::read(&root, limits).into();
    guest.units = systemd::read(&root, &boot_entries, limits).into();
    guest.manager = systemd::manager(&root, limits).into();
    guest.agent = Fact::Known(agent::read(&root, &guest.units, limits));
    guest.watchdog = Fact::Known(watchdog::read(&root, limits));
    guest.crypttab = crypttab::read(&root, limits).into();
    guest.selinux = selinux::read(&root, limits).into();
    guest.files = Fact::Known(login::files(&root, limits));
    guest.cloud_init = login::cloud_init(&root, limits).into();
    guest.machine_ids = Fact::Known(login::machine_ids(&root, limits));
    guest.host_keys = Fact::Known(login::host_keys(&root, limits));
    guest.accounts = Fact::Known(login::accounts(&root, limits));
    guest.modprobe = Fact::Known(modprobe::rules(&root, limits));
    guest.module_loads = Fact::Known(modprobe::loads(&root, limits));
    progress("kernels");
    let mut kernels = kernels(&root, &boot_entries, wanted, limits);
    kernel::add_initramfs(&root, &boot_entries.items, &mut kernels.items, wanted, limits);
    guest.kernels = Fact::Known(kernels);
    progress("initrds");
    guest.initrds = Fact::Known(initrds(&root, &boot_entries, wanted, limits));
    guest.boot_entries = Fact::Known(boot_entries);
}

/// Kernels that entries name, then those in /boot that none names.
fn kernels(
    root: &filesystem::Root,
    entries: &Listing<BootEntry>,
    wanted: &[String],
    limits: &Limits,
) -> Listing<Kernel> {
    let mut paths: Vec<String> = Vec::new();
    let mut add = |path: String| {
        if !paths.contains(&path) {
            paths.push(path);
        }
    };
    attempts(entries).for_each(|attempt| add(attempt.kernel.clone()));
    let boot = root.glob("/boot/vmlinu*-*");
    boot.items.iter().for_each(|path| add(path.to_text()));
    let mut listing = Listing { items: Vec::new(), gaps: boot.gaps };
    for path in paths {
        if listing.items.len() >= MAX_KERNELS {
            listing.gaps.push(Gap::at(path, format!("more than {MAX_KERNELS} kernels; this one was not read")));
            break;
        }
        let mut kernel = kernel::read(root, &path, limits);
        kernel.modules = match &kernel.version {
            Fact::Known(version) => modules::read_tree(root, version, wanted, limits),
            Fact::Unknown(gap) => Fact::Unknown(gap.clone()),
        };
        listing.items.push(kernel);
    }
    listing
}

fn initrds(
    root: &filesystem::Root,
    entries: &Listing<BootEntry>,
    wanted: &[String],
    limits: &Limits,
) -> Listing<Initrd> {
    let mut listing: Listing<Initrd> = Listing::default();
    let named = attempts(entries).filter_map(|attempt| attempt.initrds.known()).flatten();
    for path in named {
        if listing.items.iter().any(|initrd| initrd.path == *path) {
            continue;
        }
        if listing.items.len() >= MAX_KERNELS {
            listing.gaps.push(Gap::at(path, format!("more than {MAX_KERNELS} initrds; this one was not read")));
            break;
        }
        listing.items.push(initrd_at(root, path, wanted, limits));
    }
    listing
}

/// Kernels or initrds read of one image: Debian keeps 3, a neglected server 30; the time of a check grows with them.
const MAX_KERNELS: usize = 64;

fn attempts(entries: &Listing<BootEntry>) -> impl Iterator<Item = &super::Attempt> {
    entries.items.iter().filter_map(|entry| entry.attempts.known()).flat_map(|attempts| &attempts.items)
}

fn initrd_at(root: &filesystem::Root, path: &str, wanted: &[String], limits: &Limits) -> Initrd {
    let failed = |exists: Fact<bool>, gap: Gap| Initrd {
        path: path.to_owned(),
        exists,
        size: Fact::Unknown(gap.clone()),
        segments: Fact::Unknown(gap.clone()),
        flaws: Fact::Unknown(gap.clone()),
        has_init: Fact::Unknown(gap.clone()),
        modules: Fact::Unknown(gap.clone()),
        modprobe: Fact::Unknown(gap.clone()),
        module_loads: Fact::Unknown(gap),
    };
    match pe::size(root, path) {
        Err(error) if error.kind == ErrorKind::NotFound => {
            failed(Fact::Known(false), Gap::at(path, "there is no such file"))
        }
        Err(error) => failed(Fact::Unknown(error.clone().into()), error.into()),
        Ok(size) => {
            let open = || -> Result<Box<dyn Read + '_>> { pe::open(root, path) };
            initrd::inspect(path, size, &open, wanted, limits)
        }
    }
}
