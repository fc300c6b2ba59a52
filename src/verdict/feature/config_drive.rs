//! Metadata on a disk.

use super::{Feature, File, Former, ImageProperty, NovaOption, Provision, Release, Role, Side};

pub(super) const FEATURE: Feature = Feature {
    name: "config-drive",
    summary: "the instance finds its metadata on a config drive",
    why: "Where no metadata service is reached, an instance that cannot read its config drive has neither keys nor addresses, and nobody can log in.",
    side: Side::Judged,
    image: "cloud-init that looks for ConfigDrive, and sr_mod, isofs and the drivers of an ide (pc) and a sata (q35) CD-ROM.",
    needs: &["cloud-init-present", "cloud-init-datasource"],
    properties: &[
        ImageProperty {
            key: "img_config_drive",
            value: "mandatory",
            role: Role::Proof,
            effect: "every instance of the image gets one; optional leaves it to whoever starts it (`openstack server create --use-config-drive`)",
        },
        ImageProperty {
            key: "hw_cdrom_bus",
            value: "scsi",
            role: Role::Instead,
            effect: "the drive hangs on virtio-scsi, beside hw_scsi_model=virtio-scsi; otherwise on ide (pc), sata (q35) or scsi (aarch64)",
        },
    ],
    flavor: &[],
    nova: &[
        NovaOption {
            section: "DEFAULT",
            name: "force_config_drive",
            value: "true",
            services: &["nova-compute"],
            since: None,
            effect: "every new instance of the host gets one; false is the default",
            formerly: &[],
        },
        NovaOption {
            section: "DEFAULT",
            name: "config_drive_format",
            value: "iso9660",
            services: &["nova-compute"],
            since: None,
            effect: "iso9660, the default, is a CD-ROM, vfat a disk; deprecated since 19.0.0 (Stein): leave it out",
            formerly: &[Former {
                option: "[DEFAULT] config_drive_format = vfat",
                changed: Release(19),
                gone: None,
                note: "was the way around a fault of libvirt before 1.2.17, for live migration without shared storage",
            }],
        },
    ],
    node: &["genisoimage, or mkisofs_cmd in nova.conf that names what takes its place"],
    provision: &[(
        "any",
        Provision {
            packages: &["cloud-init"],
            files: &[File {
                path: "/etc/cloud/cloud.cfg.d/99-datasource.cfg",
                text: "datasource_list: [ConfigDrive, OpenStack, None]\n",
            }],
            kernel: &["CONFIG_BLK_DEV_SR", "CONFIG_ISO9660_FS", "CONFIG_SATA_AHCI", "CONFIG_ATA_PIIX"],
            ..super::NOTHING
        },
    )],
    proofs: &["cloud-init-done"],
    aged: &[
        (
            "set config_drive_format=vfat to migrate",
            "not since libvirt 1.2.17; the option is deprecated since 19.0.0 (Stein)",
        ),
        ("force_config_drive=always", "it is true or false"),
        (
            "cloud-init in the image is enough",
            "the cloud kernels of some distributions leave drivers of the CD-ROM out: the drive is there and cannot be read",
        ),
    ],
    source: "Nova conf/configdrive.py, virt/configdrive.py (required_by), virt/libvirt/blockinfo.py (get_config_drive_type, get_disk_bus_for_device_type); Nova admin guide, config drives",
};
