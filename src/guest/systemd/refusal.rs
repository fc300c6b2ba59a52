//! Settings with which a unit that something starts does not start after all: conditions that are false in a virtual
//! machine of Nova, what it requires and is not there, programs and files that are missing (`man 5 systemd.unit`,
//! "Conditions and Asserts"; src/shared/condition.c).

use super::generator::Cmdlines;
use super::ini;
use super::load::{Loaded, Units, list, named};
use super::name;
use super::preset::FirstBoot;
use crate::disk::filesystem::FileType;
use crate::error::ErrorKind;
use crate::fact::{Fact, Gap, Listing};
use crate::guest::Setting;

/// What conditions are weighed against.
pub(super) struct Context<'a> {
    pub(super) units: &'a Units<'a>,
    pub(super) cmdlines: &'a Cmdlines,
    pub(super) first_boot: &'a FirstBoot,
}

/// Whether something holds; the reason when that is not known.
type Holds = Result<bool, Gap>;

/// The setting that keeps the unit `id` from starting; `None` when none does.
pub(super) fn refusal(context: &Context<'_>, id: &str, settings: &Listing<Setting>) -> Fact<Option<Setting>> {
    let mut unknown = settings.gaps.first().cloned();
    let mut weigh = |setting: &Setting, holds: Holds| match holds {
        Ok(true) => None,
        Ok(false) => Some(setting.clone()),
        Err(gap) => {
            unknown.get_or_insert(gap);
            None
        }
    };
    for prefix in ["Condition", "Assert"] {
        if let Some(setting) = conditions(context, prefix, settings, &mut weigh) {
            return Fact::Known(Some(setting));
        }
    }
    for setting in settings.items.iter().filter(|setting| setting.section == "Unit") {
        if matches!(setting.key.as_str(), "Requires" | "BindsTo" | "Requisite")
            && let Some(setting) =
                named(&setting.value, id).iter().find_map(|name| weigh(setting, is_there(context, setting, name)))
        {
            return Fact::Known(Some(setting));
        }
    }
    if name::suffix(id) == Some("service")
        && let Some(setting) = service(context, settings, &mut weigh)
    {
        return Fact::Known(Some(setting));
    }
    unknown.map_or(Fact::Known(None), Fact::Unknown)
}

/// All conditions without a bar hold, and one of those with a bar if there are any (`condition_test_list`).
fn conditions(
    context: &Context<'_>,
    prefix: &str,
    settings: &Listing<Setting>,
    weigh: &mut dyn FnMut(&Setting, Holds) -> Option<Setting>,
) -> Option<Setting> {
    let mut wanted: Vec<&Setting> = Vec::new();
    for setting in settings.items.iter().filter(|it| it.section == "Unit" && it.key.starts_with(prefix)) {
        // An empty one resets them all, of whatever kind.
        if setting.value.is_empty() { wanted.clear() } else { wanted.push(setting) }
    }
    let (mut any, mut doubt, mut triggering) = (false, None, None);
    for setting in wanted {
        let (bar, value) = setting.value.strip_prefix('|').map_or((false, &*setting.value), |rest| (true, rest));
        let value = value.trim_start();
        let (negated, value) = value.strip_prefix('!').map_or((false, value), |rest| (true, rest));
        let kind = setting.key.get(prefix.len()..).unwrap_or_default();
        let holds = condition(context, kind, value.trim_start()).map(|holds| holds != negated);
        let holds = holds.map_err(|reason| {
            let text = format!(
                "line {}: whether {}={} holds is not known: {reason}",
                setting.line, setting.key, setting.value
            );
            Gap::at(&setting.path, text)
        });
        if !bar {
            if let Some(refusal) = weigh(setting, holds) {
                return Some(refusal);
            }
            continue;
        }
        triggering = Some(setting);
        match holds {
            Ok(holds) => any |= holds,
            Err(gap) => doubt = Some(gap),
        }
    }
    match (triggering, doubt) {
        (Some(setting), Some(gap)) if !any => weigh(setting, Err(gap)),
        (Some(setting), None) => weigh(setting, Ok(any)),
        _ => None,
    }
}

/// One condition without its signs, in a virtual machine that Nova starts with KVM.
fn condition(context: &Context<'_>, kind: &str, value: &str) -> Result<bool, String> {
    let yes = matches!(value, "yes" | "true" | "1" | "on" | "y" | "t");
    let no = matches!(value, "no" | "false" | "0" | "off" | "n" | "f");
    match kind {
        "Virtualization" => match value {
            _ if yes => Ok(true),
            "vm" | "kvm" => Ok(true),
            _ if no => Ok(false),
            "container" | "private-users" | "systemd-nspawn" | "lxc" | "lxc-libvirt" | "docker" | "podman" | "rkt"
            | "wsl" | "openvz" | "proot" | "pouch" | "vmware" | "oracle" | "microsoft" | "xen" | "parallels"
            | "bhyve" | "qnx" | "acrn" | "powervm" | "zvm" | "amazon" | "apple" | "google" | "uml" | "bochs"
            | "sre" => Ok(false),
            _ => Err("it depends on the hypervisor".to_owned()),
        },
        // How many processors and how much memory there are is the flavor's affair.
        "CPUs" | "Memory" | "ACPower" | "Capability" => Ok(true),
        "FirstBoot" if yes || no => match context.first_boot {
            FirstBoot::Yes => Ok(yes),
            FirstBoot::No => Ok(no),
            FirstBoot::Unknown(gap) => Err(gap.reason.clone()),
        },
        "KernelCommandLine" => {
            let is_word = |word: &str| {
                word == value || (!value.contains('=') && word.split_once('=').is_some_and(|(key, _)| key == value))
            };
            context.cmdlines.has(is_word).map_err(|gap| gap.reason)
        }
        // The kernel hands `KERNEL_CMDLINE=…` of its command line to the manager as a variable.
        "Environment" if value.starts_with("KERNEL_CMDLINE=") => {
            context.cmdlines.has(|word| word == value).map_err(|gap| gap.reason)
        }
        "PathExists" | "PathIsDirectory" | "FileNotEmpty" | "FileIsExecutable" | "DirectoryNotEmpty"
        | "PathIsSymbolicLink" => path(context, kind, value),
        _ => Err("it is decided when the guest runs".to_owned()),
    }
}

/// Folders that are filled when the guest runs.
const AT_RUN_TIME: &[&str] = &["/dev", "/proc", "/sys", "/run", "/tmp", "/var/run", "/var/tmp"];

/// Folders in which nothing appears by itself at boot.
const STEADY: &[&str] = &["/usr/", "/etc/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/boot/"];

fn path(context: &Context<'_>, kind: &str, path: &str) -> Result<bool, String> {
    let is_below =
        |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if path == "/dev/virtio-ports/org.qemu.guest_agent.0" {
        return Ok(kind == "PathExists" || kind == "PathIsSymbolicLink");
    }
    if AT_RUN_TIME.iter().any(|folder| is_below(folder)) || !path.starts_with('/') || path.contains('%') {
        return Err("it is decided when the guest runs".to_owned());
    }
    let root = context.units.tree.root;
    let metadata = match kind {
        "PathIsSymbolicLink" => root.symlink_metadata(path),
        _ => root.metadata(path),
    };
    match metadata {
        Ok(metadata) => Ok(match kind {
            "PathIsDirectory" => metadata.file_type == FileType::Directory,
            "FileNotEmpty" => metadata.file_type == FileType::Regular && metadata.size > 0,
            "FileIsExecutable" => metadata.file_type == FileType::Regular && metadata.mode & 0o111 != 0,
            "PathIsSymbolicLink" => metadata.file_type == FileType::Symlink,
            "DirectoryNotEmpty" => match root.list(path) {
                Ok(listing) => !listing.items.is_empty(),
                Err(_) => false,
            },
            _ => true,
        }),
        Err(error) if error.kind == ErrorKind::NotFound && STEADY.iter().any(|folder| path.starts_with(folder)) => {
            Ok(false)
        }
        Err(error) if error.kind == ErrorKind::NotFound => {
            Err("the image lacks it, but it may appear at boot".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a unit that another requires can start; devices, mounts and slices are made when the guest runs.
fn is_there(context: &Context<'_>, setting: &Setting, name: &str) -> Holds {
    if !matches!(name::suffix(name), Some("service" | "socket" | "target" | "timer" | "path")) {
        return Ok(true);
    }
    match &*context.units.load(&context.units.id(name)) {
        Loaded::There(..) => Ok(true),
        Loaded::Masked => Ok(false),
        Loaded::Missing => {
            let reason = format!("line {}: {name} is not in the image; a generator may make it", setting.line);
            Err(Gap::at(&setting.path, reason))
        }
        Loaded::Unknown(gap) => Err(gap.clone()),
    }
}

/// A service that has no program, or one that is not there, or lacks a file of variables, fails.
fn service(
    context: &Context<'_>,
    settings: &Listing<Setting>,
    weigh: &mut dyn FnMut(&Setting, Holds) -> Option<Setting>,
) -> Option<Setting> {
    let root = context.units.tree.root;
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
        let late =
            || Gap::at(&setting.path, format!("line {}: {} is made when the guest runs", setting.line, setting.value));
        if let Some(refusal) = weigh(setting, if is_late { Err(late()) } else { holds }) {
            return Some(refusal);
        }
    }
    for setting in list(settings, "Service", "ExecStart") {
        let command = setting.value.trim_start_matches(['-', '@', ':', '+', '!', '|']);
        let words = ini::words(command).unwrap_or_default();
        let Some(program) = words.first().filter(|program| program.starts_with('/') && !program.contains('%')) else {
            continue;
        };
        let holds = match root.metadata(program) {
            Ok(metadata) => Ok(metadata.file_type == FileType::Regular && metadata.mode & 0o111 != 0),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        };
        if let Some(refusal) = weigh(setting, holds) {
            return Some(refusal);
        }
    }
    None
}
