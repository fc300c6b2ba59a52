//! What starts at boot: everything that default.target pulls in, and what it pulls in (src/core/unit.c, the atoms
//! `PULL_IN_START` of src/core/unit-dependency-atom.c).
//!
//! Generators of other packages may add or mask units; `Conflicts=` is not weighed.

use super::load::{Loaded, Units, instantiated, last, named};
use super::name;
use super::tree::{End, Node, file_name};
use crate::fact::{Gap, Listing};
use crate::guest::{Setting, UnitStart};
use std::collections::{BTreeMap, VecDeque};

/// The device of the agent's channel as Nova names it (`name` of the virtio port in libvirt's domain).
pub(super) const AGENT_DEVICE: &str = r"dev-virtio\x2dports-org.qemu.guest_agent.0.device";

/// Units that are followed; a desktop starts 600. Templates that name their own instances never end.
const MAX_STARTED: usize = 20_000;

/// Starts kept of one unit: one proves that it starts, sysinit.target has hundreds.
const MAX_TOLD: usize = 16;

/// Something outside of unit files that starts a unit.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    /// The unit.
    pub(super) unit: String,
    /// What starts it.
    pub(super) start: UnitStart,
    /// False when what starts it need not be there in a guest: another device.
    pub(super) is_certain: bool,
}

/// What starts which unit, by the name that the unit ends up with.
#[derive(Default)]
pub(super) struct Starts {
    pub(super) units: BTreeMap<String, Vec<UnitStart>>,
    /// What could hide a start of any unit.
    pub(super) gaps: Vec<Gap>,
    queue: VecDeque<String>,
}

/// Targets with which the machine does not stay up (`man 7 systemd.special`).
const ENDS: &[&str] = &[
    "poweroff.target",
    "reboot.target",
    "halt.target",
    "kexec.target",
    "exit.target",
    "soft-reboot.target",
    "shutdown.target",
    "ctrl-alt-del.target",
];

/// What makes devices known to systemd and loads their drivers (`man 7 udev`).
const UDEV: &[&str] = &["systemd-udevd.service", "systemd-udev-trigger.service"];

/// Everything that starts with `target`, which the command line names; `refuses` says why a socket, timer or path unit itself is not started.
pub(super) fn starts(
    units: &Units<'_>,
    target: Result<Option<String>, Gap>,
    pulls: &[Pull],
    refuses: &dyn Fn(&str, &Listing<Setting>) -> bool,
) -> Starts {
    let mut starts = Starts::default();
    let target = match target {
        Ok(target) => target.unwrap_or_else(|| "default.target".to_owned()),
        Err(gap) => return Starts { gaps: vec![gap], ..starts },
    };
    let default = [&*target, "rescue.target"].into_iter().find_map(|name| {
        let id = units.id(name);
        matches!(*units.load(&id), Loaded::There(..)).then_some((name, id))
    });
    if default.as_ref().is_some_and(|(_, id)| ENDS.contains(&id.as_str())) {
        return starts;
    }
    if let Some((name, id)) = default {
        let link = units.tree.at_boot().find(|folder| folder.units.contains_key(name));
        let path = link.map(|folder| folder.path.join(name.as_bytes()).to_text()).unwrap_or_default();
        starts.add(units, &id, UnitStart { by: "wants".to_owned(), of: (*name).to_owned(), path, line: None });
    }
    let mut visited = 0_usize;
    starts.run(units, &mut visited, pulls, refuses);
    // Without udev no device comes up, the agent's channel neither.
    let is_up = |name: &&str| starts.units.contains_key(*name) && !matches!(*units.load(name), Loaded::Masked);
    if UDEV.iter().all(is_up) {
        starts.queue.push_back(AGENT_DEVICE.to_owned());
        starts.run(units, &mut visited, pulls, refuses);
    }
    starts.uncertain(units, pulls);
    starts
}

impl Starts {
    /// Follows the queue to its end.
    fn run(
        &mut self,
        units: &Units<'_>,
        visited: &mut usize,
        pulls: &[Pull],
        refuses: &dyn Fn(&str, &Listing<Setting>) -> bool,
    ) {
        while let Some(id) = self.queue.pop_front() {
            *visited = visited.saturating_add(1);
            if *visited > MAX_STARTED {
                self.gaps.push(Gap::new(format!("more than {MAX_STARTED} units start; the others are not followed")));
                return;
            }
            self.follow(units, &id, pulls, refuses);
        }
    }

    fn add(&mut self, units: &Units<'_>, name: &str, start: UnitStart) {
        let id = units.id(name);
        if name::kind(&id).is_none() {
            return;
        }
        let told = self.units.entry(id.clone()).or_default();
        let is_new = told.is_empty();
        if told.len() < MAX_TOLD {
            told.push(start);
        }
        if is_new && name::suffix(&id) != Some("device") {
            self.queue.push_back(id);
        }
    }

    fn follow(
        &mut self,
        units: &Units<'_>,
        id: &str,
        pulls: &[Pull],
        refuses: &dyn Fn(&str, &Listing<Setting>) -> bool,
    ) {
        let loaded = units.load(id);
        let none = Listing::default();
        let settings = match &*loaded {
            Loaded::There(_, settings) => settings,
            Loaded::Unknown(gap) => return self.gaps.push(gap.clone()),
            Loaded::Missing if name::suffix(id) == Some("device") => &none,
            Loaded::Missing | Loaded::Masked => return,
        };
        self.gaps.extend(settings.gaps.iter().cloned());
        for pull in pulls.iter().filter(|pull| pull.is_certain && units.id(&pull.start.of) == id) {
            self.add(units, &pull.unit, pull.start.clone());
        }
        for (folder, by) in [(".wants", "wants"), (".requires", "requires"), (".upholds", "upholds")] {
            self.links(units, id, folder, by);
        }
        for setting in settings.items.iter().filter(|setting| setting.section == "Unit") {
            let by = match setting.key.as_str() {
                "Wants" => "wants",
                "Requires" | "BindsTo" => "requires",
                "Upholds" => "upholds",
                _ => continue,
            };
            for name in named(&setting.value, id) {
                let line = Some(setting.line);
                let start = UnitStart { by: by.to_owned(), of: id.to_owned(), path: setting.path.clone(), line };
                self.add(units, &name, start);
            }
        }
        self.implied(units, id, settings, refuses);
    }

    /// Links in `id.wants` and its like.
    fn links(&mut self, units: &Units<'_>, id: &str, folder: &str, by: &str) {
        for path in units.files(id, folder, "") {
            let is_masked = match units.tree.end(&path) {
                Ok((_, end)) => end == End::Null,
                Err(error) => {
                    self.gaps.push(error.into());
                    continue;
                }
            };
            let metadata = units.tree.root.symlink_metadata(&path);
            let is_link = metadata.is_ok_and(|it| it.file_type == crate::disk::filesystem::FileType::Symlink);
            if is_link && !is_masked {
                let start = UnitStart { by: by.to_owned(), of: id.to_owned(), path: path.to_text(), line: None };
                self.add(units, &instantiated(&file_name(&path), id), start);
            }
        }
    }

    /// What a unit pulls in or starts without saying so.
    fn implied(
        &mut self,
        units: &Units<'_>,
        id: &str,
        settings: &Listing<Setting>,
        refuses: &dyn Fn(&str, &Listing<Setting>) -> bool,
    ) {
        let (section, key, by) = match name::suffix(id) {
            Some("socket") => ("Socket", "Service", "socket"),
            Some("timer") => ("Timer", "Unit", "timer"),
            Some("path") => ("Path", "Unit", "path"),
            Some("service") => ("", "", ""),
            _ => return,
        };
        let own = format!("{}.service", id.rsplit_once('.').map_or(id, |(stem, _)| stem));
        let path = match &*units.load(id) {
            Loaded::There(path, _) => path.to_text(),
            _ => String::new(),
        };
        let start = |by: &str| UnitStart { by: by.to_owned(), of: id.to_owned(), path: path.clone(), line: None };
        let defaults = last(settings, "Unit", "DefaultDependencies").map(|setting| setting.value.as_str());
        if !matches!(defaults, Some("no" | "false" | "0" | "off" | "n" | "f"))
            && !self.units.contains_key("sysinit.target")
        {
            self.add(units, "sysinit.target", start("requires"));
        }
        if by.is_empty() || refuses(id, settings) {
            return;
        }
        let named = last(settings, section, key).filter(|setting| !setting.value.is_empty());
        let unit = named.map_or(own, |setting| name::expand(&setting.value, id, None));
        let accept = last(settings, "Socket", "Accept").map(|setting| setting.value.as_str());
        let unit = match accept {
            // One instance per connection.
            Some("yes" | "true" | "1" | "on" | "y" | "t") => format!("{}@.service", name::prefix(&unit)),
            _ => unit,
        };
        // It starts when the first connection comes or the time is there; what it pulls in is not counted.
        let told = self.units.entry(units.id(&unit)).or_default();
        if told.len() < MAX_TOLD {
            told.push(start(by));
        }
    }

    /// What devices start that need not be there.
    fn uncertain(&mut self, units: &Units<'_>, pulls: &[Pull]) {
        let mut found: Vec<(String, UnitStart)> = Vec::new();
        for pull in pulls.iter().filter(|pull| !pull.is_certain) {
            found.push((pull.unit.clone(), pull.start.clone()));
        }
        for folder in units.tree.at_boot() {
            for (name, below) in &folder.below {
                let Some((device, by)) = [".wants", ".requires", ".upholds"]
                    .iter()
                    .find_map(|suffix| Some((name.strip_suffix(suffix)?, suffix.trim_start_matches('.'))))
                else {
                    continue;
                };
                if name::suffix(device) != Some("device") || device == AGENT_DEVICE {
                    continue;
                }
                let links = below.entries.iter().filter(|(_, node)| matches!(node, Node::Link(_)));
                found.extend(links.map(|(unit, _)| {
                    let path = folder.path.join(name.as_bytes()).join(unit.as_bytes()).to_text();
                    (unit.clone(), UnitStart { by: by.to_owned(), of: device.to_owned(), path, line: None })
                }));
            }
        }
        for (unit, start) in found {
            let told = self.units.entry(units.id(&unit)).or_default();
            if told.len() < MAX_TOLD {
                told.push(start);
            }
        }
    }
}
