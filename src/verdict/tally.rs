//! The fold over many judged things: the heaviest decides, and a gap is never lighter than what it may hide.

use super::{EntryVerdict, Evidence, Fault, Judgement, Verdict, Weight};
use crate::fact::Gap;
use std::collections::{HashMap, HashSet};

/// What was found so far.
#[derive(Debug, Default)]
pub struct Tally {
    proofs: Vec<Evidence>,
    faults: Vec<Fault>,
    gaps: Vec<(Weight, Gap)>,
    reasons: Vec<String>,
    notes: Vec<Evidence>,
    entries: Vec<EntryVerdict>,
    told: HashSet<Evidence>,
    missed: HashSet<(Weight, Gap)>,
    places: HashMap<Evidence, usize>,
}

impl Tally {
    /// Something holds.
    pub fn proof(&mut self, evidence: Evidence) {
        if self.told.insert(evidence.clone()) {
            self.proofs.push(evidence);
        }
    }

    /// Something does not hold. The same place is told once, at its heaviest.
    pub fn fault(&mut self, weight: Weight, evidence: Evidence) {
        let place = Evidence { entry: None, ..evidence.clone() };
        let index = *self.places.entry(place).or_insert(self.faults.len());
        match self.faults.get_mut(index) {
            Some(fault) if fault.weight >= weight => {}
            Some(fault) => *fault = Fault { evidence, weight },
            None => self.faults.push(Fault { evidence, weight }),
        }
    }

    /// Something could not be looked at that may hide a fault of this weight.
    pub fn gap(&mut self, weight: Weight, gap: Gap) {
        if self.missed.insert((weight, gap.clone())) {
            self.gaps.push((weight, gap));
        }
    }

    /// A part that does not concern this image.
    pub fn not_applicable(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }

    /// Something worth saying that changes nothing.
    pub fn note(&mut self, evidence: Evidence) {
        if self.told.insert(evidence.clone()) {
            self.notes.push(evidence);
        }
    }

    /// The verdict of one boot entry, for the report.
    pub fn entry(&mut self, entry: EntryVerdict) {
        self.entries.push(entry);
    }

    /// Something does not hold.
    pub fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Adds another verdict, its faults and gaps weighing at most `most`.
    pub fn add(&mut self, verdict: Verdict, most: Weight) {
        match verdict {
            Verdict::Pass(proofs) => proofs.into_iter().for_each(|proof| self.proof(proof)),
            Verdict::Fail(faults) => faults.into_iter().for_each(|f| self.fault(f.weight.min(most), f.evidence)),
            Verdict::Unknown(gaps) => gaps.into_iter().for_each(|gap| self.gap(most, gap)),
            Verdict::NotApplicable(reason) => self.not_applicable(reason),
        }
    }

    /// The heavier of faults and gaps decides, faults on a tie; then proofs; then the reasons why it does not apply;
    /// with nothing at all it is unknown, for nothing was looked at.
    pub fn judgement(mut self) -> Judgement {
        let fault = self.faults.iter().map(|fault| fault.weight).max();
        let gap = self.gaps.iter().map(|(weight, _)| *weight).max();
        let weight = fault.max(gap).unwrap_or(Weight::Full);
        let verdict = if fault.is_some() && fault >= gap {
            Verdict::Fail(self.faults)
        } else if gap.is_some() {
            self.notes.extend(self.faults.into_iter().map(|fault| fault.evidence));
            Verdict::of(Vec::new(), Vec::new(), self.gaps.into_iter().map(|(_, gap)| gap).collect())
        } else if self.proofs.is_empty() && !self.reasons.is_empty() {
            self.reasons.dedup();
            Verdict::NotApplicable(self.reasons.join("; "))
        } else {
            Verdict::of(self.proofs, Vec::new(), Vec::new())
        };
        Judgement { verdict, weight, entries: self.entries, notes: self.notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Word;

    #[test]
    fn the_heaviest_decides() {
        use Weight::{Full, Minor, Reduced};
        for (proof, fault, gap, word, weight) in [
            (false, None, None, Word::Unknown, Full),
            (true, None, None, Word::Pass, Full),
            (true, Some(Minor), None, Word::Fail, Minor),
            (true, None, Some(Minor), Word::Unknown, Minor),
            (true, Some(Full), Some(Full), Word::Fail, Full),
            (true, Some(Minor), Some(Minor), Word::Fail, Minor),
            (true, Some(Reduced), Some(Full), Word::Unknown, Full),
            (true, Some(Full), Some(Minor), Word::Fail, Full),
        ] {
            let mut tally = Tally::default();
            proof.then(|| tally.proof(Evidence::of("p")));
            if let Some(weight) = fault {
                tally.fault(weight, Evidence::of("f"));
            }
            if let Some(weight) = gap {
                tally.gap(weight, Gap::new("g"));
            }
            let judgement = tally.judgement();
            assert_eq!((judgement.verdict.word(), judgement.weight), (word, weight), "{proof} {fault:?} {gap:?}");
        }
    }

    #[test]
    fn the_same_place_is_told_once_at_its_heaviest() {
        let mut tally = Tally::default();
        tally.fault(Weight::Minor, Evidence::at("/a", "x").entry("old"));
        tally.fault(Weight::Full, Evidence::at("/a", "x").entry("new"));
        tally.fault(Weight::Minor, Evidence::at("/a", "x").entry("older"));
        let Verdict::Fail(faults) = tally.judgement().verdict else { panic!("not a fail") };
        assert_eq!(
            (faults.len(), faults[0].weight, faults[0].evidence.entry.as_deref()),
            (1, Weight::Full, Some("new"))
        );
    }

    #[test]
    fn a_reason_counts_only_where_nothing_else_was_found() {
        let mut tally = Tally::default();
        tally.not_applicable("no fstab");
        assert_eq!(tally.judgement().verdict.word(), Word::NotApplicable);
    }
}
