//! What `OpenStack` asks of the guest agent is not blocked: two checks, one rule.

use super::Check;
use crate::guest::agent::Configuration;
use crate::verdict::agent::{Running, enforcing, running};
use crate::verdict::{Evidence, FactName, Tally, View, Weight};

pub(super) const FREEZE: Check = Check {
    id: "agent-freeze-allowed",
    summary: "the guest agent may freeze file systems",
    broken: "the guest agent refuses to freeze file systems",
    why: "With os_require_quiesce=yes a snapshot fails where the agent refuses; without it the snapshot is taken of a running file system.",
    detects: "ExecStart= of the agent's units, with the variables of its EnvironmentFile= that it expands, and /etc/qemu/qemu-ga.conf: guest-fsfreeze-freeze, -thaw, -status and guest-sync must not be blocked and, where there is a list of allowed RPCs, be in it.",
    fix: "Take guest-fsfreeze-freeze, guest-fsfreeze-thaw, guest-fsfreeze-status and guest-sync off the list of blocked RPCs, or add them to the list of allowed ones.",
    family_fixes: &[
        ("fedora", "set FILTER_RPC_ARGS (BLOCK_RPCS, BLACKLIST_RPC before 9.4) in /etc/sysconfig/qemu-ga"),
        ("suse", "set the variable in /etc/sysconfig/qemu-ga, which overrides /usr/etc/sysconfig/qemu-ga"),
        ("debian", "mend block-rpcs and allow-rpcs in /etc/qemu/qemu-ga.conf"),
    ],
    source: "QEMU qga/main.c (config_parse, ga_command_is_allowed); libvirt src/qemu/qemu_agent.c; Nova nova/virt/libvirt/driver.py (quiesce)",
    reads: FREEZE_READS,
    run: freeze,
};

const FREEZE_READS: &[FactName] = &[FactName::Units, FactName::Agent, FactName::Selinux, FactName::BootEntries];

pub(super) const PASSWORD: Check = Check {
    id: "agent-password-allowed",
    summary: "the guest agent may set a password",
    broken: "the guest agent refuses to set a password",
    why: "`openstack server set --password` goes through the agent to the user that os_admin_user names; it fails where the agent refuses.",
    detects: "ExecStart= of the agent's units, with the variables of its EnvironmentFile= that it expands, and /etc/qemu/qemu-ga.conf: guest-set-user-password and guest-sync must not be blocked and, where there is a list of allowed RPCs, be in it.",
    fix: "Take guest-set-user-password and guest-sync off the list of blocked RPCs, or add them to the list of allowed ones.",
    family_fixes: FREEZE.family_fixes,
    source: "QEMU qga/main.c (config_parse, ga_command_is_allowed); Nova nova/virt/libvirt/driver.py (set_admin_password)",
    reads: crate::verdict::agent::READS,
    run: |view, tally| {
        judge(view, tally, &["guest-set-user-password", SYNC]);
    },
};

/// libvirt sends it before every other one (`qemuAgentGuestSync`).
const SYNC: &str = "guest-sync";

fn freeze(view: &View<'_>, tally: &mut Tally) {
    let rpcs = ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw", "guest-fsfreeze-status", SYNC];
    let Some(runs) = judge(view, tally, &rpcs) else { return };
    for configuration in runs.iter().filter_map(|run| run.configuration.as_ref().ok()) {
        if let Some(hook) = &configuration.hook {
            tally.note(Evidence::of(format!("{hook} is run before and after; a freeze fails where it does")));
        }
    }
    // Advice: whether the policy lets the agent freeze is not said here, and earns nothing.
    if let (Some(evidence), _) = view.apart(enforcing) {
        tally.note(evidence);
    }
}

fn judge<'a>(view: &View<'a>, tally: &mut Tally, rpcs: &[&str]) -> Option<Vec<Running<'a>>> {
    let runs = running(view)?;
    if runs.is_empty() {
        tally.not_applicable("no unit runs the guest agent");
    }
    for run in &runs {
        let refusals: Vec<Evidence> = rpcs.iter().filter_map(|rpc| run.refusal(rpc)).collect();
        if refusals.is_empty() {
            tally.proof(proof(run, rpcs));
        }
        for refusal in refusals {
            tally.fault(Weight::Full, refusal);
        }
    }
    Some(runs)
}

fn proof(run: &Running<'_>, rpcs: &[&str]) -> Evidence {
    let lists = |configuration: &Configuration| !configuration.allowed.is_empty();
    let verb = if run.configuration.as_ref().is_ok_and(lists) { "lists" } else { "does not block" };
    let names = rpcs.join(", ");
    Evidence::at(run.start.path.clone(), format!("qemu-ga {verb} {names}")).line(run.start.line)
}
