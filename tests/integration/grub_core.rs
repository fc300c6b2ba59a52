//! GRUB's cores as grub-mkimage makes them, compared with what it was told and with its own table of dependencies.

use crate::common::tool;
use bootworthy::guest::bootloader::grub_core::Core;
use bootworthy::guest::pe::Program;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const PC: &str = "/usr/lib/grub/i386-pc";
const EFI: &str = "/usr/lib/grub/x86_64-efi";

/// moddep.lst: what each module depends on.
fn table(folder: &str) -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(format!("{folder}/moddep.lst")).expect("GRUB's modules are needed; run tests/run");
    let rows = text.lines().map(|line| line.split_once(':').unwrap());
    rows.map(|(name, list)| (name.to_owned(), list.split_whitespace().map(str::to_owned).collect())).collect()
}

fn closure(table: &BTreeMap<String, Vec<String>>, names: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = open.pop() {
        if found.insert(name.clone()) {
            open.extend(table[&name].iter().cloned());
        }
    }
    found
}

struct Made {
    modules: Vec<String>,
    prefix: &'static str,
    config: Option<&'static str>,
    has_memdisk: bool,
}

impl Made {
    fn args(&self, folder: &Path) -> Vec<String> {
        let mut args = Vec::new();
        let mut file = |option: &str, name: &str, content: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, content).unwrap();
            args.extend([option.to_owned(), path.to_str().unwrap().to_owned()]);
        };
        if let Some(config) = self.config {
            file("-c", "config", config.as_bytes());
        }
        if self.has_memdisk {
            file("-m", "memdisk", &[7; 1000]);
        }
        // Behind the memory disk, which sets a prefix of its own.
        args.extend(["-p".to_owned(), self.prefix.to_owned()]);
        args.extend(self.modules.iter().cloned());
        args
    }

    fn compare(&self, core: &Core, table: &BTreeMap<String, Vec<String>>) {
        let names: Vec<&str> = self.modules.iter().map(String::as_str).collect();
        assert_eq!(core.modules, closure(table, &names), "{names:?}");
        assert_eq!(core.prefix.as_deref(), Some(self.prefix), "{names:?}");
        assert_eq!(core.config.as_deref(), self.config, "{names:?}");
        assert_eq!(core.has_memdisk, self.has_memdisk, "{names:?}");
    }
}

/// Prefixes and configurations as installers write them, with each of `lists` as modules.
fn made(lists: Vec<Vec<String>>) -> Vec<Made> {
    let prefixes =
        ["/boot/grub", "(,gpt1)/boot/grub", "(hd0,msdos5)/grub2", "/EFI/debian", "(lvm/vg-root)/boot/grub", ""];
    let configs = [None, Some("search.fs_uuid 1234-5678 root\nset prefix=($root)'/boot/grub'\n"), Some("")];
    let rows = lists.into_iter().enumerate();
    rows.map(|(index, modules)| Made {
        modules,
        prefix: prefixes[index % prefixes.len()],
        config: configs[index % configs.len()],
        has_memdisk: index % 4 == 3,
    })
    .collect()
}

/// Lists of modules; every one of the table is once in a core, in groups that do not belong together.
fn lists(table: &BTreeMap<String, Vec<String>>, disk: &str) -> Vec<Vec<String>> {
    let names: Vec<String> = table.keys().filter(|name| *name != "kernel").cloned().collect();
    let words = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    let mut lists = vec![
        Vec::new(),
        words(&[disk, "part_gpt", "ext2", "search_fs_uuid"]),
        words(&[disk, "part_msdos", "xfs", "lvm", "normal", "linux", "search", "configfile", "memdisk", "tar"]),
    ];
    lists.extend((0..24).map(|group| names.iter().skip(group).step_by(24).cloned().collect()));
    lists
}

#[test]
fn cores_for_bios_are_read_as_they_were_made() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(PC);
    for made in made(lists(&table, "biosdisk")) {
        let path = folder.path().join("core.img");
        let output = ["-O", "i386-pc", "-d", PC, "-o", path.to_str().unwrap()].map(str::to_owned);
        tool("grub-mkimage", output.into_iter().chain(made.args(folder.path())));
        let image = fs::read(&path).unwrap();
        made.compare(&Core::parse_pc(&image[512..]).unwrap(), &table);
        // As grub-install embeds it: to the end of the sector, with what corrects errors behind.
        let padded = [&image[512..], &[0xa5; 4000]].concat();
        made.compare(&Core::parse_pc(&padded).unwrap(), &table);
    }
}

#[test]
fn programs_for_uefi_are_read_as_they_were_made() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(EFI);
    for made in made(lists(&table, "disk")) {
        let path = folder.path().join("core.efi");
        let output = ["-O", "x86_64-efi", "-d", EFI, "-o", path.to_str().unwrap()].map(str::to_owned);
        tool("grub-mkimage", output.into_iter().chain(made.args(folder.path())));
        let image = fs::read(&path).unwrap();
        let program = Program::parse(&image).unwrap();
        let section = program.find("mods").unwrap();
        let at = usize::try_from(section.offset).unwrap();
        let bytes = &image[at..at + usize::try_from(section.length()).unwrap()];
        made.compare(&Core::parse_efi(bytes, program.machine).unwrap(), &table);
    }
}

#[test]
fn a_real_core_that_is_cut_or_flipped_is_no_other_core() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.img");
    let words =
        ["-O", "i386-pc", "-d", PC, "-p", "/boot/grub", "-o", path.to_str().unwrap(), "biosdisk", "part_gpt", "ext2"];
    tool("grub-mkimage", words);
    let image = fs::read(&path).unwrap().split_off(512);
    let whole = Core::parse_pc(&image).unwrap();
    for end in (0..image.len()).step_by(101).chain(image.len() - 8..image.len()) {
        assert!(Core::parse_pc(&image[..end]).is_err(), "cut at {end}");
    }
    let mut other = 0;
    for at in (0..image.len()).step_by(37) {
        let mut flipped = image.clone();
        flipped[at] ^= 1 << (at % 8);
        // The code of decompressor and kernel does not count here; the list of modules does.
        other += usize::from(Core::parse_pc(&flipped).is_ok_and(|core| core != whole));
    }
    assert!(other < 20, "{other} of {} flips make another core", image.len() / 37);
}
