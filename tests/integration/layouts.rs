//! The good image in other layouts: an MBR with a logical root partition, and a file system on the whole disk.

use crate::common::{bootworthy, fixture, tool};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const SECTOR: usize = 512;
/// UUID of the image's root file system.
const ROOT: &str = "4a1f7c1e-6d0e-4b5b-9f0c-0d1300000001";

/// Boot code, GRUB's core, the EFI system partition and the root file system of the good image.
struct Parts {
    code: Vec<u8>,
    core: Vec<u8>,
    esp: Vec<u8>,
    root: Vec<u8>,
}

fn parts(folder: &Path) -> Parts {
    let raw = folder.join("good.raw");
    tool("qemu-img", ["convert", "-O", "raw", fixture("good.qcow2").to_str().unwrap(), raw.to_str().unwrap()]);
    let disk = fs::read(&raw).unwrap();
    let facts = json(&["inspect", raw.to_str().unwrap()]).1;
    let volume = |number: u64| {
        let volumes = facts["volumes"].as_array().unwrap();
        let found = volumes.iter().find(|volume| volume["number"] == number).unwrap();
        let at = |field: &str| usize::try_from(found[field].as_u64().unwrap()).unwrap();
        disk[at("start")..][..at("size")].to_vec()
    };
    let mut core = volume(14);
    let end = core.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    core.truncate(end.next_multiple_of(SECTOR));
    Parts { code: disk[..440].to_vec(), core, esp: volume(15), root: volume(1) }
}

/// GRUB for BIOS and for UEFI that reads an MBR's partitions, as grub-install makes it; the image's reads a GPT's.
fn for_mbr(parts: &mut Parts, folder: &Path) {
    let early = folder.join("early.cfg");
    fs::write(&early, format!("search.fs_uuid {ROOT} root\nset prefix=($root)/boot/grub\n")).unwrap();
    let made = |platform: &str, words: &[&str]| {
        let (from, to) = (format!("/usr/lib/grub/{platform}"), folder.join(platform));
        let common = ["-O", platform, "-d", &from, "-o", to.to_str().unwrap()];
        tool("grub-mkimage", [&common, words, &["part_msdos", "ext2", "search_fs_uuid"]].concat());
        to
    };
    parts.core = fs::read(made("i386-pc", &["-p", "/boot/grub", "-c", early.to_str().unwrap(), "biosdisk"])).unwrap();
    parts.core.resize(parts.core.len().next_multiple_of(SECTOR), 0);
    let program = made("x86_64-efi", &["-p", "/EFI/debian", "fat", "search", "configfile", "normal"]);
    let esp = folder.join("esp");
    fs::write(&esp, &parts.esp).unwrap();
    let words = ["-o", "-i", esp.to_str().unwrap(), program.to_str().unwrap(), "::/EFI/BOOT/BOOTX64.EFI"];
    tool("mcopy", words);
    parts.esp = fs::read(esp).unwrap();
}

fn json(args: &[&str]) -> (i32, Value) {
    let run = bootworthy(args);
    let parsed = serde_json::from_str(&run.stdout);
    (run.code, parsed.unwrap_or_else(|error| panic!("{error}: {} {}", run.stdout, run.stderr)))
}

/// Boot code that loads the core in these sectors.
fn install(disk: &mut [u8], parts: &Parts, sectors: &[u64]) {
    disk[..440].copy_from_slice(&parts.code);
    disk[0x5c..0x64].copy_from_slice(&sectors[0].to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut core = parts.core.clone();
    core[0x180..0x200].iter_mut().skip(0x1f4 - 0x180).for_each(|byte| *byte = 0);
    let mut lists: Vec<(u64, u16)> = Vec::new();
    for sector in &sectors[1..] {
        match lists.last_mut() {
            Some((start, length)) if *start + u64::from(*length) == *sector => *length += 1,
            _ => lists.push((*sector, 1)),
        }
    }
    for (index, (start, length)) in lists.iter().enumerate() {
        let at = 0x1f4 - 12 * index;
        core[at..at + 8].copy_from_slice(&start.to_le_bytes());
        core[at + 8..at + 10].copy_from_slice(&length.to_le_bytes());
    }
    for (bytes, sector) in core.chunks(SECTOR).zip(sectors) {
        disk[usize::try_from(*sector).unwrap() * SECTOR..][..SECTOR].copy_from_slice(bytes);
    }
}

fn partitioned(path: &Path, layout: &str) {
    let child = Command::new("sfdisk").args(["--quiet", "--no-reread"]).arg(path).stdin(Stdio::piped()).spawn();
    let mut child = child.expect("sfdisk is needed by this test; run tests/run");
    child.stdin.take().unwrap().write_all(layout.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// `check`, and id and verdict of each check that did not pass.
fn judged(image: &Path, format: &str) -> (i32, Vec<(String, String)>) {
    let path = image.with_extension(format);
    tool("qemu-img", ["convert", "-f", "raw", "-O", format, image.to_str().unwrap(), path.to_str().unwrap()]);
    let (code, report) = json(&["check", "--format", "json", path.to_str().unwrap()]);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap_or_else(|| panic!("{report}"));
    let others = checks.iter().map(|check| (word(&check["id"]), word(&check["verdict"])));
    (code, others.filter(|(_, verdict)| verdict != "pass" && verdict != "n/a").collect())
}

#[test]
fn a_logical_root_behind_an_mbr_is_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = parts(folder.path());
    for_mbr(&mut parts, folder.path());
    let path = folder.path().join("disk");
    let (esp, root) = (parts.esp.len() / SECTOR, parts.root.len() / SECTOR);
    fs::File::create(&path).unwrap().set_len(u64::try_from((8192 + esp + root) * SECTOR).unwrap()).unwrap();
    let rows = format!(
        "label: dos\nlabel-id: 0x12345678\n1 : start=2048, size={esp}, type=ef\n2 : start={}, type=5\n5 : start={}, size={root}, type=83\n",
        2048 + esp,
        4096 + esp
    );
    partitioned(&path, &rows);
    let mut disk = fs::read(&path).unwrap();
    let table = disk[440..512].to_vec();
    let core: Vec<u64> = (1..).take(parts.core.len() / SECTOR).collect();
    install(&mut disk, &parts, &core);
    disk[440..512].copy_from_slice(&table);
    disk[2048 * SECTOR..][..parts.esp.len()].copy_from_slice(&parts.esp);
    disk[(4096 + esp) * SECTOR..][..parts.root.len()].copy_from_slice(&parts.root);
    fs::write(&path, &disk).unwrap();
    for format in ["qcow2", "raw"] {
        // growpart does not grow the extended partition around it.
        assert_eq!(judged(&path, format).0, 0, "{format}");
        assert_eq!(judged(&path, format).1, [("growpart-available".to_owned(), "fail".to_owned())], "{format}");
    }
    let facts = json(&["inspect", path.with_extension("raw").to_str().unwrap()]).1;
    assert_eq!(facts["partition_table"]["scheme"], "dos");
    assert_eq!(facts["root"]["volume"], 5);
    assert_eq!(facts["boot_entries"][0]["firmware"], serde_json::json!(["bios", "uefi"]));
    let uuids: Vec<&str> =
        facts["volumes"].as_array().unwrap().iter().map(|volume| volume["partuuid"].as_str().unwrap()).collect();
    assert_eq!(uuids, ["12345678-01", "12345678-02", "12345678-05"]);
    // Two partitions on the same sectors, and no core in the gap.
    disk[446 + 16 + 8..446 + 16 + 12].copy_from_slice(&3000_u32.to_le_bytes());
    fs::write(&path, &disk).unwrap();
    let (code, report) = json(&["check", "--format", "json", path.to_str().unwrap()]);
    let safe = report["checks"].as_array().map(|checks| checks.iter().find(|check| check["id"] == "image-format-safe"));
    assert!(code != 0 && safe.flatten().is_none_or(|check| check["verdict"] == "fail"), "{report}");
}

/// A command of debugfs on an image.
fn debugfs(image: &Path, command: &str) -> String {
    let output = tool("debugfs", ["-w", "-R", command, image.to_str().unwrap()]);
    String::from_utf8(output).unwrap()
}

fn replaced(image: &Path, path: &str, edit: impl Fn(&str) -> String) {
    let copy = image.with_extension("edited");
    let text = debugfs(image, &format!("cat {path}"));
    fs::write(&copy, edit(&text)).unwrap();
    debugfs(image, &format!("rm {path}"));
    debugfs(image, &format!("write {} {path}", copy.to_str().unwrap()));
}

/// The root file system as a disk, with GRUB's core as a file in it.
fn whole_disk(folder: &Path, fstab: &str, root: impl Fn(&str) -> String) -> std::path::PathBuf {
    let parts = parts(folder);
    let path = folder.join("disk");
    fs::write(&path, &parts.root).unwrap();
    fs::write(folder.join("core"), &parts.core).unwrap();
    debugfs(&path, &format!("write {} /boot/grub/core.img", folder.join("core").to_str().unwrap()));
    replaced(&path, "/etc/fstab", |_| fstab.to_owned());
    replaced(&path, "/boot/grub/grub.cfg", root);
    tool("tune2fs", ["-L", "rootfs", path.to_str().unwrap()]);
    let blocks = debugfs(&path, "blocks /boot/grub/core.img");
    let per_block = parts.root.len() as u64 / 512 / block_count(&path);
    let blocks = blocks.split_whitespace().map(|block| block.parse::<u64>().unwrap());
    let sectors: Vec<u64> =
        blocks.flat_map(|block| (0..per_block).map(move |index| block * per_block + index)).collect();
    let mut disk = fs::read(&path).unwrap();
    install(&mut disk, &parts, &sectors[..parts.core.len() / SECTOR]);
    fs::write(&path, disk).unwrap();
    path
}

fn block_count(image: &Path) -> u64 {
    let text = String::from_utf8(tool("dumpe2fs", ["-h", image.to_str().unwrap()])).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Block count:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_file_system_on_the_whole_disk_is_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let uuid = format!("UUID={ROOT}");
    for (name, lacks) in [(uuid.as_str(), &[][..]), ("LABEL=rootfs", &[]), ("/dev/vda", &["cmdline-root-stable"])] {
        let fstab = format!("{uuid} / ext4 defaults,discard 0 1\n");
        let path =
            whole_disk(folder.path(), &fstab, |text| text.replace(&format!("root={uuid}"), &format!("root={name}")));
        let (code, others) = judged(&path, "qcow2");
        let failed: Vec<&str> =
            others.iter().filter(|(_, verdict)| verdict == "fail").map(|(id, _)| id.as_str()).collect();
        assert_eq!(
            (code, failed.as_slice(), others.len()),
            (i32::from(!lacks.is_empty()), lacks, lacks.len()),
            "{name}: {others:?}"
        );
        // Glance takes the boot sector of a raw one for an MBR without partitions.
        let (code, others) = judged(&path, "raw");
        assert!(code == 1 && others.iter().any(|(id, verdict)| id == "image-format-safe" && verdict == "fail"));
        let facts = json(&["inspect", path.with_extension("qcow2").to_str().unwrap()]).1;
        assert_eq!(facts["partition_table"], Value::Null);
        assert_eq!(facts["root"]["volume"], 0);
        assert_eq!(facts["root"]["chosen"], format!("named by root={name} of the default entry"));
        assert_eq!(facts["boot_entries"][0]["firmware"], serde_json::json!(["bios"]));
    }
}
