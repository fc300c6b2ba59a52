//! Properties × flavor → the devices that Nova's libvirt driver gives an instance → QEMU's arguments.

mod arguments;
mod asked;
mod blocks;
mod cpu;
mod device;
pub mod firmware;
mod network;
mod notes;
mod pci;
mod periphery;
mod storage;
mod topology;
mod usb;

pub use arguments::{AGENT, MONITOR, SERIAL, print, word as action};
pub use cpu::{Models, models};
pub use device::{Device, Role};
pub use notes::Note;
pub use storage::Bus;
pub use topology::{MAX_VCPUS, Topology};

use crate::error::{Error, Result};
use asked::{Asked, impossible, refused};
use serde::Serialize;
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

/// The UUID of the instance, in the SMBIOS; a config drive says the same.
pub const UUID: &str = "b0075eed-0000-4000-8000-000000000001";
/// The address of the network card; Neutron's begin like it (`base_mac`).
pub const MAC: &str = "fa:16:3e:00:00:01";
/// Memory of a machine, MiB: what an address of 40 bits reaches.
pub const MAX_RAM_MIB: u64 = 1 << 20;

/// What an instance of the image is to the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// QEMU's name of the machine type, as the image gives it.
    pub machine_type: String,
    /// What the machine type is built around.
    pub chipset: Chipset,
    /// What the machine starts with.
    pub firmware: Firmware,
    /// Memory, MiB.
    pub ram_mib: u64,
    /// Sockets, cores, threads.
    pub topology: Topology,
    /// What is added to the CPU model: `kvm=off`.
    pub cpu_features: Vec<String>,
    /// Whether there is a HPET.
    pub has_hpet: bool,
    /// Whether the firmware shows its menu.
    pub has_boot_menu: bool,
    /// Whether the clock runs in local time, as Windows wants it.
    pub is_local_time: bool,
    /// Every device, in the order in which QEMU is told of them.
    pub devices: Vec<Device>,
    /// What the proofs hold the guest to.
    pub promises: Promises,
    /// What is asked for and cannot be had here.
    pub notes: Vec<Note>,
}

/// What a machine type is built around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Chipset {
    /// `pc`: conventional PCI, IDE.
    I440fx,
    /// `q35`: PCI Express, AHCI.
    Q35,
}

/// What a machine starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF.
    Uefi {
        /// Whether only what is signed starts.
        secure_boot: bool,
    },
}

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

impl Machine {
    /// The machine that Nova 34 and libvirt make of it on an x86 host with KVM, where `nova.conf` says
    /// `[libvirt]hw_disk_discard=unmap` and nothing else.
    ///
    /// # Errors
    /// What Nova refuses, with its exception; what libvirt or QEMU refuse; what is no x86.
    pub fn of(properties: &BTreeMap<String, String>, flavor: &Flavor) -> Result<Self> {
        let asked = Asked::of(properties, flavor)?;
        let mut notes = notes::of(&asked);
        if flavor.ram_mib == 0 || flavor.ram_mib > MAX_RAM_MIB {
            let cause = format!("{} MiB of memory, 1 to {MAX_RAM_MIB} can be made", flavor.ram_mib);
            return Err(Error::too_large("flavor", cause));
        }
        let (machine_type, chipset) = machine_type(&asked)?;
        let firmware = firmware(&asked, chipset, &machine_type)?;
        let topology = topology::choose(&asked)?;
        let cpu_features = cpu::features(&asked)?;
        let storage = storage::storage(&asked, chipset, &mut notes)?;
        let (card, queues) = network::card(&asked)?;
        let (channels, agent, tpm) = periphery::channels(&asked);
        let network = card.driver;
        let mut devices = storage.devices;
        devices.push(card);
        devices.extend(channels);
        devices.extend(periphery::inputs(&asked));
        devices.extend(periphery::sound(&asked, chipset, &mut notes));
        let video = periphery::video(&asked, chipset)?;
        let has_video = video.is_some();
        devices.extend(video);
        let watchdog = periphery::watchdog(&asked).map(|(device, action)| {
            devices.push(device);
            action
        });
        devices.extend(periphery::rest(&asked, asked.is_encrypted()));
        usb::connect(&asked, chipset, &mut devices, &mut notes)?;
        devices.sort_by_key(|device| device.role);
        pci::place(&mut devices, chipset, has_video);
        let promises = Promises {
            root_bus: storage.root,
            root_driver: root_driver(&devices, storage.root),
            config_drive: storage.config_drive,
            network,
            queues,
            agent,
            quiesce: asked.flag("os_require_quiesce"),
            admin_user: asked.text("os_admin_user").unwrap_or("root").to_owned(),
            watchdog,
            rng: devices.iter().any(|device| device.role == Role::Rng),
            firmware,
            tpm,
        };
        let menu = asked.image.flag("hw_boot_menu").or(asked.spec_flag("hw:boot_menu"));
        Ok(Self {
            machine_type,
            chipset,
            firmware,
            ram_mib: flavor.ram_mib,
            topology,
            cpu_features,
            has_hpet: asked.flag("hw_time_hpet"),
            has_boot_menu: menu == Some(true),
            is_local_time: asked.is_windows(),
            devices,
            promises,
            notes,
        })
    }

    /// The device that is something to the guest.
    pub fn device(&self, role: Role) -> Option<&Device> {
        self.devices.iter().find(|device| device.role == role)
    }
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

/// `get_machine_type` of `nova/virt/libvirt/utils.py`, for what runs on an x86 host.
fn machine_type(asked: &Asked<'_>) -> Result<(String, Chipset)> {
    for key in ["hw_architecture", "hw_emulation_architecture"] {
        if let Some(other) = asked.text(key).filter(|arch| !["x86_64", "i686"].contains(arch)) {
            let cause = "only x86 machines are made so far";
            return Err(Error::unsupported(format!("{key}={other}"), cause));
        }
    }
    if let Some(mode) = asked.text("hw_vm_mode").filter(|mode| *mode != "hvm") {
        return Err(impossible(&format!("hw_vm_mode={mode}"), "KVM runs hvm only"));
    }
    let name = asked.text("hw_machine_type").unwrap_or("pc");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._+".contains(c);
    let chipset = match name {
        _ if !name.chars().all(is_plain) => None,
        _ if name == "q35" || name.starts_with("pc-q35-") => Some(Chipset::Q35),
        _ if name == "pc" || name.starts_with("pc-") => Some(Chipset::I440fx),
        _ => None,
    };
    let reason = format!("{name:?} is no machine type of x86 with PCI: pc, q35, or one of their versions");
    let chipset = chipset.ok_or_else(|| refused("hw_machine_type", "InvalidMachineType", &reason))?;
    Ok((name.to_owned(), chipset))
}

/// `_configure_guest_by_virt_type`: `optional` is secure where it can be.
fn firmware(asked: &Asked<'_>, chipset: Chipset, machine_type: &str) -> Result<Firmware> {
    if asked.text("hw_firmware_type") != Some("uefi") {
        return Ok(Firmware::Bios);
    }
    let policy = asked.either("os_secure_boot", "os:secure_boot");
    match policy {
        Some(("required", key)) if chipset != Chipset::Q35 => {
            let reason = format!("secure boot needs the machine type q35, not {machine_type}");
            Err(refused(key, "SecureBootNotSupported", &reason).help("set hw_machine_type=q35"))
        }
        Some(("required", _)) => Ok(Firmware::Uefi { secure_boot: true }),
        Some(("optional", _)) => Ok(Firmware::Uefi { secure_boot: chipset == Chipset::Q35 }),
        _ => Ok(Firmware::Uefi { secure_boot: false }),
    }
}
