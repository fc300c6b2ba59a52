//! A raw copy of an image whose root file system is changed by debugfs.

use crate::common::{bootworthy, tool};
use serde_json::Value;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// GPT types.
pub const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";
pub const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

/// A raw disk that may be changed.
pub struct Disk {
    pub path: PathBuf,
    folder: PathBuf,
    /// debugfs's name of the root file system.
    root: String,
    /// The facts of the healthy disk.
    facts: Value,
}

impl Disk {
    /// A copy of the raw image `whole`, whose facts are `facts`.
    pub fn copy(whole: &Path, facts: &Value, folder: &Path) -> Self {
        let path = folder.join("disk.raw");
        tool("cp", ["--sparse=always", whole.to_str().unwrap(), path.to_str().unwrap()]);
        let volumes = facts["volumes"].as_array().unwrap();
        let root = volumes.iter().find(|volume| volume["number"] == facts["root"]["volume"]).unwrap();
        let root = format!("{}?offset={}", path.display(), root["start"]);
        Self { path, folder: folder.to_owned(), root, facts: facts.clone() }
    }

    /// The kernel release.
    pub fn release(&self) -> &str {
        self.facts["kernels"][0]["version"].as_str().unwrap()
    }

    fn root_volume(&self) -> &Value {
        let number = &self.facts["root"]["volume"];
        let volumes = self.facts["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["number"] == *number).unwrap()
    }

    /// The UUID of the root file system.
    pub fn uuid(&self) -> &str {
        self.root_volume()["filesystem"]["uuid"].as_str().unwrap()
    }

    /// The UUID of its partition.
    pub fn partuuid(&self) -> &str {
        self.root_volume()["partuuid"].as_str().unwrap()
    }

    pub fn initrd(&self) -> String {
        format!("/boot/initrd.img-{}", self.release())
    }

    pub fn kernel(&self) -> String {
        format!("/boot/vmlinuz-{}", self.release())
    }

    fn debugfs(&self, commands: &str) -> Vec<u8> {
        let script = self.folder.join("script");
        fs::write(&script, commands).unwrap();
        let output = Command::new("debugfs").args(["-w", "-f", script.to_str().unwrap(), &self.root]).output().unwrap();
        // debugfs says what went wrong and exits with 0.
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let errors: Vec<&str> = errors.lines().filter(|line| !line.starts_with("debugfs ")).collect();
        assert!(errors.is_empty(), "{commands}: {errors:?}");
        output.stdout
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        let out = self.folder.join("dumped");
        self.debugfs(&format!("dump {path} {}\n", out.display()));
        fs::read(out).unwrap()
    }

    pub fn text(&self, path: &str) -> String {
        String::from_utf8(self.read(path)).unwrap()
    }

    /// Makes a file, whose folder exists.
    pub fn create(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.folder.join("content");
        fs::write(&file, content).unwrap();
        self.debugfs(&format!("write {} {path}\n", file.display()));
    }

    /// Replaces a file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.remove(path);
        self.create(path, content);
    }

    pub fn remove(&self, path: &str) {
        self.debugfs(&format!("rm {path}\n"));
    }

    /// Takes a folder, or a link, out of the one above it.
    pub fn unlink(&self, path: &str) {
        self.debugfs(&format!("unlink {path}\n"));
    }

    pub fn mkdir(&self, path: &str) {
        self.debugfs(&format!("mkdir {path}\n"));
    }

    pub fn link(&self, path: &str, target: &str) {
        self.debugfs(&format!("symlink {path} {target}\n"));
    }

    /// Replaces every `old`, of which there is at least one.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.text(path);
        assert!(text.contains(old), "{path} has no {old:?}");
        self.write(path, text.replace(old, new));
    }

    pub fn append(&self, path: &str, more: &str) {
        self.write(path, self.text(path) + more);
    }

    /// Replaces a byte of the disk.
    pub fn poke(&self, at: u64, byte: u8) {
        self.put(at, &[byte]);
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        let mut disk = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        disk.seek(SeekFrom::Start(at)).unwrap();
        disk.write_all(bytes).unwrap();
    }

    /// First byte of the only volume of this GPT type.
    pub fn start_of(&self, kind: &str) -> u64 {
        let volumes = self.facts["volumes"].as_array().unwrap();
        let found = volumes.iter().find(|volume| volume["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}: {volumes:?}"))["start"].as_u64().unwrap()
    }

    /// Replaces GRUB's core for BIOS by one that `grub-mkimage` makes with these words.
    pub fn core(&self, words: &[&str]) {
        let path = self.folder.join("core.img");
        let made = ["-O", "i386-pc", "-d", "/usr/lib/grub/i386-pc", "-o", path.to_str().unwrap()];
        tool("grub-mkimage", [&made, words].concat());
        let start = self.start_of(BIOS_BOOT);
        let mut core = fs::read(path).unwrap();
        // Where the first sector finds the others (`diskboot.S`).
        core[0x1f4..0x1fc].copy_from_slice(&(start / 512 + 1).to_le_bytes());
        self.put(start, &core);
    }

    /// Removes a file of the EFI system partition.
    pub fn remove_from_esp(&self, path: &str) {
        let esp = format!("{}@@{}", self.path.display(), self.start_of(ESP));
        tool("mdel", ["-i", &esp, &format!("::{path}")]);
    }

    /// Unpacks the initrd, lets `edit` change the tree, and packs it again by `pack`, a shell pipe's last part.
    pub fn repack(&self, pack: &str, edit: impl FnOnce(&Path)) {
        let tree = self.folder.join("tree");
        drop(fs::remove_dir_all(&tree));
        fs::create_dir(&tree).unwrap();
        let (part, plain) = (self.folder.join("part"), self.folder.join("plain"));
        let bytes = self.read(&self.initrd());
        for segment in self.facts["initrds"][0]["segments"].as_array().unwrap() {
            let unpack = match segment["compression"].as_str().unwrap() {
                "none" => "cat",
                "gzip" => "gzip -dc",
                "zstd" => "zstd -dcq",
                "xz" => "xz -dc",
                other => panic!("no program for {other}"),
            };
            let number = |key: &str| usize::try_from(segment[key].as_u64().unwrap()).unwrap();
            fs::write(&part, &bytes[number("offset")..number("offset") + number("size")]).unwrap();
            shell(&format!("{unpack} {} > {}", part.display(), plain.display()));
            shell(&format!("cd {} && cpio -idm --quiet -f 'dev/*' < {}", tree.display(), plain.display()));
        }
        edit(&tree);
        let packed = self.folder.join("packed");
        let list = format!("cd {} && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0", tree.display());
        shell(&format!("({list}) | {pack} > {}", packed.display()));
        self.write(&self.initrd(), fs::read(packed).unwrap());
    }

    pub fn check(&self) -> Value {
        let run = bootworthy(["check", "--format", "json", self.path.to_str().unwrap()]);
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
    }
}

fn shell(line: &str) {
    let status = Command::new("bash").args(["-euo", "pipefail", "-c", line]).stdin(Stdio::null()).status().unwrap();
    assert!(status.success(), "{line}");
}

/// Removes every file below `tree` whose name begins with `name`.
pub fn remove_named(tree: &Path, name: &str) {
    shell(&format!("find {} -name '{name}*' -delete", tree.display()));
}
