//! Freed blocks go back to the cloud's storage: mounted with discard, or trimmed by a timer.

use super::Check;
use crate::fact::Gap;
use crate::guest::{Crypt, Filesystem, Mount};
use crate::verdict::boot::root_filesystem;
use crate::verdict::fstab::Row;
use crate::verdict::spec::{Resolved, Spec, resolve};
use crate::verdict::trim::{Mounted, Timer, timer};
use crate::verdict::{Evidence, FactName, Lookup, Tally, View, Weight, defaults};

pub(super) const CHECK: Check = Check {
    id: "trim-enabled",
    summary: "freed blocks are given back to the storage",
    broken: "freed blocks are never given back to the storage",
    why: "What the guest deletes stays allocated in the cloud's storage, and is copied with every snapshot, until it is discarded.",
    detects: "Every ext4, xfs, btrfs and f2fs of /etc/fstab, and the root, has discard in its options, in rootflags= or in its superblock, is btrfs under a kernel from 6.2, or is covered by the command of fstrim.service while fstrim.timer is started; nodiscard, or a row of /etc/crypttab without discard below it, fails. /boot, the EFI partition and swap are not asked.",
    fix: "systemctl enable fstrim.timer; or add discard to the options in /etc/fstab. Below an encrypted volume add discard to its row in /etc/crypttab.",
    family_fixes: &[("alpine", "add discard to the options in /etc/fstab, or run fstrim -A from /etc/periodic/weekly")],
    source: "man 8 fstrim and util-linux sys-utils/fstrim.c; man 5 crypttab; man 5 btrfs (discard, since Linux 6.2); Linux 5.0 drivers/block/virtio_blk.c",
    reads: &[
        FactName::Fstab,
        FactName::Volumes,
        FactName::Root,
        FactName::Units,
        FactName::Crypttab,
        FactName::BootEntries,
        FactName::Kernels,
    ],
    run,
};

/// What gives blocks back of more than one file system, and what is not known of it.
struct Means {
    timer: (Option<Timer>, Vec<Gap>),
    discards_itself: (Option<bool>, Vec<Gap>),
    has_rows: bool,
}

/// A file system that is asked.
struct Asked<'a> {
    row: Option<Row<'a>>,
    target: &'a str,
    kind: String,
    /// `rootflags=` and the options of the row, in the order in which they count.
    options: Vec<String>,
    /// The volume, where the image holds it.
    filesystem: Option<&'a Filesystem>,
    weight: Weight,
    /// The options of the row come with a remount, in which XFS overlooks discard (`xfs_fs_reconfigure`).
    is_remounted: bool,
}

fn run(view: &View<'_>, tally: &mut Tally) {
    let listing = view.fstab().map(Option::as_ref);
    let rows = listing.flatten().map(|listing| view.all(listing)).unwrap_or_default();
    let root = rows.iter().find(|mount| mount.target == "/");
    let mut asked: Vec<Asked<'_>> = Vec::new();
    if listing.is_some() {
        asked.extend(of_root(view, root));
    }
    asked.extend(rows.iter().filter_map(|mount| of_row(view, mount)));
    let means =
        Means { timer: view.apart(timer), discards_itself: view.apart(discards_itself), has_rows: !rows.is_empty() };
    for asked in &asked {
        let (verdict, gaps) = view.apart(|view| judge(view, asked, &means));
        match verdict {
            Some(Ok(proof)) => tally.proof(proof),
            Some(Err(fault)) => tally.fault(asked.weight, fault),
            None => gaps.into_iter().for_each(|gap| tally.gap(asked.weight, gap)),
        }
    }
    if asked.is_empty() {
        tally.not_applicable("no file system of this image is asked for discard");
    }
    note_kernel(view, tally);
}

fn is_kind(kind: &str) -> bool {
    matches!(kind, "ext4" | "xfs" | "btrfs" | "f2fs")
}

/// `None` for rows that are not asked: other types, /boot, the EFI partition.
fn of_row<'a>(view: &View<'a>, mount: &'a Mount) -> Option<Asked<'a>> {
    let is_below = |folder: &str| mount.target.strip_prefix(folder).is_some_and(|r| r.is_empty() || r.starts_with('/'));
    if is_below("/boot") || is_below("/efi") || matches!(mount.target.as_str(), "none" | "/") {
        return None;
    }
    let row = Row::new(mount);
    let is_auto = mount.fstype == "auto";
    if !is_auto && !is_kind(&mount.fstype) {
        return None;
    }
    let filesystem = volume_of(view, &row.spec);
    if is_auto && filesystem.is_none() {
        // Of another disk, or its type is not known.
        view.volumes()?;
    }
    let kind = filesystem.filter(|_| is_auto).map_or(&mount.fstype, |filesystem| &filesystem.kind).clone();
    if !is_kind(&kind) {
        return None;
    }
    let (options, weight) = (mount.options.clone(), row.weight);
    Some(Asked { row: Some(row), target: &mount.target, kind, options, filesystem, weight, is_remounted: false })
}

/// The root, with what `rootflags=` says before its row.
fn of_root<'a>(view: &View<'a>, mount: Option<&'a Mount>) -> Option<Asked<'a>> {
    let (filesystem, gaps) = view.apart(root_filesystem);
    let kind = match (filesystem, mount) {
        (Some(filesystem), _) => filesystem.kind.clone(),
        (None, Some(mount)) if mount.fstype != "auto" => mount.fstype.clone(),
        (None, _) => {
            for gap in gaps {
                view.miss(gap);
            }
            return None;
        }
    };
    let (flags, _) = view.apart(|view| defaults::values(view, "rootflags"));
    let flags: Vec<Option<String>> = flags.into_iter().flatten().map(|word| word.value).collect();
    // Only what every default entry says is certain.
    let common = flags.first().filter(|first| flags.iter().all(|other| other == *first)).cloned().flatten();
    let mut options: Vec<String> = common.iter().flat_map(|flags| flags.split(',')).map(str::to_owned).collect();
    options.extend(mount.into_iter().flat_map(|mount| mount.options.iter().cloned()));
    if !is_kind(&kind) {
        return None;
    }
    let is_remounted = kind == "xfs" && !common.is_some_and(|flags| flags.split(',').any(|flag| flag == "discard"));
    let (row, weight) = (mount.map(Row::new), Weight::Full);
    Some(Asked { row, target: "/", kind, options, filesystem, weight, is_remounted })
}

/// The file system that a row names, where it is one of this image.
fn volume_of<'a>(view: &View<'a>, spec: &Spec) -> Option<&'a Filesystem> {
    let Spec::Tag(tag, value) = spec else { return None };
    let (found, _) = view.apart(|view| resolve(view, *tag, value));
    match found {
        Some(Resolved::One(volume)) => volume.filesystem.known().and_then(Option::as_ref),
        _ => None,
    }
}

/// `Ok` with what gives blocks back, `Err` with what keeps them.
fn judge(view: &View<'_>, asked: &Asked<'_>, means: &Means) -> Option<Result<Evidence, Evidence>> {
    let is_set = |option: &str| option == "discard" || option.starts_with("discard=");
    let last = asked.options.iter().rev().find(|option| is_set(option) || *option == "nodiscard");
    if last.is_some_and(|option| option == "nodiscard") {
        return Some(Err(at(asked, format!("{} is mounted with nodiscard", asked.target)).expected("discard")));
    }
    if let Lookup::There(crypt) = keeps(view, asked)? {
        let found = format!("{} below {} does not pass discard on", crypt.name, asked.target);
        let evidence = Evidence::at("/etc/crypttab", found).line(crypt.line).marking(crypt.text.clone(), &crypt.name);
        return Some(Err(evidence.expected("discard")));
    }
    if last.is_some() && !asked.is_remounted {
        return Some(Ok(at(asked, format!("{} is mounted with discard", asked.target))));
    }
    let defaults_of = asked.filesystem.and_then(|filesystem| filesystem.mount_options.known());
    if defaults_of.is_some_and(|options| options.iter().any(|option| option == "discard")) {
        return Some(Ok(at(asked, format!("the superblock of {} sets discard", asked.target))));
    }
    let is_btrfs = asked.kind == "btrfs";
    if is_btrfs && means.discards_itself.0 == Some(true) {
        return Some(Ok(at(asked, format!("{} is btrfs, which discards by itself since Linux 6.2", asked.target))));
    }
    let why = match by_timer(view, asked, means)? {
        Ok(proof) => return Some(Ok(proof)),
        Err(why) => why,
    };
    if last.is_some() {
        let reason =
            "XFS takes discard only when it is first mounted; whether the initrd reads it in fstab is not known";
        view.miss(Gap::at("/etc/fstab", reason));
    }
    // What was not known above could still have given blocks back.
    means.discards_itself.1.iter().filter(|_| is_btrfs).for_each(|gap| view.miss(gap.clone()));
    if let Some(filesystem) = asked.filesystem.filter(|filesystem| filesystem.kind == "ext4") {
        view.need(&filesystem.mount_options)?;
    }
    if !view.gaps().is_empty() {
        return None;
    }
    Some(Err(at(asked, format!("{} is mounted without discard, and {why}", asked.target)).expected("discard")))
}

fn at(asked: &Asked<'_>, found: String) -> Evidence {
    match &asked.row {
        Some(row) => row.at_field(3, found),
        None => Evidence::of(found),
    }
}

/// The row of crypttab below a file system that lacks `discard`; `None` keeps the gaps.
fn keeps<'a>(view: &View<'a>, asked: &Asked<'_>) -> Option<Lookup<'a, Crypt>> {
    let Some(listing) = view.crypttab()? else { return Some(Lookup::Absent) };
    let keeping = |crypt: &&Crypt| !crypt.options.iter().any(|option| option == "discard");
    let spec = asked.row.as_ref().map(|row| row.mount.spec.as_str()).unwrap_or_default();
    if let Some(name) = spec.strip_prefix("/dev/mapper/")
        && let Some(crypt) = listing.items.iter().find(|crypt| crypt.name == name)
    {
        return Some(if keeping(&crypt) { Lookup::There(crypt) } else { Lookup::Absent });
    }
    // What the image shows in the clear lies on no encrypted volume.
    if asked.filesystem.is_some() {
        return Some(Lookup::Absent);
    }
    match view.all(listing).iter().find(keeping) {
        Some(crypt) => {
            let reason = format!("whether {} lies on {}, which lacks discard, is not known", asked.target, crypt.name);
            view.miss(Gap::at("/etc/crypttab", reason));
            None
        }
        None if listing.gaps.is_empty() => Some(Lookup::Absent),
        None => None,
    }
}

/// btrfs discards asynchronously by default since Linux 6.2 (`fs/btrfs/disk-io.c`); every default kernel must.
fn discards_itself(view: &View<'_>) -> Option<bool> {
    let kernels = defaults::kernels(view)?;
    Some(!kernels.is_empty() && kernels.iter().all(|version| *version >= (6, 2)))
}

/// Whether fstrim.timer reaches the file system; `None` keeps the gaps.
fn by_timer(view: &View<'_>, asked: &Asked<'_>, means: &Means) -> Option<Result<Evidence, String>> {
    means.timer.1.iter().for_each(|gap| view.miss(gap.clone()));
    let (proof, trims) = match means.timer.0.as_ref()? {
        Timer::Idle(why) => return Some(Err(why.found.clone())),
        Timer::Trims(proof, trims) => (proof, trims),
    };
    let row = asked.row.as_ref().map(|row| row.mount);
    let mounted = Mounted { target: asked.target, kind: &asked.kind, row };
    let mut is_known = true;
    for trim in trims {
        match trim.covers(mounted, means.has_rows) {
            Ok(true) => {
                let found = format!("fstrim.timer trims {}: {}", asked.target, proof.found);
                return Some(Ok(Evidence { found, ..proof.clone() }));
            }
            Ok(false) => {}
            Err(reason) => {
                view.miss(Gap::new(reason));
                is_known = false;
            }
        }
    }
    is_known.then(|| Err("fstrim.service leaves it out".to_owned()))
}

/// virtio-blk passes discard on since Linux 5.0 only.
fn note_kernel(view: &View<'_>, tally: &mut Tally) {
    let (kernels, _) = view.apart(defaults::kernels);
    if let Some((major, minor)) = kernels.into_iter().flatten().find(|version| *version < (5, 0)) {
        let found =
            format!("Linux {major}.{minor} does not discard on virtio-blk: with hw_disk_bus=virtio nothing does");
        tally.note(Evidence::of(found).expected("Linux 5.0"));
    }
}
