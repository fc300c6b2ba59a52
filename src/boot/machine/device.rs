//! One device as QEMU takes it, and what it comes from.

use serde::Serialize;
use serde_json::{Map, Value};

/// A device of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// What it is to the guest.
    pub role: Role,
    /// QEMU's name for it.
    pub driver: &'static str,
    /// Its id in QEMU, libvirt's alias without what libvirt puts before.
    pub id: String,
    /// The bus that it hangs on; `None` where QEMU knows only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// Slot and function on a PCI bus: `0x3`, `0x1.0x2`.
    #[serde(rename = "addr", skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Every other option.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// The property, the extra spec or the rule that asks for it.
    pub from: String,
    /// Why it is not made here, though it keeps its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// Where on PCI it wants to be.
    #[serde(skip)]
    pub(super) plug: Plug,
}

/// What a device is to the guest; the order in which QEMU is told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A bridge or port of the PCI tree.
    PciPort,
    /// The USB controller.
    UsbController,
    /// A controller of disks.
    DiskController,
    /// The controller of virtio serial ports.
    SerialController,
    /// A hub, where the controller has too few ports.
    UsbHub,
    /// The disk with the image.
    RootDisk,
    /// The config drive.
    ConfigDrive,
    /// The network card.
    Network,
    /// The serial console.
    SerialConsole,
    /// The channel of the guest agent.
    AgentChannel,
    /// The TPM.
    Tpm,
    /// A tablet or keyboard.
    Input,
    /// The sound card or its codec.
    Sound,
    /// The graphics card.
    Video,
    /// The watchdog.
    Watchdog,
    /// The memory balloon.
    Balloon,
    /// The source of random numbers.
    Rng,
    /// Where the guest leaves what a memory dump needs.
    Vmcoreinfo,
    /// The IOMMU.
    Iommu,
}

/// Where on PCI a device wants to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Plug {
    /// Nowhere, or its address stands.
    #[default]
    None,
    /// A slot of conventional PCI, in this turn.
    Conventional(Turn),
    /// A PCI Express port where there is one, in this turn.
    Express(Turn),
}

/// The order in which libvirt gives out addresses (`qemuDomainAssignDevicePCISlots` of `src/qemu/qemu_domain_address.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Network,
    Sound,
    /// A controller that Nova writes down.
    Controller,
    Usb,
    /// A controller that libvirt adds for a disk.
    Implicit,
    Serial,
    Disk,
    Balloon,
    Rng,
    Watchdog,
    Input,
}

impl Device {
    /// A device without place or options.
    pub(super) fn new(role: Role, driver: &'static str, id: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            role,
            driver,
            id: id.into(),
            bus: None,
            address: None,
            options: Map::new(),
            from: from.into(),
            left_out: None,
            plug: Plug::None,
        }
    }

    /// Adds an option.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.insert(name.to_owned(), value.into());
        self
    }

    /// Puts it on a bus that is not PCI.
    pub(super) fn on(mut self, bus: impl Into<String>) -> Self {
        self.bus = Some(bus.into());
        self
    }

    /// Puts it at a place of PCI that is always the same.
    pub(super) fn at(mut self, bus: &str, address: &str) -> Self {
        self.bus = Some(bus.to_owned());
        self.address = Some(address.to_owned());
        self
    }

    /// Lets libvirt's rules find its place on PCI.
    pub(super) fn plugged(mut self, plug: Plug) -> Self {
        self.plug = plug;
        self
    }

    /// Keeps its place, without being made.
    pub(super) fn left_out(mut self, why: impl Into<String>) -> Self {
        self.left_out = Some(why.into());
        self
    }

    /// What `-device` takes, as JSON.
    pub(super) fn argument(&self) -> Value {
        let mut all = self.options.clone();
        all.insert("driver".to_owned(), self.driver.into());
        all.insert("id".to_owned(), self.id.as_str().into());
        if let Some(bus) = &self.bus {
            all.insert("bus".to_owned(), bus.as_str().into());
        }
        if let Some(address) = &self.address {
            all.insert("addr".to_owned(), address.as_str().into());
        }
        Value::Object(all)
    }
}
