//! Devices that image and flavor both may ask for.

use super::{Conflict, FlavorSpecs, python};
use crate::verdict::property::vocabulary::{ImageProps, property};

type Refusal = Result<(), Conflict>;

/// Two truth values that must be equal where both are given.
fn equal_flags(flavor: &FlavorSpecs, image: &ImageProps, spec: &str, key: &'static str) -> Refusal {
    match (flavor.flag(spec), image.flag(key)) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            let reason = format!("the flavor says {spec}={theirs}, the image {key}={ours}");
            Err(Conflict::new("FlavorImageConflict", reason).by(key))
        }
        _ => Ok(()),
    }
}

/// Two words that must be equal where both are given (`_get_unique_flavor_image_meta`); the one that counts.
fn unique<'a>(
    flavor: &'a FlavorSpecs,
    image: &'a ImageProps,
    spec: &str,
    key: &'static str,
) -> Result<Option<&'a str>, Conflict> {
    match (flavor.set(spec), image.text(key)) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            let reason = format!("the flavor says {spec}={theirs}, the image {key}={ours}");
            Err(Conflict::new("FlavorImageConflict", reason).by(key))
        }
        (theirs, ours) => Ok(theirs.or(ours)),
    }
}

/// A word of the flavor that Nova does not know.
fn known(value: Option<&str>, spec: &str, key: &'static str, exception: &'static str) -> Refusal {
    let values = property(key).map(|entry| entry.values.as_slice()).unwrap_or_default();
    match value.filter(|value| !values.iter().any(|known| known == value)) {
        Some(value) => Err(Conflict::new(exception, format!("{spec}={value} is none of {}", values.join(", ")))),
        None => Ok(()),
    }
}

pub(super) fn packed_ring(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    equal_flags(flavor, image, "hw:virtio_packed_ring", "hw_virtio_packed_ring")
}

pub(super) fn pmu(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    equal_flags(flavor, image, "hw:pmu", "hw_pmu")
}

pub(super) fn multiqueue(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    if flavor.vcpus.is_some_and(|vcpus| vcpus < 2) {
        return Ok(());
    }
    equal_flags(flavor, image, "hw:vif_multiqueue_enabled", "hw_vif_multiqueue_enabled")
}

pub(super) fn ephemeral_encryption(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    equal_flags(flavor, image, "hw:ephemeral_encryption", "hw_ephemeral_encryption")
}

pub(super) fn ephemeral_format(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    let (spec, key) = ("hw:ephemeral_encryption_format", "hw_ephemeral_encryption_format");
    known(unique(flavor, image, spec, key)?, spec, key, "Invalid")
}

pub(super) fn serial_ports(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    const SPEC: &str = "hw:serial_port_count";
    let Some(text) = flavor.set(SPEC) else { return Ok(()) };
    let Some(most) = python::int(text).map(|decimal| python::value(&decimal)) else {
        return Err(Conflict::new("ImageSerialPortNumberInvalid", format!("{SPEC}={text} is no number")));
    };
    match image.integer("hw_serial_port_count").filter(|count| *count > most && *count != 0 && most != 0) {
        Some(count) => {
            let reason = format!("the image asks for {count} serial ports, the flavor allows {most}");
            Err(Conflict::new("ImageSerialPortNumberExceedFlavorValue", reason).by("hw_serial_port_count"))
        }
        None => Ok(()),
    }
}

pub(super) fn pci_affinity(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    let (spec, key) = ("hw:pci_numa_affinity_policy", "hw_pci_numa_affinity_policy");
    let policy = unique(flavor, image, spec, key)
        .map_err(|conflict| Conflict { exception: "ImagePCINUMAPolicyForbidden", ..conflict })?;
    known(policy, spec, key, "InvalidPCINUMAAffinity")
}

pub(super) fn secure_boot(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    let policy = unique(flavor, image, "os:secure_boot", "os_secure_boot")?;
    known(policy, "os:secure_boot", "os_secure_boot", "Invalid")
}

pub(super) fn tpm(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    let Some(version) = unique(flavor, image, "hw:tpm_version", "hw_tpm_version")? else { return Ok(()) };
    known(Some(version), "hw:tpm_version", "hw_tpm_version", "Invalid")?;
    let model = unique(flavor, image, "hw:tpm_model", "hw_tpm_model")?;
    known(model, "hw:tpm_model", "hw_tpm_model", "Invalid")?;
    if model == Some("tpm-crb") && version != "2.0" {
        let reason = format!("the model tpm-crb is only there for version 2.0, not {version}");
        return Err(Conflict::new("Invalid", reason).by("hw_tpm_model"));
    }
    Ok(())
}

pub(super) fn address_mode(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    let mode = unique(flavor, image, "hw:maxphysaddr_mode", "hw_maxphysaddr_mode")?;
    known(mode, "hw:maxphysaddr_mode", "hw_maxphysaddr_mode", "Invalid")
}

pub(super) fn sound(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    let model = unique(flavor, image, "hw:sound_model", "hw_sound_model")?;
    known(model, "hw:sound_model", "hw_sound_model", "Invalid")
}

pub(super) fn usb(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    let model = unique(flavor, image, "hw:usb_model", "hw_usb_model")?;
    known(model, "hw:usb_model", "hw_usb_model", "Invalid")
}

pub(super) fn redirected_ports(flavor: &FlavorSpecs, image: &ImageProps) -> Refusal {
    const SPEC: &str = "hw:redirected_usb_ports";
    const KEY: &str = "hw_redirected_usb_ports";
    let count = match (flavor.set(SPEC), image.integer(KEY).filter(|count| *count != 0)) {
        // Nova compares the text of the flavor with the number of the image: they are never equal.
        (Some(theirs), Some(ours)) => {
            let reason = format!("{SPEC}={theirs} and {KEY}={ours} are never equal to Nova: give one of them");
            return Err(Conflict::new("FlavorImageConflict", reason).by(KEY));
        }
        (Some(text), None) => python::int(text).map(|decimal| python::value(&decimal)),
        (None, count) => Some(count.unwrap_or(0)),
    };
    match count.filter(|count| (0..=15).contains(count)) {
        Some(_) => Ok(()),
        None => Err(Conflict::new("Invalid", "0 to 15 ports can be redirected").by(KEY)),
    }
}
