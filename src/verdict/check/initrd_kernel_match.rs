//! The initrd's modules are those of the kernel that is started with it.

use super::{BOOT_FACTS, Check, boots_by};
use crate::guest::{Initrd, Module};
use crate::verdict::boot::{Shelf, Start, each_entry, root_driver};
use crate::verdict::{Tally, Weight};
use std::collections::BTreeMap;

pub(super) const CHECK: Check = Check {
    id: "initrd-kernel-match",
    summary: "the initrd's modules are built for the kernel that it is started with",
    broken: "the initrd's modules are not this kernel's",
    why: "modprobe looks only in /lib/modules/VERSION of the running kernel, and Linux refuses modules of another version (vermagic).",
    detects: "The version in the kernel's header, never its file name, is compared with the module folders of its initrds, with the vermagic of each module that was read, and the kernel's architecture with the ELF header of each. A kernel that needs no module to mount its root passes without any.",
    fix: "Build the initrd again for the version of the kernel that the boot entry starts.",
    family_fixes: &[
        ("dracut", "dracut -f --regenerate-all"),
        ("debian", "update-initramfs -c -k all && update-grub"),
        ("fedora", "dracut -f --regenerate-all"),
        ("suse", "dracut -f --regenerate-all"),
        ("arch", "mkinitcpio -P"),
    ],
    source: "Linux kernel/module/main.c (check_modinfo, same_magic); man 8 modprobe",
    reads: BOOT_FACTS,
    run: |view, tally| each_entry(view, tally, &boots_by(judge)),
};

pub(super) fn judge(start: &Start<'_, '_>, tally: &mut Tally) {
    let Some(archives) = start.archives(tally) else { return };
    if archives.is_empty() && start.is_beside_initrd {
        return tally.not_applicable("an attempt without an initrd has no modules to match");
    }
    let Some(shelf) = start.early(tally) else { return };
    let architecture = start.kernel().and_then(|kernel| start.view.need(&kernel.architecture));
    let mut has_modules = false;
    for tree in shelf.trees() {
        let Some(files) = start.view.need(&tree.files).map(|files| start.view.all(files)) else { return };
        has_modules |= !files.is_empty();
        let modules = start.view.need(&tree.modules).map(|modules| start.view.all(modules)).unwrap_or_default();
        for (found, expected) in strangers(start, modules, &tree.version, architecture) {
            tally.fault(Weight::Full, start.at(start.archive_path(), found).expected(expected));
        }
        if !files.is_empty() {
            tally.proof(start.at(start.archive_path(), format!("{} modules of {}", files.len(), tree.version)));
        }
    }
    if !has_modules {
        judge_without(start, tally, &shelf, &archives);
    }
}

/// What is wrong with each module that this kernel refuses, and what it expects. The kernel compares the whole vermagic
/// with its own, which nothing but its modules tells: those that differ from most others are refused.
fn strangers(
    start: &Start<'_, '_>,
    modules: &[Module],
    version: &str,
    architecture: Option<&String>,
) -> Vec<(String, String)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for module in modules {
        let count = counts.entry(&module.vermagic).or_default();
        *count = count.saturating_add(1);
    }
    let usual = counts.iter().max_by_key(|(_, count)| **count).map_or("", |(vermagic, _)| *vermagic);
    let mut found = Vec::new();
    for module in modules {
        let built_for = module.vermagic.split_ascii_whitespace().next().unwrap_or_default();
        if built_for != version {
            found.push((format!("{} is built for {built_for:?}", module.path), version.to_owned()));
        } else if module.vermagic != usual {
            let others = format!("{usual:?}, as the other modules");
            found.push((format!("{} is built for {:?}", module.path, module.vermagic), others));
        }
        let machine = start.view.need(&module.machine);
        if let (Some(machine), Some(architecture)) = (machine, architecture.filter(|name| Some(*name) != machine)) {
            let text = format!("{} is compiled for {machine}", module.path);
            found.push((text, format!("{architecture}, as the kernel")));
        }
    }
    found
}

/// No module of this version: fine where the kernel needs none to mount its root.
fn judge_without(start: &Start<'_, '_>, tally: &mut Tally, shelf: &Shelf<'_, '_>, archives: &[&Initrd]) {
    let Some(driver) = root_driver(start.view) else { return };
    let (is_whole, gaps) = start.view.apart(|view| {
        let all = |modules: &[&str]| every(modules.iter().map(|module| shelf.is_built_in(view, module)));
        let bus = either(all(&["virtio_blk"]), all(&["virtio_scsi", "scsi_mod", "sd_mod"]));
        every([all(&["virtio_pci", driver]), bus])
    });
    match is_whole {
        Some(true) => {
            let found = "all that mounts the root file system is built into the kernel";
            return tally.proof(start.at(start.attempt.kernel.clone(), found));
        }
        Some(false) => {}
        None => {
            for gap in gaps {
                start.view.miss(gap);
            }
            return;
        }
    }
    if start.view.certain(|view| shelf.looked_everywhere(view)).is_none() {
        return;
    }
    let versions: Vec<&str> = archives.iter().flat_map(|initrd| versions(initrd)).collect();
    let version = start.kernel().and_then(|kernel| kernel.version.known()).map_or("unknown", String::as_str);
    let found = match versions.as_slice() {
        [] if archives.is_empty() => {
            "this kernel is started without an initrd, and needs modules to mount its root".to_owned()
        }
        [] => "this initrd has no modules".to_owned(),
        versions => format!("this initrd has modules of {}", versions.join(", ")),
    };
    let evidence =
        start.at(start.archive_path(), found).expected(format!("modules of {version}, the kernel's version"));
    start.missing(tally, Weight::Full, evidence);
}

/// True when all are, false when one is not, unknown otherwise.
fn every(answers: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<Option<bool>> = answers.into_iter().collect();
    if answers.contains(&Some(false)) { Some(false) } else { answers.iter().all(Option::is_some).then_some(true) }
}

/// True when one is, false when none is, unknown otherwise.
fn either(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    every([a, b].map(|answer| answer.map(|is| !is))).map(|is| !is)
}

fn versions(initrd: &Initrd) -> Vec<&str> {
    let trees = initrd.modules.known().map(|trees| trees.items.as_slice()).unwrap_or_default();
    trees.iter().map(|tree| tree.version.as_str()).collect()
}
