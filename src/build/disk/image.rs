//! The disk in the image's format (qemu-img).

use serde::{Deserialize, Serialize};

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Its format.
    pub format: Format,
    /// Of qcow2's clusters; none: they are stored as they are.
    pub compression: Option<Compression>,
}

/// Image formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// qcow2 version 3.
    Qcow2,
    /// A plain file.
    Raw,
}

/// qcow2 cluster compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Read by every QEMU.
    Zlib,
    /// Smaller and faster, QEMU ≥ 5.1.
    Zstd,
}
