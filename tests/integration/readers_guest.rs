//! The readers of guest files against the tools that own their formats.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "test code"
)]

use crate::common::{fixture, image, tool};
use bootworthy::bytes::{Bytes, Window};
use bootworthy::disk::filesystem::{self, DirEntry, FileSystem, FileType, GuestPath, Identity, Metadata};
use bootworthy::disk::image::{self as images, Overlays};
use bootworthy::disk::source::FileBytes;
use bootworthy::disk::volume;
use bootworthy::error::{Error, Result};
use bootworthy::fact::{Fact, Listing};
use bootworthy::guest::bootloader::bios;
use bootworthy::guest::root::{OpenVolume, Tree, assemble};
use bootworthy::guest::{Mount, Package, fstab, kernel, os_release, packages};
use bootworthy::limits::Limits;
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

/// One per shape that was met in images, documentation or libmount's source; each must read as `findmnt` reads it.
const FSTABS: &[&str] = &[
    // Debian, with the installer's comments.
    "# /etc/fstab: static file system information.\n#\n# <file system> <mount point>   <type>  <options>       <dump>  <pass>\nUUID=4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001 /               ext4    errors=remount-ro 0       1\n/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0\n",
    // Debian cloud images.
    "PARTUUID=c5a1e8b2-0d0f-4b8a-a6f2-2b1f7e0a0001 / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\nPARTUUID=c5a1e8b2-0d0f-4b8a-a6f2-2b1f7e0a000f /boot/efi vfat defaults 0 0\n",
    // Ubuntu cloud images: tabs, labels, upper-case FAT label.
    "LABEL=cloudimg-rootfs\t/\t ext4\tdiscard,commit=30,errors=remount-ro\t0 1\nLABEL=BOOT\t/boot\text4\tdefaults\t0 2\nLABEL=UEFI\t/boot/efi\tvfat\tumask=0077\t0 1\n",
    // RHEL: quoted tags, an LVM name, swap.
    "/dev/mapper/rhel-root   /                       xfs     defaults        0 0\nUUID=\"B2C0-1A2F\"          /boot/efi               vfat    umask=0077,shortname=winnt 0 2\n/dev/mapper/rhel-swap   none                    swap    defaults        0 0\n",
    // SUSE: one subvolume per row.
    "UUID=a  /                       btrfs  defaults                      0  0\nUUID=a  /var                    btrfs  subvol=/@/var                 0  0\nUUID=a  /boot/grub2/x86_64-efi  btrfs  subvol=/@/boot/grub2/x86_64-efi  0  0\n",
    // Octal escapes in every field.
    "LABEL=my\\040disk /mnt/a\\040b\\011c ext4 rw,x=\\054 0 0\n",
    "/dev/a\\134b /mnt/\\043x ext4 rw 0 0\n",
    // Escapes that are none.
    "/dev/a\\04 /mnt/\\x20 ext4 rw,\\ 0 0\n/dev/b\\8 /mnt/\\9\\400z ext4 rw 0 0\n",
    // An escape at the very end, and one that is cut.
    "/dev/a /mnt/x\\040 ext4 rw\\041\n/dev/b /mnt/y\\04 ext4 rw\\04",
    // Quotes of both kinds, unclosed, nested, in a tag that is none.
    "UUID='a' /1 ext4 rw\nLABEL=\"b /2 ext4 rw\nLABEL=\"c\"d\" /3 ext4 rw\nFOO=\"e\" /4 ext4 rw\nPARTLABEL=\"f\"x /5 ext4 rw\n",
    // Missing fields, down to one.
    "/dev/a /1 ext4 rw 0\n/dev/b /2 ext4 rw\n/dev/c /3 ext4\n/dev/d /4\n/dev/e\n",
    // Numbers that are none, signed, too long, followed by a comment.
    "/dev/a /1 ext4 rw 0 1 # kept\n/dev/b /2 ext4 rw 0 #lost\n/dev/c /3 ext4 rw # lost\n/dev/d /4 ext4 rw -1 +2\n/dev/e /5 ext4 rw 1x 2\n/dev/f /6 ext4 rw 4294967297 99999999999999999999\n/dev/g /7 ext4 rw - 1\n",
    // Windows line ends, and one bare carriage return within.
    "/dev/a /1 ext4 rw 0 1\r\n\r\n# c\r\n/dev/b /2 ext4 rw\r\n/dev/c /3 ext4 rw\r",
    "/dev/a /1 ext4 rw\r0 0\n/dev/b\r/2 ext4 rw 0 0\n",
    // No newline at the end; only comments; nothing.
    "/dev/a / ext4 rw 0 1",
    "# nothing\n\n   # here\n",
    "",
    // Indented rows and comments, form feed, vertical tab.
    "   /dev/a\t \t/1  ext4\trw   0\t1   \n\t# c\n /dev/b /2 ext4 rw \x0b1 \x0c2\n\x0c/dev/c /3 ext4 rw\n",
    // Swap files, pseudo, network and bind rows.
    "/swapfile none swap sw 0 0\ntmpfs /tmp tmpfs nosuid,size=50% 0 0\nproc /proc proc defaults\nnas:/export /srv nfs4 _netdev,nofail 0 0\n//nas/share /smb cifs credentials=/etc/x,uid=0\n/srv /mnt/srv none bind 0 0\noverlay /o overlay lowerdir=/a:/b,upperdir=/c\n",
    // Options with quotes, commas in quotes, empty items, a lone equals sign.
    "/dev/a /1 ext4 rw,context=\"system_u:object_r:tmp_t:s0:c127,c456\",noexec 0 0\n/dev/b /2 ext4 ,,rw,,ro, 0 0\n/dev/c /3 ext4 =x,rw 0 0\n/dev/d /4 ext4 rw,\"a,b 0 0\n",
    // Targets that are not clean paths.
    "/dev/a /// ext4 rw\n/dev/b /a//b/ ext4 rw\n/dev/c relative ext4 rw\n/dev/d - ext4 rw\n",
    // cloud-init's left-overs, systemd's options.
    "/dev/vdb\t/mnt\tauto\tdefaults,nofail,x-systemd.after=cloud-init-network.service,_netdev,comment=cloudconfig\t0\t2\n",
    // Non-ASCII text.
    "LABEL=Größe /mnt/ключ ext4 rw 0 0\n",
    // A first row that looks like mountinfo or swaps, which must not change the format.
    "1 2 ext4 rw 0 0\nFilename\tType Size Used\n",
    // None as source, and an empty one by escape.
    "none /1 tmpfs rw\n\\000 /2 tmpfs rw\na\\000b /3 tmpfs rw\n",
];

#[test]
fn fstab_equals_findmnt() {
    let folder = tempfile::tempdir().unwrap();
    for content in FSTABS {
        let path = folder.path().join("fstab");
        fs::write(&path, content).unwrap();
        let arguments = ["--fstab", "--tab-file", path.to_str().unwrap(), "--list", "-J", "-o"];
        let columns = "SOURCE,TARGET,FSTYPE,OPTIONS,FREQ,PASSNO";
        // findmnt gives status 1 when it prints no row.
        let json = Command::new("findmnt").args(arguments).arg(columns).output().unwrap().stdout;
        let json: Value = if json.is_empty() { Value::Null } else { serde_json::from_slice(&json).unwrap() };
        let expected: Vec<Vec<String>> =
            json["filesystems"].as_array().into_iter().flatten().map(findmnt_row).collect();
        let listing = fstab::parse(content.as_bytes(), &Limits::default());
        let found: Vec<Vec<String>> = listing.items.iter().map(our_row).collect();
        assert_eq!(found, expected, "{content}");
        let rows = content.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        assert_eq!(found.len() + listing.gaps.len(), rows.count(), "every row is an item or a gap: {content}");
    }
    assert!(FSTABS.len() >= 20);
}

fn findmnt_row(row: &Value) -> Vec<String> {
    let column = |name: &str| match &row[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let options = column("options");
    let options = if options.contains('"') { options } else { non_empty(&options) };
    vec![unquoted(&column("source")), column("target"), column("fstype"), options, column("freq"), column("passno")]
}

fn our_row(mount: &Mount) -> Vec<String> {
    let Mount { spec, target, fstype, options, freq, passno, .. } = mount;
    vec![spec.clone(), target.clone(), fstype.clone(), options.join(","), freq.to_string(), passno.to_string()]
}

fn non_empty(options: &str) -> String {
    options.split(',').filter(|option| !option.is_empty()).collect::<Vec<_>>().join(",")
}

/// findmnt prints the source as written; `blkid` takes the quotes off a tag's value.
fn unquoted(source: &str) -> String {
    let Some((tag, value)) = source.split_once('=') else { return source.to_owned() };
    let is_tag = ["UUID", "LABEL", "PARTUUID", "PARTLABEL", "ID"].contains(&tag);
    let quote = value.chars().next().filter(|quote| is_tag && matches!(quote, '"' | '\''));
    let Some((inner, _)) = quote.and_then(|quote| value[1..].rsplit_once(quote)) else { return source.to_owned() };
    format!("{tag}={inner}")
}

/// A status file of cases that dpkg accepts: co-installed architectures, folded fields, every state, other encodings.
const STATUS: &[u8] = b"Package: alpha\nStatus: install ok installed\nMaintainer: x\nArchitecture: amd64\nMulti-Arch: same\nVersion: 1:2.0~rc1+dfsg-3+b1\nDescription: caf\xe9 in Latin-1\n Package: not-a-field\n .\n Status: neither\n\nPackage: alpha\nStatus: install ok installed\nMaintainer: x\nArchitecture: i386\nMulti-Arch: same\nVersion: 1:2.0~rc1+dfsg-3+b1\nDescription: x\n\n\n\nPackage: beta\nStatus: deinstall ok config-files\nMaintainer: x\nArchitecture: all\nVersion: 0:7-0\nConfig-Version: 7-0\nConffiles:\n /etc/beta d41d8cd98f00b204e9800998ecf8427e\nDescription: x\n\npackage: gamma\nstatus: hold ok installed\nmaintainer: x\narchitecture: amd64\nversion:   5.0-alpha-1  \ndescription: x\n\nPackage: delta\nStatus: install reinstreq half-installed\nMaintainer: x\nArchitecture: amd64\nVersion: 3\nDescription: x\n\nPackage: epsilon\nStatus: purge ok not-installed\nMaintainer: x\nArchitecture: amd64\nDescription: x\n\nPackage: zeta\nStatus: install ok unpacked\nMaintainer: x\nArchitecture: amd64\nVersion: 1.2.3\nDescription: x\n\nPackage: eta\nStatus: install ok triggers-pending\nMaintainer: x\nArchitecture: all\nVersion: 2:1\nTriggers-Pending: /usr/share/x\nDescription: x\n\nPackage: theta\nMaintainer: x\nArchitecture: all\nVersion: 9\nDescription: no status\n\nPackage: iota\nStatus: deinstall ok half-configured\nMaintainer: x\nArchitecture: all\nVersion: 1\nConfig-Version: 1\nDescription: x\n";

fn dpkg_query(status: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("status"), status).unwrap();
    fs::create_dir(folder.path().join("updates")).unwrap();
    let format = "-f=${Package} ${Version} ${Architecture} ${db:Status-Status}\n";
    let rows = tool("dpkg-query", ["--admindir", folder.path().to_str().unwrap(), "-W", format]);
    let mut rows: Vec<String> = String::from_utf8(rows).unwrap().lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

fn our_packages(status: &[u8]) -> Vec<String> {
    let listing = packages::parse_dpkg("status", status, &Limits::default());
    assert_eq!(listing.gaps, []);
    let row = |package: &Package| {
        let epoch = package.epoch.filter(|&epoch| epoch > 0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
        let release = package.release.as_ref().map(|release| format!("-{release}")).unwrap_or_default();
        let arch = package.arch.as_deref().unwrap_or_default();
        let state = package.state.as_deref().unwrap_or("installed");
        format!("{} {epoch}{}{release} {arch} {state}", package.name, package.version)
    };
    let mut rows: Vec<String> = listing.items.iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn packages_equal_dpkg_query() {
    assert_eq!(our_packages(STATUS), dpkg_query(STATUS));
    assert_eq!(our_packages(STATUS).len(), 8);
    let own = fs::read("/var/lib/dpkg/status").unwrap();
    assert_eq!(our_packages(&own), dpkg_query(&own));
    let without_end = own.trim_ascii_end();
    assert_eq!(our_packages(without_end), dpkg_query(&own));
}

/// A file system of one file at any path that is asked for, every folder above it, and nothing else.
struct OneFile(&'static str, Vec<u8>);

impl OneFile {
    fn file_type(&self, path: &GuestPath) -> Result<FileType> {
        let file = GuestPath::new(self.0);
        if *path == file {
            return Ok(FileType::Regular);
        }
        file.below(path).map(|_| FileType::Directory).ok_or_else(|| Error::not_found("file"))
    }
}

impl FileSystem for OneFile {
    fn identity(&self) -> Identity {
        Identity::default()
    }

    fn open(&self, _: &GuestPath) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.1.as_slice()))
    }

    fn read_dir(&self, _: &GuestPath, _: usize) -> Result<Listing<DirEntry>> {
        Ok(Listing::default())
    }

    fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata> {
        Ok(Metadata { file_type: self.file_type(path)?, size: self.1.len().try_into().unwrap(), mode: 0o644 })
    }

    fn read_link(&self, _: &GuestPath) -> Result<Vec<u8>> {
        Err(Error::not_found("link"))
    }
}

/// Scripts that GRUB's own checker accepts, and some that it refuses.
const SCRIPTS: &[&str] = &[
    "set a=b\necho $a ${a} \"$a\" '$a' \\$a\n",
    "if [ x$a = xy ]; then\n  true\nelif test -n \"$b\"; then false; else\n true\nfi\n",
    "function f {\n  echo $1\n}\nf x\n",
    "menuentry 'a b' --class x --id y {\n  linux /v root=UUID=x ro\n  initrd /i /j\n}\n",
    "submenu s { menuentry m { true; } }\n",
    "for i in a b c; do echo $i; done\nwhile false; do true; done\nuntil true\ndo\n  true\ndone\n",
    "echo one\\\ntwo\n",
    "echo a#b # comment ' \" {\n",
    "echo if then else fi\n",
    "echo $\"translated\"\n",
    "echo 'over\ntwo lines'\n",
    "! false\n",
    "echo a;\n",
    "\n\n# a comment\ntrue",
    "if true; then true\n",
    "fi\n",
    "menuentry x {\n true\n",
    "echo 'never closed\n",
    "echo a | cat\n",
    "}\n",
    "for in a; do true; done\n",
    "if true then true; fi\n",
    "echo a && echo b\n",
    "function { true; }\n",
    "else\n",
    "if true; then\n # nothing\nfi\n",
    "menuentry x { }\n",
    "echo a $ b\n",
    "echo \"${a\"\n",
];

fn assembled(script: &[u8]) -> Tree {
    let filesystem = Rc::new(OneFile("/boot/grub/grub.cfg", script.to_vec()));
    let directory = OpenVolume {
        number: None,
        partuuid: None,
        partlabel: None,
        kind: String::new(),
        identity: Some(Identity::default()),
        filesystem: Ok(filesystem),
    };
    assemble(vec![directory], &Fact::unknown("a directory"), None, &Limits::default()).unwrap()
}

#[test]
fn grub_scripts_are_accepted_as_grub_accepts_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grub.cfg");
    let configurations =
        ["grub/debian-12.cfg", "grub/ubuntu-24.04.cfg", "grub/rhel-9.cfg"].map(|name| fs::read(fixture(name)).unwrap());
    let scripts = SCRIPTS.iter().map(|script| script.as_bytes().to_vec()).chain(configurations);
    let (mut accepted, mut refused) = (0, 0);
    for script in scripts {
        fs::write(&path, &script).unwrap();
        let checked = Command::new("grub-script-check").arg(&path).output();
        let expected = checked.expect("grub-script-check of grub-common is needed; run tests/run").status.success();
        let gaps = assembled(&script).boot_entries.gaps;
        let found = !gaps.iter().any(|gap| gap.reason.contains("what follows is not read"));
        assert_eq!(found, expected, "{}: {gaps:?}", String::from_utf8_lossy(&script));
        if expected { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted >= 15 && refused >= 8, "{accepted} accepted, {refused} refused");
}

/// A real image as `inspect` sees it.
pub fn open_image(name: &str) -> Tree {
    let limits = Limits::default();
    let file: Bytes = Arc::new(FileBytes::new(fs::File::open(image(name)).unwrap()).unwrap());
    let disk = images::open(file, &Overlays::default(), &limits).unwrap().disk;
    let scan = volume::scan(&disk, &limits).unwrap();
    let bios = bios::code_of(&disk, &scan);
    let open = |partition: volume::Partition| {
        let window: Bytes = Arc::new(Window::new(Arc::clone(&disk), partition.start, partition.size));
        let opened: Result<Rc<dyn FileSystem>> = filesystem::open(window, &limits).map(Rc::from);
        OpenVolume {
            number: Some(partition.number),
            partuuid: partition.uuid,
            partlabel: partition.label,
            kind: partition.kind,
            identity: opened.as_ref().ok().map(|filesystem| filesystem.identity()),
            filesystem: opened,
        }
    };
    assemble(scan.partitions.into_iter().map(open).collect(), &bios, None, &limits).unwrap()
}

#[test]
fn debian_images_are_read_whole() {
    for (name, number, version) in [("debian12", 3, "12"), ("debian13", 1, "13")] {
        let limits = Limits::default();
        let tree = open_image(name);
        assert_eq!((tree.number, tree.gaps.as_slice()), (Some(number), &[][..]), "{name}");
        assert!(tree.chosen.starts_with("named by root=") && tree.chosen.ends_with(" of the default entry"));
        let os = os_release::read(&tree.root, &limits).unwrap();
        assert_eq!((os.id.as_str(), os.version_id.as_deref()), ("debian", Some(version)));
        assert_eq!(os.architecture.known().map(String::as_str), Some("x86_64"));

        let entries = &tree.boot_entries;
        assert_eq!(entries.gaps, [], "{name}");
        assert!(entries.items.len() >= 3, "{name}: {entries:?}");
        assert_eq!(entries.items.iter().filter(|entry| entry.is_default.known() == Some(&true)).count(), 1, "{name}");
        for entry in &entries.items {
            assert_eq!(entry.config, "/boot/grub/grub.cfg");
            assert_eq!(entry.firmware.known().unwrap(), &["bios", "uefi"], "{name}");
            let attempts = entry.attempts.known().unwrap();
            assert_eq!((attempts.items.len(), attempts.gaps.len()), (1, 0), "{name}");
            let kernel = kernel::read(&tree.root, &attempts.items[0].kernel, &limits);
            let release = kernel.version.known().unwrap();
            assert_eq!(attempts.items[0].kernel, format!("/boot/vmlinuz-{release}"));
            assert_eq!(attempts.items[0].initrds.known().unwrap(), &[format!("/boot/initrd.img-{release}")]);
            assert_eq!(kernel.architecture.known().map(String::as_str), Some("x86_64"));
            let config = kernel.config.known().unwrap().as_ref().unwrap();
            assert!(config.options.iter().any(|it| it.name == "CONFIG_SCSI_VIRTIO" && it.value == "m"), "{name}");
        }

        let rows = fstab::read(&tree.root, &limits).unwrap().unwrap();
        assert!(rows.gaps.is_empty() && rows.items.iter().any(|row| row.target == "/"), "{name}: {rows:?}");
        let status = tree.root.read("/var/lib/dpkg/status", limits.package_database).unwrap();
        let found = packages::read(&tree.root, &limits).unwrap();
        assert_eq!((found.items.len() > 100, found.gaps.len()), (true, 0), "{name}");
        assert_eq!(our_packages(&status), dpkg_query(&status), "{name}");
    }
}

/// Damages a copy of `bytes`: flips, cuts, doubles or drops a part, by a fixed sequence.
fn damaged(bytes: &[u8], seed: &mut u64) -> Vec<u8> {
    let mut random = |below: usize| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*seed >> 33).unwrap() % below.max(1)
    };
    let mut copy = bytes.to_vec();
    for _ in 0..=random(8) {
        let (at, length) = (random(copy.len()), random(64));
        let end = at.saturating_add(length).min(copy.len());
        match random(5) {
            0 => copy.truncate(at),
            1 => drop(copy.drain(at..end)),
            2 => copy.splice(at..at, bytes[..length.min(bytes.len())].iter().copied()).for_each(drop),
            3 => copy.splice(at..at, [b"{}$'\"\\\n;[ "[random(10)]]).for_each(drop),
            _ => copy.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << (length % 8)),
        }
    }
    copy
}

#[test]
fn damaged_files_never_panic() {
    let limits = Limits::default();
    let start = std::time::Instant::now();
    let mut seed = 1;
    let scripts =
        ["grub/debian-12.cfg", "grub/ubuntu-24.04.cfg", "grub/rhel-9.cfg"].map(|name| fs::read(fixture(name)).unwrap());
    let release = fs::read("/etc/os-release").unwrap();
    for _ in 0..400 {
        for script in &scripts {
            drop(assembled(&damaged(script, &mut seed)));
        }
        for table in FSTABS {
            let table = damaged(table.as_bytes(), &mut seed);
            let listing = fstab::parse(&table, &limits);
            assert!(listing.items.len() + listing.gaps.len() <= table.split(|&byte| byte == b'\n').count());
        }
        drop(packages::parse_dpkg("status", &damaged(STATUS, &mut seed), &limits));
        drop(os_release::parse("os-release", &damaged(&release, &mut seed)));
        drop(kernel::parse_header(&damaged(&[0; 0x300], &mut seed)));
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
