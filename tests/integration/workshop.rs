//! The workshop: programs run as the tree's root, their words are kept, and none outlives the build.

use crate::common::program;
use bootworthy::build::workshop::{Mode, Options, Workshop};
use std::path::Path;
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
    assert!(error.to_string().contains("program no-such-program: No such file"), "{error}");
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
    // A tree of the one static program that Debian's essential packages have is too little; the host's will do.
    let script = "mkdir tree && for name in bin sbin lib lib64 usr etc; do \
        if [ -L /$name ]; then cp -d /$name tree/; elif [ -d /$name ]; then mkdir tree/$name; fi; done; \
        mount --bind /usr tree/usr 2>/dev/null; true";
    shop.run("try", shop.inside("sh").args(["-c", script])).unwrap();
    let programs =
        ["sh", "cat", "ls", "stat", "ps", "id"].iter().filter_map(|name| bootworthy::build::workshop::find(name));
    for path in programs {
        let copied = shop.tree().join("usr/bin").join(path.file_name().unwrap());
        std::fs::create_dir_all(copied.parent().unwrap()).unwrap();
        std::fs::copy(&path, &copied).unwrap();
        let libraries = crate::common::tool("ldd", [&path]);
        for library in
            String::from_utf8(libraries).unwrap().split_ascii_whitespace().filter(|word| word.starts_with('/'))
        {
            let copied = shop.tree().join(&library[1..]);
            std::fs::create_dir_all(copied.parent().unwrap()).unwrap();
            std::fs::copy(library, copied).unwrap();
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
    let word = format!("{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    for mode in [mode(), Mode::Fakechroot] {
        let options = options(folder.path(), mode);
        let cancelled = Arc::clone(&options.cancelled);
        let shop = Workshop::open(options).unwrap();
        let script = STAYS.replace("WORD", &word);
        let error = std::thread::scope(|scope| {
            let run = scope.spawn(|| shop.run("try", shop.inside("sh").args(["-c", &script])));
            wait_for("the program starts", || alive(&format!("98700000{word}")) > 0);
            cancelled.store(true, Ordering::Relaxed);
            run.join().unwrap().unwrap_err()
        });
        assert_eq!(error.to_string(), "stage try: the build was stopped");
        assert_eq!(alive(&format!("0{word}")) + alive(&format!("1{word}")), 0, "{mode:?}");
        drop(shop);
    }
}

/// Whoever dies first, and however: we, or the guard.
#[test]
fn a_killed_build_leaves_no_process() {
    use std::os::unix::process::CommandExt as _;
    for (number, victim) in ["parent", "guard"].into_iter().enumerate() {
        let word = format!("{number}{}", std::process::id());
        // The parent is a shell that holds the guard's standard input open.
        let script = STAYS.replace("WORD", &word);
        let mut parent = std::process::Command::new("sh")
            .args(["-c", "sleep 100000 | \"$0\" child watch sh -c \"$1\"", program(), &script])
            .process_group(0)
            .spawn()
            .unwrap();
        wait_for("the program starts", || alive(&format!("98700000{word}")) > 0);
        let guard = crate::common::tool("pgrep", ["-f", &format!("child watch sh -c.*{word}")]);
        let guard = String::from_utf8(guard).unwrap();
        let feeder = crate::common::tool("pgrep", ["-P", &parent.id().to_string(), "sleep"]);
        let feeder = String::from_utf8(feeder).unwrap();
        let pid = if victim == "parent" { feeder.trim() } else { guard.lines().last().unwrap() };
        crate::common::tool("kill", ["-9", pid]);
        if victim == "parent" {
            wait_for("nothing is left", || alive(&word) <= 1);
        } else {
            wait_for("the program ends", || alive(&format!("98700001{word}")) <= 1);
        }
        parent.kill().unwrap();
        parent.wait().unwrap();
        drop(std::process::Command::new("kill").args(["-9", feeder.trim()]).status());
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
