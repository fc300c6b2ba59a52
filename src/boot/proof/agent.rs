//! The guest agent: it answers, as the image's own system, and does what Nova asks of it.

use super::session::clipped;
use super::{Needs, Proof, Seen, Session, Standing, Turn};
use crate::boot::agent::{Failure, encode};
use crate::fact::Fact;
use serde_json::{Value, json};

pub(super) const ANSWERS: Proof = Proof {
    id: "agent-answers",
    summary: "the guest agent opens its port and answers",
    decides: &["agent-installed", "agent-started", "agent-channel"],
    needs: Needs::Agent,
    turn: Turn::Up,
    run: answers,
};

pub(super) const OS: Proof = Proof {
    id: "agent-os",
    summary: "the agent names the distribution, the version and a kernel that were found in the image",
    decides: &[],
    needs: Needs::Agent,
    turn: Turn::Up,
    run: os,
};

pub(super) const FREEZE: Proof = Proof {
    id: "agent-freeze-thaw",
    summary: "the agent freezes the file systems and thaws them",
    decides: &["agent-freeze-allowed"],
    needs: Needs::Agent,
    turn: Turn::Up,
    run: freeze,
};

pub(super) const PASSWORD: Proof = Proof {
    id: "set-password",
    summary: "the agent sets a password, and /etc/shadow has it",
    decides: &["agent-password-allowed"],
    needs: Needs::Agent,
    turn: Turn::Up,
    run: password,
};

/// The agent was greeted when its port was opened; that it still answers is seen now.
fn answers(session: &mut Session<'_>) -> Seen {
    if let Err(reason) = &session.agent {
        return Ok(Standing::Disproved(reason.clone()));
    }
    if let Err(failure) = session.ask("guest-ping", Value::Null) {
        return Ok(Standing::Disproved(format!("the port was opened, but {failure}")));
    }
    let about = session.agent.as_ref().map_err(Clone::clone)?.about();
    let blocked = about.commands.values().filter(|is_allowed| !**is_allowed).count();
    Ok(Standing::Proved(clipped(&format!(
        "qemu-ga {}, {} commands, {blocked} blocked",
        about.version,
        about.commands.len()
    ))))
}

fn os(session: &mut Session<'_>) -> Seen {
    let found = match session.ask("guest-get-osinfo", Value::Null) {
        Ok(found) => found,
        Err(Failure::Refused(words)) => return Err(format!("not provable: guest-get-osinfo: {}", clipped(&words))),
        Err(failure) => return Err(failure.to_string()),
    };
    let told = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
    let Fact::Known(os) = &session.guest.os else { return Err("not provable: os-release was not read".to_owned()) };
    let expected = [("id", os.id.as_str()), ("version-id", os.version_id.as_deref().unwrap_or_default())];
    for (name, value) in expected {
        if told(name) != value {
            return Ok(Standing::Disproved(clipped(&format!(
                "{name} is {:?}, the image's os-release says {value:?}",
                told(name)
            ))));
        }
    }
    let kernels = session.guest.kernels.known().map(|kernels| kernels.items.as_slice()).unwrap_or_default();
    let release = told("kernel-release");
    let is_known = |kernel: &crate::guest::Kernel| kernel.version.known().is_some_and(|version| version == release);
    if !kernels.iter().any(is_known) {
        return Ok(Standing::Disproved(clipped(&format!(
            "the kernel is {release}, which no boot entry of the image has"
        ))));
    }
    Ok(Standing::Proved(clipped(&format!(
        "{} {}, kernel {release}",
        os.id,
        os.version_id.as_deref().unwrap_or_default()
    ))))
}

/// Whatever happens, it is thawed: a guest that stays frozen shows nothing more.
fn freeze(session: &mut Session<'_>) -> Seen {
    session.agent.as_ref().map_err(Clone::clone)?;
    let blocked = session.blocked(&["guest-fsfreeze-freeze", "guest-fsfreeze-status", "guest-fsfreeze-thaw"]);
    if !blocked.is_empty() {
        return Ok(Standing::Disproved(format!("the agent blocks {}", blocked.join(", "))));
    }
    let frozen = session.ask("guest-fsfreeze-freeze", Value::Null);
    let status = session.ask("guest-fsfreeze-status", Value::Null);
    let thawed = session.ask("guest-fsfreeze-thaw", Value::Null);
    let count = match frozen {
        Ok(count) => count.as_u64().unwrap_or(0),
        Err(Failure::Refused(words)) => return Ok(Standing::Disproved(format!("freeze: {}", clipped(&words)))),
        Err(failure) => return Err(format!("freeze: {failure}")),
    };
    let status = status.map_err(|failure| format!("while frozen: {failure}"))?;
    let thawed = thawed.map_err(|failure| format!("thaw: {failure}"))?.as_u64().unwrap_or(0);
    let told = format!("{count} file systems frozen, status {}, {thawed} thawed", clipped(&status.to_string()));
    Ok(if count > 0 && thawed > 0 && status == json!("frozen") {
        Standing::Proved(told)
    } else {
        Standing::Disproved(told)
    })
}

fn password(session: &mut Session<'_>) -> Seen {
    session.agent.as_ref().map_err(Clone::clone)?;
    if !session.blocked(&["guest-set-user-password"]).is_empty() {
        return Ok(Standing::Disproved("the agent blocks guest-set-user-password".to_owned()));
    }
    // Nova sets it of os_admin_user, and of root where there is none (`nova/virt/libvirt/driver.py`, set_admin_password).
    let user = session.terms.admin.clone();
    // Part of a script.
    if !user.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Err(format!("not provable: os_admin_user={} is no plain name", clipped(&user)));
    }
    let shadow = format!("grep '^{user}:' /etc/shadow | cut -d: -f2");
    let patience = session.patience(30);
    let before = session.command(&shadow, patience);
    let secret = encode(session.seed.nonce.as_bytes());
    let arguments = json!({ "username": user, "password": secret, "crypted": false });
    match session.ask("guest-set-user-password", arguments) {
        Ok(_) => {}
        Err(Failure::Refused(words)) => return Ok(Standing::Disproved(clipped(&words))),
        Err(failure) => return Err(failure.to_string()),
    }
    let before = before.map_err(|reason| format!("the agent says that it is set; /etc/shadow: {reason}"))?;
    let after = session.command(&shadow, patience)?;
    let scheme = after.trim().rsplit_once('$').map(|(scheme, _)| scheme.split('$').nth(1).unwrap_or_default());
    Ok(match scheme {
        Some(scheme) if after != before => {
            Standing::Proved(clipped(&format!("{user}'s field of /etc/shadow is another one, ${scheme}$…")))
        }
        _ => Standing::Disproved(format!(
            "the agent says that it is set, and {user}'s field of /etc/shadow is no new hash"
        )),
    })
}
