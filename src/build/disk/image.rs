//! The disk in the image's format, by QEMU's own driver for it.

use super::nbd::Client;
use super::target::{self, Target};
use crate::build::plan::place;
use crate::build::workshop::{Workshop, require};
use crate::error::{Error, Result};
use crate::limits::MIB;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

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
/// Bytes of a cluster: what qcow2 has when nothing else is asked for, and what is compressed at once.
const CLUSTER: usize = 65_536;
/// The server's socket in the work folder.
const SOCKET: &str = "image.socket";
/// Time between two looks at whether the server is there.
const PATIENCE: Duration = Duration::from_millis(5);

/// Writes the image. The raw disk becomes it: what was written there is no longer on the disk below.
///
/// # Errors
/// A program that is missing, a full disk, and as the workshop has them.
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

/// QEMU's own driver writes the image, cluster by cluster in the order of the disk, whose clusters leave it meanwhile.
fn convert(options: &Options, shop: &Workshop, disk: &Path, image: &Path) -> Result<()> {
    require(&["qemu-img", "qemu-nbd"])?;
    let bytes = target::allocated(disk);
    shop.write(STAGE, &format!("{} MiB of content", bytes.div_ceil(MIB)));
    let source = Target::open(disk)?;
    let mut create = shop.command("qemu-img");
    create.args(["create", "-q", "-f", "qcow2", "-o"]).arg(match options.compression {
        Some(compression) => format!("compat=1.1,compression_type={}", compression.name()),
        None => "compat=1.1".to_owned(),
    });
    shop.run(STAGE, create.arg(place::IMAGE).arg(source.size()?.to_string()))?;
    let socket = shop.folder().join(SOCKET);
    drop(std::fs::remove_file(&socket));
    let (served, written) = thread::scope(|scope| {
        let server = scope.spawn(|| shop.run(STAGE, &mut serve(options, shop)));
        let written = connect(&shop.folder().join(SOCKET), &server).map(|client| send(&source, image, client));
        (server.join().unwrap_or_else(|_| Err(Error::io(STAGE, "its thread died"))), written)
    });
    // Why the server ended, where it did before its time; else what it could not write.
    match written {
        Some(written) => served.and(written),
        None => served.and_then(|()| Err(Error::io(format!("stage {STAGE}"), "qemu-nbd ended before it was asked"))),
    }
}

/// The server, in the work folder: a socket's name must be absolute and has no room for a long one (`man 7 unix`).
fn serve(options: &Options, shop: &Workshop) -> Command {
    let mut server = shop.command("qemu-nbd");
    server.arg(format!("--socket=/proc/self/cwd/{SOCKET}")).arg("--image-opts");
    let file =
        |before: &str| format!("{before}driver=qcow2,{before}file.driver=file,{before}file.filename={}", place::IMAGE);
    server.arg(match options.compression {
        Some(_) => format!("driver=compress,{}", file("file.")),
        None => file(""),
    });
    server
}

/// Waits for the server; `None` where it has ended.
fn connect(socket: &Path, server: &ScopedJoinHandle<'_, Result<()>>) -> Option<Client<UnixStream>> {
    let folder = File::open(socket.parent()?).ok()?;
    let short = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    loop {
        if let Ok(client) = Client::connect(Path::new(&short)) {
            return Some(client);
        }
        if server.is_finished() {
            return None;
        }
        thread::sleep(PATIENCE);
    }
}

fn send(source: &Target, image: &Path, mut client: Client<UnixStream>) -> Result<()> {
    let failed = |error: std::io::Error| target::failed(image, &error, 0);
    source.hand_out(CLUSTER, |offset, bytes| client.write(offset, bytes).map_err(failed))?;
    client.end().map_err(failed)
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
