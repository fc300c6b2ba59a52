//! Processors → sockets, cores and threads, as Nova chooses: `get_best_cpu_topology` of `nova/virt/hardware.py`.

use super::asked::{Asked, refused};
use crate::error::{Error, Result};
use serde::Serialize;
use std::cmp::Reverse;

/// Processors of a machine: QEMU's limit for pc.
pub const MAX_VCPUS: u32 = 255;

/// How the processors are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// Sockets.
    pub sockets: u32,
    /// Cores of a socket.
    pub cores: u32,
    /// Threads of a core.
    pub threads: u32,
}

/// Nova's choice.
pub(super) fn choose(asked: &Asked<'_>) -> Result<Topology> {
    let vcpus = asked.vcpus;
    if vcpus == 0 || vcpus > MAX_VCPUS {
        return Err(Error::too_large("flavor", format!("{vcpus} processors, 1 to {MAX_VCPUS} can be made")));
    }
    let [limits, theirs, ours] = [["hw:cpu_max_sockets", "hw:cpu_max_cores", "hw:cpu_max_threads"], SPECS, SPECS];
    let most = limits.map(|spec| {
        let image = asked.image.integer(&key(spec)).filter(|limit| *limit != 0);
        image.or(asked.integer(spec).filter(|limit| *limit != 0)).unwrap_or(i64::MAX)
    });
    let ours = ours.map(|spec| asked.image.integer(&key(spec)).unwrap_or(0));
    let theirs = theirs.map(|spec| asked.integer(spec).unwrap_or(0));
    let is_over = theirs.iter().zip(&most).any(|(wish, limit)| wish > limit);
    let wishes = match (ours != [0; 3], is_over) {
        (true, _) => ours,
        (false, true) => [0; 3],
        (false, false) => theirs,
    };
    let possible = possible(vcpus, most);
    // `max_by_key` gives the last of equals, `min_by_key` the first; Nova's list is in order of preference.
    let best = possible.into_iter().min_by_key(|topology| Reverse(score(topology, wishes)));
    best.ok_or_else(|| {
        let reason = format!("{vcpus} processors do not come out with the limits of sockets, cores and threads");
        refused("hw_cpu_max_sockets", "ImageVCPULimitsRangeImpossible", &reason)
    })
}

const SPECS: [&str; 3] = ["hw:cpu_sockets", "hw:cpu_cores", "hw:cpu_threads"];

/// The image's name of an extra spec.
fn key(spec: &str) -> String {
    spec.replacen(':', "_", 1)
}

/// Every way to put them together; few threads first, then many sockets.
fn possible(vcpus: u32, most: [i64; 3]) -> Vec<Topology> {
    let mut found = Vec::new();
    for sockets in (1..=vcpus).filter(|sockets| vcpus.is_multiple_of(*sockets)) {
        let rest = vcpus.checked_div(sockets).unwrap_or(0);
        for cores in (1..=rest).filter(|cores| rest.is_multiple_of(*cores)) {
            let threads = rest.checked_div(cores).unwrap_or(0);
            let counts = [sockets, cores, threads];
            if counts.iter().zip(most).all(|(count, limit)| i64::from(*count) <= limit) {
                found.push(Topology { sockets, cores, threads });
            }
        }
    }
    found.sort_by_key(|found| Reverse((found.sockets.saturating_mul(found.cores), found.sockets, found.threads)));
    found
}

/// `_score_cpu_topology`.
fn score(topology: &Topology, wishes: [i64; 3]) -> usize {
    let counts = [topology.sockets, topology.cores, topology.threads];
    counts.iter().zip(wishes).filter(|(count, wish)| i64::from(**count) == *wish).count()
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;

    #[test]
    fn sockets_cores_and_threads_are_those_of_nova() {
        for (vcpus, specs, properties, expected) in [
            (4, &[][..], &[][..], Some([4, 1, 1])),
            (4, &[("hw:cpu_max_sockets", "1")], &[], Some([1, 4, 1])),
            (8, &[("hw:cpu_max_sockets", "2"), ("hw:cpu_max_cores", "2")], &[], Some([2, 2, 2])),
            (8, &[("hw:cpu_threads", "2")], &[], Some([4, 1, 2])),
            (8, &[("hw:cpu_cores", "4"), ("hw:cpu_threads", "2")], &[], Some([1, 4, 2])),
            // Any wish of the image sets aside all of the flavor.
            (8, &[("hw:cpu_cores", "4")], &[("hw_cpu_sockets", "2")], Some([2, 4, 1])),
            // A wish of the flavor beyond the image's limit is forgotten, with the others.
            (8, &[("hw:cpu_sockets", "8")], &[("hw_cpu_max_sockets", "2")], Some([2, 4, 1])),
            (6, &[("hw:cpu_sockets", "4")], &[], Some([6, 1, 1])),
            (8, &[("hw:cpu_max_sockets", "1"), ("hw:cpu_max_cores", "2"), ("hw:cpu_max_threads", "2")], &[], None),
        ] {
            let found = with(vcpus, specs, properties).ok().map(|machine| machine.topology);
            let found = found.map(|found| [found.sockets, found.cores, found.threads]);
            assert_eq!(found, expected, "{vcpus} {specs:?} {properties:?}");
        }
    }
}
