use super::undecided::ONE_WAY;
use super::*;
use crate::verdict::check::CHECKS;
use crate::verdict::feature::FEATURES;
use std::collections::BTreeSet;

#[test]
fn every_proof_of_a_feature_is_made() {
    for feature in FEATURES {
        for id in feature.proofs {
            assert!(find(id).is_some(), "{}: {id}", feature.name);
        }
    }
}

#[test]
fn every_check_is_decided_or_said_not_to_be() {
    let decided: BTreeSet<&str> = PROOFS.iter().flat_map(|proof| proof.decides).copied().collect();
    let undecided: BTreeSet<&str> = UNDECIDED.iter().map(|(id, _)| *id).collect();
    let both: Vec<_> = decided.intersection(&undecided).collect();
    assert!(both.is_empty(), "{both:?}");
    let told: BTreeSet<&str> = decided.union(&undecided).copied().collect();
    let all: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(told, all);
    assert!(ONE_WAY.iter().all(|(id, reason)| decided.contains(id) && !reason.ends_with('.')));
}

#[test]
fn the_table_keeps_to_the_house() {
    let mut ids = BTreeSet::new();
    for proof in PROOFS {
        assert!(ids.insert(proof.id), "{} stands twice", proof.id);
        assert!(proof.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", proof.id);
        assert!(proof.summary.starts_with(char::is_lowercase) && !proof.summary.ends_with('.'), "{}", proof.id);
    }
    assert!(PROOFS.is_sorted_by_key(|proof| proof.turn), "harmless ones first, what kills the guest last");
}
