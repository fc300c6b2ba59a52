//! Whole disks in memory: what each firmware reaches.

use super::disk::tests::volume;
use super::grub_core::tests::{ALL, core, efi};
use super::uefi::tests::program;
use super::*;
use crate::guest::memory::Memory;
use crate::guest::pe::tests::program as sections;

/// The front of a bzImage with a 64-bit entry point.
pub(crate) fn kernel() -> Vec<u8> {
    let mut bytes = vec![0; 0x400];
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x206..0x208].copy_from_slice(&[0x0f, 0x02]);
    bytes[0x236] = 1;
    bytes
}

fn found(volumes: Vec<OpenVolume>, has_bios: bool) -> Vec<String> {
    found_by(volumes, &Fact::Known(has_bios.then(|| Code::Grub(core("(,gpt1)/boot/grub")))))
}

pub(super) fn found_by(volumes: Vec<OpenVolume>, bios: &Fact<Option<Code>>) -> Vec<String> {
    let disk = Disk::new(volumes, &Limits::default());
    let listing = read(&disk, bios, &Limits::default());
    let row = |reached: &Reached| {
        let firmware = reached.firmware.known().map_or("?".to_owned(), |list| list.join("+"));
        let star = if reached.entry.is_default { "*" } else { "" };
        format!("{star}{} {firmware} {}", reached.entry.ids.join(">"), reached.entry.config.path)
    };
    let mut rows: Vec<String> = listing.items.iter().map(row).collect();
    rows.extend(listing.gaps.iter().map(|gap| format!("{} {}", gap.path.as_deref().unwrap_or("-"), gap.reason)));
    rows
}

const TWO: &str = "set timeout=1; menuentry a { linux /a }\nmenuentry b { linux /b }\n";
const X64: u16 = 0x8664;
const STUB: &str = "search.fs_uuid root-1 root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n";

fn root() -> Memory {
    let files = Memory::new("ext4", "root-1", "").file("/boot/grub/grub.cfg", TWO);
    files.file("/a", kernel()).file("/b", kernel())
}

fn esp() -> Memory {
    Memory::new("vfat", "AAAA-BBBB", "").file("/EFI/BOOT/bootx64.efi", efi(X64, ALL, "/EFI/debian"))
}

/// The same with a loader that nobody knows.
fn unknown_esp() -> Memory {
    Memory::new("vfat", "AAAA-BBBB", "").file("/EFI/BOOT/bootx64.efi", program(X64))
}

#[test]
fn each_firmware_reaches_what_it_reads() {
    let path = "/boot/grub/grub.cfg";
    let both = [format!("*a bios+uefi {path}"), format!("b bios+uefi {path}")];
    let with_stub = || esp().file("/EFI/debian/grub.cfg", STUB);
    assert_eq!(found(vec![volume(1, root()), volume(15, with_stub())], true), both);
    let bios = [format!("*a bios {path}"), format!("b bios {path}")];
    assert_eq!(found(vec![volume(1, root()), volume(15, esp())], true)[..2], bios, "GRUB for UEFI finds no menu");
    let rows = found(vec![volume(1, root()), volume(15, unknown_esp())], false);
    assert!(rows[0].starts_with("*a ? ") && rows.len() == 2, "{rows:?}");
    let uefi = [format!("*a uefi {path}"), format!("b uefi {path}")];
    assert_eq!(found(vec![volume(1, root()), volume(15, with_stub())], false), uefi);
    let none = [format!("*a  {path}"), format!("b  {path}")];
    assert_eq!(found(vec![volume(1, root())], false), none, "no firmware starts it");
}

#[test]
fn firmware_starts_kernels_of_its_machine() {
    let path = "/boot/grub/grub.cfg";
    let arm = || {
        let mut bytes = vec![0; 64];
        bytes[56..60].copy_from_slice(b"ARM\x64");
        bytes
    };
    let of = |kernel: Vec<u8>| {
        let files = Memory::new("ext4", "root-1", "").file("/a", kernel);
        volume(1, files.file(path, "set timeout=1\nmenuentry a { linux /a }\n"))
    };
    let esp_of = |name: &str, machine: u16| {
        let files = Memory::new("vfat", "AAAA-BBBB", "");
        let files = files.file("/EFI/debian/grub.cfg", STUB);
        volume(15, files.file(&format!("/EFI/BOOT/{name}"), efi(machine, ALL, "/EFI/debian")))
    };
    for (kernel, name, machine, has_bios, expected) in [
        (kernel(), "BOOTX64.EFI", X64, true, "bios+uefi"),
        (kernel(), "BOOTX64.EFI", X64, false, "uefi"),
        (kernel(), "BOOTAA64.EFI", 0xaa64, false, ""),
        (kernel(), "BOOTAA64.EFI", X64, false, ""),
        (kernel(), "BOOTIA32.EFI", 0x14c, false, ""),
        (kernel(), "BOOTAA64.EFI", 0xaa64, true, "bios"),
        (arm(), "BOOTAA64.EFI", 0xaa64, true, "uefi"),
        (arm(), "BOOTX64.EFI", X64, true, ""),
        (b"?".to_vec(), "BOOTX64.EFI", X64, false, "?"),
        (b"?".to_vec(), "BOOTX64.EFI", X64, true, "bios"),
    ] {
        let rows = found(vec![of(kernel), esp_of(name, machine)], has_bios);
        assert_eq!(rows, [format!("*a {expected} {path}")], "{name} {has_bios}");
    }
}

#[test]
fn firmware_that_was_not_seen_is_no_absence() {
    let unclear = |rows: &[String]| rows.iter().any(|row| row.starts_with("*a ? "));
    let code = Fact::unknown("boot code of another loader");
    let rows = found_by(vec![volume(1, root())], &code);
    assert!(unclear(&rows) && rows.iter().any(|row| row.contains("another loader")), "{rows:?}");
    let rows = found_by(vec![volume(1, root()), volume(15, esp())], &code);
    assert!(rows.iter().any(|row| row.contains("another loader")), "beside UEFI as well: {rows:?}");
    let hidden = Memory::new("vfat", "A", "").unreadable("/EFI/BOOT/BOOTX64.EFI");
    assert!(unclear(&found(vec![volume(1, root()), volume(15, hidden)], false)));
    let mut unopened = volume(15, Memory::new("vfat", "A", ""));
    unopened.filesystem = Err(crate::error::Error::unsupported("FAT", "not read"));
    assert!(unclear(&found(vec![volume(1, root()), unopened], false)));
}

#[test]
fn the_menu_of_the_prefix_counts() {
    let other = Memory::new("ext4", "root-2", "").file("/boot/grub2/grub.cfg", "menuentry c { linux /c }");
    let rows = found(vec![volume(1, root()), volume(2, other)], true);
    assert_eq!(rows.iter().filter(|row| row.starts_with('*')).count(), 1, "only the prefix counts: {rows:?}");
    let linked = Memory::new("ext4", "boot-1", "").file("/grub/grub.cfg", TWO).link("/boot", ".");
    assert_eq!(found(vec![volume(1, linked)], true).len(), 2, "two names of one file");
}

#[test]
fn other_loaders_are_named_where_they_decide() {
    let systemd = || unknown_esp().file("/loader/loader.conf", "").file("/loader/entries/x.conf", "");
    let rows = found(vec![volume(1, root()), volume(15, systemd())], true);
    assert!(rows[0].starts_with("*a bios ") && rows[2].starts_with("/loader/entries the EFI system"), "{rows:?}");
    let rows = found(vec![volume(15, systemd().file("/EFI/x/grub.cfg", STUB)), volume(1, root())], false);
    assert!(rows.iter().all(|row| !row.contains("not read")), "GRUB's own stub decides: {rows:?}");
    let isolinux = Memory::new("ext4", "", "").file("/isolinux/isolinux.cfg", "");
    let rows = found(vec![volume(1, isolinux)], true);
    assert!(rows.len() == 2 && rows[1].starts_with("/isolinux/isolinux.cfg "), "{rows:?}");
    assert_eq!(found(vec![volume(1, Memory::new("ext4", "", ""))], false).len(), 1, "a gap at least");
    let mut unopened = volume(2, Memory::new("btrfs", "x", ""));
    unopened.filesystem = Err(crate::error::Error::unsupported("btrfs", "this version does not read it"));
    let rows = found(vec![volume(1, root()), unopened], true);
    assert!(rows[2].starts_with("- partition 2 may hold a boot configuration"), "{rows:?}");
    let mut blank = volume(2, Memory::new("", "", ""));
    blank.filesystem = Err(crate::error::Error::not_found("file system"));
    blank.identity = None;
    assert_eq!(found(vec![volume(1, root()), blank], true).len(), 2, "a BIOS boot partition hides nothing");
    let broken = Memory::new("ext4", "", "").unreadable("/boot");
    assert!(found(vec![volume(1, broken)], true)[0].contains("Input/output error"));
}

/// An EFI program with a word by which it is known.
fn known(magic: &str) -> Vec<u8> {
    sections(&[(".text", b"x"), (".sdmagic", magic.as_bytes())])
}

const SYSTEMD_BOOT: &str = "#### LoaderInfo: systemd-boot 257.5-2 ####";

#[test]
fn systemd_boot_starts_its_own_entries() {
    let entries = |files: Memory| {
        let files = files.file("/loader/entries/a.conf", "linux /a\noptions root=UUID=root-1\n");
        files.file("/loader/entries/b.conf", "linux /b\n").file("/a", kernel()).file("/b", kernel())
    };
    let esp = |loader: Vec<u8>| entries(Memory::new("vfat", "A", "").file("/EFI/BOOT/BOOTX64.EFI", loader));
    let expected = ["*b.conf uefi /loader/entries/b.conf", "a.conf uefi /loader/entries/a.conf"];
    let main = "/boot/grub/grub.cfg";
    assert_eq!(found(vec![volume(15, esp(known(SYSTEMD_BOOT)))], false), expected);
    let both = found(vec![volume(1, root()), volume(15, esp(known(SYSTEMD_BOOT)))], true);
    assert_eq!(both[..2], [format!("*a bios {main}"), format!("b bios {main}")], "each firmware has its own");
    assert_eq!(both[2..], expected);
    let shim =
        esp(sections(&[(".text", b"x"), (".sbat", b"shim,4")])).file("/EFI/BOOT/GRUBX64.EFI", known(SYSTEMD_BOOT));
    assert_eq!(found(vec![volume(15, shim)], false), expected, "shim starts what is called like GRUB");
    let grub = esp(efi(X64, ALL, "/EFI/debian")).file("/EFI/debian/grub.cfg", STUB);
    let rows = found(vec![volume(1, root()), volume(15, grub)], false);
    assert_eq!(rows[0], format!("*a uefi {main}"), "GRUB is GRUB, whatever stands beside it");
    let arm = found(vec![volume(15, esp(known(SYSTEMD_BOOT)).file("/b", b"?"))], false);
    assert!(arm[0].starts_with("*b.conf ? "), "{arm:?}");
}

#[test]
fn uefi_may_start_a_kernel_by_itself() {
    let stub = b"#### LoaderInfo: systemd-stub 257.5-2 ####";
    let image: &[(&str, &[u8])] = &[(".sdmagic", stub), (".linux", &kernel()), (".initrd", b"i"), (".cmdline", b"ro")];
    let path = "/EFI/BOOT/BOOTX64.EFI";
    let esp = |body: Vec<u8>| vec![volume(1, Memory::new("vfat", "A", "").file(path, body))];
    assert_eq!(found(esp(sections(image)), false), [format!("*BOOTX64.EFI uefi {path}")]);
    let mut bare = sections(&[(".text", b"x")]);
    bare[0x202..0x206].copy_from_slice(b"HdrS");
    bare[0x206..0x208].copy_from_slice(&[0x0f, 0x02]);
    bare[0x236] = 1;
    assert_eq!(found(esp(bare), false), [format!("*BOOTX64.EFI uefi {path}")]);
}

#[test]
fn syslinux_starts_the_configuration_of_its_volume() {
    let config = "default a\nlabel a\nlinux /a\nlabel b\nlinux /b\n";
    let path = "/boot/extlinux/extlinux.conf";
    let with = |uuid: &str| Memory::new("ext4", uuid, "").file(path, config).file("/a", kernel()).file("/b", kernel());
    let code = |number: u32| Fact::Known(Some(Code::Syslinux(number)));
    let rows = found_by(vec![volume(1, with("x")), volume(2, root())], &code(1));
    assert_eq!(rows, [format!("*a bios {path}"), format!("b bios {path}")], "GRUB's menu is nobody's");
    let rows = found_by(vec![volume(1, with("x")), volume(2, root())], &code(2));
    assert_eq!(rows, ["- there is Syslinux for BIOS, and no configuration of it that this version reads"]);
    let u_boot = found(vec![volume(1, with("x"))], false);
    assert_eq!(u_boot, [format!("*a  {path}"), format!("b  {path}")], "no firmware of Nova's starts it");
    let unclear = found_by(vec![volume(1, with("x"))], &Fact::unknown("boot code of another loader"));
    assert!(unclear.iter().any(|row| row.starts_with("*a ? ")), "{unclear:?}");
}

#[test]
fn configurations_are_counted() {
    let volumes = (1..30)
        .map(|number| volume(number, Memory::new("ext4", &format!("u{number}"), "").file("/grub/grub.cfg", TWO)));
    let rows = found(volumes.collect(), true);
    assert!(rows.iter().any(|row| row.contains("more than 16 such configurations")), "{rows:?}");
    assert_eq!(rows.iter().filter(|row| row.starts_with('*')).count(), 16);
}
