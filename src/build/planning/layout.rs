//! Where each partition begins and ends, and what is made in it.

use crate::build::disk::bootloader::Volume;
use crate::build::disk::filesystem::FileSystem;
use crate::build::disk::table::Partition;
use crate::build::plan::{Architecture, FileSystemType};
use crate::build::recipe::{Partition as Wished, PartitionKind, Recipe};
use crate::build::tree::fstab::Row;
use crate::error::Result;
use crate::limits::MIB;
use std::collections::BTreeMap;

/// The disk, decided.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) partitions: Vec<Partition>,
    pub(super) filesystems: Vec<FileSystem>,
    /// By what they are.
    pub(super) root: Option<Volume>,
    pub(super) boot: Option<Volume>,
    pub(super) esp: Option<Volume>,
    pub(super) bios: Option<u32>,
    /// Mount options of the recipe, by mount point.
    pub(super) rows: Vec<Row>,
}

/// Decides it.
///
/// # Errors
/// Where the partitions do not fit, which the recipe's own rules have found before.
pub(super) fn layout(recipe: &Recipe, uuids: &BTreeMap<String, String>) -> Result<Layout> {
    let mut layout = Layout::default();
    let mut start = MIB;
    let id = |role: String| uuids.get(&role).cloned().unwrap_or_default();
    // The copy of the table stands in the last MiB.
    let end = recipe.disk.size.saturating_sub(MIB);
    for (index, part) in recipe.disk.partitions(&recipe.boot.firmware).into_iter().enumerate() {
        let size = part.size.unwrap_or_else(|| end.saturating_sub(start));
        let number = part.number.or_else(|| u32::try_from(index).ok()?.checked_add(1)).unwrap_or(1);
        let partuuid = id(format!("{}.partition", part.label));
        layout.partitions.push(Partition {
            number,
            label: part.label.clone(),
            kind: type_guid(part.kind, recipe.distribution.architecture).to_owned(),
            guid: partuuid.clone(),
            start,
            size,
            is_filled: part.filesystem.is_some(),
        });
        let next = start.checked_add(size).filter(|next| *next <= end);
        start = next.ok_or_else(|| recipe.error("disk.size", "the partitions do not fit"))?;
        let uuid = id(format!("{}.filesystem", part.label));
        match part.filesystem {
            Some(filesystem) => layout.fill(
                &part,
                filesystem,
                Volume {
                    number,
                    partuuid,
                    uuid,
                    filesystem: filesystem.name().to_owned(),
                    mount: part.mount.clone().unwrap_or_default(),
                },
                size,
            ),
            None => layout.bios = Some(number),
        }
    }
    layout.rows.sort_by(|a, b| a.mount.cmp(&b.mount));
    Ok(layout)
}

impl Layout {
    fn fill(&mut self, part: &Wished, filesystem: FileSystemType, volume: Volume, size: u64) {
        let mut features = part.features.clone();
        // GRUB before 2.12 reads no file system with it, and nothing that an image holds has so many extents.
        if filesystem == FileSystemType::Xfs && !features.iter().any(|feature| feature.starts_with("nrext64=")) {
            features.push("nrext64=0".to_owned());
        }
        self.filesystems.push(FileSystem {
            partition: part.label.clone(),
            filesystem,
            uuid: volume.uuid.clone(),
            label: label(part),
            size,
            source: volume.mount.clone(),
            features,
        });
        let usual: &[&str] = match part.kind {
            PartitionKind::Esp => &["umask=0077"],
            PartitionKind::Root if filesystem == FileSystemType::Ext4 => &["errors=remount-ro"],
            _ => &["defaults"],
        };
        let options = if part.options.is_empty() { usual.join(",") } else { part.options.join(",") };
        self.rows.push(Row {
            spec: format!("UUID={}", volume.uuid),
            mount: volume.mount.clone(),
            filesystem: volume.filesystem.clone(),
            options,
            dump: 0,
            pass: match (part.kind, filesystem) {
                // fsck.xfs and fsck.btrfs do nothing.
                (_, FileSystemType::Xfs | FileSystemType::Btrfs) => 0,
                (PartitionKind::Root, _) => 1,
                _ => 2,
            },
        });
        match part.kind {
            PartitionKind::Root => self.root = Some(volume),
            PartitionKind::Boot => self.boot = Some(volume),
            PartitionKind::Esp => self.esp = Some(volume),
            PartitionKind::BiosBoot => {}
        }
    }
}

/// FAT labels are 11 upper-case characters; the others get none: a label that two disks share finds the wrong one.
fn label(part: &Wished) -> Option<String> {
    (part.kind == PartitionKind::Esp).then(|| "EFI".to_owned())
}

/// UEFI 2.10, table 5.7; GRUB manual, "BIOS installation"; UAPI group, Discoverable Partitions Specification.
fn type_guid(kind: PartitionKind, architecture: Architecture) -> &'static str {
    match (kind, architecture) {
        (PartitionKind::BiosBoot, _) => "21686148-6449-6e6f-744e-656564454649",
        (PartitionKind::Esp, _) => "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        (PartitionKind::Boot, _) => "bc13c2ff-59e6-4262-a352-b275fd6f7172",
        (PartitionKind::Root, Architecture::X86_64) => "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
        (PartitionKind::Root, Architecture::Aarch64) => "b921b045-1df0-41c3-af44-4c6f280d3fae",
    }
}
