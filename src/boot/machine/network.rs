//! The network card: `get_base_config` of `nova/virt/libvirt/vif.py`.

use super::asked::{Asked, impossible};
use super::device::{Device, Plug, Role, Turn};
use crate::error::Result;

const MODEL: &str = "hw_vif_model";

/// The card, and how many pairs of queues are promised.
pub(super) fn card(asked: &Asked<'_>) -> Result<(Device, u32)> {
    let model = asked.text(MODEL);
    let conventional = |driver| (driver, Plug::Conventional(Turn::Network));
    let express = |driver| (driver, Plug::Express(Turn::Network));
    let (driver, plug) = match model {
        None | Some("virtio") => express("virtio-net-pci"),
        Some("e1000") => conventional("e1000"),
        Some("rtl8139") => conventional("rtl8139"),
        Some("vmxnet3") => conventional("vmxnet3"),
        Some("e1000e") => express("e1000e"),
        Some("igb") => express("igb"),
        // libvirt does not know these two, and seats what it does not know like a modern card.
        Some("pcnet") => express("pcnet"),
        Some("ne2k_pci") => express("ne2k_pci"),
        Some(other) => {
            let error = impossible(&format!("{MODEL}={other}"), "QEMU has no such network card on x86");
            return Err(error.help("use hw_vif_model=virtio"));
        }
    };
    let from = if model.is_some() { MODEL } else { "Nova's default network card" };
    let mut card = Device::new(Role::Network, driver, "net0", from)
        .plugged(plug)
        .with("netdev", "hostnet0")
        .with("mac", super::MAC);
    let packed = asked.either_flag("hw_virtio_packed_ring", "hw:virtio_packed_ring");
    if driver != "virtio-net-pci" {
        // Nova writes the option whatever the card is.
        return match packed {
            Some((true, from)) => {
                Err(impossible(from, &format!("{driver} is no virtio device")).help("use hw_vif_model=virtio"))
            }
            _ => Ok((card, 1)),
        };
    }
    if let Some((true, _)) = packed {
        card = card.with("packed", true);
    }
    let is_multiple = asked.either_flag("hw_vif_multiqueue_enabled", "hw:vif_multiqueue_enabled");
    let queues = if is_multiple.is_some_and(|(is_on, _)| is_on) { asked.vcpus } else { 1 };
    if queues > 1 {
        // Two vectors a pair, one for the configuration, one for the control queue (`qemuBuildNicDevProps`).
        let vectors = queues.saturating_mul(2).saturating_add(2);
        card = card.with("mq", true).with("vectors", vectors);
    }
    Ok((card, queues))
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::super::tests::with;

    #[test]
    fn queues_need_virtio_and_two_processors() {
        let queues = ("hw_vif_multiqueue_enabled", "true");
        for (vcpus, specs, properties, expected, vectors) in [
            (4, &[][..], &[queues][..], 4, Some(10)),
            (1, &[], &[queues], 1, None),
            (4, &[("hw:vif_multiqueue_enabled", "yes")], &[], 4, Some(10)),
            (4, &[], &[queues, ("hw_vif_model", "e1000")], 1, None),
            (4, &[], &[], 1, None),
        ] {
            let machine = with(vcpus, specs, properties).unwrap();
            let card = machine.device(Role::Network).unwrap();
            let found = card.options.get("vectors").and_then(serde_json::Value::as_u64);
            assert_eq!((machine.promises.queues, found), (expected, vectors), "{vcpus} {properties:?}");
            assert_eq!(card.options.contains_key("mq"), vectors.is_some());
        }
    }

    #[test]
    fn packed_rings_are_virtios() {
        let packed = ("hw_virtio_packed_ring", "true");
        let machine = with(2, &[], &[packed]).unwrap();
        assert_eq!(machine.device(Role::Network).unwrap().options["packed"], true);
        assert!(with(2, &[], &[packed, ("hw_vif_model", "e1000")]).is_err());
        assert!(with(2, &[], &[("hw_virtio_packed_ring", "false"), ("hw_vif_model", "e1000")]).is_ok());
    }
}
