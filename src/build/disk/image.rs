//! The disk in the image's format (qemu-img).

use super::target;
use crate::build::plan::place;
use crate::build::workshop::{Workshop, require};
use crate::error::Result;
use crate::limits::MIB;
use serde::{Deserialize, Serialize};
use std::path::Path;

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

/// The name of the stage in the log.
const STAGE: &str = "image";

/// Writes the image; the raw disk stays where it is.
///
/// # Errors
/// A missing `qemu-img`, a full disk, and as the workshop has them.
pub fn run(options: &Options, shop: &Workshop) -> Result<()> {
    let [disk, image] = [place::DISK, place::IMAGE].map(|name| shop.folder().join(name));
    // What an earlier run left may be the raw disk itself under its second name: it must not be written into.
    match std::fs::remove_file(&image) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(target::failed(&image, &error, 0)),
        _ => {}
    }
    match options.format {
        // The same file under another name: it is not written twice.
        Format::Raw => std::fs::hard_link(&disk, &image).map_err(|error| target::failed(&image, &error, 0)),
        Format::Qcow2 => convert(options, shop, &disk, &image),
    }
}

/// The order of writes is that of the disk (no `-W`), and with it every byte of the image is the same each time.
fn convert(options: &Options, shop: &Workshop, disk: &Path, image: &Path) -> Result<()> {
    require(&["qemu-img"])?;
    let bytes = target::allocated(disk);
    shop.write(STAGE, &format!("{} MiB of content", bytes.div_ceil(MIB)));
    let mut command = shop.command("qemu-img");
    command.args(["convert", "-q", "-f", "raw", "-O", "qcow2"]);
    match options.compression {
        Some(compression) => {
            command.args(["-c", "-o"]).arg(format!("compat=1.1,compression_type={}", compression.name()))
        }
        None => command.args(["-o", "compat=1.1"]),
    };
    command.arg(disk).arg(image);
    shop.run(STAGE, &mut command).map_err(|error| {
        let is_full = error.cause.as_ref().is_some_and(|said| said.contains("No space left on device"));
        if is_full { target::full(image, bytes) } else { error }
    })
}

impl Compression {
    /// As `qemu-img` names it.
    fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }
}
