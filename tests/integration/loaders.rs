//! A real Debian that UEFI starts without GRUB: by a unified kernel image and by systemd-boot, both of Debian's
//! systemd-boot-efi. What is judged is the same kernel and the same initrd, so that the verdicts are the same.

use crate::common::{bootworthy, image, tool};
use crate::variants::Disk;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

const EFI: &str = "/usr/lib/systemd/boot/efi";
const ARGUMENTS: &str = "root=UUID=4a1f7c1e-6d0e-4b5b-9f0c-0d1300000001 ro console=tty0 console=ttyS0,115200";

/// A copy of Debian 13's disk without code for BIOS, and what its ESP is filled from.
struct Machine {
    disk: Disk,
    folder: PathBuf,
    /// mtools' name of the EFI system partition.
    esp: String,
    kernel: PathBuf,
    initrd: PathBuf,
}

impl Machine {
    fn new(whole: &Path, facts: &Value, folder: &Path) -> Self {
        let disk = Disk::copy(whole, facts, folder);
        let mut file = fs::File::options().write(true).open(&disk.path).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&[0; 440]).unwrap();
        let esp = facts["volumes"].as_array().unwrap().iter().find(|it| it["filesystem"]["kind"] == "vfat").unwrap();
        let esp = format!("{}@@{}", disk.path.display(), esp["start"]);
        let (kernel, initrd) = (folder.join("kernel"), folder.join("initrd"));
        fs::write(&kernel, disk.read(&disk.kernel())).unwrap();
        fs::write(&initrd, disk.read(&disk.initrd())).unwrap();
        Self { disk, folder: folder.to_owned(), esp, kernel, initrd }
    }

    fn put(&self, from: &Path, to: &str) {
        tool("mcopy", ["-o", "-i", &self.esp, from.to_str().unwrap(), &format!("::{to}")]);
    }

    fn put_text(&self, text: &str, to: &str) {
        let from = self.folder.join("text");
        fs::write(&from, text).unwrap();
        self.put(&from, to);
    }

    fn folders(&self, names: &[&str]) {
        for name in names {
            tool("mmd", ["-i", &self.esp, &format!("::{name}")]);
        }
    }

    fn facts(&self) -> Value {
        serde_json::from_str(&bootworthy(["inspect", self.disk.path.to_str().unwrap()]).stdout).unwrap()
    }
}

/// The verdict of each check.
fn verdicts(report: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["checks"].as_array().unwrap().iter().map(|check| (text(&check["id"]), text(&check["verdict"]))).collect()
}

/// One past the last byte of the stub's sections in memory, from objdump's table.
fn end_of(stub: &str) -> u64 {
    let table = String::from_utf8(tool("objdump", ["-h", stub])).unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.len() >= 6 && row[0].parse::<u32>().is_ok());
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    rows.map(|row| number(row[2]) + number(row[3])).max().unwrap()
}

/// A unified kernel image, made as `man 7 systemd-stub` of version 252 says.
fn unified(sections: &[(&str, &Path)], to: &Path) {
    let stub = format!("{EFI}/linuxx64.efi.stub");
    let mut at = end_of(&stub);
    let mut args = Vec::new();
    for (name, from) in sections {
        at = at.next_multiple_of(4096);
        args.push("--add-section".to_owned());
        args.push(format!("{name}={}", from.display()));
        args.push("--change-section-vma".to_owned());
        args.push(format!("{name}={at:#x}"));
        at += fs::metadata(from).unwrap().len();
    }
    args.extend([stub, to.to_str().unwrap().to_owned()]);
    tool("objcopy", args);
}

/// A fact of the same file under another name.
fn renamed(mut fact: Value, name: &str) -> Value {
    fact["path"] = Value::String(name.to_owned());
    fact
}

#[test]
fn a_real_debian_is_judged_alike_whichever_loader_starts_it() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.raw");
    tool("qemu-img", ["convert", "-O", "raw", image("debian13").to_str().unwrap(), whole.to_str().unwrap()]);
    let grub: Value = serde_json::from_str(&bootworthy(["inspect", whole.to_str().unwrap()]).stdout).unwrap();
    let machine = Machine::new(&whole, &grub, folder.path());
    let by_grub = machine.disk.check();
    assert_eq!(machine.facts()["boot_entries"][0]["firmware"], serde_json::json!(["uefi"]), "BIOS starts nothing");

    let release = machine.folder.join("os-release");
    fs::write(&release, "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 13\"\nVERSION_ID=13\n").unwrap();
    let cmdline = machine.folder.join("cmdline");
    fs::write(&cmdline, format!("{ARGUMENTS}\n\0")).unwrap();
    let uki = machine.folder.join("uki.efi");
    let parts =
        [(".osrel", &*release), (".cmdline", &*cmdline), (".linux", &*machine.kernel), (".initrd", &*machine.initrd)];
    unified(&parts, &uki);
    machine.put(&uki, "/EFI/BOOT/BOOTX64.EFI");
    let facts = machine.facts();
    let path = "/boot/efi/EFI/BOOT/BOOTX64.EFI";
    let entry = &facts["boot_entries"][0];
    assert_eq!(
        (facts["boot_entries"].as_array().unwrap().len(), &entry["is_default"]),
        (1, &Value::Bool(true)),
        "{entry}"
    );
    let attempt = serde_json::json!([{
        "when": "", "line": 1, "kernel": format!("{path}#.linux"), "initrds": [format!("{path}#.initrd")], "cmdline": ARGUMENTS,
    }]);
    assert_eq!(entry["attempts"], attempt);
    for (list, name) in [("kernels", ".linux"), ("initrds", ".initrd")] {
        assert_eq!(facts[list][0], renamed(grub[list][0].clone(), &format!("{path}#{name}")), "{list}");
    }
    assert_eq!(verdicts(&machine.disk.check()), verdicts(&by_grub), "a unified kernel image");

    machine.put(Path::new(&format!("{EFI}/systemd-bootx64.efi")), "/EFI/BOOT/BOOTX64.EFI");
    machine.folders(&["/EFI/Linux", "/loader", "/loader/entries", "/debian"]);
    machine.put(&machine.kernel, "/debian/linux");
    machine.put(&machine.initrd, "/debian/initrd");
    machine.put_text("timeout 3\n#console-mode keep\ndefault debian-*\n", "/loader/loader.conf");
    let conf = format!("title Debian\nversion 6.12\nlinux /debian/linux\ninitrd /debian/initrd\noptions {ARGUMENTS}\n");
    machine.put_text(&conf, "/loader/entries/debian-6.12.conf");
    machine
        .put_text(&conf.replace("6.12", "6.1").replace("/debian/initrd", "/gone"), "/loader/entries/debian-6.1.conf");
    let facts = machine.facts();
    let ids: Vec<_> =
        facts["boot_entries"].as_array().unwrap().iter().map(|it| (&it["id"], &it["is_default"])).collect();
    let expected = [("debian-6.12.conf", true), ("debian-6.1.conf", false)];
    let expected = expected.map(|(id, is_default)| (Value::from(id), Value::from(is_default)));
    assert_eq!(ids, expected.each_ref().map(|(id, is_default)| (id, is_default)), "{facts:#}");
    for (list, name) in [("kernels", "linux"), ("initrds", "initrd")] {
        assert_eq!(facts[list][0], renamed(grub[list][0].clone(), &format!("/boot/efi/debian/{name}")), "{list}");
    }
    assert_eq!(verdicts(&machine.disk.check())["boot-entry-resolves"], "fail", "the other entry's initrd is not there");
    tool("mdel", ["-i", &machine.esp, "::/loader/entries/debian-6.1.conf"]);
    assert_eq!(verdicts(&machine.disk.check()), verdicts(&by_grub), "systemd-boot");
}
