//! `numa_get_constraints`: what policies, pages and nodes amount to.

use super::{Conflict, FlavorSpecs, memory, processors, python};
use crate::verdict::property::vocabulary::{CpuSet, ImageProps};

/// The trait that stands for a thread policy; any name that begins so is taken for it.
const HYPERTHREADING: &str = "HW_CPU_HYPERTHREADING";

pub(super) fn constraints(flavor: &FlavorSpecs, image: &ImageProps) -> Result<(), Conflict> {
    let mut policy = processors::policy(flavor, image)?;
    let mut threads = processors::thread_policy(flavor, image)?;
    let realtime = processors::realtime(flavor, image)?;
    let dedicated = processors::dedicated(flavor)?;
    let emulator = processors::emulator_policy(flavor)?;
    if let Some(asked) = resources(flavor, policy, emulator)? {
        policy = Some(asked);
    }
    match (threads, hyperthreading(flavor, image)) {
        (Some(_), Some(_)) => {
            let reason = format!("a thread policy and trait:{HYPERTHREADING} say the same thing: give one of them");
            return Err(Conflict::new("InvalidRequest", reason).by("hw_cpu_thread_policy"));
        }
        (None, Some("forbidden")) => threads = Some("isolate"),
        (None, Some("required")) => threads = Some("require"),
        _ => {}
    }
    fitting(policy, threads, emulator, realtime.as_ref(), dedicated.as_ref())?;
    let nodes = nodes(flavor, image)?;
    let has_pages = memory::has_page_size(flavor, image)?;
    let has_labels =
        flavor.set("hw:pmem").is_some_and(|labels| labels.split(',').any(|label| !python::strip(label).is_empty()));
    memory::locked(flavor, image)?;
    if nodes.is_some() || has_pages || has_labels || matches!(policy, Some("dedicated" | "mixed")) {
        cells(flavor, image, nodes.unwrap_or(1))?;
        if threads.is_none() && flavor.get("hw:cpu_thread_policy") == Some("") {
            return Err(Conflict::new("ValueError", "hw:cpu_thread_policy is empty: prefer, isolate, require"));
        }
    }
    Ok(())
}

/// `resources:PCPU` and `resources:VCPU`: the policy that they stand for.
fn resources(
    flavor: &FlavorSpecs,
    policy: Option<&str>,
    emulator: Option<&str>,
) -> Result<Option<&'static str>, Conflict> {
    let invalid = |reason: &str| Err(Conflict::new("InvalidRequest", reason));
    let asked = |class: &str| {
        let named = flavor.specs.iter().filter(|(key, _)| is_numbered(key, "resources", class));
        named.filter_map(|(_, value)| Some(python::value(&python::int(value)?))).fold(0_i64, i64::saturating_add)
    };
    let (shared, pinned) = (asked("VCPU"), asked("PCPU"));
    if policy.is_some() && (shared != 0 || pinned != 0) {
        return invalid("resources:VCPU and resources:PCPU do not go together with a processor policy");
    }
    if shared != 0 && pinned != 0 {
        return invalid("resources:VCPU and resources:PCPU do not go together");
    }
    if let Some(vcpus) = flavor.vcpus.and_then(|vcpus| i64::try_from(vcpus).ok()).filter(|_| pinned != 0) {
        let wanted = if emulator == Some("isolate") { vcpus.saturating_add(1) } else { vcpus };
        if pinned != wanted {
            return invalid(&format!("resources:PCPU must be {wanted} for this flavor"));
        }
    }
    Ok(match (shared != 0, pinned != 0) {
        (true, _) => Some("shared"),
        (_, true) => Some("dedicated"),
        _ => None,
    })
}

/// `PREFIX([1-9][0-9]*)?:NAME` at the start of a key (Python's `re.match`).
fn is_numbered(key: &str, prefix: &str, name: &str) -> bool {
    let Some((group, rest)) = key.strip_prefix(prefix).and_then(|rest| rest.split_once(':')) else { return false };
    let is_number = !group.starts_with('0') && group.bytes().all(|byte| byte.is_ascii_digit());
    is_number && rest.starts_with(name)
}

fn hyperthreading<'a>(flavor: &'a FlavorSpecs, image: &ImageProps) -> Option<&'a str> {
    let named = flavor.specs.iter().find(|(key, _)| is_numbered(key, "trait", HYPERTHREADING));
    let asked = image.has_trait(HYPERTHREADING).then_some("required");
    named.map(|(_, value)| value.as_str()).or(asked).filter(|value| !value.is_empty())
}

/// Whether the policies go together.
fn fitting(
    policy: Option<&str>,
    threads: Option<&str>,
    emulator: Option<&str>,
    realtime: Option<&CpuSet>,
    dedicated: Option<&CpuSet>,
) -> Result<(), Conflict> {
    let refused = |exception, reason: &str| Err(Conflict::new(exception, reason));
    match policy {
        None | Some("shared") => {
            if threads.is_some() {
                let reason = "a thread policy needs the processor policy dedicated or mixed";
                return Err(Conflict::new("CPUThreadPolicyConfigurationInvalid", reason).by("hw_cpu_thread_policy"));
            }
            if emulator == Some("isolate") {
                let reason = "hw:emulator_threads_policy=isolate needs the processor policy dedicated or mixed";
                return refused("BadRequirementEmulatorThreadsPolicy", reason);
            }
            if dedicated.is_some() {
                return refused("RequiredMixedInstancePolicy", "hw:cpu_dedicated_mask needs hw:cpu_policy=mixed");
            }
            if realtime.is_some() {
                let reason = "hw:cpu_realtime needs the processor policy dedicated or mixed";
                return refused("RealtimeConfigurationInvalid", reason);
            }
        }
        Some("dedicated") if dedicated.is_some() => {
            return refused("RequiredMixedInstancePolicy", "hw:cpu_dedicated_mask needs hw:cpu_policy=mixed");
        }
        Some("dedicated") => {}
        Some(_) if realtime.is_some() == dedicated.is_some() => {
            let reason = "the policy mixed needs hw:cpu_dedicated_mask or a realtime mask in the flavor, not both";
            return Err(Conflict::new("RequiredMixedOrRealtimeCPUMask", reason).by("hw_cpu_policy"));
        }
        Some(_) => {}
    }
    Ok(())
}

/// `_get_numa_node_count_constraint`.
fn nodes(flavor: &FlavorSpecs, image: &ImageProps) -> Result<Option<usize>, Conflict> {
    const KEY: &str = "hw_numa_nodes";
    let (theirs, ours) = (flavor.set("hw:numa_nodes"), image.integer(KEY));
    let nodes = match (theirs, ours) {
        (Some(theirs), Some(ours)) if ours != 0 => {
            let reason = format!("the flavor says hw:numa_nodes={theirs}, so the image must not say {KEY}={ours}");
            return Err(Conflict::new("ImageNUMATopologyForbidden", reason).by(KEY));
        }
        (Some(theirs), _) => python::int(theirs).filter(|number| number == theirs).map(|number| python::value(&number)),
        (None, Some(ours)) => Some(ours),
        (None, None) => return Ok(None),
    };
    match nodes.filter(|nodes| *nodes > 0).map(|nodes| usize::try_from(nodes).unwrap_or(usize::MAX)) {
        Some(nodes) => Ok(Some(nodes)),
        None => Err(Conflict::new("InvalidNUMANodesNumber", "there must be one NUMA node or more").by(KEY)),
    }
}

/// What each node has: listed by flavor or image, or shared out evenly.
fn cells(flavor: &FlavorSpecs, image: &ImageProps, nodes: usize) -> Result<(), Conflict> {
    let forbidden = |key: &'static str| {
        let reason = format!("the flavor lists NUMA nodes itself, so the image must not have {key}.N");
        Err(Conflict::new("ImageNUMATopologyForbidden", reason).by(key))
    };
    let invalid = |part: String| Conflict::new("Invalid", format!("{part:?} is no range of processors"));
    let theirs = flavor.numbered("hw:numa_cpus");
    let theirs = theirs.into_iter().map(CpuSet::parse).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    let cpus = match (theirs.as_slice(), image.cpus()) {
        ([], ours) => ours,
        (_, Some(_)) => return forbidden("hw_numa_cpus"),
        (theirs, None) => Some(theirs),
    };
    let number = |text: &str| {
        let bad = || Conflict::new("ValueError", format!("{text:?} is no memory in MiB"));
        python::int(text).map(|decimal| python::value(&decimal)).ok_or_else(bad)
    };
    let theirs = flavor.numbered("hw:numa_mem").into_iter().map(number).collect::<Result<Vec<_>, _>>()?;
    let memory = match (theirs.is_empty(), image.memory()) {
        (true, ours) => ours,
        (false, Some(_)) => return forbidden("hw_numa_mem"),
        (false, None) => Some(theirs),
    };
    match (cpus, memory) {
        (None, None) => even(flavor, nodes),
        (Some(cpus), Some(memory)) if cpus.len() == nodes && memory.len() == nodes => listed(flavor, cpus, &memory),
        _ => {
            let reason =
                format!("processors and memory must be listed for each of the {nodes} NUMA nodes, or for none");
            Err(Conflict::new("ImageNUMATopologyIncomplete", reason).by("hw_numa_nodes"))
        }
    }
}

/// `_get_numa_topology_auto`.
fn even(flavor: &FlavorSpecs, nodes: usize) -> Result<(), Conflict> {
    let nodes = u64::try_from(nodes).unwrap_or(u64::MAX);
    let is_uneven = |amount: Option<u64>| amount.is_some_and(|amount| amount.checked_rem(nodes) != Some(0));
    if is_uneven(flavor.vcpus) || is_uneven(flavor.memory) {
        let reason = format!("processors and memory of the flavor do not divide by {nodes} NUMA nodes");
        return Err(Conflict::new("ImageNUMATopologyAsymmetric", reason).by("hw_numa_nodes"));
    }
    Ok(())
}

/// `_get_numa_topology_manual`.
fn listed(flavor: &FlavorSpecs, cpus: &[CpuSet], memory: &[i64]) -> Result<(), Conflict> {
    let refused = |exception, reason: String| Err(Conflict::new(exception, reason));
    let all = flavor.vcpus.map(CpuSet::below);
    let mut taken = CpuSet::default();
    for (node, set) in cpus.iter().enumerate() {
        if set.without(&taken) != *set {
            let reason = format!("NUMA node {node} has processors of another node");
            return refused("ImageNUMATopologyCPUDuplicates", reason);
        }
        if all.as_ref().is_some_and(|all| !set.without(all).is_empty()) {
            let reason = format!("NUMA node {node} has processors that the flavor does not have");
            return refused("ImageNUMATopologyCPUOutOfRange", reason);
        }
        taken = taken.with(set);
    }
    let left = all.map(|all| all.without(&taken)).filter(|left| !left.is_empty());
    if let Some(left) = left {
        return refused("ImageNUMATopologyCPUsUnassigned", format!("processors {left} are on no NUMA node"));
    }
    let sum = memory.iter().fold(0_i64, |sum, part| sum.saturating_add(*part));
    match flavor.memory.filter(|memory| i64::try_from(*memory) != Ok(sum)) {
        Some(memory) => {
            let reason = format!("the NUMA nodes have {sum} MiB, the flavor {memory} MiB");
            refused("ImageNUMATopologyMemoryOutOfRange", reason)
        }
        None => Ok(()),
    }
}
