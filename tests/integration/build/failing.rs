//! Builds that cannot succeed: a full disk, a mirror that fails, an engine that is not there. Each says where, why and what
//! to do next, ends with 3, and leaves nothing under the image's name, no process and no mount.

use crate::common::tool;
use crate::whole::{archive, build, build_command, build_into, clear, names, nothing_is_left, recipe, run};
use bootworthy::build::workshop::{Mode, PROGRAMS, find};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The shipped recipe for Debian 13 with another mirror.
fn debian(folder: &Path, mirror: &str) -> PathBuf {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/debian-13.toml")).unwrap();
    let path = folder.join("small.toml");
    let line = format!("suite = \"trixie\"\nmirror = \"{mirror}\"");
    fs::write(&path, text.replace("suite = \"trixie\"", &line).replace("name = \"debian-13\"", "name = \"small\""))
        .unwrap();
    path
}

/// Answers every request with `answer` and hangs up; gives the port.
fn server(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    port
}

#[test]
fn a_mirror_that_fails_is_named() {
    let cases: [(Option<&str>, &str); 4] = [
        (None, "Could not connect"),
        (
            Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            "does not have a Release file",
        ),
        (Some("HTTP/1.1 500 Broken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), "500  Broken"),
        (
            Some("HTTP/1.1 200 OK\r\nContent-Length: 90000\r\nConnection: close\r\n\r\nOrigin: Debian\n"),
            "Failed to fetch",
        ),
    ];
    std::thread::scope(|scope| {
        for (answer, says) in cases {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let mirror = format!("http://127.0.0.1:{}/debian", answer.map_or(1, server));
                let mut command = build_command(folder.path(), &debian(folder.path(), &mirror), &[]);
                // No proxy stands between this machine and itself.
                let said = run({
                    command.env_remove("http_proxy").env_remove("https_proxy");
                    command
                });
                assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
                for words in
                    ["error: stage tree: ", &mirror, says, "distribution.mirror", "left: ", "all it said is in "]
                {
                    assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
                }
                nothing_is_left(folder.path());
                assert_eq!(names(folder.path()), ["small.toml", "work"]);
                clear(&folder.path().join("work"));
            });
        }
    });
}

#[test]
fn an_engine_that_is_not_there_is_named_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).unwrap();
    for name in PROGRAMS.iter().map(|program| program.name).chain(["sh", "true", "unshare"]) {
        if let Some(path) = find(name).filter(|_| name != "mmdebstrap") {
            drop(symlink(path, programs.join(name)));
        }
    }
    let mut command = build_command(folder.path(), &debian(folder.path(), "http://127.0.0.1:1/"), &[]);
    command.env("PATH", &programs);
    let said = run(command);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
    for words in ["the recipe needs mmdebstrap, which is not installed here", "`apt-get install mmdebstrap`"] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    nothing_is_left(folder.path());
    assert_eq!(names(folder.path()), ["programs", "small.toml", "work"]);
}

/// Runs itself once more, where no other process sees its file systems of a few MiB.
#[test]
fn a_full_disk_is_one_clear_error_whole() {
    if let Some(folder) = std::env::var_os("BOOTWORTHY_SMALL_DISKS") {
        return on_small_disks(Path::new(&folder));
    }
    archive("debian13");
    let script = "BOOTWORTHY_SMALL_DISKS=\"$1\" exec \"$0\" --exact --nocapture \
        build::failing::a_full_disk_is_one_clear_error_whole";
    let folder = tempfile::tempdir().unwrap();
    let namespace: &[&str] = match Mode::detect().unwrap().0 {
        Mode::Root => &["--mount"],
        _ => &["--user", "--map-root-user", "--map-auto", "--mount"],
    };
    let test = std::env::current_exe().unwrap();
    let words = [test.to_str().unwrap(), folder.path().to_str().unwrap()];
    let said = String::from_utf8(tool("unshare", [namespace, &["sh", "-euc", script], &words].concat())).unwrap();
    assert!(said.contains("1 passed"), "{said}");
}

fn on_small_disks(folder: &Path) {
    let path = recipe(folder, "tar", &archive("debian13"), "");
    let work = folder.join("work");
    fs::create_dir(&work).unwrap();
    let mount = |size: u64, place: &Path| {
        drop(tool("mount", ["-t", "tmpfs", "-o", &format!("size={size}m"), "none", place.to_str().unwrap()]));
    };
    // The tree does not fit; the tree fits, and what is kept of it does not; the file system does not.
    for (size, more) in [(50, &[][..]), (360, &[]), (330, &["--no-cache"])] {
        mount(size, &work);
        let said = build(folder, &path, more);
        eprintln!("{size} MiB: {}", said.stderr);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{size} MiB: {}", said.stderr);
        let is_said = ["o space left on device", "is full"].iter().any(|words| said.stderr.contains(words));
        assert!(is_said && said.stderr.contains("= help: ") && said.stderr.contains("left: "), "{}", said.stderr);
        assert_eq!(names(folder), ["small.toml", "work"]);
        tool("umount", [work.to_str().unwrap()]);
    }
    // The image fits where it is made, and not where it shall stand.
    let target = folder.join("target");
    fs::create_dir(&target).unwrap();
    mount(20, &target);
    let said = run(build_into(&target, folder, &path, &[]));
    eprintln!("target: {}", said.stderr);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
    assert!(said.stderr.contains("o space left on device") && said.stderr.contains("left: "), "{}", said.stderr);
    assert_eq!(names(&target), [""; 0], "no part of it stands there either");
    // With room it goes on from the finished image.
    tool("mount", ["-o", "remount,size=600m", target.to_str().unwrap()]);
    let said = run(build_into(&target, folder, &path, &["-v"]));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!said.stderr.contains("tree: begins"), "{}", said.stderr);
    assert!(target.join("disk.qcow2").exists());
    tool("umount", [target.to_str().unwrap()]);
}
