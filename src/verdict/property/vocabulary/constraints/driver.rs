//! What the libvirt driver refuses under kvm (`nova/virt/libvirt/{driver,blockinfo,vif}.py`); the machine ends in an error.

use super::{Conflict, FlavorSpecs, python};
use crate::verdict::property::vocabulary::ImageProps;

/// Buses under kvm (`SUPPORTED_DEVICE_BUSES`).
pub(crate) const DISK_BUSES: &[&str] = &["virtio", "scsi", "ide", "usb", "fdc", "sata"];
/// Network cards under kvm (`SUPPORTED_VIF_MODELS`).
pub(crate) const CARDS: &[&str] =
    &["virtio", "ne2k_pci", "pcnet", "rtl8139", "e1000", "e1000e", "spapr-vlan", "vmxnet3", "igb"];

fn supported(image: &ImageProps, key: &'static str, known: &[&str]) -> Result<(), Conflict> {
    match image.text(key).filter(|value| !known.contains(value)) {
        Some(value) => {
            let reason = format!("kvm has no {key}={value}; it has {}", known.join(", "));
            Err(Conflict::new("UnsupportedHardware", reason).by(key))
        }
        None => Ok(()),
    }
}

pub(super) fn disk_bus(_: &FlavorSpecs, image: &ImageProps) -> Result<(), Conflict> {
    supported(image, "hw_disk_bus", DISK_BUSES)
}

pub(super) fn card(_: &FlavorSpecs, image: &ImageProps) -> Result<(), Conflict> {
    supported(image, "hw_vif_model", CARDS)
}

/// `_add_video_driver`: without a limit in the flavor there is none to spend.
pub(super) fn video_memory(flavor: &FlavorSpecs, image: &ImageProps) -> Result<(), Conflict> {
    const SPEC: &str = "hw_video:ram_max_mb";
    let text = flavor.get(SPEC).unwrap_or("0");
    let Some(most) = python::int(text).map(|decimal| python::value(&decimal)) else {
        return Err(Conflict::new("ValueError", format!("{SPEC}={text} is no number")));
    };
    match image.integer("hw_video_ram").filter(|wanted| *wanted > most) {
        Some(wanted) => {
            let reason = format!("the image asks for {wanted} MiB of video memory, {SPEC} of the flavor is {most}");
            Err(Conflict::new("RequestedVRamTooHigh", reason).by("hw_video_ram"))
        }
        None => Ok(()),
    }
}

/// `_get_iommu_model`; an image that names no machine type gets the node's default, which is pc on x86.
pub(super) fn iommu(flavor: &FlavorSpecs, image: &ImageProps) -> Result<(), Conflict> {
    let Some(_) = flavor.set("hw:viommu_model").or(image.text("hw_viommu_model")) else { return Ok(()) };
    let (default, wanted) = match image.text("hw_architecture") {
        None | Some("x86_64" | "i686") => ("pc", "q35"),
        Some("aarch64") => ("virt", "virt"),
        Some(other) => {
            let reason = format!("there is an IOMMU for x86 and aarch64 only, not for {other}");
            return Err(Conflict::new("InvalidVIOMMUArchitecture", reason).by("hw_viommu_model"));
        }
    };
    let machine = image.text("hw_machine_type");
    if machine.unwrap_or(default).contains(wanted) {
        return Ok(());
    }
    let found =
        machine.map_or_else(|| format!("none is named, and {default} is usual"), |name| format!("it is {name:?}"));
    let reason = format!("an IOMMU needs hw_machine_type={wanted}; {found}");
    Err(Conflict::new("InvalidVIOMMUMachineType", reason).by("hw_viommu_model"))
}

/// `_guest_add_watchdog_action`: the image wins, whatever it says.
pub(super) fn watchdog(flavor: &FlavorSpecs, image: &ImageProps) -> Result<(), Conflict> {
    const ACTIONS: &[&str] = &["none", "pause", "poweroff", "reset", "disabled"];
    let asked = image.text("hw_watchdog_action").or(flavor.set("hw:watchdog_action")).unwrap_or("disabled");
    if ACTIONS.contains(&asked) {
        return Ok(());
    }
    Err(Conflict::new("InvalidWatchdogAction", format!("{asked:?} is none of {}", ACTIONS.join(", "))))
}
