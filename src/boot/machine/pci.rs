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
