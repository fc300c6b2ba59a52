//! apk, where the host has it.

use super::{Options, STAGE, gone};
use crate::build::plan::Architecture;
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};

pub(super) fn make(options: &Options, shop: &Workshop) -> Result<()> {
    std::fs::create_dir(shop.tree()).map_err(|error| Error::io(format!("stage {STAGE}"), error))?;
    let mut command = shop.around("apk");
    command.arg("--root").arg(shop.tree()).args(["--initdb", "--no-progress", "--no-cache", "--arch"]);
    command.arg(match options.architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Aarch64 => "aarch64",
    });
    command.args(["--keys-dir", "/etc/apk/keys"]);
    if options.mirrors.is_empty() {
        command.args(["--repositories-file", "/etc/apk/repositories"]);
    }
    for mirror in &options.mirrors {
        command.args(["--repository", mirror]);
    }
    command.arg("add");
    match options.locked.as_slice() {
        [] => command.args(&options.packages),
        locked => command.args(locked.iter().map(|package| format!("{}={}", package.name, package.version))),
    };
    shop.run(STAGE, &mut command).map_err(|error| gone(error, options))
}
