//! The watchdog daemon: its unit, its command, its configuration.

use super::Feeder;
use super::command::{Refusal, fails_after, invoked};
use crate::fact::Gap;
use crate::guest::getopt::{self, Opt, Takes, opt};
use crate::guest::watchdog::{CONFIG, DEVICE};
use crate::guest::{Setting, Unit};
use crate::verdict::unit::{self, Start};
use crate::verdict::{Evidence, Lookup, View, agent};

/// The daemon's units, the one that also tests first.
pub(in crate::verdict) const UNITS: &[&str] = &[FULL, LITTLE];
const FULL: &str = "watchdog.service";
const LITTLE: &str = "wd_keepalive.service";

/// What becomes of a unit's daemon.
enum Fate {
    /// It opens this device.
    Feeds(String, Evidence),
    /// It is not started, or runs without a device.
    Idle(Evidence),
    /// It ends with an error, or its unit does in its stead.
    Fails(Evidence),
}

/// The watchdog daemon, or its little brother that only feeds; `None` keeps the gaps.
pub(in crate::verdict) fn daemon(view: &View<'_>) -> Option<Feeder> {
    let (why, has_failed) = match started(view, FULL)? {
        Fate::Feeds(device, evidence) => return Some(Feeder::Feeds(device, evidence)),
        Fate::Idle(why) => (why, false),
        Fate::Fails(why) => (why, true),
    };
    if let Fate::Feeds(device, evidence) = started(view, LITTLE)? {
        return Some(Feeder::Feeds(device, evidence));
    }
    // Debian's and Ubuntu's unit has OnFailure=wd_keepalive.service.
    if has_failed
        && is_replaced(view)?
        && let Fate::Feeds(device, _) = runs(view, LITTLE)?
    {
        let found = format!("{}; its unit starts wd_keepalive instead, which feeds {device}", why.found);
        return Some(Feeder::Feeds(device, Evidence { found, ..why }));
    }
    Some(Feeder::Idle(why))
}

/// Whether the failing unit starts the little brother, and nothing keeps that from running.
fn is_replaced(view: &View<'_>) -> Option<bool> {
    let (Lookup::There(full), Lookup::There(little)) = (unit::find(view, FULL)?, unit::find(view, LITTLE)?) else {
        return Some(false);
    };
    let named = unit::settings(view, full, "Unit", "OnFailure")?;
    if !named.iter().any(|setting| setting.value.split_whitespace().any(|name| name == LITTLE)) {
        return Some(false);
    }
    let can_start = !["masked", "not-found"].contains(&view.need(&little.state)?.as_str());
    Some(can_start && view.need(&little.refused)?.is_none())
}

fn started(view: &View<'_>, name: &str) -> Option<Fate> {
    match unit::starts(view, &[name])? {
        Start::No(why) => Some(Fate::Idle(why)),
        Start::Yes(_) => runs(view, name),
    }
}

/// What the unit does once it is started.
fn runs(view: &View<'_>, name: &str) -> Option<Fate> {
    let Lookup::There(unit) = unit::find(view, name)? else { return None };
    let path = unit.path.known().cloned().flatten().unwrap_or_default();
    if matches!((unit.settings.known(), unit.environment.known()), (Some(None), _) | (_, Some(None))) {
        view.miss(Gap::at(path, format!("the settings of {name} were not collected")));
        return None;
    }
    match invoked(view, unit) {
        Ok(Some((start, words))) => match stays(view, unit, start, &words)? {
            Ok(()) => feeds(view, name, start, &words),
            Err(why) => Some(Fate::Idle(why)),
        },
        Ok(None) => None,
        Err(Refusal::Idle(why)) if fails_after(view, unit)? => Some(Fate::Fails(*why)),
        Err(Refusal::Idle(why)) => Some(Fate::Idle(*why)),
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
fn feeds(view: &View<'_>, name: &str, start: &Setting, words: &[String]) -> Option<Fate> {
    let at_start = |found: String| Evidence::at(start.path.clone(), found).line(start.line);
    let options = match getopt::parse(words, OPTIONS) {
        Ok(parsed) => parsed.options,
        Err(refused) => return Some(Fate::Fails(at_start(format!("the daemon ends with its usage: {refused}")))),
    };
    if let Some((code, _)) = options.iter().find(|(code, _)| matches!(code, 'q' | 'X')) {
        return Some(Fate::Idle(at_start(format!("with -{code} the daemon does not keep the device open"))));
    }
    let named = options.iter().rev().find(|(code, _)| *code == 'c').and_then(|(_, value)| value.clone());
    let path = named.unwrap_or_else(|| CONFIG.to_owned());
    let watchdog = view.watchdog()?;
    let Lookup::There(settings) = agent::file_of(view, view.need(&watchdog.configs)?, &path)? else {
        return Some(Fate::Fails(Evidence::at(path, "this file is not there: the daemon ends without it")));
    };
    let settings = view.all(settings);
    let last = |key: &str| settings.iter().rfind(|setting| setting.key == key);
    let is_forced = options.iter().any(|(code, _)| *code == 'f');
    if let Some(evidence) = impossible(settings, is_forced, name == LITTLE) {
        return Some(Fate::Fails(evidence));
    }
    if let Some(device) = last(DEVICE).filter(|device| !device.value.is_empty()) {
        let found = format!("the watchdog daemon feeds {}", device.value);
        return Some(Fate::Feeds(device.value.clone(), Evidence::at(path, found).line(device.line)));
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
    Some(Fate::Idle(evidence.expected(expected.clone()).mend(expected)))
}

/// Settings with which the daemon ends: `interval` not above 0, or not two seconds below `watchdog-timeout`; a limit of
/// the load below 2, which the little one does not look at. That one feeds too seldom where the times are wrong.
fn impossible(settings: &[Setting], is_forced: bool, is_little: bool) -> Option<Evidence> {
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
        (_, _, Some((setting, 1))) if !is_forced && !is_little => end(setting),
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
            assert_eq!(impossible(&settings, is_forced, false).is_some(), ends, "{rows:?} {is_forced}");
        }
    }
}
