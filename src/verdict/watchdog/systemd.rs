//! systemd as feeder: its configuration and the command line.

use super::Feeder;
use crate::fact::Gap;
use crate::guest::timespan;
use crate::verdict::{Evidence, Lookup, View, defaults};

/// What systemd does with the device for one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Off,
    On,
    /// With the device's own time; older versions know no such word.
    Own,
    /// With a time that the device refuses.
    TooLong,
}

/// Microseconds that i6300esb takes (`ESB_HEARTBEAT_MAX`); systemd does not feed it otherwise (`update_timeout`).
const MAX_TIME: u64 = 2046 * 1_000_000;

/// `config_parse_watchdog_sec`; `None` for what systemd ignores.
fn span(value: &str) -> Option<Span> {
    match (value, timespan::parse(value)) {
        ("off", _) | (_, Some(0)) => Some(Span::Off),
        ("default", _) | (_, Some(timespan::INFINITY)) => Some(Span::Own),
        (_, Some(time)) if time > MAX_TIME => Some(Span::TooLong),
        (_, Some(_)) => Some(Span::On),
        (_, None) => None,
    }
}

/// systemd by `RuntimeWatchdogSec=` or `systemd.watchdog_sec=`; `RebootWatchdogSec=` arms nothing before a reboot.
/// `None` keeps the gaps.
pub(in crate::verdict) fn systemd(view: &View<'_>) -> Option<Feeder> {
    let settings = view.all(view.manager()?);
    let of = |key: &'static str| settings.iter().filter(move |s| s.section == "Manager" && s.key == key);
    let configured = of("RuntimeWatchdogSec").filter_map(|setting| Some((setting, span(&setting.value)?))).next_back();
    let base = match configured {
        None => (Span::Off, Evidence::of("RuntimeWatchdogSec= is not set: systemd does not feed the watchdog")),
        Some((setting, span)) => {
            let found = format!("{}={}{}", setting.key, setting.value, told(span));
            (span, Evidence::at(setting.path.clone(), found).line(setting.line))
        }
    };
    let on_line = |word: &defaults::Word<'_>| {
        let value = word.value.as_deref()?;
        let span = span(value)?;
        let found = format!("systemd.watchdog_sec={value}{}", told(span));
        Some((span, Evidence::at(word.entry.config.clone(), found).line(word.line).entry(word.entry.id.clone())))
    };
    let words = defaults::values(view, "systemd.watchdog_sec")?;
    let states: Vec<(Span, Evidence)> =
        words.iter().map(|word| on_line(word).unwrap_or_else(|| base.clone())).collect();
    // An image is as good as its worst default.
    let worst = states.iter().find(|(span, _)| matches!(span, Span::Off | Span::TooLong)).or(states.first()).cloned();
    let (span, evidence) = worst.unwrap_or(base);
    if span == Span::Own && !knows_own(view)? {
        let found = format!("{}, which systemd knows since version {OWN_SINCE}", evidence.found);
        return Some(Feeder::Idle(Evidence { found, ..evidence }));
    }
    if matches!(span, Span::Off | Span::TooLong) {
        return Some(Feeder::Idle(evidence));
    }
    let (major, minor) = version(view)?;
    if asks_once((major, minor)) {
        let reason = format!(
            "systemd {major}.{minor} asks for the watchdog once, at its start, and its driver may be loaded later"
        );
        view.miss(Gap::at(evidence.path.unwrap_or_default(), reason));
        return None;
    }
    let is_path = |path: &&str| path.is_empty() || path.starts_with('/');
    let configured = of("WatchdogDevice").map(|setting| setting.value.as_str()).rfind(is_path);
    let words = defaults::values(view, "systemd.watchdog_device")?;
    let on_line = words.iter().filter_map(|word| word.value.as_deref()).find(|path| path.starts_with('/'));
    let device = on_line.or(configured).filter(|path| !path.is_empty()).unwrap_or("/dev/watchdog0");
    Some(Feeder::Feeds(device.to_owned(), evidence))
}

fn told(span: Span) -> &'static str {
    match span {
        Span::Off => ": systemd does not feed the watchdog",
        Span::TooLong => ": i6300esb takes no more than 2046 seconds",
        Span::On | Span::Own => ": systemd feeds the watchdog",
    }
}

/// The version of systemd that learned `off` and `default` (NEWS, "CHANGES WITH 250").
const OWN_SINCE: u32 = 250;

/// Whether the installed systemd knows them; `None` keeps the gap.
fn knows_own(view: &View<'_>) -> Option<bool> {
    Some(version(view)? >= (OWN_SINCE, 0))
}

/// The installed version of systemd, `(247, 3)`; `None` keeps the gap.
fn version(view: &View<'_>) -> Option<(u32, u32)> {
    let Lookup::There(package) = view.find(view.packages()?, |package| package.name == "systemd")? else {
        view.miss(Gap::new("which version of systemd is installed is not known"));
        return None;
    };
    let upstream = package.version.split_once(':').map_or(package.version.as_str(), |(_, version)| version);
    let mut numbers = upstream.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    Some((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)))
}

/// Versions that ask for the device once, at their start, when udev has not loaded a driver that is a module yet
/// (systemd's issue 17838). All others ask again whenever something happens (`manager_loop`, `watchdog_ping`).
fn asks_once(version: (u32, u32)) -> bool {
    ((246, 0)..(247, 3)).contains(&version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_as_systemd_takes_them() {
        for (value, expected) in [
            ("60", Some(Span::On)),
            ("1min", Some(Span::On)),
            ("0", Some(Span::Off)),
            ("0s", Some(Span::Off)),
            ("off", Some(Span::Off)),
            ("default", Some(Span::Own)),
            ("infinity", Some(Span::Own)),
            ("yes", None),
            ("", None),
        ] {
            assert_eq!(span(value), expected, "{value}");
        }
    }

    #[test]
    fn versions_that_ask_once() {
        for (version, expected) in [
            ((245, 4), false),
            ((246, 0), true),
            ((246, 16), true),
            ((247, 2), true),
            ((247, 3), false),
            ((249, 11), false),
            ((252, 39), false),
        ] {
            assert_eq!(asks_once(version), expected, "{version:?}");
        }
    }
}
