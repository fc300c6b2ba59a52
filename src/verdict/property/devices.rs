//! Devices that Nova adds on demand: each is worth its property where the kernel drives it.

use super::disk::{BUSES, has_model};
use super::drivers::{Module, READS, driven, late};
use super::{BUS_SCSI, FULL, NAMED, Offer, Property, SCS, Value, Values};
use crate::verdict::View;

const VIRTIO_RNG: Module = ("virtio_rng", "CONFIG_HW_RANDOM_VIRTIO");
const CDROM: Module = ("sr_mod", "CONFIG_BLK_DEV_SR");
const ISO9660: Module = ("isofs", "CONFIG_ISO9660_FS");
const AHCI: Module = ("ahci", "CONFIG_SATA_AHCI");
const PIIX: Module = ("ata_piix", "CONFIG_ATA_PIIX");
const GPU: Module = ("virtio_gpu", "CONFIG_DRM_VIRTIO_GPU");
const TIS: Module = ("tpm_tis", "CONFIG_TCG_TIS");
const CRB: Module = ("tpm_crb", "CONFIG_TCG_CRB");

/// Boots, and nothing stops modules.
const LOADS: &[&str] = &["boot-entry-resolves", "initrd-virtio-pci", "module-not-blacklisted"];

pub(super) const RNG: Property = Property {
    key: "hw_rng_model",
    summary: "the instance gets a source of randomness from its host",
    why: "Nova adds the device to every instance since Ussuri, with or without the property; SCS-0102 recommends to name it all the same.",
    detects: "virtio_rng of every default kernel, built in or in the root tree.",
    fix: "Install a kernel package that has virtio_rng.",
    source: "Nova virt/libvirt/driver.py (_add_rng_device); SCS-0102",
    sets: SCS,
    values: Values::OneOf(&["virtio"]),
    needs: LOADS,
    reads: READS,
    value: Offer::Driven("virtio", |start, tally| late(start, tally, &[VIRTIO_RNG])),
};

pub(super) const CDROM_SCSI: Property = Property {
    key: "hw_cdrom_bus",
    summary: "the bus that CD-ROMs and ISO config drives hang on",
    why: "A config drive that the kernel cannot read leaves cloud-init without its data where there is no metadata service; ide does not exist on q35.",
    detects: "sr_mod, isofs and the bus's driver of every default kernel, built in or in the root tree.",
    fix: "Install a kernel package that has sr_mod, isofs and the bus's driver.",
    source: "Nova virt/libvirt/blockinfo.py (get_disk_bus_for_device_type)",
    sets: FULL,
    values: BUSES,
    needs: BUS_SCSI,
    reads: READS,
    value: Offer::Found("scsi", |view| {
        let choice = &view.options().choice;
        if choice.wants_other("hw_cdrom_bus", "scsi") {
            Value::is("scsi")
        } else if has_model(choice) {
            driven(view, "scsi", |start, tally| late(start, tally, &[CDROM, ISO9660]))
        } else {
            Value::without("only beside hw_scsi_model=virtio-scsi")
        }
    }),
};

pub(super) const CDROM_SATA: Property = Property {
    sets: NAMED,
    needs: LOADS,
    value: Offer::Driven("sata", |start, tally| late(start, tally, &[AHCI, CDROM, ISO9660])),
    ..CDROM_SCSI
};

pub(super) const CDROM_IDE: Property =
    Property { value: Offer::Driven("ide", |start, tally| late(start, tally, &[PIIX, CDROM, ISO9660])), ..CDROM_SATA };

pub(super) const VIDEO: Property = Property {
    key: "hw_video_model",
    summary: "the model of the graphics card",
    why: "A kernel without a driver of the model keeps to what the firmware set up, or shows nothing. virtio is what Nova takes by itself on x86_64.",
    detects: "virtio_gpu of every default kernel; for none, a console on the serial port.",
    fix: "Install a kernel package that has virtio_gpu.",
    source: "Nova virt/libvirt/driver.py (_get_video_type); Nova objects/fields.py (VideoModel)",
    sets: FULL,
    values: Values::OneOf(&["cirrus", "qxl", "vga", "vmvga", "xen", "virtio", "gop", "none", "bochs"]),
    needs: LOADS,
    reads: READS,
    value: Offer::Driven("virtio", |start, tally| late(start, tally, &[GPU])),
};

pub(super) const VIDEO_NONE: Property =
    Property { sets: NAMED, needs: &["console-serial"], value: Offer::Fixed("none"), ..VIDEO };

pub(super) const TPM_2: Property = Property {
    key: "hw_tpm_version",
    summary: "the instance gets a TPM of this version",
    why: "It restricts the instance to hosts that emulate a TPM, and needs a secret of the user; a kernel that lacks the driver gains nothing from it.",
    detects: "The driver of the TPM's model of every default kernel: tpm_tis, or tpm_crb beside hw_tpm_model=tpm-crb.",
    fix: "Install a kernel package that has tpm_tis or tpm_crb.",
    source: "Nova virt/hardware.py (get_vtpm_constraint)",
    sets: FULL,
    values: Values::OneOf(&["1.2", "2.0"]),
    needs: LOADS,
    reads: READS,
    value: Offer::Found("2.0", |view| match view.options().choice.value(TPM_2.key) {
        Some("1.2") => Value::NotNeeded,
        _ => tpm(view, "2.0"),
    }),
};

pub(super) const TPM_1: Property = Property {
    sets: NAMED,
    value: Offer::Found("1.2", |view| match view.options().choice.value(TPM_2.key) {
        Some("1.2") if is_crb(view) => Value::without("tpm-crb is a TPM 2.0"),
        Some("1.2") => tpm(view, "1.2"),
        _ => Value::NotNeeded,
    }),
    ..TPM_2
};

/// A version, where the model's driver is there; Nova's default model is tpm-tis.
fn tpm(view: &View<'_>, version: &str) -> Value {
    if is_crb(view) {
        driven(view, version, |start, tally| late(start, tally, &[CRB]))
    } else {
        driven(view, version, |start, tally| late(start, tally, &[TIS]))
    }
}

fn is_crb(view: &View<'_>) -> bool {
    view.options().choice.value(TPM_TIS.key) == Some("tpm-crb")
}

pub(super) const TPM_TIS: Property = Property {
    key: "hw_tpm_model",
    summary: "the interface of the TPM",
    why: "It does nothing without hw_tpm_version; tpm-crb is only for version 2.0.",
    value: Offer::Found("tpm-tis", |view| if is_crb(view) { Value::NotNeeded } else { model(view, "tpm-tis") }),
    values: Values::OneOf(&["tpm-tis", "tpm-crb"]),
    ..TPM_2
};

pub(super) const TPM_CRB: Property = Property {
    sets: NAMED,
    value: Offer::Found("tpm-crb", |view| if is_crb(view) { model(view, "tpm-crb") } else { Value::NotNeeded }),
    ..TPM_TIS
};

fn model(view: &View<'_>, model: &str) -> Value {
    if !view.options().choice.includes_key(TPM_2.key) {
        return Value::without("it does nothing without hw_tpm_version");
    }
    match tpm(view, model) {
        Value::Is(_) if is_crb(view) && view.options().choice.value(TPM_2.key) == Some("1.2") => {
            Value::without("tpm-crb is a TPM 2.0")
        }
        value => value,
    }
}

pub(super) const CONFIG_DRIVE: Property = Property {
    key: "img_config_drive",
    summary: "the instance gets a config drive",
    why: "mandatory gives every instance a config drive, which cloud-init must find and the kernel must read; it also keeps instances from some kinds of migration.",
    detects: "cloud-init's datasources, and sr_mod, isofs and the drivers of an ide (pc) and a sata (q35) CD-ROM of every default kernel.",
    fix: "Add ConfigDrive to cloud-init's datasource_list, and install a kernel package that has sr_mod, isofs, ata_piix and ahci.",
    source: "Nova virt/configdrive.py (required_by); Nova virt/libvirt/blockinfo.py (get_config_drive_type)",
    sets: FULL,
    values: Values::OneOf(&["optional", "mandatory"]),
    needs: &["boot-entry-resolves", "module-not-blacklisted", "cloud-init-datasource"],
    reads: READS,
    value: Offer::Driven("mandatory", |start, tally| late(start, tally, &[CDROM, ISO9660, PIIX, AHCI])),
};

pub(super) const CONFIG_DRIVE_OPTIONAL: Property = Property {
    detects: "Nothing: optional leaves it to whoever starts the instance.",
    fix: "Nothing is needed.",
    sets: NAMED,
    needs: &[],
    reads: &[],
    value: Offer::Fixed("optional"),
    ..CONFIG_DRIVE
};
