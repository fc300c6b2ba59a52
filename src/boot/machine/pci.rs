//! Devices → their places on PCI, as libvirt gives them out: a guest names its network card after them.

use super::Chipset;
use super::device::{Device, Plug, Role, Turn};

/// The rule that bridges and ports come from.
const RULE: &str = "libvirt: PCI Express";

/// Gives every plugged device its bus and address; q35 gets its ports and bridge, in front of all.
pub(super) fn place(devices: &mut Vec<Device>, chipset: Chipset, has_video: bool) {
    let mut turns: Vec<(Turn, usize, bool)> = Vec::new();
    for (index, device) in devices.iter().enumerate() {
        match device.plug {
            Plug::None => {}
            Plug::Conventional(turn) => turns.push((turn, index, false)),
            Plug::Express(turn) => turns.push((turn, index, true)),
        }
    }
    turns.sort_unstable();
    // Slot 1 is the chipset's own on pc and the graphics card's on q35; slot 2 is the graphics card's on pc.
    match chipset {
        Chipset::I440fx => {
            for (slot, (_, index, _)) in (if has_video { 3_u32 } else { 2 }..).zip(&turns) {
                put(devices, *index, "pci.0", slot);
            }
        }
        Chipset::Q35 => {
            let ports = tree(devices, &turns, if has_video { 2 } else { 1 });
            devices.splice(0..0, ports);
        }
    }
}

fn put(devices: &mut [Device], index: usize, bus: &str, slot: u32) {
    if let Some(device) = devices.get_mut(index) {
        device.bus = Some(bus.to_owned());
        device.address = Some(format!("{slot:#x}"));
    }
}

/// The ports that `turns` need and one to spare; each Express device sits behind a port of its own, and all conventional
/// ones behind one bridge. libvirt numbers ports as it meets the need for them, but then seats the bridge first.
fn tree(devices: &mut [Device], turns: &[(Turn, usize, bool)], first_slot: u32) -> Vec<Device> {
    let (mut ports, mut bridge, mut index) = (Vec::new(), None, 0_u32);
    for (_, _, is_express) in turns {
        if *is_express || bridge.is_none() {
            index = index.saturating_add(1);
            ports.push(index);
        }
        if !is_express && bridge.is_none() {
            index = index.saturating_add(1);
            bridge = Some(index);
        }
    }
    let mut seats = ports.clone().into_iter();
    let bridge = bridge.zip(seats.next().filter(|_| bridge.is_some()));
    let seats = if bridge.is_some() { seats } else { ports.clone().into_iter() };
    seat(devices, turns, bridge.map(|(bridge, _)| bridge), seats);
    ports.push(index.saturating_add(1));
    controllers(&ports, bridge, first_slot)
}

fn seat(
    devices: &mut [Device],
    turns: &[(Turn, usize, bool)],
    bridge: Option<u32>,
    mut seats: impl Iterator<Item = u32>,
) {
    // Slot 0 of a bridge is kept for its hot-plug controller.
    let mut slots = 1_u32..;
    for (_, index, is_express) in turns {
        let place = if *is_express { seats.next().zip(Some(0)) } else { bridge.zip(slots.next()) };
        if let Some((bus, slot)) = place {
            put(devices, *index, &format!("pci.{bus}"), slot);
        }
    }
}

/// The ports and the bridge by their number; eight ports share a slot.
fn controllers(ports: &[u32], bridge: Option<(u32, u32)>, first_slot: u32) -> Vec<Device> {
    let places = (first_slot..).flat_map(|slot| (0_u32..8).map(move |function| (slot, function)));
    let mut all: Vec<(u32, Device)> = Vec::new();
    for (at, (index, (slot, function))) in ports.iter().zip(places).enumerate() {
        let address = if function == 0 { format!("{slot:#x}") } else { format!("{slot:#x}.{function:#x}") };
        let port = Device::new(Role::PciPort, "pcie-root-port", format!("pci.{index}"), RULE)
            .at("pcie.0", &address)
            .with("chassis", *index)
            .with("port", slot.saturating_mul(8).saturating_add(function));
        let is_first_of_several = function == 0 && ports.len() > at.saturating_add(1);
        all.push((*index, if is_first_of_several { port.with("multifunction", true) } else { port }));
    }
    if let Some((index, seat)) = bridge {
        let id = format!("pci.{index}");
        let bridge = Device::new(Role::PciPort, "pcie-pci-bridge", id, RULE).at(&format!("pci.{seat}"), "0x0");
        all.push((index, bridge));
    }
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, device)| device).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, seats};
    use super::super::{Machine, Role};

    fn ports(machine: &Machine) -> String {
        let ports = machine.devices.iter().filter(|device| device.role == Role::PciPort);
        let shown = ports.map(|port| {
            let several = if port.options.contains_key("multifunction") { "+" } else { "" };
            format!("{}@{}{several}", port.id.trim_start_matches("pci."), port.address.as_deref().unwrap())
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// As `virsh dumpxml` of libvirt 9.0 and 11.3 has them.
    #[test]
    fn seats_are_those_of_libvirt() {
        let all = [("hw_disk_bus", "scsi"), ("hw_scsi_model", "virtio-scsi"), ("hw_qemu_guest_agent", "yes")];
        let all = [&all[..], &[("hw_watchdog_action", "reset")]].concat();
        let machine = of(&[], &all).unwrap();
        assert_eq!(
            seats(&machine),
            "piix3-usb-uhci@pci.0:0x1.0x2 virtio-scsi-pci@pci.0:0x4 virtio-serial-pci@pci.0:0x5 \
             virtio-net-pci@pci.0:0x3 virtio-vga@pci.0:0x2 i6300esb@pci.0:0x8 virtio-balloon-pci@pci.0:0x6 \
             virtio-rng-pci@pci.0:0x7"
        );
        let machine = of(&[], &[&all[..], &[("hw_machine_type", "q35")]].concat()).unwrap();
        assert_eq!(
            seats(&machine),
            "piix3-usb-uhci@pci.4:0x1 virtio-scsi-pci@pci.3:0x0 virtio-serial-pci@pci.5:0x0 virtio-net-pci@pci.2:0x0 \
             virtio-vga@pcie.0:0x1 i6300esb@pci.4:0x2 virtio-balloon-pci@pci.6:0x0 virtio-rng-pci@pci.7:0x0"
        );
        assert_eq!(ports(&machine), "1@0x2+ 2@0x2.0x1 3@0x2.0x2 4@0x0 5@0x2.0x3 6@0x2.0x4 7@0x2.0x5 8@0x2.0x6");
    }

    #[test]
    fn ports_fill_slots_of_eight_and_the_bridge_comes_when_it_is_needed() {
        let many = [
            ("hw_machine_type", "q35"),
            ("hw_scsi_model", "virtio-scsi"),
            ("hw_input_bus", "virtio"),
            ("hw_qemu_guest_agent", "yes"),
        ];
        let machine = of(&[], &many).unwrap();
        assert_eq!(
            ports(&machine),
            "1@0x2+ 2@0x2.0x1 3@0x2.0x2 4@0x2.0x3 5@0x2.0x4 6@0x2.0x5 7@0x2.0x6 8@0x2.0x7 9@0x3"
        );
        let machine = of(&[], &[&many[..], &[("hw_watchdog_action", "pause")]].concat()).unwrap();
        assert!(ports(&machine).ends_with("7@0x2.0x6 8@0x0 9@0x2.0x7 10@0x3+ 11@0x3.0x1"), "{}", ports(&machine));
        assert!(seats(&machine).contains("i6300esb@pci.8:0x1"), "{}", seats(&machine));
    }

    #[test]
    fn without_a_graphics_card_its_slot_is_free() {
        let none = [("hw_video_model", "none")];
        assert!(seats(&of(&[], &none).unwrap()).contains("virtio-net-pci@pci.0:0x2"));
        let machine = of(&[], &[none[0], ("hw_machine_type", "q35")]).unwrap();
        assert!(ports(&machine).starts_with("1@0x1+ 2@0x1.0x1"), "{}", ports(&machine));
        let port = machine.devices.iter().find(|device| device.id == "pci.1").unwrap();
        assert_eq!([&port.options["port"], &port.options["chassis"]], [8, 1]);
    }
}
