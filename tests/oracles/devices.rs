//! Instances for which our devices must be those of Nova and libvirt: `ask_nova.py` makes a domain XML of each,
//! `ask_libvirt.py` makes QEMU's arguments of that, `fixtures/oracles/devices.json.gz` keeps both.

use super::Dice;
use super::domains::Domain;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The recorded table.
pub fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles/devices.json.gz")
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Of libvirt and QEMU.
    pub versions: Vec<String>,
    pub rows: Vec<Row>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub domain: Domain,
    /// The functions of `nova.virt.hardware` that refuse it, with their exceptions: API and scheduler ask some of them.
    pub refused: BTreeMap<String, String>,
    /// The domain XML, or the driver's exception.
    pub xml: String,
    /// Without an XML there is none.
    pub qemu: Option<Translated>,
}

/// What libvirt makes of an XML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Translated {
    Arguments(Vec<String>),
    Refused(String),
}

/// A name, then `KEY=VALUE` of the image, `NAME=VALUE` of the flavor's extra specs (they have a colon), `vcpus=`,
/// `memory=` and `config_drive`.
const CASES: &[(&str, &str)] = &[
    ("nothing", ""),
    ("config drive", "config_drive"),
    ("blk", "hw_disk_bus=virtio"),
    ("blk, config drive of the image", "hw_disk_bus=virtio img_config_drive=mandatory"),
    ("blk, cdrom sata", "hw_disk_bus=virtio hw_cdrom_bus=sata config_drive"),
    ("blk, cdrom scsi", "hw_disk_bus=virtio hw_cdrom_bus=scsi hw_scsi_model=virtio-scsi config_drive"),
    ("blk, cdrom scsi, no model", "hw_disk_bus=virtio hw_cdrom_bus=scsi config_drive"),
    ("blk, cdrom usb", "hw_disk_bus=virtio hw_cdrom_bus=usb config_drive"),
    ("blk, cdrom virtio", "hw_disk_bus=virtio hw_cdrom_bus=virtio config_drive"),
    ("blk, q35", "hw_disk_bus=virtio hw_machine_type=q35"),
    ("blk, q35, config drive", "hw_disk_bus=virtio hw_machine_type=q35 config_drive"),
    ("blk, q35, cdrom ide", "hw_disk_bus=virtio hw_machine_type=q35 hw_cdrom_bus=ide config_drive"),
    ("scsi", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi"),
    ("scsi, config drive", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi config_drive"),
    ("scsi, cdrom scsi", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_cdrom_bus=scsi config_drive"),
    ("scsi, cdrom ide", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_cdrom_bus=ide config_drive"),
    ("scsi, cdrom sata", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_cdrom_bus=sata config_drive"),
    ("scsi, queues", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_vif_multiqueue_enabled=true"),
    ("scsi, queues, 1 cpu", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_vif_multiqueue_enabled=true vcpus=1"),
    ("scsi, queues, 8 cpus", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_vif_multiqueue_enabled=true vcpus=8"),
    ("scsi, q35", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_machine_type=q35"),
    ("scsi, q35, config drive", "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_machine_type=q35 config_drive"),
    (
        "scsi, q35, cdrom scsi",
        "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_machine_type=q35 hw_cdrom_bus=scsi config_drive",
    ),
    (
        "all, pc",
        "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_vif_multiqueue_enabled=true hw_qemu_guest_agent=yes \
         hw_watchdog_action=reset os_type=linux config_drive",
    ),
    (
        "all, q35, uefi",
        "hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_vif_multiqueue_enabled=true hw_qemu_guest_agent=yes \
         hw_watchdog_action=reset os_type=linux hw_machine_type=q35 hw_firmware_type=uefi config_drive",
    ),
    ("scsi without a model", "hw_disk_bus=scsi"),
    ("scsi without a model, q35", "hw_disk_bus=scsi hw_machine_type=q35"),
    ("scsi, lsilogic", "hw_disk_bus=scsi hw_scsi_model=lsilogic"),
    ("scsi, lsisas1068", "hw_disk_bus=scsi hw_scsi_model=lsisas1068"),
    ("a model beside blk", "hw_disk_bus=virtio hw_scsi_model=virtio-scsi"),
    ("ide", "hw_disk_bus=ide"),
    ("ide, config drive", "hw_disk_bus=ide config_drive"),
    ("ide, q35", "hw_disk_bus=ide hw_machine_type=q35"),
    ("sata", "hw_disk_bus=sata"),
    ("sata, config drive", "hw_disk_bus=sata config_drive"),
    ("sata, q35, config drive", "hw_disk_bus=sata hw_machine_type=q35 config_drive"),
    ("usb", "hw_disk_bus=usb"),
    ("usb, config drive, keyboard", "hw_disk_bus=usb hw_cdrom_bus=usb hw_input_bus=usb config_drive"),
    ("usb, q35, config drive", "hw_disk_bus=usb hw_machine_type=q35 config_drive"),
    ("fdc", "hw_disk_bus=fdc"),
    ("xen", "hw_disk_bus=xen"),
    ("pc-i440fx-7.2", "hw_machine_type=pc-i440fx-7.2"),
    ("pc-q35-7.2", "hw_machine_type=pc-q35-7.2 config_drive"),
    ("pc-q35-9.2, scsi", "hw_machine_type=pc-q35-9.2 hw_disk_bus=scsi hw_scsi_model=virtio-scsi"),
    ("isapc", "hw_machine_type=isapc"),
    ("bios", "hw_firmware_type=bios"),
    ("uefi, pc", "hw_firmware_type=uefi"),
    ("uefi, q35", "hw_firmware_type=uefi hw_machine_type=q35"),
    ("uefi, q35, signatures off", "hw_firmware_type=uefi hw_machine_type=q35 os_secure_boot=disabled"),
    ("uefi, q35, signatures", "hw_firmware_type=uefi hw_machine_type=q35 os_secure_boot=required"),
    ("uefi, q35, signatures where they can be", "hw_firmware_type=uefi hw_machine_type=q35 os_secure_boot=optional"),
    ("uefi, pc, signatures", "hw_firmware_type=uefi os_secure_boot=required"),
    ("uefi, q35, signatures of the flavor", "hw_firmware_type=uefi hw_machine_type=q35 os:secure_boot=required"),
    ("uefi, stateless", "hw_firmware_type=uefi hw_machine_type=q35 hw_firmware_stateless=true"),
    ("watchdog none", "hw_watchdog_action=none"),
    ("watchdog pause", "hw_watchdog_action=pause"),
    ("watchdog poweroff", "hw_watchdog_action=poweroff"),
    ("watchdog reset", "hw_watchdog_action=reset"),
    ("watchdog disabled", "hw_watchdog_action=disabled"),
    ("watchdog, q35", "hw_watchdog_action=reset hw_machine_type=q35"),
    ("watchdog pause, q35", "hw_watchdog_action=pause hw_machine_type=q35"),
    ("watchdog disabled, q35", "hw_watchdog_action=disabled hw_machine_type=q35"),
    ("watchdog of the flavor", "hw:watchdog_action=pause"),
    ("watchdog of both", "hw:watchdog_action=pause hw_watchdog_action=reset"),
    ("watchdog of the flavor, off in the image", "hw:watchdog_action=reset hw_watchdog_action=disabled"),
    ("agent", "hw_qemu_guest_agent=yes"),
    ("agent, off", "hw_qemu_guest_agent=no"),
    ("agent, q35", "hw_qemu_guest_agent=true hw_machine_type=q35"),
    ("rng off", "hw_rng:allowed=False"),
    ("rng off, asked by the image", "hw_rng:allowed=false hw_rng_model=virtio"),
    ("rng with a rate", "hw_rng:rate_bytes=1024 hw_rng:rate_period=2000"),
    ("card e1000", "hw_vif_model=e1000"),
    ("card e1000, queues", "hw_vif_model=e1000 hw_vif_multiqueue_enabled=true"),
    ("card e1000e, q35", "hw_vif_model=e1000e hw_machine_type=q35"),
    ("card e1000e", "hw_vif_model=e1000e"),
    ("card rtl8139", "hw_vif_model=rtl8139"),
    ("card ne2k_pci", "hw_vif_model=ne2k_pci"),
    ("card pcnet", "hw_vif_model=pcnet"),
    ("card vmxnet3", "hw_vif_model=vmxnet3"),
    ("card igb, q35", "hw_vif_model=igb hw_machine_type=q35"),
    ("card spapr-vlan", "hw_vif_model=spapr-vlan"),
    ("card virtio", "hw_vif_model=virtio"),
    ("packed", "hw_virtio_packed_ring=true"),
    (
        "packed, scsi, queues",
        "hw_virtio_packed_ring=true hw_disk_bus=scsi hw_scsi_model=virtio-scsi hw_vif_multiqueue_enabled=true",
    ),
    ("packed, card e1000", "hw_virtio_packed_ring=true hw_vif_model=e1000"),
    ("packed off, card e1000", "hw_virtio_packed_ring=false hw_vif_model=e1000"),
    ("packed of the flavor", "hw:virtio_packed_ring=true"),
    ("queues of the flavor", "hw:vif_multiqueue_enabled=true vcpus=4"),
    (
        "queues of the flavor, off in the image",
        "hw:vif_multiqueue_enabled=true hw_vif_multiqueue_enabled=false vcpus=4",
    ),
    ("tpm 2.0", "hw_tpm_version=2.0"),
    ("tpm 2.0, crb", "hw_tpm_version=2.0 hw_tpm_model=tpm-crb"),
    ("tpm 2.0, crb, q35, uefi", "hw_tpm_version=2.0 hw_tpm_model=tpm-crb hw_machine_type=q35 hw_firmware_type=uefi"),
    ("tpm 1.2", "hw_tpm_version=1.2 hw_tpm_model=tpm-tis"),
    ("tpm of the flavor", "hw:tpm_version=2.0 hw:tpm_model=tpm-crb"),
    ("a model without a tpm", "hw_tpm_model=tpm-crb"),
    ("boot menu", "hw_boot_menu=true"),
    ("boot menu of the flavor", "hw:boot_menu=true"),
    ("boot menu off in the image", "hw:boot_menu=true hw_boot_menu=false"),
    ("input virtio", "hw_input_bus=virtio"),
    ("input usb", "hw_input_bus=usb"),
    ("input virtio, q35", "hw_input_bus=virtio hw_machine_type=q35"),
    ("pointer", "hw_pointer_model=usbtablet"),
    ("video none", "hw_video_model=none"),
    ("video vga", "hw_video_model=vga"),
    ("video vga with memory", "hw_video_model=vga hw_video_ram=32 hw_video:ram_max_mb=64"),
    ("video cirrus", "hw_video_model=cirrus"),
    ("video bochs, q35", "hw_video_model=bochs hw_machine_type=q35"),
    ("video qxl", "hw_video_model=qxl"),
    ("video virtio, q35", "hw_video_model=virtio hw_machine_type=q35"),
    ("serial ports", "hw_serial_port_count=2"),
    ("serial ports of the flavor", "hw:serial_port_count=3 hw_serial_port_count=2"),
    ("1 cpu", "vcpus=1"),
    ("4 cpus, 2 GiB", "vcpus=4 memory=2048"),
    ("cores of the image", "vcpus=4 hw_cpu_sockets=1 hw_cpu_cores=2 hw_cpu_threads=2"),
    ("cores of the flavor", "vcpus=4 hw:cpu_sockets=2 hw:cpu_cores=2"),
    ("one socket at most", "vcpus=4 hw:cpu_max_sockets=1"),
    ("threads at most", "vcpus=4 hw_cpu_max_sockets=1 hw_cpu_max_cores=2"),
    ("hypervisor hidden", "img_hide_hypervisor_id=true"),
    ("hypervisor hidden by the flavor", "hw:hide_hypervisor_id=true"),
    ("hpet", "hw_time_hpet=true"),
    ("pmu", "hw_pmu=true"),
    ("pmu off", "hw_pmu=false"),
    ("windows", "os_type=windows"),
    ("windows, hidden", "os_type=windows img_hide_hypervisor_id=true"),
    ("locked memory", "hw_locked_memory=true"),
    ("iommu intel, q35", "hw_viommu_model=intel hw_machine_type=q35"),
    ("iommu virtio, q35", "hw_viommu_model=virtio hw_machine_type=q35"),
    ("iommu intel, pc", "hw_viommu_model=intel"),
    ("usb xhci", "hw_usb_model=qemu-xhci"),
    ("usb xhci, input virtio", "hw_usb_model=qemu-xhci hw_input_bus=virtio"),
    ("usb xhci, q35, input virtio", "hw_usb_model=qemu-xhci hw_input_bus=virtio hw_machine_type=q35"),
    ("usb none", "hw_usb_model=none"),
    ("sound", "hw_sound_model=ich6"),
    ("sound virtio", "hw_sound_model=virtio"),
    ("redirected usb", "hw_redirected_usb_ports=1"),
    ("physical address bits", "hw_maxphysaddr_mode=emulate hw_maxphysaddr_bits=42"),
    ("traits and quotas", "trait:HW_CPU_X86_AVX2=required quota:cpu_shares=1024 quota:disk_read_iops_sec=100"),
];

/// What is thrown together: words of an image, then of a flavor.
const IMAGE: &[(&str, &[&str])] = &[
    ("hw_disk_bus", &["virtio", "scsi", "scsi", "ide", "sata", "usb"]),
    ("hw_scsi_model", &["virtio-scsi", "virtio-scsi", "lsilogic", "lsisas1068", "lsisas1078", "vmpvscsi", "buslogic"]),
    ("hw_cdrom_bus", &["ide", "sata", "scsi", "usb"]),
    ("hw_machine_type", &["pc", "q35", "q35", "pc-q35-9.2", "pc-i440fx-9.2"]),
    ("hw_firmware_type", &["uefi", "uefi", "bios"]),
    ("os_secure_boot", &["required", "optional", "disabled"]),
    ("hw_qemu_guest_agent", &["yes", "yes", "no"]),
    ("hw_watchdog_action", &["none", "pause", "poweroff", "reset", "disabled"]),
    ("hw_vif_model", &["virtio", "virtio", "e1000", "e1000e", "rtl8139", "pcnet", "ne2k_pci", "vmxnet3", "igb"]),
    ("hw_vif_multiqueue_enabled", &["true", "yes", "false"]),
    ("hw_virtio_packed_ring", &["true", "false"]),
    ("hw_tpm_version", &["2.0", "2.0", "1.2"]),
    ("hw_tpm_model", &["tpm-tis", "tpm-crb"]),
    ("hw_input_bus", &["usb", "virtio"]),
    ("hw_pointer_model", &["usbtablet"]),
    ("hw_video_model", &["virtio", "vga", "cirrus", "bochs", "none", "vmvga"]),
    ("hw_sound_model", &["ich6", "ich9", "ac97", "es1370", "sb16", "usb", "virtio", "pcspk"]),
    ("hw_usb_model", &["qemu-xhci", "nec-xhci", "none"]),
    ("hw_time_hpet", &["true", "false"]),
    ("hw_pmu", &["true", "false"]),
    ("img_hide_hypervisor_id", &["true", "false"]),
    ("os_type", &["linux", "windows"]),
    ("hw_boot_menu", &["true", "false"]),
    ("hw_cpu_sockets", &["1", "2", "4"]),
    ("hw_cpu_cores", &["1", "2"]),
    ("hw_cpu_threads", &["1", "2"]),
    ("hw_cpu_max_sockets", &["1", "2"]),
    ("img_config_drive", &["mandatory", "optional"]),
    ("hw_rng_model", &["virtio"]),
];
const FLAVOR: &[(&str, &[&str])] = &[
    ("hw:watchdog_action", &["none", "pause", "reset", "disabled"]),
    ("hw:boot_menu", &["true", "false"]),
    ("hw:cpu_max_sockets", &["1", "2"]),
    ("hw:cpu_cores", &["1", "2"]),
    ("hw:cpu_threads", &["2"]),
    ("hw:hide_hypervisor_id", &["true", "false"]),
    ("hw:pmu", &["true", "false"]),
    ("hw:vif_multiqueue_enabled", &["true", "false"]),
    ("hw:virtio_packed_ring", &["true"]),
    ("hw:sound_model", &["ich9", "virtio"]),
    ("hw:usb_model", &["qemu-xhci"]),
    ("hw:tpm_version", &["2.0"]),
    ("os:secure_boot", &["required", "disabled"]),
    ("hw_rng:allowed", &["True", "False"]),
    ("hw_rng:rate_bytes", &["4096"]),
];

/// Every instance with its name, the same at every run.
pub fn cases() -> Vec<(String, Domain)> {
    let mut cases: Vec<_> = CASES.iter().map(|(name, text)| ((*name).to_owned(), domain(text))).collect();
    let mut dice = Dice(5);
    for number in 1..=250 {
        let (properties, specs) = (dice.below(9) + 1, dice.below(3));
        let properties = dice.some(IMAGE, properties);
        // Without a drive the bus is only a word, and no controller comes of it.
        let config_drive = properties.contains_key("hw_cdrom_bus") || dice.below(2) == 0;
        let specs = dice.some(FLAVOR, specs);
        let vcpus = [1, 2, 4, 6][dice.below(4)];
        cases.push((format!("thrown {number}"), Domain { vcpus, memory: 1024, specs, properties, config_drive }));
    }
    cases
}

fn domain(text: &str) -> Domain {
    let mut domain = Domain { vcpus: 2, memory: 1024, ..Domain::default() };
    for word in text.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "config_drive" => domain.config_drive = true,
            "vcpus" => domain.vcpus = value.parse().unwrap(),
            "memory" => domain.memory = value.parse().unwrap(),
            _ if key.contains(':') => drop(domain.specs.insert(key.to_owned(), value.to_owned())),
            _ => drop(domain.properties.insert(key.to_owned(), value.to_owned())),
        }
    }
    domain
}
