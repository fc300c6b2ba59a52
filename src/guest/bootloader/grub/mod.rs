//! grub.cfg and its environment block → entries in menu order (`info grub`, "Shell-like scripting").

mod bls;
mod branches;
mod commands;
mod condition;
mod environment;
mod evaluator;
mod files;
mod lexer;
mod menu;
mod modules;
mod parser;
#[cfg(test)]
mod reach_tests;
mod search;
mod start;
#[cfg(test)]
mod tests;

use super::disk::Disk;
use super::entry::{Config, Entry, Place};
use crate::fact::{Gap, Listing};
use crate::limits::Limits;
use environment::Environment;
use environment::Value;
use evaluator::{Evaluator, Frame};
pub(crate) use menu::Found;
pub(crate) use start::{Start, boot};
use std::collections::BTreeMap;
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

/// Starts that are followed while each changes what the next one reads of the environment block; `next_entry` needs two.
const MAX_STARTS: usize = 4;

/// Runs the configuration as GRUB for `platform` (`pc`, `efi`) does; `None` when the platform is not known.
pub(crate) fn read(disk: &Disk, config: &Config, platform: Option<&str>, limits: &Limits) -> Listing<Entry> {
    let found = starts(|saved| {
        let mut evaluator = Evaluator::new(disk, limits);
        evaluator.earlier.clone_from(saved);
        let found = once(&mut evaluator, config, platform);
        (evaluator, found)
    });
    Listing { items: found.items.into_iter().map(|found| found.entry).collect(), gaps: found.gaps }
}

/// Starts it as `once` does. What it saves before the menu (`next_entry`, `prev_saved_entry`) decides what later starts
/// do: their default is one as well.
fn starts<'d>(mut once: impl FnMut(&BTreeMap<String, Value>) -> (Evaluator<'d>, Vec<Found>)) -> Listing<Found> {
    let mut listing: Listing<Found> = Listing::default();
    let mut saved = BTreeMap::new();
    for start in 0..MAX_STARTS {
        let (evaluator, entries) = once(&saved);
        let gaps = evaluator.gaps.into_iter().filter(|gap| !listing.gaps.contains(gap)).collect::<Vec<_>>();
        listing.gaps.extend(gaps);
        if start == 0 {
            listing.items = entries;
        } else {
            entries
                .into_iter()
                .filter(|found| found.entry.is_default)
                .for_each(|found| later(&mut listing.items, found));
        }
        let before = saved.clone();
        saved.extend(evaluator.written);
        if saved == before {
            return listing;
        }
    }
    let cause = format!("what is started still changes after {MAX_STARTS} starts");
    let config = listing.items.first().map(|found| found.entry.config.path.clone());
    listing.gaps.push(Gap { path: config, reason: cause });
    listing
}

/// A default of a later start.
fn later(entries: &mut Vec<Found>, found: Found) {
    let is_it = |known: &&mut Found| Entry { is_default: true, ..known.entry.clone() } == found.entry;
    match entries.iter_mut().find(is_it) {
        Some(known) => known.entry.is_default = true,
        None => entries.push(found),
    }
}

/// What one start offers.
fn once(evaluator: &mut Evaluator<'_>, config: &Config, platform: Option<&str>) -> Vec<Found> {
    let device = evaluator.disk.grub_name(config.volume);
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

    let mut frame = Frame::new(environment, Rc::new(config.clone()), 0);
    evaluator.start(&mut frame);
    evaluator.run_file(&Place::On(config.volume, config.path.clone()), &mut frame);
    evaluator.found(frame)
}
