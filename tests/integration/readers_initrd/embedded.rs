//! The initramfs inside a kernel: real kernels, kernels made to measure by `as`, `ld` and `objcopy`, and damage to both.

use super::craft::*;
use super::real::root;
use crate::common::{fixture, tool};
use crate::variants::{Disk, remove_named};
use bootworthy::disk::filesystem::{Directory, Root};
use bootworthy::fact::{Fact, Listing};
use bootworthy::guest::initrd::{Location, locate};
use bootworthy::guest::modules::wanted;
use bootworthy::guest::{Attempt, BootEntry, Initrd, Kernel, ModuleTree, kernel};
use bootworthy::limits::Limits;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// `usr/initramfs_data.S`.
const SOURCE: &str = r#"
.section .init.ramfs,"a"
__irf_start:
.incbin "archive"
__irf_end:
.section .init.ramfs.info,"a"
.globl __initramfs_size
__initramfs_size:
.quad __irf_end - __irf_start
.section .init.data,"aw"
.ascii "070701 as any other text"
"#;

/// `INIT_DATA_SECTION` and `INIT_RAM_FS` of `include/asm-generic/vmlinux.lds.h`, with a section behind it as x86 has.
const SCRIPT: &str = r"SECTIONS {
  . = 0xffffffff81000000;
  .init.data : {
    *(.init.data)
    . = ALIGN(4); __initramfs_start = .;
    KEEP(*(.init.ramfs))
    . = ALIGN(8);
    KEEP(*(.init.ramfs.info))
  }
  .x86_cpu_dev.init : { QUAD(__initramfs_start) }
}";

/// An unpacked kernel with `archive` inside.
fn vmlinux(archive: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, content) in [("archive", archive), ("data.S", SOURCE.as_bytes()), ("script", SCRIPT.as_bytes())] {
        fs::write(path(name), content).unwrap();
    }
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    tool("as", ["-I", folder.path().to_str().unwrap(), "-o", &text("data.o"), &text("data.S")]);
    tool("ld", ["-T", &text("script"), "-o", &text("vmlinux"), &text("data.o")]);
    tool("objcopy", ["-R", ".comment", "-S", &text("vmlinux"), &text("vmlinux.bin")]);
    fs::read(path("vmlinux.bin")).unwrap()
}

fn piped(line: &str, input: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input");
    fs::write(&path, input).unwrap();
    let input = Stdio::from(File::open(path).unwrap());
    let output = Command::new("bash").args(["-euc", line]).stdin(input).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A payload as `arch/x86/boot/compressed/Makefile` makes it: all but gzip's end with the unpacked length.
fn packed(pack: &str, vmlinux: &[u8]) -> Vec<u8> {
    let mut payload = piped(pack, vmlinux);
    if !pack.starts_with("gzip") {
        payload.extend(u32::try_from(vmlinux.len()).unwrap().to_le_bytes());
    }
    payload
}

/// The first sectors of a kernel, version 6.1.0-9-amd64.
fn setup() -> Vec<u8> {
    let mut setup = vec![0; 0x2000];
    setup[0x1f1] = 0xf;
    setup[0x202..0x206].copy_from_slice(b"HdrS");
    setup[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
    setup[0x20e..0x210].copy_from_slice(&0x1000_u16.to_le_bytes());
    setup[0x236] = 1;
    setup[0x1200..0x1200 + VERSION.len()].copy_from_slice(VERSION.as_bytes());
    setup
}

/// A bzImage of the setup part and this payload.
fn bzimage(mut setup: Vec<u8>, payload: &[u8]) -> Vec<u8> {
    const OFFSET: usize = 716;
    let word = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    setup[0x1f4..0x1f8].copy_from_slice(&word((OFFSET + payload.len()) / 16));
    setup[0x248..0x24c].copy_from_slice(&word(OFFSET));
    setup[0x24c..0x250].copy_from_slice(&word(payload.len()));
    let start = 512 * (1 + usize::from(setup[0x1f1]));
    setup.resize(start + OFFSET, 0xcc);
    [&setup, payload, &[0; 100]].concat()
}

fn entry_of(path: &str, initrds: &[&str]) -> BootEntry {
    let attempt = Attempt {
        when: String::new(),
        line: 1,
        kernel: path.to_owned(),
        initrds: Fact::Known(initrds.iter().map(|path| (*path).to_owned()).collect()),
        cmdline: Fact::Known(String::new()),
    };
    BootEntry {
        id: "x".to_owned(),
        title: String::new(),
        config: String::new(),
        line: 1,
        firmware: Fact::default(),
        stops: Vec::new(),
        is_default: Fact::Known(true),
        attempts: Fact::Known(Listing::from(vec![attempt])),
    }
}

/// The kernel at `path`, started by these entries.
fn started(root: &Root, path: &str, entries: &[BootEntry]) -> Kernel {
    let mut kernels = [kernel::read(root, path, &Limits::default())];
    kernel::add_initramfs(root, entries, &mut kernels, &wanted(&[]), &Limits::default());
    kernels.into_iter().next().unwrap()
}

/// What is inside a kernel that is started without an initrd, and why it is unknown.
fn inside(image: &[u8]) -> Result<Option<Initrd>, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vmlinuz"), image).unwrap();
    match started(&directory(folder.path()), "/vmlinuz", &[entry_of("/vmlinuz", &[])]).initramfs {
        Fact::Known(found) => Ok(found),
        Fact::Unknown(gap) => Err(gap.reason),
    }
}

fn directory(path: &Path) -> Root {
    Root::new(Rc::new(Directory::new(File::open(path).unwrap())), 1000)
}

fn is_proven(found: &Result<Option<Initrd>, String>) -> bool {
    let Ok(Some(initrd)) = found else { return false };
    initrd.has_init == Fact::Known(true) && matches!(locate(initrd, "virtio_blk")[0].location, Location::File { .. })
}

#[test]
fn real_kernels_hold_an_archive_that_starts_nothing() {
    for name in ["debian12", "debian13"] {
        let root = root(name);
        let path = root.glob("/boot/vmlinuz-*").items[0].to_text();
        let found = started(&root, &path, &[entry_of(&path, &[])]).initramfs;
        let initrd = found.known().cloned().flatten().unwrap_or_else(|| panic!("{name}: {found:?}"));
        let segments = initrd.segments.known().unwrap().items.clone();
        // usr/default_cpio_list: /dev, /dev/console and /root.
        let seen: Vec<_> = segments.iter().map(|it| (it.compression.as_str(), it.size, it.entries)).collect();
        assert_eq!((initrd.size, seen), (Fact::Known(512), vec![("none", 480, 3)]), "{name}");
        assert_eq!((initrd.has_init, initrd.path), (Fact::Known(false), format!("{path} (built-in initramfs)")));
        assert_eq!(initrd.flaws, Fact::Known(Listing::default()), "{name}");
        for initrds in [&["/boot/initrd.img"][..], &[]] {
            let entries = [entry_of(if initrds.is_empty() { "/other" } else { &path }, initrds)];
            let found = started(&root, &path, &entries).initramfs;
            assert!(matches!(&found, Fact::Unknown(gap) if gap.reason.contains("not looked for")), "{name}: {found:?}");
        }
    }
}

#[test]
fn every_compression_of_kernel_and_archive() {
    let plain = good();
    let vmlinux_of_plain = vmlinux(&plain);
    for pack in [
        "gzip -n -9",
        "xz --check=crc32 --x86 --lzma2=dict=1MiB",
        "zstd -q -19",
        "lz4 -l -9 -q - -",
        "lzma -9",
        "bzip2 -9",
        "lzop -9",
    ] {
        let found = inside(&bzimage(setup(), &packed(pack, &vmlinux_of_plain)));
        assert!(is_proven(&found), "{pack}: {found:?}");
    }
    for pack in ["cat", "gzip -n", "xz --check=crc32", "zstd -q", "lz4 -l -q - -", "lzma", "bzip2", "lzop"] {
        // gen_init_cpio pads to 512 bytes, compressed archives end anywhere.
        for padding in 0..9 {
            let archive = piped(pack, &[plain.clone(), vec![0; if pack == "cat" { padding } else { 0 }]].concat());
            let found = inside(&bzimage(setup(), &packed("zstd -q", &vmlinux(&archive))));
            assert!(is_proven(&found), "{pack} and {padding}: {found:?}");
            let size = found.unwrap().unwrap().size;
            assert_eq!(size, Fact::Known(u64::try_from(archive.len()).unwrap()), "{pack} and {padding}");
            if pack != "cat" {
                break;
            }
        }
    }
}

#[test]
fn what_is_not_certain_is_unknown() {
    let whole = vmlinux(&good());
    let image = |edit: fn(&mut Vec<u8>)| {
        let mut elf = whole.clone();
        edit(&mut elf);
        bzimage(setup(), &packed("zstd -q", &elf))
    };
    let header = |at: usize, bytes: &[u8]| {
        let mut image = image(|_| {});
        image[at..at + bytes.len()].copy_from_slice(bytes);
        image
    };
    let mut longer = packed("zstd -q", &whole);
    let last = longer.len() - 4;
    longer[last] ^= 1;
    for (image, reason) in [
        (image(|elf| replace(elf, b".init.data\0", b".init.dato\0")), "does not have one section"),
        (image(|elf| replace(elf, b".x86_cpu_dev.init\0", b".init.data\0dev.init\0")), "does not have one section"),
        (image(|elf| elf[0] = 0), "no ELF file"),
        (image(|elf| elf.truncate(elf.len() - 1)), "section table"),
        (vmlinux_without_size(), "no archive ends .init.data"),
        (bzimage(setup(), &packed("zstd -q", &vmlinux(b"an archive of nobody"))), "no archive ends .init.data"),
        (bzimage(setup(), &packed("zstd -q", &vmlinux(b""))), "no archive ends .init.data"),
        (bzimage(setup(), &longer), "it unpacks to"),
        (header(0x206, &0x207_u16.to_le_bytes()), "boot protocol 2.08"),
        (header(0x248, &[0; 4]), "boot protocol 2.08"),
        (header(0x24c, &[0xff; 4]), "the file has"),
        (header(0x24c, &[5, 0, 0, 0]), ""),
        (header(0x202, b"hdrs"), "only that of x86's bzImage"),
        (b"MZ".repeat(1000), "only that of x86's bzImage"),
        (Vec::new(), "only that of x86's bzImage"),
    ] {
        let found = inside(&image);
        if reason.is_empty() {
            assert!(!is_proven(&found), "{found:?}");
        } else {
            assert!(found.as_ref().is_err_and(|found| found.contains(reason)), "{reason}: {found:?}");
        }
    }
}

/// `__initramfs_size` as another number.
fn vmlinux_without_size() -> Vec<u8> {
    let archive = good();
    let mut elf = vmlinux(&archive);
    let size = u64::try_from(archive.len()).unwrap();
    replace(&mut elf, &size.to_le_bytes(), &(size + 8).to_le_bytes());
    bzimage(setup(), &packed("zstd -q", &elf))
}

/// Replaces the last `old`, which is there.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    let at = bytes.windows(old.len()).rposition(|window| window == old).expect("it is there");
    bytes[at..at + new.len()].copy_from_slice(new);
}

#[test]
fn damage_at_every_place() {
    let elf = vmlinux(&gzip(&good()));
    let whole = bzimage(setup(), &packed("gzip -n", &elf));
    let expected = inside(&whole);
    assert!(is_proven(&expected));
    let payload = whole.len() - 100;
    let mut longest = Duration::ZERO;
    let mut timed = |image: &[u8]| {
        let start = Instant::now();
        let found = inside(image);
        longest = longest.max(start.elapsed());
        found
    };
    for length in (0..payload).step_by(23) {
        assert!(!is_proven(&timed(&whole[..length])), "cut at {length}");
    }
    for at in (0x1f0..0x250).chain(0x2000..payload) {
        let mut image = whole.clone();
        image[at] ^= 1 << (at % 8);
        let found = timed(&image);
        // Compressed data have a checksum: what passes is what was packed.
        assert!(!is_proven(&found) || found == expected, "byte {at} flipped");
    }
    // Flipped before it is packed: nothing but the place of the archive and its own checksum speaks against it.
    for at in (0..elf.len()).filter(|at| elf[*at] != 0 || at % 16 == 0) {
        for bit in [0x01, 0x80, 0xff] {
            let mut elf = elf.clone();
            elf[at] ^= bit;
            let found = timed(&bzimage(setup(), &gzip(&elf)));
            // One more byte of length is a zero behind the archive.
            assert!(!is_proven(&found) || modules(&found) == modules(&expected), "ELF byte {at} flipped: {found:?}");
        }
    }
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

fn modules(found: &Result<Option<Initrd>, String>) -> Option<&Fact<Listing<ModuleTree>>> {
    Some(&found.as_ref().ok()?.as_ref()?.modules)
}

#[test]
fn a_bomb_is_refused() {
    let start = Instant::now();
    let bomb = packed("head -c 400M /dev/zero | zstd -q", b"");
    let found = inside(&bzimage(setup(), &bomb));
    assert!(found.as_ref().is_err_and(|found| found.contains("limit")), "{found:?}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// The whole program on an image whose boot entries name no initrd.
#[test]
fn an_image_without_initrds() {
    let work = tempfile::tempdir().unwrap();
    let whole = work.path().join("whole.raw");
    tool("qemu-img", ["convert", "-O", "raw", fixture("good.qcow2").to_str().unwrap(), whole.to_str().unwrap()]);
    let facts = crate::common::bootworthy(["inspect", whole.to_str().unwrap()]).stdout;
    let disk = Disk::copy(&whole, &serde_json::from_str(&facts).unwrap(), work.path());
    let initrd = disk.read(&disk.initrd());
    disk.repack("zstd -q", |tree| remove_named(tree, "virtio_scsi.ko"));
    let without_scsi = disk.read(&disk.initrd());
    let config = disk.text("/boot/grub/grub.cfg");
    let lines: Vec<&str> = config.lines().filter(|line| !line.trim_start().starts_with("initrd")).collect();
    disk.write("/boot/grub/grub.cfg", lines.join("\n") + "\n");
    let mut front = disk.read(&disk.kernel());
    front.truncate(512 * (1 + usize::from(front[0x1f1])));
    let trivial = archive(&[folder("dev"), folder("root")]);
    let built_in = format!("{} (built-in initramfs)", disk.kernel());
    let healthy = "/boot/vmlinuz";
    for (inner, scsi, others, path, found) in [
        (None, "unknown", "unknown", healthy, "the initramfs inside the kernel"),
        (Some(&trivial), "fail", "fail", healthy, "virtio_scsi is not built into this kernel"),
        (Some(&initrd), "pass", "pass", &built_in, "virtio_scsi"),
        (Some(&without_scsi), "fail", "pass", &built_in, "virtio_scsi.ko is not in this initrd"),
    ] {
        if let Some(inner) = inner {
            disk.write(&disk.kernel(), bzimage(front.clone(), &packed("lz4 -l -q - -", &vmlinux(inner))));
        }
        let report = disk.check();
        let check = |id: &str| -> Value {
            report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap().clone()
        };
        let checked = check("initrd-virtio-scsi");
        assert_eq!(checked["verdict"], scsi, "{checked}");
        let evidence = checked["evidence"].to_string();
        assert!(evidence.contains(path) && evidence.contains(found), "{evidence}");
        for id in ["cmdline-root-resolves", "initrd-kernel-match"] {
            assert_eq!(check(id)["verdict"], others, "{}", check(id));
        }
    }
}
