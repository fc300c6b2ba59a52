//! Image → proof: the machine that Nova makes of an image's properties, started in QEMU, and what the guest shows there.

pub mod agent;
pub mod config_drive;
pub mod console;
pub mod machine;
pub mod proof;
pub mod qemu;
