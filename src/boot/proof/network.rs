//! The network card: its queues, and whether somebody can log in over it.

use super::session::clipped;
use super::{Needs, Proof, Seen, Session, Standing, Turn};

pub(super) const QUEUES: Proof = Proof {
    id: "queues",
    summary: "the network card uses as many queues as the guest has processors",
    decides: &["multiqueue-kernel", "initrd-virtio-net"],
    needs: Needs::Queues,
    turn: Turn::Up,
    run: queues,
};

pub(super) const SSH: Proof = Proof {
    id: "ssh-answers",
    summary: "ssh answers, and lets in who has the key of the config drive",
    decides: &["sshd-enabled"],
    needs: Needs::Nothing,
    turn: Turn::Up,
    run: ssh,
};

/// What sysfs lists are the queues in use (`netif_set_real_num_rx_queues`): ethtool's "Combined", current.
fn queues(session: &mut Session<'_>) -> Seen {
    let Some(promised) = session.terms.queues else { return Err("nothing was promised".to_owned()) };
    if let Some(reason) = &session.terms.one_queue {
        return Err(format!("not provable here: {reason}"));
    }
    let cards = session.probe()?.all("net").to_vec();
    let count = |line: &String| line.strip_prefix("virtio_net ")?.split(' ').next()?.parse::<u32>().ok();
    Ok(match cards.iter().find_map(count) {
        Some(found) if found == promised => Standing::Proved(format!("combined {found} of {promised}")),
        Some(found) => Standing::Disproved(format!("combined {found} of {promised}")),
        None => Standing::Disproved("no network card of virtio_net".to_owned()),
    })
}

fn ssh(session: &mut Session<'_>) -> Seen {
    let patience = session.patience(60);
    match session.host.banner(patience) {
        Ok(banner) => {
            let login = session.host.ssh("id -u", session.patience(30));
            let banner = clipped(&banner);
            Ok(match login {
                Ok(ran) if ran.code == Some(0) && ran.out.trim() == "0" => {
                    Standing::Proved(format!("{banner}; the key of the config drive logs in"))
                }
                Ok(ran) => Standing::Proved(format!("{banner}; a login by key: {}", clipped(ran.err.trim()))),
                Err(reason) => Standing::Proved(format!("{banner}; no login tried: {reason}")),
            })
        }
        // A tap device leads into a namespace of its own: only the guest itself can say who listens.
        Err(reason) => {
            let is_listening = session.look()?.first("listens").is_some();
            Ok(if is_listening {
                Standing::Proved(format!("a program listens on port 22 of the guest ({reason})"))
            } else {
                Standing::Disproved(format!("nothing listens on port 22 of the guest ({reason})"))
            })
        }
    }
}
