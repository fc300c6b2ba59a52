//! The volumes of one disk, under the names that boot loaders, kernels and fstab give them.

use crate::disk::filesystem::{FileSystem, Identity, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use std::fmt;
use std::rc::Rc;

/// A volume and what stands in it.
pub struct OpenVolume {
    /// Partition number, 0 for the whole disk; `None` for a directory, which has no identity.
    pub number: Option<u32>,
    /// PARTUUID, lower case.
    pub partuuid: Option<String>,
    /// PARTLABEL.
    pub partlabel: Option<String>,
    /// Type GUID (lower case) or MBR type (`0x83`).
    pub kind: String,
    /// Type, UUID and label; `None` when the volume could not be read, or no known signature stands on it.
    pub identity: Option<Identity>,
    /// Its files, or why they cannot be read.
    pub filesystem: Result<Rc<dyn FileSystem>>,
}

impl fmt::Debug for OpenVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.display(), self.identity, self.filesystem.as_ref().err())
    }
}

impl OpenVolume {
    /// `partition 3`, `the disk` or `the directory`.
    pub fn display(&self) -> String {
        match self.number {
            Some(0) => "the disk".to_owned(),
            Some(number) => format!("partition {number}"),
            None => "the directory".to_owned(),
        }
    }

    /// Whether it may hold what was not seen: a volume without any known signature (`NotFound`) and swap do not.
    pub(crate) fn is_unseen(&self) -> bool {
        let is_swap = self.identity.as_ref().is_some_and(|identity| identity.kind == "swap");
        self.filesystem.as_ref().is_err_and(|error| error.kind != ErrorKind::NotFound && !is_swap)
    }

    fn is_blind(&self) -> bool {
        self.identity.is_none() && self.is_unseen()
    }

    fn tag(&self, tag: Tag) -> Option<&str> {
        match tag {
            Tag::Uuid => self.identity.as_ref()?.uuid.as_deref(),
            Tag::Label => self.identity.as_ref()?.label.as_deref(),
            Tag::PartUuid => self.partuuid.as_deref(),
            Tag::PartLabel => self.partlabel.as_deref(),
        }
    }
}

/// The four ways to name a file system that do not depend on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Uuid,
    Label,
    PartUuid,
    PartLabel,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Index of the volume.
    At(usize),
    /// No volume of this disk.
    Nowhere,
    /// It may be a volume whose identity could not be read, or one of another disk.
    Unclear,
}

/// All volumes, each readable by itself with links resolved inside it, as a boot loader does.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) volumes: Vec<OpenVolume>,
    roots: Vec<Option<Root>>,
}

impl Disk {
    pub(crate) fn new(volumes: Vec<OpenVolume>, limits: &Limits) -> Self {
        let root = |volume: &OpenVolume| {
            volume.filesystem.as_ref().ok().map(|filesystem| Root::new(Rc::clone(filesystem), limits.directory_entries))
        };
        let roots = volumes.iter().map(root).collect();
        Self { volumes, roots }
    }

    /// Its files alone.
    ///
    /// # Errors
    /// Why the volume could not be opened.
    pub(crate) fn root(&self, index: usize) -> Result<&Root> {
        let reason = || match self.volumes.get(index).map(|volume| &volume.filesystem) {
            Some(Err(error)) => error.clone(),
            _ => Error::not_found("volume"),
        };
        self.roots.get(index).and_then(Option::as_ref).ok_or_else(reason)
    }

    /// Whether the input is a directory, in which every device is the same.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.volumes.as_slice(), [OpenVolume { number: None, .. }])
    }

    /// The first volume whose `tag` is `value`, compared as GRUB and libblkid do.
    pub(crate) fn tagged(&self, tag: Tag, value: &str) -> Found {
        let is_same = |found: &str| match tag {
            Tag::Uuid | Tag::PartUuid => found.eq_ignore_ascii_case(value),
            Tag::Label | Tag::PartLabel => found == value,
        };
        let at = self.volumes.iter().position(|volume| volume.tag(tag).is_some_and(is_same));
        let is_blind = matches!(tag, Tag::Uuid | Tag::Label) && self.volumes.iter().any(OpenVolume::is_blind);
        match at {
            Some(index) => Found::At(index),
            None if is_blind || self.is_directory() => Found::Unclear,
            None => Found::Nowhere,
        }
    }

    /// What `fs_spec` of fstab or `root=` of the command line names.
    pub(crate) fn named(&self, spec: &str) -> Found {
        let by = |prefix: &str, folder: &str| {
            let value = spec.strip_prefix(prefix).map(|value| value.trim_matches('"').to_owned());
            value.or_else(|| spec.strip_prefix(folder).map(udev_unescape))
        };
        for (tag, prefix, folder) in [
            (Tag::Uuid, "UUID=", "/dev/disk/by-uuid/"),
            (Tag::Label, "LABEL=", "/dev/disk/by-label/"),
            (Tag::PartUuid, "PARTUUID=", "/dev/disk/by-partuuid/"),
            (Tag::PartLabel, "PARTLABEL=", "/dev/disk/by-partlabel/"),
        ] {
            if let Some(value) = by(prefix, folder) {
                return self.tagged(tag, &value);
            }
        }
        self.device(spec)
    }

    /// `/dev/vda3` is partition 3 of the first disk, whatever its bus.
    fn device(&self, spec: &str) -> Found {
        let Some(name) = spec.strip_prefix("/dev/") else { return Found::Unclear };
        let first = ["sda", "vda", "xvda", "hda", "nvme0n1", "mmcblk0"];
        let rest = first.iter().find_map(|disk| name.strip_prefix(disk));
        let digits = rest.map(|rest| rest.strip_prefix('p').unwrap_or(rest));
        match digits {
            Some("") => self.numbered(0),
            Some(digits) => digits.parse().map_or(Found::Unclear, |number| self.numbered(number)),
            None => Found::Unclear,
        }
    }

    fn numbered(&self, number: u32) -> Found {
        self.volumes.iter().position(|volume| volume.number == Some(number)).map_or(Found::Nowhere, Found::At)
    }

    /// The volume that GRUB calls `hd0,gpt3`; other disks than the first are none of this image.
    pub(crate) fn grub_device(&self, name: &str) -> Found {
        if self.is_directory() {
            return Found::At(0);
        }
        let (disk, partition) = name.split_once(',').unwrap_or((name, ""));
        if disk != "hd0" {
            return Found::Nowhere;
        }
        let schemes = ["gpt", "msdos"];
        let named = schemes.iter().find_map(|scheme| Some((*scheme, partition.strip_prefix(scheme)?)));
        let (scheme, digits) = named.map_or((None, partition), |(scheme, digits)| (Some(scheme), digits));
        let found = match digits {
            "" => self.numbered(0),
            digits => digits.parse().map_or(Found::Nowhere, |number| self.numbered(number)),
        };
        match found {
            Found::At(index) if scheme.is_some_and(|scheme| scheme != self.grub_scheme(index)) => Found::Nowhere,
            found => found,
        }
    }

    /// The partition scheme of a volume, as GRUB names it.
    fn grub_scheme(&self, index: usize) -> &'static str {
        let kind = self.volumes.get(index).map_or("", |volume| volume.kind.as_str());
        if kind.starts_with("0x") { "msdos" } else { "gpt" }
    }

    /// The name that [`Self::grub_device`] reads back.
    pub(crate) fn grub_name(&self, index: usize) -> String {
        match self.volumes.get(index).and_then(|volume| volume.number) {
            Some(0) | None => "hd0".to_owned(),
            Some(number) => format!("hd0,{}{number}", self.grub_scheme(index)),
        }
    }
}

/// `\x20` as a space: how udev writes a label into a file name.
fn udev_unescape(name: &str) -> String {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    loop {
        let escaped = match rest {
            [b'\\', b'x', high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match (escaped, rest) {
            (Some((high, low)), _) => {
                plain.push((high << 4) | low);
                rest = rest.get(4..).unwrap_or_default();
            }
            (None, [byte, tail @ ..]) => {
                plain.push(*byte);
                rest = tail;
            }
            (None, []) => return crate::bytes::text(&plain),
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::guest::memory::Memory;

    /// A volume of this number with PARTUUID `part-N` and PARTLABEL `name N`.
    pub(crate) fn volume(number: u32, files: Memory) -> OpenVolume {
        OpenVolume {
            number: Some(number),
            partuuid: Some(format!("part-{number}")),
            partlabel: Some(format!("name {number}")),
            kind: "0fc63daf-8483-4772-8e79-3d69d8477de4".to_owned(),
            identity: Some(files.identity()),
            filesystem: Ok(Rc::new(files)),
        }
    }

    #[test]
    fn names_lead_to_volumes() {
        let volumes = vec![
            volume(1, Memory::new("ext4", "aaaa-1", "root fs")),
            volume(15, Memory::new("vfat", "ABCD-EF01", "UEFI")),
        ];
        let disk = Disk::new(volumes, &Limits::default());
        for (spec, expected) in [
            ("UUID=AAAA-1", Found::At(0)),
            ("UUID=\"abcd-ef01\"", Found::At(1)),
            ("UUID=none", Found::Nowhere),
            ("LABEL=root fs", Found::At(0)),
            ("LABEL=uefi", Found::Nowhere),
            ("PARTUUID=PART-15", Found::At(1)),
            ("PARTLABEL=name 1", Found::At(0)),
            ("/dev/disk/by-label/root\\x20fs", Found::At(0)),
            ("/dev/disk/by-partuuid/part-1", Found::At(0)),
            ("/dev/vda1", Found::At(0)),
            ("/dev/nvme0n1p15", Found::At(1)),
            ("/dev/sda2", Found::Nowhere),
            ("/dev/sdb1", Found::Unclear),
            ("/dev/mapper/x", Found::Unclear),
            ("nas:/export", Found::Unclear),
        ] {
            assert_eq!(disk.named(spec), expected, "{spec}");
        }
        for (name, expected) in [
            ("hd0,gpt1", Found::At(0)),
            ("hd0,msdos15", Found::Nowhere),
            ("hd0,1", Found::At(0)),
            ("hd0", Found::Nowhere),
            ("hd1,gpt1", Found::Nowhere),
            ("lvm/root", Found::Nowhere),
        ] {
            assert_eq!(disk.grub_device(name), expected, "{name}");
        }
        assert_eq!(disk.grub_device(&disk.grub_name(1)), Found::At(1));
        let mut dos = volume(5, Memory::new("ext4", "aaaa-1", ""));
        dos.kind = "0x83".to_owned();
        let disk = Disk::new(vec![dos], &Limits::default());
        assert_eq!(disk.grub_name(0), "hd0,msdos5");
        for (name, expected) in [("hd0,msdos5", Found::At(0)), ("hd0,5", Found::At(0)), ("hd0,gpt5", Found::Nowhere)] {
            assert_eq!(disk.grub_device(name), expected, "{name}");
        }
    }

    #[test]
    fn an_unread_identity_may_be_any() {
        let mut blind = volume(2, Memory::new("", "", ""));
        blind.identity = None;
        blind.filesystem = Err(Error::unsupported("file system", "none that this version reads"));
        let disk = Disk::new(vec![volume(1, Memory::new("ext4", "aaaa-1", "")), blind], &Limits::default());
        assert_eq!(disk.named("UUID=other"), Found::Unclear);
        assert_eq!(disk.named("UUID=aaaa-1"), Found::At(0));
        assert_eq!(disk.named("PARTUUID=other"), Found::Nowhere);
        assert!(disk.root(1).is_err_and(|error| error.to_string().contains("none that this version reads")));
    }
}
