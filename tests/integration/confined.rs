//! What the program touches on the host while it reads an image: nothing but what the user named.

use crate::common::{fixture, program, tool};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What the dynamic loader, the C library and the standard library open for themselves, and nothing else.
const START: &[&str] = &[
    "/etc/ld.so.cache",
    "/proc/self/maps",
    "/proc/sys/vm/overcommit_memory",
    "libc.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
];

/// Paths opened and programs started, after the image was opened for the first time.
struct Trace {
    opened: BTreeSet<String>,
    started: BTreeSet<String>,
    network: Vec<String>,
}

/// Runs the program under strace in an empty folder.
fn trace(image: &str, args: &[&str]) -> Trace {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("trace");
    let log_name = log.to_str().unwrap();
    let strace = ["-f", "-qq", "-s", "4096", "-e", "trace=%file,%process,%network", "-o", log_name];
    let ended = std::process::Command::new("strace")
        .args(strace)
        .arg(program())
        .args(args)
        .env_clear()
        .current_dir(folder.path())
        .output()
        .expect("strace is needed by this test; run tests/run");
    assert!(ended.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&ended.stderr));
    let log = fs::read_to_string(log).unwrap();
    let is_image = |line: &&str| line.contains("open") && line.contains(&format!("{image:?}"));
    let lines: Vec<&str> = log.lines().skip_while(|line| !is_image(line)).collect();
    assert!(!lines.is_empty(), "the image was never opened:\n{log}");
    let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let of = |calls: &[&str]| -> Vec<&str> {
        lines.iter().copied().filter(|line| calls.iter().any(|call| line.contains(call))).collect()
    };
    Trace {
        opened: of(&["open(", "openat(", "openat2(", "creat("]).into_iter().filter_map(quoted).collect(),
        started: of(&["execve(", "execveat("]).into_iter().filter_map(quoted).collect(),
        network: of(&["socket(", "connect(", "bind(", "sendto("]).into_iter().map(str::to_owned).collect(),
    }
}

/// The name without the loader's folder, which differs between distributions.
fn known(path: &str) -> &str {
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path);
    if path.contains("/lib") && START.contains(&name) { name } else { path }
}

#[test]
fn nothing_is_opened_but_the_image() {
    for image in ["good.qcow2", "broken.qcow2"] {
        let image = fixture(image).to_str().unwrap().to_owned();
        for command in ["check", "properties", "inspect"] {
            let trace = trace(&image, &[command, &image]);
            let allowed: BTreeSet<&str> = START.iter().copied().chain([image.as_str()]).collect();
            let opened: BTreeSet<&str> = trace.opened.iter().map(|path| known(path)).collect();
            let extra: Vec<&&str> = opened.difference(&allowed).collect();
            assert!(extra.is_empty(), "{command} {image} opened {extra:?}");
            assert_eq!(trace.started, BTreeSet::from([program().to_owned()]), "{command} {image}");
            assert!(trace.network.is_empty(), "{command} {image}: {:?}", trace.network);
        }
    }
}

#[test]
fn an_overlay_opens_only_what_the_user_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let base = path("base.qcow2");
    fs::copy(fixture("good.qcow2"), &base).unwrap();
    let (overlay, canary) = (path("overlay.qcow2"), path("canary"));
    tool("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &base, &overlay]);
    tool("qemu-img", ["rebase", "-u", "-F", "raw", "-b", &canary, &overlay]);
    fs::write(&canary, "never read").unwrap();
    let trace = trace(&overlay, &["check", &overlay, "--backing", &base]);
    let opened: BTreeSet<&str> = trace.opened.iter().map(|path| known(path)).collect();
    let allowed: BTreeSet<&str> = START.iter().copied().chain([overlay.as_str(), base.as_str()]).collect();
    let extra: Vec<&&str> = opened.difference(&allowed).collect();
    assert!(extra.is_empty(), "opened {extra:?}");
}
