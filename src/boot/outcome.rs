//! Proofs beside verdicts → what contradicts what, and what it comes to.

use super::proof::{Proof, Standing, is_two_way};
use crate::fact::Fact;
use crate::guest::Guest;
use crate::report::proofs::{self, Disagreement};
use crate::verdict::check::{CHECKS, Check};
use crate::verdict::{Judgement, Options, Outcome, Verdict, Word};

/// The check that asks whether some firmware starts an entry.
const STARTS: &str = "boot-entry-resolves";

/// What every check says of an image, as far as a start of it goes.
#[derive(Clone, Debug)]
pub(super) struct Statics(Vec<(&'static str, Word)>);

impl Statics {
    /// Judges the image by every check, as this firmware starts it: `bios` or `uefi`.
    pub(super) fn of(guest: &Guest, options: &Options, firmware: &str) -> Self {
        let seen = seen_by(guest, firmware);
        let does_not_start = |id: &str| seen.is_none() && id == STARTS;
        let guest = seen.as_ref().unwrap_or(guest);
        let entries = guest.boot_entries.known().map(|entries| entries.items.as_slice()).unwrap_or_default();
        let defaults: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.is_default == Fact::Known(true))
            .map(|entry| entry.id.as_str())
            .collect();
        let row = |check: &'static Check| {
            let says =
                if does_not_start(check.id) { Word::Fail } else { word(&check.judge(guest, options), &defaults) };
            (check.id, says)
        };
        Self(CHECKS.iter().map(row).collect())
    }

    /// What this check says.
    pub(super) fn word(&self, check: &str) -> Word {
        self.0.iter().find(|(id, _)| *id == check).map_or(Word::Unknown, |(_, word)| *word)
    }

    /// The checks that a proof decides where the root disk is reached by `driver`, with what they say.
    pub(super) fn decided(&self, proof: &Proof, driver: &str) -> Vec<(&'static str, Word)> {
        let is_here = |check: &&&'static str| match **check {
            "initrd-virtio-scsi" => driver == "virtio-scsi-pci",
            "initrd-virtio-blk" => driver == "virtio-blk-pci",
            _ => true,
        };
        proof.decides.iter().filter(is_here).map(|check| (*check, self.word(check))).collect()
    }
}

/// The image without the boot entries that another firmware alone reaches: an image may start by UEFI and not by BIOS.
/// Where there are others alone, `None`: nothing starts.
fn seen_by(guest: &Guest, firmware: &str) -> Option<Guest> {
    let mut guest = guest.clone();
    if let Fact::Known(entries) = &mut guest.boot_entries
        && !entries.items.is_empty()
    {
        let is_reached = |names: &Vec<String>| names.iter().any(|name| name == firmware);
        entries.items.retain(|entry| entry.firmware.known().is_none_or(is_reached));
        if entries.items.is_empty() && entries.gaps.is_empty() {
            return None;
        }
    }
    Some(guest)
}

/// A lighter fault keeps the promise; of boot entries only the defaults start, and one of them may be sound.
fn word(judgement: &Judgement, defaults: &[&str]) -> Word {
    if !matches!(judgement.verdict, Verdict::Fail(_)) {
        return judgement.verdict.word();
    }
    if !judgement.weight.withholds() {
        return Word::Pass;
    }
    let started = judgement.entries.iter().filter(|entry| defaults.contains(&entry.entry.as_str()));
    if started.clone().any(|entry| entry.verdict != Word::Fail) { Word::Unknown } else { Word::Fail }
}

/// Checks that say the contrary of what a proof shows.
pub(super) fn disagreements(rows: &[proofs::Proof]) -> Vec<Disagreement> {
    let mut found: Vec<Disagreement> = Vec::new();
    // A failing check explains whatever goes wrong after it.
    let is_explained = |row: &proofs::Proof| row.decides.iter().any(|(_, word)| *word != Word::Pass);
    for row in rows {
        let contradicted: Vec<_> = match row.standing {
            proofs::Standing::Proved => {
                row.decides.iter().filter(|(check, word)| *word == Word::Fail && is_two_way(check)).collect()
            }
            proofs::Standing::Disproved if !is_explained(row) => row.decides.iter().take(1).collect(),
            _ => Vec::new(),
        };
        for (check, verdict) in contradicted {
            if !found.iter().any(|known| known.check == *check) {
                found.push(Disagreement {
                    check,
                    verdict: *verdict,
                    proof: row.id,
                    standing: row.standing,
                    evidence: row.evidence.clone(),
                });
            }
        }
    }
    found
}

/// Something disproved or contradicted counts first; then what was promised and could not be decided.
pub(super) fn outcome(rows: &[proofs::Proof], disagreements: &[Disagreement]) -> Outcome {
    let has = |standing| rows.iter().any(|row| row.standing == standing);
    let is_open = |row: &proofs::Proof| row.is_promised && row.standing == proofs::Standing::Inconclusive;
    if has(proofs::Standing::Disproved) || !disagreements.is_empty() {
        Outcome::Unfit
    } else if rows.iter().any(is_open) || !has(proofs::Standing::Proved) {
        Outcome::Unknown
    } else {
        Outcome::Fit
    }
}

/// The row of a proof.
pub(super) fn row(proof: &Proof, decides: Vec<(&'static str, Word)>, standing: Standing, millis: u64) -> proofs::Proof {
    let is_promised = proof.is_demanded() || decides.iter().all(|(_, word)| *word == Word::Pass);
    let (standing, evidence) = match standing {
        Standing::Proved(evidence) => (proofs::Standing::Proved, evidence),
        Standing::Disproved(evidence) => (proofs::Standing::Disproved, evidence),
        Standing::Inconclusive(evidence) => (proofs::Standing::Inconclusive, evidence),
        Standing::NotApplicable(evidence) => (proofs::Standing::NotApplicable, evidence),
    };
    proofs::Proof { id: proof.id, summary: proof.summary, decides, is_promised, standing, evidence, millis }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::proof::find;

    #[test]
    fn what_contradicts_what() {
        use Word::{Fail, NotApplicable, Pass, Unknown};
        let proved = || Standing::Proved("seen".to_owned());
        let disproved = || Standing::Disproved("seen".to_owned());
        let open = || Standing::Inconclusive("no tap".to_owned());
        for (id, words, standing, expected, result) in [
            ("watchdog-fires", &[Pass, Pass, Pass][..], proved(), &[][..], Outcome::Fit),
            ("watchdog-fires", &[Pass, Pass, Fail], proved(), &["watchdog-armed"], Outcome::Unfit),
            ("watchdog-fires", &[Pass, Pass, Fail], disproved(), &[], Outcome::Unfit),
            ("watchdog-fires", &[Pass, Pass, Pass], disproved(), &["watchdog-driver"], Outcome::Unfit),
            ("watchdog-fires", &[Pass, Unknown, Pass], disproved(), &[], Outcome::Unfit),
            ("trim-frees-blocks", &[Fail], proved(), &[], Outcome::Fit),
            ("trim-frees-blocks", &[Pass], disproved(), &["trim-enabled"], Outcome::Unfit),
            ("queues", &[Pass, Pass], open(), &[], Outcome::Unknown),
            ("ssh-answers", &[NotApplicable], open(), &[], Outcome::Unknown),
            ("shutdown-clean", &[], disproved(), &[], Outcome::Unfit),
        ] {
            let proof = find(id).unwrap();
            let decides: Vec<_> = proof.decides.iter().copied().zip(words.iter().copied()).collect();
            let rows = [row(proof, decides, standing, 0)];
            let found = disagreements(&rows);
            assert_eq!(found.iter().map(|one| one.check).collect::<Vec<_>>(), expected, "{rows:?}");
            assert_eq!(outcome(&rows, &found), result, "{rows:?}");
        }
    }

    #[test]
    fn an_entry_of_another_firmware_does_not_start() {
        let healthy = include_bytes!("../../fixtures/guests/healthy.json");
        let mut guest: Guest = serde_json::from_slice(healthy).unwrap();
        let options = Options::default();
        let says =
            |guest: &Guest| ["bios", "uefi"].map(|by| Statics::of(guest, &options, by).word("boot-entry-resolves"));
        assert_eq!(says(&guest), [Word::Pass, Word::Pass]);
        let Fact::Known(entries) = &mut guest.boot_entries else { panic!("no entries") };
        entries.items.iter_mut().for_each(|entry| entry.firmware = Fact::Known(vec!["uefi".to_owned()]));
        assert_eq!(says(&guest), [Word::Fail, Word::Pass]);
    }

    #[test]
    fn nothing_proved_is_nothing_known() {
        assert_eq!(outcome(&[], &[]), Outcome::Unknown);
    }
}
