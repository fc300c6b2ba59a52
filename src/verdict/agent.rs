//! The guest agent as its units run it: command line, environment and configuration file together.

use super::{Evidence, FactName, Lookup, View, defaults, unit};
use crate::fact::{Gap, Listing};
use crate::guest::agent::{CONFIG, CommandLine, Configuration};
use crate::guest::{Assignment, ConfigFile, Setting, Unit, command};

/// The facts that [`running`] looks at.
pub(super) const READS: &[FactName] = &[FactName::Units, FactName::Agent];

/// One unit that runs qemu-ga.
#[derive(Debug)]
pub(super) struct Running<'a> {
    /// Its `ExecStart=`.
    pub(super) start: &'a Setting,
    /// Its variables.
    variables: &'a [Assignment],
    /// Its configuration file.
    file: String,
    /// What it does, or why it ends instead.
    pub(super) configuration: Result<Configuration, String>,
}

/// Every unit that runs qemu-ga and is not masked; `None` keeps the gaps.
pub(super) fn running<'a>(view: &View<'a>) -> Option<Vec<Running<'a>>> {
    let units = view.all(view.units()?);
    let units = units.iter().filter(|unit| is_agent(&unit.name));
    let runs: Vec<Option<Vec<Running<'a>>>> = units.map(|unit| run_of(view, unit)).collect();
    let runs: Option<Vec<Vec<Running<'a>>>> = runs.into_iter().collect();
    Some(runs?.into_iter().flatten().collect())
}

/// Debian's and RHEL's service; SUSE's template and its instances.
fn is_agent(name: &str) -> bool {
    let Some(name) = name.strip_suffix(".service") else { return false };
    let name = name.split_once('@').map_or(name, |(template, _)| template);
    matches!(name, "qemu-guest-agent" | "qemu-ga")
}

/// What one unit runs: nothing, where it is masked or only another name.
fn run_of<'a>(view: &View<'a>, unit: &'a Unit) -> Option<Vec<Running<'a>>> {
    let state = view.need(&unit.state)?;
    // A mask of /run is gone at the next boot.
    if state == "masked" || state == "alias" {
        return Some(Vec::new());
    }
    let miss = |reason: String| {
        view.miss(Gap::at(unit.path.known().cloned().flatten().unwrap_or_default(), reason));
        None
    };
    if matches!((unit.settings.known(), unit.environment.known()), (Some(None), _) | (_, Some(None))) {
        return miss(format!("the settings of {} were not collected", unit.name));
    }
    let starts = unit::settings(view, unit, "Service", "ExecStart")?;
    let variables = view.all(view.need(&unit.environment)?.as_ref()?);
    let variable = |name: &str| unit::variable(variables, name).map(|found| found.value.clone());
    let mut found = None;
    for start in starts {
        let commands = match command::parse(&start.value, &variable) {
            Ok(commands) => commands,
            Err(reason) => return miss(format!("ExecStart={}: {reason}", start.value)),
        };
        let is_agent = |program: &str| program.rsplit('/').next() == Some("qemu-ga");
        found = found.or(commands.into_iter().find(|command| is_agent(&command.program)).map(|found| (start, found)));
    }
    let Some((start, command)) = found else { return miss(format!("what {} starts is not qemu-ga", unit.name)) };
    let line = CommandLine::parse(&command.words);
    let named = line.as_ref().ok().and_then(|line| line.config.clone());
    let file = named.clone().or_else(|| variable("QGA_CONF")).unwrap_or_else(|| CONFIG.to_owned());
    let configuration = match line {
        Err(reason) => Err(reason),
        Ok(line) => match config(view, &file)? {
            Lookup::Absent if named.is_some() => Err(format!("its configuration {file} is not there")),
            Lookup::Absent => Configuration::new(&[], &line),
            Lookup::There(settings) => Configuration::new(view.all(settings), &line),
        },
    };
    let kind = unit::service_type(view, unit)?;
    let configuration = configuration.and_then(|it| match (kind, it.is_daemon) {
        ("simple" | "exec" | "idle", false) | ("forking", true) => Ok(it),
        (_, true) => Err(format!("it goes to the background, and systemd ends what a service of Type={kind} leaves")),
        (_, false) => Err(format!("it stays in the foreground, where Type={kind} does not take it for started")),
    });
    Some(vec![Running { start, variables, file, configuration }])
}

/// The settings of a configuration file; `None` keeps the gap.
fn config<'a>(view: &View<'a>, path: &str) -> Option<Lookup<'a, Listing<Setting>>> {
    file_of(view, view.need(&view.agent()?.configs)?, path)
}

/// The settings of one of `files`; `None` keeps the gap.
pub(super) fn file_of<'a>(
    view: &View<'a>,
    files: &'a Listing<ConfigFile>,
    path: &str,
) -> Option<Lookup<'a, Listing<Setting>>> {
    match view.find(files, |file| file.path == path)? {
        Lookup::There(file) => Some(view.need(&file.settings)?.as_ref().map_or(Lookup::Absent, Lookup::There)),
        Lookup::Absent => {
            view.miss(Gap::at(path, "nothing was collected about this file"));
            None
        }
    }
}

impl Running<'_> {
    /// Where `rpc` is refused, in the file, the variable or the unit that says so.
    pub(super) fn refusal(&self, rpc: &str) -> Option<Evidence> {
        let place = |path: &str, line, found: String| Evidence::at(path, found).line(line);
        let configuration = match &self.configuration {
            Ok(configuration) => configuration,
            Err(reason) => {
                return Some(place(&self.start.path, self.start.line, format!("qemu-ga does not serve: {reason}")));
            }
        };
        let refused = configuration.refuses(rpc)?;
        let verb = if refused.name == rpc { "blocks" } else { "does not list" };
        if let Some(line) = refused.line {
            return Some(place(&self.file, line, format!("the configuration {verb} {rpc}")));
        }
        let is_said = |variable: &&Assignment| variable.value.contains(&refused.name);
        Some(match self.variables.iter().rfind(is_said) {
            Some(variable) => {
                place(&variable.path, variable.line, format!("the variable {} {verb} {rpc}", variable.name))
            }
            None => place(&self.start.path, self.start.line, format!("the command line {verb} {rpc}")),
        })
    }
}

/// Where `SELinux` is enforcing, which keeps the agent from freezing what its policy does not name; `None` where it is not,
/// or keeps the gaps.
pub(super) fn enforcing(view: &View<'_>) -> Option<Evidence> {
    let selinux = view.selinux()?.as_ref()?;
    if selinux.mode != "enforcing" || view.need(&selinux.has_policy) == Some(&false) {
        return None;
    }
    // `security/selinux/hooks.c`: enforcing=0 starts permissive, but the policy's loader sets what the file says.
    let words = defaults::values(view, "selinux")?;
    if !words.is_empty() && words.iter().all(|word| word.value.as_deref() == Some("0")) {
        return None;
    }
    let found = "SELinux is enforcing: whether the agent may freeze every file system depends on its policy";
    Some(Evidence::at("/etc/selinux/config", found).line(selinux.line))
}
