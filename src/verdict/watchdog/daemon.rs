//! The watchdog daemon: its unit, its command, its configuration.

use super::Feeder;
use crate::fact::Gap;
use crate::guest::getopt::{self, Opt, Takes, opt};
use crate::guest::watchdog::{CONFIG, DEVICE};
use crate::guest::{Assignment, Setting, Unit, command};
use crate::verdict::unit::{self, Start};
use crate::verdict::{Evidence, Lookup, View, agent};

/// The daemon's units, the one that also tests first.
pub(in crate::verdict) const UNITS: &[&str] = &["watchdog.service", "wd_keepalive.service"];

/// The watchdog daemon, or its little brother that only feeds; `None` keeps the gaps.
pub(in crate::verdict) fn daemon(view: &View<'_>) -> Option<Feeder> {
    let full = daemon_of(view, "watchdog.service")?;
    if matches!(full, Feeder::Feeds(..)) {
        return Some(full);
    }
    match daemon_of(view, "wd_keepalive.service")? {
        Feeder::Idle(_) => Some(full),
        feeds @ Feeder::Feeds(..) => Some(feeds),
    }
}

fn daemon_of(view: &View<'_>, name: &str) -> Option<Feeder> {
    if let Start::No(why) = unit::starts(view, &[name])? {
        return Some(Feeder::Idle(why));
    }
    let Lookup::There(unit) = unit::find(view, name)? else { return None };
    let path = unit.path.known().cloned().flatten().unwrap_or_default();
    if matches!((unit.settings.known(), unit.environment.known()), (Some(None), _) | (_, Some(None))) {
        view.miss(Gap::at(path, format!("the settings of {name} were not collected")));
        return None;
    }
    match invoked(view, unit) {
        Ok(Some((start, words))) => match stays(view, unit, start, &words)? {
            Ok(()) => feeds(view, start, &words),
            Err(why) => Some(Feeder::Idle(why)),
        },
        Ok(None) => None,
        Err(Refusal::Idle(why)) => Some(Feeder::Idle(*why)),
        Err(Refusal::Unknown(reason)) => {
            view.miss(Gap::at(path, format!("{name}: {reason}")));
            None
        }
    }
}

/// What ends the daemon though its command is right: it goes to the background, but with `-F`. `None` keeps the gaps.
fn stays(view: &View<'_>, unit: &Unit, start: &Setting, words: &[String]) -> Option<Result<(), Evidence>> {
    let kind = unit::service_type(view, unit)?;
    let is_foreground =
        getopt::parse(words, OPTIONS).is_ok_and(|parsed| parsed.options.iter().any(|(code, _)| *code == 'F'));
    let is_right = if is_foreground { matches!(kind, "simple" | "exec" | "idle") } else { kind == "forking" };
    let found = format!("systemd ends the daemon: Type={kind}, and it goes to the background only without -F");
    Some(if is_right { Ok(()) } else { Err(Evidence::at(start.path.clone(), found).line(start.line)) })
}

/// Why a unit's command does not come to run the daemon.
enum Refusal {
    Idle(Box<Evidence>),
    Unknown(String),
}

/// The `ExecStart=` that runs the daemon, and its arguments.
fn invoked<'a>(view: &View<'a>, unit: &'a Unit) -> Result<Option<(&'a Setting, Vec<String>)>, Refusal> {
    let Some(starts) = unit::settings(view, unit, "Service", "ExecStart") else { return Ok(None) };
    let Some(variables) = view.need(&unit.environment).and_then(Option::as_ref) else { return Ok(None) };
    let variables = view.all(variables);
    let variable = |name: &str| unit::variable(variables, name).map(|found| found.value.clone());
    for start in starts {
        for command in command::parse(&start.value, &variable).map_err(Refusal::Unknown)? {
            match (command.program.rsplit('/').next().unwrap_or_default(), command.words.as_slice()) {
                ("watchdog" | "wd_keepalive", _) => return Ok(Some((start, command.words))),
                ("sh" | "dash" | "bash", [flag, script, ..]) if flag == "-c" => {
                    return Ok(Some((start, guarded(script, variables)?)));
                }
                _ => {}
            }
        }
    }
    Err(Refusal::Unknown("what it starts is not the watchdog daemon".to_owned()))
}

/// Debian's `[ $run_watchdog != 1 ] || exec /usr/sbin/watchdog $watchdog_options`.
fn guarded(script: &str, variables: &[Assignment]) -> Result<Vec<String>, Refusal> {
    let unknown = || Refusal::Unknown(format!("the script {script} is not evaluated"));
    let (guard, run) = script.split_once("||").ok_or_else(unknown)?;
    let guard: Vec<&str> = guard.split_whitespace().collect();
    let ["[", name, "!=", wanted, "]"] = guard.as_slice() else { return Err(unknown()) };
    let guard = unit::variable(variables, name.strip_prefix('$').ok_or_else(unknown)?);
    // Without a value `[` is wrong, which `||` takes like false.
    if let Some(guard) = guard.filter(|guard| !guard.value.is_empty() && guard.value != *wanted) {
        if guard.value.contains(char::is_whitespace) {
            return Err(unknown());
        }
        let found = format!("{}={}: the daemon is not run", guard.name, guard.value);
        let expected = format!("{}={wanted}", guard.name);
        let evidence = Evidence::at(guard.path.clone(), found).line(guard.line);
        return Err(Refusal::Idle(Box::new(evidence.expected(expected.clone()).mend(expected))));
    }
    let mut words = run.split_whitespace().skip_while(|word| *word == "exec");
    if !words.next().is_some_and(|program| matches!(program.rsplit('/').next(), Some("watchdog" | "wd_keepalive"))) {
        return Err(unknown());
    }
    let mut arguments = Vec::new();
    for word in words {
        match word.strip_prefix('$') {
            Some(name) => {
                let value = unit::variable(variables, name).map(|found| found.value.as_str()).unwrap_or_default();
                arguments.extend(value.split_whitespace().map(str::to_owned));
            }
            None => arguments.push(word.to_owned()),
        }
    }
    let is_plain = |word: &String| !word.contains(['$', '`', '"', '\'', '\\', ';', '&', '|', '<', '>', '*', '?', '(']);
    if arguments.iter().all(is_plain) { Ok(arguments) } else { Err(unknown()) }
}

/// `src/watchdog.c`; `-n` and its like are of older versions, and end the daemon with its usage.
const OPTIONS: &[Opt] = &[
    opt('c', &["config-file"], Takes::Value),
    opt('F', &["foreground"], Takes::Nothing),
    opt('f', &["force"], Takes::Nothing),
    opt('s', &["sync"], Takes::Nothing),
    opt('q', &["no-action"], Takes::Nothing),
    opt('v', &["verbose"], Takes::Nothing),
    opt('b', &["softboot"], Takes::Nothing),
    opt('X', &["loop-exit"], Takes::Value),
];

/// Whether the daemon feeds a device with these arguments (`read_config`, `check_parameters`, `open_watchdog`).
fn feeds(view: &View<'_>, start: &Setting, words: &[String]) -> Option<Feeder> {
    let idle = |found: String| Some(Feeder::Idle(Evidence::at(start.path.clone(), found).line(start.line)));
    let options = match getopt::parse(words, OPTIONS) {
        Ok(parsed) => parsed.options,
        Err(refused) => return idle(format!("the daemon ends with its usage: {refused}")),
    };
    if let Some((code, _)) = options.iter().find(|(code, _)| matches!(code, 'q' | 'X')) {
        return idle(format!("with -{code} the daemon does not keep the device open"));
    }
    let named = options.iter().rev().find(|(code, _)| *code == 'c').and_then(|(_, value)| value.clone());
    let path = named.unwrap_or_else(|| CONFIG.to_owned());
    let watchdog = view.watchdog()?;
    let Lookup::There(settings) = agent::file_of(view, view.need(&watchdog.configs)?, &path)? else {
        return Some(Feeder::Idle(Evidence::at(path, "this file is not there: the daemon ends without it")));
    };
    let settings = view.all(settings);
    let last = |key: &str| settings.iter().rfind(|setting| setting.key == key);
    let is_forced = options.iter().any(|(code, _)| *code == 'f');
    if let Some(evidence) = impossible(settings, is_forced) {
        return Some(Feeder::Idle(evidence));
    }
    if let Some(device) = last(DEVICE).filter(|device| !device.value.is_empty()) {
        let found = format!("the watchdog daemon feeds {}", device.value);
        return Some(Feeder::Feeds(device.value.clone(), Evidence::at(path, found).line(device.line)));
    }
    let expected = format!("{DEVICE} = /dev/watchdog");
    let comments = view.need(&watchdog.comments)?;
    let evidence = match (last(DEVICE), view.all(comments).iter().find(|comment| comment.path == path)) {
        (Some(blank), _) => Evidence::at(path, format!("{DEVICE} is empty: the daemon feeds nothing")).line(blank.line),
        (None, Some(comment)) => {
            let found = format!("#{DEVICE} = {} is a comment: the daemon feeds nothing", comment.value);
            Evidence::at(path, found).line(comment.line)
        }
        (None, None) => Evidence::at(path, format!("{DEVICE} is not set: the daemon feeds nothing")),
    };
    Some(Feeder::Idle(evidence.expected(expected.clone()).mend(expected)))
}

/// Settings with which the daemon ends: `interval` not above 0, or not two seconds below `watchdog-timeout`; a limit of
/// the load below 2.
fn impossible(settings: &[Setting], is_forced: bool) -> Option<Evidence> {
    let number = |key: &str| {
        let is_number = |setting: &&Setting| setting.key == key && setting.value.starts_with(is_of_number);
        settings.iter().rfind(is_number).map(|setting| (setting, leading(&setting.value)))
    };
    let end = |setting: &Setting| {
        let found = format!("{} = {}: the daemon ends instead of running", setting.key, setting.value);
        Some(Evidence::at(setting.path.clone(), found).line(setting.line))
    };
    let (interval, timeout) = (number("interval"), number("watchdog-timeout"));
    let seconds = interval.map_or(1, |(_, seconds)| seconds);
    let limit = timeout.map_or(60, |(_, limit)| limit);
    match (interval, timeout, number("max-load-1")) {
        (Some((setting, seconds)), _, _) if seconds <= 0 => end(setting),
        (_, Some((setting, _)), _) | (Some((setting, _)), _, _) if !is_forced && seconds >= limit.saturating_sub(1) => {
            end(setting)
        }
        (_, _, Some((setting, 1))) if !is_forced => end(setting),
        _ => None,
    }
}

/// `is_number` of `src/read-conf.c`.
fn is_of_number(character: char) -> bool {
    character.is_ascii_digit() || matches!(character, '-' | '+')
}

/// `atoi`.
fn leading(text: &str) -> i64 {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let number = digits.parse::<i64>().unwrap_or(0);
    if text.starts_with('-') { number.saturating_neg() } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_the_daemon_takes_them() {
        for (text, expected) in [("15", 15), ("15s", 15), ("-3", -3), ("+4 # x", 4), ("", 0), ("-", 0)] {
            assert_eq!(leading(text), expected, "{text}");
        }
        let setting = |key: &str, value: &str| Setting {
            section: String::new(),
            key: key.to_owned(),
            value: value.to_owned(),
            path: CONFIG.to_owned(),
            line: 1,
        };
        for (rows, is_forced, ends) in [
            (vec![], false, false),
            (vec![("interval", "58")], false, false),
            (vec![("interval", "59")], false, true),
            (vec![("interval", "59")], true, false),
            (vec![("interval", "0")], true, true),
            (vec![("interval", "x")], false, false),
            (vec![("watchdog-timeout", "2")], false, true),
            (vec![("watchdog-timeout", "3")], false, false),
            (vec![("interval", "10"), ("watchdog-timeout", "15")], false, false),
            (vec![("interval", "70"), ("interval", "1")], false, false),
            (vec![("max-load-1", "1")], false, true),
            (vec![("max-load-1", "24")], false, false),
        ] {
            let settings: Vec<Setting> = rows.iter().map(|(key, value)| setting(key, value)).collect();
            assert_eq!(impossible(&settings, is_forced).is_some(), ends, "{rows:?} {is_forced}");
        }
    }

    #[test]
    fn scripts_that_guard_the_daemon() {
        let variables = |run: &str, options: &str| -> Vec<Assignment> {
            let row = |name: &str, value: &str| Assignment {
                name: name.to_owned(),
                value: value.to_owned(),
                path: "/etc/default/watchdog".to_owned(),
                line: 1,
            };
            vec![row("run_watchdog", "0"), row("run_watchdog", run), row("watchdog_options", options)]
        };
        let script = "[ $run_watchdog != 1 ] || exec /usr/sbin/watchdog $watchdog_options";
        for (script, run, options, expected) in [
            (script, "1", "", Ok(vec![])),
            (script, "1", "-v -c /etc/w.conf", Ok(vec!["-v", "-c", "/etc/w.conf"])),
            (script, "", "", Ok(vec![])),
            (script, "0", "", Err("run_watchdog=0: the daemon is not run")),
            (script, "1", "`id`", Err("")),
            ("exec /usr/sbin/watchdog", "1", "", Err("")),
            ("[ $run_watchdog = 0 ] || exec /usr/sbin/watchdog", "1", "", Err("")),
            ("[ $run_watchdog != 1 ] || exec /usr/bin/other", "1", "", Err("")),
        ] {
            let found = guarded(script, &variables(run, options)).map_err(|refusal| match refusal {
                Refusal::Idle(evidence) => evidence.found,
                Refusal::Unknown(_) => String::new(),
            });
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found, expected.map_err(str::to_owned), "{script} {run} {options}");
        }
    }
}
