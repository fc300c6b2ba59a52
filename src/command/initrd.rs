//! `bootworthy initrd`: segments, modules, and where the four virtio drivers are.

use super::{EXIT_UNKNOWN, Usage, failed, images, print};
use crate::fact::{Fact, Gap};
use crate::guest::initrd::{Location, locate, locate_in};
use crate::guest::{Guest, Initrd, ModuleTree, Options, Segment};
use crate::report::{escape, human};
use crate::worker::{self, Job, Kind};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// The drivers of Nova's virtio devices.
const DRIVERS: [&str; 4] = ["virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net"];

/// Look into initrd files: segments, modules, the four virtio drivers
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: bootworthy initrd /boot/initrd.img-6.12.107+deb13-cloud-amd64",
    after_help = "Exit codes:
  0  all four drivers are there, or built in
  1  one is neither in the archive nor in its modules.builtin, or Linux would refuse the archive
  2  usage
  3  it could not be read whole"
)]
pub struct Args {
    /// Initrd files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A driver that may be missing (repeatable)
    #[arg(long, value_name = "MODULE")]
    allow_missing: Vec<String>,
    /// Root directory that the initrd belongs to: adds what its module folder has
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// What an initrd is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Sound,
    Unknown,
    Broken,
}

/// Prints each file; exits with the worst.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let allowed: Vec<String> = args.allow_missing.iter().map(|name| name.replace('-', "_")).collect();
    if let Some(name) = allowed.iter().find(|name| !DRIVERS.contains(&name.as_str())) {
        return Err(Usage(format!("--allow-missing {name}: expected one of {}", DRIVERS.join(", "))).into());
    }
    let mut worst = Standing::Sound;
    for file in &args.files {
        match inspect(args, file) {
            Ok(guest) => {
                let (text, standing) = describe(&guest, &allowed);
                let name = escape(&images::shown(file));
                print(&if args.files.len() > 1 { format!("{name}\n{text}\n") } else { text })?;
                worst = worst.max(standing);
            }
            Err(error) => {
                failed(&error.into());
                worst = worst.max(Standing::Unknown);
            }
        }
    }
    Ok(ExitCode::from(match worst {
        Standing::Sound => 0,
        Standing::Broken => 1,
        Standing::Unknown => EXIT_UNKNOWN,
    }))
}

fn inspect(args: &Args, path: &std::path::Path) -> crate::error::Result<Box<Guest>> {
    let (file, kind) = images::open(path)?;
    if kind == Kind::Tree {
        let error = crate::error::Error::unsupported("initrd", "it is a directory, expected an initrd file");
        return Err(error.at(images::shown(path)));
    }
    let root = args.root.as_deref().map(|root| Ok(images::open(root)?.0)).transpose()?;
    let job = Job {
        name: images::shown(path),
        file,
        kind: Kind::Initrd,
        backing: root.into_iter().collect(),
        data_file: None,
        options: Options::default(),
    };
    worker::run(job, &|_| {}).result
}

fn describe(guest: &Guest, allowed: &[String]) -> (String, Standing) {
    let mut text = String::new();
    let mut standing = Standing::Sound;
    let initrds = guest.initrds.known().map(|initrds| initrds.items.as_slice()).unwrap_or_default();
    for initrd in initrds {
        text += &segments(initrd);
        let (flaws, refused) = flaws(initrd);
        text += &flaws;
        let (drivers, found) = drivers(guest, initrd, allowed);
        text += &drivers;
        standing = standing.max(found).max(refused);
    }
    (text, standing)
}

fn segments(initrd: &Initrd) -> String {
    let mut text = String::new();
    match &initrd.segments {
        Fact::Known(segments) => {
            text += &segments
                .items
                .iter()
                .zip(1_u32..)
                .map(|(segment, number)| row(segment, number, initrd))
                .collect::<String>();
            text += &segments.gaps.iter().map(unread).collect::<String>();
        }
        Fact::Unknown(gap) => text += &unread(gap),
    }
    text
}

fn row(segment: &Segment, number: u32, initrd: &Initrd) -> String {
    let size = human(segment.size);
    let size = if segment.compression == "none" { size } else { format!("{size} → {}", human(segment.unpacked)) };
    let mut parts = vec![format!("{} files", segment.entries)];
    if segment.microcode > 0 {
        parts.push(format!("{} of microcode", segment.microcode));
    }
    if segment.modules > 0 {
        parts.push(format!("{} modules", segment.modules));
    }
    let is_last = initrd.segments.known().is_some_and(|all| all.items.last() == Some(segment));
    if is_last && initrd.has_init.known() == Some(&true) {
        parts.push("/init".to_owned());
    }
    format!("segment {number}  {:<5}  {size}, {}\n", segment.compression, parts.join(", "))
}

fn unread(gap: &Gap) -> String {
    let path = gap.path.as_ref().map(|path| format!("{}: ", escape(path))).unwrap_or_default();
    format!("unknown: {path}{}\n", escape(&gap.reason))
}

/// What is wrong with the archive: fatal is what Linux refuses. Writing to a String cannot fail, here and below.
fn flaws(initrd: &Initrd) -> (String, Standing) {
    let flaws = match &initrd.flaws {
        Fact::Known(flaws) => flaws,
        Fact::Unknown(_) => return (String::new(), Standing::Unknown),
    };
    let mut standing = if flaws.gaps.is_empty() { Standing::Sound } else { Standing::Unknown };
    let mut text = String::new();
    for flaw in &flaws.items {
        let word = if flaw.fatal { "error: Linux refuses this archive" } else { "warning" };
        let _ = writeln!(text, "{word}: {} [{}]", escape(&flaw.found), escape(&flaw.id));
        if flaw.fatal {
            standing = Standing::Broken;
        }
    }
    text += &flaws.gaps.iter().map(unread).collect::<String>();
    (text, standing)
}

/// The four drivers for each kernel version; the initrd is as good as the version that it serves best.
fn drivers(guest: &Guest, initrd: &Initrd, allowed: &[String]) -> (String, Standing) {
    let trees = initrd.modules.known();
    let Some(trees) = trees.filter(|trees| !trees.items.is_empty()) else {
        let standing = DRIVERS.iter().filter(|name| !allowed.iter().any(|allowed| allowed == *name)).map(|name| {
            let unknown = locate(initrd, name).iter().any(|found| matches!(found.location, Location::Unknown(_)));
            if unknown { Standing::Unknown } else { Standing::Broken }
        });
        let standing = standing.max().unwrap_or(Standing::Sound);
        let text = if standing == Standing::Broken { "no module folder\n".to_owned() } else { String::new() };
        return (text, standing);
    };
    let mut text = String::new();
    let mut best = Standing::Broken;
    for tree in &trees.items {
        let count = tree.files.known().map_or(0, |files| files.items.len());
        let _ = writeln!(text, "{}: {count} modules", escape(&tree.version));
        let mut worst = Standing::Sound;
        for name in DRIVERS {
            let mut location = locate_in(tree, name);
            if let (Location::Missing, Some(gap)) = (&location, trees.gaps.first()) {
                location = Location::Unknown(gap.clone());
            }
            let beside = rooted(guest, tree).map(|root| locate_in(root, name));
            if location == Location::Missing && beside == Some(Location::BuiltIn) {
                location = Location::BuiltIn;
            }
            let (words, standing) = describe_driver(&location, beside.as_ref());
            let _ = writeln!(text, "  {name:<11}  {words}");
            let is_allowed = location == Location::Missing && allowed.iter().any(|allowed| allowed == name);
            worst = worst.max(if is_allowed { Standing::Sound } else { standing });
        }
        best = best.min(worst);
    }
    (text, best)
}

/// The module folder of the same version in the root tree.
fn rooted<'g>(guest: &'g Guest, tree: &ModuleTree) -> Option<&'g ModuleTree> {
    let kernels = guest.kernels.known()?;
    let kernel = kernels.items.iter().find(|kernel| kernel.version.known() == Some(&tree.version))?;
    kernel.modules.known()?.as_ref()
}

fn describe_driver(location: &Location, beside: Option<&Location>) -> (String, Standing) {
    let elsewhere = match beside {
        Some(Location::File { path, .. }) => format!(" (root tree: {})", escape(path)),
        Some(Location::Missing) => " (nor in the root tree)".to_owned(),
        _ => String::new(),
    };
    match location {
        Location::BuiltIn => ("built in".to_owned(), Standing::Sound),
        Location::Missing => (format!("missing{elsewhere}"), Standing::Broken),
        Location::Unindexed(path) => {
            (format!("{} is not found by modprobe: modules.dep.bin names it otherwise", escape(path)), Standing::Broken)
        }
        Location::Unknown(gap) => (unread(gap).trim_end().to_owned(), Standing::Unknown),
        Location::File { path, needs } => {
            let word = |(name, is_there): &(String, bool)| {
                format!("{} {}", escape(name), if *is_there { "✓" } else { "✗ missing" })
            };
            let list: Vec<String> = needs.iter().map(word).collect();
            let needed = if list.is_empty() { String::new() } else { format!("  needs {}", list.join(" ")) };
            let is_loadable = needs.iter().all(|(_, is_there)| *is_there);
            let standing = if is_loadable { Standing::Sound } else { Standing::Broken };
            (escape(path) + &needed, standing)
        }
    }
}
