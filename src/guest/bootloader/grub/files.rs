//! Paths of a configuration → files of the volumes.

use super::condition::{self, Asked};
use super::environment::{Environment, Value};
use super::evaluator::{Evaluator, Frame, LOOK, MAX_DEPTH, Outcome};
use crate::disk::filesystem::FileType;
use crate::error::ErrorKind;
use crate::guest::bootloader::disk::Found;
use crate::guest::bootloader::entry::{Config, Place};
use std::rc::Rc;

/// Whether GRUB counts the drives that have such names.
fn is_disk(device: &str) -> bool {
    let number = ["hd", "fd", "cd"].iter().find_map(|kind| device.strip_prefix(kind));
    number.is_some_and(|number| number.starts_with(|digit: char| digit.is_ascii_digit()))
}

impl Evaluator<'_> {
    /// `source` runs in the same variables, `configfile` in the exported ones, and its menu replaces this one.
    pub(super) fn include(&mut self, line: u32, file: Option<&Value>, is_new: bool, frame: &mut Frame) -> Outcome {
        let place = file.map_or(Place::Unknown, |file| self.locate(file, &frame.environment));
        if let Place::Elsewhere(_) = place {
            return Outcome::of(Some(false));
        }
        let Place::On(volume, path) = &place else {
            frame.doubt();
            self.gap(frame, line, "another configuration is read, and which one is not known");
            return Outcome::UNKNOWN;
        };
        if frame.depth >= MAX_DEPTH {
            frame.doubt();
            self.gap(frame, line, "configurations include each other too deeply");
            return Outcome::UNKNOWN;
        }
        let config = Rc::new(Config { volume: *volume, path: path.clone() });
        if !is_new {
            let outer = std::mem::replace(&mut frame.config, config);
            frame.depth = frame.depth.saturating_add(1);
            let outcome = self.run_file(&place, frame);
            frame.depth = frame.depth.saturating_sub(1);
            frame.config = outer;
            return Outcome { is_end: false, ..outcome };
        }
        if !self.spend(frame.environment.size()) {
            return self.exhausted(frame);
        }
        let mut inner = Frame::new(frame.environment.nested(), config, frame.depth.saturating_add(1));
        self.start(&mut inner);
        let outcome = self.run_file(&place, &mut inner);
        if inner.items.is_empty() && inner.replaced.is_none() && inner.doubt.is_none() && !inner.is_booted {
            return Outcome { is_end: false, ..outcome };
        }
        frame.replaced = inner.replaced.take().or(Some(Box::new(inner)));
        Outcome::END
    }

    /// What GRUB sets before it runs a configuration (`grub-core/normal/main.c`).
    pub(super) fn start(&self, frame: &mut Frame) {
        let path = &frame.config.path;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let device = self.disk.grub_name(frame.config.volume);
        for (name, value) in [("config_file", path.as_str()), ("config_directory", folder)] {
            frame.environment.set(name, Some(format!("({device}){value}")));
            frame.environment.export(name);
        }
    }

    /// `(hd0,gpt3)/path`, or a path on `$root`.
    pub(super) fn locate(&self, path: &Value, environment: &Environment) -> Place {
        let Some(path) = path else { return Place::Unknown };
        let (device, path) = match path.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((device, path)) => (Some(device.to_owned()), path),
            None => (environment.get("root"), path.as_str()),
        };
        let Some(device) = device else { return Place::Unknown };
        // A path that is a list of blocks, or holds a wildcard, is none of a file.
        if !path.starts_with('/') || path.contains('*') {
            return Place::Unknown;
        }
        match self.disk.grub_device(&device) {
            Found::At(index) => Place::On(index, path.to_owned()),
            // A volume group, an array, a memory disk: nothing that a partition table names.
            Found::Nowhere if self.modules.is_some() && !is_disk(&device) => Place::Unknown,
            Found::Nowhere => Place::Elsewhere(format!("({device}){path}")),
            Found::Unclear => Place::Unknown,
        }
    }

    /// What a file test says; `None` when the volume cannot be read.
    pub(super) fn file_test(&self, path: &str, asked: Asked, environment: &Environment) -> Option<bool> {
        let (volume, path) = match self.locate(&Some(path.to_owned()), environment) {
            Place::On(volume, path) => (volume, path),
            Place::Elsewhere(_) => return Some(false),
            Place::Section(..) | Place::Unknown => return None,
        };
        match self.disk.root(volume).and_then(|root| root.metadata(&path)) {
            Ok(metadata) => Some(match asked {
                Asked::Exists => true,
                Asked::IsFile => metadata.file_type != FileType::Directory,
                Asked::IsFolder => metadata.file_type == FileType::Directory,
                Asked::HasContent => metadata.file_type == FileType::Regular && metadata.size > 0,
            }),
            Err(error) if error.kind == ErrorKind::NotFound => Some(false),
            Err(_) => None,
        }
    }

    pub(super) fn test(&mut self, arguments: &[Value], environment: &Environment) -> Option<bool> {
        condition::decide(arguments, &mut |path, asked| {
            if self.spend(LOOK) { self.file_test(path, asked, environment) } else { None }
        })
    }
}
