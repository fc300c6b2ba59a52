//! Properties × flavor → the devices that Nova's libvirt driver gives an instance → QEMU's arguments.

mod arguments;
mod asked;
mod base;
mod blocks;
mod cpu;
mod device;
pub mod firmware;
mod network;
mod notes;
mod pci;
mod periphery;
mod promises;
mod storage;
mod topology;
mod usb;

pub use arguments::{AGENT, MONITOR, SERIAL, print, word as action};
pub use base::{Chipset, Firmware};
pub use cpu::{Models, models};
pub use device::{Device, Role};
pub use notes::Note;
pub use promises::{Promises, Tpm, WatchdogAction};
pub use storage::Bus;
pub use topology::{MAX_VCPUS, Topology};

use crate::error::{Error, Result};
use asked::Asked;
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
        let (machine_type, chipset) = base::machine_type(&asked)?;
        let firmware = base::firmware(&asked, chipset, &machine_type)?;
        let topology = topology::choose(&asked)?;
        let cpu_features = cpu::features(&asked)?;
        let (devices, promises, more) = promises::assemble(&asked, chipset, firmware)?;
        notes.extend(more);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The machine of two processors and 1024 MiB.
    pub(super) fn of(specs: &[(&str, &str)], properties: &[(&str, &str)]) -> Result<Machine> {
        with(2, specs, properties)
    }

    /// The machine of as many processors.
    pub(super) fn with(vcpus: u32, specs: &[(&str, &str)], properties: &[(&str, &str)]) -> Result<Machine> {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Machine::of(&map(properties), &Flavor { vcpus, ram_mib: 1024, extra_specs: map(specs) })
    }

    /// Each device as `driver@bus:addr`, those of PCI ports left out.
    pub(super) fn seats(machine: &Machine) -> String {
        let devices = machine.devices.iter().filter(|device| device.role != Role::PciPort && device.address.is_some());
        let seat = |device: &Device| {
            let bus = device.bus.as_deref().unwrap_or_default();
            format!("{}@{bus}:{}", device.driver, device.address.as_deref().unwrap_or_default())
        };
        devices.map(seat).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_refused_names_the_property_and_who_refuses() {
        for (specs, properties, expected) in [
            (&[][..], &[("hw_disk_bus", "SCSI")][..], "hw_disk_bus: Nova refuses it with ValueError"),
            (&[], &[("hw_disk_bus", "xen")], "hw_disk_bus: Nova refuses it with UnsupportedHardware"),
            (&[("hw:pmu", "no")], &[("hw_pmu", "yes")], "hw_pmu: Nova refuses it with FlavorImageConflict"),
            (&[], &[("hw_machine_type", "isapc")], "hw_machine_type: Nova refuses it with InvalidMachineType"),
            (&[], &[("hw_machine_type", "q35,accel=x")], "hw_machine_type: Nova refuses it with InvalidMachineType"),
            (&[], &[("hw_machine_type", "")], "hw_machine_type: Nova refuses it with InvalidMachineType"),
            (&[], &[("hw_video_model", "gop")], "hw_video_model=gop: libvirt refuses it"),
            (&[], &[("hw_architecture", "aarch64")], "hw_architecture=aarch64: only x86"),
            (&[], &[("hw_vm_mode", "xen")], "hw_vm_mode=xen: libvirt refuses it"),
            (&[], &[("hw_maxphysaddr_mode", "emulate")], "hw_maxphysaddr_mode: libvirt refuses it"),
        ] {
            let error = of(specs, properties).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{properties:?}: {error}");
        }
        let flavor = Flavor { vcpus: 1, ram_mib: MAX_RAM_MIB + 1, extra_specs: BTreeMap::new() };
        assert!(Machine::of(&BTreeMap::new(), &flavor).is_err());
        assert!(with(0, &[], &[]).is_err() && with(MAX_VCPUS + 1, &[], &[]).is_err());
    }

    #[test]
    fn a_machine_is_plain_data() {
        let machine = of(&[], &[("hw_watchdog_action", "reset"), ("hw_firmware_type", "uefi")]).unwrap();
        let json = serde_json::to_value(&machine).unwrap();
        assert_eq!(json["firmware"], serde_json::json!({"uefi": {"secure_boot": false}}));
        assert_eq!(json["promises"]["watchdog"], "reset");
        assert_eq!(json["promises"]["root_bus"], "virtio");
        let devices = json["devices"].as_array().unwrap();
        assert!(devices.iter().all(|device| !device["from"].as_str().unwrap().is_empty()), "{json}");
        let i6300esb = devices.iter().find(|device| device["driver"] == "i6300esb").unwrap();
        assert_eq!([&i6300esb["from"], &i6300esb["role"]], ["hw_watchdog_action", "watchdog"]);
    }
}
