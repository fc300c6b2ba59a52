//! What GRUB comes to from its core on, with the modules that it finds.

use super::*;
use crate::fact::Fact;
use crate::guest::bootloader::Reach;
use crate::guest::bootloader::disk::tests::volume;
use crate::guest::bootloader::grub_core::Core;
use crate::guest::bootloader::grub_core::tests::{core_img, efi, elf, list, objects};
use crate::guest::memory::Memory;

/// Modules as files, with what they need.
const FILES: &[(&str, &[&str])] = &[
    ("normal", &["crypto", "terminal"]),
    ("crypto", &[]),
    ("terminal", &[]),
    ("linux", &["boot", "mmap"]),
    ("boot", &[]),
    ("mmap", &["boot"]),
    ("test", &[]),
    ("search", &["search_fs_uuid"]),
    ("search_fs_uuid", &[]),
    ("xfs", &["fshelp"]),
    ("fshelp", &[]),
];
const COMMANDS: &str = "[: test\n*search: search\nlinux: linux\ninitrd: linux\nmenuentry: normal\ntest: test\n";
const MENU: &str = "set timeout=1\nif [ x = x ]; then\nsearch --set=root --fs-uuid root-1\nfi\nmenuentry a {\nlinux /vmlinuz\ninitrd /initrd\n}\n";
const FOLDER: &str = "/boot/grub/i386-pc";

/// A root file system with menu and modules; `without` is left out.
fn root(without: &str) -> Memory {
    let mut files = Memory::new("ext4", "root-1", "").file("/boot/grub/grub.cfg", MENU);
    for (name, depends) in FILES.iter().filter(|(name, _)| *name != without) {
        files = files.file(&format!("{FOLDER}/{name}.mod"), elf(name, depends, false));
    }
    let lists = [("command.lst", COMMANDS), ("fs.lst", "ext2\nxfs\n")];
    lists
        .into_iter()
        .filter(|(name, _)| *name != without)
        .fold(files, |files, (name, text)| files.file(&format!("{FOLDER}/{name}"), text))
}

const SMALL: &[&str] = &["biosdisk", "part_gpt", "ext2", "search_fs_uuid"];
const EARLY: &str = "search.fs_uuid root-1 root\nset prefix=($root)/boot/grub\n";

/// Each entry with what keeps GRUB from it, then gaps; or why there is no menu.
fn told(core: &Core, program: Option<(usize, &str)>, volumes: Vec<Memory>) -> Vec<String> {
    let volumes = (1..).zip(volumes).map(|(number, files)| volume(number, files));
    let disk = Disk::new(volumes.collect(), &Limits::default());
    let word = |reach: &Reach| match reach {
        Fact::Known(None) => "started".to_owned(),
        Fact::Known(Some(stop)) => stop.found.clone(),
        Fact::Unknown(gap) => format!("? {}", gap.reason),
    };
    match boot(&disk, Start { core, program }, &Limits::default()) {
        Ok(menu) => {
            let row = |found: &Found| format!("{}: {}", found.entry.ids.join(">"), word(&found.reach));
            let gaps = menu.gaps.iter().map(|gap| gap.reason.clone());
            menu.items.iter().map(row).chain(gaps).collect()
        }
        Err(reach) => vec![word(&reach)],
    }
}

fn pc(modules: &[&str], prefix: &str, config: &str) -> Core {
    Core::parse_pc(&core_img(&objects(modules, prefix, config, false))).unwrap()
}

fn by_pc(core: &Core, files: Memory) -> String {
    told(core, None, vec![files]).join("; ")
}

#[test]
fn modules_that_are_missing_stop_grub_where_they_are_needed() {
    let core = pc(SMALL, "/boot/grub", EARLY);
    for (without, expected) in [
        ("nothing", "a: started"),
        ("normal", "GRUB loads the module normal, and normal.mod is not there"),
        ("crypto", "GRUB loads the module normal, and crypto.mod, which normal.mod needs, is not there"),
        ("linux", "a: GRUB loads the module linux, and linux.mod is not there"),
        ("boot", "a: GRUB loads the module linux, and boot.mod, which mmap.mod needs, is not there"),
        ("search", "a: started"),
        ("xfs", "a: started"),
        (
            "test",
            "a: ? GRUB loads the module test, and test.mod is not there: what its menu comes to without it is not known",
        ),
        (
            "command.lst",
            "a: GRUB does not know the command linux: there is no command.lst that says which module has it",
        ),
    ] {
        assert_eq!(by_pc(&core, root(without)), expected, "{without}");
    }
    let with = |path: &str, body: Vec<u8>| by_pc(&core, root("").file(&format!("{FOLDER}/{path}"), body));
    for (path, body, expected) in [
        ("normal.mod", vec![], "normal.mod is none: "),
        ("normal.mod", elf("other", &[], false), "normal.mod holds the module other"),
        ("normal.mod", elf("normal", &[], true), "normal.mod is for another machine"),
        ("normal.mod", b"\x1f\x8b\x08".to_vec(), "? a compressed module"),
        ("linux.mod", elf("linux", &[], false)[..90].to_vec(), "a: GRUB loads the module linux, and linux.mod is none"),
        ("command.lst", b"menuentry: normal\n[: test\n".to_vec(), "command.lst has no row of it"),
    ] {
        let told = with(path, body);
        assert!(told.contains(expected), "{path}: {told}");
    }
}

#[test]
fn the_prefix_is_followed() {
    let two = |core: &Core| {
        let other = Memory::new("ext4", "root-2", "").file("/boot/grub/grub.cfg", MENU);
        told(core, None, vec![root(""), other]).join("; ")
    };
    let all =
        |prefix: &str| two(&pc(&["biosdisk", "part_gpt", "ext2", "normal", "linux", "test", "search"], prefix, ""));
    for (prefix, expected) in [
        ("(,gpt1)/boot/grub", "a: started"),
        ("(hd0,gpt2)/boot/grub", "a: started"),
        ("(hd0,1)/boot/grub", "a: started"),
        ("(,gpt1)/grub", "GRUB looks for its menu at (hd0,gpt1)/grub/grub.cfg, and it is not there"),
        ("(,gpt3)/boot/grub", "GRUB looks for (hd0,gpt3)/boot/grub/grub.cfg, and there is no such device on this disk"),
        (
            "(,msdos1)/boot/grub",
            "GRUB looks for (hd0,msdos1)/boot/grub/grub.cfg, and there is no such device on this disk",
        ),
        (
            "(hd1,gpt1)/boot/grub",
            "GRUB looks for (hd1,gpt1)/boot/grub/grub.cfg, and there is no such device on this disk",
        ),
        ("/boot/grub", "GRUB looks for (hd0)/boot/grub/grub.cfg, and there is no such device on this disk"),
        ("(memdisk)/boot/grub", "? which menu GRUB reads is not known: it is (memdisk)/boot/grub/grub.cfg"),
        ("(lvm/vg-root)/boot/grub", "? which menu GRUB reads is not known: it is (lvm/vg-root)/boot/grub/grub.cfg"),
    ] {
        assert_eq!(all(prefix), expected, "{prefix}");
    }
    let small = two(&pc(SMALL, "(,gpt2)/boot/grub", ""));
    assert_eq!(small, "GRUB loads the module normal, and normal.mod is not there", "the modules are on the other one");
}

#[test]
fn a_core_reads_only_what_it_has_modules_for() {
    for (modules, expected) in [
        (&["part_gpt", "ext2", "search_fs_uuid"][..], "GRUB's core has no module that reads disks, biosdisk"),
        (&["biosdisk", "ext2", "search_fs_uuid"], "GRUB has no module part_gpt by which it would find partition 1"),
        (&["biosdisk", "part_gpt", "fat"], "GRUB has no module ext2 by which it would read the ext4 of partition 1"),
    ] {
        assert_eq!(by_pc(&pc(modules, "(,gpt1)/boot/grub", ""), root("")), expected);
    }
    let unseen = by_pc(&pc(&["biosdisk", "part_gpt", "fat", "search_fs_uuid"], "/boot/grub", EARLY), root(""));
    assert!(unseen.contains("there is no such device"), "search finds nothing: {unseen}");
    // Normal mode tries what fs.lst names.
    let menu = MENU.replace("root-1", "data-2");
    let data = || Memory::new("xfs", "data-2", "").file("/vmlinuz", "");
    let core = pc(SMALL, "/boot/grub", EARLY);
    for (without, expected) in [("", "a: started"), ("xfs", "a: started"), ("fs.lst", "a: started")] {
        let found = told(&core, None, vec![root(without).file("/boot/grub/grub.cfg", &menu), data()]).join("; ");
        assert_eq!(found, expected, "without {without}, `search` leaves root where it was");
    }
    let fixed = menu.replace("search --set=root --fs-uuid data-2", "set root=hd0,gpt2");
    let found = told(&core, None, vec![root("xfs").file("/boot/grub/grub.cfg", &fixed), data()]).join("; ");
    assert_eq!(found, "a: GRUB loads the module xfs, and xfs.mod is not there");
}

#[test]
fn embedded_configurations_are_run_as_the_rescue_parser_does() {
    let with = |config: &str, more: &[&str]| by_pc(&pc(&[SMALL, more].concat(), "(,gpt1)/nowhere", config), root(""));
    let started = "a: started";
    assert_eq!(with(EARLY, &[]), started);
    assert_eq!(with("set prefix=(hd0,gpt1)/boot/grub\ninsmod normal\nnormal\n", &[]), started);
    assert_eq!(with("set prefix=(hd0,gpt1)/boot/grub\nnormal (hd0,gpt1)/boot/grub/grub.cfg", &["normal"]), started);
    let lists =
        with("set prefix=(hd0,gpt1)/boot/grub\nconfigfile (hd0,gpt1)/boot/grub/grub.cfg", &["normal", "configfile"]);
    assert!(lists.contains("a: GRUB's core has no module for the command linux"), "configfile reads no lists: {lists}");
    for odd in [
        "if true; then\nset prefix=x\nfi",
        "set a=b; set prefix=(hd0,gpt1)/boot/grub",
        "x || y",
        "function a {\nset b=c\n}",
    ] {
        assert!(with(odd, &[]).starts_with("? it holds more than plain commands"), "{odd}");
    }
    assert!(with("normal (memdisk)/grub.cfg", &["normal"]).starts_with("? line 1: another configuration is read"));
}

#[test]
fn grub_for_uefi_takes_its_device_from_the_firmware() {
    let stub = "search.fs_uuid root-1 root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n";
    let all = &["part_gpt", "fat", "ext2", "search", "search_fs_uuid", "configfile", "normal"];
    let core = |modules: &[&str]| {
        let program = efi(0x8664, modules, "/EFI/debian");
        let at = program.windows(4).position(|bytes| bytes == b"mimg").unwrap();
        Core::parse_efi(&program[at..], 0x8664).unwrap()
    };
    let esp = |stub: &str| Memory::new("vfat", "AAAA", "").file("/EFI/debian/grub.cfg", stub);
    let with_modules = |without: &str| {
        let files = Memory::new("ext4", "root-1", "").file("/boot/grub/grub.cfg", MENU);
        let files = files.file("/boot/grub/x86_64-efi/command.lst", COMMANDS);
        FILES.iter().filter(|(name, _)| *name != without).fold(files, |files, (name, depends)| {
            files.file(&format!("/boot/grub/x86_64-efi/{name}.mod"), elf(name, depends, true))
        })
    };
    let run = |core: &Core, stub: &str, without: &str| {
        told(core, Some((0, "/EFI/BOOT")), vec![esp(stub), with_modules(without)]).join("; ")
    };
    assert_eq!(run(&core(all), stub, ""), "a: started");
    assert_eq!(run(&core(all), stub, "normal"), "a: started", "it is in the core");
    assert_eq!(run(&core(all), stub, "linux"), "a: GRUB loads the module linux, and linux.mod is not there");
    let signed: Vec<&str> = all.iter().copied().chain(["linux", "boot", "test"]).collect();
    assert_eq!(run(&core(&signed), stub, "linux"), "a: started");
    let blind: Vec<&str> = all.iter().copied().filter(|name| *name != "ext2").collect();
    let told = run(&core(&blind), stub, "");
    assert!(!told.contains("started"), "{told}");
    let lost = self::told(&core(all), Some((0, "/EFI/BOOT")), vec![Memory::new("vfat", "AAAA", ""), with_modules("")]);
    assert_eq!(lost, ["GRUB looks for its menu at (hd0,gpt1)/EFI/debian/grub.cfg, and it is not there"]);
    // Red Hat's GRUB reads the menu of its own folder before that of the prefix.
    let red_hat: Vec<&str> = all.iter().copied().chain(["blscfg", "linux", "test"]).collect();
    let own = esp("menuentry b { linux /vmlinuz }").file("/EFI/BOOT/grub.cfg", stub);
    let found = self::told(&core(&red_hat), Some((0, "/EFI/BOOT")), vec![own, with_modules("")]);
    assert_eq!(found, ["a: started"]);
}

#[test]
fn what_is_hostile_ends() {
    let long: Vec<String> = (0..600).map(|number| format!("m{number}")).collect();
    let mut files = root("normal");
    let names: Vec<&str> = long.iter().map(String::as_str).take(200).collect();
    files = files.file(&format!("{FOLDER}/normal.mod"), elf("normal", &names, false));
    for (index, name) in long.iter().enumerate() {
        let next = format!("m{}", (index + 1) % 600);
        files = files.file(&format!("{FOLDER}/{name}.mod"), elf(name, &[&next, "normal"], false));
    }
    let told = by_pc(&pc(SMALL, "/boot/grub", EARLY), files);
    assert_eq!(told, "? GRUB's module normal needs more than 256 others");
    let looped = list(&[], false);
    assert!(Core::parse_efi(&looped, 0x14c).is_ok());
    let endless = "normal (hd0,gpt1)/boot/grub/grub.cfg\n";
    let files = root("").file("/boot/grub/grub.cfg", "configfile (hd0,gpt1)/boot/grub/grub.cfg");
    let told = by_pc(&pc(&[SMALL, &["normal", "configfile"]].concat(), "(,gpt1)/boot/grub", endless), files);
    assert!(told.contains("include each other too deeply"), "{told}");
}
