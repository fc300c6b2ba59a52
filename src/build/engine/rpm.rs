//! dnf and zypper, where the host has them: their scriptlets run in the tree, with devices there.

use super::{Options, STAGE, gone};
use crate::build::plan::Architecture;
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};

pub(super) fn dnf(options: &Options, shop: &Workshop) -> Result<()> {
    make_tree(shop)?;
    let mut command = shop.around("dnf");
    command.arg("--installroot").arg(shop.tree()).arg(format!("--releasever={}", options.suite));
    command.arg(format!("--forcearch={}", architecture(options.architecture)));
    command.args(["--assumeyes", "--setopt=install_weak_deps=False", "--setopt=keepcache=False"]);
    for (number, mirror) in options.mirrors.iter().enumerate() {
        command.arg(format!("--repofrompath=bootworthy{number},{mirror}")).arg(format!("--repo=bootworthy{number}"));
    }
    command.arg("install").args(names(options));
    shop.run(STAGE, &mut command).map_err(|error| gone(error, options))
}

pub(super) fn zypper(options: &Options, shop: &Workshop) -> Result<()> {
    make_tree(shop)?;
    let zypper = || {
        let mut command = shop.around("zypper");
        command.args(["--non-interactive", "--releasever", &options.suite]);
        // Repositories are the tree's own, or without any in the recipe those of the host.
        command.arg(if options.mirrors.is_empty() { "--installroot" } else { "--root" }).arg(shop.tree());
        command
    };
    for (number, mirror) in options.mirrors.iter().enumerate() {
        shop.run(STAGE, zypper().args(["addrepo", mirror, &format!("bootworthy{number}")]))?;
    }
    let mut command = zypper();
    command.args(["install", "--no-recommends", "--auto-agree-with-licenses"]).args(names(options));
    shop.run(STAGE, &mut command).map_err(|error| gone(error, options))
}

fn make_tree(shop: &Workshop) -> Result<()> {
    std::fs::create_dir(shop.tree()).map_err(|error| Error::io(format!("stage {STAGE}"), error))
}

fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Aarch64 => "aarch64",
    }
}

/// `name-version` of what is locked, all of it; without a lock what is asked for.
fn names(options: &Options) -> Vec<String> {
    if options.locked.is_empty() {
        return options.packages.clone();
    }
    options
        .locked
        .iter()
        .map(|package| format!("{}-{}.{}", package.name, package.version, package.architecture))
        .collect()
}
