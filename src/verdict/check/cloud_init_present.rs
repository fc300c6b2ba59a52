//! Something takes SSH keys and user data from `OpenStack` at the first boot.

use super::Check;
use crate::verdict::login::{CloudInitState, FACTS, cloud_init, default_starts, file, is_runlevel, program};
use crate::verdict::unit::{Start, starts};
use crate::verdict::{Evidence, Lookup, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "cloud-init-present",
    summary: "cloud-init, or what takes its place, runs at the first boot",
    broken: "nothing configures the instance at its first boot",
    why: "OpenStack hands SSH keys, host name and user data to the instance; without cloud-init or its like nobody takes them, and nobody can log in.",
    detects: "cloud-init's program, /etc/cloud/cloud-init.disabled, cloud-init=disabled and ci.di.policy= on the default entry's command line, the policy of /etc/cloud/ds-identify.cfg, then the units of the stages before and with the network: each must start, or be enabled for cloud-init.target with cloud-init's generator in place. Without cloud-init: the services of tiny-cloud, cirros-init, glean and Afterburn, or Ignition with ignition.platform.id=openstack on the command line.",
    fix: "Install cloud-init and enable its services; remove /etc/cloud/cloud-init.disabled and cloud-init=disabled.",
    family_fixes: &[
        ("debian", "apt-get install cloud-init; rm -f /etc/cloud/cloud-init.disabled"),
        (
            "fedora",
            "dnf install cloud-init; systemctl enable cloud-init-local.service cloud-init.service cloud-config.service cloud-final.service",
        ),
        (
            "suse",
            "zypper install cloud-init; systemctl enable cloud-init-local.service cloud-init.service cloud-config.service cloud-final.service",
        ),
        ("arch", "pacman -S cloud-init; systemctl enable cloud-init-main.service cloud-final.service"),
        ("alpine", "apk add cloud-init && setup-cloud-init"),
    ],
    source: "OpenStack image guide (fetch the SSH public key, process user data); cloud-init doc/rtd/howto/disable_cloud_init.rst",
    reads: FACTS,
    run,
};

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(state) = cloud_init(view) else { return };
    match state {
        CloudInitState::Runs(proofs) => proofs.into_iter().for_each(|proof| tally.proof(proof)),
        CloudInitState::Stopped(stops) => stops.into_iter().for_each(|stop| tally.fault(Weight::Full, stop)),
        CloudInitState::Absent => match other(view) {
            None => {}
            Some(Start::Yes(proof)) => tally.proof(proof),
            Some(Start::No(refusal)) => tally.fault(Weight::Full, refusal),
        },
    }
    leftovers(view, tally);
}

/// What takes cloud-init's place; `None` keeps the gaps.
fn other(view: &View<'_>) -> Option<Start> {
    let is_it = |path: &str| {
        path == "/etc/cirros-init/config" || is_runlevel(path, "tiny-cloud-main") || is_runlevel(path, "tiny-cloud")
    };
    if let Lookup::There(found) = file(view, |file| is_it(&file.path))? {
        return Some(Start::Yes(Evidence::at(
            found.path.clone(),
            "this configures the instance in cloud-init's place",
        )));
    }
    if let Lookup::There(folder) = file(view, |file| file.path.ends_with("ignition"))? {
        // Ignition does nothing without it (coreos/ignition, docs/supported-platforms.md).
        let is_told = |word: &String| word == "ignition.platform.id=openstack" || word == "flatcar.oem.id=openstack";
        if default_starts(view)?.iter().all(|default| default.words.iter().any(is_told)) {
            return Some(Start::Yes(Evidence::at(
                folder.path.clone(),
                "Ignition runs in the initrd, told that it is OpenStack",
            )));
        }
    }
    for (programs, prefix) in [
        (&["/usr/bin/glean", "/usr/local/bin/glean"][..], "glean"),
        (&["/usr/bin/afterburn"], "afterburn-sshkeys@"),
        (&["/usr/bin/coreos-cloudinit"], "oem-cloudinit"),
    ] {
        if program(view, programs)? == Lookup::Absent {
            continue;
        }
        let units = view.units()?;
        let names: Vec<&str> =
            units.items.iter().map(|unit| unit.name.as_str()).filter(|name| name.starts_with(prefix)).collect();
        if let Start::Yes(proof) = starts(view, &names)? {
            return Some(Start::Yes(proof));
        }
        view.find(units, |_| false)?;
    }
    let found = "neither cloud-init nor Ignition, tiny-cloud, cirros-init, glean or Afterburn is set up";
    Some(Start::No(Evidence::of(found)))
}

/// What an instance that ran from this image has left: cloud-init takes it for its own past.
fn leftovers(view: &View<'_>, tally: &mut Tally) {
    let Some(files) = view.files() else { return };
    for file in files.items.iter().filter(|file| file.path.starts_with("/var/lib/cloud/")) {
        let found = "an instance that ran from this image has left this; `cloud-init clean` removes it";
        tally.note(Evidence::at(file.path.clone(), found));
    }
}
