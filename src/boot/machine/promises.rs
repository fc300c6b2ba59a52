//! All devices together, and what the proofs hold the guest to by them.

use super::asked::Asked;
use super::device::{Device, Role};
use super::{Bus, Chipset, Firmware, Note, network, pci, periphery, storage, usb};
use crate::error::Result;
use serde::Serialize;

/// What the watchdog does when nobody feeds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchdogAction {
    /// Nothing.
    None,
    /// Stops the processors.
    Pause,
    /// Switches off.
    Poweroff,
    /// Starts again.
    Reset,
}

/// A TPM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tpm {
    /// `1.2` or `2.0`.
    pub version: String,
    /// `tpm-tis` or `tpm-crb`.
    pub model: String,
}

/// What the proofs hold the guest to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promises {
    /// What the root disk hangs on.
    pub root_bus: Bus,
    /// QEMU's name of the controller or disk by which the guest reaches it.
    pub root_driver: &'static str,
    /// What the config drive hangs on; `None` where there can be none.
    pub config_drive: Option<Bus>,
    /// QEMU's name of the network card.
    pub network: &'static str,
    /// Pairs of queues, 1 without multi-queue.
    pub queues: u32,
    /// Whether there is a channel for the guest agent.
    pub agent: bool,
    /// Whether a snapshot fails when the guest cannot be frozen.
    pub quiesce: bool,
    /// Whose password Nova sets.
    pub admin_user: String,
    /// What the watchdog does.
    pub watchdog: Option<WatchdogAction>,
    /// Whether there is a source of random numbers.
    pub rng: bool,
    /// What the machine starts with.
    pub firmware: Firmware,
    /// The TPM.
    pub tpm: Option<Tpm>,
}

/// The machine's devices, and what they promise.
pub(super) fn assemble(
    asked: &Asked<'_>,
    chipset: Chipset,
    firmware: Firmware,
) -> Result<(Vec<Device>, Promises, Vec<Note>)> {
    let mut notes = Vec::new();
    let storage = storage::storage(asked, chipset, &mut notes)?;
    let (card, queues) = network::card(asked)?;
    let (channels, agent, tpm) = periphery::channels(asked);
    let network = card.driver;
    let mut devices = storage.devices;
    devices.push(card);
    devices.extend(channels);
    // Before the inputs, as libvirt gives out the ports of USB.
    devices.extend(periphery::sound(asked, chipset, &mut notes));
    devices.extend(periphery::inputs(asked));
    let video = periphery::video(asked, chipset)?;
    let has_video = video.is_some();
    devices.extend(video);
    let watchdog = periphery::watchdog(asked).map(|(device, action)| {
        devices.push(device);
        action
    });
    devices.extend(periphery::rest(asked));
    usb::connect(asked, chipset, &mut devices, &mut notes)?;
    devices.sort_by_key(|device| device.role);
    pci::place(&mut devices, chipset, has_video);
    // `set_admin_password` of Nova's driver.
    let usual = if asked.is_windows() { "Administrator" } else { "root" };
    let promises = Promises {
        root_bus: storage.root,
        root_driver: root_driver(&devices, storage.root),
        config_drive: storage.config_drive,
        network,
        queues,
        agent,
        quiesce: asked.flag("os_require_quiesce"),
        admin_user: asked.text("os_admin_user").filter(|user| !user.is_empty()).unwrap_or(usual).to_owned(),
        watchdog,
        rng: devices.iter().any(|device| device.role == Role::Rng),
        firmware,
        tpm,
    };
    Ok((devices, promises, notes))
}

/// The controller of the root disk, or the disk where it is its own.
fn root_driver(devices: &[Device], root: Bus) -> &'static str {
    let role = match root {
        Bus::Scsi => Role::DiskController,
        _ => Role::RootDisk,
    };
    let is_it = |device: &&Device| device.role == role && (root != Bus::Scsi || device.id == "scsi0");
    devices.iter().find(is_it).map_or("", |device| device.driver)
}
