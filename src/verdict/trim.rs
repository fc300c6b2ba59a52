//! What fstrim.timer trims: the command of fstrim.service, and the file systems that it covers (`sys-utils/fstrim.c`).

use super::unit::{self, Start};
use super::{Evidence, Lookup, View};
use crate::fact::Gap;
use crate::guest::getopt::{self, Opt, Takes, opt};
use crate::guest::{Mount, Unit, command};

/// The timer, if it starts: proof, and what each of its commands trims.
#[derive(Debug)]
pub(super) enum Timer {
    /// It starts fstrim with these commands.
    Trims(Evidence, Vec<Trim>),
    /// It does not; says why.
    Idle(Evidence),
}

/// One `fstrim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trim {
    scope: Scope,
    types: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    /// The file systems of the first of these files that is not empty.
    Listed(Vec<String>),
    /// One mount point.
    Target(String),
}

/// A mounted file system.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mounted<'m> {
    /// Where.
    pub(super) target: &'m str,
    /// Its type.
    pub(super) kind: &'m str,
    /// Its row in fstab.
    pub(super) row: Option<&'m Mount>,
}

const FSTAB: &str = "/etc/fstab";
const MOUNTINFO: &str = "/proc/self/mountinfo";

const OPTIONS: &[Opt] = &[
    opt('a', &["all"], Takes::Nothing),
    opt('A', &["fstab"], Takes::Nothing),
    opt('I', &["listed-in"], Takes::Value),
    opt('h', &["help"], Takes::Nothing),
    opt('V', &["version"], Takes::Nothing),
    opt('o', &["offset"], Takes::Value),
    opt('l', &["length"], Takes::Value),
    opt('m', &["minimum"], Takes::Value),
    opt('t', &["types"], Takes::Value),
    opt('v', &["verbose"], Takes::Nothing),
    Opt { code: 'q', is_short: false, long: &["quiet-unsupported"], takes: Takes::Nothing },
    opt('n', &["dry-run"], Takes::Nothing),
];

/// What fstrim.timer does; `None` keeps the gaps.
pub(super) fn timer(view: &View<'_>) -> Option<Timer> {
    let proof = match unit::starts(view, &["fstrim.timer"])? {
        Start::No(why) => return Some(Timer::Idle(why)),
        Start::Yes(proof) => proof,
    };
    let Lookup::There(service) = unit::find(view, "fstrim.service")? else {
        return Some(Timer::Idle(Evidence::of("fstrim.timer starts, and there is no fstrim.service")));
    };
    let path = service.path.known().cloned().flatten().unwrap_or_default();
    if view.need(&service.state)?.starts_with("masked") {
        return Some(Timer::Idle(Evidence::at(path, "fstrim.timer starts, and fstrim.service is masked")));
    }
    if let Some(setting) = view.need(&service.refused)? {
        let found =
            format!("fstrim.timer starts, but {}={} keeps fstrim.service from running", setting.key, setting.value);
        return Some(Timer::Idle(Evidence::at(setting.path.clone(), found).line(setting.line)));
    }
    if let Err(why) = idle(view)? {
        return Some(Timer::Idle(why));
    }
    if matches!((service.settings.known(), service.environment.known()), (Some(None), _) | (_, Some(None))) {
        view.miss(Gap::at(path, "the settings of fstrim.service were not collected"));
        return None;
    }
    match commands(view, service)? {
        Ok(trims) => Some(Timer::Trims(proof, trims)),
        Err(reason) => {
            view.miss(Gap::at(path, reason));
            None
        }
    }
}

/// Why the timer starts no fstrim.service though it runs itself: no time is set, or it starts another unit
/// (`man 5 systemd.timer`). `None` keeps the gaps.
fn idle(view: &View<'_>) -> Option<Result<(), Evidence>> {
    let Lookup::There(timer) = unit::find(view, "fstrim.timer")? else { return Some(Ok(())) };
    let Some(settings) = view.need(&timer.settings)? else { return Some(Ok(())) };
    let items = view.all(settings).iter().filter(|setting| setting.section == "Timer");
    let (mut times, mut last, mut other) = (0_usize, None, None);
    for setting in items {
        match (setting.key.as_str(), setting.value.as_str()) {
            // An empty one of any kind resets them all.
            (key, "") if key.starts_with("On") => (times, last) = (0, Some(setting)),
            (key, _) if key.starts_with("On") => times = times.saturating_add(1),
            ("Unit", "" | "fstrim.service") => other = None,
            ("Unit", _) => other = Some(setting),
            _ => {}
        }
    }
    let why = other.or(last.filter(|_| times == 0)).map(|setting| {
        let found = format!("fstrim.timer has {}={}: it does not start fstrim.service", setting.key, setting.value);
        Evidence::at(setting.path.clone(), found).line(setting.line)
    });
    Some(why.map_or(Ok(()), Err))
}

fn commands(view: &View<'_>, service: &Unit) -> Option<Result<Vec<Trim>, String>> {
    let starts = unit::settings(view, service, "Service", "ExecStart")?;
    let variables = view.all(view.need(&service.environment)?.as_ref()?);
    let variable = |name: &str| unit::variable(variables, name).map(|found| found.value.clone());
    let mut trims = Vec::new();
    for start in starts {
        let commands = match command::parse(&start.value, &variable) {
            Ok(commands) => commands,
            Err(reason) => return Some(Err(format!("ExecStart={}: {reason}", start.value))),
        };
        for command in commands {
            if command.program.rsplit('/').next() != Some("fstrim") {
                return Some(Err(format!("what {} trims is not known", command.program)));
            }
            trims.extend(trim(&command.words));
        }
    }
    Some(Ok(trims))
}

/// What one command line trims; `None` where it only prints, refuses its options or leaves a part out.
fn trim(words: &[String]) -> Option<Trim> {
    let parsed = getopt::parse(words, OPTIONS).ok()?;
    let has = |wanted: &str| parsed.options.iter().any(|(code, _)| wanted.contains(*code));
    if has("hVnol") {
        return None;
    }
    let value = |wanted: char| {
        let found = parsed.options.iter().rev().find(|(code, _)| *code == wanted);
        found.and_then(|(_, value)| value.clone())
    };
    let files = value('I').map(|files| files.split(':').filter(|f| !f.is_empty()).map(str::to_owned).collect());
    let scope = match (has("a"), has("A"), files, parsed.operands.as_slice()) {
        (true, false, None, []) => Scope::Listed(vec![MOUNTINFO.to_owned()]),
        (false, true, None, []) => Scope::Listed(vec![FSTAB.to_owned()]),
        (false, false, Some(files), []) => Scope::Listed(files),
        (false, false, None, [target]) => Scope::Target(target.clone()),
        _ => return None,
    };
    Some(Trim { scope, types: value('t') })
}

impl Trim {
    /// Whether it reaches a file system; `is_listed` says whether fstab has any row. `Err` says what is not known.
    pub(super) fn covers(&self, mounted: Mounted<'_>, has_rows: bool) -> Result<bool, String> {
        if !self.types.as_deref().is_none_or(|types| is_of_type(types, mounted.kind)) {
            return Ok(false);
        }
        let files = match &self.scope {
            Scope::Target(target) => return Ok(target == mounted.target),
            Scope::Listed(files) => files,
        };
        let options = mounted.row.map(|row| row.options.as_slice()).unwrap_or_default();
        let is_readonly =
            options.iter().rfind(|option| matches!(option.as_str(), "ro" | "rw")).is_some_and(|o| o == "ro");
        for file in files {
            match file.as_str() {
                FSTAB if !has_rows => {}
                // fstrim adds the root to a fstab that has rows, and skips what asks for it.
                FSTAB => {
                    let is_skipped = options.iter().any(|option| option == "X-fstrim.notrim");
                    return Ok((mounted.row.is_some() || mounted.target == "/") && !is_readonly && !is_skipped);
                }
                MOUNTINFO => return Ok(!is_readonly),
                other => return Err(format!("whether {other} lists {} is not known", mounted.target)),
            }
        }
        Ok(false)
    }
}

/// `mnt_match_fstype`: a list of types, all of them excluded where it begins with `no`.
fn is_of_type(types: &str, kind: &str) -> bool {
    let (list, is_listed) = types.strip_prefix("no").map_or((types, true), |list| (list, false));
    list.split(',').any(|name| name == kind) == is_listed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(target: &str, options: &[&str]) -> Mount {
        serde_json::from_value(serde_json::json!({"line": 1, "text": "", "spec": "UUID=1", "target": target,
            "fstype": "xfs", "options": options, "freq": 0, "passno": 0}))
        .unwrap()
    }

    #[test]
    fn what_a_command_covers() {
        let plain = mount("/data", &["defaults"]);
        let readonly = mount("/data", &["rw", "ro"]);
        let skipped = mount("/data", &["X-fstrim.notrim"]);
        let list = "--listed-in /etc/fstab:/proc/self/mountinfo --verbose --quiet-unsupported";
        for (line, row, has_rows, expected) in [
            (list, Some(&plain), true, Ok(true)),
            (list, None, true, Ok(false)),
            (list, None, false, Ok(true)),
            (list, Some(&readonly), true, Ok(false)),
            (list, Some(&skipped), true, Ok(false)),
            ("-Av", Some(&plain), true, Ok(true)),
            ("--fstab --verbose --quiet", None, true, Ok(false)),
            ("--fstab", None, false, Ok(false)),
            ("-a", None, false, Ok(true)),
            ("-av", Some(&skipped), true, Ok(true)),
            ("-I /proc/self/mountinfo", None, true, Ok(true)),
            ("-I /etc/other", None, true, Err(())),
            ("-t xfs,ext4 -a", None, true, Ok(true)),
            ("-a -t noxfs", None, true, Ok(false)),
            ("-t ext4 -a", None, true, Ok(false)),
            ("/data", None, true, Ok(true)),
            ("-v /srv", None, true, Ok(false)),
            ("-n -a", None, true, Ok(false)),
            ("-a -A", Some(&plain), true, Ok(false)),
            ("-a /data", None, true, Ok(false)),
            ("-l 1G -a", None, true, Ok(false)),
            ("--nope -a", None, true, Ok(false)),
            ("", None, true, Ok(false)),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let mounted = Mounted { target: "/data", kind: "xfs", row };
            let covers = trim(&words).map_or(Ok(false), |trim| trim.covers(mounted, has_rows));
            assert_eq!(covers.map_err(drop), expected, "{line} {row:?} {has_rows}");
        }
        let words = ["--fstab".to_owned()];
        let root = Mounted { target: "/", kind: "xfs", row: None };
        assert_eq!(trim(&words).unwrap().covers(root, true), Ok(true), "fstrim adds the root");
    }
}
