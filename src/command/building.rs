//! What `build` asks of its surroundings: files, folders, the clock, signals, and what a user sees meanwhile.

use crate::build::engine::Engine;
use crate::build::lock::{Lock, MAX_LOCK};
use crate::build::recipe::Recipe;
use crate::build::workshop::{Listener, Mode, Workshop};
use crate::build::{Event, Plan, Stage, digest};
use crate::bytes::read_capped;
use crate::error::{Error, Result};
use crate::limits::MIB;
use crate::report::escape;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs::{DirBuilder, File};
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes of a recipe: files with their text take the most.
const MAX_RECIPE: u64 = 4 * MIB;
const DAY: u64 = 86_400;

/// Reads the recipe.
pub(super) fn recipe(path: &Path) -> Result<Recipe> {
    let name = super::images::shown(path);
    Recipe::parse(&name, &text(path, MAX_RECIPE, "recipe")?)
}

/// Reads the lock.
pub(super) fn lock(path: &Path) -> Result<Lock> {
    let text = text(path, MAX_LOCK, "lock").map_err(|error| error.help("a build without --locked writes it"))?;
    Lock::parse(&super::images::shown(path), &text)
}

fn text(path: &Path, limit: u64, what: &str) -> Result<String> {
    let name = super::images::shown(path);
    let mut file = File::open(path).map_err(|error| Error::io(format!("cannot open the {what}"), error).at(&*name))?;
    let bytes = read_capped(&mut file, limit, what).map_err(|error| error.at(&*name))?;
    String::from_utf8(bytes).map_err(|_| Error::corrupt(what, "it is no UTF-8 text").at(name))
}

/// `SOURCE_DATE_EPOCH`, else the beginning of this day in UTC: what is built twice on a day has the same identifiers.
pub(super) fn epoch() -> Result<u64> {
    if let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") {
        let number = text.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let wrong = || {
            Error::corrupt(
                "SOURCE_DATE_EPOCH",
                format!("{:?} is no number of seconds since 1970", text.to_string_lossy()),
            )
        };
        return number.and_then(|text| text.parse().ok()).ok_or_else(wrong);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| Error::io("clock", error))?.as_secs();
    Ok(now.saturating_sub(now.checked_rem(DAY).unwrap_or_default()))
}

/// The digest of the archive that the tree comes from, which becomes part of the plan; it must be the lock's.
pub(super) fn fix_input(plan: &mut Plan, recipe: &Recipe) -> Result<Option<String>> {
    let tree = plan.stages.iter_mut().find_map(|stage| if let Stage::Tree(tree) = stage { Some(tree) } else { None });
    let Some(tree) = tree.filter(|tree| matches!(tree.engine, Engine::Tar | Engine::Dir)) else { return Ok(None) };
    let Some(path) = tree.input.clone() else { return Ok(None) };
    if tree.engine == Engine::Dir {
        let cause = || recipe.error("engine.path", format!("{path} is no folder"));
        return if Path::new(&path).is_dir() { Ok(None) } else { Err(cause()) };
    }
    let found = digest(&path).map_err(|error| recipe.error("engine.path", error))?;
    if let Some(locked) = tree.input_sha256.as_ref().filter(|locked| **locked != found) {
        let cause = format!("{path} has the SHA-256 {found}, the lock says {locked}");
        return Err(recipe.error("engine.path", cause));
    }
    tree.input_sha256 = Some(found.clone());
    Ok(Some(found))
}

/// The folder of all builds: the user's, or below the cache folder.
pub(super) fn work(named: Option<&Path>) -> Result<PathBuf> {
    let cache = || {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
    };
    let path = named.map(Path::to_owned).or_else(|| cache().map(|cache| cache.join("bootworthy/build")));
    let path =
        path.ok_or_else(|| Error::not_found("work folder").because("HOME is not set; name a folder with --work"))?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.map_err(|error| Error::io("work folder", error).at(super::images::shown(&path)))?;
    Ok(path)
}

/// Makes a folder that nobody else can write into.
pub(super) fn private(path: &Path) -> Result<&Path> {
    let failed = |error: std::io::Error| Error::io("cache", error).at(super::images::shown(path));
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let found = std::fs::symlink_metadata(path).map_err(failed)?;
    if found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(path);
    }
    let cause = "others can write into it, and what is kept there becomes a part of images";
    Err(Error::corrupt("cache", cause)
        .at(super::images::shown(path))
        .help("remove it, or name another folder with --work"))
}

/// The best way to be root of the tree here.
pub(super) fn detect() -> Result<Mode> {
    Mode::detect().map(|(mode, _)| mode).map_err(|refusals| {
        let reasons: Vec<String> =
            refusals.iter().map(|refusal| format!("{}: {}", refusal.mode.name(), refusal.reason)).collect();
        Error::unsupported("root of the tree", reasons.join("; ")).help("install uidmap, or fakechroot and fakeroot")
    })
}

/// Set by Ctrl-C and its like; a second one ends us at once.
pub(super) fn on_signals() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

/// Says on standard error what was decided otherwise than asked for.
pub(super) fn note(notes: &[String]) -> std::io::Result<()> {
    notes.iter().try_for_each(|note| writeln!(std::io::stderr(), "note: {}", escape(note)))
}

/// Names what a build that ended early has left, and what to do with it.
pub(super) fn left(shop: &Workshop, next: &str) -> std::io::Result<()> {
    let (folder, log) = (escape(&super::images::shown(shop.folder())), escape(&super::images::shown(&shop.log())));
    writeln!(std::io::stderr(), "left: {folder} (log: {log}); {next}")
}

/// What a user sees of a build: a line for each stage, and below it what runs.
pub(super) struct Watch {
    stages: Vec<&'static str>,
    bar: ProgressBar,
    is_verbose: bool,
    began: Mutex<Instant>,
}

impl Watch {
    /// For this plan; silent without a terminal, unless everything shall be said.
    pub(super) fn new(plan: &Plan, is_verbose: bool, is_quiet: bool) -> Self {
        let is_shown = !is_quiet && !is_verbose && std::io::stderr().is_terminal();
        let bar = if is_shown { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let stages = plan.stages.iter().map(Stage::name).collect();
        Self { stages, bar, is_verbose, began: Mutex::new(Instant::now()) }
    }

    /// What programs say.
    pub(super) fn listener(&self) -> Box<Listener> {
        let (bar, is_verbose) = (self.bar.clone(), self.is_verbose);
        Box::new(move |stage, line| {
            let line = escape(line);
            if is_verbose {
                // Whoever closes standard error does not want to see it.
                drop(writeln!(std::io::stderr(), "{stage}: {line}"));
            }
            bar.set_message(line);
        })
    }

    /// A stage begins or ends.
    pub(super) fn event(&self, index: usize, event: Event) {
        let name = self.stages.get(index).copied().unwrap_or_default();
        match event {
            Event::Begins => self.begin(name),
            Event::Ends => self.told(name),
            Event::Kept => self.bar.println(format!("✓ {name} (kept)")),
        }
    }

    /// A stage that gives something.
    pub(super) fn during<T>(&self, name: &str, act: impl FnOnce() -> T) -> T {
        self.begin(name);
        let result = act();
        self.told(name);
        result
    }

    fn begin(&self, name: &str) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.bar.reset_elapsed();
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message("");
        if self.is_verbose {
            drop(writeln!(std::io::stderr(), "{name}: begins"));
        }
    }

    fn told(&self, name: &str) {
        let seconds = self.began.lock().unwrap_or_else(PoisonError::into_inner).elapsed().as_secs_f64();
        self.bar.println(format!("✓ {name} {seconds:.1} s"));
        if self.is_verbose {
            drop(writeln!(std::io::stderr(), "{name}: {seconds:.1} s"));
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
