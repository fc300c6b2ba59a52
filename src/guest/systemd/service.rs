//! Settings with which a service ends before it does its work: programs, accounts, folders and files that are missing
//! (`man 5 systemd.service`, `man 5 systemd.exec`; src/core/service.c, `service_verify`).

use super::ini;
use super::load::{last, list};
use super::refusal::{AT_RUN_TIME, Context, Holds};
use crate::disk::filesystem::{FileType, Root};
use crate::error::ErrorKind;
use crate::fact::{Gap, Listing};
use crate::guest::Setting;

/// The setting with which the service fails; `weigh` keeps what is not known.
pub(super) fn refusal(
    context: &Context<'_>,
    settings: &Listing<Setting>,
    weigh: &mut dyn FnMut(&Setting, Holds) -> Option<Setting>,
) -> Option<Setting> {
    let root = context.units.tree.root;
    files(root, settings, weigh)
        .or_else(|| programs(root, settings, weigh))
        .or_else(|| shape(settings))
        .or_else(|| place(root, settings, weigh))
}

/// Files of variables.
fn files(
    root: &Root,
    settings: &Listing<Setting>,
    weigh: &mut dyn FnMut(&Setting, Holds) -> Option<Setting>,
) -> Option<Setting> {
    for setting in list(settings, "Service", "EnvironmentFile") {
        // A pattern that matches nothing is an error too; a missing file with a dash is none.
        if setting.value.starts_with('-') || setting.value.contains(['%', '?', '[']) {
            continue;
        }
        let found = root.glob(&setting.value);
        let holds = match found.gaps.first() {
            Some(gap) if found.items.is_empty() => Err(gap.clone()),
            _ => Ok(!found.items.is_empty()),
        };
        // What lies in /run may be made by something that starts earlier.
        let is_late = AT_RUN_TIME.iter().any(|folder| setting.value.starts_with(folder));
        let holds = if is_late { Err(gap(setting, "it is made when the guest runs")) } else { holds };
        if let Some(refusal) = weigh(setting, holds) {
            return Some(refusal);
        }
    }
    None
}

/// What a command line's first word may begin with.
const PREFIXES: &[char] = &['-', '@', ':', '+', '!', '|'];

/// Programs that are not there or always fail; what `ExecStart=` names counts with a dash too.
fn programs(
    root: &Root,
    settings: &Listing<Setting>,
    weigh: &mut dyn FnMut(&Setting, Holds) -> Option<Setting>,
) -> Option<Setting> {
    for key in ["ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost"] {
        for setting in list(settings, "Service", key) {
            let command = setting.value.trim_start_matches(PREFIXES);
            let signs = setting.value.strip_suffix(command).unwrap_or_default();
            if key != "ExecStart" && signs.contains('-') {
                continue;
            }
            let words = ini::words(command).unwrap_or_default();
            let Some(program) = words.first().filter(|program| !program.contains('%')) else { continue };
            let holds = match program.rsplit('/').next() {
                Some("false") => Ok(false),
                _ => is_runnable(root, program),
            };
            let holds = match executed(&words).filter(|_| holds == Ok(true)) {
                Some(behind) => is_runnable(root, &behind),
                None => holds,
            };
            if let Some(refusal) = weigh(setting, holds) {
                return Some(refusal);
            }
        }
    }
    None
}

/// The program that a script of `sh -c` ends in: `… exec /usr/sbin/watchdog $watchdog_options`.
fn executed(words: &[String]) -> Option<String> {
    let [shell, flag, script, ..] = words else { return None };
    let is_shell = matches!(shell.rsplit('/').next(), Some("sh" | "dash" | "bash")) && flag == "-c";
    let mut words = script.split_whitespace().filter(|_| is_shell).skip_while(|word| *word != "exec").skip(1);
    let is_plain = |word: &&str| word.starts_with('/') && !word.contains(['$', '`', ';', '&', '|', '*', '(', '"']);
    words.next().filter(is_plain).map(str::to_owned)
}

/// Where systemd looks for a program without a path (`DEFAULT_PATH`, src/basic/path-util.h).
const PATHS: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

fn is_runnable(root: &Root, program: &str) -> Holds {
    if program.contains('/') {
        return match root.metadata(program) {
            Ok(it) => Ok(it.file_type == FileType::Regular && it.mode & 0o111 != 0 && it.size > 0),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        };
    }
    for folder in PATHS {
        if is_runnable(root, &format!("{folder}/{program}"))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Services that systemd refuses to load as they are.
fn shape(settings: &Listing<Setting>) -> Option<Setting> {
    let starts = list(settings, "Service", "ExecStart");
    let kind = last(settings, "Service", "Type").map(|setting| setting.value.as_str());
    match (kind, starts.as_slice()) {
        // It may be there for its ExecStop= alone.
        (Some("oneshot"), _) => {
            let restart = last(settings, "Service", "Restart");
            restart.filter(|restart| matches!(restart.value.as_str(), "always" | "on-success")).cloned()
        }
        (_, []) => last(settings, "Service", "ExecStart").cloned(),
        (_, [_, .., second]) => Some((*second).clone()),
        // Several commands in one line.
        (_, [start]) if start.value.split_whitespace().any(|word| word == ";") => Some((*start).clone()),
        (Some("dbus"), _) if last(settings, "Service", "BusName").is_none_or(|name| name.value.is_empty()) => {
            last(settings, "Service", "Type").cloned()
        }
        _ => None,
    }
}

/// Accounts and folders that the service is to have.
fn place(
    root: &Root,
    settings: &Listing<Setting>,
    weigh: &mut dyn FnMut(&Setting, Holds) -> Option<Setting>,
) -> Option<Setting> {
    for (key, file) in [("User", "/etc/passwd"), ("Group", "/etc/group")] {
        let setting = last(settings, "Service", key).filter(|setting| !is_free(&setting.value));
        let Some(setting) = setting else { continue };
        let is_there = root.read_if_exists(file, MAX_ACCOUNTS).ok().flatten().is_some_and(|bytes| {
            bytes
                .split(|byte| *byte == b'\n')
                .any(|line| line.strip_prefix(setting.value.as_bytes()).is_some_and(|rest| rest.first() == Some(&b':')))
        });
        let holds = if is_there { Ok(true) } else { Err(gap(setting, "this account is not in the image")) };
        if let Some(refusal) = weigh(setting, holds) {
            return Some(refusal);
        }
    }
    let folder = last(settings, "Service", "WorkingDirectory")?;
    if !folder.value.starts_with('/') || folder.value.contains('%') {
        return None;
    }
    let is_there = root.metadata(&folder.value).is_ok_and(|metadata| metadata.file_type == FileType::Directory);
    weigh(folder, if is_there { Ok(true) } else { Err(gap(folder, "this folder is not in the image")) })
}

/// Bytes of the list of accounts; a thousand of them take 60 kB.
const MAX_ACCOUNTS: u64 = 1 << 20;

/// A number, a name that is expanded, or none.
fn is_free(name: &str) -> bool {
    name.contains('%') || name.chars().all(|c| c.is_ascii_digit())
}

fn gap(setting: &Setting, reason: &str) -> Gap {
    Gap::at(&setting.path, format!("line {}: {}={}: {reason}", setting.line, setting.key, setting.value))
}
