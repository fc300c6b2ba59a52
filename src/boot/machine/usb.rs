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

#[cfg(test)]
mod tests {
    use super::super::tests::of;

    #[test]
    fn one_controller_and_a_hub_where_its_ports_do_not_suffice() {
        for (properties, controller, ports, notes) in [
            (&[][..], Some("piix3-usb-uhci"), "input0:1", 0),
            (&[("hw_input_bus", "virtio")], None, "", 0),
            (&[("hw_input_bus", "usb")], Some("piix3-usb-uhci"), "input0:1 input1:2", 0),
            (&[("hw_input_bus", "virtio"), ("hw_usb_model", "qemu-xhci")], Some("qemu-xhci"), "", 0),
            (&[("hw_usb_model", "nec-xhci")], Some("piix3-usb-uhci"), "input0:1", 1),
            (&[("hw_usb_model", "none")], Some("piix3-usb-uhci"), "input0:1", 1),
            (
                &[("hw_disk_bus", "usb"), ("hw_input_bus", "usb")],
                Some("piix3-usb-uhci"),
                "hub0:1 usb-disk0:2 input0:1.1 input1:1.2",
                0,
            ),
        ] {
            let machine = of(&[], properties).unwrap();
            let found = machine.devices.iter().find(|device| device.id == "usb").map(|device| device.driver);
            let seated = machine
                .devices
                .iter()
                .filter_map(|device| Some(format!("{}:{}", device.id, device.options.get("port")?.as_str()?)));
            assert_eq!((found, seated.collect::<Vec<_>>().join(" ")), (controller, ports.to_owned()), "{properties:?}");
            let told = machine.notes.iter().filter(|note| note.about == "hw_usb_model").count();
            assert_eq!(told, notes, "{properties:?}");
        }
        let error = of(&[], &[("hw_input_bus", "virtio"), ("hw_sound_model", "usb")]).unwrap_err();
        assert!(error.to_string().starts_with("hw_sound_model=usb: libvirt refuses it"), "{error}");
    }
}
