//! Who is root of the tree: a user namespace's, an imitation of root, or root.

use super::programs::find;
use crate::bytes::text;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Who is root of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// We are, in a mount namespace of our own.
    Root,
    /// The root of a user namespace whose other users are ours by `/etc/subuid` (`man 1 unshare`).
    Unshare,
    /// An imitation that remembers owners in a file (`man 1 fakeroot`) and rewrites paths (`man 1 fakechroot`).
    Fakechroot,
}

/// Every mode, the best first; its name on the command line.
const MODES: &[(&str, Mode)] = &[("root", Mode::Root), ("unshare", Mode::Unshare), ("fakechroot", Mode::Fakechroot)];

/// Why a mode cannot be had here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The mode.
    pub mode: Mode,
    /// What is missing, and where there is one, the next step.
    pub reason: String,
}

/// What [`Mode::Unshare`] runs programs with: in it we are root, and the users of `/etc/subuid` are all the others.
const UNSHARE: &[&str] =
    &["unshare", "--user", "--map-root-user", "--map-auto", "--mount", "--pid", "--fork", "--kill-child", "--"];
/// The same for root: mounts and processes that end with the program.
const UNSHARE_ROOT: &[&str] = &["unshare", "--mount", "--pid", "--fork", "--kill-child", "--"];
/// Programs that others stand in for where `/` is imitated. Not `env`: hooks of initramfs-tools take `LD_PRELOAD` away
/// with it, and fakechroot's own puts it back.
const SUBSTITUTES: &[&str] = &[
    "/bin/ischroot=/bin/true",
    "/usr/bin/ischroot=/bin/true",
    "/bin/mkfifo=/bin/true",
    "/usr/bin/mkfifo=/bin/true",
    "/bin/ldd=/usr/bin/ldd.fakechroot",
    "/usr/bin/ldd=/usr/bin/ldd.fakechroot",
    "/sbin/ldconfig=/usr/libexec/mmdebstrap/ldconfig.fakechroot",
    "/usr/sbin/ldconfig=/usr/libexec/mmdebstrap/ldconfig.fakechroot",
    "/sbin/chroot=/usr/sbin/chroot.fakechroot",
    "/usr/sbin/chroot=/usr/sbin/chroot.fakechroot",
];
/// Where Debian 12 and 13 have systemd's own library.
const LIBRARIES: [&str; 3] = ["lib/systemd", "usr/lib/x86_64-linux-gnu/systemd", "usr/lib/aarch64-linux-gnu/systemd"];
/// A set of settings that fakechroot does not have: its own for `chroot` are not those above.
const FAKECHROOT: &[&str] = &["fakechroot", "-e", "bootworthy"];
/// Where fakeroot remembers owners.
const STATE: &str = "fakeroot.state";

impl Mode {
    /// The best mode of this machine, and why the better ones cannot be had.
    ///
    /// # Errors
    /// When none can be had: every reason.
    pub fn detect() -> Result<(Self, Vec<Refusal>), Vec<Refusal>> {
        let mut refusals = Vec::new();
        for (_, mode) in MODES {
            match mode.usable() {
                Ok(()) => return Ok((*mode, refusals)),
                Err(reason) => refusals.push(Refusal { mode: *mode, reason }),
            }
        }
        Err(refusals)
    }

    /// Its name on the command line and in locks.
    pub fn name(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }

    /// The mode of this name.
    pub fn parse(name: &str) -> Option<Self> {
        MODES.iter().find(|(known, _)| *known == name).map(|(_, mode)| *mode)
    }

    /// Whether this machine lets us, by trying.
    ///
    /// # Errors
    /// What is missing, and where there is one, the next step.
    pub fn usable(self) -> Result<(), String> {
        match self {
            Self::Root if !rustix::process::geteuid().is_root() => Err("you are not root".to_owned()),
            Self::Root => try_out(UNSHARE_ROOT).map_err(|words| format!("this root may not mount: {words}")),
            Self::Unshare => try_out(UNSHARE).map_err(|words| why_no_namespace(&words)),
            Self::Fakechroot => match ["fakechroot", "fakeroot"].into_iter().find(|name| find(name).is_none()) {
                Some(name) => Err(format!("{name} is not installed (package {name})")),
                None => Ok(()),
            },
        }
    }

    /// Makes what the mode needs in the work folder.
    pub(super) fn prepare(self, folder: &Path) -> io::Result<()> {
        if self == Self::Fakechroot {
            std::fs::OpenOptions::new().append(true).create(true).open(folder.join(STATE))?;
        }
        Ok(())
    }

    /// What stands before a program of the host that runs as the tree's root.
    pub(super) fn inside(self, folder: &Path) -> Vec<OsString> {
        match self {
            Self::Root => words(UNSHARE_ROOT),
            Self::Unshare => words(UNSHARE),
            Self::Fakechroot => fakeroot(folder),
        }
    }

    /// The tree begins anew, and nobody owns anything in it.
    pub(super) fn forget(self, folder: &Path) -> io::Result<()> {
        if self == Self::Fakechroot { std::fs::write(folder.join(STATE), "") } else { Ok(()) }
    }

    /// What fakechroot is told besides (man 1 fakechroot): as mmdebstrap does.
    pub(super) fn environment(self, tree: &Path) -> Vec<(&'static str, OsString)> {
        if self != Self::Fakechroot {
            return Vec::new();
        }
        // systemd's programs find its library by a path in them, which fakechroot does not see.
        let libraries = LIBRARIES.map(|folder| tree.join(folder));
        let libraries = std::env::join_paths(libraries).unwrap_or_default();
        vec![
            ("FAKECHROOT_CMD_SUBST", SUBSTITUTES.join(":").into()),
            ("FAKECHROOT_EXCLUDE_PATH", "/dev:/proc:/sys".into()),
            ("FAKECHROOT_AF_UNIX_PATH", "/tmp".into()),
            ("LD_LIBRARY_PATH", libraries),
        ]
    }

    /// What stands before a program of the host that steps into the tree itself.
    pub(super) fn chrooting(self, folder: &Path) -> Vec<OsString> {
        match self {
            Self::Root | Self::Unshare => self.inside(folder),
            Self::Fakechroot => [words(&["fakechroot"]), fakeroot(folder)].concat(),
        }
    }

    /// The same, with devices and processes in the tree where we may mount.
    pub(super) fn around(self, folder: &Path, tree: &Path, ourselves: &Path) -> Vec<OsString> {
        let mut before = self.chrooting(folder);
        if self != Self::Fakechroot {
            before.extend([ourselves.into(), super::super::COMMAND.into(), super::super::FURNISH.into(), tree.into()]);
        }
        before
    }

    /// What stands before a program of the tree.
    pub(super) fn within(self, folder: &Path, tree: &Path, ourselves: &Path) -> Vec<OsString> {
        let mut before = match self {
            Self::Root | Self::Unshare => self.inside(folder),
            Self::Fakechroot => [words(FAKECHROOT), fakeroot(folder)].concat(),
        };
        match self {
            Self::Root | Self::Unshare => {
                before.extend([
                    ourselves.into(),
                    super::super::COMMAND.into(),
                    super::super::ENTER.into(),
                    tree.into(),
                ]);
            }
            // Its own wrapper, which finds the tree's libraries.
            Self::Fakechroot => before.extend(["chroot".into(), tree.into()]),
        }
        before
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Owners are read from the file, and what is changed is written back.
fn fakeroot(folder: &Path) -> Vec<OsString> {
    let state = folder.join(STATE).into_os_string();
    ["fakeroot".into(), "-i".into(), state.clone(), "-s".into(), state, "--".into()].into()
}

/// Runs `true` so; gives the last line of what was said against it.
fn try_out(before: &[&str]) -> Result<(), String> {
    let Some((program, arguments)) = before.split_first() else { return Ok(()) };
    let program = find(program).ok_or_else(|| format!("{program} is not installed (package util-linux)"))?;
    #[expect(clippy::disallowed_methods, reason = "ends at once and starts nothing that could stay")]
    let mut command = Command::new(program);
    command.args(arguments).arg("true").stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").env("PATH", super::path());
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = text(&output.stderr);
    Err(said.lines().last().map_or_else(|| output.status.to_string(), str::to_owned))
}

/// The words of `unshare`, or what they come from.
fn why_no_namespace(words: &str) -> String {
    if find("newuidmap").is_none() {
        return "newuidmap is not installed (package uidmap on Debian, shadow-utils elsewhere)".to_owned();
    }
    let forbidden = |path: &str| {
        let mut file = std::fs::File::open(path).ok()?;
        let value = crate::bytes::read_capped(&mut file, 64, "setting").ok()?;
        (text(&value).trim() == "0").then(|| format!("{path} is 0: user namespaces are off"))
    };
    ["/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/unprivileged_userns_clone"]
        .into_iter()
        .find_map(forbidden)
        .unwrap_or_else(|| {
            format!("{words} (a line for you in /etc/subuid and /etc/subgid is needed, see man 5 subuid)")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (name, mode) in MODES {
            assert_eq!((Mode::parse(name), mode.name()), (Some(*mode), *name));
        }
        assert_eq!(Mode::parse("sudo"), None);
    }

    #[test]
    fn every_program_is_behind_what_makes_it_root() {
        let (folder, tree, ourselves) = (Path::new("/w"), Path::new("/w/tree"), Path::new("/bin/bootworthy"));
        for (mode, inside, within) in [
            (Mode::Root, "unshare --mount", "-- /bin/bootworthy inside enter /w/tree"),
            (Mode::Unshare, "unshare --user", "-- /bin/bootworthy inside enter /w/tree"),
            (Mode::Fakechroot, "fakeroot -i /w/fakeroot.state", "-- chroot /w/tree"),
        ] {
            let joined = |words: Vec<OsString>| words.join(" ".as_ref()).into_string().unwrap();
            assert!(joined(mode.inside(folder)).starts_with(inside), "{mode:?}");
            assert!(joined(mode.within(folder, tree, ourselves)).ends_with(within), "{mode:?}");
        }
    }
}
