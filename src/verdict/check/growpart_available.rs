//! The root grows to the flavor's disk at the first boot: its partition, then its file system.

use super::Check;
use crate::fact::Gap;
use crate::guest::{CloudInit, Volume};
use crate::verdict::boot::root_volume;
use crate::verdict::login::{CloudInitState, cloud_init, file, is_runlevel, program};
use crate::verdict::{Evidence, FactName, Lookup, Tally, View, Weight};

pub(super) const CHECK: Check = Check {
    id: "growpart-available",
    summary: "the root grows to the size of the disk",
    broken: "the root does not grow to the size of the disk",
    why: "A flavor's disk is larger than the image: without growing, the instance has the image's few gigabytes and the rest lies idle.",
    detects: "The root's partition must be the one with the highest start on the disk. The partition grows by growpart with cloud-init's module growpart switched on for /, or by growroot in the initrd; the file system by resize2fs, xfs_growfs or btrfs with cloud-init's module resizefs, or by x-systemd.growfs in /etc/fstab. A root on the whole disk needs only the latter.",
    fix: "Make the root the last partition, install growpart and keep growpart and resizefs in cloud_init_modules.",
    family_fixes: &[
        (
            "debian",
            "apt-get install cloud-guest-utils, with growpart and resizefs in cloud_init_modules; the root last on the disk",
        ),
        (
            "fedora",
            "dnf install cloud-utils-growpart, with growpart and resizefs in cloud_init_modules; the root last on the disk",
        ),
        (
            "suse",
            "zypper install growpart, with growpart and resizefs in cloud_init_modules; the root last on the disk",
        ),
        (
            "arch",
            "pacman -S cloud-guest-utils, with growpart and resizefs in cloud_init_modules; the root last on the disk",
        ),
        ("alpine", "apk add cloud-utils-growpart e2fsprogs-extra; the root last on the disk"),
    ],
    source: "OpenStack image guide (disk partitions and resize root partition on boot); cloud-init config/cc_growpart.py, config/cc_resizefs.py",
    reads: &[
        FactName::Root,
        FactName::Volumes,
        FactName::PartitionTable,
        FactName::Fstab,
        FactName::Files,
        FactName::CloudInit,
        FactName::Units,
        FactName::BootEntries,
        FactName::Kernels,
    ],
    run,
};

/// A part that holds, or why it does not.
type Found = Result<Evidence, Evidence>;

fn run(view: &View<'_>, tally: &mut Tally) {
    let Some(root) = view.root() else { return };
    if root.volume.is_none() {
        return tally.not_applicable("a directory has no partition that could grow");
    }
    let (Some(volume), Some(table)) = (root_volume(view), view.partition_table()) else { return };
    let mut parts = Vec::new();
    if let Some(table) = table {
        parts.push(is_last(view, volume, &table.scheme));
    }
    let Some(tiny) = file(view, |file| is_runlevel(&file.path, "tiny-cloud-boot")) else { return };
    if let Lookup::There(tiny) = tiny {
        parts.push(Some(Ok(Evidence::at(tiny.path.clone(), "tiny-cloud grows the root's partition and file system"))));
    } else {
        parts.push(grows_filesystem(view, volume));
        parts.extend(table.is_some().then(|| grows_partition(view)));
    }
    for part in parts.into_iter().flatten() {
        match part {
            Ok(proof) => tally.proof(proof),
            Err(refusal) => tally.fault(Weight::Full, refusal),
        }
    }
}

/// Nothing stands behind the root: partitions grow to the right only.
fn is_last(view: &View<'_>, root: &Volume, scheme: &str) -> Option<Found> {
    let listing = view.volumes()?;
    if let Some(behind) = listing.items.iter().find(|volume| volume.start > root.start) {
        let found = format!("partition {} stands behind the root, partition {}", behind.number, root.number);
        return Some(Err(Evidence::of(found).expected("the root as the last partition of the disk")));
    }
    // `man 1 growpart` grows one entry of the table: a logical partition stays within its extended one.
    if scheme == "dos" && root.number > 4 {
        let found =
            format!("the root is partition {}, a logical one: growpart does not grow the extended one", root.number);
        return Some(Err(Evidence::of(found).expected("a primary partition")));
    }
    view.certain(|view| view.all(listing).len())?;
    Some(Ok(Evidence::of(format!("the root, partition {}, is the last on the disk", root.number))))
}

fn grows_partition(view: &View<'_>) -> Option<Found> {
    let growpart = match program(view, &["/usr/bin/growpart", "/usr/sbin/growpart"])? {
        Lookup::There(growpart) => growpart.path.clone(),
        Lookup::Absent => return repart(view, Evidence::of("growpart is not installed").expected("growpart")),
    };
    if let Lookup::There(file) = file(view, |file| file.path == "/etc/growroot-disabled")? {
        let found = "this file keeps the root from growing";
        return Some(Err(Evidence::at(file.path.clone(), found).expected("no such file")));
    }
    let is_hook =
        |path: &str| path.ends_with("/growroot") || path.ends_with("growroot") && path.contains("/modules.d/");
    if let Lookup::There(hook) = file(view, |file| is_hook(&file.path))? {
        return Some(Ok(Evidence::at(hook.path.clone(), "the initrd grows the root's partition")));
    }
    match by_cloud_init(view, "growpart")? {
        Err(refusal) => repart(view, refusal),
        Ok(settings) => {
            let mode = view.need(&settings.growpart)?;
            let devices = view.need(&settings.growpart_devices)?;
            if !matches!(mode.as_str(), "auto" | "growpart") {
                let found = format!("growpart: mode: {mode} keeps cloud-init from growing the root's partition");
                return repart(view, Evidence::at("/etc/cloud/cloud.cfg", found).expected("mode: auto"));
            }
            if !devices.iter().any(|device| device == "/") {
                let found = format!("growpart: devices: {} does not name the root", devices.join(", "));
                return repart(view, Evidence::at("/etc/cloud/cloud.cfg", found).expected("devices: [/]"));
            }
            Some(Ok(Evidence::at(growpart, "cloud-init grows the root's partition with it")))
        }
    }
}

/// systemd-repart may grow it, but what its definitions cover is not read by this version.
fn repart(view: &View<'_>, refusal: Evidence) -> Option<Found> {
    let has_program = program(view, &["/usr/bin/systemd-repart"])? != Lookup::Absent;
    let Lookup::There(definition) = file(view, |file| file.path.contains("/repart.d/"))? else {
        return Some(Err(refusal));
    };
    if !has_program {
        return Some(Err(refusal));
    }
    let reason = "whether this definition of systemd-repart grows the root is not read by this version";
    view.miss(Gap::at(definition.path.clone(), reason));
    None
}

fn grows_filesystem(view: &View<'_>, root: &Volume) -> Option<Found> {
    let kind = &view.need(&root.filesystem)?.as_ref()?.kind;
    let tools: &[&str] = match kind.as_str() {
        "ext2" | "ext3" | "ext4" => &["/usr/sbin/resize2fs", "/sbin/resize2fs"],
        "xfs" => &["/usr/sbin/xfs_growfs", "/sbin/xfs_growfs"],
        "btrfs" => &["/usr/bin/btrfs", "/usr/sbin/btrfs", "/sbin/btrfs"],
        _ => {
            view.miss(Gap::new(format!("what grows a root of {kind} is not known to this version")));
            return None;
        }
    };
    match by_resizefs(view, kind, tools)? {
        Ok(proof) => Some(Ok(proof)),
        Err(refusal) => growfs(view, refusal),
    }
}

/// cloud-init grows the file system with one of `tools`.
fn by_resizefs(view: &View<'_>, kind: &str, tools: &[&str]) -> Option<Found> {
    let tool = match program(view, tools)? {
        Lookup::There(tool) => tool.path.clone(),
        Lookup::Absent => {
            let name = tools.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            return Some(Err(Evidence::of(format!("{name}, which grows {kind}, is not installed")).expected(name)));
        }
    };
    let settings = match by_cloud_init(view, "resizefs")? {
        Ok(settings) => settings,
        Err(refusal) => return Some(Err(refusal)),
    };
    if !*view.need(&settings.resizes_root)? {
        let found = "resize_rootfs keeps cloud-init from growing the root's file system";
        return Some(Err(Evidence::at("/etc/cloud/cloud.cfg", found).expected("resize_rootfs: true")));
    }
    Some(Ok(Evidence::at(tool, "cloud-init grows the root's file system with it")))
}

/// The root's row has `x-systemd.growfs` (`man 5 systemd.mount`), and what it starts is there; `refusal` otherwise.
fn growfs(view: &View<'_>, refusal: Evidence) -> Option<Found> {
    let Some(rows) = view.fstab()? else { return Some(Err(refusal)) };
    let is_asked = |option: &String| option == "x-systemd.growfs";
    let Lookup::There(row) = view.find(rows, |row| row.target == "/" && row.options.iter().any(is_asked))? else {
        return Some(Err(refusal));
    };
    let program = program(view, &["/usr/lib/systemd/systemd-growfs", "/lib/systemd/systemd-growfs"])?;
    if program == Lookup::Absent {
        return Some(Err(refusal));
    }
    Some(Ok(Evidence::at("/etc/fstab", "x-systemd.growfs grows the root's file system").line(row.line)))
}

/// cloud-init runs, and this module is among those of its stages; `None` keeps the gaps.
fn by_cloud_init<'a>(view: &View<'a>, module: &str) -> Option<Result<&'a CloudInit, Evidence>> {
    match cloud_init(view)? {
        CloudInitState::Runs(_) => {}
        CloudInitState::Absent => {
            return Some(Err(Evidence::of("cloud-init, which would grow the root, is not installed")));
        }
        CloudInitState::Stopped(stops) => {
            let first = stops.into_iter().next().unwrap_or_default();
            let found = format!("cloud-init, which would grow the root, does not run: {}", first.found);
            return Some(Err(Evidence { found, ..first }));
        }
    }
    let settings = view.cloud_init()?;
    if view.need(&settings.modules)?.iter().any(|name| name == module) {
        return Some(Ok(settings));
    }
    let found = format!("cloud-init's module {module} is in none of its stages");
    Some(Err(Evidence::at("/etc/cloud/cloud.cfg", found).expected(format!("{module} in cloud_init_modules"))))
}
