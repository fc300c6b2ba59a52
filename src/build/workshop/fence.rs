//! Steps into the tree: file systems that a program of the tree may expect, none of them the host's to spoil, then `/`.

use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::MIB;
use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, open, openat2};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, unmount};
use rustix::process::{fchdir, pivot_root};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where programs of the tree look for others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Device files of the host that hold nothing.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// Links that udev makes (`man 3 stdin`).
const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// Where systemd-resolved keeps what `/etc/resolv.conf` points to; the tree's programs resolve names as the host does.
const RESOLVED: &[&str] = &["stub-resolv.conf", "resolv.conf"];
/// Flags of what holds no programs.
const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Runs a program of the tree with `/` there. Nothing is to be unmounted: the mounts are this process's own.
///
/// # Errors
/// Returns only if it cannot: what could not be mounted, or the program not be started.
pub(in crate::build) fn enter(tree: &Path, program: &OsStr, arguments: &[OsString]) -> Error {
    if let Err(error) = furnish(tree).and_then(|root| step_in(&root)) {
        return error;
    }
    #[expect(clippy::disallowed_methods, reason = "the guard is above")]
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", PATH).env("HOME", "/root").env("TMPDIR", "/tmp");
    let error = command.exec();
    Error::io(format!("program {} of the tree", program.display()), error)
}

/// Runs a program of the host while the tree has all that, for the programs of the tree that it starts.
///
/// # Errors
/// As [`enter`].
pub(in crate::build) fn furnished(tree: &Path, program: &OsStr, arguments: &[OsString]) -> Error {
    if let Err(error) = furnish(tree) {
        return error;
    }
    #[expect(clippy::disallowed_methods, reason = "the guard is above")]
    let error = Command::new(program).args(arguments).exec();
    Error::io(format!("program {}", program.display()), error)
}

/// Makes the tree `/`, and the host's `/` disappear: not even root of this namespace gets back.
fn step_in(root: &OwnedFd) -> Result<()> {
    let failed = |error: Errno| Error::io("tree as /", error);
    fchdir(root).map_err(failed)?;
    // man 2 pivot_root, "pivot_root(".", ".")".
    pivot_root(".", ".").map_err(failed)?;
    unmount(".", UnmountFlags::DETACH).map_err(failed)?;
    rustix::process::chdir("/").map_err(failed)
}

fn furnish(tree: &Path) -> Result<OwnedFd> {
    let failed = |error: Errno| Error::io("tree", error);
    mount_bind(tree, tree).map_err(failed)?;

    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = open(tree, flags, Mode::empty()).map_err(failed)?;
    let at = |name: &str| folder(&root, name);
    let failed = |name: &'static str| move |error: std::io::Error| Error::io(format!("/{name} of the tree"), error);
    let proc = at("proc")?;
    mount("proc", &proc.1, "proc", PLAIN, None).map_err(|error| failed("proc")(error.into()))?;
    let sys = at("sys")?;
    // Without a network namespace a user namespace may not mount another, but show the one there is.
    mount("sysfs", &sys.1, "sysfs", PLAIN | MountFlags::RDONLY, None)
        .or_else(|_| mount_bind_recursive("/sys", &sys.1))
        .map_err(|error| failed("sys")(error.into()))?;
    let dev = at("dev")?;
    devices(&dev.1, &root).map_err(failed("dev"))?;
    for (name, mode) in [("run", c"mode=0755"), ("tmp", c"mode=1777")] {
        let target = at(name)?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("tmpfs", &target.1, "tmpfs", flags, mode).map_err(|error| failed(name)(error.into()))?;
    }
    let run = at("run")?;
    names(&run.1).map_err(failed("run"))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    Ok(root)
}

/// A folder of the tree, made where it is not there, and its path on the host, which no link in the tree can turn.
fn folder(root: &OwnedFd, name: &str) -> Result<(OwnedFd, PathBuf)> {
    let failed = |error: Errno| {
        Error::io(format!("/{name} of the tree"), error).help("the tree needs a folder there, which must not be a link")
    };
    match mkdirat(root, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(failed(error)),
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat2(root, name, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS);
    opened.map(with_path).map_err(failed)
}

fn with_path(fd: OwnedFd) -> (OwnedFd, PathBuf) {
    let path = PathBuf::from(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()));
    (fd, path)
}

fn devices(target: &Path, root: &OwnedFd) -> std::io::Result<()> {
    mount("tmpfs", target, "tmpfs", MountFlags::NOSUID, c"mode=0755,size=1m")?;
    // What was opened before is what lies below the mount.
    let (_opened, dev) = folder(root, "dev").map_err(std::io::Error::other)?;
    for name in DEVICES {
        File::create(dev.join(name))?;
        mount_bind(Path::new("/dev").join(name), dev.join(name))?;
    }
    for (name, to) in LINKS {
        symlink(to, dev.join(name))?;
    }
    std::fs::create_dir(dev.join("pts"))?;
    mount(
        "devpts",
        dev.join("pts"),
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        c"newinstance,ptmxmode=0666,mode=620",
    )?;
    std::fs::DirBuilder::new().mode(0o1777).create(dev.join("shm"))
}

/// Name resolution and a place for locks, in the mounted `/run`.
fn names(run: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().mode(0o1777).create(run.join("lock"))?;
    let Ok(mut file) = File::open("/etc/resolv.conf") else { return Ok(()) };
    let text = read_capped(&mut file, MIB, "resolv.conf").map_err(std::io::Error::other)?;
    let folder = run.join("systemd/resolve");
    std::fs::create_dir_all(&folder)?;
    RESOLVED.iter().try_for_each(|name| std::fs::write(folder.join(name), &text))
}
