//! Properties × flavor → the devices that Nova's libvirt driver gives an instance → QEMU's arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the flavor gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavor {
    /// Virtual processors, at least 1.
    pub vcpus: u32,
    /// Memory, MiB.
    pub ram_mib: u64,
    /// Extra specs in Nova's spelling.
    pub extra_specs: BTreeMap<String, String>,
}

/// What of the host the machine is made with; nothing of it comes from the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// A private folder: monitor, agent and firmware variables lie there.
    pub folder: PathBuf,
    /// The image, opened read-only below the overlay.
    pub base: PathBuf,
    /// Its format as our own reader found it: `qcow2` or `raw`.
    pub base_format: &'static str,
    /// The throw-away qcow2 that takes every write.
    pub overlay: PathBuf,
    /// The config drive, ISO 9660.
    pub config_drive: Option<PathBuf>,
    /// What the guest's network card hangs on.
    pub network: Network,
    /// `kvm` or `tcg`.
    pub accel: Accel,
    /// QEMU's CPU model with its options.
    pub cpu: String,
    /// OVMF: code and the copied variables.
    pub firmware: Option<(PathBuf, PathBuf)>,
    /// Socket of a running swtpm.
    pub tpm: Option<PathBuf>,
}

/// What runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The processor.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

/// The host's end of the network card; neither reaches the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// QEMU's own stack, restricted; one queue. The guest's port 22 on a Unix socket or on a port of the loopback device.
    User {
        /// `hostfwd` of slirp, whole: `tcp:127.0.0.1:0-:22`.
        forward: Option<String>,
    },
    /// A tap device in the network namespace that QEMU was started in; as many queues as it was made with.
    Tap {
        /// The interface.
        name: String,
    },
}
