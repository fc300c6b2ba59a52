//! `bootworthy properties`: what the image has earned, as a manifest.

use super::images::{self, Images, Inspected};
use super::judging::Judging;
use super::{EXIT_CODES, Usage, failed, print};
use crate::error::{Error, Result};
use crate::fact::{Fact, Gap};
use crate::guest::Guest;
use crate::manifest::{FORMATS, Format, Manifest, Policy, Property, policy, sha512};
use crate::report::{escape, escape_lines};
use crate::verdict::check::DEMAND;
use crate::verdict::profile::Severity;
use crate::verdict::property::Set;
use crate::verdict::{Outcome, Report, Word, exit_code};
use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// Print the Glance properties that an image has earned
#[derive(Debug, clap::Args)]
#[command(before_help = "Example: bootworthy properties debian-13.qcow2 --format openstack", after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    images: Images,
    /// Manifest format
    #[arg(long, value_name = "FORMAT", default_value = "openstack", value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    format: String,
    /// Name of the image in Glance; the distribution's otherwise
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What only its publisher can say, such as `os_purpose=generic`; --set scs demands it of SCS-0102
    #[arg(long, value_name = "KEY=VALUE")]
    policy: Vec<String>,
    #[command(flatten)]
    judging: Judging,
}

/// Prints one manifest for all images; nothing of one whose verdict is unknown.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rules = args.judging.rules(&args.images)?;
    let format = FORMATS.iter().find(|format| format.name == args.format);
    let format = format.ok_or_else(|| Usage(format!("there is no format {:?}", args.format)))?;
    let is_scs = rules.options().choice.set == Set::Scs;
    let policy = args.policy(rules.policy(), format, is_scs)?;
    let named = rules.config().filter(|_| !args.images.quiet).map(|name| format!("the configuration is {name}"));
    noted(named.as_slice())?;
    let mut outcomes = Vec::new();
    let mut reports = Vec::new();
    for (index, Inspected { name, result }) in args.images.inspect(rules.modules())?.into_iter().enumerate() {
        let mut report = rules.judge(&name, result);
        outcomes.push(report.result);
        if let Some(error) = report.error.take() {
            failed(&error.into());
            continue;
        }
        expired(&report)?;
        demanded(&report)?;
        if report.result == Outcome::Unknown {
            undecided(&name)?;
        } else {
            let digest = args.digest(index, format, &policy)?;
            reports.push((report, digest));
        }
    }
    let mut manifests = Vec::new();
    for (report, digest) in &reports {
        nobody(report, &policy)?;
        let mut manifest = args.manifest(report, &policy, digest.as_deref());
        let taken = if is_scs { policy::scs(&mut manifest) } else { Ok(()) };
        match taken {
            Ok(()) => manifests.push(manifest),
            Err(error) => {
                failed(&error.at(&*report.path).into());
                outcomes.push(Outcome::Unfit);
            }
        }
    }
    match format.write(&manifests) {
        Ok(written) => {
            noted(&written.notes)?;
            print(&escape_lines(&written.text))?;
        }
        Err(error) => return Ok(failed(&error.into())),
    }
    Ok(ExitCode::from(exit_code(outcomes)))
}

impl Args {
    /// What the command line says; refuses what is known to be missing before an image is read.
    fn policy(
        &self,
        configured: &BTreeMap<&'static str, String>,
        format: &Format,
        is_scs: bool,
    ) -> Result<Policy, Usage> {
        let mut policy = Policy::default();
        for (key, value) in configured {
            policy.set(key, value).map_err(|error| Usage(format!("[policy] {key}: {error}")))?;
        }
        for text in &self.policy {
            let (key, value) =
                text.split_once('=').ok_or_else(|| Usage(format!("--policy {text}: KEY=VALUE is expected")))?;
            policy.set(key, value).map_err(|error| {
                let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
                Usage(format!("--policy {text}: {error}{help}"))
            })?;
        }
        let scs = if is_scs { policy.missing() } else { Vec::new() };
        let own = format.demands.iter().copied().filter(|key| policy.get(key).is_none() && !scs.contains(key));
        let missing: Vec<&str> = scs.iter().copied().chain(own).collect();
        if missing.is_empty() {
            return Ok(policy);
        }
        let takes = |key: &str| {
            policy::FIELDS.iter().find(|field| field.key == key).map_or(String::new(), |field| field.rule.takes())
        };
        let rows: Vec<String> = missing.iter().map(|key| format!("; --policy {key}=VALUE ({})", takes(key))).collect();
        let who = if is_scs { "--set scs (SCS-0102)".to_owned() } else { format!("--format {}", self.format) };
        Err(Usage(format!("{who} demands what no image shows: {}{}", missing.join(", "), rows.concat())))
    }

    fn manifest<'a>(&'a self, report: &'a Report, policy: &'a Policy, digest: Option<&'a str>) -> Manifest<'a> {
        let guest = report.guest.as_ref();
        let image = guest.and_then(|guest| guest.image.known()).filter(|image| image.format != "directory");
        let os = guest.and_then(|guest| guest.os.known());
        let titled = os.and_then(|os| os.pretty_name.as_deref()).or_else(|| os.map(|os| os.id.as_str()));
        let mut manifest = Manifest {
            file: image.map(|image| image.path.as_str()),
            size: image.and_then(|image| image.file_size.known().copied().flatten()),
            sha512: digest,
            name: self.name.as_deref().or(titled).unwrap_or("image"),
            disk_format: image.map(|image| image.format.as_str()),
            min_disk: None,
            min_ram: None,
            properties: Vec::new(),
            withheld: &report.withheld,
        }
        .with(&report.earned);
        // Wherever SCS-0102's values are given the login user is one of them.
        let login = guest.filter(|_| !policy.is_empty()).and_then(|guest| login(guest).ok());
        let login = login.map(|value| Property { key: LOGIN, value, evidence: Some(&[]) });
        manifest.properties.extend(login);
        policy.fill(&mut manifest);
        manifest
    }

    /// The digest of the image's file, where the manifest has a place for it and says where the file comes from.
    fn digest(&self, index: usize, format: &Format, policy: &Policy) -> Result<Option<String>> {
        let is_placed = ["image_source", "image_build_date"].iter().all(|key| policy.get(key).is_some());
        match self.images.paths().get(index) {
            Some(path) if format.is_digest_read && is_placed => digest(path, self.images.quiet),
            _ => Ok(None),
        }
    }
}

/// Reads the whole file, with a bar on a terminal.
fn digest(path: &Path, is_quiet: bool) -> Result<Option<String>> {
    let (mut file, kind) = images::open(path)?;
    if kind != crate::worker::Kind::Image {
        return Ok(None);
    }
    let size = file.metadata().map_err(|error| Error::io("cannot look at it", error).at(images::shown(path)))?.len();
    let bar = if is_quiet { ProgressBar::hidden() } else { ProgressBar::new(size) };
    bar.set_prefix("sha512");
    let digest = sha512(&mut file, &|bytes| bar.inc(bytes)).map_err(|error| error.at(images::shown(path)));
    bar.finish_and_clear();
    digest.map(Some)
}

/// SCS-0102's login user.
const LOGIN: &str = "image_original_user";

/// Who cloud-init's users module makes, or why nobody can be named: other ways to a login are not guessed at.
fn login(guest: &Guest) -> std::result::Result<&str, String> {
    let unknown = |gap: &Gap| format!("whom cloud-init makes is not known: {}", gap.reason);
    let cloud_init = fact(&guest.cloud_init).map_err(unknown)?;
    let makes_users = fact(&cloud_init.modules).map_err(unknown)?.iter().any(|module| module == "users_groups");
    let user = fact(&cloud_init.default_user).map_err(unknown)?.as_deref();
    user.filter(|_| makes_users).ok_or_else(|| "cloud-init makes no default user".to_owned())
}

fn fact<T>(fact: &Fact<T>) -> std::result::Result<&T, &Gap> {
    match fact {
        Fact::Known(value) => Ok(value),
        Fact::Unknown(gap) => Err(gap),
    }
}

/// Says why nobody stands there as the login user, where the publisher does not say it either.
fn nobody(report: &Report, policy: &Policy) -> std::io::Result<()> {
    let is_asked = !policy.is_empty() && policy.get(LOGIN).is_none();
    let reason = report.guest.as_ref().filter(|_| is_asked).and_then(|guest| login(guest).err());
    let said = reason
        .map(|reason| format!("{}: {LOGIN} is left out: {reason}; --policy {LOGIN}=VALUE names one", report.path));
    noted(said.as_slice())
}

fn noted(notes: &[String]) -> std::io::Result<()> {
    use std::io::Write as _;
    notes.iter().try_for_each(|note| writeln!(std::io::stderr(), "note: {}", escape(note)))
}

/// Says of each property that `--with` asks for why it is not there.
fn demanded(report: &Report) -> std::io::Result<()> {
    use std::io::Write as _;
    let finding = report.checks.iter().find(|finding| finding.id == DEMAND.id && finding.verdict != Word::Pass);
    for evidence in finding.iter().flat_map(|finding| &finding.evidence) {
        let (path, found) = (escape(&report.path), escape(&evidence.found));
        writeln!(std::io::stderr(), "error: {path}: {}: {found}", DEMAND.broken)?;
        if let Some(fix) = &evidence.fix {
            writeln!(std::io::stderr(), "  = help: {}", escape(fix))?;
        }
    }
    Ok(())
}

/// Says which exceptions count no more: they may be why the run fails.
fn expired(report: &Report) -> std::io::Result<()> {
    use std::io::Write as _;
    for remark in report.remarks.iter().filter(|remark| remark.severity >= Severity::Warning) {
        let (place, check, text) = (escape(&remark.place), escape(&remark.check), escape(&remark.text));
        writeln!(std::io::stderr(), "warning: {place}: {check}: {}: {text}", remark.title)?;
        writeln!(std::io::stderr(), "  = help: {}", remark.fix)?;
    }
    Ok(())
}

fn undecided(name: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let name = escape(name);
    writeln!(std::io::stderr(), "error: {name}: a check that counts could not be judged, so no property is printed")?;
    writeln!(std::io::stderr(), "  = help: `bootworthy check {name}` says which, and why")
}
