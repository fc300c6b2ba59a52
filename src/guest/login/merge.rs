//! Configurations → one, as `cloudinit/mergers` does with its default `list()+dict()+str()`.

use super::yaml::{Pair, Yaml};
use std::collections::HashMap;

/// What `older` adds to `newer`: keys that it lacks, and within mappings that both have.
pub(super) fn add(newer: &mut Yaml, older: Yaml) {
    match (newer, older) {
        (Yaml::Map(pairs), Yaml::Map(more)) => add_pairs(pairs, more),
        // `m_list.py` and `m_str.py` give way to a mapping, which `m_dict.py` merges into whatever stands there.
        (newer @ (Yaml::List(_) | Yaml::Text(_)), older @ Yaml::Map(_)) => *newer = older,
        _ => {}
    }
}

fn add_pairs(pairs: &mut Vec<Pair>, more: Vec<Pair>) {
    let places: HashMap<String, usize> =
        pairs.iter().enumerate().map(|(place, pair)| (format!("{:?}", pair.key), place)).collect();
    for pair in more {
        match places.get(&format!("{:?}", pair.key)).and_then(|place| pairs.get_mut(*place)) {
            Some(known) => add(&mut known.value, pair.value),
            None => pairs.push(pair),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml::parse;
    use super::*;

    #[test]
    fn the_newer_one_wins_but_for_mappings() {
        for (newer, older, merged) in [
            ("a: 1", "a: 2", "a: 1"),
            ("a: 1", "b: 2", "{a: 1, b: 2}"),
            ("a: [x]", "a: [y, z]", "a: [x]"),
            ("a: {p: 1}", "a: {p: 2, q: 3}", "a: {p: 1, q: 3}"),
            ("a: {p: 1}", "a: x", "a: {p: 1}"),
            ("a: x", "a: {p: 1}", "a: {p: 1}"),
            ("a: [x]", "a: {p: 1}", "a: {p: 1}"),
            ("a: 1", "a: {p: 1}", "a: 1"),
            ("a: null", "a: {p: 1}", "a: null"),
            ("a: off", "a: {p: 1}", "a: off"),
            ("a: {p: {q: 1}}", "a: {p: {r: 2}}", "a: {p: {q: 1, r: 2}}"),
        ] {
            let mut found = parse(newer).unwrap();
            add(&mut found, parse(older).unwrap());
            assert_eq!(found, parse(merged).unwrap(), "{newer} + {older}");
        }
    }
}
