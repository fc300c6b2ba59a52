//! grub.cfg and its environment block → entries in menu order (`info grub`, "Shell-like scripting").

mod branches;
mod commands;
mod condition;
mod environment;
mod evaluator;
mod files;
mod lexer;
mod menu;
mod parser;
#[cfg(test)]
mod tests;

pub(crate) use files::{Config, Place};
pub(crate) use menu::Entry;

use super::disk::Disk;
use crate::fact::Listing;
use crate::limits::Limits;
use environment::Environment;
use evaluator::{Evaluator, Frame};
use std::rc::Rc;

/// Features that every GRUB since 2.02 reports (`grub-core/normal/main.c`, `features`).
const FEATURES: &[&str] = &[
    "feature_chainloader_bpb",
    "feature_ntldr",
    "feature_platform_search_hint",
    "feature_default_font_path",
    "feature_all_video_module",
    "feature_menuentry_id",
    "feature_menuentry_options",
    "feature_200_final",
    "feature_nativedisk_cmd",
    "feature_timeout_style",
];

/// Runs the configuration as GRUB for `platform` (`pc`, `efi`) does; `None` when the platform is not known.
pub(crate) fn read(disk: &Disk, config: &Config, platform: Option<&str>, limits: &Limits) -> Listing<Entry> {
    let device = disk.grub_name(config.volume);
    let folder = config.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut environment = Environment::default();
    let platform = platform.map(str::to_owned);
    let mut set = |name: &str, value: Option<String>| {
        environment.set(name, value);
        environment.export(name);
    };
    set("root", Some(device.clone()));
    set("prefix", Some(format!("({device}){folder}")));
    set("grub_platform", platform);
    for unknown in ["grub_cpu", "cmdpath", "lang", "secondary_locale_dir", "shim_lock"] {
        set(unknown, None);
    }
    for feature in FEATURES {
        set(feature, Some("y".to_owned()));
    }

    let mut evaluator = Evaluator::new(disk, limits);
    let mut frame = Frame::new(environment, Rc::new(config.clone()), 0);
    evaluator.start(&mut frame);
    evaluator.run_file(&Place::On(config.volume, config.path.clone()), &mut frame);
    let menu = frame.replaced.take().map_or(frame, |menu| *menu);
    let mut entries = Vec::new();
    evaluator.entries(&menu, &[], true, &mut entries);
    Listing { items: entries, gaps: evaluator.gaps }
}
