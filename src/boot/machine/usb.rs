//! The USB controller and the ports of what hangs on it: `_guest_add_usb_root_controller` of Nova's driver, libvirt's ports.

use super::asked::{Asked, impossible};
use super::device::{Device, Plug, Role, Turn};
use super::{Chipset, Note};
use crate::error::Result;

/// The bus of the one controller.
pub(super) const BUS: &str = "usb.0";
const KEY: &str = "hw_usb_model";
const SPEC: &str = "hw:usb_model";

/// Adds the controller, and a hub where its ports do not suffice; gives out the ports in the order of the devices.
pub(super) fn connect(
    asked: &Asked<'_>,
    chipset: Chipset,
    devices: &mut Vec<Device>,
    notes: &mut Vec<Note>,
) -> Result<()> {
    let count = devices.iter().filter(|device| is_usb(device)).count();
    // Nova counts disks and inputs, no sound card.
    let is_needed = devices.iter().any(|device| is_usb(device) && device.role != Role::Sound);
    let model = asked.either(KEY, SPEC);
    let (controller, ports) = match model {
        _ if is_needed => {
            if let Some((word, from)) = model {
                let why = format!("Nova drops {word:?} when a tablet or disk needs USB; libvirt then makes piix3-uhci");
                notes.push(Note::new(from, why));
            }
            let uhci = Device::new(Role::UsbController, "piix3-usb-uhci", "usb", "libvirt: the USB controller of x86");
            match chipset {
                Chipset::I440fx => (uhci.at("pci.0", "0x1.0x2"), 2),
                Chipset::Q35 => (uhci.plugged(Plug::Conventional(Turn::Usb)), 2),
            }
        }
        Some((word @ ("qemu-xhci" | "nec-xhci"), from)) => {
            let driver = if word == "qemu-xhci" { "qemu-xhci" } else { "nec-usb-xhci" };
            (Device::new(Role::UsbController, driver, "usb", from).plugged(Plug::Express(Turn::Usb)), 4)
        }
        _ if count > 0 => return Err(impossible("hw_sound_model=usb", "there is no USB controller for it")),
        _ => return Ok(()),
    };
    devices.push(controller);
    let has_hub = count > ports;
    if has_hub {
        let hub = Device::new(Role::UsbHub, "usb-hub", "hub0", "libvirt: more USB devices than ports");
        devices.push(hub.on(BUS).with("port", "1"));
    }
    for (number, device) in devices.iter_mut().filter(|device| is_usb(device)).enumerate() {
        let first = if has_hub { number.saturating_add(2) } else { number.saturating_add(1) };
        let port = if first > ports { format!("1.{}", first.saturating_sub(ports)) } else { first.to_string() };
        device.options.insert("port".to_owned(), port.into());
    }
    Ok(())
}

fn is_usb(device: &Device) -> bool {
    device.bus.as_deref() == Some(BUS) && device.role != Role::UsbHub
}
