//! The workshop: programs run as the tree's root, their words are kept, and none outlives the build.

use crate::common::{program, tool};
use bootworthy::build::workshop::{Mode, Options, Workshop, find};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn options(folder: &Path, mode: Mode) -> Options {
    Options {
        folder: folder.join("work"),
        mode,
        epoch: 1_700_000_000,
        listener: Box::new(|_, _| {}),
        cancelled: Arc::new(AtomicBool::new(false)),
        ourselves: program().into(),
    }
}

/// The best mode of whoever runs the tests.
fn mode() -> Mode {
    Mode::detect().unwrap().0
}

#[test]
fn a_program_is_heard_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Workshop::open(options(folder.path(), mode())).unwrap();
    shop.run("try", shop.command("sh").args(["-c", "echo one; echo two >&2"])).unwrap();
    let log = std::fs::read_to_string(shop.log()).unwrap();
    assert_eq!(log, "try: + \"sh\" \"-c\" \"echo one; echo two >&2\"\ntry: one\ntry: two\n");
    let printed = shop.output("try", shop.command("printenv").args(["SOURCE_DATE_EPOCH", "LC_ALL"]), 100).unwrap();
    assert_eq!(printed, b"1700000000\nC.UTF-8\n");
    for (script, says) in [
        ("echo a reason >&2; exit 3", "stage try: sh failed, exit status 3; it said last:\na reason"),
        ("kill -9 $$", "stage try: sh failed, ended by signal 9"),
    ] {
        let error = shop.run("try", shop.command("sh").args(["-c", script])).unwrap_err();
        assert_eq!(error.to_string(), says);
    }
    let error = shop.output("try", shop.command("cat").arg("/dev/zero"), 4096).unwrap_err();
    assert!(error.to_string().contains("more than the limit of 4096 bytes"), "{error}");
    let error = shop.run("try", &mut shop.command("no-such-program")).unwrap_err();
    assert!(error.to_string().contains("program no-such-program: "), "{error}");
}

#[test]
fn inside_is_root_with_the_owners_of_the_tree() {
    for mode in [mode(), Mode::Fakechroot] {
        let folder = tempfile::tempdir().unwrap();
        let shop = Workshop::open(options(folder.path(), mode)).unwrap();
        let script = "mkdir tree && cd tree && echo x >f && chown 1:42 f && chmod 640 f && id -u";
        shop.run("try", shop.inside("sh").args(["-c", script])).unwrap();
        let seen = shop.output("try", shop.inside("stat").args(["-c", "%u:%g %a", "tree/f"]), 100).unwrap();
        assert_eq!(seen, b"1:42 640\n", "{mode:?}");
        shop.remove("try", &shop.tree()).unwrap();
        assert!(!shop.tree().exists());
    }
}

#[test]
fn within_has_its_own_devices_and_processes() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Workshop::open(options(folder.path(), mode())).unwrap();
    let tree = shop.tree();
    for name in ["bin", "sbin", "lib", "lib64"] {
        std::fs::create_dir_all(tree.join("usr").join(name)).unwrap();
        std::os::unix::fs::symlink(format!("usr/{name}"), tree.join(name)).unwrap();
    }
    for name in ["sh", "ls", "stat", "id"] {
        let path = find(name).unwrap();
        let libraries = String::from_utf8(tool("ldd", [&path])).unwrap();
        let libraries = libraries.split_ascii_whitespace().filter(|word| word.starts_with('/'));
        for file in libraries.chain([path.to_str().unwrap()]) {
            let copied = tree.join(&file[1..]);
            std::fs::create_dir_all(copied.parent().unwrap()).unwrap();
            std::fs::copy(file, copied).unwrap();
        }
    }
    let script = "echo x >/dev/null && ls /proc/self/fd >/dev/null && id -u && stat -c %a /tmp && echo /proc/[0-9]*";
    let seen = shop.output("try", shop.within("sh").args(["-c", script]), 1000).unwrap();
    assert_eq!(String::from_utf8(seen).unwrap(), "0\n1777\n/proc/1\n");
    assert!(!std::fs::read_to_string("/proc/self/mounts").unwrap().contains(shop.tree().to_str().unwrap()));
}

/// Processes that carry this word on their command line.
fn alive(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(word)).count()
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Daemons too: what leaves its parent, its group and its session.
const STAYS: &str = "setsid sh -c 'sleep 98700000WORD & wait' & sleep 98700001WORD & wait";

#[test]
fn a_stopped_build_leaves_no_process() {
    let word = format!("7{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    for mode in [mode(), Mode::Fakechroot] {
        let options = options(folder.path(), mode);
        let cancelled = Arc::clone(&options.cancelled);
        let shop = Workshop::open(options).unwrap();
        let script = STAYS.replace("WORD", &word);
        let error = std::thread::scope(|scope| {
            let run = scope.spawn(|| shop.run("try", shop.inside("sh").args(["-c", &script])));
            wait_for("the program starts", || alive(&format!("sleep\x0098700000{word}")) > 0);
            cancelled.store(true, Ordering::Relaxed);
            run.join().unwrap().unwrap_err()
        });
        assert_eq!(error.to_string(), "stage try: the build was stopped");
        assert_eq!(alive(&format!("98700000{word}")) + alive(&format!("98700001{word}")), 0, "{mode:?}");
        drop(shop);
    }
}

/// Whoever is killed: we, or the guard with a namespace below it.
#[test]
fn a_killed_build_leaves_no_process() {
    let namespace = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--"];
    for (number, namespace) in [&[][..], &namespace[..]].into_iter().enumerate() {
        let word = format!("{number}{}", std::process::id());
        let mut guard = Command::new(program());
        guard.args(["child", "watch"]).args(namespace).args(["sh", "-c", &STAYS.replace("WORD", &word)]);
        let mut guard = guard.stdin(Stdio::piped()).spawn().unwrap();
        wait_for("the program starts", || alive(&format!("sleep\x0098700000{word}")) > 0);
        if namespace.is_empty() {
            drop(guard.stdin.take());
        } else {
            guard.kill().unwrap();
        }
        wait_for("nothing is left", || alive(&word) == 0);
        guard.wait().unwrap();
    }
}

#[test]
fn a_workshop_is_ours_alone() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Workshop::open(options(folder.path(), Mode::Fakechroot)).unwrap();
    let error = Workshop::open(options(folder.path(), Mode::Fakechroot)).unwrap_err();
    assert!(error.to_string().contains("another build works in it"), "{error}");
    drop(shop);
    drop(Workshop::open(options(folder.path(), Mode::Fakechroot)).unwrap());
    std::fs::remove_dir_all(folder.path().join("work")).unwrap();
    std::os::unix::fs::symlink("/tmp", folder.path().join("work")).unwrap();
    let error = Workshop::open(options(folder.path(), Mode::Fakechroot)).unwrap_err();
    assert!(error.to_string().contains("only you can enter"), "{error}");
}
