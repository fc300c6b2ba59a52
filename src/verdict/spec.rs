//! How fstab and `root=` name a file system (`man 5 fstab`, `man 7 dracut.cmdline`), and which volume that is.

use super::{View, boot};
use crate::fact::{Fact, Gap};
use crate::guest::{Mount, Volume};

/// A tag that `blkid` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Uuid,
    Label,
    PartUuid,
    PartLabel,
}

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spec {
    /// An identity of the file system or partition, whatever disk it is on.
    Tag(Tag, String),
    /// `PARTUUID=…/PARTNROFF=…`: the partition so many after the named one.
    Offset(String, i64),
    /// Device mapper, LVM, ZFS: a name that does not follow the bus.
    Mapped,
    /// A name that follows the bus or the order of discovery; the disk's letter and partition where it has them.
    Device(Option<Partition>),
    /// A UUID that lacks its `UUID=`.
    Bare(String),
    /// CD-ROM, floppy.
    Removable,
    /// A server.
    Network,
    /// tmpfs, proc, bind mounts, files of the tree: nothing that a volume holds.
    Pseudo,
    /// Not understood.
    Other,
}

/// A partition by number; of the boot disk when it is the bus's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) is_first_disk: bool,
    pub(super) number: u32,
}

/// What a name resolves to among the image's volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved<'a> {
    One(&'a Volume),
    /// One, but only when upper and lower case are taken as equal; the exact spelling.
    OtherCase(&'a Volume, String),
    Nothing,
    Several(Vec<u32>),
}

impl Spec {
    /// The name in a `root=`.
    pub(super) fn of_root(root: &str) -> Self {
        let is_number = |text: &str| text.split(':').count() == 2 && text.split(':').all(|n| n.parse::<u16>().is_ok());
        let is_hex = |text: &str| matches!(text.len(), 3..=5) && text.chars().all(|c| c.is_ascii_hexdigit());
        let root = root.strip_prefix("block:").unwrap_or(root);
        match root {
            _ if boot::is_network_root(root) => Self::Network,
            _ if root.starts_with("ZFS=") || root.starts_with("zfs:") => Self::Mapped,
            _ if is_number(root) || is_hex(root) => Self::Device(None),
            _ => Self::parse(root),
        }
    }

    /// The name in a row of fstab.
    pub(super) fn of_mount(mount: &Mount) -> Self {
        const NETWORK: &[&str] = &[
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "ceph",
            "glusterfs",
            "9p",
            "virtiofs",
            "afs",
            "lustre",
            "fuse.sshfs",
        ];
        const PSEUDO: &[&str] = &[
            "proc",
            "sysfs",
            "tmpfs",
            "ramfs",
            "devtmpfs",
            "devpts",
            "cgroup",
            "cgroup2",
            "debugfs",
            "tracefs",
            "bpf",
            "securityfs",
            "configfs",
            "fusectl",
            "mqueue",
            "hugetlbfs",
            "overlay",
            "binfmt_misc",
            "efivarfs",
            "pstore",
            "usbfs",
            "autofs",
            "rpc_pipefs",
            "nfsd",
        ];
        let is_bound = mount.options.iter().any(|option| matches!(option.as_str(), "bind" | "rbind"));
        match mount.fstype.as_str() {
            "zfs" => Self::Mapped,
            // FUSE file systems other than fuseblk have no block device (`man 8 mount.fuse3`).
            "fuse" | "davfs" => Self::Pseudo,
            fstype if fstype.starts_with("fuse.") => Self::Pseudo,
            fstype if NETWORK.contains(&fstype) => Self::Network,
            fstype if PSEUDO.contains(&fstype) || is_bound => Self::Pseudo,
            _ => Self::parse(&mount.spec),
        }
    }

    fn parse(spec: &str) -> Self {
        let spec = unquoted(spec);
        for (prefix, tag) in
            [("UUID=", Tag::Uuid), ("LABEL=", Tag::Label), ("PARTUUID=", Tag::PartUuid), ("PARTLABEL=", Tag::PartLabel)]
        {
            if let Some(value) = spec.strip_prefix(prefix) {
                return tagged(tag, unquoted(value));
            }
        }
        match spec.strip_prefix('/') {
            Some(path) => of_path(path),
            None if is_uuid(spec) => Self::Bare(spec.to_owned()),
            None => Self::Other,
        }
    }
}

fn tagged(tag: Tag, value: &str) -> Spec {
    match value.split_once("/PARTNROFF=") {
        Some((base, offset)) if tag == Tag::PartUuid => {
            offset.parse().map_or(Spec::Other, |offset| Spec::Offset(base.to_owned(), offset))
        }
        _ => Spec::Tag(tag, value.to_owned()),
    }
}

fn unquoted(text: &str) -> &str {
    let pair = |quote| text.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    pair('"').or_else(|| pair('\'')).unwrap_or(text)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// A path without its leading slash.
fn of_path(path: &str) -> Spec {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Spec::Other;
    }
    match parts.as_slice() {
        ["dev", "disk", "by-uuid", value] => Spec::Tag(Tag::Uuid, unescaped(value)),
        ["dev", "disk", "by-label", value] => Spec::Tag(Tag::Label, unescaped(value)),
        ["dev", "disk", "by-partuuid", value] => Spec::Tag(Tag::PartUuid, unescaped(value)),
        ["dev", "disk", "by-partlabel", value] => Spec::Tag(Tag::PartLabel, unescaped(value)),
        ["dev", "disk" | "block" | "cciss" | "ida" | "rd", ..] => Spec::Device(None),
        ["dev", "mapper", name] if name.starts_with("loop") => Spec::Device(None),
        ["dev", "mapper", name] if *name != "control" => Spec::Mapped,
        ["dev", "md" | "char" | "fd" | "shm" | "mapper" | "bus" | "loop", ..] | ["dev"] => Spec::Other,
        // Aliases of whatever the root is, on any bus (CirrOS's fstab; `man 8 systemd-gpt-auto-generator`).
        ["dev", "root" | "gpt-auto-root"] => Spec::Pseudo,
        ["dev", name] => of_device(name),
        ["dev", _, _] => Spec::Mapped,
        ["dev", ..] | [] => Spec::Other,
        // A swap file, or an image of the tree that is mounted with `loop`.
        _ => Spec::Pseudo,
    }
}

/// udev writes what a file name may not hold as `\xNN` (`udev_util_encode_string`).
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => bytes.push(byte),
            None => return value.to_owned(),
        }
        rest = after.get(2..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| value.to_owned())
}

/// A name directly in /dev (`Documentation/admin-guide/devices.txt`).
fn of_device(name: &str) -> Spec {
    const REMOVABLE: &[&str] = &["sr", "scd", "fd", "cdrom", "cdrw", "dvd", "dvdrw", "floppy"];
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if REMOVABLE.contains(&letters) {
        return Spec::Removable;
    }
    if matches!(letters, "zram" | "ram") {
        return Spec::Pseudo;
    }
    if letters == "dm-" {
        return Spec::Device(None);
    }
    for prefix in ["sd", "vd", "xvd", "hd"] {
        if let Some(rest) = name.strip_prefix(prefix) {
            let disk = rest.trim_end_matches(|c: char| c.is_ascii_digit());
            if !disk.is_empty() && disk.chars().all(|c| c.is_ascii_lowercase()) {
                return numbered(disk == "a", rest.strip_prefix(disk).unwrap_or_default());
            }
        }
    }
    for prefix in ["nvme", "mmcblk", "loop", "nbd", "pmem", "dasd", "ubiblock"] {
        if let Some(rest) = name.strip_prefix(prefix) {
            let (disk, partition) = rest.rsplit_once('p').unwrap_or((rest, ""));
            return numbered(matches!(disk, "0n1" | "0" | "a"), partition);
        }
    }
    Spec::Other
}

fn numbered(is_first_disk: bool, number: &str) -> Spec {
    // Without a number it is the whole disk, which the volumes call 0.
    let number = if number.is_empty() { Some(0) } else { number.parse().ok() };
    Spec::Device(number.map(|number| Partition { is_first_disk, number }))
}

/// The volumes that a tag names. Every volume is asked: one whose identity is unknown may be a second match.
/// `None` keeps the gaps.
pub(super) fn resolve<'a>(view: &View<'a>, tag: Tag, value: &str) -> Option<Resolved<'a>> {
    let (matches, gaps) = view.apart(|view| {
        let volumes = view.volumes().map(|listing| view.all(listing)).unwrap_or_default();
        let named = volumes.iter().filter_map(|volume| Some((volume, identity(view, volume, tag)?.as_str())));
        named.filter(|(_, name)| name.eq_ignore_ascii_case(value)).collect::<Vec<_>>()
    });
    let exact: Vec<&Volume> = matches.iter().filter(|(_, name)| *name == value).map(|(volume, _)| *volume).collect();
    if exact.len() > 1 {
        return Some(Resolved::Several(exact.iter().map(|volume| volume.number).collect()));
    }
    if !gaps.is_empty() {
        for gap in gaps {
            view.miss(gap);
        }
        return None;
    }
    Some(match (exact.first(), matches.as_slice()) {
        (Some(volume), _) => Resolved::One(volume),
        (None, [(volume, name)]) => Resolved::OtherCase(volume, (*name).to_owned()),
        (None, _) => Resolved::Nothing,
    })
}

/// The partition `offset` after the one that has this PARTUUID; `None` keeps the gaps.
pub(super) fn resolve_offset<'a>(view: &View<'a>, base: &str, offset: i64) -> Option<Resolved<'a>> {
    let volume = match resolve(view, Tag::PartUuid, base)? {
        Resolved::One(volume) => volume,
        other => return Some(other),
    };
    let number = i64::from(volume.number).checked_add(offset);
    let volumes = view.all(view.volumes()?);
    let found = volumes.iter().find(|volume| Some(i64::from(volume.number)) == number);
    Some(found.map_or(Resolved::Nothing, Resolved::One))
}

fn identity<'f>(view: &View<'_>, volume: &'f Volume, tag: Tag) -> Option<&'f String> {
    let filesystem = |of: fn(&crate::guest::Filesystem) -> &Fact<Option<String>>| {
        view.need(&volume.filesystem)?.as_ref().and_then(|filesystem| view.need(of(filesystem))?.as_ref())
    };
    match tag {
        Tag::Uuid => filesystem(|filesystem| &filesystem.uuid),
        Tag::Label => filesystem(|filesystem| &filesystem.label),
        Tag::PartUuid => view.need(&volume.partuuid)?.as_ref(),
        Tag::PartLabel => view.need(&volume.partlabel)?.as_ref(),
    }
}

/// The volume that a device name meant when it was written: the root row's is the root, another's the one of its
/// partition number. Only for advice; its gaps are nobody's.
pub(super) fn meant<'a>(view: &View<'a>, partition: Option<Partition>, is_root: bool) -> Option<&'a Volume> {
    let (volume, _) = view.apart(|view| {
        if is_root {
            return boot::root_volume(view);
        }
        let number = partition.filter(|partition| partition.is_first_disk)?.number;
        view.volumes()?.items.iter().find(|volume| volume.number == number)
    });
    volume
}

/// The stable name to write instead: UUID, else PARTUUID, if no other volume has it. Only for advice.
pub(super) fn stable_name(view: &View<'_>, volume: &Volume) -> Option<String> {
    let (name, _) = view.apart(|view| {
        for (tag, prefix) in [(Tag::Uuid, "UUID="), (Tag::PartUuid, "PARTUUID=")] {
            if let Some(value) = identity(view, volume, tag)
                && let Some(Resolved::One(_)) = resolve(view, tag, value)
            {
                return Some(format!("{prefix}{value}"));
            }
        }
        None
    });
    name
}

/// What to say of a name that is not understood.
pub(super) fn not_understood(path: &str, name: &str) -> Gap {
    Gap::at(path, format!("what {name} names cannot be said by this version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(is_first_disk: bool, number: u32) -> Spec {
        Spec::Device(Some(Partition { is_first_disk, number }))
    }

    fn tag(tag: Tag, value: &str) -> Spec {
        Spec::Tag(tag, value.to_owned())
    }

    #[test]
    fn names_that_follow_the_bus_and_those_that_do_not() {
        const UUID: &str = "4a1f7c1e-6d0e-4b5b-9f0c-0d1200000001";
        for (name, spec) in [
            ("UUID=ab", tag(Tag::Uuid, "ab")),
            ("UUID=\"ab\"", tag(Tag::Uuid, "ab")),
            ("\"UUID=ab\"", tag(Tag::Uuid, "ab")),
            ("LABEL='my root'", tag(Tag::Label, "my root")),
            ("PARTUUID=ab-01", tag(Tag::PartUuid, "ab-01")),
            ("PARTUUID=ab/PARTNROFF=-1", Spec::Offset("ab".to_owned(), -1)),
            ("PARTUUID=ab/PARTNROFF=x", Spec::Other),
            ("PARTLABEL=root", tag(Tag::PartLabel, "root")),
            ("/dev/disk/by-uuid/ab", tag(Tag::Uuid, "ab")),
            ("/dev/disk/by-label/a\\x20b\\xc3\\xa9", tag(Tag::Label, "a b\u{e9}")),
            ("/dev/disk/by-partuuid/ab", tag(Tag::PartUuid, "ab")),
            ("/dev/disk/by-partlabel/x", tag(Tag::PartLabel, "x")),
            ("/dev//disk/./by-uuid/ab", tag(Tag::Uuid, "ab")),
            ("/dev/disk/by-uuid/../../vda1", Spec::Other),
            ("/dev/disk/by-path/pci-0000:00:04.0-part1", Spec::Device(None)),
            ("/dev/disk/by-id/virtio-x-part1", Spec::Device(None)),
            ("/dev/mapper/vg-root", Spec::Mapped),
            ("/dev/mapper/loop0p1", Spec::Device(None)),
            ("/dev/mapper/control", Spec::Other),
            ("/dev/vg/root", Spec::Mapped),
            ("/dev/vda", partition(true, 0)),
            ("/dev/vda3", partition(true, 3)),
            ("/dev/sda15", partition(true, 15)),
            ("/dev/xvdb1", partition(false, 1)),
            ("/dev/hda1", partition(true, 1)),
            ("/dev/sdaa1", partition(false, 1)),
            ("/dev/nvme0n1p2", partition(true, 2)),
            ("/dev/nvme1n1p2", partition(false, 2)),
            ("/dev/mmcblk0p1", partition(true, 1)),
            ("/dev/loop0p1", partition(true, 1)),
            ("/dev/vda99999999999", Spec::Device(None)),
            ("/dev/dm-0", Spec::Device(None)),
            ("/dev/md0", Spec::Other),
            ("/dev/sr0", Spec::Removable),
            ("/dev/cdrom", Spec::Removable),
            ("/dev/fd0", Spec::Removable),
            ("/dev/zram0", Spec::Pseudo),
            ("/swapfile", Spec::Pseudo),
            (UUID, Spec::Bare(UUID.to_owned())),
            ("vda1", Spec::Other),
            ("uuid=ab", Spec::Other),
            ("", Spec::Other),
        ] {
            assert_eq!(Spec::parse(name), spec, "{name}");
        }
    }

    #[test]
    fn forms_of_root_alone() {
        for (root, spec) in [
            ("8:1", Spec::Device(None)),
            ("fe01", Spec::Device(None)),
            ("block:UUID=ab", tag(Tag::Uuid, "ab")),
            ("/dev/nfs", Spec::Network),
            ("nfs4:server:/x", Spec::Network),
            ("ZFS=rpool/ROOT", Spec::Mapped),
            ("gpt-auto", Spec::Other),
            ("/dev/root", Spec::Pseudo),
        ] {
            assert_eq!(Spec::of_root(root), spec, "{root}");
        }
    }
}
