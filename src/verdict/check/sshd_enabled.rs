//! An SSH server is installed and starts at boot.

use super::Check;
use crate::verdict::login::{file, is_runlevel, program};
use crate::verdict::unit::{Start, starts};
use crate::verdict::{Evidence, FactName, Lookup, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "sshd-enabled",
    summary: "an SSH server starts at boot",
    broken: "no SSH server starts at boot",
    why: "An instance without an SSH server is reached only through its console, and that needs a password.",
    detects: "The program of OpenSSH or dropbear, /etc/ssh/sshd_not_to_be_run, then what starts it: ssh.service, sshd.service or their sockets among systemd's units, or a link in /etc/runlevels or /etc/rc3.d.",
    fix: "Install an SSH server and enable its service.",
    family_fixes: &[
        ("debian", "apt-get install openssh-server; systemctl enable ssh.service; rm -f /etc/ssh/sshd_not_to_be_run"),
        ("fedora", "dnf install openssh-server; systemctl enable sshd.service"),
        ("suse", "zypper install openssh-server; systemctl enable sshd.service"),
        ("arch", "pacman -S openssh; systemctl enable sshd.service"),
        ("alpine", "apk add openssh-server; rc-update add sshd default"),
    ],
    source: "OpenStack image guide (ensure SSH server runs); man 8 sshd",
    reads: &[FactName::Files, FactName::Units],
    run,
};

/// A server, its programs and what starts it.
struct Server {
    service: &'static str,
    programs: &'static [&'static str],
    units: &'static [&'static str],
}

const SERVERS: &[Server] = &[
    Server {
        service: "sshd",
        programs: &["/usr/sbin/sshd", "/usr/bin/sshd"],
        units: &["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"],
    },
    Server {
        service: "dropbear",
        programs: &["/usr/sbin/dropbear", "/usr/bin/dropbear"],
        units: &["dropbear.service", "dropbear.socket"],
    },
];

fn run(view: &View<'_>, tally: &mut Tally) {
    let mut refusals = Vec::new();
    let mut unknown = Vec::new();
    for server in SERVERS {
        let (verdict, gaps) = view.apart(|view| judge(view, server));
        match verdict {
            Some(Start::Yes(proof)) => return tally.proof(proof),
            Some(Start::No(refusal)) => refusals.push(refusal),
            None => unknown.extend(gaps),
        }
    }
    if !unknown.is_empty() {
        return unknown.into_iter().for_each(|gap| view.miss(gap));
    }
    let is_placed = refusals.iter().any(|refusal| refusal.path.is_some());
    refusals.retain(|refusal| refusal.path.is_some() || !is_placed);
    for refusal in refusals {
        tally.fault(Weight::Full, refusal);
    }
}

/// Whether this server starts; `None` keeps the gaps.
fn judge(view: &View<'_>, server: &Server) -> Option<Start> {
    let Lookup::There(program) = program(view, server.programs)? else {
        return Some(Start::No(Evidence::of(format!("{} is not installed", server.service))));
    };
    if server.service == "sshd" {
        // Debian's ssh.service and sshd@.service: ConditionPathExists=!/etc/ssh/sshd_not_to_be_run.
        if let Lookup::There(file) = file(view, |file| file.path == "/etc/ssh/sshd_not_to_be_run")? {
            let found = "this file keeps sshd from starting";
            return Some(Start::No(Evidence::at(file.path.clone(), found).expected("no such file")));
        }
    }
    let is_sysv = |path: &str| path.starts_with("/etc/rc3.d/S") && path.ends_with(server.service);
    if let Lookup::There(link) = file(view, |file| is_runlevel(&file.path, server.service) || is_sysv(&file.path))? {
        return Some(Start::Yes(Evidence::at(link.path.clone(), format!("{} is started at boot", program.path))));
    }
    Some(match starts(view, server.units)? {
        Start::No(refusal) if refusal.path.is_none() => {
            Start::No(Evidence::at(program.path.clone(), format!("{}, and nothing else starts it", refusal.found)))
        }
        start => start,
    })
}
