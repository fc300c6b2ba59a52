//! GRUB's core → the menu that it comes to: prefix, embedded configuration, normal mode (`grub-core/kern/main.c`).

use super::environment::{Environment, Value};
use super::evaluator::{Evaluator, Frame, Outcome};
use super::menu::{self, Found};
use super::modules::Modules;
use super::parser::{Statement, parse};
use super::{FEATURES, starts};
use crate::error::ErrorKind;
use crate::fact::{Fact, Gap, Listing};
use crate::guest::bootloader::disk::Disk;
use crate::guest::bootloader::entry::{Config, Place, REACHED, Reach, Stop};
use crate::guest::bootloader::grub_core::Core;
use crate::limits::Limits;
use std::rc::Rc;

/// What the firmware starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) core: &'a Core,
    /// Volume of the program for UEFI, and its folder; with BIOS only the drive is known.
    pub(crate) program: Option<(usize, &'a str)>,
}

/// Where gaps of the embedded configuration are.
const EMBEDDED: &str = "GRUB's embedded configuration";

/// Runs GRUB from its core on; an error is why it comes to no menu, where that is known.
pub(crate) fn boot(disk: &Disk, start: Start<'_>, limits: &Limits) -> Result<Listing<Found>, Reach> {
    let mut end = Ok(());
    let listing = starts(|saved| {
        let mut evaluator = Evaluator::new(disk, limits);
        evaluator.modules = Some(Modules::new(start.core));
        evaluator.earlier.clone_from(saved);
        let found = evaluator.boot(start).unwrap_or_else(|reach| {
            end = Err(reach);
            Vec::new()
        });
        (evaluator, found)
    });
    end.map(|()| listing)
}

impl Evaluator<'_> {
    fn boot(&mut self, start: Start<'_>) -> Result<Vec<Found>, Reach> {
        let config = Rc::new(Config { volume: 0, path: EMBEDDED.to_owned() });
        let mut frame = Frame::new(self.environment(start), config, 0);
        self.embedded(start.core, &mut frame)?;
        if frame.replaced.is_none() && !frame.is_booted {
            self.enter(&mut frame)?;
            let config = self.main(start, &mut frame)?;
            let place = Place::On(config.volume, config.path.clone());
            let mut menu = Frame::new(frame.environment.clone(), Rc::new(config), 0);
            self.start(&mut menu);
            self.run_file(&place, &mut menu);
            frame = menu;
        }
        Ok(self.found(frame))
    }

    /// The entries of the menu that was come to.
    pub(super) fn found(&mut self, mut frame: Frame) -> Vec<Found> {
        let mut menu = frame.replaced.take().map_or(frame, |menu| *menu);
        let mut found: Vec<Found> = menu::booted(&mut menu).into_iter().collect();
        self.entries(&menu, &[], found.is_empty(), &mut found);
        let lack = self.modules.as_ref().and_then(|modules| modules.lack.as_ref());
        for found in found.iter_mut().filter(|found| found.reach == REACHED) {
            found.reach = lack.map_or(REACHED, |gap| Fact::Unknown(gap.clone()));
        }
        found
    }

    /// Variables that the core sets (`grub_set_prefix_and_root`).
    fn environment(&self, start: Start<'_>) -> Environment {
        let mut environment = Environment::default();
        let drive = start.program.map_or_else(|| "hd0".to_owned(), |(volume, _)| self.disk.grub_name(volume));
        let (device, path) = place(start.core.prefix.as_deref().unwrap_or_default(), &drive);
        let path = path.or(start.program.map(|(_, folder)| folder.to_owned())).unwrap_or_default();
        let is_pc = start.core.platform.folder.ends_with("-pc");
        let mut set = |name: &str, value: Option<String>| {
            environment.set(name, value);
            environment.export(name);
        };
        set("prefix", Some(format!("({device}){path}")));
        set("root", Some(device));
        set("cmdpath", Some(format!("({drive}){}", start.program.map_or("", |(_, folder)| folder))));
        set("grub_platform", Some(if is_pc { "pc" } else { "efi" }.to_owned()));
        set("grub_cpu", start.core.platform.folder.split('-').next().map(str::to_owned));
        for unknown in ["lang", "secondary_locale_dir", "shim_lock"] {
            set(unknown, None);
        }
        environment
    }

    /// Runs the embedded configuration line by line: GRUB's rescue parser knows neither `if` nor `;`.
    fn embedded(&mut self, core: &Core, frame: &mut Frame) -> Result<(), Reach> {
        let Some(config) = &core.config else { return Ok(()) };
        let script = parse(config.as_bytes());
        let is_command = |statement: &Statement| matches!(statement, Statement::Command { block: None, .. });
        let is_plain = script.error.is_none()
            && script.statements.iter().all(is_command)
            && !config.lines().any(|line| line.contains([';', '&', '|', '<', '>']));
        if !is_plain {
            return Err(Fact::Unknown(Gap::at(
                EMBEDDED,
                "it holds more than plain commands, which this version does not run",
            )));
        }
        self.run(&script.statements, frame);
        match frame.doubt {
            Some(_) if frame.replaced.is_none() => {
                let gap = self.gaps.last().cloned();
                Err(Fact::Unknown(
                    gap.unwrap_or_else(|| Gap::at(EMBEDDED, "what it does is not known before the start")),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Loads normal mode.
    fn enter(&mut self, frame: &mut Frame) -> Result<(), Reach> {
        match self.module("normal", frame) {
            REACHED => {}
            reach => return Err(reach),
        }
        if let Some(modules) = &mut self.modules {
            modules.is_normal = true;
        }
        for feature in FEATURES {
            frame.environment.set(feature, Some("y".to_owned()));
            frame.environment.export(feature);
        }
        Ok(())
    }

    /// `normal` without a file, as the embedded configuration may say it.
    pub(super) fn normal(&mut self, line: u32, frame: &mut Frame) -> Outcome {
        let file = frame.environment.get("prefix").map(|prefix| format!("{prefix}/grub.cfg"));
        if self.modules.as_ref().is_none_or(|modules| modules.is_normal) {
            return Outcome::UNKNOWN;
        }
        self.normal_file(line, &file, frame)
    }

    /// `normal` with a file: unlike `configfile`, it reads the lists of what can be loaded.
    pub(super) fn normal_file(&mut self, line: u32, file: &Value, frame: &mut Frame) -> Outcome {
        if self.modules.as_ref().is_some_and(|modules| !modules.is_normal) && self.enter(frame).is_err() {
            return Outcome::UNKNOWN;
        }
        self.include(line, Some(file), true, frame)
    }

    /// The menu that normal mode reads: grub.cfg of the prefix, with Red Hat's that of the program's folder before it.
    fn main(&mut self, start: Start<'_>, frame: &mut Frame) -> Result<Config, Reach> {
        let is_red_hat = start.core.has("blscfg");
        if let Some((volume, folder)) = start.program.filter(|_| is_red_hat) {
            let config = Config { volume, path: format!("{folder}/grub.cfg") };
            if self.disk.root(volume).and_then(|root| root.exists(&config.path)).unwrap_or(true) {
                return Ok(config);
            }
        }
        let prefix = frame.environment.get("prefix").map(|prefix| format!("{prefix}/grub.cfg"));
        let config = match self.locate(&prefix, &frame.environment) {
            Place::On(volume, path) => Config { volume, path },
            Place::Elsewhere(path) => {
                return Err(lost(format!("GRUB looks for {path}, and there is no such device on this disk"), None));
            }
            Place::Section(..) | Place::Unknown => {
                let prefix = prefix.as_deref().unwrap_or("not known");
                return Err(Fact::unknown(format!("which menu GRUB reads is not known: it is {prefix}")));
            }
        };
        match self.readable(config.volume, frame) {
            REACHED => {}
            reach => return Err(reach),
        }
        match self.disk.root(config.volume).and_then(|root| root.metadata(&config.path)) {
            Ok(_) => Ok(config),
            Err(error) if error.kind == ErrorKind::NotFound => {
                let found = format!("GRUB looks for its menu at {}, and it is not there", prefix.unwrap_or_default());
                Err(lost(found, Some(config)))
            }
            Err(error) => Err(Fact::Unknown(error.at(config.path).into())),
        }
    }
}

fn lost(found: String, file: Option<Config>) -> Reach {
    Fact::Known(Some(Stop { found, file }))
}

/// The device and path of a prefix; what it leaves out is taken from the device that GRUB was started from.
fn place(prefix: &str, started: &str) -> (String, Option<String>) {
    let parts = prefix.strip_prefix('(').and_then(|rest| rest.rsplit_once(')'));
    let (device, path) = parts.map_or((None, prefix), |(device, path)| (Some(device), path));
    let device = match device {
        None => started.to_owned(),
        Some(device) if device.is_empty() || device.starts_with(',') => {
            format!("{}{device}", started.split(',').next().unwrap_or_default())
        }
        Some(device) => device.to_owned(),
    };
    (device, (!path.is_empty()).then(|| path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_filled_up_from_the_device_started() {
        for (prefix, started, expected) in [
            ("/boot/grub", "hd0", ("hd0", Some("/boot/grub"))),
            ("(,gpt1)/boot/grub", "hd0", ("hd0,gpt1", Some("/boot/grub"))),
            ("(,gpt1)/boot/grub", "hd0,gpt15", ("hd0,gpt1", Some("/boot/grub"))),
            ("(hd0,msdos5)/grub", "hd0", ("hd0,msdos5", Some("/grub"))),
            ("()/grub", "hd0,gpt15", ("hd0", Some("/grub"))),
            ("/EFI/debian", "hd0,gpt15", ("hd0,gpt15", Some("/EFI/debian"))),
            ("", "hd0,gpt15", ("hd0,gpt15", None)),
            ("(lvm/a)b)/grub", "hd0", ("lvm/a)b", Some("/grub"))),
        ] {
            let (device, path) = place(prefix, started);
            assert_eq!((device.as_str(), path.as_deref()), expected, "{prefix}");
        }
    }
}
