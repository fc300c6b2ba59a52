//! Whole builds through the command, from root trees of the real images: what both tiers need for them.

pub mod killed;

use crate::common::{Run, bootworthy, command, image, program, tool};
use bootworthy::build::workshop::{Mode, Options, Workshop};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Folders that nothing looks at, a third of the bytes.
const LEFT_OUT: &str =
    "usr/share/doc usr/share/man usr/share/locale usr/share/i18n usr/share/info lost+found boot/grub";
/// Changes with what an archive holds.
const VERSION: u32 = 1;

/// The archive of an image's root tree, made once: `debian13`.
pub fn archive(name: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let image = image(name);
    let stem = image.file_stem().unwrap().to_str().unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{stem}-{VERSION}.tar.zst"));
    if !path.exists() {
        make_archive(&image, &path);
    }
    path
}

fn make_archive(image: &Path, path: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let shop = Workshop::open(Options {
        folder: folder.path().join("work"),
        mode: Mode::detect().unwrap().0,
        epoch: 1_700_000_000,
        listener: Box::new(|_, _| {}),
        cancelled: Arc::new(AtomicBool::new(false)),
        ourselves: program().into(),
    })
    .unwrap();
    let raw = shop.folder().join("source.raw");
    tool("qemu-img", ["convert", "-O", "raw", image.to_str().unwrap(), raw.to_str().unwrap()]);
    let facts: Value = serde_json::from_str(&bootworthy(["inspect", raw.to_str().unwrap()]).stdout).unwrap();
    let volumes = facts["volumes"].as_array().unwrap();
    let root = volumes.iter().find(|volume| volume["number"] == facts["root"]["volume"]).unwrap();
    let script = format!(
        "mkdir tree && debugfs -R 'rdump / tree' 'source.raw?offset={}' && rm source.raw && cd tree && \
         rm -rf {LEFT_OUT} && tar --create --sort=name --numeric-owner . | zstd -q -1 -T0 -o ../tree.tar.zst",
        root["start"]
    );
    shop.run("test", shop.inside("sh").args(["-euc", &script])).unwrap();
    shop.remove("test", &shop.tree()).unwrap();
    let part = path.with_extension(format!("{}", std::process::id()));
    fs::copy(shop.folder().join("tree.tar.zst"), &part).unwrap();
    fs::rename(part, path).unwrap();
}

/// Unpacks an archive; owners are the tree's where we may give files away.
pub fn unpack(archive: &Path, folder: &Path) {
    fs::create_dir(folder).unwrap();
    tool("tar", ["-xf", archive.to_str().unwrap(), "-C", folder.to_str().unwrap()]);
}

/// The shipped recipe for Debian 13, made from `engine` instead of packages; `more` stands at its end.
pub fn recipe(folder: &Path, engine: &str, path: &Path, more: &str) -> PathBuf {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/debian-13.toml")).unwrap();
    let packages = &text[text.find("[packages]").unwrap()..text.find("[boot]").unwrap()];
    let engine = format!("[engine]\nname = \"{engine}\"\npath = {:?}\n\n", path.to_str().unwrap());
    let text = text.replace(packages, &engine).replace("name = \"debian-13\"", "name = \"small\"") + more;
    let path = folder.join("small.toml");
    fs::write(&path, text).unwrap();
    path
}

/// `build` with the caches in `folder`, where `disk.qcow2` shall stand.
pub fn build_command(folder: &Path, recipe: &Path, more: &[&str]) -> Command {
    build_into(folder, folder, recipe, more)
}

/// The same with another folder for `disk.qcow2`.
pub fn build_into(target: &Path, folder: &Path, recipe: &Path, more: &[&str]) -> Command {
    let mut command = command();
    command.arg("build").arg(recipe).arg("-o").arg(target.join("disk.qcow2")).arg("--work").arg(folder.join("work"));
    command.args(more).env("HOME", folder).env("SOURCE_DATE_EPOCH", "1767225600");
    for name in ["PATH", "http_proxy", "https_proxy", "no_proxy"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

pub fn run(mut command: Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Run { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

pub fn build(folder: &Path, recipe: &Path, more: &[&str]) -> Run {
    run(build_command(folder, recipe, more))
}

/// The first word of `disk.qcow2.sha256`, which must be right.
pub fn sum(folder: &Path) -> String {
    let sums = Command::new("sha256sum").args(["--check", "disk.qcow2.sha256"]).current_dir(folder).output().unwrap();
    assert!(sums.status.success(), "{}", String::from_utf8_lossy(&sums.stderr));
    fs::read_to_string(folder.join("disk.qcow2.sha256")).unwrap()[..64].to_owned()
}

/// Waits until no process has to do with the folder, and says that nobody has mounted anything in it.
pub fn nothing_is_left(folder: &Path) {
    let name = folder.to_str().unwrap();
    let mut left = Vec::new();
    for _ in 0..400 {
        left = processes(name);
        if left.is_empty() {
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
            assert!(!mounts.contains(name), "{mounts}");
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("processes are left: {left:?}");
}

/// Other processes that name the folder, work in it or have mounted something there.
fn processes(folder: &str) -> Vec<String> {
    let ours = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let processes = processes.filter(|entry| {
        let pid = entry.file_name().to_string_lossy().into_owned();
        pid.bytes().all(|byte| byte.is_ascii_digit()) && pid != ours
    });
    let has = |entry: &fs::DirEntry| {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mounts = fs::read(entry.path().join("mountinfo")).unwrap_or_default();
        let place = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found = text(&words).contains(folder) || text(&mounts).contains(folder) || place.starts_with(folder);
        found.then(|| format!("{} {}", entry.path().display(), text(&words).replace('\0', " ")))
    };
    processes.filter_map(|entry| has(&entry)).collect()
}

/// What stands in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Removes a folder in which a user namespace's users may own files.
pub fn clear(folder: &Path) {
    let alone: &[&str] = match Mode::detect().unwrap().0 {
        Mode::Unshare => &["unshare", "--user", "--map-root-user", "--map-auto", "--"],
        _ => &["env"],
    };
    tool(alone[0], [&alone[1..], &["rm", "-rf", folder.to_str().unwrap()]].concat());
}
