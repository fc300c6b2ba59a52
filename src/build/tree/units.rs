//! Units (systemd) or services (`OpenRC`) on, off and masked, without either of them running.

use super::install::{disable, enable, is_there, mask};
use super::root::Root;
use crate::build::plan::Stage;
use crate::build::workshop::Workshop;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What starts with the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Whose they are.
    pub init: Init,
    /// Switched on; one that is not there, or cannot be switched on, is an error.
    pub enable: Vec<String>,
    /// Switched off where they are there.
    pub disable: Vec<String>,
    /// Masked, there or not.
    pub mask: Vec<String>,
}

/// What starts a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// `systemctl --root`.
    Systemd,
    /// `rc-update` in the tree, links below `/etc/runlevels`.
    Openrc,
}

/// Carries it out.
///
/// # Errors
/// A unit that is not there or cannot be switched on.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    super::apply("units", &Stage::Units(options.clone()), shop)
}

/// What the first boot does with units (man 5 systemd.preset): the same.
const PRESET: &str = "/etc/systemd/system-preset/00-bootworthy.preset";
/// Where `OpenRC`'s services stand.
const SERVICES: &str = "/etc/init.d";
/// Where it looks for those that start.
const RUNLEVELS: &str = "/etc/runlevels";
/// What Alpine's installer switches on (alpine-conf, setup-alpine and setup-disk), where the tree has it and nothing yet.
const OPENRC_BASE: &[(&str, &[&str])] = &[
    ("sysinit", &["devfs", "dmesg", "mdev", "hwdrivers"]),
    ("boot", &["hwclock", "modules", "sysctl", "hostname", "bootmisc", "syslog", "networking", "swap", "seedrng"]),
    ("shutdown", &["killprocs", "savecache", "mount-ro"]),
];

pub(super) fn apply(options: &Options, root: &Root) -> Result<()> {
    match options.init {
        Init::Systemd => systemd(options, root),
        Init::Openrc => openrc(options, root),
    }
}

fn systemd(options: &Options, root: &Root) -> Result<()> {
    for unit in &options.disable {
        disable(root, unit)?;
    }
    for unit in &options.mask {
        disable(root, unit)?;
        mask(root, unit)?;
    }
    options.enable.iter().try_for_each(|unit| enable(root, unit))?;
    let rows = options.enable.iter().map(|unit| format!("enable {unit}\n"));
    let rows =
        rows.chain(options.disable.iter().filter(|unit| is_there(root, unit)).map(|unit| format!("disable {unit}\n")));
    let text: String = rows.collect();
    if text.is_empty() { Ok(()) } else { root.write(PRESET, text.as_bytes()) }
}

fn openrc(options: &Options, root: &Root) -> Result<()> {
    let start = |runlevel: &str, name: &str| {
        root.symlink(format!("{SERVICES}/{name}"), &format!("{RUNLEVELS}/{runlevel}/{name}"))
    };
    let has = |name: &str| root.exists(&format!("{SERVICES}/{name}"));
    for (runlevel, names) in OPENRC_BASE {
        if root.names(&format!("{RUNLEVELS}/{runlevel}"))?.is_empty() {
            names.iter().filter(|name| has(name)).try_for_each(|name| start(runlevel, name))?;
        }
    }
    for name in options.disable.iter().chain(&options.mask) {
        for runlevel in root.names(RUNLEVELS)? {
            root.remove(&format!("{RUNLEVELS}/{runlevel}/{name}"))?;
        }
    }
    for name in &options.enable {
        if !has(name) {
            return Err(Error::not_found(format!("service {name}"))
                .because(format!("there is no {SERVICES}/{name} in the image"))
                .help("add the package that has it (often its -openrc part) to [packages] install"));
        }
        // What has a place in an earlier runlevel stays there.
        let is_started = |runlevel: &String| root.link(&format!("{RUNLEVELS}/{runlevel}/{name}")).is_some();
        if !root.names(RUNLEVELS)?.iter().any(is_started) {
            start("default", name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::text;

    fn file(folder: &std::path::Path, path: &str, text: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Unit files, and what shall become of them: on, off, masked.
    const UNITS: &[(&str, &str)] = &[
        ("plain.service", "[Install]\nWantedBy=multi-user.target\n"),
        (
            "two.service",
            "[Install]\nWantedBy=a.target \\\n b.target\nRequiredBy=c.target\nAlias=other.service\nAlso=plain.service\n",
        ),
        ("reset.service", "[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target\n; WantedBy=c.target\n"),
        ("port@.service", "[Install]\nWantedBy=dev-%i.device\n"),
        ("get@.service", "[Install]\nWantedBy=x.target\nDefaultInstance=tty1\n"),
        ("static.service", "[Service]\nExecStart=/bin/true\n"),
        ("dropped.service", "[Service]\nExecStart=/bin/true\n"),
        ("dropped.service.d/install.conf", "[Install]\nWantedBy=late.target\n"),
        ("off.service", "[Install]\nWantedBy=multi-user.target\n"),
        ("away.service", "[Install]\nWantedBy=multi-user.target\n"),
    ];
    const ENABLE: &[&str] =
        &["two.service", "reset.service", "port@vport0p1.service", "get@.service", "dropped.service"];

    fn links(folder: &std::path::Path) -> Vec<String> {
        let entries =
            walkdir::WalkDir::new(folder.join("etc/systemd/system")).sort_by_file_name().into_iter().flatten();
        let links = entries.filter_map(|entry| {
            let target = std::fs::read_link(entry.path()).ok()?;
            let path = entry.path().strip_prefix(folder).ok()?.display().to_string();
            Some(format!("{path} -> {}", text(target.as_os_str().as_encoded_bytes())))
        });
        links.collect()
    }

    fn options() -> Options {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Options {
            init: Init::Systemd,
            enable: list(ENABLE),
            disable: list(&["off.service"]),
            mask: list(&["away.service", "none.service"]),
        }
    }

    /// Without systemctl, and as it does.
    #[test]
    fn links_are_those_that_systemctl_makes() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [ours.path(), theirs.path()] {
            for (name, text) in UNITS {
                file(folder, &format!("usr/lib/systemd/system/{name}"), text);
            }
            file(folder, "etc/systemd/system/x", "");
            for unit in ["off", "away"] {
                let link = folder.join(format!("etc/systemd/system/multi-user.target.wants/{unit}.service"));
                std::fs::create_dir_all(link.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(format!("/usr/lib/systemd/system/{unit}.service"), link).unwrap();
            }
        }
        apply(&options(), &Root::open(ours.path()).unwrap()).unwrap();
        let root = format!("--root={}", theirs.path().display());
        for (verb, units) in [
            ("disable", &["off.service", "away.service"][..]),
            ("mask", &["away.service", "none.service"]),
            ("enable", ENABLE),
        ] {
            #[expect(clippy::disallowed_methods, reason = "the tool that is compared with")]
            let output = std::process::Command::new("systemctl").arg(&root).arg(verb).args(units).output().unwrap();
            assert!(output.status.success(), "{verb}: {}", text(&output.stderr));
        }
        assert_eq!(links(ours.path()), links(theirs.path()));
        assert!(links(ours.path()).len() > 8);
    }

    #[test]
    fn what_cannot_be_switched_on_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "usr/lib/systemd/system/static.service", "[Service]\n");
        std::fs::create_dir_all(folder.path().join("etc/systemd/system")).unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.path().join("etc/systemd/system/away.service")).unwrap();
        let root = Root::open(folder.path()).unwrap();
        for (unit, says) in [
            ("static.service", "nothing in [Install]"),
            ("away.service", "it is masked"),
            ("none.service", "the image has no file of it"),
        ] {
            let error = enable(&root, unit).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn openrc_has_links_of_services() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["devfs", "sshd", "chronyd"] {
            file(folder.path(), &format!("etc/init.d/{name}"), "");
        }
        let link = folder.path().join("etc/runlevels/default/chronyd");
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/etc/init.d/chronyd", &link).unwrap();
        let root = Root::open(folder.path()).unwrap();
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut options =
            Options { init: Init::Openrc, enable: list(&["sshd"]), disable: list(&["chronyd"]), mask: vec![] };
        apply(&options, &root).unwrap();
        assert_eq!(root.names("/etc/runlevels/default").unwrap(), ["sshd"]);
        assert_eq!(root.names("/etc/runlevels/sysinit").unwrap(), ["devfs"]);
        options.enable = list(&["watchdog"]);
        assert!(apply(&options, &root).unwrap_err().to_string().contains("there is no /etc/init.d/watchdog"));
    }
}
