//! The features of `OpenStack` that an image takes part in: each one file, data only, that ties its sides together.

mod config_drive;
mod cpu_pinning;
mod cpu_topology;
mod discard;
mod guest_agent;
mod multiqueue;
mod nested_virtualisation;
mod release;
mod secure_boot;
mod soft_delete;
mod state;
mod uefi;
mod vgpu;
mod virtio_scsi;
mod watchdog;

pub use release::Release;
pub(super) use state::wished;
pub use state::{ImageState, Missing, PropertyState, Standing, State, states};

/// A feature and its sides.
#[derive(Debug)]
pub struct Feature {
    /// Its name, kebab-case; never changes.
    pub name: &'static str,
    /// What it is: lower case, no full stop.
    pub summary: &'static str,
    /// What it is good for, and what goes wrong without one of its sides.
    pub why: &'static str,
    /// Whether an image bears on it.
    pub side: Side,
    /// What the image must have, for people.
    pub image: &'static str,
    /// Ids of the checks that must pass.
    pub needs: &'static [&'static str],
    /// What is set on the image.
    pub properties: &'static [ImageProperty],
    /// What is set on the flavor, the one that matters first.
    pub flavor: &'static [ExtraSpec],
    /// What `nova.conf` says, the option that matters first.
    pub nova: &'static [NovaOption],
    /// What else the cloud's nodes must have.
    pub node: &'static [&'static str],
    /// What a recipe provides, per family of distributions: `any` first, and what one family (an `ID` or `ID_LIKE` of
    /// os-release) needs besides. Where there are rows besides `any`, a family without one cannot have the feature.
    pub provision: &'static [(&'static str, Provision)],
    /// Ids of the proofs that a boot gives.
    pub proofs: &'static [&'static str],
    /// What is commonly advised and wrong, or no longer right; and what is.
    pub aged: &'static [(&'static str, &'static str)],
    /// Where all this comes from.
    pub source: &'static str,
}

/// Whether an image bears on a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its checks and properties tell whether the image is ready.
    Judged,
    /// It has to bring something that no check looks at.
    Unjudged,
    /// Every image will do.
    Free,
}

/// A property of the image that belongs to a feature.
#[derive(Clone, Copy, Debug)]
pub struct ImageProperty {
    /// Glance's key.
    pub key: &'static str,
    /// The value that stands for the feature.
    pub value: &'static str,
    /// What it is to the feature.
    pub role: Role,
    /// What it does there.
    pub effect: &'static str,
}

/// What a property is to a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Earned where the feature's checks pass.
    Earned,
    /// The rule of its value judges the image: the feature's checks alone do not show that it is ready.
    Proof,
    /// The feature is there without it.
    Helps,
    /// Another way where the rule of the [`Role::Proof`] does not hold; the image is ready only for whoever sets it.
    Instead,
    /// Nothing in an image speaks for or against it: whoever runs the cloud decides.
    Choice,
}

/// An extra spec of a flavor.
#[derive(Clone, Copy, Debug)]
pub struct ExtraSpec {
    /// Its name, in Nova's spelling.
    pub key: &'static str,
    /// A value to start from.
    pub value: &'static str,
    /// What it does, and what it conflicts with.
    pub effect: &'static str,
}

/// An option of `nova.conf`.
#[derive(Clone, Copy, Debug)]
pub struct NovaOption {
    /// Its section.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// A value to start from.
    pub value: &'static str,
    /// The services that read it.
    pub services: &'static [&'static str],
    /// The release that brought it under this name; `None` where no supported one lacks it.
    pub since: Option<Release>,
    /// What it does, and its default.
    pub effect: &'static str,
    /// The names it had, or what it takes the place of.
    pub formerly: &'static [Former],
}

/// An option that another takes the place of.
#[derive(Clone, Copy, Debug)]
pub struct Former {
    /// Section and name: `[DEFAULT] vcpu_pin_set`.
    pub option: &'static str,
    /// The release that brought its successor.
    pub changed: Release,
    /// The first release that no longer reads it.
    pub gone: Option<Release>,
    /// What becomes of it meanwhile.
    pub note: &'static str,
}

/// What a recipe puts into an image; build interprets it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provision {
    /// Packages to install.
    pub packages: &'static [&'static str],
    /// Modules that every initrd carries, where the kernel does not have them built in.
    pub initrd_modules: &'static [&'static str],
    /// Files to write once the packages are installed.
    pub files: &'static [File],
    /// Units to enable.
    pub units: &'static [&'static str],
    /// Options that the kernel must have, built in or as a module.
    pub kernel: &'static [&'static str],
}

/// A file to write.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Path in the image.
    pub path: &'static str,
    /// The whole of it.
    pub text: &'static str,
}

/// A family that adds nothing of its own.
const NOTHING: Provision = Provision { packages: &[], initrd_modules: &[], files: &[], units: &[], kernel: &[] };

/// Every feature, from the disk to the cloud.
pub const FEATURES: &[Feature] = &[
    virtio_scsi::FEATURE,
    discard::FEATURE,
    guest_agent::FEATURE,
    multiqueue::FEATURE,
    watchdog::FEATURE,
    cpu_topology::FEATURE,
    cpu_pinning::FEATURE,
    nested_virtualisation::FEATURE,
    vgpu::FEATURE,
    soft_delete::FEATURE,
    uefi::FEATURE,
    secure_boot::FEATURE,
    config_drive::FEATURE,
];

/// The feature with this name.
pub fn find(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

/// The features that a profile or `--require` can ask for: those that an image can lack.
pub fn requirable() -> impl Iterator<Item = &'static Feature> {
    FEATURES.iter().filter(|feature| feature.side == Side::Judged)
}

impl Feature {
    /// The line that sets its extra specs; `None` where the flavor has no part.
    pub fn flavor_command(&self) -> Option<String> {
        let specs: Vec<String> =
            self.flavor.iter().map(|spec| format!("--property {}={}", spec.key, spec.value)).collect();
        (!specs.is_empty()).then(|| format!("openstack flavor set {} FLAVOR", specs.join(" ")))
    }
}

impl NovaOption {
    /// `[compute] cpu_dedicated_set`.
    pub fn full_name(&self) -> String {
        format!("[{}] {}", self.section, self.name)
    }
}

#[cfg(test)]
mod tests;
