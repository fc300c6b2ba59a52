//! The end of a start, and the next one: the power button works, and what was made at the first start is kept.

use super::probe::Probe;
use super::session::clipped;
use super::{Needs, Proof, Seen, Session, Standing, Turn};
use serde_json::{Value, json};

pub(super) const SHUTDOWN: Proof = Proof {
    id: "shutdown-clean",
    summary: "the guest shuts down by itself when its power button is pressed",
    decides: &[],
    needs: Needs::Nothing,
    turn: Turn::Down,
    run: shutdown,
};

pub(super) const SECOND_BOOT: Proof = Proof {
    id: "second-boot",
    summary: "machine-id and host keys were made at the first start and are kept at the second",
    decides: &["machine-id-reset", "ssh-hostkeys-absent"],
    needs: Needs::Nothing,
    turn: Turn::Again,
    run: second_boot,
};

/// Nova presses the button and gives the guest `shutdown_timeout`, 60 s, before it pulls the plug.
fn shutdown(session: &mut Session<'_>) -> Seen {
    // Asked for while there is somebody to ask.
    session.first = session.look().ok();
    session.host.execute("system_powerdown", Value::Null).map_err(|error| error.to_string())?;
    let start = std::time::Instant::now();
    let patience = session.patience(60);
    let is_guest = |data: &Value| data.get("guest") == Some(&json!(true));
    let event = session.host.event("SHUTDOWN", &is_guest, patience).map_err(|error| error.to_string())?;
    let seconds = start.elapsed().as_secs();
    Ok(match event {
        Some(data) => {
            session.is_down = true;
            let reason = data.get("reason").and_then(Value::as_str).unwrap_or("guest-shutdown");
            Standing::Proved(format!("{reason} {seconds} s after the power button"))
        }
        None => Standing::Disproved(format!("still running {seconds} s after the power button")),
    })
}

/// The guest was started again before.
fn second_boot(session: &mut Session<'_>) -> Seen {
    let first = session.first.take().ok_or("the guest told nothing at its first start")?;
    let second = session.look()?;
    let image = images_own(session);
    Ok(judge(&first, &second, image))
}

/// What the image brings that every instance should make for itself, and whether it has who needs host keys.
#[derive(Clone, Copy, Debug)]
struct Own {
    has_id: bool,
    has_keys: bool,
    has_sshd: bool,
}

fn images_own(session: &Session<'_>) -> Own {
    let ids = session.guest.machine_ids.known().map(Vec::as_slice).unwrap_or_default();
    let is_id = |id: &crate::guest::MachineId| id.state.known().is_some_and(|state| state == "id");
    Own {
        has_id: ids.iter().any(is_id),
        has_keys: session.guest.host_keys.known().is_some_and(|keys| !keys.items.is_empty()),
        has_sshd: session.terms.sshd,
    }
}

fn judge(first: &Probe, second: &Probe, image: Own) -> Standing {
    if first.first("boot-id") == second.first("boot-id") {
        return Standing::Inconclusive("the guest was not started again".to_owned());
    }
    let mut flaws = Vec::new();
    match (first.first("machine-id"), second.first("machine-id")) {
        _ if image.has_id => flaws.push("the machine-id is the image's own: every instance has it".to_owned()),
        (Some(id), Some(next)) if id == next && id.len() == 32 => {}
        (id, next) => {
            flaws.push(format!("machine-id {:?}, then {:?}", id.unwrap_or_default(), next.unwrap_or_default()));
        }
    }
    let (keys, next) = (first.all("hostkey"), second.all("hostkey"));
    if keys.is_empty() && !image.has_sshd {
        // Nobody needs one.
    } else if keys.is_empty() {
        flaws.push("no host key was made".to_owned());
    } else if keys != next {
        flaws.push("the host keys changed".to_owned());
    } else if let Some(own) = own_keys(first, image) {
        flaws.push(own);
    }
    if flaws.is_empty() {
        return Standing::Proved(format!("machine-id and {} host keys made and kept", keys.len()));
    }
    Standing::Disproved(clipped(&flaws.join("; ")))
}

/// Host keys that are older than the first start; cloud-init may have made new ones in place of the image's.
fn own_keys(first: &Probe, image: Own) -> Option<String> {
    if let Some(name) = first.first("hostkey.old") {
        return Some(format!("{name} is older than the first start: every instance has it"));
    }
    let is_told = first.first("hostkey.new").is_some();
    (image.has_keys && !is_told).then(|| "the image has host keys of its own".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(standing: Standing) -> String {
        match standing {
            Standing::Proved(told) | Standing::Disproved(told) | Standing::Inconclusive(told) => told,
            Standing::NotApplicable(_) => String::new(),
        }
    }

    #[test]
    fn what_is_made_and_kept() {
        let id = "0123456789abcdef0123456789abcdef";
        let start = |boot: &str, id: &str, key: &str| {
            Probe::parse(&format!("boot-id {boot}\nmachine-id {id}\nhostkey rsa {key}\nend\n")).unwrap()
        };
        let clean = Own { has_id: false, has_keys: false, has_sshd: true };
        let own = Own { has_id: true, ..clean };
        let keyed = Own { has_keys: true, ..clean };
        let first = start("1", id, "A");
        for (second, image, expected) in [
            (start("2", id, "A"), clean, "made and kept"),
            (start("1", id, "A"), clean, "not started again"),
            (start("2", "f", "A"), clean, "then \"f\""),
            (start("2", id, "B"), clean, "keys changed"),
            (start("2", id, "A"), own, "the image's own"),
            (start("2", id, "A"), keyed, "host keys of its own"),
        ] {
            let told = told(judge(&first, &second, image));
            assert!(told.contains(expected), "{told}");
        }
        // Keys tell their age: cloud-init replaces the image's.
        for (age, image, expected) in [
            ("new", keyed, "made and kept"),
            ("new", clean, "made and kept"),
            ("old", keyed, "older than the first start"),
        ] {
            let facts = format!("boot-id 1\nmachine-id {id}\nhostkey rsa A\nhostkey.{age} rsa\nend\n");
            let told = told(judge(&Probe::parse(&facts).unwrap(), &start("2", id, "A"), image));
            assert!(told.contains(expected), "{told}");
        }
    }
}
