//! Every instance makes SSH host keys of its own.

use super::Check;
use crate::verdict::login::{CloudInitState, cloud_init};
use crate::verdict::{Evidence, FactName, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "ssh-hostkeys-absent",
    summary: "the image has no SSH host keys",
    broken: "the image has SSH host keys, which everyone who has the image knows",
    why: "Whoever has the image has its private host keys, and can stand in for every instance that still uses them.",
    detects: "The names ssh_host_*_key in /etc/ssh and dropbear_*_host_key in /etc/dropbear. Whether cloud-init runs, has the module ssh and ssh_deletekeys, says only if it will replace them.",
    fix: "rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub as the last step of building the image.",
    family_fixes: &[],
    source: "man 8 sshd; cloud-init cloudinit/config/cc_ssh.py (ssh_deletekeys)",
    reads: READS,
    run,
};

const READS: &[FactName] = &[
    FactName::HostKeys,
    FactName::Files,
    FactName::CloudInit,
    FactName::Units,
    FactName::BootEntries,
    FactName::Kernels,
];

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(keys) = view.host_keys() else { return };
    // Only said of a key that is there, which is a fault either way: its gaps are nobody's.
    let (is_replaced, _) = view.apart(replaces);
    for key in view.all(keys) {
        let found = match is_replaced {
            Some(true) => "a private host key; cloud-init replaces it at the first boot, if it gets that far",
            Some(false) => "a private host key that every instance will use",
            None => "a private host key",
        };
        tally.fault(Weight::Full, Evidence::at(key.clone(), found).expected("no such file"));
    }
    if keys.items.is_empty() && keys.gaps.is_empty() {
        tally.proof(Evidence::of("no private host key is in the image"));
        let (is_made, gaps) = view.apart(makes);
        if is_made == Some(false) && gaps.is_empty() {
            let found = "nothing was found that makes host keys at the first boot, and sshd does not start without one";
            tally.note(Evidence::of(found));
        }
    }
}

/// Whether cloud-init deletes the keys and makes new ones.
fn replaces(view: &View<'_>) -> Option<bool> {
    let is_running = matches!(cloud_init(view)?, CloudInitState::Runs(_));
    let settings = view.cloud_init()?;
    let deletes = view.need(&settings.deletes_host_keys)?;
    let modules = view.need(&settings.modules)?;
    Some(is_running && *deletes && modules.iter().any(|module| module == "ssh"))
}

/// Whether cloud-init, a unit of the distribution or `OpenRC`'s service makes keys.
fn makes(view: &View<'_>) -> Option<bool> {
    const UNITS: &[&str] = &["sshd-keygen", "ssh-keygen", "sshdgenkeys", "regenerate_ssh_host_keys", "dropbear"];
    let modules = view.need(&view.cloud_init()?.modules)?;
    if matches!(cloud_init(view)?, CloudInitState::Runs(_)) && modules.iter().any(|module| module == "ssh") {
        return Some(true);
    }
    if view.files()?.items.iter().any(|file| file.path.starts_with("/etc/runlevels/") && file.path.ends_with("/sshd")) {
        return Some(true);
    }
    let is_keygen = |name: &str| UNITS.iter().any(|prefix| name.starts_with(prefix));
    Some(view.all(view.units()?).iter().any(|unit| is_keygen(&unit.name)))
}
