//! A real root tree becomes a disk that passes its check and starts by BIOS and by UEFI, on ext4 and on XFS.

use crate::common::{bootworthy, image, program, tool};
use bootworthy::build::disk::bootloader::{self, Volume};
use bootworthy::build::disk::filesystem::{self, FileSystem};
use bootworthy::build::disk::image::{self as image_stage, Compression, Format};
use bootworthy::build::disk::table::{self, Partition};
use bootworthy::build::plan::{Architecture, Family, FileSystemType, Firmware};
use bootworthy::build::workshop::{Mode, Options, Workshop};
use bootworthy::limits::MIB;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const EPOCH: u64 = 1_700_000_000;
/// What fstab of the test image says (tests/images/build).
const ROOT: &str = "4a1f7c1e-6d0e-4b5b-9f0c-0d1200020001";
const ROOT_PART: &str = "4a1f7c1e-6d0e-4b5b-9f0c-0d1200020013";
const ESP: &str = "0D12-0002";
/// Time to the login prompt under TCG on a busy machine.
const PATIENCE: Duration = Duration::from_mins(15);

struct Build {
    shop: Workshop,
    _folder: tempfile::TempDir,
}

impl Drop for Build {
    fn drop(&mut self) {
        // In a user namespace another user than ours owns the tree.
        drop(self.shop.remove("test", &self.shop.tree()));
    }
}

impl Build {
    fn path(&self, name: &str) -> PathBuf {
        self.shop.folder().join(name)
    }

    fn sh(&self, script: &str) {
        self.shop.run("test", self.shop.inside("sh").args(["-euc", script])).unwrap();
    }
}

/// The root tree of Debian 12 with the generic kernel, without what its loader had written.
fn tree() -> Build {
    let folder = tempfile::tempdir().unwrap();
    let shop = Workshop::open(Options {
        folder: folder.path().join("work"),
        mode: Mode::detect().unwrap().0,
        epoch: EPOCH,
        listener: Box::new(|_, _| {}),
        cancelled: Arc::new(AtomicBool::new(false)),
        ourselves: program().into(),
    });
    let build = Build { shop: shop.unwrap(), _folder: folder };
    let disk = build.path("source.raw");
    let disk = disk.to_str().unwrap();
    tool("qemu-img", ["convert", "-O", "raw", image("debian12_generic").to_str().unwrap(), disk]);
    let facts: Value = serde_json::from_str(&bootworthy(["inspect", disk]).stdout).unwrap();
    let volumes = facts["volumes"].as_array().unwrap();
    let root = volumes.iter().find(|volume| volume["number"] == facts["root"]["volume"]).unwrap();
    let offset = root["start"].as_u64().unwrap();
    build.sh(&format!(
        "mkdir tree && debugfs -R 'rdump / tree' 'source.raw?offset={offset}' && rm -rf source.raw tree/lost+found \
         tree/boot/grub && mkdir -p tree/boot/efi"
    ));
    build
}

fn volume(number: u32, partuuid: &str, uuid: &str, filesystem: &str, mount: &str) -> Volume {
    let [partuuid, uuid, filesystem, mount] = [partuuid, uuid, filesystem, mount].map(str::to_owned);
    Volume { number, partuuid, uuid, filesystem, mount }
}

/// Runs the stages from the finished tree to the image.
fn stages(build: &Build, root: FileSystemType) -> PathBuf {
    let options = bootloader::Options {
        family: Family::Debian,
        distribution: "debian".into(),
        architecture: Architecture::X86_64,
        firmware: vec![Firmware::Bios, Firmware::Uefi],
        cmdline: vec!["console=tty0".into(), "console=ttyS0,115200".into()],
        timeout: 1,
        serial: Some(115_200),
        secure_boot: false,
        root: volume(1, ROOT_PART, ROOT, root.name(), "/"),
        boot: None,
        esp: Some(volume(15, "4a1f7c1e-6d0e-4b5b-9f0c-0d1200020012", ESP, "vfat", "/boot/efi")),
        bios_partition: Some(14),
    };
    bootloader::run(&options, &build.shop).unwrap();
    let filesystem = |partition: &str, filesystem, uuid: &str, size: u64, source: &str| FileSystem {
        partition: partition.into(),
        filesystem,
        uuid: uuid.into(),
        label: None,
        size: size * MIB,
        source: source.into(),
        features: Vec::new(),
    };
    let filesystems =
        vec![filesystem("esp", FileSystemType::Vfat, ESP, 64, "/boot/efi"), filesystem("root", root, ROOT, 3000, "/")];
    filesystem::run(&filesystem::Options { filesystems, source_date_epoch: EPOCH }, &build.shop).unwrap();
    let partition = |number, label: &str, kind: &str, guid: &str, start: u64, size: u64, is_filled| Partition {
        number,
        label: label.into(),
        kind: kind.into(),
        guid: guid.into(),
        start: start * MIB,
        size: size * MIB,
        is_filled,
    };
    let uuid = |last: &str| format!("4a1f7c1e-6d0e-4b5b-9f0c-0d12000200{last}");
    let options = table::Options {
        size: 3072 * MIB,
        guid: uuid("10"),
        partitions: vec![
            partition(14, "bios", "21686148-6449-6e6f-744e-656564454649", &uuid("11"), 1, 1, false),
            partition(15, "esp", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", &uuid("12"), 2, 64, true),
            partition(1, "root", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", ROOT_PART, 66, 3000, true),
        ],
        bios_partition: Some(14),
    };
    table::run(&options, &build.shop).unwrap();
    let options = image_stage::Options { format: Format::Qcow2, compression: Some(Compression::Zstd) };
    image_stage::run(&options, &build.shop).unwrap();
    build.path("image")
}

/// The image as a raw disk.
fn raw(build: &Build) -> PathBuf {
    let raw = build.path("back.raw");
    tool("qemu-img", ["convert", "-O", "raw", build.path("image").to_str().unwrap(), raw.to_str().unwrap()]);
    raw
}

fn sum(path: &Path) -> String {
    String::from_utf8(tool("sha256sum", [path])).unwrap()[..64].to_owned()
}

/// Ends with the test.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Boots with the disk on virtio-scsi until somebody may log in; what is written is thrown away.
fn boots(disk: &Path, folder: &Path, firmware: Firmware) {
    let serial = folder.join("serial.log");
    drop(std::fs::remove_file(&serial));
    let program = std::env::var_os("BOOTWORTHY_QEMU").map_or(PathBuf::from("qemu-system-x86_64"), PathBuf::from);
    let mut command = Command::new(&program);
    let machine = if firmware == Firmware::Uefi { "q35" } else { "pc" };
    command.args(["-machine", machine, "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "2"]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-snapshot"]);
    command.args(["-device", "virtio-scsi-pci,id=scsi0", "-device", "scsi-hd,drive=root,bus=scsi0.0"]);
    command.args(["-drive", &format!("file={},format=qcow2,if=none,id=root", disk.display())]);
    command.args(["-serial", &format!("file:{}", serial.display())]);
    if firmware == Firmware::Uefi {
        let ovmf = std::env::var_os("BOOTWORTHY_OVMF").map_or(PathBuf::from("/usr/share/OVMF"), PathBuf::from);
        for (name, access) in [("OVMF_CODE_4M.fd", ",readonly=on"), ("OVMF_VARS_4M.fd", "")] {
            let file = ovmf.join(name).display().to_string();
            command.args(["-drive", &format!("if=pflash,format=raw,file={file}{access}")]);
        }
    }
    let child = command.stdin(Stdio::null()).spawn();
    let mut machine = Machine(child.unwrap_or_else(|error| panic!("{} is needed: {error}", program.display())));
    let start = Instant::now();
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(&serial).unwrap_or_default()).into_owned();
        if text.contains(" login: ") {
            assert!(text.contains(&format!("root=UUID={ROOT}")), "{text}");
            return;
        }
        let ended = machine.0.try_wait().unwrap();
        assert!(ended.is_none() && start.elapsed() < PATIENCE, "{firmware:?}, no login prompt: {ended:?}\n{text}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn a_tree_of_debian_12_on_ext4_passes_and_boots() {
    let build = tree();
    let image = stages(&build, FileSystemType::Ext4);
    let raw = raw(&build);
    tool("e2fsck", ["-fn", &format!("{}?offset={}", raw.display(), 66 * MIB)]);
    let run = bootworthy(["check", image.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    // Another tree at another time, the same bytes.
    let again = tree();
    let twin = stages(&again, FileSystemType::Ext4);
    assert_eq!(sum(&twin), sum(&image));
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        boots(&image, build.shop.folder(), firmware);
    }
}

/// fstab and the initrd of this tree are for ext4: what counts is that GRUB and the kernel read the file system.
#[test]
fn a_tree_of_debian_12_on_xfs_boots() {
    let build = tree();
    build.sh("sed -i '/ \\/ ext4 /d' tree/etc/fstab; echo xfs >>tree/etc/initramfs-tools/modules");
    build.sh(&format!("echo 'UUID={ROOT} / xfs discard 0 1' >>tree/etc/fstab"));
    build.shop.run("test", build.shop.within("update-initramfs").args(["-u", "-k", "all"])).unwrap();
    let image = stages(&build, FileSystemType::Xfs);
    let [from, to] = [raw(&build), build.path("root.img")].map(|path| path.display().to_string());
    tool("dd", [&format!("if={from}"), &format!("of={to}"), "bs=1M", "skip=66", "count=3000", "conv=sparse"]);
    tool("xfs_repair", ["-n", "-f", &to]);
    boots(&image, build.shop.folder(), Firmware::Bios);
}
