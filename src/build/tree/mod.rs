//! The stages that act on the root tree, each one file: its options and what it does.

pub mod cloud_init;
pub mod commands;
pub mod files;
pub mod fstab;
pub mod initrd;
pub mod kernel;
pub mod modprobe;
pub mod seal;
pub mod units;
pub mod users;
