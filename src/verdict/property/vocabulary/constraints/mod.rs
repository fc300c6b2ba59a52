//! What image and flavor ask for together → whether Nova refuses it: `nova/virt/hardware.py`, function by function, and
//! what its libvirt driver adds (`nova/virt/libvirt/driver.py`).

mod devices;
mod driver;
mod memory;
mod numa;
mod processors;

use super::{ImageProps, python};
use std::collections::BTreeMap;

/// A flavor as the rules need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlavorSpecs {
    /// Virtual processors; `None` where they are not known, and nothing is said that rests on them.
    pub vcpus: Option<u64>,
    /// Memory in MiB; `None` where it is not known.
    pub memory: Option<u64>,
    /// The extra specs.
    pub specs: BTreeMap<String, String>,
}

/// What Nova refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The name of Nova's exception.
    pub exception: &'static str,
    /// What does not go together, in a sentence's worth.
    pub reason: String,
    /// The property that is to blame, where it is one.
    pub property: Option<&'static str>,
}

/// One function of Nova.
#[derive(Debug)]
pub struct Constraint {
    /// Its name in `nova/virt/hardware.py`, or the method of the driver.
    pub name: &'static str,
    /// Where it is asked: by the API at once, or by the driver on the compute node, where the machine ends in an error.
    pub is_driver: bool,
    /// The answer.
    pub run: fn(&FlavorSpecs, &ImageProps) -> Result<(), Conflict>,
}

/// Every function, in the order in which Nova asks them.
pub const CONSTRAINTS: &[Constraint] = &[
    api("get_packed_virtqueue_constraint", devices::packed_ring),
    api("get_mem_encryption_constraint", |flavor, image| memory::encryption(flavor, image).map(drop)),
    api("get_pmu_constraint", devices::pmu),
    api("get_number_of_serial_ports", devices::serial_ports),
    api("get_realtime_cpu_constraint", |flavor, image| processors::realtime(flavor, image).map(drop)),
    api("get_cpu_topology_constraints", processors::topology),
    api("get_vif_multiqueue_constraint", devices::multiqueue),
    api("numa_get_constraints", numa::constraints),
    api("get_pci_numa_policy_constraint", devices::pci_affinity),
    driver("get_secure_boot_constraint", devices::secure_boot),
    driver("get_vtpm_constraint", devices::tpm),
    driver("get_maxphysaddr_mode", devices::address_mode),
    driver("get_ephemeral_encryption_constraint", devices::ephemeral_encryption),
    driver("get_ephemeral_encryption_format", devices::ephemeral_format),
    driver("get_sound_model", devices::sound),
    driver("get_usb_model", devices::usb),
    driver("get_redirected_usb_ports", devices::redirected_ports),
    driver("_add_video_driver", driver::video_memory),
    driver("_get_iommu_model", driver::iommu),
    driver("_guest_add_watchdog_action", driver::watchdog),
    driver("get_disk_bus_for_device_type", driver::disk_bus),
    driver("get_config", driver::card),
];

type Run = fn(&FlavorSpecs, &ImageProps) -> Result<(), Conflict>;

const fn api(name: &'static str, run: Run) -> Constraint {
    Constraint { name, is_driver: false, run }
}

const fn driver(name: &'static str, run: Run) -> Constraint {
    Constraint { name, is_driver: true, run }
}

impl Conflict {
    fn new(exception: &'static str, reason: impl Into<String>) -> Self {
        Self { exception, reason: reason.into(), property: None }
    }

    /// Names the property that is to blame.
    fn by(mut self, property: &'static str) -> Self {
        self.property = Some(property);
        self
    }
}

impl FlavorSpecs {
    /// An extra spec as it stands.
    fn get(&self, name: &str) -> Option<&str> {
        self.specs.get(name).map(String::as_str)
    }

    /// An extra spec that is not empty: what Python takes for true.
    pub fn set(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// An extra spec as `bool_from_string` reads it: what is no truth value is false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| python::boolean(value).unwrap_or(false))
    }

    /// An extra spec as `int()` reads it, at the ends of `i64` where it is beyond them.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(python::int).map(|decimal| python::value(&decimal))
    }

    /// Keys `stem.0`, `stem.1` … up to the first hole.
    fn numbered(&self, stem: &str) -> Vec<&str> {
        (0..super::MAX_NODES).map_while(|node| self.get(&format!("{stem}.{node}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exceptions of a flavor with `vcpus`, 1024 MiB and `specs`, and an image with `props`.
    fn exceptions(vcpus: u64, specs: &[(&str, &str)], props: &[(&str, &str)]) -> Vec<&'static str> {
        let specs = specs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let flavor = FlavorSpecs { vcpus: Some(vcpus), memory: Some(1024), specs };
        let (image, rejected) = ImageProps::from_pairs(props.iter().copied());
        assert_eq!(rejected, []);
        let refused = CONSTRAINTS.iter().filter_map(|constraint| (constraint.run)(&flavor, &image).err());
        refused.map(|conflict| conflict.exception).collect()
    }

    #[test]
    fn what_nova_refuses() {
        for (vcpus, specs, props, expected) in [
            (2, vec![], vec![], vec![]),
            (2, vec![("hw:pmu", "true")], vec![("hw_pmu", "off")], vec!["FlavorImageConflict"]),
            (
                2,
                vec![("hw:vif_multiqueue_enabled", "no")],
                vec![("hw_vif_multiqueue_enabled", "yes")],
                vec!["FlavorImageConflict"],
            ),
            (1, vec![("hw:vif_multiqueue_enabled", "no")], vec![("hw_vif_multiqueue_enabled", "yes")], vec![]),
            (
                2,
                vec![("hw:cpu_policy", "shared")],
                vec![("hw_cpu_policy", "dedicated")],
                vec!["ImageCPUPinningForbidden"],
            ),
            (2, vec![("hw:cpu_policy", "dedicated")], vec![("hw_cpu_policy", "shared")], vec![]),
            (2, vec![], vec![("hw_cpu_thread_policy", "isolate")], vec!["CPUThreadPolicyConfigurationInvalid"]),
            (2, vec![], vec![("hw_mem_page_size", "large")], vec!["MemoryPageSizeForbidden"]),
            (2, vec![("hw:mem_page_size", "2M")], vec![], vec!["MemoryPageSizeInvalid"]),
            (2, vec![("hw:mem_page_size", "any")], vec![("hw_mem_page_size", "2MB")], vec![]),
            (2, vec![], vec![("hw_locked_memory", "true")], vec!["LockMemoryForbidden"]),
            (3, vec![("hw:numa_nodes", "2")], vec![], vec!["ImageNUMATopologyAsymmetric"]),
            (2, vec![("hw:numa_nodes", "1")], vec![("hw_numa_nodes", "1")], vec!["ImageNUMATopologyForbidden"]),
            (2, vec![], vec![("hw_tpm_version", "1.2"), ("hw_tpm_model", "tpm-crb")], vec!["Invalid"]),
            (2, vec![], vec![("hw_video_ram", "16")], vec!["RequestedVRamTooHigh"]),
            (2, vec![], vec![("hw_disk_bus", "xen")], vec!["UnsupportedHardware"]),
            (
                2,
                vec![],
                vec![("hw_viommu_model", "intel"), ("hw_machine_type", "pc")],
                vec!["InvalidVIOMMUMachineType"],
            ),
            (
                2,
                vec![("hw:redirected_usb_ports", "2")],
                vec![("hw_redirected_usb_ports", "2")],
                vec!["FlavorImageConflict"],
            ),
        ] {
            assert_eq!(exceptions(vcpus, &specs, &props), expected, "{specs:?} {props:?}");
        }
    }

    #[test]
    fn memory_encryption_is_refused_everywhere() {
        let encrypted = [("hw_mem_encryption", "true")];
        assert_eq!(exceptions(2, &[], &encrypted), ["FlavorImageConflict", "FlavorImageConflict"]);
        let with = |more: &[(&'static str, &'static str)]| exceptions(2, &[], &[&encrypted[..], more].concat());
        assert_eq!(with(&[("hw_firmware_type", "uefi")]), [""; 0]);
        let pc = [("hw_firmware_type", "uefi"), ("hw_machine_type", "pc")];
        assert_eq!(with(&pc), ["InvalidMachineType", "InvalidMachineType"]);
        let snp = [("hw_firmware_type", "uefi"), ("hw_mem_encryption_model", "amd-sev-snp")];
        assert_eq!(with(&snp), ["StatelessFirmwareRequired", "StatelessFirmwareRequired"]);
    }
}
