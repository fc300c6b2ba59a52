//! What a build will do, as inert data: every stage with its options, decided before anything runs.

use super::disk::{bootloader, filesystem, image, table};
use super::tree::{cloud_init, commands, files, fstab, initrd, kernel, modprobe, seal, units, users};
use super::{check, engine, result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `schema` of plans.
pub const SCHEMA: &str = "bootworthy.plan/1";

/// Names in the work folder by which stages find what earlier ones left.
pub mod place {
    /// The root tree, a directory.
    pub const TREE: &str = "tree";
    /// What the engine installed: a JSON list of [`crate::build::lock::Package`], sorted by name and architecture.
    pub const PACKAGES: &str = "packages.json";
    /// What `bootloader` leaves for `disk`: `boot.img` and `core.img` (BIOS). What the ESP holds stands in the tree, where it is mounted.
    pub const LOADER: &str = "loader";
    /// File systems, each in a file named after its partition's label: `filesystems/root.img`.
    pub const FILESYSTEMS: &str = "filesystems";
    /// The raw disk.
    pub const DISK: &str = "disk.raw";
    /// The image in its format; the raw disk under another name where the format is raw.
    pub const IMAGE: &str = "image";
}

/// A build, decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The recipe's name.
    pub name: String,
    /// os-release `ID`.
    pub distribution: String,
    /// Debian's suite, a release number elsewhere.
    pub suite: String,
    /// The family whose ways the stages go.
    pub family: Family,
    /// Seconds since 1970: no time in the image is later (<https://reproducible-builds.org/specs/source-date-epoch>).
    pub source_date_epoch: u64,
    /// What was decided otherwise than the recipe says, and why; shown before anything runs.
    pub notes: Vec<String>,
    /// Every identifier, by what it identifies; they stand in the stages as well.
    pub uuids: BTreeMap<String, String>,
    /// In the order in which they run.
    pub stages: Vec<Stage>,
}

/// One step of a build with its options, in the order in which they run.
///
/// Each stage's file has its `Options` and `pub(in crate::build) fn run(options: &Options, shop: &Workshop) -> Result<()>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Stage {
    /// An engine makes the root tree.
    Tree(engine::Options),
    /// Refuses a kernel that lacks what the features need.
    Kernel(kernel::Options),
    /// Files are written.
    Files(files::Options),
    /// `/etc/fstab`.
    Fstab(fstab::Options),
    /// What modprobe and modules-load are told.
    Modprobe(modprobe::Options),
    /// Units on, off and masked.
    Units(units::Options),
    /// Who may log in, and how.
    Users(users::Options),
    /// Where cloud-init looks.
    CloudInit(cloud_init::Options),
    /// The recipe's own commands.
    Commands(commands::Options),
    /// Modules into every initrd, by the family's own way; after all that an initrd copies.
    Initrd(initrd::Options),
    /// The loader's configuration in the tree, its core and its EFI programs.
    Bootloader(bootloader::Options),
    /// What no two instances may share is taken out.
    Seal(seal::Options),
    /// File systems from the tree.
    Filesystem(filesystem::Options),
    /// The partitioned disk.
    Disk(table::Options),
    /// The image's format.
    Image(image::Options),
    /// The image passes its own check, or the build fails.
    Check(check::Options),
    /// Manifests, report, SBOM and sums.
    Result(result::Options),
}

/// How a distribution does things; the names of [`crate::verdict::feature::Feature::provision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// apt, initramfs-tools.
    Debian,
    /// Debian's ways with other packages and other defaults.
    Ubuntu,
    /// dnf, dracut; RHEL and what is made of it too.
    Fedora,
    /// zypper, dracut.
    Suse,
    /// apk, mkinitfs, `OpenRC`.
    Alpine,
    /// pacman, mkinitcpio.
    Arch,
}

/// CPU architectures that images are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

/// What starts the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// `SeaBIOS`, Nova's default.
    Bios,
    /// OVMF.
    Uefi,
}

/// File systems that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileSystemType {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// btrfs.
    Btrfs,
    /// FAT, with long names.
    Vfat,
}

impl FileSystemType {
    /// Its name, as mount(8) takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Vfat => "vfat",
        }
    }
}

/// Permission bits, written in octal: `"0644"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mode(pub u32);

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let mode = u32::from_str_radix(&text, 8).ok().filter(|_| is_octal);
        mode.map(Self)
            .ok_or_else(|| format!("{text:?} is no mode; three or four octal digits are expected, as \"0644\""))
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        format!("{:04o}", mode.0)
    }
}
