//! Builds that do not come to their end: killed, told to stop, stopped at a terminal.

use crate::common::program;
use crate::whole::killed::{at_random_moments, signalled, until};
use crate::whole::{archive, build_command, clear, names, nothing_is_left, recipe};
use std::io::Write as _;
use std::process::{Command, Stdio};

#[test]
fn killed_builds_leave_what_the_next_one_takes_up() {
    at_random_moments(1, 4, 4);
}

#[test]
fn a_build_that_is_told_to_stop_says_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = recipe(folder.path(), "tar", &archive("debian13"), "");
    let work = folder.path().join("work/small");
    for (signal, words) in [("TERM", "tar --list"), ("INT", "--extract"), ("HUP", "initrd: + ")] {
        let child = build_command(folder.path(), &path, &[]).stderr(Stdio::piped()).spawn().unwrap();
        until(&work, words);
        let (code, said) = signalled(child, signal);
        nothing_is_left(folder.path());
        assert_eq!(code, Some(3), "{said}");
        let left = format!("left: {} (log: {}/log); ", work.display(), work.display());
        assert!(said.contains(&left) && said.contains("the build was stopped"), "{signal}: {said}");
        assert_eq!(names(folder.path()), ["small.toml", "work"]);
        std::fs::remove_file(work.join("log")).unwrap();
    }
    clear(&folder.path().join("work"));
}

/// `script` gives it a terminal, and a Ctrl-C on its way.
#[test]
fn ctrl_c_at_a_terminal_names_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = recipe(folder.path(), "tar", &archive("debian13"), "");
    let name = folder.path().to_str().unwrap();
    let words = format!("{} build {} -o {name}/disk.qcow2 --work {name}/work; echo code $?", program(), path.display());
    let mut script = Command::new("script");
    script.args(["-q", "-c", &words, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().expect("script is needed (package bsdutils)");
    until(&folder.path().join("work/small"), "--extract");
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    nothing_is_left(folder.path());
    for words in ["left: ", "go on from there: run the same command again", "the build was stopped"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.contains("code 3") || said.contains("^C"), "{said}");
    assert_eq!(names(folder.path()), ["small.toml", "work"]);
    clear(&folder.path().join("work"));
}
