//! qemu-ga's configuration file → settings (`qga/main.c`, `config_load`), read as `GLib`'s `GKeyFile` reads it.

mod options;

pub use options::{CommandLine, Configuration, Rpc};

use super::{Agent, ConfigFile, Setting, Unit};
use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::error::{Error, Result};
use crate::fact::{Fact, Gap, Listing};
use crate::limits::Limits;

/// Where qemu-ga looks when nothing names another file.
pub const CONFIG: &str = "/etc/qemu/qemu-ga.conf";

/// Files read because a unit names them; a unit has one.
const MAX_CONFIGS: usize = 8;

/// What the guest agent is told by files.
pub fn read(root: &Root, units: &Fact<Listing<Unit>>, limits: &Limits) -> Agent {
    let mut configs = Listing::default();
    let mut paths = vec![CONFIG.to_owned()];
    for path in units.known().map(named).unwrap_or_default() {
        if paths.len() >= MAX_CONFIGS {
            configs.gaps.push(Gap::at(path, format!("more than {MAX_CONFIGS} configuration files of the agent")));
            break;
        }
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    for path in paths {
        let settings = root.read_if_exists(&path, limits.config_file);
        let settings = settings.map(|bytes| bytes.map(|bytes| parse(&path, &bytes, limits))).into();
        configs.items.push(ConfigFile { path, settings });
    }
    Agent { configs: Fact::Known(configs) }
}

/// Paths that units of the agent mention and that may be its configuration (`-c FILE`, `QGA_CONF`).
fn named(units: &Listing<Unit>) -> Vec<String> {
    let mut paths = Vec::new();
    for unit in units.items.iter().filter(|unit| unit.name.contains("qemu")) {
        let settings = unit.settings.known().and_then(Option::as_ref).map(|listing| listing.items.as_slice());
        let variables = unit.environment.known().and_then(Option::as_ref).map(|listing| listing.items.as_slice());
        let values = settings.unwrap_or_default().iter().filter(|setting| setting.key == "ExecStart");
        let values = values.map(|setting| &setting.value);
        let values = values.chain(variables.unwrap_or_default().iter().map(|variable| &variable.value));
        paths.extend(values.flat_map(|value| paths_in(value)));
    }
    paths
}

/// Absolute paths of configuration files in a command line.
pub(super) fn paths_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '"' | '\''));
    let words = words.map(|word| word.strip_prefix("-c").unwrap_or(word));
    words.filter(|word| word.starts_with('/') && word.strip_suffix(".conf").is_some()).map(str::to_owned).collect()
}

/// Every setting in order; a line that `GLib` rejects is a gap, for then qemu-ga does not start.
pub fn parse(path: &str, bytes: &[u8], limits: &Limits) -> Listing<Setting> {
    let mut settings = Listing::default();
    let mut section = None;
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1_u32..) {
        if settings.items.len() >= limits.list_rows {
            let reason = format!("line {number}: the limit of {} rows is reached", limits.list_rows);
            settings.gaps.push(Gap::at(path, reason));
            break;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
        let refuse = |cause: &str| Err(Error::corrupt(format!("line {number}"), cause).at(path));
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if let Some(name) = line.strip_prefix(b"[") {
            match name.trim_ascii_end().strip_suffix(b"]") {
                Some(name) => section = Some(text(name)),
                None => settings.add(refuse("it opens a group that it does not close; qemu-ga refuses the file")),
            }
            continue;
        }
        settings.add(match (section.as_ref(), pair(line)) {
            (Some(section), Ok((key, value))) => {
                Ok(Setting { section: section.clone(), key, value, path: path.to_owned(), line: number })
            }
            (None, _) => refuse("it stands before the first group; qemu-ga refuses the file"),
            (_, Err(cause)) => refuse(&format!("{cause}; qemu-ga refuses the file")),
        });
    }
    settings
}

/// `key = value`: blanks around `=` do not count, those at the end do.
fn pair(line: &[u8]) -> Result<(String, String), &'static str> {
    let equals = line.iter().position(|byte| *byte == b'=').ok_or("it is neither key=value, group nor comment")?;
    let (key, value) = line.split_at(equals);
    let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii_start();
    Ok((text(key.trim_ascii_end()), unescape(value)?))
}

/// `g_key_file_parse_value_as_string`.
fn unescape(value: &[u8]) -> Result<String, &'static str> {
    let value = str::from_utf8(value).map_err(|_| "its value is not UTF-8")?;
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('s') => ' ',
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('\\') => '\\',
                _ => return Err("its value has an escape that GLib does not know"),
            },
            other => other,
        });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    #[test]
    fn key_files() {
        for (file, expected) in [
            ("", vec![]),
            ("# c\n\n[general]\nmethod = isa-serial\n", vec!["general/method=isa-serial@4"]),
            (" [general] \n  block-rpcs =  a, b  ", vec!["general/block-rpcs=a, b  @2"]),
            ("[general]\r\npath=/x\r\n[other]\npath=/y", vec!["general/path=/x@2", "other/path=/y@4"]),
            ("[general]\nblock-rpcs=a\\sb\\\\", vec!["general/block-rpcs=a b\\@2"]),
            ("[general]\n;x=y", vec!["general/;x=y@2"]),
            ("[general]\nx==y", vec!["general/x==y@2"]),
            ("x=y\n[general]", vec!["gap line 1"]),
            ("[general\nx=y", vec!["gap line 1", "gap line 2"]),
            ("[general]\nblock-rpcs\n", vec!["gap line 2"]),
            ("[general]\nx=\\q", vec!["gap line 2"]),
        ] {
            let listing = parse(CONFIG, file.as_bytes(), &Limits::default());
            let row = |s: &Setting| format!("{}/{}={}@{}", s.section, s.key, s.value, s.line);
            let gap = |gap: &Gap| format!("gap {}", gap.reason.split(':').next().unwrap());
            let found: Vec<String> = listing.items.iter().map(row).chain(listing.gaps.iter().map(gap)).collect();
            assert_eq!(found, expected, "{file:?}");
        }
        assert_eq!(parse(CONFIG, b"[general]\nx=\xff", &Limits::default()).gaps.len(), 1);
        let few = Limits { list_rows: 2, ..Limits::default() };
        assert_eq!(parse(CONFIG, b"[general]\na=1\nb=2\nc=3\n", &few).gaps.len(), 1);
    }

    #[test]
    fn files_that_units_name_are_read() {
        for (text, expected) in [
            ("/usr/bin/qemu-ga -c /etc/qga.conf", vec!["/etc/qga.conf"]),
            ("qemu-ga --config=/a/b.conf -c/c.conf", vec!["/a/b.conf", "/c.conf"]),
            ("/usr/bin/qemu-ga -F/etc/qemu/fsfreeze-hook", vec![]),
        ] {
            assert_eq!(paths_in(text), expected, "{text}");
        }
        let unit = serde_json::json!([{"name": "qemu-guest-agent.service", "settings": [], "environment":
            [{"name": "QGA_CONF", "value": "/etc/other.conf", "path": "/x", "line": 1}]}]);
        let units: Fact<Listing<Unit>> = serde_json::from_value(unit).unwrap();
        let tree = Memory::new("ext4", "", "").file("/etc/other.conf", "[general]\npath=/x\n");
        let agent = read(&tree.root(), &units, &Limits::default());
        let files = agent.configs.known().unwrap();
        let seen: Vec<(&str, Option<usize>)> = files
            .items
            .iter()
            .map(|file| (file.path.as_str(), file.settings.known().unwrap().as_ref().map(|s| s.items.len())))
            .collect();
        assert_eq!(seen, [(CONFIG, None), ("/etc/other.conf", Some(1))]);
        let broken = Memory::new("ext4", "", "").unreadable(CONFIG);
        let agent = read(&broken.root(), &Fact::default(), &Limits::default());
        assert!(agent.configs.known().unwrap().items.iter().all(|file| file.settings.known().is_none()));
    }
}
