//! Where an image is made: a private folder, the programs of the host, and a root user of the tree who need not be ours.

mod fence;
mod mode;
mod programs;
mod run;

pub(super) use fence::{enter, furnished};
pub use mode::{Mode, Refusal};
pub use programs::{PROGRAMS, Program, find, require};
pub use run::Output;

use crate::error::{Error, Result};
use crate::worker::guard;
use rustix::fs::{FlockOperation, flock};
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What a build is told as it goes on: the stage and a line of one of its programs.
pub type Listener = dyn Fn(&str, &str) + Send + Sync;

/// Variables of our environment that programs get too: the way to the archives, and whom to believe there.
const KEPT: &[&str] = &[
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Where programs are looked for besides `PATH`, which has no `sbin` for ordinary users on Debian.
const SBIN: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];
/// Tells our own messages which program a command is for.
const NAME: &str = "BOOTWORTHY_RUNS";

/// A folder to build in, and how its programs run.
pub struct Workshop {
    folder: PathBuf,
    mode: Mode,
    ourselves: PathBuf,
    /// Seconds since 1970 that everything made here says it was made at.
    epoch: u64,
    log: Mutex<File>,
    listener: Box<Listener>,
    cancelled: Arc<AtomicBool>,
    /// Held while the workshop stands: two builds in one folder would spoil each other.
    _lock: Lock,
}

/// A folder's lock, until it is dropped.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // To close it is not enough: a process that another thread is about to start has the file open until its exec.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// How a workshop is opened.
pub struct Options {
    /// The folder; made, with mode 0700, where it is not there.
    pub folder: PathBuf,
    /// Who is root of the tree.
    pub mode: Mode,
    /// `SOURCE_DATE_EPOCH`.
    pub epoch: u64,
    /// Gets every line that a program says.
    pub listener: Box<Listener>,
    /// Set by whoever wants the build to stop: the program that runs is ended, and its stage fails.
    pub cancelled: Arc<AtomicBool>,
    /// The program that guards the others, this one as a rule.
    pub ourselves: PathBuf,
}

impl Workshop {
    /// Opens the folder, for us alone.
    ///
    /// # Errors
    /// When it is somebody else's, another build works in it, or it cannot be made.
    pub fn open(options: Options) -> Result<Self> {
        let Options { folder, mode, epoch, listener, cancelled, ourselves } = options;
        let name = folder.display().to_string();
        let failed = |error: std::io::Error| Error::io("work folder", error).at(name.clone());
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let found = std::fs::symlink_metadata(&folder).map_err(failed)?;
        let is_ours =
            found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode().trailing_zeros() >= 6;
        if !is_ours {
            return Err(Error::corrupt("work folder", "it is not a folder that only you can enter (mode 0700)")
                .at(name)
                .help("remove it, or name another with --work"));
        }
        let folder = folder.canonicalize().map_err(failed)?;
        let lock = File::open(&folder).map_err(failed)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::io("work folder", "another build works in it")
                .at(name)
                .help("wait for it, or name another with --work"));
        }
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join("log")).map_err(failed)?;
        let shop =
            Self { folder, mode, ourselves, epoch, log: Mutex::new(log), listener, cancelled, _lock: Lock(lock) };
        for name in ["tmp", "boot"] {
            match DirBuilder::new().mode(0o700).create(shop.folder.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => {}
            }
        }
        mode.prepare(&shop.folder).map_err(failed)?;
        Ok(shop)
    }

    /// The folder, absolute; only we can enter it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The root tree. Its owners are right only for what runs [`Self::inside`].
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// What the tree's stages leave for those of the disk: core images, the configuration of the ESP.
    pub fn boot(&self) -> PathBuf {
        self.folder.join("boot")
    }

    /// What every program said.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Who is root of the tree.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// `SOURCE_DATE_EPOCH`, seconds since 1970.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the build shall stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// A program of the host, as ourselves.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.guarded(std::iter::empty(), program.as_ref())
    }

    /// A program of the host, as the tree's root: it sees the owners that the tree's files shall have, and may set them.
    pub fn inside(&self, program: impl AsRef<OsStr>) -> Command {
        self.guarded(self.mode.inside(&self.folder).into_iter(), program.as_ref())
    }

    /// A program of the tree, as its root, with `/` at the tree and `/dev`, `/proc`, `/sys`, `/run` and `/tmp` that are
    /// not the host's to spoil (empty ones with fakechroot).
    pub fn within(&self, program: impl AsRef<OsStr>) -> Command {
        let words = self.mode.within(&self.folder, &self.tree(), &self.ourselves);
        self.faking(self.guarded(words.into_iter(), program.as_ref()))
    }

    /// What fakechroot is told by the environment.
    fn faking(&self, mut command: Command) -> Command {
        command.envs(self.mode.environment(&self.tree()));
        command
    }

    /// A program of the host, as the tree's root, that itself steps into the tree.
    pub fn chrooting(&self, program: impl AsRef<OsStr>) -> Command {
        self.guarded(self.mode.chrooting(&self.folder).into_iter(), program.as_ref())
    }

    /// A program of the host, as the tree's root, while the tree has the `/dev`, `/proc` and `/sys` of [`Self::within`].
    pub fn around(&self, program: impl AsRef<OsStr>) -> Command {
        let words = self.mode.around(&self.folder, &self.tree(), &self.ourselves);
        self.faking(self.guarded(words.into_iter(), program.as_ref()))
    }

    /// Forgets who owned the files of a tree that is no more.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn restart(&self) -> std::io::Result<()> {
        self.mode.forget(&self.folder)
    }

    /// Our own program, as the tree's root: `words` go to [`super::inside`].
    pub fn ourselves_inside(&self, words: &[&OsStr]) -> Command {
        let mut command = self.inside(&self.ourselves);
        command.arg(super::COMMAND).args(words);
        command
    }

    /// `prefix`, then the program, below a guard and in a clean environment.
    fn guarded(&self, mut prefix: impl Iterator<Item = OsString>, program: &OsStr) -> Command {
        let mut command = match prefix.next() {
            Some(first) => {
                let mut command = guard::command(&self.ourselves, first);
                command.args(prefix).arg(program);
                command
            }
            None => guard::command(&self.ourselves, program),
        };
        command.env_clear().current_dir(&self.folder);
        command.envs(KEPT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        command.env("PATH", path()).env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env("HOME", &self.folder);
        command.env("TMPDIR", self.folder.join("tmp")).env("SOURCE_DATE_EPOCH", self.epoch.to_string());
        command.env(NAME, program).env("DEBIAN_FRONTEND", "noninteractive").env("DEBCONF_NONINTERACTIVE_SEEN", "true");
        command
    }

    /// Removes a file or folder of the workshop, whoever owns what is in it.
    ///
    /// # Errors
    /// When `rm` fails.
    pub fn remove(&self, stage: &str, path: &Path) -> Result<()> {
        self.run(stage, self.inside("rm").args(["-rf", "--one-file-system", "--"]).arg(path))
    }
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop").field("folder", &self.folder).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// `PATH` with every `sbin`.
fn path() -> OsString {
    let ours = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut folders: Vec<PathBuf> = std::env::split_paths(&ours).filter(|folder| folder.is_absolute()).collect();
    for folder in SBIN.iter().map(PathBuf::from) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    std::env::join_paths(folders).unwrap_or(ours)
}
