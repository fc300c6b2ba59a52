//! What GRUB really boots: a real image under QEMU against the entry that bootworthy calls the default.

use crate::common::{bootworthy, image, tool};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A menu whose rows tell themselves apart on the kernel's command line.
const MENU: &str = r#"
insmod part_gpt
insmod ext2
search --no-floppy --fs-uuid --set=root ROOT
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi
set timeout=0
menuentry 'First' --id first-id {
  linux KERNEL root=UUID=ROOT console=ttyS0 bw.row=first
  initrd INITRD
}
menuentry 'Second' --id second-id {
  linux KERNEL root=UUID=ROOT console=ttyS0 bw.row=second
  initrd INITRD
}
submenu 'More' --id more-id {
  menuentry 'Third' --id third-id {
    linux KERNEL root=UUID=ROOT console=ttyS0 bw.row=third
    initrd INITRD
  }
  menuentry 'Fourth' --id fourth-id {
    linux KERNEL root=UUID=ROOT console=ttyS0 bw.row=fourth
    initrd INITRD
  }
}
if [ "${grub_platform}" = pc ]; then
  menuentry 'Fifth' --id fifth-id {
    linux KERNEL root=UUID=ROOT console=ttyS0 bw.row=fifth
    initrd INITRD
  }
fi
"#;

/// `default=`, grubenv, the row that GRUB boots, and a further one that is a default for us: `next_entry` holds for one
/// boot, what follows it for all others, and the fifth row is not there under UEFI.
const SHAPES: &[(&str, &[&str], &str, &str)] = &[
    ("0", &[], "first", ""),
    ("1", &[], "second", ""),
    ("${saved_entry}", &["saved_entry=more-id>fourth-id"], "fourth", ""),
    ("0", &["saved_entry=first-id", "next_entry=second-id"], "second", "first and "),
    ("2>0", &[], "third", ""),
    ("More>Fourth", &[], "fourth", ""),
    ("fifth-id", &[], "fifth", "first and "),
    ("17", &[], "first", ""),
    ("no-such-row", &[], "first", ""),
    ("${saved_entry}", &[], "first", ""),
];

/// Until the kernel's first lines, under TCG on a busy machine.
const PATIENCE: Duration = Duration::from_mins(4);

#[test]
fn grub_boots_the_default_entry() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.raw");
    tool("qemu-img", ["convert", "-O", "raw", image("debian12").to_str().unwrap(), disk.to_str().unwrap()]);
    let facts = inspect(&disk);
    let attempt = &facts["boot_entries"][0]["attempts"][0];
    let cmdline = attempt["cmdline"].as_str().unwrap();
    let root = cmdline.split(' ').find_map(|word| word.strip_prefix("root=UUID=")).unwrap();
    for (default, environment, expected, before) in SHAPES {
        let menu = MENU
            .replace("KERNEL", attempt["kernel"].as_str().unwrap())
            .replace("INITRD", attempt["initrds"][0].as_str().unwrap())
            .replace("ROOT", root)
            .replace("DEFAULT", default);
        write(&disk, root_offset(&facts), "/boot/grub/grub.cfg", menu.as_bytes());
        write(&disk, root_offset(&facts), "/boot/grub/grubenv", &grubenv(environment));
        let shape = format!("default={default} {environment:?}");
        assert_eq!(booted_row(&disk, folder.path()), *expected, "GRUB: {shape}");
        assert_eq!(default_row(&disk), format!("{before}{expected}"), "bootworthy: {shape}");
    }
}

fn inspect(disk: &Path) -> Value {
    serde_json::from_str(&bootworthy(["inspect", disk.to_str().unwrap()]).stdout).unwrap()
}

fn root_offset(facts: &Value) -> u64 {
    let volumes = facts["volumes"].as_array().unwrap();
    volumes.iter().find(|volume| volume["number"] == facts["root"]["volume"]).unwrap()["start"].as_u64().unwrap()
}

/// The rows that bootworthy calls defaults.
fn default_row(disk: &Path) -> String {
    let facts = inspect(disk);
    let entries = facts["boot_entries"].as_array().unwrap();
    let mut rows: Vec<String> = entries
        .iter()
        .filter(|entry| entry["is_default"] == true)
        .map(|entry| row_of(entry["attempts"][0]["cmdline"].as_str().unwrap()).unwrap())
        .collect();
    rows.dedup();
    rows.join(" and ")
}

fn row_of(line: &str) -> Option<String> {
    line.split_ascii_whitespace().find_map(|word| word.strip_prefix("bw.row=")).map(str::to_owned)
}

/// Replaces a file of the ext4 file system at `offset`.
fn write(disk: &Path, offset: u64, path: &str, content: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), format!("rm {path}\nwrite {} {path}\n", file.path().display())).unwrap();
    let target = format!("{}?offset={offset}", disk.display());
    tool("debugfs", ["-w", "-f", script.path().to_str().unwrap(), &target]);
}

/// An environment block: 1024 bytes, padded with `#`.
fn grubenv(lines: &[&str]) -> Vec<u8> {
    let mut bytes = [&["# GRUB Environment Block"], lines, &[""]].concat().join("\n").into_bytes();
    bytes.resize(1024, b'#');
    bytes
}

/// Ends with the test.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Boots the disk by BIOS, writes discarded, until the kernel says its command line.
fn booted_row(disk: &Path, folder: &Path) -> String {
    let serial = folder.join("serial.log");
    drop(std::fs::remove_file(&serial));
    let program = std::env::var_os("BOOTWORTHY_QEMU").map_or(PathBuf::from("qemu-system-x86_64"), PathBuf::from);
    let child = Command::new(&program)
        .args(["-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-nodefaults"])
        .args(["-no-user-config", "-display", "none", "-no-reboot", "-snapshot"])
        .args(["-drive", &format!("file={},format=raw,if=virtio", disk.display())])
        .args(["-serial", &format!("file:{}", serial.display())])
        .stdin(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{} is needed by this test: {error}", program.display()));
    let mut machine = Machine(child);
    let start = Instant::now();
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(&serial).unwrap_or_default()).into_owned();
        let line = text.lines().find(|line| line.contains("Command line:") && line.contains("bw.row="));
        if let Some(line) = line {
            return row_of(line).unwrap();
        }
        let ended = machine.0.try_wait().unwrap();
        assert!(ended.is_none() && start.elapsed() < PATIENCE, "no kernel came up: {ended:?}\n{text}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
