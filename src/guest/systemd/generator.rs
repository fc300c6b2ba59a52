//! What the generators do that an image alone decides (`man 7 systemd.generator`): serial consoles, cloud-init and
//! scripts of System V. Others are not known here; one that masks or adds a unit that a check asks for is none of them.

use super::load::Units;
use super::start::Pull;
use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::ErrorKind;
use crate::fact::{Gap, Listing};
use crate::guest::{BootEntry, UnitStart};

/// In the order in which one hides another of the same name.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
];

/// Command lines with which the image boots when nobody chooses.
#[derive(Debug, Default)]
pub(super) struct Cmdlines {
    /// Of every default entry's first attempt.
    known: Vec<String>,
    /// Why there may be others.
    gap: Option<Gap>,
}

impl Cmdlines {
    pub(super) fn new(entries: &Listing<BootEntry>) -> Self {
        let mut lines = Self { known: Vec::new(), gap: entries.gaps.first().cloned() };
        for entry in &entries.items {
            match (entry.is_default.known(), entry.attempts.known().and_then(|attempts| attempts.items.first())) {
                (Some(false), _) => {}
                (_, Some(attempt)) => match attempt.cmdline.known() {
                    Some(line) => lines.known.push(line.clone()),
                    None => lines.gap = Some(Gap::new("a boot entry's command line is not known")),
                },
                (_, None) => lines.gap = Some(Gap::new("a boot entry's command line is not known")),
            }
        }
        if lines.known.is_empty() && lines.gap.is_none() {
            lines.gap = Some(Gap::new("no boot entry gives a command line"));
        }
        lines
    }

    /// Whether all of them, or none, have a word that `is` it.
    pub(super) fn has(&self, is: impl Fn(&str) -> bool) -> Result<bool, Gap> {
        let with = self.known.iter().filter(|line| line.split_whitespace().any(&is)).count();
        match &self.gap {
            Some(gap) => Err(gap.clone()),
            None if with == self.known.len() => Ok(true),
            None if with == 0 => Ok(false),
            None => Err(Gap::new("the default boot entries differ in their command lines")),
        }
    }

    /// Serial consoles that every one of them names.
    fn consoles(&self) -> Vec<String> {
        let of = |line: &String| -> Vec<String> {
            let values = line.split_whitespace().filter_map(|word| word.strip_prefix("console="));
            let names = values.filter_map(|value| value.split(',').next()).map(|name| name.trim_start_matches("/dev/"));
            names.filter(|name| is_serial(name)).map(str::to_owned).collect()
        };
        let mut lines = self.known.iter().map(of);
        let first = lines.next().unwrap_or_default();
        lines.fold(first, |all, line| all.into_iter().filter(|name| line.contains(name)).collect())
    }
}

/// `ttyS0`, `hvc0`, `ttyAMA0`; not a virtual terminal.
fn is_serial(name: &str) -> bool {
    let is_terminal = name.strip_prefix("tty").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    !is_terminal && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Adds what the generator at a path starts.
type Generate<'g> = &'g mut dyn FnMut(&str, &mut Listing<Pull>) -> Result<(), Gap>;

/// What generators start.
pub(super) fn read(root: &Root, units: &Units<'_>, cmdlines: &Cmdlines) -> Listing<Pull> {
    let mut found = Listing::default();
    let mut run = |name: &str, generate: Generate<'_>| {
        let made = generator(root, name).and_then(|path| path.map_or(Ok(()), |path| generate(&path, &mut found)));
        found.gaps.extend(made.err());
    };
    run("systemd-getty-generator", &mut |path, found| {
        let is_off = |word: &str| word == "systemd.getty_auto=no" || word == "systemd.getty_auto=0";
        if cmdlines.gap.is_none() && cmdlines.has(is_off)? {
            return Ok(());
        }
        let consoles = cmdlines.consoles();
        if cmdlines.gap.is_some() || (consoles.is_empty() && cmdlines.known.iter().any(|line| line.contains("=ttyS0")))
        {
            // Whether the kernel is told of this console is not known.
            let pull = pull("dev-ttyS0.device", "serial-getty@ttyS0.service", path);
            found.items.push(Pull { is_certain: false, ..pull });
            return Ok(());
        }
        found
            .items
            .extend(consoles.iter().map(|name| pull("getty.target", &format!("serial-getty@{name}.service"), path)));
        Ok(())
    });
    run("cloud-init-generator", &mut |path, found| {
        if is_cloud_init_enabled(root, cmdlines)? {
            found.items.push(pull("multi-user.target", "cloud-init.target", path));
        }
        Ok(())
    });
    run("systemd-sysv-generator", &mut |_, found| scripts(root, units, found));
    found
}

fn pull(of: &str, unit: &str, path: &str) -> Pull {
    let start = UnitStart { by: "generator".to_owned(), of: of.to_owned(), path: path.to_owned(), line: None };
    Pull { unit: unit.to_owned(), start, is_certain: true }
}

/// The generator of this name; a link to /dev/null or a file that cannot be executed turns it off.
fn generator(root: &Root, name: &str) -> Result<Option<String>, Gap> {
    for folder in FOLDERS {
        let path = format!("{folder}/{name}");
        match (root.symlink_metadata(&path), root.metadata(&path)) {
            (Ok(_), Ok(metadata)) => return Ok((metadata.mode & 0o111 != 0 && metadata.size > 0).then_some(path)),
            (Ok(_), Err(error)) if error.kind == ErrorKind::NotFound => return Ok(None),
            (Err(error), _) if error.kind == ErrorKind::NotFound => {}
            (Err(error), _) | (Ok(_), Err(error)) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// As cloud-init's own generator decides, a datasource being found: the command line, the marker files, yes.
fn is_cloud_init_enabled(root: &Root, cmdlines: &Cmdlines) -> Result<bool, Gap> {
    // A gap in the boot entries says nothing of a word that hardly any image has.
    if cmdlines.known.iter().any(|line| line.contains("cloud-init=")) {
        return cmdlines.has(|word| word == "cloud-init=enabled");
    }
    let has = |path: &str| root.exists(path).map_err(Gap::from);
    Ok(has("/etc/cloud/cloud-init.enabled")? || !has("/etc/cloud/cloud-init.disabled")?)
}

/// Runlevels and the targets that stand for them (`rcnd_table`, src/sysv-generator/sysv-generator.c).
const RUNLEVELS: &[(&str, &str)] = &[
    ("/etc/rc2.d", "multi-user.target"),
    ("/etc/rc3.d", "multi-user.target"),
    ("/etc/rc4.d", "multi-user.target"),
    ("/etc/rc5.d", "graphical.target"),
];

/// Scripts that a runlevel starts and that have no unit of their own.
fn scripts(root: &Root, units: &Units<'_>, found: &mut Listing<Pull>) -> Result<(), Gap> {
    for (folder, target) in RUNLEVELS {
        let listing = match root.list(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind == ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        found.gaps.extend(listing.gaps);
        for entry in listing.items {
            let link = text(&entry.name);
            let Some(name) = link.strip_prefix('S').and_then(|rest| rest.get(2..)) else { continue };
            let name = name.strip_suffix(".sh").unwrap_or(name);
            let unit = format!("{name}.service");
            let script = format!("/etc/init.d/{name}");
            let is_native = units.names().any(|name| *name == unit);
            if !is_native && root.metadata(&script).is_ok_and(|metadata| metadata.mode & 0o111 != 0) {
                found.items.push(pull(target, &unit, &format!("{folder}/{link}")));
            }
        }
    }
    Ok(())
}
