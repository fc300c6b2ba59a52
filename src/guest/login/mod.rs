//! The guest's files → who configures its first boot, what identifies it, who may log in
//! (`cloudinit/util.py`, `man 5 machine-id`, `man 5 shadow`, `man 8 sshd`).

mod accounts;
mod cloud_init;
mod files;
mod identify;
mod merge;
mod yaml;

pub use accounts::{accounts, machine_ids};
pub use cloud_init::read as cloud_init;
pub use files::{WATCHED, files, host_keys};
