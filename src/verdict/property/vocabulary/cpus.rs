//! Sets of processors: `parse_cpu_spec` of `nova/virt/hardware.py`.

use super::python;
use std::fmt;

/// A set of processor numbers as ranges, both ends in it, in order and apart from each other; a range may be as wide as
/// it likes, for it is never spread out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuSet(Vec<(u64, u64)>);

impl CpuSet {
    /// Parses `1-4,^3,6`: exclusions count wherever they stand, empty parts do nothing.
    ///
    /// # Errors
    /// The part that is no number and no range that rises, or is beyond 64 bits.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut included, mut excluded) = (Vec::new(), Vec::new());
        for part in text.split(',').map(python::strip).filter(|part| !part.is_empty()) {
            let (list, rest) = match part.strip_prefix('^') {
                Some(rest) => (&mut excluded, rest),
                None => (&mut included, part),
            };
            let number = |text: &str| python::int(text).and_then(|decimal| decimal.parse::<u64>().ok());
            let range = match rest.split_once('-') {
                Some((first, last)) => number(first).zip(number(last)),
                None => number(rest).map(|one| (one, one)),
            };
            list.push(range.filter(|(first, last)| first <= last).ok_or_else(|| part.to_owned())?);
        }
        Ok(Self(joined(included)).without(&Self(joined(excluded))))
    }

    /// The numbers below `count`.
    pub fn below(count: u64) -> Self {
        Self(count.checked_sub(1).map(|last| (0, last)).into_iter().collect())
    }

    /// Whether there is none in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The greatest of them.
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|(_, last)| *last)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut holes = other.0.iter().copied().peekable();
        for (mut first, last) in self.0.iter().copied() {
            while holes.next_if(|(_, end)| *end < first).is_some() {}
            loop {
                match holes.peek().copied().filter(|(start, _)| *start <= last) {
                    None => {
                        left.push((first, last));
                        break;
                    }
                    Some((start, end)) => {
                        left.extend(
                            start.checked_sub(1).filter(|before| *before >= first).map(|before| (first, before)),
                        );
                        match end.checked_add(1).filter(|next| *next <= last) {
                            Some(next) => first = next,
                            None => break,
                        }
                        holes.next();
                    }
                }
            }
        }
        Self(left)
    }

    /// Those of both.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self(joined(self.0.iter().chain(&other.0).copied().collect()))
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |(first, last): &(u64, u64)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        f.write_str(&self.0.iter().map(part).collect::<Vec<_>>().join(","))
    }
}

fn joined(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut().filter(|(_, end)| first <= end.saturating_add(1)) {
            Some((_, end)) => *end = last.max(*end),
            None => joined.push((first, last)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_as_nova_reads_them() {
        for (text, expected) in [
            ("0-3", Some("0-3")),
            ("0-3,^2", Some("0-1,3")),
            ("^2,0-3,^0", Some("1,3")),
            ("^2", Some("")),
            ("", Some("")),
            (" 1 - 3 ,, 5", Some("1-3,5")),
            ("3,1,2,2", Some("1-3")),
            ("0-9,^2-4,^3-6,^9", Some("0-1,7-8")),
            ("0-18446744073709551615,^18446744073709551615", Some("0-18446744073709551614")),
            ("1-1", Some("1")),
            ("0-1,4-5,^0-5", Some("")),
            ("4-1", None),
            ("a", None),
            ("1-", None),
            ("-1", None),
            ("^", None),
            ("1-2-3", None),
            ("^-1", None),
        ] {
            assert_eq!(CpuSet::parse(text).ok().map(|set| set.to_string()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn sets_agree_with_sets_of_numbers() {
        use std::collections::BTreeSet;
        let spread = |set: &CpuSet| set.0.iter().flat_map(|(first, last)| *first..=*last).collect::<BTreeSet<u64>>();
        for a in 0_u64..256 {
            for b in 0_u64..256 {
                let set =
                    |bits: u64| (0..8).filter(|bit| bits >> bit & 1 == 1).map(|bit| (bit, bit)).collect::<Vec<_>>();
                let (left, right) = (CpuSet(joined(set(a))), CpuSet(joined(set(b))));
                let (ours, theirs) = (spread(&left), spread(&right));
                assert_eq!(spread(&left.without(&right)), &ours - &theirs);
                assert_eq!(spread(&left.with(&right)), &ours | &theirs);
            }
        }
    }
}
