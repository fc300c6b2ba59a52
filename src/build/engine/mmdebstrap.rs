//! mmdebstrap: Debian, Ubuntu and what is made of them.

use super::{Options, STAGE, gone};
use crate::build::plan::Architecture;
use crate::build::workshop::{Mode, Workshop};
use crate::error::{Error, ErrorKind, Result};
use std::fmt::Write as _;

/// Puts the pins beside apt's own before anything is installed: `$1` is the tree.
const PIN: &str =
    "mkdir -p \"$1/etc/apt/preferences.d\" && cp \"$BOOTWORTHY_PINS\" \"$1/etc/apt/preferences.d/bootworthy\"";
/// Takes them away again, and with them what `--aptopt` leaves: a tree from a lock is the tree that was locked.
const UNPIN: &str = "rm \"$1/etc/apt/preferences.d/bootworthy\" && rm -f \"$1/etc/apt/apt.conf.d/99mmdebstrap\"";
/// Where they wait.
const PINS: &str = "pins";

pub(super) fn make(options: &Options, shop: &Workshop) -> Result<()> {
    let mut command = shop.chrooting("mmdebstrap");
    // In the user namespace we are root already.
    command.arg(match shop.mode() {
        Mode::Root | Mode::Unshare => "--mode=root",
        Mode::Fakechroot => "--mode=fakechroot",
    });
    command.args(["--format=directory", "--verbose", "--skip=cleanup/apt/lists"]);
    command.arg(format!("--architectures={}", architecture(options.architecture)));
    if let Some(variant) = &options.variant {
        command.arg(format!("--variant={variant}"));
    }
    if !options.components.is_empty() {
        command.arg(format!("--components={}", options.components.join(",")));
    }
    let packages: Vec<String> = options.packages.iter().map(|name| pinned(name, options)).collect();
    if !packages.is_empty() {
        command.arg(format!("--include={}", packages.join(",")));
    }
    // The archive of a lock may be older than its signature says it shall be used.
    if !options.locked.is_empty() {
        let path = shop.folder().join(PINS);
        std::fs::write(&path, pins(options)).map_err(|error| Error::io(format!("stage {STAGE}"), error))?;
        command.env("BOOTWORTHY_PINS", path).arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
        command.arg(format!("--setup-hook={PIN}")).arg(format!("--customize-hook={UNPIN}"));
    }
    command.arg(&options.suite).arg(shop.tree()).args(&options.mirrors);
    shop.run(STAGE, &mut command).map_err(|error| match (explained(gone(error, options)), shop.mode()) {
        // man 1 fakechroot, "LIMITATIONS": its library is loaded into the tree's programs.
        (Err(error), Mode::Fakechroot) => error
            .why("with fakechroot the tree's C library must be as old as this machine's, and of the same release best"),
        (Ok(error) | Err(error), _) => error,
    })
}

/// What apt says, and what to do about it.
const WORDS: &[(&str, &str)] = &[
    ("Unable to locate package", PACKAGES),
    ("has no installation candidate", PACKAGES),
    ("Failed to fetch", MIRROR),
    ("does not have a Release file", MIRROR),
    ("is not signed", "its signature is not known here: install the keyring of the distribution"),
];
const PACKAGES: &str = "the suite has no such package: look at [packages] and [distribution] of the recipe";
const MIRROR: &str =
    "is the network there, and distribution.mirror of the recipe right? then run the same command again";

/// Only the words that tell the cause, with the next step; `Err` where none of them is known.
fn explained(mut error: Error) -> Result<Error> {
    let said = error.cause.clone().unwrap_or_default();
    let tells = |line: &&str| line.starts_with("E: ") && WORDS.iter().any(|(words, _)| line.contains(words));
    let lines: Vec<&str> = said.split("; ").filter(tells).filter_map(|line| line.strip_prefix("E: ")).collect();
    let next = WORDS.iter().find(|(words, _)| lines.iter().any(|line| line.contains(words)));
    let Some((_, next)) = next.filter(|_| error.kind == ErrorKind::Io) else { return Err(error) };
    error.cause = Some(lines.join("; "));
    error.help = Some(error.help.map_or_else(|| (*next).to_owned(), |help| format!("{next}; {help}")));
    Ok(error)
}

fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Aarch64 => "arm64",
    }
}

/// apt names the version that it does not find.
fn pinned(name: &str, options: &Options) -> String {
    match options.locked.iter().find(|package| package.name == name) {
        Some(package) => format!("{name}={}", package.version),
        None => name.to_owned(),
    }
}

/// Prefers what is locked even to what is newer (`man 5 apt_preferences`).
fn pins(options: &Options) -> String {
    let mut text = String::new();
    for package in &options.locked {
        // Writing to a string cannot fail.
        let _ = write!(text, "Package: {}\nPin: version {}\nPin-Priority: 1001\n\n", package.name, package.version);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_tell_the_cause_are_kept() {
        let noise =
            "E: apt-get update failed; I: main() received signal PIPE: waiting for setup...; E: mmdebstrap failed";
        for (said, cause, next) in [
            (
                "Err:1 x; E: Failed to fetch http://x/InRelease  404; E: The repository 'x' is not signed.",
                Some("Failed to fetch http://x/InRelease  404; The repository 'x' is not signed."),
                MIRROR,
            ),
            (
                "E: The repository 'x Release' does not have a Release file.",
                Some("The repository 'x Release' does not have a Release file."),
                MIRROR,
            ),
            (
                "E: Unable to locate package nosuch; E: setup failed: E: apt-get install nosuch",
                Some("Unable to locate package nosuch"),
                PACKAGES,
            ),
            ("dpkg: error processing package x", None, ""),
        ] {
            let error = Error::io("stage tree", format!("{said}; {noise}")).help("the log");
            match (explained(error), cause) {
                (Ok(error), Some(cause)) => {
                    assert_eq!(error.cause.as_deref(), Some(cause));
                    assert_eq!(error.help.unwrap(), format!("{next}; the log"));
                }
                (Err(_), None) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
