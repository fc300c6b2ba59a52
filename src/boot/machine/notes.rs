//! What is asked for and cannot be had here: nothing is dropped without a word.

use super::asked::Asked;
use super::{Accel, Machine, Network, Role, Wiring};
use serde::Serialize;

/// Something that is asked for and not made as a cloud makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The property, the extra spec or the option of `nova.conf`.
    pub about: String,
    /// What is different here, and what it means.
    pub says: String,
}

impl Note {
    /// A note.
    pub fn new(about: impl Into<String>, says: impl Into<String>) -> Self {
        Self { about: about.into(), says: says.into() }
    }
}

/// Text of image or flavor that asks for something which only a host can give.
const HOST: &[(&str, &str, &str)] = &[
    ("hw_viommu_model", "hw:viommu_model", "no IOMMU is made: the guest finds none"),
    ("hw_cpu_policy", "hw:cpu_policy", "processors are not pinned to those of the host"),
    ("hw_mem_page_size", "hw:mem_page_size", "memory has no pages of a chosen size"),
    ("hw_locked_memory", "hw:locked_memory", "memory is not locked"),
    ("hw_numa_nodes", "hw:numa_nodes", "the memory is one node, not one of NUMA"),
    ("hw_redirected_usb_ports", "hw:redirected_usb_ports", "no USB port is redirected: that needs SPICE on the host"),
    ("hw_serial_port_count", "hw:serial_port_count", "there is one serial port: more need [serial_console]enabled"),
    ("hw_ephemeral_encryption", "hw:ephemeral_encryption", "the disk lies unencrypted on the host"),
    ("hw_pci_numa_affinity_policy", "hw:pci_numa_affinity_policy", "no device is passed through"),
    ("hw_firmware_stateless", "", "the firmware keeps variables, in a copy that is thrown away"),
    ("hw_video_ram", "", "there is no graphics card to have memory"),
];

/// Extra specs, by how they begin, that only a host can fulfil.
const SPECS: &[(&str, &str)] = &[
    ("quota:", "no limit of quota: is set"),
    ("pci_passthrough:", "no device is passed through"),
    ("accel:", "no accelerator is there"),
    ("resources", "no resource of the host is given: no vGPU, no persistent memory"),
    ("hw:cpu_realtime", "no processor runs in real time"),
    ("hw:pmem", "there is no persistent memory"),
];

/// What the properties and the flavor ask for in vain.
pub(super) fn of(asked: &Asked<'_>) -> Vec<Note> {
    let mut notes = vec![Note::new(
        "[libvirt]hw_disk_discard",
        "unmap is taken for granted; Nova has no default, and a node without it ignores what the guest discards",
    )];
    if asked.is_encrypted() {
        notes.push(Note::new("hw_mem_encryption", "memory is not encrypted: SEV and TDX need the host's processor"));
    }
    for (key, spec, says) in HOST {
        let is_off =
            |value: &str| matches!(value.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0" | "shared");
        if let Some(value) = asked.raw.get(*key).filter(|value| !is_off(value)) {
            notes.push(Note::new(format!("{key}={value}"), *says));
        } else if let Some(value) = asked.spec(spec).filter(|value| !is_off(value)) {
            notes.push(Note::new(format!("{spec}={value}"), *says));
        }
    }
    for (stem, says) in SPECS {
        if let Some(name) = asked.specs().find(|name| name.starts_with(stem)) {
            notes.push(Note::new(name, *says));
        }
    }
    for key in ["kernel_id", "ramdisk_id"].iter().filter(|key| asked.raw.contains_key(**key)) {
        let says = "Nova starts that kernel beside the disk; here the disk's own loader starts its own";
        notes.push(Note::new(*key, says));
    }
    if let Some(kind) = asked.text("img_hv_type").filter(|kind| !["kvm", "qemu"].contains(kind)) {
        notes.push(Note::new(format!("img_hv_type={kind}"), "the scheduler keeps the image away from libvirt's nodes"));
    }
    if let Some(rng) = asked.text("hw_rng_model") {
        notes.push(Note::new(format!("hw_rng_model={rng}"), "Nova no longer reads it; only the flavor decides"));
    }
    if asked.text("hw_architecture") == Some("i686") {
        notes.push(Note::new("hw_architecture=i686", "the machine is one of x86_64, which runs 32 bits too"));
    }
    notes
}

impl Machine {
    /// What this host's wiring cannot give of it, besides its own notes.
    pub fn shortfalls(&self, wiring: &Wiring) -> Vec<Note> {
        let mut notes = Vec::new();
        if self.promises.queues > 1 && matches!(wiring.network, Network::User { .. }) {
            let says = "QEMU's own network has one queue; several need a tap device, in a namespace of one's own";
            notes.push(Note::new("hw_vif_multiqueue_enabled", says));
        }
        if self.device(Role::Tpm).is_some() && wiring.tpm.is_none() {
            notes.push(Note::new("hw_tpm_version", "no TPM is made: swtpm is not in PATH; install swtpm"));
        }
        if self.device(Role::ConfigDrive).is_some() && wiring.config_drive.is_none() {
            notes.push(Note::new("img_config_drive", "no config drive is made: none was written"));
        }
        if wiring.accel == Accel::Tcg {
            for feature in self.cpu_features.iter().filter(|feature| super::cpu::is_kvm_only(feature)) {
                notes.push(Note::new(feature.as_str(), "only KVM has it"));
            }
            if self.cpu_features.iter().any(|feature| feature == "pmu=on") {
                notes.push(Note::new("hw_pmu", "QEMU's translator counts no events"));
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::super::{Accel, Network, Wiring};

    #[test]
    fn nothing_is_dropped_without_a_word() {
        for (specs, properties, about) in [
            (&[][..], &[("hw_viommu_model", "intel"), ("hw_machine_type", "q35")][..], "hw_viommu_model=intel"),
            (&[("hw:numa_nodes", "2")], &[], "hw:numa_nodes=2"),
            (&[("hw:cpu_policy", "dedicated")], &[], "hw:cpu_policy=dedicated"),
            (&[("quota:disk_read_iops_sec", "10")], &[], "quota:disk_read_iops_sec"),
            (&[("resources:VGPU", "1")], &[], "resources:VGPU"),
            (&[], &[("hw_redirected_usb_ports", "1")], "hw_redirected_usb_ports=1"),
            (&[], &[("kernel_id", "x")], "kernel_id"),
            (&[], &[("hypervisor_type", "vmware")], "img_hv_type=vmware"),
            (&[], &[("hw_sound_model", "pcspk")], "hw_sound_model"),
            (
                &[],
                &[("hw_mem_encryption", "true"), ("hw_firmware_type", "uefi"), ("hw_machine_type", "q35")],
                "hw_mem_encryption",
            ),
        ] {
            let machine = of(specs, properties).unwrap();
            assert!(machine.notes.iter().any(|note| note.about == about), "{about}: {:?}", machine.notes);
        }
        // Of an ordinary image only what nova.conf must say.
        assert_eq!(of(&[], &[("hw_cpu_policy", "shared")]).unwrap().notes.len(), 1);
    }

    #[test]
    fn what_the_host_lacks() {
        let asked = [("hw_vif_multiqueue_enabled", "yes"), ("hw_tpm_version", "2.0"), ("hw_pmu", "yes")];
        let machine = of(&[], &asked).unwrap();
        let mut wiring = Wiring {
            folder: "/b".into(),
            base: "/i".into(),
            base_format: "raw",
            overlay: "/o".into(),
            config_drive: None,
            network: Network::User { forward: None },
            accel: Accel::Tcg,
            cpu: "max".to_owned(),
            firmware: None,
            tpm: None,
        };
        let about = |wiring: &Wiring| machine.shortfalls(wiring).into_iter().map(|note| note.about).collect::<Vec<_>>();
        assert_eq!(about(&wiring), ["hw_vif_multiqueue_enabled", "hw_tpm_version", "img_config_drive", "hw_pmu"]);
        wiring.network = Network::Tap { name: "tap0".to_owned() };
        wiring.tpm = Some("/t".into());
        wiring.config_drive = Some("/c".into());
        wiring.accel = Accel::Kvm;
        assert_eq!(about(&wiring), [""; 0]);
    }
}
