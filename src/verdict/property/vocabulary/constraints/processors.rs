//! Processors: policies, masks, topology.

use super::{Conflict, FlavorSpecs, python};
use crate::verdict::property::vocabulary::{CpuSet, ImageProps};

/// The part that decides on a policy, `None` where nobody asks for one.
type Policy<'a> = Result<Option<&'a str>, Conflict>;

/// `get_cpu_policy_constraint`.
pub(super) fn policy<'a>(flavor: &'a FlavorSpecs, image: &'a ImageProps) -> Policy<'a> {
    const KEY: &str = "hw_cpu_policy";
    let (theirs, ours) = (flavor.set("hw:cpu_policy"), image.text(KEY));
    match (theirs, ours) {
        (Some("mixed"), Some("dedicated")) | (Some("shared"), Some("mixed" | "dedicated")) => {
            let (theirs, ours) = (theirs.unwrap_or_default(), ours.unwrap_or_default());
            let reason = format!("the image asks for {ours} processors, the flavor gives {theirs} ones");
            Err(Conflict::new("ImageCPUPinningForbidden", reason).by(KEY))
        }
        (Some("dedicated" | "mixed" | "shared"), _) => Ok(theirs),
        (Some(word), _) => {
            let reason = format!("hw:cpu_policy={word} is none of dedicated, shared, mixed");
            Err(Conflict::new("InvalidCPUAllocationPolicy", reason))
        }
        (None, ours) => Ok(ours),
    }
}

/// `get_cpu_thread_policy_constraint`.
pub(super) fn thread_policy<'a>(flavor: &'a FlavorSpecs, image: &'a ImageProps) -> Policy<'a> {
    const KEY: &str = "hw_cpu_thread_policy";
    let (theirs, ours) = (flavor.get("hw:cpu_thread_policy"), image.text(KEY));
    match (theirs, ours) {
        (None | Some("prefer"), ours) => Ok(theirs.or(ours)),
        (Some(word), _) if !["isolate", "require", ""].contains(&word) => {
            let reason = format!("hw:cpu_thread_policy={word} is none of prefer, isolate, require");
            Err(Conflict::new("InvalidCPUThreadAllocationPolicy", reason))
        }
        (Some(theirs), Some(ours)) if theirs != ours => {
            let reason = format!("the flavor says hw:cpu_thread_policy={theirs}, the image {KEY}={ours}");
            Err(Conflict::new("ImageCPUThreadPolicyForbidden", reason).by(KEY))
        }
        (theirs, _) => Ok(theirs.filter(|word| !word.is_empty())),
    }
}

/// `get_emulator_thread_policy_constraint`.
pub(super) fn emulator_policy(flavor: &FlavorSpecs) -> Policy<'_> {
    match flavor.set("hw:emulator_threads_policy") {
        Some(word) if !["share", "isolate"].contains(&word) => {
            let reason = format!("hw:emulator_threads_policy={word} is none of isolate, share");
            Err(Conflict::new("InvalidEmulatorThreadsPolicy", reason))
        }
        policy => Ok(policy),
    }
}

/// A mask over the processors of the flavor; a leading `^` means all but those.
fn masked(mask: &str, vcpus: u64) -> Result<CpuSet, Conflict> {
    let text = if python::strip(mask).starts_with('^') {
        format!("0-{},{mask}", vcpus.saturating_sub(1))
    } else {
        mask.to_owned()
    };
    CpuSet::parse(&text).map_err(|part| Conflict::new("Invalid", format!("{part:?} is no range of processors")))
}

/// `get_dedicated_cpu_constraint`.
pub(super) fn dedicated(flavor: &FlavorSpecs) -> Result<Option<CpuSet>, Conflict> {
    let (Some(mask), Some(vcpus)) = (flavor.set("hw:cpu_dedicated_mask"), flavor.vcpus) else { return Ok(None) };
    let (pinned, all) = (masked(mask, vcpus)?, CpuSet::below(vcpus));
    if pinned.is_empty() || all.without(&pinned).is_empty() || !pinned.without(&all).is_empty() {
        let reason = format!("hw:cpu_dedicated_mask={mask} must be some of the {vcpus} processors, not all");
        return Err(Conflict::new("InvalidMixedInstanceDedicatedMask", reason));
    }
    Ok(Some(pinned))
}

/// `get_realtime_cpu_constraint`.
pub(super) fn realtime(flavor: &FlavorSpecs, image: &ImageProps) -> Result<Option<CpuSet>, Conflict> {
    let (Some(true), Some(vcpus)) = (flavor.flag("hw:cpu_realtime"), flavor.vcpus) else { return Ok(None) };
    let ours = image.text("hw_cpu_realtime_mask").filter(|mask| !mask.is_empty());
    let all = CpuSet::below(vcpus);
    let chosen = match ours.or(flavor.set("hw:cpu_realtime_mask")) {
        Some(mask) => masked(mask, vcpus)?,
        None => all.clone(),
    };
    let bad = |reason: &str| Err(Conflict::new("RealtimeMaskNotFoundOrInvalid", reason).by("hw_cpu_realtime_mask"));
    if chosen.is_empty() {
        return bad("the realtime mask leaves no processor");
    }
    if emulator_policy(flavor)?.is_none() && chosen == all {
        return bad("one processor must stay without realtime: give a mask, or hw:emulator_threads_policy");
    }
    if !chosen.without(&all).is_empty() {
        return bad("the realtime mask names processors that the flavor does not have");
    }
    Ok(Some(chosen))
}

/// What `get_cpu_topology_constraints` takes where nobody sets a limit.
const NO_LIMIT: i64 = 65_536;

/// `get_cpu_topology_constraints`.
pub(super) fn topology(flavor: &FlavorSpecs, image: &ImageProps) -> Result<(), Conflict> {
    let limits = ["cpu_max_sockets", "cpu_max_cores", "cpu_max_threads"];
    let wishes = ["cpu_sockets", "cpu_cores", "cpu_threads"];
    let theirs = |key: &str| -> Result<i64, Conflict> {
        let spec = format!("hw:{key}");
        let Some(text) = flavor.get(&spec) else { return Ok(0) };
        let number = python::int(text).map(|decimal| python::value(&decimal));
        number.ok_or_else(|| Conflict::new("InvalidRequest", format!("{spec}={text} is no number")))
    };
    let ours = |key: &str| image.integer(&format!("hw_{key}")).unwrap_or(0);
    let mut most = Vec::new();
    for key in limits {
        let (flavor_limit, image_limit) = (theirs(key)?, ours(key));
        let first = [image_limit, flavor_limit].into_iter().find(|limit| *limit != 0);
        most.push((flavor_limit != 0 && image_limit > flavor_limit, first.unwrap_or(NO_LIMIT)));
    }
    if let Some((key, _)) = limits.iter().zip(&most).find(|(_, (is_over, _))| *is_over) {
        let reason = format!("the image has hw_{key}={}, the flavor hw:{key}={}", ours(key), theirs(key)?);
        return Err(Conflict::new("ImageVCPULimitsRangeExceeded", reason));
    }
    for key in wishes {
        theirs(key)?;
    }
    if let Some((key, (_, limit))) = wishes.iter().zip(&most).find(|(key, (_, limit))| ours(key) > *limit) {
        let reason = format!("the image has hw_{key}={}, the limit is {limit}", ours(key));
        return Err(Conflict::new("ImageVCPUTopologyRangeExceeded", reason));
    }
    Ok(())
}
