//! Image → proof: the machine that Nova makes of an image's properties, started in QEMU, and what the guest shows there.

pub mod agent;
pub mod config_drive;
pub mod console;
mod live;
pub mod machine;
mod order;
mod outcome;
pub mod proof;
pub mod qemu;
mod ssh;
mod start;
mod trial;

pub use order::Order;
pub use trial::{Stage, prove};
