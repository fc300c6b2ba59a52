//! Boot loader configurations → boot entries.

pub(crate) mod disk;
pub(crate) mod grub;

pub use disk::OpenVolume;
