//! The root disk, the config drive and what they hang on: `nova/virt/libvirt/blockinfo.py`, `driver.py`
//! (`_get_guest_storage_config`), and libvirt's names for them.

use super::asked::{Asked, impossible};
use super::device::{Device, Plug, Role, Turn};
use super::{Chipset, Note};
use crate::error::Result;
use serde::Serialize;

/// What a disk hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bus {
    /// virtio-blk.
    Virtio,
    /// A SCSI controller, virtio-scsi or another.
    Scsi,
    /// The chipset of pc.
    Ide,
    /// AHCI.
    Sata,
    /// A USB stick.
    Usb,
}

/// The node of QEMU's block layer that the root disk shows.
pub(super) const ROOT_NODE: &str = "root-format";
/// The node that the config drive shows.
pub(super) const CONFIG_NODE: &str = "config-format";

const DISK_BUS: &str = "hw_disk_bus";
const CDROM_BUS: &str = "hw_cdrom_bus";
const MODEL: &str = "hw_scsi_model";

/// The disks, the controllers that they need, and where they hang.
pub(super) struct Storage {
    pub(super) devices: Vec<Device>,
    pub(super) root: Bus,
    pub(super) config_drive: Option<Bus>,
}

/// Root disk, config drive and their controllers.
pub(super) fn storage(asked: &Asked<'_>, chipset: Chipset, notes: &mut Vec<Note>) -> Result<Storage> {
    let (root, root_from) = match asked.text(DISK_BUS) {
        Some(word) => (bus(DISK_BUS, word, chipset)?, DISK_BUS),
        None => (Bus::Virtio, "Nova's default disk bus"),
    };
    let (cdrom, cdrom_from) = cdrom(asked, chipset, notes)?;
    let mut devices = Vec::new();
    let is_scsi = root == Bus::Scsi || cdrom == Some(Bus::Scsi);
    let model = asked.text(MODEL);
    devices.extend(scsi_controller(model, is_scsi)?);
    if chipset == Chipset::I440fx && (root == Bus::Sata || cdrom == Some(Bus::Sata)) {
        let ahci = Device::new(Role::DiskController, "ahci", "sata0", "libvirt: a SATA disk on pc");
        devices.push(ahci.plugged(Plug::Conventional(Turn::Implicit)));
    }
    let at = Seat { chipset, is_lsi: model.is_none_or(|model| model == "lsilogic") };
    devices.push(at.disk(root, 0, Part::Root, root_from).with("bootindex", 1));
    if let Some(bus) = cdrom {
        // Nova counts units itself only where the controller is virtio-scsi; else the letter of the name decides.
        let is_counted = bus == Bus::Scsi && model == Some("virtio-scsi");
        let is_second = if is_counted { root == Bus::Scsi } else { letters(root) == letters(bus) };
        devices.push(at.disk(bus, u32::from(is_second), Part::Config, cdrom_from));
    }
    Ok(Storage { devices, root, config_drive: cdrom })
}

/// `get_dev_prefix_for_disk_bus`.
fn letters(bus: Bus) -> &'static str {
    match bus {
        Bus::Virtio => "vd",
        Bus::Ide => "hd",
        Bus::Scsi | Bus::Sata | Bus::Usb => "sd",
    }
}

fn bus(key: &str, word: &str, chipset: Chipset) -> Result<Bus> {
    match word {
        "virtio" => Ok(Bus::Virtio),
        "scsi" => Ok(Bus::Scsi),
        "ide" if chipset == Chipset::Q35 => {
            Err(impossible(&format!("{key}=ide"), "q35 has no IDE controller").help("use sata, scsi or virtio"))
        }
        "ide" => Ok(Bus::Ide),
        "sata" => Ok(Bus::Sata),
        "usb" => Ok(Bus::Usb),
        _ => Err(impossible(&format!("{key}={word}"), "it is a bus of floppy drives only").help("use scsi or virtio")),
    }
}

/// The config drive's bus; none where libvirt would refuse a config drive that nobody is forced to have.
fn cdrom(asked: &Asked<'_>, chipset: Chipset, notes: &mut Vec<Note>) -> Result<(Option<Bus>, &'static str)> {
    let Some(word) = asked.text(CDROM_BUS) else {
        return Ok(match chipset {
            Chipset::I440fx => (Some(Bus::Ide), "Nova's CD-ROM bus of pc"),
            Chipset::Q35 => (Some(Bus::Sata), "Nova's CD-ROM bus of q35"),
        });
    };
    let found = match bus(CDROM_BUS, word, chipset) {
        Ok(Bus::Virtio) => Err(impossible("hw_cdrom_bus=virtio", "virtio-blk has no ejectable media")),
        found => found,
    };
    match found {
        Ok(bus) => Ok((Some(bus), CDROM_BUS)),
        Err(error) if asked.text("img_config_drive") == Some("mandatory") => Err(error),
        Err(error) => {
            notes.push(Note::new(CDROM_BUS, format!("there is no config drive, for {error}")));
            Ok((None, CDROM_BUS))
        }
    }
}

/// The controller that the image names, whether or not a disk hangs on it; else libvirt's own.
fn scsi_controller(model: Option<&str>, is_used: bool) -> Result<Option<Device>> {
    let conventional = |driver, turn| (driver, Plug::Conventional(turn));
    let (driver, plug) = match model {
        Some("virtio-scsi") => ("virtio-scsi-pci", Plug::Express(Turn::Controller)),
        Some("lsilogic") => conventional("lsi", Turn::Controller),
        Some("lsisas1068") => conventional("mptsas1068", Turn::Controller),
        Some("lsisas1078") => conventional("megasas", Turn::Controller),
        Some("vmpvscsi") => conventional("pvscsi", Turn::Controller),
        Some(other) => {
            let help = "use hw_scsi_model=virtio-scsi";
            return Err(impossible(&format!("{MODEL}={other}"), "QEMU has no such controller on x86").help(help));
        }
        None if is_used => conventional("lsi", Turn::Implicit),
        None => return Ok(None),
    };
    let from = if model.is_some() { MODEL } else { "libvirt: a SCSI disk without hw_scsi_model" };
    Ok(Some(Device::new(Role::DiskController, driver, "scsi0", from).plugged(plug)))
}

/// Root disk or config drive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Root,
    Config,
}

struct Seat {
    chipset: Chipset,
    is_lsi: bool,
}

impl Seat {
    /// A disk as number `unit` of its bus, with libvirt's alias.
    fn disk(&self, bus: Bus, unit: u32, part: Part, from: &str) -> Device {
        let is_root = part == Part::Root;
        let role = if is_root { Role::RootDisk } else { Role::ConfigDrive };
        let node = if is_root { ROOT_NODE } else { CONFIG_NODE };
        let named =
            |driver, id: String| Device::new(role, driver, id, from).with("drive", node).with("write-cache", "on");
        match bus {
            Bus::Virtio => named("virtio-blk-pci", format!("virtio-disk{unit}")).plugged(Plug::Express(Turn::Disk)),
            Bus::Ide => {
                let driver = if is_root { "ide-hd" } else { "ide-cd" };
                named(driver, format!("ide0-0-{unit}")).on("ide.0").with("unit", unit)
            }
            Bus::Sata => {
                let driver = if is_root { "ide-hd" } else { "ide-cd" };
                let controller = if self.chipset == Chipset::Q35 { "ide" } else { "sata0" };
                named(driver, format!("sata0-0-{unit}")).on(format!("{controller}.{unit}"))
            }
            Bus::Usb => {
                let number = u32::from(!is_root).min(unit);
                named("usb-storage", format!("usb-disk{number}")).on("usb.0").with("removable", false)
            }
            Bus::Scsi => {
                let driver = if is_root { "scsi-hd" } else { "scsi-cd" };
                let place = if self.is_lsi { format!("0-0-{unit}") } else { format!("0-0-0-{unit}") };
                let disk = named(driver, format!("scsi{place}")).on("scsi0.0");
                let disk = disk.with("device_id", format!("drive-scsi{place}"));
                if self.is_lsi {
                    disk.with("scsi-id", unit)
                } else {
                    disk.with("channel", 0).with("scsi-id", 0).with("lun", unit)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::super::{Device, Machine, Role};

    fn shown(device: &Device) -> String {
        let bus = device.bus.as_deref().filter(|_| device.address.is_none());
        let unit = ["unit", "lun", "scsi-id", "port"].iter().find_map(|key| Some((*key, device.options.get(*key)?)));
        let unit = unit.map_or(String::new(), |(key, unit)| format!(" {key}={unit}"));
        format!("{} {} {}{unit}", device.driver, device.id, bus.unwrap_or("pci")).replace('"', "")
    }

    fn disks(properties: &[(&str, &str)]) -> Result<String, String> {
        let machine: Machine = of(&[], properties).map_err(|error| error.to_string())?;
        let roles = [Role::DiskController, Role::RootDisk, Role::ConfigDrive];
        let disks = machine.devices.iter().filter(|device| roles.contains(&device.role));
        Ok(disks.map(shown).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn disks_hang_where_nova_and_libvirt_hang_them() {
        let cd = "ide-cd ide0-0-0 ide.0 unit=0";
        for (properties, expected) in [
            (&[][..], format!("virtio-blk-pci virtio-disk0 pci, {cd}")),
            (
                &[("hw_disk_bus", "scsi"), ("hw_scsi_model", "virtio-scsi")],
                format!("virtio-scsi-pci scsi0 pci, scsi-hd scsi0-0-0-0 scsi0.0 lun=0, {cd}"),
            ),
            (&[("hw_disk_bus", "scsi")], format!("lsi scsi0 pci, scsi-hd scsi0-0-0 scsi0.0 scsi-id=0, {cd}")),
            (&[("hw_disk_bus", "ide")], "ide-hd ide0-0-0 ide.0 unit=0, ide-cd ide0-0-1 ide.0 unit=1".to_owned()),
            (&[("hw_disk_bus", "sata")], format!("ahci sata0 pci, ide-hd sata0-0-0 sata0.0, {cd}")),
            (
                &[("hw_disk_bus", "sata"), ("hw_machine_type", "q35")],
                "ide-hd sata0-0-0 ide.0, ide-cd sata0-0-1 ide.1".to_owned(),
            ),
            // The letters of the names decide: sda is the root disk, sdb the second unit of another bus.
            (
                &[("hw_disk_bus", "usb"), ("hw_machine_type", "q35")],
                "usb-storage usb-disk0 usb.0 port=1, ide-cd sata0-0-1 ide.1".to_owned(),
            ),
            // virtio-scsi alone is counted by Nova.
            (
                &[("hw_disk_bus", "sata"), ("hw_cdrom_bus", "scsi"), ("hw_machine_type", "q35")],
                "lsi scsi0 pci, ide-hd sata0-0-0 ide.0, scsi-cd scsi0-0-1 scsi0.0 scsi-id=1".to_owned(),
            ),
            (
                &[("hw_disk_bus", "ide"), ("hw_cdrom_bus", "scsi"), ("hw_scsi_model", "virtio-scsi")],
                "virtio-scsi-pci scsi0 pci, ide-hd ide0-0-0 ide.0 unit=0, scsi-cd scsi0-0-0-0 scsi0.0 lun=0".to_owned(),
            ),
            (
                &[("hw_disk_bus", "usb"), ("hw_cdrom_bus", "usb")],
                "usb-storage usb-disk0 usb.0 port=2, usb-storage usb-disk1 usb.0 port=1.1".to_owned(),
            ),
            (&[("hw_scsi_model", "lsisas1078")], format!("megasas scsi0 pci, virtio-blk-pci virtio-disk0 pci, {cd}")),
        ] {
            assert_eq!(disks(properties), Ok(expected), "{properties:?}");
        }
    }

    #[test]
    fn what_libvirt_refuses_of_disks() {
        for properties in [
            &[("hw_disk_bus", "fdc")][..],
            &[("hw_disk_bus", "ide"), ("hw_machine_type", "q35")],
            &[("hw_scsi_model", "buslogic")],
            &[("hw_scsi_model", "ibmvscsi")],
            &[("hw_cdrom_bus", "virtio"), ("img_config_drive", "mandatory")],
        ] {
            let error = disks(properties).unwrap_err();
            assert!(error.contains("libvirt refuses it"), "{properties:?}: {error}");
        }
        let machine = of(&[], &[("hw_cdrom_bus", "virtio")]).unwrap();
        assert_eq!(machine.promises.config_drive, None);
        assert!(machine.notes.iter().any(|note| note.about == "hw_cdrom_bus"), "{:?}", machine.notes);
    }
}
