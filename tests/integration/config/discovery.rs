//! Where the file is looked for, and what comes of one that cannot be read.

use super::{folder, report, run_in};
use crate::common::tool;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn it_is_found_in_the_current_directory_and_above() {
    let folder = folder("profile = \"strict\"");
    let root = folder.path();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    for (from, config) in [("", "bootworthy.toml"), ("a", "../bootworthy.toml"), ("a/b/c", "../../../bootworthy.toml")]
    {
        let (_, report) = report(&root.join(from), &[], root.join("good.qcow2").to_str().unwrap());
        assert_eq!((&report["config"], &report["profile"]), (&config.into(), &"strict".into()), "{from}");
    }
    // The nearest counts, alone.
    fs::write(root.join("a/bootworthy.toml"), "").unwrap();
    let (_, nearest) = report(&root.join("a/b/c"), &[], root.join("good.qcow2").to_str().unwrap());
    assert_eq!((&nearest["config"], &nearest["profile"]), (&"../../bootworthy.toml".into(), &"openstack".into()));
    // Beside the image is nowhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let image = root.join("good.qcow2");
    let (_, none) = report(elsewhere.path(), &[], image.to_str().unwrap());
    assert_eq!((&none["config"], &none["profile"]), (&Value::Null, &"openstack".into()));
    let (_, unreadable) = report(&root.join("a"), &[], "nowhere.qcow2");
    assert_eq!((&unreadable["config"], &unreadable["result"]), (&"bootworthy.toml".into(), &"unknown".into()));
    // A link to it is as good.
    symlink(root.join("bootworthy.toml"), elsewhere.path().join("bootworthy.toml")).unwrap();
    assert_eq!(report(elsewhere.path(), &[], image.to_str().unwrap()).1["profile"], "strict");
}

#[test]
fn a_tree_that_is_judged_does_not_say_how() {
    let folder = folder("profile = \"bootable\"");
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(tree.join("bootworthy.toml"), "profile = \"no such thing\"").unwrap();
    fs::write(tree.join("etc/bootworthy.toml"), "profile = \"no such thing\"").unwrap();
    for (from, image) in [("tree", "."), ("tree/etc", ".."), ("tree/etc", "../../tree/"), ("tree", "../tree/../tree")] {
        let run = run_in(&folder.path().join(from), &["check", "--format", "json", image], None);
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
        let above = format!("{}bootworthy.toml", if from == "tree" { "../" } else { "../../" });
        assert_eq!(
            (&report["config"], &report["profile"]),
            (&above.as_str().into(), &"bootable".into()),
            "{from} {image}"
        );
    }
    // Who names it, wants it.
    let run = run_in(&tree, &["check", "--config", "bootworthy.toml", "."], None);
    assert_eq!(run.code, 2, "{}", run.stdout);
}

/// What stands in the file's place, how it comes there, and the cause that is named.
type Case = (&'static str, fn(&Path), &'static str);

#[test]
fn what_cannot_be_read_is_an_error_and_never_passed_over() {
    let help = "; mend it, name another with --config FILE, or go without one: --no-config\n";
    let cases: &[Case] = &[
        ("a link to itself", |path| symlink("bootworthy.toml", path).unwrap(), "Too many levels of symbolic links"),
        ("a link to nothing", |path| symlink("gone", path).unwrap(), "No such file or directory"),
        ("a folder", |path| fs::create_dir(path).unwrap(), "it is no regular file"),
        ("a FIFO", |path| drop(tool("mkfifo", [path])), "it is no regular file"),
    ];
    for (name, make, cause) in cases {
        let folder = folder("");
        let path = folder.path().join("bootworthy.toml");
        fs::remove_file(&path).unwrap();
        make(&path);
        let run = run_in(folder.path(), &["check", "good.qcow2"], None);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}: {}", run.stderr);
        let start = format!("error: bootworthy.toml: the configuration cannot be read: {cause}");
        assert!(run.stderr.starts_with(&start) && run.stderr.ends_with(help), "{name}: {}", run.stderr);
        assert_eq!(run_in(folder.path(), &["check", "-q", "--no-config", "good.qcow2"], None).code, 0, "{name}");
    }
    let folder = folder("");
    let path = folder.path().join("bootworthy.toml");
    fs::write(&path, "# ä\n\n# \u{e4}").unwrap();
    assert_eq!(run_in(folder.path(), &["check", "-q", "good.qcow2"], None).code, 0);
    for (bytes, says) in [
        (b"# one\n# \xff\n".to_vec(), "error: bootworthy.toml:2: this line is not UTF-8\n"),
        (vec![b'#'; (1 << 20) + 1], "error: bootworthy.toml: configuration: more than the limit of 1048576 bytes\n"),
        ([b"profile = ".to_vec(), vec![b'['; 10_000]].concat(), "error: bootworthy.toml:1: this is not TOML: "),
    ] {
        fs::write(&path, bytes).unwrap();
        let run = run_in(folder.path(), &["check", "good.qcow2"], None);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
        assert!(run.stderr.starts_with(says), "{}", run.stderr);
    }
    let run = run_in(folder.path(), &["check", "--config", "gone.toml", "good.qcow2"], None);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.starts_with("error: gone.toml: the configuration cannot be read: No such file"),
        "{}",
        run.stderr
    );
    let both = run_in(folder.path(), &["check", "--config", "x", "--no-config", "good.qcow2"], None);
    assert_eq!(both.code, 2);
}
