//! The initrds of real Debian images against `cpio -it` and `modinfo`, and their module trees.

use crate::common::{image, tool};
use bootworthy::bytes::{Bytes, ReadAt as _, Window};
use bootworthy::disk::filesystem::{self, Root};
use bootworthy::disk::image::{self, Overlays};
use bootworthy::disk::source::FileBytes;
use bootworthy::disk::volume;
use bootworthy::guest::initrd::{Location, inspect, locate};
use bootworthy::guest::modules::{decompress, parse_modinfo, read_tree, wanted};
use bootworthy::guest::{Initrd, Module};
use bootworthy::limits::Limits;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;

/// The root file system of a real image; its /boot is no volume of its own.
pub fn root(name: &str) -> Root {
    let limits = Limits::default();
    let file: Bytes = Arc::new(FileBytes::new(File::open(image(name)).unwrap()).unwrap());
    let disk = image::open(file, &Overlays::default(), &limits).unwrap().disk;
    let volumes = volume::scan(&disk, &limits).unwrap().partitions;
    let mut roots = volumes.iter().filter_map(|volume| {
        let window = Window::new(Arc::clone(&disk), volume.start, volume.size);
        let root = Root::new(Rc::from(filesystem::open(Arc::new(window), &limits).ok()?), limits.directory_entries);
        root.exists("/etc/os-release").unwrap_or(false).then_some(root)
    });
    roots.next().expect("the image has a root file system")
}

/// The initrd's bytes and the version in its name.
fn initrd(root: &Root) -> (Vec<u8>, String) {
    let found = root.glob("/boot/initrd.img-*");
    let path = found.items.first().expect("the image has an initrd").to_text();
    let version = path.trim_start_matches("/boot/initrd.img-").to_owned();
    (root.read(&path, 1 << 30).unwrap(), version)
}

fn inspected(bytes: &[u8]) -> Initrd {
    let open = || Ok(Box::new(bytes) as Box<dyn Read>);
    inspect("/boot/initrd.img", u64::try_from(bytes.len()).unwrap(), &open, &wanted(&[]), &Limits::default())
}

fn piped(name: &str, args: &[&str], folder: &Path, input: Vec<u8>) -> Vec<u8> {
    let mut command = Command::new(name);
    command.args(args).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} is needed by this test: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    assert!(output.status.success(), "{name} {args:?}");
    output.stdout
}

/// The archives of `initrd`, unpacked by the tools that made them.
fn archives(bytes: &[u8], initrd: &Initrd) -> Vec<Vec<u8>> {
    let segments = &initrd.segments.known().unwrap().items;
    let unpack = |segment: &bootworthy::guest::Segment| {
        let start = usize::try_from(segment.offset).unwrap();
        let stored = bytes[start..start + usize::try_from(segment.size).unwrap()].to_vec();
        match segment.compression.as_str() {
            "none" => stored,
            name => piped(name, &["-dc"], Path::new("/"), stored),
        }
    };
    segments.iter().map(unpack).collect()
}

fn is_module(name: &str) -> bool {
    [".ko", ".ko.xz", ".ko.gz", ".ko.zst"].iter().any(|suffix| name.ends_with(suffix))
}

/// `modinfo` of each file.
fn modinfo(files: &[String]) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let mut modules = BTreeMap::new();
    for part in files.chunks(200) {
        let text = String::from_utf8(tool("modinfo", [&["-0".to_owned()], part].concat())).unwrap();
        let mut file = String::new();
        for record in text.split('\0').filter(|record| !record.is_empty()) {
            let (key, value) = record.split_once('=').unwrap_or_else(|| record.split_once(':').unwrap());
            let (key, value) = (key.trim(), value.trim_start());
            if key == "filename" {
                value.clone_into(&mut file);
            }
            let module: &mut BTreeMap<String, Vec<String>> = modules.entry(file.clone()).or_default();
            module.entry(key.to_owned()).or_default().push(value.to_owned());
        }
    }
    modules
}

fn equals_modinfo(path: &str, ours: &Module, theirs: &BTreeMap<String, Vec<String>>) {
    let all = |key: &str| theirs.get(key).cloned().unwrap_or_default();
    let depends: Vec<String> =
        all("depends").iter().flat_map(|list| list.split(',')).map(|name| name.replace('-', "_")).collect();
    let depends: Vec<String> = depends.into_iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(ours.depends, depends, "{path}");
    assert_eq!((&ours.aliases, &ours.softdeps), (&all("alias"), &all("softdep")), "{path}");
    assert_eq!(ours.vermagic.trim_end(), all("vermagic").concat().trim_end(), "{path}");
}

/// Every segment as `cpio -it` lists it, every module as `modinfo` reads it.
fn equals_the_tools(name: &str) -> Initrd {
    let (bytes, version) = initrd(&root(name));
    let initrd = inspected(&bytes);
    assert_eq!(initrd.flaws.known().unwrap().items, []);
    assert_eq!(initrd.has_init.known(), Some(&true));
    let folder = tempfile::tempdir().unwrap();
    let mut modules = Vec::new();
    for (archive, segment) in archives(&bytes, &initrd).into_iter().zip(&initrd.segments.known().unwrap().items) {
        let names = String::from_utf8(piped("cpio", &["-it", "--quiet"], folder.path(), archive.clone())).unwrap();
        let count = |of: fn(&str) -> bool| u64::try_from(names.lines().filter(|name| of(name)).count()).unwrap();
        assert_eq!((segment.entries, segment.modules), (count(|_| true), count(is_module)), "{segment:?}");
        assert_eq!(segment.unpacked, archive.size());
        modules.extend(names.lines().filter(|name| is_module(name)).map(str::to_owned));
        piped("cpio", &["-id", "--quiet", "--no-absolute-filenames", "*.ko", "*.ko.xz"], folder.path(), archive);
    }
    modules.sort();
    let tree = &initrd.modules.known().unwrap().items[0];
    assert_eq!(tree.version, version);
    let listed: Vec<String> =
        tree.files.known().unwrap().items.iter().map(|file| format!("{}/{file}", &tree.path[1..])).collect();
    assert_eq!(listed, modules);
    assert_eq!(tree.modules.known().unwrap().gaps, []);
    let files: Vec<String> = modules.iter().map(|name| folder.path().join(name).display().to_string()).collect();
    let theirs = modinfo(&files);
    for path in &files {
        let elf = decompress(path, fs::read(path).unwrap(), 64 << 20).unwrap();
        equals_modinfo(path, &parse_modinfo(path, &elf).unwrap(), &theirs[path]);
    }
    initrd
}

fn where_is(initrd: &Initrd, module: &str) -> String {
    match &locate(initrd, module)[0].location {
        Location::File { path, needs } => {
            let needs = needs.iter().map(|(name, is_there)| format!(" {name}{}", if *is_there { "" } else { "?" }));
            format!("{path}:{}", needs.collect::<String>())
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn debian_12() {
    let initrd = equals_the_tools("debian12");
    let shapes: Vec<&str> = initrd.segments.known().unwrap().items.iter().map(|one| one.compression.as_str()).collect();
    assert_eq!(shapes, ["zstd"]);
    let folder = "kernel/drivers";
    for (module, place) in [
        (
            "virtio_pci",
            format!("{folder}/virtio/virtio_pci.ko: virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_ring"),
        ),
        ("virtio_blk", format!("{folder}/block/virtio_blk.ko: virtio virtio_ring")),
        ("virtio_scsi", format!("{folder}/scsi/virtio_scsi.ko: scsi_common scsi_mod virtio virtio_ring")),
        ("virtio_net", format!("{folder}/net/virtio_net.ko: failover net_failover virtio virtio_ring")),
        ("i6300esb", "Missing".to_owned()),
    ] {
        assert_eq!(where_is(&initrd, module), place);
    }
}

#[test]
fn debian_13() {
    let initrd = equals_the_tools("debian13");
    let shapes: Vec<&str> = initrd.segments.known().unwrap().items.iter().map(|one| one.compression.as_str()).collect();
    assert_eq!(shapes, ["none", "zstd"]);
    let folder = "kernel/drivers";
    for (module, place) in [
        ("virtio_pci", "BuiltIn".to_owned()),
        ("virtio_blk", format!("{folder}/block/virtio_blk.ko.xz:")),
        ("virtio_scsi", format!("{folder}/scsi/virtio_scsi.ko.xz: scsi_common scsi_mod")),
        ("virtio_net", format!("{folder}/net/virtio_net.ko.xz: failover net_failover")),
    ] {
        assert_eq!(where_is(&initrd, module), place);
    }
}

/// 200 modules of each root tree as `modinfo` reads them, and the tree as modules.dep has it.
#[test]
fn module_trees() {
    for name in ["debian12", "debian13"] {
        let root = root(name);
        let (_, version) = initrd(&root);
        let tree = read_tree(&root, &version, &wanted(&[]), &Limits::default());
        let tree = tree.known().unwrap().as_ref().unwrap();
        let files = tree.files.known().unwrap();
        let dep = root.read(format!("/lib/modules/{version}/modules.dep"), 1 << 24).unwrap();
        let dep = bootworthy::guest::modules::parse_dep(&dep).unwrap();
        assert_eq!(dep.keys().collect::<Vec<_>>(), files.items.iter().collect::<Vec<_>>());
        assert_eq!((&files.gaps, &tree.modules.known().unwrap().gaps), (&vec![], &vec![]));
        assert!(
            tree.modules
                .known()
                .unwrap()
                .items
                .iter()
                .any(|module| module.name == "ext4" || module.name == "virtio_net")
        );
        let folder = tempfile::tempdir().unwrap();
        let mut ours = Vec::new();
        for (file, number) in files.items.iter().step_by(files.items.len() / 200).zip(0..) {
            let stored = root.read(format!("{}/{file}", tree.path), 64 << 20).unwrap();
            let path = folder.path().join(format!("{number}-{}", file.rsplit('/').next().unwrap()));
            fs::write(&path, &stored).unwrap();
            let elf = decompress(file, stored, 64 << 20).unwrap();
            ours.push((path.display().to_string(), parse_modinfo(file, &elf).unwrap()));
        }
        assert!(ours.len() >= 200);
        let theirs = modinfo(&ours.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
        for (path, module) in &ours {
            equals_modinfo(path, module, &theirs[path]);
        }
    }
}
