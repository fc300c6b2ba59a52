//! Machine type and firmware: `_configure_guest_by_virt_type` of Nova's driver.

use super::asked::{Asked, impossible, refused};
use crate::error::{Error, Result};
use serde::Serialize;

/// What a machine type is built around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Chipset {
    /// `pc`: conventional PCI, IDE.
    I440fx,
    /// `q35`: PCI Express, AHCI.
    Q35,
}

/// What a machine starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF.
    Uefi {
        /// Whether only what is signed starts.
        secure_boot: bool,
    },
}

/// `get_machine_type` of `nova/virt/libvirt/utils.py`, for what runs on an x86 host.
pub(super) fn machine_type(asked: &Asked<'_>) -> Result<(String, Chipset)> {
    for key in ["hw_architecture", "hw_emulation_architecture"] {
        if let Some(other) = asked.text(key).filter(|arch| !["x86_64", "i686"].contains(arch)) {
            let cause = "only x86 machines are made so far";
            return Err(Error::unsupported(format!("{key}={other}"), cause));
        }
    }
    if let Some(mode) = asked.text("hw_vm_mode").filter(|mode| *mode != "hvm") {
        return Err(impossible(&format!("hw_vm_mode={mode}"), "KVM runs hvm only"));
    }
    let name = asked.text("hw_machine_type").unwrap_or("pc");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._+".contains(c);
    let chipset = match name {
        _ if !name.chars().all(is_plain) => None,
        _ if name == "q35" || name.starts_with("pc-q35-") => Some(Chipset::Q35),
        _ if name == "pc" || name.starts_with("pc-") => Some(Chipset::I440fx),
        _ => None,
    };
    let reason = format!("{name:?} is no machine type of x86 with PCI: pc, q35, or one of their versions");
    let chipset = chipset.ok_or_else(|| refused("hw_machine_type", "InvalidMachineType", &reason))?;
    Ok((name.to_owned(), chipset))
}

/// `_configure_guest_by_virt_type`: `optional` is secure where it can be.
pub(super) fn firmware(asked: &Asked<'_>, chipset: Chipset, machine_type: &str) -> Result<Firmware> {
    if asked.text("hw_firmware_type") != Some("uefi") {
        return Ok(Firmware::Bios);
    }
    let policy = asked.either("os_secure_boot", "os:secure_boot");
    match policy {
        Some(("required", key)) if chipset != Chipset::Q35 => {
            let reason = format!("secure boot needs the machine type q35, not {machine_type}");
            Err(refused(key, "SecureBootNotSupported", &reason).help("set hw_machine_type=q35"))
        }
        Some(("required", _)) => Ok(Firmware::Uefi { secure_boot: true }),
        Some(("optional", _)) => Ok(Firmware::Uefi { secure_boot: chipset == Chipset::Q35 }),
        _ => Ok(Firmware::Uefi { secure_boot: false }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;

    #[test]
    fn machine_types_and_firmware() {
        let uefi = ("hw_firmware_type", "uefi");
        let q35 = ("hw_machine_type", "q35");
        let secure = |policy| ("os_secure_boot", policy);
        for (specs, properties, expected) in [
            (&[][..], &[][..], (Chipset::I440fx, Firmware::Bios)),
            (&[], &[("hw_machine_type", "pc-q35-9.2"), uefi], (Chipset::Q35, Firmware::Uefi { secure_boot: false })),
            (&[], &[("hw_machine_type", "pc-i440fx-rhel7.6.0")], (Chipset::I440fx, Firmware::Bios)),
            (&[], &[q35, uefi, secure("required")], (Chipset::Q35, Firmware::Uefi { secure_boot: true })),
            (&[], &[q35, uefi, secure("optional")], (Chipset::Q35, Firmware::Uefi { secure_boot: true })),
            (&[], &[uefi, secure("optional")], (Chipset::I440fx, Firmware::Uefi { secure_boot: false })),
            (&[("os:secure_boot", "required")], &[q35, uefi], (Chipset::Q35, Firmware::Uefi { secure_boot: true })),
            // Without UEFI nobody asks.
            (&[], &[q35, secure("required")], (Chipset::Q35, Firmware::Bios)),
        ] {
            let machine = of(specs, properties).unwrap();
            assert_eq!((machine.chipset, machine.firmware), expected, "{properties:?}");
        }
        let error = of(&[], &[uefi, secure("required")]).unwrap_err();
        assert!(error.to_string().contains("SecureBootNotSupported"), "{error}");
    }
}
