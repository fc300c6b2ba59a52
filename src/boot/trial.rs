//! An order → a trial: the machine is made and started, every proof is asked for in its turn.

use super::config_drive::Instance;
use super::console::Console;
use super::live::Live;
use super::machine::{Accel, Firmware, MAC, Network, SERIAL, UUID, action};
use super::order::{CONFIG_DRIVE, Order, Place, VARIABLES};
use super::outcome::{disagreements, outcome, row};
use super::proof::{Proof, Seed, Session, Standing, Terms, Turn};
use super::qemu::{Folder, OVERLAY, TRANSCRIPT, create_overlay};
use super::ssh::{Key, nonce};
use super::start::{Failure, Kind, Start};
use crate::error::{Error, Result};
use crate::report::proofs::{self, Phase, Trial};
use crate::verdict::{Outcome, Word};
use std::time::{Duration, Instant};

/// What a user is told while it goes on.
#[derive(Debug)]
pub enum Stage<'a> {
    /// A start, with its steps so far.
    Starting(&'a [Phase]),
    /// The proof with this id.
    Proving(&'static str),
}

/// How long a start may take on hardware, and under translation on a loaded host.
const PATIENCE: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(15)];

/// Boots the image and proves what is asked for.
pub fn prove(order: &Order<'_>, tell: &dyn Fn(&Stage<'_>)) -> Trial {
    let mut trial = Trial::new(order.name.clone());
    if let Err(error) = fill(order, &mut trial, tell) {
        trial.error = Some(error.at(order.name.as_str()));
    }
    trial.disagreements = disagreements(&trial.proofs);
    trial.result = outcome(&trial.proofs, &trial.disagreements);
    if trial.error.is_some() && trial.result == Outcome::Fit {
        trial.result = Outcome::Unknown;
    }
    trial
}

fn fill(order: &Order<'_>, trial: &mut Trial, tell: &dyn Fn(&Stage<'_>)) -> Result<()> {
    let place = order.place()?;
    trial.machine = Some(place.line());
    trial.remarks.clone_from(&place.remarks);
    for attempt in 0..place.cpus.len().clamp(1, 2) {
        trial.proofs.clear();
        let is_sound = attempt_once(order, &place, attempt, trial, tell)?;
        if is_sound {
            break;
        }
        if let Some(next) = place.cpus.get(attempt.saturating_add(1)) {
            trial
                .remarks
                .push(format!("the guest failed in a way that may be QEMU's: tried again with the processor {next}"));
        }
    }
    Ok(())
}

/// One start with all that follows; whether what came of it counts, or another processor is worth a try.
fn attempt_once(
    order: &Order<'_>,
    place: &Place,
    attempt: usize,
    trial: &mut Trial,
    tell: &dyn Fn(&Stage<'_>),
) -> Result<bool> {
    let folder = Folder::create()?;
    let path = folder.path().to_owned();
    let key = Key::make(&path)?;
    let seed = Seed { nonce: nonce()?, public_key: key.public.clone(), instance: UUID.to_owned() };
    create_overlay(&path.join(OVERLAY), place.virtual_size)?;
    place.instance(&seed).write(&path.join(CONFIG_DRIVE))?;
    if let Some(firmware) = &place.firmware {
        firmware.copy_variables(&path.join(VARIABLES))?;
    }
    let wiring = place.wiring(&path, attempt);
    let arguments = place.machine.arguments(&wiring);
    let [fast_patience, slow_patience] = PATIENCE;
    let login = order.guest.cloud_init.known().and_then(|settings| settings.default_user.known()?.clone());
    let watching = |start: &Start| tell(&Stage::Starting(&start.phases));
    let mut live = Live {
        running: None,
        marks: Console::new(&path.join(SERIAL)),
        folder: path,
        arguments,
        place,
        key: &key,
        user: login.unwrap_or_else(|| "root".to_owned()),
        has_forward: matches!(place.network, Network::User { .. }),
        patience: order.timeout.unwrap_or(if place.is_translated() { slow_patience } else { fast_patience }),
        told: 0,
        tell: &watching,
    };
    let start = live.start(folder)?;
    trial.phases = start.phases;
    let is_sound = if let Some(failure) = start.failure {
        stopped(order, place, &failure, trial);
        failure.kind != Kind::Guest
    } else {
        let terms = place.terms();
        let mut session = Session::new(&mut live, start.agent, terms, order.guest, &seed);
        let is_sound = proved(order, place, &mut session, trial, tell);
        keep_transcript(order, &session)?;
        is_sound
    };
    if let (Some(target), Some(running)) = (&order.keep, &live.running) {
        running.folder().keep(&[SERIAL, TRANSCRIPT], target)?;
    }
    Ok(is_sound)
}

/// What the agent and we said.
fn keep_transcript(order: &Order<'_>, session: &Session<'_>) -> Result<()> {
    let Some(target) = &order.keep else { return Ok(()) };
    let path = target.join("agent.log");
    let written =
        std::fs::create_dir_all(target).and_then(|()| std::fs::write(&path, session.transcript().join("\n") + "\n"));
    written.map_err(|error| Error::io("kept logs", error).at(path.display().to_string()))
}

/// The rows of a guest that did not come up.
fn stopped(order: &Order<'_>, place: &Place, failure: &Failure, trial: &mut Trial) {
    for proof in &order.proofs {
        let decides = place.statics.decided(proof, place.machine.promises.root_driver);
        let is_its_own = match failure.kind {
            Kind::Root => ["boots-to-login", "root-on-bus"].contains(&proof.id),
            Kind::Other => proof.id == "boots-to-login",
            Kind::Guest | Kind::Silence => false,
        };
        let standing = match failure.kind {
            _ if is_its_own => Standing::Disproved(failure.line.clone()),
            Kind::Guest => {
                Standing::Inconclusive(format!("the guest failed, perhaps for QEMU's sake: {}", failure.line))
            }
            _ if proof.id == "boots-to-login" => Standing::Inconclusive(failure.line.clone()),
            _ => Standing::Inconclusive("the guest did not come up".to_owned()),
        };
        trial.proofs.push(row(proof, decides, standing, 0));
    }
}

/// Every proof in its turn; whether the guest stayed sound.
fn proved(
    order: &Order<'_>,
    place: &Place,
    session: &mut Session<'_>,
    trial: &mut Trial,
    tell: &dyn Fn(&Stage<'_>),
) -> bool {
    let mut lost: Option<String> = None;
    let mut is_again = false;
    for proof in &order.proofs {
        tell(&Stage::Proving(proof.id));
        let begun = Instant::now();
        if lost.is_none() && !is_again && needs_start(proof, session) {
            is_again = true;
            lost = session.start_again().err();
        }
        let standing = match &lost {
            Some(reason) => Standing::Inconclusive(format!("the guest did not come up again: {reason}")),
            None => proof.run(session),
        };
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let decides = place.statics.decided(proof, place.machine.promises.root_driver);
        trial.proofs.push(row(proof, decides, standing, millis));
        // A guest that oopsed and shows what was promised all the same has shown it.
        let is_open = trial.proofs.last().is_some_and(|row| row.standing != proofs::Standing::Proved);
        if let Some(oops) = session.host.oops().filter(|_| is_open && place.is_translated()) {
            trial.remarks.push(format!("the guest failed during {}: {oops}", proof.id));
            return false;
        }
    }
    true
}

/// What comes after the end of the first start needs another, if the machine has what the proof is about.
fn needs_start(proof: &Proof, session: &Session<'_>) -> bool {
    match proof.turn {
        Turn::Up | Turn::Down => false,
        Turn::Again => true,
        Turn::Last => session.is_down() && session.terms.watchdog.is_some(),
    }
}

impl Place {
    /// What this trial holds the guest to.
    fn terms(&self) -> Terms {
        let promises = &self.machine.promises;
        Terms {
            root_driver: promises.root_driver,
            agent: promises.agent,
            watchdog: promises.watchdog.map(|done| action(done).to_owned()),
            queues: (promises.queues > 1).then_some(promises.queues),
            one_queue: self.one_queue.clone(),
            admin: promises.admin_user.clone(),
            sshd: self.statics.word("sshd-enabled") == Word::Pass,
            is_slow: self.is_translated(),
        }
    }

    /// What the instance is told.
    fn instance(&self, seed: &Seed) -> Instance {
        // Behind a tap device nobody answers to DHCP.
        let address = ("192.0.2.2".to_owned(), "255.255.255.0".to_owned());
        let is_tap = matches!(self.network, Network::Tap { .. });
        Instance {
            uuid: seed.instance.clone(),
            hostname: "bootworthy".to_owned(),
            public_key: Some(seed.public_key.clone()),
            user_data: Some(seed.user_data()),
            mac: MAC.to_owned(),
            address: is_tap.then_some(address),
        }
    }

    fn is_translated(&self) -> bool {
        self.accel == Accel::Tcg
    }

    /// The machine in one line.
    fn line(&self) -> String {
        let machine = &self.machine;
        let promises = &machine.promises;
        let topology = machine.topology;
        let vcpus = topology.sockets.saturating_mul(topology.cores).saturating_mul(topology.threads);
        let memory = if machine.ram_mib.is_multiple_of(1024) {
            format!("{} GiB", machine.ram_mib / 1024)
        } else {
            format!("{} MiB", machine.ram_mib)
        };
        let firmware = match promises.firmware {
            Firmware::Bios => "bios",
            Firmware::Uefi { .. } => "uefi",
        };
        let mut parts = vec![
            format!("machine {}", machine.machine_type),
            firmware.to_owned(),
            format!("{vcpus} vCPU"),
            memory,
            promises.root_driver.trim_end_matches("-pci").to_owned(),
        ];
        if promises.queues > 1 {
            parts.push(format!("{} queues", promises.queues));
        }
        if promises.agent {
            parts.push("agent".to_owned());
        }
        if let Some(done) = promises.watchdog {
            parts.push(format!("i6300esb {}", action(done)));
        }
        let accel = if self.accel == Accel::Kvm { "KVM" } else { "TCG" };
        format!("{} · QEMU {} ({accel})", parts.join(", "), self.program.version_text())
    }
}

/// How a row is read back by tests of the command.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_without_a_machine_is_an_error() {
        assert_eq!(outcome(&[], &[]), Outcome::Unknown);
    }
}
