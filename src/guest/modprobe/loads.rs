//! What loads modules by name: modules-load.d, /etc/modules, the watchdog daemon, and the tools of initrds.

use super::folders::{Body, Folder, in_order};
use super::rules::kmod_name;
use crate::bytes::text;
use crate::disk::filesystem::Root;
use crate::fact::{Gap, Listing};
use crate::guest::{ModprobeRule, ModuleLoad};
use crate::limits::Limits;

/// modules-load.d: a name or alias per line. It leaves out what a `blacklist` names (`module_load_and_warn` of systemd's
/// `src/shared/module-util.c` asks for `KMOD_PROBE_APPLY_BLACKLIST`).
pub(crate) fn modules_load(folders: Vec<Folder>, gaps: Vec<Gap>) -> Listing<ModuleLoad> {
    let mut found = Listing { items: Vec::new(), gaps };
    for (path, body) in in_order(folders) {
        match body {
            Body::Text(bytes) => found.items.extend(each_line(&path, &bytes, "systemd-modules-load", false)),
            Body::Mask => {}
            Body::Unread(gap) => found.gaps.push(gap),
        }
    }
    found
}

/// /etc/modules as `OpenRC` reads it, and the module that Debian's watchdog daemon loads before it starts: its unit calls
/// modprobe without `-b`, so that a `blacklist` does not stop it.
pub(super) fn root_files(root: &Root, limits: &Limits, into: &mut Listing<ModuleLoad>) {
    match root.read_if_exists("/etc/modules", limits.config_file) {
        Ok(bytes) => into.items.extend(each_word("/etc/modules", &bytes.unwrap_or_default(), "openrc")),
        Err(error) => into.gaps.push(error.into()),
    }
    let path = "/etc/default/watchdog";
    match root.read_if_exists(path, limits.config_file) {
        Ok(bytes) => match watchdog_module(path, &bytes.unwrap_or_default()) {
            Ok(load) => into.items.extend(load),
            Err(gap) => into.gaps.push(gap),
        },
        Err(error) => into.gaps.push(error.into()),
    }
}

/// The last `watchdog_module=` (systemd's `EnvironmentFile=` and the shell agree on plain values).
fn watchdog_module(path: &str, bytes: &[u8]) -> Result<Option<ModuleLoad>, Gap> {
    let contents = text(bytes);
    let set = contents.lines().zip(1_u32..).filter_map(|(line, number)| {
        let value = line.trim().strip_prefix("watchdog_module=")?;
        Some((value.trim().to_owned(), number))
    });
    let Some((value, line)) = set.last() else { return Ok(None) };
    let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let name = quoted.unwrap_or(&value);
    if name.is_empty() || name == "none" {
        return Ok(None);
    }
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
    if !is_plain {
        return Err(Gap::at(path, format!("which module watchdog_module={value} names is not known")));
    }
    Ok(Some(ModuleLoad {
        module: name.replace('-', "_"),
        by: "watchdog".into(),
        is_forced: true,
        path: path.into(),
        line,
    }))
}

/// What an initrd's own list of modules is, by the tool that made it; `None` when `path` is none. Each calls modprobe so
/// that a `blacklist` counts: initramfs-tools and mkinitcpio by `-b`; mkinitfs' busybox is taken to do so.
pub(crate) fn initrd_loads(path: &str, bytes: &[u8]) -> Option<Vec<ModuleLoad>> {
    match path {
        "/conf/modules" => Some(each_word(path, bytes, "initramfs-tools").collect()),
        "/etc/modules" => Some(each_word(path, bytes, "mkinitfs").collect()),
        "/config" => Some(mkinitcpio(path, bytes)),
        _ => None,
    }
}

/// `MODULES="…"` of mkinitcpio's `/config`.
fn mkinitcpio(path: &str, bytes: &[u8]) -> Vec<ModuleLoad> {
    let contents = text(bytes);
    let set = contents.lines().zip(1_u32..).filter_map(|(line, number)| Some((line.strip_prefix("MODULES=")?, number)));
    let names = set.flat_map(|(value, number)| {
        let names = value.trim_matches(['"', '\'', '(', ')', ' ']).split_ascii_whitespace();
        names.map(move |name| (name.to_owned(), number)).collect::<Vec<_>>()
    });
    names.filter_map(|(name, line)| load(path, line, name.trim_end_matches('?'), "mkinitcpio", false)).collect()
}

/// `rd.driver.pre=` and `rd.driver.post=` of a command line or of dracut's cmdline.d; dracut's modprobe has no `-b`.
pub(crate) fn cmdline_loads(path: &str, line: u32, words: &str) -> Vec<ModuleLoad> {
    const KEYS: &[&str] = &["rd.driver.pre", "rdloaddriver", "rd.driver.post", "rdinsmodpost"];
    named(words, KEYS).filter_map(|name| load(path, line, name, "dracut", true)).collect()
}

/// `rd.driver.blacklist=` of dracut's cmdline.d, which becomes a file of modprobe.d.
pub(crate) fn cmdline_blacklists(path: &str, line: u32, words: &str) -> Vec<ModprobeRule> {
    let rule = |name: &str| {
        let (command, rest) = ("blacklist".to_owned(), String::new());
        Some(ModprobeRule { command, module: kmod_name(name)?, rest, path: path.to_owned(), line })
    };
    named(words, &["rd.driver.blacklist", "rdblacklist"]).filter_map(rule).collect()
}

fn named<'w>(words: &'w str, keys: &'w [&str]) -> impl Iterator<Item = &'w str> {
    let values = words.split_ascii_whitespace().filter_map(|word| word.split_once('='));
    let values = values.filter(|(key, _)| keys.contains(key)).map(|(_, value)| value.trim_matches('"'));
    values.flat_map(|value| value.split(',')).filter(|name| !name.is_empty())
}

/// Each line whole: systemd takes options for a part of the name.
fn each_line<'b>(path: &'b str, bytes: &'b [u8], by: &'b str, is_forced: bool) -> impl Iterator<Item = ModuleLoad> {
    let lines: Vec<(String, u32)> = bytes.split(|byte| *byte == b'\n').map(text).zip(1_u32..).collect();
    let lines = lines.into_iter().filter(|(line, _)| !line.trim_start().starts_with(['#', ';']));
    lines
        .filter_map(move |(line, number)| load(path, number, line.trim(), by, is_forced))
        .collect::<Vec<_>>()
        .into_iter()
}

/// The first word of each line: what follows are the module's options.
fn each_word<'b>(path: &'b str, bytes: &'b [u8], by: &'b str) -> impl Iterator<Item = ModuleLoad> {
    let first = |mut load: ModuleLoad| {
        load.module = load.module.split_ascii_whitespace().next()?.to_owned();
        Some(load)
    };
    each_line(path, bytes, by, false).filter_map(first)
}

fn load(path: &str, line: u32, name: &str, by: &str, is_forced: bool) -> Option<ModuleLoad> {
    let module = kmod_name(name).filter(|name| !name.is_empty())?;
    Some(ModuleLoad { module, by: by.to_owned(), is_forced, path: path.to_owned(), line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_initrds() {
        let told = |path: &str, file: &str| -> Option<Vec<String>> {
            let loads = initrd_loads(path, file.as_bytes())?;
            Some(loads.iter().map(|load| format!("{} {} {}", load.line, load.by, load.module)).collect())
        };
        let some = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            told("/conf/modules", "# x\nvirtio-scsi\n\next4 a=1\n"),
            some(&["2 initramfs-tools virtio_scsi", "4 initramfs-tools ext4"])
        );
        assert_eq!(
            told("/config", "HOOKS=\"a b\"\nMODULES=\"virtio_blk ext4?\"\n"),
            some(&["2 mkinitcpio virtio_blk", "2 mkinitcpio ext4"])
        );
        assert_eq!(told("/etc/modules", "loop"), some(&["1 mkinitfs loop"]));
        assert_eq!(told("/etc/fstab", "loop"), None);
    }

    #[test]
    fn words_of_dracut() {
        let words = "root=x rd.driver.pre=a,b-c rd.driver.post=\"d\" rd.driver.blacklist=e,f-g rd.driver.pre=";
        let loads: Vec<String> = cmdline_loads("x", 1, words).into_iter().map(|load| load.module).collect();
        let rules: Vec<String> = cmdline_blacklists("x", 1, words).into_iter().map(|rule| rule.module).collect();
        assert_eq!((loads, rules), (vec!["a".into(), "b_c".into(), "d".into()], vec!["e".into(), "f_g".into()]));
    }

    #[test]
    fn modules_of_the_watchdog_daemon() {
        for (file, module) in [
            ("watchdog_module=\"i6300esb\"", Ok(Some("i6300esb"))),
            ("watchdog_module=i6300esb\nwatchdog_module=none", Ok(None)),
            ("#watchdog_module=i6300esb", Ok(None)),
            ("watchdog_module=''", Ok(None)),
            ("watchdog_module=$(cat x)", Err(())),
            ("watchdog_module=\"a b\"", Err(())),
            ("", Ok(None)),
        ] {
            let found = watchdog_module("x", file.as_bytes()).map(|load| load.map(|load| load.module)).map_err(drop);
            assert_eq!(found, module.map(|name| name.map(str::to_owned)), "{file}");
        }
    }
}
