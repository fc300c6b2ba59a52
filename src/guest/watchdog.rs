//! watchdog.conf and /etc/default/watchdog → settings, read as the daemon reads them (`src/configfile.c`, `src/read-conf.c`).

use super::agent::paths_in;
use super::{Assignment, ConfigFile, Setting, Watchdog};
use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::{Error, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::limits::Limits;

/// Where the daemon looks when nothing names another file.
pub const CONFIG: &str = "/etc/watchdog.conf";
/// What Debian's units read.
pub const DEFAULTS: &str = "/etc/default/watchdog";
/// The setting without which the daemon feeds nothing.
pub const DEVICE: &str = "watchdog-device";

/// Files read because /etc/default/watchdog names them; it names at most one.
const MAX_CONFIGS: usize = 8;

/// What the watchdog daemon is told by files.
pub fn read(root: &Root, limits: &Limits) -> Watchdog {
    let bytes = root.read_if_exists(DEFAULTS, limits.config_file);
    let defaults: Fact<Option<Listing<Assignment>>> =
        bytes.map(|bytes| bytes.map(|bytes| parse_defaults(&bytes, limits))).into();
    let variables = defaults.known().and_then(Option::as_ref).map(|listing| listing.items.as_slice());
    let mut paths = vec![CONFIG.to_owned()];
    paths.extend(variables.unwrap_or_default().iter().flat_map(|variable| paths_in(&variable.value)));
    paths.truncate(MAX_CONFIGS);
    let mut comments = Listing::default();
    let mut configs = Listing::default();
    for path in paths {
        let bytes = root.read_if_exists(&path, limits.config_file);
        let settings = bytes.map(|bytes| {
            bytes.map(|bytes| {
                let config = parse(&path, &bytes, limits);
                comments.items.extend(config.comments);
                config.settings
            })
        });
        configs.items.push(ConfigFile { path, settings: settings.into() });
    }
    Watchdog { configs: Fact::Known(configs), comments: Fact::Known(comments), defaults }
}

/// A watchdog.conf.
#[derive(Debug, Default)]
pub struct Config {
    /// Settings in order; the last one of a name counts.
    pub settings: Listing<Setting>,
    /// Settings of [`DEVICE`] that are commented out.
    pub comments: Vec<Setting>,
}

/// Every setting in order; the daemon warns of a line without `=` and goes on.
pub fn parse(path: &str, bytes: &[u8], limits: &Limits) -> Config {
    let mut config = Config::default();
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1_u32..) {
        if config.settings.items.len().saturating_add(config.comments.len()) >= limits.list_rows {
            let reason = format!("line {number}: the limit of {} rows is reached", limits.list_rows);
            config.settings.gaps.push(Gap::at(path, reason));
            break;
        }
        // The daemon reads lines as C strings.
        let line = trim(line.split(|byte| *byte == 0).next().unwrap_or_default());
        let setting = |line: &[u8]| {
            let (key, value) = line.split_at(line.iter().position(|byte| *byte == b'=')?);
            let (key, value) = (text(trim(key)), text(trim(value.strip_prefix(b"=").unwrap_or(value))));
            Some(Setting { section: String::new(), key, value, path: path.to_owned(), line: number })
        };
        match line.strip_prefix(b"#") {
            Some(comment) => config.comments.extend(setting(comment).filter(|setting| setting.key == DEVICE)),
            None => config.settings.items.extend(setting(line)),
        }
    }
    config
}

/// `is_white` of `src/read-conf.c`.
fn trim(mut line: &[u8]) -> &[u8] {
    const BLANK: &[u8] = b" \t\r\n\x08";
    while let [first, rest @ ..] = line
        && BLANK.contains(first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && BLANK.contains(last)
    {
        line = rest;
    }
    line
}

/// Plain assignments, which the shell and systemd read alike (`man 5 systemd.exec`, `EnvironmentFile=`); a line that
/// takes more than quotes is a gap.
pub fn parse_defaults(bytes: &[u8], limits: &Limits) -> Listing<Assignment> {
    let mut assignments = Listing::default();
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1_u32..) {
        if assignments.items.len() >= limits.list_rows {
            let reason = format!("line {number}: the limit of {} rows is reached", limits.list_rows);
            assignments.gaps.push(Gap::at(DEFAULTS, reason));
            break;
        }
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") || line.starts_with(b";") {
            continue;
        }
        assignments.add(
            assignment(line)
                .map(|(name, value)| Assignment { name, value, path: DEFAULTS.to_owned(), line: number })
                .map_err(|cause| Error::unsupported(format!("line {number}"), cause).at(DEFAULTS)),
        );
    }
    assignments
}

fn assignment(line: &[u8]) -> Result<(String, String), &'static str> {
    let line = text(line);
    let (name, value) = line.split_once('=').ok_or("it is no assignment")?;
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name(name) {
        return Err("it is no plain assignment");
    }
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    let plain = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    if plain.contains(['"', '\'', '\\', '$', '`']) {
        return Err("its value is more than plain text in quotes");
    }
    Ok((name.to_owned(), plain.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    #[test]
    fn lines_as_the_daemon_reads_them() {
        for (file, settings, comments) in [
            ("#watchdog-device\t\t= /dev/watchdog\n", vec![], vec!["watchdog-device=/dev/watchdog@1"]),
            ("\n  watchdog-device = /dev/watchdog0  \r\n", vec!["watchdog-device=/dev/watchdog0@2"], vec![]),
            ("watchdog-device=\n", vec!["watchdog-device=@1"], vec![]),
            ("interval = 1 # s\nmax-load-1=24", vec!["interval=1 # s@1", "max-load-1=24@2"], vec![]),
            ("a line\n# watchdog-device /dev/watchdog\n#interval = 1", vec![], vec![]),
            ("watchdog-device = /dev/watchdog\0x", vec!["watchdog-device=/dev/watchdog@1"], vec![]),
            ("watchdog-device == x", vec!["watchdog-device== x@1"], vec![]),
        ] {
            let config = parse(CONFIG, file.as_bytes(), &Limits::default());
            let row = |s: &Setting| format!("{}={}@{}", s.key, s.value, s.line);
            assert_eq!(config.settings.items.iter().map(row).collect::<Vec<_>>(), settings, "{file:?}");
            assert_eq!(config.comments.iter().map(row).collect::<Vec<_>>(), comments, "{file:?}");
        }
        let few = Limits { list_rows: 1, ..Limits::default() };
        assert_eq!(parse(CONFIG, b"a=1\nb=2\n", &few).settings.gaps.len(), 1);
    }

    #[test]
    fn defaults_are_plain_or_a_gap() {
        for (line, expected) in [
            ("run_watchdog=1", Some(("run_watchdog", "1"))),
            ("watchdog_module=\"i6300esb\"", Some(("watchdog_module", "i6300esb"))),
            ("watchdog_options='-c /etc/w.conf'", Some(("watchdog_options", "-c /etc/w.conf"))),
            ("watchdog_module=", Some(("watchdog_module", ""))),
            ("watchdog_module=$X", None),
            ("watchdog_module=\"a", None),
            ("watchdog_module=a\\", None),
            ("export x=1", None),
            ("run_watchdog", None),
        ] {
            let found = parse_defaults(line.as_bytes(), &Limits::default());
            let found_pair = found.items.first().map(|row| (row.name.as_str(), row.value.as_str()));
            assert_eq!((found_pair, found.gaps.is_empty()), (expected, expected.is_some()), "{line}");
        }
        assert_eq!(parse_defaults(b"# x\n\n; y\n", &Limits::default()), Listing::default());
    }

    #[test]
    fn the_file_that_the_options_name_is_read_as_well() {
        let tree = Memory::new("ext4", "", "")
            .file(DEFAULTS, "watchdog_options=\"-c /etc/w.conf\"\n")
            .file("/etc/w.conf", "#watchdog-device = /dev/watchdog\n");
        let watchdog = read(&tree.root(), &Limits::default());
        let paths: Vec<&str> = watchdog.configs.known().unwrap().items.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [CONFIG, "/etc/w.conf"]);
        assert_eq!(watchdog.comments.known().unwrap().items[0].path, "/etc/w.conf");
        let broken = read(&Memory::new("ext4", "", "").unreadable(DEFAULTS).root(), &Limits::default());
        assert!(broken.defaults.known().is_none());
    }
}
