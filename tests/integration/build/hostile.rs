//! Root trees that reach for the host: nothing outside the work folder is read or written.

use crate::common::tool;
use crate::whole::{build, clear, names, nothing_is_left, recipe};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

/// An entry of an archive: its name, its type (POSIX.1-1988 ustar), where it links to, what it holds.
type Entry<'a> = (&'a str, u8, &'a str, &'a str);

const FILE: u8 = b'0';
const HARD: u8 = b'1';
const LINK: u8 = b'2';
const CHARACTER: u8 = b'3';
const FOLDER: u8 = b'5';
const FIFO: u8 = b'6';

fn header((name, kind, link, _): &Entry<'_>, size: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    // Set-user-ID too: it is the image's business, and stays in it.
    put(100, "0004755\00000000\00000000\0");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000\0        ");
    put(157, link);
    put(257, "ustar\000");
    put(329, "0000001\00000003\0");
    header[156] = *kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn tar(path: &Path, entries: &[Entry<'_>]) {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend(header(entry, entry.3.len() as u64));
        bytes.extend(entry.3.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend([0; 1024]);
    fs::write(path, bytes).unwrap();
}

/// What no build may touch; gives its content, as text.
fn outside(folder: &Path) -> String {
    let out = folder.join("outside");
    if !out.exists() {
        fs::create_dir_all(out.join("efi")).unwrap();
        fs::write(out.join("secret"), "a secret").unwrap();
        fs::write(out.join("os-release"), "ID=secret\n").unwrap();
        fs::write(out.join("vmlinuz-1"), "a secret kernel").unwrap();
    }
    let listed = String::from_utf8(tool("find", [out.to_str().unwrap(), "-printf", "%P %y %m %n %s %T@\n"])).unwrap();
    let mut lines: Vec<&str> = listed.lines().collect();
    lines.sort_unstable();
    lines.join("\n") + &fs::read_to_string(out.join("secret")).unwrap()
}

/// Builds from it; it must fail, with these words, and leave the outside alone.
fn refused(folder: &Path, engine: &str, input: &Path, says: &[&str]) {
    let before = outside(folder);
    let said = build(folder, &recipe(folder, engine, input, ""), &["--no-cache"]);
    let log = fs::read_to_string(folder.join("work/small/log")).unwrap_or_default();
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{says:?}: {}", said.stderr);
    assert!(says.iter().any(|words| said.stderr.contains(words)), "{says:?}: {}\n{log}", said.stderr);
    assert!(!said.stderr.contains("secret kernel") && !log.contains("a secret"), "{log}");
    assert_eq!(outside(folder), before, "{says:?}");
    assert!(!folder.join("disk.qcow2").exists());
    nothing_is_left(folder);
    clear(&folder.join("work"));
}

const RELEASE: Entry<'_> = ("usr/lib/os-release", FILE, "", "ID=debian\nVERSION_ID=13\n");
/// How a tree ends that is sound but has nothing to start.
const NO_KERNEL: &[&str] = &["kernel"];

#[test]
fn archives_that_reach_for_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("tree.tar");
    outside(folder.path());
    let at = |name: &str| folder.path().join("outside").join(name).to_str().unwrap().to_owned();
    let (out, secret, evil, release, efi) = (at(""), at("secret"), at("evil"), at("os-release"), at("efi"));
    let up = "../../../outside";
    let names_up = &["contains '..'"];
    let cases: &[(&[Entry<'_>], &[&str])] = &[
        (&[RELEASE, (&format!("{up}/evil"), FILE, "", "x")], names_up),
        (&[RELEASE, ("etc/../../../../outside/evil", FILE, "", "x")], names_up),
        // Without its first slash it is a name like any other.
        (&[RELEASE, (&evil, FILE, "", "x")], NO_KERNEL),
        // A link, and a file by way of it.
        (&[RELEASE, ("etc", LINK, &out, ""), ("etc/evil", FILE, "", "x")], &["etc/evil", "kernel"]),
        (&[RELEASE, ("up", LINK, up, ""), ("up/evil", FILE, "", "x")], &["up/evil", "kernel"]),
        (&[RELEASE, ("a", LINK, "b", ""), ("b", LINK, &out, ""), ("a/evil", FILE, "", "x")], &["a/evil", "kernel"]),
        (&[RELEASE, ("secret", LINK, &secret, ""), ("secret", FILE, "", "overwritten")], NO_KERNEL),
        // A second name for a file of the host.
        (&[RELEASE, ("etc/shadow", HARD, &secret, "")], &["Cannot hard link", "No such file"]),
        (&[RELEASE, ("etc/shadow", HARD, &format!("{up}/secret"), "")], &["Cannot hard link", "contains '..'"]),
        (&[RELEASE, ("l", LINK, &secret, ""), ("h", HARD, "l", ""), ("h", FILE, "", "x")], NO_KERNEL),
        // What tells a root tree, and what starts, are looked for in the tree alone.
        (&[("etc", FOLDER, "", ""), ("etc/os-release", LINK, &release, "")], &["neither /etc/os-release"]),
        (&[RELEASE, ("boot", LINK, &out, ""), ("usr/lib/modules", LINK, &out, "")], NO_KERNEL),
        (&[RELEASE, ("boot", FOLDER, "", ""), ("boot/efi", LINK, &efi, "")], NO_KERNEL),
        (&[("etc", LINK, &out, ""), RELEASE], NO_KERNEL),
        (&[RELEASE, ("boot", FIFO, "", "")], NO_KERNEL),
        // Devices: root makes them and refuses them, nobody else may.
        (&[RELEASE, ("etc/null", CHARACTER, "", "")], &["it is a device file", "without device files"]),
    ];
    for (entries, says) in cases {
        tar(&input, entries);
        refused(folder.path(), "tar", &input, says);
    }
    let standing = ["outside", "small.toml", "tree.tar"];
    assert_eq!(names(folder.path()), standing, "nothing else was written");
}

#[test]
fn folders_that_reach_for_the_host() {
    let folder = tempfile::tempdir().unwrap();
    outside(folder.path());
    let out = folder.path().join("outside");
    let tree = folder.path().join("tree");
    type Make = fn(&Path, &Path);
    let cases: &[(Make, &[&str])] = &[
        (|tree, out| symlink(out, tree.join("etc")).unwrap(), NO_KERNEL),
        (|tree, out| symlink(out, tree.join("boot")).unwrap(), NO_KERNEL),
        (|tree, _| symlink("../outside", tree.join("boot")).unwrap(), NO_KERNEL),
        (|tree, out| symlink(out, tree.join("usr/lib/modules")).unwrap(), NO_KERNEL),
        (
            |tree, out| {
                fs::remove_file(tree.join("usr/lib/os-release")).unwrap();
                symlink(out.join("os-release"), tree.join("usr/lib/os-release")).unwrap();
            },
            &["neither /etc/os-release"],
        ),
        (|tree, _| drop(tool("mkfifo", [tree.join("boot").to_str().unwrap()])), NO_KERNEL),
        // A name that a program could take for an option.
        (|tree, out| symlink(out, tree.join("--target-directory=..")).unwrap(), NO_KERNEL),
    ];
    for (make, says) in cases {
        fs::create_dir_all(tree.join("usr/lib")).unwrap();
        fs::write(tree.join("usr/lib/os-release"), RELEASE.3).unwrap();
        make(&tree, &out);
        refused(folder.path(), "dir", &tree, says);
        fs::remove_dir_all(&tree).unwrap();
    }
    assert_eq!(names(folder.path()), ["outside", "small.toml"], "nothing else was written");
}

/// 5 GiB of zeros in an archive of half a megabyte: it is refused before it is unpacked.
#[test]
fn an_archive_larger_than_the_disk_is_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("tree.tar.zst");
    let file = fs::File::create(&input).unwrap();
    let mut zstd = Command::new("zstd").args(["-q", "-1"]).stdin(Stdio::piped()).stdout(file).spawn().unwrap();
    let mut pipe = zstd.stdin.take().unwrap();
    let size: u64 = 5 << 30;
    pipe.write_all(&header(&("zeros", FILE, "", ""), size)).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..size >> 20).for_each(|_| pipe.write_all(&zeros).unwrap());
    pipe.write_all(&zeros[..1024]).unwrap();
    drop(pipe);
    assert!(zstd.wait().unwrap().success());
    refused(folder.path(), "tar", &input, &["it holds 5121 MiB, and the disk has 4096 MiB"]);
}
