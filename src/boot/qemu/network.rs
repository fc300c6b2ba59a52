//! What the guest's network card hangs on: QEMU's own restricted stack, or a tap device in a namespace without a way out.

use super::folder::Namespace;
use crate::bytes::{read_capped, text};
use crate::error::{Error, Result};
use std::process::{Command, Stdio};

/// The tap device's name; it is alone in its namespace.
pub const TAP: &str = "tap0";
/// Bytes of a helper's complaint that are read.
const MAX_WORDS: u64 = 4096;

impl Namespace {
    /// One with the tap device [`TAP`].
    pub fn new() -> Self {
        Self { tap: TAP.to_owned() }
    }

    /// Makes the devices, from inside.
    ///
    /// # Errors
    /// When `ip` is not there, or refuses.
    pub(super) fn furnish(&self) -> Result<()> {
        ip(&["link", "set", "dev", "lo", "up"])?;
        // multi_queue: QEMU opens the device once a queue; vnet_hdr: as libvirt makes Nova's.
        ip(&["tuntap", "add", "dev", &self.tap, "mode", "tap", "multi_queue", "vnet_hdr"])?;
        ip(&["link", "set", "dev", &self.tap, "up"])
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "makes the tap device")]
    let command = Command::new("ip");
    complete(command, arguments)
        .map_err(|why| Error::unsupported("tap device", format!("ip {}: {why}", arguments.join(" "))))
}

/// Whether a tap device with several queues can be had here without root: why not.
///
/// # Errors
/// The host's own words, for "not provable here".
pub fn probe_tap() -> Result<(), String> {
    let inside = format!("exec ip tuntap add dev {TAP} mode tap multi_queue vnet_hdr");
    #[expect(clippy::disallowed_methods, reason = "makes the tap device")]
    let command = Command::new("unshare");
    complete(command, &["--user", "--map-root-user", "--net", "--", "sh", "-c", &inside])
        .map_err(|why| format!("no tap device in a user and network namespace of its own: {why}"))
}

fn complete(mut command: Command, arguments: &[&str]) -> Result<(), String> {
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    let words = child.stderr.take().map(|mut stderr| read_capped(&mut stderr, MAX_WORDS, "complaint"));
    let status = child.wait().map_err(|error| format!("{program}: {error}"))?;
    let words = words.and_then(Result::ok).unwrap_or_default();
    if status.success() { Ok(()) } else { Err(text(&words).trim().to_owned()) }
}

/// The port of the loopback device that slirp forwards to the guest's port 22, in what `info usernet` answers.
pub(super) fn forwarded_port(table: &str) -> Option<u16> {
    // "  TCP[HOST_FORWARD]  12       127.0.0.1 38283       10.0.2.15    22     0     0"
    let row = table.lines().find(|line| line.trim_start().starts_with("TCP[HOST_FORWARD]"))?;
    let words: Vec<&str> = row.split_whitespace().collect();
    words.get(3).and_then(|port| port.parse().ok())
}
