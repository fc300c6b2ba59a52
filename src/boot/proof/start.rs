//! The start: past every file system, to the login, with what the config drive brings.

use super::probe::Probe;
use super::session::clipped;
use super::{Needs, Proof, Seen, Session, Standing, Turn};
use crate::guest::Guest;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const LOGIN: Proof = Proof {
    id: "boots-to-login",
    summary: "the guest starts by itself, past every file system of its fstab",
    decides: &[
        "boot-entry-resolves",
        "initrd-virtio-scsi",
        "initrd-virtio-blk",
        "initrd-virtio-pci",
        "initrd-module-closure",
        "initrd-kernel-match",
        "initrd-root-filesystem",
        "module-not-blacklisted",
        "cmdline-root-stable",
        "cmdline-root-resolves",
        "fstab-stable-ids",
        "fstab-targets-exist",
    ],
    needs: Needs::Nothing,
    turn: Turn::Up,
    run: login,
};

pub(super) const SERIAL: Proof = Proof {
    id: "serial-console",
    summary: "the kernel or the login speaks on the first serial port",
    decides: &["console-serial"],
    needs: Needs::Nothing,
    turn: Turn::Up,
    run: serial,
};

pub(super) const CLOUD_INIT: Proof = Proof {
    id: "cloud-init-done",
    summary: "cloud-init takes key and user data from the config drive, and comes to its end",
    decides: &["cloud-init-present", "cloud-init-datasource"],
    needs: Needs::Nothing,
    turn: Turn::Up,
    run: cloud_init,
};

/// A guest that stopped before is never asked: its start was disproved.
fn login(session: &mut Session<'_>) -> Seen {
    if let Some(line) = prompt(&session.host.console()) {
        return Ok(Standing::Proved(format!("the console asks: {}", clipped(line))));
    }
    if session.agent.is_ok() {
        return Ok(Standing::Proved("the guest agent answers; the serial console has no login".to_owned()));
    }
    session.probe().map(|_| Standing::Proved("a program runs in the guest; the serial console has no login".to_owned()))
}

/// What getty asks for; what others write comes behind it on the same line.
fn prompt(console: &str) -> Option<&str> {
    const WORD: &str = " login:";
    console.lines().rev().find_map(|line| {
        let end = line.find(WORD)?.saturating_add(WORD.len());
        line.get(..end).map(str::trim).filter(|asked| !asked.ends_with("Last login:"))
    })
}

/// `[    0.000000] Linux version …`: the firmware and the loader write there too, whatever the image says.
fn serial(session: &mut Session<'_>) -> Seen {
    let console = session.host.console();
    let kernel = || console.lines().find_map(|line| line.split_once("] Linux version ")).map(|(_, version)| version);
    let told = match (prompt(&console), kernel()) {
        (Some(prompt), _) => prompt.to_owned(),
        (None, Some(version)) => format!("the kernel says Linux version {version}"),
        (None, None) => {
            // A silent console says so only of a guest that lives.
            if session.agent.is_err() {
                session.probe()?;
            }
            return Ok(Standing::Disproved(
                "neither the kernel nor a login writes to the first serial port".to_owned(),
            ));
        }
    };
    Ok(Standing::Proved(clipped(&told)))
}

/// It ends long after the login appears.
fn cloud_init(session: &mut Session<'_>) -> Seen {
    let deadline = crate::boot::agent::deadline(session.patience(120));
    let probe = loop {
        let probe = session.look()?;
        if probe.first("cloud-init.result").is_some() || probe.is_settled() || Instant::now() >= deadline {
            break probe;
        }
        thread::sleep(Duration::from_secs(3));
    };
    let standing = judge(&probe, &session.seed.nonce, &session.seed.instance);
    session.probe = Some(probe);
    if !matches!(standing, Standing::Proved(_)) && asks_network_alone(session.guest) {
        return Err("not provable here: datasource_list lacks ConfigDrive, and here is no metadata service".to_owned());
    }
    Ok(standing)
}

/// Whether cloud-init is told to ask the metadata service and no config drive.
fn asks_network_alone(guest: &Guest) -> bool {
    let list = guest.cloud_init.known().and_then(|settings| settings.datasources.known()?.as_ref());
    let has = |name: &str| list.is_some_and(|list| list.names.iter().any(|known| known == name));
    has("OpenStack") && !has("ConfigDrive")
}

fn judge(probe: &Probe, nonce: &str, instance: &str) -> Standing {
    let Some(result) = probe.first("cloud-init.result") else {
        return Standing::Disproved("cloud-init did not come to an end: no /run/cloud-init/result.json".to_owned());
    };
    let result: Value = serde_json::from_str(result).unwrap_or_default();
    let source = result.pointer("/v1/datasource").and_then(Value::as_str).unwrap_or("none");
    let errors: Vec<&str> = result
        .pointer("/v1/errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut flaws = Vec::new();
    if !source.starts_with("DataSourceConfigDrive") {
        flaws.push("expected DataSourceConfigDrive".to_owned());
    }
    if probe.first("cloud-init.instance") != Some(instance) {
        flaws.push(format!("the instance is {:?}", probe.first("cloud-init.instance").unwrap_or_default()));
    }
    if probe.first("cloud-init.mark") != Some(nonce) {
        flaws.push("the file of the user data was not written".to_owned());
    }
    let users = probe.all("authorized");
    if users.is_empty() {
        flaws.push("no user has the key".to_owned());
    }
    if flaws.is_empty() {
        let names = users.join(", ");
        // What another of its modules could not do is the image's to mend, and no promise of ours.
        let aside = errors.first().map(|error| format!("; of its own it reports {error}")).unwrap_or_default();
        return Standing::Proved(clipped(&format!(
            "{source}; the key is {names}'s, the user data's file is there{aside}"
        )));
    }
    Standing::Disproved(clipped(&format!("{source}; {}", flaws.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prompts() {
        for (console, expected) in [
            ("Debian GNU/Linux 12 host ttyS0\r\n\r\nhost login: ", Some("host login:")),
            ("host login: \r\n[   42.0] later", Some("host login:")),
            ("host login: [   42.0] cloud-init[641]: done\r\n", Some("host login:")),
            ("Last login: never on tty\r\n", None),
            ("", None),
        ] {
            assert_eq!(prompt(console), expected, "{console}");
        }
    }

    #[test]
    fn whom_cloud_init_asks() {
        for (names, expected) in [
            (json!(["OpenStack", "None"]), true),
            (json!(["ConfigDrive", "OpenStack"]), false),
            (json!(["NoCloud"]), false),
        ] {
            let list = json!({ "names": names, "path": "/etc/cloud/cloud.cfg", "line": 1 });
            let facts = json!({ "schema": "bootworthy.facts/1", "cloud_init": { "files": [], "datasources": list } });
            assert_eq!(asks_network_alone(&serde_json::from_value(facts).unwrap()), expected, "{names}");
        }
    }

    #[test]
    fn cloud_init_is_done_when_all_of_it_is() {
        let whole = "cloud-init.result {\"v1\": {\"datasource\": \"DataSourceConfigDrive [net,ver=2][source=/dev/sr0]\", \"errors\": []}}\n\
                     cloud-init.instance i-1\ncloud-init.mark ff\nauthorized debian\nend\n";
        let judged = |text: &str| judge(&Probe::parse(text).unwrap(), "ff", "i-1");
        assert!(matches!(judged(whole), Standing::Proved(told) if told.contains("debian's")));
        let aside = judged(&whole.replacen("[]", "[\"('locale', x)\"]", 1));
        assert!(matches!(&aside, Standing::Proved(told) if told.contains("reports ('locale', x)")), "{aside:?}");
        for (old, new, expected) in [
            ("cloud-init.result", "x", "did not come to an end"),
            ("ConfigDrive", "None", "expected DataSourceConfigDrive"),
            ("i-1", "i-0", "the instance is \"i-0\""),
            ("mark ff", "mark 00", "was not written"),
            ("authorized debian\n", "", "no user has the key"),
        ] {
            let standing = judged(&whole.replacen(old, new, 1));
            assert!(matches!(&standing, Standing::Disproved(told) if told.contains(expected)), "{standing:?}");
        }
    }
}
