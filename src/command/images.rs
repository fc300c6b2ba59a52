//! The images that a command is given: opened here, inspected by workers side by side, answered in order.

use super::Usage;
use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::guest::{Guest, Options, SCHEMA};
use crate::limits::Limits;
use crate::report::escape;
use crate::worker::{self, Answer, Job, Kind, Stats};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::IsTerminal as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// What is inspected and how; shared by check, properties and inspect.
#[derive(Debug, clap::Args)]
pub(super) struct Images {
    /// Disk images (raw, qcow2), block devices or root directories
    #[arg(value_name = "IMAGE", required_unless_present = "facts", id = "images")]
    paths: Vec<PathBuf>,
    /// Judge saved facts instead of an image (`-` reads standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "images")]
    facts: Option<PathBuf>,
    /// Backing file of an overlay, nearest first; what it names stays shut
    #[arg(long, value_name = "FILE")]
    backing: Vec<PathBuf>,
    /// External data file of a qcow2 image
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
    /// Partition number of the root file system, when several could be it
    #[arg(long, value_name = "PARTITION")]
    root: Option<u32>,
    /// Images inspected at once; else one per processor
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Say on standard error what reading cost
    #[arg(long)]
    stats: bool,
    /// Only the closing line, no progress
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// One image and what came of it.
#[derive(Debug)]
pub(super) struct Inspected {
    /// As the user named it.
    pub(super) name: String,
    /// Facts, or why there are none.
    pub(super) result: Result<Box<Guest>>,
}

impl Images {
    /// One image, without anything below it: a command that takes no more.
    pub(super) fn alone(path: &Path, quiet: bool) -> Self {
        let paths = vec![path.to_owned()];
        Self { paths, facts: None, backing: Vec::new(), data_file: None, root: None, jobs: None, stats: false, quiet }
    }

    /// The image files that the user named, in the order of the answers; none for saved facts.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// What each answer is called: the images, or the saved facts.
    pub(super) fn named(&self) -> Vec<PathBuf> {
        self.facts.iter().chain(&self.paths).cloned().collect()
    }

    /// Inspects every image, as many at once as were asked for, each in a process of its own; the answers stand in the order of the arguments.
    /// Of `modules` the dependencies are read besides those that checks ask for.
    pub(super) fn inspect(&self, modules: &[String]) -> anyhow::Result<Vec<Inspected>> {
        if let Some(path) = &self.facts {
            return Ok(vec![Inspected { name: shown(path), result: saved(path) }]);
        }
        if self.paths.len() > 1 && (!self.backing.is_empty() || self.data_file.is_some() || self.root.is_some()) {
            let text = "--backing, --data-file and --root belong to one image; name one image at a time";
            return Err(Usage(text.to_owned()).into());
        }
        // Asking for the processors reads files of the host; one image needs no answer.
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        let jobs = || self.jobs.map_or_else(processors, usize::from);
        let workers = if self.paths.len() > 1 { jobs().min(self.paths.len()) } else { 1 };
        let bars = Bars::new();
        let next = AtomicUsize::new(0);
        let answers: Mutex<Vec<(usize, Answer)>> = Mutex::default();
        let work = || {
            while let Some((index, path)) = take(&next, &self.paths) {
                let answer = self.one(path, modules, &bars);
                answers.lock().unwrap_or_else(PoisonError::into_inner).push((index, answer));
            }
        };
        thread::scope(|scope| {
            let (done, is_done) = mpsc::channel::<()>();
            if !self.quiet && std::io::stderr().is_terminal() {
                let bars = &bars;
                // Without a thread for it, there is no progress to see.
                drop(thread::Builder::new().spawn_scoped(scope, move || bars.show_after(PATIENCE, &is_done)));
            }
            // A worker of its own for each further image; the first works here.
            for _ in 1..workers {
                let done = done.clone();
                let work = || {
                    work();
                    drop(done);
                };
                // Without a thread for it, the others do its part.
                drop(thread::Builder::new().spawn_scoped(scope, work));
            }
            work();
            drop(done);
        });
        let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        answers.sort_by_key(|(index, _)| *index);
        if self.stats {
            self.tell(&answers)?;
        }
        let named = self.paths.iter().map(|path| shown(path));
        Ok(named.zip(answers).map(|(name, (_, answer))| Inspected { name, result: answer.result }).collect())
    }

    fn one(&self, path: &Path, modules: &[String], bars: &Bars) -> Answer {
        let name = shown(path);
        let job = || {
            let (file, kind) = open(path)?;
            let backing = self.backing.iter().map(|path| Ok(open(path)?.0)).collect::<Result<_>>()?;
            let data_file = self.data_file.as_deref().map(|path| Ok(open(path)?.0)).transpose()?;
            let options = Options { root: self.root, modules: modules.to_vec(), limits: Limits::default() };
            Ok(Job { name: name.clone(), file, kind, backing, data_file, options })
        };
        match job() {
            Ok(job) => {
                let bar = bars.add(&name);
                let answer = worker::run(job, &|phase| bar.set_message(phase.to_owned()));
                bar.finish_and_clear();
                answer
            }
            Err(error) => Answer { result: Err(error), stats: Stats::default() },
        }
    }

    fn tell(&self, answers: &[(usize, Answer)]) -> std::io::Result<()> {
        use std::io::Write as _;
        let mut err = std::io::stderr().lock();
        for (path, (_, answer)) in self.paths.iter().zip(answers) {
            let Stats { reads, bytes, cpu_us } = answer.stats;
            let name = escape(&shown(path));
            writeln!(err, "stats: {name}: {reads} reads, {bytes} bytes, {} ms of processor time", cpu_us / 1000)?;
        }
        Ok(())
    }
}

/// The path as the user wrote it; bytes that are not UTF-8 as `\\xNN`.
pub(super) fn shown(path: &Path) -> String {
    crate::bytes::text(path.as_os_str().as_bytes())
}

fn take<'a>(next: &AtomicUsize, images: &'a [PathBuf]) -> Option<(usize, &'a PathBuf)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    images.get(index).map(|path| (index, path))
}

/// Opens what the user named, without waiting on a FIFO, and says what it is.
pub(super) fn open(path: &Path) -> Result<(File, Kind)> {
    let name = shown(path);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(fd.map_err(|error| Error::io("cannot open it", std::io::Error::from(error)).at(&*name))?);
    let metadata = file.metadata().map_err(|error| Error::io("cannot look at it", error).at(&*name))?;
    let kind = metadata.file_type();
    let block = std::os::unix::fs::FileTypeExt::is_block_device(&kind);
    match (kind.is_dir(), kind.is_file() || block) {
        (true, _) => Ok((file, Kind::Tree)),
        (_, true) => Ok((file, Kind::Image)),
        _ => Err(Error::unsupported("image", "it is neither a file, nor a directory, nor a block device").at(name)),
    }
}

/// Reads saved facts.
fn saved(path: &Path) -> Result<Box<Guest>> {
    let limit = Limits::default().facts;
    let bytes = if path == Path::new("-") {
        read_capped(&mut std::io::stdin().lock(), limit, "facts")
    } else {
        read_capped(&mut open(path)?.0, limit, "facts")
    };
    let parse = || -> Result<Guest> {
        let bytes = bytes?;
        if bytes.trim_ascii_start().starts_with(b"[") {
            let cause = "they are an array, expected the facts of one image (an object)";
            return Err(Error::unsupported("facts", cause));
        }
        let guest: Guest =
            serde_json::from_slice(&bytes).map_err(|error| Error::corrupt("facts", error.to_string()))?;
        if guest.schema == SCHEMA {
            return Ok(guest);
        }
        Err(Error::unsupported("facts", format!("their schema is {:?}, this version reads {SCHEMA}", guest.schema)))
    };
    let help = "save facts with `bootworthy inspect IMAGE > facts.json`";
    parse().map(Box::new).map_err(|error| error.at(shown(path)).help(help))
}

/// How long nobody wonders what the program does.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the lines move.
const TICK: Duration = Duration::from_millis(200);

/// One line per running inspection, hidden until they are worth it.
#[derive(Debug)]
struct Bars {
    all: MultiProgress,
    lines: Mutex<Vec<ProgressBar>>,
}

impl Bars {
    fn new() -> Self {
        Self { all: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), lines: Mutex::default() }
    }

    /// Shows the lines and keeps them moving, unless every inspection is over before.
    fn show_after(&self, patience: Duration, is_done: &mpsc::Receiver<()>) {
        let mut wait = patience;
        while is_done.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
            if wait == patience {
                self.all.set_draw_target(ProgressDrawTarget::stderr());
                wait = TICK;
            }
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.iter().filter(|line| !line.is_finished()).for_each(ProgressBar::tick);
        }
    }

    fn add(&self, name: &str) -> ProgressBar {
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_prefix(escape(name));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg} ({elapsed})") {
            bar.set_style(style);
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(bar.clone());
        bar
    }
}
