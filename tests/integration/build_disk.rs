//! From a root tree to a disk: what stands on it is the tree, every other reader agrees, and twice is the same.

use crate::common::{program, tool};
use bootworthy::build::disk::filesystem::{self as stage, FileSystem as Wish};
use bootworthy::build::disk::image::{self as image_stage, Compression, Format};
use bootworthy::build::disk::table::{self, Partition};
use bootworthy::build::plan::FileSystemType::{self, Btrfs, Ext4, Vfat, Xfs};
use bootworthy::build::workshop::{Mode, Options, Workshop};
use bootworthy::bytes::{Bytes, Window, read_capped};
use bootworthy::disk::filesystem::{self, FileSystem, FileType, GuestPath};
use bootworthy::disk::source::FileBytes;
use bootworthy::disk::volume;
use bootworthy::limits::{Limits, MIB};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const EPOCH: u64 = 1_700_000_000;
const ROOT: &str = "4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001";
const ROOT_TYPE: &str = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
const ESP_TYPE: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const BIOS_TYPE: &str = "21686148-6449-6e6f-744e-656564454649";

/// A tree with what a root tree has: owners, modes, links of both kinds, holes, a FIFO, old and future times.
const TREE: &str = r#"
mkdir -p tree && cd tree && umask 022
mkdir -p etc usr/bin usr/lib/deep/er var/empty tmp home/u boot/efi/EFI/BOOT boot/efi/EFI/debian boot/grub proc
printf 'root:x\n' >etc/shadow; chown 0:42 etc/shadow; chmod 640 etc/shadow
head -c 100000 /dev/zero | tr '\0' b >usr/bin/su; chmod 4755 usr/bin/su
printf s >usr/bin/wall; chown 0:5 usr/bin/wall; chmod 2755 usr/bin/wall
chmod 1777 tmp; chmod 700 var/empty; chown 1000:1000 home/u
ln etc/shadow etc/shadow.link
ln -s su usr/bin/short
ln -s "$(printf 'x%.0s' $(seq 200))" usr/bin/long
ln -s usr/lib lib
truncate -s 9M usr/lib/sparse; printf end | dd of=usr/lib/sparse bs=1 seek=5000000 conv=notrunc status=none
: >etc/empty
mkfifo var/pipe
i=0; while [ $i -lt 400 ]; do echo $i >usr/lib/deep/er/a-file-of-a-large-folder-$i; i=$((i + 1)); done
printf 'caf\303\251' >"usr/lib/caf$(printf '\303\251')"
printf 'MZ%s' "$(seq 5000)" >boot/efi/EFI/BOOT/BOOTX64.EFI
echo 'configfile' >boot/efi/EFI/debian/grub.cfg
echo menu >boot/grub/grub.cfg
find . -exec touch -h -d @1600000000 {} +
touch -d @1234567890 etc/shadow; touch -d @2000000000 etc/empty
"#;
/// What is compared with after the tree has become a file system.
const COPY: &str = "cp -a tree copy";
/// Names that only ext4 takes from every mkfs.
const ODD_NAMES: &str = r#"
cd tree/etc && : >"a b" && : >'quo"te'"'" && : >"$(printf 'new\nline')" && : >'$' && : >:colon && ln -s "tar get" odd
touch -d @1600000000 .
"#;

struct Build {
    shop: Workshop,
    _folder: tempfile::TempDir,
}

impl Build {
    fn new(name: &str, mode: Mode) -> Self {
        Self::within(&std::env::temp_dir(), name, mode)
    }

    fn within(folder: &Path, name: &str, mode: Mode) -> Self {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let options = Options {
            folder: folder.path().join(name),
            mode,
            epoch: EPOCH,
            listener: Box::new(|_, _| {}),
            cancelled: Arc::new(AtomicBool::new(false)),
            ourselves: program().into(),
        };
        let shop = Workshop::open(options).unwrap();
        Self { shop, _folder: folder }
    }

    fn sh(&self, script: &str) {
        self.shop.run("test", self.shop.inside("sh").args(["-euc", script])).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.shop.folder().join(name)
    }

    fn filesystems(&self, wishes: &[Wish]) -> bootworthy::error::Result<()> {
        stage::run(&stage::Options { filesystems: wishes.to_vec(), source_date_epoch: EPOCH }, &self.shop)
    }

    /// Paths of `folder` below the tree with kind, mode, SHA-256 or target, as the tree's root sees them.
    fn expected(&self, folder: &str) -> BTreeMap<String, String> {
        let read = |command: &mut std::process::Command| self.shop.output("test", command, 64 * MIB).unwrap();
        let folder = self.path(folder);
        let listed = read(self.shop.inside("find").arg(&folder).args(["-printf", "%y %m %P\\0%l\\0"]));
        let sums = "cd \"$1\" && find . -type f -print0 | xargs -0r sha256sum -z";
        let sums = read(self.shop.inside("sh").args(["-euc", sums, "sh"]).arg(&folder));
        let sums: BTreeMap<&[u8], &[u8]> = sums
            .split(|byte| *byte == 0)
            .filter(|line| !line.is_empty())
            .map(|line| (&line[68..], &line[..64]))
            .collect();
        let fields: Vec<&[u8]> = listed.split(|byte| *byte == 0).collect();
        let text = |bytes: &[u8]| bootworthy::bytes::text(bytes);
        let mut found = BTreeMap::new();
        for pair in fields.as_chunks::<2>().0 {
            let mut head = pair[0].splitn(3, |byte| *byte == b' ');
            let (kind, mode, path) = (head.next().unwrap(), head.next().unwrap(), head.next().unwrap());
            let rest = match kind {
                b"f" => text(sums[path]),
                b"l" => text(pair[1]),
                _ => String::new(),
            };
            let kind = if kind == b"p" { "o".to_owned() } else { text(kind) };
            found.insert(format!("/{}", text(path)), format!("{kind} {} {rest}", text(mode)));
        }
        found
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        // In a user namespace another user than ours owns the tree.
        drop(self.shop.remove("test", &self.shop.tree()));
    }
}

fn mode() -> Mode {
    Mode::detect().unwrap().0
}

fn wish(filesystem: FileSystemType, size: u64, source: &str) -> Wish {
    let is_fat = filesystem == Vfat;
    Wish {
        partition: if is_fat { "esp" } else { "root" }.to_owned(),
        filesystem,
        uuid: if is_fat { "0D12-0000" } else { ROOT }.to_owned(),
        label: is_fat.then(|| "EFI".to_owned()),
        size: size * MIB,
        source: source.to_owned(),
        features: Vec::new(),
    }
}

fn partition(number: u32, label: &str, kind: &str, start: u64, size: u64, is_filled: bool) -> Partition {
    let guid = format!("4a1f7c1e-6d0e-4b5b-9f0c-0d12000010{number:02x}");
    let [start, size] = [start, size].map(|mib| mib * MIB);
    Partition { number, label: label.into(), kind: kind.into(), guid, start, size, is_filled }
}

/// What our own reader finds.
fn found(volume: Bytes) -> BTreeMap<String, String> {
    let filesystem = filesystem::open(volume, &Limits::default()).unwrap();
    let mut found = BTreeMap::new();
    let mut folders = vec![GuestPath::root()];
    while let Some(folder) = folders.pop() {
        found.insert(folder.to_text(), row(&*filesystem, &folder));
        let listing = filesystem.read_dir(&folder, 10_000).unwrap();
        assert!(listing.gaps.is_empty());
        for entry in listing.items {
            let path = folder.join(&entry.name);
            match entry.file_type {
                FileType::Directory => folders.push(path),
                _ => drop(found.insert(path.to_text(), row(&*filesystem, &path))),
            }
        }
    }
    found
}

fn row(filesystem: &dyn FileSystem, path: &GuestPath) -> String {
    let metadata = filesystem.symlink_metadata(path).unwrap();
    let (kind, rest) = match metadata.file_type {
        FileType::Regular => {
            let bytes = read_capped(&mut *filesystem.open(path).unwrap(), 64 * MIB, "file").unwrap();
            ("f", Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat())
        }
        FileType::Directory => ("d", String::new()),
        FileType::Symlink => ("l", bootworthy::bytes::text(&filesystem.read_link(path).unwrap())),
        FileType::Other => ("o", String::new()),
    };
    format!("{kind} {:o} {rest}", metadata.mode)
}

fn bytes(path: &Path) -> Bytes {
    Arc::new(FileBytes::new(File::open(path).unwrap()).unwrap())
}

fn sum(path: &Path) -> String {
    String::from_utf8(tool("sha256sum", [path])).unwrap()[..64].to_owned()
}

fn debugfs(image: &Path, request: &str) -> String {
    String::from_utf8(tool("debugfs", ["-R", request, image.to_str().unwrap()])).unwrap()
}

/// Every mode keeps owners; the file system is the tree, and its times are the tree's or the build's.
#[test]
fn ext4_is_the_tree() {
    for (name, mode) in [("a folder", mode()), ("work", Mode::Fakechroot)] {
        let build = Build::new(name, mode);
        build.sh(TREE);
        build.sh(ODD_NAMES);
        let expected = build.expected("tree");
        build.filesystems(&[wish(Ext4, 64, "/")]).unwrap();
        assert!(!build.shop.tree().exists(), "nothing stands there twice");
        let image = build.path("filesystems/root.img");
        tool("e2fsck", ["-fn", image.to_str().unwrap()]);
        let mut found = found(bytes(&image));
        assert_eq!(found.remove("/lost+found").as_deref(), Some("d 700 "));
        assert_eq!(found, expected, "{mode:?}");
        for (path, says) in [
            ("/etc/shadow", &["User:     0   Group:    42", "Links: 2", "mtime: 0x499602d2", "atime: 0x499602d2"][..]),
            ("/usr/bin/wall", &["Group:     5", "Mode:  02755"]),
            // A large file, and the folder that it left before it was written.
            ("/usr/bin/su", &["User:     0   Group:     0", "Mode:  04755", "mtime: 0x5f5e1000", "crtime: 0x5f5e1000"]),
            ("/usr/bin", &["mtime: 0x5f5e1000"]),
            ("/home/u", &["User:  1000   Group:  1000", "crtime: 0x5f5e1000", "ctime: 0x5f5e1000"]),
            ("/etc/empty", &["mtime: 0x6553f100", "ctime: 0x6553f100"]),
            ("/usr/lib/sparse", &["Size: 9437184", "Blockcount: 8"]),
            ("/var/pipe", &["Type: FIFO"]),
        ] {
            let said = debugfs(&image, &format!("stat {path}"));
            for word in says {
                assert!(said.contains(word), "{mode:?} {path}: {word}\n{said}");
            }
        }
    }
}

#[test]
fn ext4_keeps_extended_attributes() {
    let build = Build::new("work", mode());
    // cap_net_raw+ep, as iputils-ping has it (linux/capability.h, vfs_cap_data revision 2).
    // Large, so that debugfs would write it if it had none.
    let script = "mkdir tree && head -c 90000 /dev/zero | tr '\\0' x >tree/ping && python3 -c \"import os; \
        os.setxattr('tree/ping', 'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))\"";
    build.sh(script);
    build.filesystems(&[wish(Ext4, 16, "/")]).unwrap();
    let said = debugfs(&build.path("filesystems/root.img"), "ea_list /ping");
    assert!(said.contains("security.capability (20) = 01 00 00 02 00 20 00 00"), "{said}");
}

#[test]
fn what_does_not_fit_is_refused_with_both_sizes() {
    let build = Build::new("work", mode());
    build.sh("mkdir tree && head -c 20M /dev/urandom >tree/large && i=0; \
        while [ $i -lt 3000 ]; do : >tree/$i; i=$((i + 1)); done");
    for (filesystem, size) in [(Ext4, 16), (Vfat, 10), (Ext4, 22)] {
        let error = build.filesystems(&[wish(filesystem, size, "/")]).unwrap_err();
        let says = ["the files of / take 21 MiB".to_owned(), format!("fit {size} MiB"), "too-large".to_owned()];
        let said = format!("{error} {}", serde_json::to_string(&error.kind).unwrap());
        for word in says {
            assert!(said.contains(&word), "{filesystem:?} {word}: {said}");
        }
        assert!(error.help.unwrap().contains("disk.size"));
    }
}

/// GPT, ESP, BIOS core and root on one disk, numbered as Debian's; `seconds` apart and in another folder the same bytes.
fn disk(name: &str, before: impl FnOnce(&Build)) -> (Build, PathBuf) {
    let build = Build::new(name, mode());
    build.sh(TREE);
    before(&build);
    build.filesystems(&[wish(Vfat, 40, "/boot/efi"), wish(Ext4, 64, "/")]).unwrap();
    let loader = build.path("loader");
    std::fs::create_dir(&loader).unwrap();
    let modules = "/usr/lib/grub/i386-pc";
    std::fs::copy(format!("{modules}/boot.img"), loader.join("boot.img")).unwrap();
    let core = loader.join("core.img");
    let words = ["-O", "i386-pc", "-d", modules, "-p", "(hd0,gpt1)/boot/grub", "-o", core.to_str().unwrap()];
    tool("grub-mkimage", [&words[..], &["biosdisk", "part_gpt", "ext2"]].concat());
    let options = table::Options {
        size: 128 * MIB,
        guid: "4a1f7c1e-6d0e-4b5b-9f0c-0d1200001000".into(),
        partitions: vec![
            partition(14, "bios", BIOS_TYPE, 1, 1, false),
            partition(15, "esp", ESP_TYPE, 2, 40, true),
            partition(1, "root", ROOT_TYPE, 42, 64, true),
        ],
        bios_partition: Some(14),
    };
    table::run(&options, &build.shop).unwrap();
    let disk = build.path("disk.raw");
    (build, disk)
}

#[test]
fn a_disk_is_read_alike_by_everyone() {
    let mut trees = (BTreeMap::new(), BTreeMap::new());
    let (build, disk) = disk("work", |build| trees = (build.expected("tree"), build.expected("tree/boot/efi")));
    let (mut tree, boot) = trees;
    let name = disk.to_str().unwrap();
    let scan = volume::scan(&bytes(&disk), &Limits::default()).unwrap();
    assert!(scan.flaws.items.is_empty() && scan.flaws.gaps.is_empty(), "{:?}", scan.flaws);
    let ours: Vec<(u32, u64, u64)> = scan.partitions.iter().map(|part| (part.number, part.start, part.size)).collect();
    assert_eq!(
        ours,
        [(1, 42, 64), (14, 1, 1), (15, 2, 40)].map(|(number, start, size)| (number, start * MIB, size * MIB))
    );
    let said = String::from_utf8(tool("sfdisk", ["--verify", name])).unwrap();
    assert!(said.contains("No errors detected"), "{said}");
    let table: Value = serde_json::from_slice(&tool("sfdisk", ["-J", name])).unwrap();
    let rows = table["partitiontable"]["partitions"].as_array().unwrap();
    let row = |at: usize, key: &str| rows[at][key].as_str().unwrap().to_lowercase();
    assert_eq!(table["partitiontable"]["id"], "4A1F7C1E-6D0E-4B5B-9F0C-0D1200001000");
    assert_eq!(
        (row(0, "name"), row(0, "type"), row(0, "uuid")),
        ("root".into(), ROOT_TYPE.into(), "4a1f7c1e-6d0e-4b5b-9f0c-0d1200001001".into())
    );
    assert_eq!((row(2, "name"), rows[2]["start"].as_u64()), ("esp".into(), Some(4096)));
    let offset = (42 * MIB).to_string();
    let said = String::from_utf8(tool("blkid", ["-p", "-O", &offset, name])).unwrap();
    assert!(said.contains(&format!("UUID=\"{ROOT}\"")) && said.contains("TYPE=\"ext4\""), "{said}");

    let part = |start: u64, size: u64| Arc::new(Window::new(bytes(&disk), start * MIB, size * MIB)) as Bytes;
    let mut root = found(part(42, 64));
    root.remove("/lost+found");
    // The ESP is another file system: its folder is empty here.
    tree.retain(|path, _| !path.starts_with("/boot/efi/"));
    assert_eq!(root, tree);
    let esp: Vec<(String, String)> = found(part(2, 40)).into_iter().filter(|(_, row)| row.starts_with('f')).collect();
    let expected = boot.into_iter().filter(|(_, row)| row.starts_with('f'));
    let sums = |rows: Vec<(String, String)>| -> Vec<(String, String)> {
        rows.into_iter().map(|(path, row)| (path, row.rsplit(' ').next().unwrap().to_owned())).collect()
    };
    assert_eq!(sums(esp), sums(expected.collect()));
    let esp = build.path("esp.img");
    tool(
        "dd",
        [format!("if={name}"), format!("of={}", esp.display()), "bs=1M".into(), "skip=2".into(), "count=40".into()],
    );
    tool("fsck.vfat", ["-n", esp.to_str().unwrap()]);
    let left = std::fs::read_dir(build.path("filesystems")).unwrap().count();
    assert!(left == 0 && !build.shop.tree().exists(), "nothing stands there twice");
    let code = std::fs::read(&disk).unwrap();
    assert_eq!((&code[0x5c..0x64], &code[510..512]), (&2048_u64.to_le_bytes()[..], &[0x55, 0xaa][..]));
}

#[test]
fn twice_is_the_same_in_another_folder() {
    let (first, disk_1) = disk("work", |_| {});
    let (second, disk_2) = disk("another folder", |_| {});
    assert_eq!(sum(&disk_1), sum(&disk_2));
    for (format, compression) in [
        (Format::Raw, None),
        (Format::Qcow2, None),
        (Format::Qcow2, Some(Compression::Zlib)),
        (Format::Qcow2, Some(Compression::Zstd)),
    ] {
        let options = image_stage::Options { format, compression };
        let sums = [&first, &second].map(|build| {
            // The disk becomes the image.
            build.sh("[ -e kept.raw ] || mv disk.raw kept.raw; cp --sparse=always kept.raw disk.raw");
            image_stage::run(&options, &build.shop).unwrap();
            sum(&build.path("image"))
        });
        assert_eq!(sums[0], sums[1], "{options:?}");
        let raw = second.path("back.raw");
        let format = if format == Format::Raw { "raw" } else { "qcow2" };
        tool(
            "qemu-img",
            ["convert", "-f", format, "-O", "raw", second.path("image").to_str().unwrap(), raw.to_str().unwrap()],
        );
        assert_eq!(sum(&raw), sum(&first.path("kept.raw")), "{options:?}");
        let image = second.path("image");
        let allocated = |path: &Path| path.metadata().unwrap().blocks();
        assert!(allocated(&disk_2) == 0 || format == "raw", "the disk has left");
        if format == "qcow2" {
            tool("qemu-img", ["check", "-q", image.to_str().unwrap()]);
            let whole = second.path("whole.qcow2");
            let kind =
                compression.map_or("", |kind| if kind == Compression::Zstd { ",compression_type=zstd" } else { "" });
            let mut words = vec!["convert".to_owned(), "-o".into(), format!("compat=1.1{kind}")];
            words.extend(compression.map(|_| "-c".to_owned()));
            words.extend(["-f", "raw", "-O", "qcow2"].map(str::to_owned));
            words.extend([second.path("kept.raw"), whole.clone()].map(|path| path.display().to_string()));
            tool("qemu-img", words);
            // As large as what qemu-img makes at once, but for the places of its tables.
            let [ours, theirs] = [&image, &whole].map(|path| path.metadata().unwrap().len());
            assert!(ours <= theirs + 4 * 65_536, "{ours} {theirs}");
        }
    }
}

/// What GRUB itself reads of a file system in a file.
fn grub_reads(image: &Path, path: &str) -> Vec<u8> {
    tool("grub-fstest", [image.to_str().unwrap(), "cat", path])
}

#[test]
fn xfs_is_the_tree_but_for_what_a_prototype_cannot_say() {
    let mut sums = Vec::new();
    for name in ["work", "another folder"] {
        let build = Build::new(name, mode());
        build.sh(TREE);
        build.sh(COPY);
        build.filesystems(&[wish(Xfs, 320, "/")]).unwrap();
        let image = build.path("filesystems/root.img");
        tool("xfs_repair", ["-n", "-f", image.to_str().unwrap()]);
        sums.push(sum(&image));
        let db = |request: &str| {
            let path = image.to_str().unwrap();
            let (path, print) = request.split_once(' ').map(|(file, fields)| ([path, file], fields)).unwrap();
            let (go, print) = (format!("path {}", path[1]), format!("print {print}"));
            String::from_utf8(tool("xfs_db", ["-r", "-c", &go, "-c", &print, path[0]])).unwrap()
        };
        for (request, says) in [
            ("/tmp core.mode", "041777"),
            ("/usr/bin/su core.mode", "0104755"),
            ("/usr/bin/wall core.mode core.gid", "core.mode = 0102755\ncore.gid = 5"),
            ("/etc/shadow core.mode core.gid core.gen", "core.mode = 0100640\ncore.gid = 42\ncore.gen = 0"),
            ("/home/u core.uid core.gid", "core.uid = 1000\ncore.gid = 1000"),
            ("/etc/shadow v3.crtime", "Fri Feb 13 23:31:30 2009"),
            ("/ core.mtime", "Sun Sep 13 12:26:40 2020"),
            ("/etc/empty core.mtime", "Tue Nov 14 22:13:20 2023"),
            ("/var/pipe core.mode", "010644"),
        ] {
            assert!(db(request).contains(says), "{request}: {}", db(request));
        }
        let tree = build.path("copy");
        let files =
            ["/usr/bin/su", "/usr/lib/sparse", "/etc/shadow.link", "/usr/lib/deep/er/a-file-of-a-large-folder-399"];
        for path in files {
            let expected =
                build.shop.output("test", build.shop.inside("cat").arg(tree.join(&path[1..])), 64 * MIB).unwrap();
            assert!(grub_reads(&image, path) == expected, "{path}");
        }
        let log = std::fs::read_to_string(build.shop.log()).unwrap();
        assert!(log.contains("xfs: 1 hard links became files of their own"), "{log}");
    }
    assert_eq!(sums[0], sums[1]);
}

#[test]
fn xfs_refuses_names_that_it_cannot_write() {
    let build = Build::new("work", mode());
    build.sh("mkdir -p tree/etc && : >\"tree/etc/$(printf 'a\\tb')\"");
    let error = build.filesystems(&[wish(Xfs, 320, "/")]).unwrap_err();
    assert!(
        error.to_string().starts_with("/etc/a\tb: xfs file system: mkfs.xfs reads no name with white space"),
        "{error}"
    );
    let error = build.filesystems(&[wish(Xfs, 100, "/")]).unwrap_err();
    assert!(error.to_string().contains("100 MiB, mkfs.xfs makes none below 300"), "{error}");
}

#[test]
fn btrfs_is_the_tree() {
    let build = Build::new("work", mode());
    build.sh(TREE);
    build.sh(COPY);
    build.filesystems(&[wish(Btrfs, 256, "/")]).unwrap();
    let image = build.path("filesystems/root.img");
    tool("btrfs", ["check", "--readonly", image.to_str().unwrap()]);
    let tree = build.path("copy");
    for path in ["/usr/bin/su", "/usr/lib/sparse", "/etc/shadow"] {
        let expected =
            build.shop.output("test", build.shop.inside("cat").arg(tree.join(&path[1..])), 64 * MIB).unwrap();
        assert!(grub_reads(&image, path) == expected, "{path}");
    }
}

/// A link in the tree on the way to a mount point would lead out of it on the host: nothing there is read or taken away.
#[test]
fn a_mount_point_behind_a_link_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(outside.path().join("efi")).unwrap();
    std::fs::write(outside.path().join("efi/secret"), "secret").unwrap();
    for link in [
        "rm -r tree/boot && ln -s \"$OUTSIDE\" tree/boot",
        "rm -r tree/boot/efi && ln -s \"$OUTSIDE/efi\" tree/boot/efi",
    ] {
        let build = Build::new("work", mode());
        build.sh(TREE);
        build.sh(&link.replace("$OUTSIDE", outside.path().to_str().unwrap()));
        let error = build.filesystems(&[wish(Vfat, 40, "/boot/efi"), wish(Ext4, 64, "/")]).unwrap_err();
        assert_eq!(error.to_string(), "folder /boot/efi of the tree: it is not there, or a link stands in its way");
        assert_eq!(std::fs::read_to_string(outside.path().join("efi/secret")).unwrap(), "secret");
        assert!(
            !String::from_utf8_lossy(&std::fs::read(build.path("filesystems/esp.img")).unwrap()).contains("secret")
        );
    }
}

/// Runs itself once more, on a file system of 24 MiB that no other process sees.
#[test]
fn a_full_disk_is_one_clear_error() {
    if let Some(folder) = std::env::var_os("BOOTWORTHY_SMALL_DISK") {
        return on_a_small_disk(Path::new(&folder));
    }
    let script = "mount -t tmpfs -o size=24m none \"$1\" && BOOTWORTHY_SMALL_DISK=\"$1\" \
        exec \"$0\" --exact build_disk::a_full_disk_is_one_clear_error";
    let folder = tempfile::tempdir().unwrap();
    let alone: &[&str] = if mode() == Mode::Root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let test = std::env::current_exe().unwrap();
    let words = [test.to_str().unwrap(), folder.path().to_str().unwrap()];
    let said = String::from_utf8(tool("unshare", [alone, &["sh", "-euc", script], &words].concat())).unwrap();
    assert!(said.contains("1 passed"), "{said}");
}

fn on_a_small_disk(folder: &Path) {
    // Files fit, and what mke2fs writes besides does not; not even the files fit.
    for (size, fill, free) in [
        (10, "avail=$(df -k --output=avail . | tail -1); fallocate -l $((avail - 10260))k fill", "0 MiB are free"),
        (20, "", "4 MiB are free"),
    ] {
        let build = Build::within(folder, "work", Mode::Root);
        build.sh(&format!("mkdir tree && head -c {size}M /dev/urandom >tree/large; {fill}"));
        let error = build.filesystems(&[wish(Ext4, 64, "/")]).unwrap_err();
        let image = build.path("filesystems/root.img").display().to_string();
        let needed = format!("no space left on device: {} MiB are needed, {free}", size + 1);
        let said = error.to_string();
        assert!(said.starts_with(&image) && said.contains(&needed), "{said}");
        assert_eq!(error.help.as_deref(), Some("free space there, or build in another folder"));
        build.sh("rm -rf tree filesystems");
    }
}
