//! A machine → a running QEMU, its monitor, console and agent channel; gone with its parent, without a trace.

mod folder;
mod guard;
mod monitor;
pub mod network;
mod overlay;
mod program;
mod running;
mod tpm;

pub use folder::{Folder, Namespace};
pub use guard::{COMMAND, serve};
pub use monitor::{Event, Monitor};
pub use overlay::{allocated, create as create_overlay};
pub use program::{Program, Wish};
pub use running::Running;
pub use tpm::{TPM, find_tpm, start_tpm};

/// The overlay that takes every write, in the private folder.
pub const OVERLAY: &str = "overlay.qcow2";
/// What was said to the monitor and by it, a line each, in the private folder.
pub const TRANSCRIPT: &str = "monitor.log";
