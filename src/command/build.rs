//! `bootworthy build`: a recipe becomes an image that passes its own checks.

use super::building::{self, Watch};
use super::output::folder;
use super::{Usage, failed, images, is_colourful, print, width};
use crate::build::lock::{self, Lock};
use crate::build::recipe::Recipe;
use crate::build::result::{self, Made};
use crate::build::workshop::{Mode, Options, Workshop};
use crate::build::{self, Build, Plan, Stage, Wanted, check};
use crate::error::Error;
use crate::report::{self, Style, Verbosity};
use crate::verdict::feature::FEATURES;
use crate::verdict::{Outcome, Report, exit_code};
use clap::builder::PossibleValuesParser;
use rustix::fs::Access;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Shown below its help: what the exit codes of judging mean here.
const EXITS: &str = "\
Exit codes:
  0  the image passed its own check and stands under its name, with all that belongs to it
  1  it was made and failed its own check; it stands in the work folder
  2  usage, the recipe or its lock; nothing was fetched
  3  a program is missing or failed, or the image could not be judged; nothing stands under its name";

/// Make an image from a recipe, check it and write its manifest
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy build recipes/debian-13.toml -o debian-13.qcow2", after_help = EXITS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    /// The recipe (TOML; docs/recipe.md)
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// The image; manifest, report, SBOM and sums are written beside it
    #[arg(short, long, value_name = "FILE", required_unless_present = "plan")]
    output: Option<PathBuf>,
    /// Print what would be done as JSON, and do nothing
    #[arg(long)]
    plan: bool,
    /// Another place for the lock than NAME.lock beside the image
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Install exactly what the lock says, with its identifiers and its time
    #[arg(long)]
    locked: bool,
    /// Where the build works and keeps trees for the next; else ~/.cache/bootworthy/build
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Begin anew: use no kept tree, and keep none
    #[arg(long)]
    no_cache: bool,
    /// Who is root of the tree: auto (the default), root, unshare or fakechroot
    #[arg(long, value_name = "MODE", default_value = "auto", hide_default_value = true, hide_possible_values = true, value_parser = PossibleValuesParser::new(["auto", "root", "unshare", "fakechroot"]))]
    engine_mode: String,
    /// A manifest in a format of `bootworthy properties` (repeatable); else json in FILE.properties.json
    #[arg(long, value_name = "FORMAT=PATH")]
    manifest: Vec<String>,
    /// Show what the programs say
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Only the closing line, no progress
    #[arg(short, long)]
    quiet: bool,
}

/// Plans, builds, checks, writes.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let recipe = building::recipe(&args.recipe).map_err(refused)?;
    let manifests = args.manifests(&recipe)?;
    let lock = args.locked(&recipe)?;
    let mut plan = args.planned(&recipe, lock.as_ref(), &manifests).map_err(refused)?;
    building::note(&plan.notes)?;
    let Some(target) = args.output.as_ref().filter(|_| !args.plan) else {
        print(&format!("{}\n", serde_json::to_string_pretty(&plan)?))?;
        return Ok(ExitCode::SUCCESS);
    };
    place(target)?;
    if !args.locked {
        place(&args.lock_path(&recipe))?;
    }
    let input = building::fix_input(&mut plan, &recipe).map_err(refused)?;
    let digest = args.recipe_digest(&recipe)?;
    let work = building::work(args.work.as_deref()).map_err(|error| Usage(error.to_string()))?;
    let watch = Watch::new(&plan, args.verbose, args.quiet);
    let shop = args.shop(&plan, &work, &watch)?;
    let made = args.make(&plan, &shop, &work, &watch);
    watch.end();
    let (image, report) = match made {
        Ok(made) => made,
        Err(error) => {
            building::left(&shop, "go on from there: run the same command again")?;
            return Err(error.into());
        }
    };
    if report.result != Outcome::Fit {
        return unfit(&shop, &report);
    }
    let lock = Lock::of(&plan, digest, build::packages(shop.folder())?, input);
    let paths: Vec<PathBuf> = manifests.into_iter().map(|(_, path)| path).collect();
    let finished = Made {
        image: &image,
        target,
        report: &report,
        packages: &lock.package,
        source_date_epoch: plan.source_date_epoch,
        manifests: &paths,
        lock: if args.locked { None } else { Some((args.lock_path(&recipe), lock.write()?)) },
    };
    finish(args, &plan, &shop, &finished)
}

impl Args {
    /// Formats and places of the manifests.
    fn manifests(&self, recipe: &Recipe) -> Result<Vec<(String, PathBuf)>, Usage> {
        let mut manifests = Vec::new();
        for text in &self.manifest {
            let expected = || Usage(format!("--manifest {text}: FORMAT=PATH is expected"));
            let (name, path) = text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(expected)?;
            let format = result::find(name).map_err(|error| Usage(format!("--manifest {text}: {error}")))?;
            let missing = format.demands.iter().find(|key| !recipe.policy.contains_key(**key));
            if let Some(key) = missing {
                let cause = format!("it demands {key}, which the recipe's [policy] does not say");
                return Err(Usage(format!("--manifest {text}: {cause}")));
            }
            place(Path::new(path))?;
            manifests.push((name.to_owned(), PathBuf::from(path)));
        }
        if let (true, Some(target)) = (manifests.is_empty(), &self.output) {
            manifests.push(("json".to_owned(), result::beside(target, "properties.json")));
        }
        Ok(manifests)
    }

    fn lock_path(&self, recipe: &Recipe) -> PathBuf {
        let beside = || self.output.as_deref().unwrap_or(Path::new("")).with_file_name(format!("{}.lock", recipe.name));
        self.lock.clone().unwrap_or_else(beside)
    }

    /// The lock that is built from, which must be this recipe's.
    fn locked(&self, recipe: &Recipe) -> anyhow::Result<Option<Lock>> {
        if !self.locked {
            return Ok(None);
        }
        let path = self.lock_path(recipe);
        let lock = building::lock(&path).map_err(refused)?;
        if lock.recipe == self.recipe_digest(recipe)? && lock.name == recipe.name {
            return Ok(Some(lock));
        }
        let cause = "it was written for another recipe, or this one has changed since";
        Err(Usage(format!("{}: {cause}; build without --locked to write it anew", images::shown(&path))).into())
    }

    fn recipe_digest(&self, recipe: &Recipe) -> anyhow::Result<String> {
        let wanted = Wanted {
            recipe,
            features: FEATURES,
            folder: folder(&self.recipe),
            lock: None,
            source_date_epoch: 0,
            manifests: &[],
        };
        Ok(lock::recipe_digest(&build::make_plan(&wanted).map_err(refused)?)?)
    }

    fn planned(&self, recipe: &Recipe, lock: Option<&Lock>, manifests: &[(String, PathBuf)]) -> Result<Plan, Error> {
        let formats: Vec<String> = manifests.iter().map(|(format, _)| format.clone()).collect();
        let formats = if formats.is_empty() { vec!["json".to_owned()] } else { formats };
        let source_date_epoch = building::epoch()?;
        let folder = folder(&self.recipe);
        build::make_plan(&Wanted { recipe, features: FEATURES, folder, lock, source_date_epoch, manifests: &formats })
    }

    fn shop(&self, plan: &Plan, work: &Path, watch: &Watch) -> anyhow::Result<Workshop> {
        let mode = match Mode::parse(&self.engine_mode) {
            Some(mode) => mode.usable().map(|()| mode).map_err(|reason| Error::unsupported(mode.name(), reason))?,
            None => building::detect()?,
        };
        Ok(Workshop::open(Options {
            folder: work.join(&plan.name),
            mode,
            epoch: plan.source_date_epoch,
            listener: watch.listener(),
            cancelled: building::on_signals()?,
            ourselves: std::env::current_exe()?,
        })?)
    }

    fn make(&self, plan: &Plan, shop: &Workshop, work: &Path, watch: &Watch) -> Result<(PathBuf, Report), Error> {
        let cache = work.join("cache");
        let cache = if self.no_cache { None } else { Some(building::private(&cache)?) };
        let progress = |index, event| watch.event(index, event);
        let image = build::make(&Build { plan, shop, cache, progress: &progress })?;
        let options =
            plan.stages.iter().find_map(|stage| if let Stage::Check(check) = stage { Some(check) } else { None });
        let options = options.ok_or_else(|| Error::corrupt("plan", "it has no stage check"))?;
        let name = self.output.as_deref().map(images::shown).unwrap_or_default();
        let report = watch.during("check", || check::judge(options, &image, &name, &|_| {}))?;
        Ok((image, report))
    }
}

/// Writes everything beside its target, renames it, and clears up.
fn finish(args: &Args, plan: &Plan, shop: &Workshop, made: &Made<'_>) -> anyhow::Result<ExitCode> {
    let options =
        plan.stages.iter().find_map(|stage| if let Stage::Result(result) = stage { Some(result) } else { None });
    let options = options.ok_or_else(|| Error::corrupt("plan", "it has no stage result"))?;
    let copy = |from: &Path, to: &Path| {
        let mut cp = shop.command("cp");
        shop.run("result", cp.args(["--sparse=always", "--reflink=auto", "--"]).arg(from).arg(to))
    };
    let written =
        result::make(options, made).and_then(|(outputs, notes)| outputs.settle(&copy).map(|()| (outputs, notes)));
    let (outputs, notes) = match written {
        Ok(written) => written,
        Err(error) => {
            building::left(shop, "nothing stands under the image's name; run the same command again")?;
            return Err(error.into());
        }
    };
    building::note(&notes)?;
    if let Err(error) = build::clear(shop) {
        failed(&error.into());
    }
    print(&text(made.report, Verbosity::Quiet))?;
    if !args.quiet {
        let paths: Vec<String> =
            outputs.paths().map(|path| format!("  {}\n", report::escape(&images::shown(path)))).collect();
        print(&paths.concat())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The report, and where the image is.
fn unfit(shop: &Workshop, report: &Report) -> anyhow::Result<ExitCode> {
    print(&text(report, Verbosity::Normal))?;
    building::left(shop, "the image did not pass its own check and does not stand under its name")?;
    Ok(ExitCode::from(exit_code([report.result])))
}

fn text(report: &Report, verbosity: Verbosity) -> String {
    let style = Style { has_colour: is_colourful(), width: width(), verbosity };
    report::FORMATS.first().map(|format| (format.write)(std::slice::from_ref(report), style)).unwrap_or_default()
}

/// A mistake of the recipe or of what was asked for: nothing was fetched.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn refused(error: Error) -> Usage {
    let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    Usage(format!("{error}{help}"))
}

/// Refuses a place that cannot hold a file, before minutes are spent.
fn place(path: &Path) -> Result<(), Usage> {
    let shown = images::shown(path);
    if path.is_dir() {
        return Err(Usage(format!("{shown}: it is a directory, a file is expected")));
    }
    let folder = folder(path);
    if !folder.is_dir() {
        return Err(Usage(format!("{shown}: there is no directory {}", images::shown(folder))));
    }
    let writable = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK);
    writable.map_err(|error| Usage(format!("{shown}: you cannot write into {}: {error}", images::shown(folder))))
}
