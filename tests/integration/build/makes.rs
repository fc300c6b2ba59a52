//! Whole builds from finished root trees: an archive by the best way of whoever runs the tests, a folder, and an archive
//! by an ordinary user without namespaces.

use crate::common::{bootworthy, fixture, program, tool};
use crate::whole::{archive, build, names, nothing_is_left, recipe, run, sum, unpack};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What such a build may take while all other tests run; on two cores of its own it takes a quarter of a minute.
const PATIENCE: Duration = Duration::from_secs(180);
/// What a recipe changes in a tree.
const CHANGES: &str = r#"
[[user]]
name = "operator"
uid = 1500
sudo = true
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Vx0jZ1mGZ1n1m0dV8b0lQ1Zl1c8Qm3bqJm0v8y9aQ operator"]

[[file]]
path = "/etc/motd"
mode = "0640"
text = "made by a recipe\n"

[[command]]
run = "id -u >/etc/who; readlink /proc/self/exe >>/etc/who; test ! -e /work"

[units]
disable = ["systemd-timesyncd.service"]
"#;

fn validate(sbom: &Path) {
    let text = "import sys\nfrom cyclonedx.schema import SchemaVersion\n\
        from cyclonedx.validation.json import JsonStrictValidator\n\
        error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(sys.stdin.read())\nif error: sys.exit(str(error))";
    let python = std::env::var_os("BOOTWORTHY_PYTHON").expect("run the tests with tests/run");
    let mut child = Command::new(python).args(["-c", text]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(sbom).unwrap()).unwrap();
    assert!(child.wait().unwrap().success(), "{}", sbom.display());
}

/// All that stands beside an image; gives what debugfs is told to say of its root.
fn stands(folder: &Path, image: &str, says: &str) -> impl Fn(&str) -> String {
    let name = |ending: &str| format!("{image}.{ending}");
    let expected = ["", "cdx.json", "properties.json", "report.json", "sha256", "sha512"];
    let mut expected: Vec<String> =
        expected.iter().map(|ending| name(ending).trim_end_matches('.').to_owned()).collect();
    expected.extend(["small.lock".to_owned(), "work".to_owned()]);
    assert_eq!(names(folder), expected);
    assert!(says.contains("fit") && says.contains(&name("properties.json")), "{says}");
    validate(&folder.join(name("cdx.json")));
    let read = |name: String| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).unwrap()).unwrap();
    assert_eq!(read(name("report.json"))["images"][0]["result"], "fit");
    assert_eq!(read(name("properties.json"))["hw_scsi_model"], "virtio-scsi");
    assert!(read(name("cdx.json"))["components"].as_array().unwrap().len() > 100);
    assert_eq!(bootworthy(["check", folder.join(image).to_str().unwrap()]).code, 0);
    let raw = folder.join("work/raw");
    tool("qemu-img", ["convert", "-O", "raw", folder.join(image).to_str().unwrap(), raw.to_str().unwrap()]);
    let said = String::from_utf8(tool("sfdisk", ["--verify", raw.to_str().unwrap()])).unwrap();
    assert!(said.contains("No errors detected"), "{said}");
    let table: Value = serde_json::from_slice(&tool("sfdisk", ["-J", raw.to_str().unwrap()])).unwrap();
    let rows = table["partitiontable"]["partitions"].as_array().unwrap().clone();
    let ext4 =
        rows.iter().rfind(|row| row["name"] == "boot").or(rows.iter().find(|row| row["name"] == "root")).unwrap();
    let offset = ext4["start"].as_u64().unwrap() * 512;
    let place = format!("{}?offset={offset}", raw.display());
    tool("e2fsck", ["-fn", &place]);
    move |request| String::from_utf8(tool("debugfs", ["-R", request, &place])).unwrap()
}

/// The whole way as a user goes it; then the same from its lock, in a folder of another name.
#[test]
fn an_archive_becomes_an_image_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = recipe(folder.path(), "tar", &archive("debian13"), CHANGES);
    let [first, second] = ["first", "another folder"].map(|name| folder.path().join(name));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    let begun = Instant::now();
    let said = build(&first, &path, &[]);
    let took = begun.elapsed();
    assert_eq!(said.code, 0, "{}", said.stderr);
    eprintln!("a whole build took {:.1} s", took.as_secs_f64());
    assert!(took < PATIENCE, "{took:?}");
    nothing_is_left(folder.path());
    assert_eq!(names(&first.join("work")), ["cache"], "the work folder is gone");
    let debugfs = stands(&first, "disk.qcow2", &said.stdout);
    assert_eq!(debugfs("cat /etc/motd"), "made by a recipe\n");
    assert!(debugfs("cat /etc/who").starts_with("0\n/"), "{}", debugfs("cat /etc/who"));
    assert!(debugfs("cat /etc/passwd").contains("operator:x:1500:"));
    for (path, says) in [
        ("/etc/motd", "Mode:  0640"),
        ("/usr/bin/sudo", "Mode:  04755"),
        ("/etc/shadow", "User:     0   Group:    42"),
        ("/home/operator/.ssh/authorized_keys", "User:  1500   Group:  1500"),
    ] {
        let said = debugfs(&format!("stat {path}"));
        assert!(said.contains(says), "{path}: {says}\n{said}");
    }
    let lock = first.join("small.lock");
    let said = build(&second, &path, &["-q", "--locked", "--lock", lock.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(sum(&first), sum(&second));
}

/// Another engine, firmware and format, and `/boot` on its own.
#[test]
fn a_folder_becomes_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("root tree");
    unpack(&archive("debian13"), &tree);
    let path = recipe(folder.path(), "dir", &tree, "");
    let text = fs::read_to_string(&path).unwrap();
    let disk = "[disk]\nformat = \"raw\"\nsize = \"2 GiB\"\nboot = \"256 MiB\"\n";
    let text = text[..text.find("[disk]").unwrap()].replace("[\"bios\", \"uefi\"]", "\"uefi\"") + disk;
    fs::write(&path, text).unwrap();
    let made = folder.path().join("made");
    fs::create_dir(&made).unwrap();
    let said = build(&made, &path, &["--no-cache"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    nothing_is_left(folder.path());
    let debugfs = stands(&made, "disk.qcow2", &said.stdout);
    assert!(debugfs("ls -p /").contains("/initrd.img-"));
    assert!(tree.join("etc/os-release").exists(), "the folder stays as it was");
}

/// As an ordinary user whom no file of the system helps: `nobody`, where the tests run as root.
#[test]
fn an_ordinary_user_without_namespaces_builds() {
    let folder = tempfile::tempdir().unwrap();
    let release = fs::read_to_string("/etc/os-release").unwrap();
    // fakechroot takes a tree with the C library of this machine's own release.
    let image = if release.contains("VERSION_CODENAME=trixie") { "debian13" } else { "debian12" };
    let tree = folder.path().join("tree.tar.zst");
    fs::copy(archive(image), &tree).unwrap();
    let path = recipe(folder.path(), "tar", &tree, "");
    let text = fs::read_to_string(&path).unwrap();
    if image == "debian12" {
        // Its cloud kernel has no driver for the watchdog, and none for a CD-ROM on SATA.
        let text = text.replace("\"watchdog\", ", "").replace(", \"config-drive\"", "").replace("trixie", "bookworm");
        fs::write(&path, text).unwrap();
    }
    let made = folder.path().join("made");
    fs::create_dir(&made).unwrap();
    for path in [folder.path(), &made] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let ours = folder.path().join("bootworthy");
    fs::copy(program(), &ours).unwrap();
    let is_root = String::from_utf8(tool("id", ["-u"])).unwrap() == "0\n";
    let words: &[&str] =
        if is_root { &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] } else { &["env"] };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(&ours).arg("build").arg(&path).arg("-o").arg(made.join("disk.qcow2"));
    command.arg("--work").arg(made.join("work")).args(["--engine-mode", "fakechroot"]);
    command.env_clear().env("HOME", &made).env("PATH", std::env::var_os("PATH").unwrap());
    let begun = Instant::now();
    let said = run(command);
    assert_eq!(said.code, 0, "{}", said.stderr);
    eprintln!("a whole build under fakechroot took {:.1} s", begun.elapsed().as_secs_f64());
    nothing_is_left(&made);
    let debugfs = stands(&made, "disk.qcow2", &said.stdout);
    assert!(debugfs("stat /etc/shadow").contains("User:     0   Group:    42"));
    assert!(debugfs("stat /usr/bin/sudo").contains("Mode:  04755"));
}

/// What an archive that is none is answered with.
#[test]
fn what_is_no_root_tree_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for (engine, input, says, next) in [
        ("tar", fixture("good.qcow2"), "tar failed", "the archive of a root tree is expected"),
        (
            "dir",
            empty.clone(),
            "neither /etc/os-release nor /usr/lib/os-release is there",
            "the tree's own / is expected",
        ),
    ] {
        let path = recipe(folder.path(), engine, &input, "");
        let said = build(folder.path(), &path, &[]);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{engine}");
        assert!(said.stderr.contains(says) && said.stderr.contains(next), "{}", said.stderr);
        assert!(said.stderr.contains("left: "), "{}", said.stderr);
    }
    assert_eq!(names(folder.path()), ["empty", "small.toml", "work"]);
    let gone: PathBuf = folder.path().join("nowhere.tar");
    let said = build(folder.path(), &recipe(folder.path(), "tar", &gone, ""), &[]);
    assert_eq!(said.code, 2, "{}", said.stderr);
}
